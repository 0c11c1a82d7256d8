//! The account: scenarios, the worst of them, charges, floors and factors.

use super::charges::{Charged, Sizes};
use super::fixed::{div_floor, mul_div_ceil, mul_div_floor, share_ceil, share_floor};
use super::marks::Expiry;
use super::{AMOUNT_ONE, Basis, Error, ExpirySums, Held, Numeraire, ONE, Scenario, Scenarios};
use ballast_types::margin::{ratio, refuse};

/// Scenarios that lose as much but for roundings, money.
const TIE: i128 = 1_000;

/// What an account holds in one unit.
#[derive(Clone, Copy, Debug)]
pub struct Holdings<'a> {
    /// Position and open orders in the perpetual.
    pub perpetual: Held,
    /// Its unsettled result, funding included; money.
    pub perpetual_pnl: i128,
    /// The underlying held as spot, and its open orders.
    pub spot: Held,
    /// The expiries, in the order of the marks.
    pub expiries: &'a [ExpirySums],
    /// Other assets that belong to this unit.
    pub collateral: &'a [Collateral],
}

/// An asset that counts as collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collateral {
    /// Amount x price, money, before the value of the quote.
    pub value: i128,
    /// Confidence of its price.
    pub confidence: i64,
    /// Whether it moves with the underlying.
    pub hedge: bool,
    /// Share that both requirements take.
    pub maintenance_haircut: i64,
    /// Share that the initial requirement takes on top.
    pub initial_haircut: i64,
}

/// What made the scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worst {
    /// The scenario of this index: the first whose loss is the scan but for 10^-9.
    Scenario(usize),
    /// The competing basis.
    Basis,
}

/// The margin of one unit; money, requirements positive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitMargin {
    /// Initial requirement.
    pub initial: i128,
    /// Maintenance requirement.
    pub maintenance: i128,
    /// Value at the marks.
    pub value: i128,
    /// Loss in the worst scenario.
    pub scan: i128,
    /// Which that is; none when nothing loses.
    pub worst: Option<Worst>,
    /// Result of each scenario.
    pub scenario_pnl: Vec<i128>,
    /// Result of the competing basis, not positive.
    pub basis: i128,
    /// Roll charge.
    pub roll: i128,
    /// Charge for large deltas.
    pub delta_shock: i128,
    /// All charges inside the factors, the two above among them.
    pub charges_in: i128,
    /// Lower bound of scan and inner charges.
    pub floor: i128,
    /// The larger of the two: what the factors multiply.
    pub core: i128,
    /// Charges of both requirements outside the factors.
    pub charges_maintenance: i128,
    /// Haircuts of both requirements.
    pub haircuts_maintenance: i128,
    /// Charges of the initial requirement only.
    pub charges_initial: i128,
    /// Haircuts of the initial requirement only.
    pub haircuts_initial: i128,
    /// Add-on of the initial requirement for doubtful feeds.
    pub confidence: i128,
    /// Factor of the initial requirement, a ratio.
    pub initial_factor: i128,
    /// Naked short options, coins.
    pub naked_short: i128,
    /// Net delta, coins.
    pub net_delta: i128,
}

/// The margin of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margin {
    /// Cash and the value of all units.
    pub equity: i128,
    /// Initial requirement.
    pub initial: i128,
    /// Maintenance requirement.
    pub maintenance: i128,
}

/// Adds units to cash.
///
/// # Errors
/// A sum that does not fit.
pub fn total<'a>(
    cash: i128,
    units: impl IntoIterator<Item = &'a UnitMargin>,
) -> Result<Margin, Error> {
    let mut sum = Margin {
        equity: cash,
        ..Margin::default()
    };
    for unit in units {
        let add = |a: i128, b, field| a.checked_add(b).ok_or(Error::TooLarge(field));
        sum.equity = add(sum.equity, unit.value, "equity")?;
        sum.initial = add(sum.initial, unit.initial, "im")?;
        sum.maintenance = add(sum.maintenance, unit.maintenance, "mm")?;
    }
    Ok(sum)
}

/// Spot and other assets, valued.
pub(super) struct Outside {
    spot: i128,
    pub(super) assets: Vec<Valued>,
    /// Value of what moves with the underlying.
    pub(super) moving: i128,
}

/// An asset at the value of the quote.
pub(super) struct Valued {
    pub(super) value: i128,
    pub(super) terms: Collateral,
}

impl Scenarios {
    /// The margin of what an account holds in this unit, without its open orders.
    ///
    /// # Errors
    /// A position outside its range, another number of expiries than the marks have, or a figure
    /// that does not fit.
    pub fn margin(&self, held: &Holdings<'_>) -> Result<UnitMargin, Error> {
        self.check(held)?;
        let outside = self.outside(held)?;
        let mut margin = UnitMargin {
            value: self.value(held, &outside).ok_or(Error::TooLarge("mtm"))?,
            ..UnitMargin::default()
        };
        self.scan(held, &outside, &mut margin)?;
        let sizes = Sizes::new(held, false).ok_or(Error::TooLarge("net_delta"))?;
        margin.net_delta = div_floor(sizes.net.0, AMOUNT_ONE.unsigned_abs()).unwrap_or(0);
        margin.naked_short = sizes.naked.saturating_mul(1_000_000);
        let charged = self.charge(held, &sizes, &outside.assets)?;
        self.factors(&charged, &mut margin)?;
        Ok(margin)
    }

    /// What an account has outside of perpetuals, futures and options.
    pub(super) fn outside(&self, held: &Holdings<'_>) -> Result<Outside, Error> {
        let stable = self.marks.stable.unsigned_abs();
        let one = i128::from(ONE);
        let spot = self
            .spot_value(held.spot.amount)
            .ok_or(Error::TooLarge("hedge_spot"))?;
        let asset = |terms: &Collateral| {
            Some(Valued {
                value: mul_div_floor(terms.value, one, stable)?,
                terms: *terms,
            })
        };
        let assets: Option<Vec<_>> = held.collateral.iter().map(asset).collect();
        let assets = assets.ok_or(Error::TooLarge("collateral.amount"))?;
        let mut moving = spot;
        for asset in assets.iter().filter(|asset| asset.terms.hedge) {
            let sum = moving.checked_add(asset.value);
            moving = sum.ok_or(Error::TooLarge("scenario_pnl"))?;
        }
        Ok(Outside {
            spot,
            assets,
            moving,
        })
    }

    /// Value of an amount of the underlying, rounded down.
    pub(super) fn spot_value(&self, amount: i64) -> Option<i128> {
        // Both factors are 64 bits.
        let product = i128::from(amount).wrapping_mul(i128::from(self.marks.index));
        let value = self.scale.money_floor(product)?;
        mul_div_floor(value, i128::from(ONE), self.marks.stable.unsigned_abs())
    }

    pub(super) fn check(&self, held: &Holdings<'_>) -> Result<(), Error> {
        let count = i128::try_from(held.expiries.len()).unwrap_or(i128::MAX);
        let rule = "positions; as many as the marks have";
        refuse(
            held.expiries.len() != self.expiries.len(),
            "expiries",
            count,
            0,
            rule,
        )?;
        if self.params.numeraire == Numeraire::Coin {
            let rule = "where the numeraire is coin, coins are cash";
            let spot = i128::from(held.spot.amount);
            refuse(
                held.spot != Held::default(),
                "hedge_spot",
                spot,
                super::AMOUNT_DIGITS,
                rule,
            )?;
            let count = i128::try_from(held.collateral.len()).unwrap_or(i128::MAX);
            let rule = "assets; where the numeraire is coin there are none";
            refuse(!held.collateral.is_empty(), "collateral", count, 0, rule)?;
        }
        for asset in held.collateral {
            let rule = "must be from 0 to 1";
            ratio("collateral.conf", asset.confidence, 0, ONE, rule)?;
            let rule = "must not be negative";
            ratio(
                "collateral.mm_haircut",
                asset.maintenance_haircut,
                0,
                i64::MAX,
                rule,
            )?;
            ratio(
                "collateral.im_haircut",
                asset.initial_haircut,
                0,
                i64::MAX,
                rule,
            )?;
        }
        Ok(())
    }

    /// Value at the marks, rounded down.
    fn value(&self, held: &Holdings<'_>, outside: &Outside) -> Option<i128> {
        let mut options = 0_i128;
        for sums in held.expiries {
            options = options.checked_add(sums.mark)?;
        }
        let mut value = self.scale.money_floor(options)?.checked_add(outside.spot)?;
        for asset in &outside.assets {
            value = value.checked_add(asset.value)?;
        }
        value.checked_add(held.perpetual_pnl)
    }

    fn scan(
        &self,
        held: &Holdings<'_>,
        outside: &Outside,
        margin: &mut UnitMargin,
    ) -> Result<(), Error> {
        let too_large = || Error::TooLarge("scenario_pnl");
        margin.scenario_pnl.reserve(self.len());
        let mut lowest = 0;
        for (index, scenario) in self.params.scenarios.iter().enumerate() {
            let (pnl, damp) = self
                .pnl(held, outside.moving, index, scenario)
                .ok_or_else(too_large)?;
            let pnl = if pnl < 0 {
                pnl.saturating_add(damp).min(0)
            } else {
                pnl
            };
            lowest = lowest.min(pnl);
            margin.scenario_pnl.push(pnl);
        }
        if lowest < 0 {
            margin.scan = lowest.checked_neg().ok_or_else(too_large)?;
            let tie = lowest.saturating_add(TIE);
            let worst = margin.scenario_pnl.iter().position(|pnl| *pnl <= tie);
            margin.worst = worst.map(Worst::Scenario);
        }
        if let Basis::Competing { .. } = self.params.basis {
            margin.basis = self.basis(held).ok_or(Error::TooLarge("basis_competing"))?;
            if margin.basis < margin.scan.saturating_neg() {
                margin.scan = margin.basis.saturating_neg();
                margin.worst = Some(Worst::Basis);
            }
        }
        Ok(())
    }

    /// Result of one scenario, rounded down, and how much of a loss is forgiven; `moving` is the
    /// value of what moves with the underlying.
    pub(super) fn pnl(
        &self,
        held: &Holdings<'_>,
        moving: i128,
        index: usize,
        scenario: &Scenario,
    ) -> Option<(i128, i128)> {
        let product = |a: i64, b: i64| i128::from(a).wrapping_mul(i128::from(b));
        let mut exact = product(held.perpetual.amount, *self.perpetual_moves.get(index)?);
        let mut money = share_floor(moving, scenario.moves())?;
        for (sums, expiry) in held.expiries.iter().zip(&self.expiries) {
            let future = product(sums.future.amount, *expiry.future_moves.get(index)?);
            exact = exact.checked_add(future)?;
            let shocked = *sums.values.get(index)?;
            if expiry.discounts.of_value.is_none() && !scenario.is_skew() {
                exact = exact.checked_add(shocked)?.checked_sub(sums.mark)?;
                continue;
            }
            let change = self
                .discounted(expiry, shocked)?
                .checked_sub(self.scale.money_ceil(sums.mark)?)?;
            let change = if scenario.is_skew() {
                change.checked_abs()?.checked_neg()?
            } else {
                change
            };
            money = money.checked_add(change)?;
        }
        let money = money.checked_add(self.scale.money_floor(exact)?)?;
        self.rescaled(share_floor(money, scenario.weight)?, scenario)
    }

    /// Shocked value of an expiry's options after the discount on its sign, rounded down.
    pub(super) fn discounted(&self, expiry: &Expiry, shocked: i128) -> Option<i128> {
        let value = self.scale.money_floor(shocked)?;
        match expiry.discounts.of_value {
            None => Some(value),
            Some((long, short)) => share_floor(value, if value < 0 { short } else { long }),
        }
    }

    /// Result and dampener; extended rows under the coin numeraire are put on the scale of the main
    /// table.
    fn rescaled(&self, pnl: i128, scenario: &Scenario) -> Option<(i128, i128)> {
        let (mut pnl, mut damp) = (pnl, scenario.damp);
        if self.params.numeraire == Numeraire::Coin && scenario.extended {
            let factor = ONE.checked_add(scenario.change)?;
            let edge = if scenario.change > 0 {
                ONE.checked_add(self.params.price_range)?
            } else {
                ONE.checked_sub(self.params.price_range)?
            };
            let edge_ratio = u64::try_from(edge).ok()?;
            pnl = mul_div_floor(pnl, i128::from(factor), edge_ratio)?;
            damp = mul_div_floor(damp, i128::from(ONE), edge_ratio)?;
            let one = 10_i128.checked_pow(self.marks.price_digits)?;
            damp = mul_div_floor(damp, one, self.marks.index.unsigned_abs())?;
        }
        Some((pnl, damp))
    }

    /// Sum over expiries of the loss when its forward alone moves, rounded down.
    pub(super) fn basis(&self, held: &Holdings<'_>) -> Option<i128> {
        let mut sum = 0_i128;
        for (sums, expiry) in held.expiries.iter().zip(&self.expiries) {
            let worst = sums.basis_up.min(sums.basis_down).checked_sub(sums.mark)?;
            let loss = self.scale.money_floor(worst.min(0))?;
            sum = sum.checked_add(share_floor(loss, expiry.basis)?)?;
        }
        Some(sum)
    }

    /// Core, factors and what is added outside of them.
    fn factors(&self, charged: &Charged, margin: &mut UnitMargin) -> Result<(), Error> {
        margin.roll = charged.roll;
        margin.delta_shock = charged.delta_shock;
        margin.charges_in = charged.inside;
        margin.floor = charged.floor;
        margin.charges_maintenance = charged.maintenance;
        margin.haircuts_maintenance = charged.haircuts_maintenance;
        margin.charges_initial = charged.initial;
        margin.haircuts_initial = charged.haircuts_initial;
        margin.confidence = charged.confidence;
        margin.initial_factor = self.initial_factor;
        let core = margin.scan.checked_add(charged.inside);
        margin.core = core.ok_or(Error::TooLarge("core"))?.max(charged.floor);
        let maintenance = share_ceil(margin.core, self.params.maintenance_factor)
            .and_then(|share| share.checked_add(charged.outside_maintenance()?));
        let initial = mul_div_ceil(margin.core, margin.initial_factor, ONE.unsigned_abs())
            .and_then(|share| share.checked_add(charged.outside_initial()?));
        margin.initial = initial.ok_or(Error::TooLarge("im"))?;
        margin.maintenance = maintenance.ok_or(Error::TooLarge("mm"))?;
        Ok(())
    }
}
