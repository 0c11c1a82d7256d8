//! A future from its first trade to its settlement, on every kind of network.

use ballast::api::Api;
use ballast::network::Network;
use ballast_gateway::ws_sign_hash;
use ballast_types::{
    Account, Action, Condition, MarketId, MarketStatus, Order, PriceKind, PriceSource, PriceUpdate,
    PublicKey, SetMarketStatus, Side, Trigger, chain_hash,
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::common::ws::Ws;
use crate::common::{api, execute, limit};
use crate::{Kind, Running};

const SYMBOL: &str = "BTC-FUTURE";
const FUTURE: u32 = 5;
/// Accounts; the first publishes prices.
const AUTHORITY: usize = 0;
const BUYER: usize = 1;
const SELLER: usize = 4;
/// Its first mark in ticks, which is also its first index.
const FIRST: i64 = 1_000_000;
/// The index that is published.
const INDEX: i64 = 1_010_003;
/// What the two trade at, and how much.
const TRADED: i64 = 1_002_000;
const LOTS: i64 = 500;

#[test]
fn dev() {
    lives_and_is_settled(Kind::Dev, 15);
}

#[test]
fn localnet_app() {
    lives_and_is_settled(Kind::App, 45);
}

#[test]
fn localnet_flood() {
    lives_and_is_settled(Kind::Flood, 45);
}

/// The network takes some of the future's seconds to start.
#[tokio::main]
async fn lives_and_is_settled(kind: Kind, seconds: i64) {
    let lifetime = format!("{seconds}s");
    let Some(running) = Running::start_with(kind, &["--future", &lifetime]) else {
        return;
    };
    let network = &running.network;
    let api = api(&network.nodes[0]);
    let market = query(&api, &["v1", "markets", SYMBOL]).await;
    assert_eq!(
        (&market["id"], &market["kind"], &market["status"]),
        (&json!(FUTURE), &json!("future"), &json!("open"))
    );
    let expiry = number(&market["expiry"]);
    let mut prices = Ws::connect(&network.nodes[0].ws).await;
    prices.subscribe("market", SYMBOL).await;
    let orders = trade(&api, network).await;
    let told = publish(&api, network, &mut prices).await;
    let mut watchers = [
        watch(network, (BUYER, 0)).await,
        watch(network, (SELLER, 0)).await,
    ];
    let before = [
        state(&api, network, BUYER).await,
        state(&api, network, SELLER).await,
    ];
    assert_eq!([before[0].1, before[1].1], [LOTS, -LOTS]);

    let [buyer, seller] = &mut watchers;
    let (settled, bought, sold) = tokio::join!(
        next(&mut prices, |update| update["status"] == "settled"),
        next(buyer, is_flat),
        next(seller, is_flat),
    );
    // The index counts from the block that tells it; before it, the first mark did.
    let weight = 1_000 * seconds;
    let sum = FIRST * (told - (expiry - weight)) + INDEX * (expiry - told);
    let price = (sum + weight / 2) / weight;
    assert_eq!(number(&settled["mark"]), price, "{settled}");
    assert_eq!(settled["index"], settled["mark"]);
    assert!(number(&settled["time"]) >= expiry, "{settled}");

    let tick_value: i128 = market["tick_value"]
        .as_str()
        .expect("text")
        .parse()
        .expect("a number");
    let settlement = |(_, size, cost): (i128, i64, i128)| {
        i128::from(size) * i128::from(price) * tick_value - cost
    };
    let gains = before.map(settlement);
    assert_eq!(gains[0] + gains[1], 0);
    for (((account, told), before), gain) in [(BUYER, bought), (SELLER, sold)]
        .into_iter()
        .zip(before)
        .zip(gains)
    {
        assert_eq!(told["height"], settled["height"]);
        assert_eq!(expired(&told), orders[usize::from(account == SELLER)]);
        let expected = (before.0 + gain, 0, 0);
        assert_eq!(state(&api, network, account).await, expected);
        assert_eq!(atoms(&told["balances"][0]["balance"]), expected.0);
    }
    is_over(&api, network, price).await;
    running.stop(Signal::INT);
}

/// The buyer buys of the seller, and both leave orders: the buyer one that rests and one that waits, the
/// seller one that rests. Returns their ids.
async fn trade(api: &Api, network: &Network) -> [Vec<String>; 2] {
    let stop = Order {
        trigger: Some(Trigger {
            source: PriceSource::Mark,
            condition: Condition::AtOrBelow(900_000),
        }),
        ..Order::limit(MarketId(FUTURE), Side::Sell, 900_000, LOTS)
    };
    let asks = vec![
        limit(FUTURE, Side::Sell, TRADED, LOTS),
        limit(FUTURE, Side::Sell, 1_050_000, 7),
    ];
    let asks = execute(api, network, SELLER, asks).await;
    let bids = vec![
        limit(FUTURE, Side::Buy, TRADED, LOTS),
        limit(FUTURE, Side::Buy, 950_000, 7),
        Action::Order(stop),
    ];
    let bids = execute(api, network, BUYER, bids).await;
    assert_eq!(bids["actions"][0]["filled"], LOTS, "{bids}");
    let ids = |answer: &Value| {
        let actions = answer["actions"].as_array().expect("actions").iter();
        let mut ids: Vec<_> = actions
            .skip(1)
            .map(|action| text(&action["order"]))
            .collect();
        ids.sort();
        ids
    };
    [ids(&bids), ids(&asks)]
}

/// Time of the block in which the index takes effect.
async fn publish(api: &Api, network: &Network, prices: &mut Ws) -> i64 {
    let index = PriceUpdate {
        market: MarketId(FUTURE),
        kind: PriceKind::Index,
        price: INDEX,
    };
    let published = execute(
        api,
        network,
        AUTHORITY,
        vec![Action::SetPrices(vec![index])],
    )
    .await;
    assert_eq!(published["actions"][0]["name"], "OK", "{published}");
    let told = next(prices, |update| update["index"] == INDEX).await;
    assert_eq!(told["status"], "open", "expired too early: {told}");
    number(&told["time"])
}

/// A connection that is told of an account, whose snapshot has come.
pub(crate) async fn watch(network: &Network, (account, sub): (usize, u16)) -> Ws {
    let secret = network.accounts[account].secret().expect("a key");
    let mut ws = Ws::connect(&network.nodes[0].ws).await;
    ws.send(json!({"op": "challenge"})).await;
    let mut challenge = [0; 32];
    let told = text(&ws.receive().await["challenge"]);
    hex::decode_to_slice(told, &mut challenge).expect("hexadecimal");
    let digest = ws_sign_hash(&chain_hash(&network.chain_id), &challenge);
    let (key_type, key) = match secret.public() {
        PublicKey::Ed25519(key) => ("ed25519", hex::encode(key)),
        PublicKey::Secp256k1(key) => ("secp256k1", hex::encode(key)),
    };
    let account = Account::new(secret.id(), sub).to_string();
    let signature = hex::encode(secret.sign(&digest));
    ws.send(json!({
        "op": "auth", "account": account, "key_type": key_type, "key": key, "signature": signature,
    }))
    .await;
    ws.send(json!({"op": "subscribe", "channel": "account", "account": account}))
        .await;
    next(&mut ws, |message| message["type"] == "snapshot").await;
    ws
}

pub(crate) async fn next(ws: &mut Ws, passes: impl Fn(&Value) -> bool) -> Value {
    loop {
        let message = ws.receive().await;
        assert_ne!(message["type"], "error", "{message}");
        if passes(&message) {
            return message;
        }
    }
}

/// Whether an update of an account says that it holds nothing of the future any more.
fn is_flat(update: &Value) -> bool {
    let positions = update["positions"].as_array().into_iter().flatten();
    positions
        .filter(|position| position["market"] == SYMBOL)
        .any(|position| position["size"] == 0)
}

/// Orders that an update of an account says have expired, by id.
pub(crate) fn expired(update: &Value) -> Vec<String> {
    let events = update["events"].as_array().expect("events").iter();
    let removed = events.filter(|event| event["type"] == "removed" && event["reason"] == "EXPIRED");
    let mut ids: Vec<_> = removed.map(|event| text(&event["order"])).collect();
    ids.sort();
    ids
}

/// USDC of an account in atoms, its lots of the future, and what they cost; there is nothing else.
async fn state(api: &Api, network: &Network, account: usize) -> (i128, i64, i128) {
    let address = &network.accounts[account].address;
    let answer = query(api, &["v1", "accounts", address]).await;
    let positions = answer["positions"].as_array().expect("positions");
    assert!(positions.len() <= 1, "{answer}");
    let (size, cost) = positions.first().map_or((0, 0), |position| {
        (number(&position["size"]), atoms(&position["cost"]))
    });
    if positions.is_empty() {
        assert_eq!(answer["orders"], json!([]));
        assert_eq!(answer["equity"], answer["balances"][0]["balance"]);
    }
    assert_eq!(answer["balances"][0]["asset"], "USDC");
    (atoms(&answer["balances"][0]["balance"]), size, cost)
}

/// The market takes nothing any more.
async fn is_over(api: &Api, network: &Network, price: i64) {
    let market = query(api, &["v1", "markets", SYMBOL]).await;
    let shown = ["mark", "index", "open_interest"].map(|name| number(&market[name]));
    assert_eq!(shown, [price, price, 0]);
    assert_eq!(market["status"], "settled");
    let book = query(api, &["v1", "book", SYMBOL]).await;
    assert_eq!((&book["bids"], &book["asks"]), (&json!([]), &json!([])));
    let open = SetMarketStatus {
        market: MarketId(FUTURE),
        status: MarketStatus::Open,
    };
    let mark = PriceUpdate {
        market: MarketId(FUTURE),
        kind: PriceKind::Mark,
        price: FIRST,
    };
    for (account, action) in [
        (BUYER, limit(FUTURE, Side::Buy, price, LOTS)),
        (AUTHORITY, Action::SetMarketStatus(open)),
        (AUTHORITY, Action::SetPrices(vec![mark])),
    ] {
        let refused = execute(api, network, account, vec![action]).await;
        assert_eq!(refused["actions"][0]["name"], "MARKET_EXPIRED", "{refused}");
    }
}

pub(crate) async fn query(api: &Api, path: &[&str]) -> Value {
    api.get(path, &[]).await.expect("an answer")
}

pub(crate) fn number(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

pub(crate) fn atoms(value: &Value) -> i128 {
    value.as_str().expect("text").parse().expect("a number")
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}
