//! What happens when an order meets one of its own account or master.

use super::{BTC_PERP, SOL_PERP, World, order, removals, results};
use ballast_types::{
    Account, Action, Code, Event, Lots, Order, Removal, SelfTrade, SelfTradeScope, Side, Ticks,
    TimeInForce,
};

const BID: Side = Side::Buy;
const ASK: Side = Side::Sell;

fn taker(mode: SelfTrade, size: Lots) -> Order {
    Order {
        self_trade: mode,
        ..order(BTC_PERP, BID, 1_000, size)
    }
}

#[test]
fn the_mode_of_the_taker_decides() {
    type Book = [Vec<(Ticks, Lots)>; 2];
    // A bid of 8 meets an own ask of 5 and then one of 5 of somebody else.
    let cases: [(SelfTrade, Code, Lots, Book, usize); 4] = [
        (
            SelfTrade::CancelTaker,
            Code::SelfTrade,
            0,
            [vec![], vec![(1_000, 5), (1_000, 5)]],
            1,
        ),
        (
            SelfTrade::CancelMaker,
            Code::Ok,
            5,
            [vec![(1_000, 3)], vec![]],
            1,
        ),
        (
            SelfTrade::CancelBoth,
            Code::SelfTrade,
            0,
            [vec![], vec![(1_000, 5)]],
            2,
        ),
        (
            SelfTrade::Decrement,
            Code::Ok,
            3,
            [vec![], vec![(1_000, 2)]],
            2,
        ),
    ];
    for (mode, code, filled, book, removed) in cases {
        let mut world = World::new();
        let maker = Order {
            self_trade: SelfTrade::CancelMaker,
            ..order(BTC_PERP, ASK, 1_000, 5)
        };
        world.placed(1, maker);
        world.placed(2, order(BTC_PERP, ASK, 1_000, 5));
        let events = world.block(&[(1, vec![Action::Order(taker(mode, 8))])]);
        let result = results(&events)[0];
        assert_eq!((result.code, result.filled), (code, filled), "{mode:?}");
        assert_eq!(world.book(BTC_PERP), book, "{mode:?}");
        let reasons = vec![Removal::SelfTrade; removed];
        assert_eq!(removals(&events), reasons, "{mode:?}");
    }
}

#[test]
fn a_decrement_takes_the_same_from_both() {
    // Size and slice of the maker, size of the taker; code, what remains of either.
    let cases = [
        ((10, None), 4, Code::SelfTrade, 6, 0),
        ((10, None), 10, Code::SelfTrade, 0, 0),
        ((4, None), 10, Code::Ok, 0, 6),
        ((10, Some(3)), 7, Code::SelfTrade, 3, 0),
        ((10, Some(9)), 12, Code::Ok, 0, 2),
    ];
    for ((size, display), lots, code, asks, bids) in cases {
        let mut world = World::new();
        let maker = Order {
            display,
            ..order(BTC_PERP, ASK, 1_000, size)
        };
        let maker = world.placed(1, maker);
        let bid = taker(SelfTrade::Decrement, lots);
        let events = world.block(&[(1, vec![Action::Order(bid)])]);
        let result = results(&events)[0];
        assert_eq!((result.code, result.filled), (code, 0));
        let total = |side: &[(Ticks, Lots)]| -> Lots { side.iter().map(|(_, lots)| lots).sum() };
        let [left_bids, left_asks] = world.book(BTC_PERP);
        assert_eq!((total(&left_bids), total(&left_asks)), (bids, asks));
        let of_taker = events.events.iter().filter_map(|event| match event {
            Event::Removed { order, size, .. } if *order != maker => Some(*size),
            _ => None,
        });
        assert_eq!(of_taker.sum::<Lots>(), lots - bids);
        assert_eq!(world.position(1, BTC_PERP), 0);
    }
}

#[test]
fn the_events_of_a_decrement_follow_each_other() {
    let mut world = World::new();
    let maker = Order {
        display: Some(3),
        ..order(BTC_PERP, ASK, 1_000, 10)
    };
    world.placed(1, maker);
    let bid = taker(SelfTrade::Decrement, 4);
    let events = world.block(&[(1, vec![Action::Order(bid)])]);
    let mut seen = Vec::new();
    for event in &events.events {
        match event {
            Event::Reduced { size, .. } => seen.push(("maker", *size)),
            Event::Removed { size, .. } => seen.push(("taker", *size)),
            Event::Refreshed { shown, .. } => seen.push(("refreshed", *shown)),
            _ => {}
        }
    }
    let expected = [
        ("maker", 7),
        ("taker", 3),
        ("refreshed", 3),
        ("maker", 6),
        ("taker", 1),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn fill_or_kill_trades_with_others_or_not_at_all() {
    for mode in [
        SelfTrade::CancelTaker,
        SelfTrade::CancelMaker,
        SelfTrade::CancelBoth,
        SelfTrade::Decrement,
    ] {
        let mut world = World::new();
        world.placed(1, order(BTC_PERP, ASK, 1_000, 5));
        world.placed(2, order(BTC_PERP, ASK, 1_000, 8));
        let tif = TimeInForce::Fok;
        let bid = Order {
            tif,
            ..taker(mode, 8)
        };
        let (expected, left) = if mode == SelfTrade::CancelMaker {
            ((Code::Ok, 8), vec![])
        } else {
            ((Code::FokUnfilled, 0), vec![(1_000, 5), (1_000, 8)])
        };
        assert_eq!(world.place(1, bid), expected, "{mode:?}");
        assert_eq!(world.book(BTC_PERP)[1], left, "{mode:?}");
    }
}

#[test]
fn the_scope_of_the_taker_says_whose_orders_are_its_own() {
    let cases = [
        (0, SelfTradeScope::Account, Code::SelfTrade),
        (0, SelfTradeScope::Master, Code::SelfTrade),
        (1, SelfTradeScope::Account, Code::Ok),
        (1, SelfTradeScope::Master, Code::SelfTrade),
    ];
    for (sub, self_trade_scope, code) in cases {
        let mut world = World::new();
        let master = world.account(2).master;
        world.placed(2, order(BTC_PERP, ASK, 1_000, 5));
        let bid = Order {
            self_trade_scope,
            ..taker(SelfTrade::CancelTaker, 5)
        };
        let tx = world.sign_for(Account::new(master, sub), 2, &[Action::Order(bid)]);
        let events = world.block_of(&[tx]);
        assert_eq!(results(&events)[0].code, code, "{sub} {self_trade_scope:?}");
    }
}

#[test]
fn some_markets_let_everyone_trade_with_oneself() {
    let mut world = World::new();
    world.placed(1, order(SOL_PERP, ASK, 1_000, 5));
    let bid = Order {
        self_trade_scope: SelfTradeScope::Master,
        market: SOL_PERP,
        ..taker(SelfTrade::CancelBoth, 5)
    };
    assert_eq!(world.place(1, bid), (Code::Ok, 5));
}
