//! The passes of a block, in the order in which they run. Each writes one kind of shard; what it
//! wants from another it returns as intents.

pub(crate) mod admit;
pub(crate) mod agents;
pub(crate) mod auction;
pub(crate) mod authorise;
pub(crate) mod cancel;
pub(crate) mod check;
pub(crate) mod close;
pub(crate) mod credit;
pub(crate) mod expiry;
pub(crate) mod linked;
pub(crate) mod listing;
pub(crate) mod matching;
pub(crate) mod meeting;
pub(crate) mod open;
pub(crate) mod options;
pub(crate) mod pegs;
pub(crate) mod prices;
pub(crate) mod quotes;
pub(crate) mod scale;
pub(crate) mod settle;
pub(crate) mod slices;
pub(crate) mod sweep;
pub(crate) mod taking;
pub(crate) mod triggers;
pub(crate) mod trim;
pub(crate) mod uncovered;
pub(crate) mod unpack;

use crate::accounts::{AccountRef, AccountShard};
use crate::chain::Chain;
use crate::prices::Prices;
use ballast_risk::{LotRisk, Terms, worst_gain};
use ballast_types::{
    Account, AccountId, ActionKey, ActionResult, Atoms, Class, Code, Event, GroupId, GroupKey,
    Hash, LinkKind, LinkRule, Lots, MarketId, MarketKind, MarketSpec, MarketStatus, Order, Rank,
    Side, Ticks, TimeMs, ticket,
};

/// Prices and status of a market in this block; a price of 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) mark: Ticks,
    pub(crate) index: Ticks,
    pub(crate) status: MarketStatus,
}

/// What every pass of a block may read.
#[derive(Debug)]
pub(crate) struct Env<'a> {
    pub(crate) chain: &'a Chain,
    /// Of this block.
    pub(crate) prices: &'a Prices,
    pub(crate) height: u64,
    pub(crate) time: TimeMs,
    pub(crate) seed: Hash,
}

impl Env<'_> {
    pub(crate) fn market(&self, id: MarketId) -> Option<(&MarketSpec, &LotRisk)> {
        Some((self.chain.market(id)?, self.prices.risk(id, self.chain)?))
    }

    pub(crate) fn live(&self, id: MarketId) -> Live {
        self.prices.live(id, self.chain)
    }

    /// As in [`Self::live`], without finding prices.
    pub(crate) fn status(&self, id: MarketId) -> MarketStatus {
        self.prices.status(id, self.chain)
    }

    pub(crate) fn ticket(&self, group: GroupId, master: AccountId) -> u128 {
        ticket(&self.seed, group, master)
    }

    /// What open orders of `lots` at `price` add to the requirement of their market.
    pub(crate) fn terms(&self, market: MarketId, side: Side, price: Ticks, lots: Lots) -> Terms {
        let Some((spec, risk)) = self.market(market) else {
            return Terms::default();
        };
        Terms::of(side, worst_gain(side, price, spec, risk), risk, lots)
    }
}

/// Where the result of an action, or of a part of it, belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResultAt {
    /// Transaction of the block.
    pub(crate) tx: u32,
    /// Action of the transaction.
    pub(crate) index: u16,
    pub(crate) part: Option<u16>,
}

impl ResultAt {
    pub(crate) fn new(tx: u32, index: u16) -> Self {
        Self {
            tx,
            index,
            part: None,
        }
    }

    pub(crate) fn of_part(self, part: u16) -> Self {
        Self {
            part: Some(part),
            ..self
        }
    }
}

/// Why something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    /// By how many atoms balance or margin are not enough, when it is that.
    pub(crate) missing: Option<Atoms>,
}

impl Refusal {
    pub(crate) fn missing(code: Code, atoms: Atoms) -> Self {
        Self {
            code,
            missing: Some(atoms),
        }
    }

    pub(crate) fn result(self) -> ActionResult {
        ActionResult {
            missing: self.missing,
            ..ActionResult::code(self.code)
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self {
            code,
            missing: None,
        }
    }
}

/// What a task hands back.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) results: Vec<(ResultAt, ActionResult)>,
    pub(crate) events: Vec<Event>,
}

impl Output {
    pub(crate) fn result(&mut self, at: ResultAt, result: ActionResult) {
        self.results.push((at, result));
    }
}

/// An order, the new part of an amended one, a triggered one or a slice, on its way into the book.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Triggered orders have no result.
    pub(crate) at: Option<ResultAt>,
    pub(crate) key: ActionKey,
    pub(crate) account: Account,
    pub(crate) owner: AccountRef,
    /// With a trigger or a schedule it is going to wait.
    pub(crate) order: Order,
    /// Lots that traded before an amend.
    pub(crate) filled: Lots,
    pub(crate) origin: Origin,
    /// It is to rest as a quote.
    pub(crate) quote: bool,
    /// Of the first order of a link: what is linked with it.
    pub(crate) bundle: Option<Box<Bundle>>,
}

/// What comes with the first order of a link.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    pub(crate) kind: LinkKind,
    pub(crate) rule: LinkRule,
    pub(crate) legs: Vec<Entry>,
}

/// Where an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A new order.
    New,
    /// A new order that is going to wait for the first order of its link.
    Leg,
    /// The new part of an amended order that is gone already.
    Amended,
    /// The new part of an amended order that goes when this one is admitted.
    Replaces(Place),
    /// A waiting order whose trigger fired, and how many lots of it pass 3 judges.
    Triggered(Place, Lots),
    /// As `Triggered`, and refused by pass 3.
    Refused(Place),
    /// A part of an order with a schedule.
    Slice(Place, Slice),
}

/// A slice on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Number of the last slice that is due.
    pub(crate) number: u32,
    /// Lots that the schedule asks for.
    pub(crate) asked: Lots,
    /// OK, or why pass 3 refused it.
    pub(crate) code: Code,
}

/// Slot of an open order, and its priority, which tells whether it is still the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) slot: u32,
    pub(crate) priority: u64,
}

impl Entry {
    pub(crate) fn class(&self) -> Class {
        if self.order.may_take() {
            Class::Take
        } else {
            Class::PostOnly
        }
    }

    /// True for a new order that is going to wait.
    pub(crate) fn waits(&self) -> bool {
        self.order.waits() || self.origin == Origin::Leg
    }

    /// True when it is an open order, or a part of one, already.
    pub(crate) fn triggered(&self) -> bool {
        matches!(
            self.origin,
            Origin::Triggered(..) | Origin::Refused(_) | Origin::Slice(..)
        )
    }

    pub(crate) fn rank(&self) -> Rank {
        Rank {
            class: self.class(),
            action: self.key,
        }
    }

    pub(crate) fn group_key(&self, env: &Env<'_>, group: GroupId) -> GroupKey {
        let ticket = env.ticket(group, self.account.master);
        GroupKey {
            class: self.class(),
            ticket,
            action: self.key,
        }
    }
}

/// Lots of an open order that are open no more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Release {
    pub(crate) owner: AccountRef,
    pub(crate) market: MarketId,
    pub(crate) side: Side,
    pub(crate) price: Ticks,
    pub(crate) lots: Lots,
}

impl Release {
    pub(crate) fn apply(&self, shard: &mut AccountShard, env: &Env<'_>) -> Option<()> {
        let terms = env.terms(self.market, self.side, self.price, self.lots);
        let (market, risk) = env.market(self.market)?;
        shard.change(self.owner.slot(), self.market, risk, |position| {
            position.set_terms(position.terms().minus(terms));
            position.open = position.open.saturating_sub(self.lots);
        })?;
        self.follow(shard, 0_i64.saturating_sub(self.lots), env)?;
        match reserved_base(market, self.side, self.lots) {
            Some((base, atoms)) => {
                shard.hold(self.owner.slot(), base, 0_i128.saturating_sub(atoms))
            }
            None => Some(()),
        }
    }

    /// Opens lots for an account in Portfolio mode; those of settled markets count in nothing.
    fn follow(&self, shard: &mut AccountShard, lots: Lots, env: &Env<'_>) -> Option<()> {
        let market = env.chain.market(self.market)?;
        shard.follow(self.owner.slot(), market.group, |sums| {
            if env.status(self.market) != MarketStatus::Settled {
                sums.open(self.market, self.side, self.price, lots, env);
            }
        })
    }

    /// The opposite: lots that are open from now on.
    pub(crate) fn reserve(&self, shard: &mut AccountShard, env: &Env<'_>) -> Option<()> {
        let terms = env.terms(self.market, self.side, self.price, self.lots);
        let (market, risk) = env.market(self.market)?;
        shard.change(self.owner.slot(), self.market, risk, |position| {
            position.set_terms(position.terms().plus(terms));
            position.open = position.open.saturating_add(self.lots);
        })?;
        self.follow(shard, self.lots, env)?;
        match reserved_base(market, self.side, self.lots) {
            Some((base, atoms)) => shard.hold(self.owner.slot(), base, atoms),
            None => Some(()),
        }
    }
}

/// What an open spot ask reserves of the base asset.
pub(crate) fn reserved_base(
    market: &MarketSpec,
    side: Side,
    lots: Lots,
) -> Option<(ballast_types::AssetId, Atoms)> {
    match (market.kind, side) {
        (MarketKind::Spot { base, lot_atoms }, Side::Sell) => {
            Some((base, lot_atoms.saturating_mul(Atoms::from(lots))))
        }
        _ => None,
    }
}

/// Lots of a position that an order of `side` would reduce.
pub(crate) fn reducible(side: Side, size: Lots) -> Lots {
    match side {
        Side::Buy => 0_i64.saturating_sub(size).max(0),
        Side::Sell => size.max(0),
    }
}
