//! What an account holds of one expiry, summed so that a fill costs one pass over an array.

use super::{Error, RiskArray, Scenarios};
use std::collections::BTreeMap;

/// A position and the open orders of its instrument; amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The position.
    pub amount: i64,
    /// What open bids may add to it, not negative.
    pub bids: i64,
    /// What open asks may take from it, not negative.
    pub asks: i64,
}

impl Held {
    /// A position without open orders.
    pub fn of(amount: i64) -> Self {
        Self {
            amount,
            ..Self::default()
        }
    }

    /// The lowest and the highest position that fills can lead to; without `open` orders both are
    /// the position.
    pub(super) fn ends(self, open: bool) -> (i128, i128) {
        let amount = i128::from(self.amount);
        if open {
            // Sums of two numbers of 64 bits.
            let low = amount.wrapping_sub(i128::from(self.asks));
            (low, amount.wrapping_add(i128::from(self.bids)))
        } else {
            (amount, amount)
        }
    }
}

/// The larger of two numbers without their signs.
pub(super) fn larger((low, high): (i128, i128)) -> Option<i128> {
    Some(low.checked_abs()?.max(high.checked_abs()?))
}

/// Sizes of the options of an expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OptionSizes {
    /// Cost of closing, a product.
    pub(super) unwind: i128,
    /// Amounts without sign.
    pub(super) gross: i128,
    /// Naked short options, an amount.
    pub(super) naked: i128,
}

/// What is open and held at one strike, calls and puts together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Strike {
    net: i128,
    asks: i128,
}

/// Sums over the positions and open orders of one expiry: products of amounts and values, exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpirySums {
    pub(super) future: Held,
    pub(super) values: Vec<i128>,
    pub(super) mark: i128,
    pub(super) basis_up: i128,
    pub(super) basis_down: i128,
    pub(super) delta: i128,
    /// What fills can add to the delta of the options.
    delta_up: i128,
    /// What fills can take from it.
    delta_down: i128,
    /// Of the positions.
    held: OptionSizes,
    /// Each at the worst subset of fills.
    worst: OptionSizes,
    /// No entry where nothing is left.
    strikes: BTreeMap<i64, Strike>,
}

impl ExpirySums {
    /// Nothing of an expiry of `unit`.
    pub fn new(unit: &Scenarios) -> Self {
        Self {
            future: Held::default(),
            values: vec![0; unit.len()],
            mark: 0,
            basis_up: 0,
            basis_down: 0,
            delta: 0,
            delta_up: 0,
            delta_down: 0,
            held: OptionSizes::default(),
            worst: OptionSizes::default(),
            strikes: BTreeMap::new(),
        }
    }

    /// Sets the position and open orders in the expiry's future.
    pub fn set_future(&mut self, future: Held) {
        self.future = future;
    }

    /// Moves an option from one position and open orders to others. The sums of the same positions
    /// and orders are the same bits whatever the order. After an error they are of no use.
    ///
    /// # Errors
    /// A sum that does not fit.
    pub fn change(&mut self, option: &RiskArray, from: Held, to: Held) -> Result<(), Error> {
        self.try_change(option, from, to)
            .ok_or(Error::TooLarge("options.amount"))
    }

    fn try_change(&mut self, option: &RiskArray, from: Held, to: Held) -> Option<()> {
        let amount = to.amount.checked_sub(from.amount)?;
        if amount != 0 {
            self.add_values(option, amount)?;
        }
        let (bids, asks) = (
            to.bids.checked_sub(from.bids)?,
            to.asks.checked_sub(from.asks)?,
        );
        // Fills of bids add the option's delta and those of asks take it: up or down, by its sign.
        let (up, down) = if option.delta < 0 {
            (asks, bids)
        } else {
            (bids, asks)
        };
        let size = i128::from(option.delta.unsigned_abs());
        let reach = |sum: i128, amount: i64| sum.checked_add(size.checked_mul(amount.into())?);
        self.delta_up = reach(self.delta_up, up)?;
        self.delta_down = reach(self.delta_down, down)?;
        self.held.resize(option, from, to, false)?;
        self.worst.resize(option, from, to, true)?;
        self.change_strike(option.strike, amount, asks)
    }

    fn add_values(&mut self, option: &RiskArray, amount: i64) -> Option<()> {
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
        add(&mut self.delta, option.delta)
    }

    fn change_strike(&mut self, strike: i64, amount: i64, asks: i64) -> Option<()> {
        if amount == 0 && asks == 0 {
            return Some(());
        }
        let entry = self.strikes.entry(strike).or_default();
        let before = *entry;
        entry.net = before.net.checked_add(amount.into())?;
        entry.asks = before.asks.checked_add(asks.into())?;
        let after = *entry;
        for (sum, open) in [(&mut self.held, false), (&mut self.worst, true)] {
            let growth = after.naked(open)?.checked_sub(before.naked(open)?)?;
            sum.naked = sum.naked.checked_add(growth)?;
        }
        if after == Strike::default() {
            self.strikes.remove(&strike);
        }
        Some(())
    }

    /// Sizes of the options.
    pub(super) fn options(&self, open: bool) -> &OptionSizes {
        if open { &self.worst } else { &self.held }
    }

    /// The lowest and the highest delta of the expiry that fills can lead to.
    pub(super) fn delta_ends(&self, one: i128, open: bool) -> Option<(i128, i128)> {
        let (low, high) = self.future.ends(open);
        let (low, high) = (low.checked_mul(one)?, high.checked_mul(one)?);
        let (down, up) = if open {
            (self.delta_down, self.delta_up)
        } else {
            (0, 0)
        };
        Some((
            low.checked_add(self.delta)?.checked_sub(down)?,
            high.checked_add(self.delta)?.checked_add(up)?,
        ))
    }
}

impl OptionSizes {
    fn resize(&mut self, option: &RiskArray, from: Held, to: Held, open: bool) -> Option<()> {
        let cost = |amount: i128| {
            let rate = if amount > 0 {
                option.unwind_long
            } else {
                option.unwind_short
            };
            amount.checked_abs()?.checked_mul(i128::from(rate))
        };
        // Sizes and costs are largest at an end.
        let of = |held: Held| {
            let (low, high) = held.ends(open);
            Some((cost(low)?.max(cost(high)?), larger((low, high))?))
        };
        let (before, after) = (of(from)?, of(to)?);
        self.unwind = self.unwind.checked_add(after.0)?.checked_sub(before.0)?;
        self.gross = self.gross.checked_add(after.1)?.checked_sub(before.1)?;
        Some(())
    }
}

impl Strike {
    /// Naked short options: an option of the other kind covers, an open bid does not.
    fn naked(self, open: bool) -> Option<i128> {
        let asks = if open { self.asks } else { 0 };
        Some(asks.checked_sub(self.net)?.max(0))
    }
}
