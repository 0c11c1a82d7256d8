//! The margin of every account, computed anew from positions, balances, open orders and units.

use crate::accounts::{AccountRef, AccountShard};
use crate::pages::Hash;
use crate::passes::Env;
use crate::portfolio::UnitSums;
use crate::records::{AccountRecord, OrderRecord, PositionRecord};
use crate::state::State;
use ballast_risk::{Terms, requirement};
use ballast_types::{Atoms, GroupId, MarketId, MarketStatus};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Open orders, waiting ones left out.
type Open<'a> = BTreeMap<AccountRef, Vec<&'a OrderRecord>>;

/// Equity without cash, initial and maintenance margin, and that of what is held.
type Sums = [Atoms; 4];

impl State {
    /// Compares equity and requirements of every account with those that follow from positions,
    /// balances, open orders and units alone.
    ///
    /// # Errors
    /// Names the first account that differs.
    pub fn check_margins(&self) -> Result<(), String> {
        let env = Env {
            chain: &self.chain,
            prices: &self.prices,
            height: self.height(),
            time: self.time(),
            seed: Hash::default(),
        };
        let mut open = Open::new();
        for group in &self.groups {
            let orders = group.orders.iter().map(|(_, order)| order);
            for order in orders.filter(|order| order.remaining > 0 && !order.waiting()) {
                let owner = AccountRef(order.account);
                open.entry(owner).or_default().push(order);
            }
        }
        self.accounts
            .par_iter()
            .enumerate()
            .try_for_each(|(number, shard)| {
                if !shard.dirty.is_empty() {
                    return Err(format!(
                        "account shard {number} has sums to bring up to date"
                    ));
                }
                for (slot, record) in shard.accounts.iter() {
                    let orders = open.get(&AccountRef::new(number, slot));
                    let orders = orders.map_or(&[][..], Vec::as_slice);
                    check(shard, slot, record, orders, &env)
                        .map_err(|what| format!("{}: {what}", record.account()))?;
                }
                Ok(())
            })
    }
}

fn check(
    shard: &AccountShard,
    slot: u32,
    record: &AccountRecord,
    orders: &[&OrderRecord],
    env: &Env<'_>,
) -> Result<(), String> {
    for position in shard.positions_of(slot) {
        let here = orders
            .iter()
            .filter(|order| order.market == position.market);
        let lots = here.fold(0_i64, |sum, order| sum.saturating_add(order.remaining));
        if lots != position.open {
            let (market, kept) = (MarketId(position.market), position.open);
            return Err(format!(
                "{kept} lots are open in market {market}, not {lots}"
            ));
        }
    }
    let kept = [
        record.unrealised,
        record.initial,
        record.maintenance,
        record.held,
    ];
    let sums = if record.portfolio() {
        portfolio(shard, slot, orders, env)?
    } else {
        standard(shard, slot, orders, env)
    };
    if sums == Some(kept) {
        Ok(())
    } else {
        let names = "unrealised, initial, maintenance, held";
        Err(format!("{names} are {kept:?}, not {sums:?}"))
    }
}

fn add(sums: &mut Sums, more: Sums) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum = sum.saturating_add(more);
    }
}

fn standard(
    shard: &AccountShard,
    slot: u32,
    orders: &[&OrderRecord],
    env: &Env<'_>,
) -> Option<Sums> {
    let mut sums = Sums::default();
    for position in shard.positions_of(slot) {
        let id = MarketId(position.market);
        let (_, risk) = env.market(id)?;
        let here = orders
            .iter()
            .filter(|order| order.market == position.market);
        let terms = here.map(|o| env.terms(id, o.side(), o.price, o.remaining));
        let terms = terms.fold(Terms::default(), Terms::plus);
        let size = position.size;
        let initial = requirement(risk.initial, size, terms.initial);
        let maintenance = requirement(risk.maintenance, size, terms.maintenance);
        let value = position.position().unrealised(risk.value);
        add(
            &mut sums,
            [value, initial, maintenance, risk.maintenance.held(size)],
        );
    }
    Some(sums)
}

fn portfolio(
    shard: &AccountShard,
    slot: u32,
    orders: &[&OrderRecord],
    env: &Env<'_>,
) -> Result<Option<Sums>, String> {
    let mut units: BTreeMap<GroupId, UnitSums> = (0_u16..)
        .map(GroupId)
        .zip(&env.chain.spec.groups)
        .map(|(group, _)| (group, UnitSums::default()))
        .collect();
    let mut sums = Sums::default();
    for position in shard.positions_of(slot) {
        let Some(value) = hold(&mut units, position, env) else {
            return Ok(None);
        };
        add(&mut sums, [value, 0, 0, 0]);
    }
    for order in orders {
        let id = MarketId(order.market);
        let group = env.chain.market(id).map(|market| market.group);
        if env.status(id) != MarketStatus::Settled
            && let Some(unit) = group.and_then(|group| units.get_mut(&group))
        {
            unit.open(id, order.side(), order.price, order.remaining, env);
        }
    }
    for (group, mut unit) in units {
        let kept = shard.units.get(&(slot, group));
        let same = match kept {
            Some(kept) => kept.same(&unit),
            None => unit.is_empty(),
        };
        if !same {
            return Err(format!("positions or open orders in group {group} differ"));
        }
        let needs = unit.find(group, shard.spot(slot, group, env, |_| 0), env);
        let own = [needs.spot, needs.initial, needs.maintenance, needs.held];
        add(&mut sums, own);
    }
    Ok(Some(sums))
}

/// Counts a position; returns what it is worth beyond its cost.
fn hold(
    units: &mut BTreeMap<GroupId, UnitSums>,
    position: &PositionRecord,
    env: &Env<'_>,
) -> Option<Atoms> {
    let id = MarketId(position.market);
    let (market, risk) = env.market(id)?;
    units.get_mut(&market.group)?.hold(id, position.size, env);
    Some(position.position().unrealised(risk.value))
}
