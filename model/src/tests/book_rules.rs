//! Matching, one rule at a time.

use super::{BTC_PERP, ETH_PERP, SOL_PERP, World, order, removals, results};
use ballast_types::{Action, Code, Event, Order, PostOnly, Removal, Side, TimeInForce};

const BID: Side = Side::Buy;
const ASK: Side = Side::Sell;

#[test]
fn price_then_time_decides() {
    let mut world = World::new();
    for (who, price, lots) in [(1, 1_001, 5), (2, 1_000, 4), (3, 1_000, 3)] {
        world.placed(who, order(BTC_PERP, ASK, price, lots));
    }
    assert_eq!(
        world.place(4, order(BTC_PERP, BID, 1_001, 6)),
        (Code::Ok, 6)
    );
    assert_eq!(
        [1, 2, 3].map(|who| world.position(who, BTC_PERP)),
        [0, -4, -2]
    );
    assert_eq!(world.book(BTC_PERP), [vec![], vec![(1_000, 1), (1_001, 5)]]);
}

#[test]
fn times_in_force_treat_the_rest_differently() {
    // Time in force and post-only; code, traded, what rests of it at 1,000.
    let cases = [
        (TimeInForce::Gtc, false, Code::Ok, 5, vec![(1_000, 3)]),
        (TimeInForce::Ioc, false, Code::Ok, 5, vec![]),
        (TimeInForce::Fok, false, Code::FokUnfilled, 0, vec![]),
        (TimeInForce::Gtc, true, Code::PostOnlyWouldTrade, 0, vec![]),
        (TimeInForce::Gtt(1), false, Code::Expired, 0, vec![]),
        (TimeInForce::Ioc, true, Code::BadTimeInForce, 0, vec![]),
    ];
    for (tif, post_only, code, traded, bids) in cases {
        let mut world = World::new();
        world.placed(1, order(BTC_PERP, ASK, 1_000, 5));
        let max_fills = if post_only { 0 } else { 6 };
        let bid = Order {
            tif,
            post_only: if post_only {
                PostOnly::Reject
            } else {
                PostOnly::No
            },
            max_fills,
            ..order(BTC_PERP, BID, 1_000, 8)
        };
        assert_eq!(world.place(2, bid), (code, traded), "{tif:?} {post_only}");
        assert_eq!(world.book(BTC_PERP)[0], bids, "{tif:?} {post_only}");
    }
}

#[test]
fn fill_or_kill_counts_its_limit_of_meetings() {
    for (max_fills, expected) in [(1, (Code::FokUnfilled, 0)), (2, (Code::Ok, 8))] {
        let mut world = World::new();
        world.placed(1, order(BTC_PERP, ASK, 1_000, 5));
        world.placed(2, order(BTC_PERP, ASK, 1_000, 5));
        let tif = TimeInForce::Fok;
        let bid = Order {
            tif,
            max_fills,
            ..order(BTC_PERP, BID, 1_000, 8)
        };
        assert_eq!(world.place(3, bid), expected);
        let left = if expected.1 == 0 {
            vec![(1_000, 5), (1_000, 5)]
        } else {
            vec![(1_000, 2)]
        };
        assert_eq!(
            world.book(BTC_PERP)[1],
            left,
            "nothing happens unless all of it trades"
        );
    }
}

#[test]
fn an_order_meets_as_many_as_it_says() {
    let mut world = World::new();
    for who in 1..=3 {
        world.placed(who, order(BTC_PERP, ASK, 1_000, 2));
    }
    let bid = Order {
        max_fills: 2,
        ..order(BTC_PERP, BID, 1_000, 5)
    };
    assert_eq!(world.place(4, bid), (Code::FillLimit, 4));
    assert_eq!(
        world.book(BTC_PERP),
        [vec![], vec![(1_000, 2)]],
        "the rest was cancelled"
    );
}

#[test]
fn an_account_trades_with_itself_only_where_it_may() {
    for (market, code, traded, left) in [
        (BTC_PERP, Code::SelfTrade, 0, vec![(1_000, 5)]),
        (SOL_PERP, Code::Ok, 3, vec![(1_000, 2)]),
    ] {
        let mut world = World::new();
        world.placed(1, order(market, ASK, 1_000, 5));
        assert_eq!(world.place(1, order(market, BID, 1_000, 3)), (code, traded));
        assert_eq!(world.book(market), [vec![], left]);
        assert_eq!(world.position(1, market), 0);
    }
}

#[test]
fn an_expired_maker_is_removed_and_counts_as_a_meeting() {
    let mut world = World::with(|spec| spec.limits.sweep_orders = 0);
    let tif = TimeInForce::Gtt(world.time + 2_500);
    world.placed(
        1,
        Order {
            tif,
            ..order(BTC_PERP, ASK, 1_000, 5)
        },
    );
    world.placed(2, order(BTC_PERP, ASK, 1_000, 5));
    let bid = Order {
        max_fills: 1,
        ..order(BTC_PERP, BID, 1_000, 5)
    };
    assert_eq!(world.place(3, bid), (Code::FillLimit, 0));
    assert_eq!(world.book(BTC_PERP)[1], [(1_000, 5)]);
}

#[test]
fn reduce_only_orders_never_flip_a_position() {
    let reduce = |side, price, lots| Order {
        reduce_only: true,
        ..order(BTC_PERP, side, price, lots)
    };
    let mut world = World::new();
    assert_eq!(world.place(1, reduce(ASK, 1_000, 5)).0, Code::ReduceOnly);
    world.trade(1, 2, BTC_PERP, 1_000, 10);
    assert_eq!(world.place(1, reduce(BID, 990, 5)).0, Code::ReduceOnly);
    // It rests with at most the position.
    assert_eq!(world.place(1, reduce(ASK, 1_010, 15)), (Code::Ok, 0));
    assert_eq!(world.book(BTC_PERP)[1], [(1_010, 10)]);
    assert_eq!(world.place(1, reduce(ASK, 1_020, 4)), (Code::Ok, 0));
    // Selling 3 leaves 7: the newest goes first, then the older one shrinks.
    world.placed(3, order(BTC_PERP, BID, 1_000, 3));
    let events = world.block(&[(1, vec![Action::Order(order(BTC_PERP, ASK, 1_000, 3))])]);
    assert_eq!(removals(&events), [Removal::ReduceOnly]);
    let shrunk = events
        .events
        .iter()
        .any(|event| matches!(event, Event::Reduced { size: 7, .. }));
    assert!(shrunk);
    assert_eq!(world.book(BTC_PERP)[1], [(1_010, 7)]);
    // A taking order stops when the position is gone.
    world.placed(3, order(BTC_PERP, BID, 1_000, 20));
    assert_eq!(world.place(1, reduce(ASK, 1_000, 12)), (Code::Ok, 7));
    assert_eq!(world.position(1, BTC_PERP), 0);
    assert_eq!(world.book(BTC_PERP), [vec![(1_000, 13)], vec![]]);
}

#[test]
fn orders_of_uncovered_accounts_add_no_risk() {
    // Nothing is swept, so that the book still holds what would add risk.
    let mut world = World::with(|spec| spec.limits.sweep_orders = 0);
    world.trade(1, 2, BTC_PERP, 1_000, 100);
    world.placed(1, order(ETH_PERP, BID, 1_000, 5));
    world.placed(3, order(ETH_PERP, BID, 999, 5));
    world.set_mark(BTC_PERP, 900);
    let ask = vec![Action::Order(order(ETH_PERP, ASK, 999, 3))];
    let events = world.block(&[(4, ask)]);
    assert_eq!(removals(&events), [Removal::Uncovered]);
    assert_eq!(results(&events)[0].filled, 3);
    assert_eq!(world.book(ETH_PERP)[0], [(999, 2)]);
}

#[test]
fn open_orders_and_client_ids_are_limited() {
    let mut world = World::new();
    let bid = |client_id| Order {
        client_id,
        ..order(ETH_PERP, BID, 900, 2)
    };
    assert_eq!(world.place(1, bid(Some(0))).0, Code::BadClientId);
    assert_eq!(world.place(1, bid(Some(7))).0, Code::Ok);
    assert_eq!(world.place(1, bid(Some(7))).0, Code::ClientIdInUse);
    assert_eq!(
        world.place(2, bid(Some(7))).0,
        Code::Ok,
        "another account's"
    );
    for _ in 0..4 {
        assert_eq!(world.place(1, bid(None)).0, Code::Ok);
    }
    assert_eq!(world.place(1, bid(None)).0, Code::OpenOrderLimit);
    let tif = TimeInForce::Ioc;
    assert_eq!(
        world.place(1, Order { tif, ..bid(None) }).0,
        Code::Ok,
        "it cannot rest"
    );
    assert_eq!(
        world.place(1, order(BTC_PERP, BID, 900, 2)).0,
        Code::Ok,
        "another group"
    );
}
