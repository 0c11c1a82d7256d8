//! The exchange as CometBFT sees it: ABCI's methods over the state machine and the pool.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ballast_app::{Block, Candidate, GenesisError, Snapshot, State, Stats};
use ballast_types::{
    Account, AccountId, BlockEvents, ChainSpec, Code, Hash, OrderId, TAG_BUNDLE, TAG_COSMOS,
    TimeMs, TxResult, chain_hash, refused_weight,
};
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use prost::Message;
use tendermint_abci::Application;
use tendermint_proto::google::protobuf::Timestamp;
use tendermint_proto::v0_38::crypto::{PublicKey, public_key};

use crate::metrics::Metrics;
use crate::pool::{BlockRoom, Ledger, PoolConfig, PoolError, TxPool};
use crate::proposal::process;
use crate::proto::response_apply_snapshot_chunk::Result as ApplyResult;
use crate::proto::response_offer_snapshot::Result as OfferResult;
use crate::proto::response_process_proposal::ProposalStatus;
use crate::proto::response_verify_vote_extension::VerifyStatus;
use crate::proto::{
    ExecTxResult, RequestApplySnapshotChunk, RequestCheckTx, RequestExtendVote,
    RequestFinalizeBlock, RequestInfo, RequestInitChain, RequestOfferSnapshot,
    RequestPrepareProposal, RequestProcessProposal, RequestQuery, RequestVerifyVoteExtension,
    ResponseApplySnapshotChunk, ResponseCheckTx, ResponseCommit, ResponseExtendVote,
    ResponseFinalizeBlock, ResponseInfo, ResponseInitChain, ResponseOfferSnapshot,
    ResponsePrepareProposal, ResponseProcessProposal, ResponseQuery, ResponseVerifyVoteExtension,
    ValidatorUpdate,
};
use crate::query;

/// Heights that queries serve.
pub const HEIGHTS: usize = 16;

/// A committed block: what it did, and the state after it.
pub struct Committed {
    /// Results and events.
    pub events: BlockEvents,
    /// Counts.
    pub stats: Stats,
    /// The state.
    pub snapshot: Arc<Snapshot>,
}

/// Called after every commit, on the consensus connection: it must only hand the block on.
pub type OnCommit = Arc<dyn Fn(&Arc<Committed>) + Send + Sync>;

/// Why an exchange cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The genesis does not fit the state.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The system has no thread left.
    #[error("cannot start the pool: {0}")]
    Threads(#[from] std::io::Error),
}

/// The exchange behind CometBFT. Clones share their state. What cannot be answered is a panic,
/// which the server turns into an `Exception` and the end of the process: CometBFT and this state
/// do not belong together then.
#[derive(Clone)]
pub struct Exchange {
    inner: Arc<Inner>,
}

struct Inner {
    spec: Arc<ChainSpec>,
    chain: Hash,
    pool: Arc<TxPool>,
    metrics: Arc<Metrics>,
    /// The one writer.
    writer: Mutex<Writer>,
    /// The last committed states, newest last.
    recent: RwLock<VecDeque<Arc<Snapshot>>>,
    on_commit: RwLock<Vec<OnCommit>>,
    /// The proposal judged last, by its block's hash, and the weights of its transactions.
    judged: Mutex<(Bytes, Vec<u64>)>,
}

struct Writer {
    state: State,
    candidate: Option<Executed>,
}

struct Executed {
    candidate: Candidate,
    took: Duration,
}

impl Ledger for Snapshot {
    fn exists(&self, account: &Account) -> bool {
        Snapshot::exists(self, account)
    }

    fn master(&self, master: &AccountId) -> Option<ballast_app::view::MasterView> {
        Snapshot::master(self, master)
    }

    fn equity(&self, master: &AccountId) -> u128 {
        let subaccounts = Snapshot::master(self, master).map(|view| view.subaccounts);
        let accounts = subaccounts.unwrap_or_default().into_iter();
        accounts
            .filter_map(|sub| Snapshot::equity(self, &Account::new(*master, sub)))
            .map(|equity| u128::try_from(equity).unwrap_or(0))
            .fold(0, u128::saturating_add)
    }

    fn rests(&self, order: OrderId) -> bool {
        self.order(order).is_some()
    }
}

impl Exchange {
    /// The exchange at its genesis, with an empty pool.
    ///
    /// # Errors
    /// When the genesis does not fit, or no thread can be started.
    pub fn start(
        config: PoolConfig,
        spec: Arc<ChainSpec>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StartError> {
        let state = State::genesis(Arc::clone(&spec))?;
        let genesis = state.committed();
        let pool = TxPool::start(
            config,
            Arc::clone(&spec),
            genesis.clone(),
            Arc::clone(&metrics),
        )?;
        let inner = Inner {
            chain: chain_hash(&spec.chain_id),
            spec,
            pool,
            metrics,
            writer: Mutex::new(Writer {
                state,
                candidate: None,
            }),
            recent: RwLock::new([genesis].into()),
            on_commit: RwLock::default(),
            judged: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The pool, which is also what [`Server::start`](crate::Server::start) takes.
    pub fn pool(&self) -> &Arc<TxPool> {
        &self.inner.pool
    }

    /// What the chain is.
    pub fn spec(&self) -> &Arc<ChainSpec> {
        &self.inner.spec
    }

    /// Calls `listener` after every commit from now on, in the order of the calls to this.
    pub fn on_commit(&self, listener: OnCommit) {
        self.inner.on_commit.write().push(listener);
    }

    /// The last committed state.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let recent = self.inner.recent.read();
        // Never empty: it starts with genesis, and the newest is never dropped.
        recent
            .back()
            .cloned()
            .unwrap_or_else(|| self.inner.writer.lock().state.committed())
    }

    /// The state after a height, while it is one of the last [`HEIGHTS`]; 0 is the last.
    pub fn snapshot_at(&self, height: u64) -> Option<Arc<Snapshot>> {
        if height == 0 {
            return Some(self.snapshot());
        }
        self.inner
            .recent
            .read()
            .iter()
            .find(|state| state.height() == height)
            .cloned()
    }

    /// From now on every block computes the margin of every account anew. A difference from what was
    /// kept is a fault, and the block is not committed. That costs time in proportion to the state.
    pub fn check_margins(&self) {
        self.inner.writer.lock().state.check_margins_of_blocks();
    }

    fn execute(&self, request: &RequestFinalizeBlock) -> ResponseFinalizeBlock {
        let Inner { pool, metrics, .. } = &*self.inner;
        let began = Instant::now();
        let mut writer = self.inner.writer.lock();
        let Writer {
            state,
            candidate: pending,
        } = &mut *writer;
        if let Some(dropped) = pending.take() {
            state.discard(dropped.candidate);
        }
        let height = u64::try_from(request.height).unwrap_or(0);
        let next = state.height().saturating_add(1);
        assert!(
            height == next,
            "FinalizeBlock of height {height} where {next} is next"
        );
        let block = Block {
            height,
            time: millis(request.time.as_ref()),
            txs: &request.txs,
        };
        let verified = Arc::clone(pool.verified());
        let mut pass = None;
        let candidate =
            state.execute_observed(&block, &move |hash| verified.contains(hash), &mut |name| {
                let now = Instant::now();
                if let Some((before, since)) = pass.replace((name, now)) {
                    metrics.observe_pass(before, now.saturating_duration_since(since));
                }
            });
        if candidate.stats.violations.margins > 0 {
            panic!(
                "height {height}: {}",
                state.check_margins().err().unwrap_or_default()
            );
        }
        let weights = self.weights(request);
        let results = request.txs.iter().zip(&candidate.events.txs).zip(weights);
        let tx_results = results
            .map(|((tx, results), weight)| tx_result(tx, results, weight))
            .collect();
        let app_hash = Bytes::copy_from_slice(&candidate.app_hash);
        *pending = Some(Executed {
            candidate,
            took: began.elapsed(),
        });
        ResponseFinalizeBlock {
            tx_results,
            app_hash,
            ..Default::default()
        }
    }

    /// Weights of a block's transactions: a function of their bytes, which judging the proposal has
    /// worked out in most cases.
    fn weights(&self, request: &RequestFinalizeBlock) -> Vec<u64> {
        let Inner {
            spec,
            chain,
            pool,
            judged,
            ..
        } = &*self.inner;
        let (hash, weights) = &*judged.lock();
        if !hash.is_empty() && *hash == request.hash && weights.len() == request.txs.len() {
            return weights.clone();
        }
        let weigh = |tx: &Bytes| {
            let weight = pool.verified().weight(tx, spec, chain);
            weight.unwrap_or_else(|_| refused_weight(tx.len()))
        };
        request.txs.iter().map(weigh).collect()
    }

    fn commit_candidate(&self) {
        let inner = &*self.inner;
        let mut writer = inner.writer.lock();
        let executed = writer.candidate.take();
        let Executed {
            mut candidate,
            took,
        } = executed.unwrap_or_else(|| panic!("Commit without FinalizeBlock"));
        let began = Instant::now();
        let events = std::mem::take(&mut candidate.events);
        let stats = candidate.stats;
        let snapshot = writer.state.commit(candidate);
        drop(writer);
        {
            let mut recent = inner.recent.write();
            recent.push_back(Arc::clone(&snapshot));
            if recent.len() > HEIGHTS {
                recent.pop_front();
            }
        }
        inner.pool.committed(&events, snapshot.clone());
        inner.metrics.count(&events, &stats, Arc::clone(&snapshot));
        inner
            .metrics
            .block_seconds
            .observe((took + began.elapsed()).as_secs_f64());
        if !stats.violations.none() {
            tracing::error!(height = events.height, violations = ?stats.violations, "broken invariant");
        }
        let committed = Arc::new(Committed {
            events,
            stats,
            snapshot,
        });
        for listener in inner.on_commit.read().iter() {
            listener(&committed);
        }
    }

    /// The genesis that CometBFT has must be the one that this state was made from.
    fn check_genesis(&self, request: &RequestInitChain) {
        let text = String::from_utf8_lossy(&request.app_state_bytes);
        let time = millis(request.time.as_ref());
        let given = ballast_genesis::from_json(&text)
            .and_then(|genesis| ballast_genesis::validate(&genesis, &request.chain_id, time))
            .unwrap_or_else(|error| panic!("InitChain: {error}"));
        assert!(
            given.spec() == &*self.inner.spec,
            "InitChain: the genesis of chain {:?} is not the one that this node was started with",
            request.chain_id,
        );
        assert!(
            self.snapshot().height() == 0,
            "InitChain of a chain that has blocks already"
        );
    }
}

impl Application for Exchange {
    /// After a start the height is 0 until CometBFT has replayed its blocks.
    fn info(&self, _: RequestInfo) -> ResponseInfo {
        let state = self.snapshot();
        let height = state.height();
        ResponseInfo {
            data: "ballast".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            app_version: 1,
            last_block_height: signed(height),
            last_block_app_hash: match height {
                0 => Bytes::new(),
                _ => Bytes::copy_from_slice(&state.app_hash()),
            },
        }
    }

    fn init_chain(&self, request: RequestInitChain) -> ResponseInitChain {
        self.check_genesis(&request);
        let validators = self.inner.spec.validators.iter().map(|validator| {
            let key = public_key::Sum::Ed25519(validator.consensus_key.to_vec());
            ValidatorUpdate {
                pub_key: Some(PublicKey { sum: Some(key) }),
                power: signed(validator.power),
            }
        });
        ResponseInitChain {
            consensus_params: None,
            validators: validators.collect(),
            app_hash: Bytes::copy_from_slice(&self.snapshot().app_hash()),
        }
    }

    fn query(&self, request: RequestQuery) -> ResponseQuery {
        query::answer(self, &request)
    }

    fn check_tx(&self, request: RequestCheckTx) -> ResponseCheckTx {
        match self.inner.pool.check_tx(&request.tx) {
            Ok(weight) => ResponseCheckTx {
                gas_wanted: signed(weight),
                ..Default::default()
            },
            Err(PoolError { code, message }) => ResponseCheckTx {
                code,
                log: message,
                ..Default::default()
            },
        }
    }

    fn prepare_proposal(&self, request: RequestPrepareProposal) -> ResponsePrepareProposal {
        let limits = &self.inner.spec.limits;
        let room = BlockRoom {
            bytes: u64::try_from(request.max_tx_bytes)
                .unwrap_or(0)
                .min(limits.block_bytes),
            weight: limits.block_weight,
            height: u64::try_from(request.height).unwrap_or(0),
            time: millis(request.time.as_ref()),
        };
        ResponsePrepareProposal {
            txs: self.inner.pool.prepare(request.txs, room),
        }
    }

    fn process_proposal(&self, request: RequestProcessProposal) -> ResponseProcessProposal {
        let Inner {
            spec,
            chain,
            pool,
            metrics,
            judged,
            ..
        } = &*self.inner;
        let status = match process(&request.txs, spec, chain, pool.verified()) {
            Ok(weights) => {
                *judged.lock() = (request.hash, weights);
                ProposalStatus::Accept
            }
            Err(reason) => {
                metrics.proposals_refused.inc();
                tracing::warn!(height = request.height, %reason, "proposal refused");
                ProposalStatus::Reject
            }
        };
        ResponseProcessProposal {
            status: status.into(),
        }
    }

    fn extend_vote(&self, _: RequestExtendVote) -> ResponseExtendVote {
        ResponseExtendVote::default()
    }

    fn verify_vote_extension(
        &self,
        request: RequestVerifyVoteExtension,
    ) -> ResponseVerifyVoteExtension {
        let status = match request.vote_extension.is_empty() {
            true => VerifyStatus::Accept,
            false => VerifyStatus::Reject,
        };
        ResponseVerifyVoteExtension {
            status: status.into(),
        }
    }

    fn finalize_block(&self, request: RequestFinalizeBlock) -> ResponseFinalizeBlock {
        self.execute(&request)
    }

    fn commit(&self) -> ResponseCommit {
        self.commit_candidate();
        ResponseCommit::default()
    }

    fn offer_snapshot(&self, _: RequestOfferSnapshot) -> ResponseOfferSnapshot {
        ResponseOfferSnapshot {
            result: OfferResult::Reject.into(),
        }
    }

    fn apply_snapshot_chunk(&self, _: RequestApplySnapshotChunk) -> ResponseApplySnapshotChunk {
        ResponseApplySnapshotChunk {
            result: ApplyResult::Abort.into(),
            ..Default::default()
        }
    }
}

/// What CometBFT keeps of a transaction: everything here is part of the results hash. `data` is
/// the Borsh of a list of [`TxResult`].
fn tx_result(tx: &[u8], results: &[TxResult], weight: u64) -> ExecTxResult {
    // Vectors of plain data always serialise.
    let borsh = borsh::to_vec(results).unwrap_or_default();
    let (code, data) = match tx.first() {
        // Its transactions have codes of their own, unless it does not decode.
        Some(&TAG_BUNDLE) if is_unpacked(results) => (Code::Ok, borsh),
        // Wallets read the data as the messages' answers, and know of no codes beside this one.
        Some(&TAG_COSMOS) => (first_refusal(results), TxMsgData::of(borsh).encode_to_vec()),
        _ => (
            results
                .first()
                .map_or(Code::Undecodable, |result| result.code),
            borsh,
        ),
    };
    ExecTxResult {
        code: code.number().into(),
        data: data.into(),
        gas_wanted: signed(weight),
        gas_used: signed(weight),
        ..Default::default()
    }
}

fn is_unpacked(results: &[TxResult]) -> bool {
    !matches!(results, [TxResult { hash, .. }] if *hash == Hash::default())
}

fn first_refusal(results: &[TxResult]) -> Code {
    let codes = results.iter().flat_map(|result| {
        std::iter::once(result.code).chain(result.actions.iter().map(|action| action.code))
    });
    codes
        .into_iter()
        .find(|code| *code != Code::Ok)
        .unwrap_or(Code::Ok)
}

/// `cosmos.base.abci.v1beta1.TxMsgData` with one answer, `/ballast.v1.TxResults`.
#[derive(Clone, PartialEq, Message)]
struct TxMsgData {
    #[prost(message, repeated, tag = "2")]
    msg_responses: Vec<query::Any>,
}

impl TxMsgData {
    fn of(results: Vec<u8>) -> Self {
        let answer = query::Any {
            type_url: "/ballast.v1.TxResults".to_owned(),
            value: results,
        };
        Self {
            msg_responses: vec![answer],
        }
    }
}

/// Milliseconds since the epoch, rounded down.
pub(crate) fn millis(time: Option<&Timestamp>) -> TimeMs {
    let Some(time) = time else { return 0 };
    let seconds = u64::try_from(time.seconds).unwrap_or(0);
    let nanos = u64::try_from(time.nanos).unwrap_or(0);
    seconds
        .saturating_mul(1_000)
        .saturating_add(nanos / 1_000_000)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
