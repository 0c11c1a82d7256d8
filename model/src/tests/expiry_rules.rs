//! How futures expire. Blocks are a second apart; the future has 400 atoms a tick, and its mark and
//! index begin at 1,000.

use super::{BTC_PERP, Is, World, codes, order, removals};
use ballast_types::{
    Action, Amend, AssetId, BlockEvents, Cancel, Code, Condition, Event, LinkKind, LinkRule,
    Linked, MarketId, MarketKind, MarketStatus, Order, OrderId, OrderRef, PartResult, PostOnly,
    PriceKind, PriceSource, PriceUpdate, Quote, QuoteSide, Quotes, Removal, Scale, SetMarketStatus,
    Side, Ticks, TimeInForce, Trigger, Twap,
};

const BID: Side = Side::Buy;
const ASK: Side = Side::Sell;
const FUTURE: MarketId = MarketId(7);
const HALF_HOUR: u64 = 1_800_000;

/// The future expires so many ms after genesis.
fn expiring(after: u64) -> World {
    World::with(|spec| {
        let expiry = spec.genesis_time + after;
        spec.markets[FUTURE.index()].kind = MarketKind::Future { expiry };
    })
}

/// Blocks until the future is settled, and what happened in the last one.
fn expire(world: &mut World) -> BlockEvents {
    while world.model.statuses()[FUTURE.index()] != MarketStatus::Settled {
        let events = world.block(&[]);
        if settled_at(&events).is_some() {
            return events;
        }
    }
    panic!("settled before");
}

fn settled_at(events: &BlockEvents) -> Option<Ticks> {
    events.events.iter().find_map(|event| match event {
        Event::Settled { market, price } => {
            assert_eq!(*market, FUTURE);
            Some(*price)
        }
        _ => None,
    })
}

fn waiting(order: Order) -> Order {
    let trigger = Some(Trigger {
        source: PriceSource::Mark,
        condition: Condition::AtOrAbove(5_000),
    });
    Order { trigger, ..order }
}

fn update(market: MarketId, kind: PriceKind, price: Ticks) -> PriceUpdate {
    PriceUpdate {
        market,
        kind,
        price,
    }
}

fn status(market: MarketId, status: MarketStatus) -> Action {
    Action::SetMarketStatus(SetMarketStatus { market, status })
}

/// Ids of removed orders, in the order of the events.
fn removed(events: &BlockEvents) -> Vec<OrderId> {
    let removed = events.events.iter().filter_map(|event| match event {
        Event::Removed { order, .. } => Some(*order),
        _ => None,
    });
    removed.collect()
}

#[test]
fn until_it_expires_a_future_is_a_perpetual() {
    let mut world = World::new();
    world.trade(1, 2, FUTURE, 1_010, 10);
    let margin = world.model.margin(world.account(1));
    assert_eq!((margin.held, margin.equity), (320_000, 15_000_000 - 41_420));
    world.set_mark(FUTURE, 1_100);
    let margin = world.model.margin(world.account(1));
    let gain = 10 * 90 * 400;
    // The taker's fee of a lot at 1,010 is 142.
    let equity = 15_000_000 + gain - 1_420;
    assert_eq!((margin.held, margin.equity), (352_000, equity));
}

/// Height from which on, and index.
type From = (u64, Ticks);

#[test]
fn the_price_is_the_average_of_the_index_over_time() {
    // Time of expiry; indexes; price.
    let cases: &[(u64, &[From], Ticks)] = &[
        (10_000, &[], 1_000),
        (10_000, &[(5, 2_000)], 1_500),
        (10_000, &[(3, 2_000), (5, 1_000)], 1_200),
        (10_000, &[(9, 2_000)], 1_100),
        // In the block that settles it comes too late.
        (10_000, &[(10, 2_000)], 1_000),
        // Between two blocks.
        (9_500, &[(9, 2_000)], 1_053),
        (9_001, &[(9, 100_000)], 1_011),
        // Rounded to the nearest tick, halves up.
        (10_000, &[(5, 1_001)], 1_001),
        (10_000, &[(6, 1_001)], 1_000),
    ];
    for (after, prices, expected) in cases {
        let mut world = expiring(*after);
        let settled = loop {
            let next = world.height + 2;
            let due = prices.iter().find(|(height, _)| *height == next);
            let updates = due.map(|(_, price)| update(FUTURE, PriceKind::Index, *price));
            let publish = updates.map(|update| (0, vec![Action::SetPrices(vec![update])]));
            let txs: Vec<_> = publish.into_iter().collect();
            if let Some(price) = settled_at(&world.block(&txs)) {
                break price;
            }
        };
        assert_eq!(settled, *expected, "{after} {prices:?}");
        let at = FUTURE.index();
        let model = &world.model;
        assert_eq!((model.marks()[at], model.indexes()[at]), (settled, settled));
        assert_eq!(world.height, after.div_ceil(1_000), "the first block then");
    }
}

#[test]
fn only_the_last_half_hour_counts() {
    let mut world = expiring(HALF_HOUR + 2_500);
    // 100,000 from second 2 to second 3, of which half a second counts: 1,000 + 99,000 / 3,600.
    world.publish(FUTURE, PriceKind::Index, 100_000);
    world.publish(FUTURE, PriceKind::Index, 1_000);
    world.block(&[]);
    world.time += HALF_HOUR;
    assert_eq!(settled_at(&world.block(&[])), Some(1_028));
}

#[test]
fn one_that_expired_before_the_first_block_is_settled_at_its_index() {
    for expiry in [0, 1, 1_700_000_000_000] {
        let mut world = World::with(|spec| {
            spec.markets[FUTURE.index()].kind = MarketKind::Future { expiry };
        });
        let events = world.block(&[]).events;
        let (market, price) = (FUTURE, 1_000);
        assert_eq!(events, [Event::Settled { market, price }], "{expiry}");
        assert_eq!(world.block(&[]).events, [], "once");
    }
}

#[test]
fn positions_are_paid_and_gone() {
    for (index, gain) in [(1_500, 10 * 490 * 400), (500, -10 * 510 * 400)] {
        let mut world = expiring(HALF_HOUR + 10_000);
        world.trade(1, 2, FUTURE, 1_010, 10);
        world.set_price(FUTURE, PriceKind::Index, index);
        world.time += HALF_HOUR + 20_000;
        let before = world.model.balances();
        let events = world.block(&[]);
        assert_eq!(settled_at(&events), Some(index));
        for (who, gain) in [(1, gain), (2, -gain)] {
            let (account, asset) = (world.account(who), AssetId(0));
            let balance = before[&(account, asset)] + gain;
            assert_eq!(world.model.balances()[&(account, asset)], balance);
            let (market, size, cost) = (FUTURE, 0, 0);
            let told = [
                Event::Balance {
                    account,
                    asset,
                    balance,
                },
                Event::Position {
                    account,
                    market,
                    size,
                    cost,
                },
            ];
            assert!(told.iter().all(|event| events.events.contains(event)));
            let margin = world.model.margin(account);
            assert_eq!((margin.equity, margin.held), (balance, 0));
        }
        assert_eq!(world.model.positions().len(), 0);
    }
}

#[test]
fn who_cannot_pay_has_a_deficit() {
    let mut world = expiring(5_000);
    // 300 lots at 1,000 are 120,000,000 atoms; the mark stays, the index falls by a fifth.
    world.publish(FUTURE, PriceKind::Index, 800);
    world.trade(1, 2, FUTURE, 1_000, 300);
    assert_eq!(world.model.deficit(), 0);
    let events = expire(&mut world);
    // 2 s at 1,000, 3 s at 800: 880, which is 120 * 400 * 300 less, besides fees.
    assert_eq!(settled_at(&events), Some(880));
    assert_eq!(world.model.deficit(), 0);
    let mut world = expiring(5_000);
    world.publish(FUTURE, PriceKind::Index, 700);
    world.trade(1, 2, FUTURE, 1_000, 300);
    assert_eq!(settled_at(&expire(&mut world)), Some(820));
    let fees = 300 * 140;
    assert_eq!(world.model.deficit(), 180 * 400 * 300 - 15_000_000 + fees);
    let margin = world.model.margin(world.account(1));
    assert_eq!((margin.uncovered, margin.held), (true, 0));
}

#[test]
fn a_settled_market_takes_no_orders() {
    let mut world = expiring(1_000);
    expire(&mut world);
    let expired = Code::MarketExpired;
    let taking = order(FUTURE, BID, 1_000, 6);
    for new in [
        taking,
        taking.post_only(PostOnly::Slide),
        waiting(taking),
        Order {
            tif: TimeInForce::Ioc,
            ..taking
        },
        // Before everything else that is wrong with it.
        Order { price: 0, ..taking },
    ] {
        assert_eq!(world.place(3, new).0, expired, "{new:?}");
    }
    let codes = |parts: Vec<PartResult>| -> Vec<Code> { parts.iter().map(|p| p.code).collect() };
    let scale = Scale {
        order: taking,
        last_price: 990,
        orders: 2,
        last_size_ppm: 1_000_000,
    };
    let result = world.act(3, Action::Scale(scale));
    assert_eq!(codes(result.parts), [expired, expired]);
    let bid = Some(QuoteSide {
        price: 900,
        size: 4,
    });
    let quotes = Quotes {
        group: world.spec.markets[FUTURE.index()].group,
        post_only: PostOnly::Slide,
        quotes: [BTC_PERP, FUTURE]
            .map(|market| Quote {
                market,
                bid,
                ask: None,
            })
            .to_vec(),
    };
    let result = world.act(3, Action::Quotes(quotes));
    assert_eq!(codes(result.parts), [Code::Ok, Code::Ok, expired, Code::Ok]);
    let linked = Linked {
        kind: LinkKind::Oto,
        rule: LinkRule::FirstHit,
        order: taking,
        legs: vec![order(FUTURE, ASK, 1_100, 6)],
    };
    let result = world.act(3, Action::Linked(linked));
    assert_eq!(codes(result.parts), [Code::LinkRefused, expired]);
}

#[test]
fn a_settled_market_takes_no_prices_and_no_status() {
    let mut world = expiring(1_000);
    expire(&mut world);
    let (mark, index) = (PriceKind::Mark, PriceKind::Index);
    let good = update(BTC_PERP, mark, 1_100);
    let (expired, bad, unknown) = (Code::MarketExpired, Code::BadPrice, Code::UnknownMarket);
    for (updates, code) in [
        (vec![good, update(FUTURE, mark, 1_100)], expired),
        (vec![good, update(FUTURE, index, 1_100)], expired),
        (vec![update(FUTURE, mark, 0)], expired),
        // The first bad entry tells.
        (
            vec![update(BTC_PERP, mark, 0), update(FUTURE, mark, 9)],
            bad,
        ),
        (
            vec![update(MarketId(99), mark, 9), update(FUTURE, mark, 9)],
            unknown,
        ),
    ] {
        assert_eq!(world.act(0, Action::SetPrices(updates)).code, code);
    }
    for (who, market, to, code) in [
        (0, FUTURE, MarketStatus::Open, expired),
        (0, FUTURE, MarketStatus::Settled, expired),
        (0, BTC_PERP, MarketStatus::Settled, expired),
        (0, MarketId(99), MarketStatus::Settled, unknown),
        (1, FUTURE, MarketStatus::Open, Code::NotPriceAuthority),
    ] {
        assert_eq!(world.act(who, status(market, to)).code, code, "{to:?}");
    }
    assert_eq!(world.block(&[]).events, [], "nothing of it counts");
}

#[test]
fn orders_of_a_settled_market_go_after_those_that_are_dead_anyway() {
    let mut world = expiring(8_000);
    let end = world.time + 8_000;
    let far = order(FUTURE, BID, 900, 6);
    let elsewhere = order(BTC_PERP, BID, 900, 6);
    let with = |order, tif| Order { tif, ..order };
    let later = world.placed(1, with(far, TimeInForce::Gtt(end + 60_000)));
    let waits = world.placed(2, waiting(far));
    let by_height = world.placed(1, with(elsewhere, TimeInForce::Gtb(8)));
    let rests = world.placed(2, far);
    let by_time = world.placed(1, with(far, TimeInForce::Gtt(end)));
    let stays = world.placed(2, elsewhere);
    let events = expire(&mut world);
    assert_eq!(removed(&events), [by_time, by_height]);
    assert_eq!(world.book(FUTURE)[0].len(), 2, "the others still rest");
    let events = world.block(&[]);
    assert_eq!(removed(&events), [later, waits]);
    assert_eq!(removals(&events), [Removal::Expired; 2]);
    assert_eq!(removed(&world.block(&[])), [rests]);
    assert_eq!(removed(&world.block(&[])), []);
    assert_eq!(world.state_of(stays), Is::Resting(6));
}

#[test]
fn linked_orders_of_a_settled_market_go_together() {
    let mut world = expiring(2_000);
    let linked = Linked {
        kind: LinkKind::Otoco,
        rule: LinkRule::FirstHit,
        order: order(FUTURE, BID, 900, 6),
        legs: vec![
            order(FUTURE, ASK, 1_100, 6),
            waiting(order(FUTURE, ASK, 1_000, 6)),
        ],
    };
    assert_eq!(world.act(1, Action::Linked(linked)).code, Code::Ok);
    let events = expire(&mut world);
    // The first leg is the oldest: it dooms the other; and the first order uses the quota up.
    assert_eq!(
        removals(&events),
        [Removal::Expired, Removal::Linked, Removal::Expired]
    );
}

#[test]
fn its_orders_can_still_be_cancelled_and_made_smaller() {
    let mut world = World::with(|spec| {
        let expiry = spec.genesis_time + 6_000;
        spec.markets[FUTURE.index()].kind = MarketKind::Future { expiry };
        spec.limits.sweep_orders = 0;
    });
    let far = order(FUTURE, BID, 900, 10);
    let ids = [far, far, waiting(far)].map(|order| world.placed(1, order));
    expire(&mut world);
    let amend = |id, price, size, keep_on_reject| {
        Action::Amend(Amend {
            order: OrderRef::Id(id),
            price,
            size,
            keep_on_reject,
            max_fills: 6,
        })
    };
    for (action, code, is) in [
        (amend(ids[0], 900, 8, true), Code::Ok, Is::Resting(8)),
        (
            amend(ids[0], 910, 8, true),
            Code::MarketExpired,
            Is::Resting(8),
        ),
        (amend(ids[0], 910, 8, false), Code::MarketExpired, Is::Gone),
    ] {
        assert_eq!(world.act(1, action).code, code);
        assert_eq!(world.state_of(ids[0]), is);
    }
    assert_eq!(world.act(1, amend(ids[2], 910, 12, true)).code, Code::Ok);
    assert_eq!(world.state_of(ids[2]), Is::Waiting(12, 0));
    for id in [ids[1], ids[2]] {
        world.act(1, Action::Cancel(Cancel::Order(id)));
        assert_eq!(world.state_of(id), Is::Gone);
    }
}

#[test]
fn prices_and_statuses_that_wait_come_first_or_never() {
    let (market, mark, index) = (FUTURE, PriceKind::Mark, PriceKind::Index);
    let prices = vec![update(market, mark, 1_200), update(market, index, 1_300)];
    for (to, expected) in [
        (
            MarketStatus::CancelOnly,
            vec![
                Event::Mark {
                    market,
                    price: 1_200,
                },
                Event::Index {
                    market,
                    price: 1_300,
                },
            ],
        ),
        (MarketStatus::Suspended, vec![]),
    ] {
        let mut world = expiring(2_000);
        world.block(&[(
            0,
            vec![Action::SetPrices(prices.clone()), status(market, to)],
        )]);
        let events = world.block(&[]).events;
        let first = Event::Status { market, status: to };
        let last = Event::Settled {
            market,
            price: 1_000,
        };
        let all: Vec<_> = [first].into_iter().chain(expected).chain([last]).collect();
        assert_eq!(events, all);
        assert_eq!(world.block(&[]).events, []);
        assert_eq!(world.model.marks()[market.index()], 1_000);
    }
}

#[test]
fn what_an_auction_collected_does_not_trade() {
    let mut world = expiring(4_000);
    world.set_status(FUTURE, MarketStatus::Auction);
    let orders = [order(FUTURE, BID, 1_010, 6), order(FUTURE, ASK, 990, 6)];
    let txs = [1, 2].map(|who| (who, vec![Action::Order(orders[who - 1])]));
    assert_eq!(codes(&world.block(&txs)), [Code::Ok; 2]);
    // Open again in the block in which it expires.
    world.set_status(FUTURE, MarketStatus::Open);
    let events = world.block(&[]);
    assert_eq!(settled_at(&events), Some(1_000));
    assert_eq!(removals(&events), [Removal::Expired; 2]);
    assert_eq!(world.model.positions().len(), 0);
}

#[test]
fn triggers_and_slices_of_a_settled_market_never_enter() {
    let mut world = expiring(4_000);
    let taking = order(FUTURE, BID, 1_010, 60);
    let trigger = Some(Trigger {
        source: PriceSource::Mark,
        condition: Condition::AtOrBelow(1_100),
    });
    let twap = Some(Twap {
        duration_ms: 9_000,
        interval_ms: 1_000,
        tolerance_ppm: 10_000,
    });
    // The mark begins at 1,000, so both would enter in the next block.
    world.placed(2, order(FUTURE, ASK, 1_005, 100));
    world.block(&[]);
    let orders = [Order { trigger, ..taking }, Order { twap, ..taking }];
    let actions = orders.map(Action::Order).to_vec();
    assert_eq!(codes(&world.block(&[(1, actions)])), [Code::Ok; 2]);
    let events = world.block(&[]);
    assert_eq!(settled_at(&events), Some(1_000));
    assert_eq!(world.model.positions().len(), 0);
    assert_eq!(world.model.waiting(FUTURE).len(), 1, "two are swept");
    assert_eq!(removals(&world.block(&[])), [Removal::Expired]);
}
