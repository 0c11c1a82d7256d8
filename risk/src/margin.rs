use crate::{fee_per_lot, round_up_ppm};
use ballast_types::{Atoms, Lots, MarketKind, MarketSpec, Side, Ticks};

/// What one lot needs when it is held long, and when it is held short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of a long lot.
    pub long: Atoms,
    /// Of a short lot.
    pub short: Atoms,
}

impl Rates {
    /// The same on both sides.
    pub fn even(rate: Atoms) -> Self {
        Self {
            long: rate,
            short: rate,
        }
    }

    /// What a position needs that has no open orders.
    pub fn held(self, size: Lots) -> Atoms {
        let rate = if size < 0 { self.short } else { self.long };
        rate.saturating_mul(Atoms::from(size).saturating_abs())
    }
}

/// What one lot of a market is worth at its mark, and the margin that it needs in Standard mode.
///
/// Each market has two scenarios: the account loses the margin rate of a long lot, or that of a
/// short one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LotRisk {
    /// Value at mark; 0 for spot, whose base asset is no collateral.
    pub value: Atoms,
    /// Initial margin.
    pub initial: Rates,
    /// Maintenance margin.
    pub maintenance: Rates,
    /// Of an option: value of what it is on, of which its fees are a fraction.
    pub underlying: Option<Atoms>,
    /// What it gains when the underlying doubles, to first order; 0 for spot.
    pub delta: Atoms,
    /// Of an option: what it gains when volatility rises by one percentage point.
    pub vega: Atoms,
}

/// What one lot of an option is worth and hinges on, in atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionLot {
    /// Value.
    pub value: Atoms,
    /// Value of the underlying.
    pub underlying: Atoms,
    /// How far the underlying is from where the option would pay; 0 where it would.
    pub out_of_the_money: Atoms,
    /// See [`LotRisk::delta`].
    pub delta: Atoms,
    /// See [`LotRisk::vega`].
    pub vega: Atoms,
}

/// An option's fee is at most this part of its price, in millionths.
const OPTION_FEE_CAP_PPM: i64 = 125_000;

impl LotRisk {
    /// One lot of `market` at `mark`. Of an option nothing follows from its mark alone: see
    /// [`LotRisk::option`].
    pub fn at(market: &MarketSpec, mark: Ticks) -> Self {
        match market.kind {
            MarketKind::Spot { .. } | MarketKind::Option { .. } => Self::default(),
            MarketKind::Perpetual | MarketKind::Future { .. } => {
                let value = Atoms::from(mark).saturating_mul(market.tick_value);
                let rate = |ppm: u32| Rates::even(round_up_ppm(value, i64::from(ppm)));
                Self {
                    value,
                    initial: rate(market.initial_margin_ppm),
                    maintenance: rate(market.maintenance_margin_ppm),
                    underlying: None,
                    delta: value,
                    vega: 0,
                }
            }
        }
    }

    /// One lot of an option. A long one needs what it is worth, a short one a fraction of the
    /// underlying less what it is out of the money.
    pub fn option(market: &MarketSpec, lot: &OptionLot) -> Self {
        let part = |ppm: u32| round_up_ppm(lot.underlying, i64::from(ppm));
        let initial = part(market.initial_margin_ppm)
            .saturating_sub(lot.out_of_the_money)
            .max(part(market.minimum_margin_ppm));
        let rates = |short| Rates {
            long: lot.value,
            short,
        };
        Self {
            value: lot.value,
            initial: rates(initial),
            maintenance: rates(part(market.maintenance_margin_ppm).min(initial)),
            underlying: Some(lot.underlying),
            delta: lot.delta,
            vega: lot.vega,
        }
    }

    /// Fee of one lot traded at `price`; negative is a rebate.
    pub fn fee(&self, price: Ticks, tick_value: Atoms, ppm: i32) -> Atoms {
        let Some(underlying) = self.underlying else {
            return fee_per_lot(price, tick_value, ppm);
        };
        let premium = Atoms::from(price).saturating_mul(tick_value);
        round_up_ppm(underlying, i64::from(ppm)).min(round_up_ppm(premium, OPTION_FEE_CAP_PPM))
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
    fn of(side: Side, gain: Atoms, rates: Rates, lots: Lots) -> Self {
        let lots = Atoms::from(lots);
        let term = |result: Atoms| result.min(0).saturating_mul(lots);
        match side {
            Side::Buy => Self {
                plus: term(gain.saturating_sub(rates.long)),
                minus: term(gain.saturating_add(rates.short)),
            },
            Side::Sell => Self {
                plus: term(gain.saturating_add(rates.long)),
                minus: term(gain.saturating_sub(rates.short)),
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

/// Worst loss over all subsets of fills when each long lot loses its rate, and when each short lot
/// does.
pub fn scenarios(rates: Rates, size: Lots, worst: Worst) -> (Atoms, Atoms) {
    let size = Atoms::from(size);
    let long = rates.long.saturating_mul(size);
    let short = rates.short.saturating_mul(size);
    let long_loses = long.saturating_sub(worst.plus);
    let short_loses = 0_i128.saturating_sub(short).saturating_sub(worst.minus);
    (long_loses, short_loses)
}

/// Requirement of one market: the worse of its [`scenarios`].
pub fn requirement(rates: Rates, size: Lots, worst: Worst) -> Atoms {
    let (long_loses, short_loses) = scenarios(rates, size, worst);
    long_loses.max(short_loses)
}

/// What one lot gains when it is bought or sold at `price` with this fee rate, at mark.
pub fn gain(side: Side, price: Ticks, market: &MarketSpec, risk: &LotRisk, fee_ppm: i32) -> Atoms {
    let paid = Atoms::from(price).saturating_mul(market.tick_value);
    let gain = match side {
        Side::Buy => risk.value.saturating_sub(paid),
        Side::Sell => paid.saturating_sub(risk.value),
    };
    gain.saturating_sub(risk.fee(price, market.tick_value, fee_ppm))
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
    maintenance: Rates,
    size: Lots,
    lots: Lots,
) -> Lots {
    let Rates { long, short } = maintenance;
    let (opposite, opens, closes) = match side {
        Side::Buy => (0_i64.saturating_sub(size), long, short),
        Side::Sell => (size, short, long),
    };
    if gain >= opens {
        lots
    } else if gain.saturating_add(closes) >= 0 && opposite > 0 {
        lots.min(opposite)
    } else {
        0
    }
}
