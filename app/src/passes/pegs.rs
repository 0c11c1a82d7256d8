//! Pass 4: pegged orders follow their references before the entries, and where one that enters rests.

use crate::accounts::AccountRef;
use crate::groups::GroupShard;
use crate::passes::matching::{Matched, behind, remove};
use crate::passes::meeting::Floor;
use ballast_types::{Code, Event, MarketId, MarketStatus, Order, Peg, PegTo, Removal, Side, Ticks};

/// The prices that the pegged orders of a market follow; 0 is none.
#[derive(Clone, Copy)]
struct References {
    index: Ticks,
    bid: Ticks,
    ask: Ticks,
}

impl References {
    fn of(group: &GroupShard, floor: &Floor<'_>, local: u32, market: MarketId) -> Self {
        let best = |side| best_unpegged(group, local, side);
        Self {
            index: floor.env.live(market).index,
            bid: best(Side::Buy),
            ask: best(Side::Sell),
        }
    }

    fn get(&self, to: PegTo) -> Option<Ticks> {
        let price = match to {
            PegTo::Index => self.index,
            PegTo::Bid => self.bid,
            PegTo::Ask => self.ask,
        };
        (price != 0).then_some(price)
    }
}

/// The best price at which an order that is not pegged rests.
fn best_unpegged(group: &GroupShard, local: u32, side: Side) -> Ticks {
    let plain = |slot| group.orders.get(slot).is_some_and(|order| !order.pegged());
    let mut orders = group.books.orders(local, side);
    let found = orders.find(|resting| plain(resting.slot));
    found.map_or(0, |resting| resting.price)
}

/// Where an order with this limit wants to rest.
fn wanted(
    group: &GroupShard,
    local: u32,
    (side, limit): (Side, Ticks),
    reference: Ticks,
    offset: Ticks,
) -> Ticks {
    let follows = reference.saturating_add(offset);
    let level = match side {
        Side::Buy => limit.min(follows),
        Side::Sell => limit.max(follows),
    };
    uncrossed(group, local, side, level)
}

/// The level, or the next one that does not cross the other side.
fn uncrossed(group: &GroupShard, local: u32, side: Side, level: Ticks) -> Ticks {
    match group.books.best(local, side.opposite()) {
        Some(best) if group.books.crosses(local, side, level) => behind(side, best),
        _ => level,
    }
}

/// Where a pegged order that enters rests, unless it may not.
pub(crate) fn level(
    group: &GroupShard,
    floor: &Floor<'_>,
    order: &Order,
    peg: &Peg,
) -> Result<Ticks, Code> {
    let (chain, id) = (floor.env.chain, order.market);
    let market = chain.market(id).ok_or(Code::UnknownMarket)?;
    let pegged = group.pegged.range((id, 0)..=(id, u64::MAX)).count();
    let most = usize::try_from(chain.spec.limits.pegged_orders).unwrap_or(usize::MAX);
    if pegged >= most {
        return Err(Code::PegLimit);
    }
    let local = chain.local(id);
    let reference = References::of(group, floor, local, id).get(peg.to);
    let reference = reference.ok_or(Code::NoReference)?;
    let level = wanted(
        group,
        local,
        (order.side, order.price),
        reference,
        peg.offset,
    );
    if (1..=market.max_price).contains(&level) {
        Ok(level)
    } else {
        Err(Code::PostOnlyWouldTrade)
    }
}

/// Moves the pegged orders of all markets that take orders to where they want to rest.
pub(crate) fn reprice(group: &mut GroupShard, floor: &Floor<'_>, out: &mut Matched) {
    if group.pegged.is_empty() {
        return;
    }
    let markets: Vec<_> = (0_u32..).zip(group.markets.iter().copied()).collect();
    for (local, market) in markets {
        let status = floor.env.status(market);
        let takes = matches!(status, MarketStatus::Open | MarketStatus::PostOnly);
        if takes && !floor.collects(local) {
            reprice_market(group, floor, local, market, out);
        }
    }
}

/// A pegged order, and what it follows.
struct Moving {
    slot: u32,
    side: Side,
    limit: Ticks,
    reference: Ticks,
    offset: Ticks,
    rests: Ticks,
}

fn reprice_market(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    local: u32,
    market: MarketId,
    out: &mut Matched,
) {
    let range = (market, 0)..=(market, u64::MAX);
    let slots: Vec<_> = group.pegged.range(range).map(|(_, slot)| slot).collect();
    if slots.is_empty() {
        return;
    }
    let references = References::of(group, floor, local, market);
    let moving: Vec<_> = slots
        .into_iter()
        .filter_map(|slot| moving(group, local, slot, &references))
        .collect();
    for order in &moving {
        group.books.remove(order.slot);
    }
    let most = floor
        .env
        .chain
        .market(market)
        .map_or(1, |market| market.max_price);
    for order in &moving {
        let side = order.side;
        let at = (side, order.limit);
        let mut level = wanted(group, local, at, order.reference, order.offset);
        if !(1..=most).contains(&level) {
            level = uncrossed(group, local, side, order.rests).clamp(1, most);
        }
        come_back(group, floor, local, order, level, out);
    }
}

/// The order, when it rests elsewhere than it wants.
fn moving(group: &GroupShard, local: u32, slot: u32, references: &References) -> Option<Moving> {
    let record = group.orders.get(slot)?;
    let special = group.special(record)?;
    let (side, limit, offset) = (record.side(), record.price, special.offset);
    let reference = references.get(special.peg()?.to)?;
    let wanted = wanted(group, local, (side, limit), reference, offset);
    (wanted != special.rests).then_some(Moving {
        slot,
        side,
        limit,
        reference,
        offset,
        rests: special.rests,
    })
}

/// Puts an order that left the book back.
fn come_back(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    local: u32,
    order: &Moving,
    level: Ticks,
    out: &mut Matched,
) {
    if group.move_to(order.slot, local, level).is_none() {
        // Only a level whose size would not fit its number refuses an order.
        remove(group, order.slot, Removal::Refused, true, floor, out);
        return;
    }
    let Some(record) = group
        .orders
        .get(order.slot)
        .filter(|_| level != order.rests)
    else {
        return;
    };
    if let Some(id) = group.id(order.slot, record) {
        out.output.events.push(Event::Moved {
            market: MarketId(record.market),
            order: id,
            account: floor.account(AccountRef(record.account)),
            price: level,
        });
    }
}
