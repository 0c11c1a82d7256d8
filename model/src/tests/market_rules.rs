//! What markets take: statuses, published prices, bands, notionals, orders that slide.

use super::{BTC_PERP, BTC_SPOT, ETH_PERP, World, codes, order, removals};
use ballast_types::{
    Action, Amend, Cancel, Code, Condition, Event, MarketId, MarketStatus, Order, OrderRef,
    PostOnly, PriceKind, PriceSource, PriceUpdate, Removal, SetMarketStatus, Side, TimeInForce,
    Trigger,
};

const BID: Side = Side::Buy;
const ASK: Side = Side::Sell;

#[test]
fn a_status_says_what_a_market_takes() {
    let resting = order(BTC_PERP, BID, 900, 5).post_only(PostOnly::Reject);
    let taking = order(BTC_PERP, BID, 900, 5);
    let waiting = |order| Order {
        trigger: Some(Trigger {
            source: PriceSource::Mark,
            condition: Condition::AtOrAbove(2_000),
        }),
        ..order
    };
    let orders = [resting, taking, waiting(resting), waiting(taking)];
    let (good, post, cancel) = (Code::Ok, Code::MarketPostOnly, Code::MarketCancelOnly);
    for (status, expected) in [
        (MarketStatus::Open, [good; 4]),
        (MarketStatus::PostOnly, [good, post, good, post]),
        (MarketStatus::CancelOnly, [cancel; 4]),
        (MarketStatus::Suspended, [cancel; 4]),
    ] {
        let mut world = World::new();
        world.set_status(BTC_PERP, status);
        let codes = orders.map(|order| world.place(1, order).0);
        assert_eq!(codes, expected, "{status:?}");
        assert_eq!(
            world.place(1, order(ETH_PERP, BID, 900, 2)).0,
            good,
            "another market"
        );
    }
}

#[test]
fn a_status_counts_from_the_next_block_on() {
    let mut world = World::new();
    let change = |status| {
        let market = BTC_PERP;
        Action::SetMarketStatus(SetMarketStatus { market, status })
    };
    let bid = Action::Order(order(BTC_PERP, BID, 900, 2));
    // Of two in one block the later one counts.
    let first = vec![
        change(MarketStatus::Suspended),
        change(MarketStatus::CancelOnly),
    ];
    let events = world.block(&[(0, first), (1, vec![bid.clone()])]);
    assert_eq!(codes(&events), [Code::Ok; 3]);
    let events = world.block(&[(1, vec![bid])]);
    assert_eq!(codes(&events), [Code::MarketCancelOnly]);
    let status = MarketStatus::CancelOnly;
    let market = BTC_PERP;
    assert_eq!(events.events, [Event::Status { market, status }]);
    assert_eq!(
        world.act(1, change(MarketStatus::Open)).code,
        Code::NotPriceAuthority
    );
    let nowhere = SetMarketStatus {
        market: MarketId(99),
        status,
    };
    let result = world.act(0, Action::SetMarketStatus(nowhere));
    assert_eq!(result.code, Code::UnknownMarket);
}

#[test]
fn orders_shrink_and_leave_a_market_of_any_status() {
    for status in [MarketStatus::CancelOnly, MarketStatus::Suspended] {
        let mut world = World::new();
        let id = world.placed(1, order(BTC_PERP, BID, 900, 10));
        world.set_status(BTC_PERP, status);
        let amend = |price, size| {
            Action::Amend(Amend {
                order: OrderRef::Id(id),
                price,
                size,
                keep_on_reject: true,
                max_fills: 6,
            })
        };
        assert_eq!(world.act(1, amend(900, 8)).code, Code::Ok);
        assert_eq!(world.act(1, amend(910, 8)).code, Code::MarketCancelOnly);
        assert_eq!(world.act(1, amend(900, 9)).code, Code::MarketCancelOnly);
        assert_eq!(world.book(BTC_PERP)[0], [(900, 8)]);
        let events = world.block(&[(1, vec![Action::Cancel(Cancel::Order(id))])]);
        assert_eq!(removals(&events), [Removal::Cancelled]);
    }
}

#[test]
fn the_prices_of_a_suspended_market_wait() {
    let mut world = World::new();
    world.set_status(BTC_PERP, MarketStatus::Suspended);
    world.set_price(BTC_PERP, PriceKind::Mark, 1_100);
    world.set_price(BTC_PERP, PriceKind::Index, 1_200);
    world.set_price(BTC_PERP, PriceKind::Mark, 1_150);
    assert_eq!(
        (world.model.marks()[1], world.model.indexes()[1]),
        (1_000, 1_000)
    );
    world.set_status(BTC_PERP, MarketStatus::CancelOnly);
    let events = world.block(&[]);
    assert_eq!(
        (world.model.marks()[1], world.model.indexes()[1]),
        (1_150, 1_200)
    );
    let market = BTC_PERP;
    let expected = [
        Event::Status {
            market,
            status: MarketStatus::CancelOnly,
        },
        Event::Mark {
            market,
            price: 1_150,
        },
        Event::Index {
            market,
            price: 1_200,
        },
    ];
    assert_eq!(events.events, expected);
}

#[test]
fn authorities_publish_marks_of_perpetuals_and_indexes_of_all() {
    let cases = [
        (BTC_PERP, PriceKind::Mark, 100_000, Code::Ok),
        (BTC_PERP, PriceKind::Index, 1, Code::Ok),
        (BTC_PERP, PriceKind::Index, 0, Code::BadPrice),
        (BTC_PERP, PriceKind::Mark, 100_001, Code::BadPrice),
        (BTC_SPOT, PriceKind::Mark, 1_000, Code::BadPrice),
        (BTC_SPOT, PriceKind::Index, 1_000, Code::Ok),
        (MarketId(99), PriceKind::Index, 1_000, Code::UnknownMarket),
    ];
    for (market, kind, price, code) in cases {
        let mut world = World::new();
        let update = PriceUpdate {
            market,
            kind,
            price,
        };
        let result = world.act(0, Action::SetPrices(vec![update]));
        assert_eq!(result.code, code, "{update:?}");
    }
}

#[test]
fn a_band_bounds_bids_above_and_asks_below_its_reference() {
    // 5% of 1,010 is 50.
    let cases = [
        (BTC_PERP, BID, 1_060, Code::Ok),
        (BTC_PERP, BID, 1_061, Code::PriceBand),
        (BTC_PERP, BID, 500, Code::Ok),
        (BTC_PERP, ASK, 960, Code::Ok),
        (BTC_PERP, ASK, 959, Code::PriceBand),
        (BTC_PERP, ASK, 2_000, Code::Ok),
        // The reference of spot is its index.
        (BTC_SPOT, BID, 1_060, Code::Ok),
        (BTC_SPOT, BID, 1_061, Code::PriceBand),
    ];
    let world = || {
        World::with(|spec| {
            spec.markets[0].price_band_ppm = 50_000;
            spec.markets[1].price_band_ppm = 50_000;
        })
    };
    for (market, side, price, code) in cases {
        let mut world = world();
        world.set_price(BTC_PERP, PriceKind::Mark, 1_010);
        world.set_price(BTC_PERP, PriceKind::Index, 3_000);
        world.set_price(BTC_SPOT, PriceKind::Index, 1_010);
        let order = order(market, side, price, 2);
        assert_eq!(world.place(1, order).0, code, "{market} {side:?} {price}");
    }
    let bid = order(BTC_SPOT, BID, 1_500, 2);
    assert_eq!(world().place(1, bid).0, Code::Ok, "without an index");
}

#[test]
fn notionals_have_bounds() {
    // A lot at 1,000 is 1,000,000.
    let reduce = |order| Order {
        reduce_only: true,
        ..order
    };
    let ask = |size| order(BTC_PERP, ASK, 1_000, size);
    let cases = [
        (ask(4), Code::BadNotional),
        (ask(5), Code::Ok),
        (reduce(ask(4)), Code::Ok),
        (ask(20), Code::Ok),
        (ask(21), Code::BadNotional),
        (reduce(ask(21)), Code::BadNotional),
    ];
    for (order, code) in cases {
        let mut world = World::with(|spec| {
            spec.markets[1].min_notional = 5_000_000;
            spec.markets[1].max_notional = 20_000_000;
        });
        world.trade(1, 2, BTC_PERP, 1_000, 20);
        assert_eq!(world.place(1, order).0, code, "{order:?}");
    }
}

#[test]
fn an_amend_may_leave_less_than_the_smallest_notional_but_not_more_than_the_largest() {
    let mut world = World::with(|spec| {
        spec.markets[1].min_notional = 5_000_000;
        spec.markets[1].max_notional = 20_000_000;
    });
    let id = world.placed(1, order(BTC_PERP, BID, 1_000, 6));
    let mut amend = |price, size| {
        let amend = Amend {
            order: OrderRef::Id(id),
            price,
            size,
            keep_on_reject: true,
            max_fills: 6,
        };
        world.act(1, Action::Amend(amend)).code
    };
    assert_eq!(amend(1_000, 21), Code::BadNotional);
    assert_eq!(amend(999, 3), Code::Ok);
}

#[test]
fn a_sliding_order_rests_one_tick_behind_the_other_side() {
    // Side and price of the order, and of the one that it would meet; where it rests.
    let cases = [
        (BID, 1_010, Some(1_000), Some(999)),
        (BID, 1_000, Some(1_000), Some(999)),
        (BID, 999, Some(1_000), Some(999)),
        (BID, 1_010, None, Some(1_010)),
        (ASK, 990, Some(1_000), Some(1_001)),
        (ASK, 1_001, Some(1_000), Some(1_001)),
        (BID, 1_010, Some(1), None),
        (ASK, 990, Some(2_000), None),
    ];
    for (side, price, other, rests) in cases {
        let mut world = World::with(|spec| spec.markets[0].max_price = 2_000);
        if let Some(other) = other {
            world.placed(2, order(BTC_SPOT, side.opposite(), other, 2));
        }
        let order = order(BTC_SPOT, side, price, 2).post_only(PostOnly::Slide);
        let code = world.place(1, order).0;
        let [bids, asks] = world.book(BTC_SPOT);
        let own = if side == BID { bids } else { asks };
        let expected = rests.map_or(vec![], |price| vec![(price, 2)]);
        assert_eq!(own, expected, "{side:?} {price} {other:?}");
        let refused = rests.is_none();
        assert_eq!(code == Code::PostOnlyWouldTrade, refused);
    }
}

#[test]
fn what_a_sliding_order_reserves_follows_its_price() {
    let mut world = World::new();
    world.placed(2, order(BTC_PERP, ASK, 1_000, 2));
    world.placed(
        1,
        order(BTC_PERP, BID, 1_050, 10).post_only(PostOnly::Slide),
    );
    let slid = world.model.margin(world.account(1)).initial;
    world.placed(3, order(BTC_PERP, BID, 999, 10));
    assert_eq!(slid, world.model.margin(world.account(3)).initial);
}

#[test]
fn an_order_is_good_until_a_block() {
    // The order comes in block 1.
    for (end, code) in [(0, Code::Expired), (1, Code::Expired), (2, Code::Ok)] {
        let bid = Order {
            tif: TimeInForce::Gtb(end),
            ..order(BTC_PERP, BID, 900, 2)
        };
        assert_eq!(World::new().place(1, bid).0, code);
    }
    // Sweeping takes two a block: those with a time as end first, then the lowest end.
    let mut world = World::new();
    let ends = [
        TimeInForce::Gtb(5),
        TimeInForce::Gtb(6),
        TimeInForce::Gtb(5),
        TimeInForce::Gtt(world.time + 5_000),
    ];
    let ids = [0, 1, 2, 3].map(|at: usize| {
        let bid = Order {
            tif: ends[at],
            ..order(BTC_PERP, BID, 900, 2)
        };
        world.placed(at, bid)
    });
    let gone: Vec<_> = (5..=6).map(|_| expired(&mut world)).collect();
    assert_eq!(gone, [vec![ids[3], ids[0]], vec![ids[2], ids[1]]]);
}

fn expired(world: &mut World) -> Vec<ballast_types::OrderId> {
    let events = world.block(&[]).events;
    let removed = events.iter().filter_map(|event| match event {
        Event::Removed {
            order,
            reason: Removal::Expired,
            ..
        } => Some(*order),
        _ => None,
    });
    removed.collect()
}

#[test]
fn a_maker_that_is_dead_by_height_is_removed_when_it_is_met() {
    let mut world = World::with(|spec| spec.limits.sweep_orders = 0);
    let ask = Order {
        tif: TimeInForce::Gtb(2),
        ..order(BTC_PERP, ASK, 1_000, 5)
    };
    world.placed(1, ask);
    let events = world.block(&[(2, vec![Action::Order(order(BTC_PERP, BID, 1_000, 3))])]);
    assert_eq!(removals(&events), [Removal::Expired]);
    assert_eq!(world.book(BTC_PERP), [vec![(1_000, 3)], vec![]]);
}
