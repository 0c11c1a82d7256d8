//! The rules of docs/execution.md that need several blocks to show.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs
)]

mod common;

use ballast_types::{
    Action, Amend, Cancel, Code, Condition, Distance, Event, MarketStatus, Order, OrderRef,
    PostOnly, PriceKind, PriceSource, Removal, SelfTrade, SelfTradeScope, SetMarketStatus,
    TimeInForce, Trigger,
};
use common::{Chain, PERP, SPOT, account, buy, place, sell, spec};

fn status(market: ballast_types::MarketId, status: MarketStatus) -> Vec<Action> {
    vec![Action::SetMarketStatus(SetMarketStatus { market, status })]
}

fn stop(source: PriceSource, condition: Condition) -> Option<Trigger> {
    Some(Trigger { source, condition })
}

#[test]
fn a_market_takes_what_its_status_says_from_the_next_block_on() {
    let (a, b) = (account(1, 0), account(2, 0));
    let passive = buy(990, 1).post_only(PostOnly::Reject);
    for (to, takes, rests) in [
        (MarketStatus::Open, Code::Ok, Code::Ok),
        (MarketStatus::PostOnly, Code::MarketPostOnly, Code::Ok),
        (
            MarketStatus::CancelOnly,
            Code::MarketCancelOnly,
            Code::MarketCancelOnly,
        ),
        (
            MarketStatus::Suspended,
            Code::MarketCancelOnly,
            Code::MarketCancelOnly,
        ),
    ] {
        let mut chain = Chain::new(spec());
        let first = chain.block(&[(account(0, 0), status(PERP, to)), (a, place(buy(980, 5)))]);
        assert_eq!(first.codes(), [Code::Ok, Code::Ok], "{to:?}");
        assert_eq!(chain.market(PERP).status, MarketStatus::Open);
        let amend = Action::Amend(Amend {
            order: OrderRef::Id(first.ids()[0]),
            price: 980,
            size: 3,
            keep_on_reject: false,
            max_fills: 1,
        });
        let done = chain.block(&[
            (b, place(buy(990, 1))),
            (b, place(passive)),
            (a, vec![amend]),
        ]);
        assert_eq!(done.codes(), [takes, rests, Code::Ok], "{to:?}");
        assert_eq!(chain.market(PERP).status, to);
        let cancel = vec![Action::Cancel(Cancel::All(None))];
        assert_eq!(chain.block(&[(a, cancel)]).codes(), [Code::Ok]);
    }
    let mut chain = Chain::new(spec());
    let done = chain.block(&[(a, status(PERP, MarketStatus::Suspended))]);
    assert_eq!(done.codes(), [Code::NotPriceAuthority]);
}

#[test]
fn prices_of_a_suspended_market_wait_until_it_is_none_any_more() {
    let mut chain = Chain::new(spec());
    let authority = account(0, 0);
    chain.block(&[(authority, status(PERP, MarketStatus::Suspended))]);
    chain.publish(&[
        (PERP, PriceKind::Mark, 1_010),
        (PERP, PriceKind::Index, 1_020),
        (SPOT, PriceKind::Index, 1_030),
    ]);
    let prices = |chain: &Chain| {
        let (perp, spot) = (chain.market(PERP), chain.market(SPOT));
        (perp.mark, perp.index, spot.mark, spot.index)
    };
    assert_eq!(prices(&chain), (1_000, 1_000, 0, 1_030));
    chain.wait(3);
    chain.block(&[(authority, status(PERP, MarketStatus::CancelOnly))]);
    let events = chain.wait(1);
    assert_eq!(prices(&chain), (1_010, 1_020, 0, 1_030));
    let expected = [
        Event::Status {
            market: PERP,
            status: MarketStatus::CancelOnly,
        },
        Event::Mark {
            market: PERP,
            price: 1_010,
        },
        Event::Index {
            market: PERP,
            price: 1_020,
        },
    ];
    assert_eq!(events, expected);
}

#[test]
fn bands_follow_mark_or_index_and_notional_has_bounds() {
    let mut spec = spec();
    for market in &mut spec.markets {
        market.price_band_ppm = 100_000;
        (market.min_notional, market.max_notional) = (2_000, 50_000);
    }
    let mut chain = Chain::new(spec);
    let on = |market, order: Order| place(Order { market, ..order });
    for (market, order, code) in [
        (PERP, buy(1_100, 2), Code::Ok),
        (PERP, buy(1_101, 2), Code::PriceBand),
        (PERP, sell(900, 3), Code::Ok),
        (PERP, sell(899, 3), Code::PriceBand),
        (PERP, buy(1, 2_000), Code::BadSize),
        (PERP, buy(999, 2), Code::BadNotional),
        (PERP, buy(1_000, 51), Code::BadNotional),
        // Without an index the spot market has no band.
        (SPOT, buy(5_000, 2), Code::Ok),
        (SPOT, buy(1, 10), Code::BadNotional),
    ] {
        let mut fresh = Chain::new(chain_spec(&chain));
        let done = fresh.block(&[(account(1, 0), on(market, order))]);
        assert_eq!(done.codes(), [code], "{market} {order:?}");
    }
    chain.publish(&[(SPOT, PriceKind::Index, 1_000)]);
    let far = chain.block(&[(account(1, 0), on(SPOT, buy(1_101, 2)))]);
    assert_eq!(far.codes(), [Code::PriceBand]);
    // A waiting order is judged by the band when it enters.
    let waits = Order {
        trigger: stop(PriceSource::Mark, Condition::AtOrAbove(1_000)),
        ..buy(1_101, 2)
    };
    let done = chain.block(&[(account(1, 0), place(waits))]);
    assert_eq!(done.codes(), [Code::Ok]);
    let events = chain.wait(1);
    assert!(matches!(
        events.last(),
        Some(Event::Removed {
            reason: Removal::Refused,
            ..
        })
    ));
}

fn chain_spec(chain: &Chain) -> ballast_types::ChainSpec {
    chain.state().spec().clone()
}

#[test]
fn an_order_is_good_below_its_height() {
    let mut chain = Chain::new(spec());
    let until = |height| {
        place(Order {
            tif: TimeInForce::Gtb(height),
            ..buy(900, 1)
        })
    };
    let done = chain.block(&[
        (account(1, 0), until(1)),
        (account(1, 0), until(2)),
        (account(1, 0), until(3)),
    ]);
    assert_eq!(done.codes(), [Code::Expired, Code::Ok, Code::Ok]);
    let ids = done.ids();
    let open =
        |chain: &Chain| -> Vec<bool> { ids.iter().map(|id| chain.order(*id).is_some()).collect() };
    chain.wait(1);
    assert_eq!(open(&chain), [false, true]);
    chain.wait(1);
    assert_eq!(open(&chain), [false, false]);
}

#[test]
fn a_sliding_order_rests_behind_the_other_side_and_reserves_for_that_price() {
    let mut chain = Chain::new(spec());
    let (a, b) = (account(1, 0), account(2, 0));
    chain.block(&[(a, place(sell(1_010, 5)))]);
    let slide = |order: Order| place(order.post_only(PostOnly::Slide));
    let done = chain.block(&[(b, slide(buy(1_500, 10))), (b, slide(buy(1_005, 1)))]);
    assert_eq!(done.codes(), [Code::Ok, Code::Ok]);
    assert_eq!(
        chain.book(PERP),
        (vec![(1_009, 10), (1_005, 1)], vec![(1_010, 5)])
    );
    let mut plain = Chain::new(spec());
    plain.block(&[(b, place(buy(1_009, 10))), (b, place(buy(1_005, 1)))]);
    assert_eq!(chain.initial_margin(&b), plain.initial_margin(&b));
    let done = chain.block(&[
        (a, slide(sell(1, 1))),
        (a, place(sell(1, 1).post_only(PostOnly::Reject))),
    ]);
    assert_eq!(done.codes(), [Code::Ok, Code::PostOnlyWouldTrade]);
    assert_eq!(chain.book(PERP).1, [(1_010, 6)]);
}

#[test]
fn a_stop_waits_without_margin_and_enters_with_its_own_id() {
    let mut chain = Chain::new(spec());
    let (a, b) = (account(1, 0), account(2, 0));
    let waits = Order {
        client_id: Some(7),
        trigger: stop(PriceSource::Mark, Condition::AtOrBelow(950)),
        ..sell(940, 10)
    };
    let done = chain.block(&[(a, place(waits)), (b, place(buy(945, 4)))]);
    assert_eq!(done.codes(), [Code::Ok, Code::Ok]);
    let id = done.ids()[0];
    assert_eq!(chain.initial_margin(&a), 0);
    assert_eq!(chain.book(PERP).1, []);
    let view = chain.order(id).unwrap();
    assert_eq!((view.remaining, view.shown), (10, 0));
    assert!(view.waiting.is_some_and(|waiting| !waiting.due));
    assert_eq!(chain.state().chain().waiting_orders, 1);
    // Its client id is taken, and it may be amended in place, also to more lots.
    let again = chain.block(&[(a, place(waits))]);
    assert_eq!(again.codes(), [Code::ClientIdInUse]);
    let amend = Action::Amend(Amend {
        order: OrderRef::Id(id),
        price: 930,
        size: 12,
        keep_on_reject: true,
        max_fills: 3,
    });
    let amended = chain.block(&[(a, vec![amend])]);
    assert_eq!((amended.codes(), amended.ids()), (vec![Code::Ok], vec![id]));
    chain.publish(&[(PERP, PriceKind::Mark, 951)]);
    assert!(chain.order(id).unwrap().waiting.is_some());
    let done = chain.publish(&[(PERP, PriceKind::Mark, 950)]);
    assert_eq!(done.fills(), [(4, 945)]);
    let view = chain.order(id).unwrap();
    assert_eq!((view.waiting, view.remaining, view.filled), (None, 8, 4));
    assert_eq!(chain.book(PERP).1, [(930, 8)]);
    assert_eq!(chain.state().chain().waiting_orders, 0);
    assert_eq!(chain.market(PERP).last, 945);
}

#[test]
fn a_trailing_stop_follows_the_price_and_fires_when_it_turns() {
    let trail = |distance, activation| {
        stop(
            PriceSource::Index,
            Condition::Trail {
                distance,
                activation,
            },
        )
    };
    let mut chain = Chain::new(spec());
    let a = account(1, 0);
    let by = |distance, activation| {
        place(Order {
            trigger: trail(distance, activation),
            ..sell(2_000, 1)
        })
    };
    let done = chain.block(&[
        (a, by(Distance::Ticks(10), 0)),
        (a, by(Distance::Ppm(50_000), 1_100)),
    ]);
    let ids = done.ids();
    let seen = |chain: &Chain| -> Vec<_> {
        let waiting = ids.iter().map(|id| chain.order(*id).unwrap().waiting);
        waiting.map(|w| w.map(|w| w.extreme)).collect()
    };
    for (price, first, second) in [
        (1_000, Some(Some(1_000)), Some(None)),
        (1_050, Some(Some(1_050)), Some(None)),
        (1_041, Some(Some(1_050)), Some(None)),
        (1_040, None, Some(None)),
        (1_100, None, Some(Some(1_100))),
        (1_201, None, Some(Some(1_201))),
        // 5 % of 1,201 is 60 ticks.
        (1_142, None, Some(Some(1_201))),
        (1_141, None, None),
    ] {
        chain.publish(&[(PERP, PriceKind::Index, price)]);
        assert_eq!(seen(&chain), [first, second], "at {price}");
    }
}

#[test]
fn due_orders_enter_by_priority_under_a_quota_and_when_their_market_is_open() {
    let mut spec = spec();
    spec.limits.triggered_orders = 2;
    let mut chain = Chain::new(spec);
    let waits = Order {
        trigger: stop(PriceSource::Last, Condition::AtOrAbove(1_000)),
        ..buy(900, 1)
    };
    let (a, b) = (account(1, 0), account(2, 0));
    let done = chain.block(&[(a, vec![Action::Order(waits); 3])]);
    let ids = done.ids();
    chain.block(&[
        (a, place(buy(1_000, 1))),
        (b, place(sell(1_000, 1))),
        (account(0, 0), status(PERP, MarketStatus::PostOnly)),
    ]);
    let state = |chain: &Chain| -> Vec<_> {
        let orders = ids.iter().map(|id| chain.order(*id).unwrap().waiting);
        orders.map(|w| w.map(|w| w.due)).collect()
    };
    chain.wait(2);
    assert_eq!(state(&chain), [Some(true), Some(true), Some(true)]);
    // They are due, whatever the price does from now on.
    chain.block(&[(account(0, 0), status(PERP, MarketStatus::Open))]);
    chain.wait(1);
    assert_eq!(state(&chain), [None, None, Some(true)]);
    chain.wait(1);
    assert_eq!(state(&chain), [None, None, None]);
}

#[test]
fn a_group_and_a_market_hold_so_many_waiting_orders() {
    let mut spec = spec();
    (spec.limits.waiting_orders, spec.limits.trailing_orders) = (3, 1);
    let mut chain = Chain::new(spec);
    let waits = |condition| {
        Action::Order(Order {
            trigger: stop(PriceSource::Mark, condition),
            ..buy(900, 1)
        })
    };
    let trail = || {
        waits(Condition::Trail {
            distance: Distance::Ticks(500),
            activation: 0,
        })
    };
    let fixed = || waits(Condition::AtOrAbove(2_000));
    let actions = vec![trail(), trail(), fixed(), fixed(), fixed()];
    let done = chain.block(&[(account(1, 0), actions)]);
    let full = Code::TriggerLimit;
    assert_eq!(done.codes(), [Code::Ok, full, Code::Ok, Code::Ok, full]);
    let cancel = vec![Action::Cancel(Cancel::Order(done.ids()[0]))];
    chain.block(&[(account(1, 0), cancel)]);
    let done = chain.block(&[(account(1, 0), vec![trail()])]);
    assert_eq!(done.codes(), [Code::Ok]);
}

#[test]
fn a_dead_mans_switch_cancels_everything_under_a_quota() {
    let mut spec = spec();
    spec.limits.sweep_orders = 2;
    let mut chain = Chain::new(spec);
    let (a, b) = (account(1, 0), account(2, 0));
    let waits = Order {
        trigger: stop(PriceSource::Mark, Condition::AtOrAbove(2_000)),
        ..buy(900, 1)
    };
    let orders = [buy(900, 1), waits, buy(901, 1)].map(Action::Order);
    chain.block(&[(a, orders.to_vec()), (b, place(buy(902, 1)))]);
    let after = |ms| vec![Action::CancelAfter(ms)];
    let done = chain.block(&[(a, after(999)), (a, after(5_000)), (b, after(3_000))]);
    assert_eq!(done.codes(), [Code::BadTimeout, Code::Ok, Code::Ok]);
    let left = |chain: &Chain| {
        let orders = |who| chain.state().account(who).unwrap().orders.len();
        (orders(&a), orders(&b))
    };
    chain.wait(2);
    assert_eq!(left(&chain), (3, 1));
    chain.block(&[(b, after(0))]);
    chain.wait(1);
    assert_eq!(
        left(&chain),
        (3, 0),
        "the switch of b went off before it was disarmed"
    );
    chain.wait(1);
    assert_eq!(left(&chain), (1, 0));
    assert!(chain.state().account(&a).unwrap().cancel_at > 0);
    chain.wait(1);
    assert_eq!(left(&chain), (0, 0));
    assert_eq!(chain.state().account(&a).unwrap().cancel_at, 0);
    assert_eq!(chain.initial_margin(&a), 0);
}

#[test]
fn an_iceberg_shows_its_slices_one_after_the_other() {
    let mut chain = Chain::new(spec());
    let (a, b, c) = (account(1, 0), account(2, 0), account(3, 0));
    let iceberg = Order {
        display: Some(3),
        ..sell(1_000, 10)
    };
    let done = chain.block(&[(a, place(iceberg))]);
    let id = done.ids()[0];
    chain.block(&[(b, place(sell(1_000, 4)))]);
    assert_eq!(chain.book(PERP).1, [(1_000, 7)]);
    let taker = |size, max_fills| {
        place(Order {
            max_fills,
            tif: TimeInForce::Ioc,
            ..buy(1_000, size)
        })
    };
    // 3 of the iceberg, then the order behind it, then its next slice in part.
    let done = chain.block(&[(c, taker(8, 9))]);
    assert_eq!(done.fills(), [(3, 1_000), (4, 1_000), (1, 1_000)]);
    assert_eq!(chain.book(PERP).1, [(1_000, 2)]);
    let view = chain.order(id).unwrap();
    assert_eq!((view.remaining, view.shown, view.filled), (6, 2, 4));
    // A refresh counts as a meeting: fill, refresh, stop.
    let done = chain.block(&[(c, taker(6, 2))]);
    assert_eq!(done.codes(), [Code::FillLimit]);
    assert_eq!(done.fills(), [(2, 1_000)]);
    let view = chain.order(id).unwrap();
    assert_eq!((view.remaining, view.shown), (4, 3));
    // Hidden lots go first.
    let amend = Action::Amend(Amend {
        order: OrderRef::Id(id),
        price: 1_000,
        size: 8,
        keep_on_reject: false,
        max_fills: 1,
    });
    chain.block(&[(a, vec![amend])]);
    let view = chain.order(id).unwrap();
    assert_eq!((view.remaining, view.shown, view.display), (2, 2, Some(3)));
}

#[test]
fn an_order_that_meets_its_own_side_does_as_its_mode_says() {
    let (a, sibling, b) = (account(1, 0), account(1, 1), account(2, 0));
    let (account_only, master) = (SelfTradeScope::Account, SelfTradeScope::Master);
    let refused = Code::SelfTrade;
    // Mode, scope, then: code, lots filled, lots of the own maker and of the other one that rest.
    for (mode, scope, code, filled, own, other) in [
        (SelfTrade::CancelTaker, account_only, refused, 0, 3, 4),
        (SelfTrade::CancelMaker, account_only, Code::Ok, 4, 0, 0),
        (SelfTrade::CancelBoth, account_only, refused, 0, 0, 4),
        (SelfTrade::Decrement, account_only, Code::Ok, 2, 0, 2),
        (SelfTrade::CancelTaker, master, refused, 0, 3, 4),
    ] {
        let mut chain = Chain::new(spec());
        let owner = if scope == master { sibling } else { a };
        chain.block(&[(owner, place(sell(1_000, 3))), (b, place(sell(1_001, 4)))]);
        let taker = Order {
            self_trade: mode,
            self_trade_scope: scope,
            tif: TimeInForce::Ioc,
            ..buy(1_001, 5)
        };
        let done = chain.block(&[(a, place(taker))]);
        let results = &done.0.txs[0][0].actions[0];
        assert_eq!((results.code, results.filled), (code, filled), "{mode:?}");
        let asks = chain.book(PERP).1;
        let at = |price| {
            asks.iter()
                .filter(|l| l.0 == price)
                .map(|l| l.1)
                .sum::<i64>()
        };
        assert_eq!((at(1_000), at(1_001)), (own, other), "{mode:?}");
    }
    // Nothing remains of the taker after a decrement.
    let mut chain = Chain::new(spec());
    chain.block(&[(a, place(sell(1_000, 3)))]);
    let taker = Order {
        self_trade: SelfTrade::Decrement,
        ..buy(1_000, 2)
    };
    let done = chain.block(&[(a, place(taker))]);
    assert_eq!(done.codes(), [refused]);
    assert_eq!(chain.book(PERP).1, [(1_000, 1)]);
    assert_eq!(chain.initial_margin(&a), 100);
}
