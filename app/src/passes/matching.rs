//! Pass 4: price-time priority, by group. Positions are followed fill by fill.

use crate::accounts::{AccountRef, AccountShard};
use crate::form::{expiry_of, flags_of};
use crate::groups::GroupShard;
use crate::orders::quote_key;
use crate::passes::cancel::release_of;
use crate::passes::meeting::{Floor, Taker, Traded, fills_whole, take};
use crate::passes::settle::Settlement;
use crate::passes::trim::trim;
use crate::passes::{Entry, Env, Origin, Output, Release, reducible};
use crate::records::{OrderRecord, QUOTE, SpecialRecord};
use ballast_types::{
    ActionResult, Atoms, Code, Event, Lots, MarketId, MarketSpec, OrderId, PostOnly, Removal, Side,
    TimeInForce,
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
    /// Accounts whose quotes go when the order at hand has ended.
    pub(crate) protected: Vec<AccountRef>,
}

/// Slot and id of the order that is being matched.
type Spot = (u32, OrderId);

/// Matches the admitted entries of a group.
pub(crate) fn match_group(
    group: &mut GroupShard,
    accounts: &[AccountShard],
    mut entries: Vec<Entry>,
    env: &Env<'_>,
) -> Matched {
    let floor = Floor { accounts, env };
    let mut out = Matched::default();
    let mut traded = Traded::default();
    let id = group.group;
    entries.sort_by_cached_key(|entry| entry.group_key(env, id));
    for entry in &entries {
        if let Origin::Replaces(place) = entry.origin {
            remove(group, place.slot, Removal::Amended, false, &floor, &mut out);
        }
    }
    for mut entry in entries {
        let result = enter(group, &floor, &mut entry, &mut traded, &mut out);
        if let Some(at) = entry.at {
            let result = result.unwrap_or(ActionResult::code(Code::Internal));
            out.output.result(at, result);
        }
        for owner in std::mem::take(&mut out.protected) {
            for slot in group.quotes_of(owner) {
                remove(group, slot, Removal::Protection, true, &floor, &mut out);
            }
        }
    }
    for (owner, now) in &traded.protections {
        // It was there when its quote was met.
        let _ = group.store_protection(*owner, now);
    }
    trim(group, &floor, &traded, &mut out);
    close_books(group, &mut out);
    out
}

/// Removes an open order; what is left of its reserve is released unless it went to another, or the
/// order has none.
pub(crate) fn remove(
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

/// Runs one entry: wait, post-only check or meetings, then rest or cancel.
fn enter(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    entry: &mut Entry,
    traded: &mut Traded,
    out: &mut Matched,
) -> Option<ActionResult> {
    let (market, risk) = floor.env.market(entry.order.market)?;
    let local = floor.env.chain.local(entry.order.market);
    let (slot, id) = match entry.origin {
        Origin::Refused(place) => {
            remove(group, place.slot, Removal::Refused, false, floor, out);
            return None;
        }
        Origin::Triggered(place) => {
            let gone = group.leave(place.slot)?;
            (place.slot, group.id(place.slot, &gone)?)
        }
        Origin::New | Origin::Amended | Origin::Replaces(_) => match group.reserve_slot() {
            Some(spot) => spot,
            None => return Some(full(entry, out)),
        },
    };
    let result = |code, filled| ActionResult {
        order: Some(id),
        filled,
        ..ActionResult::code(code)
    };
    if entry.waits() {
        let code = wait(group, floor, entry, (slot, id), local, out)?;
        return Some(result(code, 0));
    }
    if !slide(group, entry, market, local, out) {
        release(entry, entry.order.size, out);
        group.release_slot(slot);
        return Some(result(Code::PostOnlyWouldTrade, 0));
    }
    let entry = &*entry;
    let order = &entry.order;
    let taker = Taker {
        entry,
        order,
        id,
        market,
        risk,
        local,
    };
    if order.tif == TimeInForce::Fok && !fills_whole(group, floor, &taker, traded) {
        drop_rest(entry, id, order.size, Removal::Ioc, out);
        group.release_slot(slot);
        return Some(result(Code::FokUnfilled, 0));
    }
    let (mut remaining, mut filled, mut code) = (order.size, 0, Code::Ok);
    let mut why = (!order.may_rest()).then_some(Removal::Ioc);
    if order.may_take() {
        let took = take(group, floor, &taker, traded, out);
        (remaining, filled, code) = (took.remaining, took.filled, took.code);
        why = took.why.or(why);
    }
    match why {
        _ if remaining == 0 => group.release_slot(slot),
        Some(why) => {
            drop_rest(entry, id, remaining, why, out);
            group.release_slot(slot);
        }
        None => {
            let lots = (remaining, filled);
            code = rest(group, floor, &taker, (slot, id), lots, traded, out)?;
        }
    }
    Some(result(code, filled))
}

/// No slot is left.
fn full(entry: &Entry, out: &mut Matched) -> ActionResult {
    if !entry.waits() {
        release(entry, entry.order.size, out);
    }
    ActionResult::code(Code::BookFull)
}

/// Lets an order wait for its trigger, while the group and the market may hold another.
fn wait(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    entry: &Entry,
    (slot, id): Spot,
    local: u32,
    out: &mut Matched,
) -> Option<Code> {
    let order = &entry.order;
    let trigger = order.trigger?;
    if !group.may_wait(local, &trigger.condition, &floor.env.chain.spec.limits) {
        group.release_slot(slot);
        return Some(Code::TriggerLimit);
    }
    let record = record_of(entry, order.size, 0, floor.env.height);
    group.wait(slot, record, SpecialRecord::of(order, 0)?)?;
    out.output.events.push(Event::Waiting {
        market: order.market,
        order: id,
        account: entry.account,
        side: order.side,
        price: order.price,
        size: order.size,
        trigger,
        client_id: order.client_id,
    });
    Some(Code::Ok)
}

/// Moves a post-only order that would trade behind the best price of the other side, and what it
/// reserves with it. False when it may not rest.
fn slide(
    group: &GroupShard,
    entry: &mut Entry,
    market: &MarketSpec,
    local: u32,
    out: &mut Matched,
) -> bool {
    let order = entry.order;
    if order.may_take() || !group.books.crosses(local, order.side, order.price) {
        return true;
    }
    let best = group.books.best(local, order.side.opposite()).unwrap_or(0);
    let price = match order.side {
        Side::Buy => best.saturating_sub(1),
        Side::Sell => best.saturating_add(1),
    };
    if order.post_only == PostOnly::Reject || !(1..=market.max_price).contains(&price) {
        return false;
    }
    release(entry, order.size, out);
    entry.order.price = price;
    out.settlements
        .push(Settlement::Reserve(open_lots(entry, order.size)));
    true
}

fn open_lots(entry: &Entry, lots: Lots) -> Release {
    let order = &entry.order;
    Release {
        owner: entry.owner,
        market: order.market,
        side: order.side,
        price: order.price,
        lots,
    }
}

/// Releases lots of an order that came in.
fn release(entry: &Entry, lots: Lots, out: &mut Matched) {
    out.settlements
        .push(Settlement::Release(open_lots(entry, lots)));
}

/// Cancels lots of an order that came in.
pub(crate) fn drop_rest(
    entry: &Entry,
    order: OrderId,
    lots: Lots,
    reason: Removal,
    out: &mut Matched,
) {
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

/// Puts what is left into the book, as far as a reduce-only order may.
fn rest(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    (slot, id): Spot,
    (remaining, filled): (Lots, Lots),
    traded: &Traded,
    out: &mut Matched,
) -> Option<Code> {
    let (entry, order) = (taker.entry, taker.order);
    let mut size = remaining;
    if order.reduce_only {
        let position = floor.position(entry.owner, order.market, traded);
        size = size.min(reducible(order.side, position));
        if size == 0 {
            drop_rest(entry, id, remaining, Removal::ReduceOnly, out);
            group.release_slot(slot);
            return Some(if filled > 0 {
                Code::Ok
            } else {
                Code::ReduceOnly
            });
        }
        if size < remaining {
            release(entry, remaining.saturating_sub(size), out);
        }
    }
    let record = record_of(entry, size, filled, floor.env.height);
    let shown = order.display.map_or(size, |display| display.min(size));
    let special = SpecialRecord::of(order, shown);
    if entry.quote
        && let Some(earlier) = group.quotes.get(&quote_key(&record))
    {
        remove(group, earlier, Removal::Amended, true, floor, out);
    }
    if group.rest(slot, taker.local, record, special).is_none() {
        // Only a level whose size would not fit its number refuses an order.
        drop_rest(entry, id, size, Removal::Ioc, out);
        group.release_slot(slot);
        return Some(Code::BookFull);
    }
    out.output.events.push(Event::Rested {
        market: order.market,
        order: id,
        account: entry.account,
        side: order.side,
        price: order.price,
        size,
        shown,
        client_id: order.client_id,
    });
    Some(Code::Ok)
}

/// The record of an order that comes to rest or to wait.
fn record_of(entry: &Entry, size: Lots, filled: Lots, height: u64) -> OrderRecord {
    let order = &entry.order;
    OrderRecord {
        account: entry.owner.0,
        market: order.market.0,
        price: order.price,
        remaining: size,
        filled: entry.filled.saturating_add(filled),
        expiry: expiry_of(order.tif),
        client_id: order.client_id.unwrap_or(0),
        nonce: entry.key.nonce,
        index: entry.key.index,
        flags: flags_of(order) | if entry.quote { QUOTE } else { 0 },
        label: order.label,
        placed: height,
        ..OrderRecord::zeroed()
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
