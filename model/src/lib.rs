//! The naive exchange: the rules of `docs/execution.md` once more, written for reading.
//!
//! It keeps plain maps, runs in sequence, and computes every figure from orders and positions
//! whenever it needs it. The fast application is compared with it block by block. The two share
//! encodings, and the pricing and scenarios of `ballast-risk`, which reference vectors judge; what is
//! fed to them, and what is made of their figures, each decides by itself.
//!
//! One file per pass: `open` with `expiry`, `surface`, `option`, `listing`, `unit`, `sweep` and
//! `trigger`, `authorise` with `transfer`, `scale` and
//! `linked`, `cancel` and `amend` with `quote`, `admit`, `matching` with `meeting`, `protect`, `link`,
//! `peg`, `twap` and `auction`, `settle`; `margin` holds the formulas that they share.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod admit;
mod amend;
mod auction;
mod authorise;
mod book;
mod cancel;
mod coverage;
mod expiry;
mod invariants;
mod link;
mod linked;
mod listing;
mod margin;
mod matching;
mod meeting;
mod open;
mod option;
mod peg;
mod portfolio;
mod protect;
mod quote;
mod scale;
mod settle;
mod state;
mod surface;
mod sweep;
#[cfg(test)]
mod tests;
mod transfer;
mod trigger;
mod twap;
mod unit;
pub mod workload;

pub use coverage::Coverage;
pub use link::Link;
pub use listing::Ladder;
pub use margin::Margin;
pub use option::OptionLot;
pub use protect::Protection;
pub use state::{PlacedOrder, WaitingOrder};
pub use twap::Schedule;

use ballast_types::{
    Account, AssetId, Atoms, BlockEvents, ChainSpec, GroupId, Hash, Lots, MarginMode, MarketId,
    MarketStatus, OrderId, Side, Ticks, TimeMs,
};
use state::{Block, Position, State};
use std::collections::BTreeMap;

/// A book: (price, size) of each level, bids then asks, the best first.
pub type Levels = (Vec<(Ticks, Lots)>, Vec<(Ticks, Lots)>);

/// The exchange.
#[derive(Clone, Debug)]
pub struct Model {
    spec: ChainSpec,
    chain: Hash,
    state: State,
    block: Block,
    /// Ids that another implementation gave to our orders.
    aliases: BTreeMap<OrderId, OrderId>,
    coverage: Coverage,
    violations: Vec<String>,
}

impl Model {
    /// The exchange at its genesis.
    pub fn new(spec: &ChainSpec) -> Self {
        Self {
            spec: spec.clone(),
            chain: ballast_types::chain_hash(&spec.chain_id),
            state: State::genesis(spec),
            block: Block::default(),
            aliases: BTreeMap::new(),
            coverage: Coverage::default(),
            violations: Vec::new(),
        }
    }

    /// Executes one block. `seed` is the app hash before this block.
    pub fn execute(
        &mut self,
        height: u64,
        time: TimeMs,
        seed: &Hash,
        txs: &[Vec<u8>],
    ) -> BlockEvents {
        self.block = Block {
            height,
            time,
            seed: *seed,
            ..Block::default()
        };
        let before = self.before();
        let txs = self.open(txs);
        let intents = self.authorise(txs);
        self.credit(intents.transfers);
        self.propose_prices(intents.prices);
        self.propose_statuses(intents.statuses);
        self.propose_surfaces(intents.surfaces);
        self.cancel(intents.cancels);
        self.set_protections(intents.protections);
        let mut entries = self.change(intents.changes);
        self.flush_group_events();
        entries.extend(intents.orders);
        entries.extend(self.triggered_entries());
        entries.extend(self.slice_entries());
        self.admit(entries);
        self.match_entries(&before);
        self.close(&before)
    }

    /// Tells that `other` is how the compared implementation calls our order `own`. Actions name
    /// orders by such ids only; an id without an alias names no order.
    pub fn alias(&mut self, other: OrderId, own: OrderId) {
        self.aliases.insert(other, own);
    }

    /// Balances that are not zero.
    pub fn balances(&self) -> BTreeMap<(Account, AssetId), Atoms> {
        let balances = self.state.balances.iter();
        balances
            .filter(|(_, atoms)| **atoms != 0)
            .map(|(key, atoms)| (*key, *atoms))
            .collect()
    }

    /// (size, cost) of the positions where either is not zero.
    pub fn positions(&self) -> BTreeMap<(Account, MarketId), (Lots, Atoms)> {
        let positions = self.state.positions.iter();
        positions
            .filter(|(_, position)| **position != Position::default())
            .map(|(key, position)| (*key, (position.size, position.cost)))
            .collect()
    }

    /// The resting orders of a market, (bids, asks), each in priority order.
    pub fn orders(&self, market: MarketId) -> (Vec<PlacedOrder>, Vec<PlacedOrder>) {
        (self.side(market, Side::Buy), self.side(market, Side::Sell))
    }

    /// The waiting orders of a market by ascending priority.
    pub fn waiting(&self, market: MarketId) -> Vec<WaitingOrder> {
        let waiting = self.state.waiting.values();
        let mut waiting: Vec<WaitingOrder> = waiting
            .filter(|waiting| waiting.placed.market == market)
            .cloned()
            .collect();
        waiting.sort_by_key(|waiting| waiting.placed.priority);
        waiting
    }

    /// Every account and whether it is flagged uncovered.
    pub fn accounts(&self) -> &BTreeMap<Account, bool> {
        &self.state.accounts
    }

    /// Mark prices by market; zero for spot, and for options of a group without an index.
    pub fn marks(&self) -> &[Ticks] {
        &self.state.marks
    }

    /// Index prices by market; zero is none.
    pub fn indexes(&self) -> &[Ticks] {
        &self.state.indexes
    }

    /// Prices of the last trades by market; zero is none.
    pub fn lasts(&self) -> &[Ticks] {
        &self.state.lasts
    }

    /// Margin mode of an account.
    pub fn margin_mode(&self, account: Account) -> MarginMode {
        let modes = &self.state.modes;
        modes
            .get(&account)
            .copied()
            .unwrap_or(self.spec.margin_mode)
    }

    /// The chain, with the options that are listed among its markets.
    pub fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// What each series, by its place, has listed of each expiry.
    pub fn ladders(&self) -> &BTreeMap<(usize, TimeMs), Ladder> {
        &self.state.ladders
    }

    /// Block time of the last refresh of a group; zero is never.
    pub fn refreshed(&self, group: GroupId) -> TimeMs {
        self.state.refreshed.get(&group).copied().unwrap_or(0)
    }

    /// What each market takes.
    pub fn statuses(&self) -> &[MarketStatus] {
        &self.state.statuses
    }

    /// When the account's dead man's switch goes off; zero is never.
    pub fn deadline(&self, account: Account) -> TimeMs {
        self.state.deadlines.get(&account).copied().unwrap_or(0)
    }

    /// Fees taken less rebates paid, in the margin asset.
    pub fn fee_pool(&self) -> Atoms {
        self.state.fee_pool
    }

    /// Sum of how far the accounts with negative equity are below zero, at the current marks.
    pub fn deficit(&self) -> Atoms {
        self.state
            .accounts
            .keys()
            .map(|account| (-self.equity(*account)).max(0))
            .sum()
    }

    /// How often each thing that a test wants to see happened.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }
}
