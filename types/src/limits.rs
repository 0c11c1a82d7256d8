use borsh::{BorshDeserialize, BorshSerialize};

/// Bounds on everything, fixed in genesis.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Limits {
    /// CometBFT block size in bytes.
    pub block_bytes: u64,
    /// CometBFT transaction size in bytes.
    pub tx_bytes: u64,
    /// Native transaction size in bytes.
    pub native_tx_bytes: u64,
    /// Actions in one transaction.
    pub tx_actions: u16,
    /// Sum of the weights of a block's transactions; one unit is about 100 ns.
    pub block_weight: u64,
    /// Resting orders that one order may meet.
    pub max_fills: u16,
    /// Accounts that may exist.
    pub accounts: u32,
    /// Open orders of one account in one group.
    pub open_orders: u32,
    /// Agent keys of one master.
    pub agents: u16,
    /// Expired or uncovered orders that one group removes in `open` of one block.
    pub sweep_orders: u32,
    /// How far a nonce may lie before block time, ms.
    pub nonce_past_ms: u64,
    /// How far a nonce may lie after block time, ms.
    pub nonce_future_ms: u64,
    /// Tokens that a master's bucket holds; every action but a cancel takes one.
    pub bucket_tokens: u64,
    /// Tokens that come back per second.
    pub bucket_refill: u64,
    /// Tokens of the spare bucket that only cancels use, refilled at the same rate.
    pub cancel_tokens: u64,
    /// Client-id and label floors of one account in one group.
    pub floors: u32,
    /// Orders of one group that may wait for a trigger.
    pub waiting_orders: u32,
    /// Trailing orders of one market that may wait.
    pub trailing_orders: u32,
    /// Waiting orders of one group that enter in one block; the others follow in the next.
    pub triggered_orders: u32,
    /// Pegged orders of one market.
    pub pegged_orders: u32,
    /// TWAP orders of one group that send a slice in one block; the others follow in the next.
    pub twap_slices: u32,
    /// Fills, removals and refreshes of one auction; what still crosses trades in the next block.
    pub auction_fills: u32,
    /// Strikes that the series list in one block, each a call and a put; the others follow in the next.
    pub listings: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            block_bytes: 2 << 20,
            tx_bytes: 64 << 10,
            native_tx_bytes: 16 << 10,
            tx_actions: 64,
            block_weight: 4_000_000,
            max_fills: 256,
            accounts: 1_000_000,
            open_orders: 1_000,
            agents: 16,
            sweep_orders: 1_000,
            nonce_past_ms: 120_000,
            nonce_future_ms: 30_000,
            bucket_tokens: 20_000,
            bucket_refill: 5_000,
            cancel_tokens: 20_000,
            floors: 4_096,
            waiting_orders: 20_000,
            trailing_orders: 1_000,
            triggered_orders: 32,
            pegged_orders: 200,
            twap_slices: 32,
            auction_fills: 1_000,
            listings: 64,
        }
    }
}
