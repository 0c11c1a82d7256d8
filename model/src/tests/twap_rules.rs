//! Orders that are sent in slices. Blocks are a second apart, and so are slices; each block comes half
//! a second after its slice is due.

use super::{BTC_PERP, BTC_SPOT, Is, World, order, removals};
use ballast_types::{
    Action, Amend, BlockEvents, Cancel, Code, Condition, Event, Lots, MarketId, MarketStatus,
    Order, OrderId, OrderRef, PostOnly, PriceKind, PriceSource, Removal, SelfTrade, Side,
    TimeInForce, Trigger, Twap,
};

const BID: Side = Side::Buy;
const ASK: Side = Side::Sell;

/// A bid of `size` lots that lasts `seconds` with a slice each second, 5 percent around the mark.
fn twap(size: Lots, seconds: u64) -> Order {
    let twap = Twap {
        duration_ms: seconds * 1_000,
        interval_ms: 1_000,
        tolerance_ppm: 50_000,
    };
    Order {
        twap: Some(twap),
        ..order(BTC_PERP, BID, 2_000, size)
    }
}

/// Places a TWAP order. The next block is half a second later.
fn sliced(world: &mut World, who: usize, order: Order) -> OrderId {
    let id = world.placed(who, order);
    world.time -= 500;
    id
}

fn asks(world: &mut World, lots: Lots) {
    world.placed(2, order(BTC_PERP, ASK, 1_000, lots));
}

/// Lots asked for, lots that traded, and code of the slices in a block.
fn slices(events: &BlockEvents) -> Vec<(Lots, Lots, Code)> {
    let slices = events.events.iter().filter_map(|event| match event {
        Event::Sliced {
            size, filled, code, ..
        } => Some((*size, *filled, *code)),
        _ => None,
    });
    slices.collect()
}

/// The slices of the next blocks.
fn next_slices(world: &mut World, blocks: usize) -> Vec<Vec<(Lots, Lots, Code)>> {
    (0..blocks).map(|_| slices(&world.block(&[]))).collect()
}

fn ok(lots: Lots) -> Vec<(Lots, Lots, Code)> {
    vec![(lots, lots, Code::Ok)]
}

#[test]
fn equal_slices_from_the_next_block_on() {
    // Size, seconds, slices; the first is sent in the block after the order came.
    let cases: &[(Lots, u64, &[Lots])] = &[
        (12, 3, &[4, 4, 4, 0]),
        (13, 3, &[4, 4, 5, 0]),
        (11, 2, &[5, 6, 0]),
        // Less than 2 lots are not sent, but at the end.
        (5, 5, &[0, 2, 0, 2, 0, 1]),
        (7, 5, &[0, 2, 2, 0, 3]),
        (3, 2, &[0, 3]),
    ];
    for (size, seconds, sizes) in cases {
        let mut world = World::new();
        asks(&mut world, 50);
        let id = sliced(&mut world, 1, twap(*size, *seconds));
        let expected: Vec<_> = sizes
            .iter()
            .map(|lots| if *lots > 0 { ok(*lots) } else { vec![] })
            .collect();
        let sent = next_slices(&mut world, sizes.len());
        assert_eq!(sent, expected, "{size} lots in {seconds} s");
        assert_eq!(world.state_of(id), Is::Gone);
        assert_eq!(world.position(1, BTC_PERP), *size);
    }
}

#[test]
fn what_was_missed_is_caught_up_at_most_threefold() {
    // 12 lots in 6 slices of 2; 3 lots come at slice 3, and at slice 5.
    let mut world = World::new();
    let id = sliced(&mut world, 1, twap(12, 6));
    let mut sent = Vec::new();
    for slice in 0..6 {
        let mut txs = Vec::new();
        if slice == 3 || slice == 5 {
            let ask = order(BTC_PERP, ASK, 1_000, 3).post_only(PostOnly::Reject);
            txs.push((2, vec![Action::Order(ask)]));
        }
        sent.extend(slices(&world.block(&txs)));
    }
    let filled = [(2, 0), (4, 0), (6, 0), (6, 3), (6, 0), (6, 3)];
    assert_eq!(sent, filled.map(|(lots, filled)| (lots, filled, Code::Ok)));
    // The last one, after which nothing is sent any more.
    assert_eq!(world.state_of(id), Is::Waiting(6, 0));
    let events = world.block(&[]);
    assert_eq!(slices(&events), [(6, 0, Code::Ok)]);
    assert_eq!(removals(&events), [Removal::Schedule]);
    assert_eq!(world.state_of(id), Is::Gone);
}

#[test]
fn slices_stay_near_the_mark_and_within_the_limit() {
    // Side, limit, tolerance in ppm, the price that trades and the next one that does not.
    let cases = [
        (BID, 2_000, 10_000, 1_010, 1_011),
        (BID, 1_005, 10_000, 1_005, 1_006),
        (BID, 2_000, 999, 1_000, 1_001),
        (ASK, 1, 10_000, 990, 989),
        (ASK, 995, 10_000, 995, 994),
        (ASK, 1, 1_000_000, 1, 0),
    ];
    for (side, price, tolerance_ppm, trades, not) in cases {
        for (maker, lots) in [(trades, 4), (not, 0)] {
            if maker == 0 {
                continue;
            }
            let mut world = World::new();
            world.placed(2, order(BTC_PERP, side.opposite(), maker, 4));
            let base = twap(8, 2);
            let twap = base.twap.map(|t| Twap { tolerance_ppm, ..t });
            let order = Order {
                side,
                price,
                twap,
                ..base
            };
            sliced(&mut world, 1, order);
            let sent = next_slices(&mut world, 1);
            assert_eq!(sent, [[(4, lots, Code::Ok)]], "{side:?} {price} {maker}");
        }
    }
}

#[test]
fn spot_slices_are_near_the_index_or_else_the_last_price() {
    let spot = |size| Order {
        market: BTC_SPOT,
        ..twap(size, 2)
    };
    let ask = |price| order(BTC_SPOT, ASK, price, 2);
    // Without either there is no slice, and the schedule goes on.
    let mut world = World::new();
    world.placed(2, ask(1_000));
    let id = sliced(&mut world, 1, spot(8));
    assert_eq!(next_slices(&mut world, 2), [vec![], vec![]]);
    assert_eq!(world.model.waiting(BTC_SPOT)[0].twap.unwrap().next, 2);
    assert_eq!(removals(&world.block(&[])), [Removal::Schedule]);
    assert_eq!(world.state_of(id), Is::Gone);
    // 5 percent above a last price of 1,000, and above an index of 1,100.
    for (index, price, lots) in [(0, 1_050, 2), (0, 1_051, 0), (1_100, 1_155, 2)] {
        let mut world = World::new();
        world.placed(2, ask(1_000));
        world.placed(3, order(BTC_SPOT, BID, 1_000, 2));
        if index > 0 {
            world.set_price(BTC_SPOT, PriceKind::Index, index);
        }
        world.placed(2, ask(price));
        sliced(&mut world, 1, spot(8));
        let sent = next_slices(&mut world, 1);
        assert_eq!(sent, [[(4, lots, Code::Ok)]], "{index} {price}");
    }
}

#[test]
fn a_slice_ends_like_an_ioc_order() {
    // What the market has, how the order is, and its first slice of 4.
    type Makers = &'static [(usize, Lots)];
    type Change = fn(&mut Order);
    type Slice = (Lots, Lots, Code);
    let cases: &[(Makers, Change, Slice, Lots)] = &[
        (&[(2, 2), (3, 2)], |_| {}, (4, 4, Code::Ok), 8),
        (&[(2, 3)], |_| {}, (4, 3, Code::Ok), 9),
        (
            &[(2, 2), (3, 2)],
            |o| o.max_fills = 1,
            (4, 2, Code::FillLimit),
            10,
        ),
        (&[(1, 4)], |_| {}, (4, 0, Code::SelfTrade), 12),
        (
            &[(2, 4)],
            |o| o.reduce_only = true,
            (4, 0, Code::ReduceOnly),
            12,
        ),
        // Lots that a decrement takes are gone, but have not traded.
        (
            &[(1, 3), (2, 1)],
            |o| o.self_trade = SelfTrade::Decrement,
            (4, 1, Code::Ok),
            8,
        ),
    ];
    for (makers, change, slice, left) in cases {
        let mut world = World::with(|spec| spec.markets[1].min_size = 1);
        for (who, lots) in *makers {
            world.placed(*who, order(BTC_PERP, ASK, 1_000, *lots));
        }
        let mut order = twap(12, 3);
        change(&mut order);
        let id = sliced(&mut world, 1, order);
        assert_eq!(next_slices(&mut world, 1), [[*slice]]);
        assert_eq!(world.state_of(id), Is::Waiting(*left, 0));
    }
}

#[test]
fn a_slice_without_margin_is_refused_and_the_order_waits() {
    let mut world = World::new();
    world.placed(2, order(BTC_PERP, ASK, 1_000, 4));
    let id = sliced(&mut world, 1, twap(8, 2));
    let all = world.model.balances()[&(world.account(1), ballast_types::AssetId(0))];
    let transfer = Action::Transfer(ballast_types::Transfer {
        asset: ballast_types::AssetId(0),
        amount: u128::try_from(all).unwrap(),
        to: world.account(3),
    });
    let events = world.block(&[(1, vec![transfer])]);
    assert_eq!(slices(&events), [(4, 0, Code::InsufficientMargin)]);
    assert_eq!(world.state_of(id), Is::Waiting(8, 0));
}

#[test]
fn few_slices_of_a_group_enter_in_a_block() {
    let mut world = World::with(|spec| spec.limits.twap_slices = 1);
    asks(&mut world, 50);
    // Both began in one block.
    let (first, second) = (twap(12, 3), twap(24, 3));
    let orders = [first, second].map(Action::Order).to_vec();
    world.block(&[(1, orders)]);
    world.time -= 500;
    // Due earliest first: the second order's first slice comes late, and catches up.
    let sent = next_slices(&mut world, 4);
    assert_eq!(sent, [ok(4), ok(16), ok(8), ok(8)]);
}

#[test]
fn slices_wait_while_the_market_is_not_open() {
    for status in [
        MarketStatus::PostOnly,
        MarketStatus::CancelOnly,
        MarketStatus::Auction,
    ] {
        let mut world = World::new();
        asks(&mut world, 50);
        sliced(&mut world, 1, twap(12, 6));
        world.set_status(BTC_PERP, status);
        let closed = next_slices(&mut world, 2);
        assert_eq!(closed, [vec![], vec![]]);
        world.set_status(BTC_PERP, MarketStatus::Open);
        // 2 lots traded with slice 0; three times as many come with slice 4.
        assert_eq!(next_slices(&mut world, 1), [ok(6)], "{status:?}");
    }
}

#[test]
fn a_slice_in_a_crossed_book_does_not_trade() {
    let mut world = World::new();
    world.set_status(BTC_PERP, MarketStatus::Auction);
    world.placed(2, order(BTC_PERP, ASK, 1_000, 5));
    world.placed(3, order(BTC_PERP, BID, 1_000, 5));
    sliced(&mut world, 1, twap(12, 6));
    world.set_status(BTC_PERP, MarketStatus::Open);
    assert_eq!(next_slices(&mut world, 1), [[(4, 0, Code::MarketAuction)]]);
}

#[test]
fn an_amend_changes_the_total_and_the_schedule_goes_on() {
    // 4 of 12 lots have traded in the first of 3 slices; the new total, and the next slices.
    let cases: &[(Lots, &[Lots], Option<Is>)] = &[
        (24, &[12, 8], None),
        (9, &[2, 3], None),
        (4, &[], Some(Is::Gone)),
        (6, &[0, 2], None),
    ];
    for (size, sizes, state) in cases {
        let mut world = World::new();
        asks(&mut world, 50);
        let id = sliced(&mut world, 1, twap(12, 3));
        world.block(&[]);
        let amend = Action::Amend(Amend {
            order: OrderRef::Id(id),
            price: 1_500,
            size: *size,
            keep_on_reject: false,
            max_fills: 6,
        });
        let mut sent = vec![slices(&world.block(&[(1, vec![amend])]))];
        sent.extend(next_slices(&mut world, 1));
        let expected = sizes
            .iter()
            .map(|lots| if *lots > 0 { ok(*lots) } else { vec![] });
        let mut expected: Vec<_> = expected.collect();
        expected.resize(2, vec![]);
        assert_eq!(sent, expected, "a total of {size}");
        if let Some(state) = state {
            assert_eq!(world.state_of(id), *state);
        }
    }
}

#[test]
fn a_cancelled_order_sends_no_slice() {
    let mut world = World::new();
    asks(&mut world, 50);
    let id: OrderId = sliced(&mut world, 1, twap(12, 3));
    let cancel = Action::Cancel(Cancel::Order(id));
    let events = world.block(&[(1, vec![cancel])]);
    assert_eq!(slices(&events), []);
    assert_eq!(removals(&events), [Removal::Cancelled]);
}

#[test]
fn a_dead_order_sends_no_slice_before_it_is_swept() {
    let mut world = World::with(|spec| spec.limits.sweep_orders = 1);
    asks(&mut world, 50);
    let until = TimeInForce::Gtb(4);
    let dying = Order {
        tif: until,
        ..twap(12, 3)
    };
    let orders = vec![Action::Order(dying), Action::Order(dying)];
    world.block(&[(1, orders)]);
    world.time -= 500;
    assert_eq!(next_slices(&mut world, 1), [[ok(4), ok(4)].concat()]);
    let events = world.block(&[]);
    assert_eq!(removals(&events), [Removal::Expired]);
    assert_eq!(slices(&events), [], "one is dead and waits for the sweep");
}

#[test]
fn schedules_have_a_form() {
    let good = twap(12, 3);
    let with = |duration_ms, interval_ms, tolerance_ppm| Order {
        twap: Some(Twap {
            duration_ms,
            interval_ms,
            tolerance_ppm,
        }),
        ..good
    };
    let trigger = Some(Trigger {
        source: PriceSource::Mark,
        condition: Condition::AtOrAbove(1),
    });
    let tif = |tif| Order { tif, ..good };
    let cases = [
        (good, Code::Ok),
        (with(2_000, 1_000, 1), Code::Ok),
        (with(86_400_000, 3_600_000, 1_000_000), Code::Ok),
        (with(1_999, 1_000, 1), Code::BadTwap),
        (with(2_000, 999, 1), Code::BadTwap),
        (with(86_400_001, 1_000, 1), Code::BadTwap),
        (with(86_400_000, 3_600_001, 1), Code::BadTwap),
        (with(u64::MAX, u64::MAX, 1), Code::BadTwap),
        (with(2_000, 1_000, 0), Code::BadTwap),
        (with(2_000, 1_000, 1_000_001), Code::BadTwap),
        (good.post_only(PostOnly::Slide), Code::BadTwap),
        (Order { trigger, ..good }, Code::BadTwap),
        (
            Order {
                display: Some(2),
                ..good
            },
            Code::BadTwap,
        ),
        (tif(TimeInForce::Ioc), Code::BadTwap),
        (tif(TimeInForce::Fok), Code::BadTwap),
        (tif(TimeInForce::Gtb(9)), Code::Ok),
        (
            Order {
                market: MarketId(5),
                ..good
            },
            Code::BadTwap,
        ),
    ];
    for (order, code) in cases {
        assert_eq!(World::new().place(1, order).0, code, "{order:?}");
    }
}
