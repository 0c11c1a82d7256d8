//! Orders that show a part of their size.

use super::{BTC_PERP, World, order, results};
use ballast_types::{
    Account, Action, Amend, Code, Event, Lots, Order, OrderRef, PostOnly, Side, Ticks, TimeInForce,
};

const BID: Side = Side::Buy;
const ASK: Side = Side::Sell;

fn iceberg(price: Ticks, size: Lots, display: Lots) -> Order {
    Order {
        display: Some(display),
        ..order(BTC_PERP, ASK, price, size)
    }
}

/// (remaining, shown) of the asks in priority order.
fn asks(world: &World) -> Vec<(Lots, Lots)> {
    let (_, asks) = world.model.orders(BTC_PERP);
    asks.iter().map(|ask| (ask.remaining, ask.shown)).collect()
}

#[test]
fn the_book_shows_a_slice_and_margin_counts_all() {
    for (display, shown) in [(3, 3), (10, 10), (50, 10)] {
        let mut world = World::new();
        let events = world.block(&[(1, vec![Action::Order(iceberg(1_000, 10, display))])]);
        let rested = events.events.iter().find_map(|event| match event {
            Event::Rested { size, shown, .. } => Some((*size, *shown)),
            _ => None,
        });
        assert_eq!(rested, Some((10, shown)));
        assert_eq!(world.model.levels(BTC_PERP).1, [(1_000, shown)]);
        let margin = world.model.margin(world.account(1));
        assert_eq!(margin.initial, 10 * (100_000 + 350));
    }
}

#[test]
fn the_next_slice_goes_to_the_back_of_the_level() {
    let mut world = World::new();
    world.placed(1, iceberg(1_000, 10, 3));
    world.placed(2, order(BTC_PERP, ASK, 1_000, 4));
    let events = world.block(&[(3, vec![Action::Order(order(BTC_PERP, BID, 1_000, 8))])]);
    let names: Vec<Account> = [1, 2].map(|who| world.account(who)).into();
    let mut seen = Vec::new();
    for event in &events.events {
        let (what, account, lots) = match event {
            Event::Fill {
                maker_account,
                size,
                ..
            } => ("fill", maker_account, size),
            Event::Refreshed { account, shown, .. } => ("refresh", account, shown),
            _ => continue,
        };
        let who = names.iter().position(|name| name == account).unwrap() + 1;
        seen.push((what, who, *lots));
    }
    assert_eq!(
        seen,
        [
            ("fill", 1, 3),
            ("refresh", 1, 3),
            ("fill", 2, 4),
            ("fill", 1, 1)
        ]
    );
    assert_eq!(asks(&world), [(6, 2)]);
}

#[test]
fn a_refresh_counts_as_a_meeting() {
    // 10 lots, 2 at a time: the limit of meetings, and what trades.
    for (max_fills, code, filled) in [
        (1, Code::FillLimit, 2),
        (2, Code::FillLimit, 2),
        (3, Code::FillLimit, 4),
        (4, Code::FillLimit, 4),
        (5, Code::FillLimit, 6),
        (9, Code::Ok, 10),
    ] {
        let mut world = World::with(|spec| spec.limits.max_fills = 20);
        world.placed(1, iceberg(1_000, 10, 2));
        let bid = Order {
            max_fills,
            ..order(BTC_PERP, BID, 1_000, 10)
        };
        assert_eq!(world.place(2, bid), (code, filled), "{max_fills}");
        let left = 10 - filled;
        let expected = if left > 0 { vec![(left, 2)] } else { vec![] };
        assert_eq!(asks(&world), expected, "the last slice shows");
    }
}

#[test]
fn the_last_slice_is_what_remains() {
    let mut world = World::new();
    world.placed(1, iceberg(1_000, 5, 3));
    assert_eq!(
        world.place(2, order(BTC_PERP, BID, 1_000, 3)),
        (Code::Ok, 3)
    );
    assert_eq!(asks(&world), [(2, 2)]);
    let fok = Order {
        tif: TimeInForce::Fok,
        max_fills: 1,
        ..order(BTC_PERP, BID, 1_000, 2)
    };
    assert_eq!(world.place(2, fok), (Code::Ok, 2));
    assert_eq!(asks(&world), []);
}

#[test]
fn what_an_iceberg_trades_at_once_is_never_hidden() {
    let mut world = World::new();
    world.placed(1, order(BTC_PERP, BID, 1_000, 6));
    assert_eq!(world.place(2, iceberg(1_000, 10, 3)), (Code::Ok, 6));
    assert_eq!(asks(&world), [(4, 3)]);
}

#[test]
fn hidden_lots_go_first() {
    // New size of 10 with 3 shown; remaining and shown.
    for (size, expected) in [(8, (8, 3)), (3, (3, 3)), (2, (2, 2))] {
        let mut world = World::new();
        let ahead = world.placed(1, iceberg(1_000, 10, 3));
        world.placed(2, order(BTC_PERP, ASK, 1_000, 7));
        let amend = Amend {
            order: OrderRef::Id(ahead),
            price: 1_000,
            size,
            keep_on_reject: false,
            max_fills: 6,
        };
        assert_eq!(world.act(1, Action::Amend(amend)).code, Code::Ok);
        assert_eq!(asks(&world), [expected, (7, 7)], "it keeps its place");
    }
}

#[test]
fn a_position_that_shrinks_takes_hidden_lots_first() {
    let mut world = World::new();
    world.trade(1, 2, BTC_PERP, 1_000, 10);
    let stop = Order {
        reduce_only: true,
        ..iceberg(1_010, 10, 3)
    };
    world.placed(1, stop);
    world.placed(3, order(BTC_PERP, BID, 1_000, 4));
    world.placed(1, order(BTC_PERP, ASK, 1_000, 4));
    assert_eq!(asks(&world), [(6, 3)]);
}

#[test]
fn an_amend_that_enters_again_keeps_the_slice() {
    let mut world = World::new();
    let id = world.placed(1, iceberg(1_000, 10, 3));
    let amend = Amend {
        order: OrderRef::Id(id),
        price: 1_001,
        size: 12,
        keep_on_reject: true,
        max_fills: 6,
    };
    let events = world.block(&[(1, vec![Action::Amend(amend)])]);
    assert_eq!(results(&events)[0].code, Code::Ok);
    assert_eq!(asks(&world), [(12, 3)]);
}

#[test]
fn the_slice_has_bounds() {
    let resting = iceberg(1_000, 10, 2);
    let post_only = resting.post_only(PostOnly::Reject);
    let tif = |tif| Order { tif, ..resting };
    let cases = [
        (resting, Code::Ok),
        (post_only, Code::Ok),
        (iceberg(1_000, 10, 1), Code::BadDisplay),
        (iceberg(1_000, 10, 0), Code::BadDisplay),
        (iceberg(1_000, 10, -3), Code::BadDisplay),
        (tif(TimeInForce::Ioc), Code::BadDisplay),
        (tif(TimeInForce::Fok), Code::BadDisplay),
        (tif(TimeInForce::Gtb(9)), Code::Ok),
    ];
    for (order, code) in cases {
        assert_eq!(World::new().place(1, order).0, code, "{order:?}");
    }
}
