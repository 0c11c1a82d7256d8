//! Pass 4: what happens when an order that came in meets resting ones.

use crate::accounts::{AccountRef, AccountShard};
use crate::groups::GroupShard;
use crate::passes::cancel::release_of;
use crate::passes::matching::{Matched, drop_rest, remove};
use crate::passes::settle::{Fill, Settlement};
use crate::passes::{Entry, Env, reducible};
use crate::protection::{PerLot, Protections};
use crate::records::{OrderRecord, ProtectionRecord};
use ballast_orderbook::{Resting, Stop, Verdict};
use ballast_risk::{LotRisk, allowed_while_uncovered, fee_per_lot, gain, notional};
use ballast_types::{
    Account, Atoms, Code, Event, Lots, MarketId, MarketKind, MarketSpec, Order, OrderId, Removal,
    SelfTrade, SelfTradeScope, Side, Ticks, TimeMs,
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
}

/// The order that is being matched.
pub(crate) struct Taker<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) order: &'a Order,
    pub(crate) id: OrderId,
    pub(crate) market: &'a MarketSpec,
    pub(crate) risk: &'a LotRisk,
    pub(crate) local: u32,
}

impl Taker<'_> {
    /// What a lot that trades at a price adds to the sums of a maker's protection.
    fn per_lot(&self, price: Ticks) -> PerLot {
        let notional = notional(price, 1, self.market.tick_value);
        let value = match self.market.kind {
            MarketKind::Perpetual => self.risk.value,
            MarketKind::Spot { .. } => notional,
        };
        let delta = match self.order.side {
            Side::Buy => 0_i128.saturating_sub(value),
            Side::Sell => value,
        };
        PerLot { notional, delta }
    }
}

/// What is to become of a meeting.
#[derive(Clone, Copy)]
enum Meeting {
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
    owner: AccountRef,
    until: TimeMs,
}

/// Why a taking order stopped before its size or its limit did.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Halt {
    SelfTrade,
    ReduceOnly,
    Uncovered,
}

/// How a taking order ended.
pub(crate) struct Took {
    pub(crate) remaining: Lots,
    /// Lots that traded.
    pub(crate) filled: Lots,
    pub(crate) code: Code,
    /// Why what remains goes, when it may not rest.
    pub(crate) why: Option<Removal>,
}

impl Floor<'_> {
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

    /// Of `lots` traded at `price`, how many an account may have.
    fn allowed(
        &self,
        side: Side,
        price: i64,
        fee_ppm: i32,
        taker: &Taker<'_>,
        size: Lots,
        lots: Lots,
    ) -> Lots {
        let gain = gain(side, price, taker.market, taker.risk, fee_ppm);
        allowed_while_uncovered(side, gain, taker.risk.maintenance, size, lots)
    }

    /// Whether the taker must not trade with an order of `maker`.
    fn own(&self, taker: &Taker<'_>, maker: AccountRef) -> bool {
        if taker.market.self_trade {
            return false;
        }
        let owner = taker.entry.owner;
        match taker.order.self_trade_scope {
            SelfTradeScope::Account => maker == owner,
            // A master's accounts share a shard.
            SelfTradeScope::Master => {
                maker.shard() == owner.shard()
                    && self.account(maker).master == taker.entry.account.master
            }
        }
    }

    /// What happens when the taker, with `remaining` lots, meets a resting order. Follows positions
    /// and protections.
    fn meet(
        &self,
        taker: &Taker<'_>,
        maker: &OrderRecord,
        resting: &Resting,
        remaining: Lots,
        protections: Protections<'_>,
        traded: &mut Traded,
    ) -> Meeting {
        let owner = AccountRef(maker.account);
        let time = self.env.time;
        if maker.dead(self.env.time, self.env.height) {
            return Meeting::Remove(Removal::Expired);
        }
        let whole = remaining.min(resting.size);
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
        let per_lot = taker.per_lot(resting.price);
        let mut lots = whole;
        if maker.quote()
            && let Some(protection) = traded.protection(protections, owner)
        {
            if protection.frozen(time) {
                return Meeting::Remove(Removal::Protection);
            }
            lots = protection.allow(whole, per_lot, time);
            if lots == 0 {
                return Meeting::Protect(Protected {
                    owner,
                    until: protection.take_effect(time),
                });
            }
        }
        let cut = lots < whole;
        let lots = match self.bound(taker, maker, resting.price, lots, traded) {
            Ok(lots) => lots,
            Err(meeting) => return meeting,
        };
        Self::follow(taker, owner, lots, traded);
        let mut effect = None;
        if maker.quote()
            && let Some(protection) = traded.protection(protections, owner)
            && (protection.add(lots, per_lot) || cut)
        {
            let until = protection.take_effect(time);
            effect = Some(Protected { owner, until });
        }
        Meeting::Trade(lots, effect)
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
        let market = taker.order.market;
        let owner = AccountRef(maker.account);
        let maker_side = taker.order.side.opposite();
        if maker.reduce_only() {
            lots = lots.min(reducible(maker_side, self.position(owner, market, traded)));
            if lots == 0 {
                return Err(Meeting::Remove(Removal::ReduceOnly));
            }
        }
        if self.uncovered(owner) {
            let size = self.position(owner, market, traded);
            let fee = taker.market.maker_fee_ppm;
            lots = self.allowed(maker_side, price, fee, taker, size, lots);
            if lots == 0 {
                return Err(Meeting::Remove(Removal::Uncovered));
            }
        }
        let own = taker.entry.owner;
        if taker.order.reduce_only {
            let size = self.position(own, market, traded);
            lots = lots.min(reducible(taker.order.side, size));
            if lots == 0 {
                return Err(Meeting::Stop(Halt::ReduceOnly));
            }
        }
        if self.uncovered(own) {
            let size = self.position(own, market, traded);
            let fee = taker.market.taker_fee_ppm;
            lots = self.allowed(taker.order.side, price, fee, taker, size, lots);
            if lots == 0 {
                return Err(Meeting::Stop(Halt::Uncovered));
            }
        }
        Ok(lots)
    }

    fn follow(taker: &Taker<'_>, maker: AccountRef, lots: Lots, traded: &mut Traded) {
        let market = taker.order.market;
        let bought = match taker.order.side {
            Side::Buy => lots,
            Side::Sell => 0_i64.saturating_sub(lots),
        };
        let maker_sum = traded.positions.entry((maker, market)).or_default();
        *maker_sum = maker_sum.saturating_sub(bought);
        let taker_sum = traded
            .positions
            .entry((taker.entry.owner, market))
            .or_default();
        *taker_sum = taker_sum.saturating_add(bought);
    }
}

/// Tries the meetings of a fill-or-kill order without effect: whether all its lots would trade.
pub(crate) fn fills_whole(
    group: &GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    traded: &Traded,
) -> bool {
    let mut tried = traded.clone();
    let protections = group.protections();
    let order = taker.order;
    let most = u32::from(order.max_fills);
    let taken = group.books.walk(
        taker.local,
        order.side,
        order.price,
        order.size,
        most,
        |resting, left| {
            let Some(maker) = group.orders.get(resting.slot) else {
                return Verdict::Stop;
            };
            match floor.meet(taker, maker, resting, left, protections, &mut tried) {
                Meeting::Trade(lots, _) => Verdict::Fill(lots),
                Meeting::Remove(_) | Meeting::Protect(_) => Verdict::Remove,
                Meeting::Decrement(_) | Meeting::RemoveAndStop(..) | Meeting::Stop(_) => {
                    Verdict::Stop
                }
            }
        },
    );
    taken.remaining == 0
}

/// Meets resting orders and books what happened.
pub(crate) fn take(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    traded: &mut Traded,
    out: &mut Matched,
) -> Took {
    let mut meetings: Vec<(Resting, Meeting)> = Vec::new();
    let order = taker.order;
    let GroupShard {
        books,
        orders,
        protections: records,
        protection_at: at,
        ..
    } = group;
    let protections = Protections { at, records };
    let mut halt = None;
    let taken = books.take(
        taker.local,
        order.side,
        order.price,
        order.size,
        u32::from(order.max_fills),
        |resting, left| {
            let Some(maker) = orders.get(resting.slot) else {
                return Verdict::Stop;
            };
            let meeting = floor.meet(taker, maker, resting, left, protections, traded);
            let verdict = match meeting {
                Meeting::Trade(lots, _) => Verdict::Fill(lots),
                Meeting::Decrement(lots) => Verdict::Decrement(lots),
                Meeting::Remove(_) | Meeting::Protect(_) => Verdict::Remove,
                Meeting::RemoveAndStop(_, why) => {
                    halt = Some(why);
                    Verdict::RemoveAndStop
                }
                Meeting::Stop(why) => {
                    halt = Some(why);
                    Verdict::Stop
                }
            };
            meetings.push((*resting, meeting));
            verdict
        },
    );
    let mut took = Took {
        remaining: taken.remaining,
        filled: 0,
        code: Code::Ok,
        why: None,
    };
    for (resting, meeting) in meetings {
        book(group, floor, taker, &resting, meeting, &mut took, out);
    }
    end(&mut took, taken.stop, halt);
    took
}

/// Books what came of a meeting.
fn book(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    resting: &Resting,
    meeting: Meeting,
    took: &mut Took,
    out: &mut Matched,
) {
    took.code = Code::Ok;
    match meeting {
        Meeting::Trade(lots, effect) => {
            took.filled = took.filled.saturating_add(lots);
            // The maker was met a moment ago, so its record is there.
            let _ = fill(group, floor, taker, resting, lots, out);
            if let Some(effect) = effect {
                protect(group, floor, effect, out);
            }
        }
        Meeting::Protect(effect) => {
            remove(group, resting.slot, Removal::Protection, true, floor, out);
            protect(group, floor, effect, out);
        }
        Meeting::Decrement(lots) => {
            took.code = Code::SelfTrade;
            let _ = decrement(group, floor, taker, resting, lots, out);
        }
        Meeting::Remove(reason) | Meeting::RemoveAndStop(reason, _) => {
            remove(group, resting.slot, reason, true, floor, out);
        }
        Meeting::Stop(_) => {}
    }
}

/// Reports a protection, whose quotes go when the taker has ended.
fn protect(group: &GroupShard, floor: &Floor<'_>, effect: Protected, out: &mut Matched) {
    let Protected { owner, until } = effect;
    out.protected.push(owner);
    out.output.events.push(Event::Protected {
        account: floor.account(owner),
        group: group.group,
        until,
    });
}

/// Why the rest of a stopped order goes, if it does, and the code of the action.
fn end(took: &mut Took, stop: Stop, halt: Option<Halt>) {
    let no_fill = if took.filled > 0 {
        Code::Ok
    } else {
        Code::ReduceOnly
    };
    let (why, code) = match (halt, stop) {
        (Some(Halt::SelfTrade), _) => (Removal::SelfTrade, Code::SelfTrade),
        (Some(Halt::Uncovered), _) => (Removal::Uncovered, Code::Uncovered),
        (Some(Halt::ReduceOnly), _) | (None, Stop::Judge) => (Removal::ReduceOnly, no_fill),
        (None, Stop::Limit) => (Removal::FillLimit, Code::FillLimit),
        // A decrement that left nothing has set the code.
        (None, Stop::Done) => return,
        (None, Stop::NoCross) => {
            took.code = Code::Ok;
            return;
        }
    };
    (took.why, took.code) = (Some(why), code);
}

/// Books one trade: records, settlements of both sides, event.
fn fill(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    resting: &Resting,
    lots: Lots,
    out: &mut Matched,
) -> Option<()> {
    let record = *group.orders.get(resting.slot)?;
    let order = taker.order;
    let price = resting.price;
    let owner = AccountRef(record.account);
    let fee = |ppm: i32| {
        fee_per_lot(price, taker.market.tick_value, ppm).saturating_mul(Atoms::from(lots))
    };
    let (maker_fee, taker_fee) = (
        fee(taker.market.maker_fee_ppm),
        fee(taker.market.taker_fee_ppm),
    );
    let one = |owner, side, limit, fee| {
        Settlement::Fill(Fill {
            owner,
            market: order.market,
            side,
            lots,
            price,
            limit,
            fee,
        })
    };
    out.settlements
        .push(one(owner, order.side.opposite(), price, maker_fee));
    out.settlements
        .push(one(taker.entry.owner, order.side, order.price, taker_fee));
    out.fees = out.fees.saturating_add(maker_fee).saturating_add(taker_fee);
    out.fills = out.fills.saturating_add(1);
    let trades = group.trades.get_mut(taker.local)?;
    trades.trades = trades.trades.saturating_add(1);
    trades.last = price;
    let trade = trades.trades;
    out.output.events.push(Event::Fill {
        market: order.market,
        trade,
        maker: group.id(resting.slot, &record)?,
        maker_account: floor.account(owner),
        taker: taker.id,
        taker_account: taker.entry.account,
        taker_side: order.side,
        price,
        size: lots,
        maker_fee,
        taker_fee,
    });
    if record.remaining == lots {
        group.remove(resting.slot)?;
        return Some(());
    }
    let stored = group.orders.get_mut(resting.slot)?;
    stored.filled = stored.filled.saturating_add(lots);
    cut(group, floor, resting, lots, out)
}

/// What a meeting leaves of a maker that loses lots and is not gone: an iceberg may show its next.
fn cut(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    resting: &Resting,
    lots: Lots,
    out: &mut Matched,
) -> Option<()> {
    let slot = resting.slot;
    let record = *group.orders.get(slot)?;
    let remaining = record.remaining.saturating_sub(lots);
    let shown = group.cut(slot, remaining, resting.size.saturating_sub(lots));
    if let Some(shown) = shown {
        out.output.events.push(Event::Refreshed {
            market: MarketId(record.market),
            order: group.id(slot, &record)?,
            account: floor.account(AccountRef(record.account)),
            shown,
        });
    }
    Some(())
}

/// Books lots that two orders of the same owner lose without a trade.
fn decrement(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    resting: &Resting,
    lots: Lots,
    out: &mut Matched,
) -> Option<()> {
    let slot = resting.slot;
    let record = *group.orders.get(slot)?;
    let owner = AccountRef(record.account);
    let order = group.id(slot, &record)?;
    let left = record.remaining.saturating_sub(lots);
    if left == 0 {
        remove(group, slot, Removal::SelfTrade, true, floor, out);
    } else {
        out.settlements
            .push(Settlement::Release(release_of(&record, lots)));
        out.output.events.push(Event::Reduced {
            market: taker.order.market,
            order,
            account: floor.account(owner),
            size: left,
            reason: Removal::SelfTrade,
        });
    }
    drop_rest(taker.entry, taker.id, lots, Removal::SelfTrade, out);
    if left > 0 {
        cut(group, floor, resting, lots, out)?;
    }
    Some(())
}
