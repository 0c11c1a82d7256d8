//! Pass 4: price-time priority, by group. Positions are followed fill by fill.

use crate::accounts::{AccountRef, AccountShard};
use crate::form::{expiry_of, flags_of};
use crate::groups::GroupShard;
use crate::links::removed_event;
use crate::orders::quote_key;
use crate::passes::cancel::release_of;
use crate::passes::check::fitting;
use crate::passes::meeting::{Floor, Taker, Traded};
use crate::passes::settle::Settlement;
use crate::passes::taking::{fills_whole, take};
use crate::passes::trim::trim;
use crate::passes::{
    Entry, Env, Origin, Output, Place, Release, auction, linked, pegs, reducible, slices,
};
use crate::records::{OrderRecord, QUOTE, SpecialRecord, WAITING};
use ballast_types::{
    ActionResult, Atoms, Code, Event, Lots, MarketSpec, MarketStatus, OrderId, PostOnly, Removal,
    Side, Ticks, TimeInForce,
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
    /// IOC orders that rest until the auction of their market is over.
    pub(crate) guests: Vec<(u32, Place)>,
    /// Markets of which the auction may have left a crossed book: it was cut short, or removed orders
    /// that it had counted on.
    pub(crate) uneven: Vec<u32>,
}

/// Where the order is that is being matched.
#[derive(Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) slot: u32,
    pub(crate) id: OrderId,
    /// The link that it is in.
    pub(crate) link: Option<u32>,
}

/// What has become of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It rests or waits.
    Open,
    /// Its last lots have traded.
    Filled,
    Gone,
}

/// Matches the admitted entries of a group.
pub(crate) fn match_group(
    group: &mut GroupShard,
    accounts: &[AccountShard],
    mut entries: Vec<Entry>,
    env: &Env<'_>,
) -> Matched {
    let floor = Floor {
        accounts,
        env,
        collects: auction::collecting(group, env),
    };
    let mut out = Matched::default();
    let mut traded = Traded::default();
    let id = group.group;
    entries.sort_by_cached_key(|entry| entry.group_key(env, id));
    for entry in &entries {
        if let Origin::Replaces(place) = entry.origin {
            remove(group, place.slot, Removal::Amended, false, &floor, &mut out);
        }
    }
    pegs::reprice(group, &floor, &mut out);
    for mut entry in entries {
        let result = enter(group, &floor, &mut entry, &mut traded, &mut out);
        if let Some(at) = entry.at {
            let result = result.unwrap_or(ActionResult::code(Code::Internal));
            out.output.result(at, result);
        }
        take_off(group, &floor, &mut out);
        remove_protected(group, &floor, &mut out);
    }
    auction::auctions(group, &floor, &mut traded, &mut out);
    for (owner, now) in &traded.protections {
        // It was there when its quote was met.
        let _ = group.store_protection(*owner, now);
    }
    trim(group, &floor, &traded, &mut out);
    close_books(group, &floor, &mut out);
    out
}

/// Takes off what links have doomed.
pub(crate) fn take_off(group: &mut GroupShard, floor: &Floor<'_>, out: &mut Matched) {
    if group.loose.is_empty() {
        return;
    }
    for off in group.take_off(&|owner| floor.account(owner)) {
        out.settlements.extend(off.release.map(Settlement::Release));
        out.output.events.push(off.event);
    }
}

/// Removes the quotes of accounts whose protection took effect.
pub(crate) fn remove_protected(group: &mut GroupShard, floor: &Floor<'_>, out: &mut Matched) {
    for owner in std::mem::take(&mut out.protected) {
        for slot in group.quotes_of(owner) {
            remove(group, slot, Removal::Protection, true, floor, out);
        }
    }
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
    let removed = match reason {
        Removal::Linked => group.remove_alone(slot),
        _ => group.remove(slot),
    };
    let Some(record) = removed else {
        return;
    };
    if release {
        out.settlements
            .push(Settlement::Release(release_of(&record, record.remaining)));
    }
    if let Some(order) = group.id(slot, &record) {
        let account = floor.account(AccountRef(record.account));
        let event = removed_event(&record, order, account, reason);
        out.output.events.push(event);
    }
}

/// Runs one entry to its end.
fn enter(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    entry: &mut Entry,
    traded: &mut Traded,
    out: &mut Matched,
) -> Option<ActionResult> {
    if let Some(bundle) = entry.bundle.take() {
        return linked::enter(group, floor, entry, *bundle, traded, out);
    }
    let spot = match entry.origin {
        Origin::Slice(place, slice) => {
            slices::run(group, floor, entry, (place, slice), traded, out);
            return None;
        }
        Origin::Refused(place) => {
            if group.waits_at(place) {
                remove(group, place.slot, Removal::Refused, false, floor, out);
            }
            return None;
        }
        Origin::Triggered(place, judged) => take_up(group, entry, place, judged, out)?,
        Origin::New | Origin::Leg | Origin::Amended | Origin::Replaces(_) => {
            match group.reserve_slot() {
                Some((slot, id)) => Spot {
                    slot,
                    id,
                    link: None,
                },
                None => return Some(full(entry, out)),
            }
        }
    };
    place(group, floor, entry, spot, traded, out)
}

/// Ends the wait of a triggered order. `None` when a link has removed it meanwhile.
fn take_up(
    group: &mut GroupShard,
    entry: &mut Entry,
    place: Place,
    judged: Lots,
    out: &mut Matched,
) -> Option<Spot> {
    let slot = place.slot;
    if !group.waits_at(place) {
        release(entry, entry.order.size, out);
        return None;
    }
    let gone = group.leave(slot)?;
    let id = group.id(slot, &gone)?;
    if gone.link != 0 {
        if gone.remaining > judged {
            out.output.events.push(Event::Reduced {
                market: entry.order.market,
                order: id,
                account: entry.account,
                size: judged,
                reason: Removal::Linked,
            });
        }
        let over = entry.order.size.saturating_sub(gone.remaining).max(0);
        if over > 0 {
            release(entry, over, out);
            entry.order.size = gone.remaining;
        }
        group.link_enters(slot);
    }
    let link = gone.link_slot();
    Some(Spot { slot, id, link })
}

/// Runs an order that has its slot, and tells those that it is linked with when it ends.
pub(crate) fn place(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    entry: &mut Entry,
    spot: Spot,
    traded: &mut Traded,
    out: &mut Matched,
) -> Option<ActionResult> {
    let (code, filled, ended) = run(group, floor, entry, spot, traded, out)?;
    if spot.link.is_some() && ended != Ended::Open {
        // Its link may have ended meanwhile.
        let _ = group.quit_link(spot.slot, spot.link, ended == Ended::Filled);
    }
    Some(ActionResult {
        order: Some(spot.id),
        filled,
        ..ActionResult::code(code)
    })
}

/// Wait, post-only check or meetings, then rest or cancel: code, lots that traded, and how it ended.
fn run(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    entry: &mut Entry,
    spot: Spot,
    traded: &mut Traded,
    out: &mut Matched,
) -> Option<(Code, Lots, Ended)> {
    let (market, risk) = floor.env.market(entry.order.market)?;
    let local = floor.env.chain.local(entry.order.market);
    if entry.waits() {
        let triggers = std::iter::once(entry.order.trigger);
        let limits = &floor.env.chain.spec.limits;
        if group.over_limit(local, triggers, limits).is_some() {
            group.release_slot(spot.slot);
            return Some((Code::TriggerLimit, 0, Ended::Gone));
        }
        wait(group, floor, entry, spot, 0, out)?;
        return Some((Code::Ok, 0, Ended::Open));
    }
    let level = match entry.order.peg {
        Some(peg) => pegs::level(group, floor, &entry.order, &peg),
        None => slide(group, entry, market, local, out),
    };
    let level = match level {
        Ok(level) => level,
        Err(code) => {
            release(entry, entry.order.size, out);
            group.release_slot(spot.slot);
            return Some((code, 0, Ended::Gone));
        }
    };
    let taker = Taker {
        slot: spot.slot,
        id: spot.id,
        link: spot.link,
        owner: entry.owner,
        account: entry.account,
        order: &entry.order,
        market,
        risk,
        local,
    };
    match_order(group, floor, entry, &taker, level, traded, out)
}

/// Meets resting orders, then rests or ends.
fn match_order(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    entry: &Entry,
    taker: &Taker<'_>,
    level: Ticks,
    traded: &mut Traded,
    out: &mut Matched,
) -> Option<(Code, Lots, Ended)> {
    let order = taker.order;
    let collects = floor.collects(taker.local);
    if taker.link.is_some() {
        group.orders.get_mut(taker.slot)?.remaining = order.size;
    }
    if order.tif == TimeInForce::Fok && (collects || !fills_whole(group, floor, taker, traded)) {
        drop_rest(taker, order.size, Removal::Ioc, out);
        group.release_slot(taker.slot);
        return Some((Code::FokUnfilled, 0, Ended::Gone));
    }
    let (mut remaining, mut filled, mut code) = (order.size, 0, Code::Ok);
    let mut why = (!order.may_rest() && !collects).then_some(Removal::Ioc);
    if order.may_take() && !collects {
        let took = take(group, floor, taker, traded, out);
        (remaining, filled, code) = (took.remaining, took.filled, took.code);
        why = took.why.or(why);
    }
    if remaining == 0 {
        group.release_slot(taker.slot);
        // A decrement that left nothing has its own code.
        let ended = match code {
            Code::Ok => Ended::Filled,
            _ => Ended::Gone,
        };
        return Some((code, filled, ended));
    }
    if let Some(why) = why {
        drop_rest(taker, remaining, why, out);
        group.release_slot(taker.slot);
        return Some((code, filled, Ended::Gone));
    }
    let lots = (remaining, filled);
    let (code, ended) = rest(group, floor, entry, taker, level, lots, traded, out)?;
    Some((code, filled, ended))
}

/// No slot is left.
pub(crate) fn full(entry: &Entry, out: &mut Matched) -> ActionResult {
    if !entry.waits() {
        release(entry, entry.order.size, out);
    }
    ActionResult::code(Code::BookFull)
}

/// Lets an order wait, so many of its lots dormant.
pub(crate) fn wait(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    entry: &Entry,
    spot: Spot,
    dormant: Lots,
    out: &mut Matched,
) -> Option<()> {
    let order = &entry.order;
    let mut record = record_of(entry, order.size, 0, floor.env.height);
    record.flags |= WAITING;
    record.link = spot.link.map_or(0, |link| link.saturating_add(1));
    let special = SpecialRecord::waiting(order, dormant, floor.env.time);
    group.wait(spot.slot, record, special)?;
    let event = group.waiting_event(spot.slot, entry.account)?;
    out.output.events.push(event);
    Some(())
}

/// Moves a post-only order that would trade behind the best price of the other side, and what it
/// reserves with it. Where it is to rest, unless it may not.
fn slide(
    group: &GroupShard,
    entry: &mut Entry,
    market: &MarketSpec,
    local: u32,
    out: &mut Matched,
) -> Result<Ticks, Code> {
    let order = entry.order;
    if order.may_take() || !group.books.crosses(local, order.side, order.price) {
        return Ok(order.price);
    }
    let best = group.books.best(local, order.side.opposite()).unwrap_or(0);
    let price = fitting(order.side, behind(order.side, best), market);
    if order.post_only == PostOnly::Reject || !(1..=market.max_price).contains(&price) {
        return Err(Code::PostOnlyWouldTrade);
    }
    release(entry, order.size, out);
    entry.order.price = price;
    out.settlements
        .push(Settlement::Reserve(opened(entry, order.size)));
    Ok(price)
}

/// The best price at which an order does not cross a price of the other side.
pub(crate) fn behind(side: Side, other: Ticks) -> Ticks {
    match side {
        Side::Buy => other.saturating_sub(1),
        Side::Sell => other.saturating_add(1),
    }
}

fn opened(entry: &Entry, lots: Lots) -> Release {
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
pub(crate) fn release(entry: &Entry, lots: Lots, out: &mut Matched) {
    out.settlements
        .push(Settlement::Release(opened(entry, lots)));
}

/// Cancels lots of an order that came in.
pub(crate) fn drop_rest(taker: &Taker<'_>, lots: Lots, reason: Removal, out: &mut Matched) {
    let order = taker.order;
    out.settlements.push(Settlement::Release(Release {
        owner: taker.owner,
        market: order.market,
        side: order.side,
        price: order.price,
        lots,
    }));
    out.output.events.push(Event::Removed {
        market: order.market,
        order: taker.id,
        account: taker.account,
        size: lots,
        reason,
        client_id: order.client_id,
    });
}

/// Puts what is left into the book, as far as a reduce-only order may.
#[allow(clippy::too_many_arguments)]
fn rest(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    entry: &Entry,
    taker: &Taker<'_>,
    level: Ticks,
    (remaining, filled): (Lots, Lots),
    traded: &Traded,
    out: &mut Matched,
) -> Option<(Code, Ended)> {
    let (order, slot) = (taker.order, taker.slot);
    let mut size = remaining;
    if order.reduce_only {
        let position = floor.position(entry.owner, order.market, traded);
        size = size.min(reducible(order.side, position));
        if size == 0 {
            drop_rest(taker, remaining, Removal::ReduceOnly, out);
            group.release_slot(slot);
            let code = if filled > 0 {
                Code::Ok
            } else {
                Code::ReduceOnly
            };
            return Some((code, Ended::Gone));
        }
        if size < remaining {
            release(entry, remaining.saturating_sub(size), out);
        }
    }
    let mut record = record_of(entry, size, filled, floor.env.height);
    if taker.link.is_some() {
        // Its link may have ended meanwhile.
        record.link = group.orders.get(slot)?.link;
    }
    let shown = order.display.map_or(size, |display| display.min(size));
    let special = SpecialRecord::resting(order, shown, level);
    if entry.quote
        && let Some(earlier) = group.quotes.get(&quote_key(&record))
    {
        remove(group, earlier, Removal::Amended, true, floor, out);
    }
    let Some(priority) = group.rest(slot, taker.local, record, special) else {
        // Only a level whose size would not fit its number refuses an order.
        drop_rest(taker, size, Removal::Ioc, out);
        group.release_slot(slot);
        return Some((Code::BookFull, Ended::Gone));
    };
    if !order.may_rest() {
        out.guests.push((taker.local, Place { slot, priority }));
    }
    out.output.events.push(Event::Rested {
        market: order.market,
        order: taker.id,
        account: entry.account,
        side: order.side,
        price: level,
        size,
        shown,
        client_id: order.client_id,
    });
    Some((Code::Ok, Ended::Open))
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

/// Reports the levels that changed, with checksums, and counts books that are crossed without cause.
fn close_books(group: &mut GroupShard, floor: &Floor<'_>, out: &mut Matched) {
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
        let status = floor.env.status(market);
        let trades = matches!(status, MarketStatus::Open | MarketStatus::PostOnly);
        if trades && group.books.crossed(local) && !out.uneven.contains(&local) {
            out.crossed = out.crossed.saturating_add(1);
        }
    }
}
