//! What an account holds of one expiry, summed so that a fill costs one pass over an array.

use super::{Error, RiskArray, Scenarios};
use crate::black76::OptionKind;
use std::collections::BTreeMap;

/// Sums over the positions of one expiry: products of amounts and values, exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpirySums {
    pub(super) future: i64,
    pub(super) values: Vec<i128>,
    pub(super) mark: i128,
    pub(super) basis_up: i128,
    pub(super) basis_down: i128,
    pub(super) delta: i128,
    pub(super) unwind: i128,
    /// Amounts of all options without sign.
    pub(super) gross: i128,
    /// Naked short options, an amount.
    pub(super) naked: i128,
    /// Signed amounts of calls and of puts, per strike; no entry where both are 0.
    strikes: BTreeMap<i64, (i128, i128)>,
}

impl ExpirySums {
    /// Nothing of an expiry of `unit`.
    pub fn new(unit: &Scenarios) -> Self {
        Self {
            future: 0,
            values: vec![0; unit.len()],
            mark: 0,
            basis_up: 0,
            basis_down: 0,
            delta: 0,
            unwind: 0,
            gross: 0,
            naked: 0,
            strikes: BTreeMap::new(),
        }
    }

    /// Sets the position in the expiry's future.
    pub fn set_future(&mut self, amount: i64) {
        self.future = amount;
    }

    /// Moves the position in an option from one amount to another. The sums of the same positions
    /// are the same bits whatever the order. After an error they are of no use.
    ///
    /// # Errors
    /// A sum that does not fit.
    pub fn change(&mut self, option: &RiskArray, from: i64, to: i64) -> Result<(), Error> {
        self.try_change(option, i128::from(from), i128::from(to))
            .ok_or(Error::TooLarge("options.amount"))
    }

    fn try_change(&mut self, option: &RiskArray, from: i128, to: i128) -> Option<()> {
        let amount = i64::try_from(to.checked_sub(from)?).ok()?;
        // Both factors are 64 bits.
        let product = |value: i64| i128::from(amount).wrapping_mul(i128::from(value));
        let mut overflow = false;
        for (sum, value) in self.values.iter_mut().zip(&option.values) {
            let (next, over) = sum.overflowing_add(product(*value));
            *sum = next;
            overflow |= over;
        }
        if overflow {
            return None;
        }
        let add = |sum: &mut i128, value: i64| {
            *sum = sum.checked_add(product(value))?;
            Some(())
        };
        add(&mut self.mark, option.mark)?;
        add(&mut self.basis_up, option.basis_up)?;
        add(&mut self.basis_down, option.basis_down)?;
        add(&mut self.delta, option.delta)?;
        let cost = |amount: i128| {
            let rate = if amount > 0 {
                option.unwind_long
            } else {
                option.unwind_short
            };
            // Below 2^126, for both are 64 bits.
            amount.wrapping_abs().wrapping_mul(i128::from(rate))
        };
        self.unwind = self.unwind.checked_add(cost(to))?.checked_sub(cost(from))?;
        let growth = to.checked_abs()?.checked_sub(from.checked_abs()?)?;
        self.gross = self.gross.checked_add(growth)?;
        let amount = i128::from(amount);
        let strike = self.strikes.entry(option.strike).or_default();
        let before = naked(*strike)?;
        match option.kind {
            OptionKind::Call => strike.0 = strike.0.checked_add(amount)?,
            OptionKind::Put => strike.1 = strike.1.checked_add(amount)?,
        }
        let growth = naked(*strike)?.checked_sub(before)?;
        self.naked = self.naked.checked_add(growth)?;
        if *strike == (0, 0) {
            self.strikes.remove(&option.strike);
        }
        Some(())
    }
}

/// Naked short options of one strike: an option of the other kind covers.
fn naked((calls, puts): (i128, i128)) -> Option<i128> {
    Some(calls.checked_add(puts)?.checked_neg()?.max(0))
}
