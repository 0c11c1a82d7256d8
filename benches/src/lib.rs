//! What the benches share: a chain of perpetuals and keys that trade on it, and [`flow`], streams of
//! messages for order books.

pub mod flow;

use ballast_types::{
    Account, AssetId, AssetSpec, ChainSpec, GroupId, GroupSpec, Limits, MarginMode, MarketKind,
    MarketSpec, Matching, Secret, Sharing,
};

/// Mark price of every market in ticks.
pub const MID: i64 = 1_000_000;

/// Ed25519 keys that differ in their number only.
pub fn secrets(count: usize) -> Vec<Secret> {
    seeds(count).map(Secret::ed25519).collect()
}

/// Seeds that differ in their number only; every one is a valid secp256k1 scalar too.
pub fn seeds(count: usize) -> impl Iterator<Item = [u8; 32]> {
    (0..count as u64).map(|number| {
        let mut seed = [7; 32];
        for (to, from) in seed.iter_mut().zip(number.to_le_bytes()) {
            *to = from;
        }
        seed
    })
}

/// A chain with one perpetual to a group, on which each key has much money and enough tokens.
pub fn chain(chain_id: &str, groups: u16, secrets: &[Secret]) -> ChainSpec {
    let market = |group: u16| MarketSpec {
        symbol: format!("P{group}"),
        group: GroupId(group),
        kind: MarketKind::Perpetual,
        tick: "0.1".into(),
        lot: "0.001".into(),
        tick_value: 1,
        tick_price: 1,
        lot_amount: 1_000_000,
        tick_bands: Vec::new(),
        min_size: 1,
        max_size: 1 << 30,
        max_price: 1 << 40,
        price_band_ppm: 0,
        min_notional: 0,
        max_notional: 0,
        maker_fee_ppm: 200,
        taker_fee_ppm: 500,
        initial_margin_ppm: 20_000,
        minimum_margin_ppm: 0,
        maintenance_margin_ppm: 10_000,
        mark: MID,
        matching: Matching::Continuous,
        sharing: Sharing::Time,
        self_trade: true,
        taker_hold: 0,
    };
    let limits = Limits {
        bucket_tokens: 1 << 40,
        cancel_tokens: 1 << 40,
        ..Limits::default()
    };
    let mut balances: Vec<_> = secrets
        .iter()
        .map(|secret| (Account::new(secret.id(), 0), AssetId(0), 1_u128 << 80))
        .collect();
    balances.sort_unstable();
    let margin = ballast_genesis::margin::preset("default").expect("a preset");
    ChainSpec {
        chain_id: chain_id.to_owned(),
        genesis_time: 1_000_000,
        limits,
        account_shards: 16,
        margin_asset: AssetId(0),
        assets: vec![AssetSpec {
            symbol: "USDC".into(),
            denom: "usdc".into(),
            decimals: 6,
        }],
        groups: (0..groups)
            .map(|g| GroupSpec {
                name: format!("G{g}"),
                price_digits: 3,
                volatility: 800_000_000_000_000,
                surface_cap: 0,
                margin: margin.clone(),
            })
            .collect(),
        markets: (0..groups).map(market).collect(),
        series: Vec::new(),
        margin_mode: MarginMode::Standard,
        order_reserve_ppm: 0,
        price_authorities: secrets.iter().take(1).map(Secret::id).collect(),
        validators: vec![],
        balances,
    }
}
