//! Pass 3: every new or amended order is reserved for, or refused.

use crate::accounts::{AccountRef, AccountShard};
use crate::groups::GroupShard;
use crate::passes::cancel::release_of;
use crate::passes::check::{check_form, check_price};
use crate::passes::uncovered::Uncovered;
use crate::passes::{
    Entry, Env, Origin, Output, Place, Refusal, Release, Slice, reducible, reserved_base, slices,
};
use crate::records::{AccountRecord, OrderRecord};
use ballast_risk::{MAX_POSITION, scenarios};
use ballast_types::{Atoms, Code, GroupId, Lots, MarketKind, MarketSpec, Order, TimeInForce};
use std::collections::{BTreeMap, BTreeSet};

/// Largest position and open orders of a market, in 10^-9 of the underlying.
const MAX_AMOUNT: i128 = 1 << 61;

/// Admitted orders of a shard, triggered ones that were refused, and the results of other refused
/// ones.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    pub(crate) output: Output,
    pub(crate) entries: Vec<Entry>,
}

/// What entries of this pass have claimed already.
#[derive(Default)]
struct Claimed {
    clients: BTreeSet<(AccountRef, GroupId, u128)>,
    resting: BTreeMap<(AccountRef, GroupId), u32>,
    replaced: BTreeSet<(GroupId, u32)>,
}

/// Applies what pass 0 and 2 released, then judges the entries of a shard.
pub(crate) fn admit(
    shard: &mut AccountShard,
    groups: &[GroupShard],
    releases: &[Release],
    mut entries: Vec<Entry>,
    env: &Env<'_>,
) -> Admitted {
    for release in releases {
        // An account that released something has its records.
        let _ = release.apply(shard, env);
    }
    let mut out = Admitted::default();
    let mut claimed = Claimed::default();
    entries.sort_unstable_by_key(Entry::rank);
    for mut entry in entries {
        if entry.triggered() && refresh(groups, &mut entry, env).is_none() {
            continue;
        }
        if entry.bundle.is_some() {
            admit_linked(shard, groups, entry, &mut claimed, env, &mut out);
            continue;
        }
        if let Origin::Slice(_, Slice { asked: 0, .. }) = entry.origin {
            out.entries.push(entry);
            continue;
        }
        match (judge(shard, groups, &mut entry, &mut claimed, env), entry) {
            (Ok(()), entry) => out.entries.push(entry),
            (Err(refusal), Entry { at: Some(at), .. }) => {
                out.output.result(at, refusal.result());
            }
            (Err(Refusal { code, .. }), mut entry) => {
                entry.origin = match entry.origin {
                    Origin::Triggered(place, _) => Origin::Refused(place),
                    Origin::Slice(place, slice) => Origin::Slice(place, Slice { code, ..slice }),
                    other => other,
                };
                out.entries.push(entry);
            }
        }
    }
    out
}

/// Gives a triggered entry, or a slice, the order's present fields; `None` when it no longer waits.
fn refresh(groups: &[GroupShard], entry: &mut Entry, env: &Env<'_>) -> Option<()> {
    let (Origin::Triggered(place, _) | Origin::Refused(place) | Origin::Slice(place, _)) =
        entry.origin
    else {
        return None;
    };
    let market = env.chain.market(entry.order.market)?;
    let group = groups.get(market.group.index())?;
    let record = group.orders.get(place.slot)?;
    if !group.waits_at(place) {
        return None;
    }
    let special = group.special(record)?;
    if let Origin::Slice(..) = entry.origin {
        let (order, slice) = slices::slice(group, record, special, market, env)?;
        entry.order = order;
        entry.origin = Origin::Slice(place, slice);
    } else {
        entry.order = record.order(Some(special));
        entry.order.size = record.remaining.saturating_sub(special.dormant);
        entry.origin = Origin::Triggered(place, entry.order.size);
    }
    Some(())
}

/// Admits the orders of a link together, or refuses them: one with its code, the others for that.
fn admit_linked(
    shard: &mut AccountShard,
    groups: &[GroupShard],
    mut entry: Entry,
    claimed: &mut Claimed,
    env: &Env<'_>,
    out: &mut Admitted,
) {
    let Some(mut bundle) = entry.bundle.take() else {
        return;
    };
    let market = env.chain.market(entry.order.market);
    let group = market.map_or(GroupId(0), |market| market.group);
    let mut refused = None;
    for (leg, part) in bundle.legs.iter_mut().zip(1_u16..) {
        if let Err(refusal) = judge(shard, groups, leg, claimed, env) {
            refused = Some((part, refusal));
            break;
        }
    }
    if refused.is_none() {
        let judged = judge(shard, groups, &mut entry, claimed, env);
        refused = judged.err().map(|refusal| (0, refusal));
    }
    let Some((part, refusal)) = refused else {
        entry.bundle = Some(bundle);
        out.entries.push(entry);
        return;
    };
    let claims = if part == 0 {
        u16::MAX
    } else {
        part.saturating_sub(1)
    };
    for leg in bundle.legs.iter().take(usize::from(claims)) {
        unclaim(leg, group, claimed);
    }
    for (of, entry) in (0_u16..).zip(std::iter::once(&entry).chain(&bundle.legs)) {
        let refusal = if of == part {
            refusal
        } else {
            Code::LinkRefused.into()
        };
        if let Some(at) = entry.at {
            out.output.result(at, refusal.result());
        }
    }
}

fn judge(
    shard: &mut AccountShard,
    groups: &[GroupShard],
    entry: &mut Entry,
    claimed: &mut Claimed,
    env: &Env<'_>,
) -> Result<(), Refusal> {
    let order = entry.order;
    let market = env.chain.market(order.market).ok_or(Code::UnknownMarket)?;
    let group = groups
        .get(market.group.index())
        .ok_or(Code::UnknownMarket)?;
    let old = replaced_order(group, entry, claimed)?;
    check_form(entry, market, env)?;
    check_price(entry, market, env)?;
    check_group(group, entry, claimed, env)?;
    if entry.waits() {
        claim(entry, market.group, claimed);
        return Ok(());
    }
    let position = shard.position_size(entry.owner.slot(), order.market);
    let derivative = market.kind.is_derivative();
    if order.reduce_only && (!derivative || reducible(order.side, position) == 0) {
        return Err(Code::ReduceOnly.into());
    }
    let lots = reserve(shard, entry, old.as_ref(), market, env)?;
    entry.order.size = lots;
    claim(entry, market.group, claimed);
    Ok(())
}

/// The order that a keep entry replaces, when it replaces one.
fn replaced_order(
    group: &GroupShard,
    entry: &Entry,
    claimed: &Claimed,
) -> Result<Option<OrderRecord>, Code> {
    let Origin::Replaces(Place { slot, priority }) = entry.origin else {
        return Ok(None);
    };
    let record = group
        .orders
        .get(slot)
        .filter(|record| record.priority == priority);
    if claimed.replaced.contains(&(group.group, slot)) {
        return Err(Code::UnknownOrder);
    }
    record.copied().map(Some).ok_or(Code::UnknownOrder)
}

/// Floors, client ids and the number of open orders. A triggered order has its place already.
fn check_group(
    group: &GroupShard,
    entry: &Entry,
    claimed: &Claimed,
    env: &Env<'_>,
) -> Result<(), Code> {
    let order = &entry.order;
    let owner = entry.owner;
    if entry.triggered() {
        return Ok(());
    }
    let pair = (entry.key.nonce, entry.key.index);
    if group.refuses(owner, order.market, order.label, order.client_id, pair) {
        return Err(Code::CancelledBefore);
    }
    if let Some(client) = order.client_id {
        let own = match entry.origin {
            Origin::Replaces(place) => Some(place.slot),
            _ => None,
        };
        let open = group.by_client.get(&(owner, client));
        if (open.is_some() && open != own)
            || claimed.clients.contains(&(owner, group.group, client))
        {
            return Err(Code::ClientIdInUse);
        }
    }
    if entry.quote
        && let Some(protection) = group.protections().get(owner)
        && protection.frozen(env.time)
    {
        return Err(Code::QuotesFrozen);
    }
    let replaces = matches!(entry.origin, Origin::Replaces(_));
    if (order.may_rest() || entry.waits()) && !replaces {
        let resting = group.member(owner).map_or(0, |member| member.open_orders);
        let admitted = claimed
            .resting
            .get(&(owner, group.group))
            .copied()
            .unwrap_or(0);
        if resting.saturating_add(admitted) >= env.chain.spec.limits.open_orders {
            return Err(Code::OpenOrderLimit);
        }
    }
    Ok(())
}

fn claim(entry: &Entry, group: GroupId, claimed: &mut Claimed) {
    if entry.triggered() {
        return;
    }
    if let Some(client) = entry.order.client_id {
        claimed.clients.insert((entry.owner, group, client));
    }
    match entry.origin {
        Origin::Replaces(place) => {
            claimed.replaced.insert((group, place.slot));
        }
        _ if entry.order.may_rest() || entry.waits() => {
            let count = claimed.resting.entry((entry.owner, group)).or_default();
            *count = count.saturating_add(1);
        }
        _ => {}
    }
}

/// Takes back what an order has claimed that was not admitted after all.
fn unclaim(entry: &Entry, group: GroupId, claimed: &mut Claimed) {
    if let Some(client) = entry.order.client_id {
        claimed.clients.remove(&(entry.owner, group, client));
    }
    if let Some(count) = claimed.resting.get_mut(&(entry.owner, group)) {
        *count = count.saturating_sub(1);
    }
}

/// Reserves for the order and returns how many lots it may have.
fn reserve(
    shard: &mut AccountShard,
    entry: &Entry,
    old: Option<&OrderRecord>,
    market: &MarketSpec,
    env: &Env<'_>,
) -> Result<Lots, Refusal> {
    shard.refold(entry.owner.slot(), env);
    let slot = entry.owner.slot();
    let mut before = *shard.accounts.get(slot).ok_or(Code::Internal)?;
    if before.portfolio() {
        before.initial = before.initial.saturating_sub(shard.reserve(slot));
    }
    let old = old.map(|record| release_of(record, record.remaining));
    if let Some(old) = &old {
        old.apply(shard, env).ok_or(Code::Internal)?;
    }
    let lots = affordable(shard, entry, &before, market, env);
    if let (Err(_), Some(old)) = (&lots, &old) {
        old.reserve(shard, env).ok_or(Code::Internal)?;
    }
    lots
}

fn opening(entry: &Entry, lots: Lots) -> Release {
    let order = &entry.order;
    Release {
        owner: entry.owner,
        market: order.market,
        side: order.side,
        price: order.price,
        lots,
    }
}

/// How many lots of the order the account can cover: all of them, or for IOC as many as it can. Those
/// are reserved.
fn affordable(
    shard: &mut AccountShard,
    entry: &Entry,
    before: &AccountRecord,
    market: &MarketSpec,
    env: &Env<'_>,
) -> Result<Lots, Refusal> {
    let order = &entry.order;
    let slot = entry.owner.slot();
    let (size, open) = shard
        .position(slot, order.market)
        .map_or((0, 0), |position| (position.size, position.open));
    let all = size
        .saturating_abs()
        .saturating_add(open)
        .saturating_add(order.size);
    let amount = i128::from(all).saturating_mul(market.lot_amount.into());
    if all > MAX_POSITION || amount > MAX_AMOUNT {
        return Err(Code::PositionLimit.into());
    }
    let lots = deliverable(shard, slot, order, market)?;
    let under = before.equity() < before.held;
    if !under && reserve_covered(shard, entry, lots, env) {
        return Ok(lots);
    }
    let reserved = |shard: &mut AccountShard, lots: Lots| {
        let reserved = opening(entry, lots).reserve(shard, env);
        reserved.map(|()| lots).ok_or(Code::Internal.into())
    };
    if reduces_risk(shard, entry, lots, before, env) {
        return reserved(shard, lots);
    }
    if order.tif == TimeInForce::Ioc {
        let cut = if under {
            0
        } else {
            most_covered(shard, entry, lots, env)
        };
        if cut > 0 {
            return reserved(shard, cut);
        }
        let cut = lots.min(reducible(order.side, size));
        if cut > 0 && reduces_risk(shard, entry, cut, before, env) {
            return reserved(shard, cut);
        }
    }
    Err(if under {
        let missing = before.held.saturating_sub(before.equity());
        Refusal::missing(Code::UnderMaintenance, missing)
    } else {
        let missing = short_of_margin(shard, entry, lots, env);
        Refusal::missing(Code::InsufficientMargin, missing)
    })
}

/// By how much equity is below initial margin, counting an order of so many lots.
fn short_of_margin(shard: &mut AccountShard, entry: &Entry, lots: Lots, env: &Env<'_>) -> Atoms {
    let opening = opening(entry, lots);
    if opening.reserve(shard, env).is_none() {
        return Atoms::MAX;
    }
    shard.refold(entry.owner.slot(), env);
    let record = shard.accounts.get(entry.owner.slot()).copied();
    opening.apply(shard, env);
    record.map_or(0, |record| record.initial.saturating_sub(record.equity()))
}

/// Reserves an order of so many lots, unless equity does not cover initial margin then. In Portfolio
/// mode the reservation that was tried stays, for each one costs a requirement.
fn reserve_covered(shard: &mut AccountShard, entry: &Entry, lots: Lots, env: &Env<'_>) -> bool {
    let opening = opening(entry, lots);
    if !portfolio(shard, entry) {
        return lots_in_margin(shard, entry, lots, env) == lots
            && opening.reserve(shard, env).is_some();
    }
    if opening.reserve(shard, env).is_none() {
        return false;
    }
    shard.refold(entry.owner.slot(), env);
    let record = shard.accounts.get(entry.owner.slot());
    let covered = record.is_some_and(|record| record.initial <= record.equity());
    if !covered {
        opening.apply(shard, env);
    }
    covered
}

fn portfolio(shard: &AccountShard, entry: &Entry) -> bool {
    let record = shard.accounts.get(entry.owner.slot());
    record.is_some_and(AccountRecord::portfolio)
}

/// How often [`most_covered`] draws a chord.
const CHORDS: u32 = 3;

/// How many lots equity covers, at most `lots`, which it does not cover. In Portfolio mode what is
/// missing is convex in the lots, so that the chord from a point that is covered to one that is not
/// comes to zero at another that is covered; a few of them come close, and one does where it is a line.
fn most_covered(shard: &mut AccountShard, entry: &Entry, lots: Lots, env: &Env<'_>) -> Lots {
    if !portfolio(shard, entry) {
        return lots_in_margin(shard, entry, lots, env);
    }
    let at_all = short_of_margin(shard, entry, lots, env);
    let (mut low, mut at_low) = (0, short_of_margin(shard, entry, 0, env));
    for _ in 0..CHORDS {
        if at_low > 0 {
            break;
        }
        let room = Atoms::from(lots.saturating_sub(low)).saturating_mul(at_low.saturating_neg());
        let more = room.checked_div(at_all.saturating_sub(at_low)).unwrap_or(0);
        let next = low.saturating_add(Lots::try_from(more).unwrap_or(0));
        let at_next = short_of_margin(shard, entry, next, env);
        if next == low || at_next > 0 {
            break;
        }
        (low, at_low) = (next, at_next);
    }
    low
}

/// Lots that the free balance of the base asset can deliver.
fn deliverable(
    shard: &AccountShard,
    slot: u32,
    order: &Order,
    market: &MarketSpec,
) -> Result<Lots, Refusal> {
    let Some((base, asked)) = reserved_base(market, order.side, order.size) else {
        return Ok(order.size);
    };
    let MarketKind::Spot { lot_atoms, .. } = market.kind else {
        return Ok(order.size);
    };
    let free = shard.free(slot, base);
    let lots = free
        .max(0)
        .checked_div(lot_atoms)
        .unwrap_or(0)
        .min(Atoms::from(order.size));
    let lots = Lots::try_from(lots).unwrap_or(0);
    let enough = lots == order.size || (order.tif == TimeInForce::Ioc && lots > 0);
    if enough {
        Ok(lots)
    } else {
        let missing = asked.saturating_sub(free);
        Err(Refusal::missing(Code::InsufficientBalance, missing))
    }
}

/// The largest number of lots, at most `lots`, with which equity covers initial margin.
///
/// The requirement of the market is the larger of two figures that grow linearly with the lots, so
/// each gives a bound by one division.
fn lots_in_margin(shard: &AccountShard, entry: &Entry, lots: Lots, env: &Env<'_>) -> Lots {
    let order = &entry.order;
    let slot = entry.owner.slot();
    let Some((_, risk)) = env.market(order.market) else {
        return 0;
    };
    let Some(record) = shard.accounts.get(slot) else {
        return 0;
    };
    let (size, worst) = shard
        .position(slot, order.market)
        .map_or((0, Default::default()), |p| (p.size, p.terms().initial));
    let (long_loses, short_loses) = scenarios(risk.initial, size, worst);
    let own = long_loses.max(short_loses);
    let slack = record
        .equity()
        .saturating_sub(record.initial)
        .saturating_add(own);
    let per_lot = env.terms(order.market, order.side, order.price, 1).initial;
    let scenarios = [(long_loses, per_lot.plus), (short_loses, per_lot.minus)];
    let mut most = Atoms::from(lots);
    for (needed, per_lot) in scenarios {
        let left = slack.saturating_sub(needed);
        let cost = 0_i128.saturating_sub(per_lot);
        most = if left < 0 {
            0
        } else {
            left.checked_div(cost).map_or(most, |bound| bound.min(most))
        };
    }
    Lots::try_from(most).unwrap_or(0)
}

/// Whether an order of `lots` may be admitted below initial margin (docs/execution.md). What open
/// orders reserve counts in no initial margin here.
fn reduces_risk(
    shard: &mut AccountShard,
    entry: &Entry,
    lots: Lots,
    before: &AccountRecord,
    env: &Env<'_>,
) -> bool {
    let order = &entry.order;
    let slot = entry.owner.slot();
    let Some((market, risk)) = env.market(order.market) else {
        return false;
    };
    let fee = risk.fee(order.price, market.tick_value, market.taker_fee_ppm);
    let at = (order.price, market.taker_fee_ppm);
    let allowed = Uncovered {
        shard,
        owner: entry.owner,
        traded: None,
    }
    .allowed(order.market, order.side, at, lots, env);
    if allowed < lots || before.equity() < fee.saturating_mul(Atoms::from(lots)) {
        return false;
    }
    let opening = opening(entry, lots);
    if opening.reserve(shard, env).is_none() {
        return false;
    }
    shard.refold(slot, env);
    let after = shard.accounts.get(slot).copied();
    let reserve = if before.portfolio() {
        shard.reserve(slot)
    } else {
        0
    };
    opening.apply(shard, env);
    after.is_some_and(|after| {
        let initial = after.initial.saturating_sub(reserve);
        initial <= before.initial && after.maintenance <= before.maintenance
    })
}
