//! Groups and series: scales, margin methods, cadences and the terms of options.

mod common;
mod within;

use ballast_genesis::{demo, demo_cadence, demo_future, from_json, margin, to_json, validate};
use ballast_types::{AccountId, Cadence, GroupId, MarginMode, MarketKind, MarketSpec, OptionKind};
use common::{TIME, check, valid, with};
use serde_json::json;
use within::within_bounds;

#[test]
fn a_series_becomes_cadences_and_the_terms_of_its_options() {
    let spec = check(&valid()).unwrap();
    let [series] = spec.series.as_slice() else {
        panic!("one series")
    };
    let hour = 3_600_000;
    let fridays = Cadence::Every {
        period_ms: 168 * hour,
        offset_ms: 32 * hour,
        count: 2,
    };
    let quarters = Cadence::LastFriday {
        months: 3,
        offset_ms: 8 * hour,
        count: 1,
    };
    assert_eq!(series.cadences, [fridays, quarters]);
    assert_eq!(
        (series.step_ppm, series.strikes, series.max_strikes),
        (25_000, 4, 20)
    );
    let option = &series.market;
    assert_eq!((option.symbol.as_str(), option.group), ("BTC", GroupId(0)));
    assert_eq!((option.tick.as_str(), option.lot.as_str()), ("0.5", "0.01"));
    assert_eq!((option.tick_value, option.lot_amount), (5_000, 10_000_000));
    assert_eq!(option.tick_bands, [(200, 10), (2_000, 20)]);
    assert_eq!((option.min_size, option.max_size), (1, 10_000));
    assert_eq!((option.max_price, option.mark), (1_000_000, 0));
    assert_eq!((option.maker_fee_ppm, option.taker_fee_ppm), (200, 300));
    let margins = (
        option.initial_margin_ppm,
        option.maintenance_margin_ppm,
        option.minimum_margin_ppm,
    );
    assert_eq!(margins, (150_000, 75_000, 100_000));
    let digits = spec.groups[0].price_digits;
    let listed = series.market(1_798_185_600_000, 60_000 * 10_000, OptionKind::Put, digits);
    assert_eq!(listed.symbol, "BTC-20261225-60000-P");
}

#[test]
fn groups_have_a_scale_and_a_margin_method() {
    let spec = check(&valid()).unwrap();
    let [btc, gold] = spec.groups.as_slice() else {
        panic!("two groups")
    };
    // A hundredth of a coin is valued to a millionth of a dollar.
    assert_eq!((btc.price_digits, gold.price_digits), (4, 3));
    let scales = spec.markets.iter().map(|it| (it.tick_price, it.lot_amount));
    assert_eq!(
        scales.collect::<Vec<_>>(),
        [(1_000, 1_000_000), (1_000, 1_000_000), (5_000, 1_000_000)]
    );
    let one = 1_000_000_000_000_000;
    assert_eq!((btc.volatility, btc.surface_cap), (8 * one / 10, 0));
    assert_eq!(btc.margin, margin::preset("default").unwrap());
    assert_eq!(
        (spec.margin_mode, spec.order_reserve_ppm),
        (MarginMode::Standard, 500)
    );

    let group = json!({
        "name": "BTC", "price_digits": 8, "volatility": "0.55", "surface_cap": "0.2",
        "margin": "span-16",
    });
    let spec = check(&with("groups[0]", group)).unwrap();
    let btc = &spec.groups[0];
    assert_eq!(
        (btc.price_digits, spec.markets[0].tick_price),
        (8, 10_000_000)
    );
    assert_eq!((btc.volatility, btc.surface_cap), (55 * one / 100, one / 5));
    assert_eq!(btc.margin, margin::preset("span-16").unwrap());
    let spec = check(&with("margin_mode", json!("portfolio"))).unwrap();
    assert_eq!(spec.margin_mode, MarginMode::Portfolio);
}

#[test]
fn prices_have_as_many_digits_as_ticks_and_lots_need() {
    for (tick, lot, max_price, digits) in [
        ("1", "0.001", "1000000", 3),
        ("0.00001", "0.1", "1000", 5),
        // A lot of a thousand coins.
        ("0.001", "1000", "1000", 9),
        // There is no room for more.
        ("0.001", "1000", "1000000000", 8),
        ("0.000000001", "1000", "1", 9),
    ] {
        let mut genesis = valid();
        genesis["series"] = json!([]);
        genesis["markets"] = json!([genesis["markets"][1]]);
        let market = &mut genesis["markets"][0];
        for (name, value) in [
            ("tick", tick),
            ("lot", lot),
            ("min_size", lot),
            ("max_size", lot),
            ("max_price", max_price),
            ("mark", tick),
        ] {
            market[name] = json!(value);
        }
        let spec = check(&genesis).unwrap_or_else(|error| panic!("{tick} {lot}: {error}"));
        assert_eq!(
            spec.groups[0].price_digits, digits,
            "{tick} {lot} {max_price}"
        );
        within_bounds(&spec);
    }
}

#[test]
fn lots_have_at_most_nine_decimals() {
    let mut genesis = with("markets[0].lot", json!("0.0000000001"));
    genesis["assets"][0]["decimals"] = json!(12);
    let error = check(&genesis).unwrap_err();
    let expected = "markets[0].lot: \"0.0000000001\" has more than 9 decimals";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_group_has_one_perpetual_and_a_surface_names_all_its_expiries() {
    let mut genesis = valid();
    let mut other = genesis["markets"][1].clone();
    other["symbol"] = json!("BTC-PERP2");
    genesis["markets"][2] = other;
    let error = check(&genesis).unwrap_err();
    assert_eq!(
        error,
        "markets[2].group: \"BTC\" has a perpetual already, BTC-PERP"
    );

    let mut genesis = valid();
    let mut other = genesis["series"][0].clone();
    other["name"] = json!("XBT");
    other["cadences"] = json!([{ "every": "1d", "count": 13 }]);
    let first = genesis["series"][0].clone();
    genesis["series"] = json!([first, other]);
    within_bounds(&check(&genesis).unwrap());
    genesis["series"][1]["cadences"][0]["count"] = json!(14);
    let error = check(&genesis).unwrap_err();
    assert_eq!(
        error,
        "series[1].cadences: 14 expiries make 17 in BTC, more than 16"
    );
}

#[test]
fn values_of_groups_and_series_at_their_bounds_are_allowed() {
    for (path, value) in [
        ("groups[0].price_digits", json!(3)),
        ("groups[0].price_digits", json!(11)),
        ("groups[0].volatility", json!("0.01")),
        ("groups[0].surface_cap", json!("10")),
        ("order_reserve", json!("0")),
        ("series", json!([])),
        ("series[0].strikes", json!(9)),
        ("series[0].max_strikes", json!(9)),
        ("series[0].max_strikes", json!(1_000)),
        ("series[0].tick_bands", json!([])),
        ("series[0].maker_fee", json!("0")),
        ("series[0].minimum_margin", json!("0.15")),
        (
            "series[0].cadences",
            json!([{ "every": "1s", "count": 15 }, { "last_friday": 12, "count": 1 }]),
        ),
    ] {
        match check(&with(path, value.clone())) {
            Ok(spec) => within_bounds(&spec),
            Err(error) => panic!("{path} = {value}: {error}"),
        }
    }
}

#[test]
fn the_demo_takes_a_future_and_options_that_expire_soon() {
    let mut genesis = demo(&[], AccountId([7; 20]), Vec::new());
    genesis.validators = vec![serde_json::from_value(common::validator(1)).unwrap()];
    let spec = validate(&genesis, "demo", TIME).unwrap().into_spec();
    let series: Vec<_> = spec
        .series
        .iter()
        .map(|it| (it.market.symbol.as_str(), it.market.tick_value))
        .collect();
    assert_eq!(series, [("BTC", 10_000), ("ETH", 10_000)]);
    within_bounds(&spec);
    assert!(spec.series.iter().all(|it| it.expiries(TIME).len() >= 5));

    genesis.markets.push(demo_future(TIME + 1));
    assert_eq!(from_json(&to_json(&genesis)), Ok(genesis.clone()));
    let spec = validate(&genesis, "demo", TIME).unwrap().into_spec();
    let [.., future] = spec.markets.as_slice() else {
        panic!("no markets")
    };
    let perpetual = MarketSpec {
        symbol: "BTC-FUTURE".to_owned(),
        kind: MarketKind::Future { expiry: TIME + 1 },
        ..spec.markets[1].clone()
    };
    assert_eq!(future, &perpetual);

    genesis.series[0].cadences.push(demo_cadence(10_000));
    assert_eq!(from_json(&to_json(&genesis)), Ok(genesis.clone()));
    let spec = validate(&genesis, "demo", TIME).unwrap().into_spec();
    assert_eq!(spec.series[0].expiries(TIME)[0], TIME + 10_000);
}
