//! The rules of docs/execution.md about auctions.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs
)]

mod common;

use ballast_types::{
    Account, Action, ChainSpec, Code, Event, MarketStatus, Matching, Order, PostOnly, Removal,
    SetMarketStatus, Sharing, TimeInForce,
};
use common::{Chain, Done, PERP, account, buy, place, sell, spec};

fn status(status: MarketStatus) -> (Account, Vec<Action>) {
    let market = PERP;
    let action = Action::SetMarketStatus(SetMarketStatus { market, status });
    (account(0, 0), vec![action])
}

fn batch(change: impl FnOnce(&mut ChainSpec)) -> Chain {
    let mut spec = spec();
    spec.markets[0].matching = Matching::Batch;
    change(&mut spec);
    Chain::new(spec)
}

/// Price, volume, imbalance and what traded, of each auction.
fn auctions(events: &[Event]) -> Vec<(i64, i64, i64, i64)> {
    let auctions = events.iter().filter_map(|event| match *event {
        Event::Auction {
            price,
            volume,
            imbalance,
            traded,
            ..
        } => Some((price, volume, imbalance, traded)),
        _ => None,
    });
    auctions.collect()
}

fn removed(done: &Done) -> Vec<(i64, Removal)> {
    let removed = done.0.events.iter().filter_map(|event| match event {
        Event::Removed { size, reason, .. } => Some((*size, *reason)),
        _ => None,
    });
    removed.collect()
}

#[test]
fn a_batch_market_trades_at_one_price_at_the_end_of_the_block() {
    let (a, b, c) = (account(1, 0), account(2, 0), account(3, 0));
    let mut chain = batch(|_| {});
    let ioc = Order {
        tif: TimeInForce::Ioc,
        ..sell(990, 9)
    };
    let fok = Order {
        tif: TimeInForce::Fok,
        ..sell(990, 1)
    };
    let done = chain.block(&[
        (a, place(buy(1_010, 5))),
        (b, place(ioc)),
        (c, place(buy(1_005, 2))),
        (c, place(fok)),
    ]);
    let expected = [Code::Ok, Code::Ok, Code::Ok, Code::FokUnfilled];
    assert_eq!(done.codes(), expected);
    // Seven lots trade anywhere up to 1,005; the mark is 1,000.
    assert_eq!(done.fills().iter().map(|f| f.0).sum::<i64>(), 7);
    assert!(done.fills().iter().all(|fill| fill.1 == 1_000));
    assert_eq!(auctions(&done.0.events), [(1_000, 7, -2, 7)]);
    assert_eq!(removed(&done), [(1, Removal::Ioc), (2, Removal::Ioc)]);
    assert_eq!(chain.book(PERP), (vec![], vec![]));
    assert_eq!(chain.market(PERP).last, 1_000);
    // Results do not count what trades in an auction.
    assert_eq!(done.0.txs[0][0].actions[0].filled, 0);
    // Post-only orders keep to their rule, and nothing that needs slices or a peg is taken.
    chain.block(&[(a, place(buy(1_000, 1)))]);
    let passive = sell(1_000, 1).post_only(PostOnly::Reject);
    let done = chain.block(&[(b, place(passive))]);
    assert_eq!(done.codes(), [Code::PostOnlyWouldTrade]);
}

#[test]
fn a_market_in_auction_collects_and_trades_when_it_opens() {
    let (a, b) = (account(1, 0), account(2, 0));
    let mut chain = Chain::new(spec());
    chain.block(&[status(MarketStatus::Auction), (a, place(buy(1_020, 4)))]);
    let tif = |tif, order| Order { tif, ..order };
    let done = chain.block(&[
        (b, place(sell(1_000, 10))),
        (b, place(tif(TimeInForce::Ioc, sell(1_000, 1)))),
        (b, place(tif(TimeInForce::Fok, sell(1_000, 1)))),
    ]);
    let refused = Code::MarketAuction;
    assert_eq!(done.codes(), [Code::Ok, refused, refused]);
    assert_eq!(auctions(&done.0.events), [(1_000, 4, -6, 0)]);
    assert_eq!(chain.book(PERP), (vec![(1_020, 4)], vec![(1_000, 10)]));
    // Nothing has changed: nothing to tell.
    assert_eq!(auctions(&chain.wait(1)), []);
    chain.block(&[status(MarketStatus::Open)]);
    // In the block that opens the market an order still takes none, but its lots are in the auction.
    let done = chain.block(&[(a, place(buy(1_010, 3)))]);
    assert_eq!(auctions(&done.0.events), [(1_000, 7, -3, 7)]);
    assert_eq!(done.fills(), [(4, 1_000), (3, 1_000)]);
    assert_eq!(chain.book(PERP), (vec![], vec![(1_000, 3)]));
    let done = chain.block(&[(a, place(buy(1_000, 1)))]);
    assert_eq!(
        (done.fills(), auctions(&done.0.events)),
        (vec![(1, 1_000)], vec![])
    );
}

#[test]
fn what_an_auction_leaves_crossed_trades_in_the_next_block() {
    let (a, b) = (account(1, 0), account(2, 0));
    let mut chain = batch(|spec| spec.limits.auction_fills = 2);
    let bids = [1_000, 1_001, 1_002].map(|price| (a, place(buy(price, 1))));
    let mut sent = bids.to_vec();
    sent.push((b, place(sell(990, 3))));
    let done = chain.block(&sent);
    assert_eq!(done.fills(), [(1, 1_000), (1, 1_000)]);
    assert_eq!(auctions(&done.0.events), [(1_000, 3, 0, 2)]);
    assert_eq!(chain.book(PERP), (vec![(1_000, 1)], vec![(990, 1)]));
    assert_eq!(auctions(&chain.wait(1)), [(1_000, 1, 0, 1)]);
}

#[test]
fn the_worst_level_is_shared_by_time_or_by_lots() {
    let [a, b, c] = [1, 2, 3].map(|who| account(who, 0));
    for (sharing, left) in [(Sharing::Time, [0, 15]), (Sharing::ProRata, [5, 10])] {
        let mut chain = batch(|spec| spec.markets[0].sharing = sharing);
        let first = chain.block(&[(a, place(buy(1_000, 10)))]).ids()[0];
        let second = chain.block(&[(b, place(buy(1_000, 20)))]).ids()[0];
        chain.block(&[(c, place(sell(1_000, 15)))]);
        let remaining = [first, second].map(|id| chain.order(id).map_or(0, |o| o.remaining));
        assert_eq!(remaining, left, "{sharing:?}");
    }
}

#[test]
fn an_iceberg_trades_what_it_hides_and_then_shows_its_next_lots() {
    let (a, b) = (account(1, 0), account(2, 0));
    let mut chain = batch(|_| {});
    let iceberg = Order {
        display: Some(4),
        ..buy(1_000, 20)
    };
    let id = chain.block(&[(a, place(iceberg))]).ids()[0];
    let done = chain.block(&[(b, place(sell(1_000, 10)))]);
    assert_eq!(done.fills(), [(10, 1_000)]);
    let refreshed = done.0.events.iter().filter_map(|event| match event {
        Event::Refreshed { order, shown, .. } => Some((*order, *shown)),
        _ => None,
    });
    assert_eq!(refreshed.collect::<Vec<_>>(), [(id, 4)]);
    let order = chain.order(id).unwrap();
    assert_eq!((order.remaining, order.shown, order.filled), (10, 4, 10));
}
