//! Pass 1: who may do what, transfers, agents and prices; then the serial step.

use crate::Model;
use crate::admit::Entry;
use crate::amend::Change;
use crate::open::Unpacked;
use crate::state::{Master, Place, Refusal, atoms};
use crate::surface::Published;
use ballast_types::{
    Account, AccountId, Action, ActionKey, Atoms, Cancel, Code, Event, GroupId, KeyId, MarketId,
    MarketKind, MarketStatus, Order, PriceKind, PriceUpdate, Scheme, SetAgent, SetMarketStatus,
    SetProtection, TimeMs, Transfer, Tx, TxKey, account_shard,
};

/// Largest amount of a transfer, and largest notional of an agent.
pub(crate) const MAX_AMOUNT: u128 = 1 << 100;
/// Bounds of the time of a dead man's switch, in ms.
const TIMEOUTS: std::ops::RangeInclusive<TimeMs> = 1_000..=86_400_000;
/// A token in the unit of the buckets.
const TOKEN: u64 = 1_000;

/// An action that a later pass works on.
#[derive(Clone, Debug)]
pub(crate) struct Request<T> {
    pub(crate) account: Account,
    pub(crate) key: ActionKey,
    pub(crate) place: Place,
    /// The agent that signed, if the owner did not.
    pub(crate) agent: Option<SetAgent>,
    pub(crate) action: T,
}

/// What pass 1 hands on.
#[derive(Default)]
pub(crate) struct Intents {
    pub(crate) transfers: Vec<Request<Transfer>>,
    pub(crate) prices: Vec<(ActionKey, Vec<PriceUpdate>)>,
    pub(crate) statuses: Vec<(ActionKey, SetMarketStatus)>,
    pub(crate) surfaces: Vec<(ActionKey, GroupId, Published)>,
    pub(crate) cancels: Vec<Request<Cancel>>,
    pub(crate) protections: Vec<Request<SetProtection>>,
    pub(crate) changes: Vec<Request<Change>>,
    pub(crate) orders: Vec<Entry>,
}

impl Model {
    /// Shards are independent. They are walked one by one only for the order of events.
    pub(crate) fn authorise(&mut self, mut txs: Vec<Unpacked>) -> Intents {
        let shards = self.spec.account_shards;
        txs.sort_by_key(|Unpacked { tx, .. }| {
            (account_shard(tx.account.master, shards), tx_key(tx))
        });
        let mut intents = Intents::default();
        for Unpacked { tx, place } in txs {
            match self.check_authority(&tx) {
                Ok(agent) => self.perform(&tx, place, agent, &mut intents),
                Err(code) => {
                    let result = &mut self.block.results[place.0][place.1];
                    result.code = code;
                    result.actions.clear();
                }
            }
        }
        intents
    }

    /// Rules 1 to 4. Returns the agent that signed, `None` when it was the owner.
    fn check_authority(&self, tx: &Tx) -> Result<Option<SetAgent>, Code> {
        let (time, limits) = (self.block.time, &self.spec.limits);
        let expired = match tx.scheme {
            Scheme::Native => time >= tx.expiry,
            Scheme::Cosmos { timeout_height, .. } => {
                timeout_height > 0 && self.block.height > timeout_height
            }
        };
        if expired {
            return Err(Code::Expired);
        }
        let window =
            time.saturating_sub(limits.nonce_past_ms)..=time.saturating_add(limits.nonce_future_ms);
        if has_nonce(tx) && !window.contains(&tx.nonce) {
            return Err(Code::NonceWindow);
        }
        if !self.state.accounts.contains_key(&tx.account) {
            return Err(Code::UnknownAccount);
        }
        let master = &self.state.masters[&tx.account.master];
        let agent = if tx.key_id == tx.account.master {
            None
        } else {
            let agent = master.agents.get(&tx.key_id);
            let live = agent.filter(|agent| tx.scheme == Scheme::Native && time < agent.expiry);
            Some(live.ok_or(Code::KeyNotAllowed)?.clone())
        };
        match tx.scheme {
            Scheme::Native if master.used_nonces.contains(&(tx.key_id, tx.nonce)) => {
                return Err(Code::NonceUsed);
            }
            Scheme::Cosmos { sequence, .. } if sequence != master.sequence => {
                return Err(Code::BadSequence);
            }
            Scheme::Cosmos { .. } if has_nonce(tx) && tx.nonce <= master.cosmos_nonce => {
                return Err(Code::NonceUsed);
            }
            _ => {}
        }
        Ok(agent)
    }

    /// Rules 5 and 6 for a transaction that is authorised.
    fn perform(
        &mut self,
        tx: &Tx,
        place: (usize, usize),
        agent: Option<SetAgent>,
        intents: &mut Intents,
    ) {
        let scheme = if tx.scheme == Scheme::Native {
            "native"
        } else {
            "Cosmos"
        };
        self.coverage.count(&format!("{scheme} transaction"));
        self.refill(tx.account.master);
        let mut tokens_taken = false;
        for (at, action) in tx.actions.iter().enumerate() {
            let index = u16::try_from(at).expect("a transaction has at most 65535 actions");
            let key = ActionKey {
                nonce: tx.nonce,
                key: tx.key_id,
                hash: tx.hash,
                index,
                part: 0,
            };
            let request = Request {
                account: tx.account,
                key,
                place: Place {
                    tx: place,
                    action: at,
                    part: None,
                },
                agent: agent.clone(),
                action: (),
            };
            self.coverage.count(kind(action));
            let taken = self.take_token(tx.account.master, action);
            tokens_taken |= taken;
            let free = matches!(action, Action::Cancel(_) | Action::CancelAfter(_));
            let done = if taken || free {
                self.act(action, &request, intents)
            } else {
                Err(Code::RateLimited.into())
            };
            if let Err(refusal) = done {
                self.refuse(request.place, refusal);
            }
        }
        let master = self.master(tx.account.master);
        match tx.scheme {
            Scheme::Native if tokens_taken => {
                master.used_nonces.insert((tx.key_id, tx.nonce));
            }
            Scheme::Native => self.coverage.count("nonce not used for want of tokens"),
            Scheme::Cosmos { .. } => {
                master.sequence += 1;
                if has_nonce(tx) {
                    master.cosmos_nonce = tx.nonce;
                }
            }
        }
    }

    fn master(&mut self, master: AccountId) -> &mut Master {
        self.state
            .masters
            .get_mut(&master)
            .expect("the account of an authorised transaction")
    }

    fn refill(&mut self, master: AccountId) {
        let (time, limits) = (self.block.time, self.spec.limits.clone());
        let master = self.master(master);
        let back = limits.bucket_refill.saturating_mul(time - master.filled_at);
        let fill = |tokens: u64, size: u64| tokens.saturating_add(back).min(size * TOKEN);
        master.tokens = fill(master.tokens, limits.bucket_tokens);
        master.cancel_tokens = fill(master.cancel_tokens, limits.cancel_tokens);
        master.filled_at = time;
    }

    fn take_token(&mut self, master: AccountId, action: &Action) -> bool {
        let master = self.master(master);
        let bucket = match action {
            Action::Cancel(_) | Action::CancelAfter(_) => &mut master.cancel_tokens,
            _ => &mut master.tokens,
        };
        let enough = *bucket >= TOKEN;
        if enough {
            *bucket -= TOKEN;
        }
        enough
    }

    fn act(
        &mut self,
        action: &Action,
        request: &Request<()>,
        intents: &mut Intents,
    ) -> Result<(), Refusal> {
        let by_agent = request.agent.is_some();
        match action {
            Action::Order(order) => Ok(self.order(order, request, intents)?),
            Action::Amend(amend) => {
                let group = match amend.order {
                    ballast_types::OrderRef::Id(id) => id.group(),
                    ballast_types::OrderRef::Client { group, .. } => group,
                };
                self.check_group(group)?;
                intents.changes.push(request.with(Change::Amend(*amend)));
                Ok(())
            }
            Action::Cancel(cancel) => {
                if let Cancel::Market(market) = cancel {
                    self.spec.market(*market).ok_or(Code::UnknownMarket)?;
                }
                cancel
                    .group()
                    .map_or(Ok(()), |group| self.check_group(group))?;
                intents.cancels.push(request.with(*cancel));
                Ok(())
            }
            Action::Scale(scale) => Ok(self.scale(scale, request, intents)?),
            Action::Linked(linked) => Ok(self.linked(linked, request, intents)?),
            Action::Quotes(quotes) => {
                self.check_quotes(quotes, request)?;
                self.coverage.count_if(by_agent, "quotes of an agent");
                self.answer_parts(request.place, 2 * quotes.quotes.len());
                let change = Change::Quotes(quotes.clone());
                intents.changes.push(request.with(change));
                Ok(())
            }
            Action::SetProtection(protection) => {
                self.coverage.count_if(by_agent, "agent sets a protection");
                self.check_protection(protection)?;
                intents.protections.push(request.with(*protection));
                Ok(())
            }
            Action::CancelAfter(timeout) => {
                self.coverage.count_if(by_agent, "agent sets CancelAfter");
                Ok(self.cancel_after(request.account, *timeout)?)
            }
            _ if by_agent => Err(Code::AgentScope.into()),
            Action::Transfer(transfer) => {
                self.debit(request.account, transfer)?;
                intents.transfers.push(request.with(*transfer));
                Ok(())
            }
            Action::SetAgent(agent) => Ok(self.set_agent(request.account.master, agent)?),
            Action::RemoveAgent(key) => Ok(self.remove_agent(request.account.master, *key)?),
            Action::SetPrices(prices) => {
                self.check_prices(request.key.key, prices)?;
                intents.prices.push((request.key, prices.clone()));
                Ok(())
            }
            Action::SetMarketStatus(change) => {
                self.check_status(request.key.key, change)?;
                intents.statuses.push((request.key, *change));
                Ok(())
            }
            Action::SetMarginMode(mode) => self.set_margin_mode(request.account, *mode),
            Action::SetSurface(surface) => {
                let published = self.check_surface(request.key.key, surface)?;
                let proposal = (request.key, surface.group, published);
                intents.surfaces.push(proposal);
                Ok(())
            }
        }
    }

    pub(crate) fn check_group(&self, group: GroupId) -> Result<(), Code> {
        self.spec
            .groups
            .get(group.index())
            .map(|_| ())
            .ok_or(Code::UnknownMarket)
    }

    pub(crate) fn order(
        &mut self,
        order: &Order,
        request: &Request<()>,
        intents: &mut Intents,
    ) -> Result<(), Code> {
        self.spec.market(order.market).ok_or(Code::UnknownMarket)?;
        if let Some(agent) = &request.agent {
            self.coverage.count("order of an agent");
            self.check_scope(agent, order.market, order.price, order.size)?;
        }
        intents.orders.push(Entry::new(&request.with(*order)));
        Ok(())
    }

    /// The scope of an agent: its markets, and the notional of one order.
    pub(crate) fn check_scope(
        &self,
        agent: &SetAgent,
        market: MarketId,
        price: i64,
        size: i64,
    ) -> Result<(), Code> {
        let tick_value = self.spec.markets[market.index()].tick_value;
        let notional = (Atoms::from(price) * Atoms::from(size)).saturating_mul(tick_value);
        let outside = !agent.markets.is_empty() && !agent.markets.contains(&market);
        let too_large = agent.max_notional > 0 && notional > atoms(agent.max_notional);
        if outside || too_large {
            Err(Code::AgentScope)
        } else {
            Ok(())
        }
    }

    fn set_agent(&mut self, master: AccountId, agent: &SetAgent) -> Result<(), Code> {
        if agent.max_notional > MAX_AMOUNT {
            return Err(Code::BadAmount);
        }
        for market in &agent.markets {
            self.spec.market(*market).ok_or(Code::UnknownMarket)?;
        }
        let limit = usize::from(self.spec.limits.agents);
        let agents = &mut self.master(master).agents;
        if !agents.contains_key(&agent.key) && agents.len() >= limit {
            return Err(Code::AgentLimit);
        }
        agents.insert(agent.key, agent.clone());
        self.agent_event(master, agent.key, agent.expiry);
        Ok(())
    }

    fn remove_agent(&mut self, master: AccountId, key: KeyId) -> Result<(), Code> {
        self.master(master)
            .agents
            .remove(&key)
            .ok_or(Code::UnknownAgent)?;
        self.agent_event(master, key, 0);
        Ok(())
    }

    fn agent_event(&mut self, master: AccountId, key: KeyId, expiry: u64) {
        let account = Account::new(master, 0);
        self.block.events.push(Event::Agent {
            account,
            key,
            expiry,
        });
    }

    /// Arms or disarms the dead man's switch of an account.
    fn cancel_after(&mut self, account: Account, timeout: TimeMs) -> Result<(), Code> {
        if timeout == 0 {
            let armed = self.state.deadlines.remove(&account).is_some();
            self.coverage.count_if(armed, "switch disarmed");
        } else if TIMEOUTS.contains(&timeout) {
            let deadline = self.block.time + timeout;
            let armed = self.state.deadlines.insert(account, deadline).is_some();
            self.coverage.count_if(armed, "switch armed again");
        } else {
            return Err(Code::BadTimeout);
        }
        Ok(())
    }

    pub(crate) fn check_price_authority(&self, key: KeyId) -> Result<(), Code> {
        if self.spec.price_authorities.contains(&key) {
            Ok(())
        } else {
            Err(Code::NotPriceAuthority)
        }
    }

    fn check_prices(&mut self, key: KeyId, prices: &[PriceUpdate]) -> Result<(), Code> {
        self.check_price_authority(key)?;
        for update in prices {
            let market = self.spec.market(update.market).ok_or(Code::UnknownMarket)?;
            if self.is_settled(update.market) {
                self.coverage.count("price for a settled market");
                return Err(Code::MarketExpired);
            }
            let has_price = match market.kind {
                MarketKind::Option { .. } => false,
                MarketKind::Spot { .. } => update.kind == PriceKind::Index,
                MarketKind::Perpetual | MarketKind::Future { .. } => true,
            };
            if !has_price || !(1..=market.max_price).contains(&update.price) {
                return Err(Code::BadPrice);
            }
        }
        Ok(())
    }

    fn check_status(&mut self, key: KeyId, change: &SetMarketStatus) -> Result<(), Code> {
        self.check_price_authority(key)?;
        self.spec.market(change.market).ok_or(Code::UnknownMarket)?;
        let settled = self.is_settled(change.market);
        let settles = change.status == MarketStatus::Settled;
        self.coverage
            .count_if(settled, "status for a settled market");
        self.coverage
            .count_if(settles && !settled, "status Settled refused");
        if settled || settles {
            return Err(Code::MarketExpired);
        }
        Ok(())
    }

    /// Serial step: the highest ActionKey sets the next mark or index of a market.
    pub(crate) fn propose_prices(&mut self, mut prices: Vec<(ActionKey, Vec<PriceUpdate>)>) {
        prices.sort_by_key(|(key, _)| *key);
        for update in prices.into_iter().flat_map(|(_, updates)| updates) {
            let of = (update.market, update.kind);
            self.state.pending.insert(of, update.price);
        }
    }

    /// Serial step: the highest ActionKey sets the next status of a market.
    pub(crate) fn propose_statuses(&mut self, mut statuses: Vec<(ActionKey, SetMarketStatus)>) {
        statuses.sort_by_key(|(key, _)| *key);
        for (_, change) in statuses {
            let pending = &mut self.state.pending_statuses;
            pending.insert(change.market, change.status);
        }
    }
}

impl<A> Request<A> {
    /// The same request for something else.
    pub(crate) fn with<T>(&self, action: T) -> Request<T> {
        Request {
            account: self.account,
            key: self.key,
            place: self.place,
            agent: self.agent.clone(),
            action,
        }
    }
}

impl Request<()> {
    /// One part of an action of several.
    pub(crate) fn part(&self, at: usize) -> Self {
        let mut part = self.clone();
        part.key.part = u16::try_from(at).expect("an action has at most 512 parts");
        part.place.part = Some(at);
        part
    }
}

fn tx_key(tx: &Tx) -> TxKey {
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

/// Bank transfers have no nonce; everything else does.
fn has_nonce(tx: &Tx) -> bool {
    let only_transfers = tx
        .actions
        .iter()
        .all(|action| matches!(action, Action::Transfer(_)));
    tx.scheme == Scheme::Native || tx.nonce != 0 || !only_transfers
}

/// Name of an action's kind, for the coverage.
fn kind(action: &Action) -> &'static str {
    match action {
        Action::Order(_) => "action Order",
        Action::Amend(_) => "action Amend",
        Action::Cancel(Cancel::Order(_)) => "action Cancel by id",
        Action::Cancel(Cancel::Client { .. }) => "action Cancel by client id",
        Action::Cancel(Cancel::Label { .. }) => "action Cancel by label",
        Action::Cancel(Cancel::Market(_)) => "action Cancel by market",
        Action::Cancel(Cancel::All(Some(_))) => "action Cancel all of a group",
        Action::Cancel(Cancel::All(None)) => "action Cancel all",
        Action::Transfer(_) => "action Transfer",
        Action::SetAgent(_) => "action SetAgent",
        Action::RemoveAgent(_) => "action RemoveAgent",
        Action::SetPrices(_) => "action SetPrices",
        Action::SetMarketStatus(_) => "action SetMarketStatus",
        Action::CancelAfter(_) => "action CancelAfter",
        Action::Scale(_) => "action Scale",
        Action::Quotes(_) => "action Quotes",
        Action::SetProtection(_) => "action SetProtection",
        Action::Linked(_) => "action Linked",
        Action::SetMarginMode(_) => "action SetMarginMode",
        Action::SetSurface(_) => "action SetSurface",
    }
}
