use ballast_types::{ChainSpec, Code, Secret};

/// Who keeps the transactions that wait: CometBFT's `mempool.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `app`: this pool gossips by InsertTx and ReapTxs, and fills proposals.
    App,
    /// `flood`: CometBFT. The pool makes bundles of what came in by the gateway, which the node
    /// posts to its own CometBFT, and filters what CometBFT offers for a proposal.
    Flood,
}

/// Settings of a node's pool. None of them changes what a block does.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// CometBFT's mempool.
    pub mode: Mode,
    /// Also pass on what peers sent, once and unchanged: on for sentries and full nodes, off
    /// inside a mesh.
    pub relay: bool,
    /// Check signatures and accounts. Off only to measure what everything else costs.
    pub verify: bool,
    /// Signs this node's bundles. Ed25519.
    pub ingress: Secret,
    /// Largest bundle that is gossiped, in bytes.
    pub bundle_bytes: usize,
    /// Most bytes that wait.
    pub max_bytes: usize,
    /// Most bytes that wait for one master.
    pub max_master_bytes: usize,
    /// Most transactions that wait.
    pub max_txs: usize,
    /// Blocks after which a transaction of this node that is still missing is sent again; the wait
    /// doubles each time.
    pub resend_blocks: u64,
    /// Threads that check signatures.
    pub workers: usize,
    /// Bytes per second that the bundles of one validator may bring. It can save up one second.
    pub origin_rate: u64,
    /// The same for everyone else together.
    pub shared_rate: u64,
}

impl PoolConfig {
    /// Defaults for a validator in a mesh.
    pub fn new(mode: Mode, ingress: Secret, spec: &ChainSpec) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            mode,
            relay: false,
            verify: true,
            ingress,
            bundle_bytes: 20 << 10,
            max_bytes: 64 << 20,
            max_master_bytes: 4 << 20,
            max_txs: 200_000,
            resend_blocks: 8,
            workers: (cores / 2).clamp(1, 4),
            origin_rate: spec.limits.block_bytes.saturating_mul(8),
            shared_rate: spec.limits.block_bytes,
        }
    }
}

/// Why a transaction was not taken: a number of [`Code`] when it is bad, 32000 and above when the
/// pool has no room for it now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct PoolError {
    /// Stable number.
    pub code: u32,
    /// Its name.
    pub message: String,
}

/// The pool is full, try again later.
pub const POOL_FULL: u32 = 32_000;
/// As many bytes wait for this master as may, try again later.
pub const MASTER_FULL: u32 = 32_001;
/// The origin has used up its quota, try again later.
pub const ORIGIN_QUOTA: u32 = 32_002;
/// More waits for its signature check than may, try again later.
pub const BUSY: u32 = 32_003;

/// The stable name of a code of CheckTx, InsertTx or [`PoolError`].
pub fn code_name(code: u32) -> &'static str {
    match code {
        POOL_FULL => "POOL_FULL",
        MASTER_FULL => "MASTER_FULL",
        ORIGIN_QUOTA => "ORIGIN_QUOTA",
        BUSY => "BUSY",
        _ => u16::try_from(code)
            .ok()
            .and_then(Code::from_number)
            .map_or("UNKNOWN", Code::name),
    }
}

impl PoolError {
    pub(crate) fn new(code: u32) -> Self {
        Self {
            code,
            message: code_name(code).to_owned(),
        }
    }
}

impl From<Code> for PoolError {
    fn from(code: Code) -> Self {
        Self::new(u32::from(code.number()))
    }
}
