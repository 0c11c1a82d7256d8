//! Shapes of what is sent. Ids of 64 bits and amounts are decimal strings; prices and sizes are
//! integers (ticks, lots) with a `_decimal` form beside them.

use crate::book::Level;
use crate::catalog::Catalog;
use crate::orders::{Order, Sight, order};
use crate::prices;
use crate::results::Outcome;
use ballast_app::view::{
    AccountView, BookView, ChainView, LevelView, MarketView, MasterView, PositionView,
    ProtectionView,
};
use ballast_types::{
    Atoms, Event, Lots, MarketId, MarketKind, Matching, OrderId, Removal, Sharing, Side, Ticks,
    TimeMs,
};
use serde::Serialize;

pub(crate) fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

pub(crate) fn reason(reason: Removal) -> &'static str {
    match reason {
        Removal::Cancelled => "CANCELLED",
        Removal::Amended => "AMENDED",
        Removal::Expired => "EXPIRED",
        Removal::Ioc => "IOC",
        Removal::FillLimit => "FILL_LIMIT",
        Removal::SelfTrade => "SELF_TRADE",
        Removal::ReduceOnly => "REDUCE_ONLY",
        Removal::Uncovered => "UNCOVERED",
        Removal::DeadMan => "DEAD_MAN",
        Removal::Refused => "REFUSED",
        Removal::Protection => "PROTECTION",
        Removal::Linked => "LINKED",
        Removal::Schedule => "SCHEDULE",
    }
}

#[derive(Serialize)]
pub(crate) struct Chain {
    chain_id: String,
    height: u64,
    time: TimeMs,
    app_hash: String,
    margin_asset: String,
    accounts: u32,
    open_orders: u64,
    waiting_orders: u64,
    fee_pool: String,
    fee_pool_decimal: String,
    deficit: String,
    deficit_decimal: String,
}

pub(crate) fn chain(catalog: &Catalog, view: &ChainView) -> Chain {
    Chain {
        chain_id: catalog.spec.chain_id.clone(),
        height: view.height,
        time: view.time,
        app_hash: hex::encode(view.app_hash),
        margin_asset: catalog.asset(catalog.spec.margin_asset).to_owned(),
        accounts: view.accounts,
        open_orders: view.open_orders,
        waiting_orders: view.waiting_orders,
        fee_pool: view.fee_pool.to_string(),
        fee_pool_decimal: catalog.cash(view.fee_pool),
        deficit: view.deficit.to_string(),
        deficit_decimal: catalog.cash(view.deficit),
    }
}

#[derive(Serialize)]
pub(crate) struct Assets {
    assets: Vec<Asset>,
}

#[derive(Serialize)]
struct Asset {
    asset: String,
    id: u16,
    denom: String,
    decimals: u8,
}

/// All assets in the order of their ids. They never change.
pub(crate) fn assets(catalog: &Catalog) -> Assets {
    let asset = |(id, asset): (u16, &ballast_types::AssetSpec)| Asset {
        asset: asset.symbol.clone(),
        id,
        denom: asset.denom.clone(),
        decimals: asset.decimals,
    };
    Assets {
        assets: (0..).zip(&catalog.spec.assets).map(asset).collect(),
    }
}

#[derive(Serialize)]
pub(crate) struct Market {
    market: String,
    id: u32,
    group: String,
    group_id: u16,
    kind: &'static str,
    expiry: Option<TimeMs>,
    base: Option<String>,
    quote: String,
    tick: String,
    lot: String,
    tick_value: String,
    lot_atoms: Option<String>,
    min_size: Lots,
    max_size: Lots,
    max_price: Ticks,
    price_band_ppm: u32,
    min_notional: String,
    min_notional_decimal: String,
    max_notional: String,
    max_notional_decimal: String,
    maker_fee_ppm: i32,
    taker_fee_ppm: i32,
    initial_margin_ppm: u32,
    maintenance_margin_ppm: u32,
    matching: &'static str,
    sharing: &'static str,
    self_trade: bool,
    status: &'static str,
    mark: Ticks,
    mark_decimal: String,
    index: Ticks,
    index_decimal: String,
    last: Ticks,
    last_decimal: String,
    trades: u64,
    open_interest: Lots,
    open_interest_decimal: String,
}

pub(crate) fn market(catalog: &Catalog, view: &MarketView) -> Option<Market> {
    let spec = catalog.spec.market(view.market)?;
    let group = catalog.spec.groups.get(spec.group.index())?;
    let (kind, lot_atoms) = match spec.kind {
        MarketKind::Spot { lot_atoms, .. } => ("spot", Some(lot_atoms.to_string())),
        MarketKind::Perpetual => ("perpetual", None),
        MarketKind::Future { .. } => ("future", None),
    };
    Some(Market {
        market: spec.symbol.clone(),
        id: view.market.0,
        group: group.name.clone(),
        group_id: spec.group.0,
        kind,
        expiry: view.expiry,
        base: catalog.base(spec).map(str::to_owned),
        quote: catalog.asset(catalog.spec.margin_asset).to_owned(),
        tick: spec.tick.clone(),
        lot: spec.lot.clone(),
        tick_value: spec.tick_value.to_string(),
        lot_atoms,
        min_size: spec.min_size,
        max_size: spec.max_size,
        max_price: spec.max_price,
        price_band_ppm: spec.price_band_ppm,
        min_notional: spec.min_notional.to_string(),
        min_notional_decimal: catalog.cash(spec.min_notional),
        max_notional: spec.max_notional.to_string(),
        max_notional_decimal: catalog.cash(spec.max_notional),
        maker_fee_ppm: spec.maker_fee_ppm,
        taker_fee_ppm: spec.taker_fee_ppm,
        initial_margin_ppm: spec.initial_margin_ppm,
        maintenance_margin_ppm: spec.maintenance_margin_ppm,
        matching: match spec.matching {
            Matching::Continuous => "continuous",
            Matching::Batch => "batch",
        },
        sharing: match spec.sharing {
            Sharing::Time => "time",
            Sharing::ProRata => "pro_rata",
        },
        self_trade: spec.self_trade,
        status: prices::status(view.status),
        mark: view.mark,
        mark_decimal: catalog.price(view.market, view.mark),
        index: view.index,
        index_decimal: catalog.price(view.market, view.index),
        last: view.last,
        last_decimal: catalog.price(view.market, view.last),
        trades: view.trades,
        open_interest: view.open_interest,
        open_interest_decimal: catalog.size(view.market, view.open_interest),
    })
}

/// A value with the block it was read at.
#[derive(Serialize)]
pub(crate) struct At<T> {
    pub height: u64,
    pub time: TimeMs,
    #[serde(flatten)]
    pub value: T,
}

#[derive(Serialize)]
pub(crate) struct Markets {
    pub markets: Vec<Market>,
}

#[derive(Serialize)]
pub(crate) struct BookLevel {
    price: Ticks,
    size: Lots,
    price_decimal: String,
    size_decimal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    orders: Option<u32>,
}

#[derive(Serialize)]
pub(crate) struct Book {
    market: String,
    bids: Vec<BookLevel>,
    asks: Vec<BookLevel>,
    checksum: u32,
}

pub(crate) fn book(catalog: &Catalog, view: &BookView) -> Book {
    let levels = |levels: &[LevelView]| {
        let level = |level: &LevelView| BookLevel {
            orders: Some(level.orders),
            ..self::level(catalog, view.market, (level.price, level.size))
        };
        levels.iter().map(level).collect()
    };
    Book {
        market: catalog.symbol(view.market).to_owned(),
        bids: levels(&view.bids),
        asks: levels(&view.asks),
        checksum: view.checksum,
    }
}

pub(crate) fn level(catalog: &Catalog, market: MarketId, (price, size): Level) -> BookLevel {
    BookLevel {
        price,
        size,
        price_decimal: catalog.price(market, price),
        size_decimal: catalog.size(market, size),
        orders: None,
    }
}

/// Best bid and ask, over HTTP.
#[derive(Serialize)]
pub(crate) struct Bbo {
    pub market: String,
    pub bid: Option<BookLevel>,
    pub ask: Option<BookLevel>,
}

pub(crate) fn bbo(catalog: &Catalog, view: &BookView) -> Bbo {
    let book = book(catalog, view);
    Bbo {
        market: book.market,
        bid: book.bids.into_iter().next(),
        ask: book.asks.into_iter().next(),
    }
}

/// A public trade.
#[derive(Clone, Serialize)]
pub(crate) struct Trade {
    trade: u64,
    height: u64,
    time: TimeMs,
    side: &'static str,
    price: Ticks,
    size: Lots,
    price_decimal: String,
    size_decimal: String,
    maker: String,
    taker: String,
}

/// The trade of an event; `None` for other events.
pub(crate) fn trade(
    catalog: &Catalog,
    height: u64,
    time: TimeMs,
    event: &Event,
) -> Option<(MarketId, Trade)> {
    let Event::Fill {
        market,
        trade,
        maker,
        taker,
        taker_side,
        price,
        size,
        ..
    } = event
    else {
        return None;
    };
    let trade = Trade {
        trade: *trade,
        height,
        time,
        side: side(*taker_side),
        price: *price,
        size: *size,
        price_decimal: catalog.price(*market, *price),
        size_decimal: catalog.size(*market, *size),
        maker: maker.to_string(),
        taker: taker.to_string(),
    };
    Some((*market, trade))
}

#[derive(Serialize)]
pub(crate) struct Trades {
    pub market: String,
    pub trades: Vec<Trade>,
}

#[derive(Serialize)]
pub(crate) struct Balance {
    asset: String,
    balance: String,
    balance_decimal: String,
    reserved: String,
    reserved_decimal: String,
}

#[derive(Serialize)]
pub(crate) struct Position {
    market: String,
    size: Lots,
    size_decimal: String,
    cost: String,
    cost_decimal: String,
    unrealised: String,
    unrealised_decimal: String,
}

fn position(catalog: &Catalog, view: &PositionView) -> Position {
    Position {
        market: catalog.symbol(view.market).to_owned(),
        size: view.size,
        size_decimal: catalog.size(view.market, view.size),
        cost: view.cost.to_string(),
        cost_decimal: catalog.cash(view.cost),
        unrealised: view.unrealised.to_string(),
        unrealised_decimal: catalog.cash(view.unrealised),
    }
}

#[derive(Serialize)]
pub(crate) struct Account {
    account: String,
    equity: String,
    equity_decimal: String,
    initial_margin: String,
    initial_margin_decimal: String,
    maintenance_margin: String,
    maintenance_margin_decimal: String,
    held_margin: String,
    held_margin_decimal: String,
    uncovered: bool,
    cancel_at: TimeMs,
    balances: Vec<Balance>,
    positions: Vec<Position>,
    orders: Vec<Order>,
    /// Only for the account's own keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    protections: Option<Vec<Protection>>,
}

/// The protection of an account's quotes in a group.
#[derive(Serialize)]
struct Protection {
    group: String,
    interval_ms: TimeMs,
    freeze_ms: TimeMs,
    notional_bound: String,
    delta_bound: String,
    start: TimeMs,
    notional: String,
    delta: String,
    frozen_until: TimeMs,
}

fn protection(catalog: &Catalog, view: &ProtectionView) -> Protection {
    let settings = &view.settings;
    Protection {
        group: catalog.group(settings.group).to_owned(),
        interval_ms: settings.interval_ms,
        freeze_ms: settings.freeze_ms,
        notional_bound: settings.notional.to_string(),
        delta_bound: settings.delta.to_string(),
        start: view.start,
        notional: view.notional.to_string(),
        delta: view.delta.to_string(),
        frozen_until: view.frozen_until,
    }
}

pub(crate) fn account(catalog: &Catalog, view: &AccountView, sight: Sight) -> Account {
    let balance = |(asset, balance, reserved): &(_, Atoms, Atoms)| Balance {
        asset: catalog.asset(*asset).to_owned(),
        balance: balance.to_string(),
        balance_decimal: catalog.amount(*asset, *balance),
        reserved: reserved.to_string(),
        reserved_decimal: catalog.amount(*asset, *reserved),
    };
    Account {
        account: view.account.to_string(),
        equity: view.equity.to_string(),
        equity_decimal: catalog.cash(view.equity),
        initial_margin: view.initial_margin.to_string(),
        initial_margin_decimal: catalog.cash(view.initial_margin),
        maintenance_margin: view.maintenance_margin.to_string(),
        maintenance_margin_decimal: catalog.cash(view.maintenance_margin),
        held_margin: view.held_margin.to_string(),
        held_margin_decimal: catalog.cash(view.held_margin),
        uncovered: view.uncovered,
        cancel_at: view.cancel_at,
        balances: view.balances.iter().map(balance).collect(),
        positions: view
            .positions
            .iter()
            .map(|view| position(catalog, view))
            .collect(),
        orders: view
            .orders
            .iter()
            .filter_map(|view| order(catalog, view, sight))
            .collect(),
        protections: (sight == Sight::Own).then(|| {
            let protections = view.protections.iter();
            protections.map(|view| protection(catalog, view)).collect()
        }),
    }
}

#[derive(Serialize)]
struct Agent {
    key: String,
    expiry: TimeMs,
}

#[derive(Serialize)]
pub(crate) struct Master {
    master: String,
    tokens: u64,
    cancel_tokens: u64,
    sequence: String,
    subaccounts: Vec<u16>,
    agents: Vec<Agent>,
}

pub(crate) fn master(view: &MasterView) -> Master {
    let agent = |(key, expiry): &(ballast_types::KeyId, TimeMs)| Agent {
        key: key.to_string(),
        expiry: *expiry,
    };
    Master {
        master: view.master.to_string(),
        tokens: view.tokens,
        cancel_tokens: view.cancel_tokens,
        sequence: view.sequence.to_string(),
        subaccounts: view.subaccounts.clone(),
        agents: view.agents.iter().map(agent).collect(),
    }
}

#[derive(Serialize)]
struct ActionRow {
    code: u16,
    name: &'static str,
    order: Option<String>,
    filled: Lots,
    /// Of a scale, of quotes and of linked orders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<PartRow>,
}

#[derive(Serialize)]
struct PartRow {
    code: u16,
    name: &'static str,
    order: Option<String>,
    filled: Lots,
}

/// Result of a transaction.
#[derive(Serialize)]
pub(crate) struct TxRow {
    hash: String,
    height: u64,
    time: TimeMs,
    code: u16,
    name: &'static str,
    actions: Vec<ActionRow>,
}

pub(crate) fn tx(outcome: &Outcome) -> TxRow {
    tx_row(outcome.height, outcome.time, &outcome.result)
}

pub(crate) fn tx_row(height: u64, time: TimeMs, result: &ballast_types::TxResult) -> TxRow {
    let part = |part: &ballast_types::PartResult| PartRow {
        code: part.code.number(),
        name: part.code.name(),
        order: part.order.map(|order: OrderId| order.to_string()),
        filled: part.filled,
    };
    let action = |action: &ballast_types::ActionResult| ActionRow {
        code: action.code.number(),
        name: action.code.name(),
        order: action.order.map(|order: OrderId| order.to_string()),
        filled: action.filled,
        parts: action.parts.iter().map(part).collect(),
    };
    TxRow {
        hash: hex::encode(result.hash),
        height,
        time,
        code: result.code.number(),
        name: result.code.name(),
        actions: result.actions.iter().map(action).collect(),
    }
}

/// Answer to a transaction that was taken.
#[derive(Serialize)]
pub(crate) struct Submitted {
    pub hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<TxRow>,
}
