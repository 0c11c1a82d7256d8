//! Pass 0: what is expired, whose switch went off, or what is not covered, leaves under a quota.

use crate::accounts::AccountRef;
use crate::form::End;
use crate::groups::GroupShard;
use crate::passes::Env;
use crate::passes::cancel::release_of;
use crate::passes::open::{flagged, reflag};
use crate::records::OrderRecord;
use crate::state::State;
use ballast_risk::scenarios;
use ballast_types::{Account, AccountId, Event, GroupId, MarketId, Removal};
use rayon::prelude::*;

/// Nonces and floors that one shard forgets per block. More than can be added in a block, so that
/// they do not pile up.
const FORGET: u32 = 65_536;

/// Removes expired orders; forgets floors and nonces that nothing can refer to any more.
pub(crate) fn expired(state: &mut State, env: &Env<'_>, events: &mut Vec<Event>) {
    let oldest = env.time.saturating_sub(env.chain.spec.limits.nonce_past_ms);
    let removed: Vec<Vec<(u32, OrderRecord)>> = state
        .groups
        .par_iter_mut()
        .map(|group| {
            group.forget_floors(oldest, FORGET);
            expired_of(group, env)
        })
        .collect();
    state
        .accounts
        .par_iter_mut()
        .for_each(|shard| shard.forget_nonces(oldest, FORGET));
    for (group, removed) in (0_u16..).zip(removed) {
        for (slot, record) in removed {
            release(
                state,
                GroupId(group),
                slot,
                &record,
                Removal::Expired,
                env,
                events,
            );
        }
    }
}

fn expired_of(group: &mut GroupShard, env: &Env<'_>) -> Vec<(u32, OrderRecord)> {
    let mut removed = Vec::new();
    for _ in 0..env.chain.spec.limits.sweep_orders {
        let by_height = group.by_expiry.range((End::Height(0), 0)..).next();
        let mut first = [group.by_expiry.first(), by_height].into_iter().flatten();
        let Some((_, slot)) = first.find(|((end, _), _)| end.reached(env.time, env.height)) else {
            break;
        };
        let Some(record) = group.remove(slot) else {
            break;
        };
        removed.push((slot, record));
    }
    removed
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
        if *quota == 0 {
            return false;
        }
        *quota = quota.saturating_sub(1);
        let group = state.groups.get_mut(id.index());
        if let Some(record) = group.and_then(|group| group.remove(slot)) {
            release(state, id, slot, &record, Removal::DeadMan, env, events);
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
        if *quota == 0 || covered(state, owner) {
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
        if shard.remove(slot).is_some() {
            *quota = quota.saturating_sub(1);
            release(state, group, slot, &record, Removal::Uncovered, env, events);
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

fn covered(state: &State, owner: AccountRef) -> bool {
    let shard = state.accounts.get(owner.shard());
    let record = shard.and_then(|shard| shard.accounts.get(owner.slot()));
    record.is_none_or(|record| record.equity() >= record.maintenance)
}

/// Whether the order counts in the binding scenario of its market.
fn adds_risk(state: &State, owner: AccountRef, order: &OrderRecord, env: &Env<'_>) -> bool {
    let market = MarketId(order.market);
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

/// Releases what a removed order reserved and reports it.
fn release(
    state: &mut State,
    group: GroupId,
    slot: u32,
    record: &OrderRecord,
    reason: Removal,
    env: &Env<'_>,
    events: &mut Vec<Event>,
) {
    let owner = AccountRef(record.account);
    let Some(shard) = state.shard_mut(owner) else {
        return;
    };
    if !record.waiting() {
        release_of(record, record.remaining).apply(shard, env);
    }
    let account = shard
        .accounts
        .get(owner.slot())
        .map(|record| record.account());
    let order = ballast_types::OrderId::new(group, record.generation, slot);
    if let (Some(account), Some(order)) = (account, order) {
        events.push(Event::Removed {
            market: MarketId(record.market),
            order,
            account,
            size: record.remaining,
            reason,
            client_id: record.client(),
        });
    }
}
