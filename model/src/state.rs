//! What the exchange keeps between blocks, and what it keeps while a block runs.

use crate::Model;
use crate::admit::Entry;
use crate::expiry::Samples;
use crate::link::Link;
use crate::listing::Ladder;
use crate::protect::Protection;
use crate::surface::Published;
use crate::twap::Schedule;
use crate::unit::Unit;
use ballast_types::{
    Account, AccountId, ActionResult, AssetId, Atoms, ChainSpec, Code, Event, GroupId, Hash, KeyId,
    Lots, MarginMode, MarketId, MarketStatus, Order, OrderId, PartResult, Peg, PostOnly, PriceKind,
    SelfTrade, SelfTradeScope, SetAgent, Side, Ticks, TimeInForce, TimeMs, Trigger, TxResult,
};
use std::collections::{BTreeMap, BTreeSet};

/// A position and what it cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) size: Lots,
    pub(crate) cost: Atoms,
}

/// Nonce and index of an action: what floors compare.
pub(crate) type Stamp = (u64, u16);

/// An order that rests in a book, or waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedOrder {
    /// Id in the numbering of the model: the group in the upper 14 bits, then a running number.
    pub id: OrderId,
    /// Market.
    pub market: MarketId,
    /// Owner.
    pub account: Account,
    /// Side.
    pub side: Side,
    /// Limit.
    pub price: Ticks,
    /// Where it rests: at its limit, unless it is pegged.
    pub level: Ticks,
    /// What its level follows.
    pub peg: Option<Peg>,
    /// Lots that still rest or wait, hidden ones included.
    pub remaining: Lots,
    /// Lots that the book shows: all of them, unless it is an iceberg. None of one that waits.
    pub shown: Lots,
    /// Of an iceberg, how many lots show at a time.
    pub display: Option<Lots>,
    /// Lots that traded, also before amends.
    pub filled: Lots,
    /// Until when it may trade.
    pub tif: TimeInForce,
    /// Entered as post-only.
    pub post_only: PostOnly,
    /// Reduce-only.
    pub reduce_only: bool,
    /// What it does when it takes again and meets one that it must not trade with.
    pub self_trade: SelfTrade,
    /// Whose orders those are.
    pub self_trade_scope: SelfTradeScope,
    /// The client's id.
    pub client_id: Option<u128>,
    /// Label.
    pub label: u32,
    /// It quotes its market: an account has at most one such order on a side.
    pub quote: bool,
    /// (nonce, index) of the action that placed it.
    pub stamp: (u64, u16),
    /// Place in time: a counter of the group.
    pub priority: u64,
    /// Height at which it began to rest or to wait.
    pub height: u64,
}

/// An order that waits for its trigger, for the order that it is linked with, or for the times of
/// its slices. It is in no book and in no requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingOrder {
    /// The order itself.
    pub placed: PlacedOrder,
    /// How many resting orders it may meet when it enters.
    pub max_fills: u16,
    /// What it waits for.
    pub trigger: Option<Trigger>,
    /// Its slices.
    pub twap: Option<Schedule>,
    /// Lots that wait for fills of the order that it is linked with.
    pub dormant: Lots,
    /// Of a trailing order that is active, the best price seen since: the highest for an ask, the
    /// lowest for a bid.
    pub extreme: Option<Ticks>,
    /// The condition held once, or there is none and some lots are not dormant; it enters as soon as
    /// the market is open and its turn comes.
    pub due: bool,
}

/// What belongs to a master rather than to one of its accounts.
#[derive(Clone, Debug)]
pub(crate) struct Master {
    /// Thousandths of a token.
    pub(crate) tokens: u64,
    /// Thousandths of a cancel token.
    pub(crate) cancel_tokens: u64,
    /// When the buckets were last filled.
    pub(crate) filled_at: TimeMs,
    pub(crate) agents: BTreeMap<KeyId, SetAgent>,
    pub(crate) used_nonces: BTreeSet<(KeyId, u64)>,
    pub(crate) sequence: u64,
    pub(crate) cosmos_nonce: u64,
}

/// A floor by label or client id. Labels sort before client ids, then by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    Label(u32),
    Client(u128),
}

/// Floors of one account in one group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Floors {
    pub(crate) all: Stamp,
    pub(crate) markets: BTreeMap<MarketId, Stamp>,
    pub(crate) named: BTreeMap<Named, Stamp>,
}

/// Everything that lives from block to block.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// Every account, and whether it is flagged uncovered.
    pub(crate) accounts: BTreeMap<Account, bool>,
    pub(crate) masters: BTreeMap<AccountId, Master>,
    pub(crate) balances: BTreeMap<(Account, AssetId), Atoms>,
    pub(crate) positions: BTreeMap<(Account, MarketId), Position>,
    /// Orders that rest.
    pub(crate) orders: BTreeMap<OrderId, PlacedOrder>,
    pub(crate) waiting: BTreeMap<OrderId, WaitingOrder>,
    /// Orders that live and die together.
    pub(crate) links: Vec<Link>,
    /// Deadlines of the dead man's switches that are armed.
    pub(crate) deadlines: BTreeMap<Account, TimeMs>,
    pub(crate) floors: BTreeMap<(Account, GroupId), Floors>,
    /// Protections of quotes that were ever set.
    pub(crate) protections: BTreeMap<(Account, GroupId), Protection>,
    /// By market; 0 for spot. Of options as they were last refreshed or settled, like their indexes.
    pub(crate) marks: Vec<Ticks>,
    /// By market; 0 is none.
    pub(crate) indexes: Vec<Ticks>,
    /// Price of the last trade, by market; 0 is none.
    pub(crate) lasts: Vec<Ticks>,
    /// By market.
    pub(crate) statuses: Vec<MarketStatus>,
    /// Of the settlement price, by market; nothing of one that is no future.
    pub(crate) samples: Vec<Samples>,
    /// Of the settlement price of the options of an expiry.
    pub(crate) option_samples: BTreeMap<(GroupId, TimeMs), Samples>,
    /// What a lot of each settled option has paid.
    pub(crate) payoffs: BTreeMap<MarketId, Atoms>,
    /// What series have listed, by their place and the expiry.
    pub(crate) ladders: BTreeMap<(usize, TimeMs), Ladder>,
    /// Surfaces in effect.
    pub(crate) surfaces: BTreeMap<GroupId, Published>,
    /// Surfaces that take effect in the next block.
    pub(crate) pending_surfaces: BTreeMap<GroupId, Published>,
    /// Of each group that can be margined, as it was last refreshed.
    pub(crate) units: BTreeMap<GroupId, Unit>,
    /// Block time of the last refresh.
    pub(crate) refreshed: BTreeMap<GroupId, TimeMs>,
    /// Margin modes that differ from that of a new account.
    pub(crate) modes: BTreeMap<Account, MarginMode>,
    /// Number of the last trade, by market.
    pub(crate) trades: Vec<u64>,
    /// Prices that take effect in the next block, or when the market is no longer suspended.
    pub(crate) pending: BTreeMap<(MarketId, PriceKind), Ticks>,
    /// Statuses that take effect in the next block.
    pub(crate) pending_statuses: BTreeMap<MarketId, MarketStatus>,
    /// Time of the block before.
    pub(crate) time: TimeMs,
    pub(crate) fee_pool: Atoms,
    /// Orders that got an id so far.
    pub(crate) ids: u64,
    /// Places in time that were given so far.
    pub(crate) priorities: u64,
}

/// Where the result of an action goes, or that of a part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Transaction of the block, and transaction in it.
    pub(crate) tx: (usize, usize),
    pub(crate) action: usize,
    pub(crate) part: Option<usize>,
}

/// Why something is refused, and how many atoms it would have needed more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) missing: Option<Atoms>,
}

impl Refusal {
    pub(crate) fn short_of(code: Code, missing: Atoms) -> Self {
        let missing = Some(missing);
        Self { code, missing }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        let missing = None;
        Self { code, missing }
    }
}

/// What lives for one block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    pub(crate) height: u64,
    pub(crate) time: TimeMs,
    pub(crate) seed: Hash,
    pub(crate) results: Vec<Vec<TxResult>>,
    /// Events in their final order.
    pub(crate) events: Vec<Event>,
    /// Events of the group pass that runs.
    pub(crate) group_events: BTreeMap<GroupId, Vec<Event>>,
    /// Groups of which something has changed that their units are made of.
    pub(crate) stale: BTreeSet<GroupId>,
    /// Waiting orders that enter in this block.
    pub(crate) triggered: Vec<OrderId>,
    /// TWAP orders that send a slice in this block.
    pub(crate) slicing: Vec<OrderId>,
    /// Orders that pass 3 admitted and pass 4 has not matched yet, in the order of admission.
    pub(crate) admitted: Vec<Entry>,
    /// Triggered orders and slices that pass 3 refused, and why.
    pub(crate) refused: Vec<(Entry, Code)>,
    /// Markets in which no order takes in this block.
    pub(crate) collecting: BTreeSet<MarketId>,
    /// Markets whose auction may have left a crossed book.
    pub(crate) still_crossed: BTreeSet<MarketId>,
    /// The order that takes, and what remains of it.
    pub(crate) taking: Option<(OrderId, Lots)>,
    /// Lots that orders of links have lost, in the order in which they lost the first of them.
    pub(crate) doomed: Vec<(OrderId, Lots)>,
    /// Legs of which fewer lots are dormant than before, in the order in which that happened.
    pub(crate) woken: Vec<OrderId>,
    /// Accounts and groups whose protections took effect while the taker trades.
    pub(crate) protected: Vec<(Account, GroupId)>,
    /// Accounts and markets that had a fill.
    pub(crate) traded: BTreeSet<(Account, MarketId)>,
}

impl State {
    pub(crate) fn genesis(spec: &ChainSpec) -> Self {
        let mut state = Self {
            accounts: BTreeMap::new(),
            masters: BTreeMap::new(),
            balances: BTreeMap::new(),
            positions: BTreeMap::new(),
            orders: BTreeMap::new(),
            waiting: BTreeMap::new(),
            links: Vec::new(),
            deadlines: BTreeMap::new(),
            floors: BTreeMap::new(),
            protections: BTreeMap::new(),
            marks: spec.markets.iter().map(|market| market.mark).collect(),
            indexes: spec.markets.iter().map(|market| market.mark).collect(),
            lasts: vec![0; spec.markets.len()],
            statuses: vec![MarketStatus::Open; spec.markets.len()],
            samples: vec![Samples::default(); spec.markets.len()],
            option_samples: BTreeMap::new(),
            payoffs: BTreeMap::new(),
            ladders: BTreeMap::new(),
            surfaces: BTreeMap::new(),
            pending_surfaces: BTreeMap::new(),
            units: BTreeMap::new(),
            refreshed: BTreeMap::new(),
            modes: BTreeMap::new(),
            trades: vec![0; spec.markets.len()],
            pending: BTreeMap::new(),
            pending_statuses: BTreeMap::new(),
            time: spec.genesis_time,
            fee_pool: 0,
            ids: 0,
            priorities: 0,
        };
        for (account, asset, amount) in &spec.balances {
            state.create_account(*account, spec.genesis_time, spec);
            state.balances.insert((*account, *asset), atoms(*amount));
        }
        state
    }

    pub(crate) fn create_account(&mut self, account: Account, time: TimeMs, spec: &ChainSpec) {
        self.accounts.entry(account).or_insert(false);
        self.masters
            .entry(account.master)
            .or_insert_with(|| Master {
                tokens: spec.limits.bucket_tokens * 1_000,
                cancel_tokens: spec.limits.cancel_tokens * 1_000,
                filled_at: time,
                agents: BTreeMap::new(),
                used_nonces: BTreeSet::new(),
                sequence: 0,
                cosmos_nonce: 0,
            });
    }

    pub(crate) fn balance(&self, account: Account, asset: AssetId) -> Atoms {
        self.balances.get(&(account, asset)).copied().unwrap_or(0)
    }

    pub(crate) fn add_balance(&mut self, account: Account, asset: AssetId, change: Atoms) {
        *self.balances.entry((account, asset)).or_insert(0) += change;
    }

    /// The position in lots; 0 for a spot market.
    pub(crate) fn position(&self, account: Account, market: MarketId) -> Lots {
        self.positions
            .get(&(account, market))
            .map_or(0, |position| position.size)
    }

    pub(crate) fn mark(&self, market: MarketId) -> Ticks {
        self.marks[market.index()]
    }

    /// The next place in time.
    pub(crate) fn next_priority(&mut self) -> u64 {
        self.priorities += 1;
        self.priorities
    }
}

impl PlacedOrder {
    /// True when it may not trade any more. (In a settled market nothing does.)
    pub(crate) fn is_dead(&self, time: TimeMs, height: u64) -> bool {
        match self.tif {
            TimeInForce::Gtt(end) => end <= time,
            TimeInForce::Gtb(end) => end <= height,
            _ => false,
        }
    }

    /// What it would ask for as a new order of `size` lots.
    pub(crate) fn terms(&self, price: Ticks, size: Lots, max_fills: u16) -> Order {
        Order {
            market: self.market,
            side: self.side,
            price,
            size,
            tif: self.tif,
            post_only: self.post_only,
            reduce_only: self.reduce_only,
            client_id: self.client_id,
            label: self.label,
            max_fills,
            self_trade: self.self_trade,
            self_trade_scope: self.self_trade_scope,
            display: self.display,
            trigger: None,
            peg: self.peg,
            twap: None,
        }
    }
}

impl Model {
    /// Writes the result of an action, or of a part of it.
    pub(crate) fn answer(&mut self, place: Place, result: PartResult) {
        let action = self.result_of(place);
        if let Some(part) = place.part {
            action.parts[part] = result;
            return;
        }
        let PartResult {
            code,
            order,
            filled,
            missing,
        } = result;
        *action = ActionResult {
            code,
            order,
            filled,
            missing,
            parts: Vec::new(),
        };
    }

    pub(crate) fn refuse(&mut self, place: Place, refusal: impl Into<Refusal>) {
        let Refusal { code, missing } = refusal.into();
        let result = PartResult {
            missing,
            ..part_of(code, None)
        };
        self.answer(place, result);
    }

    /// The result of an action that has parts: all of them are fine so far.
    pub(crate) fn answer_parts(&mut self, place: Place, parts: usize) {
        *self.result_of(place) = ActionResult {
            parts: vec![part_of(Code::Ok, None); parts],
            ..ActionResult::code(Code::Ok)
        };
    }

    fn result_of(&mut self, place: Place) -> &mut ActionResult {
        &mut self.block.results[place.tx.0][place.tx.1].actions[place.action]
    }

    pub(crate) fn group_event(&mut self, group: GroupId, event: Event) {
        self.block
            .group_events
            .entry(group)
            .or_default()
            .push(event);
    }

    pub(crate) fn group_events(&mut self, group: GroupId, events: Vec<Event>) {
        for event in events {
            self.group_event(group, event);
        }
    }

    pub(crate) fn group_of(&self, market: MarketId) -> GroupId {
        self.spec.markets[market.index()].group
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = GroupId> + use<> {
        (0..self.spec.groups.len()).map(|at| GroupId(u16::try_from(at).expect("at most 2^14")))
    }

    pub(crate) fn markets(&self) -> impl Iterator<Item = MarketId> + use<> {
        (0..self.spec.markets.len()).map(|at| MarketId(u32::try_from(at).expect("fits an id")))
    }

    /// Orders that rest and orders that wait.
    pub(crate) fn placed(&self) -> impl Iterator<Item = &PlacedOrder> {
        let waiting = self.state.waiting.values().map(|waiting| &waiting.placed);
        self.state.orders.values().chain(waiting)
    }

    /// The resting and waiting orders of an account in a group, by ascending priority.
    pub(crate) fn placed_by(&self, account: Account, group: GroupId) -> Vec<PlacedOrder> {
        let mut orders: Vec<_> = self
            .placed()
            .filter(|order| order.account == account && self.group_of(order.market) == group)
            .cloned()
            .collect();
        orders.sort_by_key(|order| order.priority);
        orders
    }
}

/// A result without a trade.
pub(crate) fn part_of(code: Code, order: Option<OrderId>) -> PartResult {
    PartResult {
        code,
        order,
        filled: 0,
        missing: None,
    }
}

/// +1 for bids, -1 for asks.
pub(crate) fn sign(side: Side) -> i64 {
    match side {
        Side::Buy => 1,
        Side::Sell => -1,
    }
}

/// Lots of position `p` that an order on `side` can reduce.
pub(crate) fn reducible(p: Lots, side: Side) -> Lots {
    (-sign(side) * p).max(0)
}

/// Amounts of genesis and transfers are at most 2^100, so they fit.
pub(crate) fn atoms(amount: u128) -> Atoms {
    Atoms::try_from(amount).expect("amounts are at most 2^100")
}
