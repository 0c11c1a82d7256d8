//! ABCI queries: JSON for people and the command line, protobuf for Cosmos wallets.

use ballast_app::Snapshot;
use ballast_app::explain::Figures;
use ballast_app::view::{LevelView, OrderView};
use ballast_types::{
    Account, AccountId, ChainSpec, MarginMode, MarketId, MarketStatus, OrderId, PostOnly, Side,
    TimeInForce,
};
use bytes::Bytes;
use prost::Message;
use serde_json::{Value, json};

use crate::application::Exchange;
use crate::proto::{RequestQuery, ResponseQuery};

/// The path names no query.
pub const UNKNOWN_QUERY: u32 = 400;
/// A part of the query cannot be read.
pub const BAD_QUERY: u32 = 401;
/// There is no such account, order or market.
pub const NOT_FOUND: u32 = 402;
/// The height is not one of the last that are served.
pub const HEIGHT_GONE: u32 = 403;

/// Levels of each side that `/book` answers with.
const DEPTH: usize = 100;

struct Refusal {
    code: u32,
    log: String,
}

fn refuse<T>(code: u32, log: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        code,
        log: log.into(),
    })
}

/// Answers `/chain`, `/account/ADDRESS[/SUB]`, `/margin/ADDRESS[/SUB]`,
/// `/liquidation/ADDRESS[/SUB]`, `/master/ADDRESS`, `/market/ID`, `/book/ID`, `/order/ID` with JSON,
/// and what CometBFT and CosmJS ask.
pub(crate) fn answer(exchange: &Exchange, request: &RequestQuery) -> ResponseQuery {
    // CometBFT asks before it takes a peer, when it is told to.
    if request
        .path
        .trim_start_matches('/')
        .starts_with("p2p/filter/")
    {
        return ResponseQuery::default();
    }
    let height = u64::try_from(request.height).unwrap_or(u64::MAX);
    let Some(state) = exchange.snapshot_at(height) else {
        return ResponseQuery {
            code: HEIGHT_GONE,
            log: format!(
                "HEIGHT_GONE: height {height}; the last is {}",
                exchange.snapshot().height()
            ),
            ..Default::default()
        };
    };
    let result = match request.path.as_str() {
        "/cosmos.auth.v1beta1.Query/Account" => cosmos_account(&state, &request.data),
        "/cosmos.bank.v1beta1.Query/Balance" => cosmos_balance(&state, &request.data),
        "/cosmos.bank.v1beta1.Query/AllBalances" => cosmos_balances(&state, &request.data),
        path => json_answer(&state, path).map(|value| value.to_string().into_bytes()),
    };
    // CosmJS refuses answers of height 0, and before block 1 the genesis is what there is.
    let height = i64::try_from(state.height().max(1)).unwrap_or(i64::MAX);
    match result {
        Ok(value) => ResponseQuery {
            value: value.into(),
            height,
            ..Default::default()
        },
        Err(Refusal { code, log }) => ResponseQuery {
            code,
            log,
            height,
            ..Default::default()
        },
    }
}

fn json_answer(state: &Snapshot, path: &str) -> Result<Value, Refusal> {
    let spec = state.spec();
    let mut parts = path.trim_matches('/').splitn(2, '/');
    let (what, name) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let found = match what {
        "chain" => Some(chain(state, spec)),
        "account" => account(state, spec, &parse::<Account>("account", name)?),
        "margin" => margin(state, &parse::<Account>("account", name)?),
        "liquidation" => liquidation(state, &parse::<Account>("account", name)?),
        "master" => master(state, &parse("master", name)?),
        "market" => market(state, MarketId(parse("market", name)?)),
        "book" => book(state, MarketId(parse("market", name)?)),
        "order" => state
            .order(OrderId(parse("order", name)?))
            .and_then(|view| order(&view)),
        _ => return refuse(UNKNOWN_QUERY, format!("UNKNOWN_QUERY: path {path:?}")),
    };
    match found {
        Some(value) => Ok(value),
        None => refuse(NOT_FOUND, format!("NOT_FOUND: {what} {name:?}")),
    }
}

fn parse<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Refusal> {
    match text.parse() {
        Ok(value) => Ok(value),
        Err(_) => refuse(BAD_QUERY, format!("BAD_QUERY: {field} {text:?}")),
    }
}

// Ids of 64 bits and amounts are strings, as JSON numbers do not hold them everywhere.

fn chain(state: &Snapshot, spec: &ChainSpec) -> Value {
    let view = state.chain();
    json!({
        "chain_id": spec.chain_id,
        "height": view.height,
        "time": view.time,
        "app_hash": hex(&view.app_hash),
        "accounts": view.accounts,
        "open_orders": view.open_orders,
        "fee_pool": view.fee_pool.to_string(),
        "deficit": view.deficit.to_string(),
    })
}

fn account(state: &Snapshot, spec: &ChainSpec, account: &Account) -> Option<Value> {
    let view = state.account(account)?;
    let symbol = |asset| spec.asset(asset).map(|asset| asset.symbol.as_str());
    let balances = view.balances.iter().map(|(asset, balance, reserved)| {
        json!({
            "asset": symbol(*asset),
            "balance": balance.to_string(),
            "reserved": reserved.to_string(),
        })
    });
    let positions = view.positions.iter().map(|position| {
        json!({
            "market": position.market.0,
            "size": position.size,
            "cost": position.cost.to_string(),
            "unrealised": position.unrealised.to_string(),
        })
    });
    Some(json!({
        "account": view.account.to_string(),
        "balances": balances.collect::<Vec<_>>(),
        "positions": positions.collect::<Vec<_>>(),
        "orders": view.orders.iter().filter_map(order).collect::<Vec<_>>(),
        "equity": view.equity.to_string(),
        "initial_margin": view.initial_margin.to_string(),
        "maintenance_margin": view.maintenance_margin.to_string(),
        "held_margin": view.held_margin.to_string(),
        "margin_mode": margin_mode(view.margin_mode),
        "uncovered": view.uncovered,
        "cancel_at": view.cancel_at,
    }))
}

/// What the margin of an account is made of, by group; amounts in atoms of the margin asset.
fn margin(state: &Snapshot, account: &Account) -> Option<Value> {
    let figures = |of: &Figures| {
        json!({
            "equity": of.equity.to_string(),
            "initial_margin": of.initial.to_string(),
            "maintenance_margin": of.maintenance.to_string(),
            "held_margin": of.held.to_string(),
        })
    };
    let margin = state.explain(account)?;
    let groups = margin.groups.iter().map(|group| {
        json!({
            "group": group.group.0,
            "total": figures(&group.figures),
            "age_ms": group.portfolio.as_ref().map(|of| of.marks.age_ms),
        })
    });
    Some(json!({
        "account": margin.account.to_string(),
        "margin_mode": margin_mode(margin.mode),
        "cash": margin.cash.to_string(),
        "total": figures(&margin.total),
        "missing": margin.missing.to_string(),
        "uncovered": margin.uncovered,
        "under_maintenance": margin.under_maintenance,
        "groups": groups.collect::<Vec<_>>(),
    }))
}

/// How far the prices of each group may move, in millionths.
fn liquidation(state: &Snapshot, account: &Account) -> Option<Value> {
    let distances = state.liquidation_distance(account)?;
    let groups = distances.iter().map(|of| {
        json!({
            "group": of.group.0,
            "down_ppm": of.down_ppm,
            "up_ppm": of.up_ppm,
        })
    });
    Some(json!({
        "account": account.to_string(),
        "groups": groups.collect::<Vec<_>>(),
    }))
}

fn margin_mode(mode: MarginMode) -> &'static str {
    match mode {
        MarginMode::Standard => "standard",
        MarginMode::Portfolio => "portfolio",
    }
}

fn master(state: &Snapshot, master: &AccountId) -> Option<Value> {
    let view = state.master(master)?;
    let agents = view
        .agents
        .iter()
        .map(|(key, expiry)| json!({ "key": key.to_string(), "expiry": expiry }));
    Some(json!({
        "master": view.master.to_string(),
        "tokens": view.tokens,
        "cancel_tokens": view.cancel_tokens,
        "sequence": view.sequence.to_string(),
        "subaccounts": view.subaccounts,
        "agents": agents.collect::<Vec<_>>(),
    }))
}

/// What everybody may see of an order: nothing while it waits, of an iceberg what the book shows, and
/// of a pegged order where it rests.
fn order(view: &OrderView) -> Option<Value> {
    if view.waiting.is_some() {
        return None;
    }
    let (expiry, expiry_height) = match view.tif {
        TimeInForce::Gtt(time) => (time, 0),
        TimeInForce::Gtb(height) => (0, height),
        TimeInForce::Gtc | TimeInForce::Ioc | TimeInForce::Fok => (0, 0),
    };
    Some(json!({
        "order": view.id.0.to_string(),
        "account": view.account.to_string(),
        "market": view.market.0,
        "side": match view.side { Side::Buy => "buy", Side::Sell => "sell" },
        "price": view.level,
        "remaining": view.shown,
        "filled": view.filled,
        "expiry": expiry,
        "expiry_height": expiry_height,
        "post_only": view.post_only != PostOnly::No,
        "reduce_only": view.reduce_only,
        "quote": view.quote,
        "client_id": view.client_id.map(|id| id.to_string()),
        "label": view.label,
    }))
}

fn market(state: &Snapshot, id: MarketId) -> Option<Value> {
    let view = state.market(id)?;
    Some(json!({
        "market": state.market_spec(id)?.symbol,
        "id": id.0,
        "group": view.group.0,
        "expiry": view.expiry,
        "mark": view.mark,
        "index": view.index,
        "last": view.last,
        "status": match view.status {
            MarketStatus::Open => "open",
            MarketStatus::PostOnly => "post-only",
            MarketStatus::CancelOnly => "cancel-only",
            MarketStatus::Suspended => "suspended",
            MarketStatus::Auction => "auction",
            MarketStatus::Settled => "settled",
        },
        "trades": view.trades,
        "open_interest": view.open_interest,
    }))
}

fn book(state: &Snapshot, id: MarketId) -> Option<Value> {
    let view = state.book(id, DEPTH)?;
    let levels = |levels: &[LevelView]| -> Vec<Value> {
        levels
            .iter()
            .map(|level| json!([level.price, level.size, level.orders]))
            .collect()
    };
    Some(json!({
        "market": id.0,
        "height": state.height(),
        "bids": levels(&view.bids),
        "asks": levels(&view.asks),
        "checksum": view.checksum,
    }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// Requests for an account or a balance: `denom` is empty in the others.
#[derive(Clone, PartialEq, Message)]
struct CosmosRequest {
    #[prost(string, tag = "1")]
    address: String,
    #[prost(string, tag = "2")]
    denom: String,
}

/// The request for all balances has another second field.
#[derive(Clone, PartialEq, Message)]
struct AddressRequest {
    #[prost(string, tag = "1")]
    address: String,
}

#[derive(Clone, PartialEq, Message)]
struct AccountResponse {
    #[prost(message, optional, tag = "1")]
    account: Option<Any>,
}

/// The account number, field 3, is 0 for everyone.
#[derive(Clone, PartialEq, Message)]
struct BaseAccount {
    #[prost(string, tag = "1")]
    address: String,
    #[prost(uint64, tag = "4")]
    sequence: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Coin {
    #[prost(string, tag = "1")]
    denom: String,
    #[prost(string, tag = "2")]
    amount: String,
}

/// The response for one balance; that for all has the same field repeated.
#[derive(Clone, PartialEq, Message)]
struct BalancesResponse {
    #[prost(message, repeated, tag = "1")]
    balances: Vec<Coin>,
}

fn read<M: Message + Default>(data: &Bytes) -> Result<M, Refusal> {
    match M::decode(data.clone()) {
        Ok(request) => Ok(request),
        Err(error) => refuse(BAD_QUERY, format!("BAD_QUERY: data: {error}")),
    }
}

fn cosmos_account(state: &Snapshot, data: &Bytes) -> Result<Vec<u8>, Refusal> {
    let AddressRequest { address } = read(data)?;
    let Some(view) = state.master(&parse("address", &address)?) else {
        // CosmJS looks for these words.
        return refuse(
            NOT_FOUND,
            format!("rpc error: code = NotFound desc = account {address} not found"),
        );
    };
    let account = BaseAccount {
        address,
        sequence: view.sequence,
    };
    let account = Any {
        type_url: "/cosmos.auth.v1beta1.BaseAccount".to_owned(),
        value: account.encode_to_vec(),
    };
    Ok(AccountResponse {
        account: Some(account),
    }
    .encode_to_vec())
}

fn cosmos_balance(state: &Snapshot, data: &Bytes) -> Result<Vec<u8>, Refusal> {
    let CosmosRequest { address, denom } = read(data)?;
    let balances = coins(state, &address)?;
    let amount = balances.into_iter().find(|coin| coin.denom == denom);
    let coin = amount.unwrap_or(Coin {
        denom,
        amount: "0".to_owned(),
    });
    Ok(BalancesResponse {
        balances: vec![coin],
    }
    .encode_to_vec())
}

fn cosmos_balances(state: &Snapshot, data: &Bytes) -> Result<Vec<u8>, Refusal> {
    let AddressRequest { address } = read(data)?;
    let mut balances = coins(state, &address)?;
    balances.retain(|coin| coin.amount != "0");
    balances.sort_by(|left, right| left.denom.cmp(&right.denom));
    Ok(BalancesResponse { balances }.encode_to_vec())
}

/// Balances of subaccount 0. Cosmos knows no debt: a negative one counts as none.
fn coins(state: &Snapshot, address: &str) -> Result<Vec<Coin>, Refusal> {
    let account = Account::new(parse("address", address)?, 0);
    let view = state.account(&account);
    let balances = view.map(|view| view.balances).unwrap_or_default();
    let coin = |(asset, balance, _)| {
        let spec = state.spec().asset(asset)?;
        Some(Coin {
            denom: spec.denom.clone(),
            amount: i128::max(balance, 0).to_string(),
        })
    };
    Ok(balances.into_iter().filter_map(coin).collect())
}
