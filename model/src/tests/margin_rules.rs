//! The formulas with worked numbers. BTC-PERP at mark 1,000 with 1,000 atoms a tick: a lot is worth
//! 1,000,000, margins are 100,000 and 80,000 a lot, the taker's fee at 1,000 is 350.

use super::{BTC_PERP, BTC_SPOT, ETH_PERP, World, order};
use crate::margin::up;
use crate::settle::trade_position;
use crate::state::Position;
use ballast_types::{Action, AssetId, Code, Side, TimeInForce, Transfer};

#[test]
fn rates_round_toward_positive_infinity() {
    for (x, ppm, expected) in [
        (1_000_000, 350, 350),
        (1, 1, 1),
        (0, 350, 0),
        (1_010_000, 350, 354),
        (1_000_000, -110, -110),
        (1_010, -110, 0),
        (19_000, -110, -2),
    ] {
        assert_eq!(up(x, ppm), expected, "{x} at {ppm}");
    }
    let world = World::new();
    assert_eq!(world.model.fee(ETH_PERP, 999, -110), -32);
}

/// An order of the account: bid or ask, price, lots.
type Resting = (Side, i64, i64);

#[test]
fn the_requirement_is_the_worst_subset_of_fills() {
    let (bid, ask) = (Side::Buy, Side::Sell);
    // Orders; initial, maintenance.
    let cases: &[(&[Resting], i128, i128)] = &[
        (&[], 0, 0),
        (&[(bid, 1_000, 10)], 1_003_500, 803_500),
        // Below the mark a bid gains when it trades: 10,000 - 347.
        (&[(bid, 990, 10)], 903_470, 703_470),
        // The two sides never both count in full.
        (&[(bid, 1_000, 10), (ask, 1_010, 10)], 1_003_500, 803_500),
        (&[(bid, 1_000, 10), (ask, 1_010, 20)], 1_807_080, 1_407_080),
        // So far above the mark that its gain exceeds its margin.
        (&[(ask, 1_200, 10)], 0, 0),
    ];
    for (orders, initial, maintenance) in cases {
        let mut world = World::new();
        for (side, price, lots) in *orders {
            world.placed(1, order(BTC_PERP, *side, *price, *lots));
        }
        let margin = world.model.margin(world.account(1));
        assert_eq!(
            (margin.initial, margin.maintenance),
            (*initial, *maintenance),
            "{orders:?}"
        );
        assert_eq!((margin.equity, margin.held), (15_000_000, 0));
    }
}

#[test]
fn a_spot_bid_requires_all_that_it_may_cost() {
    let mut world = World::new();
    world.placed(1, order(BTC_SPOT, Side::Buy, 500, 10));
    let margin = world.model.margin(world.account(1));
    assert_eq!((margin.initial, margin.maintenance), (500_180, 500_180));
    let ask = |lots, tif| ballast_types::Order {
        tif,
        ..order(BTC_SPOT, Side::Sell, 900, lots)
    };
    // 400 lots of 1,000 atoms are there.
    assert_eq!(world.place(1, ask(300, TimeInForce::Gtc)), (Code::Ok, 0));
    assert_eq!(
        world.place(1, ask(101, TimeInForce::Gtc)),
        (Code::InsufficientBalance, 0)
    );
    assert_eq!(world.place(1, ask(100, TimeInForce::Gtc)), (Code::Ok, 0));
    assert_eq!(
        world.place(1, ask(2, TimeInForce::Ioc)),
        (Code::InsufficientBalance, 0)
    );
}

#[test]
fn positions_count_at_the_mark_with_what_they_hold() {
    let mut world = World::new();
    world.trade(1, 2, BTC_PERP, 1_000, 10);
    world.set_mark(BTC_PERP, 900);
    let (long, short) = (world.account(1), world.account(2));
    let (long, short) = (world.model.margin(long), world.model.margin(short));
    // A lot is worth 900,000 now. The maker paid 100 a lot, the taker 350.
    assert_eq!(
        (long.equity, long.initial, long.held),
        (13_996_500, 900_000, 720_000)
    );
    assert_eq!(
        (short.equity, short.initial, short.held),
        (15_999_000, 900_000, 720_000)
    );
    assert_eq!(world.model.fee_pool(), 4_500);
}

#[test]
fn ioc_orders_are_cut_to_their_margin() {
    let mut world = World::new();
    for who in [2, 3] {
        world.placed(who, order(BTC_PERP, Side::Sell, 1_000, 100));
    }
    // 149 lots need 149 * 100,350 = 14,952,150 of 15,000,000.
    let bid = |tif| ballast_types::Order {
        tif,
        ..order(BTC_PERP, Side::Buy, 1_000, 180)
    };
    assert_eq!(
        world.place(1, bid(TimeInForce::Gtc)),
        (Code::InsufficientMargin, 0)
    );
    assert_eq!(
        world.place(1, bid(TimeInForce::Fok)),
        (Code::InsufficientMargin, 0)
    );
    assert_eq!(world.place(1, bid(TimeInForce::Ioc)), (Code::Ok, 149));
}

#[test]
fn under_maintenance_only_risk_reducing_orders_are_admitted() {
    let mut world = World::new();
    world.trade(1, 2, BTC_PERP, 1_000, 100);
    world.set_mark(BTC_PERP, 900);
    // Equity 4,965,000, held 7,200,000.
    assert!(world.model.margin(world.account(1)).uncovered);
    let sell = |price, lots| order(BTC_PERP, Side::Sell, price, lots);
    assert_eq!(
        world.place(1, order(BTC_PERP, Side::Buy, 890, 2)).0,
        Code::UnderMaintenance
    );
    assert_eq!(world.place(1, sell(820, 10)).0, Code::UnderMaintenance);
    assert_eq!(world.place(1, sell(890, 101)).0, Code::UnderMaintenance);
    assert_eq!(world.place(1, sell(890, 100)).0, Code::Ok);
    let transfer = Transfer {
        asset: AssetId(0),
        amount: 1,
        to: world.account(2),
    };
    assert_eq!(
        world.act(1, Action::Transfer(transfer)).code,
        Code::InsufficientMargin
    );
}

#[test]
fn the_sweep_removes_the_newest_orders_until_the_account_is_covered() {
    let mut world = World::new();
    world.trade(1, 2, BTC_PERP, 1_000, 80);
    let bids = [970, 960, 950].map(|price| world.placed(1, order(ETH_PERP, Side::Buy, price, 70)));
    world.set_mark(BTC_PERP, 900);
    // Two orders a block.
    let book = world.book(ETH_PERP);
    assert_eq!(book[0], [(970, 70)]);
    assert!(
        world
            .model
            .orders(ETH_PERP)
            .0
            .iter()
            .all(|order| order.id == bids[0])
    );
    let margin = world.model.margin(world.account(1));
    assert_eq!(margin.uncovered, margin.equity < margin.maintenance);
}

#[test]
fn closing_realises_the_share_of_the_cost() {
    let position = |size, cost| Position { size, cost };
    // Before; lots traded at this cost each; after, cash.
    let cases = [
        (position(0, 0), 3, 100, position(3, 300), 0),
        (position(3, 300), 2, 110, position(5, 520), 0),
        (position(3, 300), -3, 110, position(0, 0), 30),
        (position(3, 301), -1, 90, position(2, 201), -10),
        (position(-3, -300), 2, 90, position(-1, -100), 20),
        (position(-3, -301), 1, 90, position(-2, -201), 10),
        (position(-3, -300), 5, 90, position(2, 180), 30),
        (position(2, 180), -5, 100, position(-3, -300), 20),
    ];
    for (before, lots, lot_cost, after, cash) in cases {
        let mut traded = before;
        let paid = trade_position(&mut traded, lots, lot_cost);
        assert_eq!(
            (traded, paid),
            (after, cash),
            "{lots} at {lot_cost} on {before:?}"
        );
    }
}
