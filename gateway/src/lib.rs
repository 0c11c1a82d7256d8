//! HTTP and WebSocket for market data, queries and order entry.
//!
//! The consensus thread publishes each committed block; one task turns it into messages, each
//! serialised once, and hands them to bounded queues, one per client. Nothing that a client does
//! can hold the publisher up.
#![forbid(unsafe_code)]

mod accounts;
mod auth;
mod book;
mod catalog;
mod client;
mod error;
mod events;
mod feed;
mod http;
mod json;
mod margin;
mod markets;
mod messages;
mod orders;
mod own;
mod prices;
mod results;
mod ws;

pub use auth::{http_sign_hash, ws_sign_hash};

use axum::http::StatusCode;
use axum::serve::ListenerExt;
use ballast_app::Snapshot;
use ballast_app::view::{
    AccountView, BookView, ChainView, MarketView, MasterView, OrderView, SurfaceView,
};
use ballast_types::{
    Account, AccountId, BlockEvents, ChainSpec, GroupId, Hash, MarketId, MarketSpec, OrderId,
    TxHash,
};
use bytes::Bytes;
use catalog::Catalog;
use error::ApiError;
use parking_lot::{Mutex, RwLock};
use results::Results;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

/// Heights that queries serve.
pub const HEIGHTS: usize = 16;
/// Trades of a market that are kept.
const TRADES: usize = 1_000;
/// Transaction results that are kept.
const RESULTS: usize = 100_000;
/// Subscriptions and the like that wait for the feed; clients wait when it is full.
const COMMANDS: usize = 1_024;
/// Queries that are read at a time; they may visit every open order.
const QUERIES: usize = 2;
/// How long `stop` waits for connections to end.
const STOP: Duration = Duration::from_secs(2);

/// A committed block: what it did, and the state after it.
pub struct Committed {
    /// What it did; height and time of the view are those of the events.
    pub events: BlockEvents,
    /// The state after it.
    pub view: Arc<dyn View>,
}

/// The state at one height.
pub trait View: Send + Sync {
    /// Sums over the chain.
    fn chain(&self) -> ChainView;
    /// App hash after this height.
    fn app_hash(&self) -> Hash;
    /// An account with its balances, positions and orders.
    fn account(&self, account: &Account) -> Option<AccountView>;
    /// A master account.
    fn master(&self, master: &AccountId) -> Option<MasterView>;
    /// An open order, resting or waiting.
    fn order(&self, order: OrderId) -> Option<OrderView>;
    /// The best `depth` levels of each side of a market's book.
    fn book(&self, market: MarketId, depth: usize) -> Option<BookView>;
    /// A market.
    fn market(&self, market: MarketId) -> Option<MarketView>;
    /// How many markets there are, settled ones too; their ids count from 0.
    fn markets(&self) -> u32;
    /// What a market is, of the genesis or listed since.
    fn market_spec(&self, market: MarketId) -> Option<MarketSpec>;
    /// Forwards and volatility curves of a group.
    fn surface(&self, group: GroupId) -> Option<SurfaceView>;
    /// The state itself, where margin can be explained.
    fn state(&self) -> Option<&Snapshot> {
        None
    }
}

impl View for Snapshot {
    fn chain(&self) -> ChainView {
        self.chain()
    }

    fn app_hash(&self) -> Hash {
        self.app_hash()
    }

    fn account(&self, account: &Account) -> Option<AccountView> {
        self.account(account)
    }

    fn master(&self, master: &AccountId) -> Option<MasterView> {
        self.master(master)
    }

    fn order(&self, order: OrderId) -> Option<OrderView> {
        self.order(order)
    }

    fn book(&self, market: MarketId, depth: usize) -> Option<BookView> {
        self.book(market, depth)
    }

    fn market(&self, market: MarketId) -> Option<MarketView> {
        self.market(market)
    }

    fn markets(&self) -> u32 {
        self.markets()
    }

    fn market_spec(&self, market: MarketId) -> Option<MarketSpec> {
        self.market_spec(market)
    }

    fn surface(&self, group: GroupId) -> Option<SurfaceView> {
        self.surface(group)
    }

    fn state(&self) -> Option<&Snapshot> {
        Some(self)
    }
}

/// Takes a transaction into the pool. Must answer at once.
pub type Submit = Arc<dyn Fn(Bytes) -> Result<TxHash, SubmitError> + Send + Sync>;

/// Why the pool did not take a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitError {
    /// A result code of the chain, or at least 32,000: full, try again.
    pub code: u32,
    /// For people.
    pub message: String,
}

/// Where to listen, and bounds on clients.
#[derive(Clone, Debug)]
pub struct Config {
    /// HTTP, with the WebSocket on the same port.
    pub http: SocketAddr,
    /// WebSocket alone.
    pub ws: SocketAddr,
    /// WebSocket clients.
    pub max_clients: usize,
    /// Subscriptions of one client.
    pub max_subscriptions: usize,
    /// Bytes that may wait for one client; beyond, it is disconnected.
    pub queue_bytes: usize,
    /// A client that sends nothing, not even a pong, for this long is disconnected.
    pub client_timeout: Duration,
    /// Whether the node has caught up with the chain; until then `/health` answers `NOT_READY`.
    pub caught_up: Arc<AtomicBool>,
}

impl Config {
    /// These addresses with the usual bounds.
    pub fn new(http: SocketAddr, ws: SocketAddr) -> Self {
        Self {
            http,
            ws,
            max_clients: 10_000,
            max_subscriptions: 1_000,
            queue_bytes: 4 << 20,
            client_timeout: Duration::from_secs(60),
            caught_up: Arc::new(AtomicBool::new(true)),
        }
    }
}

/// Counters for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Blocks published and not yet sent to clients.
    pub backlog: u64,
    /// WebSocket clients connected.
    pub clients: u64,
    /// Messages queued for clients so far.
    pub messages: u64,
    /// Clients disconnected so far because they were too far behind.
    pub slow_clients: u64,
    /// Clients disconnected so far because nothing came from them.
    pub dead_clients: u64,
    /// Transactions taken from clients so far.
    pub accepted: u64,
    /// Transactions refused so far.
    pub refused: u64,
    /// Books that did not have the checksum of their block and were read again.
    pub book_errors: u64,
}

#[derive(Default)]
struct Counters {
    published: AtomicU64,
    processed: AtomicU64,
    messages: AtomicU64,
    slow_clients: AtomicU64,
    dead_clients: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    book_errors: AtomicU64,
}

/// What connections and the feed share.
struct Shared {
    config: Config,
    /// Replaced when a market is listed, before the block that lists it is served.
    catalog: RwLock<Arc<Catalog>>,
    submit: Submit,
    results: Results,
    /// The last [`HEIGHTS`] blocks, newest last.
    history: RwLock<VecDeque<Arc<Committed>>>,
    /// By market, the last [`TRADES`] trades, newest last.
    trades: RwLock<Vec<VecDeque<json::Trade>>>,
    commands: mpsc::Sender<feed::Command>,
    queries: Semaphore,
    clients: AtomicUsize,
    next_client: AtomicU64,
    counters: Counters,
    stop: watch::Receiver<bool>,
}

impl Shared {
    fn latest(&self) -> Option<Arc<Committed>> {
        self.history.read().back().cloned()
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.catalog.read().clone()
    }

    /// Gives a transaction to the pool and counts it.
    fn submit(&self, tx: Bytes) -> Result<TxHash, SubmitError> {
        let result = (self.submit)(tx);
        let counter = match result {
            Ok(_) => &self.counters.accepted,
            Err(_) => &self.counters.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        result
    }

    /// Reads a state, off the threads that serve connections and feeds.
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        // The semaphore is never closed.
        let _permit = self.queries.acquire().await;
        let shared = self.clone();
        let answer = tokio::task::spawn_blocking(move || query(&shared)).await;
        answer.unwrap_or_else(|error| {
            tracing::error!(%error, "a query failed");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Err(ApiError::new(
                status,
                "INTERNAL",
                "request",
                "",
                "the query failed",
            ))
        })
    }

    /// Ends when the gateway stops.
    async fn stopped(&self) {
        // An error means that the gateway was dropped.
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }
}

/// The running gateway. Dropping it ends its connections too, without waiting for them.
pub struct Gateway {
    shared: Arc<Shared>,
    blocks: mpsc::UnboundedSender<Arc<Committed>>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    http: SocketAddr,
    ws: SocketAddr,
}

impl Gateway {
    /// Listens, and serves on the current tokio runtime. Queries answer `NOT_READY` until the
    /// first block is published.
    ///
    /// # Errors
    /// When an address cannot be bound (named in the error), or a tick or lot of the
    /// specification is not a decimal number.
    pub async fn start(config: Config, spec: Arc<ChainSpec>, submit: Submit) -> io::Result<Self> {
        let catalog = Catalog::new(spec).map_err(io::Error::other)?;
        let markets = catalog.len();
        let http_listener = bind("http", config.http).await?;
        let ws_listener = bind("ws", config.ws).await?;
        let (http, ws) = (http_listener.local_addr()?, ws_listener.local_addr()?);
        let (stop, stop_seen) = watch::channel(false);
        let (commands, commands_seen) = mpsc::channel(COMMANDS);
        let (blocks, blocks_seen) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            config,
            catalog: RwLock::new(Arc::new(catalog)),
            submit,
            results: Results::new(RESULTS),
            history: RwLock::default(),
            trades: RwLock::new(vec![VecDeque::new(); markets]),
            commands,
            queries: Semaphore::new(QUERIES),
            clients: AtomicUsize::new(0),
            next_client: AtomicU64::new(1),
            counters: Counters::default(),
            stop: stop_seen,
        });
        let tasks = vec![
            tokio::spawn(feed::run(shared.clone(), blocks_seen, commands_seen)),
            tokio::spawn(serve(
                shared.clone(),
                http_listener,
                http::router(shared.clone()),
            )),
            tokio::spawn(serve(
                shared.clone(),
                ws_listener,
                http::ws_router(shared.clone()),
            )),
        ];
        Ok(Self {
            shared,
            blocks,
            stop,
            tasks: Mutex::new(tasks),
            http,
            ws,
        })
    }

    /// Address of the HTTP port.
    pub fn http_addr(&self) -> SocketAddr {
        self.http
    }

    /// Address of the WebSocket port.
    pub fn ws_addr(&self) -> SocketAddr {
        self.ws
    }

    /// Takes a committed block. Heights are published in order, each once, beginning with any;
    /// after a gap the books are read from the view. Never blocks.
    pub fn publish(&self, committed: Arc<Committed>) {
        self.shared
            .counters
            .published
            .fetch_add(1, Ordering::Relaxed);
        // Fails only once the gateway has stopped.
        let _ = self.blocks.send(committed);
    }

    /// Counters for metrics.
    pub fn stats(&self) -> Stats {
        let counters = &self.shared.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let clients = self.shared.clients.load(Ordering::Relaxed);
        let processed = read(&counters.processed);
        Stats {
            backlog: read(&counters.published).saturating_sub(processed),
            clients: u64::try_from(clients).unwrap_or(u64::MAX),
            messages: read(&counters.messages),
            slow_clients: read(&counters.slow_clients),
            dead_clients: read(&counters.dead_clients),
            accepted: read(&counters.accepted),
            refused: read(&counters.refused),
            book_errors: read(&counters.book_errors),
        }
    }

    /// Closes the ports and all connections, and waits for them for at most two seconds.
    pub async fn stop(&self) {
        let _ = self.stop.send(true);
        self.shared.results.close();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        let deadline = tokio::time::Instant::now() + STOP;
        for mut task in tasks {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

async fn bind(name: &str, addr: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(addr)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("{name} address {addr}: {error}")))
}

async fn serve(shared: Arc<Shared>, listener: TcpListener, router: axum::Router) {
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    let stopped = async move { shared.stopped().await };
    if let Err(error) = axum::serve(listener, router)
        .with_graceful_shutdown(stopped)
        .await
    {
        tracing::error!(%error, "the gateway stopped listening");
    }
}
