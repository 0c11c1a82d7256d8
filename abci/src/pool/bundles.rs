//! Putting transactions together: for the peers, and for a block.

use std::sync::atomic::{AtomicU64, Ordering};

use ballast_types::{BUNDLE_WEIGHT, Hash, MAX_BUNDLE_TXS, Secret, decode_bundle, encode_bundle};
use bytes::Bytes;

use super::Shared;
use super::store::Entry;
use crate::noop::block_bytes;

/// Bytes of a bundle beside its transactions.
const HEADER: usize = 1 + 64 + 32 + 8 + 4;
/// Bytes in front of each.
const LENGTH: usize = 4;

/// Signs the bundles of a node. No two have the same bytes.
pub(crate) struct Maker {
    ingress: Secret,
    chain: Hash,
    stamp: AtomicU64,
}

impl Maker {
    /// `now` is the wall clock in ms: stamps also differ from those before a restart.
    pub(crate) fn new(ingress: Secret, chain: Hash, now: u64) -> Self {
        Self {
            ingress,
            chain,
            stamp: AtomicU64::new(now),
        }
    }

    fn make(&self, txs: &[Bytes]) -> Bytes {
        let stamp = self.stamp.fetch_add(1, Ordering::Relaxed);
        encode_bundle(txs, stamp, &self.chain, &self.ingress).into()
    }
}

/// Fills CometBFT transactions under limits of bytes and weight. Bundles are only signed at the
/// end.
pub(crate) struct Packer {
    /// Largest CometBFT transaction.
    tx_bytes: usize,
    /// Largest bundle that is made here.
    bundle_bytes: usize,
    /// Bytes left, without the open bundle.
    bytes: u64,
    weight: u64,
    done: Vec<Packed>,
    open: Vec<Bytes>,
    open_len: usize,
}

enum Packed {
    Whole(Bytes),
    Bundle(Vec<Bytes>),
}

impl Packer {
    pub(crate) fn new(tx_bytes: usize, bundle_bytes: usize, bytes: u64, weight: u64) -> Self {
        Self {
            tx_bytes,
            bundle_bytes: bundle_bytes.min(tx_bytes),
            bytes,
            weight,
            done: Vec::new(),
            open: Vec::new(),
            open_len: HEADER,
        }
    }

    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }

    /// Adds an entry; false when there is no room for it.
    pub(crate) fn add(&mut self, entry: &Entry) -> bool {
        let len = entry.bytes.len();
        if !entry.bundled() || HEADER + LENGTH + len > self.bundle_bytes {
            return self.add_whole(entry.bytes.clone(), entry.weight);
        }
        let fits_open = !self.open.is_empty()
            && self.open.len() < MAX_BUNDLE_TXS
            && self.open_len + LENGTH + len <= self.bundle_bytes;
        let (base, closed, weight) = if fits_open {
            (self.open_len, 0, entry.weight)
        } else {
            (
                HEADER,
                self.open_bytes(),
                entry.weight.saturating_add(BUNDLE_WEIGHT),
            )
        };
        let taken = closed.saturating_add(block_bytes(base + LENGTH + len));
        if taken > self.bytes || weight > self.weight {
            return false;
        }
        if !fits_open {
            self.close();
        }
        self.weight -= weight;
        self.open_len = base + LENGTH + len;
        self.open.push(entry.bytes.clone());
        true
    }

    fn add_whole(&mut self, bytes: Bytes, weight: u64) -> bool {
        let taken = block_bytes(bytes.len());
        if bytes.len() > self.tx_bytes
            || weight > self.weight
            || self.open_bytes().saturating_add(taken) > self.bytes
        {
            return false;
        }
        self.weight -= weight;
        self.bytes -= taken;
        self.done.push(Packed::Whole(bytes));
        true
    }

    fn open_bytes(&self) -> u64 {
        if self.open.is_empty() {
            0
        } else {
            block_bytes(self.open_len)
        }
    }

    fn close(&mut self) {
        self.bytes -= self.open_bytes();
        self.open_len = HEADER;
        if !self.open.is_empty() {
            self.done
                .push(Packed::Bundle(std::mem::take(&mut self.open)));
        }
    }

    /// What was added, as CometBFT transactions.
    pub(crate) fn finish(mut self, maker: &Maker) -> Vec<Bytes> {
        self.close();
        self.done
            .into_iter()
            .map(|packed| match packed {
                Packed::Whole(bytes) => bytes,
                Packed::Bundle(txs) => maker.make(&txs),
            })
            .collect()
    }
}

/// What is to be sent to the peers: transactions of the gateway in bundles, those of RPC clients
/// as they are. 0 is no limit.
pub(crate) fn reap(shared: &Shared, max_bytes: u64, max_weight: u64) -> Vec<Bytes> {
    let unlimited = |limit| if limit == 0 { u64::MAX } else { limit };
    let mut packer = Packer::new(
        usize::try_from(shared.spec.limits.tx_bytes).unwrap_or(usize::MAX),
        shared.config.bundle_bytes,
        unlimited(max_bytes),
        unlimited(max_weight),
    );
    let mut store = shared.store.lock();
    // They count nothing of the weight, which nobody here has to bear.
    while let Some(bytes) = store.first_relay().cloned()
        && packer.add_whole(bytes, 0)
    {
        store.pop_relay();
    }
    while let Some((entry, again)) = store.first_out() {
        let added = if again {
            add_again(&mut packer, entry)
        } else {
            packer.add(entry)
        };
        if !added {
            break;
        }
        store.pop_out();
    }
    drop(store);
    let txs = packer.finish(&shared.maker);
    let bundles = txs
        .iter()
        .filter(|tx| tx.first() == Some(&ballast_types::TAG_BUNDLE))
        .count();
    shared.metrics.bundles_made.inc_by(bundles as u64);
    txs
}

/// Adds what was sent before in a form that CometBFT has not seen.
fn add_again(packer: &mut Packer, entry: &Entry) -> bool {
    let mut txs = vec![entry.bytes.clone()];
    if !entry.unit.is_empty() {
        let bundle = decode_bundle(&entry.bytes);
        let inner = bundle.map(|bundle| bundle.txs).unwrap_or_default();
        txs = inner
            .into_iter()
            .map(|tx| entry.bytes.slice_ref(tx))
            .collect();
    }
    let len = txs.iter().map(|tx| LENGTH + tx.len()).sum::<usize>() + HEADER;
    let weight = entry.weight.saturating_add(BUNDLE_WEIGHT);
    let taken = packer.open_bytes().saturating_add(block_bytes(len));
    if taken > packer.bytes || weight > packer.weight {
        return false;
    }
    let fits_open = packer.open_len + len - HEADER <= packer.bundle_bytes
        && packer.open.len() + txs.len() <= MAX_BUNDLE_TXS;
    if !fits_open {
        packer.close();
    }
    packer.weight -= weight;
    packer.open_len += len - HEADER;
    packer.open.extend(txs);
    true
}
