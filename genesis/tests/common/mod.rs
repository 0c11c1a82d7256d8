//! A valid genesis and how to change it.

use ballast_genesis::{from_json, validate};
use ballast_types::{AccountId, ChainSpec};
use serde_json::{Value, json};

pub(crate) const TIME: u64 = 1_700_000_000_000;

pub(crate) fn address(byte: u8) -> String {
    AccountId([byte; 20]).to_string()
}

pub(crate) fn validator(byte: u8) -> Value {
    json!({
        "name": format!("v{byte}"),
        "consensus_key": hex(byte),
        "ingress_key": hex(byte + 100),
        "power": 10,
    })
}

pub(crate) fn hex(byte: u8) -> String {
    format!("{byte:02x}").repeat(32)
}

/// A BTC spot market, a BTC perpetual, a BTC future and a series of BTC options, with all limits at their defaults.
pub(crate) fn valid() -> Value {
    json!({
        "margin_asset": "USDC",
        "assets": [
            { "symbol": "USDC", "decimals": 6 },
            { "symbol": "BTC", "decimals": 8, "denom": "sat8" },
        ],
        "groups": [{ "name": "BTC" }, { "name": "GOLD" }],
        "markets": [
            {
                "symbol": "BTC/USDC", "group": "BTC", "kind": "spot", "base": "BTC",
                "tick": "0.10", "lot": "0.001", "min_size": "0.001", "max_size": "100",
                "max_price": "1000000", "maker_fee": "-0.0001", "taker_fee": "0.0003",
            },
            {
                "symbol": "BTC-PERP", "group": "BTC", "kind": "perpetual",
                "tick": "0.1", "lot": "0.001", "min_size": "0.002", "max_size": "100",
                "max_price": "1000000", "maker_fee": "0.0002", "taker_fee": "0.0005",
                "initial_margin": "0.05", "maintenance_margin": "0.025", "mark": "60000",
                "self_trade": true, "price_band": "0.25", "max_notional": "100",
            },
            {
                "symbol": "BTC-DEC26", "group": "BTC", "kind": "future",
                "expiry": "2026-12-25T08:00:00Z",
                "tick": "0.5", "lot": "0.001", "min_size": "0.001", "max_size": "100",
                "max_price": "1000000", "maker_fee": "0", "taker_fee": "0.0005",
                "initial_margin": "0.1", "maintenance_margin": "0.05", "mark": "61000",
            },
        ],
        "series": [{
            "group": "BTC", "name": "BTC",
            "cadences": [
                { "every": "7d", "offset": "32h", "count": 2 },
                { "last_friday": 3, "at": "8h", "count": 1 },
            ],
            "strikes": 4, "max_strikes": 20,
            "tick": "0.5", "lot": "0.01", "min_size": "0.01", "max_size": "100",
            "tick_bands": [{ "from": "100", "step": "5" }, { "from": "1000", "step": "10" }],
            "max_price": "500000", "maker_fee": "0.0002", "taker_fee": "0.0003",
        }],
        "price_authorities": [address(9)],
        "validators": [validator(1), validator(2)],
        "accounts": [
            { "address": address(2), "balances": { "USDC": "1000.50", "BTC": "2" } },
            { "address": format!("{}/7", address(1)), "balances": { "USDC": "3" } },
        ],
    })
}

pub(crate) fn check(genesis: &Value) -> Result<ChainSpec, String> {
    let genesis = from_json(&genesis.to_string()).map_err(|error| error.to_string())?;
    validate(&genesis, "test-1", TIME)
        .map(|validated| validated.into_spec())
        .map_err(|error| error.to_string())
}

/// The genesis with `value` put at the path, as `markets[0].tick`; its last field may be new, and an
/// index at the end of an array appends.
pub(crate) fn with(path: &str, value: Value) -> Value {
    let mut genesis = valid();
    let pointer = format!("/{}", path.replace(']', "").replace(['.', '['], "/"));
    if path.starts_with("limits.") {
        genesis["limits"] = json!({});
    }
    let (parent, name) = pointer.rsplit_once('/').expect("a path");
    match genesis.pointer_mut(parent).expect("an existing parent") {
        Value::Object(fields) => drop(fields.insert(name.to_owned(), value)),
        Value::Array(entries) => match entries.get_mut(name.parse::<usize>().expect("an index")) {
            Some(entry) => *entry = value,
            None => entries.push(value),
        },
        other => panic!("{parent} is {other}"),
    }
    genesis
}
