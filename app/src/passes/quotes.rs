//! Quotes: checked in pass 1, and set against the account's resting quotes in pass 2. A new side goes
//! on as a post-only order.

use crate::accounts::AccountRef;
use crate::groups::GroupShard;
use crate::passes::agents::check_scope;
use crate::passes::cancel::{Cancelled, gone, reduce};
use crate::passes::{Entry, Env, Origin, ResultAt};
use crate::records::AgentRecord;
use ballast_types::{
    Account, ActionKey, ActionResult, Code, MarketId, MarketSpec, Order, PostOnly, QuoteSide,
    Quotes, Removal, SetProtection, Side,
};

/// Markets of one action.
const MARKETS: std::ops::RangeInclusive<usize> = 1..=256;

/// Longest interval and freeze of a protection, in ms.
const DAY: u64 = 86_400_000;

/// Quotes on their way to their group.
#[derive(Clone, Debug)]
pub(crate) struct QuotesIntent {
    pub(crate) at: ResultAt,
    pub(crate) key: ActionKey,
    pub(crate) account: Account,
    pub(crate) owner: AccountRef,
    pub(crate) quotes: Quotes,
}

/// Settings of a protection on their way to their group.
#[derive(Clone, Debug)]
pub(crate) struct ProtectionIntent {
    pub(crate) at: ResultAt,
    pub(crate) key: ActionKey,
    pub(crate) account: Account,
    pub(crate) owner: AccountRef,
    pub(crate) settings: SetProtection,
}

/// Pass 1: form of the action, and the scope of the agent that signed.
pub(crate) fn check(
    quotes: &Quotes,
    agent: Option<&AgentRecord>,
    env: &Env<'_>,
) -> Result<(), Code> {
    let mut markets = Vec::with_capacity(quotes.quotes.len());
    for quote in &quotes.quotes {
        let market = env.chain.market(quote.market).ok_or(Code::UnknownMarket)?;
        markets.push((quote, market));
    }
    let ascending = quotes
        .quotes
        .is_sorted_by(|one, next| one.market < next.market);
    let own = markets
        .iter()
        .all(|(_, market)| market.group == quotes.group);
    let count = MARKETS.contains(&markets.len());
    if !ascending || !own || !count || quotes.post_only == PostOnly::No {
        return Err(Code::BadQuotes);
    }
    let Some(agent) = agent else { return Ok(()) };
    for (quote, market) in markets {
        check_scope(agent, quote.market, 0, 0, market.tick_value)?;
        for side in [quote.bid, quote.ask].into_iter().flatten() {
            let QuoteSide { price, size } = side;
            check_scope(agent, quote.market, price, size, market.tick_value)?;
        }
    }
    Ok(())
}

/// Pass 1: bounds of the settings.
pub(crate) fn check_protection(settings: &SetProtection) -> Result<(), Code> {
    if settings.interval_ms > DAY || settings.freeze_ms > DAY {
        Err(Code::BadProtection)
    } else {
        Ok(())
    }
}

/// Pass 2: each side is a part of the action, market by market, bid then ask.
pub(crate) fn run(
    group: &mut GroupShard,
    intent: &QuotesIntent,
    env: &Env<'_>,
    out: &mut Cancelled,
) {
    let sides = intent.quotes.quotes.iter().flat_map(|quote| {
        [
            (quote.market, Side::Buy, quote.bid),
            (quote.market, Side::Sell, quote.ask),
        ]
    });
    for (part, (id, side, wanted)) in (0_u16..).zip(sides) {
        let at = intent.at.of_part(part);
        let done = match (wanted, env.chain.market(id)) {
            (_, None) => Some(ActionResult::code(Code::UnknownMarket)),
            (None, _) => {
                withdraw(group, intent, id, side, Removal::Cancelled, out);
                Some(ActionResult::code(Code::Ok))
            }
            (Some(wanted), Some(market)) => {
                let kept = keep(group, intent, (id, market), side, wanted, out);
                if kept.is_none() {
                    withdraw(group, intent, id, side, Removal::Amended, out);
                    out.entries.push(entry(intent, id, side, wanted, part));
                }
                kept
            }
        };
        if let Some(result) = done {
            out.output.result(at, result);
        }
    }
}

/// Takes the account's quote away, if there is one.
fn withdraw(
    group: &mut GroupShard,
    intent: &QuotesIntent,
    market: MarketId,
    side: Side,
    reason: Removal,
    out: &mut Cancelled,
) {
    let key = (intent.owner, market, side == Side::Sell);
    let slot = group.quotes.get(&key);
    if let Some((slot, record)) = slot.and_then(|slot| Some((slot, group.remove(slot)?))) {
        gone(group, slot, &record, intent.account, reason, out);
    }
}

/// Leaves the account's quote in its place when only its size changes, and not to more.
fn keep(
    group: &mut GroupShard,
    intent: &QuotesIntent,
    (id, market): (MarketId, &MarketSpec),
    side: Side,
    wanted: QuoteSide,
    out: &mut Cancelled,
) -> Option<ActionResult> {
    let slot = group.quotes.get(&(intent.owner, id, side == Side::Sell))?;
    let record = *group.orders.get(slot)?;
    let smaller = (market.min_size..=record.remaining).contains(&wanted.size);
    let stays = smaller || wanted.size == record.remaining;
    if wanted.price != record.price || !stays {
        return None;
    }
    let order = group.id(slot, &record)?;
    reduce(group, slot, wanted.size, intent.account, out)?;
    Some(ActionResult {
        order: Some(order),
        ..ActionResult::code(Code::Ok)
    })
}

fn entry(
    intent: &QuotesIntent,
    market: MarketId,
    side: Side,
    wanted: QuoteSide,
    part: u16,
) -> Entry {
    let order = Order::limit(market, side, wanted.price, wanted.size);
    Entry {
        at: Some(intent.at.of_part(part)),
        key: ActionKey { part, ..intent.key },
        account: intent.account,
        owner: intent.owner,
        order: order.post_only(intent.quotes.post_only),
        filled: 0,
        origin: Origin::New,
        quote: true,
        bundle: None,
    }
}
