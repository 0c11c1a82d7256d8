//! Pass 2: cancels and amends, by group. What they release counts in pass 3 of the same block.

use crate::groups::{FloorKind, GroupShard, Pair};
use crate::passes::authorise::{AmendIntent, CancelIntent, check_scope};
use crate::passes::{Entry, Env, Origin, Output, Place, Release};
use crate::records::OrderRecord;
use ballast_types::{
    ActionResult, Amend, Cancel, Class, Code, Event, GroupKey, Lots, MarketId, Order, OrderId,
    OrderRef, Removal,
};

/// What pass 2 of a group hands on.
#[derive(Debug, Default)]
pub(crate) struct Cancelled {
    pub(crate) output: Output,
    pub(crate) releases: Vec<Release>,
    /// New parts of amended orders.
    pub(crate) entries: Vec<Entry>,
}

/// Runs the cancels of a group, then its amends.
pub(crate) fn cancel(
    group: &mut GroupShard,
    mut cancels: Vec<&CancelIntent>,
    mut amends: Vec<AmendIntent>,
    env: &Env<'_>,
) -> Cancelled {
    let mut out = Cancelled::default();
    let id = group.group;
    cancels.sort_by_cached_key(|intent| GroupKey {
        class: Class::Cancel,
        ticket: env.ticket(id, intent.account.master),
        action: intent.key,
    });
    for intent in cancels {
        run_cancel(group, intent, env, &mut out);
        out.output.result(intent.at, ActionResult::code(Code::Ok));
    }
    amends.sort_by_cached_key(|intent| (env.ticket(id, intent.account.master), intent.key));
    for intent in amends {
        match run_amend(group, &intent, env, &mut out) {
            Ok(Some(result)) => out.output.result(intent.at, result),
            // Pass 3 or 4 says what becomes of the new part.
            Ok(None) => {}
            Err(code) => out.output.result(intent.at, ActionResult::code(code)),
        }
    }
    out
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
        let order = group.id(slot, &record);
        gone(&record, order, intent.account, Removal::Cancelled, out);
    }
}

fn gone(
    record: &OrderRecord,
    order: Option<OrderId>,
    account: ballast_types::Account,
    reason: Removal,
    out: &mut Cancelled,
) {
    if !record.waiting() {
        out.releases.push(release_of(record, record.remaining));
    }
    if let Some(order) = order {
        out.output.events.push(Event::Removed {
            market: MarketId(record.market),
            order,
            account,
            size: record.remaining,
            reason,
            client_id: record.client(),
        });
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
    check(&amend, &record, intent, env)?;
    let rest = amend.size.saturating_sub(record.filled);
    if rest <= 0 {
        group.remove(slot);
        gone(&record, Some(id), intent.account, Removal::Amended, out);
        return Ok(Some(ActionResult::code(Code::Ok)));
    }
    let done = ActionResult {
        code: Code::Ok,
        order: Some(id),
        filled: 0,
    };
    if record.waiting() {
        amend_waiting(group, slot, intent, rest, &mut out.output).ok_or(Code::Internal)?;
        return Ok(Some(done));
    }
    if amend.price == record.price && rest <= record.remaining {
        if rest < record.remaining {
            group.shrink(slot, rest).ok_or(Code::Internal)?;
            out.releases
                .push(release_of(&record, record.remaining.saturating_sub(rest)));
            out.output.events.push(Event::Reduced {
                market: MarketId(record.market),
                order: id,
                account: intent.account,
                size: rest,
                reason: Removal::Amended,
            });
        }
        return Ok(Some(done));
    }
    let (order, priority) = (record.order(group.special(&record)), record.priority);
    let origin = if amend.keep_on_reject {
        Origin::Replaces(Place { slot, priority })
    } else {
        group.remove(slot);
        gone(&record, Some(id), intent.account, Removal::Amended, out);
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
    });
    Ok(None)
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
    out.events.push(Event::Waiting {
        market: MarketId(record.market),
        order: group.id(slot, &record)?,
        account: intent.account,
        side: record.side(),
        price: amend.price,
        size,
        trigger: group.special(&record)?.trigger()?,
        client_id: record.client(),
    });
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
    if !(1..=market.max_price).contains(&amend.price) {
        return Err(Code::BadPrice);
    }
    if !(market.min_size..=market.max_size).contains(&amend.size) {
        return Err(Code::BadSize);
    }
    if !crate::passes::admit::fills_fit(record.post_only(), amend.max_fills, env) {
        return Err(Code::BadMaxFills);
    }
    match &intent.agent {
        Some(agent) => check_scope(agent, id, amend.price, amend.size, market.tick_value),
        None => Ok(()),
    }
}
