//! The transactions that wait, and the indexes that find them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use ballast_types::{AccountId, Action, Cancel, ChainSpec, OrderId, Scheme, TimeMs, Tx, TxHash};
use bytes::Bytes;

use super::config::{MASTER_FULL, POOL_FULL, PoolConfig};

/// Number of a waiting transaction: its place in the order of arrival.
pub(crate) type Id = u64;

/// Bundles that wait as they came.
const MAX_UNITS: usize = 1_000;

/// Messages of peers that wait to be passed on.
const MAX_RELAYS: usize = 4_096;

/// How a transaction came to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The gateway.
    Gateway,
    /// An RPC client, by CheckTx.
    Rpc,
    /// A peer, by InsertTx.
    Peer,
}

/// Something that waits: a transaction, or a bundle that has to stay as it came.
pub(crate) struct Entry {
    /// Hash of `bytes`.
    pub(crate) hash: TxHash,
    pub(crate) bytes: Bytes,
    pub(crate) weight: u64,
    /// Whose share of a block it takes.
    pub(crate) master: AccountId,
    /// Earliest nonce of a native transaction's window, in ms of block time. 0 for others.
    pub(crate) from: TimeMs,
    /// Block time in ms from which no block can do anything with it.
    pub(crate) until: TimeMs,
    /// Sequence of a Cosmos transaction.
    pub(crate) sequence: Option<u64>,
    /// What a transaction of cancels alone names.
    pub(crate) cancels: Option<Cancels>,
    /// Travels alone and unchanged.
    pub(crate) alone: bool,
    /// Hashes inside, when it is a bundle.
    pub(crate) unit: Vec<TxHash>,
    pub(crate) source: Source,
    /// When this node saw it first.
    pub(crate) seen: Instant,
    /// Height at which it came.
    pub(crate) height: u64,
    /// Blocks until it is sent again.
    pub(crate) patience: u64,
}

/// What a transaction of cancels alone names.
pub(crate) struct Cancels {
    /// How many cancels it holds.
    pub(crate) count: u64,
    /// It leaves a floor.
    pub(crate) floors: bool,
    /// Orders by their ids.
    pub(crate) orders: Vec<OrderId>,
}

impl Entry {
    /// A decoded transaction. `now` is block time.
    pub(crate) fn new(bytes: Bytes, tx: &Tx, weight: u64, spec: &ChainSpec, now: TimeMs) -> Self {
        let limits = &spec.limits;
        let native = tx.scheme == Scheme::Native;
        // A bank transfer has no nonce; it waits as long as one of now would.
        let nonce = if native || tx.nonce != 0 {
            tx.nonce
        } else {
            now
        };
        let dead = nonce.saturating_add(limits.nonce_past_ms).saturating_add(1);
        Self {
            hash: tx.hash,
            bytes,
            weight,
            master: tx.account.master,
            from: tx.nonce.saturating_sub(limits.nonce_future_ms),
            until: tx.expiry.min(dead),
            sequence: match tx.scheme {
                Scheme::Native => None,
                Scheme::Cosmos { sequence, .. } => Some(sequence),
            },
            cancels: cancels(&tx.actions),
            alone: !native,
            unit: Vec::new(),
            source: Source::Peer,
            seen: Instant::now(),
            height: 0,
            patience: 0,
        }
    }

    /// True for what this node has to bring to the chain.
    pub(crate) fn local(&self) -> bool {
        self.source != Source::Peer
    }

    /// A transaction that may be put into a bundle.
    pub(crate) fn bundled(&self) -> bool {
        !self.alone && self.sequence.is_none() && self.unit.is_empty()
    }

    fn len(&self) -> usize {
        self.bytes.len()
    }
}

fn cancels(actions: &[Action]) -> Option<Cancels> {
    let mut cancels = Cancels {
        count: 0,
        floors: false,
        orders: Vec::new(),
    };
    for action in actions {
        let Action::Cancel(cancel) = action else {
            return None;
        };
        cancels.count += 1;
        match cancel {
            Cancel::Order(order) => cancels.orders.push(*order),
            _ => cancels.floors = true,
        }
    }
    Some(cancels)
}

/// What waits for one master, by arrival.
#[derive(Default)]
pub(crate) struct Queue {
    bytes: usize,
    pub(crate) all: BTreeSet<Id>,
    /// Those of `all` that are cancels alone.
    pub(crate) cancels: BTreeSet<Id>,
}

/// What is to be sent: the first time, or again.
#[derive(Clone, Copy)]
struct Out {
    id: Id,
    again: bool,
}

/// Everything that waits. Bounded in bytes, in bytes of each master, and in number.
#[derive(Default)]
pub(crate) struct Store {
    next: Id,
    pub(crate) entries: BTreeMap<Id, Entry>,
    by_hash: HashMap<TxHash, Id>,
    pub(crate) masters: BTreeMap<AccountId, Queue>,
    units: BTreeSet<Id>,
    deadlines: BTreeSet<(TimeMs, Id)>,
    resends: BTreeSet<(u64, Id)>,
    /// What is to be sent to the peers, oldest first.
    outbox: VecDeque<Out>,
    /// What peers sent and others are to have as it came, the origin's signature included.
    relays: VecDeque<Bytes>,
    pub(crate) bytes: usize,
    pub(crate) weight: u64,
}

impl Store {
    pub(crate) fn contains(&self, hash: &TxHash) -> bool {
        self.by_hash.contains_key(hash)
    }

    /// Something that waits and that a client has also sent alone has to stay as it is.
    pub(crate) fn keep_alone(&mut self, hash: &TxHash) {
        if let Some(entry) = self
            .by_hash
            .get(hash)
            .and_then(|id| self.entries.get_mut(id))
        {
            entry.alone = true;
        }
    }

    /// Adds something that is not there yet, and puts it into the outbox when `send`. Fails with a
    /// code when there is no room.
    pub(crate) fn insert(
        &mut self,
        mut entry: Entry,
        send: bool,
        height: u64,
        config: &PoolConfig,
    ) -> Result<(), u32> {
        let len = entry.len();
        let full = self.bytes.saturating_add(len) > config.max_bytes
            || self.entries.len() >= config.max_txs
            || (!entry.unit.is_empty() && self.units.len() >= MAX_UNITS);
        if full {
            return Err(POOL_FULL);
        }
        let queue = self.masters.entry(entry.master).or_default();
        if queue.bytes.saturating_add(len) > config.max_master_bytes {
            if queue.all.is_empty() {
                self.masters.remove(&entry.master);
            }
            return Err(MASTER_FULL);
        }
        let id = self.next;
        self.next += 1;
        queue.bytes += len;
        queue.all.insert(id);
        if entry.cancels.is_some() {
            queue.cancels.insert(id);
        }
        if !entry.unit.is_empty() {
            self.units.insert(id);
        }
        self.bytes += len;
        self.weight = self.weight.saturating_add(entry.weight);
        self.by_hash.insert(entry.hash, id);
        self.deadlines.insert((entry.until, id));
        if send {
            self.outbox.push_back(Out { id, again: false });
        }
        entry.height = height;
        if entry.local() && entry.sequence.is_none() {
            entry.patience = config.resend_blocks.max(1);
            self.resends
                .insert((height.saturating_add(entry.patience), id));
        }
        self.entries.insert(id, entry);
        Ok(())
    }

    pub(crate) fn remove(&mut self, hash: &TxHash) -> Option<Entry> {
        let id = self.by_hash.remove(hash)?;
        let entry = self.entries.remove(&id)?;
        self.bytes -= entry.len();
        self.weight = self.weight.saturating_sub(entry.weight);
        self.deadlines.remove(&(entry.until, id));
        self.units.remove(&id);
        if let Some(queue) = self.masters.get_mut(&entry.master) {
            queue.bytes -= entry.len();
            queue.all.remove(&id);
            queue.cancels.remove(&id);
            if queue.all.is_empty() {
                self.masters.remove(&entry.master);
            }
        }
        Some(entry)
    }

    /// Removes what no block from `time` on can use.
    pub(crate) fn expire(&mut self, time: TimeMs) {
        while let Some(&(until, id)) = self.deadlines.first()
            && until <= time
        {
            let hash = self.entries.get(&id).map(|entry| entry.hash);
            if hash.and_then(|hash| self.remove(&hash)).is_none() {
                self.deadlines.pop_first();
            }
        }
    }

    /// Puts what is due into the outbox again, at most `room` bytes, and returns how many. A client's
    /// bytes cannot travel twice, as CometBFT drops what it has seen: the second time they go in a
    /// bundle.
    pub(crate) fn resend(&mut self, height: u64, mut room: usize) -> u64 {
        let mut sent = 0;
        while let Some(&(due, id)) = self.resends.first()
            && due <= height
        {
            if let Some(entry) = self.entries.get_mut(&id) {
                let Some(left) = room.checked_sub(entry.len()) else {
                    break;
                };
                room = left;
                entry.patience = entry.patience.saturating_mul(2);
                self.resends
                    .insert((height.saturating_add(entry.patience), id));
                self.outbox.push_back(Out { id, again: true });
                sent += 1;
            }
            self.resends.remove(&(due, id));
        }
        sent
    }

    /// The oldest of the outbox that still waits, and whether it was sent before.
    pub(crate) fn first_out(&mut self) -> Option<(&Entry, bool)> {
        while let Some(out) = self.outbox.front() {
            if self.entries.contains_key(&out.id) {
                break;
            }
            self.outbox.pop_front();
        }
        let out = self.outbox.front()?;
        Some((self.entries.get(&out.id)?, out.again))
    }

    pub(crate) fn pop_out(&mut self) {
        self.outbox.pop_front();
    }

    /// Passes on what a peer sent. While too much waits, it is left to its origin to send it again.
    pub(crate) fn relay(&mut self, bytes: Bytes) {
        if self.relays.len() < MAX_RELAYS {
            self.relays.push_back(bytes);
        }
    }

    pub(crate) fn first_relay(&self) -> Option<&Bytes> {
        self.relays.front()
    }

    pub(crate) fn pop_relay(&mut self) {
        self.relays.pop_front();
    }

    /// Bundles that have to stay as they came.
    pub(crate) fn units(&self) -> impl Iterator<Item = &Entry> {
        self.units.iter().filter_map(|id| self.entries.get(id))
    }
}
