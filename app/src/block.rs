//! A block: from transactions to a candidate state, through the passes.

use crate::groups::GroupShard;
use crate::pages::Hash;
use crate::passes::admit::{Admitted, admit};
use crate::passes::authorise::{Authorised, Change, authorise, group_of};
use crate::passes::cancel::{Cancelled, Work, cancel};
use crate::passes::close::{Violations, close};
use crate::passes::matching::{Matched, match_group};
use crate::passes::settle::{Settlement, settle};
use crate::passes::unpack::{Unit, Unpacked, unpack};
use crate::passes::{Entry, Env, Output, Release, ResultAt, credit, open, sweep, triggers};
use crate::snapshot::Snapshot;
use crate::state::State;
use ballast_types::{
    ActionResult, Atoms, BlockEvents, Cancel, Code, Event, GroupId, PartResult, TimeMs, TxHash,
    TxResult,
};
use bytes::Bytes;
use rayon::prelude::*;
use std::sync::Arc;

/// What consensus decided.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Height.
    pub height: u64,
    /// Block time in ms.
    pub time: TimeMs,
    /// CometBFT transactions.
    pub txs: &'a [Bytes],
}

/// An executed block that is not committed yet.
#[derive(Debug)]
pub struct Candidate {
    /// Hash of the state after it.
    pub app_hash: Hash,
    /// Results and events.
    pub events: BlockEvents,
    /// Counts.
    pub stats: Stats,
    snapshot: Snapshot,
}

/// What a block did, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions, bundles unpacked.
    pub txs: u64,
    /// Orders and new parts of amended ones that reached matching.
    pub orders: u64,
    /// Trades.
    pub fills: u64,
    /// Pages that the block wrote.
    pub pages: u64,
    /// What must not happen.
    pub violations: Violations,
}

/// Parts of a block, as an observer sees them begin.
pub const PASSES: [&str; 8] = [
    "unpack",
    "open",
    "authorise",
    "cancel",
    "admit",
    "match",
    "settle",
    "close",
];

/// Called with the name of each part of [`PASSES`] when it begins, then with `"hash"`, `"end"`.
pub type Observer<'a> = &'a mut dyn FnMut(&'static str);

impl State {
    /// Executes a block. `verified` tells which transactions' signatures are known to be good.
    /// Afterwards either [`State::commit`] or [`State::discard`] the candidate.
    pub fn execute(
        &mut self,
        block: &Block<'_>,
        verified: &(dyn Fn(&TxHash) -> bool + Sync),
    ) -> Candidate {
        self.execute_observed(block, verified, &mut |_| {})
    }

    /// As [`State::execute`], telling an observer where it is.
    pub fn execute_observed(
        &mut self,
        block: &Block<'_>,
        verified: &(dyn Fn(&TxHash) -> bool + Sync),
        observer: Observer<'_>,
    ) -> Candidate {
        let old = Arc::clone(&self.prices);
        let seed = self.committed.app_hash;
        let last = self.time();
        self.advance(block.height, block.time);
        let mut events = Vec::new();
        let moves = open::open(self, last, (block.height, block.time), &mut events);
        let (chain, prices) = (Arc::clone(&self.chain), Arc::clone(&self.prices));
        let env = Env {
            chain: &chain,
            prices: &prices,
            height: block.height,
            time: block.time,
            seed,
        };
        let mut run = Run {
            results: Results::default(),
            events,
            stats: Stats::default(),
        };
        observer("unpack");
        let unpacked = unpack(block.txs, &env, verified);
        run.results = Results::new(&unpacked);
        observer("open");
        let failed = open::revalue(self, &moves, &old, &env);
        run.stats.violations.settlements = failed;
        open::flag(self, !moves.is_empty(), &env);
        sweep::expired(self, &env, &mut run.events);
        sweep::dead_men(self, &env, &mut run.events);
        let triggered = triggers::triggers(self, &env, &mut run.events);
        sweep::uncovered(self, &env, &mut run.events);
        let fees = run.passes(self, &unpacked.units, triggered, &env, observer);
        observer("close");
        if let Some(pool) = self.fee_pool_mut() {
            *pool = pool.saturating_add(fees);
        }
        close(self, fees, &mut run.events, &mut run.stats.violations);
        if self.checks_margins {
            run.stats.violations.margins = u64::from(self.check_margins().is_err());
        }
        run.stats.txs = u64::try_from(unpacked.units.len()).unwrap_or(u64::MAX);
        run.stats.pages = self.owned_pages();
        observer("hash");
        let app_hash = self.seal();
        observer("end");
        Candidate {
            app_hash,
            events: BlockEvents {
                height: block.height,
                time: block.time,
                txs: run.results.finish(&unpacked),
                events: run.events,
            },
            stats: run.stats,
            snapshot: self.snapshot(app_hash),
        }
    }

    /// Makes a candidate the committed state and returns it for readers.
    pub fn commit(&mut self, candidate: Candidate) -> Arc<Snapshot> {
        self.settle_indexes();
        self.committed = Arc::new(candidate.snapshot);
        Arc::clone(&self.committed)
    }

    /// Drops a candidate: the state is what it was before.
    pub fn discard(&mut self, candidate: Candidate) {
        drop(candidate);
        self.go_back();
    }
}

/// What accumulates while the passes run.
struct Run {
    results: Results,
    events: Vec<Event>,
    stats: Stats,
}

impl Run {
    /// Passes 1 to 5. Returns the fees taken.
    fn passes(
        &mut self,
        state: &mut State,
        units: &[Unit],
        triggered: Vec<Entry>,
        env: &Env<'_>,
        observer: Observer<'_>,
    ) -> Atoms {
        observer("authorise");
        let authorised = self.authorise(state, units, env);
        observer("cancel");
        let (releases, mut entries) = self.cancel(state, authorised, env);
        for entry in triggered {
            push(&mut entries, entry.owner.shard(), entry);
        }
        observer("admit");
        let entries = self.admit(state, releases, entries, env);
        observer("match");
        let matched = self.match_groups(state, entries, env);
        observer("settle");
        let mut fees: Atoms = 0;
        let mut settlements: Vec<Vec<Settlement>> = vec![Vec::new(); state.accounts.len()];
        for group in matched {
            fees = fees.saturating_add(group.fees);
            for item in group.settlements {
                push(&mut settlements, item.owner().shard(), item);
            }
        }
        let failed: Vec<u64> = state
            .accounts
            .par_iter_mut()
            .zip(&settlements)
            .map(|(shard, items)| {
                let failed = settle(shard, items, env);
                shard.refold_all(env);
                failed
            })
            .collect();
        let violations = &mut self.stats.violations;
        violations.settlements = failed
            .into_iter()
            .fold(violations.settlements, u64::saturating_add);
        fees
    }

    fn authorise(&mut self, state: &mut State, units: &[Unit], env: &Env<'_>) -> Vec<Authorised> {
        let mut by_shard: Vec<Vec<(u32, &Unit)>> = vec![Vec::new(); state.accounts.len()];
        for (at, unit) in (0_u32..).zip(units) {
            if let Ok(tx) = &unit.tx {
                push(&mut by_shard, state.shard_of(&tx.account), (at, unit));
            }
        }
        let mut authorised: Vec<Authorised> = state
            .accounts
            .par_iter_mut()
            .zip(by_shard)
            .enumerate()
            .map(|(number, (shard, txs))| authorise(shard, number, txs, env))
            .collect();
        let mut transfers = Vec::new();
        let (mut prices, mut statuses) = (Vec::new(), Vec::new());
        let mut surfaces = Vec::new();
        for part in &mut authorised {
            for (at, code) in part.codes.drain(..) {
                self.results.tx(at, code);
            }
            self.take(std::mem::take(&mut part.output));
            transfers.append(&mut part.transfers);
            prices.append(&mut part.prices);
            statuses.append(&mut part.statuses);
            surfaces.append(&mut part.surfaces);
        }
        let mut output = Output::default();
        credit::transfers(state, transfers, env, &mut output);
        credit::prices(state, prices);
        credit::statuses(state, statuses);
        credit::surfaces(state, surfaces);
        self.take(output);
        authorised
    }

    /// Pass 2. Returns what it released and all entries, both by account shard.
    fn cancel(
        &mut self,
        state: &mut State,
        authorised: Vec<Authorised>,
        env: &Env<'_>,
    ) -> (Vec<Vec<Release>>, Vec<Vec<Entry>>) {
        let groups = state.groups.len();
        let mut entries: Vec<Vec<Entry>> = Vec::with_capacity(authorised.len());
        let mut intents = Vec::new();
        let (mut protections, mut changes) = (Vec::new(), Vec::new());
        for part in authorised {
            intents.extend(part.cancels);
            protections.extend(part.protections);
            changes.extend(part.changes);
            entries.push(part.orders);
        }
        let mut work: Vec<Work<'_>> = (0..groups).map(|_| Work::default()).collect();
        for intent in &intents {
            for group in groups_of(&intent.cancel, env, groups) {
                if let Some(work) = work.get_mut(group.index()) {
                    work.cancels.push(intent);
                }
            }
        }
        for intent in protections {
            if let Some(work) = work.get_mut(intent.settings.group.index()) {
                work.protections.push(intent);
            }
        }
        for change in changes {
            let group = match &change {
                Change::Amend(intent) => group_of(&intent.amend.order),
                Change::Quotes(intent) => intent.quotes.group,
            };
            if let Some(work) = work.get_mut(group.index()) {
                work.changes.push(change);
            }
        }
        let cancelled: Vec<Cancelled> = state
            .groups
            .par_iter_mut()
            .zip(work)
            .map(|(group, work)| {
                if work.is_empty() {
                    return Cancelled::default();
                }
                cancel(group, work, env)
            })
            .collect();
        let mut releases: Vec<Vec<Release>> = vec![Vec::new(); entries.len()];
        for part in cancelled {
            self.take(part.output);
            for release in part.releases {
                push(&mut releases, release.owner.shard(), release);
            }
            for entry in part.entries {
                push(&mut entries, entry.owner.shard(), entry);
            }
        }
        (releases, entries)
    }

    /// Pass 3. Returns the admitted entries by group.
    fn admit(
        &mut self,
        state: &mut State,
        releases: Vec<Vec<Release>>,
        entries: Vec<Vec<Entry>>,
        env: &Env<'_>,
    ) -> Vec<Vec<Entry>> {
        let groups: &[GroupShard] = &state.groups;
        let admitted: Vec<Admitted> = state
            .accounts
            .par_iter_mut()
            .zip(releases)
            .zip(entries)
            .map(|((shard, releases), entries)| admit(shard, groups, &releases, entries, env))
            .collect();
        let mut by_group: Vec<Vec<Entry>> = vec![Vec::new(); groups.len()];
        for part in admitted {
            self.take(part.output);
            for entry in part.entries {
                if let Some(market) = env.chain.market(entry.order.market) {
                    push(&mut by_group, market.group.index(), entry);
                }
            }
        }
        by_group
    }

    /// Pass 4.
    fn match_groups(
        &mut self,
        state: &mut State,
        entries: Vec<Vec<Entry>>,
        env: &Env<'_>,
    ) -> Vec<Matched> {
        let orders = entries.iter().map(Vec::len).fold(0, usize::saturating_add);
        self.stats.orders = u64::try_from(orders).unwrap_or(u64::MAX);
        let accounts = &state.accounts;
        let mut matched: Vec<Matched> = state
            .groups
            .par_iter_mut()
            .zip(entries)
            .map(|(group, entries)| match_group(group, accounts, entries, env))
            .collect();
        for part in &mut matched {
            self.stats.fills = self.stats.fills.saturating_add(part.fills);
            let violations = &mut self.stats.violations;
            violations.crossed_books = violations.crossed_books.saturating_add(part.crossed);
            self.take(std::mem::take(&mut part.output));
        }
        matched
    }

    fn take(&mut self, output: Output) {
        for (at, result) in output.results {
            self.results.action(at, result);
        }
        self.events.extend(output.events);
    }
}

fn push<T>(lists: &mut [Vec<T>], at: usize, item: T) {
    if let Some(list) = lists.get_mut(at) {
        list.push(item);
    }
}

/// Groups that a cancel acts in.
fn groups_of(cancel: &Cancel, env: &Env<'_>, groups: usize) -> Vec<GroupId> {
    match cancel {
        Cancel::All(None) => (0_u16..).take(groups).map(GroupId).collect(),
        Cancel::Market(market) => env
            .chain
            .market(*market)
            .map(|market| market.group)
            .into_iter()
            .collect(),
        other => other.group().into_iter().collect(),
    }
}

/// Results of all transactions of a block while they are being found.
#[derive(Default)]
struct Results {
    txs: Vec<TxResult>,
}

impl Results {
    fn new(unpacked: &Unpacked) -> Self {
        let txs = unpacked.units.iter().map(|unit| match &unit.tx {
            Ok(tx) => TxResult {
                hash: unit.hash,
                code: Code::Internal,
                actions: vec![ActionResult::code(Code::Internal); tx.actions.len()],
            },
            Err(code) => TxResult {
                hash: unit.hash,
                code: *code,
                actions: Vec::new(),
            },
        });
        Self { txs: txs.collect() }
    }

    fn tx(&mut self, at: u32, code: Code) {
        if let Some(tx) = usize::try_from(at).ok().and_then(|at| self.txs.get_mut(at)) {
            tx.code = code;
            if code != Code::Ok {
                tx.actions.clear();
            }
        }
    }

    fn action(&mut self, at: ResultAt, result: ActionResult) {
        let tx = usize::try_from(at.tx)
            .ok()
            .and_then(|at| self.txs.get_mut(at));
        let action = tx.and_then(|tx| tx.actions.get_mut(usize::from(at.index)));
        let Some(action) = action else { return };
        let Some(part) = at.part else {
            *action = result;
            return;
        };
        if let Some(part) = action.parts.get_mut(usize::from(part)) {
            *part = PartResult {
                code: result.code,
                order: result.order,
                filled: result.filled,
                missing: result.missing,
            };
        }
    }

    /// Results by CometBFT transaction.
    fn finish(self, unpacked: &Unpacked) -> Vec<Vec<TxResult>> {
        let mut txs = self.txs.into_iter();
        unpacked
            .spans
            .iter()
            .map(|span| txs.by_ref().take(span.len()).collect())
            .collect()
    }
}
