//! Pass 0: surfaces take effect, and the options of an expiry sample the index before it and are
//! settled at it.

use crate::form::status_number;
use crate::passes::expiry::sampled_ms;
use crate::prices::{OptionState, Prices};
use crate::state::State;
use crate::unit::{Figures, rounded, ticks};
use ballast_risk::{LotRisk, OptionLot};
use ballast_types::{
    Atoms, Event, GroupId, MarketId, MarketKind, MarketStatus, OptionKind, TimeMs,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Adds the time since the block before, at `last`, to the settlement prices of options that are about
/// to expire, at the index that the group had in it.
pub(crate) fn sample(state: &mut State, last: TimeMs, time: TimeMs) {
    let expiries: Vec<_> = state.listed.expiry_at.range(..).collect();
    for ((group, expiry), slot) in expiries {
        let ms = sampled_ms(expiry, last, time);
        if ms == 0 {
            continue;
        }
        let index = state.group_index(group);
        if let Some(record) = state.listed.expiries.get_mut(slot) {
            let sampled = i128::from(index).saturating_mul(i128::from(ms));
            record.sum = record.sum.saturating_add(sampled);
            record.weight = record.weight.saturating_add(ms);
        }
    }
}

/// The pending surfaces take effect. Returns their groups.
pub(crate) fn publish(state: &mut State, events: &mut Vec<Event>) -> BTreeSet<GroupId> {
    let units = state.listed.units.iter();
    let pending: Vec<_> = units
        .filter(|(_, record)| record.pending != 0)
        .filter_map(|(slot, _)| u16::try_from(slot).ok().map(GroupId))
        .collect();
    for group in &pending {
        let expiries = state.listed.surface(*group, true);
        state.listed.set_surface(*group, false, &expiries);
        state.listed.set_surface(*group, true, &[]);
        if let Some(record) = state.listed.units.get_mut(u32::from(group.0)) {
            record.pending = 0;
        }
        events.push(Event::Surface {
            group: *group,
            expiries,
        });
    }
    pending.into_iter().collect()
}

/// Settles the options that have expired, and returns them. Their positions are left to
/// [`super::open::revalue`].
pub(crate) fn expire(
    state: &mut State,
    time: TimeMs,
    prices: &mut Prices,
    events: &mut Vec<Event>,
) -> BTreeSet<MarketId> {
    let expiries = state.listed.expiry_at.range(..);
    let due: Vec<_> = expiries
        .filter(|((_, expiry), _)| time >= *expiry)
        .collect();
    let mut settled = BTreeSet::new();
    for (key, slot) in due {
        let price = settlement_price(state, key.0, slot);
        for market in state.listed.options_at(key) {
            // The option is there: an index names it.
            if settle(state, market, price, prices, events).is_some() {
                settled.insert(market);
            }
            state.listed.unsettled.remove(&(key.0, key.1, market));
        }
        state.listed.close_expiry(key);
    }
    let ladders: Vec<_> = state.listed.ladder_at.range(..).collect();
    for (key, _) in ladders
        .into_iter()
        .filter(|((_, expiry), _)| time >= *expiry)
    {
        state.listed.close_ladder(key);
    }
    settled
}

/// The average of the samples, else the index of the group, in its scale.
fn settlement_price(state: &State, group: GroupId, slot: u32) -> i64 {
    let average = state.listed.expiries.get(slot).and_then(|record| {
        let weight = i128::from(record.weight);
        let half = weight.div_euclid(2);
        record.sum.saturating_add(half).checked_div(weight)
    });
    match average {
        Some(average) => i64::try_from(average).unwrap_or(i64::MAX),
        None => state.group_index(group),
    }
}

fn settle(
    state: &mut State,
    id: MarketId,
    price: i64,
    prices: &mut Prices,
    events: &mut Vec<Event>,
) -> Option<()> {
    let chain = Arc::clone(&state.chain);
    let market = chain.market(id)?;
    let MarketKind::Option { strike, kind, .. } = market.kind else {
        return None;
    };
    let inside = match kind {
        OptionKind::Call => price.saturating_sub(strike),
        OptionKind::Put => strike.saturating_sub(price),
    };
    let amount = Atoms::from(inside.max(0)).saturating_mul(market.lot_amount.into());
    let payoff = amount.checked_div(chain.per_atom(market.group))?;
    let mark = ticks(rounded(payoff, market.tick_value)?).min(market.max_price);
    let unit = prices.unit(market.group);
    let index = unit.and_then(|unit| unit.index.checked_div(market.tick_price));
    let index = index.unwrap_or(0);
    let option = chain.option(id)?;
    let slot = u32::try_from(option).ok()?;
    state.listed.options.get_mut(slot)?.payoff = payoff;
    let record = state.marks.get_mut(id.0)?;
    (record.mark, record.index, record.pending_status) = (mark, index, 0);
    record.status = status_number(MarketStatus::Settled);
    let lot = OptionLot {
        value: payoff,
        ..OptionLot::default()
    };
    let figures = Figures {
        risk: LotRisk::option(market, &lot),
        array: None,
        mark,
        index,
    };
    *Arc::make_mut(&mut prices.options).get_mut(option)? = OptionState {
        status: MarketStatus::Settled,
        settled: Some(Arc::new(figures)),
    };
    events.push(Event::Settled {
        market: id,
        price: mark,
    });
    Some(())
}
