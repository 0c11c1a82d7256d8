//! Pass 4, last step but one: reduce-only orders follow the positions that they may reduce.

use crate::accounts::AccountRef;
use crate::groups::GroupShard;
use crate::passes::cancel::release_of;
use crate::passes::matching::{Matched, remove, take_off};
use crate::passes::meeting::{Floor, Traded};
use crate::passes::reducible;
use crate::passes::settle::Settlement;
use crate::records::OrderRecord;
use ballast_types::{Event, Lots, MarketId, Removal, Side};

/// Shrinks reduce-only orders to the positions that they may reduce, newest first.
pub(crate) fn trim(group: &mut GroupShard, floor: &Floor<'_>, traded: &Traded, out: &mut Matched) {
    let mut changed: Vec<_> = traded.positions.keys().copied().collect();
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
    let mut excess = resting_lots(group, slots, side).saturating_sub(most);
    for slot in slots {
        if excess <= 0 {
            return;
        }
        let Some(record) = on_side(group, *slot, side) else {
            continue;
        };
        let cut = excess.min(record.remaining);
        excess = excess.saturating_sub(cut);
        if cut == record.remaining {
            remove(group, *slot, Removal::ReduceOnly, true, floor, out);
            if !group.loose.is_empty() {
                take_off(group, floor, out);
                excess = resting_lots(group, slots, side).saturating_sub(most);
            }
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

/// The order in a slot, when it is still there and on that side.
fn on_side(group: &GroupShard, slot: u32, side: Side) -> Option<OrderRecord> {
    let record = group.orders.get(slot).copied();
    record.filter(|record| record.side() == side)
}

fn resting_lots(group: &GroupShard, slots: &[u32], side: Side) -> Lots {
    let orders = slots.iter().filter_map(|slot| on_side(group, *slot, side));
    orders.fold(0, |sum, record| sum.saturating_add(record.remaining))
}
