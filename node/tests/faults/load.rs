//! Mixed load: clients that send, wait for results, and write down each that is acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ballast::api::{Api, Error};
use ballast::rpc::Client;
use ballast_types::{Action, Condition, PostOnly, SelfTrade, TimeInForce, TxHash, tx_hash};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::mix::{Sent, Trader};
use crate::net::Net;

/// How long a request waits for the block. Then the same bytes are sent again.
const WAIT: Duration = Duration::from_secs(2);
/// How long a client tries: less than a transaction is valid.
const TRY: Duration = Duration::from_secs(100);
/// Before a node that did not answer is asked again.
const PAUSE: Duration = Duration::from_millis(50);
/// Transactions of a client that it may replay.
const OLD: usize = 50;

/// A result as a node gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acked {
    pub(crate) hash: TxHash,
    pub(crate) height: u64,
    pub(crate) code: u16,
    /// Code, order id and lots filled of each action.
    pub(crate) actions: Vec<(u16, Option<u64>, i64)>,
}

/// What the clients saw.
#[derive(Default)]
pub(crate) struct Journal {
    pub(crate) acked: Vec<Acked>,
    /// Sent, but never answered with a result.
    pub(crate) unanswered: Vec<String>,
    /// Good transactions that every node refused, by code: these came too late, or too early.
    pub(crate) refused: BTreeMap<String, u64>,
    /// Of transactions that no block may authorise.
    pub(crate) bad: BTreeMap<TxHash, &'static str>,
    /// What nodes answered to these, by kind: name of the code, or `taken`.
    pub(crate) refusals: BTreeMap<&'static str, BTreeSet<String>>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl Journal {
    fn count(&mut self, name: &'static str) {
        *self.counts.entry(name).or_insert(0) += 1;
    }

    pub(crate) fn get(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// Requires that the load was as mixed as promised; returns its figures.
    pub(crate) fn assert_mixed(&self) -> String {
        let seen = |name: &str| {
            assert!(self.get(name) > 0, "no {name} in {:?}", self.counts);
        };
        [
            "order",
            "cancel",
            "amend",
            "transfer",
            "set agent",
            "remove agent",
            "set prices",
            "set status",
            "cancel after",
        ]
        .into_iter()
        .chain([
            "gtc",
            "gtt",
            "gtb",
            "ioc",
            "fok",
            "post-only",
            "slide",
            "reduce-only",
            "iceberg",
            "stop",
            "trailing",
            "pegged",
            "twap",
            "linked",
            "cancel taker",
            "cancel maker",
            "cancel both",
            "decrement",
            "subaccount",
            "agent",
        ])
        .chain([
            "ed25519",
            "secp256k1",
            "cosmos",
            "edge",
            "replayed",
            "twin",
            "bad",
        ])
        .for_each(seen);
        let invalid = ["bad", "edge", "replayed", "twin"]
            .map(|name| self.get(name))
            .iter()
            .sum();
        let (txs, actions): (u64, u64) = (self.get("transaction"), self.get("action"));
        let share = |part: u64, whole: u64| part * 100 / whole.max(1);
        let (bad, cancels) = (share(invalid, txs), share(self.get("cancel"), actions));
        assert!(
            bad >= 10 && cancels >= 20,
            "{bad} % invalid, {cancels} % cancels"
        );
        assert_eq!(self.unanswered, [""; 0]);
        let refused: u64 = self.refused.values().sum();
        format!(
            "{txs} txs, {actions} actions, {bad} % invalid, {cancels} % cancels, {refused} refused"
        )
    }
}

/// Clients at work.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    clients: Vec<JoinHandle<()>>,
    journal: Arc<Mutex<Journal>>,
}

struct Sender {
    trader: Trader,
    nodes: Vec<(Api, Client)>,
    journal: Arc<Mutex<Journal>>,
    stop: watch::Receiver<bool>,
    wallet: bool,
    key_type: &'static str,
}

impl Load {
    /// Sets the demo accounts up and starts two clients for each key, which send to `nodes` only.
    pub(crate) async fn start(net: &Net, nodes: &[usize], seed: u64) -> Self {
        let journal = Arc::new(Mutex::new(Journal::default()));
        let (stop, stopped) = watch::channel(false);
        let count = net.secrets.len();
        let client = |at: usize, lane: usize| {
            let seed = seed * 1_000 + u64::try_from(at * 2 + lane).unwrap_or(0);
            Sender {
                trader: Trader::new(seed, at, &net.secrets, &net.spec),
                nodes: nodes
                    .iter()
                    .map(|node| (net.api(*node), net.rpc(*node)))
                    .collect(),
                journal: Arc::clone(&journal),
                stop: stopped.clone(),
                wallet: lane == 1,
                key_type: match net.secrets[at] {
                    ballast_types::Secret::Ed25519(_) => "ed25519",
                    ballast_types::Secret::Secp256k1(_) => "secp256k1",
                },
            }
        };
        for at in 0..count {
            let mut client = client(at, 0);
            let before = net.secrets[(at + count - 1) % count].id();
            let sent = client.trader.set_up(before);
            let acked = client.deliver(&sent.bytes).await.expect("a result");
            assert!(
                acked.actions.iter().all(|(code, ..)| *code == 0),
                "{acked:?}"
            );
        }
        let lanes = (0..count).flat_map(|at| [(at, 0), (at, 1)]);
        let clients = lanes
            .map(|(at, lane)| tokio::spawn(client(at, lane).work()))
            .collect();
        Self {
            stop,
            clients,
            journal,
        }
    }

    /// Waits for the results of what is under way and returns what all clients saw.
    pub(crate) async fn finish(self) -> Journal {
        self.stop.send_replace(true);
        for client in self.clients {
            client.await.expect("a client that does not panic");
        }
        std::mem::take(&mut *self.journal.lock().expect("no panic"))
    }

    /// Results so far.
    pub(crate) fn acked(&self) -> usize {
        self.journal.lock().expect("no panic").acked.len()
    }
}

impl Sender {
    async fn work(mut self) {
        if self.wallet && self.key_type == "secp256k1" {
            self.read_sequence().await;
        }
        while !*self.stop.borrow() {
            match self.trader.rng.below(100) {
                0..=8 => self.bad().await,
                9 | 10 => self.replay().await,
                11 | 12 => self.twins().await,
                13..=18 => {
                    let sent = self.trader.edge();
                    self.note(|journal| journal.count("edge"));
                    self.trade(sent, false).await;
                }
                _ => {
                    let wallet = if self.wallet {
                        self.trader.wallet()
                    } else {
                        None
                    };
                    let cosmos = wallet.is_some();
                    let sent = wallet.unwrap_or_else(|| self.trader.good());
                    self.trade(sent, cosmos).await;
                }
            }
        }
    }

    fn note(&self, note: impl FnOnce(&mut Journal)) {
        note(&mut self.journal.lock().expect("no panic"));
    }

    async fn trade(&mut self, sent: Sent, cosmos: bool) {
        self.note(|journal| {
            journal.count("transaction");
            journal.count(if cosmos { "cosmos" } else { self.key_type });
            sent.account_kind()
                .into_iter()
                .for_each(|kind| journal.count(kind));
            for action in &sent.actions {
                journal.count("action");
                kinds(action)
                    .into_iter()
                    .for_each(|kind| journal.count(kind));
            }
        });
        let acked = match self.deliver(&sent.bytes).await {
            Ok(acked) => acked,
            Err(Some(code)) => {
                self.note(|journal| *journal.refused.entry(code).or_insert(0) += 1);
                if cosmos {
                    self.read_sequence().await;
                }
                return;
            }
            Err(None) => {
                let hash = hex::encode(tx_hash(&sent.bytes));
                self.note(|journal| journal.unanswered.push(hash));
                return;
            }
        };
        let orders: Vec<_> = acked
            .actions
            .iter()
            .map(|(_, id, filled)| (*id, *filled))
            .collect();
        self.trader.learn(&sent, &orders);
        if cosmos {
            match acked.code {
                0 => self.trader.sequence += 1,
                _ => self.read_sequence().await,
            }
        }
        if acked.code == 0 {
            self.trader.old.push_back(sent.bytes);
            let surplus = self.trader.old.len().saturating_sub(OLD);
            self.trader.old.drain(..surplus);
        }
        self.note(|journal| journal.acked.push(acked));
    }

    /// Sends the same bytes, to the next node after each failure, until one has the result.
    ///
    /// # Errors
    /// The code when every node refuses in turn; `None` when no answer came in time.
    async fn deliver(&mut self, bytes: &[u8]) -> Result<Acked, Option<String>> {
        let began = Instant::now();
        let first = self.trader.rng.index(self.nodes.len());
        let mut refusals = 0;
        for (api, _) in self.nodes.iter().cycle().skip(first) {
            if began.elapsed() > TRY {
                return Err(None);
            }
            match api.submit(bytes.to_vec(), WAIT).await {
                Ok(answer) if answer["result"].is_object() => {
                    return Ok(read_result(&answer["result"]));
                }
                // No block yet: the same again.
                Ok(_) => refusals = 0,
                // It may be behind, and not know an account or an agent yet.
                Err(Error::Refused { code, .. }) if code != "FULL" && code != "NOT_READY" => {
                    refusals += 1;
                    if refusals == self.nodes.len() {
                        return Err(Some(code));
                    }
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
        Err(None)
    }

    /// Sends what must be refused: by HTTP, or by one of the three ways of RPC.
    async fn bad(&mut self) {
        let (kind, bytes) = self.trader.bad();
        let (api, rpc) = self.nodes[self.trader.rng.index(self.nodes.len())].clone();
        let answer = match self.trader.rng.below(4) {
            0 | 1 => match api.submit(bytes.clone(), Duration::ZERO).await {
                Ok(_) => Some("taken".to_owned()),
                Err(Error::Refused { code, .. }) => Some(code),
                Err(_) => None,
            },
            2 => rpc
                .broadcast_tx_sync(&bytes)
                .await
                .ok()
                .map(|sent| sent.code.to_string()),
            _ => rpc
                .broadcast_tx_async(&bytes)
                .await
                .ok()
                .map(|_| "async".to_owned()),
        };
        self.note(|journal| {
            journal.count("transaction");
            journal.count("bad");
            journal.bad.insert(tx_hash(&bytes), kind);
            journal.refusals.entry(kind).or_default().extend(answer);
        });
    }

    /// Sends again what the chain has.
    async fn replay(&mut self) {
        let Some(bytes) = self.trader.old.pop_front() else {
            return;
        };
        let (api, rpc) = self.nodes[self.trader.rng.index(self.nodes.len())].clone();
        self.note(|journal| {
            journal.count("transaction");
            journal.count("replayed");
        });
        // Whatever the answer: the end compares what the chain did.
        if self.trader.rng.one_in(2) {
            let _ = api.submit(bytes, Duration::ZERO).await;
        } else {
            let _ = rpc.broadcast_tx_sync(&bytes).await;
        }
    }

    /// Sends two transactions of one nonce, the first without waiting.
    async fn twins(&mut self) {
        let [first, second] = self.trader.twins();
        let (api, _) = self.nodes[self.trader.rng.index(self.nodes.len())].clone();
        let _ = api.submit(first, Duration::ZERO).await;
        let _ = api.submit(second, Duration::ZERO).await;
        self.note(|journal| {
            for name in ["transaction", "transaction", "twin"] {
                journal.count(name);
            }
        });
    }

    /// Reads the next Cosmos sequence from any node that has it.
    async fn read_sequence(&mut self) {
        let address = self.trader.secret.id().to_string();
        for (api, _) in &self.nodes {
            if let Ok(master) = api.get(&["v1", "masters", &address], &[]).await
                && let Some(sequence) = master["sequence"].as_str().and_then(|s| s.parse().ok())
            {
                self.trader.sequence = self.trader.sequence.max(sequence);
                return;
            }
        }
    }
}

impl Sent {
    fn account_kind(&self) -> Option<&'static str> {
        [None, Some("subaccount"), Some("agent")][self.account]
    }
}

fn kinds(action: &Action) -> Vec<&'static str> {
    let Action::Order(order) = action else {
        return vec![match action {
            Action::Order(_) => "order",
            Action::Amend(_) => "amend",
            Action::Cancel(_) => "cancel",
            Action::Transfer(_) => "transfer",
            Action::SetAgent(_) => "set agent",
            Action::RemoveAgent(_) => "remove agent",
            Action::SetPrices(_) => "set prices",
            Action::SetMarketStatus(_) => "set status",
            Action::CancelAfter(_) => "cancel after",
            Action::Scale(_) => "scale",
            Action::Quotes(_) => "quotes",
            Action::SetProtection(_) => "set protection",
            Action::Linked(_) => "linked",
            Action::SetMarginMode(_) => "set margin mode",
            Action::SetSurface(_) => "set surface",
        }];
    };
    let tif = match order.tif {
        TimeInForce::Gtc => "gtc",
        TimeInForce::Gtt(_) => "gtt",
        TimeInForce::Ioc => "ioc",
        TimeInForce::Fok => "fok",
        TimeInForce::Gtb(_) => "gtb",
    };
    let self_trade = match order.self_trade {
        SelfTrade::CancelTaker => "cancel taker",
        SelfTrade::CancelMaker => "cancel maker",
        SelfTrade::CancelBoth => "cancel both",
        SelfTrade::Decrement => "decrement",
    };
    let trigger = order.trigger.map(|trigger| match trigger.condition {
        Condition::AtOrAbove(_) | Condition::AtOrBelow(_) => "stop",
        Condition::Trail { .. } => "trailing",
    });
    let flags = [
        (order.post_only == PostOnly::Reject, "post-only"),
        (order.post_only == PostOnly::Slide, "slide"),
        (order.reduce_only, "reduce-only"),
        (order.display.is_some(), "iceberg"),
        (order.peg.is_some(), "pegged"),
        (order.twap.is_some(), "twap"),
    ];
    let flags = flags
        .into_iter()
        .filter_map(|(set, name)| set.then_some(name));
    let common = ["order", tif, self_trade].into_iter();
    common.chain(trigger).chain(flags).collect()
}

pub(crate) fn read_result(result: &Value) -> Acked {
    let code = |value: &Value| {
        u16::try_from(value["code"].as_u64().expect("a code")).expect("a code of the chain")
    };
    let hash = hex::decode(result["hash"].as_str().expect("a hash")).expect("hexadecimal");
    let actions = result["actions"].as_array().expect("actions").iter();
    Acked {
        hash: hash.try_into().expect("32 bytes"),
        height: result["height"].as_u64().expect("a height"),
        code: code(result),
        actions: actions
            .map(|action| {
                let order = action["order"]
                    .as_str()
                    .map(|id| id.parse().expect("an id"));
                (
                    code(action),
                    order,
                    action["filled"].as_i64().expect("lots"),
                )
            })
            .collect(),
    }
}
