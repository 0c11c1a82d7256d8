//! Orders with a schedule: which slices are due in pass 0, what each asks for in pass 3, and how it
//! trades in pass 4.

use crate::accounts::{AccountRef, AccountShard};
use crate::groups::GroupShard;
use crate::passes::check::fitting;
use crate::passes::matching::{Matched, release, remove};
use crate::passes::meeting::{Floor, Taker, Traded};
use crate::passes::taking::take;
use crate::passes::triggers::{entry, part};
use crate::passes::{Entry, Env, Origin, Place, Slice};
use crate::records::{OrderRecord, SpecialRecord};
use ballast_types::{
    Code, Event, Lots, MarketId, MarketKind, MarketSpec, MarketStatus, Order, Removal, Side, Ticks,
    TimeInForce, TimeMs,
};

/// A slice is at most so many times the mean of the whole schedule.
const CATCH_UP: i128 = 3;

/// Pass 0: the schedules of open markets whose next slice is due and is sent in this block.
pub(crate) fn due(group: &GroupShard, accounts: &[AccountShard], env: &Env<'_>) -> Vec<Entry> {
    if group.slices.is_empty() {
        return Vec::new();
    }
    let most = usize::try_from(env.chain.spec.limits.twap_slices).unwrap_or(usize::MAX);
    let open = |market: &&MarketId| env.status(**market) == MarketStatus::Open;
    let alive = |slot: &u32| {
        let record = group.orders.get(*slot);
        record.is_some_and(|record| !record.dead(env.time, env.height))
    };
    let mut due: Vec<(TimeMs, u64, u32)> = group
        .markets
        .iter()
        .filter(open)
        .flat_map(|market| {
            let first = (*market, 0, 0);
            let due = group.slices.range(first..=(*market, env.time, u64::MAX));
            let due = due.map(|((_, time, priority), slot)| (time, priority, slot));
            due.filter(|(.., slot)| alive(slot)).take(most)
        })
        .collect();
    due.sort_unstable();
    due.truncate(most);
    due.into_iter()
        .filter_map(|(_, priority, slot)| {
            let place = Place { slot, priority };
            let slice = Slice {
                number: 0,
                asked: 0,
                code: Code::Ok,
            };
            let (_, entry) = entry(group, accounts, slot)?;
            Some(Entry {
                origin: Origin::Slice(place, slice),
                ..entry
            })
        })
        .collect()
}

/// Pass 3: the slice of an order as it is now.
pub(crate) fn slice(
    group: &GroupShard,
    record: &OrderRecord,
    special: &SpecialRecord,
    market: &MarketSpec,
    env: &Env<'_>,
) -> Option<(Order, Slice)> {
    let last = last_slice(special)?;
    let since = env.time.saturating_sub(special.start);
    let number = since.checked_div(special.interval)?.min(u64::from(last));
    let number = u32::try_from(number).ok()?;
    let price = bound(group, record, special, market, env);
    let asked = match price {
        Some(_) => asked(record, number, last, market.min_size)?,
        None => 0,
    };
    let order = Order {
        price: price.unwrap_or(record.price),
        size: asked,
        tif: TimeInForce::Ioc,
        ..record.order(Some(special))
    };
    let slice = Slice {
        number,
        asked,
        code: Code::Ok,
    };
    Some((order, slice))
}

fn last_slice(special: &SpecialRecord) -> Option<u32> {
    u32::try_from(special.duration.checked_div(special.interval)?).ok()
}

/// Lots that are missing after slice `number` of the schedule, as far as a slice may catch up.
fn asked(record: &OrderRecord, number: u32, last: u32, min_size: Lots) -> Option<Lots> {
    let (filled, remaining) = (i128::from(record.filled), i128::from(record.remaining));
    let (total, slices) = (filled.saturating_add(remaining), i128::from(last));
    let by_now = i128::from(number).saturating_add(1).min(slices);
    let scheduled = total.saturating_mul(by_now).checked_div(slices)?;
    let up = total.saturating_add(slices).saturating_sub(1);
    let mean = up.checked_div(slices)?;
    let lots = scheduled
        .saturating_sub(filled)
        .min(CATCH_UP.saturating_mul(mean))
        .min(remaining);
    let lots = Lots::try_from(lots).ok()?;
    let small = lots < min_size && number < last;
    Some(if lots < 1 || small { 0 } else { lots })
}

/// The limit of a slice; `None` without a price to compare with.
fn bound(
    group: &GroupShard,
    record: &OrderRecord,
    special: &SpecialRecord,
    market: &MarketSpec,
    env: &Env<'_>,
) -> Option<Ticks> {
    let id = MarketId(record.market);
    let live = env.live(id);
    let local = env.chain.local(id);
    let last = || group.trades.get(local).map_or(0, |trades| trades.last);
    let x = match market.kind {
        MarketKind::Perpetual | MarketKind::Future { .. } | MarketKind::Option { .. } => live.mark,
        MarketKind::Spot { .. } if live.index != 0 => live.index,
        MarketKind::Spot { .. } => last(),
    };
    if x == 0 {
        return None;
    }
    let away = part(x, special.tolerance);
    let side = record.side();
    let bound = match side {
        Side::Buy => record.price.min(x.saturating_add(away)),
        Side::Sell => record.price.max(x.saturating_sub(away)),
    };
    Some(fitting(side, bound, market))
}

/// Pass 4: trades a slice, and waits for the next.
pub(crate) fn run(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    entry: &Entry,
    (place, slice): (Place, Slice),
    traded: &mut Traded,
    out: &mut Matched,
) -> Option<()> {
    let slot = place.slot;
    if slice.asked > 0 {
        let lots = trade(group, floor, entry, (slot, slice), traded, out)?;
        let record = group.orders.get_mut(slot)?;
        record.remaining = record.remaining.saturating_sub(lots.lost);
        record.filled = record.filled.saturating_add(lots.filled);
        let record = *record;
        out.output.events.push(Event::Sliced {
            market: entry.order.market,
            order: group.id(slot, &record)?,
            account: entry.account,
            size: slice.asked,
            filled: lots.filled,
            code: lots.code,
        });
        if record.remaining == 0 {
            group.remove_alone(slot)?;
            return Some(());
        }
    }
    let record = *group.orders.get(slot)?;
    let last = last_slice(group.special(&record)?)?;
    if slice.number >= last {
        remove(group, slot, Removal::Schedule, false, floor, out);
        return Some(());
    }
    group.unwatch(slot, &record);
    group.special_mut(&record)?.slice = slice.number.saturating_add(1);
    group.watch(slot, &record)
}

/// What a slice did.
struct Sent {
    /// Lots that traded or were decremented.
    lost: Lots,
    filled: Lots,
    code: Code,
}

fn trade(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    entry: &Entry,
    (slot, slice): (u32, Slice),
    traded: &mut Traded,
    out: &mut Matched,
) -> Option<Sent> {
    let order = &entry.order;
    let none = |code| Sent {
        lost: 0,
        filled: 0,
        code,
    };
    if slice.code != Code::Ok {
        return Some(none(slice.code));
    }
    let local = floor.env.chain.local(order.market);
    if floor.collects(local) {
        release(entry, order.size, out);
        return Some(none(Code::MarketAuction));
    }
    let (market, risk) = floor.env.market(order.market)?;
    let taker = Taker {
        slot,
        id: group.id(slot, group.orders.get(slot)?)?,
        link: None,
        owner: AccountRef(group.orders.get(slot)?.account),
        account: entry.account,
        order,
        market,
        risk,
        local,
    };
    let took = take(group, floor, &taker, traded, out);
    if took.remaining > 0 {
        release(entry, took.remaining, out);
    }
    Some(Sent {
        lost: order.size.saturating_sub(took.remaining),
        filled: took.filled,
        code: took.code,
    })
}
