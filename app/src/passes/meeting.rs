//! Pass 4: what happens when an order that came in meets resting ones.

use crate::accounts::{AccountRef, AccountShard};
use crate::links::{Links, Loose};
use crate::passes::uncovered::Uncovered;
use crate::passes::{Env, reducible};
use crate::protection::{PerLot, Protections};
use crate::records::{OrderRecord, ProtectionRecord};
use ballast_orderbook::Resting;
use ballast_risk::{LotRisk, notional};
use ballast_types::{
    Account, Lots, MarketId, MarketKind, MarketSpec, Order, OrderId, Removal, SelfTrade,
    SelfTradeScope, Side, Ticks, TimeMs,
};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;

/// What this block's meetings have changed so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traded {
    /// Positions: lots bought minus sold.
    pub(crate) positions: BTreeMap<(AccountRef, MarketId), Lots>,
    /// Protections of accounts whose quotes were met.
    pub(crate) protections: BTreeMap<AccountRef, ProtectionRecord>,
}

impl Traded {
    /// The protection of an account as it is now.
    fn protection(
        &mut self,
        before: Protections<'_>,
        owner: AccountRef,
    ) -> Option<&mut ProtectionRecord> {
        match self.protections.entry(owner) {
            MapEntry::Occupied(now) => Some(now.into_mut()),
            MapEntry::Vacant(none) => Some(none.insert(*before.get(owner)?)),
        }
    }
}

/// Who a fill would belong to, and what it may do.
pub(crate) struct Floor<'a> {
    pub(crate) accounts: &'a [AccountShard],
    pub(crate) env: &'a Env<'a>,
    /// By number within the group: the markets in which no order takes.
    pub(crate) collects: Vec<bool>,
}

/// The order that takes.
pub(crate) struct Taker<'a> {
    pub(crate) slot: u32,
    pub(crate) id: OrderId,
    /// The link that it is in.
    pub(crate) link: Option<u32>,
    pub(crate) owner: AccountRef,
    pub(crate) account: Account,
    pub(crate) order: &'a Order,
    pub(crate) market: &'a MarketSpec,
    pub(crate) risk: &'a LotRisk,
    pub(crate) local: u32,
}

impl Taker<'_> {
    /// What a lot that trades at a price adds to the sums of a maker's protection.
    pub(crate) fn per_lot(&self, price: Ticks) -> PerLot {
        let notional = notional(price, 1, self.market.tick_value);
        let delta = match self.market.kind {
            MarketKind::Spot { .. } => notional,
            _ => self.risk.delta,
        };
        let maker_gains = |value: i128| match self.order.side {
            Side::Buy => 0_i128.saturating_sub(value),
            Side::Sell => value,
        };
        PerLot {
            notional,
            delta: maker_gains(delta),
            vega: maker_gains(self.risk.vega),
        }
    }
}

/// What is to become of a meeting.
#[derive(Clone, Copy)]
pub(crate) enum Meeting {
    /// After it the maker's protection may take effect.
    Trade(Lots, Option<Protected>),
    /// The maker goes, and its protection takes effect.
    Protect(Protected),
    /// Both lose lots without a trade.
    Decrement(Lots),
    Remove(Removal),
    /// The maker goes, and the taker stops.
    RemoveAndStop(Removal, Halt),
    Stop(Halt),
}

/// The protection of an account took effect.
#[derive(Clone, Copy)]
pub(crate) struct Protected {
    pub(crate) owner: AccountRef,
    pub(crate) until: TimeMs,
}

/// Why a taking order stopped before its size or its limit did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    SelfTrade,
    ReduceOnly,
    Uncovered,
}

impl Floor<'_> {
    /// Whether no order takes in a market in this block.
    pub(crate) fn collects(&self, local: u32) -> bool {
        let at = usize::try_from(local).unwrap_or(usize::MAX);
        self.collects.get(at).copied().unwrap_or(false)
    }

    pub(crate) fn position(&self, owner: AccountRef, market: MarketId, traded: &Traded) -> Lots {
        let before = self
            .accounts
            .get(owner.shard())
            .map_or(0, |shard| shard.position_size(owner.slot(), market));
        before.saturating_add(traded.positions.get(&(owner, market)).copied().unwrap_or(0))
    }

    fn uncovered(&self, owner: AccountRef) -> bool {
        let shard = self.accounts.get(owner.shard());
        let record = shard.and_then(|shard| shard.accounts.get(owner.slot()));
        record.is_some_and(|record| record.uncovered != 0)
    }

    pub(crate) fn account(&self, owner: AccountRef) -> Account {
        let shard = self.accounts.get(owner.shard());
        let record = shard.and_then(|shard| shard.accounts.get(owner.slot()));
        record.map(|record| record.account()).unwrap_or_default()
    }

    /// Of `lots` traded at `price`, how many an account may have that is perhaps flagged uncovered.
    pub(crate) fn covered_lots(
        &self,
        owner: AccountRef,
        side: Side,
        (price, fee_ppm): (Ticks, i32),
        lots: Lots,
        taker: &Taker<'_>,
        traded: &Traded,
    ) -> Lots {
        if !self.uncovered(owner) {
            return lots;
        }
        let Some(shard) = self.accounts.get(owner.shard()) else {
            return 0;
        };
        let uncovered = Uncovered {
            shard,
            owner,
            traded: Some(traded),
        };
        uncovered.allowed(taker.order.market, side, (price, fee_ppm), lots, self.env)
    }

    /// Of `lots`, how many a reduce-only order of an account may trade.
    pub(crate) fn reducing_lots(
        &self,
        owner: AccountRef,
        side: Side,
        lots: Lots,
        taker: &Taker<'_>,
        traded: &Traded,
    ) -> Lots {
        let size = self.position(owner, taker.order.market, traded);
        lots.min(reducible(side, size))
    }

    /// Whether the taker must not trade with an order of `maker`.
    pub(crate) fn own(&self, taker: &Taker<'_>, maker: AccountRef) -> bool {
        if taker.market.self_trade {
            return false;
        }
        let owner = taker.owner;
        match taker.order.self_trade_scope {
            SelfTradeScope::Account => maker == owner,
            // A master's accounts share a shard.
            SelfTradeScope::Master => {
                maker.shard() == owner.shard() && self.account(maker).master == taker.account.master
            }
        }
    }

    /// What happens when the taker, with `remaining` lots, meets a resting order. Follows positions,
    /// protections and links.
    pub(crate) fn meet(
        &self,
        taker: &Taker<'_>,
        (maker, resting): (&OrderRecord, &Resting),
        remaining: Lots,
        ground: Ground<'_>,
        traded: &mut Traded,
        loose: &mut Loose,
    ) -> Meeting {
        let meeting = self.decide(taker, (maker, resting), remaining, ground, traded, loose);
        if maker.link != 0 || taker.link.is_some() {
            follow_links(taker, resting.slot, meeting, ground.links, loose);
        }
        meeting
    }

    fn decide(
        &self,
        taker: &Taker<'_>,
        (maker, resting): (&OrderRecord, &Resting),
        remaining: Lots,
        ground: Ground<'_>,
        traded: &mut Traded,
        loose: &Loose,
    ) -> Meeting {
        let owner = AccountRef(maker.account);
        if maker.dead(self.env.time, self.env.height) {
            return Meeting::Remove(Removal::Expired);
        }
        let mut whole = remaining.min(resting.size);
        if maker.link != 0 {
            whole = whole.min(ground.links.left(resting.slot, loose));
            if whole == 0 {
                return Meeting::Remove(Removal::Linked);
            }
        }
        if self.own(taker, owner) {
            return match taker.order.self_trade {
                SelfTrade::CancelTaker => Meeting::Stop(Halt::SelfTrade),
                SelfTrade::CancelMaker => Meeting::Remove(Removal::SelfTrade),
                SelfTrade::CancelBoth => {
                    Meeting::RemoveAndStop(Removal::SelfTrade, Halt::SelfTrade)
                }
                SelfTrade::Decrement => Meeting::Decrement(whole),
            };
        }
        let price = resting.price;
        let lots = match self.shield(taker, maker, price, whole, ground.protections, traded) {
            Ok(lots) => lots,
            Err(Shield::Frozen) => return Meeting::Remove(Removal::Protection),
            Err(Shield::Effect(effect)) => return Meeting::Protect(effect),
        };
        let cut = lots < whole;
        let lots = match self.bound(taker, maker, price, lots, traded) {
            Ok(lots) => lots,
            Err(meeting) => return meeting,
        };
        let effect = self.follow(taker, maker, (price, lots, cut), ground.protections, traded);
        Meeting::Trade(lots, effect)
    }

    /// Of `lots` that could trade at `price`, how many the protection of a maker that is a quote
    /// leaves.
    pub(crate) fn shield(
        &self,
        taker: &Taker<'_>,
        maker: &OrderRecord,
        price: Ticks,
        lots: Lots,
        protections: Protections<'_>,
        traded: &mut Traded,
    ) -> Result<Lots, Shield> {
        let owner = AccountRef(maker.account);
        let time = self.env.time;
        if maker.quote()
            && let Some(protection) = traded.protection(protections, owner)
        {
            if protection.frozen(time) {
                return Err(Shield::Frozen);
            }
            let lots = protection.allow(lots, taker.per_lot(price), time);
            if lots == 0 {
                let until = protection.take_effect(time);
                return Err(Shield::Effect(Protected { owner, until }));
            }
            return Ok(lots);
        }
        Ok(lots)
    }

    /// Of `lots` that could trade at `price`, how many the positions of both sides allow.
    fn bound(
        &self,
        taker: &Taker<'_>,
        maker: &OrderRecord,
        price: Ticks,
        mut lots: Lots,
        traded: &Traded,
    ) -> Result<Lots, Meeting> {
        let owner = AccountRef(maker.account);
        let side = taker.order.side;
        if maker.reduce_only() {
            lots = self.reducing_lots(owner, side.opposite(), lots, taker, traded);
            if lots == 0 {
                return Err(Meeting::Remove(Removal::ReduceOnly));
            }
        }
        let at = (price, taker.market.maker_fee_ppm);
        lots = self.covered_lots(owner, side.opposite(), at, lots, taker, traded);
        if lots == 0 {
            return Err(Meeting::Remove(Removal::Uncovered));
        }
        if taker.order.reduce_only {
            lots = self.reducing_lots(taker.owner, side, lots, taker, traded);
            if lots == 0 {
                return Err(Meeting::Stop(Halt::ReduceOnly));
            }
        }
        let at = (price, taker.market.taker_fee_ppm);
        lots = self.covered_lots(taker.owner, side, at, lots, taker, traded);
        if lots == 0 {
            return Err(Meeting::Stop(Halt::Uncovered));
        }
        Ok(lots)
    }

    /// Counts a trade in the positions of both sides, and in the protection of a maker that is a
    /// quote, which may take effect; it does when it has cut the lots.
    pub(crate) fn follow(
        &self,
        taker: &Taker<'_>,
        maker: &OrderRecord,
        (price, lots, cut): (Ticks, Lots, bool),
        protections: Protections<'_>,
        traded: &mut Traded,
    ) -> Option<Protected> {
        let owner = AccountRef(maker.account);
        let market = taker.order.market;
        let bought = match taker.order.side {
            Side::Buy => lots,
            Side::Sell => 0_i64.saturating_sub(lots),
        };
        let maker_sum = traded.positions.entry((owner, market)).or_default();
        *maker_sum = maker_sum.saturating_sub(bought);
        let taker_sum = traded.positions.entry((taker.owner, market)).or_default();
        *taker_sum = taker_sum.saturating_add(bought);
        if !maker.quote() {
            return None;
        }
        let protection = traded.protection(protections, owner)?;
        let effect = protection.add(lots, taker.per_lot(price)) || cut;
        effect.then(|| Protected {
            owner,
            until: protection.take_effect(self.env.time),
        })
    }
}

/// Why a protection leaves no lots.
pub(crate) enum Shield {
    Frozen,
    Effect(Protected),
}

/// What meetings read beside the orders that meet.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) protections: Protections<'a>,
    pub(crate) links: Links<'a>,
}

/// What a meeting means for orders that maker or taker is linked with.
fn follow_links(
    taker: &Taker<'_>,
    maker: u32,
    meeting: Meeting,
    links: Links<'_>,
    loose: &mut Loose,
) {
    match meeting {
        Meeting::Trade(lots, _) => {
            links.trade(maker, taker.slot, lots, loose);
        }
        Meeting::Decrement(lots) => {
            links.decrement(maker, lots, loose);
            links.decrement(taker.slot, lots, loose);
        }
        // A link has done to the others already what it does.
        Meeting::Remove(Removal::Linked) | Meeting::Stop(_) => {}
        Meeting::Remove(_) | Meeting::RemoveAndStop(..) | Meeting::Protect(_) => {
            links.leave(maker, loose);
        }
    }
}
