//! Pass 0: futures sample their index before they expire, and are settled when they do.

use crate::form::status_number;
use crate::records::MarkRecord;
use crate::state::State;
use ballast_types::{Event, MarketId, MarketStatus, SETTLEMENT_WINDOW_MS, Ticks, TimeMs};
use rayon::prelude::*;
use std::collections::BTreeSet;

/// Futures that are not settled: market, expiry, largest price.
fn unsettled(state: &State) -> Vec<(MarketId, TimeMs, Ticks)> {
    let markets = (0_u32..).map(MarketId).zip(&state.chain.spec.markets);
    markets
        .filter_map(|(id, market)| Some((id, market.kind.expiry()?, market.max_price)))
        .filter(|(id, ..)| !state.settled(*id))
        .collect()
}

/// The part of the span between two blocks that lies in the settlement window of an expiry, in ms.
/// Such spans do not overlap, so that their sum is at most the window's length.
pub(crate) fn sampled_ms(expiry: TimeMs, last: TimeMs, time: TimeMs) -> u32 {
    let from = last.max(expiry.saturating_sub(SETTLEMENT_WINDOW_MS));
    let ms = time.min(expiry).saturating_sub(from);
    u32::try_from(ms).unwrap_or(u32::MAX)
}

/// Adds the time since the block before, at `last`, to the settlement prices of futures that are about
/// to expire, at the index that counted in it.
pub(crate) fn sample(state: &mut State, last: TimeMs, time: TimeMs) {
    for (market, expiry, _) in unsettled(state) {
        let ms = sampled_ms(expiry, last, time);
        if ms > 0
            && let Some(record) = state.marks.get_mut(market.0)
        {
            let sampled = i128::from(index_or_mark(record)).saturating_mul(i128::from(ms));
            record.sum = record.sum.saturating_add(sampled);
            record.weight = record.weight.saturating_add(ms);
        }
    }
}

/// Settles the markets of the futures that have expired, and returns them. Their positions are left to
/// [`super::open::revalue`].
pub(crate) fn expire(
    state: &mut State,
    time: TimeMs,
    events: &mut Vec<Event>,
) -> BTreeSet<MarketId> {
    let mut settled = BTreeSet::new();
    for (market, _, max_price) in unsettled(state)
        .into_iter()
        .filter(|(_, expiry, _)| time >= *expiry)
    {
        let Some(record) = state.marks.get_mut(market.0) else {
            continue;
        };
        let price = settlement_price(record, max_price);
        (record.mark, record.index) = (price, price);
        (record.pending, record.pending_index) = (0, 0);
        record.pending_status = 0;
        record.status = status_number(MarketStatus::Settled);
        events.push(Event::Settled { market, price });
        settled.insert(market);
    }
    settled
}

/// The average of the samples, rounded to the nearest tick.
fn settlement_price(record: &MarkRecord, max_price: Ticks) -> Ticks {
    let weight = i128::from(record.weight);
    let half = weight.div_euclid(2);
    let price = match record.sum.saturating_add(half).checked_div(weight) {
        Some(average) => Ticks::try_from(average).unwrap_or(max_price),
        None => index_or_mark(record),
    };
    price.min(max_price).max(1)
}

fn index_or_mark(record: &MarkRecord) -> Ticks {
    match record.index {
        0 => record.mark,
        index => index,
    }
}

/// Lets the sweeps of this block and the next find the orders of markets that are settled now.
pub(crate) fn strand(state: &mut State, settled: &BTreeSet<MarketId>) {
    if settled.is_empty() {
        return;
    }
    state.groups.par_iter_mut().for_each(|group| {
        if !group.markets.iter().any(|market| settled.contains(market)) {
            return;
        }
        let orders = group.orders.iter().filter(|(_, o)| o.remaining > 0);
        let here = orders.map(|(slot, order)| (MarketId(order.market), order.priority, slot));
        for (market, priority, slot) in here.filter(|(market, ..)| settled.contains(market)) {
            group.stranded.insert((market, priority), slot);
        }
    });
}
