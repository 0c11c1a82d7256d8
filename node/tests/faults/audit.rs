//! The chain's blocks once more, in this process: executed by the application's state and by the
//! naive model, and compared with what nodes and clients say.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ballast::api::{Api, Error, Proof};
use ballast_app::view::AccountView;
use ballast_app::{Block, State};
use ballast_genesis::time;
use ballast_model::Model;
use ballast_types::{
    Account, Action, ActionResult, BlockEvents, ChainSpec, Code, Decoded, Hash, MarketId, OrderId,
    Scheme, Secret, Tx, TxHash, TxResult, chain_hash, decode,
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use crate::load::{Acked, Journal};
use crate::net::Net;

/// Blocks that are fetched at once.
const AT_ONCE: usize = 8;

/// What the blocks say.
pub(crate) struct Audit {
    spec: Arc<ChainSpec>,
    chain: Hash,
    state: State,
    model: Model,
    height: u64,
    /// Every result of each transaction.
    results: HashMap<TxHash, Vec<Acked>>,
    /// Orders that were made, by account and client id.
    client_ids: BTreeMap<(Account, u128), u64>,
    /// Native transactions that counted, by account, key and nonce.
    nonces: BTreeSet<(Account, [u8; 20], u64)>,
    /// How many transactions the blocks hold.
    pub(crate) txs: u64,
    pub(crate) fills: u64,
    /// What happened in each block.
    pub(crate) blocks: Vec<BlockEvents>,
}

impl Audit {
    pub(crate) fn new(net: &Net) -> Self {
        let state = State::genesis(Arc::clone(&net.spec)).expect("valid");
        Self {
            chain: chain_hash(&net.spec.chain_id),
            state,
            model: Model::new(&net.spec),
            spec: Arc::clone(&net.spec),
            height: 0,
            results: HashMap::new(),
            client_ids: BTreeMap::new(),
            nonces: BTreeSet::new(),
            txs: 0,
            fills: 0,
            blocks: Vec::new(),
        }
    }

    /// Executes the blocks up to `height`, which come from each node in turn.
    async fn follow(&mut self, net: &Net, height: u64) {
        net.reach(&[0, 1, 2, 3], height).await;
        let clients: Vec<_> = (0..4).map(|node| net.rpc(node)).collect();
        let fetch = |height: u64| {
            let client = &clients[usize::try_from(height % 4).expect("small")];
            async move { client.block(Some(height)).await.expect("a block") }
        };
        let mut blocks = stream::iter(self.height + 1..=height)
            .map(fetch)
            .buffered(AT_ONCE);
        while let Some(block) = blocks.next().await {
            let header = &block.header;
            let before = self.state.app_hash();
            // The first header says what InitChain answered.
            assert_eq!(
                header.app_hash.to_lowercase(),
                hex::encode(before),
                "app hash before height {}",
                header.height
            );
            let time = time::parse(&header.time).expect("a time");
            self.execute(header.height, time, &before, &block.txs);
        }
    }

    fn execute(&mut self, height: u64, time: u64, before: &Hash, txs: &[Vec<u8>]) {
        let bytes: Vec<Bytes> = txs.iter().cloned().map(Bytes::from).collect();
        let candidate = self.state.execute(
            &Block {
                height,
                time,
                txs: &bytes,
            },
            &|_| false,
        );
        assert!(
            candidate.stats.violations.none(),
            "{:?}",
            candidate.stats.violations
        );
        let model = self.model.execute(height, time, before, txs);
        self.compare(&candidate.events, &model);
        self.model
            .check_invariants()
            .unwrap_or_else(|error| panic!("height {height}: {error}"));
        self.txs += candidate.stats.txs;
        self.fills += candidate.stats.fills;
        self.count(&candidate.events, txs);
        self.blocks.push(candidate.events.clone());
        self.state.commit(candidate);
        self.height = height;
    }

    /// Requires equal results, and tells the model how the application calls its orders.
    fn compare(&mut self, app: &BlockEvents, model: &BlockEvents) {
        let height = app.height;
        let plain = |results: &[Vec<TxResult>]| -> Vec<_> {
            let flat = results.iter().flatten();
            flat.map(|tx| {
                let actions = tx.actions.iter();
                let actions: Vec<_> = actions
                    .map(|a| (a.code, a.filled, a.order.is_some()))
                    .collect();
                (tx.hash, tx.code, actions)
            })
            .collect()
        };
        assert_eq!(
            plain(&app.txs),
            plain(&model.txs),
            "results of height {height}"
        );
        let flat = |events: &BlockEvents| -> Vec<Option<OrderId>> {
            let actions = events.txs.iter().flatten().flat_map(|tx| &tx.actions);
            let orders = |action: &ActionResult| {
                let parts: Vec<_> = action.parts.iter().map(|part| part.order).collect();
                std::iter::once(action.order).chain(parts)
            };
            actions.flat_map(orders).collect()
        };
        for pair in flat(app).into_iter().zip(flat(model)) {
            if let (Some(app), Some(model)) = pair {
                self.model.alias(app, model);
            }
        }
    }

    fn count(&mut self, events: &BlockEvents, txs: &[Vec<u8>]) {
        for (tx, results) in txs.iter().zip(&events.txs) {
            let inner = match decode(tx, &self.spec, &self.chain) {
                Ok(Decoded::Tx(_)) => vec![tx.as_slice()],
                Ok(Decoded::Bundle(bundle)) => bundle.txs,
                Err(_) => Vec::new(),
            };
            for (bytes, result) in inner.into_iter().zip(results) {
                if result.code == Code::Ok
                    && let Ok(Decoded::Tx(tx)) = decode(bytes, &self.spec, &self.chain)
                {
                    self.count_once(&tx, result);
                }
                let acked = plain_result(events.height, result);
                self.results.entry(result.hash).or_default().push(acked);
            }
        }
    }

    fn count_once(&mut self, tx: &Tx, result: &TxResult) {
        if tx.scheme == Scheme::Native {
            let first = self.nonces.insert((tx.account, tx.key_id.0, tx.nonce));
            assert!(first, "nonce {} of {} counts twice", tx.nonce, tx.account);
        }
        for (action, result) in tx.actions.iter().zip(&result.actions) {
            if let Action::Order(order) = action
                && let (Some(client_id), Some(_)) = (order.client_id, result.order)
            {
                *self.client_ids.entry((tx.account, client_id)).or_insert(0) += 1;
            }
        }
    }

    /// Follows the chain to its end and requires that every node has this state, that the model
    /// agrees with it, and that the chain did what clients were told. Returns the height.
    pub(crate) async fn check(&mut self, net: &Net, journal: &Journal) -> u64 {
        self.follow(net, net.height()).await;
        while !self.compare_nodes(net).await {}
        self.compare_model();
        self.compare_journal(journal);
        self.height
    }

    /// Compares the state of all nodes at the newest height; false when that was too slow, because
    /// only some heights are served.
    async fn compare_nodes(&mut self, net: &Net) -> bool {
        let height = net.height();
        self.follow(net, height).await;
        let nodes: Vec<usize> = (0..net.network.nodes.len()).collect();
        net.reach(&nodes, height).await;
        let snapshot = self.state.committed();
        let masters = net.secrets.iter().map(|secret| (secret.id(), secret));
        let masters: BTreeMap<_, _> = masters.collect();
        for node in nodes {
            let api = net.api(node);
            let at = [("height", height.to_string())];
            let get = async |api: &Api, path: &[&str]| match api.get(path, &at).await {
                Err(Error::Refused { code, .. }) if code == "HEIGHT_GONE" => None,
                answer => Some(answer.unwrap_or_else(|error| panic!("{path:?}: {error}"))),
            };
            let Some(chain) = get(&api, &["v1", "chain"]).await else {
                return false;
            };
            assert_eq!(
                chain["app_hash"],
                hex::encode(self.state.app_hash()),
                "node {node}"
            );
            for (master, secret) in &masters {
                // Waiting orders and hidden lots are told to the account's keys only.
                let proof = Proof::new(Secret::clone(secret), self.chain);
                let api = api.clone().with_proof(proof);
                for sub in snapshot.master(master).expect("exists").subaccounts {
                    let account = Account::new(*master, sub);
                    let path = ["v1", "accounts", &master.to_string(), &sub.to_string()];
                    let Some(answer) = get(&api, &path).await else {
                        return false;
                    };
                    let own = snapshot.account(&account).expect("exists");
                    assert_eq!(
                        read_margins(&answer),
                        margins(&own),
                        "{account} at node {node}"
                    );
                    let mut orders = own.orders.clone();
                    orders.sort_unstable_by_key(|order| order.id);
                    let orders = orders
                        .iter()
                        .map(|o| (o.id.0, o.remaining, o.shown, o.filled));
                    assert_eq!(
                        read_orders(&answer),
                        orders.collect::<Vec<_>>(),
                        "{account}"
                    );
                    assert_eq!(answer["equity"], own.equity.to_string(), "{account}");
                    assert_eq!(answer["cancel_at"], own.cancel_at, "{account}");
                    let balances = own.balances.iter().map(|(_, atoms, _)| atoms.to_string());
                    let told = answer["balances"].as_array().expect("balances").iter();
                    let told = told.map(|row| row["balance"].as_str().expect("atoms").to_owned());
                    assert!(told.eq(balances), "balances of {account} at node {node}");
                }
            }
        }
        true
    }

    /// Requires that money, positions and books are what the model has.
    fn compare_model(&self) {
        let app = self.state.committed();
        let balances = self.model.balances().into_iter();
        let balances: Vec<_> = balances
            .map(|((account, asset), n)| (account, asset, n))
            .collect();
        assert_eq!(app.balances(), balances);
        let positions = self.model.positions().into_iter();
        let positions: Vec<_> = positions
            .map(|((account, market), (size, cost))| (account, market, size, cost))
            .collect();
        assert_eq!(app.positions(), positions);
        assert_eq!(app.chain().fee_pool, self.model.fee_pool());
        for market in (0..app.markets()).map(MarketId) {
            let (bids, asks) = app.orders(market).expect("a market");
            let app: Vec<_> = bids
                .iter()
                .chain(&asks)
                .map(|o| {
                    (
                        o.account,
                        o.price,
                        o.remaining,
                        o.shown,
                        o.filled,
                        o.client_id,
                    )
                })
                .collect();
            let (bids, asks) = self.model.orders(market);
            let model: Vec<_> = bids
                .iter()
                .chain(&asks)
                .map(|o| {
                    (
                        o.account,
                        o.price,
                        o.remaining,
                        o.shown,
                        o.filled,
                        o.client_id,
                    )
                })
                .collect();
            assert_eq!(app, model, "book of {market}");
        }
        self.compare_waiting();
    }

    /// Requires that prices, statuses, switches and the orders that wait are what the model has.
    fn compare_waiting(&self) {
        let app = self.state.committed();
        let mut model: BTreeMap<Account, Vec<_>> = BTreeMap::new();
        for market in (0..app.markets()).map(MarketId) {
            let view = app.market(market).expect("a market");
            let of = |prices: &[i64]| prices[market.index()];
            assert_eq!(
                (view.mark, view.index, view.last, view.status),
                (
                    of(self.model.marks()),
                    of(self.model.indexes()),
                    of(self.model.lasts()),
                    self.model.statuses()[market.index()]
                ),
                "{market}"
            );
            for order in self.model.waiting(market) {
                let row = (
                    market,
                    order.placed.price,
                    order.placed.remaining,
                    order.placed.client_id,
                    order.extreme,
                    order.due,
                );
                model.entry(order.placed.account).or_default().push(row);
            }
        }
        for account in self.model.accounts().keys() {
            let own = app.account(account).expect("exists");
            assert_eq!(own.cancel_at, self.model.deadline(*account), "{account}");
            let margin = self.model.margin(*account);
            assert_eq!(
                (own.margin_mode, margins(&own)),
                (
                    margin.mode,
                    [
                        margin.equity,
                        margin.initial,
                        margin.maintenance,
                        margin.held
                    ]
                    .map(|atoms| atoms.to_string())
                ),
                "{account}"
            );
            let orders = own.orders.iter();
            let mut waiting: Vec<_> = orders
                .filter_map(|order| {
                    let waits = order.waiting?;
                    let (extreme, due) = (waits.extreme, waits.due);
                    let (price, remaining) = (order.price, order.remaining);
                    Some((
                        order.market,
                        price,
                        remaining,
                        order.client_id,
                        extreme,
                        due,
                    ))
                })
                .collect();
            let mut model = model.remove(account).unwrap_or_default();
            waiting.sort_unstable();
            model.sort_unstable();
            assert_eq!(waiting, model, "what waits of {account}");
        }
    }

    /// Requires that each acknowledged result is in a block, that none counts twice, and that what
    /// is bad never counts.
    fn compare_journal(&self, journal: &Journal) {
        assert!(!journal.acked.is_empty());
        for acked in &journal.acked {
            let found = self
                .results
                .get(&acked.hash)
                .is_some_and(|all| all.contains(acked));
            assert!(
                found,
                "lost: {acked:?}, the chain has {:?}",
                self.results.get(&acked.hash)
            );
        }
        for (hash, all) in &self.results {
            let ok = all.iter().filter(|result| result.code == 0).count();
            assert!(ok <= 1, "{} counts {ok} times", hex::encode(hash));
            let kind = journal.bad.get(hash);
            assert!(ok == 0 || kind.is_none(), "{kind:?} counts");
        }
        for ((account, client_id), orders) in &self.client_ids {
            assert_eq!(*orders, 1, "client id {client_id} of {account}");
        }
    }
}

fn plain_result(height: u64, result: &TxResult) -> Acked {
    let actions = result.actions.iter();
    Acked {
        hash: result.hash,
        height,
        code: result.code.number(),
        actions: actions
            .map(|action| {
                (
                    action.code.number(),
                    action.order.map(|id| id.0),
                    action.filled,
                )
            })
            .collect(),
    }
}

/// Equity, initial, maintenance and held margin of an account.
fn margins(account: &AccountView) -> [String; 4] {
    [
        account.equity,
        account.initial_margin,
        account.maintenance_margin,
        account.held_margin,
    ]
    .map(|atoms| atoms.to_string())
}

/// [`margins`], as a node tells them.
fn read_margins(account: &Value) -> [String; 4] {
    [
        "equity",
        "initial_margin",
        "maintenance_margin",
        "held_margin",
    ]
    .map(|name| account[name].as_str().expect("atoms").to_owned())
}

/// (id, remaining, shown, filled) of an account's open orders, by id.
fn read_orders(account: &Value) -> Vec<(u64, i64, i64, i64)> {
    let orders = account["orders"].as_array().expect("orders").iter();
    let number = |value: &Value| value.as_i64().expect("lots");
    let mut orders: Vec<_> = orders
        .map(|order| {
            let id = order["order"]
                .as_str()
                .expect("an id")
                .parse()
                .expect("a number");
            let [remaining, shown, filled] =
                ["remaining", "shown", "filled"].map(|name| number(&order[name]));
            (id, remaining, shown, filled)
        })
        .collect();
    orders.sort_unstable();
    orders
}
