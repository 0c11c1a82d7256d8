//! Futures: how they are settled when they expire, and what becomes of their orders.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs
)]

mod common;

use ballast_types::{
    Account, Action, Amend, AssetId, Cancel, ChainSpec, Code, Condition, Event, MarketId,
    MarketKind, MarketStatus, Order, OrderRef, PostOnly, PriceKind, PriceSource, PriceUpdate,
    Removal, SetMarketStatus, TimeInForce, Trigger,
};
use common::{Chain, GENESIS, PERP, account, buy, place, sell, spec};

const FUTURE: MarketId = MarketId(2);

/// Ms after genesis at which the future expires; half an hour before, its window begins.
const EXPIRY: u64 = 1_810_500;

/// The small chain with a future, which sweeps two orders a block.
fn with_future() -> ChainSpec {
    let mut spec = spec();
    let mut future = spec.markets[0].clone();
    future.symbol = "BTC-DEC".to_owned();
    future.kind = MarketKind::Future {
        expiry: GENESIS + EXPIRY,
    };
    spec.markets.push(future);
    spec.limits.sweep_orders = 2;
    spec
}

fn on(market: MarketId, order: Order) -> Vec<Action> {
    place(Order { market, ..order })
}

/// An order that waits for a trade at a price.
fn waiting(price: i64) -> Vec<Action> {
    let trigger = Trigger {
        source: PriceSource::Last,
        condition: Condition::AtOrAbove(price),
    };
    let order = Order {
        trigger: Some(trigger),
        ..buy(900, 2)
    };
    on(FUTURE, order)
}

fn index(price: i64) -> Vec<Action> {
    update(FUTURE, PriceKind::Index, price)
}

fn update(market: MarketId, kind: PriceKind, price: i64) -> Vec<Action> {
    vec![Action::SetPrices(vec![PriceUpdate {
        market,
        kind,
        price,
    }])]
}

fn status(market: MarketId, status: MarketStatus) -> Vec<Action> {
    vec![Action::SetMarketStatus(SetMarketStatus { market, status })]
}

/// The margin asset.
fn cash(chain: &Chain, account: &Account) -> i128 {
    let view = chain.state().account(account).unwrap();
    let (_, cash, _) = view.balances[0];
    assert_eq!(view.positions, []);
    assert_eq!(view.equity, cash);
    cash
}

/// Two accounts hold ten lots of the future against each other.
fn trade(chain: &mut Chain, a: Account, b: Account) {
    chain.block(&[(a, on(FUTURE, buy(1_000, 10)))]);
    let done = chain.block(&[(b, on(FUTURE, sell(1_000, 10)))]);
    assert_eq!(done.fills(), [(10, 1_000)]);
    assert_eq!(chain.market(FUTURE).open_interest, 10);
    assert_eq!(chain.initial_margin(&a), 1_000);
}

fn settled(events: &[Event]) -> Option<i64> {
    events.iter().find_map(|event| match event {
        Event::Settled { market, price } if *market == FUTURE => Some(*price),
        _ => None,
    })
}

/// Moves the index until the window is all but over: 10,500 ms of it at 1,100 and 1,789,500 at 1,300
/// make 1,298.83. The window begins 10,500 ms after genesis; what was before does not count.
fn average_1_298_83(chain: &mut Chain) {
    let authority = account(0, 0);
    chain.block(&[(authority, index(1_100))]);
    chain.wait(1);
    chain.skip_to(20_000);
    chain.block(&[(authority, index(1_300))]);
    chain.wait(1);
    chain.skip_to(1_810_000);
}

#[test]
fn a_future_pays_the_average_of_its_index_and_its_orders_go_under_the_quota() {
    let mut chain = Chain::new(with_future());
    let (authority, a, b, c) = (account(0, 0), account(1, 0), account(2, 0), account(3, 0));
    trade(&mut chain, a, b);
    let ending = Order {
        tif: TimeInForce::Gtt(GENESIS + EXPIRY + 200),
        ..sell(2_200, 5)
    };
    let orders = [
        (a, on(FUTURE, buy(900, 1))),
        (b, waiting(3_000)),
        (b, on(FUTURE, sell(2_000, 3))),
        (a, on(FUTURE, sell(2_100, 4))),
        (c, on(FUTURE, ending)),
        (c, on(PERP, buy(900, 6))),
    ];
    let [bid, stop, ask, other, ending, elsewhere] =
        orders.map(|order| chain.block(&[order]).ids()[0]);
    average_1_298_83(&mut chain);
    let mark = update(FUTURE, PriceKind::Mark, 1_200);
    chain.block(&[(authority, index(5_000)), (authority, mark)]);
    assert_eq!(chain.market(FUTURE).status, MarketStatus::Open);
    assert_eq!(chain.market(FUTURE).expiry, Some(GENESIS + EXPIRY));

    let cancel = vec![Action::Cancel(Cancel::Order(other))];
    let done = chain.block(&[
        (a, on(FUTURE, buy(1_000, 1))),
        (a, cancel),
        (b, waiting(1)),
        (authority, index(0)),
        (authority, status(FUTURE, MarketStatus::Open)),
    ]);
    let expired = Code::MarketExpired;
    assert_eq!(done.codes(), [expired, Code::Ok, expired, expired, expired]);
    let price = 1_299;
    let market = FUTURE;
    let expected = [
        Event::Mark {
            market,
            price: 1_200,
        },
        Event::Index {
            market,
            price: 5_000,
        },
        Event::Settled { market, price },
    ];
    assert_eq!(done.0.events[..3], expected);
    assert_eq!(removals(&done.0.events), [ending, bid]);
    assert_eq!((cash(&chain, &a), cash(&chain, &b)), (1_002_990, 997_010));
    let view = chain.market(FUTURE);
    assert_eq!(
        (view.mark, view.index, view.open_interest),
        (price, price, 0)
    );
    assert_eq!(view.status, MarketStatus::Settled);
    assert_eq!(chain.initial_margin(&a), 0);
    assert!(chain.order(other).is_none());

    assert_eq!(removals(&chain.wait(1)), [stop, ask]);
    assert_eq!(chain.initial_margin(&b), 0);
    let events = chain.wait(2);
    assert_eq!((events, chain.book(FUTURE)), (vec![], (vec![], vec![])));
    assert!(chain.order(elsewhere).is_some());
    let done = chain.block(&[
        (a, on(FUTURE, sell(1_299, 1).post_only(PostOnly::Reject))),
        (authority, update(FUTURE, PriceKind::Mark, 1)),
        (authority, status(PERP, MarketStatus::Settled)),
        (a, status(FUTURE, MarketStatus::Open)),
    ]);
    let refused = [expired, expired, expired, Code::NotPriceAuthority];
    assert_eq!(done.codes(), refused);
}

fn removals(events: &[Event]) -> Vec<ballast_types::OrderId> {
    let removed = events.iter().filter_map(|event| match event {
        Event::Removed { order, reason, .. } if *reason == Removal::Expired => Some(*order),
        _ => None,
    });
    removed.collect()
}

#[test]
fn what_a_suspended_future_still_waits_for_is_dropped() {
    let mut chain = Chain::new(with_future());
    let (authority, a, b) = (account(0, 0), account(1, 0), account(2, 0));
    trade(&mut chain, a, b);
    chain.block(&[(authority, status(FUTURE, MarketStatus::Suspended))]);
    chain.block(&[(authority, index(4_000))]);
    chain.skip_to(1_810_000);
    chain.wait(1);
    let order = chain.block(&[(a, status(FUTURE, MarketStatus::Open))]);
    assert_eq!(order.codes(), [Code::NotPriceAuthority]);
    assert_eq!(settled(&order.0.events), Some(1_000));
    assert_eq!((cash(&chain, &a), cash(&chain, &b)), (1_000_000, 1_000_000));
    chain.wait(3);
    let view = chain.market(FUTURE);
    assert_eq!((view.mark, view.index), (1_000, 1_000));
    assert_eq!(view.status, MarketStatus::Settled);
}

#[test]
fn a_chain_that_slept_over_the_window_settles_at_the_index_that_it_had() {
    let mut chain = Chain::new(with_future());
    let (authority, a, b) = (account(0, 0), account(1, 0), account(2, 0));
    trade(&mut chain, a, b);
    chain.block(&[(authority, index(1_050))]);
    chain.block(&[(authority, index(900_000))]);
    chain.skip_to(3 * EXPIRY);
    // The last price came too late to count.
    assert_eq!(settled(&chain.wait(1)), Some(1_050));
    assert_eq!((cash(&chain, &a), cash(&chain, &b)), (1_000_500, 999_500));
}

#[test]
fn settlement_takes_what_a_loser_has_not() {
    let mut chain = Chain::new(with_future());
    let (authority, a, b) = (account(0, 0), account(1, 0), account(2, 0));
    trade(&mut chain, a, b);
    chain.block(&[(authority, index(500_000))]);
    chain.wait(1);
    chain.skip_to(3 * EXPIRY);
    chain.wait(1);
    chain.wait(1);
    assert_eq!(chain.market(FUTURE).mark, 500_000);
    let gain = 10 * (500_000 - 1_000);
    let paid = (cash(&chain, &a), cash(&chain, &b));
    assert_eq!(paid, (1_000_000 + gain, 1_000_000 - gain));
    let view = chain.state().account(&b).unwrap();
    assert!(view.uncovered);
    assert_eq!(view.held_margin, 0);
    let total: i128 = chain
        .state()
        .balances()
        .iter()
        .map(|(_, asset, n)| if *asset == AssetId(0) { *n } else { 0 })
        .sum();
    assert_eq!(total, 8_000_000);
}

#[test]
fn an_amend_in_a_settled_market_makes_an_order_smaller_or_loses_it() {
    let mut chain = Chain::new(with_future());
    let a = account(1, 0);
    let rest = |price| (a, on(FUTURE, buy(price, 9)));
    let ids = chain
        .block(&[rest(901), rest(902), rest(903), rest(904), rest(905)])
        .ids();
    chain.skip_to(EXPIRY);
    let amend = |order, price, size, keep_on_reject| {
        let amend = Action::Amend(Amend {
            order: OrderRef::Id(order),
            price,
            size,
            keep_on_reject,
            max_fills: 1,
        });
        (a, vec![amend])
    };
    let done = chain.block(&[
        amend(ids[0], 901, 5, false),
        amend(ids[2], 903, 5, false),
        amend(ids[3], 800, 9, true),
        amend(ids[4], 800, 9, false),
    ]);
    let expired = Code::MarketExpired;
    assert_eq!(
        done.codes(),
        [Code::UnknownOrder, Code::Ok, expired, expired]
    );
    assert_eq!(chain.book(FUTURE).0, [(904, 9), (903, 5)]);
    chain.wait(1);
    assert_eq!(chain.book(FUTURE).0, []);
    assert_eq!(chain.initial_margin(&a), 0);
}
