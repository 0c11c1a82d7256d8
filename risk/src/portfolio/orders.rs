//! Open orders: what they may lose in each scenario, and the requirement with the worst subset of
//! fills.
//!
//! A scenario's result of a sum of positions is at least the sum of their results: results of
//! linear instruments add up, and the discounts on option values take the lower of two. So an order
//! that is filled lowers the result by no more than its own, and the worst subset of fills is that
//! of all orders whose gain and result together are negative. Charges and floors enter at their own
//! worst subsets.

use super::charges::{Charged, Sizes};
use super::fixed::{div_ceil, div_floor, mul_div_ceil, mul_div_floor, share_floor};
use super::{Basis, Error, Holdings, MONEY_DIGITS, Numeraire, ONE, RiskArray, Scenario, Scenarios};
use ballast_types::Side;
use ballast_types::margin::refuse;

/// What the roundings of the fold may come to in one fill, money.
const ROUNDING: i128 = 1_000;

/// What an order trades.
#[derive(Clone, Copy, Debug)]
pub enum Instrument<'a> {
    /// The perpetual.
    Perpetual,
    /// The underlying itself.
    Spot,
    /// The future of the expiry with this index.
    Future(usize),
    /// An option of the expiry with this index.
    Option(usize, &'a RiskArray),
}

/// What one lot of an open order may lose in each state when it is filled; money, not positive. The
/// states are: nothing moves, each scenario, and the competing basis where there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderTerms {
    /// By the factor of the initial requirement.
    pub initial: Vec<i128>,
    /// By the factor of the maintenance requirement.
    pub maintenance: Vec<i128>,
}

/// What one lot of an instrument makes of each state, on one side and whatever its price: it is made
/// again only when marks move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LotTerms {
    atom: u64,
    /// By the factor of the initial requirement, in money of whole atoms.
    initial: Vec<i128>,
    maintenance: Vec<i128>,
}

impl LotTerms {
    /// The terms of one lot of an order that gains `gain` at the marks when it is filled at its
    /// limit with its worst fee; money, rounded down to atoms.
    ///
    /// # Errors
    /// A figure that does not fit.
    pub fn order(&self, gain: i128) -> Result<OrderTerms, Error> {
        let terms = |results: &[i128]| -> Option<Vec<i128>> {
            let gain = whole(gain, self.atom)?;
            let term = |result: &i128| Some(gain.checked_add(*result)?.min(0));
            results.iter().map(term).collect()
        };
        let terms = |results| terms(results).ok_or(Error::TooLarge("orders"));
        Ok(OrderTerms {
            initial: terms(&self.initial)?,
            maintenance: terms(&self.maintenance)?,
        })
    }
}

/// Money rounded down to atoms.
fn whole(money: i128, atom: u64) -> Option<i128> {
    div_floor(money, atom)?.checked_mul(i128::from(atom))
}

/// Sums over the open orders of one unit: lots x terms, exact. The default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderSums {
    initial: Vec<i128>,
    maintenance: Vec<i128>,
}

/// The requirements of one unit with its open orders; money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    /// Initial, at the worst subset of fills.
    pub initial: i128,
    /// Maintenance, at the worst subset of fills.
    pub maintenance: i128,
    /// Maintenance of the positions alone.
    pub held: i128,
}

/// What positions lose in each state; money, negative where they gain. They stay the same while
/// orders come and go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Losses {
    /// In the order of the terms of open orders.
    states: Vec<i128>,
    /// The largest, at least 0.
    scan: i128,
}

impl OrderSums {
    /// Adds `lots` of an order. The sums of the same orders are the same bits whatever the order.
    /// After an error they are of no use.
    ///
    /// # Errors
    /// A sum that does not fit.
    pub fn add(&mut self, terms: &OrderTerms, lots: i64) -> Result<(), Error> {
        let lots = i128::from(lots);
        for (sums, terms) in [
            (&mut self.initial, &terms.initial),
            (&mut self.maintenance, &terms.maintenance),
        ] {
            if sums.is_empty() {
                sums.resize(terms.len(), 0);
            }
            for (sum, term) in sums.iter_mut().zip(terms) {
                let more = term.checked_mul(lots);
                let next = more.and_then(|more| sum.checked_add(more));
                *sum = next.ok_or(Error::TooLarge("orders"))?;
            }
        }
        Ok(())
    }

    /// Takes `lots` of an order away again.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn remove(&mut self, terms: &OrderTerms, lots: i64) -> Result<(), Error> {
        let lots = lots.checked_neg().ok_or(Error::TooLarge("orders"))?;
        self.add(terms, lots)
    }
}

impl Scenarios {
    /// How many states the terms of orders have.
    fn states(&self) -> usize {
        let basis = matches!(self.params.basis, Basis::Competing { .. });
        self.len()
            .saturating_add(1)
            .saturating_add(usize::from(basis))
    }

    /// The terms of one lot of an open order: `amount` of the instrument, and what the lot gains at
    /// the marks when it is filled at its limit with its worst fee, money. `atom` is the money of
    /// one atom of the margin asset, a power of ten up to 1.
    ///
    /// # Errors
    /// As [`Self::lot`].
    pub fn order(
        &self,
        instrument: Instrument<'_>,
        amount: i64,
        side: Side,
        gain: i128,
        atom: i128,
    ) -> Result<OrderTerms, Error> {
        self.lot(instrument, amount, side, atom)?.order(gain)
    }

    /// What all orders of an instrument have in common on one side; see [`Self::order`].
    ///
    /// # Errors
    /// The coin numeraire, an atom that is none, an expiry that the marks lack, a figure that does not
    /// fit.
    pub fn lot(
        &self,
        instrument: Instrument<'_>,
        amount: i64,
        side: Side,
        atom: i128,
    ) -> Result<LotTerms, Error> {
        let coin = self.params.numeraire == Numeraire::Coin;
        let rule = "coin counts; must be usd where there are open orders";
        refuse(coin, "numeraire", 1, 0, rule)?;
        let one = 10_i128.pow(MONEY_DIGITS);
        let wrong = !(1..=one).contains(&atom) || one.checked_rem(atom) != Some(0);
        refuse(wrong, "atom", atom, MONEY_DIGITS, "must be a part of 1")?;
        let lot = match side {
            Side::Buy => Some(amount),
            Side::Sell => amount.checked_neg(),
        };
        let lot = lot.ok_or(Error::TooLarge("orders.amount"))?;
        self.lot_terms(&instrument, lot, atom)
            .ok_or(Error::TooLarge("orders"))
    }

    fn lot_terms(&self, instrument: &Instrument<'_>, lot: i64, atom: i128) -> Option<LotTerms> {
        let mut terms = LotTerms {
            atom: u64::try_from(atom).ok()?,
            initial: Vec::with_capacity(self.states()),
            maintenance: Vec::with_capacity(self.states()),
        };
        // A multiple of the atom.
        let slack = atom.max(ROUNDING);
        let maintenance = i128::from(self.params.maintenance_factor);
        let mut add = |result: i128| -> Option<()> {
            for (factor, terms, atom) in [
                (self.initial_factor, &mut terms.initial, terms.atom),
                (maintenance, &mut terms.maintenance, terms.atom),
            ] {
                let share = mul_div_floor(result, factor, ONE.unsigned_abs())?;
                terms.push(whole(share, atom)?.checked_sub(slack)?);
            }
            Some(())
        };
        for (index, scenario) in self.params.scenarios.iter().enumerate() {
            add(self.lot_result(instrument, lot, index, scenario)?)?;
        }
        if let Basis::Competing { .. } = self.params.basis {
            add(self.lot_basis(instrument, lot)?)?;
        }
        // Where nothing moves nothing is rounded.
        terms.initial.insert(0, 0);
        terms.maintenance.insert(0, 0);
        Some(terms)
    }

    /// Result of one lot in a scenario, weighted, rounded down.
    fn lot_result(
        &self,
        instrument: &Instrument<'_>,
        lot: i64,
        index: usize,
        scenario: &Scenario,
    ) -> Option<i128> {
        // Both factors are 64 bits.
        let product = |value: i64| i128::from(lot).wrapping_mul(i128::from(value));
        let linear = |moves: &[i64]| self.scale.money_floor(product(*moves.get(index)?));
        let result = match *instrument {
            Instrument::Perpetual => linear(&self.perpetual_moves)?,
            Instrument::Future(expiry) => linear(&self.expiries.get(expiry)?.future_moves)?,
            Instrument::Spot => share_floor(self.spot_value(lot)?, scenario.moves())?,
            Instrument::Option(expiry, array) => {
                let expiry = self.expiries.get(expiry)?;
                let (value, mark) = (product(*array.values.get(index)?), product(array.mark));
                if scenario.is_skew() {
                    let value = self.scale.money_floor(value)?;
                    let mark = self.scale.money_ceil(mark)?;
                    let (long, short) = expiry.discounts.of_value.unwrap_or((ONE, ONE));
                    // By either discount, for what else is held decides which of them counts.
                    let change = |discount: i64| {
                        share_floor(value, discount)?
                            .checked_sub(mark)?
                            .checked_abs()
                    };
                    change(long)?.max(change(short)?).checked_neg()?
                } else if expiry.discounts.of_value.is_none() {
                    self.scale.money_floor(value.checked_sub(mark)?)?
                } else {
                    self.discounted(expiry, value)?
                        .checked_sub(self.scale.money_ceil(mark)?)?
                }
            }
        };
        share_floor(result, scenario.weight)
    }

    /// Result of one lot when the forward of its expiry alone moves, at most 0, rounded down.
    fn lot_basis(&self, instrument: &Instrument<'_>, lot: i64) -> Option<i128> {
        let Instrument::Option(expiry, array) = *instrument else {
            return Some(0);
        };
        let product = |value: i64| i128::from(lot).wrapping_mul(i128::from(value));
        let worst = product(array.basis_up)
            .min(product(array.basis_down))
            .checked_sub(product(array.mark))?;
        let loss = self.scale.money_floor(worst.min(0))?;
        share_floor(loss, self.expiries.get(expiry)?.basis)
    }

    /// The requirements of what an account holds in this unit and of its open orders, at the worst
    /// subset of fills. `held` says how much is open of each instrument, `orders` on what terms.
    ///
    /// A fill of an order at its limit or better with at most its worst fee never lowers equity
    /// less the maintenance requirement, nor less the initial one.
    ///
    /// # Errors
    /// A position outside its range, another number of expiries or states than the unit has, or a
    /// figure that does not fit.
    pub fn requirement(
        &self,
        held: &Holdings<'_>,
        orders: &OrderSums,
    ) -> Result<Requirement, Error> {
        self.requirement_of(held, &self.losses(held)?, orders)
    }

    /// As [`Self::requirement`], with the losses of the same positions.
    ///
    /// # Errors
    /// As [`Self::requirement`].
    pub fn requirement_of(
        &self,
        held: &Holdings<'_>,
        losses: &Losses,
        orders: &OrderSums,
    ) -> Result<Requirement, Error> {
        self.check(held)?;
        let states = orders.initial.len();
        let count = i128::try_from(states).unwrap_or(i128::MAX);
        let wrong = states != 0 && states != self.states();
        let rule = "states; as many as the unit has";
        refuse(wrong, "orders", count, 0, rule)?;
        let outside = self.outside(held)?;
        let charged = |open: bool| {
            let sizes = Sizes::new(held, open).ok_or(Error::TooLarge("net_delta"))?;
            self.charge(held, &sizes, &outside.assets)
        };
        let (alone, worst) = (charged(false)?, charged(true)?);
        let fits = |field, value: Option<i128>| value.ok_or(Error::TooLarge(field));
        let maintenance_factor = i128::from(self.params.maintenance_factor);
        let most = |factor: i128, terms: &[i128]| {
            let most = most_of(losses, &worst, factor, terms);
            most.ok_or(Error::TooLarge("scenario_pnl"))
        };
        let initial = most(self.initial_factor, &orders.initial)?;
        let maintenance = most(maintenance_factor, &orders.maintenance)?;
        let held = || {
            let core = losses.scan.checked_add(alone.inside)?.max(alone.floor);
            mul_div_ceil(core, maintenance_factor, ONE.unsigned_abs())?
                .checked_add(alone.outside_maintenance()?)
        };
        let add = |sum: i128, outside: Option<i128>| sum.checked_add(outside?);
        Ok(Requirement {
            initial: fits("im", add(initial, worst.outside_initial()))?,
            maintenance: fits("mm", add(maintenance, worst.outside_maintenance()))?,
            held: fits("mm", held())?,
        })
    }

    /// What positions lose in each state.
    ///
    /// # Errors
    /// As [`Self::requirement`].
    pub fn losses(&self, held: &Holdings<'_>) -> Result<Losses, Error> {
        self.check(held)?;
        let moving = self.outside(held)?.moving;
        self.losses_of(held, moving)
            .ok_or(Error::TooLarge("scenario_pnl"))
    }

    fn losses_of(&self, held: &Holdings<'_>, moving: i128) -> Option<Losses> {
        let mut states = Vec::with_capacity(self.states());
        // The state in which nothing moves stands for losses below 0.
        states.push(0);
        for (index, scenario) in self.params.scenarios.iter().enumerate() {
            let (pnl, damp) = self.pnl(held, moving, index, scenario)?;
            states.push(pnl.checked_add(damp)?.checked_neg()?);
        }
        if let Basis::Competing { .. } = self.params.basis {
            states.push(self.basis(held)?.checked_neg()?);
        }
        let scan = states.iter().copied().max().unwrap_or(0);
        Some(Losses { states, scan })
    }
}

/// The largest over all states of the loss with inner charges, or the floor, times the factor, less
/// what open orders may gain in the state.
fn most_of(losses: &Losses, worst: &Charged, factor: i128, terms: &[i128]) -> Option<i128> {
    // Times the scale of a ratio, so that the largest is divided once; and what does not fit so.
    let (mut exact, mut whole) = (0, 0);
    let mut state = |state: usize, loss: i128| {
        let terms = terms.get(state).copied().unwrap_or(0);
        let product = loss.checked_mul(factor);
        let scaled = terms
            .checked_mul(i128::from(ONE))
            .and_then(|terms| product?.checked_sub(terms));
        if let Some(scaled) = scaled {
            exact = exact.max(scaled);
        } else {
            let scaled = mul_div_ceil(loss, factor, ONE.unsigned_abs())?;
            whole = whole.max(scaled.checked_sub(terms)?);
        }
        Some(())
    };
    for (index, loss) in losses.states.iter().enumerate() {
        state(index, loss.checked_add(worst.inside)?)?;
    }
    state(0, worst.floor)?;
    Some(div_ceil(exact, ONE.unsigned_abs())?.max(whole))
}
