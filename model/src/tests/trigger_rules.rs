//! Orders that wait for a price. BTC-PERP begins at mark and index 1,000 and without a last price.

use super::{BTC_PERP, BTC_SPOT, ETH_PERP, World, codes, order, removals, results};
use ballast_types::{
    Action, Amend, BlockEvents, Cancel, Code, Condition, Distance, Event, GroupId, MarketStatus,
    Order, OrderId, OrderRef, PostOnly, PriceKind, PriceSource, Removal, Side, Ticks, TimeInForce,
    Trigger,
};

const BID: Side = Side::Buy;
const ASK: Side = Side::Sell;
const ABOVE_1010: Condition = Condition::AtOrAbove(1_010);

fn waiting(order: Order, source: PriceSource, condition: Condition) -> Order {
    let trigger = Some(Trigger { source, condition });
    Order { trigger, ..order }
}

/// A bid of 5 lots at 900 that waits for a mark of 1,010.
fn stop_bid() -> Order {
    waiting(order(BTC_PERP, BID, 900, 5), PriceSource::Mark, ABOVE_1010)
}

fn triggered(events: &BlockEvents) -> Vec<OrderId> {
    let triggered = events.events.iter().filter_map(|event| match event {
        Event::Triggered { order, .. } => Some(*order),
        _ => None,
    });
    triggered.collect()
}

fn amend(order: OrderId, price: Ticks, size: i64) -> Action {
    Action::Amend(Amend {
        order: OrderRef::Id(order),
        price,
        size,
        keep_on_reject: false,
        max_fills: 6,
    })
}

#[test]
fn a_condition_holds_when_the_price_of_its_source_reaches_it() {
    let ticks = |distance, activation| Condition::Trail {
        distance: Distance::Ticks(distance),
        activation,
    };
    let ppm = |distance| Condition::Trail {
        distance: Distance::Ppm(distance),
        activation: 0,
    };
    // Side, condition, prices one after the other, at which of them the order is triggered.
    let cases: &[(Side, Condition, &[Ticks], Option<usize>)] = &[
        (BID, ABOVE_1010, &[1_009, 1_010], Some(1)),
        (ASK, ABOVE_1010, &[990, 1_300], Some(1)),
        (ASK, Condition::AtOrBelow(990), &[991, 990], Some(1)),
        (BID, Condition::AtOrBelow(990), &[1_100, 980], Some(1)),
        (BID, ABOVE_1010, &[1_009, 1_000, 1_009], None),
        // Active at 1,000 at once.
        (ASK, ticks(10, 0), &[1_020, 1_011, 1_010], Some(2)),
        (BID, ticks(10, 0), &[980, 989, 990], Some(2)),
        (ASK, ticks(10, 0), &[1_009, 1_018, 1_027], None),
        // Only from 1,030 up, and from 970 down.
        (
            ASK,
            ticks(10, 1_030),
            &[1_020, 1_005, 1_030, 1_020],
            Some(3),
        ),
        (BID, ticks(10, 970), &[980, 995, 970, 980], Some(3)),
        // One percent of 1,250, rounded down.
        (ASK, ppm(10_000), &[1_250, 1_239, 1_238], Some(2)),
        (BID, ppm(10_000), &[950, 958, 959], Some(2)),
        // At least one tick.
        (ASK, ppm(1), &[1_001, 1_000], Some(1)),
    ];
    for (source, kind) in [
        (PriceSource::Mark, PriceKind::Mark),
        (PriceSource::Index, PriceKind::Index),
    ] {
        for (side, condition, prices, at) in cases {
            let mut world = World::new();
            let price = if *side == BID { 900 } else { 1_400 };
            let order = order(BTC_PERP, *side, price, 2);
            let id = world.placed(1, waiting(order, source, *condition));
            let hit = prices
                .iter()
                .position(|price| triggered(&world.set_price(BTC_PERP, kind, *price)) == [id]);
            assert_eq!(hit, *at, "{side:?} {source:?} {condition:?} {prices:?}");
        }
    }
}

#[test]
fn the_last_price_is_that_of_the_last_fill_before_the_block() {
    let mut world = World::new();
    let below = Condition::AtOrBelow(2_000);
    let id = world.placed(
        1,
        waiting(order(BTC_PERP, BID, 900, 2), PriceSource::Last, below),
    );
    assert!(
        triggered(&world.block(&[])).is_empty(),
        "no price is not a low price"
    );
    world.placed(2, order(BTC_PERP, ASK, 1_000, 2));
    let events = world.block(&[(3, vec![Action::Order(order(BTC_PERP, BID, 1_000, 2))])]);
    assert_eq!(results(&events)[0].filled, 2);
    assert!(triggered(&events).is_empty());
    assert_eq!(world.model.lasts()[1], 1_000);
    assert_eq!(triggered(&world.block(&[])), [id]);
}

#[test]
fn spot_has_no_mark_and_no_index_until_one_is_published() {
    let mut world = World::new();
    let below = Condition::AtOrBelow(2_000);
    for source in [PriceSource::Mark, PriceSource::Index] {
        world.placed(1, waiting(order(BTC_SPOT, BID, 500, 2), source, below));
    }
    assert!(triggered(&world.block(&[])).is_empty());
    let events = world.set_price(BTC_SPOT, PriceKind::Index, 1_000);
    assert_eq!(triggered(&events).len(), 1);
    assert_eq!(world.model.waiting(BTC_SPOT).len(), 1);
}

#[test]
fn a_waiting_order_reserves_nothing_and_enters_as_a_new_order() {
    let mut world = World::new();
    let bid = Order {
        size: 40,
        ..stop_bid()
    };
    let id = world.placed(1, bid);
    let margin = world.model.margin(world.account(1));
    assert_eq!((margin.initial, margin.maintenance), (0, 0));
    // Nor does it before it waits, to what comes in the same block.
    let large = Order {
        size: 1_000,
        ..stop_bid()
    };
    let next = order(BTC_PERP, BID, 800, 100);
    let events = world.block(&[(4, vec![Action::Order(large), Action::Order(next)])]);
    assert_eq!(codes(&events), [Code::Ok, Code::Ok]);
    let cancel = Action::Cancel(Cancel::All(None));
    world.act(4, cancel);
    assert_eq!(world.book(BTC_PERP), [vec![], vec![]]);
    world.placed(2, order(BTC_PERP, ASK, 890, 15));
    world.placed(3, order(BTC_PERP, BID, 880, 7));
    let events = world.set_price(BTC_PERP, PriceKind::Mark, 1_010);
    let mut seen = Vec::new();
    for event in &events.events {
        match event {
            Event::Triggered { order, .. } => seen.push(("triggered", *order, 0)),
            Event::Fill { taker, size, .. } => seen.push(("filled", *taker, *size)),
            Event::Rested { order, size, .. } => seen.push(("rested", *order, *size)),
            _ => {}
        }
    }
    assert_eq!(
        seen,
        [("triggered", id, 0), ("filled", id, 15), ("rested", id, 25)]
    );
    assert!(world.model.waiting(BTC_PERP).is_empty());
    assert_eq!(world.book(BTC_PERP)[0], [(900, 25), (880, 7)]);
}

#[test]
fn an_order_that_is_due_stays_so_until_its_market_opens() {
    let mut world = World::new();
    let id = world.placed(1, stop_bid());
    for status in [MarketStatus::PostOnly, MarketStatus::CancelOnly] {
        world.set_status(BTC_PERP, status);
        assert!(triggered(&world.set_price(BTC_PERP, PriceKind::Mark, 1_020)).is_empty());
    }
    world.set_price(BTC_PERP, PriceKind::Mark, 1_000);
    assert!(world.model.waiting(BTC_PERP)[0].due);
    world.set_status(BTC_PERP, MarketStatus::Open);
    assert_eq!(triggered(&world.block(&[])), [id]);
}

#[test]
fn trailing_orders_follow_the_price_in_a_market_of_any_status() {
    let mut world = World::new();
    let distance = Distance::Ticks(50);
    let trail = Condition::Trail {
        distance,
        activation: 0,
    };
    world.placed(
        1,
        waiting(order(BTC_PERP, ASK, 1_400, 2), PriceSource::Mark, trail),
    );
    world.set_status(BTC_PERP, MarketStatus::CancelOnly);
    for (price, extreme) in [(1_040, 1_040), (1_000, 1_040), (1_060, 1_060)] {
        world.set_mark(BTC_PERP, price);
        assert_eq!(world.model.waiting(BTC_PERP)[0].extreme, Some(extreme));
    }
}

#[test]
fn of_those_that_are_due_the_oldest_enter_first() {
    // Two of a group in a block.
    let mut world = World::new();
    let ids = [3, 1, 2].map(|who| world.placed(who, stop_bid()));
    let other = world.placed(
        4,
        waiting(order(ETH_PERP, BID, 900, 2), PriceSource::Mark, ABOVE_1010),
    );
    world.publish(ETH_PERP, PriceKind::Mark, 1_010);
    world.publish(BTC_PERP, PriceKind::Mark, 1_010);
    assert_eq!(triggered(&world.block(&[])), ids[..2]);
    assert!(world.model.waiting(ETH_PERP).is_empty(), "{other}");
    world.publish(BTC_PERP, PriceKind::Mark, 1_000);
    assert!(world.model.waiting(BTC_PERP).is_empty());
}

#[test]
fn a_triggered_order_that_is_refused_is_removed() {
    let stop = |order| waiting(order, PriceSource::Mark, ABOVE_1010);
    let end = World::new().time + 3_000;
    let cases = [
        ("margin", stop(order(BTC_PERP, BID, 1_000, 500))),
        ("the band", stop(order(ETH_PERP, BID, 1_101, 2))),
        (
            "no position to reduce",
            stop(Order {
                reduce_only: true,
                ..order(BTC_PERP, BID, 1_000, 2)
            }),
        ),
        (
            "its time is over",
            stop(Order {
                tif: TimeInForce::Gtt(end),
                ..order(BTC_PERP, BID, 900, 2)
            }),
        ),
    ];
    for (why, order) in cases {
        let mut world = World::with(|spec| {
            spec.markets[3].price_band_ppm = 50_000;
            spec.limits.sweep_orders = 0;
        });
        let id = world.placed(1, order);
        let events = world.set_price(order.market, PriceKind::Mark, 1_040);
        assert_eq!(triggered(&events), [id], "{why}");
        assert_eq!(removals(&events), [Removal::Refused], "{why}");
        assert!(world.model.waiting(order.market).is_empty(), "{why}");
    }
}

#[test]
fn post_only_does_its_part_when_triggered() {
    for (post_only, bids) in [
        (PostOnly::Reject, vec![]),
        (PostOnly::Slide, vec![(949, 5)]),
    ] {
        let mut world = World::new();
        world.placed(2, order(BTC_PERP, ASK, 950, 5));
        let bid = Order {
            price: 1_000,
            ..stop_bid()
        };
        world.placed(1, bid.post_only(post_only));
        world.set_mark(BTC_PERP, 1_010);
        assert_eq!(world.book(BTC_PERP), [bids, vec![(950, 5)]]);
    }
}

#[test]
fn groups_and_markets_have_room_for_so_many() {
    let mut world = World::with(|spec| {
        spec.limits.waiting_orders = 3;
        spec.limits.trailing_orders = 1;
    });
    let distance = Distance::Ticks(50);
    let trail = Condition::Trail {
        distance,
        activation: 0,
    };
    let trail = |market| waiting(order(market, ASK, 1_400, 2), PriceSource::Mark, trail);
    let expected = [
        (trail(BTC_PERP), Code::Ok),
        (trail(BTC_PERP), Code::TriggerLimit),
        (trail(BTC_SPOT), Code::Ok),
        (stop_bid(), Code::Ok),
        (stop_bid(), Code::TriggerLimit),
        (trail(ETH_PERP), Code::Ok),
    ];
    for (at, (order, code)) in expected.into_iter().enumerate() {
        let result = world.act(1, Action::Order(order));
        assert_eq!(result.code, code, "{at}");
        assert!(result.order.is_some(), "it entered, so it has an id");
    }
}

#[test]
fn triggers_have_bounds() {
    let trail = |distance, activation| Condition::Trail {
        distance,
        activation,
    };
    let cases = [
        (Condition::AtOrAbove(0), Code::BadTrigger),
        (Condition::AtOrAbove(100_001), Code::BadTrigger),
        (Condition::AtOrBelow(-1), Code::BadTrigger),
        (Condition::AtOrBelow(100_000), Code::Ok),
        (trail(Distance::Ticks(0), 0), Code::BadTrigger),
        (trail(Distance::Ticks(100_001), 0), Code::BadTrigger),
        (trail(Distance::Ppm(0), 0), Code::BadTrigger),
        (trail(Distance::Ppm(1_000_000), 0), Code::BadTrigger),
        (trail(Distance::Ppm(999_999), 100_000), Code::Ok),
        (trail(Distance::Ticks(5), -1), Code::BadTrigger),
        (trail(Distance::Ticks(5), 100_001), Code::BadTrigger),
    ];
    for (condition, code) in cases {
        let mut world = World::new();
        let ask = waiting(order(BTC_PERP, ASK, 1_400, 2), PriceSource::Mark, condition);
        assert_eq!(world.place(1, ask).0, code, "{condition:?}");
    }
}

#[test]
fn a_waiting_order_is_judged_by_its_form_at_once_and_by_its_account_later() {
    let with = |change: fn(&mut Order)| {
        let mut order = stop_bid();
        change(&mut order);
        order
    };
    let cases = [
        (with(|o| o.size = 1_000), Code::Ok, "no margin is asked for"),
        (with(|o| o.reduce_only = true), Code::Ok, "nor a position"),
        (with(|o| o.price = 1_200), Code::Ok, "nor the band"),
        (with(|o| o.price = 0), Code::BadPrice, ""),
        (with(|o| o.size = 1), Code::BadSize, ""),
        (with(|o| o.size = 4_000), Code::BadNotional, ""),
        (with(|o| o.max_fills = 0), Code::BadMaxFills, ""),
        (with(|o| o.client_id = Some(0)), Code::BadClientId, ""),
        (with(|o| o.tif = TimeInForce::Gtb(1)), Code::Expired, ""),
    ];
    for (order, code, why) in cases {
        let mut world = World::with(|spec| {
            spec.markets[1].price_band_ppm = 50_000;
            spec.markets[1].max_notional = 3_000_000_000;
        });
        assert_eq!(world.place(1, order).0, code, "{order:?} {why}");
    }
}

#[test]
fn waiting_orders_count_as_open_orders_and_hold_their_client_ids() {
    let mut world = World::new();
    let id = Some(7);
    for who in 0..5 {
        let client_id = id.filter(|_| who == 0);
        world.placed(
            1,
            Order {
                client_id,
                ..stop_bid()
            },
        );
    }
    let bid = order(BTC_PERP, BID, 900, 2);
    let taken = Order {
        client_id: id,
        ..bid
    };
    assert_eq!(world.place(1, taken).0, Code::ClientIdInUse);
    assert_eq!(world.place(1, bid).0, Code::OpenOrderLimit);
    // Entering takes no room: three of the five wait for their turn.
    let events = world.set_price(BTC_PERP, PriceKind::Mark, 1_010);
    assert_eq!(triggered(&events).len(), 2);
    assert_eq!(world.book(BTC_PERP)[0].len(), 2);
    assert_eq!(world.place(1, taken).0, Code::ClientIdInUse);
}

#[test]
fn cancels_name_waiting_orders_too() {
    let client = |client_id| Cancel::Client {
        group: GroupId(0),
        client_id,
    };
    let cancels = [
        client(7),
        Cancel::Label {
            group: GroupId(0),
            label: 3,
        },
        Cancel::Market(BTC_PERP),
        Cancel::All(None),
    ];
    for cancel in cancels {
        let mut world = World::new();
        let bid = Order {
            client_id: Some(7),
            label: 3,
            ..stop_bid()
        };
        world.placed(1, bid);
        let events = world.block(&[(1, vec![Action::Cancel(cancel)])]);
        assert_eq!(removals(&events), [Removal::Cancelled], "{cancel:?}");
        assert!(world.model.waiting(BTC_PERP).is_empty());
    }
}

#[test]
fn what_was_triggered_can_still_be_cancelled_and_amended_in_the_same_block() {
    // A new price and size, or a cancel.
    let cases = [
        (None, vec![]),
        (Some((890, 9)), vec![(890, 9)]),
        (Some((0, 9)), vec![(900, 5)]),
    ];
    for (change, bids) in cases {
        let mut world = World::new();
        let id = world.placed(1, stop_bid());
        world.publish(BTC_PERP, PriceKind::Mark, 1_010);
        let cancel = Action::Cancel(Cancel::Order(id));
        let action = change.map_or(cancel, |(price, size)| amend(id, price, size));
        let events = world.block(&[(1, vec![action])]);
        assert_eq!(triggered(&events), [id]);
        assert_eq!(world.book(BTC_PERP)[0], bids);
    }
}

#[test]
fn an_amend_of_a_waiting_order_works_in_place() {
    let mut world = World::new();
    let [id, _] = [1, 2].map(|who| world.placed(who, stop_bid()));
    let events = world.block(&[(1, vec![amend(id, 910, 50)])]);
    assert_eq!(codes(&events), [Code::Ok]);
    let again = events.events.iter().any(|event| {
        matches!(
            event,
            Event::Waiting {
                price: 910,
                size: 50,
                ..
            }
        )
    });
    assert!(again);
    let first = &world.model.waiting(BTC_PERP)[0];
    assert_eq!((first.placed.id, first.placed.remaining), (id, 50));
    for (price, size, code) in [
        (0, 5, Code::BadPrice),
        (900, 1, Code::BadSize),
        (900, 6, Code::Ok),
    ] {
        assert_eq!(world.act(1, amend(id, price, size)).code, code);
    }
}

#[test]
fn a_cancel_that_did_not_name_it_does_not_stop_a_triggered_order() {
    // Five floors for a room of four raise the floor of all above the order.
    let mut world = World::new();
    let id = world.placed(1, stop_bid());
    let cancels = (1..=5).map(|client_id| {
        Action::Cancel(Cancel::Client {
            group: GroupId(0),
            client_id,
        })
    });
    world.block(&[(1, cancels.collect())]);
    assert_eq!(
        triggered(&world.set_price(BTC_PERP, PriceKind::Mark, 1_010)),
        [id]
    );
    assert_eq!(world.book(BTC_PERP)[0], [(900, 5)]);
}
