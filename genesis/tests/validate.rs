//! What a valid genesis becomes, and that whatever validates keeps the bounds.

mod common;
mod within;

use ballast_genesis::{GenesisValidator, bounds, demo, from_json, to_json, validate};
use ballast_types::{Account, AccountId, Limits, MarketKind, Matching, Sharing};
use common::{TIME, address, check, hex, valid, validator, with};
use proptest::prelude::*;
use serde_json::{Value, json};
use within::within_bounds;

#[test]
fn numbers_become_integers() {
    let spec = check(&valid()).unwrap();
    assert_eq!(
        (spec.chain_id.as_str(), spec.genesis_time),
        ("test-1", TIME)
    );
    assert_eq!(spec.limits, Limits::default());
    assert_eq!(spec.account_shards, 16);
    assert_eq!(spec.assets[0].denom, "usdc");
    assert_eq!(spec.asset_by_denom("sat8").unwrap().0, 1);
    let [spot, perpetual, future] = spec.markets.as_slice() else {
        panic!("three markets")
    };
    let base = spec.asset_by_denom("sat8").unwrap();
    assert_eq!(
        spot.kind,
        MarketKind::Spot {
            base,
            lot_atoms: 100_000
        }
    );
    assert_eq!(
        (spot.tick.as_str(), spot.lot.as_str(), spot.tick_value),
        ("0.1", "0.001", 100)
    );
    assert_eq!(
        (spot.min_size, spot.max_size, spot.max_price),
        (1, 100_000, 10_000_000)
    );
    assert_eq!((spot.maker_fee_ppm, spot.taker_fee_ppm), (-100, 300));
    assert_eq!(
        (
            spot.initial_margin_ppm,
            spot.maintenance_margin_ppm,
            spot.mark
        ),
        (0, 0, 0)
    );
    assert!(!spot.self_trade);
    assert_eq!(perpetual.kind, MarketKind::Perpetual);
    assert_eq!(
        (
            perpetual.initial_margin_ppm,
            perpetual.maintenance_margin_ppm
        ),
        (50_000, 25_000)
    );
    assert_eq!((perpetual.min_size, perpetual.mark), (2, 600_000));
    assert!(perpetual.self_trade);
    let expiry = 1_798_185_600_000;
    assert_eq!(future.kind, MarketKind::Future { expiry });
    assert_eq!((future.mark, future.initial_margin_ppm), (122_000, 100_000));
    assert_eq!(spec.price_authorities, [AccountId([9; 20])]);
    assert_eq!(spec.validators[1].consensus_key, [2; 32]);
    assert_eq!(spec.validators[1].ingress_key, [102; 32]);
    let mut expected = vec![
        (
            Account::new(AccountId([1; 20]), 7),
            spec.margin_asset,
            3_000_000,
        ),
        (
            Account::new(AccountId([2; 20]), 0),
            spec.margin_asset,
            1_000_500_000,
        ),
        (Account::new(AccountId([2; 20]), 0), base, 200_000_000),
    ];
    expected.sort();
    assert_eq!(spec.balances, expected);
}

#[test]
fn what_bounds_an_order_is_optional() {
    let spec = check(&valid()).unwrap();
    let bounds = spec.markets.iter().map(|market| {
        (
            market.price_band_ppm,
            market.min_notional,
            market.max_notional,
        )
    });
    assert_eq!(
        bounds.collect::<Vec<_>>(),
        [(0, 0, 0), (250_000, 0, 100_000_000), (0, 0, 0)]
    );
}

#[test]
fn markets_trade_continuously_by_time_unless_they_say_otherwise() {
    let ways = |genesis: &Value| {
        let spec = check(genesis).unwrap();
        let ways = spec.markets.iter().map(|it| (it.matching, it.sharing));
        ways.collect::<Vec<_>>()
    };
    let default = (Matching::Continuous, Sharing::Time);
    assert_eq!(ways(&valid()), [default, default, default]);
    let batch = ways(&with("markets[0].matching", json!("batch")));
    assert_eq!(batch, [(Matching::Batch, Sharing::Time), default, default]);
    let pro_rata = ways(&with("markets[1].sharing", json!("pro_rata")));
    assert_eq!(
        pro_rata,
        [default, (Matching::Continuous, Sharing::ProRata), default]
    );
}

#[test]
fn values_at_their_bounds_are_allowed() {
    for (pointer, value) in [
        ("account_shards", json!(256)),
        ("assets[1].decimals", json!(18)),
        ("markets[0].max_size", json!("1099511627.776")),
        ("markets[0].max_price", json!("57646075230342.3")),
        ("markets[0].taker_fee", json!("0.1")),
        ("markets[0].maker_fee", json!("-0.0003")),
        ("markets[0].mark", json!("0.0")),
        ("markets[0].price_band", json!("1")),
        ("markets[0].price_band", json!("0")),
        ("markets[1].min_notional", json!("100")),
        (
            "markets[0].max_notional",
            json!("5070602400912917605986812.8"),
        ),
        ("markets[1].initial_margin", json!("1")),
        ("markets[1].maintenance_margin", json!("0.05")),
        ("markets[1].mark", json!("1000000")),
        ("markets[1].group", json!("GOLD")),
        ("validators[1].power", json!((1_u64 << 60) - 10)),
        (
            "accounts[0].balances.USDC",
            json!("1267650600228229401496703.2"),
        ),
        ("accounts[0].balances.USDC", json!("0")),
        ("price_authorities", json!([])),
        (
            "limits",
            json!({ "tx_actions": 1000, "max_fills": 4096, "agents": 0 }),
        ),
        (
            "limits",
            json!({ "waiting_orders": 0, "trailing_orders": 0, "triggered_orders": 1 }),
        ),
        (
            "limits",
            json!({ "pegged_orders": 0, "twap_slices": 1, "auction_fills": 1 }),
        ),
        (
            "limits",
            json!({ "pegged_orders": 100_000, "twap_slices": 10_000, "auction_fills": 1_000_000 }),
        ),
        ("limits", json!({ "listings": 1 })),
        ("markets[1].matching", json!("continuous")),
        ("markets[1].sharing", json!("time")),
        (
            "limits",
            json!({ "nonce_past_ms": 86_400_000, "accounts": 2 }),
        ),
        (
            "limits",
            json!({ "block_bytes": 104_857_600, "tx_bytes": 104_726_528 }),
        ),
        (
            "limits",
            json!({ "open_orders": 1, "max_fills": 1, "block_weight": 21060 }),
        ),
    ] {
        check(&with(pointer, value.clone()))
            .unwrap_or_else(|error| panic!("{pointer} = {value}: {error}"));
    }
}

#[test]
fn chain_ids_have_1_to_50_characters() {
    let genesis = from_json(&valid().to_string()).unwrap();
    assert!(validate(&genesis, &"c".repeat(50), TIME).is_ok());
    for bad in [String::new(), "c".repeat(51)] {
        let error = validate(&genesis, &bad, TIME).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("chain_id: {bad:?} does not")),
            "{error}"
        );
    }
}

#[test]
fn the_supply_of_an_asset_is_bounded() {
    let accounts: Vec<Value> = (0..=1024)
        .map(|sub| {
            let balances = json!({ "USDC": "1267650600228229401496703.2" });
            json!({ "address": format!("{}/{sub}", address(1)), "balances": balances })
        })
        .collect();
    assert!(check(&with("accounts", json!(accounts[..1024]))).is_ok());
    let error = check(&with("accounts", json!(accounts))).unwrap_err();
    assert!(
        error.starts_with("accounts[1024].balances.USDC: "),
        "{error}"
    );
    assert!(error.contains("makes the supply"), "{error}");
}

#[test]
fn counts_are_bounded() {
    let groups: Vec<Value> = (0..=bounds::MAX_GROUPS)
        .map(|i| json!({ "name": format!("G{i}") }))
        .collect();
    let error = check(&with("groups", json!(groups))).unwrap_err();
    assert_eq!(error, "groups: 16385 entries are more than 16384");
    let validators: Vec<Value> = (0..=bounds::MAX_VALIDATORS).map(|_| validator(1)).collect();
    let error = check(&with("validators", json!(validators))).unwrap_err();
    assert_eq!(error, "validators: 501 entries are more than 500");
}

#[test]
fn broken_json_is_shown_with_its_line() {
    for (text, field, message) in [
        (
            "",
            "genesis",
            "EOF while parsing a value at line 1 column 0",
        ),
        (
            "{}",
            "genesis",
            "missing field `margin_asset` at line 1 column 2",
        ),
        ("[]", "genesis", "line 1"),
        (
            "{\n\"assets\": [\n{\"symbol\": 5}]}",
            "assets[0].symbol",
            "line 3 column 12",
        ),
        (
            "{\n\"assets\": [],\n\"assets\": []}",
            "genesis",
            "duplicate field `assets` at line 3",
        ),
        (
            "{\"margin_asset\": \"USDC\",}",
            "genesis",
            "trailing comma at line 1",
        ),
    ] {
        let error = from_json(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{field}: ")), "{text}: {error}");
        assert!(error.contains(message), "{text}: {error}");
    }
    let text = valid().to_string();
    let error = from_json(&format!("{text} {{}}")).unwrap_err().to_string();
    assert!(error.contains("trailing characters"), "{error}");
    let error = from_json(&text.replace("\"BTC\":\"2\"", "\"USDC\":\"2\""))
        .unwrap_err()
        .to_string();
    assert!(error.contains("accounts[0].balances") && error.contains("\"USDC\" occurs twice"));
}

#[test]
fn the_demo_is_valid_and_survives_json() {
    let validator = GenesisValidator {
        name: "v0".to_owned(),
        consensus_key: hex(1),
        ingress_key: hex(2),
        power: 10,
    };
    let accounts = [
        Account::new(AccountId([1; 20]), 0),
        Account::new(AccountId([1; 20]), 3),
    ];
    let genesis = demo(&accounts, AccountId([7; 20]), vec![validator]);
    assert_eq!(from_json(&to_json(&genesis)), Ok(genesis.clone()));
    let spec = validate(&genesis, "demo", TIME).unwrap().into_spec();
    let markets: Vec<_> = spec
        .markets
        .iter()
        .map(|m| (m.symbol.as_str(), m.tick_value))
        .collect();
    let expected = [
        ("BTC/USDC", 1),
        ("BTC-PERP", 10),
        ("ETH/USDC", 10),
        ("ETH-PERP", 10),
        ("AAPL/USDC", 10_000),
    ];
    assert_eq!(markets, expected);
    let aapl = &spec.markets[4];
    assert_eq!(
        (aapl.tick.as_str(), aapl.lot.as_str(), aapl.min_size),
        ("0.01", "1", 1)
    );
    assert_eq!(
        (aapl.maker_fee_ppm, aapl.taker_fee_ppm, aapl.self_trade),
        (0, 0, true)
    );
    assert_eq!(spec.markets[1].mark, 1_000_000);
    let bounds: Vec<_> = spec
        .markets
        .iter()
        .map(|m| (m.price_band_ppm, m.min_notional, m.max_notional))
        .collect();
    let (none, some) = ((0, 0, 0), (200_000, 1_000_000, 100_000_000_000_000));
    assert_eq!(bounds, [none, some, none, some, none]);
    within_bounds(&spec);
    assert_eq!(spec.balances.len(), accounts.len() * spec.assets.len());
    assert_eq!(spec.price_authorities, [AccountId([7; 20])]);
}

fn leaves(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Array(entries) => {
            for (i, entry) in entries.iter().enumerate() {
                leaves(entry, &format!("{at}/{i}"), out);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                leaves(field, &format!("{at}/{}", name.replace('/', "~1")), out);
            }
        }
        _ => {}
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(|number| json!(number)),
        (0_u64..300).prop_map(|number| json!(number)),
        "-?[0-9]{1,30}(\\.[0-9]{1,12})?".prop_map(|text| json!(text)),
        (1_u32..9).prop_map(|zeros| json!(format!("0.{:0>1$}", 5, zeros as usize))),
        "[A-Z/]{0,5}".prop_map(|text| json!(text)),
        Just(json!("BTC")),
        Just(json!("perpetual")),
        Just(json!("future")),
        Just(json!("portfolio")),
        Just(json!("8h")),
        Just(json!("2026-12-25T08:00:00Z")),
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
    ]
}

proptest! {
    #[test]
    fn what_validates_is_within_its_bounds(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any_value()), 1..4),
    ) {
        let mut genesis = valid();
        for (place, value) in changes {
            let mut places: Vec<String> = Vec::new();
            leaves(&genesis, "", &mut places);
            let pointer: &String = place.get(&places);
            *genesis.pointer_mut(pointer).unwrap() = value;
        }
        if let Ok(spec) = check(&genesis) {
            within_bounds(&spec);
        }
    }

    #[test]
    fn no_text_panics(text in "[\\[\\]{}\",:0-9a-z ]{0,60}") {
        let _ = from_json(&text);
    }
}
