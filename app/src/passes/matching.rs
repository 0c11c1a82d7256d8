//! Pass 4: price-time priority, by group. Positions are followed fill by fill.

use crate::accounts::{AccountRef, AccountShard};
use crate::groups::GroupShard;
use crate::passes::cancel::release_of;
use crate::passes::settle::{Fill, Settlement};
use crate::passes::{Entry, Env, Output, Release, reducible};
use crate::records::{OrderRecord, POST_ONLY, REDUCE_ONLY, SELL};
use ballast_orderbook::{Resting, Stop, Taken, Verdict};
use ballast_risk::{LotRisk, allowed_while_uncovered, fee_per_lot, gain};
use ballast_types::{
    Account, ActionResult, Atoms, Code, Event, Lots, MarketId, MarketSpec, Order, OrderId, Removal,
    Side, TimeInForce,
};
use bytemuck::Zeroable;
use std::collections::BTreeMap;

/// What matching hands on.
#[derive(Debug, Default)]
pub(crate) struct Matched {
    pub(crate) output: Output,
    pub(crate) settlements: Vec<Settlement>,
    pub(crate) fees: Atoms,
    pub(crate) fills: u64,
    pub(crate) crossed: u64,
}

/// Positions that this block's fills have changed: lots bought minus sold so far.
type Traded = BTreeMap<(AccountRef, MarketId), Lots>;

/// Who a fill would belong to, and what it may do.
struct Floor<'a> {
    accounts: &'a [AccountShard],
    env: &'a Env<'a>,
}

/// The order that is being matched.
struct Taker<'a> {
    owner: AccountRef,
    account: Account,
    order: &'a Order,
    market: &'a MarketSpec,
    risk: &'a LotRisk,
    local: u32,
}

/// What became of one meeting.
enum Meeting {
    Fill(u32, Resting, Lots),
    Remove(u32, Removal),
}

/// Why a taking order stopped before its size or its limit did.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Halt {
    SelfTrade,
    ReduceOnly,
    Uncovered,
}

impl Floor<'_> {
    fn position(&self, owner: AccountRef, market: MarketId, traded: &Traded) -> Lots {
        let before = self
            .accounts
            .get(owner.shard())
            .map_or(0, |shard| shard.position_size(owner.slot(), market));
        before.saturating_add(traded.get(&(owner, market)).copied().unwrap_or(0))
    }

    fn uncovered(&self, owner: AccountRef) -> bool {
        let shard = self.accounts.get(owner.shard());
        let record = shard.and_then(|shard| shard.accounts.get(owner.slot()));
        record.is_some_and(|record| record.uncovered != 0)
    }

    fn account(&self, owner: AccountRef) -> Account {
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

    /// What happens when the taker, with `remaining` lots, meets a resting order.
    fn judge(
        &self,
        taker: &Taker<'_>,
        maker: &OrderRecord,
        resting: &Resting,
        remaining: Lots,
        traded: &Traded,
    ) -> Result<Lots, Result<Removal, Halt>> {
        let market = taker.order.market;
        let owner = AccountRef(maker.account);
        let maker_side = taker.order.side.opposite();
        if maker.expired(self.env.time) {
            return Err(Ok(Removal::Expired));
        }
        if owner == taker.owner && !taker.market.self_trade {
            return Err(Err(Halt::SelfTrade));
        }
        let mut lots = remaining.min(resting.size);
        let price = resting.price;
        if maker.reduce_only() {
            lots = lots.min(reducible(maker_side, self.position(owner, market, traded)));
            if lots == 0 {
                return Err(Ok(Removal::ReduceOnly));
            }
        }
        if self.uncovered(owner) {
            let size = self.position(owner, market, traded);
            lots = self.allowed(
                maker_side,
                price,
                taker.market.maker_fee_ppm,
                taker,
                size,
                lots,
            );
            if lots == 0 {
                return Err(Ok(Removal::Uncovered));
            }
        }
        if taker.order.reduce_only {
            let size = self.position(taker.owner, market, traded);
            lots = lots.min(reducible(taker.order.side, size));
            if lots == 0 {
                return Err(Err(Halt::ReduceOnly));
            }
        }
        if self.uncovered(taker.owner) {
            let size = self.position(taker.owner, market, traded);
            let fee = taker.market.taker_fee_ppm;
            lots = self.allowed(taker.order.side, price, fee, taker, size, lots);
            if lots == 0 {
                return Err(Err(Halt::Uncovered));
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
        let maker_sum = traded.entry((maker, market)).or_default();
        *maker_sum = maker_sum.saturating_sub(bought);
        let taker_sum = traded.entry((taker.owner, market)).or_default();
        *taker_sum = taker_sum.saturating_add(bought);
    }
}

/// Matches the admitted entries of a group.
pub(crate) fn match_group(
    group: &mut GroupShard,
    accounts: &[AccountShard],
    mut entries: Vec<Entry>,
    env: &Env<'_>,
) -> Matched {
    let floor = Floor { accounts, env };
    let mut out = Matched::default();
    let mut traded = Traded::new();
    let id = group.group;
    entries.sort_by_cached_key(|entry| entry.group_key(env, id));
    for entry in &entries {
        if let Some((slot, _)) = entry.replaces {
            remove(group, slot, Removal::Amended, false, &floor, &mut out);
        }
    }
    for entry in &entries {
        let result = enter(group, &floor, entry, &mut traded, &mut out);
        out.output.result(
            entry.at,
            result.unwrap_or(ActionResult::code(Code::Internal)),
        );
    }
    trim(group, &floor, &traded, &mut out);
    close_books(group, &mut out);
    out
}

/// Removes a resting order; what is left of its reserve is released unless it went to another.
fn remove(
    group: &mut GroupShard,
    slot: u32,
    reason: Removal,
    release: bool,
    floor: &Floor<'_>,
    out: &mut Matched,
) {
    let Some(record) = group.remove(slot) else {
        return;
    };
    if release {
        out.settlements
            .push(Settlement::Release(release_of(&record, record.remaining)));
    }
    if let Some(order) = group.id(slot, &record) {
        out.output.events.push(Event::Removed {
            market: MarketId(record.market),
            order,
            account: floor.account(AccountRef(record.account)),
            size: record.remaining,
            reason,
            client_id: record.client(),
        });
    }
}

/// Runs one entry: post-only check or meetings, then rest or cancel.
fn enter(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    entry: &Entry,
    traded: &mut Traded,
    out: &mut Matched,
) -> Option<ActionResult> {
    let order = &entry.order;
    let (market, risk) = floor.env.market(order.market)?;
    let taker = Taker {
        owner: entry.owner,
        account: entry.account,
        order,
        market,
        risk,
        local: floor.env.chain.local(order.market),
    };
    let Some((slot, id)) = group.reserve_slot() else {
        release(entry, order.size, out);
        return Some(ActionResult::code(Code::BookFull));
    };
    if let Some(code) = refuse(group, floor, entry, &taker, id, traded, out) {
        group.release_slot(slot);
        return Some(ActionResult {
            code,
            order: Some(id),
            filled: 0,
        });
    }
    let mut remaining = order.size;
    let mut code = Code::Ok;
    if order.may_take() {
        let (taken, halt) = take(group, floor, &taker, id, traded, out);
        remaining = taken.remaining;
        let (why, ended) = ending(&taken, halt, remaining < order.size);
        code = ended;
        if let Some(why) = why {
            drop_rest(entry, id, remaining, why, out);
            group.release_slot(slot);
            return Some(ActionResult {
                code,
                order: Some(id),
                filled: order.size.saturating_sub(remaining),
            });
        }
    }
    let filled = order.size.saturating_sub(remaining);
    if remaining == 0 || !order.may_rest() {
        if remaining > 0 {
            drop_rest(entry, id, remaining, Removal::Ioc, out);
        }
        group.release_slot(slot);
    } else {
        code = rest(
            group,
            floor,
            entry,
            &taker,
            (slot, id),
            (remaining, filled),
            traded,
            out,
        )?;
    }
    Some(ActionResult {
        code,
        order: Some(id),
        filled,
    })
}

/// A post-only order that would trade, or a fill-or-kill order that cannot be filled, ends here.
fn refuse(
    group: &GroupShard,
    floor: &Floor<'_>,
    entry: &Entry,
    taker: &Taker<'_>,
    id: OrderId,
    traded: &Traded,
    out: &mut Matched,
) -> Option<Code> {
    let order = taker.order;
    if order.post_only && group.books.crosses(taker.local, order.side, order.price) {
        release(entry, order.size, out);
        return Some(Code::PostOnlyWouldTrade);
    }
    if order.tif == TimeInForce::Fok && !fills_whole(group, floor, taker, traded) {
        drop_rest(entry, id, order.size, Removal::Ioc, out);
        return Some(Code::FokUnfilled);
    }
    None
}

/// Why the rest of a stopped order goes, if it does, and the code of the action.
fn ending(taken: &Taken, halt: Option<Halt>, traded: bool) -> (Option<Removal>, Code) {
    match (taken.stop, halt) {
        (Stop::Limit, _) => (Some(Removal::FillLimit), Code::FillLimit),
        (Stop::Judge, Some(Halt::SelfTrade)) => (Some(Removal::SelfTrade), Code::SelfTrade),
        (Stop::Judge, Some(Halt::Uncovered)) => (Some(Removal::Uncovered), Code::Uncovered),
        (Stop::Judge, _) => (Some(Removal::ReduceOnly), reduce_only_code(traded)),
        (Stop::Done | Stop::NoCross, _) => (None, Code::Ok),
    }
}

fn reduce_only_code(traded: bool) -> Code {
    if traded { Code::Ok } else { Code::ReduceOnly }
}

fn release(entry: &Entry, lots: Lots, out: &mut Matched) {
    let order = &entry.order;
    out.settlements.push(Settlement::Release(Release {
        owner: entry.owner,
        market: order.market,
        side: order.side,
        price: order.price,
        lots,
    }));
}

/// Cancels what is left of an order that came in.
fn drop_rest(entry: &Entry, order: OrderId, lots: Lots, reason: Removal, out: &mut Matched) {
    release(entry, lots, out);
    out.output.events.push(Event::Removed {
        market: entry.order.market,
        order,
        account: entry.account,
        size: lots,
        reason,
        client_id: entry.order.client_id,
    });
}

/// Tries the meetings of a fill-or-kill order without effect.
fn fills_whole(group: &GroupShard, floor: &Floor<'_>, taker: &Taker<'_>, traded: &Traded) -> bool {
    let mut tried = traded.clone();
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
            match floor.judge(taker, maker, resting, left, &tried) {
                Ok(lots) => {
                    Floor::follow(taker, AccountRef(maker.account), lots, &mut tried);
                    Verdict::Fill(lots)
                }
                Err(Ok(_)) => Verdict::Remove,
                Err(Err(_)) => Verdict::Stop,
            }
        },
    );
    taken.remaining == 0
}

/// Meets resting orders and books what happened.
fn take(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    id: OrderId,
    traded: &mut Traded,
    out: &mut Matched,
) -> (Taken, Option<Halt>) {
    let mut meetings = Vec::new();
    let mut halt = None;
    let order = taker.order;
    let GroupShard { books, orders, .. } = group;
    let most = u32::from(order.max_fills);
    let taken = books.take(
        taker.local,
        order.side,
        order.price,
        order.size,
        most,
        |resting, left| {
            let Some(maker) = orders.get(resting.slot) else {
                return Verdict::Stop;
            };
            match floor.judge(taker, maker, resting, left, traded) {
                Ok(lots) => {
                    Floor::follow(taker, AccountRef(maker.account), lots, traded);
                    meetings.push(Meeting::Fill(resting.slot, *resting, lots));
                    Verdict::Fill(lots)
                }
                Err(Ok(reason)) => {
                    meetings.push(Meeting::Remove(resting.slot, reason));
                    Verdict::Remove
                }
                Err(Err(why)) => {
                    halt = Some(why);
                    Verdict::Stop
                }
            }
        },
    );
    for meeting in meetings {
        match meeting {
            Meeting::Fill(slot, resting, lots) => {
                // The maker met a moment ago, so its record is there.
                let _ = fill(group, floor, taker, id, (slot, resting, lots), out);
            }
            Meeting::Remove(slot, reason) => remove(group, slot, reason, true, floor, out),
        }
    }
    (taken, halt)
}

/// Books one trade: records, settlements of both sides, event.
fn fill(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    id: OrderId,
    (slot, resting, lots): (u32, Resting, Lots),
    out: &mut Matched,
) -> Option<()> {
    let record = *group.orders.get(slot)?;
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
        .push(one(taker.owner, order.side, order.price, taker_fee));
    out.fees = out.fees.saturating_add(maker_fee).saturating_add(taker_fee);
    out.fills = out.fills.saturating_add(1);
    let trades = group.trades.get_mut(taker.local)?;
    trades.trades = trades.trades.saturating_add(1);
    let trade = trades.trades;
    out.output.events.push(Event::Fill {
        market: order.market,
        trade,
        maker: group.id(slot, &record)?,
        maker_account: floor.account(owner),
        taker: id,
        taker_account: taker.account,
        taker_side: order.side,
        price,
        size: lots,
        maker_fee,
        taker_fee,
    });
    if record.remaining == lots {
        group.remove(slot)?;
    } else {
        let record = group.orders.get_mut(slot)?;
        record.remaining = record.remaining.saturating_sub(lots);
        record.filled = record.filled.saturating_add(lots);
    }
    Some(())
}

/// Puts what is left into the book, as far as a reduce-only order may.
#[allow(clippy::too_many_arguments)]
fn rest(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    entry: &Entry,
    taker: &Taker<'_>,
    (slot, id): (u32, OrderId),
    (remaining, filled): (Lots, Lots),
    traded: &Traded,
    out: &mut Matched,
) -> Option<Code> {
    let order = taker.order;
    let mut size = remaining;
    if order.reduce_only {
        let position = floor.position(taker.owner, order.market, traded);
        size = size.min(reducible(order.side, position));
        if size == 0 {
            drop_rest(entry, id, remaining, Removal::ReduceOnly, out);
            group.release_slot(slot);
            return Some(reduce_only_code(filled > 0));
        }
        if size < remaining {
            release(entry, remaining.saturating_sub(size), out);
        }
    }
    let record = new_record(entry, size, filled, floor.env.height);
    if group.rest(slot, taker.local, record).is_none() {
        // Only a level whose size would not fit its number refuses an order.
        drop_rest(entry, id, size, Removal::Ioc, out);
        group.release_slot(slot);
        return Some(Code::BookFull);
    }
    out.output.events.push(Event::Rested {
        market: order.market,
        order: id,
        account: taker.account,
        side: order.side,
        price: order.price,
        size,
        client_id: order.client_id,
    });
    Some(Code::Ok)
}

fn new_record(entry: &Entry, size: Lots, filled: Lots, height: u64) -> OrderRecord {
    let order = &entry.order;
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    OrderRecord {
        account: entry.owner.0,
        market: order.market.0,
        price: order.price,
        remaining: size,
        filled: entry.filled.saturating_add(filled),
        expiry: match order.tif {
            TimeInForce::Gtt(expiry) => expiry,
            _ => 0,
        },
        client_id: order.client_id.unwrap_or(0),
        nonce: entry.key.nonce,
        index: entry.key.index,
        flags: flag(order.side == Side::Sell, SELL)
            | flag(order.post_only, POST_ONLY)
            | flag(order.reduce_only, REDUCE_ONLY),
        label: order.label,
        placed: height,
        ..OrderRecord::zeroed()
    }
}

/// Shrinks reduce-only orders to the positions that they may reduce, newest first.
fn trim(group: &mut GroupShard, floor: &Floor<'_>, traded: &Traded, out: &mut Matched) {
    let mut changed: Vec<_> = traded.keys().copied().collect();
    changed.sort_by_cached_key(|(owner, market)| (floor.account(*owner), *market));
    for (owner, market) in changed {
        let resting = group
            .reduce_only
            .range((owner, market, 0)..=(owner, market, u64::MAX));
        let slots: Vec<u32> = resting.map(|(_, slot)| slot).rev().collect();
        if slots.is_empty() {
            continue;
        }
        let size = floor.position(owner, market, traded);
        for side in [Side::Buy, Side::Sell] {
            trim_side(group, floor, &slots, side, reducible(side, size), out);
        }
    }
}

/// `slots` are newest first; `most` is what may stay on this side.
fn trim_side(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    slots: &[u32],
    side: Side,
    most: Lots,
    out: &mut Matched,
) {
    let on_side = |group: &GroupShard, slot: u32| {
        group
            .orders
            .get(slot)
            .copied()
            .filter(|record| record.side() == side)
    };
    let sum = slots
        .iter()
        .filter_map(|slot| on_side(group, *slot))
        .fold(0_i64, |sum, record| sum.saturating_add(record.remaining));
    let mut excess = sum.saturating_sub(most);
    for slot in slots {
        if excess <= 0 {
            return;
        }
        let Some(record) = on_side(group, *slot) else {
            continue;
        };
        let cut = excess.min(record.remaining);
        excess = excess.saturating_sub(cut);
        if cut == record.remaining {
            remove(group, *slot, Removal::ReduceOnly, true, floor, out);
            continue;
        }
        let left = record.remaining.saturating_sub(cut);
        if group.shrink(*slot, left).is_none() {
            continue;
        }
        out.settlements
            .push(Settlement::Release(release_of(&record, cut)));
        if let Some(order) = group.id(*slot, &record) {
            out.output.events.push(Event::Reduced {
                market: MarketId(record.market),
                order,
                account: floor.account(AccountRef(record.account)),
                size: left,
                reason: Removal::ReduceOnly,
            });
        }
    }
}

/// Reports the levels that changed, with checksums, and counts crossed books.
fn close_books(group: &mut GroupShard, out: &mut Matched) {
    let mut levels: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for change in group.books.changed() {
        levels
            .entry(change.market)
            .or_default()
            .push((change.side, change.price, change.size));
    }
    for (local, levels) in levels {
        let at = usize::try_from(local).unwrap_or(usize::MAX);
        let Some(market) = group.markets.get(at).copied() else {
            continue;
        };
        let checksum = group.books.checksum(local);
        out.output.events.push(Event::Book {
            market,
            levels,
            checksum,
        });
        let best = group.books.best(local, Side::Sell);
        if best.is_some_and(|ask| group.books.crosses(local, Side::Buy, ask)) {
            let bid = group.books.best(local, Side::Buy);
            if bid >= best {
                out.crossed = out.crossed.saturating_add(1);
            }
        }
    }
}
