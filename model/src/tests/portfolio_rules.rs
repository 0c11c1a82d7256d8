//! Portfolio margin with worked numbers. The scenarios are a fall and a rise of 10 % and nothing
//! else; maintenance is what the worse one loses, initial margin 1.25 times as much. Ten lots of
//! the perpetual or of an option are a thousandth of a coin, 10 USDC: each percent is 100,000 atoms.

use super::{BTC_PERP, BTC_SPOT, DAY, SOL_PERP, World, order};
use crate::workload::params::plain;
use crate::workload::test_secrets;
use ballast_types::{
    Account, Action, AssetId, ChainSpec, Code, Lots, MarginMode, MarketId, OptionKind, Order, Side,
    TimeInForce, Transfer,
};

const BID: Side = Side::Buy;
const ASK: Side = Side::Sell;
const PORTFOLIO: MarginMode = MarginMode::Portfolio;

/// Person 1 has 15 USDC and no coins, person 2 all that the others trade.
fn world() -> World {
    with(|_| {})
}

fn with(change: impl FnOnce(&mut ChainSpec)) -> World {
    let rich = Account::new(test_secrets()[2].id(), 0);
    World::with_options(|spec| {
        spec.groups[0].margin = plain(100);
        for (account, asset, amount) in &mut spec.balances {
            if asset.0 != 0 {
                *amount = 0;
            } else if *account == rich {
                *amount = 1_000_000_000;
            }
        }
        change(spec);
    })
}

/// Also 400,000 atoms of BTC, 40 USDC.
fn with_spot() -> World {
    let poor = Account::new(test_secrets()[1].id(), 0);
    with(|spec| {
        for (account, asset, amount) in &mut spec.balances {
            if *asset == AssetId(1) && *account == poor {
                *amount = 400_000;
            }
        }
    })
}

/// Gives person 1 a position at about what it is worth.
fn hold(world: &mut World, market: MarketId, price: i64, lots: Lots) {
    let (buyer, seller) = if lots > 0 { (1, 2) } else { (2, 1) };
    world.trade(buyer, seller, market, price.max(1), lots.abs());
}

/// (initial, maintenance, held) of person 1.
fn figures(world: &World) -> (i128, i128, i128) {
    let margin = world.model.margin(world.account(1));
    (margin.initial, margin.maintenance, margin.held)
}

#[derive(Clone, Copy, Debug)]
enum Of {
    Perp,
    Call(i64),
    Put(i64),
}

impl Of {
    /// The market, and its price at an index of 10,000 in its ticks.
    fn market(self, world: &World) -> (MarketId, i64) {
        match self {
            Self::Perp => (BTC_PERP, 1_000),
            Self::Call(strike) => (
                world.option(strike, OptionKind::Call),
                (10_000 - strike).max(0),
            ),
            Self::Put(strike) => (
                world.option(strike, OptionKind::Put),
                (strike - 10_000).max(0),
            ),
        }
    }
}

#[test]
fn what_offsets_needs_nothing() {
    use Of::{Call, Perp, Put};
    // Ten lots of each; what the worse scenario loses.
    let cases: &[(&[(Of, Lots)], i128)] = &[
        (&[], 0),
        (&[(Perp, 1)], 1_000_000),
        (&[(Perp, -1)], 1_000_000),
        // A call at 11,000 is worth nothing after a rise of 10 %.
        (&[(Call(11_000), -1)], 0),
        (&[(Perp, 1), (Call(11_000), -1)], 1_000_000),
        // Deep in the money it is the coin itself.
        (&[(Perp, 1), (Call(9_000), -1)], 0),
        (&[(Perp, 1), (Put(11_000), 1)], 0),
        // 1,000 USDC a coin in the money; both are worth nothing after the fall.
        (&[(Call(9_000), 1), (Call(10_000), -1)], 1_000_000),
        // Either way one of them pays.
        (&[(Call(10_000), -1), (Put(10_000), -1)], 1_000_000),
        (
            &[(Call(10_000), -1), (Put(10_000), -1), (Perp, 1)],
            2_000_000,
        ),
        // Bought and sold alike: a call less a put is the coin.
        (&[(Call(10_000), 1), (Put(10_000), -1), (Perp, -1)], 0),
    ];
    for (positions, worst) in cases {
        let mut world = world();
        assert_eq!(world.set_mode(1, PORTFOLIO), Code::Ok);
        for (of, lots) in *positions {
            let (market, price) = of.market(&world);
            hold(&mut world, market, price, 10 * lots);
        }
        let expected = (worst * 5 / 4, *worst, *worst);
        assert_eq!(figures(&world), expected, "{positions:?}");
    }
}

#[test]
fn covered_calls_need_less_than_in_standard_mode() {
    let mut world = world();
    let call = world.call(11_000);
    hold(&mut world, BTC_PERP, 1_000, 10);
    hold(&mut world, call, 1, -10);
    // 10 % of 10,000,000 for each; 8 % of the perpetual and 7.5 % of the calls.
    assert_eq!(figures(&world), (2_000_000, 1_550_000, 1_550_000));
    assert_eq!(world.set_mode(1, PORTFOLIO), Code::Ok);
    assert_eq!(figures(&world), (1_250_000, 1_000_000, 1_000_000));
    assert_eq!(world.set_mode(1, MarginMode::Standard), Code::Ok);
    assert_eq!(figures(&world), (2_000_000, 1_550_000, 1_550_000));
}

#[test]
fn spot_counts_and_hedges() {
    let mut world = with_spot();
    assert_eq!(world.model.margin(world.account(1)).equity, 15_000_000);
    assert_eq!(figures(&world), (0, 0, 0));
    assert_eq!(world.set_mode(1, PORTFOLIO), Code::Ok);
    // 0.004 coins.
    assert_eq!(world.model.margin(world.account(1)).equity, 55_000_000);
    assert_eq!(figures(&world), (5_000_000, 4_000_000, 4_000_000));
    let call = world.call(10_000);
    hold(&mut world, call, 1, -40);
    // Covered: only the fall loses, and the calls are worth nothing then.
    assert_eq!(figures(&world), (5_000_000, 4_000_000, 4_000_000));
    hold(&mut world, call, 1, 40);
    hold(&mut world, BTC_PERP, 1_000, -40);
    assert_eq!(figures(&world), (0, 0, 0));
    world.set_index(BTC_PERP, 1_100);
    // The coins are worth 10 % more, the perpetual keeps its mark: in 10 % 4,400,000 and 4,000,000.
    assert_eq!(figures(&world), (500_000, 400_000, 400_000));
}

#[test]
fn spot_that_margin_needs_does_not_leave() {
    let mut world = with_spot();
    assert_eq!(world.set_mode(1, PORTFOLIO), Code::Ok);
    hold(&mut world, BTC_PERP, 1_000, 300);
    // Fees: 300 * 350. 34,000,000 * 1.25.
    let equity = 55_000_000 - 105_000;
    assert_eq!(world.model.margin(world.account(1)).equity, equity);
    assert_eq!(figures(&world).0, 42_500_000);
    let to = world.account(2);
    let mut send = |amount: u128| {
        let asset = AssetId(1);
        let sent = world.act(1, Action::Transfer(Transfer { asset, amount, to }));
        (sent.code, sent.missing)
    };
    let refused = Code::InsufficientMargin;
    // 30,000,000 * 1.25 is needed, with the coins gone.
    assert_eq!(
        send(400_000),
        (refused, Some(37_500_000 - (equity - 40_000_000)))
    );
    assert_eq!(
        send(200_000),
        (refused, Some(40_000_000 - (equity - 20_000_000)))
    );
    assert_eq!(send(100_000), (Code::Ok, None));
}

#[test]
fn an_order_far_from_the_market_reserves_a_little() {
    let mut world = with(|spec| spec.order_reserve_ppm = 1_000);
    assert_eq!(world.set_mode(1, PORTFOLIO), Code::Ok);
    // A tenth of the mark: it gains in both scenarios, but 0.1 % of 10 lots at 100,000 counts.
    world.placed(1, order(BTC_PERP, BID, 100, 10));
    assert_eq!(figures(&world), (1_000, 0, 0));
    world.placed(1, order(BTC_PERP, ASK, 10_001, 2));
    // 10,001 rounded up from 10,001.0, twice.
    assert_eq!(figures(&world), (1_000 + 2 * 10_001, 0, 0));
}

#[test]
fn the_mode_changes_while_nothing_rests() {
    let mut world = with_spot();
    let id = world.placed(1, order(BTC_PERP, BID, 900, 2));
    assert_eq!(world.set_mode(1, PORTFOLIO), Code::OpenOrders);
    // The cancel counts in the pass after this one.
    let cancel = Action::Cancel(ballast_types::Cancel::Order(id));
    let txs = vec![cancel, Action::SetMarginMode(PORTFOLIO)];
    let codes = super::codes(&world.block(&[(1, txs)]));
    assert_eq!(codes, [Code::Ok, Code::OpenOrders]);
    assert_eq!(world.set_mode(1, PORTFOLIO), Code::Ok);
    assert_eq!(world.set_mode(1, PORTFOLIO), Code::Ok);
    hold(&mut world, BTC_PERP, 1_000, 300);
    // In Standard mode it has 15,000,000 less fees, and needs 30,000,000.
    let back = world.act(1, Action::SetMarginMode(MarginMode::Standard));
    assert_eq!(
        (back.code, back.missing),
        (Code::InsufficientMargin, Some(30_000_000 - 14_895_000))
    );
    // Nor does the mode that it has, when that is not covered any more.
    world.set_mark(BTC_PERP, 950);
    world.set_index(BTC_PERP, 950);
    let margin = world.model.margin(world.account(1));
    // 0.034 coins at 9,500 in all, 10 %, with a perpetual that lost 15,000,000.
    assert_eq!(margin.equity, 14_895_000 + 38_000_000 - 15_000_000);
    assert_eq!(margin.initial, 40_375_000);
    let stays = world.act(1, Action::SetMarginMode(PORTFOLIO));
    assert_eq!(
        (stays.code, stays.missing),
        (Code::InsufficientMargin, Some(40_375_000 - 37_895_000))
    );
}

#[test]
fn a_new_account_has_the_mode_of_the_chain() {
    let mut world = with(|spec| spec.margin_mode = PORTFOLIO);
    let call = world.call(9_000);
    hold(&mut world, BTC_PERP, 1_000, 10);
    hold(&mut world, call, 1_000, -10);
    assert_eq!(figures(&world), (0, 0, 0));
    let spot = world.place(1, order(BTC_SPOT, BID, 1_000, 2)).0;
    assert_eq!(spot, Code::Ok);
    world.time += DAY;
    world.block(&[]);
    // The calls are gone.
    let (_, maintenance, held) = figures(&world);
    assert_eq!(held, 1_000_000);
    assert!(maintenance > held);
}

#[test]
fn open_orders_count_with_the_worst_subset_of_fills() {
    // Position; orders; initial, maintenance. A fee at 1,000 is 350, a lot moves by 100,000, and
    // each lot that may be filled counts an atom for roundings.
    type Case<'a> = (Lots, &'a [(Side, i64, Lots)], i128, i128);
    let cases: &[Case<'_>] = &[
        (0, &[(BID, 1_000, 10)], 1_253_510, 1_003_510),
        // What it gains below the mark counts once, whatever the factor: 10,000 - 347.
        (0, &[(BID, 990, 10)], 1_153_480, 903_480),
        (0, &[(BID, 890, 10)], 153_130, 0),
        // The worse of the two.
        (
            0,
            &[(BID, 1_000, 10), (ASK, 1_010, 20)],
            2_307_100,
            1_807_100,
        ),
        // Less what the position gains in the rise.
        (10, &[(ASK, 1_010, 10)], 1_250_000, 1_000_000),
        (10, &[(ASK, 1_010, 30)], 2_210_650, 1_710_650),
        (-10, &[(BID, 1_000, 4), (BID, 999, 4)], 1_250_000, 1_000_000),
    ];
    for (lots, orders, initial, maintenance) in cases {
        let mut world = world();
        assert_eq!(world.set_mode(1, PORTFOLIO), Code::Ok);
        if *lots != 0 {
            hold(&mut world, BTC_PERP, 1_000, *lots);
        }
        for (side, price, lots) in *orders {
            world.placed(1, order(BTC_PERP, *side, *price, *lots));
        }
        let held = 100_000 * i128::from(lots.abs());
        let expected = (*initial, *maintenance, held);
        assert_eq!(figures(&world), expected, "{lots} {orders:?}");
    }
}

#[test]
fn ioc_orders_are_cut_to_what_the_scenarios_allow() {
    let mut world = world();
    assert_eq!(world.set_mode(1, PORTFOLIO), Code::Ok);
    world.placed(2, order(BTC_PERP, ASK, 1_000, 200));
    let bid = |tif| Order {
        tif,
        ..order(BTC_PERP, BID, 1_000, 180)
    };
    // 180 * 125,350 less 15,000,000.
    let refused = world.act(1, Action::Order(bid(TimeInForce::Gtc)));
    let missing = 180 * 125_351 - 15_000_000;
    assert_eq!(
        (refused.code, refused.missing),
        (Code::InsufficientMargin, Some(missing))
    );
    // 119 lots need 14,916,769.
    assert_eq!(world.place(1, bid(TimeInForce::Ioc)), (Code::Ok, 119));
    // The calls that it sells against them need nothing.
    let call = world.call(9_000);
    let ask = Order {
        tif: TimeInForce::Gtc,
        ..order(call, ASK, 1_000, 100)
    };
    assert_eq!(world.place(1, ask).0, Code::Ok);
}

#[test]
fn under_maintenance_only_risk_reducing_orders_are_admitted() {
    let mut world = world();
    assert_eq!(world.set_mode(1, PORTFOLIO), Code::Ok);
    hold(&mut world, BTC_PERP, 1_000, 100);
    world.set_mark(BTC_PERP, 900);
    // 100 lots lost 100,000 each; 10 % of 900,000 are 90,000.
    let margin = world.model.margin(world.account(1));
    assert_eq!((margin.equity, margin.held), (4_965_000, 9_000_000));
    assert!(margin.uncovered);
    let under = (Code::UnderMaintenance, Some(4_035_000));
    let ok = (Code::Ok, None);
    for (side, price, lots, expected) in [
        (BID, 890, 2, under),
        (ASK, 890, 100, ok),
        // At 820 ten lots lose 802,870, and 900,000 are needed no more; at 800 they lose 1,002,800.
        (ASK, 820, 10, ok),
        (ASK, 800, 10, under),
        // Beyond the position, while that needs less than the position did.
        (ASK, 890, 110, ok),
        (ASK, 890, 200, under),
    ] {
        let mut world = world.clone();
        let told = world.act(1, Action::Order(order(BTC_PERP, side, price, lots)));
        assert_eq!(
            (told.code, told.missing),
            expected,
            "{side:?} {price} {lots}"
        );
    }
}

#[test]
fn fills_of_an_uncovered_account_do_not_cost_it_margin() {
    // Side, price and lots of what rests; what trades of 200 lots.
    for (side, price, lots, traded) in [
        // 50 lots short need 4,500,000 in place of 9,000,000 for 100 long; each costs 10,089.
        (ASK, 890, 150, 150),
        // At 870 the 150 lots lose 4,513,050: only the position may be closed.
        (ASK, 870, 150, 100),
        (BID, 860, 10, 0),
    ] {
        let mut world = with(|spec| spec.limits.sweep_orders = 0);
        world.set_mark(BTC_PERP, 900);
        assert_eq!(world.set_mode(1, PORTFOLIO), Code::Ok);
        hold(&mut world, SOL_PERP, 1_000, 100);
        hold(&mut world, BTC_PERP, 900, 100);
        world.placed(1, order(BTC_PERP, side, price, lots));
        // 7,700,000 are lost elsewhere.
        world.set_mark(SOL_PERP, 1);
        let margin = world.model.margin(world.account(1));
        assert!(margin.uncovered && margin.equity < margin.held);
        let taker = Order {
            tif: TimeInForce::Ioc,
            ..order(BTC_PERP, side.opposite(), price, 200)
        };
        assert_eq!(
            world.place(2, taker),
            (Code::Ok, traded),
            "{side:?} {price}"
        );
        let after = world.model.margin(world.account(1));
        assert!(after.equity - after.held >= margin.equity - margin.held);
    }
}
