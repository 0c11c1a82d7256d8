//! Pass 4: an order takes from the book, and what that does is booked.

use crate::accounts::AccountRef;
use crate::groups::GroupShard;
use crate::links::Links;
use crate::passes::cancel::release_of;
use crate::passes::matching::{Matched, drop_rest, remove};
use crate::passes::meeting::{Floor, Ground, Halt, Meeting, Protected, Taker, Traded};
use crate::passes::settle::{Fill, Settlement};
use crate::protection::Protections;
use crate::records::OrderRecord;
use ballast_orderbook::{Resting, Stop, Verdict};
use ballast_types::{Atoms, Code, Event, Lots, MarketId, Removal, Ticks};

/// How a taking order ended.
pub(crate) struct Took {
    pub(crate) remaining: Lots,
    /// Lots that traded.
    pub(crate) filled: Lots,
    pub(crate) code: Code,
    /// Why what remains goes, when it may not rest.
    pub(crate) why: Option<Removal>,
}

/// Tries the meetings of a fill-or-kill order without effect: whether all its lots would trade.
pub(crate) fn fills_whole(
    group: &GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    traded: &Traded,
) -> bool {
    let mut tried = traded.clone();
    let mut loose = group.loose.clone();
    let ground = Ground {
        protections: group.protections(),
        links: group.links(),
    };
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
            match floor.meet(
                taker,
                (maker, resting),
                left,
                ground,
                &mut tried,
                &mut loose,
            ) {
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
        specials,
        links: table,
        loose,
        protections: records,
        protection_at: at,
        ..
    } = group;
    let orders = &*orders;
    let ground = Ground {
        protections: Protections { at, records },
        links: Links {
            table,
            orders,
            specials,
        },
    };
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
            let meeting = floor.meet(taker, (maker, resting), left, ground, traded, loose);
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
    group.loose.walked();
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
pub(crate) fn protect(group: &GroupShard, floor: &Floor<'_>, effect: Protected, out: &mut Matched) {
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

/// Books one trade of a taker that is not in the book.
fn fill(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    resting: &Resting,
    lots: Lots,
    out: &mut Matched,
) -> Option<()> {
    let record = trade(group, floor, taker, resting.slot, resting.price, lots, out)?;
    if record.remaining == lots {
        group.remove_alone(resting.slot)?;
        return Some(());
    }
    let stored = group.orders.get_mut(resting.slot)?;
    stored.filled = stored.filled.saturating_add(lots);
    cut(group, floor, resting, lots, out)
}

/// Settles one trade of both sides and reports it. Returns the maker as it was.
pub(crate) fn trade(
    group: &mut GroupShard,
    floor: &Floor<'_>,
    taker: &Taker<'_>,
    maker: u32,
    price: Ticks,
    lots: Lots,
    out: &mut Matched,
) -> Option<OrderRecord> {
    let record = *group.orders.get(maker)?;
    let order = taker.order;
    let owner = AccountRef(record.account);
    let fee = |ppm: i32| {
        let per_lot = taker.risk.fee(price, taker.market.tick_value, ppm);
        per_lot.saturating_mul(Atoms::from(lots))
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
        .push(one(owner, order.side.opposite(), record.price, maker_fee));
    out.settlements
        .push(one(taker.owner, order.side, order.price, taker_fee));
    out.fees = out.fees.saturating_add(maker_fee).saturating_add(taker_fee);
    out.fills = out.fills.saturating_add(1);
    let trades = group.trades.get_mut(taker.local)?;
    trades.trades = trades.trades.saturating_add(1);
    trades.last = price;
    let trade = trades.trades;
    out.output.events.push(Event::Fill {
        market: order.market,
        trade,
        maker: group.id(maker, &record)?,
        maker_account: floor.account(owner),
        taker: taker.id,
        taker_account: taker.account,
        taker_side: order.side,
        price,
        size: lots,
        maker_fee,
        taker_fee,
    });
    Some(record)
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
    drop_rest(taker, lots, Removal::SelfTrade, out);
    if left > 0 {
        cut(group, floor, resting, lots, out)?;
    }
    Some(())
}
