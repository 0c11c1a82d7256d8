//! Margin for readers: what an account's requirements are made of, what orders would make of them,
//! how far prices may move, and whom other parameters would put under margin.
//!
//! Everything is computed from balances, positions, open orders and units, never from the sums that
//! the state keeps.

mod book;
mod distance;
mod portfolio;
mod proposed;
mod standard;
mod world;

use crate::snapshot::Snapshot;
use ballast_risk::Rates;
use ballast_risk::portfolio::UnitMargin;
use ballast_types::margin::Scenario;
use ballast_types::{Account, Atoms, GroupId, Lots, MarginMode, MarketId, Side, Ticks, TimeMs};
use book::Book;
use std::fmt;
use world::World;

pub use distance::{Distance, FARTHEST_DOWN_PPM, FARTHEST_UP_PPM};
pub use proposed::{Proposed, ProposedError, UnderMargin};

/// Most hypothetical orders of a [`Snapshot::what_if`].
pub const MAX_ORDERS: usize = 64;

/// What is required where it cannot be told.
pub(super) const TOO_MUCH: Atoms = 1 << 120;

/// Equity and requirements, in atoms of the margin asset. Of a group `equity` is what it adds to that
/// of the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Balance of the margin asset and the value of what is held.
    pub equity: Atoms,
    /// Initial margin of the worst subset of fills.
    pub initial: Atoms,
    /// Maintenance margin of the worst subset of fills.
    pub maintenance: Atoms,
    /// Maintenance margin of what is held now.
    pub held: Atoms,
}

/// The margin of an account, explained. Amounts are atoms of the margin asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarginExplained {
    /// Which.
    pub account: Account,
    /// How it is computed.
    pub mode: MarginMode,
    /// Balance of the margin asset.
    pub cash: Atoms,
    /// Sums over the groups; cash counts in equity.
    pub total: Figures,
    /// What equity lacks to cover initial margin; 0 is nothing.
    pub missing: Atoms,
    /// Whether the worst subset of fills would take it below maintenance margin.
    pub uncovered: bool,
    /// Whether equity is below the maintenance margin of what it holds.
    pub under_maintenance: bool,
    /// Groups in which it holds something or has open orders, ascending.
    pub groups: Vec<GroupMargin>,
}

/// One group of [`MarginExplained`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMargin {
    /// Which.
    pub group: GroupId,
    /// What it adds to each sum.
    pub figures: Figures,
    /// Markets with a position or open orders, ascending.
    pub markets: Vec<MarketMargin>,
    /// In Portfolio mode.
    pub portfolio: Option<PortfolioMargin>,
}

/// One market of [`GroupMargin`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketMargin {
    /// Which.
    pub market: MarketId,
    /// Lots held; short is negative. Of a spot market 0: its asset is a balance.
    pub position: Lots,
    /// What the open lots cost.
    pub cost: Atoms,
    /// Mark in ticks; 0 for spot.
    pub mark: Ticks,
    /// What a lot is worth at the mark.
    pub value: Atoms,
    /// Gain at mark that is not in the balance yet.
    pub unrealised: Atoms,
    /// Lots of open bids.
    pub bids: Lots,
    /// Lots of open asks.
    pub asks: Lots,
    /// In Standard mode.
    pub standard: Option<StandardMargin>,
}

/// What a market requires in Standard mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandardMargin {
    /// Initial margin.
    pub initial: StandardScenarios,
    /// Maintenance margin.
    pub maintenance: StandardScenarios,
    /// Maintenance margin of the position alone.
    pub held: Atoms,
}

/// The two scenarios of a market: the requirement is the larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StandardScenarios {
    /// Margin rates of one lot.
    pub rates: Rates,
    /// Loss at the worst subset of fills when long lots lose their rate.
    pub long_loses: Atoms,
    /// The same when short lots do.
    pub short_loses: Atoms,
    /// How much of the requirement comes from open orders.
    pub orders: Atoms,
}

/// What a group requires in Portfolio mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortfolioMargin {
    /// What it is computed from.
    pub marks: UsedMarks,
    /// The underlying held as spot, in 10^-9 of it.
    pub spot_amount: Atoms,
    /// What that adds to equity, in atoms.
    pub spot_value: Atoms,
    /// Scenarios, charges and factors of what is held, without open orders: money, 10^-12 of the
    /// margin asset. `None` without a unit, or when a figure does not fit: then 2^120 atoms are
    /// required.
    pub held: Option<UnitMargin>,
    /// The method's scenarios, in the order of the results in `held`.
    pub scenarios: Vec<Scenario>,
    /// What open orders add to initial margin, without their reserve, in atoms.
    pub orders_initial: Atoms,
    /// What open orders add to maintenance margin, in atoms.
    pub orders_maintenance: Atoms,
    /// Reserve of open orders, part of initial margin, in atoms.
    pub reserve: Atoms,
    /// Factor of the core in maintenance margin, 10^-15.
    pub maintenance_factor: i64,
}

/// Marks of a unit, at its last refresh. Prices are in the scale of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedMarks {
    /// Block time in ms of the refresh; 0 before the first.
    pub refreshed: TimeMs,
    /// How long ago that is in block time, ms.
    pub age_ms: u64,
    /// Decimal digits of the prices.
    pub price_digits: u8,
    /// Price of the underlying; 0 is none.
    pub index: i64,
    /// Mark of the perpetual; the index without one.
    pub perpetual: i64,
    /// Open interest, money; 0 where the method does not scale by it.
    pub open_interest: i128,
    /// Expiries, ascending.
    pub expiries: Vec<UsedExpiry>,
}

/// Marks of an expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedExpiry {
    /// Block time in ms.
    pub expiry: TimeMs,
    /// Seconds to it at the refresh.
    pub secs: i64,
    /// The part of the forward that moves with the index.
    pub forward: i64,
    /// The part that the settlement window has fixed.
    pub fixed: i64,
    /// Interest rate a year, 10^-15.
    pub rate: i64,
}

/// An order that has not been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HypotheticalOrder {
    /// Market.
    pub market: MarketId,
    /// Side.
    pub side: Side,
    /// Limit in ticks.
    pub price: Ticks,
    /// Lots.
    pub size: Lots,
    /// Whether it has traded at its limit with the taker's fee; else it is open.
    pub filled: bool,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhatIfError {
    /// The account does not exist.
    Account,
    /// An order could not be.
    Order {
        /// Its place in the list.
        number: usize,
        /// The field at fault.
        field: &'static str,
        /// What it holds.
        value: i64,
        /// What it must be.
        rule: &'static str,
    },
}

impl fmt::Display for WhatIfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => write!(f, "account: does not exist"),
            Self::Order {
                number,
                field,
                value,
                rule,
            } => write!(f, "orders[{number}].{field}: {value} {rule}"),
        }
    }
}

impl std::error::Error for WhatIfError {}

impl Figures {
    fn plus(self, other: Self) -> Self {
        Self {
            equity: self.equity.saturating_add(other.equity),
            initial: self.initial.saturating_add(other.initial),
            maintenance: self.maintenance.saturating_add(other.maintenance),
            held: self.held.saturating_add(other.held),
        }
    }

    /// Whether equity is below the maintenance margin of what is held.
    pub fn under_maintenance(&self) -> bool {
        self.equity < self.held
    }
}

impl Snapshot {
    /// The margin of an account, with all that it is made of. Visits every open order of the chain.
    pub fn explain(&self, account: &Account) -> Option<MarginExplained> {
        Some(self.explained(account, &self.book_of(account)?))
    }

    /// [`Snapshot::explain`] after these orders, in another mode when one is named.
    ///
    /// # Errors
    /// The account does not exist, or an order could not be: of a market that is unknown or settled,
    /// a price or size outside of its range, a sale of spot that the account does not have. Orders
    /// beyond [`MAX_ORDERS`] are refused.
    pub fn what_if(
        &self,
        account: &Account,
        orders: &[HypotheticalOrder],
        mode: Option<MarginMode>,
    ) -> Result<MarginExplained, WhatIfError> {
        let mut book = self.book_of(account).ok_or(WhatIfError::Account)?;
        for (number, order) in orders.iter().enumerate() {
            let refused = |(field, value, rule)| WhatIfError::Order {
                number,
                field,
                value,
                rule,
            };
            if number >= MAX_ORDERS {
                let count = i64::try_from(number).unwrap_or(i64::MAX);
                return Err(refused(("number", count, "must be below 64")));
            }
            book.add(self, order).map_err(refused)?;
        }
        book.mode = mode.unwrap_or(book.mode);
        Ok(self.explained(account, &book))
    }

    fn explained(&self, account: &Account, book: &Book) -> MarginExplained {
        let mut groups = Vec::new();
        let mut total = Figures {
            equity: book.cash,
            ..Figures::default()
        };
        for (group, _) in (0_u16..).map(GroupId).zip(&self.chain.spec.groups) {
            let Some(world) = World::now(self, group) else {
                continue;
            };
            let figures = world.figures(book);
            let markets = world.markets(book);
            if markets.is_empty() && figures == Figures::default() {
                continue;
            }
            total = total.plus(figures);
            groups.push(GroupMargin {
                group,
                figures,
                markets,
                portfolio: match book.mode {
                    MarginMode::Standard => None,
                    MarginMode::Portfolio => Some(world.portfolio_margin(book)),
                },
            });
        }
        MarginExplained {
            account: *account,
            mode: book.mode,
            cash: book.cash,
            total,
            missing: total.initial.saturating_sub(total.equity).max(0),
            uncovered: total.equity < total.maintenance,
            under_maintenance: total.under_maintenance(),
            groups,
        }
    }
}
