//! Options with worked numbers. At an index of 10,000 USDC the unit value of a lot, a ten-thousandth
//! of a coin, is 1,000,000 atoms; options have no volatility, so a call at 9,000 is worth 1,000
//! USDC: 1,000 ticks of 100 atoms.

use super::{BTC_PERP, DAY, MIDNIGHT, World, order};
use ballast_types::{
    BlockEvents, Code, Event, MarketId, MarketKind, MarketStatus, OptionKind, Order, PostOnly,
    PriceKind, Side, Ticks, TimeInForce,
};

const BID: Side = Side::Buy;
const ASK: Side = Side::Sell;
const HALF_HOUR: u64 = 1_800_000;

/// Markets that a block settled, with their prices.
fn settled(events: &BlockEvents) -> Vec<(MarketId, Ticks)> {
    let settled = events.events.iter().filter_map(|event| match event {
        Event::Settled { market, price } => Some((*market, *price)),
        _ => None,
    });
    settled.collect()
}

#[test]
fn the_premium_is_paid_at_once() {
    let mut world = World::with_options(|_| {});
    let call = world.call(9_000);
    world.trade(1, 2, call, 1_010, 10);
    // 10 lots at 1,010 are 1,010,000. Fees of a lot: 300 and 100 ppm of 1,000,000.
    assert_eq!(world.balance(1, 0), 15_000_000 - 1_010_000 - 3_000);
    assert_eq!(world.balance(2, 0), 15_000_000 + 1_010_000 - 1_000);
    assert_eq!(world.model.fee_pool(), 4_000);
    let positions = world.model.positions();
    assert_eq!(positions[&(world.account(1), call)], (10, 0));
    assert_eq!(positions[&(world.account(2), call)], (-10, 0));
    let long = world.model.margin(world.account(1));
    // Worth 100,000 a lot, which is what a long lot needs.
    assert_eq!(long.equity, 13_987_000 + 1_000_000);
    assert_eq!((long.initial, long.held), (1_000_000, 1_000_000));
    let short = world.model.margin(world.account(2));
    assert_eq!(short.equity, 16_009_000 - 1_000_000);
    assert_eq!((short.initial, short.held), (1_500_000, 750_000));
}

#[test]
fn a_short_option_needs_less_the_further_it_is_out_of_the_money() {
    use OptionKind::{Call, Put};
    // Index in ticks of the perpetual; strike; kind; initial and maintenance margin of a short lot.
    let cases = [
        (1_000, 9_000, Call, 150_000, 75_000),
        (1_000, 10_000, Call, 150_000, 75_000),
        // 150,000 - 100,000 is below the least, 10 %.
        (1_000, 11_000, Call, 100_000, 75_000),
        (1_000, 11_000, Put, 150_000, 75_000),
        (1_000, 9_000, Put, 100_000, 75_000),
        // A lot is 1,040,000 now: 15 % are 156,000, 10 % 104,000, 7.5 % 78,000.
        (1_040, 11_000, Call, 104_000, 78_000),
        (1_040, 10_000, Call, 156_000, 78_000),
        (1_040, 10_000, Put, 156_000 - 40_000, 78_000),
    ];
    for (index, strike, kind, initial, maintenance) in cases {
        let mut world = World::with_options(|_| {});
        let market = world.option(strike, kind);
        world.set_index(BTC_PERP, index);
        world.trade(1, 2, market, 1_000, 10);
        let short = world.model.margin(world.account(2));
        let told = (short.initial, short.maintenance, short.held);
        let expected = (10 * initial, 10 * maintenance, 10 * maintenance);
        assert_eq!(told, expected, "{strike} {kind:?} at {index}");
    }
}

#[test]
fn open_orders_count_at_their_limits() {
    // Of the call at 9,000: side, price; initial and maintenance margin of 10 lots.
    let cases = [
        // What it costs and the fee: a bid has nothing else to lose.
        (BID, 1_000, 10 * (100_000 + 300), 10 * (100_000 + 300)),
        (BID, 1_200, 10 * (120_000 + 300), 10 * (120_000 + 300)),
        // The option is worth 100,000; with it comes the margin of a short lot.
        (ASK, 1_000, 10 * (150_000 + 300), 10 * (75_000 + 300)),
        (ASK, 1_200, 10 * (130_000 + 300), 10 * (55_000 + 300)),
    ];
    for (side, price, initial, maintenance) in cases {
        let mut world = World::with_options(|_| {});
        let call = world.call(9_000);
        world.placed(1, order(call, side, price, 10));
        let margin = world.model.margin(world.account(1));
        let told = (margin.initial, margin.maintenance, margin.held);
        assert_eq!(told, (initial, maintenance, 0), "{side:?} {price}");
    }
}

#[test]
fn a_fee_is_at_most_an_eighth_of_the_price() {
    // Price; fees of a lot of the taker and of the maker.
    let cases = [
        (24, 300, 100),
        (23, 288, 100),
        (8, 100, 100),
        // 87.5 atoms, rounded up.
        (7, 88, 88),
        (1, 13, 13),
    ];
    for (price, taker, maker) in cases {
        let mut world = World::with_options(|_| {});
        let call = world.call(11_000);
        world.trade(1, 2, call, price, 10);
        let paid = 10 * 100 * i128::from(price);
        assert_eq!(
            world.balance(1, 0),
            15_000_000 - paid - 10 * taker,
            "{price}"
        );
        assert_eq!(
            world.balance(2, 0),
            15_000_000 + paid - 10 * maker,
            "{price}"
        );
    }
}

#[test]
fn an_option_pays_what_it_is_worth_at_the_end() {
    let mut world = World::with_options(|_| {});
    let options = [
        (world.call(9_000), 170_000),
        (world.call(11_000), 0),
        (world.put(9_000), 0),
        (world.put(11_000), 30_000),
    ];
    for (market, _) in options {
        world.trade(1, 2, market, 100, 10);
    }
    // From before the window on.
    world.set_index(BTC_PERP, 1_070);
    let before = [1, 2].map(|who| world.balance(who, 0));
    let events = world.block_at(MIDNIGHT + 500);
    let prices: Vec<_> = settled(&events);
    let ladder = [
        (MarketId(10), 700),
        (MarketId(11), 0),
        (MarketId(12), 0),
        (MarketId(13), 300),
        (MarketId(14), 1_700),
        (MarketId(15), 0),
    ];
    assert_eq!(prices, ladder);
    let paid: i128 = options.iter().map(|(_, paid)| 10 * paid).sum();
    assert_eq!(world.balance(1, 0), before[0] + paid);
    assert_eq!(world.balance(2, 0), before[1] - paid);
    assert!(world.model.positions().is_empty());
    let margin = world.model.margin(world.account(2));
    assert_eq!((margin.equity, margin.held), (before[1] - paid, 0));
    let (market, _) = options[0];
    assert_eq!(
        world.model.statuses()[market.index()],
        MarketStatus::Settled
    );
    let late = world.place(1, order(market, BID, 10, 2));
    assert_eq!(late, (Code::MarketExpired, 0));
}

#[test]
fn the_price_is_the_average_of_the_last_half_hour() {
    let mut world = World::with_options(|_| {});
    let (call, put) = (world.call(9_000), world.put(11_000));
    world.publish(BTC_PERP, PriceKind::Index, 1_070);
    // The index was 10,000 until the middle of the window, and is 10,700 from there on.
    world.block_at(MIDNIGHT - HALF_HOUR / 2);
    world.trade(1, 2, call, 1_350, 10);
    world.trade(2, 1, put, 650, 10);
    let events = world.block_at(MIDNIGHT);
    let prices = settled(&events);
    assert!(prices.contains(&(call, 1_350)), "{prices:?}");
    assert!(prices.contains(&(put, 650)), "{prices:?}");
}

#[test]
fn within_the_window_what_is_fixed_moves_no_more() {
    let mut world = World::with_options(|_| {});
    let call = world.call(9_000);
    world.trade(1, 2, call, 1_000, 10);
    let cash = world.balance(1, 0);
    let worth = |world: &World| (world.model.margin(world.account(1)).equity - cash) / 10;
    world.publish(BTC_PERP, PriceKind::Index, 1_070);
    world.block_at(MIDNIGHT - HALF_HOUR / 2);
    // Half of 10,000 is fixed, half moves with 10,700: a forward of 10,350.
    assert_eq!(worth(&world), 135_000);
    world.set_index(BTC_PERP, 800);
    // Two seconds more at 10,700 are fixed, 898 of 1,800 move with 8,000: 9,000,000 + 21,400 and
    // 7,184,000 make 9,003 USDC.
    assert_eq!(worth(&world), 300);
}

#[test]
fn futures_settle_before_surfaces_and_options_before_listings() {
    let mut world = World::with_options(|spec| {
        spec.markets[7].kind = MarketKind::Future { expiry: MIDNIGHT };
    });
    let events = world.block_at(MIDNIGHT);
    let names = events.events.iter().map(|event| match event {
        Event::Settled { market, .. } if *market == MarketId(7) => "future",
        Event::Settled { .. } => "option",
        Event::Listed { expiry, .. } => {
            assert_eq!(*expiry, MIDNIGHT + DAY);
            "listed"
        }
        other => panic!("{other:?}"),
    });
    let mut names: Vec<_> = names.collect();
    assert_eq!(names.len(), 13);
    names.dedup();
    assert_eq!(names, ["future", "option", "listed"]);
}

#[test]
fn prices_keep_to_the_band_and_the_steps() {
    let mut world = World::with_options(|spec| {
        let market = &mut spec.series[0].market;
        market.price_band_ppm = 60_000;
        market.tick_bands = vec![(200, 2), (1_050, 5)];
    });
    let call = world.call(9_000);
    // The mark is 1,000 ticks; 6 % of the index are 600.
    let cases = [
        (BID, 1_600, Code::Ok),
        (BID, 1_605, Code::PriceBand),
        (BID, 10, Code::Ok),
        (ASK, 400, Code::Ok),
        (ASK, 398, Code::PriceBand),
        (ASK, 1_900, Code::Ok),
        (BID, 199, Code::Ok),
        (BID, 200, Code::Ok),
        (BID, 201, Code::BadPrice),
        (BID, 1_048, Code::Ok),
        (BID, 1_050, Code::Ok),
        (BID, 1_052, Code::BadPrice),
    ];
    for (side, price, code) in cases {
        let wanted = Order {
            tif: TimeInForce::Ioc,
            ..order(call, side, price, 2)
        };
        assert_eq!(world.place(1, wanted).0, code, "{side:?} {price}");
    }
    // Without a mark there is no band: the put is worth nothing.
    let put = world.put(9_000);
    assert_eq!(world.place(1, order(put, BID, 2_000, 2)).0, Code::Ok);
}

#[test]
fn post_only_orders_slide_to_a_step() {
    let world = || {
        World::with_options(|spec| {
            spec.series[0].market.tick_bands = vec![(200, 2), (1_050, 5)];
        })
    };
    // The other side's best; where an order that crosses comes to rest.
    for (side, best, rests) in [
        (BID, 1_000, 998),
        (BID, 1_050, 1_048),
        (BID, 1_060, 1_055),
        (BID, 200, 199),
        (ASK, 1_000, 1_002),
        (ASK, 1_048, 1_050),
        (ASK, 1_050, 1_055),
        (ASK, 199, 200),
    ] {
        let mut world = world();
        let call = world.call(9_000);
        world.placed(2, order(call, side.opposite(), best, 2));
        let crossing = if side == BID { 1_100 } else { 100 };
        let slides = order(call, side, crossing, 2).post_only(PostOnly::Slide);
        world.placed(1, slides);
        let here = world.book(call)[usize::from(side == ASK)].clone();
        assert_eq!(here, [(rests, 2)], "{side:?} {best}");
    }
}

#[test]
fn nobody_sets_the_price_of_an_option() {
    let mut world = World::with_options(|_| {});
    let update = ballast_types::PriceUpdate {
        market: world.call(9_000),
        kind: PriceKind::Index,
        price: 1_000,
    };
    let prices = ballast_types::Action::SetPrices(vec![update]);
    assert_eq!(world.act(0, prices).code, Code::BadPrice);
}
