//! The transactions that wait for a block. The pool only decides which transactions are offered,
//! never what they do.

mod bundles;
mod config;
mod generations;
mod ingress;
mod ledger;
mod prepare;
mod quota;
mod store;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use ballast_types::{
    BlockEvents, ChainSpec, Code, Decoded, Hash, TAG_BUNDLE, TimeMs, TxHash, chain_hash, decode,
    decode_bundle,
};
use bytes::Bytes;
use crossbeam_channel::Sender;
use parking_lot::{Mutex, RwLock};

pub use config::{
    BUSY, MASTER_FULL, Mode, ORIGIN_QUOTA, POOL_FULL, PoolConfig, PoolError, code_name,
};
pub use ledger::Ledger;
pub use prepare::BlockRoom;

pub(crate) use self::generations::Generations;
use self::ingress::Incoming;
use self::quota::Quotas;
use self::store::{Entry, Source, Store};
use crate::metrics::Metrics;
use crate::proposal::Verified;

/// Hashes of committed transactions that are remembered at least.
const COMMITTED: usize = 1 << 19;
/// Peers' transactions whose bytes are remembered at least.
const SEEN: usize = 1 << 16;
/// Messages that may wait for a worker.
const QUEUE: usize = 8_192;
/// Bytes of peers that may wait for a worker.
const UNCHECKED: usize = 64 << 20;
/// Part of a block's bytes that is sent again per block at most.
const RESEND_PART: usize = 4;

/// The transaction pool of a node.
pub struct TxPool {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) config: PoolConfig,
    pub(crate) spec: Arc<ChainSpec>,
    pub(crate) chain: Hash,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) verified: Arc<Verified>,
    pub(crate) committed: Generations<TxHash, ()>,
    seen: Generations<[u8; 32], ()>,
    quotas: Quotas,
    store: Mutex<Store>,
    ledger: RwLock<Arc<dyn Ledger>>,
    clock: Mutex<Clock>,
    maker: bundles::Maker,
    jobs: Sender<Incoming>,
    unchecked: AtomicUsize,
}

/// The last committed block.
#[derive(Clone, Copy)]
struct Clock {
    height: u64,
    time: TimeMs,
    /// Block time of the last rotation of the committed hashes.
    rotated: TimeMs,
}

impl TxPool {
    /// An empty pool and its worker threads, which end when it is dropped.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(
        config: PoolConfig,
        spec: Arc<ChainSpec>,
        ledger: Arc<dyn Ledger>,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Arc<Self>> {
        let (jobs, incoming) = crossbeam_channel::bounded(QUEUE);
        let chain = chain_hash(&spec.chain_id);
        let workers = config.workers.max(1);
        let quotas = Quotas::new(
            &spec,
            config.origin_rate,
            config.shared_rate,
            Instant::now(),
        );
        let shared = Arc::new(Shared {
            maker: bundles::Maker::new(config.ingress.clone(), chain, ingress::wall_clock()),
            clock: Mutex::new(Clock {
                height: 0,
                time: spec.genesis_time,
                rotated: 0,
            }),
            verified: Arc::new(Verified::default()),
            committed: Generations::new(COMMITTED),
            seen: Generations::new(SEEN),
            store: Mutex::default(),
            ledger: RwLock::new(ledger),
            unchecked: AtomicUsize::new(0),
            config,
            spec,
            chain,
            metrics,
            quotas,
            jobs,
        });
        for worker in 0..workers {
            // Weak, as the sender that ends the workers is in what they share.
            let (shared, incoming) = (Arc::downgrade(&shared), incoming.clone());
            std::thread::Builder::new()
                .name(format!("pool-{worker}"))
                .spawn(move || ingress::work(&shared, &incoming))?;
        }
        Ok(Arc::new(Self { shared }))
    }

    /// Takes a native or Cosmos transaction, or a client's bundle, from the gateway. `done` is
    /// called, on a worker's thread, when its signature is checked: with its hash (for a bundle the
    /// hash of the whole, when at least one of its transactions is good), or why not. A transaction
    /// that is known already is taken again without effect.
    pub fn submit_then(
        &self,
        bytes: &Bytes,
        done: impl FnOnce(Result<TxHash, PoolError>) + Send + 'static,
    ) {
        ingress::read(&self.shared, bytes, Source::Gateway, None)
            .queue(&self.shared, Box::new(done));
    }

    /// Like [`submit_then`](Self::submit_then), and waits for the answer.
    ///
    /// # Errors
    /// When the transaction is bad, or there is no room for it.
    pub fn submit(&self, bytes: &Bytes) -> Result<TxHash, PoolError> {
        let (send, receive) = crossbeam_channel::bounded(1);
        self.submit_then(bytes, move |answer| {
            // Nobody else holds the other end, and it waits.
            let _ = send.send(answer);
        });
        receive.recv().unwrap_or_else(|_| Err(PoolError::new(BUSY)))
    }

    /// Checks what an RPC client sent and, in mode App, takes it as it is. Answers its weight.
    ///
    /// # Errors
    /// When the transaction (of a bundle: every transaction) is bad, or there is no room for it.
    pub fn check_tx(&self, bytes: &Bytes) -> Result<u64, PoolError> {
        let job = ingress::read(&self.shared, bytes, Source::Rpc, None);
        let weight = self.shared.weight(bytes).unwrap_or(0);
        match ingress::settle(&self.shared, vec![job]).pop() {
            Some(Err(error)) => Err(error),
            _ => Ok(weight),
        }
    }

    /// Fills a block: from what waits here, or from what CometBFT offers in mode Flood. Another
    /// node's [`process`](crate::proposal::process) accepts it.
    pub fn prepare(&self, offer: Vec<Bytes>, room: BlockRoom) -> Vec<Bytes> {
        match self.shared.config.mode {
            Mode::App => prepare::from_pool(&self.shared, room),
            Mode::Flood => prepare::from_offer(&self.shared, offer, room),
        }
    }

    /// Takes a committed block: its transactions wait no longer, nor do those that have expired;
    /// what this node brought and is still missing is sent again.
    pub fn committed(&self, events: &BlockEvents, ledger: Arc<dyn Ledger>) {
        let shared = &self.shared;
        *shared.ledger.write() = ledger;
        let now = Instant::now();
        let mut store = shared.store.lock();
        for result in events.txs.iter().flatten() {
            shared.committed.insert(result.hash, ());
            if let Some(entry) = store.remove(&result.hash)
                && entry.local()
            {
                let waited = now.saturating_duration_since(entry.seen);
                shared
                    .metrics
                    .finality_seconds
                    .observe(waited.as_secs_f64());
            }
        }
        shared.dissolve_units(&mut store, events.height, events.time);
        store.expire(events.time);
        let room = usize::try_from(shared.spec.limits.block_bytes).unwrap_or(usize::MAX);
        let resent = store.resend(events.height, room / RESEND_PART);
        shared.metrics.resends.inc_by(resent);
        shared.show_size(&store);
        drop(store);
        shared.advance(events.height, events.time);
    }

    /// Whether the signature of a transaction has been checked and is good.
    pub fn is_verified(&self, hash: &TxHash) -> bool {
        self.shared.verified.contains(hash)
    }

    /// The memory of good signatures, for [`process`](crate::proposal::process).
    pub fn verified(&self) -> &Arc<Verified> {
        &self.shared.verified
    }

    /// The pool's settings.
    pub fn config(&self) -> &PoolConfig {
        &self.shared.config
    }

    /// How many transactions wait.
    pub fn len(&self) -> usize {
        self.shared.store.lock().entries.len()
    }

    /// True when none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl crate::Pool for TxPool {
    fn insert_tx(&self, tx: Bytes) -> u32 {
        let shared = &self.shared;
        let len = tx.len() as u64;
        if len == 0 || len > shared.spec.limits.tx_bytes || shared.config.mode == Mode::Flood {
            return 0;
        }
        let bytes = *blake3::hash(&tx).as_bytes();
        if shared.seen.contains(&bytes) {
            return 0;
        }
        let claimed = match (
            tx.first(),
            tx.get(65..97).and_then(|key| key.try_into().ok()),
        ) {
            (Some(&TAG_BUNDLE), Some(key)) => shared.quotas.origin(key),
            _ => quota::SHARED,
        };
        if !shared.quotas.reserve(claimed, len, Instant::now()) {
            return ORIGIN_QUOTA;
        }
        let waiting = shared.unchecked.fetch_add(tx.len(), Ordering::Relaxed);
        let sent = waiting < UNCHECKED && shared.jobs.try_send(Incoming::Peer(tx, claimed)).is_ok();
        if !sent {
            shared.unchecked.fetch_sub(len as usize, Ordering::Relaxed);
            shared.quotas.release(claimed, len, Instant::now());
            return BUSY;
        }
        shared.seen.insert(bytes, ());
        0
    }

    fn reap_txs(&self, max_bytes: u64, max_gas: u64) -> Vec<Bytes> {
        bundles::reap(&self.shared, max_bytes, max_gas)
    }
}

impl Shared {
    fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::clone(&self.ledger.read())
    }

    /// Weight of a CometBFT transaction; what is verified need not be decoded again.
    fn weight(&self, bytes: &[u8]) -> Result<u64, Code> {
        self.verified.weight(bytes, &self.spec, &self.chain)
    }

    /// A bundle of which a part is committed stays no longer as it came: the rest goes on alone.
    fn dissolve_units(&self, store: &mut Store, height: u64, time: TimeMs) {
        let broken: Vec<TxHash> = store
            .units()
            .filter(|unit| unit.unit.iter().any(|hash| self.committed.contains(hash)))
            .map(|unit| unit.hash)
            .collect();
        for hash in broken {
            let Some(unit) = store.remove(&hash) else {
                continue;
            };
            let bundle = decode_bundle(&unit.bytes);
            for tx in bundle.map(|bundle| bundle.txs).unwrap_or_default() {
                let Ok(Decoded::Tx(decoded)) = decode(tx, &self.spec, &self.chain) else {
                    continue;
                };
                if self.committed.contains(&decoded.hash) || store.contains(&decoded.hash) {
                    continue;
                }
                let weight = ballast_types::tx_weight(&decoded, &self.spec);
                let bytes = Bytes::copy_from_slice(tx);
                let entry = Entry::new(bytes, &decoded, weight, &self.spec, time);
                let entry = Entry {
                    source: unit.source,
                    seen: unit.seen,
                    ..entry
                };
                // Without room the rest is lost here; it was no better off in a new bundle.
                let _ = store.insert(entry, false, height, &self.config);
            }
        }
    }

    fn show_size(&self, store: &Store) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.pool_txs.set(gauge(store.entries.len()));
        self.metrics.pool_bytes.set(gauge(store.bytes));
    }

    fn advance(&self, height: u64, time: TimeMs) {
        let limits = &self.spec.limits;
        let window = limits.nonce_past_ms.saturating_add(limits.nonce_future_ms);
        let mut clock = self.clock.lock();
        clock.height = height;
        clock.time = time;
        if time.saturating_sub(clock.rotated) > window {
            clock.rotated = time;
            // What is two windows old can only get a code.
            self.committed.rotate();
        }
    }
}
