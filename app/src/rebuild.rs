//! Derived indexes, made again from the records: what a node does after loading pages, and what
//! tests compare the live indexes with.

use crate::accounts::{AccountRef, AccountShard};
use crate::chain::Chain;
use crate::form::status_of;
use crate::groups::{GroupShard, WAITING_ORDERS, kind_of};
use crate::index::Index;
use crate::orders::{insert, quote_key, stop_key};
use crate::prices::Prices;
use crate::records::{OrderRecord, SpecialRecord};
use crate::state::State;
use ballast_orderbook::Books;
use ballast_types::{AccountId, AssetId, GroupId, MarketId, Side};
use std::sync::Arc;

impl State {
    /// Compares every derived index and book with one made from the records alone.
    ///
    /// # Errors
    /// Names the first that differs.
    pub fn check_indexes(&self) -> Result<(), String> {
        for (number, shard) in self.accounts.iter().enumerate() {
            check_accounts(shard).map_err(|what| format!("account shard {number}: {what}"))?;
        }
        check_listed(self)?;
        check_prices(self)?;
        for shard in &self.groups {
            check_group(self, shard).map_err(|what| format!("group {}: {what}", shard.group))?;
        }
        Ok(())
    }
}

/// What finds expiries, ladders and options, and the markets that they are.
fn check_listed(state: &State) -> Result<(), String> {
    let listed = &state.listed;
    let expiries = listed.expiries.iter();
    same(
        "expiries",
        &listed.expiry_at,
        expiries.map(|(s, r)| ((GroupId(r.group), r.expiry), s)),
    )?;
    let ladders = listed.ladders.iter();
    same(
        "ladders",
        &listed.ladder_at,
        ladders.map(|(s, r)| ((r.series, r.expiry), s)),
    )?;
    let chain = &state.chain;
    let mut rebuilt = Chain::new(Arc::clone(&chain.spec));
    let mut unsettled = Vec::new();
    for (_, record) in listed.options.iter() {
        let id = MarketId(rebuilt.markets());
        let market = record
            .market(&chain.spec)
            .ok_or("an option without a series")?;
        if !state.settled(id) {
            unsettled.push(((market.group, record.expiry, id), ()));
        }
        rebuilt.list(market);
        let same = rebuilt.market(id) == chain.market(id) && rebuilt.local(id) == chain.local(id);
        if !same {
            return Err(format!("market {id} differs"));
        }
    }
    if rebuilt.markets() != chain.markets() || state.marks.len() != chain.markets() {
        return Err("markets are miscounted".to_owned());
    }
    same(
        "unsettled options",
        &listed.unsettled,
        unsettled.into_iter(),
    )
}

/// Prices and units are those that follow from the records.
fn check_prices(state: &State) -> Result<(), String> {
    let mut prices = Prices::default();
    state.linear_prices(&mut prices);
    if prices.risks != state.prices.risks || prices.live != state.prices.live {
        return Err("prices differ".to_owned());
    }
    let groups = (0_u16..).map(GroupId).zip(&state.prices.units);
    for (group, unit) in groups {
        let rebuilt = state.unit(group, None).ok_or("a unit without a group")?;
        if !rebuilt.same(unit) {
            return Err(format!("unit of group {group} differs"));
        }
    }
    let first = u32::try_from(state.chain.spec.markets.len()).unwrap_or(u32::MAX);
    for (slot, option) in (first..).zip(state.prices.options.iter()) {
        let status = state.marks.get(slot).map(|record| status_of(record.status));
        let settled = option.settled.as_ref().map(|figures| figures.risk.value);
        let record = state.listed.options.get(slot.saturating_sub(first));
        let payoff = record.filter(|_| state.settled(MarketId(slot)));
        if status != Some(option.status) || settled != payoff.map(|record| record.payoff) {
            return Err(format!("state of market {slot} differs"));
        }
    }
    Ok(())
}

fn same<K: Ord + Copy, V: Copy + PartialEq>(
    name: &str,
    live: &Index<K, V>,
    rebuilt: impl Iterator<Item = (K, V)>,
) -> Result<(), String> {
    let mut rebuilt: Vec<_> = rebuilt.collect();
    rebuilt.sort_unstable_by_key(|(key, _)| *key);
    if live.range(..).eq(rebuilt) {
        Ok(())
    } else {
        Err(format!("{name} differs"))
    }
}

fn check_accounts(shard: &AccountShard) -> Result<(), String> {
    for (slot, record) in shard.accounts.iter() {
        if shard.slot(&record.account()) != Some(slot) {
            return Err(format!("account slot {slot} is not found"));
        }
    }
    let known = shard.by_account.size() == shard.accounts.iter().count()
        && shard.by_master.size() == shard.masters.iter().count();
    if !known {
        return Err("accounts or masters are known that have no record".to_owned());
    }
    for (slot, record) in shard.masters.iter() {
        if shard.master_slot(AccountId(record.master)) != Some(slot) {
            return Err(format!("master slot {slot} is not found"));
        }
    }
    let balances = shard.balances.iter();
    same(
        "balances",
        &shard.balance_at,
        balances.map(|(s, r)| ((r.account, AssetId(r.asset)), s)),
    )?;
    let positions = shard.positions.iter();
    let by_market = positions.map(|(s, r)| ((r.account, MarketId(r.market)), s));
    same("positions", &shard.position_at, by_market)?;
    let agents = shard.agents.iter();
    same(
        "agents",
        &shard.agent_at,
        agents.map(|(s, r)| ((r.master, AccountId(r.key)), s)),
    )?;
    let nonces = shard.nonces.iter();
    same(
        "nonces",
        &shard.nonce_at,
        nonces.map(|(s, r)| ((r.nonce, r.master, r.key_id()), s)),
    )?;
    let armed = shard.accounts.iter().filter(|(_, r)| r.deadline > 0);
    same(
        "deadlines",
        &shard.by_deadline,
        armed.map(|(s, r)| ((r.deadline, r.account()), s)),
    )
}

fn check_group(state: &State, shard: &GroupShard) -> Result<(), String> {
    let members = shard.members.iter();
    same(
        "members",
        &shard.member_at,
        members.map(|(s, r)| (AccountRef(r.account), s)),
    )?;
    let mut orders: Vec<_> = shard
        .orders
        .iter()
        .filter(|(_, order)| order.remaining > 0)
        .collect();
    orders.sort_unstable_by_key(|(_, order)| order.priority);
    let by_owner = orders
        .iter()
        .map(|(s, r)| ((AccountRef(r.account), r.priority), *s));
    same("orders by account", &shard.by_account, by_owner)?;
    let by_client = orders
        .iter()
        .filter_map(|(s, r)| Some(((AccountRef(r.account), r.client()?), *s)));
    same("client ids", &shard.by_client, by_client)?;
    let expiring = orders
        .iter()
        .filter_map(|(s, r)| Some(((r.end()?, r.priority), *s)));
    same("expiries", &shard.by_expiry, expiring)?;
    let stranded = orders
        .iter()
        .filter(|(_, r)| state.settled(MarketId(r.market)));
    let stranded = stranded.map(|(s, r)| ((MarketId(r.market), r.priority), *s));
    same("orders of settled markets", &shard.stranded, stranded)?;
    check_specials(shard)?;
    check_links(shard)?;
    let mut resting = orders;
    resting.retain(|(_, order)| !order.waiting());
    let reducing = resting
        .iter()
        .filter(|(_, r)| r.reduce_only())
        .map(|(s, r)| ((AccountRef(r.account), MarketId(r.market), r.priority), *s));
    same("reduce-only orders", &shard.reduce_only, reducing)?;
    let pegged = resting.iter().filter(|(_, r)| r.pegged());
    let pegged = pegged.map(|(s, r)| ((MarketId(r.market), r.priority), *s));
    same("pegged orders", &shard.pegged, pegged)?;
    let quotes = resting.iter().filter(|(_, r)| r.quote());
    same(
        "quotes",
        &shard.quotes,
        quotes.map(|(s, r)| (quote_key(r), *s)),
    )?;
    let protections = shard.protections.iter();
    same(
        "protections",
        &shard.protection_at,
        protections.map(|(s, r)| (AccountRef(r.account), s)),
    )?;
    check_floors(shard)?;
    check_books(state, shard, &resting)
}

/// Books made of the resting orders, which are given by priority.
fn check_books(
    state: &State,
    shard: &GroupShard,
    resting: &[(u32, &OrderRecord)],
) -> Result<(), String> {
    let mut books = Books::new(shard.markets.len());
    for (slot, order) in resting {
        let local = state.chain.local(MarketId(order.market));
        insert(&mut books, *slot, local, order, shard.special(order))
            .map_err(|error| format!("slot {slot}: {error}"))?;
    }
    for (local, market) in (0_u32..).zip(&shard.markets) {
        for side in [Side::Buy, Side::Sell] {
            if !shard
                .books
                .orders(local, side)
                .eq(books.orders(local, side))
                || !shard
                    .books
                    .levels(local, side)
                    .eq(books.levels(local, side))
            {
                return Err(format!("book of market {market}, {side:?}, differs"));
            }
        }
    }
    Ok(())
}

/// Special records, the triggers of waiting orders, and what counts them.
fn check_specials(shard: &GroupShard) -> Result<(), String> {
    let orders = || shard.orders.iter();
    let mut linked: Vec<_> = orders().filter_map(|(_, o)| o.special_slot()).collect();
    linked.sort_unstable();
    if !shard.specials.iter().map(|(at, _)| at).eq(linked) {
        return Err("special records and orders do not match".to_owned());
    }
    let waiting: Vec<_> = orders()
        .filter(|(_, order)| order.waiting())
        .filter_map(|(slot, order)| Some((slot, order, shard.special(order)?)))
        .collect();
    let counted = shard.specials.words().counters.get(WAITING_ORDERS);
    let counted = counted.copied().map(usize::try_from);
    for (market, trades) in shard.markets.iter().zip(shard.trades.iter()) {
        let trails = waiting
            .iter()
            .filter(|(_, order, special)| order.market == market.0 && special.trails());
        if usize::try_from(trades.1.trailing) != Ok(trails.count()) {
            return Err("trailing orders are miscounted".to_owned());
        }
    }
    if counted != Some(Ok(waiting.len())) {
        return Err("waiting orders are miscounted".to_owned());
    }
    check_watched(shard, waiting)
}

/// What finds the waiting orders that are not dormant altogether.
fn check_watched(
    shard: &GroupShard,
    mut waiting: Vec<(u32, &OrderRecord, &SpecialRecord)>,
) -> Result<(), String> {
    let place = |order: &OrderRecord| (MarketId(order.market), order.priority);
    waiting.retain(|(_, order, special)| !order.asleep(special));
    let undue = waiting.iter().filter(|(.., special)| special.due == 0);
    same(
        "stops",
        &shard.stops,
        undue.filter_map(|(slot, order, special)| Some((stop_key(*slot, order, special)?, ()))),
    )?;
    let trailing = waiting
        .iter()
        .filter(|(.., special)| special.trails())
        .map(|(slot, order, _)| (place(order), *slot));
    same("trailing orders", &shard.trailing, trailing)?;
    let slices = waiting.iter().filter_map(|(slot, order, special)| {
        let (market, priority) = place(order);
        Some(((market, special.next_slice()?, priority), *slot))
    });
    same("schedules", &shard.slices, slices)?;
    let due = waiting.iter().filter(|(.., special)| special.due != 0);
    same(
        "due orders",
        &shard.due,
        due.map(|(slot, order, _)| (place(order), *slot)),
    )
}

/// Links name the orders that name them, and nothing is left to do for them.
fn check_links(shard: &GroupShard) -> Result<(), String> {
    let linked = shard
        .orders
        .iter()
        .filter_map(|(slot, order)| Some((order.link_slot()?, slot.saturating_add(1))));
    let mut linked: Vec<_> = linked.collect();
    let named = shard.links.iter().flat_map(|(link, record)| {
        let open = record.orders.into_iter().filter(|at| *at != 0);
        open.map(move |at| (link, at))
    });
    let mut named: Vec<_> = named.collect();
    linked.sort_unstable();
    named.sort_unstable();
    if linked == named && shard.loose.is_empty() {
        Ok(())
    } else {
        Err("links and orders do not match".to_owned())
    }
}

fn check_floors(shard: &GroupShard) -> Result<(), String> {
    let mut floors = Vec::new();
    for (slot, record) in shard.floors.iter() {
        let kind = kind_of(record.kind).ok_or_else(|| format!("floor {slot}: unknown kind"))?;
        let key = (AccountRef(record.account), kind, record.value);
        floors.push((key, (record.nonce, record.index), slot));
    }
    same(
        "floors",
        &shard.floor_at,
        floors.iter().map(|(key, _, slot)| (*key, *slot)),
    )?;
    same(
        "floors by age",
        &shard.floor_by_age,
        floors.iter().map(|(k, p, s)| ((*p, *k), *s)),
    )?;
    let counted = floors
        .iter()
        .filter(|(key, ..)| key.1 != crate::groups::FloorKind::Market);
    let by_owner = counted.map(|(key, pair, slot)| ((key.0, *pair, key.1, key.2), *slot));
    same("floors by owner", &shard.floor_by_owner, by_owner)
}
