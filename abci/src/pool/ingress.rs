//! From bytes to a waiting transaction: decoding, cheap checks, signatures in batches.

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ballast_types::{
    BUNDLE_WEIGHT, ChainSpec, Code, Decoded, KeyId, Scheme, TAG_BUNDLE, TimeMs, Tx, TxHash, decode,
    decode_bundle, tx_hash, tx_weight, verify_batch, verify_ingress,
};
use bytes::Bytes;
use crossbeam_channel::Receiver;

use super::Shared;
use super::config::{BUSY, Mode, PoolError};
use super::quota::{Origin, SHARED};
use super::store::{Entry, Source, Store};

/// Signatures that are checked together at most.
const BATCH: usize = 256;

/// Gets the answer to a submission.
pub(crate) type Done = Box<dyn FnOnce(Result<TxHash, PoolError>) + Send>;

/// What waits for a worker.
pub(crate) enum Incoming {
    /// Decoded, from the gateway.
    Job(Job),
    /// Bytes of a peer that claim an origin.
    Peer(Bytes, Origin),
}

/// Something that came in: one transaction or a bundle.
pub(crate) struct Job {
    /// Hash of the whole.
    hash: TxHash,
    /// The whole, when it has to stay as it came.
    whole: Option<Bytes>,
    good: Vec<Candidate>,
    /// Why the first bad one is.
    refused: Option<PoolError>,
    source: Source,
    origin: Option<Origin>,
    /// What a relay passes on.
    relayed: Option<Bytes>,
    done: Option<Done>,
}

pub(crate) struct Candidate {
    bytes: Bytes,
    tx: Box<Tx>,
    weight: u64,
}

impl Job {
    pub(crate) fn weight(&self) -> u64 {
        self.good.iter().map(|candidate| candidate.weight).sum()
    }

    /// Hands it to a worker, which calls `done`.
    pub(crate) fn queue(mut self, shared: &Shared, done: Done) {
        if self.good.is_empty() {
            return done(Err(self
                .refused
                .unwrap_or_else(|| Code::Undecodable.into())));
        }
        self.done = Some(done);
        if let Err(error) = shared.jobs.try_send(Incoming::Job(self))
            && let Incoming::Job(Job {
                done: Some(done), ..
            }) = error.into_inner()
        {
            done(Err(PoolError::new(BUSY)));
        }
    }
}

/// A worker: takes what waits, as much as fits a batch, until the pool is dropped.
pub(crate) fn work(shared: &Weak<Shared>, incoming: &Receiver<Incoming>) {
    while let Ok(first) = incoming.recv() {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let shared = &*shared;
        let mut jobs = Vec::new();
        let mut signatures = 0;
        let mut next = Some(first);
        while let Some(one) = next {
            if let Some(job) = open(shared, one) {
                signatures += job.good.len();
                jobs.push(job);
            }
            next = if signatures < BATCH {
                incoming.try_recv().ok()
            } else {
                None
            };
        }
        settle(shared, jobs);
    }
}

fn open(shared: &Shared, incoming: Incoming) -> Option<Job> {
    let (bytes, claimed) = match incoming {
        Incoming::Job(job) => return Some(job),
        Incoming::Peer(bytes, claimed) => (bytes, claimed),
    };
    let now = Instant::now();
    let len = bytes.len() as u64;
    shared.unchecked.fetch_sub(bytes.len(), Ordering::Relaxed);
    shared.quotas.release(claimed, len, now);
    let origin = if claimed != SHARED && signed_by_origin(shared, &bytes) {
        claimed
    } else {
        SHARED
    };
    if !shared.quotas.pay(origin, len, now) {
        return None;
    }
    if bytes.first() == Some(&TAG_BUNDLE) {
        shared.metrics.bundles_seen.inc();
    }
    let mut job = read(shared, &bytes, Source::Peer, Some(origin));
    job.relayed = shared.config.relay.then_some(bytes);
    // What a validator's gateway bundled may be bundled anew; what a client did may not.
    if origin != SHARED {
        job.whole = None;
    }
    Some(job)
}

fn signed_by_origin(shared: &Shared, bytes: &[u8]) -> bool {
    !shared.config.verify
        || decode_bundle(bytes).is_ok_and(|bundle| {
            verify_ingress(
                &shared.chain,
                &bundle.origin,
                bundle.body,
                &bundle.signature,
            )
        })
}

/// Decodes what came in and drops what is bad without a look at signatures.
pub(crate) fn read(shared: &Shared, bytes: &Bytes, source: Source, origin: Option<Origin>) -> Job {
    let mut job = Job {
        hash: [0; 32],
        whole: None,
        good: Vec::new(),
        refused: None,
        source,
        origin,
        relayed: None,
        done: None,
    };
    if bytes.len() as u64 > shared.spec.limits.tx_bytes {
        job.hash = tx_hash(bytes);
        job.refuse(shared, bytes.len(), Code::TooLarge);
        return job;
    }
    match decode(bytes, &shared.spec, &shared.chain) {
        Ok(Decoded::Tx(tx)) => {
            job.hash = tx.hash;
            // Copied, so that it does not hold the whole message of which it is a part.
            job.add(shared, Bytes::copy_from_slice(bytes), tx);
            job.whole = (source != Source::Gateway).then(|| bytes.clone());
        }
        Ok(Decoded::Bundle(bundle)) => {
            job.hash = tx_hash(bytes);
            for inner in bundle.txs {
                match decode(inner, &shared.spec, &shared.chain) {
                    Ok(Decoded::Tx(tx)) => job.add(shared, Bytes::copy_from_slice(inner), tx),
                    Ok(Decoded::Bundle(_)) => job.refuse(shared, inner.len(), Code::Undecodable),
                    Err(code) => job.refuse(shared, inner.len(), code),
                }
            }
            if source != Source::Gateway && job.refused.is_none() {
                job.whole = Some(Bytes::copy_from_slice(bytes));
            }
        }
        Err(code) => {
            job.hash = tx_hash(bytes);
            job.refuse(shared, bytes.len(), code);
        }
    }
    job
}

impl Job {
    fn add(&mut self, shared: &Shared, bytes: Bytes, tx: Box<Tx>) {
        match check(shared, &tx) {
            Ok(()) => {
                let weight = tx_weight(&tx, &shared.spec);
                self.good.push(Candidate { bytes, tx, weight });
            }
            Err(code) => self.refuse(shared, bytes.len(), code),
        }
    }

    fn refuse(&mut self, shared: &Shared, len: usize, code: Code) {
        // Only what the bytes prove costs the origin: the rest depends on how far a node is.
        let proven = code.number() < Code::Duplicate.number();
        if let Some(origin) = self.origin
            && proven
        {
            shared.quotas.penalise(origin, len as u64, Instant::now());
        }
        self.refused.get_or_insert_with(|| code.into());
    }
}

/// Refuses what the next blocks would refuse, by the last committed state. The state may be behind
/// that of others, so the upper bounds are those of the wall clock.
fn check(shared: &Shared, tx: &Tx) -> Result<(), Code> {
    if tx.chain != shared.chain {
        return Err(Code::WrongChain);
    }
    if !shared.config.verify {
        return Ok(());
    }
    let limits = &shared.spec.limits;
    let clock = *shared.clock.lock();
    if tx.expiry <= clock.time {
        return Err(Code::Expired);
    }
    if tx.nonce != 0 || tx.scheme == Scheme::Native {
        let latest = clock
            .time
            .max(wall_clock())
            .saturating_add(limits.nonce_future_ms);
        if tx.nonce < clock.time.saturating_sub(limits.nonce_past_ms) || tx.nonce > latest {
            return Err(Code::NonceWindow);
        }
    }
    let ledger = shared.ledger();
    if !ledger.exists(&tx.account) {
        return Err(Code::UnknownAccount);
    }
    let owner = tx.key_id == tx.account.master;
    let Scheme::Cosmos {
        sequence,
        timeout_height,
    } = tx.scheme
    else {
        let agent = |(key, expiry): &(KeyId, TimeMs)| *key == tx.key_id && clock.time < *expiry;
        let allowed = owner
            || ledger
                .master(&tx.account.master)
                .is_some_and(|view| view.agents.iter().any(agent));
        return if allowed {
            Ok(())
        } else {
            Err(Code::KeyNotAllowed)
        };
    };
    if !owner {
        return Err(Code::KeyNotAllowed);
    }
    if timeout_height > 0 && clock.height >= timeout_height {
        return Err(Code::Expired);
    }
    if ledger
        .master(&tx.account.master)
        .is_some_and(|view| sequence < view.sequence)
    {
        return Err(Code::BadSequence);
    }
    Ok(())
}

/// Whether a block of `time` can use the transaction.
pub(crate) fn within(tx: &Tx, spec: &ChainSpec, time: TimeMs) -> bool {
    let limits = &spec.limits;
    let nonce = tx.nonce;
    let stamped = nonce != 0 || tx.scheme == Scheme::Native;
    time < tx.expiry
        && (!stamped
            || (nonce >= time.saturating_sub(limits.nonce_past_ms)
                && nonce <= time.saturating_add(limits.nonce_future_ms)))
}

/// Milliseconds since the epoch.
pub(crate) fn wall_clock() -> TimeMs {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Checks signatures of several jobs together, adds what is good to the pool, and answers.
pub(crate) fn settle(shared: &Shared, mut jobs: Vec<Job>) -> Vec<Result<TxHash, PoolError>> {
    verify(shared, &mut jobs);
    let clock = *shared.clock.lock();
    let mut answers = Vec::with_capacity(jobs.len());
    let mut calls = Vec::new();
    let mut store = shared.store.lock();
    for mut job in jobs {
        let done = job.done.take();
        let answer = insert(shared, &mut store, job, clock.height, clock.time);
        match done {
            Some(done) => calls.push((done, answer)),
            None => answers.push(answer),
        }
    }
    shared.show_size(&store);
    drop(store);
    for (done, answer) in calls {
        done(answer);
    }
    answers
}

fn verify(shared: &Shared, jobs: &mut [Job]) {
    if !shared.config.verify {
        return;
    }
    let mut checks = Vec::new();
    for candidate in jobs.iter().flat_map(|job| &job.good) {
        let tx = &candidate.tx;
        if !shared.verified.contains(&tx.hash) {
            checks.push((
                &tx.key,
                &tx.sign_hash,
                &tx.signature,
                tx.hash,
                candidate.weight,
            ));
        } else {
            shared
                .metrics
                .signatures
                .with_label_values(&["cached"])
                .inc();
        }
    }
    let how = if checks.len() > 1 {
        "batched"
    } else {
        "single"
    };
    shared
        .metrics
        .signatures
        .with_label_values(&[how])
        .inc_by(checks.len() as u64);
    let good = verify_batch(
        &checks
            .iter()
            .map(|(key, hash, signature, ..)| (*key, *hash, *signature))
            .collect::<Vec<_>>(),
    );
    for ((.., hash, weight), good) in checks.into_iter().zip(good) {
        if good {
            shared.verified.insert(hash, weight);
        }
    }
    for job in jobs {
        let all = std::mem::take(&mut job.good);
        for candidate in all {
            if shared.verified.contains(&candidate.tx.hash) {
                job.good.push(candidate);
            } else {
                job.whole = None;
                job.refuse(shared, candidate.bytes.len(), Code::BadSignature);
            }
        }
    }
}

fn insert(
    shared: &Shared,
    store: &mut Store,
    job: Job,
    height: u64,
    time: TimeMs,
) -> Result<TxHash, PoolError> {
    if job.good.is_empty() {
        return Err(job.refused.unwrap_or_else(|| Code::Undecodable.into()));
    }
    // With flood the transactions of others, and those of RPC clients, wait in CometBFT.
    if shared.config.mode == Mode::Flood && job.source != Source::Gateway {
        return Ok(job.hash);
    }
    let send = job.source != Source::Peer;
    let bundle = |bytes: &Bytes| bytes.first() == Some(&TAG_BUNDLE);
    let alone = job.whole.as_ref().is_some_and(|bytes| !bundle(bytes));
    let known = |hash: &TxHash| shared.committed.contains(hash) || store.contains(hash);
    let all_new = job.good.iter().all(|candidate| !known(&candidate.tx.hash));
    let whole = job.whole.clone().filter(|bytes| all_new && bundle(bytes));
    let relayed = job.relayed.clone();
    let hash = job.hash;
    let entries: Vec<Entry> = if let Some(bytes) = whole {
        unit(&job, bytes, shared, time).into_iter().collect()
    } else {
        let entry = |candidate: Candidate| {
            let Candidate { bytes, tx, weight } = candidate;
            let entry = Entry::new(bytes, &tx, weight, &shared.spec, time);
            Entry {
                alone: entry.alone || alone,
                source: job.source,
                ..entry
            }
        };
        job.good.into_iter().map(entry).collect()
    };
    let mut refused = None;
    let mut taken = 0;
    let mut added = false;
    for entry in entries {
        if shared.committed.contains(&entry.hash) {
            taken += 1;
        } else if store.contains(&entry.hash) {
            taken += 1;
            if entry.alone {
                store.keep_alone(&entry.hash);
            }
        } else {
            match store.insert(entry, send, height, &shared.config) {
                Ok(()) => {
                    taken += 1;
                    added = true;
                }
                Err(code) => refused = Some(PoolError::new(code)),
            }
        }
    }
    if let Some(bytes) = relayed
        && added
    {
        store.relay(bytes);
    }
    match refused {
        Some(error) if taken == 0 => Err(error),
        _ => Ok(hash),
    }
}

/// A bundle that has to stay as it came, as one entry. It takes its first transaction's share.
fn unit(job: &Job, bytes: Bytes, shared: &Shared, time: TimeMs) -> Option<Entry> {
    let first = job.good.first()?;
    let mut unit = Entry::new(bytes, &first.tx, 0, &shared.spec, time);
    for candidate in &job.good {
        let entry = Entry::new(Bytes::new(), &candidate.tx, 0, &shared.spec, time);
        unit.from = unit.from.max(entry.from);
        unit.until = unit.until.min(entry.until);
        unit.unit.push(entry.hash);
    }
    Some(Entry {
        hash: job.hash,
        weight: BUNDLE_WEIGHT.saturating_add(job.weight()),
        cancels: None,
        alone: true,
        source: job.source,
        ..unit
    })
}
