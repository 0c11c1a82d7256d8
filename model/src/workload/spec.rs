//! A small exchange whose limits are so tight that every one of them is reached.

use super::params::{plain, span, venue};
use ballast_types::margin::{ONE, Params};
use ballast_types::{
    Account, AssetId, AssetSpec, Atoms, Cadence, ChainSpec, GroupId, GroupSpec, Limits, MarginMode,
    MarketKind, MarketSpec, Matching, OptionKind, SETTLEMENT_WINDOW_MS, Secret, SeriesSpec,
    Sharing, TimeMs, ValidatorSpec,
};

const GENESIS_TIME: TimeMs = 1_700_000_000_000;

/// Keys of the masters of [`test_spec`]: four of each kind. The first is the price authority.
pub fn test_secrets() -> Vec<Secret> {
    let ed25519 = (1..=4).map(|seed| Secret::ed25519([seed; 32]));
    let secp256k1 = (1..=4).filter_map(|seed| Secret::secp256k1([seed; 32]));
    ed25519.chain(secp256k1).collect()
}

/// USDC (margin), BTC and ETH; spot, perpetuals and futures in three groups, options in two. One
/// future expires soon after genesis, one in half an hour and a little, one has when the chain begins.
/// Options of BTC expire every quarter of a minute and once a week, those of ETH at the end of the month.
pub fn test_spec() -> ChainSpec {
    let secrets = test_secrets();
    let mut balances = Vec::new();
    for (at, secret) in secrets.iter().enumerate() {
        let subs = if at % 2 == 0 { 2 } else { 1 };
        for sub in 0..subs {
            let account = Account::new(secret.id(), sub);
            balances.push((account, AssetId(0), 6_000_000));
            balances.push((account, AssetId(1), 60_000));
            balances.push((account, AssetId(2), 120_000));
        }
    }
    balances.sort_unstable();
    let accounts = u32::try_from(secrets.len() + secrets.len() / 2 + 3).unwrap_or(u32::MAX);
    let authority = secrets.iter().map(Secret::id).take(1).collect();
    ChainSpec {
        chain_id: "ballast-test".to_owned(),
        genesis_time: GENESIS_TIME,
        limits: tight_limits(accounts),
        account_shards: 4,
        margin_asset: AssetId(0),
        assets: [("USDC", 6), ("BTC", 8), ("ETH", 8)].map(asset).to_vec(),
        groups: vec![
            group("BTC", 600, 250, venue()),
            group("ETH", 800, 0, span()),
            group("SOL", 1_000, 0, plain(150)),
        ],
        markets: markets(),
        series: series(),
        margin_mode: MarginMode::Standard,
        order_reserve_ppm: 200,
        price_authorities: authority,
        validators: vec![ValidatorSpec {
            name: "test".to_owned(),
            consensus_key: [1; 32],
            ingress_key: [2; 32],
            power: 1,
        }],
        balances,
    }
}

/// Volatility and largest change of it in thousandths.
fn group(name: &str, volatility: i64, cap: i64, margin: Params) -> GroupSpec {
    GroupSpec {
        name: name.to_owned(),
        price_digits: PRICE_DIGITS,
        volatility: volatility * (ONE / 1_000),
        surface_cap: cap * (ONE / 1_000),
        margin,
    }
}

fn asset((symbol, decimals): (&str, u8)) -> AssetSpec {
    AssetSpec {
        symbol: symbol.to_owned(),
        denom: symbol.to_lowercase(),
        decimals,
    }
}

fn tight_limits(accounts: u32) -> Limits {
    Limits {
        native_tx_bytes: 2_048,
        tx_actions: 6,
        max_fills: 6,
        accounts,
        open_orders: 6,
        agents: 2,
        sweep_orders: 2,
        nonce_past_ms: 4_000,
        nonce_future_ms: 1_500,
        bucket_tokens: 20,
        bucket_refill: 12,
        cancel_tokens: 5,
        floors: 4,
        waiting_orders: 12,
        trailing_orders: 2,
        triggered_orders: 2,
        pegged_orders: 2,
        twap_slices: 2,
        auction_fills: 6,
        listings: 2,
        ..Limits::default()
    }
}

/// Of all groups: prices in thousandths of a USDC.
const PRICE_DIGITS: u8 = 3;
/// A tick of all markets of a group but its options, in the scale of the group: 1,000 ticks are
/// 10,000, 5,000 and 1,000 USDC.
const TICK_PRICES: [i64; 3] = [10_000, 5_000, 1_000];

fn markets() -> Vec<MarketSpec> {
    let spot = |base, lot_atoms| MarketKind::Spot {
        base: AssetId(base),
        lot_atoms,
    };
    let perpetual = MarketKind::Perpetual;
    let mut markets = vec![
        market("BTC-USDC", 0, spot(1, 1_000), 100),
        market("BTC-PERP", 0, perpetual, 1_000),
        market("ETH-USDC", 1, spot(2, 1_000), 50),
        market("ETH-PERP", 1, perpetual, 300),
        market("SOL-PERP", 2, perpetual, 77),
    ];
    // Two trade in batches.
    let expiry = GENESIS_TIME + 300 * 86_400_000;
    markets.push(market("SOL-BATCH", 2, MarketKind::Future { expiry }, 60));
    markets.push(market("BTC-BATCH", 0, spot(1, 400), 40));
    for batch in [5, 6] {
        markets[batch].matching = Matching::Batch;
    }
    for shared in [3, 5] {
        markets[shared].sharing = Sharing::ProRata;
    }
    for (symbol, group, tick_value, after) in [
        ("BTC-SOON", 0, 400, 14_000),
        ("ETH-HALF", 1, 300, SETTLEMENT_WINDOW_MS + 22_000),
        ("SOL-PAST", 2, 80, 0),
    ] {
        let expiry = GENESIS_TIME + after;
        let kind = MarketKind::Future { expiry };
        markets.push(market(symbol, group, kind, tick_value));
    }
    markets[1].max_size = 1 << 44;
    markets[3].maker_fee_ppm = -110;
    markets[4].self_trade = true;
    markets[4].min_size = 1;
    markets[4].min_notional = 150_000;
    markets[4].max_notional = 20_000_000;
    markets[0].price_band_ppm = 200_000;
    markets[3].price_band_ppm = 60_000;
    markets
}

fn market(symbol: &str, group: u16, kind: MarketKind, tick_value: Atoms) -> MarketSpec {
    let perpetual = kind.is_derivative();
    let tick_price = TICK_PRICES[usize::from(group)];
    MarketSpec {
        symbol: symbol.to_owned(),
        group: GroupId(group),
        kind,
        tick: "1".to_owned(),
        lot: "1".to_owned(),
        tick_value,
        tick_price,
        lot_amount: lot_amount(tick_price, tick_value),
        tick_bands: Vec::new(),
        min_size: 2,
        max_size: 1_000,
        max_price: 100_000,
        price_band_ppm: 0,
        min_notional: 0,
        max_notional: 0,
        maker_fee_ppm: 100,
        taker_fee_ppm: 350,
        initial_margin_ppm: if perpetual { 100_000 } else { 0 },
        minimum_margin_ppm: 0,
        maintenance_margin_ppm: if perpetual { 80_000 } else { 0 },
        mark: if perpetual { 1_000 } else { 0 },
        matching: Matching::Continuous,
        sharing: Sharing::Time,
        self_trade: false,
        taker_hold: 0,
    }
}

/// What one lot is so that a tick of it is worth `tick_value`: atoms are in `10^-6` USDC, prices in
/// `10^-3`, amounts in `10^-9`.
fn lot_amount(tick_price: i64, tick_value: Atoms) -> i64 {
    i64::try_from(tick_value * 1_000_000 / Atoms::from(tick_price)).unwrap_or(i64::MAX)
}

/// Options: of the kind only that it is one counts.
fn series() -> Vec<SeriesSpec> {
    let option = |symbol, group, tick_price, tick_value| MarketSpec {
        tick_price,
        lot_amount: lot_amount(tick_price, tick_value),
        min_size: 1,
        taker_fee_ppm: 300,
        initial_margin_ppm: 150_000,
        minimum_margin_ppm: 100_000,
        maintenance_margin_ppm: 75_000,
        mark: 0,
        price_band_ppm: 60_000,
        ..market(
            symbol,
            group,
            MarketKind::Option {
                expiry: 0,
                strike: 0,
                kind: OptionKind::Call,
            },
            tick_value,
        )
    };
    let mut btc = option("BTC", 0, 1_000, 100);
    btc.tick_bands = vec![(200, 2), (2_000, 5)];
    let mut eth = option("ETH", 1, 1_000, 4);
    eth.self_trade = true;
    vec![
        SeriesSpec {
            cadences: vec![
                Cadence::Every {
                    period_ms: 15_000,
                    offset_ms: 0,
                    count: 2,
                },
                Cadence::Every {
                    period_ms: 7 * 86_400_000,
                    offset_ms: 86_400_000,
                    count: 1,
                },
            ],
            step_ppm: 50_000,
            strikes: 1,
            max_strikes: 5,
            market: btc,
        },
        SeriesSpec {
            cadences: vec![Cadence::LastFriday {
                months: 1,
                offset_ms: 8 * 3_600_000,
                count: 1,
            }],
            step_ppm: 100_000,
            strikes: 1,
            max_strikes: 4,
            market: eth,
        },
    ]
}
