//! HTTP: queries and order entry under `/v1`.

use crate::auth::Proof;
use crate::catalog::Catalog;
use crate::error::ApiError;
use crate::markets::{self, Filter};
use crate::{Committed, Shared, auth, events, json, margin, orders, ws};
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use ballast_app::Snapshot;
use ballast_types::{Account, AccountId, MarketId, OrderId, TxHash};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Largest request body, in bytes.
const MAX_BODY: usize = 256 << 10;
/// Levels of a side that a query may ask for, and what it gets when it does not say.
const MAX_DEPTH: u64 = 10_000;
const DEPTH: u64 = 100;
/// Trades that a query gets when it does not say.
const TRADES: u64 = 100;
/// Longest wait for a result, and how long it is when a query does not say; ms.
const MAX_WAIT: u64 = 60_000;
const WAIT: u64 = 5_000;

type Shares = State<Arc<Shared>>;
type Pairs = Result<Query<BTreeMap<String, String>>, QueryRejection>;
type Answer = Result<Response, ApiError>;

/// Everything, on the HTTP port.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let routes = Router::new()
        .route("/health", get(health))
        .route("/v1/chain", get(chain))
        .route("/v1/assets", get(assets))
        .route("/v1/markets", get(markets))
        .route("/v1/markets/{market}", get(market))
        .route("/v1/surface/{group}", get(surface))
        .route("/v1/book/{market}", get(book))
        .route("/v1/bbo/{market}", get(bbo))
        .route("/v1/trades/{market}", get(trades))
        .route("/v1/accounts/{address}", get(account))
        .route("/v1/accounts/{address}/{sub}", get(subaccount))
        .merge(margin_routes())
        .route("/v1/masters/{address}", get(master))
        .route("/v1/orders/{order}", get(order))
        .route("/v1/blocks/{height}", get(block))
        .route("/v1/txs", post(submit))
        .route("/v1/txs/{hash}", get(tx));
    finish(routes, shared)
}

/// What margin is made of, and what would change it; of subaccount 0 without a number.
fn margin_routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v1/accounts/{address}/margin", get(margin))
        .route("/v1/accounts/{address}/{sub}/margin", get(margin))
        .route("/v1/accounts/{address}/what_if", post(what_if))
        .route("/v1/accounts/{address}/{sub}/what_if", post(what_if))
        .route("/v1/accounts/{address}/liquidation", get(liquidation))
        .route("/v1/accounts/{address}/{sub}/liquidation", get(liquidation))
        .route("/v1/margin/proposed", post(proposed))
}

/// The WebSocket alone, on its own port.
pub(crate) fn ws_router(shared: Arc<Shared>) -> Router {
    finish(Router::new(), shared)
}

fn finish(routes: Router<Arc<Shared>>, shared: Arc<Shared>) -> Router {
    routes
        .route("/v1/ws", any(ws::upgrade))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(map_response(only_json))
        .with_state(shared)
}

async fn not_found(uri: Uri) -> ApiError {
    let message = "there is nothing at this path";
    ApiError::new(
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
        "path",
        uri.path(),
        message,
    )
}

async fn method_not_allowed(method: Method) -> ApiError {
    let message = "the path does not take this method";
    let status = StatusCode::METHOD_NOT_ALLOWED;
    ApiError::new(status, "METHOD_NOT_ALLOWED", "method", method, message)
}

/// Gives the errors of the HTTP library the one shape that all errors have.
async fn only_json(response: Response) -> Response {
    let status = response.status();
    let json = response.headers().get(header::CONTENT_TYPE);
    let json = json.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let message = status
        .canonical_reason()
        .unwrap_or("the request was refused");
    ApiError::new(status, "BAD_REQUEST", "request", status.as_u16(), message).into_response()
}

/// Query parameters that nobody has read yet.
struct Params(BTreeMap<String, String>);

impl Params {
    fn new(pairs: Pairs) -> Result<Self, ApiError> {
        let Query(pairs) = pairs.map_err(|error| ApiError::bad("query", "", error.body_text()))?;
        Ok(Self(pairs))
    }

    fn number(&mut self, name: &str, default: u64, max: u64) -> Result<u64, ApiError> {
        let Some(text) = self.0.remove(name) else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|number| *number <= max);
        number.ok_or_else(|| ApiError::bad(name, text, format!("{name} is from 0 to {max}")))
    }

    fn flag(&mut self, name: &str) -> Result<bool, ApiError> {
        match self.0.remove(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(text) => Err(ApiError::bad(
                name,
                text,
                format!("{name} is true or false"),
            )),
        }
    }

    /// Which markets a list names.
    fn filter(&mut self, catalog: &Catalog) -> Result<Filter, ApiError> {
        let mut filter = Filter {
            settled: self.flag("settled")?,
            ..Filter::default()
        };
        if let Some(name) = self.0.remove("group") {
            let group = catalog.find_group(&name);
            filter.group = Some(group.ok_or_else(|| ApiError::unknown_group(name))?);
        }
        if let Some(kind) = self.0.remove("kind") {
            if !markets::KINDS.contains(&kind.as_str()) {
                let message = format!("kind is one of {}", markets::KINDS.join(", "));
                return Err(ApiError::bad("kind", kind, message));
            }
            filter.kind = Some(kind);
        }
        if let Some(text) = self.0.remove("expiry") {
            filter.expiry = Some(parse("expiry", &text, "a time in ms since 1970")?);
        }
        Ok(filter)
    }

    /// Refuses what is left.
    fn done(self) -> Result<(), ApiError> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, value)) => Err(ApiError::unknown_field(&name, value)),
        }
    }

    /// The block that `height` names, the last without it.
    fn block(&mut self, shared: &Shared) -> Result<Arc<Committed>, ApiError> {
        match self.0.remove("height") {
            None => shared.latest().ok_or_else(ApiError::not_ready),
            Some(text) => at_height(shared, &text),
        }
    }

    /// [`Params::block`], when no other parameter is left.
    fn only_block(mut self, shared: &Shared) -> Result<Arc<Committed>, ApiError> {
        let block = self.block(shared)?;
        self.done()?;
        Ok(block)
    }
}

fn at_height(shared: &Shared, text: &str) -> Result<Arc<Committed>, ApiError> {
    let height: u64 = text
        .parse()
        .map_err(|_| ApiError::bad("height", text, "height is a number"))?;
    let history = shared.history.read();
    let first = history
        .front()
        .ok_or_else(ApiError::not_ready)?
        .events
        .height;
    let block = history.iter().find(|block| block.events.height == height);
    block.cloned().ok_or_else(|| {
        let last = history.back().map_or(first, |block| block.events.height);
        let message = format!("heights from {first} to {last} are served");
        ApiError::new(StatusCode::GONE, "HEIGHT_GONE", "height", height, message)
    })
}

fn at<T: Serialize>(block: &Committed, value: T) -> Answer {
    let (height, time) = (block.events.height, block.events.time);
    Ok(Json(json::At {
        height,
        time,
        value,
    })
    .into_response())
}

fn find_market(shared: &Shared, name: &str) -> Result<MarketId, ApiError> {
    shared
        .catalog()
        .find(name)
        .ok_or_else(|| ApiError::unknown_market(name))
}

/// Reads a part of the path; its error names the value.
fn parse<T: FromStr>(field: &str, text: &str, what: &str) -> Result<T, ApiError> {
    text.parse()
        .map_err(|_| ApiError::bad(field, text, format!("{field} is {what}")))
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    height: u64,
    time: u64,
}

async fn health(State(shared): Shares) -> Answer {
    if !shared.config.caught_up.load(Ordering::Relaxed) {
        return Err(ApiError::not_ready());
    }
    let block = shared.latest().ok_or_else(ApiError::not_ready)?;
    let (height, time) = (block.events.height, block.events.time);
    Ok(Json(Health {
        status: "ok",
        height,
        time,
    })
    .into_response())
}

async fn chain(State(shared): Shares, pairs: Pairs) -> Answer {
    let block = Params::new(pairs)?.only_block(&shared)?;
    shared
        .read(move |shared| {
            let chain = json::chain(&shared.catalog(), &block.view.chain());
            Ok(Json(chain).into_response())
        })
        .await
}

async fn assets(State(shared): Shares, pairs: Pairs) -> Answer {
    Params::new(pairs)?.done()?;
    Ok(Json(json::assets(&shared.catalog())).into_response())
}

async fn markets(State(shared): Shares, pairs: Pairs) -> Answer {
    let catalog = shared.catalog();
    let mut params = Params::new(pairs)?;
    let filter = params.filter(&catalog)?;
    let block = params.only_block(&shared)?;
    shared
        .read(move |_| {
            let named = catalog.markets().filter(|(_, spec)| filter.names(spec));
            let views = named.filter_map(|(id, _)| block.view.market(id));
            let taken = views.filter(|view| filter.takes(view.status));
            let markets = taken.filter_map(|view| markets::market(&catalog, &view));
            let markets = markets.collect();
            at(&block, markets::Markets { markets })
        })
        .await
}

async fn surface(State(shared): Shares, Path(name): Path<String>, pairs: Pairs) -> Answer {
    let catalog = shared.catalog();
    let group = catalog.find_group(&name);
    let group = group.ok_or_else(|| ApiError::unknown_group(&name))?;
    let block = Params::new(pairs)?.only_block(&shared)?;
    shared
        .read(move |_| {
            let view = block.view.surface(group);
            let view = view.ok_or_else(|| ApiError::unknown_group(name))?;
            at(&block, markets::surface(&catalog, &view))
        })
        .await
}

async fn market(State(shared): Shares, Path(name): Path<String>, pairs: Pairs) -> Answer {
    let id = find_market(&shared, &name)?;
    let block = Params::new(pairs)?.only_block(&shared)?;
    shared
        .read(move |shared| {
            let view = block.view.market(id);
            let market = view.and_then(|view| markets::market(&shared.catalog(), &view));
            at(
                &block,
                market.ok_or_else(|| ApiError::unknown_market(name))?,
            )
        })
        .await
}

async fn book(State(shared): Shares, Path(name): Path<String>, pairs: Pairs) -> Answer {
    let id = find_market(&shared, &name)?;
    let mut params = Params::new(pairs)?;
    let depth = params.number("depth", DEPTH, MAX_DEPTH)?;
    let block = params.only_block(&shared)?;
    let depth = usize::try_from(depth).unwrap_or(usize::MAX);
    shared
        .read(move |shared| {
            let view = block.view.book(id, depth);
            let view = view.ok_or_else(|| ApiError::unknown_market(name))?;
            at(&block, json::book(&shared.catalog(), &view))
        })
        .await
}

async fn bbo(State(shared): Shares, Path(name): Path<String>, pairs: Pairs) -> Answer {
    let id = find_market(&shared, &name)?;
    let block = Params::new(pairs)?.only_block(&shared)?;
    shared
        .read(move |shared| {
            let view = block.view.book(id, 1);
            let view = view.ok_or_else(|| ApiError::unknown_market(name))?;
            at(&block, json::bbo(&shared.catalog(), &view))
        })
        .await
}

async fn trades(State(shared): Shares, Path(name): Path<String>, pairs: Pairs) -> Answer {
    let id = find_market(&shared, &name)?;
    let mut params = Params::new(pairs)?;
    let max = u64::try_from(crate::TRADES).unwrap_or(u64::MAX);
    let limit = usize::try_from(params.number("limit", TRADES, max)?).unwrap_or(usize::MAX);
    params.done()?;
    let block = shared.latest().ok_or_else(ApiError::not_ready)?;
    let newest_first = |ring: &std::collections::VecDeque<json::Trade>| {
        ring.iter().rev().take(limit).cloned().collect()
    };
    let trades = shared
        .trades
        .read()
        .get(id.index())
        .map(newest_first)
        .unwrap_or_default();
    at(
        &block,
        json::Trades {
            market: shared.catalog().symbol(id).to_owned(),
            trades,
        },
    )
}

async fn account(
    State(shared): Shares,
    Path(address): Path<String>,
    pairs: Pairs,
    headers: HeaderMap,
) -> Answer {
    let mut params = Params::new(pairs)?;
    let sub = params.number("sub", 0, u64::from(u16::MAX))?;
    answer_account(&shared, &address, &sub.to_string(), params, &headers).await
}

async fn subaccount(
    State(shared): Shares,
    Path((address, sub)): Path<(String, String)>,
    pairs: Pairs,
    headers: HeaderMap,
) -> Answer {
    answer_account(&shared, &address, &sub, Params::new(pairs)?, &headers).await
}

async fn answer_account(
    shared: &Arc<Shared>,
    address: &str,
    sub: &str,
    params: Params,
    headers: &HeaderMap,
) -> Answer {
    let proof = Proof::new(headers)?;
    let master: AccountId = parse("address", address, "a ballast1... address")?;
    let account = Account::new(master, parse("sub", sub, "a number from 0 to 65535")?);
    let block = params.only_block(shared)?;
    shared
        .read(move |shared| {
            let view = block.view.account(&account);
            let view = view.ok_or_else(|| ApiError::unknown_account(account))?;
            let sight = auth::sight(shared, proof.as_ref(), master)?;
            at(&block, json::account(&shared.catalog(), &view, sight))
        })
        .await
}

/// The account that a path names.
fn path_account(parts: &BTreeMap<String, String>) -> Result<Account, ApiError> {
    let part = |name: &str| parts.get(name).map_or("", String::as_str);
    let master: AccountId = parse("address", part("address"), "a ballast1... address")?;
    let sub = match part("sub") {
        "" => 0,
        sub => parse("sub", sub, "a number from 0 to 65535")?,
    };
    Ok(Account::new(master, sub))
}

/// The state of a block, where margin can be explained.
fn state_of(block: &Committed) -> Result<&Snapshot, ApiError> {
    block.view.state().ok_or_else(ApiError::not_ready)
}

async fn margin(
    State(shared): Shares,
    Path(parts): Path<BTreeMap<String, String>>,
    pairs: Pairs,
    headers: HeaderMap,
) -> Answer {
    let account = path_account(&parts)?;
    let proof = Proof::new(&headers)?;
    let block = Params::new(pairs)?.only_block(&shared)?;
    shared
        .read(move |shared| {
            let margin = state_of(&block)?.explain(&account);
            let margin = margin.ok_or_else(|| ApiError::unknown_account(account))?;
            let sight = auth::sight(shared, proof.as_ref(), account.master)?;
            at(&block, margin::explained(&shared.catalog(), &margin, sight))
        })
        .await
}

async fn what_if(
    State(shared): Shares,
    Path(parts): Path<BTreeMap<String, String>>,
    pairs: Pairs,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let account = path_account(&parts)?;
    let proof = Proof::new(&headers)?;
    let block = Params::new(pairs)?.only_block(&shared)?;
    let trial = margin::Trial::read(&shared.catalog(), &whole_body(body)?)?;
    shared
        .read(move |shared| {
            let margin = trial.on(state_of(&block)?, account)?;
            let sight = auth::sight(shared, proof.as_ref(), account.master)?;
            at(&block, margin::explained(&shared.catalog(), &margin, sight))
        })
        .await
}

async fn liquidation(
    State(shared): Shares,
    Path(parts): Path<BTreeMap<String, String>>,
    pairs: Pairs,
) -> Answer {
    let account = path_account(&parts)?;
    let block = Params::new(pairs)?.only_block(&shared)?;
    shared
        .read(move |shared| {
            let distances = state_of(&block)?.liquidation_distance(&account);
            let distances = distances.ok_or_else(|| ApiError::unknown_account(account))?;
            let answer = margin::distances(&shared.catalog(), account, &distances);
            at(&block, answer)
        })
        .await
}

async fn proposed(
    State(shared): Shares,
    pairs: Pairs,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let block = Params::new(pairs)?.only_block(&shared)?;
    let proposal = margin::Proposal::read(&shared.catalog(), &whole_body(body)?)?;
    shared
        .read(move |shared| {
            let catalog = shared.catalog();
            let answer = proposal.on(&catalog, state_of(&block)?)?;
            at(&block, margin::proposed(&catalog, proposal.group, &answer))
        })
        .await
}

async fn master(State(shared): Shares, Path(address): Path<String>, pairs: Pairs) -> Answer {
    let id: AccountId = parse("address", &address, "a ballast1... address")?;
    let block = Params::new(pairs)?.only_block(&shared)?;
    shared
        .read(move |_| {
            let view = block.view.master(&id);
            at(
                &block,
                json::master(&view.ok_or_else(|| ApiError::unknown_account(id))?),
            )
        })
        .await
}

async fn order(
    State(shared): Shares,
    Path(order): Path<String>,
    pairs: Pairs,
    headers: HeaderMap,
) -> Answer {
    let id = OrderId(parse("order", &order, "a 64-bit number")?);
    let block = Params::new(pairs)?.only_block(&shared)?;
    let proof = Proof::new(&headers)?;
    shared
        .read(move |shared| {
            let unknown = || {
                let message = "no order with this id rests at this height, or waits and is yours";
                ApiError::new(StatusCode::NOT_FOUND, "UNKNOWN_ORDER", "order", id, message)
            };
            let view = block.view.order(id).ok_or_else(unknown)?;
            let sight = auth::sight(shared, proof.as_ref(), view.account.master)?;
            let order = orders::order(&shared.catalog(), &view, sight);
            at(&block, order.ok_or_else(unknown)?)
        })
        .await
}

async fn block(State(shared): Shares, Path(height): Path<String>, pairs: Pairs) -> Answer {
    Params::new(pairs)?.done()?;
    let block = match height.as_str() {
        "latest" => shared.latest().ok_or_else(ApiError::not_ready)?,
        height => at_height(&shared, height)?,
    };
    shared
        .read(move |shared| {
            let before = block.events.height.saturating_sub(1);
            let before = at_height(shared, &before.to_string()).ok();
            let block = events::block(&shared.catalog(), &block, before.as_deref());
            Ok(Json(block).into_response())
        })
        .await
}

async fn submit(
    State(shared): Shares,
    pairs: Pairs,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let mut params = Params::new(pairs)?;
    let wait = params.flag("wait")?;
    let timeout = params.number("timeout_ms", WAIT, MAX_WAIT)?;
    params.done()?;
    let tx = read_body(&headers, whole_body(body)?)?;
    let before = shared.latest().map(|block| block.events.height);
    let hash = shared
        .submit(tx)
        .map_err(|error| ApiError::refused(&error))?;
    let timeout = Duration::from_millis(timeout);
    let outcome = if wait {
        shared.results.wait(hash, before, timeout).await
    } else {
        None
    };
    let status = if outcome.is_some() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let result = outcome.map(|outcome| json::tx(&shared.catalog(), &outcome));
    Ok((
        status,
        Json(json::Submitted {
            hash: hex::encode(hash),
            result,
        }),
    )
        .into_response())
}

fn whole_body(body: Result<Bytes, BytesRejection>) -> Result<Bytes, ApiError> {
    body.map_err(|error| {
        let message = format!("the body has more than {MAX_BODY} bytes, or ended early");
        let status = error.status();
        ApiError::new(status, "BAD_BODY", "body", status.as_u16(), message)
    })
}

/// The transaction in a request body, by its content type.
fn read_body(headers: &HeaderMap, body: Bytes) -> Result<Bytes, ApiError> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map_or("", |kind| kind.to_str().unwrap_or("?"));
    match kind.split(';').next().unwrap_or_default().trim() {
        "" | "application/octet-stream" => Ok(body),
        "application/json" => {
            let fields: BTreeMap<String, Value> =
                serde_json::from_slice(&body).map_err(|error| {
                    let message = format!("the body is one JSON object: {error}");
                    ApiError::bad("body", String::from_utf8_lossy(&body), message)
                })?;
            if let Some((name, value)) = fields.iter().find(|(name, _)| *name != "tx") {
                return Err(ApiError::unknown_field(name, value));
            }
            let tx = fields.get("tx").ok_or_else(|| ApiError::missing("tx"))?;
            let text = tx
                .as_str()
                .ok_or_else(|| ApiError::bad("tx", tx, "tx is a string"))?;
            decode_tx(text).map(Bytes::from)
        }
        kind => {
            let message = "send application/octet-stream or application/json";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            Err(ApiError::new(
                status,
                "UNSUPPORTED_MEDIA_TYPE",
                "content-type",
                kind,
                message,
            ))
        }
    }
}

/// Reads the bytes of a transaction from hexadecimal or, when it is not that, base64.
pub(crate) fn decode_tx(text: &str) -> Result<Vec<u8>, ApiError> {
    if text.is_empty() {
        return Err(ApiError::bad("tx", text, "tx is empty"));
    }
    hex::decode(text.strip_prefix("0x").unwrap_or(text))
        .or_else(|_| STANDARD.decode(text))
        .map_err(|_| ApiError::bad("tx", text, "tx is neither hexadecimal nor base64"))
}

async fn tx(State(shared): Shares, Path(hash): Path<String>, pairs: Pairs) -> Answer {
    let hash: TxHash = auth::bytes("hash", &hash)?;
    let mut params = Params::new(pairs)?;
    let wait = params.number("wait_ms", 0, MAX_WAIT)?;
    params.done()?;
    let outcome = match wait {
        0 => shared.results.get(&hash),
        wait => {
            shared
                .results
                .wait(hash, None, Duration::from_millis(wait))
                .await
        }
    };
    let outcome = outcome.ok_or_else(|| {
        let message = "no block that is still known holds this transaction";
        ApiError::new(
            StatusCode::NOT_FOUND,
            "UNKNOWN_TX",
            "hash",
            hex::encode(hash),
            message,
        )
    })?;
    Ok(Json(json::tx(&shared.catalog(), &outcome)).into_response())
}
