//! Random blocks for tests and simulators: signed transactions of every kind, good and bad, for
//! the small exchange of [`test_spec`].

mod actions;
mod auctions;
mod authority;
mod bad;
mod cosmos;
mod futures;
mod links;
mod options;
pub(crate) mod params;
mod quotes;
mod rng;
mod scenarios;
mod schedules;
mod spec;
mod stories;
mod surfaces;
mod triggers;

pub use cosmos::{cosmos_actions, cosmos_sends};
pub use rng::Rng;
pub use spec::{test_secrets, test_spec};

use ballast_types::margin::ONE;
use ballast_types::{
    Account, AccountId, Action, AssetId, Atoms, BlockEvents, ChainSpec, Code, Event, Hash, Lots,
    MarginMode, MarketId, MarketStatus, MsgActionsBody, OrderId, Secret, Side, Ticks, TimeMs,
    TxBody, chain_hash, encode_bundle, sign_native, tx_hash,
};
use std::collections::{BTreeMap, BTreeSet};

/// The input of one block.
#[derive(Clone, Debug)]
pub struct NextBlock {
    /// Height, from 1.
    pub height: u64,
    /// Block time in ms.
    pub time: TimeMs,
    /// CometBFT transactions.
    pub txs: Vec<Vec<u8>>,
}

/// A seeded source of blocks. It learns from the events of executed blocks what there is to cancel,
/// to amend, to close and to spend.
#[derive(Clone, Debug)]
pub struct Workload {
    rng: Rng,
    /// Markets that were listed follow those of the genesis.
    spec: ChainSpec,
    chain: Hash,
    secrets: Vec<Secret>,
    /// Addresses of `secrets`, which take long to derive.
    owners: Vec<AccountId>,
    height: u64,
    time: TimeMs,
    accounts: Vec<Account>,
    balances: BTreeMap<(Account, AssetId), Atoms>,
    /// (size, cost) of positions.
    positions: BTreeMap<(Account, MarketId), (Lots, Atoms)>,
    marks: Vec<Ticks>,
    /// Zero is none.
    indexes: Vec<Ticks>,
    /// Zero is none.
    lasts: Vec<Ticks>,
    statuses: Vec<MarketStatus>,
    /// Orders that rested or waited lately; some of them are gone.
    orders: Vec<Known>,
    /// Next Cosmos sequence by master, as far as known.
    sequences: BTreeMap<AccountId, u64>,
    /// Cosmos transactions under way.
    cosmos_sent: BTreeMap<Hash, AccountId>,
    /// The agent that was set last, by master; an index into `secrets`.
    agents: BTreeMap<AccountId, usize>,
    /// Accounts in Portfolio mode.
    portfolios: BTreeSet<Account>,
    /// Accounts whose orders were cancelled so that their margin mode may change.
    changing: Vec<(Account, MarginMode)>,
    /// Volatility by group, in thousandths.
    volatilities: Vec<i64>,
    /// True when the last block changed a mark.
    marks_moved: bool,
    /// Positions that a squeezed account was about to close.
    squeezed: Vec<(MarketId, Lots)>,
    /// Market orders that are to come.
    hits: Vec<links::Hit>,
    /// Orders of the last block that are parts of actions: of scales, of links and of quotes.
    parts: Vec<OrderId>,
    /// Transactions sent before, to be sent again.
    old: Vec<Vec<u8>>,
}

/// An order that rested or waited.
#[derive(Clone, Copy, Debug)]
struct Known {
    account: Account,
    id: OrderId,
    market: MarketId,
    price: Ticks,
    size: Lots,
    side: Side,
    client_id: Option<u128>,
    waits: bool,
    /// Part of a scale or of quotes.
    part: bool,
}

/// Orders remembered.
const ORDERS: usize = 200;
/// Transactions remembered.
const OLD: usize = 40;

impl Workload {
    /// Blocks for a chain whose masters' keys are `secrets`; the first of them is the price
    /// authority. Equal seeds give equal blocks when equal events are observed.
    pub fn new(seed: u64, spec: &ChainSpec, secrets: Vec<Secret>) -> Self {
        let mut accounts: Vec<Account> = spec
            .balances
            .iter()
            .map(|(account, _, _)| *account)
            .collect();
        accounts.dedup();
        let balances = spec.balances.iter();
        let balances = balances
            .map(|(account, asset, amount)| {
                (
                    (*account, *asset),
                    Atoms::try_from(*amount).unwrap_or(Atoms::MAX),
                )
            })
            .collect();
        Self {
            rng: Rng::new(seed),
            chain: chain_hash(&spec.chain_id),
            owners: secrets.iter().map(Secret::id).collect(),
            secrets,
            height: 0,
            time: spec.genesis_time,
            accounts,
            balances,
            positions: BTreeMap::new(),
            marks: spec
                .markets
                .iter()
                .map(|market| market.mark.max(1_000))
                .collect(),
            indexes: spec.markets.iter().map(|market| market.mark).collect(),
            lasts: vec![0; spec.markets.len()],
            statuses: vec![MarketStatus::Open; spec.markets.len()],
            orders: Vec::new(),
            sequences: BTreeMap::new(),
            cosmos_sent: BTreeMap::new(),
            agents: BTreeMap::new(),
            portfolios: BTreeSet::new(),
            changing: Vec::new(),
            volatilities: spec
                .groups
                .iter()
                .map(|group| group.volatility / (ONE / 1_000))
                .collect(),
            marks_moved: false,
            squeezed: Vec::new(),
            hits: Vec::new(),
            parts: Vec::new(),
            old: Vec::new(),
            spec: spec.clone(),
        }
    }

    /// The next block, of about `size` transactions.
    pub fn next_block(&mut self, size: u64) -> NextBlock {
        self.height += 1;
        self.time = self.next_time();
        let mut txs = self.hit_squeezed();
        txs.extend(self.hit_linked());
        txs.extend(self.tick());
        txs.extend(self.reopen());
        txs.extend(self.futures());
        txs.extend(self.change_modes());
        txs.extend(self.move_surfaces());
        for _ in 0..2 {
            txs.extend(self.touch_waiting());
        }
        if self.height < 4 {
            txs.extend(self.sliced());
        }
        let count = self.rng.range(size / 2, size + size / 2);
        for _ in 0..count {
            let tx = self.transaction();
            txs.extend(tx);
        }
        if self.rng.one_in(3) {
            txs.push(self.bundle());
        }
        if std::mem::take(&mut self.marks_moved) {
            txs.extend(self.rescue());
        }
        self.old.extend(txs.iter().cloned());
        let surplus = self.old.len().saturating_sub(OLD);
        self.old.drain(..surplus);
        NextBlock {
            height: self.height,
            time: self.time,
            txs,
        }
    }

    /// Learns what a block did. Call it after each block, with the events of whichever
    /// implementation the next blocks are for: they name orders by its ids.
    pub fn observe(&mut self, block: &BlockEvents) {
        for result in block.txs.iter().flatten() {
            if let Some(master) = self.cosmos_sent.remove(&result.hash)
                && result.code == Code::Ok
            {
                *self.sequences.entry(master).or_insert(0) += 1;
            }
        }
        let results = block.txs.iter().flatten().flat_map(|tx| &tx.actions);
        let parts = results.flat_map(|result| &result.parts);
        self.parts = parts.filter_map(|part| part.order).collect();
        for event in &block.events {
            self.learn(event);
        }
        let surplus = self.orders.len().saturating_sub(ORDERS);
        self.orders.drain(..surplus);
    }

    fn learn(&mut self, event: &Event) {
        match event {
            Event::Mark { market, price } => {
                self.marks_moved |= self.mark(*market) != *price;
                set(&mut self.marks, *market, *price);
            }
            Event::Listed { .. } => self.learn_listing(event),
            Event::Index { market, price } => set(&mut self.indexes, *market, *price),
            Event::Status { market, status } => set(&mut self.statuses, *market, *status),
            Event::Settled { market, price } => {
                self.marks_moved = true;
                set(&mut self.marks, *market, *price);
                set(&mut self.indexes, *market, *price);
                set(&mut self.statuses, *market, MarketStatus::Settled);
            }
            Event::Agent {
                account,
                key,
                expiry,
            } => {
                self.agents.remove(&account.master);
                let at = self.owners.iter().position(|owner| owner == key);
                if let Some(at) = at.filter(|_| *expiry > self.time) {
                    self.agents.insert(account.master, at);
                }
            }
            Event::Balance {
                account,
                asset,
                balance,
            } => {
                self.balances.insert((*account, *asset), *balance);
            }
            Event::Position {
                account,
                market,
                size,
                cost,
            } => {
                self.positions.insert((*account, *market), (*size, *cost));
            }
            Event::Transferred { to, .. } if !self.accounts.contains(to) => {
                self.accounts.push(*to);
            }
            _ => self.learn_orders(event),
        }
    }

    fn learn_orders(&mut self, event: &Event) {
        match event {
            Event::Rested {
                market,
                order,
                account,
                side,
                price,
                size,
                client_id,
                ..
            }
            | Event::Waiting {
                market,
                order,
                account,
                side,
                price,
                size,
                client_id,
                ..
            } => {
                let mut before = self.orders.iter();
                let part = before.any(|known| known.id == *order && known.part);
                self.orders.retain(|known| known.id != *order);
                self.orders.push(Known {
                    side: *side,
                    part: part || self.parts.contains(order),
                    account: *account,
                    id: *order,
                    market: *market,
                    price: *price,
                    size: *size,
                    client_id: *client_id,
                    waits: matches!(event, Event::Waiting { .. }),
                });
            }
            Event::Triggered { order, .. } | Event::Removed { order, .. } => {
                self.orders.retain(|known| known.id != *order);
            }
            Event::Fill {
                market,
                maker,
                price,
                size,
                ..
            } => {
                set(&mut self.lasts, *market, *price);
                for known in self.orders.iter_mut().filter(|known| known.id == *maker) {
                    known.size -= size;
                }
                self.orders.retain(|known| known.size > 0);
            }
            _ => {}
        }
    }

    /// Zero, one or two transactions.
    fn transaction(&mut self) -> Vec<Vec<u8>> {
        match self.rng.below(100) {
            0..=36 => vec![self.native()],
            37..=44 => self.optional(),
            45..=48 => vec![self.cosmos()],
            49..=56 => self.scenario(),
            57..=64 => self.story(),
            65..=71 => self.linked_and_hit(),
            72..=74 => self.collected(),
            75..=78 => self.sliced(),
            79..=84 => self.quoted(),
            85 => self.quoted_twice(),
            86..=87 => {
                let tx = self.native();
                vec![tx.clone(), tx]
            }
            88..=91 if !self.old.is_empty() => {
                let old = self.old.clone();
                vec![self.rng.pick(&old)]
            }
            _ => vec![self.bad()],
        }
    }

    /// A native transaction of random actions, mostly by the owner.
    fn native(&mut self) -> Vec<u8> {
        let account = self.own_account();
        let most = u64::from(self.spec.limits.tx_actions).min(4);
        let count = self.rng.range(1, most);
        let actions = (0..count).map(|_| self.action(account)).collect();
        self.native_of(account, actions)
    }

    fn native_of(&mut self, account: Account, actions: Vec<Action>) -> Vec<u8> {
        let secret = self.signer(account);
        let body = self.body(account, &secret, actions);
        sign_native(&body, &secret)
    }

    fn body(&mut self, account: Account, secret: &Secret, actions: Vec<Action>) -> TxBody {
        // A coarse stamp makes two transactions of one key share a nonce now and then.
        let nonce = self.time.saturating_sub(500) + self.rng.below(1_000);
        let expiry = self.time + 10_000;
        TxBody {
            chain: self.chain,
            account,
            key: secret.public(),
            nonce,
            expiry,
            actions,
        }
    }

    /// The owner's key, or that of an agent.
    fn signer(&mut self, account: Account) -> Secret {
        let agent = self.agents.get(&account.master).copied();
        if let Some(agent) = agent
            && self.rng.one_in(5)
        {
            return self.secrets[agent].clone();
        }
        self.owner(account.master)
    }

    fn owner(&self, master: AccountId) -> Secret {
        let at = self.owners.iter().position(|owner| *owner == master);
        self.secrets[at.unwrap_or(0)].clone()
    }

    /// An account that a known key owns.
    fn own_account(&mut self) -> Account {
        let own: Vec<Account> = self
            .accounts
            .iter()
            .filter(|account| self.is_owned(**account))
            .copied()
            .collect();
        self.rng.pick(&own)
    }

    fn is_owned(&self, account: Account) -> bool {
        self.owners.contains(&account.master)
    }

    /// A transaction of a wallet: transfers or a batch of actions.
    fn cosmos(&mut self) -> Vec<u8> {
        let wallets: Vec<Secret> = self
            .secrets
            .iter()
            .filter(|s| matches!(s, Secret::Secp256k1(_)))
            .cloned()
            .collect();
        let secret = self.rng.pick(&wallets);
        let master = secret.id();
        let mut sequence = self.sequences.get(&master).copied().unwrap_or(0);
        if self.rng.one_in(8) {
            sequence += self.rng.range(1, 3);
        }
        let timeout = match self.rng.below(6) {
            0 => self.height,
            1 => self.height.saturating_sub(1).max(1),
            _ => 0,
        };
        let tx = if self.rng.one_in(2) {
            let asset = self.asset();
            let amount = self.amount(Account::new(master, 0), asset);
            let denom = self
                .spec
                .asset(asset)
                .map_or("none".to_owned(), |a| a.denom.clone());
            let to = self.receiver().master;
            cosmos_sends(
                &self.spec,
                &secret,
                sequence,
                timeout,
                &[(to, &denom, amount)],
            )
        } else {
            let own = self.own_account();
            let account = if own.master == master {
                own
            } else {
                Account::new(master, 0)
            };
            let count = self.rng.range(1, 3);
            let actions = (0..count).map(|_| self.action(account)).collect();
            let nonce = match self.rng.below(8) {
                0 => self.time + 60_000,
                1 => self.time - 400,
                _ => self.time + self.rng.below(500),
            };
            let body = MsgActionsBody {
                account,
                nonce,
                actions,
            };
            cosmos_actions(&self.spec, &secret, sequence, timeout, &body)
        };
        self.cosmos_sent.insert(tx_hash(&tx), master);
        tx
    }

    fn bundle(&mut self) -> Vec<u8> {
        let count = self.rng.range(1, 6);
        let mut inner: Vec<Vec<u8>> = (0..count).map(|_| self.native()).collect();
        if self.rng.one_in(3) {
            inner.push(vec![ballast_types::TAG_NATIVE, 1, 2, 3]);
        }
        let mut bytes = encode_bundle(&inner, self.time, &self.chain, &self.secrets[0]);
        if self.rng.one_in(5) {
            bytes.pop();
        }
        bytes
    }
}

/// Writes the entry of a market, if there is one.
fn set<T>(of: &mut [T], market: MarketId, value: T) {
    if let Some(entry) = of.get_mut(market.index()) {
        *entry = value;
    }
}
