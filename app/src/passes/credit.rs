//! The serial step behind pass 1: transfers arrive, prices and statuses become pending.

use crate::form::status_number;
use crate::passes::authorise::TransferIntent;
use crate::passes::open::{PENDING, PENDING_PRICE, PENDING_STATUS, PENDING_SURFACE};
use crate::passes::{Env, Output};
use crate::state::State;
use ballast_types::{
    ActionKey, ActionResult, Code, Event, PriceKind, PriceUpdate, SetMarketStatus, SetSurface,
    claim_ticket,
};

/// Credits transfers. Places for new accounts are claims, granted in canonical order.
pub(crate) fn transfers(
    state: &mut State,
    mut transfers: Vec<TransferIntent>,
    env: &Env<'_>,
    out: &mut Output,
) {
    transfers.sort_by_cached_key(|intent| {
        (
            claim_ticket(&env.seed, "accounts", intent.from.master),
            intent.key,
        )
    });
    for intent in transfers {
        let code = credit(state, &intent, env, out);
        out.result(intent.at, ActionResult::code(code));
    }
}

fn credit(state: &mut State, intent: &TransferIntent, env: &Env<'_>, out: &mut Output) -> Code {
    let transfer = intent.transfer;
    let amount = i128::try_from(transfer.amount).unwrap_or(0);
    let receiver = state
        .find(&transfer.to)
        .or_else(|| state.create(transfer.to, env.time));
    let (to, code) = match receiver {
        Some(receiver) => (receiver, Code::Ok),
        None => (intent.payer, Code::AccountLimit),
    };
    let done = state
        .shard_mut(to)
        .and_then(|shard| shard.credit(to.slot(), transfer.asset, amount));
    if done.is_none() {
        return Code::Internal;
    }
    if code == Code::Ok {
        out.events.push(Event::Transferred {
            asset: transfer.asset,
            amount: transfer.amount,
            from: intent.from,
            to: transfer.to,
        });
    }
    code
}

/// Keeps the prices that count from the next block on: for each market and kind the last in canonical
/// order.
pub(crate) fn prices(state: &mut State, mut prices: Vec<(ActionKey, Vec<PriceUpdate>)>) {
    prices.sort_unstable_by_key(|(key, _)| *key);
    for update in prices.into_iter().flat_map(|(_, updates)| updates) {
        let Some(record) = state.marks.get_mut(update.market.0) else {
            continue;
        };
        match update.kind {
            PriceKind::Mark => record.pending = update.price,
            PriceKind::Index => record.pending_index = update.price,
        }
        remember(state, PENDING_PRICE);
    }
}

/// Keeps the surfaces that count from the next block on, likewise.
pub(crate) fn surfaces(state: &mut State, mut surfaces: Vec<(ActionKey, SetSurface)>) {
    surfaces.sort_unstable_by_key(|(key, _)| *key);
    for (_, SetSurface { group, expiries }) in surfaces {
        state.listed.set_surface(group, true, &expiries);
        if let Some(record) = state.listed.units.get_mut(u32::from(group.0)) {
            record.pending = 1;
            remember(state, PENDING_SURFACE);
        }
    }
}

/// Keeps the statuses that count from the next block on, likewise.
pub(crate) fn statuses(state: &mut State, mut statuses: Vec<(ActionKey, SetMarketStatus)>) {
    statuses.sort_unstable_by_key(|(key, _)| *key);
    for (_, update) in statuses {
        if let Some(record) = state.marks.get_mut(update.market.0) {
            record.pending_status = status_number(update.status).saturating_add(1);
            remember(state, PENDING_STATUS);
        }
    }
}

/// Something is pending.
fn remember(state: &mut State, what: u64) {
    if let Some(pending) = state.marks.words_mut().counters.get_mut(PENDING) {
        *pending |= what;
    }
}
