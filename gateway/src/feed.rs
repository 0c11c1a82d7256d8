//! The task that turns committed blocks into messages: keeps the books, numbers the messages of
//! each channel, serialises each once and hands it to the clients' queues.

use crate::accounts::{Accounts, Watch};
use crate::book::Book;
use crate::client::{Client, text};
use crate::error::ApiError;
use crate::events;
use crate::messages::{Ack, BboBody, BlockBody, BookSnapshot, BookUpdate, Message, TradesBody};
use crate::prices::{self, Prices};
use crate::{Committed, HEIGHTS, Shared, TRADES, json};
use axum::extract::ws::Utf8Bytes;
use axum::http::StatusCode;
use ballast_types::{Account, BlockEvents, Event, Lots, MarketId, Side, Ticks};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;

/// What a client can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Target {
    Trades(MarketId),
    Book(MarketId),
    Bbo(MarketId),
    Market(MarketId),
    Blocks { hashes: bool },
    Account(Account),
}

/// What connections ask of the feed. `id` is the client's own, sent back as it came.
pub(crate) enum Command {
    Subscribe {
        client: Arc<Client>,
        id: Value,
        target: Target,
    },
    /// The account channel, with the account as it was read for the client.
    Watch {
        client: Arc<Client>,
        id: Value,
        account: Account,
        watch: Box<Watch>,
    },
    Unsubscribe {
        client: Arc<Client>,
        id: Value,
        target: Target,
    },
    /// The connection has ended.
    Gone(u64),
}

#[derive(Default)]
struct Market {
    book: Book,
    trades_seq: u64,
    book_seq: u64,
    bbo_seq: u64,
    prices: Prices,
    prices_seq: u64,
    /// The book's snapshot at the last height, once somebody has asked for it.
    snapshot: Option<Utf8Bytes>,
}

struct Feed {
    shared: Arc<Shared>,
    latest: Option<Arc<Committed>>,
    markets: Vec<Market>,
    blocks_seq: u64,
    subscribers: HashMap<Target, BTreeMap<u64, Arc<Client>>>,
    accounts: Accounts,
    /// Subscriptions of each client.
    clients: HashMap<u64, BTreeSet<Target>>,
}

impl Target {
    pub(crate) fn channel(self) -> &'static str {
        match self {
            Self::Trades(_) => "trades",
            Self::Book(_) => "book",
            Self::Bbo(_) => "bbo",
            Self::Market(_) => "market",
            Self::Blocks { .. } => "blocks",
            Self::Account(_) => "account",
        }
    }

    fn market(self) -> Option<MarketId> {
        match self {
            Self::Trades(market)
            | Self::Book(market)
            | Self::Bbo(market)
            | Self::Market(market) => Some(market),
            Self::Blocks { .. } | Self::Account(_) => None,
        }
    }
}

/// Drains blocks, and commands when no block waits, until the gateway stops.
pub(crate) async fn run(
    shared: Arc<Shared>,
    mut blocks: mpsc::UnboundedReceiver<Arc<Committed>>,
    mut commands: mpsc::Receiver<Command>,
) {
    let mut feed = Feed {
        latest: None,
        markets: shared
            .catalog
            .markets()
            .map(|_| Market::default())
            .collect(),
        blocks_seq: 0,
        subscribers: HashMap::new(),
        accounts: Accounts::default(),
        clients: HashMap::new(),
        shared: shared.clone(),
    };
    let stopped = shared.stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            biased;
            () = &mut stopped => return,
            Some(block) = blocks.recv() => {
                feed.block(&block);
                shared.counters.processed.fetch_add(1, Ordering::Relaxed);
            }
            Some(command) = commands.recv() => feed.command(command),
        }
    }
}

impl Feed {
    fn block(&mut self, committed: &Arc<Committed>) {
        let block = &committed.events;
        let last = self
            .latest
            .replace(committed.clone())
            .map(|latest| latest.events.height);
        let follows = last.is_some_and(|last| last.checked_add(1) == Some(block.height));
        let trades = self.remember(committed, follows);
        for (market, trades) in &trades {
            self.send_trades(block, *market, trades);
        }
        for market in &mut self.markets {
            market.snapshot = None;
        }
        if follows {
            for event in &block.events {
                if let Event::Book {
                    market,
                    levels,
                    checksum,
                } = event
                {
                    self.change_book(committed, *market, levels, *checksum);
                }
            }
            self.change_prices(block);
        } else {
            tracing::debug!(
                height = block.height,
                ?last,
                "reading the books from the state"
            );
            let markets: Vec<_> = self.shared.catalog.markets().map(|(id, _)| id).collect();
            for market in markets {
                self.reload_book(committed, market);
                self.reload_prices(committed, market);
            }
        }
        self.send_accounts(block);
        self.send_block(committed);
    }

    /// Stores what queries read of a block, and returns its trades by market.
    fn remember(
        &self,
        committed: &Arc<Committed>,
        follows: bool,
    ) -> BTreeMap<MarketId, Vec<json::Trade>> {
        let block = &committed.events;
        let mut new: BTreeMap<MarketId, Vec<json::Trade>> = BTreeMap::new();
        for event in &block.events {
            let trade = json::trade(&self.shared.catalog, block.height, block.time, event);
            if let Some((market, trade)) = trade {
                new.entry(market).or_default().push(trade);
            }
        }
        let mut trades = self.shared.trades.write();
        for (at, ring) in trades.iter_mut().enumerate() {
            if !follows {
                ring.clear();
            }
            let market = u32::try_from(at).map(MarketId).ok();
            if let Some(new) = market.and_then(|market| new.get(&market)) {
                ring.extend(new.iter().cloned());
                ring.drain(..ring.len().saturating_sub(TRADES));
            }
        }
        drop(trades);
        let mut history = self.shared.history.write();
        if !follows {
            history.clear();
        }
        // Dropping a state can take a while; not while queries wait for the lock.
        let oldest = if history.len() < HEIGHTS {
            None
        } else {
            history.pop_front()
        };
        history.push_back(committed.clone());
        drop(history);
        drop(oldest);
        self.shared.results.record(block);
        new
    }

    /// Sends a message to all subscribers of a target; it is only made when there are any.
    fn send(&self, target: Target, message: impl FnOnce() -> Utf8Bytes) {
        let Some(subscribers) = self.subscribers.get(&target) else {
            return;
        };
        let message = message();
        for client in subscribers.values() {
            client.push(message.clone());
        }
        let count = u64::try_from(subscribers.len()).unwrap_or(u64::MAX);
        self.shared
            .counters
            .messages
            .fetch_add(count, Ordering::Relaxed);
    }

    fn send_trades(&mut self, block: &BlockEvents, market: MarketId, trades: &[json::Trade]) {
        let Some(feed) = self.markets.get_mut(market.index()) else {
            return;
        };
        feed.trades_seq += 1;
        let seq = feed.trades_seq;
        let target = Target::Trades(market);
        self.send(target, || {
            self.message("update", target, seq, block, TradesBody { trades })
        });
    }

    fn change_book(
        &mut self,
        committed: &Committed,
        market: MarketId,
        levels: &[(Side, Ticks, Lots)],
        checksum: u32,
    ) {
        let Some(feed) = self.markets.get_mut(market.index()) else {
            return;
        };
        let best = feed.book.best();
        feed.book.apply(levels);
        if feed.book.checksum() != checksum {
            let height = committed.events.height;
            tracing::error!(height, %market, "the book does not have the block's checksum");
            self.shared
                .counters
                .book_errors
                .fetch_add(1, Ordering::Relaxed);
            return self.reload_book(committed, market);
        }
        feed.book_seq += 1;
        let seq = feed.book_seq;
        let changed = feed.book.best() != best;
        let target = Target::Book(market);
        self.send(target, || {
            let body = BookUpdate {
                levels: events::levels(levels),
                checksum,
            };
            self.message("update", target, seq, &committed.events, body)
        });
        if changed {
            self.send_bbo(&committed.events, market);
        }
    }

    /// Takes the book of the state as it is, and sends it whole.
    fn reload_book(&mut self, committed: &Committed, market: MarketId) {
        let view = committed.view.book(market, usize::MAX);
        let Some((view, feed)) = view.zip(self.markets.get_mut(market.index())) else {
            return;
        };
        feed.book = Book::new(&view);
        feed.book_seq += 1;
        let target = Target::Book(market);
        self.send(target, || self.book_snapshot(market, &committed.events));
        self.send_bbo(&committed.events, market);
    }

    fn send_bbo(&mut self, block: &BlockEvents, market: MarketId) {
        let Some(feed) = self.markets.get_mut(market.index()) else {
            return;
        };
        feed.bbo_seq += 1;
        self.send(Target::Bbo(market), || self.bbo("update", market, block));
    }

    /// Follows prices and statuses, and tells those that differ from before the block.
    fn change_prices(&mut self, block: &BlockEvents) {
        let mut before: BTreeMap<MarketId, Prices> = BTreeMap::new();
        for market in &mut self.markets {
            market.prices.begin();
        }
        for event in &block.events {
            let Some(market) = prices::market_of(event) else {
                continue;
            };
            if let Some(feed) = self.markets.get_mut(market.index()) {
                before.entry(market).or_insert(feed.prices);
                feed.prices.apply(event);
            }
        }
        for (market, before) in before {
            let now = self.markets.get(market.index()).map(|feed| feed.prices);
            if now != Some(before) {
                self.send_prices(block, market);
            }
        }
    }

    fn reload_prices(&mut self, committed: &Committed, market: MarketId) {
        let view = committed.view.market(market);
        if let Some((view, feed)) = view.zip(self.markets.get_mut(market.index())) {
            feed.prices = Prices::new(&view);
            self.send_prices(&committed.events, market);
        }
    }

    fn send_prices(&mut self, block: &BlockEvents, market: MarketId) {
        let Some(feed) = self.markets.get_mut(market.index()) else {
            return;
        };
        feed.prices_seq += 1;
        let target = Target::Market(market);
        self.send(target, || self.prices("update", market, block));
    }

    fn send_accounts(&mut self, block: &BlockEvents) {
        let lapsed = self.accounts.block(&self.shared, block);
        for (client, account) in lapsed {
            if let Some(targets) = self.clients.get_mut(&client) {
                targets.remove(&Target::Account(account));
            }
        }
    }

    fn send_block(&mut self, committed: &Committed) {
        self.blocks_seq += 1;
        let block = &committed.events;
        for hashes in [false, true] {
            let target = Target::Blocks { hashes };
            self.send(target, || {
                let body = BlockBody::new(committed, hashes);
                self.message("update", target, self.blocks_seq, block, body)
            });
        }
    }

    fn message<T: Serialize>(
        &self,
        kind: &'static str,
        target: Target,
        seq: u64,
        block: &BlockEvents,
        body: T,
    ) -> Utf8Bytes {
        text(&Message {
            kind,
            channel: target.channel(),
            market: target
                .market()
                .map(|market| self.shared.catalog.symbol(market)),
            seq,
            height: block.height,
            time: block.time,
            body,
        })
    }

    fn book_snapshot(&self, market: MarketId, block: &BlockEvents) -> Utf8Bytes {
        let spec = self.shared.catalog.spec.market(market);
        let (Some(feed), Some(spec)) = (self.markets.get(market.index()), spec) else {
            return Utf8Bytes::default();
        };
        let body = BookSnapshot {
            tick: &spec.tick,
            lot: &spec.lot,
            bids: feed.book.bids().collect(),
            asks: feed.book.asks().collect(),
            checksum: feed.book.checksum(),
        };
        self.message("snapshot", Target::Book(market), feed.book_seq, block, body)
    }

    fn bbo(&self, kind: &'static str, market: MarketId, block: &BlockEvents) -> Utf8Bytes {
        let Some(feed) = self.markets.get(market.index()) else {
            return Utf8Bytes::default();
        };
        let catalog = &self.shared.catalog;
        let (bid, ask) = feed.book.best();
        let body = BboBody {
            bid: bid.map(|level| json::level(catalog, market, level)),
            ask: ask.map(|level| json::level(catalog, market, level)),
        };
        self.message(kind, Target::Bbo(market), feed.bbo_seq, block, body)
    }

    fn prices(&self, kind: &'static str, market: MarketId, block: &BlockEvents) -> Utf8Bytes {
        let Some(feed) = self.markets.get(market.index()) else {
            return Utf8Bytes::default();
        };
        let body = feed.prices.body(&self.shared.catalog, market);
        self.message(kind, Target::Market(market), feed.prices_seq, block, body)
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Subscribe { client, id, target } => {
                if let Err(error) = self.subscribe(&client, &id, target) {
                    crate::ws::send_error(&client, &id, &error);
                }
            }
            Command::Watch {
                client,
                id,
                account,
                watch,
            } => {
                if let Err(error) = self.watch(&client, &id, account, watch) {
                    crate::ws::send_error(&client, &id, &error);
                }
            }
            Command::Unsubscribe { client, id, target } => {
                let removed = match target {
                    Target::Blocks { .. } => [false, true]
                        .into_iter()
                        .any(|hashes| self.remove(client.id, Target::Blocks { hashes })),
                    target => self.remove(client.id, target),
                };
                if removed {
                    self.acknowledge("unsubscribed", &client, id, target, None);
                } else {
                    let message = "the client is not subscribed to this";
                    let error = ApiError::new(
                        StatusCode::CONFLICT,
                        "NOT_SUBSCRIBED",
                        "channel",
                        target.channel(),
                        message,
                    );
                    crate::ws::send_error(&client, &id, &error);
                }
            }
            Command::Gone(client) => {
                for target in self.clients.remove(&client).unwrap_or_default() {
                    self.forget(client, target);
                }
            }
        }
    }

    fn subscribe(
        &mut self,
        client: &Arc<Client>,
        id: &Value,
        target: Target,
    ) -> Result<(), ApiError> {
        let committed = self.latest.clone().ok_or_else(ApiError::not_ready)?;
        if let Target::Blocks { hashes } = target {
            self.remove(client.id, Target::Blocks { hashes: !hashes });
        }
        self.check_limits(client, target)?;
        self.clients.entry(client.id).or_default().insert(target);
        let subscribers = self.subscribers.entry(target).or_default();
        subscribers.insert(client.id, client.clone());
        let market = target
            .market()
            .and_then(|market| self.markets.get(market.index()));
        let seq = match (target, market) {
            (Target::Trades(_), Some(market)) => Some(market.trades_seq),
            (Target::Blocks { .. }, _) => Some(self.blocks_seq),
            _ => None,
        };
        self.acknowledge("subscribed", client, id.clone(), target, seq);
        let block = &committed.events;
        match target {
            Target::Book(market) => client.push(self.cached_snapshot(market, block)),
            Target::Bbo(market) => client.push(self.bbo("snapshot", market, block)),
            Target::Market(market) => client.push(self.prices("snapshot", market, block)),
            Target::Trades(_) | Target::Blocks { .. } | Target::Account(_) => {}
        }
        Ok(())
    }

    fn watch(
        &mut self,
        client: &Arc<Client>,
        id: &Value,
        account: Account,
        watch: Box<Watch>,
    ) -> Result<(), ApiError> {
        let latest = self.latest.clone().ok_or_else(ApiError::not_ready)?;
        let target = Target::Account(account);
        self.check_limits(client, target)?;
        let (shared, accounts) = (&self.shared, &mut self.accounts);
        let messages = accounts.subscribe(shared, client, account, watch, &latest.events)?;
        self.clients.entry(client.id).or_default().insert(target);
        self.acknowledge("subscribed", client, id.clone(), target, None);
        for message in messages {
            client.push(message);
        }
        Ok(())
    }

    fn check_limits(&self, client: &Client, target: Target) -> Result<(), ApiError> {
        let Some(targets) = self.clients.get(&client.id) else {
            return Ok(());
        };
        let refuse = |code, message| {
            let channel = target.channel();
            Err(ApiError::new(
                StatusCode::CONFLICT,
                code,
                "channel",
                channel,
                message,
            ))
        };
        if targets.contains(&target) {
            return refuse(
                "ALREADY_SUBSCRIBED",
                "the client is subscribed to this".to_owned(),
            );
        }
        let max = self.shared.config.max_subscriptions;
        if targets.len() >= max {
            return refuse("SUBSCRIPTION_LIMIT", format!("a client has at most {max}"));
        }
        Ok(())
    }

    fn cached_snapshot(&mut self, market: MarketId, block: &BlockEvents) -> Utf8Bytes {
        let at = market.index();
        if let Some(snapshot) = self.markets.get(at).and_then(|feed| feed.snapshot.clone()) {
            return snapshot;
        }
        let snapshot = self.book_snapshot(market, block);
        if let Some(feed) = self.markets.get_mut(at) {
            feed.snapshot = Some(snapshot.clone());
        }
        snapshot
    }

    /// Ends a subscription; false when there was none.
    fn remove(&mut self, client: u64, target: Target) -> bool {
        let removed = self
            .clients
            .get_mut(&client)
            .is_some_and(|targets| targets.remove(&target));
        if removed {
            self.forget(client, target);
        }
        removed
    }

    fn forget(&mut self, client: u64, target: Target) {
        if let Target::Account(account) = target {
            return self.accounts.remove(client, account);
        }
        if let Some(subscribers) = self.subscribers.get_mut(&target) {
            subscribers.remove(&client);
            if subscribers.is_empty() {
                self.subscribers.remove(&target);
            }
        }
    }

    fn acknowledge(
        &self,
        kind: &'static str,
        client: &Client,
        id: Value,
        target: Target,
        seq: Option<u64>,
    ) {
        let account = match target {
            Target::Account(account) => Some(account.to_string()),
            _ => None,
        };
        let market = target
            .market()
            .map(|market| self.shared.catalog.symbol(market));
        client.send(&Ack {
            kind,
            id,
            channel: target.channel(),
            market,
            account,
            seq,
        });
    }
}
