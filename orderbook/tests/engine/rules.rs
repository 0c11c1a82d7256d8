//! The rules, one row each.

use ballast_orderbook::{
    Command, Engine, Event, NewOrder, Rejection, Removal, Resting, SelfTrade, Tif,
};
use ballast_types::{Lots, OrderId, Side, Ticks};

const BUY: Side = Side::Buy;
const SELL: Side = Side::Sell;

fn add(slot: u32, side: Side, price: Ticks, size: Lots, tif: Tif, account: u64) -> Command {
    Command::Add(NewOrder {
        slot,
        market: 0,
        side,
        price,
        size,
        tif,
        account,
    })
}

fn amend(slot: u32, price: Ticks, size: Lots) -> Command {
    Command::Amend { slot, price, size }
}

fn added(slot: u32, side: Side, price: Ticks, size: Lots) -> Event {
    Event::Added(Resting {
        slot,
        market: 0,
        side,
        price,
        size,
        hidden: 0,
    })
}

fn filled(taker: u32, maker: u32, price: Ticks, size: Lots, left: Lots) -> Event {
    Event::Filled {
        taker,
        maker,
        market: 0,
        price,
        size,
        left,
    }
}

fn removed(slot: u32, size: Lots, reason: Removal) -> Event {
    Event::Removed { slot, size, reason }
}

fn rejected(slot: u32, reason: Rejection) -> Event {
    Event::Rejected { slot, reason }
}

/// Asks: slot 1, 3 at 11 of account 1; slot 2, 4 at 11 of account 2; slot 3, 5 at 12 of account 1.
/// A bid: slot 4, 6 at 9 of account 1.
fn engine(mode: SelfTrade) -> Engine {
    let mut engine = Engine::new(1, mode);
    let mut events = Vec::new();
    engine.apply(&add(1, SELL, 11, 3, Tif::Gtc, 1), &mut events);
    engine.apply(&add(2, SELL, 11, 4, Tif::Gtc, 2), &mut events);
    engine.apply(&add(3, SELL, 12, 5, Tif::Gtc, 1), &mut events);
    engine.apply(&add(4, BUY, 9, 6, Tif::Gtc, 1), &mut events);
    assert_eq!(events.len(), 4);
    engine
}

fn check(mode: SelfTrade, rows: &[(&str, Command, &[Event])]) {
    for (rule, command, expected) in rows {
        let mut events = Vec::new();
        engine(mode).apply(command, &mut events);
        assert_eq!(events, *expected, "{rule}");
    }
}

#[test]
fn orders_enter() {
    check(
        SelfTrade::Allow,
        &[
            (
                "what does not cross rests",
                add(5, BUY, 10, 1, Tif::Gtc, 1),
                &[added(5, BUY, 10, 1)],
            ),
            (
                "first come, first served; best price first; the rest rests at its own price",
                add(5, BUY, 12, 14, Tif::Gtc, 1),
                &[
                    filled(5, 1, 11, 3, 0),
                    filled(5, 2, 11, 4, 0),
                    filled(5, 3, 12, 5, 0),
                    added(5, BUY, 12, 2),
                ],
            ),
            (
                "the maker keeps what is left",
                add(5, BUY, 11, 4, Tif::Gtc, 1),
                &[filled(5, 1, 11, 3, 0), filled(5, 2, 11, 1, 3)],
            ),
            (
                "the rest of an IOC is dropped",
                add(5, BUY, 11, 9, Tif::Ioc, 3),
                &[
                    filled(5, 1, 11, 3, 0),
                    filled(5, 2, 11, 4, 0),
                    removed(5, 2, Removal::Unfilled),
                ],
            ),
            (
                "an IOC that meets nothing is dropped whole",
                add(5, BUY, 10, 9, Tif::Ioc, 3),
                &[removed(5, 9, Removal::Unfilled)],
            ),
            (
                "a FOK fills whole",
                add(5, BUY, 11, 7, Tif::Fok, 3),
                &[filled(5, 1, 11, 3, 0), filled(5, 2, 11, 4, 0)],
            ),
            (
                "or does nothing",
                add(5, BUY, 11, 8, Tif::Fok, 3),
                &[rejected(5, Rejection::NotWhole)],
            ),
            (
                "a post-only order that would trade is refused",
                add(5, BUY, 11, 1, Tif::PostOnly, 3),
                &[rejected(5, Rejection::WouldTrade)],
            ),
            (
                "and rests otherwise",
                add(5, BUY, 10, 1, Tif::PostOnly, 3),
                &[added(5, BUY, 10, 1)],
            ),
        ],
    );
}

#[test]
fn some_orders_cannot_enter() {
    check(
        SelfTrade::Allow,
        &[
            (
                "sizes are above 0",
                add(5, BUY, 10, 0, Tif::Gtc, 3),
                &[rejected(5, Rejection::Size)],
            ),
            (
                "slots are taken once",
                add(4, BUY, 10, 1, Tif::Gtc, 3),
                &[rejected(4, Rejection::Occupied)],
            ),
            (
                "and are bounded",
                add(OrderId::MAX_SLOT + 1, BUY, 10, 1, Tif::Gtc, 3),
                &[rejected(OrderId::MAX_SLOT + 1, Rejection::Slot)],
            ),
            (
                "a level's total fits in 64 bits",
                add(5, BUY, 9, Lots::MAX, Tif::Gtc, 3),
                &[removed(5, Lots::MAX, Removal::Overflow)],
            ),
        ],
    );
}

#[test]
fn orders_leave_and_change() {
    check(
        SelfTrade::Allow,
        &[
            (
                "cancel",
                Command::Cancel { slot: 2 },
                &[removed(2, 4, Removal::Cancelled)],
            ),
            (
                "cancel what does not rest",
                Command::Cancel { slot: 9 },
                &[rejected(9, Rejection::NotResting)],
            ),
            (
                "amend what does not rest",
                amend(9, 1, 1),
                &[rejected(9, Rejection::NotResting)],
            ),
            (
                "to no size",
                amend(1, 11, 0),
                &[rejected(1, Rejection::Size)],
            ),
            ("to what it is", amend(1, 11, 3), &[]),
            (
                "smaller, in place",
                amend(1, 11, 2),
                &[Event::Shrunk { slot: 1, size: 2 }],
            ),
            (
                "larger, to the back",
                amend(1, 11, 4),
                &[removed(1, 3, Removal::Amended), added(1, SELL, 11, 4)],
            ),
            (
                "to another price",
                amend(1, 12, 3),
                &[removed(1, 3, Removal::Amended), added(1, SELL, 12, 3)],
            ),
            (
                "to a price at which it trades",
                amend(4, 11, 4),
                &[
                    removed(4, 6, Removal::Amended),
                    filled(4, 1, 11, 3, 0),
                    filled(4, 2, 11, 1, 3),
                ],
            ),
        ],
    );
}

#[test]
fn amended_orders_keep_or_lose_their_place() {
    for (command, expected) in [
        (amend(1, 11, 1), [1, 2, 3]),
        (amend(1, 11, 4), [2, 1, 3]),
        (amend(1, 12, 3), [2, 3, 1]),
        (amend(3, 10, 9), [3, 1, 2]),
    ] {
        let mut engine = engine(SelfTrade::Allow);
        engine.apply(&command, &mut Vec::new());
        let slots: Vec<_> = engine
            .books()
            .orders(0, SELL)
            .map(|order| order.slot)
            .collect();
        assert_eq!(slots, expected, "{command:?}");
    }
}

#[test]
fn self_trades_are_prevented() {
    // Account 2 meets account 1 first, then itself.
    let taker = |size| add(5, BUY, 12, size, Tif::Gtc, 2);
    let first = filled(5, 1, 11, 3, 0);
    for (mode, size, rest) in [
        (
            SelfTrade::CancelTaker,
            9,
            vec![removed(5, 6, Removal::SelfTrade)],
        ),
        (SelfTrade::CancelTaker, 3, vec![]),
        (
            SelfTrade::CancelMaker,
            9,
            vec![
                removed(2, 4, Removal::SelfTrade),
                filled(5, 3, 12, 5, 0),
                added(5, BUY, 12, 1),
            ],
        ),
        (
            SelfTrade::CancelBoth,
            9,
            vec![
                removed(2, 4, Removal::SelfTrade),
                removed(5, 6, Removal::SelfTrade),
            ],
        ),
        (
            SelfTrade::DecrementBoth,
            9,
            vec![
                Event::Decremented {
                    taker: 5,
                    maker: 2,
                    size: 4,
                    left: 0,
                },
                filled(5, 3, 12, 2, 3),
            ],
        ),
        (
            SelfTrade::DecrementBoth,
            5,
            vec![Event::Decremented {
                taker: 5,
                maker: 2,
                size: 2,
                left: 2,
            }],
        ),
    ] {
        let mut events = Vec::new();
        engine(mode).apply(&taker(size), &mut events);
        let expected: Vec<_> = std::iter::once(first).chain(rest).collect();
        assert_eq!(events, expected, "{mode:?}, {size}");
    }
}

#[test]
fn a_fok_counts_only_what_it_may_trade() {
    for (mode, size, whole) in [
        (SelfTrade::Allow, 12, true),
        (SelfTrade::CancelTaker, 3, true),
        (SelfTrade::CancelTaker, 4, false),
        (SelfTrade::CancelBoth, 4, false),
        (SelfTrade::CancelMaker, 8, true),
        (SelfTrade::CancelMaker, 9, false),
        (SelfTrade::DecrementBoth, 4, false),
    ] {
        let mut events = Vec::new();
        engine(mode).apply(&add(5, BUY, 12, size, Tif::Fok, 2), &mut events);
        let refused = events == [rejected(5, Rejection::NotWhole)];
        assert_eq!(refused, !whole, "{mode:?}, {size}: {events:?}");
    }
}
