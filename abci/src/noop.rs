//! An application that does nothing: it accepts every transaction and counts heights. What a
//! chain of it reaches is what CometBFT and the transport cost alone.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tendermint_abci::Application;

use crate::Pool;
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
