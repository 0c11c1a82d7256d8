//! Margin explained: the figures are those that the state keeps, a what-if says what an order then
//! does, distances and proposals what prices and parameters then do.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs
)]

mod common;

use ballast_app::explain::{Figures, HypotheticalOrder, ProposedError, WhatIfError};
use ballast_app::view::AccountView;
use ballast_app::{Block, Snapshot, State};
use ballast_model::workload::{Workload, test_secrets, test_spec};
use ballast_types::{
    Account, Action, ChainSpec, GroupId, MarginMode, MarketId, Order, PriceKind, Side, TxHash,
};
use bytes::Bytes;
use common::{Chain, PERP, SPOT, account, buy, list_options, place, sell, spec};
use std::collections::BTreeSet;
use std::sync::Arc;

const GROUP: GroupId = GroupId(0);
/// Of the first expiry at 1,000.
const CALL: MarketId = MarketId(2);
const PUT: MarketId = MarketId(3);

fn with_options(mode: MarginMode) -> ChainSpec {
    let mut spec = spec();
    spec.margin_mode = mode;
    spec.order_reserve_ppm = 1_000;
    spec.markets[0].taker_fee_ppm = 500;
    list_options(&mut spec, |_| {});
    spec
}

fn chain(mode: MarginMode) -> Chain {
    let mut chain = Chain::new(with_options(mode));
    chain.wait(1);
    chain
}

fn kept(view: &AccountView) -> Figures {
    Figures {
        equity: view.equity,
        initial: view.initial_margin,
        maintenance: view.maintenance_margin,
        held: view.held_margin,
    }
}

fn figures(chain: &Chain, account: &Account) -> Figures {
    kept(&chain.state().account(account).unwrap())
}

fn assert_explained(state: &Snapshot, accounts: &BTreeSet<Account>) -> usize {
    let mut portfolios = 0;
    for account in accounts {
        let view = state.account(account).unwrap();
        let explained = state.explain(account).unwrap();
        assert_eq!(
            explained.total,
            kept(&view),
            "{account} at {}",
            state.height()
        );
        assert_eq!(explained.mode, view.margin_mode);
        assert_eq!(
            explained.missing,
            (view.initial_margin - view.equity).max(0)
        );
        let mut sum = Figures {
            equity: explained.cash,
            ..Figures::default()
        };
        for group in &explained.groups {
            sum.equity += group.figures.equity;
            sum.initial += group.figures.initial;
            sum.maintenance += group.figures.maintenance;
            sum.held += group.figures.held;
        }
        assert_eq!(sum, explained.total);
        portfolios += usize::from(view.margin_mode == MarginMode::Portfolio);
    }
    portfolios
}

#[test]
fn explained_figures_are_those_that_are_kept() {
    let spec = Arc::new(test_spec());
    let accounts: BTreeSet<_> = spec.balances.iter().map(|(account, ..)| *account).collect();
    let mut portfolios = 0;
    for seed in 0..3 {
        let mut state = State::genesis(spec.clone()).unwrap();
        let mut workload = Workload::new(seed, &spec, test_secrets());
        for _ in 0..40 {
            let next = workload.next_block(40);
            let txs: Vec<_> = next.txs.into_iter().map(Bytes::from).collect();
            let none_verified: &(dyn Fn(&TxHash) -> bool + Sync) = &|_| false;
            let block = Block {
                height: next.height,
                time: next.time,
                txs: &txs,
            };
            let candidate = state.execute(&block, none_verified);
            workload.observe(&candidate.events);
            state.commit(candidate);
            portfolios += assert_explained(&state.committed(), &accounts);
        }
    }
    assert!(portfolios > 0);
}

fn if_sent(market: MarketId, side: Side, price: i64, size: i64, filled: bool) -> HypotheticalOrder {
    HypotheticalOrder {
        market,
        side,
        price,
        size,
        filled,
    }
}

#[test]
fn what_an_order_would_need_is_what_it_needs() {
    for mode in [MarginMode::Standard, MarginMode::Portfolio] {
        let mut chain = chain(mode);
        let (maker, taker) = (account(1, 0), account(2, 0));
        let orders = [
            (PERP, Side::Buy, 990, 40),
            (PERP, Side::Sell, 1_010, 10),
            (SPOT, Side::Sell, 1_020, 3),
            (CALL, Side::Sell, 30, 5),
            (PUT, Side::Buy, 4, 5),
        ];
        let all =
            orders.map(|(market, side, price, size)| if_sent(market, side, price, size, false));
        let guess = chain.state().what_if(&maker, &all, None).unwrap().total;
        for (market, side, price, size) in orders {
            let order = Order::limit(market, side, price, size);
            let done = chain.block(&[(maker, place(order))]);
            assert_eq!(done.ids().len(), 1, "{mode:?} {market}");
        }
        assert_eq!(figures(&chain, &maker), guess, "{mode:?}");

        // The taker buys five calls, sells ten perpetuals and buys spot.
        let trades = [
            (CALL, Side::Buy, 30, 5),
            (PERP, Side::Sell, 990, 10),
            (SPOT, Side::Buy, 1_020, 3),
        ];
        let all =
            trades.map(|(market, side, price, size)| if_sent(market, side, price, size, true));
        let guess = chain.state().what_if(&taker, &all, None).unwrap().total;
        for (market, side, price, size) in trades {
            let order = Order::limit(market, side, price, size);
            let done = chain.block(&[(taker, place(order))]);
            assert_eq!(done.fills(), [(size, price)], "{mode:?} {market}");
        }
        assert_eq!(figures(&chain, &taker), guess, "{mode:?}");

        // In the other mode it is what the change of mode makes of it.
        let other = match mode {
            MarginMode::Standard => MarginMode::Portfolio,
            MarginMode::Portfolio => MarginMode::Standard,
        };
        let guess = chain
            .state()
            .what_if(&taker, &[], Some(other))
            .unwrap()
            .total;
        chain.block(&[(taker, vec![Action::SetMarginMode(other)])]);
        assert_eq!(figures(&chain, &taker), guess, "to {other:?}");
    }
}

#[test]
fn orders_that_could_not_be_are_named() {
    let chain = chain(MarginMode::Standard);
    let state = chain.state();
    let good = if_sent(PERP, Side::Buy, 990, 1, false);
    for (order, field, value) in [
        (if_sent(MarketId(99), Side::Buy, 1, 1, false), "market", 99),
        (if_sent(PERP, Side::Buy, 0, 1, false), "price", 0),
        (
            if_sent(PERP, Side::Buy, 1_000_001, 1, true),
            "price",
            1_000_001,
        ),
        (if_sent(PERP, Side::Buy, 1, 0, false), "size", 0),
        (if_sent(SPOT, Side::Sell, 1_000, 1_001, true), "size", 1_001),
        (
            if_sent(SPOT, Side::Sell, 1_000, 1_001, false),
            "size",
            1_001,
        ),
    ] {
        let refused = state.what_if(&account(1, 0), &[good, order], None);
        let Err(WhatIfError::Order {
            number: 1,
            field: of,
            value: is,
            ..
        }) = refused
        else {
            panic!("{order:?}: {refused:?}");
        };
        assert_eq!((of, is), (field, value));
    }
    let many = [good; 65];
    assert!(state.what_if(&account(1, 0), &many, None).is_err());
    let nobody = account(1, 7);
    assert_eq!(state.what_if(&nobody, &[], None), Err(WhatIfError::Account));
    assert_eq!(state.explain(&nobody), None);
}

/// The owner is long 900 perpetuals and has written 300 calls and puts.
fn loaded(mode: MarginMode) -> Chain {
    let mut chain = chain(mode);
    for (market, price, size, side) in [
        (PERP, 1_000, 900, Side::Buy),
        (CALL, 30, 300, Side::Sell),
        (PUT, 30, 300, Side::Sell),
    ] {
        let other = match side {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        };
        let rest = place(Order::limit(market, other, price, size));
        chain.block(&[(account(2, 0), rest)]);
        let take = place(Order::limit(market, side, price, size));
        let done = chain.block(&[(account(1, 0), take)]);
        assert_eq!(done.fills(), [(size, price)]);
    }
    chain
}

#[test]
fn prices_that_move_by_the_distance_put_an_account_under_maintenance() {
    for mode in [MarginMode::Standard, MarginMode::Portfolio] {
        let owner = account(1, 0);
        let mut under = Vec::new();
        for further in [-10_000, 10_000] {
            let mut chain = loaded(mode);
            let distance = chain.state().liquidation_distance(&owner).unwrap();
            assert_eq!(distance.len(), 1);
            let down = distance[0].down_ppm.unwrap();
            assert!(down > 20_000, "{down}");
            assert_eq!(distance[0].index, 1_000);
            // Ticks are a thousandth of the price.
            let price = (1_000_000 - down - further + 500) / 1_000;
            let prices = [
                (PERP, PriceKind::Mark, price),
                (PERP, PriceKind::Index, price),
            ];
            chain.publish(&prices);
            let now = figures(&chain, &owner);
            under.push(now.under_maintenance());
            let view = chain.state().account(&owner).unwrap();
            assert_eq!(view.uncovered, now.equity < now.maintenance);
        }
        assert_eq!(under, [false, true], "{mode:?}");
    }
}

#[test]
fn nothing_held_is_never_liquidated() {
    let chain = chain(MarginMode::Standard);
    assert_eq!(
        chain.state().liquidation_distance(&account(1, 0)),
        Some(vec![])
    );
    assert_eq!(chain.state().liquidation_distance(&account(1, 9)), None);
    // Short perpetuals have nothing to fear below.
    let mut chain = chain_short();
    let distance = chain.state().liquidation_distance(&account(1, 0)).unwrap();
    assert_eq!(distance[0].down_ppm, None);
    assert!(distance[0].up_ppm.unwrap() > 100_000);
    chain.wait(1);
}

fn chain_short() -> Chain {
    let mut chain = chain(MarginMode::Standard);
    chain.block(&[(account(2, 0), place(buy(1_000, 900)))]);
    let done = chain.block(&[(account(1, 0), place(sell(1_000, 900)))]);
    assert_eq!(done.fills(), [(900, 1_000)]);
    chain
}

#[test]
fn whom_other_parameters_put_under_margin_is_listed() {
    let chain = loaded(MarginMode::Portfolio);
    let state = chain.state();
    let now = state.spec().groups[0].margin.clone();
    let all = |params| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let part = state.under(GROUP, &params, after).unwrap();
            assert!(part.looked_at > 0);
            found.extend(part.accounts);
            after = part.next;
            if after.is_none() {
                return found;
            }
        }
    };
    assert_eq!(all(now.clone()), []);
    let mut scaled = now.clone();
    for scenario in &mut scaled.scenarios {
        scenario.change *= 9;
    }
    let found = all(scaled);
    let accounts: Vec<_> = found.iter().map(|found| found.account).collect();
    // What the other side has lost on one leg it has won on another.
    assert_eq!(accounts, [account(1, 0)]);
    for found in &found {
        assert_eq!(found.before, figures(&chain, &found.account));
        assert_eq!(found.after.equity, found.before.equity);
        assert!(found.after.initial > found.after.equity);
        assert!(found.before.initial < found.before.equity);
    }
    let none = state.under(GroupId(7), &now, None);
    assert_eq!(none, Err(ProposedError::NoUnit(GroupId(7))));
}
