//! The end of a block: what changed for whom, and whether everything still adds up.

use crate::accounts::AccountShard;
use crate::state::State;
use ballast_types::{Account, AssetId, Atoms, Event, Lots, MarketId};
use std::collections::BTreeMap;

/// Ways in which a block could break what must always hold. All zero on a sound chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    /// Assets whose atoms did not add up.
    pub conservation: u64,
    /// Markets whose positions did not sum to what they did before.
    pub open_interest: u64,
    /// Books that are crossed.
    pub crossed_books: u64,
    /// Fills that could not be settled.
    pub settlements: u64,
    /// 1 when an account's margin is not what it should be, see [`State::check_margins_of_blocks`].
    pub margins: u64,
}

impl Violations {
    /// True when nothing is wrong.
    pub fn none(&self) -> bool {
        *self == Self::default()
    }
}

/// Reports changed balances and positions, and checks that changes cancel out.
pub(crate) fn close(
    state: &mut State,
    fees: Atoms,
    events: &mut Vec<Event>,
    violations: &mut Violations,
) {
    let mut assets: BTreeMap<AssetId, Atoms> = BTreeMap::new();
    let mut markets: BTreeMap<MarketId, (Lots, Lots)> = BTreeMap::new();
    let margin_asset = state.chain.spec.margin_asset;
    *assets.entry(margin_asset).or_default() = fees;
    let mut balances = Vec::new();
    let mut positions = Vec::new();
    for shard in &state.accounts {
        changed_balances(shard, &mut assets, &mut balances);
        changed_positions(shard, &mut assets, &mut markets, &mut positions);
    }
    balances.sort_unstable_by_key(|(account, asset, _)| (*account, *asset));
    positions.sort_unstable_by_key(|(account, market, ..)| (*account, *market));
    events.extend(
        balances
            .into_iter()
            .map(|(account, asset, balance)| Event::Balance {
                account,
                asset,
                balance,
            }),
    );
    events.extend(
        positions
            .into_iter()
            .map(|(account, market, size, cost)| Event::Position {
                account,
                market,
                size,
                cost,
            }),
    );
    let wrong = assets.values().filter(|sum| **sum != 0).count();
    violations.conservation = u64::try_from(wrong).unwrap_or(u64::MAX);
    for (market, (net, long)) in markets {
        if net != 0 {
            violations.open_interest = violations.open_interest.saturating_add(1);
        }
        if long != 0
            && let Some(record) = state.marks.get_mut(market.0)
        {
            record.open_interest = record.open_interest.saturating_add(long);
        }
    }
}

fn changed_balances(
    shard: &AccountShard,
    assets: &mut BTreeMap<AssetId, Atoms>,
    changed: &mut Vec<(Account, AssetId, Atoms)>,
) {
    for ((slot, asset), before) in &shard.balances_before {
        let now = shard.balance(*slot, *asset);
        let sum = assets.entry(*asset).or_default();
        *sum = sum.saturating_add(now.saturating_sub(*before));
        if now != *before
            && let Some(record) = shard.accounts.get(*slot)
        {
            changed.push((record.account(), *asset, now));
        }
    }
}

/// Costs are money that is in positions: a balance that paid for lots comes back when they close.
fn changed_positions(
    shard: &AccountShard,
    assets: &mut BTreeMap<AssetId, Atoms>,
    markets: &mut BTreeMap<MarketId, (Lots, Lots)>,
    changed: &mut Vec<(Account, MarketId, Lots, Atoms)>,
) {
    for ((slot, market), before) in &shard.positions_before {
        let now = shard
            .position(*slot, *market)
            .map(|p| p.position())
            .unwrap_or_default();
        let sum = assets.entry(shard.margin_asset).or_default();
        *sum = sum.saturating_sub(now.cost.saturating_sub(before.cost));
        let (net, long) = markets.entry(*market).or_default();
        *net = net.saturating_add(now.size.saturating_sub(before.size));
        *long = long.saturating_add(now.size.max(0).saturating_sub(before.size.max(0)));
        if now != *before
            && let Some(record) = shard.accounts.get(*slot)
        {
            changed.push((record.account(), *market, now.size, now.cost));
        }
    }
}
