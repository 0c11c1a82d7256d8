//! Orders whose price follows another one. BTC-PERP has an index of 1,000; spot has none.

use super::{BTC_PERP, BTC_SPOT, World, order};
use ballast_types::{
    Action, Amend, BlockEvents, Code, Event, Lots, MarketId, MarketStatus, Order, OrderId,
    OrderRef, Peg, PegTo, PostOnly, PriceKind, PriceSource, Side, Ticks, TimeInForce, Trigger,
};

const BID: Side = Side::Buy;
const ASK: Side = Side::Sell;

/// A pegged order of 5 lots with the limit `price`.
fn pegged(side: Side, price: Ticks, to: PegTo, offset: Ticks) -> Order {
    pegged_in(BTC_PERP, side, price, to, offset)
}

fn pegged_in(market: MarketId, side: Side, price: Ticks, to: PegTo, offset: Ticks) -> Order {
    Order {
        peg: Some(Peg { to, offset }),
        ..order(market, side, price, 5).post_only(PostOnly::Slide)
    }
}

/// (level, lots shown) of all that rests on a side, the best first.
fn levels(world: &World, side: Side) -> Vec<(Ticks, Lots)> {
    let (bids, asks) = world.model.orders(BTC_PERP);
    let orders = if side == BID { bids } else { asks };
    orders.iter().map(|o| (o.level, o.shown)).collect()
}

fn level(world: &World, id: OrderId) -> Ticks {
    world.model.state.orders[&id].level
}

fn moved(events: &BlockEvents) -> Vec<(OrderId, Ticks)> {
    let moved = events.events.iter().filter_map(|event| match event {
        Event::Moved { order, price, .. } => Some((*order, *price)),
        _ => None,
    });
    moved.collect()
}

#[test]
fn an_order_rests_at_its_offset_within_its_limit() {
    // Bids at 990, asks at 1,010.
    let cases = [
        (BID, 2_000, PegTo::Index, 0, Ok(1_000)),
        (BID, 2_000, PegTo::Index, -7, Ok(993)),
        (BID, 995, PegTo::Index, 0, Ok(995)),
        (BID, 2_000, PegTo::Bid, 0, Ok(990)),
        (BID, 2_000, PegTo::Bid, 1, Ok(991)),
        (BID, 2_000, PegTo::Ask, -3, Ok(1_007)),
        // It never trades at once.
        (BID, 2_000, PegTo::Ask, 0, Ok(1_009)),
        (BID, 2_000, PegTo::Index, 500, Ok(1_009)),
        (ASK, 1, PegTo::Index, 0, Ok(1_000)),
        (ASK, 1_005, PegTo::Index, 0, Ok(1_005)),
        (ASK, 1, PegTo::Ask, -1, Ok(1_009)),
        (ASK, 1, PegTo::Bid, 0, Ok(991)),
        (BID, 2_000, PegTo::Index, -999, Ok(1)),
        (
            BID,
            2_000,
            PegTo::Index,
            -1_000,
            Err(Code::PostOnlyWouldTrade),
        ),
        (ASK, 1, PegTo::Index, 99_000, Ok(100_000)),
        (ASK, 1, PegTo::Index, 99_001, Err(Code::PostOnlyWouldTrade)),
    ];
    for (side, limit, to, offset, expected) in cases {
        let mut world = World::new();
        world.placed(2, order(BTC_PERP, BID, 990, 5));
        world.placed(2, order(BTC_PERP, ASK, 1_010, 5));
        let result = world.act(1, Action::Order(pegged(side, limit, to, offset)));
        let code = expected.err().unwrap_or(Code::Ok);
        assert_eq!(result.code, code, "{side:?} {limit} {to:?} {offset}");
        let at = world.model.state.orders.get(&result.order.unwrap());
        assert_eq!(
            at.map(|o| (o.price, o.level)),
            expected.ok().map(|l| (limit, l))
        );
    }
}

#[test]
fn it_follows_in_the_next_block() {
    for (to, offset) in [(PegTo::Index, -2), (PegTo::Bid, 0), (PegTo::Ask, -20)] {
        let mut world = World::new();
        let bid = world.placed(2, order(BTC_PERP, BID, 990, 5));
        let ask = world.placed(2, order(BTC_PERP, ASK, 1_010, 5));
        let id = world.placed(1, pegged(BID, 2_000, to, offset));
        let before = level(&world, id);
        for (order, price) in [(bid, 995), (ask, 1_015)] {
            let amend = Action::Amend(Amend {
                order: OrderRef::Id(order),
                price,
                size: 5,
                keep_on_reject: false,
                max_fills: 6,
            });
            assert_eq!(world.act(2, amend).code, Code::Ok);
        }
        world.publish(BTC_PERP, PriceKind::Index, 1_005);
        let mut seen = moved(&world.block(&[]));
        if to != PegTo::Index {
            // That was a block ago: it has moved already, and stays.
            assert_eq!(seen, []);
            seen = vec![(id, level(&world, id))];
        }
        assert_eq!(seen, [(id, before + 5)], "{to:?}");
    }
}

#[test]
fn a_move_goes_to_the_back_of_its_level() {
    let mut world = World::new();
    let iceberg = Order {
        display: Some(2),
        ..pegged(BID, 2_000, PegTo::Index, 0)
    };
    let id = world.placed(1, iceberg);
    // It shows 2 of 5 lots, and goes to 999, where 7 lots rest already.
    world.placed(2, order(BTC_PERP, BID, 999, 7));
    let height = world.model.state.orders[&id].height;
    world.publish(BTC_PERP, PriceKind::Index, 999);
    let events = world.block(&[]);
    assert_eq!(moved(&events), [(id, 999)]);
    assert_eq!(levels(&world, BID), [(999, 7), (999, 2)]);
    assert_eq!(world.model.state.orders[&id].height, height);
    assert_eq!(world.model.state.orders[&id].remaining, 5);
}

#[test]
fn pegged_orders_do_not_follow_each_other() {
    let mut world = World::new();
    world.placed(2, order(BTC_PERP, BID, 990, 5));
    let first = world.placed(1, pegged(BID, 2_000, PegTo::Bid, 1));
    let second = world.placed(1, pegged(BID, 2_000, PegTo::Bid, 1));
    world.block(&[]);
    assert_eq!([first, second].map(|id| level(&world, id)), [991, 991]);
}

#[test]
fn opposite_pegs_come_back_one_behind_the_other() {
    // Both want to be beyond the other; the older comes first.
    let mut world = World::new();
    let bid = world.placed(1, pegged(BID, 2_000, PegTo::Index, 3));
    let ask = world.placed(2, pegged(ASK, 1, PegTo::Index, -3));
    assert_eq!([bid, ask].map(|id| level(&world, id)), [1_003, 1_004]);
    world.publish(BTC_PERP, PriceKind::Index, 1_010);
    let events = world.block(&[]);
    assert_eq!(moved(&events), [(ask, 1_007)], "the bid was behind the ask");
    let events = world.block(&[]);
    assert_eq!(moved(&events), [(bid, 1_006)]);
}

#[test]
fn without_a_reference_nothing_moves_and_nothing_enters() {
    let mut world = World::new();
    for to in [PegTo::Bid, PegTo::Ask] {
        let refused = (Code::NoReference, 0);
        assert_eq!(world.place(1, pegged(BID, 2_000, to, -5)), refused);
    }
    let spot = pegged_in(BTC_SPOT, BID, 2_000, PegTo::Index, 0);
    assert_eq!(world.place(1, spot), (Code::NoReference, 0));
    world.set_price(BTC_SPOT, PriceKind::Index, 900);
    assert_eq!(world.place(1, spot), (Code::Ok, 0));
    // What it followed is gone: it stays.
    let bid = world.placed(2, order(BTC_PERP, BID, 990, 5));
    let id = world.placed(1, pegged(BID, 2_000, PegTo::Bid, 0));
    let cancel = ballast_types::Cancel::Order(bid);
    world.act(2, Action::Cancel(cancel));
    assert_eq!(moved(&world.block(&[])), []);
    assert_eq!(level(&world, id), 990);
}

#[test]
fn one_that_has_nowhere_to_go_comes_back_where_it_was() {
    let mut world = World::new();
    let id = world.placed(1, pegged(BID, 2_000, PegTo::Index, -999));
    let ahead = world.model.state.orders[&id].priority;
    world.publish(BTC_PERP, PriceKind::Index, 900);
    assert_eq!(moved(&world.block(&[])), []);
    let order = &world.model.state.orders[&id];
    assert_eq!(order.level, 1);
    assert!(order.priority > ahead, "at the back of its level");
}

#[test]
fn a_pegged_order_reserves_at_its_limit() {
    let mut world = World::new();
    world.placed(1, pegged(BID, 1_100, PegTo::Index, -50));
    // What it may lose at 1,100, not at 950: margin of 100, loss of 100, and the fee, a lot.
    let margin = world.model.margin(world.account(1));
    assert_eq!(margin.initial, 5 * (100_000 + 100_000 + 385));
    // It trades where it rests.
    world.placed(2, order(BTC_PERP, ASK, 950, 5));
    assert_eq!(world.position(1, BTC_PERP), 5);
    assert_eq!(world.model.lasts()[1], 950);
}

#[test]
fn markets_have_few_pegged_orders() {
    let mut world = World::new();
    for (who, code) in [(1, Code::Ok), (2, Code::Ok), (3, Code::PegLimit)] {
        let peg = pegged(BID, 2_000, PegTo::Index, -10);
        assert_eq!(world.place(who, peg), (code, 0));
    }
}

#[test]
fn pegs_have_a_form() {
    let good = pegged(BID, 2_000, PegTo::Index, 0);
    let peg = |offset| pegged(BID, 2_000, PegTo::Index, offset);
    let trigger = Some(Trigger {
        source: PriceSource::Mark,
        condition: ballast_types::Condition::AtOrAbove(1),
    });
    let batch = pegged_in(MarketId(5), BID, 2_000, PegTo::Index, 0);
    let cases = [
        (good, Code::Ok),
        (good.post_only(PostOnly::Reject), Code::BadPeg),
        (
            Order {
                post_only: PostOnly::No,
                max_fills: 6,
                ..good
            },
            Code::BadPeg,
        ),
        (Order { trigger, ..good }, Code::BadPeg),
        (batch, Code::BadPeg),
        (peg(100_001), Code::BadPeg),
        (peg(-100_001), Code::BadPeg),
        (peg(100_000), Code::Ok),
        (
            Order {
                tif: TimeInForce::Ioc,
                ..good
            },
            Code::BadTimeInForce,
        ),
        (
            Order {
                price: 100_001,
                ..good
            },
            Code::BadPrice,
        ),
    ];
    for (order, code) in cases {
        assert_eq!(World::new().place(1, order).0, code, "{order:?}");
    }
}

#[test]
fn an_amend_is_of_the_limit() {
    // New limit and size; whether it is the same order; where and how much rests.
    for (price, size, same, expected) in [
        (2_000, 3, true, (1_000, 3)),
        (2_000, 8, false, (1_000, 8)),
        (998, 5, false, (998, 5)),
        (1_000, 5, false, (1_000, 5)),
    ] {
        let mut world = World::new();
        let id = world.placed(1, pegged(BID, 2_000, PegTo::Index, 0));
        let amend = Action::Amend(Amend {
            order: OrderRef::Id(id),
            price,
            size,
            keep_on_reject: false,
            max_fills: 0,
        });
        let result = world.act(1, amend);
        assert_eq!((result.code, result.order == Some(id)), (Code::Ok, same));
        assert_eq!(levels(&world, BID), [expected]);
    }
}

#[test]
fn pegs_rest_while_the_market_does() {
    for (status, moves) in [
        (MarketStatus::Open, true),
        (MarketStatus::PostOnly, true),
        (MarketStatus::CancelOnly, false),
        (MarketStatus::Auction, false),
    ] {
        let mut world = World::new();
        let id = world.placed(1, pegged(BID, 2_000, PegTo::Index, 0));
        world.set_status(BTC_PERP, status);
        world.publish(BTC_PERP, PriceKind::Index, 1_005);
        let expected = if moves { vec![(id, 1_005)] } else { vec![] };
        assert_eq!(moved(&world.block(&[])), expected, "{status:?}");
    }
}
