//! Pass 1: keys that may trade for a master, and what they may trade.

use crate::accounts::AccountShard;
use crate::passes::Env;
use crate::passes::authorise::MAX_AMOUNT;
use crate::records::AgentRecord;
use ballast_risk::notional;
use ballast_types::{Code, KeyId, MarketId, Order, Scheme, SetAgent, Tx};
use bytemuck::Zeroable;

pub(crate) fn live_agent(
    shard: &AccountShard,
    master: u32,
    tx: &Tx,
    env: &Env<'_>,
) -> Option<AgentRecord> {
    if tx.scheme != Scheme::Native {
        return None;
    }
    let slot = shard.agent_at.get(&(master, tx.key_id))?;
    shard
        .agents
        .get(slot)
        .copied()
        .filter(|agent| env.time < agent.expiry)
}

pub(crate) fn check_agent_order(
    agent: Option<&AgentRecord>,
    order: &Order,
    env: &Env<'_>,
) -> Result<(), Code> {
    let Some(agent) = agent else { return Ok(()) };
    let market = env.chain.market(order.market).ok_or(Code::UnknownMarket)?;
    check_scope(
        agent,
        order.market,
        order.price,
        order.size,
        market.tick_value,
    )
}

/// Whether an agent may place an order of this price and size in the market.
pub(crate) fn check_scope(
    agent: &AgentRecord,
    market: MarketId,
    price: i64,
    size: i64,
    tick_value: i128,
) -> Result<(), Code> {
    let listed = usize::try_from(agent.market_count).unwrap_or(usize::MAX);
    let named = agent.markets.iter().take(listed).any(|id| *id == market.0);
    let limit = i128::try_from(agent.max_notional).unwrap_or(i128::MAX);
    let too_large = limit > 0 && notional(price, size, tick_value) > limit;
    if (listed > 0 && !named) || too_large {
        Err(Code::AgentScope)
    } else {
        Ok(())
    }
}

pub(crate) fn set_agent(
    shard: &mut AccountShard,
    master: u32,
    agent: &SetAgent,
    env: &Env<'_>,
) -> Result<(), Code> {
    if agent.max_notional > MAX_AMOUNT {
        return Err(Code::BadAmount);
    }
    if agent
        .markets
        .iter()
        .any(|market| env.chain.market(*market).is_none())
    {
        return Err(Code::UnknownMarket);
    }
    let slot = match shard.agent_at.get(&(master, agent.key)) {
        Some(slot) => slot,
        None => new_agent(shard, master, agent.key, env)?,
    };
    let mut markets = [0; 8];
    for (to, market) in markets.iter_mut().zip(&agent.markets) {
        *to = market.0;
    }
    *shard.agents.get_mut(slot).ok_or(Code::Internal)? = AgentRecord {
        master,
        key: agent.key.0,
        market_count: u32::try_from(agent.markets.len()).unwrap_or(u32::MAX),
        markets,
        max_notional: agent.max_notional,
        expiry: agent.expiry,
        ..AgentRecord::zeroed()
    };
    Ok(())
}

fn new_agent(
    shard: &mut AccountShard,
    master: u32,
    key: KeyId,
    env: &Env<'_>,
) -> Result<u32, Code> {
    let record = shard.masters.get_mut(master).ok_or(Code::Internal)?;
    if record.agents >= env.chain.spec.limits.agents {
        return Err(Code::AgentLimit);
    }
    record.agents = record.agents.saturating_add(1);
    let slot = shard.agents.alloc().map_err(|_| Code::Internal)?;
    shard.agent_at.insert((master, key), slot);
    Ok(slot)
}

pub(crate) fn remove_agent(shard: &mut AccountShard, master: u32, key: KeyId) -> Result<(), Code> {
    let slot = shard
        .agent_at
        .remove(&(master, key))
        .ok_or(Code::UnknownAgent)?;
    let record = shard.masters.get_mut(master).ok_or(Code::Internal)?;
    record.agents = record.agents.saturating_sub(1);
    shard.agents.free(slot).map_err(|_| Code::Internal)
}
