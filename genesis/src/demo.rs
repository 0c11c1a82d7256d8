//! The genesis of demonstrations, tests and benchmarks.

use crate::{
    Genesis, GenesisAccount, GenesisAsset, GenesisBand, GenesisCadence, GenesisGroup,
    GenesisMarket, GenesisSeries, GenesisValidator, Kind, Matching, Number, Sharing, Span, Time,
};
use ballast_types::{Account, KeyId, TimeMs};
use std::collections::BTreeMap;

const HOUR_MS: u64 = 3_600_000;

/// An exchange in USDC with BTC and ETH spot and perpetual markets and options, and an AAPL spot
/// market, which is traded in cents and whole shares, without fees, and where accounts may trade
/// with themselves.
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
    let usdc = asset("USDC", 6);
    Genesis {
        assets: vec![
            usdc.clone(),
            asset("BTC", 8),
            asset("ETH", 8),
            asset("AAPL", 0),
        ],
        groups: ["BTC", "ETH", "AAPL"].map(GenesisGroup::new).into(),
        markets: markets(),
        series: vec![options("BTC"), eth_options()],
        price_authorities: vec![price_authority.to_string()],
        validators,
        accounts: accounts.iter().map(funded).collect(),
        ..Genesis::new(usdc)
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

/// Options that expire soon, to be added to the cadences of a series of [`demo`].
pub fn demo_cadence(period_ms: u64) -> GenesisCadence {
    GenesisCadence {
        every: Some(Span(period_ms)),
        count: 1,
        ..GenesisCadence::default()
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

/// Prices in dimes below 20, else in half dollars, and sizes in tenths.
fn eth_options() -> GenesisSeries {
    GenesisSeries {
        tick: Number::new(1, 1),
        tick_bands: vec![GenesisBand {
            from: Number::from(20),
            step: Number::new(5, 1),
        }],
        lot: Number::new(1, 1),
        min_size: Number::new(1, 1),
        max_size: Number::from(10_000),
        max_price: Number::from(100_000),
        ..options("ETH")
    }
}

/// Options of three days, two Fridays, two months and a quarter, at 08:00 UTC. Prices are in dollars
/// below 500, else in steps of 5, and sizes in hundredths.
fn options(underlying: &str) -> GenesisSeries {
    let every = |hours: u64, offset: u64, count| GenesisCadence {
        every: Some(Span(hours.saturating_mul(HOUR_MS))),
        offset: Some(Span(offset.saturating_mul(HOUR_MS))),
        count,
        ..GenesisCadence::default()
    };
    let last_friday = |months, count| GenesisCadence {
        last_friday: Some(months),
        at: Some(Span(HOUR_MS.saturating_mul(8))),
        count,
        ..GenesisCadence::default()
    };
    GenesisSeries {
        group: underlying.to_owned(),
        name: underlying.to_owned(),
        cadences: vec![
            every(24, 8, 3),
            // Weeks since 1970 begin on a Thursday.
            every(7 * 24, 24 + 8, 2),
            last_friday(1, 2),
            last_friday(3, 1),
        ],
        strike_step: Number::new(25, 3),
        strikes: 8,
        max_strikes: 40,
        tick: Number::from(1),
        tick_bands: vec![GenesisBand {
            from: Number::from(500),
            step: Number::from(5),
        }],
        lot: Number::new(1, 2),
        min_size: Number::new(1, 2),
        max_size: Number::from(1_000),
        max_price: Number::from(1_000_000),
        price_band: Some(Number::new(1, 1)),
        min_notional: None,
        max_notional: Some(Number::from(100_000_000)),
        maker_fee: Number::new(3, 4),
        taker_fee: Number::new(3, 4),
        initial_margin: Number::new(15, 2),
        maintenance_margin: Number::new(75, 3),
        minimum_margin: Number::new(1, 1),
        matching: Matching::Continuous,
        sharing: Sharing::Time,
        self_trade: false,
    }
}
