//! Auctions. BTC-PERP trades in batches, unless a test says otherwise; its mark is 1,000.

use super::{BTC_PERP, BTC_SPOT, Is, World, codes, order, removals, results};
use ballast_types::{
    Action, BlockEvents, Code, Condition, Event, GroupId, LinkKind, LinkRule, Linked, Lots,
    MarketStatus, Matching, Order, OrderId, PostOnly, PriceKind, PriceSource, Quote, QuoteSide,
    Quotes, Removal, SelfTrade, SelfTradeScope, SetProtection, Sharing, Side, Ticks, TimeInForce,
    Trigger,
};

const BID: Side = Side::Buy;
const ASK: Side = Side::Sell;

fn bid(price: Ticks, size: Lots) -> Order {
    order(BTC_PERP, BID, price, size)
}

fn ask(price: Ticks, size: Lots) -> Order {
    order(BTC_PERP, ASK, price, size)
}

fn batch() -> World {
    World::with(|spec| {
        spec.markets[1].matching = Matching::Batch;
        spec.markets[1].min_size = 1;
    })
}

/// Places orders one after the other while the market is in auction. Returns their ids, and the
/// block that opens the market.
fn auction(world: &mut World, orders: &[(usize, Order)]) -> (Vec<OrderId>, BlockEvents) {
    world.set_status(BTC_PERP, MarketStatus::Auction);
    let place = |(who, order): &(usize, Order)| world.placed(*who, *order);
    let ids = orders.iter().map(place).collect();
    world.set_status(BTC_PERP, MarketStatus::Open);
    (ids, world.block(&[]))
}

/// Price, volume, imbalance, and lots that traded.
fn auctions(events: &BlockEvents) -> Vec<(Ticks, Lots, Lots, Lots)> {
    let auctions = events.events.iter().filter_map(|event| match event {
        Event::Auction {
            price,
            volume,
            imbalance,
            traded,
            ..
        } => Some((*price, *volume, *imbalance, *traded)),
        _ => None,
    });
    auctions.collect()
}

/// Maker, taker and lots of each fill.
fn fills(events: &BlockEvents) -> Vec<(OrderId, OrderId, Lots)> {
    let fills = events.events.iter().filter_map(|event| match event {
        Event::Fill {
            maker, taker, size, ..
        } => Some((*maker, *taker, *size)),
        _ => None,
    });
    fills.collect()
}

#[test]
fn the_price_gives_most_volume_then_balance_then_nearness_then_the_lower() {
    type Book<'a> = &'a [(Side, Ticks, Lots)];
    // Orders; mark; price, volume, imbalance.
    let cases: &[(Book, Ticks, (Ticks, Lots, Lots))] = &[
        (&[(BID, 1_010, 5), (ASK, 1_010, 5)], 1_000, (1_010, 5, 0)),
        // A range without a difference: the nearest to the mark.
        (&[(BID, 1_020, 5), (ASK, 990, 5)], 1_000, (1_000, 5, 0)),
        (&[(BID, 1_020, 5), (ASK, 1_005, 5)], 1_000, (1_005, 5, 0)),
        (&[(BID, 990, 5), (ASK, 980, 5)], 1_000, (990, 5, 0)),
        // Volume first.
        (
            &[(BID, 1_020, 5), (BID, 990, 6), (ASK, 980, 9)],
            1_020,
            (990, 9, 2),
        ),
        // Then balance: 1,001 and above only 5 want to buy.
        (
            &[(BID, 1_020, 5), (BID, 1_000, 5), (ASK, 980, 5)],
            980,
            (1_001, 5, 0),
        ),
        // As near above as below.
        (
            &[
                (BID, 1_020, 5),
                (BID, 998, 3),
                (ASK, 980, 5),
                (ASK, 1_003, 3),
            ],
            1_000,
            (1_000, 5, 0),
        ),
        (&[(BID, 1_010, 9), (ASK, 990, 4)], 1_000, (1_000, 4, 5)),
    ];
    for (book, mark, expected) in cases {
        let mut world = World::new();
        let who = |side| if side == BID { 1 } else { 2 };
        world.set_mark(BTC_PERP, *mark);
        let orders = book
            .iter()
            .map(|(side, price, size)| (who(*side), order(BTC_PERP, *side, *price, *size)));
        let orders: Vec<_> = orders.collect();
        let (_, events) = auction(&mut world, &orders);
        let (price, volume, imbalance) = *expected;
        let all = (price, volume, imbalance, volume);
        assert_eq!(auctions(&events), [all], "{book:?}");
        assert_eq!(world.model.lasts()[1], price);
        assert_eq!(world.position(1, BTC_PERP), volume);
    }
}

#[test]
fn a_spot_auction_is_near_the_last_price_else_the_index_else_zero() {
    for (last, index, price) in [(0, 0, 980), (0, 1_010, 1_010), (995, 1_010, 995)] {
        let mut world = World::new();
        if last > 0 {
            world.placed(3, order(BTC_SPOT, ASK, last, 2));
            world.placed(4, order(BTC_SPOT, BID, last, 2));
        }
        if index > 0 {
            world.set_price(BTC_SPOT, PriceKind::Index, index);
        }
        world.set_status(BTC_SPOT, MarketStatus::Auction);
        world.placed(1, order(BTC_SPOT, BID, 1_020, 5));
        world.placed(2, order(BTC_SPOT, ASK, 980, 5));
        world.set_status(BTC_SPOT, MarketStatus::Open);
        assert_eq!(auctions(&world.block(&[])), [(price, 5, 0, 5)]);
    }
}

#[test]
fn the_worst_level_is_shared_by_time_or_by_lots() {
    // Lots of bids at 1,000 (and 5 more at 1,001), an ask; what each bid trades.
    let cases: &[(Sharing, &[Lots], Lots, &[Lots])] = &[
        (Sharing::Time, &[10, 20, 30], 35, &[10, 20, 0]),
        (Sharing::ProRata, &[10, 20, 30], 35, &[5, 10, 15]),
        // 5, 10 and 15 of 60, and the remainders of 2: to the oldest of equal ones.
        (Sharing::ProRata, &[10, 20, 30], 37, &[5, 11, 16]),
        (Sharing::ProRata, &[10, 10, 10], 15, &[4, 3, 3]),
        (Sharing::ProRata, &[10, 10, 10], 35, &[10, 10, 10]),
        (Sharing::ProRata, &[2, 2, 30], 6, &[0, 0, 1]),
    ];
    for (sharing, bids, size, expected) in cases {
        let mut world = World::with(|spec| spec.markets[1].sharing = *sharing);
        let mut orders: Vec<_> = bids.iter().map(|size| (1, bid(1_000, *size))).collect();
        orders.push((1, bid(1_001, 5)));
        orders.push((2, ask(990, *size)));
        let (ids, _) = auction(&mut world, &orders);
        let left: Vec<Is> = ids.iter().map(|id| world.state_of(*id)).collect();
        let expected: Vec<Is> = bids
            .iter()
            .zip(*expected)
            .map(|(lots, traded)| match lots - traded {
                0 => Is::Gone,
                rest => Is::Resting(rest),
            })
            .collect();
        assert_eq!(left[..3], expected, "{sharing:?} {bids:?} {size}");
        assert_eq!(left[3], Is::Gone, "the better level trades whole");
    }
}

#[test]
fn better_prices_first_then_older_and_the_older_of_a_pair_makes() {
    let mut world = World::new();
    let orders = [
        (1, bid(1_000, 3)),
        (2, ask(1_000, 4)),
        (3, bid(1_002, 2)),
        (4, bid(1_000, 6)),
        (2, ask(999, 3)),
    ];
    let (ids, events) = auction(&mut world, &orders);
    assert_eq!(auctions(&events), [(1_000, 7, 4, 7)]);
    let expected = [
        (ids[2], ids[4], 2),
        (ids[0], ids[4], 1),
        (ids[0], ids[1], 2),
        (ids[1], ids[3], 2),
    ];
    assert_eq!(fills(&events), expected);
    // One price for all, and fees by who made.
    for event in &events.events {
        if let Event::Fill {
            price,
            size,
            maker_fee,
            taker_fee,
            ..
        } = event
        {
            let lots = i128::from(*size);
            assert_eq!(*price, 1_000);
            assert_eq!((*maker_fee, *taker_fee), (lots * 100, lots * 350));
        }
    }
    assert_eq!(world.book(BTC_PERP), [vec![(1_000, 4)], vec![]]);
}

#[test]
fn a_batch_market_trades_at_the_end_of_each_block() {
    let mut world = batch();
    let bids = vec![Action::Order(bid(1_010, 5))];
    let asks = vec![Action::Order(ask(990, 8))];
    let events = world.block(&[(1, bids), (2, asks)]);
    assert_eq!(codes(&events), [Code::Ok, Code::Ok]);
    let filled: Vec<Lots> = results(&events).iter().map(|r| r.filled).collect();
    assert_eq!(filled, [0, 0], "results count no auction");
    assert_eq!(auctions(&events), [(1_000, 5, -3, 5)]);
    assert_eq!(world.book(BTC_PERP), [vec![], vec![(990, 3)]]);
    // A quiet block tells nothing.
    assert_eq!(auctions(&world.block(&[])), []);
}

#[test]
fn in_a_market_that_collects_no_order_takes() {
    // An order against a bid of 5 at 1,000 in a batch: its code, what trades, why the rest goes.
    let tif = |tif| Order { tif, ..ask(990, 8) };
    let cases = [
        (ask(990, 8), Code::Ok, 5, vec![]),
        (tif(TimeInForce::Ioc), Code::Ok, 5, vec![Removal::Ioc]),
        (
            tif(TimeInForce::Fok),
            Code::FokUnfilled,
            0,
            vec![Removal::Ioc],
        ),
        (
            ask(990, 8).post_only(PostOnly::Reject),
            Code::PostOnlyWouldTrade,
            0,
            vec![],
        ),
        (ask(990, 8).post_only(PostOnly::Slide), Code::Ok, 0, vec![]),
        (
            Order {
                reduce_only: true,
                ..ask(990, 8)
            },
            Code::ReduceOnly,
            0,
            vec![],
        ),
    ];
    for (taker, code, traded, reasons) in cases {
        let mut world = batch();
        world.placed(1, bid(1_000, 5));
        let events = world.block(&[(2, vec![Action::Order(taker)])]);
        assert_eq!(codes(&events), [code], "{taker:?}");
        assert_eq!(removals(&events), reasons);
        assert_eq!(world.position(1, BTC_PERP), traded);
    }
}

#[test]
fn a_status_collects_and_tells_what_an_auction_would_do() {
    for (next, trades) in [
        (MarketStatus::Open, true),
        (MarketStatus::PostOnly, true),
        (MarketStatus::CancelOnly, false),
        (MarketStatus::Suspended, false),
    ] {
        let mut world = World::new();
        world.set_status(BTC_PERP, MarketStatus::Auction);
        world.placed(1, bid(1_010, 5));
        let events = world.block(&[(2, vec![Action::Order(ask(990, 8))])]);
        assert_eq!(auctions(&events), [(1_000, 5, -3, 0)]);
        assert_eq!(auctions(&world.block(&[])), [], "nothing has changed");
        for tif in [TimeInForce::Ioc, TimeInForce::Fok] {
            let order = Order {
                tif,
                ..bid(1_000, 5)
            };
            assert_eq!(world.place(3, order), (Code::MarketAuction, 0));
        }
        world.set_status(BTC_PERP, next);
        let expected = if trades {
            vec![(1_000, 5, -3, 5)]
        } else {
            vec![]
        };
        assert_eq!(auctions(&world.block(&[])), expected, "{next:?}");
        let crossed = world.model.is_crossed(BTC_PERP);
        assert_eq!(crossed, !trades);
    }
}

#[test]
fn a_book_that_comes_back_crossed_collects_once_more() {
    let mut world = World::new();
    world.set_status(BTC_PERP, MarketStatus::Auction);
    world.placed(1, bid(1_000, 5));
    world.placed(2, ask(1_000, 5));
    world.set_status(BTC_PERP, MarketStatus::Open);
    // In the block that opens the market this order does not take, but it trades with the rest.
    let events = world.block(&[(3, vec![Action::Order(bid(1_001, 2))])]);
    assert_eq!(results(&events)[0].filled, 0);
    assert_eq!(auctions(&events), [(1_000, 5, 2, 5)]);
    assert_eq!(world.position(3, BTC_PERP), 2);
    assert_eq!(world.place(4, ask(1_000, 2)), (Code::Ok, 2));
}

#[test]
fn self_trade_is_by_the_mode_of_the_younger() {
    // 5 against 8 lots of one account; what is removed.
    let cases = [
        (SelfTrade::CancelTaker, [false, true]),
        (SelfTrade::CancelMaker, [true, false]),
        (SelfTrade::CancelBoth, [true, true]),
        (SelfTrade::Decrement, [false, true]),
    ];
    for (mode, gone) in cases {
        for scope in [SelfTradeScope::Account, SelfTradeScope::Master] {
            for maker in [BID, ASK] {
                let mut world = World::new();
                let other = SelfTrade::CancelMaker;
                let order = |side, size, self_trade| Order {
                    self_trade,
                    self_trade_scope: scope,
                    ..order(BTC_PERP, side, 1_000, size)
                };
                let orders = [
                    (1, order(maker, 5, other)),
                    (1, order(maker.opposite(), 8, mode)),
                ];
                let (ids, events) = auction(&mut world, &orders);
                let states = [0, 1].map(|at| world.state_of(ids[at]) == Is::Gone);
                assert_eq!(states, gone, "{mode:?}");
                let number = gone.iter().filter(|gone| **gone).count();
                assert_eq!(removals(&events), vec![Removal::SelfTrade; number]);
                assert_eq!(fills(&events), []);
            }
        }
    }
}

#[test]
fn hidden_lots_trade_too_and_the_next_show_once() {
    let iceberg = Order {
        display: Some(3),
        ..bid(1_000, 20)
    };
    // An ask, what remains of the iceberg and what it shows, whether it is refreshed.
    for (size, remaining, shown, refreshed) in [
        (2, 18, 1, false),
        (3, 17, 3, true),
        (10, 10, 3, true),
        (18, 2, 2, true),
    ] {
        let mut world = World::new();
        let orders = [(1, iceberg), (3, bid(1_000, 5)), (2, ask(1_000, size))];
        let (ids, events) = auction(&mut world, &orders);
        assert_eq!(
            fills(&events),
            [(ids[0], ids[2], size)],
            "it keeps its place"
        );
        let order = &world.model.state.orders[&ids[0]];
        assert_eq!((order.remaining, order.shown), (remaining, shown));
        let refreshes = events
            .events
            .iter()
            .filter(|event| matches!(event, Event::Refreshed { .. }));
        assert_eq!(refreshes.count(), usize::from(refreshed), "{size}");
    }
}

#[test]
fn what_a_limit_leaves_trades_in_the_next_block() {
    let mut world = World::with(|spec| spec.limits.auction_fills = 2);
    let mut orders = vec![(2, ask(1_000, 20))];
    orders.extend([bid(1_000, 5); 4].map(|bid| (1, bid)));
    let (_, events) = auction(&mut world, &orders);
    assert_eq!(auctions(&events), [(1_000, 20, 0, 10)]);
    assert!(world.model.is_crossed(BTC_PERP));
    assert_eq!(auctions(&world.block(&[])), [(1_000, 10, 0, 10)]);
    assert_eq!(world.book(BTC_PERP), [vec![], vec![]]);
}

#[test]
fn of_a_level_with_more_orders_than_fills_the_oldest_share() {
    let mut world = World::with(|spec| {
        spec.markets[1].sharing = Sharing::ProRata;
        spec.limits.auction_fills = 2;
    });
    let mut orders = vec![(2, ask(1_000, 8))];
    orders.extend([bid(1_000, 10); 4].map(|bid| (1, bid)));
    let (ids, _) = auction(&mut world, &orders);
    let left: Vec<Is> = ids[1..].iter().map(|id| world.state_of(*id)).collect();
    assert_eq!(left, [6, 6, 10, 10].map(Is::Resting));
}

#[test]
fn who_may_not_trade_goes() {
    // Person 1 is long 5 lots; both its asks only reduce that.
    let mut world = World::new();
    world.trade(1, 2, BTC_PERP, 1_000, 5);
    let stop = Order {
        reduce_only: true,
        ..ask(1_000, 5)
    };
    let orders = [(1, stop), (1, stop), (3, bid(1_000, 12))];
    let (ids, events) = auction(&mut world, &orders);
    assert_eq!(fills(&events), [(ids[0], ids[2], 5)]);
    assert_eq!(removals(&events), [Removal::ReduceOnly]);
    assert_eq!(world.position(1, BTC_PERP), 0);

    // Of 3 dead orders the sweep takes one; the auction takes those that it meets.
    let mut world = World::with(|spec| spec.limits.sweep_orders = 1);
    let dying = Order {
        tif: TimeInForce::Gtb(6),
        ..ask(1_000, 5)
    };
    let orders = [(1, dying), (1, dying), (3, bid(1_000, 4))];
    world.set_status(BTC_PERP, MarketStatus::Auction);
    for (who, order) in orders {
        world.placed(who, order);
    }
    world.set_status(BTC_PERP, MarketStatus::Open);
    let events = world.block(&[]);
    assert_eq!(removals(&events), [Removal::Expired, Removal::Expired]);
    assert_eq!(auctions(&events), [(1_000, 4, -1, 0)]);
}

#[test]
fn a_protection_bounds_what_quotes_trade() {
    let mut world = World::new();
    let group = GroupId(0);
    let settings = SetProtection {
        group,
        interval_ms: 60_000,
        freeze_ms: 60_000,
        notional: 4 * 1_000 * 1_000,
        delta: 0,
        vega: 0,
    };
    let side = |price| Some(QuoteSide { price, size: 10 });
    let quotes = Quotes {
        group,
        post_only: PostOnly::Reject,
        quotes: vec![Quote {
            market: BTC_PERP,
            bid: side(1_000),
            ask: side(1_010),
        }],
    };
    world.set_status(BTC_PERP, MarketStatus::Auction);
    let actions = vec![Action::SetProtection(settings), Action::Quotes(quotes)];
    world.block(&[(1, actions)]);
    world.placed(3, bid(1_000, 5));
    world.placed(2, ask(1_000, 8));
    world.set_status(BTC_PERP, MarketStatus::Open);
    let events = world.block(&[]);
    // 4 lots of the quote, then the other bid; the other quote goes after the auction.
    assert_eq!(
        removals(&events),
        [Removal::Protection, Removal::Protection]
    );
    assert_eq!(world.position(1, BTC_PERP), 4);
    assert_eq!(world.position(3, BTC_PERP), 4);
    assert_eq!(auctions(&events), [(1_000, 8, 7, 8)]);
}

#[test]
fn links_act_in_an_auction() {
    // A pair of bids, the second after a trigger, against 12 lots. The first trades 10.
    for (rule, traded) in [
        (LinkRule::FirstHit, 10),
        (LinkRule::CompleteFill, 10),
        (LinkRule::Incremental, 10),
    ] {
        let mut world = batch();
        let trigger = Some(Trigger {
            source: PriceSource::Mark,
            condition: Condition::AtOrAbove(1),
        });
        let leg = Order {
            trigger,
            ..bid(1_000, 10)
        };
        let linked = Linked {
            kind: LinkKind::Oco,
            rule,
            order: bid(1_001, 10),
            legs: vec![leg],
        };
        let result = world.act(1, Action::Linked(linked));
        let ids = result.parts.iter().map(|part| part.order.unwrap());
        let ids: Vec<OrderId> = ids.collect();
        world.block(&[]);
        assert_eq!(world.state_of(ids[1]), Is::Resting(10));
        let events = world.block(&[(2, vec![Action::Order(ask(1_000, 12))])]);
        assert_eq!(world.position(1, BTC_PERP), traded, "{rule:?}");
        assert_eq!(removals(&events), [Removal::Linked]);
        assert!(ids.iter().all(|id| world.state_of(*id) == Is::Gone));
        assert_eq!(world.book(BTC_PERP), [vec![], vec![(1_000, 2)]]);
    }
}

#[test]
fn an_ioc_leg_that_rested_for_an_auction_ends_its_other() {
    let mut world = batch();
    let trigger = Some(Trigger {
        source: PriceSource::Mark,
        condition: Condition::AtOrBelow(950),
    });
    let leg = Order {
        trigger,
        tif: TimeInForce::Ioc,
        ..ask(900, 10)
    };
    let linked = Linked {
        kind: LinkKind::Oco,
        rule: LinkRule::Incremental,
        order: ask(1_100, 10),
        legs: vec![leg],
    };
    world.act(1, Action::Linked(linked));
    let events = world.set_price(BTC_PERP, PriceKind::Mark, 950);
    assert_eq!(removals(&events), [Removal::Ioc, Removal::Linked]);
    assert_eq!(world.book(BTC_PERP), [vec![], vec![]]);
}
