//! Shapes of what is sent. Ids of 64 bits and amounts are decimal strings; prices and sizes are
//! integers (ticks, lots) with a `_decimal` form beside them.

use crate::book::Level;
use crate::catalog::Catalog;
use crate::orders::{Order, Sight, order};
use crate::results::Outcome;
use ballast_app::view::{
    AccountView, BookView, ChainView, LevelView, MasterView, PositionView, ProtectionView,
};
use ballast_types::{
    Atoms, Code, Event, Lots, MarginMode, MarketId, OrderId, Removal, Side, Ticks, TimeMs,
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

pub(crate) fn margin_mode(mode: MarginMode) -> &'static str {
    match mode {
        MarginMode::Standard => "standard",
        MarginMode::Portfolio => "portfolio",
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

/// A value with the block it was read at.
#[derive(Serialize)]
pub(crate) struct At<T> {
    pub height: u64,
    pub time: TimeMs,
    #[serde(flatten)]
    pub value: T,
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
    margin_mode: &'static str,
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
    vega_bound: String,
    start: TimeMs,
    notional: String,
    delta: String,
    vega: String,
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
        vega_bound: settings.vega.to_string(),
        start: view.start,
        notional: view.notional.to_string(),
        delta: view.delta.to_string(),
        vega: view.vega.to_string(),
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
        margin_mode: margin_mode(view.margin_mode),
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
    #[serde(flatten)]
    missing: Option<Missing>,
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
    #[serde(flatten)]
    missing: Option<Missing>,
}

/// How much balance or margin was not enough.
#[derive(Serialize)]
struct Missing {
    missing: String,
    /// In units of the margin asset. Of a balance the result does not say of which asset it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_decimal: Option<String>,
    /// For people.
    message: String,
}

fn missing(catalog: &Catalog, code: Code, missing: Option<Atoms>) -> Option<Missing> {
    let atoms = missing?;
    let unit = catalog.asset(catalog.spec.margin_asset);
    let cash = catalog.cash(atoms);
    let (missing_decimal, message) = match code {
        Code::InsufficientMargin => {
            let message = format!("equity would be {cash} {unit} below initial margin");
            (Some(cash), message)
        }
        Code::UnderMaintenance => {
            let message = format!("equity is {cash} {unit} below maintenance margin");
            (Some(cash), message)
        }
        _ => (None, format!("{atoms} atoms of the asset are not free")),
    };
    Some(Missing {
        missing: atoms.to_string(),
        missing_decimal,
        message,
    })
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

pub(crate) fn tx(catalog: &Catalog, outcome: &Outcome) -> TxRow {
    tx_row(catalog, outcome.height, outcome.time, &outcome.result)
}

pub(crate) fn tx_row(
    catalog: &Catalog,
    height: u64,
    time: TimeMs,
    result: &ballast_types::TxResult,
) -> TxRow {
    let part = |part: &ballast_types::PartResult| PartRow {
        code: part.code.number(),
        name: part.code.name(),
        order: part.order.map(|order: OrderId| order.to_string()),
        filled: part.filled,
        missing: missing(catalog, part.code, part.missing),
    };
    let action = |action: &ballast_types::ActionResult| ActionRow {
        code: action.code.number(),
        name: action.code.name(),
        order: action.order.map(|order: OrderId| order.to_string()),
        filled: action.filled,
        missing: missing(catalog, action.code, action.missing),
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
