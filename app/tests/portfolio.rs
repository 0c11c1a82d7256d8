//! Accounts in Portfolio mode: what offsets what, what orders need, and how the mode changes. The
//! scenarios are a fall and a rise of a tenth; initial margin is half as much again.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs
)]

mod common;

use ballast_types::{
    Account, Action, AssetId, ChainSpec, Code, Event, MarginMode, MarketId, MarketKind, Order,
    PriceKind, Removal, TimeInForce, Transfer,
};
use common::{Chain, Done, PERP, SPOT, account, buy, place, sell, spec};

const PORTFOLIO: MarginMode = MarginMode::Portfolio;
const STANDARD: MarginMode = MarginMode::Standard;

/// Trader 1 has a hundred lots of spot, worth 1,000 atoms each; trader 3 has none, and 100,000 atoms
/// of cash.
fn with_spot() -> ChainSpec {
    let mut spec = spec();
    spec.markets[1].kind = MarketKind::Spot {
        base: AssetId(1),
        lot_atoms: 1_000,
    };
    let (one, three) = (account(1, 0), account(3, 0));
    for (owner, asset, amount) in &mut spec.balances {
        match asset {
            AssetId(0) if *owner == three => *amount = 100_000,
            AssetId(1) => *amount = if *owner == one { 100_000 } else { 0 },
            _ => {}
        }
    }
    spec
}

fn on(market: MarketId, order: Order) -> Vec<Action> {
    place(Order { market, ..order })
}

fn set(chain: &mut Chain, owner: Account, mode: MarginMode) -> (Code, Option<i128>) {
    let done = chain.block(&[(owner, vec![Action::SetMarginMode(mode)])]);
    let action = &done.0.txs[0][0].actions[0];
    (action.code, action.missing)
}

const OK: (Code, Option<i128>) = (Code::Ok, None);

/// Equity, initial margin, maintenance margin, and that of what is held.
fn margin(chain: &Chain, owner: Account) -> [i128; 4] {
    let view = chain.state().account(&owner).unwrap();
    [
        view.equity,
        view.initial_margin,
        view.maintenance_margin,
        view.held_margin,
    ]
}

/// The first two trade lots of the perpetual.
fn trade(chain: &mut Chain, buyer: Account, seller: Account, lots: i64) {
    chain.block(&[(seller, place(sell(1_000, lots)))]);
    let done = chain.block(&[(buyer, place(buy(1_000, lots)))]);
    assert_eq!(done.fills(), [(lots, 1_000)]);
}

/// Code and what is missing of the only action.
fn answer(done: &Done) -> (Code, Option<i128>) {
    let action = &done.0.txs[0][0].actions[0];
    (action.code, action.missing)
}

#[test]
fn spot_is_collateral_and_offsets_the_perpetual() {
    let mut chain = Chain::new(with_spot());
    let one = account(1, 0);
    chain.wait(1);
    assert_eq!(margin(&chain, one), [1_000_000, 0, 0, 0]);
    assert_eq!(set(&mut chain, one, PORTFOLIO), OK);
    assert_eq!(margin(&chain, one), [1_100_000, 15_000, 10_000, 10_000]);
    assert_eq!(chain.state().account(&one).unwrap().margin_mode, PORTFOLIO);
    trade(&mut chain, account(2, 0), one, 100);
    assert_eq!(margin(&chain, one), [1_100_000, 0, 0, 0]);
    // The mark moves both alike.
    chain.publish(&[
        (PERP, PriceKind::Mark, 1_100),
        (PERP, PriceKind::Index, 1_100),
    ]);
    assert_eq!(margin(&chain, one), [1_100_000, 0, 0, 0]);
    // Apart they are two risks again: 100 lots at 1,100, in the standard way at a tenth.
    assert_eq!(set(&mut chain, one, STANDARD), OK);
    assert_eq!(margin(&chain, one), [990_000, 11_000, 5_500, 5_500]);
}

#[test]
fn a_genesis_may_put_all_accounts_into_portfolio_mode() {
    let mut spec = with_spot();
    spec.margin_mode = PORTFOLIO;
    let mut chain = Chain::new(spec);
    // There is no index before the first block.
    assert_eq!(margin(&chain, account(1, 0)), [1_000_000, 0, 0, 0]);
    chain.wait(1);
    let figures = [1_100_000, 15_000, 10_000, 10_000];
    assert_eq!(margin(&chain, account(1, 0)), figures);
}

#[test]
fn the_mode_changes_without_resting_orders_and_with_enough_margin() {
    let mut chain = Chain::new(with_spot());
    let three = account(3, 0);
    chain.wait(1);
    let done = chain.block(&[(three, place(buy(900, 1)))]);
    assert_eq!(set(&mut chain, three, PORTFOLIO), (Code::OpenOrders, None));
    let cancel = Action::Cancel(ballast_types::Cancel::Order(done.ids()[0]));
    chain.block(&[(three, vec![cancel])]);
    // 800 lots need 80,000 in the standard way, and 120,000 by the scenarios.
    trade(&mut chain, three, account(2, 0), 800);
    assert_eq!(margin(&chain, three), [100_000, 80_000, 40_000, 40_000]);
    let missing = (Code::InsufficientMargin, Some(20_000));
    assert_eq!(set(&mut chain, three, PORTFOLIO), missing);
    assert_eq!(margin(&chain, three), [100_000, 80_000, 40_000, 40_000]);
    assert_eq!(set(&mut chain, three, STANDARD), OK);
}

#[test]
fn orders_need_what_they_may_lose_and_immediate_ones_are_cut() {
    let mut spec = with_spot();
    spec.order_reserve_ppm = 1_000;
    let mut chain = Chain::new(spec);
    let three = account(3, 0);
    chain.wait(1);
    assert_eq!(set(&mut chain, three, PORTFOLIO), OK);
    // A lot may lose 150, an atom for roundings, and reserves 1.
    let done = chain.block(&[(three, place(buy(1_000, 1_000)))]);
    assert_eq!(answer(&done), (Code::InsufficientMargin, Some(52_000)));
    let resting = chain.block(&[(three, place(buy(1_000, 100)))]);
    assert_eq!(answer(&resting), OK);
    assert_eq!(margin(&chain, three), [100_000, 15_200, 10_100, 0]);
    chain.block(&[(
        three,
        vec![Action::Cancel(ballast_types::Cancel::All(None))],
    )]);
    assert_eq!(margin(&chain, three), [100_000, 0, 0, 0]);
    chain.block(&[(account(2, 0), place(sell(1_000, 1_000)))]);
    let immediate = Order {
        tif: TimeInForce::Ioc,
        ..buy(1_000, 1_000)
    };
    let done = chain.block(&[(three, place(immediate))]);
    assert_eq!(done.fills(), [(657, 1_000)]);
    assert_eq!(margin(&chain, three), [100_000, 98_550, 65_700, 65_700]);
    // An order that closes part of it needs nothing; one that does not is refused.
    let done = chain.block(&[(three, place(sell(1_000, 657)))]);
    assert_eq!(answer(&done), OK);
    let done = chain.block(&[(three, place(buy(1_000, 100)))]);
    assert_eq!(done.codes(), [Code::InsufficientMargin]);
}

#[test]
fn spot_that_margins_a_position_stays() {
    let mut chain = Chain::new(with_spot());
    let one = account(1, 0);
    chain.wait(1);
    assert_eq!(set(&mut chain, one, PORTFOLIO), OK);
    let send = |asset, amount| {
        let to = account(1, 1);
        vec![Action::Transfer(Transfer { asset, amount, to })]
    };
    // All of the cash but 5,000: spot of 100,000 needs 15,000.
    let done = chain.block(&[(one, send(AssetId(0), 995_000))]);
    assert_eq!(answer(&done), OK);
    trade(&mut chain, account(2, 0), one, 100);
    assert_eq!(margin(&chain, one), [105_000, 0, 0, 0]);
    // Without 95 lots the short position needs 14,250, and there are 10,000.
    let done = chain.block(&[(one, send(AssetId(1), 95_000))]);
    assert_eq!(answer(&done), (Code::InsufficientMargin, Some(4_250)));
    assert_eq!(margin(&chain, one), [105_000, 0, 0, 0]);
    let done = chain.block(&[(one, send(AssetId(1), 10_000))]);
    assert_eq!(answer(&done), OK);
    assert_eq!(margin(&chain, one), [95_000, 1_500, 1_000, 1_000]);
    // What is sold as spot no longer covers the position either.
    let ask = on(SPOT, sell(1_000, 50));
    let done = chain.block(&[(one, ask)]);
    assert_eq!(answer(&done), OK);
    let [equity, initial, ..] = margin(&chain, one);
    assert_eq!(equity, 95_000);
    assert!(initial >= 9_000, "{initial}");
    chain.block(&[(account(2, 0), on(SPOT, buy(1_000, 50)))]);
    assert_eq!(margin(&chain, one), [95_000, 9_000, 6_000, 6_000]);
}

#[test]
fn orders_that_raise_maintenance_margin_are_swept() {
    let mut chain = Chain::new(with_spot());
    let three = account(3, 0);
    chain.wait(1);
    assert_eq!(set(&mut chain, three, PORTFOLIO), OK);
    trade(&mut chain, three, account(2, 0), 500);
    let add = chain.block(&[(three, place(buy(900, 100)))]).ids()[0];
    let close = chain.block(&[(three, place(sell(1_100, 100)))]).ids()[0];
    // The position has lost 60,000 and 44,000 are held: with the bid it is not covered.
    let events = chain.publish(&[(PERP, PriceKind::Mark, 880), (PERP, PriceKind::Index, 880)]);
    let removed = events.0.events.iter().filter_map(|event| match event {
        Event::Removed { order, reason, .. } => Some((*order, *reason)),
        _ => None,
    });
    assert_eq!(removed.collect::<Vec<_>>(), [(add, Removal::Uncovered)]);
    assert!(chain.order(close).is_some());
    let [equity, _, maintenance, held] = margin(&chain, three);
    assert_eq!((equity, maintenance, held), (40_000, 44_000, 44_000));
    assert!(chain.state().account(&three).unwrap().uncovered);
    // Below its maintenance margin it may close, and nothing else.
    let done = chain.block(&[(three, place(buy(800, 1)))]);
    assert_eq!(answer(&done), (Code::UnderMaintenance, Some(4_000)));
    let done = chain.block(&[(account(2, 0), place(buy(880, 200)))]);
    assert_eq!(done.codes(), [Code::Ok]);
    let done = chain.block(&[(three, place(sell(880, 200)))]);
    assert_eq!(done.fills(), [(200, 880)]);
    let figures = [40_000, 39_600, 26_400, 26_400];
    assert_eq!(margin(&chain, three), figures);
}
