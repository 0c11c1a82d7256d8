//! A small exchange whose limits are so tight that every one of them is reached.

use ballast_types::{
    Account, AssetId, AssetSpec, Atoms, ChainSpec, GroupId, GroupSpec, Limits, MarketKind,
    MarketSpec, Matching, SETTLEMENT_WINDOW_MS, Secret, Sharing, TimeMs, ValidatorSpec,
};

const GENESIS_TIME: TimeMs = 1_700_000_000_000;

/// Keys of the masters of [`test_spec`]: four of each kind. The first is the price authority.
pub fn test_secrets() -> Vec<Secret> {
    let ed25519 = (1..=4).map(|seed| Secret::ed25519([seed; 32]));
    let secp256k1 = (1..=4).filter_map(|seed| Secret::secp256k1([seed; 32]));
    ed25519.chain(secp256k1).collect()
}

/// USDC (margin), BTC and ETH; spot, perpetuals and futures in three groups. One future expires soon
/// after genesis, one in half an hour and a little, one has when the chain begins.
pub fn test_spec() -> ChainSpec {
    let secrets = test_secrets();
    let mut balances = Vec::new();
    for (at, secret) in secrets.iter().enumerate() {
        let subs = if at % 2 == 0 { 2 } else { 1 };
        for sub in 0..subs {
            let account = Account::new(secret.id(), sub);
            balances.push((account, AssetId(0), 6_000_000));
            balances.push((account, AssetId(1), 400_000));
            balances.push((account, AssetId(2), 900_000));
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
        groups: ["BTC", "ETH", "SOL"]
            .map(|name| GroupSpec {
                name: name.to_owned(),
            })
            .to_vec(),
        markets: markets(),
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
        ..Limits::default()
    }
}

fn markets() -> Vec<MarketSpec> {
    let spot = |base| MarketKind::Spot {
        base: AssetId(base),
        lot_atoms: 1_000,
    };
    let perpetual = MarketKind::Perpetual;
    let mut markets = vec![
        market("BTC-USDC", 0, spot(1), 100),
        market("BTC-PERP", 0, perpetual, 1_000),
        market("ETH-USDC", 1, spot(2), 50),
        market("ETH-PERP", 1, perpetual, 300),
        market("SOL-PERP", 2, perpetual, 77),
    ];
    // Two trade in batches.
    markets.push(market("SOL-BATCH", 2, perpetual, 60));
    markets.push(market("BTC-BATCH", 0, spot(1), 40));
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
    MarketSpec {
        symbol: symbol.to_owned(),
        group: GroupId(group),
        kind,
        tick: "1".to_owned(),
        lot: "1".to_owned(),
        tick_value,
        min_size: 2,
        max_size: 1_000,
        max_price: 100_000,
        price_band_ppm: 0,
        min_notional: 0,
        max_notional: 0,
        maker_fee_ppm: 100,
        taker_fee_ppm: 350,
        initial_margin_ppm: if perpetual { 100_000 } else { 0 },
        maintenance_margin_ppm: if perpetual { 80_000 } else { 0 },
        mark: if perpetual { 1_000 } else { 0 },
        matching: Matching::Continuous,
        sharing: Sharing::Time,
        self_trade: false,
        taker_hold: 0,
    }
}
