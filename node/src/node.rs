//! What every node runs beside consensus: the exchange, its gateway, and metrics.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ballast_abci::FatalHook;
use ballast_abci::application::{Committed, Exchange};
use ballast_abci::metrics::Metrics;
use ballast_abci::pool::{PoolConfig, PoolError, TxPool};
use ballast_gateway::{Config, Gateway, Stats, Submit, SubmitError};
use ballast_types::ChainSpec;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::cmd::Failure;
use crate::metrics_http;
use crate::network::Endpoints;
use crate::settings::NodeSettings;
use crate::view::Height;

/// A running exchange, which waits for blocks, and its servers.
pub struct Node {
    /// What executes blocks.
    pub exchange: Exchange,
    gateway: Arc<Gateway>,
    metrics: JoinHandle<()>,
    /// Set once this node has the chain's state, and not an old one that it replays from.
    caught_up: Arc<AtomicBool>,
}

/// Where they listen.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The gateway's HTTP.
    pub http: SocketAddr,
    /// The gateway's WebSocket.
    pub ws: SocketAddr,
    /// Prometheus.
    pub metrics: SocketAddr,
}

impl From<&NodeSettings> for Addresses {
    fn from(settings: &NodeSettings) -> Self {
        Self {
            http: settings.http,
            ws: settings.ws,
            metrics: settings.metrics,
        }
    }
}

impl Node {
    /// Starts at genesis and serves on the current tokio runtime. Fails when an address cannot be
    /// used, which the error names.
    pub async fn start(
        addresses: Addresses,
        spec: Arc<ChainSpec>,
        pool: PoolConfig,
    ) -> Result<Self, Failure> {
        let metrics = Arc::new(Metrics::new()?);
        let exchange = Exchange::start(pool, Arc::clone(&spec), Arc::clone(&metrics))?;
        let caught_up = Arc::new(AtomicBool::new(false));
        let config = Config {
            caught_up: Arc::clone(&caught_up),
            ..Config::new(addresses.http, addresses.ws)
        };
        let submit = submit(Arc::clone(exchange.pool()), Arc::clone(&caught_up));
        let gateway = Arc::new(Gateway::start(config, spec, submit).await?);
        // What is published is a copy, which the consensus thread does not wait for.
        let (commits, mut committed) = mpsc::unbounded_channel();
        exchange.on_commit(Arc::new(move |block| {
            // Fails only when the runtime has ended.
            let _ = commits.send(Arc::clone(block));
        }));
        let publisher = Arc::clone(&gateway);
        tokio::spawn(async move {
            while let Some(block) = committed.recv().await {
                publisher.publish(published(&block));
            }
        });
        let stats = Arc::clone(&gateway);
        let text = Arc::new(move || metrics.text() + &gateway_text(&stats.stats()));
        let metrics = metrics_http::serve(addresses.metrics, text).await?;
        Ok(Self {
            exchange,
            gateway,
            metrics,
            caught_up,
        })
    }

    /// What to set when this node has caught up with the chain: from then on it takes orders. Before,
    /// it would judge them by an old state.
    pub fn caught_up(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.caught_up)
    }

    /// Stops the servers, waiting a moment for connections to end. Blocks must have stopped.
    pub async fn stop(self) {
        self.gateway.stop().await;
        self.metrics.abort();
    }
}

/// A block as the gateway takes it.
fn published(committed: &Arc<Committed>) -> Arc<ballast_gateway::Committed> {
    Arc::new(ballast_gateway::Committed {
        events: committed.events.clone(),
        view: Arc::new(Height(Arc::clone(&committed.snapshot))),
    })
}

/// Number of the refusal while a node replays or syncs; like those of a full pool, it may be tried
/// again.
const CATCHING_UP: u32 = 32_010;

/// Hands clients' transactions to the pool.
fn submit(pool: Arc<TxPool>, caught_up: Arc<AtomicBool>) -> Submit {
    Arc::new(move |tx: Bytes| {
        if !caught_up.load(Ordering::Relaxed) {
            return Err(SubmitError {
                code: CATCHING_UP,
                message: "this node still catches up with the chain; ask another, or try again"
                    .to_owned(),
            });
        }
        // The answer waits for a signature check, which is quick but no work for this thread.
        let answer = tokio::task::block_in_place(|| pool.submit(&tx));
        answer.map_err(|PoolError { code, message }| SubmitError { code, message })
    })
}

/// A hook that passes on why the application cannot go on.
pub fn fatal_hook() -> (FatalHook, mpsc::UnboundedReceiver<String>) {
    let (send, receive) = mpsc::unbounded_channel();
    let hook = move |reason: &str| {
        // Nobody listens only while the process stops already.
        let _ = send.send(format!("the application cannot go on: {reason}"));
    };
    (Arc::new(hook), receive)
}

/// The gateway's counters in Prometheus's text format.
fn gateway_text(stats: &Stats) -> String {
    let mut text = String::new();
    for (name, kind, help, value) in [
        (
            "backlog",
            "gauge",
            "Blocks not yet sent to clients",
            stats.backlog,
        ),
        ("clients", "gauge", "WebSocket clients", stats.clients),
        (
            "messages_total",
            "counter",
            "Messages queued for clients",
            stats.messages,
        ),
        (
            "slow_clients_total",
            "counter",
            "Clients that were too far behind",
            stats.slow_clients,
        ),
        (
            "dead_clients_total",
            "counter",
            "Clients that said nothing",
            stats.dead_clients,
        ),
        (
            "accepted_total",
            "counter",
            "Transactions taken from clients",
            stats.accepted,
        ),
        (
            "refused_total",
            "counter",
            "Transactions refused",
            stats.refused,
        ),
        (
            "book_errors_total",
            "counter",
            "Books that had to be read again",
            stats.book_errors,
        ),
    ] {
        let name = format!("ballast_gateway_{name}");
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
        );
    }
    text
}

/// Where a node that serves is reached, as a line for people.
pub fn endpoints_text(endpoints: &Endpoints) -> String {
    let Endpoints {
        rpc,
        http,
        ws,
        metrics,
    } = endpoints;
    format!("RPC {rpc}  HTTP {http}  WebSocket {ws}  metrics {metrics}")
}
