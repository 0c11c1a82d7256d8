//! Pass 0: waiting orders whose trigger fires, and slices that are due, become entries of pass 3.

use crate::accounts::{AccountRef, AccountShard};
use crate::groups::GroupShard;
use crate::passes::{Entry, Env, Origin, Place, slices};
use crate::records::SpecialRecord;
use crate::state::State;
use ballast_types::{
    ActionKey, Condition, Distance, Event, MarketId, MarketStatus, PriceSource, Side, Ticks,
};
use rayon::prelude::*;

const SOURCES: [PriceSource; 3] = [PriceSource::Mark, PriceSource::Index, PriceSource::Last];

/// Finds the orders that are due, and lets those enter that the quota allows.
pub(crate) fn triggers(state: &mut State, env: &Env<'_>, events: &mut Vec<Event>) -> Vec<Entry> {
    let accounts = &state.accounts;
    let triggered: Vec<_> = state
        .groups
        .par_iter_mut()
        .map(|group| {
            fire(group, env);
            let entering = entering(group, accounts, env);
            (entering, slices::due(group, accounts, env))
        })
        .collect();
    let mut entries = Vec::new();
    for (entering, slices) in triggered {
        for (event, entry) in entering {
            events.push(event);
            entries.push(entry);
        }
        entries.extend(slices);
    }
    entries
}

/// A price of the market as triggers see it; 0 is none.
fn price(
    group: &GroupShard,
    local: u32,
    market: MarketId,
    source: PriceSource,
    env: &Env<'_>,
) -> Ticks {
    match source {
        PriceSource::Mark => env.live(market).mark,
        PriceSource::Index => env.live(market).index,
        PriceSource::Last => group.trades.get(local).map_or(0, |trades| trades.last),
    }
}

/// Makes orders due whose condition holds.
fn fire(group: &mut GroupShard, env: &Env<'_>) {
    if group.stops.is_empty() && group.trailing.is_empty() {
        return;
    }
    let markets: Vec<_> = (0_u32..).zip(group.markets.iter().copied()).collect();
    let mut due = Vec::new();
    for (local, market) in markets {
        if !group.watches(market) {
            continue;
        }
        for source in SOURCES {
            let x = price(group, local, market, source, env);
            if x == 0 {
                continue;
            }
            let low = |above| (market, source, above, Ticks::MIN, 0);
            let high = |above| (market, source, above, Ticks::MAX, u32::MAX);
            let above = group
                .stops
                .range(low(true)..=(market, source, true, x, u32::MAX));
            let below = group
                .stops
                .range((market, source, false, x, 0)..=high(false));
            due.extend(above.chain(below).map(|((.., slot), ())| slot));
        }
        let trailing = group.trailing.range((market, 0)..=(market, u64::MAX));
        let slots: Vec<_> = trailing.map(|(_, slot)| slot).collect();
        for slot in slots {
            if trails(group, local, slot, env) == Some(true) {
                due.push(slot);
            }
        }
    }
    for slot in due {
        // Its record is there, for an index named it.
        let _ = group.make_due(slot);
    }
}

impl GroupShard {
    /// Whether an order of the market waits for a price. Prices of others are not asked for.
    fn watches(&self, market: MarketId) -> bool {
        let first = (market, PriceSource::Mark, false, Ticks::MIN, 0);
        let mut stops = self.stops.range(first..);
        let mut trailing = self.trailing.range((market, 0)..=(market, u64::MAX));
        stops.next().is_some_and(|((of, ..), ())| of == market) || trailing.next().is_some()
    }
}

/// Shows a trailing order the price of this block. True when it fires.
fn trails(group: &mut GroupShard, local: u32, slot: u32, env: &Env<'_>) -> Option<bool> {
    let record = *group.orders.get(slot)?;
    let special = *group.special(&record)?;
    let market = MarketId(record.market);
    let x = price(group, local, market, special.source(), env);
    let trigger = special.trigger()?;
    let Condition::Trail { distance, .. } = trigger.condition else {
        return None;
    };
    if x == 0 {
        return Some(false);
    }
    let learned = learn(special, record.side(), x);
    if (learned.active, learned.extreme) != (special.active, special.extreme) {
        *group.special_mut(&record)? = learned;
    }
    if learned.active == 0 || learned.due != 0 {
        return Some(false);
    }
    let back = match distance {
        Distance::Ticks(ticks) => ticks,
        Distance::Ppm(ppm) => part(learned.extreme, ppm).max(1),
    };
    Some(match record.side() {
        Side::Sell => x <= learned.extreme.saturating_sub(back),
        Side::Buy => x >= learned.extreme.saturating_add(back),
    })
}

/// A trailing trigger after it has seen a price.
fn learn(mut special: SpecialRecord, side: Side, x: Ticks) -> SpecialRecord {
    let activation = special.trigger;
    if special.active != 0 {
        special.extreme = match side {
            Side::Sell => special.extreme.max(x),
            Side::Buy => special.extreme.min(x),
        };
        return special;
    }
    let reached = match side {
        Side::Sell => x >= activation,
        Side::Buy => x <= activation,
    };
    if activation == 0 || reached {
        (special.active, special.extreme) = (1, x);
    }
    special
}

/// Millionths of a price, toward zero.
pub(crate) fn part(price: Ticks, ppm: u32) -> Ticks {
    let part = i128::from(price)
        .saturating_mul(i128::from(ppm))
        .checked_div(1_000_000);
    part.and_then(|part| Ticks::try_from(part).ok())
        .unwrap_or(Ticks::MAX)
}

/// Due orders of open markets that enter in this block, in ascending priority.
fn entering(group: &GroupShard, accounts: &[AccountShard], env: &Env<'_>) -> Vec<(Event, Entry)> {
    if group.due.is_empty() {
        return Vec::new();
    }
    let most = usize::try_from(env.chain.spec.limits.triggered_orders).unwrap_or(usize::MAX);
    let open = |market: &&MarketId| env.status(**market) == MarketStatus::Open;
    let mut due: Vec<_> = group
        .markets
        .iter()
        .filter(open)
        .flat_map(|market| {
            let due = group.due.range((*market, 0)..=(*market, u64::MAX));
            due.map(|((_, priority), slot)| (priority, slot)).take(most)
        })
        .collect();
    due.sort_unstable();
    due.truncate(most);
    due.into_iter()
        .filter_map(|(_, slot)| entry(group, accounts, slot))
        .collect()
}

/// The entry of a waiting order, and the event that tells of it.
pub(crate) fn entry(
    group: &GroupShard,
    accounts: &[AccountShard],
    slot: u32,
) -> Option<(Event, Entry)> {
    let record = group.orders.get(slot)?;
    let id = group.id(slot, record)?;
    let owner = AccountRef(record.account);
    let account = accounts.get(owner.shard())?.accounts.get(owner.slot())?;
    let account = account.account();
    let mut hash = [0; 32];
    for (to, byte) in hash.iter_mut().skip(24).zip(id.0.to_be_bytes()) {
        *to = byte;
    }
    let event = Event::Triggered {
        market: MarketId(record.market),
        order: id,
        account,
    };
    let entry = Entry {
        at: None,
        key: ActionKey {
            nonce: record.nonce,
            key: account.master,
            hash,
            index: record.index,
            part: 0,
        },
        account,
        owner,
        order: record.order(group.special(record)),
        filled: record.filled,
        origin: Origin::Triggered(
            Place {
                slot,
                priority: record.priority,
            },
            record.remaining,
        ),
        quote: false,
        bundle: None,
    };
    Some((event, entry))
}

impl GroupShard {
    /// The trigger of a waiting order has fired, whatever the price does from now on.
    fn make_due(&mut self, slot: u32) -> Option<()> {
        let record = *self.orders.get(slot)?;
        let special = *self.special(&record)?;
        self.unlink_stop(slot, &record, &special);
        self.special_mut(&record)?.due = 1;
        let key = (MarketId(record.market), record.priority);
        self.due.insert(key, slot);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn millionths_of_a_price() {
        for (price, ppm, expected) in [
            (1_000_000, 1, 1),
            (999_999, 1, 0),
            (3, 500_000, 1),
            (Ticks::MAX, 999_999, 9_223_362_813_482_738_952),
        ] {
            assert_eq!(part(price, ppm), expected, "{price} {ppm}");
        }
    }
}
