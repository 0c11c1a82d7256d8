use crate::{fee_per_lot, round_up_ppm};
use ballast_types::{Atoms, Lots, MarketKind, MarketSpec, Side, Ticks};

/// What one lot of a market is worth at its mark, and the margin that it needs.
///
/// This is the seam of the margin method: a linear market has two scenarios, the account loses the
/// margin rate on a long lot or on a short lot. Scenario arrays will take its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LotRisk {
    /// Value at mark; 0 for spot, whose base asset is no collateral.
    pub value: Atoms,
    /// Initial margin.
    pub initial: Atoms,
    /// Maintenance margin.
    pub maintenance: Atoms,
}

impl LotRisk {
    /// One lot of `market` at `mark`.
    pub fn at(market: &MarketSpec, mark: Ticks) -> Self {
        match market.kind {
            MarketKind::Spot { .. } => Self::default(),
            MarketKind::Perpetual | MarketKind::Future { .. } => {
                let value = Atoms::from(mark).saturating_mul(market.tick_value);
                Self {
                    value,
                    initial: round_up_ppm(value, i64::from(market.initial_margin_ppm)),
                    maintenance: round_up_ppm(value, i64::from(market.maintenance_margin_ppm)),
                }
            }
        }
    }
}

/// Sum over open orders of the smaller of 0 and their result, when long lots lose (`plus`) and when
/// short lots lose (`minus`). Never positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worst {
    /// Scenario `s = +1`.
    pub plus: Atoms,
    /// Scenario `s = -1`.
    pub minus: Atoms,
}

/// What open orders add to both requirements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// At the initial rate.
    pub initial: Worst,
    /// At the maintenance rate.
    pub maintenance: Worst,
}

impl Worst {
    fn of(side: Side, gain: Atoms, rate: Atoms, lots: Lots) -> Self {
        let lots = Atoms::from(lots);
        let with = gain.saturating_sub(rate).min(0).saturating_mul(lots);
        let against = gain.saturating_add(rate).min(0).saturating_mul(lots);
        match side {
            Side::Buy => Self {
                plus: with,
                minus: against,
            },
            Side::Sell => Self {
                plus: against,
                minus: with,
            },
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            plus: self.plus.saturating_add(other.plus),
            minus: self.minus.saturating_add(other.minus),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            plus: self.plus.saturating_sub(other.plus),
            minus: self.minus.saturating_sub(other.minus),
        }
    }
}

impl Terms {
    /// Terms of an order of `lots` with `gain` per lot (see [`worst_gain`]).
    pub fn of(side: Side, gain: Atoms, risk: &LotRisk, lots: Lots) -> Self {
        Self {
            initial: Worst::of(side, gain, risk.initial, lots),
            maintenance: Worst::of(side, gain, risk.maintenance, lots),
        }
    }

    /// With the other's orders as well.
    pub fn plus(self, other: Self) -> Self {
        Self {
            initial: self.initial.plus(other.initial),
            maintenance: self.maintenance.plus(other.maintenance),
        }
    }

    /// Without the other's orders.
    pub fn minus(self, other: Self) -> Self {
        Self {
            initial: self.initial.minus(other.initial),
            maintenance: self.maintenance.minus(other.maintenance),
        }
    }
}

/// Worst loss over all subsets of fills when long lots lose `rate` each, and when short lots do.
pub fn scenarios(rate: Atoms, size: Lots, worst: Worst) -> (Atoms, Atoms) {
    let held = rate.saturating_mul(Atoms::from(size));
    let long_loses = held.saturating_sub(worst.plus);
    let short_loses = 0_i128.saturating_sub(held).saturating_sub(worst.minus);
    (long_loses, short_loses)
}

/// Requirement of one market: the worse of its [`scenarios`].
pub fn requirement(rate: Atoms, size: Lots, worst: Worst) -> Atoms {
    let (long_loses, short_loses) = scenarios(rate, size, worst);
    long_loses.max(short_loses)
}

/// What one lot gains when it is bought or sold at `price` with this fee rate, at mark.
pub fn gain(side: Side, price: Ticks, market: &MarketSpec, risk: &LotRisk, fee_ppm: i32) -> Atoms {
    let paid = Atoms::from(price).saturating_mul(market.tick_value);
    let gain = match side {
        Side::Buy => risk.value.saturating_sub(paid),
        Side::Sell => paid.saturating_sub(risk.value),
    };
    gain.saturating_sub(fee_per_lot(price, market.tick_value, fee_ppm))
}

/// [`gain`] of an order at its limit with its worst fee, the taker's.
pub fn worst_gain(side: Side, price: Ticks, market: &MarketSpec, risk: &LotRisk) -> Atoms {
    gain(side, price, market, risk, market.taker_fee_ppm)
}

/// How many of `lots` an account that is not covered may trade: as many as do not lower its equity
/// minus the maintenance margin of what it holds.
pub fn allowed_while_uncovered(
    side: Side,
    gain: Atoms,
    maintenance: Atoms,
    size: Lots,
    lots: Lots,
) -> Lots {
    let opposite = match side {
        Side::Buy => 0_i64.saturating_sub(size),
        Side::Sell => size,
    };
    if gain >= maintenance {
        lots
    } else if gain.saturating_add(maintenance) >= 0 && opposite > 0 {
        lots.min(opposite)
    } else {
        0
    }
}
