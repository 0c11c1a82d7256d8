use crate::{Error, bounds};
use ballast_types::Limits;
use serde::{Deserialize, Serialize};

/// [`Limits`] as JSON. A field that is left out has the default of [`Limits::default`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "the fields are those of Limits and documented there"
)]
pub struct GenesisLimits {
    pub block_bytes: u64,
    pub tx_bytes: u64,
    pub native_tx_bytes: u64,
    pub tx_actions: u16,
    pub block_weight: u64,
    pub max_fills: u16,
    pub accounts: u32,
    pub open_orders: u32,
    pub agents: u16,
    pub sweep_orders: u32,
    pub nonce_past_ms: u64,
    pub nonce_future_ms: u64,
    pub bucket_tokens: u64,
    pub bucket_refill: u64,
    pub cancel_tokens: u64,
    pub floors: u32,
    pub waiting_orders: u32,
    pub trailing_orders: u32,
    pub triggered_orders: u32,
    pub pegged_orders: u32,
    pub twap_slices: u32,
    pub auction_fills: u32,
    pub listings: u32,
}

impl Default for GenesisLimits {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            block_bytes: limits.block_bytes,
            tx_bytes: limits.tx_bytes,
            native_tx_bytes: limits.native_tx_bytes,
            tx_actions: limits.tx_actions,
            block_weight: limits.block_weight,
            max_fills: limits.max_fills,
            accounts: limits.accounts,
            open_orders: limits.open_orders,
            agents: limits.agents,
            sweep_orders: limits.sweep_orders,
            nonce_past_ms: limits.nonce_past_ms,
            nonce_future_ms: limits.nonce_future_ms,
            bucket_tokens: limits.bucket_tokens,
            bucket_refill: limits.bucket_refill,
            cancel_tokens: limits.cancel_tokens,
            floors: limits.floors,
            waiting_orders: limits.waiting_orders,
            trailing_orders: limits.trailing_orders,
            triggered_orders: limits.triggered_orders,
            pegged_orders: limits.pegged_orders,
            twap_slices: limits.twap_slices,
            auction_fills: limits.auction_fills,
            listings: limits.listings,
        }
    }
}

/// Name, value, and its least and largest value.
type Row = (&'static str, u64, u64, u64);

impl GenesisLimits {
    /// The limits, each within its own bounds. `block_weight` is checked with the whole chain.
    pub(crate) fn validate(&self) -> Result<Limits, Error> {
        let rows = self.of_transactions().into_iter().chain(self.of_orders());
        for (name, value, min, max) in rows {
            if !(min..=max).contains(&value) {
                let reason = reason(name, min, max);
                return Err(Error::value(format_args!("limits.{name}"), value, reason));
            }
        }
        Ok(self.to_limits())
    }

    /// What bounds transactions and accounts.
    fn of_transactions(&self) -> [Row; 11] {
        let max_tx = self.block_bytes.saturating_sub(bounds::BLOCK_OVERHEAD);
        let max_native = self.tx_bytes.saturating_sub(bounds::BUNDLE_OVERHEAD);
        let window = bounds::MAX_NONCE_WINDOW_MS;
        [
            ("block_bytes", self.block_bytes, 1, bounds::MAX_BLOCK_BYTES),
            ("tx_bytes", self.tx_bytes, 1, max_tx),
            (
                "native_tx_bytes",
                self.native_tx_bytes,
                bounds::MIN_NATIVE_TX_BYTES,
                max_native,
            ),
            (
                "tx_actions",
                self.tx_actions.into(),
                1,
                bounds::MAX_TX_ACTIONS,
            ),
            ("accounts", self.accounts.into(), 1, u64::from(u32::MAX)),
            ("agents", self.agents.into(), 0, bounds::MAX_AGENTS),
            ("nonce_past_ms", self.nonce_past_ms, 1, window),
            ("nonce_future_ms", self.nonce_future_ms, 1, window),
            ("bucket_tokens", self.bucket_tokens, 1, bounds::MAX_TOKENS),
            ("bucket_refill", self.bucket_refill, 1, bounds::MAX_TOKENS),
            ("cancel_tokens", self.cancel_tokens, 0, bounds::MAX_TOKENS),
        ]
    }

    /// What bounds orders.
    fn of_orders(&self) -> [Row; 11] {
        [
            ("max_fills", self.max_fills.into(), 1, bounds::MAX_FILLS),
            (
                "open_orders",
                self.open_orders.into(),
                1,
                bounds::MAX_OPEN_ORDERS,
            ),
            (
                "sweep_orders",
                self.sweep_orders.into(),
                1,
                bounds::MAX_SWEEP_ORDERS,
            ),
            ("floors", self.floors.into(), 1, bounds::MAX_FLOORS),
            (
                "waiting_orders",
                self.waiting_orders.into(),
                0,
                bounds::MAX_WAITING_ORDERS,
            ),
            (
                "trailing_orders",
                self.trailing_orders.into(),
                0,
                bounds::MAX_TRAILING_ORDERS,
            ),
            (
                "triggered_orders",
                self.triggered_orders.into(),
                1,
                bounds::MAX_TRIGGERED_ORDERS,
            ),
            (
                "pegged_orders",
                self.pegged_orders.into(),
                0,
                bounds::MAX_PEGGED_ORDERS,
            ),
            (
                "twap_slices",
                self.twap_slices.into(),
                1,
                bounds::MAX_TWAP_SLICES,
            ),
            (
                "auction_fills",
                self.auction_fills.into(),
                1,
                bounds::MAX_AUCTION_FILLS,
            ),
            ("listings", self.listings.into(), 1, bounds::MAX_LISTINGS),
        ]
    }

    fn to_limits(&self) -> Limits {
        Limits {
            block_bytes: self.block_bytes,
            tx_bytes: self.tx_bytes,
            native_tx_bytes: self.native_tx_bytes,
            tx_actions: self.tx_actions,
            block_weight: self.block_weight,
            max_fills: self.max_fills,
            accounts: self.accounts,
            open_orders: self.open_orders,
            agents: self.agents,
            sweep_orders: self.sweep_orders,
            nonce_past_ms: self.nonce_past_ms,
            nonce_future_ms: self.nonce_future_ms,
            bucket_tokens: self.bucket_tokens,
            bucket_refill: self.bucket_refill,
            cancel_tokens: self.cancel_tokens,
            floors: self.floors,
            waiting_orders: self.waiting_orders,
            trailing_orders: self.trailing_orders,
            triggered_orders: self.triggered_orders,
            pegged_orders: self.pegged_orders,
            twap_slices: self.twap_slices,
            auction_fills: self.auction_fills,
            listings: self.listings,
        }
    }
}

fn reason(name: &str, min: u64, max: u64) -> String {
    let range = format!("is not from {min} to {max}");
    match name {
        "tx_bytes" => format!("{range} (block_bytes - {})", bounds::BLOCK_OVERHEAD),
        "native_tx_bytes" => format!("{range} (tx_bytes - {})", bounds::BUNDLE_OVERHEAD),
        _ => range,
    }
}
