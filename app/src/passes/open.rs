//! Pass 0: new statuses and prices take effect, accounts are revalued and flagged.

use crate::accounts::AccountShard;
use crate::chain::Chain;
use crate::form::status_of;
use crate::groups::GroupShard;
use crate::passes::{Env, expiry, listing, options};
use crate::prices::Prices;
use crate::state::State;
use ballast_risk::Terms;
use ballast_types::{Event, GroupId, MarketId, MarketStatus, TimeMs};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Word of the mark table that tells what is pending: see below.
pub(crate) const PENDING: usize = 3;
/// A price of a market of the genesis.
pub(crate) const PENDING_PRICE: u64 = 1;
/// A status.
pub(crate) const PENDING_STATUS: u64 = 2;
/// A surface.
pub(crate) const PENDING_SURFACE: u64 = 4;
/// Word of the account table that counts flagged accounts.
const FLAGGED: usize = 0;

/// Takes samples of settlement prices; then what is pending takes effect, what has expired is settled,
/// options are listed, and groups of which something changed are refreshed.
pub(crate) fn open(
    state: &mut State,
    last: TimeMs,
    (height, time): (u64, TimeMs),
    events: &mut Vec<Event>,
) -> Moves {
    expiry::sample(state, last, time);
    options::sample(state, last, time);
    let pending = take_pending(state);
    let mut prices = Prices::clone(&state.prices);
    let mut moves = Moves::default();
    if pending & PENDING_STATUS != 0 {
        for slot in 0..state.marks.len() {
            statuses(state, slot, &mut prices, events);
        }
    }
    if pending & PENDING_PRICE != 0 {
        publish(state, &mut moves, events);
    }
    moves.settled = expiry::expire(state, time, events);
    if pending & PENDING_SURFACE != 0 {
        moves.refreshed.append(&mut options::publish(state, events));
    }
    let mut settled = options::expire(state, time, &mut prices, events);
    moves.settled.append(&mut settled);
    expiry::strand(state, &moves.settled);
    let chain = Arc::clone(&state.chain);
    let of = |market: &MarketId| chain.market(*market).map(|market| market.group);
    moves.refreshed.extend(moves.settled.iter().filter_map(of));
    let mut listed = listing::list(state, time, &mut prices, events);
    moves.refreshed.append(&mut listed);
    if height == 1 {
        let groups = (0_u16..).map(GroupId).zip(&chain.spec.groups);
        moves.refreshed.extend(groups.map(|(group, _)| group));
    }
    if pending != 0 || !moves.is_empty() {
        state.linear_prices(&mut prices);
        state.refresh(&moves.refreshed, time, &mut prices);
        state.prices = Arc::new(prices);
    }
    moves
}

fn take_pending(state: &mut State) -> u64 {
    match state.marks.words_mut().counters.get_mut(PENDING) {
        Some(pending) => std::mem::take(pending),
        None => 0,
    }
}

/// Pending prices take effect.
fn publish(state: &mut State, moves: &mut Moves, events: &mut Vec<Event>) {
    let chain = Arc::clone(&state.chain);
    for (slot, market) in (0_u32..).zip(&chain.spec.markets) {
        let before = events.len();
        if prices(state, slot, events) {
            moves.moved.insert(MarketId(slot));
        }
        if events.len() > before {
            moves.refreshed.insert(market.group);
        }
    }
}

fn statuses(state: &mut State, slot: u32, prices: &mut Prices, events: &mut Vec<Event>) {
    let pending = state
        .marks
        .get(slot)
        .and_then(|r| r.pending_status.checked_sub(1));
    if let Some(status) = pending
        && let Some(record) = state.marks.get_mut(slot)
    {
        (record.status, record.pending_status) = (status, 0);
        let option = state.chain.option(MarketId(slot));
        if let Some(option) = option
            && let Some(option) = Arc::make_mut(&mut prices.options).get_mut(option)
        {
            option.status = status_of(status);
        }
        events.push(Event::Status {
            market: MarketId(slot),
            status: status_of(status),
        });
    }
}

/// Whether the mark moved. The prices of a suspended market stay pending.
fn prices(state: &mut State, slot: u32, events: &mut Vec<Event>) -> bool {
    let market = MarketId(slot);
    let Some(record) = state.marks.get(slot).copied() else {
        return false;
    };
    if record.pending == 0 && record.pending_index == 0 {
        return false;
    }
    if status_of(record.status) == MarketStatus::Suspended {
        if let Some(pending) = state.marks.words_mut().counters.get_mut(PENDING) {
            *pending |= PENDING_PRICE;
        }
        return false;
    }
    let Some(stored) = state.marks.get_mut(slot) else {
        return false;
    };
    if record.pending > 0 {
        (stored.mark, stored.pending) = (record.pending, 0);
        events.push(Event::Mark {
            market,
            price: record.pending,
        });
    }
    if record.pending_index > 0 {
        (stored.index, stored.pending_index) = (record.pending_index, 0);
        events.push(Event::Index {
            market,
            price: record.pending_index,
        });
    }
    stored.mark != record.mark
}

/// Terms of an account's open orders in a market that moved.
type Moved = BTreeMap<(u32, MarketId), Terms>;

/// What is worth something else than in the block before.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    /// Markets whose mark moved.
    pub(crate) moved: BTreeSet<MarketId>,
    /// Those that are settled now: their positions are paid at the mark and end.
    pub(crate) settled: BTreeSet<MarketId>,
    /// Groups whose options and scenarios are new.
    pub(crate) refreshed: BTreeSet<GroupId>,
}

impl Moves {
    pub(crate) fn is_empty(&self) -> bool {
        self.moved.is_empty() && self.settled.is_empty() && self.refreshed.is_empty()
    }

    fn contains(&self, market: MarketId, chain: &Chain) -> bool {
        let option = || {
            let market = chain
                .market(market)
                .filter(|_| chain.option(market).is_some());
            market.is_some_and(|market| self.refreshed.contains(&market.group))
        };
        self.moved.contains(&market) || self.settled.contains(&market) || option()
    }
}

/// Brings positions and open orders of the markets from the old marks to the new ones. Returns how
/// many positions could not be settled, which the bounds of genesis make impossible.
pub(crate) fn revalue(state: &mut State, moves: &Moves, old: &Prices, env: &Env<'_>) -> u64 {
    if moves.is_empty() {
        return 0;
    }
    let groups = &state.groups;
    let parts: Vec<_> = groups
        .par_iter()
        .map(|group| order_terms(group, moves, env))
        .collect();
    let mut by_shard: Vec<Moved> = state.accounts.iter().map(|_| Moved::new()).collect();
    for (owner, market, terms) in parts.into_iter().flatten() {
        if let Some(shard) = by_shard.get_mut(owner.shard()) {
            let sum = shard.entry((owner.slot(), market)).or_default();
            *sum = sum.plus(terms);
        }
    }
    let failed: Vec<u64> = state
        .accounts
        .par_iter_mut()
        .zip(by_shard)
        .map(|(shard, terms)| revalue_shard(shard, moves, &terms, old, env))
        .collect();
    failed.into_iter().fold(0, u64::saturating_add)
}

fn order_terms(
    group: &GroupShard,
    moves: &Moves,
    env: &Env<'_>,
) -> Vec<(crate::accounts::AccountRef, MarketId, Terms)> {
    let moved = |market: &MarketId| moves.contains(*market, env.chain);
    if !moves.refreshed.contains(&group.group) && !group.markets.iter().any(moved) {
        return Vec::new();
    }
    let orders = group.orders.iter().map(|(_, order)| order);
    orders
        .filter(|order| order.remaining > 0 && !order.waiting())
        .filter(|order| moved(&MarketId(order.market)))
        .map(|order| {
            let market = MarketId(order.market);
            let terms = env.terms(market, order.side(), order.price, order.remaining);
            (crate::accounts::AccountRef(order.account), market, terms)
        })
        .collect()
}

fn revalue_shard(
    shard: &mut AccountShard,
    moves: &Moves,
    terms: &Moved,
    old: &Prices,
    env: &Env<'_>,
) -> u64 {
    let mut failed: u64 = 0;
    shard.renew(&moves.refreshed);
    for slot in 0..shard.positions.len() {
        let Some(record) = shard.positions.get(slot) else {
            continue;
        };
        let (account, market) = (record.account, MarketId(record.market));
        let empty = record.size == 0 && record.open == 0;
        if empty || !moves.contains(market, env.chain) {
            continue;
        }
        let fresh = terms.get(&(account, market)).copied().unwrap_or_default();
        let (before, now) = (
            old.risk(market, env.chain),
            env.prices.risk(market, env.chain),
        );
        let (Some(old), Some(new)) = (before, now) else {
            continue;
        };
        let settles = moves.settled.contains(&market);
        let mut gain = 0;
        shard.rework(slot, old, new, |position| {
            position.set_terms(fresh);
            if settles {
                gain = position.position().unrealised(new.value);
                (position.size, position.cost) = (0, 0);
            }
        });
        if settles && let Some(of) = env.chain.market(market) {
            // The account is there: its position named it.
            let _ = shard.follow(account, of.group, |sums| sums.forget(market, env));
        }
        if gain != 0 && shard.credit(account, shard.margin_asset, gain).is_none() {
            failed = failed.saturating_add(1);
        }
    }
    failed
}

/// Marks the accounts that the worst subset of fills would take below maintenance. Without new marks
/// only flagged accounts can have changed.
pub(crate) fn flag(state: &mut State, marks_moved: bool, env: &Env<'_>) {
    state.accounts.par_iter_mut().for_each(|shard| {
        shard.refold_all(env);
        let flagged = shard
            .accounts
            .words()
            .counters
            .get(FLAGGED)
            .copied()
            .unwrap_or(0);
        if !marks_moved && flagged == 0 {
            // A transfer of spot that comes in may raise what a group needs by more than it is worth.
            let mut accounts: Vec<_> = shard.units.keys().map(|(slot, _)| *slot).collect();
            accounts.dedup();
            for slot in accounts {
                reflag(shard, slot);
            }
            return;
        }
        for slot in 0..shard.accounts.len() {
            reflag(shard, slot);
        }
    });
}

/// Brings the flag of one account up to date.
pub(crate) fn reflag(shard: &mut AccountShard, slot: u32) {
    let Some(record) = shard.accounts.get(slot) else {
        return;
    };
    let uncovered = record.equity() < record.maintenance;
    if uncovered == (record.uncovered != 0) {
        return;
    }
    if let Some(record) = shard.accounts.get_mut(slot) {
        record.uncovered = u8::from(uncovered);
    }
    if let Some(count) = shard.accounts.words_mut().counters.get_mut(FLAGGED) {
        *count = if uncovered {
            count.saturating_add(1)
        } else {
            count.saturating_sub(1)
        };
    }
}

/// Flagged accounts of a shard by slot.
pub(crate) fn flagged(shard: &AccountShard) -> Vec<u32> {
    if shard
        .accounts
        .words()
        .counters
        .get(FLAGGED)
        .copied()
        .unwrap_or(0)
        == 0
    {
        return Vec::new();
    }
    let flagged = shard
        .accounts
        .iter()
        .filter(|(_, record)| record.uncovered != 0);
    flagged.map(|(slot, _)| slot).collect()
}
