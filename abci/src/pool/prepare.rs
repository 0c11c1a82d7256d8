//! Filling a block: live cancels first, then shares of the weight by equity, then age.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};
use std::iter::Peekable;

use ballast_types::{AccountId, Decoded, TimeMs, TxHash, decode, decode_bundle, tx_hash};
use bytes::Bytes;

use super::Shared;
use super::bundles::Packer;
use super::ingress::within;
use super::ledger::Ledger;
use super::store::{Entry, Id, Queue, Store};
use crate::noop::block_bytes;

/// Part of a block's weight that cancels have at most while others wait.
const CANCEL_PART: u64 = 4;
/// Entries without room that are passed over before the block counts as full.
const MAX_MISSES: usize = 64;
/// Parts of the weight that go by equity and that all masters share alike, in millionths.
const BY_EQUITY: u128 = 750_000;
const ALIKE: u128 = 250_000;

/// Limits of a block, as CometBFT gives them, and its place in the chain.
#[derive(Clone, Copy, Debug)]
pub struct BlockRoom {
    /// Bytes of transactions, counted as CometBFT does.
    pub bytes: u64,
    /// Weight.
    pub weight: u64,
    /// Height of the block.
    pub height: u64,
    /// Its time in ms.
    pub time: TimeMs,
}

/// The transactions of a block, from what waits here.
pub(crate) fn from_pool(shared: &Shared, room: BlockRoom) -> Vec<Bytes> {
    let ledger = shared.ledger();
    let tx_bytes = usize::try_from(shared.spec.limits.tx_bytes).unwrap_or(usize::MAX);
    let mut store = shared.store.lock();
    let scarce = store.weight.saturating_add(store.weight / 8) > room.weight
        || (store.bytes as u64).saturating_mul(2) > room.bytes;
    let mut fill = Fill {
        store: &store,
        ledger: &*ledger,
        room,
        scarce,
        packer: Packer::new(tx_bytes, tx_bytes, room.bytes, room.weight),
        taken: HashSet::new(),
        inside: HashSet::new(),
        sequences: HashMap::new(),
        over_budget: HashSet::new(),
        stale: Vec::new(),
    };
    fill.cancels();
    fill.shares(u64::MAX, |queue| &queue.all);
    let Fill { packer, stale, .. } = fill;
    for hash in stale {
        store.remove(&hash);
    }
    drop(store);
    packer.finish(&shared.maker)
}

struct Fill<'a> {
    store: &'a Store,
    ledger: &'a dyn Ledger,
    room: BlockRoom,
    /// Not everything that waits fits.
    scarce: bool,
    packer: Packer,
    taken: HashSet<Id>,
    /// Hashes of the transactions in the block, those in bundles that stay as they came too.
    inside: HashSet<TxHash>,
    /// Next sequence of each master.
    sequences: HashMap<AccountId, u64>,
    /// Cancels that wait for their master's tokens.
    over_budget: HashSet<Id>,
    /// What can never be used.
    stale: Vec<TxHash>,
}

/// A master whose turn comes when it has had less of its share than the others.
struct Turn<'a> {
    ids: Peekable<std::collections::btree_set::Iter<'a, Id>>,
    share: u128,
    served: u64,
}

impl<'a> Fill<'a> {
    fn cancels(&mut self) {
        let mut some = BTreeSet::new();
        for (master, queue) in &self.store.masters {
            if !queue.cancels.is_empty() {
                some.insert(*master);
                self.budget(master, queue);
            }
        }
        if some.is_empty() {
            return;
        }
        let all = self
            .store
            .masters
            .values()
            .all(|queue| queue.cancels.len() == queue.all.len());
        let part = if all {
            self.room.weight
        } else {
            self.room.weight / CANCEL_PART
        };
        self.shares(part, |queue| &queue.cancels);
    }

    /// Holds back cancels beyond the master's tokens, but for the oldest transaction: a cancel is
    /// delayed, never refused.
    fn budget(&mut self, master: &AccountId, queue: &Queue) {
        let mut tokens = self
            .ledger
            .master(master)
            .map_or(u64::MAX, |view| view.cancel_tokens);
        let mut first = true;
        for id in &queue.cancels {
            let cancels = self
                .store
                .entries
                .get(id)
                .and_then(|entry| entry.cancels.as_ref());
            let Some(count) = cancels.map(|cancels| cancels.count) else {
                continue;
            };
            if first || count <= tokens {
                tokens = tokens.saturating_sub(count);
            } else {
                self.over_budget.insert(*id);
            }
            first = false;
        }
    }

    /// Gives each master its share, oldest first, until `weight` is used up or nothing is left.
    fn shares(&mut self, weight: u64, of: impl Fn(&'a Queue) -> &'a BTreeSet<Id>) {
        let masters: Vec<_> = self
            .store
            .masters
            .iter()
            .map(|(master, queue)| (*master, of(queue)))
            .filter(|(_, ids)| !ids.is_empty())
            .collect();
        let equities: Vec<u128> = masters
            .iter()
            .map(|(master, _)| {
                if self.scarce {
                    self.ledger.equity(master) >> 24
                } else {
                    0
                }
            })
            .collect();
        let total = equities
            .iter()
            .fold(1_u128, |sum, equity| sum.saturating_add(*equity));
        let alike = (ALIKE / (masters.len() as u128).max(1)).max(1);
        let mut turns = Vec::with_capacity(masters.len());
        let mut heap = BinaryHeap::with_capacity(masters.len());
        for ((_, ids), equity) in masters.into_iter().zip(equities) {
            let share = (BY_EQUITY * equity.min(u128::MAX >> 20) / total).saturating_add(alike);
            let mut turn = Turn {
                ids: ids.iter().peekable(),
                share,
                served: 0,
            };
            if let Some(key) = self.key(&mut turn) {
                heap.push(Reverse((key, turns.len())));
                turns.push(turn);
            }
        }
        let floor = self.packer.weight().saturating_sub(weight);
        let mut misses = 0;
        while let Some(Reverse((_, at))) = heap.pop() {
            let Some(turn) = turns.get_mut(at) else {
                continue;
            };
            let Some(entry) = turn
                .ids
                .next()
                .and_then(|id| self.store.entries.get_key_value(id))
            else {
                continue;
            };
            let first_pass = weight != u64::MAX;
            if self.usable(entry, first_pass) {
                let over = self.packer.weight().saturating_sub(entry.1.weight) < floor;
                if !over && self.packer.add(entry.1) {
                    self.take(entry);
                    turn.served = turn.served.saturating_add(entry.1.weight);
                } else {
                    misses += 1;
                }
            }
            if misses > MAX_MISSES {
                break;
            }
            if let Some(key) = self.key(turn) {
                heap.push(Reverse((key, at)));
            }
        }
    }

    /// When a master's next transaction would be done if each were served at the rate of its
    /// share, then its age. What has waited for blocks counts less, so that everything comes.
    fn key(&self, turn: &mut Turn<'_>) -> Option<(u128, Id)> {
        let id = **turn.ids.peek()?;
        let entry = self.store.entries.get(&id)?;
        if !self.scarce {
            return Some((0, id));
        }
        let waited = u128::from(self.room.height.saturating_sub(entry.height)).saturating_add(1);
        let served = u128::from(turn.served.saturating_add(entry.weight)) << 32;
        Some((served / turn.share.saturating_mul(waited).max(1), id))
    }

    fn usable(&mut self, (id, entry): (&Id, &Entry), live_cancels: bool) -> bool {
        if self.taken.contains(id)
            || self.over_budget.contains(id)
            || entry.from > self.room.time
            || entry.until <= self.room.time
            || self.inside.contains(&entry.hash)
            || entry.unit.iter().any(|hash| self.inside.contains(hash))
        {
            return false;
        }
        if live_cancels && !self.live(entry) {
            return false;
        }
        let Some(sequence) = entry.sequence else {
            return true;
        };
        let next = self.sequence(&entry.master);
        if sequence < next && !self.sequences.contains_key(&entry.master) {
            self.stale.push(entry.hash);
        }
        sequence == next
    }

    /// A cancel that leaves a floor, or names an order that rests.
    fn live(&self, entry: &Entry) -> bool {
        entry.cancels.as_ref().is_some_and(|cancels| {
            cancels.floors || cancels.orders.iter().any(|order| self.ledger.rests(*order))
        })
    }

    fn sequence(&self, master: &AccountId) -> u64 {
        let known = || self.ledger.master(master).map_or(0, |view| view.sequence);
        self.sequences.get(master).copied().unwrap_or_else(known)
    }

    fn take(&mut self, (id, entry): (&Id, &Entry)) {
        self.taken.insert(*id);
        self.inside.insert(entry.hash);
        self.inside.extend(&entry.unit);
        if let Some(sequence) = entry.sequence {
            self.sequences
                .insert(entry.master, sequence.saturating_add(1));
        }
    }
}

/// The transactions of a block, from what CometBFT offers: cancels alone first, then as they came,
/// without what no block can use or a bundle that brings nothing new.
pub(crate) fn from_offer(shared: &Shared, offer: Vec<Bytes>, room: BlockRoom) -> Vec<Bytes> {
    let mut offer: Vec<Offered> = offer
        .into_iter()
        .filter_map(|tx| offered(shared, tx, room))
        .collect();
    offer.sort_by_key(|offered| !offered.cancels);
    let mut inside = HashSet::new();
    let (mut bytes, mut weight) = (room.bytes, room.weight);
    let mut txs = Vec::new();
    for Offered {
        tx,
        hashes,
        weight: its_weight,
        ..
    } in offer
    {
        let new = |hash: &TxHash| !inside.contains(hash) && !shared.committed.contains(hash);
        if !hashes.iter().any(new) {
            continue;
        }
        let left = (
            bytes.checked_sub(block_bytes(tx.len())),
            weight.checked_sub(its_weight),
        );
        if let (Some(bytes_left), Some(weight_left)) = left {
            (bytes, weight) = (bytes_left, weight_left);
            inside.extend(hashes);
            txs.push(tx);
        }
    }
    txs
}

struct Offered {
    tx: Bytes,
    hashes: Vec<TxHash>,
    weight: u64,
    /// Cancels and nothing else.
    cancels: bool,
}

fn offered(shared: &Shared, tx: Bytes, room: BlockRoom) -> Option<Offered> {
    let (spec, chain) = (&shared.spec, &shared.chain);
    if tx.len() as u64 > spec.limits.tx_bytes {
        return None;
    }
    let weight = shared.weight(&tx).ok()?;
    let usable = |bytes: &[u8]| match decode(bytes, spec, chain) {
        Ok(Decoded::Tx(tx)) if tx.chain == *chain && within(&tx, spec, room.time) => Some(tx),
        _ => None,
    };
    if let Ok(bundle) = decode_bundle(&tx) {
        let hashes: Vec<_> = bundle
            .txs
            .iter()
            .filter(|tx| usable(tx).is_some())
            .map(|tx| tx_hash(tx))
            .collect();
        return Some(Offered {
            tx,
            hashes,
            weight,
            cancels: false,
        });
    }
    let decoded = usable(&tx)?;
    let cancels = decoded
        .actions
        .iter()
        .all(|it| matches!(it, ballast_types::Action::Cancel(_)));
    Some(Offered {
        tx,
        hashes: vec![decoded.hash],
        weight,
        cancels,
    })
}
