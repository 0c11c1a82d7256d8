//! Pass 0: what is expired, whose switch went off, or what is not covered, leaves under a quota.

use crate::accounts::{AccountRef, AccountShard};
use crate::form::End;
use crate::groups::GroupShard;
use crate::links::{Off, removed_event};
use crate::passes::Env;
use crate::passes::cancel::release_of;
use crate::passes::open::{flagged, reflag};
use crate::records::{AccountRecord, OrderRecord};
use crate::state::State;
use ballast_risk::scenarios;
use ballast_types::{Account, AccountId, Event, GroupId, MarketId, Removal};
use rayon::prelude::*;

/// Nonces and floors that one shard forgets per block. More than can be added in a block, so that
/// they do not pile up.
const FORGET: u32 = 65_536;

/// Removes expired orders and those of settled markets; forgets floors and nonces that nothing can refer to any more.
pub(crate) fn expired(state: &mut State, env: &Env<'_>, events: &mut Vec<Event>) {
    let oldest = env.time.saturating_sub(env.chain.spec.limits.nonce_past_ms);
    let accounts = &state.accounts;
    let removed: Vec<Vec<Off>> = state
        .groups
        .par_iter_mut()
        .map(|group| {
            group.forget_floors(oldest, FORGET);
            expired_of(group, accounts, env)
        })
        .collect();
    state
        .accounts
        .par_iter_mut()
        .for_each(|shard| shard.forget_nonces(oldest, FORGET));
    for off in removed.into_iter().flatten() {
        apply(state, off, env, events);
    }
}

fn expired_of(group: &mut GroupShard, accounts: &[AccountShard], env: &Env<'_>) -> Vec<Off> {
    let mut removed = Vec::new();
    for _ in 0..env.chain.spec.limits.sweep_orders {
        let by_height = group.by_expiry.range((End::Height(0), 0)..).next();
        let mut first = [group.by_expiry.first(), by_height].into_iter().flatten();
        let ended = first.find(|((end, _), _)| end.reached(env.time, env.height));
        let ended = ended.map(|(_, slot)| slot);
        let Some(slot) = ended.or_else(|| Some(group.stranded.first()?.1)) else {
            break;
        };
        removed.extend(remove(group, accounts, slot, Removal::Expired));
    }
    removed
}

/// Removes an order, and takes off what that dooms.
fn remove(
    group: &mut GroupShard,
    accounts: &[AccountShard],
    slot: u32,
    reason: Removal,
) -> Vec<Off> {
    let Some(record) = group.remove(slot) else {
        return Vec::new();
    };
    let account = |owner: AccountRef| {
        let shard = accounts.get(owner.shard());
        let found = shard.and_then(|shard| shard.accounts.get(owner.slot()));
        found.map(|found| found.account()).unwrap_or_default()
    };
    let mut removed = Vec::new();
    if let Some(order) = group.id(slot, &record) {
        let owner = account(AccountRef(record.account));
        removed.push(Off {
            event: removed_event(&record, order, owner, reason),
            release: (!record.waiting()).then(|| release_of(&record, record.remaining)),
        });
    }
    if !group.loose.is_empty() {
        removed.extend(group.take_off(&account));
    }
    removed
}

/// Releases what was reserved and reports what happened.
fn apply(state: &mut State, off: Off, env: &Env<'_>, events: &mut Vec<Event>) {
    if let Some(release) = off.release
        && let Some(shard) = state.shard_mut(release.owner)
    {
        // An account that reserved something has its records.
        let _ = release.apply(shard, env);
    }
    events.push(off.event);
}

/// Cancels the orders of accounts whose dead man's switch went off. Each order uses one of the quota,
/// and so does an account without orders.
pub(crate) fn dead_men(state: &mut State, env: &Env<'_>, events: &mut Vec<Event>) {
    let mut quota = env.chain.spec.limits.sweep_orders;
    let most = usize::try_from(quota).unwrap_or(usize::MAX);
    let last = (env.time, Account::new(AccountId([u8::MAX; 20]), u16::MAX));
    let mut due: Vec<_> = (0_usize..)
        .zip(&state.accounts)
        .flat_map(|(number, shard)| {
            let due = shard.by_deadline.range(..=last).take(most);
            due.map(move |(key, slot)| (key, AccountRef::new(number, slot)))
        })
        .collect();
    due.sort_unstable();
    for (_, owner) in due {
        if quota == 0 {
            return;
        }
        if cancel_all(state, owner, env, &mut quota, events)
            && let Some(shard) = state.shard_mut(owner)
        {
            // The account is there: its deadline named it.
            let _ = shard.arm(owner.slot(), 0);
        }
    }
}

/// Removes an account's orders by (group, priority). False when the quota cut it off.
fn cancel_all(
    state: &mut State,
    owner: AccountRef,
    env: &Env<'_>,
    quota: &mut u32,
    events: &mut Vec<Event>,
) -> bool {
    let mut orders = Vec::new();
    for group in &state.groups {
        orders.extend(group.orders_of(owner).map(|slot| (group.group, slot)));
    }
    if orders.is_empty() {
        *quota = quota.saturating_sub(1);
    }
    for (id, slot) in orders {
        let Some(group) = state.groups.get_mut(id.index()) else {
            continue;
        };
        // A link may have taken it already.
        if group.orders.get(slot).is_none() {
            continue;
        }
        if *quota == 0 {
            return false;
        }
        *quota = quota.saturating_sub(1);
        for off in remove(group, &state.accounts, slot, Removal::DeadMan) {
            apply(state, off, env, events);
        }
    }
    true
}

/// Removes risk-adding orders of flagged accounts, newest first, until each is covered.
pub(crate) fn uncovered(state: &mut State, env: &Env<'_>, events: &mut Vec<Event>) {
    let mut owners: Vec<_> = (0_usize..)
        .zip(&state.accounts)
        .flat_map(|(shard, accounts)| {
            flagged(accounts).into_iter().filter_map(move |slot| {
                let account = accounts.accounts.get(slot)?.account();
                Some((account, AccountRef::new(shard, slot)))
            })
        })
        .collect();
    owners.sort_unstable();
    let mut quota = env.chain.spec.limits.sweep_orders;
    for (_, owner) in owners {
        if quota > 0 {
            sweep_account(state, owner, env, &mut quota, events);
        }
        if let Some(shard) = state.shard_mut(owner) {
            shard.refold(owner.slot(), env);
            reflag(shard, owner.slot());
        }
    }
}

fn sweep_account(
    state: &mut State,
    owner: AccountRef,
    env: &Env<'_>,
    quota: &mut u32,
    events: &mut Vec<Event>,
) {
    for (_, group, _, slot) in newest_first(state, owner) {
        if *quota == 0 || covered(state, owner, env) {
            return;
        }
        let Some(shard) = state.groups.get_mut(group.index()) else {
            return;
        };
        let Some(record) = shard.orders.get(slot).copied() else {
            continue;
        };
        if !adds_risk(state, owner, &record, env) {
            continue;
        }
        let Some(shard) = state.groups.get_mut(group.index()) else {
            return;
        };
        *quota = quota.saturating_sub(1);
        for off in remove(shard, &state.accounts, slot, Removal::Uncovered) {
            apply(state, off, env, events);
        }
    }
}

/// Resting orders of an account as (height it began to rest, group, priority, slot), descending.
fn newest_first(state: &State, owner: AccountRef) -> Vec<(u64, GroupId, u64, u32)> {
    let mut orders: Vec<_> = state
        .groups
        .iter()
        .flat_map(|group| {
            group.orders_of(owner).filter_map(|slot| {
                let record = group.orders.get(slot).filter(|record| !record.waiting())?;
                Some((record.placed, group.group, record.priority, slot))
            })
        })
        .collect();
    orders.sort_unstable_by(|a, b| b.cmp(a));
    orders
}

fn covered(state: &mut State, owner: AccountRef, env: &Env<'_>) -> bool {
    let record = sums(state, owner, env);
    record.is_none_or(|record| record.equity() >= record.maintenance)
}

/// The record of an account with its sums up to date.
fn sums(state: &mut State, owner: AccountRef, env: &Env<'_>) -> Option<AccountRecord> {
    let shard = state.shard_mut(owner)?;
    shard.refold(owner.slot(), env);
    shard.accounts.get(owner.slot()).copied()
}

/// Whether maintenance margin is smaller without the order, of an account in Portfolio mode.
fn raises_margin(
    state: &mut State,
    owner: AccountRef,
    order: &OrderRecord,
    env: &Env<'_>,
) -> Option<bool> {
    let before = sums(state, owner, env)?.maintenance;
    let open = release_of(order, order.remaining);
    open.apply(state.shard_mut(owner)?, env)?;
    let after = sums(state, owner, env)?.maintenance;
    open.reserve(state.shard_mut(owner)?, env)?;
    Some(after < before)
}

/// Whether the order counts in the binding scenario of its market, or of its group.
fn adds_risk(state: &mut State, owner: AccountRef, order: &OrderRecord, env: &Env<'_>) -> bool {
    let market = MarketId(order.market);
    let shard = state.accounts.get(owner.shard());
    let record = shard.and_then(|shard| shard.accounts.get(owner.slot()));
    if record.is_some_and(AccountRecord::portfolio) {
        return raises_margin(state, owner, order, env).unwrap_or(false);
    }
    let shard = state.accounts.get(owner.shard());
    let position = shard.and_then(|shard| shard.position(owner.slot(), market));
    let (Some(position), Some((_, risk))) = (position, env.market(market)) else {
        return false;
    };
    let worst = position.terms().maintenance;
    let (long_loses, short_loses) = scenarios(risk.maintenance, position.size, worst);
    let own = env
        .terms(market, order.side(), order.price, order.remaining)
        .maintenance;
    let term = if long_loses >= short_loses {
        own.plus
    } else {
        own.minus
    };
    term < 0
}
