//! Linked orders: their form in pass 1, and how they enter in pass 4.

use crate::groups::GroupShard;
use crate::passes::matching::{Matched, Spot, place, release, wait};
use crate::passes::meeting::{Floor, Traded};
use crate::passes::{Bundle, Entry, Env};
use crate::records::LinkRecord;
use ballast_types::{ActionResult, Code, LinkKind, LinkRule, Linked, OrderId};

/// Pass 1: whether the orders fit together.
pub(crate) fn check(linked: &Linked, env: &Env<'_>) -> Result<(), Code> {
    let Linked {
        kind,
        rule,
        order,
        legs,
    } = linked;
    let count = match kind {
        LinkKind::Oco | LinkKind::Oto => 1,
        LinkKind::Otoco => 2,
    };
    let mut orders = std::iter::once(order).chain(legs);
    let plain =
        orders.all(|one| one.market == order.market && one.peg.is_none() && one.twap.is_none());
    let triggers = legs.iter().filter(|leg| leg.trigger.is_some()).count();
    let incremental = *rule == LinkRule::Incremental;
    let least = match kind {
        _ if incremental => count,
        LinkKind::Oto => 0,
        LinkKind::Oco | LinkKind::Otoco => 1,
    };
    let mut sides = legs.iter().map(|leg| leg.side);
    let one_sided = match kind {
        LinkKind::Oto => true,
        LinkKind::Oco => sides.all(|side| side == order.side),
        LinkKind::Otoco => {
            let first = sides.next();
            sides.all(|side| Some(side) == first)
        }
    };
    let fits = legs.len() == count && plain && triggers >= least && (one_sided || !incremental);
    if !fits {
        return Err(Code::BadLink);
    }
    env.chain
        .market(order.market)
        .map(|_| ())
        .ok_or(Code::UnknownMarket)
}

/// Pass 4: the legs wait, then the first order enters.
pub(crate) fn enter(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    entry: &mut Entry,
    bundle: Bundle,
    traded: &mut Traded,
    out: &mut Matched,
) -> Option<ActionResult> {
    let Bundle { kind, rule, legs } = bundle;
    let mut spots = Vec::with_capacity(legs.len().saturating_add(1));
    for _ in 0..=legs.len() {
        spots.extend(group.reserve_slot());
    }
    let refused = if spots.len() <= legs.len() {
        Some((0, Code::BookFull))
    } else {
        over_limit(group, floor, entry, &legs).map(|part| (part, Code::TriggerLimit))
    };
    if let Some((part, code)) = refused {
        if !entry.waits() {
            release(entry, entry.order.size, out);
        }
        let result = |of, spot: Option<&(u32, OrderId)>| ActionResult {
            order: spot.map(|(_, id)| *id),
            ..ActionResult::code(if of == part { code } else { Code::LinkRefused })
        };
        for ((leg, of), spot) in legs.iter().zip(1..).zip(spots.iter().skip(1)) {
            out.output.result(leg.at?, result(of, Some(spot)));
        }
        for (slot, _) in &spots {
            group.release_slot(*slot);
        }
        return Some(result(0, spots.first()));
    }
    let link = group.links.alloc().ok()?;
    let mut record = LinkRecord::of(kind, rule);
    for (at, (slot, _)) in record.orders.iter_mut().zip(&spots) {
        *at = slot.saturating_add(1);
    }
    *group.links.get_mut(link)? = record;
    let mut spots = spots.into_iter().map(|(slot, id)| Spot {
        slot,
        id,
        link: Some(link),
    });
    let first = spots.next()?;
    group.orders.get_mut(first.slot)?.link = link.saturating_add(1);
    for (leg, spot) in legs.iter().zip(spots) {
        let dormant = match kind {
            LinkKind::Oco => 0,
            LinkKind::Oto | LinkKind::Otoco => leg.order.size,
        };
        wait(group, floor, leg, spot, dormant, out)?;
        let result = ActionResult {
            order: Some(spot.id),
            ..ActionResult::code(Code::Ok)
        };
        out.output.result(leg.at?, result);
    }
    place(group, floor, entry, first, traded, out)
}

/// Which order may not wait, if one of them may not.
fn over_limit(
    group: &GroupShard,
    floor: &Floor<'_>,
    entry: &Entry,
    legs: &[Entry],
) -> Option<usize> {
    let local = floor.env.chain.local(entry.order.market);
    let first = entry.waits().then_some(entry.order.trigger);
    let triggers = legs.iter().map(|leg| leg.order.trigger).chain(first);
    let at = group.over_limit(local, triggers, &floor.env.chain.spec.limits)?;
    Some(if at < legs.len() {
        at.saturating_add(1)
    } else {
        0
    })
}
