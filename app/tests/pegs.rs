//! The rules of docs/execution.md about pegged orders and orders with a schedule.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs
)]

mod common;

use ballast_types::{
    Action, Amend, Cancel, Code, Event, Order, OrderId, OrderRef, Peg, PegTo, PostOnly, PriceKind,
    Removal, TimeInForce, Twap,
};
use common::{Chain, PERP, SPOT, account, buy, place, sell, spec};

fn peg(to: PegTo, offset: i64, order: Order) -> Order {
    Order {
        peg: Some(Peg { to, offset }),
        ..order.post_only(PostOnly::Slide)
    }
}

/// (order, new price) of what moved.
fn moved(events: &[Event]) -> Vec<(OrderId, i64)> {
    let moved = events.iter().filter_map(|event| match event {
        Event::Moved { order, price, .. } => Some((*order, *price)),
        _ => None,
    });
    moved.collect()
}

#[test]
fn a_pegged_order_follows_up_to_its_limit_at_which_it_is_reserved_for() {
    let (a, b) = (account(1, 0), account(2, 0));
    let mut chain = Chain::new(spec());
    let bid = peg(PegTo::Index, -10, buy(1_005, 4));
    let id = chain.block(&[(a, place(bid))]).ids()[0];
    let reserved = chain.initial_margin(&a);
    assert_eq!(chain.book(PERP).0, [(990, 4)]);
    for (index, level) in [(1_008, 998), (1_100, 1_005), (900, 890)] {
        let done = chain.publish(&[(PERP, PriceKind::Index, index)]);
        assert_eq!(moved(&done.0.events), [(id, level)]);
        assert_eq!(chain.book(PERP).0, [(level, 4)]);
        assert_eq!(chain.initial_margin(&a), reserved);
    }
    let view = chain.order(id).unwrap();
    assert_eq!((view.price, view.level, view.peg), (1_005, 890, bid.peg));
    assert_eq!(chain.wait(1), []);
    // It trades where it rests.
    let done = chain.block(&[(b, place(sell(890, 1)))]);
    assert_eq!(done.fills(), [(1, 890)]);
    // An amend of the limit keeps the peg.
    let amend = Action::Amend(Amend {
        order: OrderRef::Id(id),
        price: 880,
        size: 4,
        keep_on_reject: false,
        max_fills: 0,
    });
    let id = chain.block(&[(a, vec![amend])]).ids()[0];
    assert_eq!(chain.book(PERP).0, [(880, 3)]);
    let done = chain.publish(&[(PERP, PriceKind::Index, 500)]);
    assert_eq!(moved(&done.0.events), [(id, 490)]);
}

#[test]
fn pegged_orders_follow_orders_that_are_not_and_slide_off_the_other_side() {
    let (a, b) = (account(1, 0), account(2, 0));
    let mut chain = Chain::new(spec());
    let low = peg(PegTo::Bid, 1, buy(2_000, 1));
    let high = peg(PegTo::Bid, 9, buy(2_000, 1));
    let done = chain.block(&[(a, place(low))]);
    assert_eq!(done.codes(), [Code::NoReference]);
    chain.block(&[(b, place(buy(990, 5))), (b, place(sell(995, 5)))]);
    let ids = chain.block(&[(a, place(low)), (a, place(high))]).ids();
    assert_eq!(chain.book(PERP).0, [(994, 1), (991, 1), (990, 5)]);
    // The bid goes up, and only with the next block they follow; the ask stops the higher one.
    let done = chain.block(&[(b, place(buy(993, 5)))]);
    assert_eq!(moved(&done.0.events), []);
    assert_eq!(moved(&chain.wait(1)), [(ids[0], 994)]);
    assert_eq!(chain.book(PERP).0, [(994, 2), (993, 5), (990, 5)]);
    let mut tight = spec();
    tight.limits.pegged_orders = 1;
    let mut chain = Chain::new(tight);
    chain.block(&[(b, place(buy(990, 5)))]);
    let done = chain.block(&[(a, place(low)), (a, place(high))]);
    assert_eq!(done.codes(), [Code::Ok, Code::PegLimit]);
    for bad in [
        peg(PegTo::Index, 1_000_001, buy(990, 1)),
        peg(PegTo::Index, 0, buy(990, 1)).post_only(PostOnly::Reject),
    ] {
        assert_eq!(chain.block(&[(a, place(bad))]).codes(), [Code::BadPeg]);
    }
    let below = peg(PegTo::Index, -1_000, buy(990, 1));
    let done = chain.block(&[(account(3, 0), vec![Action::Cancel(Cancel::All(None))])]);
    assert_eq!(done.codes(), [Code::Ok]);
    let mut chain = Chain::new(spec());
    let done = chain.block(&[(a, place(below))]);
    assert_eq!(done.codes(), [Code::PostOnlyWouldTrade]);
}

/// Asked, traded and code of each slice.
fn slices(events: &[Event]) -> Vec<(i64, i64, Code)> {
    let slices = events.iter().filter_map(|event| match event {
        Event::Sliced {
            size, filled, code, ..
        } => Some((*size, *filled, *code)),
        _ => None,
    });
    slices.collect()
}

fn twap(duration_ms: u64, interval_ms: u64, order: Order) -> Order {
    Order {
        twap: Some(Twap {
            duration_ms,
            interval_ms,
            tolerance_ppm: 10_000,
        }),
        ..order
    }
}

#[test]
fn a_schedule_sends_equal_slices_and_catches_up() {
    let (a, b) = (account(1, 0), account(2, 0));
    let mut chain = Chain::new(spec());
    let order = twap(8_000, 2_000, buy(1_020, 10));
    let id = chain.block(&[(a, place(order))]).ids()[0];
    let view = chain.order(id).unwrap().waiting.unwrap();
    let schedule = view.twap.unwrap();
    assert_eq!((schedule.twap, schedule.next), (order.twap.unwrap(), 0));
    assert_eq!((view.dormant, chain.initial_margin(&a)), (0, 0));
    // Blocks are 1,000 ms apart. Nothing is there for the first slice; of what the second meets, some
    // is too far from the mark.
    assert_eq!(slices(&chain.wait(1)), [(2, 0, Code::Ok)]);
    let asks = [sell(1_005, 3), sell(1_011, 10)].map(|ask| ask.post_only(PostOnly::Reject));
    let done = chain.block(&asks.map(|ask| (b, place(ask))));
    assert_eq!(slices(&done.0.events), [(5, 3, Code::Ok)]);
    assert_eq!(done.fills(), [(3, 1_005)]);
    assert_eq!(slices(&chain.wait(2)), [(4, 0, Code::Ok)]);
    chain.block(&[(b, place(sell(1_000, 4)))]);
    assert_eq!(slices(&chain.wait(1)), [(7, 4, Code::Ok)]);
    assert_eq!(chain.order(id).unwrap().filled, 7);
    let events = chain.wait(2);
    assert_eq!(slices(&events), [(3, 0, Code::Ok)]);
    let ended = events.iter().any(|event| {
        matches!(event, Event::Removed { order, size: 3, reason: Removal::Schedule, .. }
            if *order == id)
    });
    assert!(ended);
    assert_eq!(chain.order(id), None);
}

#[test]
fn a_slice_is_refused_like_an_order_and_amends_go_on_with_the_schedule() {
    let (a, b) = (account(1, 0), account(2, 0));
    let mut chain = Chain::new(spec());
    chain.block(&[(b, place(sell(1_000, 100)))]);
    let order = Order {
        reduce_only: true,
        ..twap(2_000, 1_000, buy(1_020, 10))
    };
    let id = chain.block(&[(a, place(order))]).ids()[0];
    assert_eq!(slices(&chain.wait(1)), [(10, 0, Code::ReduceOnly)]);
    chain.block(&[(a, vec![Action::Cancel(Cancel::Order(id))])]);
    let id = chain.block(&[(a, place(twap(4_000, 2_000, buy(1_020, 10))))]);
    let amend = Action::Amend(Amend {
        order: OrderRef::Id(id.ids()[0]),
        price: 1_020,
        size: 40,
        keep_on_reject: false,
        max_fills: 8,
    });
    let done = chain.block(&[(a, vec![amend])]);
    assert_eq!(slices(&done.0.events), [(20, 20, Code::Ok)]);
    assert_eq!(slices(&chain.wait(1)), [(20, 20, Code::Ok)]);
    assert_eq!(chain.market(PERP).trades, 2);
    for bad in [
        twap(4_000, 999, buy(1_000, 10)),
        twap(1_999, 1_000, buy(1_000, 10)),
        twap(86_400_001, 1_000, buy(1_000, 10)),
        twap(4_000, 1_000, buy(1_000, 10)).post_only(PostOnly::Reject),
        Order {
            tif: TimeInForce::Ioc,
            ..twap(4_000, 1_000, buy(1_000, 10))
        },
    ] {
        assert_eq!(chain.block(&[(a, place(bad))]).codes(), [Code::BadTwap]);
    }
    // A spot market without any price: nothing is asked for.
    let spot = Order {
        market: SPOT,
        ..twap(4_000, 1_000, buy(100, 10))
    };
    chain.block(&[(a, place(spot))]);
    assert_eq!(slices(&chain.wait(2)), []);
}
