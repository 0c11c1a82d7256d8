//! The genesis of demonstrations, tests and benchmarks.

use crate::{
    Genesis, GenesisAccount, GenesisAsset, GenesisGroup, GenesisLimits, GenesisMarket,
    GenesisValidator, Kind, Matching, Number, Sharing, Time,
};
use ballast_types::{Account, KeyId, TimeMs};
use std::collections::BTreeMap;

/// An exchange in USDC with BTC and ETH spot and perpetual markets and an AAPL spot market, which
/// is traded in cents and whole shares, without fees, and where accounts may trade with themselves.
///
/// Each of `accounts` gets a billion USDC and plenty of everything else; `price_authority` may
/// publish marks.
pub fn demo(
    accounts: &[Account],
    price_authority: KeyId,
    validators: Vec<GenesisValidator>,
) -> Genesis {
    let asset = |symbol: &str, decimals| GenesisAsset {
        symbol: symbol.to_owned(),
        denom: None,
        decimals,
    };
    let group = |name: &str| GenesisGroup {
        name: name.to_owned(),
    };
    Genesis {
        limits: GenesisLimits::default(),
        account_shards: 16,
        margin_asset: "USDC".to_owned(),
        assets: vec![
            asset("USDC", 6),
            asset("BTC", 8),
            asset("ETH", 8),
            asset("AAPL", 0),
        ],
        groups: ["BTC", "ETH", "AAPL"].map(group).into(),
        markets: markets(),
        price_authorities: vec![price_authority.to_string()],
        validators,
        accounts: accounts.iter().map(funded).collect(),
    }
}

/// A future on BTC for [`demo`], to be added behind its markets; in all else like its BTC perpetual.
pub fn demo_future(expiry: TimeMs) -> GenesisMarket {
    GenesisMarket {
        symbol: "BTC-FUTURE".to_owned(),
        kind: Kind::Future,
        expiry: Some(Time(expiry)),
        ..btc_perpetual()
    }
}

fn funded(account: &Account) -> GenesisAccount {
    let balances = [
        ("USDC", 1_000_000_000),
        ("BTC", 10_000),
        ("ETH", 100_000),
        ("AAPL", 10_000_000),
    ];
    GenesisAccount {
        address: account.to_string(),
        balances: BTreeMap::from(
            balances.map(|(symbol, units)| (symbol.to_owned(), Number::from(units))),
        ),
    }
}

fn markets() -> Vec<GenesisMarket> {
    let spot_fees = (400, 700);
    vec![
        GenesisMarket {
            lot: Number::new(1, 4),
            min_size: Number::new(1, 4),
            max_price: Number::from(10_000_000),
            ..spot("BTC", spot_fees)
        },
        btc_perpetual(),
        spot("ETH", spot_fees),
        GenesisMarket {
            mark: Some(Number::from(4_000)),
            ..perpetual("ETH")
        },
        GenesisMarket {
            lot: Number::from(1),
            min_size: Number::from(1),
            max_size: Number::from(1_000_000),
            max_price: Number::from(100_000),
            self_trade: true,
            ..spot("AAPL", (0, 0))
        },
    ]
}

fn btc_perpetual() -> GenesisMarket {
    GenesisMarket {
        tick: Number::new(1, 1),
        lot: Number::new(1, 4),
        min_size: Number::new(1, 4),
        max_price: Number::from(10_000_000),
        mark: Some(Number::from(100_000)),
        ..perpetual("BTC")
    }
}

/// A spot market in cents and thousandths. Fees are in millionths.
fn spot(base: &str, (maker, taker): (i64, i64)) -> GenesisMarket {
    GenesisMarket {
        symbol: format!("{base}/USDC"),
        group: base.to_owned(),
        kind: Kind::Spot,
        base: Some(base.to_owned()),
        expiry: None,
        tick: Number::new(1, 2),
        lot: Number::new(1, 3),
        min_size: Number::new(1, 3),
        max_size: Number::from(10_000),
        max_price: Number::from(1_000_000),
        price_band: None,
        min_notional: None,
        max_notional: None,
        maker_fee: Number::new(maker, 6),
        taker_fee: Number::new(taker, 6),
        initial_margin: None,
        maintenance_margin: None,
        mark: None,
        matching: Matching::Continuous,
        sharing: Sharing::Time,
        self_trade: false,
        taker_hold: 0,
    }
}

/// Fifty times leverage, liquidated at half of that margin. An order reaches at most a fifth beyond
/// the mark, and is worth a unit of the margin asset at least and a hundred million at most.
fn perpetual(underlying: &str) -> GenesisMarket {
    GenesisMarket {
        symbol: format!("{underlying}-PERP"),
        kind: Kind::Perpetual,
        base: None,
        price_band: Some(Number::new(2, 1)),
        min_notional: Some(Number::from(1)),
        max_notional: Some(Number::from(100_000_000)),
        initial_margin: Some(Number::new(2, 2)),
        maintenance_margin: Some(Number::new(1, 2)),
        ..spot(underlying, (200, 500))
    }
}
