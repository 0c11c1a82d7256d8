//! The task that turns committed blocks into messages: keeps the books, numbers the messages of
//! each channel, serialises each once and hands it to the clients' queues.

use crate::accounts::{Accounts, Watch};
use crate::book::Book;
use crate::catalog::Catalog;
use crate::client::{Client, text};
use crate::events;
use crate::messages::{
    BboBody, BlockBody, BookSnapshot, BookUpdate, GroupBody, Message, SettledRow, TradesBody,
};
use crate::prices::{self, Prices};
use crate::{Committed, HEIGHTS, Shared, TRADES, json, markets};
use axum::extract::ws::Utf8Bytes;
use ballast_types::{
    Account, BlockEvents, Event, GroupId, Lots, MarketId, MarketKind, Side, Ticks,
};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;

mod commands;

/// What a client can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Target {
    Trades(MarketId),
    Book(MarketId),
    Bbo(MarketId),
    Market(MarketId),
    Group(GroupId),
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
    /// That of `shared`, which only the feed replaces.
    catalog: Arc<Catalog>,
    latest: Option<Arc<Committed>>,
    markets: Vec<Market>,
    /// Number of the last message of each group.
    groups_seq: Vec<u64>,
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
            Self::Group(_) => "group",
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
            Self::Group(_) | Self::Blocks { .. } | Self::Account(_) => None,
        }
    }

    fn group(self) -> Option<GroupId> {
        match self {
            Self::Group(group) => Some(group),
            _ => None,
        }
    }
}

/// Drains blocks, and commands when no block waits, until the gateway stops.
pub(crate) async fn run(
    shared: Arc<Shared>,
    mut blocks: mpsc::UnboundedReceiver<Arc<Committed>>,
    mut commands: mpsc::Receiver<Command>,
) {
    let catalog = shared.catalog();
    let mut feed = Feed {
        latest: None,
        markets: catalog.markets().map(|_| Market::default()).collect(),
        groups_seq: vec![0; catalog.spec.groups.len()],
        catalog,
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
        self.list(committed);
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
            self.change_prices(committed);
            self.send_groups(committed);
        } else {
            tracing::debug!(
                height = block.height,
                ?last,
                "reading the books from the state"
            );
            let catalog = self.catalog.clone();
            for (market, _) in catalog.markets() {
                self.reload_book(committed, market);
                self.reload_prices(committed, market);
            }
            for group in (0..).map(GroupId).take(self.groups_seq.len()) {
                self.send_group(block, group, "snapshot", || GroupBody {
                    surface: surface(&catalog, committed, group),
                    ..GroupBody::default()
                });
            }
        }
        self.send_accounts(block);
        self.send_block(committed);
    }

    /// Makes known the markets that were listed since the block before, before anything names one.
    fn list(&mut self, committed: &Committed) {
        let known = self.catalog.len();
        let count = usize::try_from(committed.view.markets()).unwrap_or(usize::MAX);
        if count <= known {
            return;
        }
        let mut catalog = Catalog::clone(&self.catalog);
        for at in known..count {
            let id = u32::try_from(at).map(MarketId).ok();
            let spec = id.and_then(|id| committed.view.market_spec(id));
            let listed = spec.map_or_else(
                || Err(format!("market {at} has no specification")),
                |spec| catalog.list(spec),
            );
            if let Err(error) = listed {
                tracing::error!(error, "a listed market is unknown to the gateway");
                break;
            }
        }
        self.markets.resize_with(catalog.len(), Market::default);
        let mut trades = self.shared.trades.write();
        trades.resize_with(catalog.len(), Default::default);
        drop(trades);
        self.catalog = Arc::new(catalog);
        *self.shared.catalog.write() = self.catalog.clone();
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
            let trade = json::trade(&self.catalog, block.height, block.time, event);
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
    fn change_prices(&mut self, committed: &Committed) {
        let block = &committed.events;
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
        // Events do not tell what the marks of options make of them.
        let targets = self.subscribers.keys().copied();
        let options = targets.filter_map(|target| match target {
            Target::Market(market) if is_option(&self.catalog, market) => Some(market),
            _ => None,
        });
        for market in options {
            let view = committed.view.market(market);
            if let Some((view, feed)) = view.zip(self.markets.get_mut(market.index())) {
                before.entry(market).or_insert(feed.prices);
                feed.prices.follow(&view);
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

    /// Tells what a block listed and settled, and the surfaces that took effect.
    fn send_groups(&mut self, committed: &Committed) {
        let catalog = self.catalog.clone();
        let mut bodies: BTreeMap<GroupId, GroupBody> = BTreeMap::new();
        let group_of = |market| catalog.market(market).map(|spec| spec.group);
        for event in &committed.events.events {
            match event {
                Event::Listed { market, .. } => {
                    let view = committed.view.market(*market);
                    let row = view.and_then(|view| markets::market(&catalog, &view));
                    if let Some((group, row)) = group_of(*market).zip(row) {
                        bodies.entry(group).or_default().listed.push(row);
                    }
                }
                Event::Settled { market, price } => {
                    let Some(group) = group_of(*market) else {
                        continue;
                    };
                    bodies.entry(group).or_default().settled.push(SettledRow {
                        market: catalog.symbol(*market).to_owned(),
                        price: *price,
                        price_decimal: catalog.price(*market, *price),
                    });
                }
                Event::Surface { group, .. } => {
                    let body = bodies.entry(*group).or_default();
                    body.surface = surface(&catalog, committed, *group);
                }
                _ => {}
            }
        }
        for (group, body) in bodies {
            self.send_group(&committed.events, group, "update", || body);
        }
    }

    fn send_group(
        &mut self,
        block: &BlockEvents,
        group: GroupId,
        kind: &'static str,
        body: impl FnOnce() -> GroupBody,
    ) {
        let Some(seq) = self.groups_seq.get_mut(group.index()) else {
            return;
        };
        *seq += 1;
        let (seq, target) = (*seq, Target::Group(group));
        self.send(target, || self.message(kind, target, seq, block, body()));
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
            market: target.market().map(|market| self.catalog.symbol(market)),
            group: target.group().map(|group| self.catalog.group(group)),
            seq,
            height: block.height,
            time: block.time,
            body,
        })
    }

    fn book_snapshot(&self, market: MarketId, block: &BlockEvents) -> Utf8Bytes {
        let spec = self.catalog.market(market);
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
        let catalog = &self.catalog;
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
        let body = feed.prices.body(&self.catalog, market);
        self.message(kind, Target::Market(market), feed.prices_seq, block, body)
    }
}

/// Whether the prices of the market are more than events tell.
fn is_option(catalog: &Catalog, market: MarketId) -> bool {
    let spec = catalog.market(market);
    spec.is_some_and(|spec| matches!(spec.kind, MarketKind::Option { .. }))
}

fn surface(catalog: &Catalog, committed: &Committed, group: GroupId) -> Option<markets::Surface> {
    let view = committed.view.surface(group)?;
    Some(markets::surface(catalog, &view))
}
