//! An application that does nothing: it accepts every transaction and counts heights. What a
//! chain of it reaches is what CometBFT and the transport cost alone.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use ballast_app::view::MasterView;
use ballast_types::{
    Account, AccountId, BlockEvents, ChainSpec, Code, OrderId, TxResult, decode_bundle, tx_hash,
};
use bytes::Bytes;
use parking_lot::Mutex;
use tendermint_abci::Application;

use crate::Pool;
use crate::application::millis;
use crate::metrics::Metrics;
use crate::pool::{BlockRoom, Ledger, PoolConfig, TxPool};
use crate::proto::{
    CheckTxType, ExecTxResult, RequestCheckTx, RequestFinalizeBlock, RequestInfo,
    RequestPrepareProposal, ResponseCheckTx, ResponseCommit, ResponseFinalizeBlock, ResponseInfo,
    ResponsePrepareProposal,
};

/// Code for "the pool is full, try again later".
pub const POOL_FULL: u32 = 32_000;

/// Most bytes of transactions that wait.
const MAX_POOL_BYTES: usize = 64 << 20;

/// Transactions remembered after their block, so that a late copy from a peer is dropped.
const MAX_COMMITTED: usize = 200_000;

/// Who keeps the transactions that wait: CometBFT's `mempool.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mempool {
    /// `app`: a first-in, first-out queue here.
    App,
    /// `flood`: CometBFT, which offers them to `prepare_proposal`.
    Flood,
}

/// The no-op application behind the exchange's own pool: its bundles are made, gossiped, unpacked
/// and proposed, but nothing is verified or executed. Clones share their state.
#[derive(Clone)]
pub struct PooledNoop {
    pool: Arc<TxPool>,
    heights: Arc<Mutex<Heights>>,
    on_commit: Arc<Mutex<Option<OnCommit>>>,
}

/// Called after every commit, on the consensus connection: it must only hand the block on.
type OnCommit = Box<dyn Fn(&BlockEvents) + Send>;

#[derive(Default)]
struct Heights {
    committed: i64,
    /// What was executed and is not committed.
    block: BlockEvents,
}

/// A state in which everything exists and nothing has a limit.
struct Anything;

impl Ledger for Anything {
    fn exists(&self, _: &Account) -> bool {
        true
    }

    fn master(&self, _: &AccountId) -> Option<MasterView> {
        None
    }

    fn equity(&self, _: &AccountId) -> u128 {
        0
    }

    fn rests(&self, _: OrderId) -> bool {
        true
    }
}

impl PooledNoop {
    /// At height 0 with an empty pool. `config.verify` is switched off.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        config: PoolConfig,
        spec: Arc<ChainSpec>,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let config = PoolConfig {
            verify: false,
            ..config
        };
        let pool = TxPool::start(config, spec, Arc::new(Anything), metrics)?;
        Ok(Self {
            pool,
            heights: Arc::default(),
            on_commit: Arc::default(),
        })
    }

    /// Calls `listener` after every commit from now on, with the hashes of its transactions.
    pub fn on_commit(&self, listener: impl Fn(&BlockEvents) + Send + 'static) {
        *self.on_commit.lock() = Some(Box::new(listener));
    }

    /// The pool, for the server and the gateway.
    pub fn pool(&self) -> &Arc<TxPool> {
        &self.pool
    }
}

impl Application for PooledNoop {
    fn info(&self, _: RequestInfo) -> ResponseInfo {
        let height = self.heights.lock().committed;
        ResponseInfo {
            data: "noop".to_owned(),
            last_block_height: height,
            last_block_app_hash: match height {
                0 => Bytes::new(),
                _ => app_hash(height),
            },
            ..Default::default()
        }
    }

    fn check_tx(&self, request: RequestCheckTx) -> ResponseCheckTx {
        match self.pool.check_tx(&request.tx) {
            Ok(_) => ResponseCheckTx {
                gas_wanted: 1,
                ..Default::default()
            },
            Err(error) => ResponseCheckTx {
                code: error.code,
                ..Default::default()
            },
        }
    }

    fn prepare_proposal(&self, request: RequestPrepareProposal) -> ResponsePrepareProposal {
        let room = BlockRoom {
            bytes: u64::try_from(request.max_tx_bytes).unwrap_or(0),
            weight: u64::MAX,
            height: u64::try_from(request.height).unwrap_or(0),
            time: millis(request.time.as_ref()),
        };
        ResponsePrepareProposal {
            txs: self.pool.prepare(request.txs, room),
        }
    }

    fn finalize_block(&self, request: RequestFinalizeBlock) -> ResponseFinalizeBlock {
        let result = |bytes: &[u8]| TxResult {
            hash: tx_hash(bytes),
            code: Code::Ok,
            actions: Vec::new(),
        };
        let txs = request.txs.iter().map(|tx| match decode_bundle(tx) {
            Ok(bundle) => bundle.txs.into_iter().map(result).collect(),
            Err(_) => vec![result(tx)],
        });
        self.heights.lock().block = BlockEvents {
            height: u64::try_from(request.height).unwrap_or(0),
            time: millis(request.time.as_ref()),
            txs: txs.collect(),
            events: Vec::new(),
        };
        finalized(&request)
    }

    fn commit(&self) -> ResponseCommit {
        let mut heights = self.heights.lock();
        heights.committed = i64::try_from(heights.block.height).unwrap_or(i64::MAX);
        self.pool.committed(&heights.block, Arc::new(Anything));
        if let Some(listener) = &*self.on_commit.lock() {
            listener(&heights.block);
        }
        ResponseCommit::default()
    }
}

/// The no-op application and its pool. Clones share their state, which lives in memory: after a
/// restart CometBFT replays the chain.
#[derive(Clone)]
pub struct NoopApp {
    mempool: Mempool,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    height: i64,
    executed: i64,
    queue: Queue,
    unsent: VecDeque<Bytes>,
}

impl NoopApp {
    /// At height 0 with an empty pool.
    pub fn new(mempool: Mempool) -> Self {
        Self {
            mempool,
            state: Arc::default(),
        }
    }

    /// The last committed height.
    pub fn height(&self) -> i64 {
        self.state.lock().height
    }
}

impl Application for NoopApp {
    fn info(&self, _: RequestInfo) -> ResponseInfo {
        let height = self.height();
        ResponseInfo {
            data: "noop".to_owned(),
            last_block_height: height,
            last_block_app_hash: if height == 0 {
                Bytes::new()
            } else {
                app_hash(height)
            },
            ..Default::default()
        }
    }

    fn check_tx(&self, request: RequestCheckTx) -> ResponseCheckTx {
        let mut code = 0;
        if self.mempool == Mempool::App && request.r#type() == CheckTxType::New {
            let mut state = self.state.lock();
            code = state.queue.insert(&request.tx);
            if code == 0 {
                state.unsent.push_back(request.tx);
            }
        }
        ResponseCheckTx {
            code,
            gas_wanted: 1,
            ..Default::default()
        }
    }

    fn prepare_proposal(&self, request: RequestPrepareProposal) -> ResponsePrepareProposal {
        let mut room = u64::try_from(request.max_tx_bytes).unwrap_or(0);
        let mut fits = |tx: &Bytes| match room.checked_sub(block_bytes(tx.len())) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        };
        let txs = match self.mempool {
            Mempool::App => {
                let state = self.state.lock();
                state
                    .queue
                    .oldest_first()
                    .take_while(|tx| fits(tx))
                    .cloned()
                    .collect()
            }
            Mempool::Flood => request.txs.into_iter().take_while(|tx| fits(tx)).collect(),
        };
        ResponsePrepareProposal { txs }
    }

    fn finalize_block(&self, request: RequestFinalizeBlock) -> ResponseFinalizeBlock {
        let mut state = self.state.lock();
        state.executed = request.height;
        if self.mempool == Mempool::App {
            for tx in &request.txs {
                state.queue.commit(tx);
            }
        }
        finalized(&request)
    }

    fn commit(&self) -> ResponseCommit {
        let mut state = self.state.lock();
        state.height = state.executed;
        ResponseCommit::default()
    }
}

impl Pool for NoopApp {
    fn insert_tx(&self, tx: Bytes) -> u32 {
        self.state.lock().queue.insert(&tx)
    }

    fn reap_txs(&self, max_bytes: u64, _max_gas: u64) -> Vec<Bytes> {
        let mut state = self.state.lock();
        let mut room = if max_bytes == 0 { u64::MAX } else { max_bytes };
        let mut txs = Vec::new();
        while let Some(tx) = state.unsent.pop_front() {
            let Some(left) = room.checked_sub(tx.len() as u64) else {
                state.unsent.push_front(tx);
                break;
            };
            room = left;
            txs.push(tx);
        }
        txs
    }
}

/// Bytes that a transaction takes of `max_tx_bytes`: CometBFT counts its key and length too.
pub fn block_bytes(tx_len: usize) -> u64 {
    let length_bytes = prost::length_delimiter_len(tx_len);
    (tx_len as u64).saturating_add(1 + length_bytes as u64)
}

/// A block in which every transaction did well.
fn finalized(request: &RequestFinalizeBlock) -> ResponseFinalizeBlock {
    let result = ExecTxResult {
        gas_wanted: 1,
        gas_used: 1,
        ..Default::default()
    };
    ResponseFinalizeBlock {
        tx_results: vec![result; request.txs.len()],
        app_hash: app_hash(request.height),
        ..Default::default()
    }
}

fn app_hash(height: i64) -> Bytes {
    Bytes::copy_from_slice(&height.to_be_bytes())
}

/// Waiting transactions by arrival, each once; found by a 64-bit hash, which is good enough for
/// an application that keeps nothing.
#[derive(Default)]
struct Queue {
    hasher: RandomState,
    next: u64,
    bytes: usize,
    by_arrival: BTreeMap<u64, Bytes>,
    by_hash: HashMap<u64, u64>,
    committed: HashSet<u64>,
    committed_order: VecDeque<u64>,
}

impl Queue {
    fn insert(&mut self, tx: &Bytes) -> u32 {
        let hash = self.hasher.hash_one(tx);
        if self.by_hash.contains_key(&hash) || self.committed.contains(&hash) {
            return 0;
        }
        if self.bytes + tx.len() > MAX_POOL_BYTES {
            return POOL_FULL;
        }
        self.bytes += tx.len();
        self.by_hash.insert(hash, self.next);
        self.by_arrival.insert(self.next, tx.clone());
        self.next += 1;
        0
    }

    fn commit(&mut self, tx: &Bytes) {
        let hash = self.hasher.hash_one(tx);
        if let Some(arrival) = self.by_hash.remove(&hash) {
            self.by_arrival.remove(&arrival);
            self.bytes -= tx.len();
        }
        if self.committed.insert(hash) {
            self.committed_order.push_back(hash);
        }
        if self.committed_order.len() > MAX_COMMITTED
            && let Some(oldest) = self.committed_order.pop_front()
        {
            self.committed.remove(&oldest);
        }
    }

    fn oldest_first(&self) -> impl Iterator<Item = &Bytes> {
        self.by_arrival.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(app: &NoopApp, tx: &'static [u8]) -> u32 {
        let request = RequestCheckTx {
            tx: Bytes::from_static(tx),
            ..Default::default()
        };
        app.check_tx(request).code
    }

    fn prepare(app: &NoopApp, max_tx_bytes: i64) -> Vec<Bytes> {
        app.prepare_proposal(RequestPrepareProposal {
            max_tx_bytes,
            ..Default::default()
        })
        .txs
    }

    #[test]
    fn a_transaction_waits_until_its_block_and_is_sent_once() {
        let app = NoopApp::new(Mempool::App);
        assert_eq!(check(&app, b"from rpc"), 0);
        assert_eq!(app.insert_tx(Bytes::from_static(b"from a peer")), 0);
        assert_eq!(app.reap_txs(0, 0), ["from rpc"]);
        assert!(app.reap_txs(0, 0).is_empty());
        let txs = prepare(&app, 1000);
        assert_eq!(txs, ["from rpc", "from a peer"]);
        let block = RequestFinalizeBlock {
            txs,
            height: 1,
            ..Default::default()
        };
        assert_eq!(app.finalize_block(block).tx_results.len(), 2);
        assert_eq!(app.height(), 0);
        app.commit();
        assert_eq!(app.height(), 1);
        assert_eq!(app.insert_tx(Bytes::from_static(b"from a peer")), 0);
        assert!(prepare(&app, 1000).is_empty());
    }

    #[test]
    fn behind_the_exchanges_pool_nothing_is_verified_and_everything_comes_once() {
        use crate::pool::tests::{NOW, body, order, spec, user, validator};
        let spec = Arc::new(spec());
        let config = PoolConfig::new(crate::pool::Mode::App, validator(0), &spec);
        let app = PooledNoop::start(config, spec, Arc::new(Metrics::new().unwrap())).unwrap();
        let unsigned = ballast_types::encode_native(&body(&user(50), 0, vec![order()]), &[0; 64]);
        app.pool().submit(&unsigned.into()).unwrap();
        let seconds = i64::try_from(NOW / 1_000).unwrap();
        let time = Some(tendermint_proto::google::protobuf::Timestamp { seconds, nanos: 0 });
        let txs = app
            .prepare_proposal(RequestPrepareProposal {
                max_tx_bytes: 1_000,
                height: 1,
                time,
                ..Default::default()
            })
            .txs;
        assert_eq!(txs.len(), 1);
        let block = RequestFinalizeBlock {
            txs,
            height: 1,
            time,
            ..Default::default()
        };
        assert_eq!(app.finalize_block(block).tx_results.len(), 1);
        app.commit();
        assert_eq!(app.info(RequestInfo::default()).last_block_height, 1);
        assert!(app.pool().is_empty());
    }

    #[test]
    fn a_proposal_counts_the_bytes_of_the_encoding() {
        let app = NoopApp::new(Mempool::App);
        for tx in [b"aaaa", b"bbbb"] {
            check(&app, tx);
        }
        assert_eq!(prepare(&app, 12).len(), 2);
        assert_eq!(prepare(&app, 11).len(), 1);
        assert_eq!(prepare(&app, 5).len(), 0);
        assert_eq!(prepare(&app, -1).len(), 0);
    }

    #[test]
    fn reaping_stops_at_the_byte_limit() {
        let app = NoopApp::new(Mempool::App);
        for tx in [b"aaaa", b"bbbb"] {
            check(&app, tx);
        }
        assert_eq!(app.reap_txs(7, 0), ["aaaa"]);
        assert_eq!(app.reap_txs(7, 0), ["bbbb"]);
    }
}
