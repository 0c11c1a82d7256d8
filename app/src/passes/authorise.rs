//! Pass 1: who may do what. Nonces, key scope, tokens, transfers out; actions split by class.

use crate::accounts::{AccountRef, AccountShard};
use crate::form::mode_of;
use crate::passes::agents::{check_agent_order, live_agent, remove_agent, set_agent};
use crate::passes::prices::{check_prices, check_status, check_surface};
use crate::passes::quotes::{ProtectionIntent, QuotesIntent};
use crate::passes::unpack::Unit;
use crate::passes::{Bundle, Entry, Env, Origin, Output, Refusal, ResultAt, linked, quotes, scale};
use crate::records::{AccountRecord, AgentRecord};
use ballast_types::{
    Account, Action, ActionKey, ActionResult, Amend, Atoms, Cancel, Code, Event, GroupId, KeyId,
    Linked, MarginMode, Order, OrderRef, PartResult, PriceUpdate, Scale, Scheme, SetMarketStatus,
    SetSurface, Transfer, Tx, TxKey,
};

/// Largest amount in a transaction.
pub(crate) const MAX_AMOUNT: u128 = 1 << 100;

/// How long a dead man's switch may run, in ms.
const CANCEL_AFTER: std::ops::RangeInclusive<u64> = 1_000..=86_400_000;

/// A cancel on its way to its group.
#[derive(Clone, Debug)]
pub(crate) struct CancelIntent {
    pub(crate) at: ResultAt,
    pub(crate) key: ActionKey,
    pub(crate) account: Account,
    pub(crate) owner: AccountRef,
    pub(crate) cancel: Cancel,
}

/// An amend on its way to its group, with the scope of the agent that signed.
#[derive(Clone, Debug)]
pub(crate) struct AmendIntent {
    pub(crate) at: ResultAt,
    pub(crate) key: ActionKey,
    pub(crate) account: Account,
    pub(crate) owner: AccountRef,
    pub(crate) amend: Amend,
    pub(crate) agent: Option<AgentRecord>,
}

/// What pass 2 does in one order.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Amend(AmendIntent),
    Quotes(QuotesIntent),
}

/// Cash that left its account and waits to be credited.
#[derive(Clone, Debug)]
pub(crate) struct TransferIntent {
    pub(crate) at: ResultAt,
    pub(crate) key: ActionKey,
    pub(crate) from: Account,
    pub(crate) payer: AccountRef,
    pub(crate) transfer: Transfer,
}

/// What a shard's authorised transactions ask of the passes behind.
#[derive(Debug, Default)]
pub(crate) struct Authorised {
    pub(crate) output: Output,
    /// (transaction, its code).
    pub(crate) codes: Vec<(u32, Code)>,
    pub(crate) cancels: Vec<CancelIntent>,
    pub(crate) protections: Vec<ProtectionIntent>,
    pub(crate) changes: Vec<Change>,
    pub(crate) orders: Vec<Entry>,
    pub(crate) transfers: Vec<TransferIntent>,
    pub(crate) prices: Vec<(ActionKey, Vec<PriceUpdate>)>,
    pub(crate) statuses: Vec<(ActionKey, SetMarketStatus)>,
    pub(crate) surfaces: Vec<(ActionKey, SetSurface)>,
}

/// The transaction that is being authorised, and who signed it.
struct Signed<'a> {
    number: u32,
    tx: &'a Tx,
    owner: AccountRef,
    agent: Option<AgentRecord>,
}

impl Signed<'_> {
    fn key(&self, index: u16) -> ActionKey {
        ActionKey {
            nonce: self.tx.nonce,
            key: self.tx.key_id,
            hash: self.tx.hash,
            index,
            part: 0,
        }
    }
}

pub(crate) fn tx_key(tx: &Tx) -> TxKey {
    let (native, number) = match tx.scheme {
        Scheme::Native => (true, tx.nonce),
        Scheme::Cosmos { sequence, .. } => (false, sequence),
    };
    TxKey {
        native,
        number,
        key: tx.key_id,
        hash: tx.hash,
    }
}

/// Authorises the transactions of one shard, given by their numbers in the block.
pub(crate) fn authorise(
    shard: &mut AccountShard,
    number: usize,
    mut txs: Vec<(u32, &Unit)>,
    env: &Env<'_>,
) -> Authorised {
    let mut out = Authorised::default();
    txs.sort_unstable_by_key(|(_, unit)| unit.tx.as_ref().map(tx_key).ok());
    for (at, unit) in txs {
        let Ok(tx) = &unit.tx else { continue };
        match admit_tx(shard, number, at, tx, env) {
            Ok((signed, master)) => {
                out.codes.push((at, Code::Ok));
                run(shard, &signed, master, env, &mut out);
            }
            Err(code) => out.codes.push((at, code)),
        }
    }
    out
}

fn admit_tx<'a>(
    shard: &AccountShard,
    number: usize,
    at: u32,
    tx: &'a Tx,
    env: &Env<'_>,
) -> Result<(Signed<'a>, u32), Code> {
    check_time(tx, env)?;
    let slot = shard.slot(&tx.account).ok_or(Code::UnknownAccount)?;
    let master = shard
        .master_slot(tx.account.master)
        .ok_or(Code::UnknownAccount)?;
    let agent = if tx.key_id == tx.account.master {
        None
    } else {
        Some(live_agent(shard, master, tx, env).ok_or(Code::KeyNotAllowed)?)
    };
    match tx.scheme {
        Scheme::Native => {
            if shard.nonce_at.contains(&(tx.nonce, master, tx.key_id)) {
                return Err(Code::NonceUsed);
            }
        }
        Scheme::Cosmos { sequence, .. } => {
            let record = shard.masters.get(master).ok_or(Code::Internal)?;
            if sequence != record.sequence {
                return Err(Code::BadSequence);
            }
            if ranks_by_nonce(tx) && tx.nonce <= record.cosmos_nonce {
                return Err(Code::NonceUsed);
            }
        }
    }
    Ok((
        Signed {
            number: at,
            tx,
            owner: AccountRef::new(number, slot),
            agent,
        },
        master,
    ))
}

/// Bank transfers have no nonce; everything else has.
fn ranks_by_nonce(tx: &Tx) -> bool {
    let only_transfers = tx
        .actions
        .iter()
        .all(|action| matches!(action, Action::Transfer(_)));
    tx.nonce != 0 || !only_transfers
}

fn check_time(tx: &Tx, env: &Env<'_>) -> Result<(), Code> {
    let expired = match tx.scheme {
        Scheme::Native => env.time >= tx.expiry,
        Scheme::Cosmos { timeout_height, .. } => timeout_height > 0 && env.height > timeout_height,
    };
    if expired {
        return Err(Code::Expired);
    }
    let limits = &env.chain.spec.limits;
    let oldest = env.time.saturating_sub(limits.nonce_past_ms);
    let newest = env.time.saturating_add(limits.nonce_future_ms);
    let checked = tx.scheme == Scheme::Native || ranks_by_nonce(tx);
    if checked && !(oldest..=newest).contains(&tx.nonce) {
        return Err(Code::NonceWindow);
    }
    Ok(())
}

/// Takes tokens and runs the actions of an authorised transaction.
fn run(
    shard: &mut AccountShard,
    signed: &Signed<'_>,
    master: u32,
    env: &Env<'_>,
    out: &mut Authorised,
) {
    let tx = signed.tx;
    refill(shard, master, env);
    let mut charged = false;
    for (index, action) in (0_u16..).zip(&tx.actions) {
        let cancel = matches!(action, Action::Cancel(_) | Action::CancelAfter(_));
        let paid = take_token(shard, master, cancel);
        charged |= paid;
        let at = ResultAt::new(signed.number, index);
        if !paid && !cancel {
            out.output.result(at, ActionResult::code(Code::RateLimited));
        } else if let Err(refusal) = act(shard, signed, master, index, action, env, out) {
            out.output.result(at, refusal.result());
        }
    }
    match tx.scheme {
        Scheme::Native if charged => {
            // The nonce was free a moment ago, so this cannot fail.
            let _ = shard.use_nonce((tx.nonce, master, tx.key_id));
        }
        Scheme::Native => {}
        Scheme::Cosmos { .. } => {
            if let Some(record) = shard.masters.get_mut(master) {
                record.sequence = record.sequence.saturating_add(1);
                if ranks_by_nonce(tx) {
                    record.cosmos_nonce = tx.nonce;
                }
            }
        }
    }
}

/// A token in the thousandths that buckets count.
const TOKEN: u64 = 1_000;

fn refill(shard: &mut AccountShard, master: u32, env: &Env<'_>) {
    let limits = &env.chain.spec.limits;
    let Some(record) = shard.masters.get(master) else {
        return;
    };
    let since = env.time.saturating_sub(record.refilled);
    if since == 0 {
        return;
    }
    let more = limits.bucket_refill.saturating_mul(since);
    let fill = |tokens: u64, size: u64| tokens.saturating_add(more).min(size.saturating_mul(TOKEN));
    let Some(record) = shard.masters.get_mut(master) else {
        return;
    };
    record.tokens = fill(record.tokens, limits.bucket_tokens);
    record.cancel_tokens = fill(record.cancel_tokens, limits.cancel_tokens);
    record.refilled = env.time;
}

fn take_token(shard: &mut AccountShard, master: u32, cancel: bool) -> bool {
    let Some(record) = shard.masters.get_mut(master) else {
        return false;
    };
    let bucket = if cancel {
        &mut record.cancel_tokens
    } else {
        &mut record.tokens
    };
    match bucket.checked_sub(TOKEN) {
        Some(left) => {
            *bucket = left;
            true
        }
        None => false,
    }
}

/// Does what concerns the account shard, or hands the action on. OK results of actions that end here
/// are written here, those of others by the pass that decides.
fn act(
    shard: &mut AccountShard,
    signed: &Signed<'_>,
    master: u32,
    index: u16,
    action: &Action,
    env: &Env<'_>,
    out: &mut Authorised,
) -> Result<(), Refusal> {
    let at = ResultAt::new(signed.number, index);
    let key = signed.key(index);
    let (account, owner) = (signed.tx.account, signed.owner);
    if signed.agent.is_some() && !of_agents(action) {
        return Err(Code::AgentScope.into());
    }
    match action {
        Action::Order(order) => {
            check_agent_order(signed.agent.as_ref(), order, env)?;
            out.orders.push(entry(at, key, account, owner, *order));
        }
        Action::Transfer(transfer) => {
            debit(shard, owner.slot(), account, transfer, env)?;
            let transfer = *transfer;
            out.transfers.push(TransferIntent {
                at,
                key,
                from: account,
                payer: owner,
                transfer,
            });
        }
        Action::SetAgent(agent) => {
            set_agent(shard, master, agent, env)?;
            finish_agent(out, at, account, agent.key, agent.expiry);
        }
        Action::RemoveAgent(key) => {
            remove_agent(shard, master, *key)?;
            finish_agent(out, at, account, *key, 0);
        }
        Action::SetPrices(prices) => {
            check_prices(signed.tx.key_id, prices, env)?;
            out.prices.push((key, prices.clone()));
            out.output.result(at, ActionResult::code(Code::Ok));
        }
        Action::SetMarketStatus(status) => {
            check_status(signed.tx.key_id, status, env)?;
            out.statuses.push((key, *status));
            out.output.result(at, ActionResult::code(Code::Ok));
        }
        Action::SetMarginMode(mode) => {
            set_mode(shard, owner.slot(), *mode, env)?;
            out.output.result(at, ActionResult::code(Code::Ok));
        }
        Action::SetSurface(surface) => {
            check_surface(signed.tx.key_id, surface, env)?;
            out.surfaces.push((key, surface.clone()));
            out.output.result(at, ActionResult::code(Code::Ok));
        }
        Action::Scale(scale) => place_scale(signed, at, key, scale, env, out)?,
        Action::Linked(linked) => place_linked(signed, at, key, linked, env, out)?,
        Action::CancelAfter(ms) => {
            cancel_after(shard, owner.slot(), *ms, env)?;
            out.output.result(at, ActionResult::code(Code::Ok));
        }
        Action::Amend(_) | Action::Cancel(_) | Action::Quotes(_) | Action::SetProtection(_) => {
            hand_on(signed, at, key, action, env, out)?;
        }
    }
    Ok(())
}

/// Hands an action on that pass 2 does.
fn hand_on(
    signed: &Signed<'_>,
    at: ResultAt,
    key: ActionKey,
    action: &Action,
    env: &Env<'_>,
    out: &mut Authorised,
) -> Result<(), Code> {
    let (account, owner) = (signed.tx.account, signed.owner);
    match action {
        Action::Amend(amend) => {
            check_group(group_of(&amend.order), env)?;
            let agent = signed.agent;
            out.changes.push(Change::Amend(AmendIntent {
                at,
                key,
                account,
                owner,
                amend: *amend,
                agent,
            }));
        }
        Action::Cancel(cancel) => {
            check_cancel(cancel, env)?;
            out.cancels.push(CancelIntent {
                at,
                key,
                account,
                owner,
                cancel: *cancel,
            });
        }
        Action::Quotes(quotes) => {
            check_group(quotes.group, env)?;
            quotes::check(quotes, signed.agent.as_ref(), env)?;
            let sides = quotes.quotes.len().saturating_mul(2);
            out.output.result(at, in_parts(sides));
            out.changes.push(Change::Quotes(QuotesIntent {
                at,
                key,
                account,
                owner,
                quotes: quotes.clone(),
            }));
        }
        Action::SetProtection(settings) => {
            check_group(settings.group, env)?;
            quotes::check_protection(settings)?;
            out.protections.push(ProtectionIntent {
                at,
                key,
                account,
                owner,
                settings: *settings,
            });
        }
        // The others end in pass 1, or become entries there.
        _ => return Err(Code::Internal),
    }
    Ok(())
}

/// What an agent may do: nothing that moves money or rights.
fn of_agents(action: &Action) -> bool {
    match action {
        Action::Order(_)
        | Action::Amend(_)
        | Action::Cancel(_)
        | Action::CancelAfter(_)
        | Action::Scale(_)
        | Action::Linked(_)
        | Action::Quotes(_)
        | Action::SetProtection(_) => true,
        Action::Transfer(_)
        | Action::SetAgent(_)
        | Action::RemoveAgent(_)
        | Action::SetPrices(_)
        | Action::SetMarketStatus(_)
        | Action::SetMarginMode(_)
        | Action::SetSurface(_) => false,
    }
}

/// Places the orders of a scale, each as a part of the action.
fn place_scale(
    signed: &Signed<'_>,
    at: ResultAt,
    key: ActionKey,
    scale: &Scale,
    env: &Env<'_>,
    out: &mut Authorised,
) -> Result<(), Code> {
    let orders = scale::orders(scale)?;
    out.output.result(at, in_parts(orders.len()));
    for (part, order) in (0_u16..).zip(orders) {
        let at = at.of_part(part);
        if let Err(code) = check_agent_order(signed.agent.as_ref(), &order, env) {
            out.output.result(at, ActionResult::code(code));
            continue;
        }
        let key = ActionKey { part, ..key };
        out.orders
            .push(entry(at, key, signed.tx.account, signed.owner, order));
    }
    Ok(())
}

/// Places the first order of a link, with its legs, each as a part of the action.
fn place_linked(
    signed: &Signed<'_>,
    at: ResultAt,
    key: ActionKey,
    linked: &Linked,
    env: &Env<'_>,
    out: &mut Authorised,
) -> Result<(), Code> {
    linked::check(linked, env)?;
    let orders = || std::iter::once(&linked.order).chain(&linked.legs);
    out.output.result(at, in_parts(orders().count()));
    let agent = signed.agent.as_ref();
    let refused = (0_u16..).zip(orders()).find_map(|(part, order)| {
        let refused = check_agent_order(agent, order, env).err()?;
        Some((part, refused))
    });
    if let Some((part, code)) = refused {
        for (of, _) in (0_u16..).zip(orders()) {
            let code = if of == part { code } else { Code::LinkRefused };
            out.output.result(at.of_part(of), ActionResult::code(code));
        }
        return Ok(());
    }
    let part = |part: u16, order: &Order| {
        let key = ActionKey { part, ..key };
        let (account, owner) = (signed.tx.account, signed.owner);
        entry(at.of_part(part), key, account, owner, *order)
    };
    let legs = (1_u16..).zip(&linked.legs).map(|(number, leg)| Entry {
        origin: Origin::Leg,
        ..part(number, leg)
    });
    let bundle = Bundle {
        kind: linked.kind,
        rule: linked.rule,
        legs: legs.collect(),
    };
    out.orders.push(Entry {
        bundle: Some(Box::new(bundle)),
        ..part(0, &linked.order)
    });
    Ok(())
}

/// An action whose parts get their results later.
fn in_parts(parts: usize) -> ActionResult {
    let unknown = PartResult {
        code: Code::Internal,
        order: None,
        filled: 0,
        missing: None,
    };
    ActionResult {
        parts: vec![unknown; parts],
        ..ActionResult::code(Code::Ok)
    }
}

/// The group of the order that an amend names.
pub(crate) fn group_of(order: &OrderRef) -> GroupId {
    match order {
        OrderRef::Id(id) => id.group(),
        OrderRef::Client { group, .. } => *group,
    }
}

fn entry(at: ResultAt, key: ActionKey, account: Account, owner: AccountRef, order: Order) -> Entry {
    Entry {
        at: Some(at),
        key,
        account,
        owner,
        order,
        filled: 0,
        origin: Origin::New,
        quote: false,
        bundle: None,
    }
}

fn finish_agent(out: &mut Authorised, at: ResultAt, account: Account, key: KeyId, expiry: u64) {
    let account = Account::new(account.master, 0);
    out.output.events.push(Event::Agent {
        account,
        key,
        expiry,
    });
    out.output.result(at, ActionResult::code(Code::Ok));
}

fn check_group(group: GroupId, env: &Env<'_>) -> Result<(), Code> {
    let known = group.index() < env.chain.spec.groups.len();
    if known {
        Ok(())
    } else {
        Err(Code::UnknownMarket)
    }
}

fn check_cancel(cancel: &Cancel, env: &Env<'_>) -> Result<(), Code> {
    match cancel {
        Cancel::Market(market) => env
            .chain
            .market(*market)
            .map(|_| ())
            .ok_or(Code::UnknownMarket),
        other => other
            .group()
            .map_or(Ok(()), |group| check_group(group, env)),
    }
}

fn debit(
    shard: &mut AccountShard,
    slot: u32,
    from: Account,
    transfer: &Transfer,
    env: &Env<'_>,
) -> Result<(), Refusal> {
    let asset = transfer.asset;
    env.chain.spec.asset(asset).ok_or(Code::UnknownAsset)?;
    if transfer.amount == 0 || transfer.amount > MAX_AMOUNT || transfer.to == from {
        return Err(Code::BadAmount.into());
    }
    let amount = i128::try_from(transfer.amount).map_err(|_| Code::BadAmount)?;
    let missing = amount.saturating_sub(shard.free(slot, asset));
    if missing > 0 {
        return Err(Refusal::missing(Code::InsufficientBalance, missing));
    }
    let taken = 0_i128.saturating_sub(amount);
    let counts = asset == shard.margin_asset || portfolio(shard, slot);
    shard.credit(slot, asset, taken).ok_or(Code::Internal)?;
    let missing = short_of_margin(shard, slot, env)?;
    if counts && missing > 0 {
        shard.credit(slot, asset, amount).ok_or(Code::Internal)?;
        return Err(Refusal::missing(Code::InsufficientMargin, missing));
    }
    Ok(())
}

fn portfolio(shard: &AccountShard, slot: u32) -> bool {
    let record = shard.accounts.get(slot);
    record.is_some_and(AccountRecord::portfolio)
}

/// By how much equity is below initial margin.
fn short_of_margin(shard: &mut AccountShard, slot: u32, env: &Env<'_>) -> Result<Atoms, Code> {
    shard.refold(slot, env);
    let record = shard.accounts.get(slot).ok_or(Code::Internal)?;
    Ok(record.initial.saturating_sub(record.equity()))
}

/// Changes how the margin of an account is computed, while none of its orders rests.
fn set_mode(
    shard: &mut AccountShard,
    slot: u32,
    mode: MarginMode,
    env: &Env<'_>,
) -> Result<(), Refusal> {
    if shard.positions_of(slot).any(|position| position.open > 0) {
        return Err(Code::OpenOrders.into());
    }
    let record = shard.accounts.get(slot).ok_or(Code::Internal)?;
    let before = mode_of(record.mode);
    if before != mode {
        shard.set_mode(slot, mode, env).ok_or(Code::Internal)?;
    }
    let missing = short_of_margin(shard, slot, env)?;
    if missing <= 0 {
        return Ok(());
    }
    if before != mode {
        shard.set_mode(slot, before, env).ok_or(Code::Internal)?;
    }
    Err(Refusal::missing(Code::InsufficientMargin, missing))
}

/// Arms or disarms the dead man's switch of an account.
fn cancel_after(shard: &mut AccountShard, slot: u32, ms: u64, env: &Env<'_>) -> Result<(), Code> {
    let deadline = match ms {
        0 => 0,
        ms if CANCEL_AFTER.contains(&ms) => env.time.saturating_add(ms),
        _ => return Err(Code::BadTimeout),
    };
    shard.arm(slot, deadline).ok_or(Code::Internal)
}
