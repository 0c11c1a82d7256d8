//! Pass 2: cancels and amends, by group. What they release counts in pass 3 of the same block.

use crate::groups::{FloorKind, GroupShard, Pair};
use crate::links::removed_event;
use crate::passes::agents::check_scope;
use crate::passes::authorise::{AmendIntent, CancelIntent, Change};
use crate::passes::quotes::{self, ProtectionIntent};
use crate::passes::{Entry, Env, Origin, Output, Place, Release};
use crate::records::OrderRecord;
use ballast_types::{
    Account, ActionResult, Amend, Cancel, Class, Code, Event, GroupKey, Lots, MarketId, Order,
    OrderRef, Removal,
};

/// What pass 2 of a group hands on.
#[derive(Debug, Default)]
pub(crate) struct Cancelled {
    pub(crate) output: Output,
    pub(crate) releases: Vec<Release>,
    /// New parts of amended orders, and quotes.
    pub(crate) entries: Vec<Entry>,
}

/// What pass 2 of a group is asked to do.
#[derive(Debug, Default)]
pub(crate) struct Work<'a> {
    pub(crate) cancels: Vec<&'a CancelIntent>,
    pub(crate) protections: Vec<ProtectionIntent>,
    pub(crate) changes: Vec<Change>,
}

impl Work<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.cancels.is_empty() && self.protections.is_empty() && self.changes.is_empty()
    }
}

/// Runs the cancels of a group, then settings of protections, then amends and quotes.
pub(crate) fn cancel(group: &mut GroupShard, work: Work<'_>, env: &Env<'_>) -> Cancelled {
    let mut out = Cancelled::default();
    let id = group.group;
    let Work {
        mut cancels,
        mut protections,
        mut changes,
    } = work;
    cancels.sort_by_cached_key(|intent| GroupKey {
        class: Class::Cancel,
        ticket: env.ticket(id, intent.account.master),
        action: intent.key,
    });
    for intent in cancels {
        run_cancel(group, intent, env, &mut out);
        out.output.result(intent.at, ActionResult::code(Code::Ok));
    }
    let place = |account: Account, key| (env.ticket(id, account.master), key);
    protections.sort_by_cached_key(|intent| place(intent.account, intent.key));
    for intent in protections {
        let done = group.protect(intent.owner, &intent.settings);
        let code = done.map_or(Code::Internal, |()| Code::Ok);
        out.output.result(intent.at, ActionResult::code(code));
    }
    changes.sort_by_cached_key(|change| match change {
        Change::Amend(intent) => place(intent.account, intent.key),
        Change::Quotes(intent) => place(intent.account, intent.key),
    });
    for change in changes {
        match change {
            Change::Amend(intent) => amend(group, &intent, env, &mut out),
            Change::Quotes(intent) => quotes::run(group, &intent, env, &mut out),
        }
    }
    out
}

fn amend(group: &mut GroupShard, intent: &AmendIntent, env: &Env<'_>, out: &mut Cancelled) {
    match run_amend(group, intent, env, out) {
        Ok(Some(result)) => out.output.result(intent.at, result),
        // Pass 3 or 4 says what becomes of the new part.
        Ok(None) => {}
        Err(code) => out.output.result(intent.at, ActionResult::code(code)),
    }
}

fn run_cancel(group: &mut GroupShard, intent: &CancelIntent, env: &Env<'_>, out: &mut Cancelled) {
    let owner = intent.owner;
    for slot in named(group, intent) {
        remove(group, slot, intent, out);
    }
    let pair: Pair = (intent.key.nonce, intent.key.index);
    let limit = env.chain.spec.limits.floors;
    // Floors fail only when a table is full, which its limit of 2^32 records rules out.
    let _ = match intent.cancel {
        Cancel::Order(_) => None,
        Cancel::Client { client_id, .. } => {
            group.raise((owner, FloorKind::Client, client_id), pair, limit)
        }
        Cancel::Label { label, .. } => {
            group.raise((owner, FloorKind::Label, u128::from(label)), pair, limit)
        }
        Cancel::Market(market) => group.raise(
            (owner, FloorKind::Market, u128::from(market.0)),
            pair,
            limit,
        ),
        Cancel::All(_) => group.raise_all(owner, pair),
    };
}

/// Slots of the account's orders that a cancel names, oldest first.
fn named(group: &GroupShard, intent: &CancelIntent) -> Vec<u32> {
    let owner = intent.owner;
    let all = |keep: &dyn Fn(&OrderRecord) -> bool| {
        let slots = group.orders_of(owner);
        slots
            .filter(|slot| group.orders.get(*slot).is_some_and(keep))
            .collect()
    };
    match intent.cancel {
        Cancel::Order(id) => group
            .find(id)
            .filter(|slot| {
                group
                    .orders
                    .get(*slot)
                    .is_some_and(|order| order.account == owner.0)
            })
            .into_iter()
            .collect(),
        Cancel::Client { client_id, .. } => group
            .by_client
            .get(&(owner, client_id))
            .into_iter()
            .collect(),
        Cancel::Label { label, .. } => all(&|order| order.label == label),
        Cancel::Market(market) => all(&|order| order.market == market.0),
        Cancel::All(_) => all(&|_| true),
    }
}

fn remove(group: &mut GroupShard, slot: u32, intent: &CancelIntent, out: &mut Cancelled) {
    if let Some(record) = group.remove(slot) {
        gone(
            group,
            slot,
            &record,
            intent.account,
            Removal::Cancelled,
            out,
        );
    }
}

/// Hands on the reserve of an order that was removed, and reports it, with what that does to orders
/// that it was linked with.
pub(crate) fn gone(
    group: &mut GroupShard,
    slot: u32,
    record: &OrderRecord,
    account: Account,
    reason: Removal,
    out: &mut Cancelled,
) {
    if !record.waiting() {
        out.releases.push(release_of(record, record.remaining));
    }
    if let Some(order) = group.id(slot, record) {
        let event = removed_event(record, order, account, reason);
        out.output.events.push(event);
    }
    if group.loose.is_empty() {
        return;
    }
    for off in group.take_off(&|_| account) {
        out.releases.extend(off.release);
        out.output.events.push(off.event);
    }
}

pub(crate) fn release_of(record: &OrderRecord, lots: Lots) -> Release {
    Release {
        owner: crate::accounts::AccountRef(record.account),
        market: MarketId(record.market),
        side: record.side(),
        price: record.price,
        lots,
    }
}

/// The result when the amend is done; `None` when a new part went on to pass 3.
fn run_amend(
    group: &mut GroupShard,
    intent: &AmendIntent,
    env: &Env<'_>,
    out: &mut Cancelled,
) -> Result<Option<ActionResult>, Code> {
    let slot = find(group, intent).ok_or(Code::UnknownOrder)?;
    let record = *group.orders.get(slot).ok_or(Code::UnknownOrder)?;
    let id = group.id(slot, &record).ok_or(Code::Internal)?;
    let amend = intent.amend;
    if record.link != 0 {
        return Err(Code::OrderLinked);
    }
    check(&amend, &record, intent, env)?;
    let rest = amend.size.saturating_sub(record.filled);
    if rest <= 0 {
        group.remove(slot);
        gone(group, slot, &record, intent.account, Removal::Amended, out);
        return Ok(Some(ActionResult::code(Code::Ok)));
    }
    let done = ActionResult {
        order: Some(id),
        ..ActionResult::code(Code::Ok)
    };
    if record.waiting() {
        amend_waiting(group, slot, intent, rest, &mut out.output).ok_or(Code::Internal)?;
        return Ok(Some(done));
    }
    if amend.price == record.price && rest <= record.remaining {
        reduce(group, slot, rest, intent.account, out).ok_or(Code::Internal)?;
        return Ok(Some(done));
    }
    let (order, priority) = (record.order(group.special(&record)), record.priority);
    let origin = if amend.keep_on_reject {
        Origin::Replaces(Place { slot, priority })
    } else {
        group.remove(slot);
        gone(group, slot, &record, intent.account, Removal::Amended, out);
        Origin::Amended
    };
    out.entries.push(Entry {
        at: Some(intent.at),
        key: intent.key,
        account: intent.account,
        owner: intent.owner,
        order: Order {
            price: amend.price,
            size: rest,
            max_fills: amend.max_fills,
            ..order
        },
        filled: record.filled,
        origin,
        quote: record.quote(),
        bundle: None,
    });
    Ok(None)
}

/// Makes a resting order smaller in place, unless it has that size already.
pub(crate) fn reduce(
    group: &mut GroupShard,
    slot: u32,
    size: Lots,
    account: Account,
    out: &mut Cancelled,
) -> Option<()> {
    let record = *group.orders.get(slot)?;
    if size == record.remaining {
        return Some(());
    }
    group.shrink(slot, size)?;
    out.releases
        .push(release_of(&record, record.remaining.saturating_sub(size)));
    out.output.events.push(Event::Reduced {
        market: MarketId(record.market),
        order: group.id(slot, &record)?,
        account,
        size,
        reason: Removal::Amended,
    });
    Some(())
}

/// Changes a waiting order in place; it keeps its priority and its trigger.
fn amend_waiting(
    group: &mut GroupShard,
    slot: u32,
    intent: &AmendIntent,
    size: Lots,
    out: &mut Output,
) -> Option<()> {
    let amend = &intent.amend;
    let record = group.orders.get_mut(slot)?;
    (record.price, record.remaining) = (amend.price, size);
    let record = *record;
    group.special_mut(&record)?.max_fills = amend.max_fills;
    let event = group.waiting_event(slot, intent.account)?;
    out.events.push(event);
    Some(())
}

fn find(group: &GroupShard, intent: &AmendIntent) -> Option<u32> {
    let slot = match intent.amend.order {
        OrderRef::Id(id) => group.find(id)?,
        OrderRef::Client { client_id, .. } => group.by_client.get(&(intent.owner, client_id))?,
    };
    (group.orders.get(slot)?.account == intent.owner.0).then_some(slot)
}

fn check(
    amend: &Amend,
    record: &OrderRecord,
    intent: &AmendIntent,
    env: &Env<'_>,
) -> Result<(), Code> {
    let id = MarketId(record.market);
    let market = env.chain.market(id).ok_or(Code::UnknownMarket)?;
    if !crate::passes::check::price_fits(amend.price, market) {
        return Err(Code::BadPrice);
    }
    if !(market.min_size..=market.max_size).contains(&amend.size) {
        return Err(Code::BadSize);
    }
    if !crate::passes::check::fills_fit(record.post_only(), amend.max_fills, env) {
        return Err(Code::BadMaxFills);
    }
    match &intent.agent {
        Some(agent) => check_scope(agent, id, amend.price, amend.size, market.tick_value),
        None => Ok(()),
    }
}
