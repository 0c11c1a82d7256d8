//! The application against the naive model: same results, events, money, positions and books after
//! every block, whatever the threads, the order of transactions in the block, and the bundling.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use ballast_app::view::OrderView;
use ballast_app::{Block, Snapshot, State};
use ballast_model::workload::{NextBlock, Rng, Workload, test_secrets, test_spec};
use ballast_model::{Model, PlacedOrder};
use ballast_types::{
    Account, BlockEvents, Event, GroupId, Hash, MarketId, OrderId, Secret, TAG_NATIVE, TxHash,
    TxResult, chain_hash, encode_bundle,
};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const NONE_VERIFIED: &(dyn Fn(&TxHash) -> bool + Sync) = &|_| false;

fn block_txs(txs: &[Vec<u8>]) -> Vec<Bytes> {
    txs.iter().cloned().map(Bytes::from).collect()
}

/// The application, run in a pool of its own number of threads.
struct App {
    state: State,
    threads: rayon::ThreadPool,
}

impl App {
    fn new(threads: usize) -> Self {
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let mut state = State::genesis(Arc::new(test_spec())).unwrap();
        state.check_margins_of_blocks();
        Self { state, threads }
    }

    fn execute(&mut self, block: &NextBlock, txs: &[Bytes]) -> (Hash, BlockEvents) {
        let (state, threads) = (&mut self.state, &self.threads);
        threads.install(|| {
            let block = Block {
                height: block.height,
                time: block.time,
                txs,
            };
            let candidate = state.execute(&block, NONE_VERIFIED);
            assert!(
                candidate.stats.violations.none(),
                "{:?}",
                candidate.stats.violations
            );
            let done = (candidate.app_hash, candidate.events.clone());
            state.commit(candidate);
            done
        })
    }

    /// Executes something else first and drops it.
    fn drop_candidate(&mut self, height: u64, time: u64, txs: &[Bytes]) {
        let candidate = self
            .state
            .execute(&Block { height, time, txs }, NONE_VERIFIED);
        self.state.discard(candidate);
        self.state.check_indexes().unwrap();
        self.state.check_margins().unwrap();
    }
}

/// Orders are named by each implementation's own ids; results pair them.
fn pair_ids(app: &BlockEvents, model: &BlockEvents, ids: &mut BTreeMap<OrderId, OrderId>) {
    let flat =
        |events: &BlockEvents| -> Vec<TxResult> { events.txs.iter().flatten().cloned().collect() };
    for (app, model) in flat(app).iter().zip(&flat(model)) {
        for (app, model) in app.actions.iter().zip(&model.actions) {
            let parts = app.parts.iter().zip(&model.parts);
            let parts = parts.map(|(app, model)| (app.order, model.order));
            for named in parts.chain([(app.order, model.order)]) {
                if let (Some(app), Some(model)) = named {
                    ids.insert(app, model);
                }
            }
        }
    }
}

fn with_model_ids(event: &Event, ids: &BTreeMap<OrderId, OrderId>) -> Event {
    let mut event = event.clone();
    let rename = |id: &mut OrderId| *id = ids.get(id).copied().unwrap_or(OrderId(u64::MAX));
    match &mut event {
        Event::Waiting { order, .. }
        | Event::Triggered { order, .. }
        | Event::Refreshed { order, .. }
        | Event::Sliced { order, .. }
        | Event::Moved { order, .. }
        | Event::Rested { order, .. }
        | Event::Reduced { order, .. }
        | Event::Removed { order, .. } => rename(order),
        Event::Fill { maker, taker, .. } => {
            rename(maker);
            rename(taker);
        }
        _ => {}
    }
    event
}

fn market_of(event: &Event) -> Option<MarketId> {
    match event {
        Event::Waiting { market, .. }
        | Event::Triggered { market, .. }
        | Event::Refreshed { market, .. }
        | Event::Sliced { market, .. }
        | Event::Moved { market, .. }
        | Event::Auction { market, .. }
        | Event::Rested { market, .. }
        | Event::Reduced { market, .. }
        | Event::Removed { market, .. }
        | Event::Fill { market, .. }
        | Event::Book { market, .. } => Some(*market),
        _ => None,
    }
}

/// Events in order per market; the others in order.
fn by_market(events: &[Event]) -> BTreeMap<Option<MarketId>, Vec<Event>> {
    let mut split: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in events {
        split
            .entry(market_of(event))
            .or_default()
            .push(event.clone());
    }
    split
}

fn compare_events(app: &BlockEvents, model: &BlockEvents, ids: &BTreeMap<OrderId, OrderId>) {
    for (at, (app, model)) in app.txs.iter().zip(&model.txs).enumerate() {
        for (app, model) in app.iter().zip(model) {
            let plain = |tx: &TxResult| {
                let actions: Vec<_> = tx
                    .actions
                    .iter()
                    .map(|a| {
                        let parts = a.parts.iter();
                        let parts = parts.map(|p| (p.code, p.filled, p.order.is_some(), p.missing));
                        let parts: Vec<_> = parts.collect();
                        (a.code, a.filled, a.order.is_some(), a.missing, parts)
                    })
                    .collect();
                (tx.hash, tx.code, actions)
            };
            assert_eq!(plain(app), plain(model), "results of transaction {at}");
        }
        assert_eq!(app.len(), model.len(), "transaction {at}");
    }
    assert_eq!(app.txs.len(), model.txs.len());
    let renamed: Vec<_> = app
        .events
        .iter()
        .map(|event| with_model_ids(event, ids))
        .collect();
    let (app, model) = (by_market(&renamed), by_market(&model.events));
    for market in app.keys().chain(model.keys()) {
        let (app, model) = (app.get(market), model.get(market));
        let none = Vec::new();
        for (app, model) in app.unwrap_or(&none).iter().zip(model.unwrap_or(&none)) {
            assert_eq!(app, model, "events of market {market:?}");
        }
        assert_eq!(
            app.map(Vec::len),
            model.map(Vec::len),
            "events of market {market:?}"
        );
    }
}

/// What both sides say of an order, but its id.
fn of_app(o: &OrderView) -> String {
    let how = (o.post_only, o.reduce_only, o.self_trade, o.self_trade_scope);
    let lots = (o.remaining, o.shown, o.display, o.filled);
    let named = (o.client_id, o.label, o.quote);
    let price = (o.side, o.price, o.level, o.peg);
    let what = (o.market, o.account, price, lots, o.tif, how, named);
    format!("{what:?}")
}

fn of_model(o: &PlacedOrder) -> String {
    let how = (o.post_only, o.reduce_only, o.self_trade, o.self_trade_scope);
    let lots = (o.remaining, o.shown, o.display, o.filled);
    let named = (o.client_id, o.label, o.quote);
    let price = (o.side, o.price, o.level, o.peg);
    let what = (o.market, o.account, price, lots, o.tif, how, named);
    format!("{what:?}")
}

fn compare_books(app: &Snapshot, model: &Model, market: MarketId) {
    let (bids, asks) = app.orders(market).unwrap();
    let (model_bids, model_asks) = model.orders(market);
    for (app, model) in [(bids, model_bids), (asks, model_asks)] {
        let model: Vec<_> = model.iter().map(of_model).collect();
        let app: Vec<_> = app.iter().map(of_app).collect();
        assert_eq!(app, model, "book of {market}");
    }
    let view = app.market(market).unwrap();
    let at = market.index();
    assert_eq!(
        (view.mark, view.index, view.last, view.status),
        (
            model.marks()[at],
            model.indexes()[at],
            model.lasts()[at],
            model.statuses()[at]
        ),
        "market {market}"
    );
}

/// The link that an order is in, with the model's ids.
fn compare_link(order: &OrderView, model: &Model, ids: &BTreeMap<OrderId, OrderId>) {
    let ours = order.link.as_ref().map(|link| {
        let legs: Vec<_> = link.legs.iter().map(|id| ids[id]).collect();
        (link.kind, link.rule, link.order.map(|id| ids[&id]), legs)
    });
    let theirs = model.link(ids[&order.id]);
    let theirs = theirs.map(|link| (link.kind, link.rule, link.first(), link.legs()));
    assert_eq!(ours, theirs, "link of {}", order.id);
}

/// Waiting orders, paired by the model's ids.
fn compare_waiting(app: &Snapshot, model: &Model, ids: &BTreeMap<OrderId, OrderId>) {
    let accounts = model.accounts();
    let orders: Vec<_> = accounts
        .keys()
        .flat_map(|account| app.account(account).unwrap().orders)
        .collect();
    for order in &orders {
        compare_link(order, model, ids);
    }
    let views = orders
        .into_iter()
        .filter_map(|order| Some((ids[&order.id], order.clone(), order.waiting?)));
    let ours: BTreeMap<_, _> = views
        .map(|(id, order, w)| {
            let twap = w.twap.map(|t| (t.twap, t.start, t.next));
            let waits = (w.trigger, w.max_fills, w.due, w.extreme, w.dormant, twap);
            (id, format!("{} {waits:?}", of_app(&order)))
        })
        .collect();
    let markets = app.markets();
    let waiting = (0..markets).flat_map(|market| model.waiting(MarketId(market)));
    let theirs: BTreeMap<_, _> = waiting
        .map(|w| {
            let twap = w.twap.map(|t| (t.twap, t.start, t.next));
            let waits = (w.trigger, w.max_fills, w.due, w.extreme, w.dormant, twap);
            (w.placed.id, format!("{} {waits:?}", of_model(&w.placed)))
        })
        .collect();
    assert_eq!(ours, theirs, "waiting orders");
    assert_eq!(app.chain().waiting_orders, ours.len() as u64);
}

fn compare_state(app: &Snapshot, model: &Model, ids: &BTreeMap<OrderId, OrderId>) {
    let balances: Vec<_> = model
        .balances()
        .into_iter()
        .map(|((account, asset), n)| (account, asset, n))
        .collect();
    assert_eq!(app.balances(), balances);
    let positions: Vec<_> = model
        .positions()
        .into_iter()
        .map(|((account, market), (size, cost))| (account, market, size, cost))
        .collect();
    assert_eq!(app.positions(), positions);
    assert_eq!(app.chain().fee_pool, model.fee_pool());
    assert_eq!(app.chain().deficit, model.deficit());
    let markets = app.markets();
    for market in (0..markets).map(MarketId) {
        compare_books(app, model, market);
    }
    compare_waiting(app, model, ids);
    for account in model.accounts().keys() {
        compare_account(app, model, *account);
    }
}

/// Margin and protections.
fn compare_account(app: &Snapshot, model: &Model, account: Account) {
    let view = app.account(&account).unwrap();
    let margin = model.margin(account);
    let ours = (
        view.equity,
        view.initial_margin,
        view.maintenance_margin,
        view.held_margin,
        view.uncovered,
        view.cancel_at,
        view.margin_mode,
    );
    let theirs = (
        margin.equity,
        margin.initial,
        margin.maintenance,
        margin.held,
        margin.uncovered,
        model.deadline(account),
        model.margin_mode(account),
    );
    assert_eq!(ours, theirs, "margin of {account}");
    let ours: Vec<_> = view
        .protections
        .iter()
        .map(|p| {
            let sums = (p.notional, p.delta, p.vega);
            (p.settings, p.start, sums, p.frozen_until)
        })
        .collect();
    let groups = u16::try_from(app.spec().groups.len()).unwrap();
    let theirs: Vec<_> = (0..groups)
        .filter_map(|group| model.protection(account, GroupId(group)))
        .filter(|p| p.settings.interval_ms > 0)
        .map(|p| {
            let sums = (p.notional, p.delta, p.vega);
            (p.settings, p.start, sums, p.frozen_until)
        })
        .collect();
    assert_eq!(ours, theirs, "protections of {account}");
}

/// Fisher-Yates.
fn shuffle(txs: &mut [Vec<u8>], rng: &mut Rng) {
    for at in (1..txs.len()).rev() {
        txs.swap(at, rng.index(at + 1));
    }
}

/// The native transactions of a block in other bundles; what is repeated or not native stays.
fn rebundle(txs: &[Vec<u8>], rng: &mut Rng) -> Vec<Vec<u8>> {
    let ingress = Secret::ed25519([9; 32]);
    let chain = chain_hash(&test_spec().chain_id);
    let (native, mut others): (Vec<_>, Vec<_>) = txs
        .iter()
        .cloned()
        .partition(|tx| tx.first() == Some(&TAG_NATIVE));
    let mut rest = native.as_slice();
    while !rest.is_empty() {
        let (bundle, behind) = rest.split_at(rng.range(1, 9).min(rest.len() as u64) as usize);
        others.push(encode_bundle(bundle, rng.next_u64(), &chain, &ingress));
        rest = behind;
    }
    others
}

fn run(seed: u64, blocks: u64, size: u64, never: &mut Option<BTreeSet<String>>) {
    let spec = test_spec();
    let mut rng = Rng::new(seed ^ 0x5eed);
    let mut workload = Workload::new(seed, &spec, test_secrets());
    let mut model = Model::new(&spec);
    let mut apps: Vec<App> = [1, 2, 3, 8].map(App::new).into();
    let mut ids = BTreeMap::new();
    for _ in 0..blocks {
        let block = workload.next_block(size);
        let seed_hash = apps[0].state.app_hash();
        let txs = block_txs(&block.txs);
        let mut shuffled = block.txs.clone();
        shuffle(&mut shuffled, &mut rng);
        let other_bundles = rebundle(&block.txs, &mut rng);
        if rng.one_in(4) {
            let half = &txs[..txs.len() / 2];
            apps[1].drop_candidate(block.height, block.time + 7, half);
        }
        let (app_hash, events) = apps[0].execute(&block, &txs);
        let model_events = model.execute(block.height, block.time, &seed_hash, &block.txs);
        pair_ids(&events, &model_events, &mut ids);
        compare_events(&events, &model_events, &ids);
        for (app, own) in &ids {
            model.alias(*app, *own);
        }
        model.check_invariants().unwrap();
        compare_state(&apps[0].state.committed(), &model, &ids);
        for (app, txs) in apps[1..]
            .iter_mut()
            .zip([&block.txs, &shuffled, &other_bundles])
        {
            let (other_hash, other) = app.execute(&block, &block_txs(txs));
            assert_eq!(app_hash, other_hash, "height {}", block.height);
            assert_eq!(events.events, other.events, "height {}", block.height);
        }
        workload.observe(&events);
    }
    apps[0].state.check_indexes().unwrap();
    let missing = model.coverage().missing().into_iter().collect();
    match never {
        Some(never) => never.retain(|name| BTreeSet::contains(&missing, name)),
        None => *never = Some(missing),
    }
}

#[test]
fn the_application_does_what_the_model_does() {
    let mut never = None;
    for seed in 0..10 {
        println!("seed {seed}");
        run(seed, 50, 40, &mut never);
    }
    // A generator that does not reach something proves nothing about it.
    assert_eq!(never, Some(BTreeSet::new()), "never happened");
}
