//! Options from their listing to their settlement, on every kind of network: quotes, premium and
//! fees, margin in both modes, and what expiry pays.

use std::time::Duration;

use ballast::api::Api;
use ballast::rpc::Client;
use ballast_genesis::time;
use ballast_types::{Action, Side};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::common::ws::Ws;
use crate::common::{ahead, api, execute_as, limit};
use crate::futures::{atoms, expired, next, number, query, text, watch};
use crate::{BTC_PERP, Kind, PERP, User};

const GROUP: &str = "BTC";
/// Accounts, and the subaccount of the buyer, which has nothing but what it is given.
const BUYER: (usize, u16) = (1, 1);
const SELLER: (usize, u16) = (4, 0);
/// First mark of the perpetual, which is the first index of the group, and the index that is
/// published: in ticks of a tenth.
const FIRST: i128 = 1_000_000;
const INDEX: i128 = 1_040_003;
/// Atoms that a lot of options is worth per tick, which is one unit of the margin asset.
const TICK_VALUE: i128 = 10_000;
/// What each lot traded, of 0.01 of the underlying, pays: 300 millionths of the index, rounded up.
const FEE: i128 = 312_001;

/// A trade of the buyer, who sells when lots are negative.
#[derive(Clone, Copy)]
struct Trade {
    strike: i64,
    kind: &'static str,
    price: i64,
    lots: i64,
    /// Of each lot.
    fee: i128,
}

const TRADES: [Trade; 3] = [
    Trade {
        strike: 100_000,
        kind: "call",
        price: 4_500,
        lots: 50,
        fee: FEE,
    },
    // A fee is at most an eighth of the premium.
    Trade {
        strike: 100_000,
        kind: "put",
        price: 2,
        lots: -50,
        fee: 2 * TICK_VALUE / 8,
    },
    Trade {
        strike: 108_000,
        kind: "put",
        price: 4_000,
        lots: -10,
        fee: FEE,
    },
];

#[test]
fn dev() {
    live_and_are_settled(Kind::Dev, 15);
}

#[test]
fn localnet_app() {
    live_and_are_settled(Kind::App, 40);
}

#[test]
fn localnet_flood() {
    live_and_are_settled(Kind::Flood, 40);
}

/// The network takes some of the seconds to start.
#[tokio::main]
async fn live_and_are_settled(kind: Kind, seconds: u64) {
    let (period, expiry) = ahead(seconds);
    let period_text = format!("{period}s");
    let mut words = vec!["--option-expiry", &period_text];
    if matches!(kind, Kind::Dev) {
        // The first block is one of the last 16 for a while longer.
        words.extend(["--block-time", "100"]);
    }
    let Some(running) = crate::Running::start_with(kind, &words) else {
        return;
    };
    let user = User::new(running);
    let api = api(&user.0.network.nodes[0]);
    let begun = begun(&user, &api).await;
    let options = Options::listed(&user, expiry);
    let mut news = Ws::connect(&user.0.network.nodes[0].ws).await;
    news.send(json!({"op": "subscribe", "channel": "group", "group": GROUP}))
        .await;
    next(&mut news, |message| message["type"] == "snapshot").await;

    let told = publish(&user, &options, &mut news).await;
    trade(&user, &api, &options).await;
    refuse_by_what_is_missing(&user, &options);
    hedge(&user, &api).await;
    let orders = leave_orders(&user, &api, &options).await;

    let network = &user.0.network;
    let mut watchers = [watch(network, BUYER).await, watch(network, SELLER).await];
    let before = [balance(&user, BUYER), balance(&user, SELLER)];
    let call = options.market(TRADES[0]);
    let closed = |update: &Value| {
        let mut positions = update["positions"].as_array().into_iter().flatten();
        positions.any(|position| position["market"] == call && position["size"] == 0)
    };
    let [buyer, seller] = &mut watchers;
    let (settled, bought, sold) = tokio::join!(
        next(&mut news, |message| message["settled"].is_array()),
        next(buyer, closed),
        next(seller, closed),
    );
    assert!(number(&settled["time"]) >= options.expiry, "{settled}");
    let price = options.settlement(begun, told);
    let gain = check_settled(&settled, &options, price);
    for (update, account, gain, order) in [
        (bought, BUYER, gain, &orders[0]),
        (sold, SELLER, -gain, &orders[1]),
    ] {
        assert_eq!(update["height"], settled["height"]);
        assert_eq!(expired(&update), [order.as_str()]);
        let before = before[usize::from(account == SELLER)];
        assert_eq!(atoms(&update["balances"][0]["balance"]), before + gain);
        assert_eq!(balance(&user, account), before + gain);
        assert_eq!(positions(&user, account), [BTC_PERP]);
    }
    are_over(&user, &api, &options, period).await;
    user.0.stop(Signal::INT);
}

/// Time of the first block, which lists the options.
async fn begun(user: &User, api: &Api) -> i64 {
    let node = &user.0.network.nodes[0];
    if node.rpc.is_empty() {
        return number(&query(api, &["v1", "blocks", "1"]).await["time"]);
    }
    let client = Client::new(&node.rpc, Duration::from_secs(10)).expect("a client");
    let first = client.block(Some(1)).await.expect("a block");
    let time = time::parse(&first.header.time).expect("a time");
    i64::try_from(time).expect("a time")
}

/// Those of the group that expire first.
struct Options {
    expiry: i64,
    /// As `query` takes it.
    when: String,
    markets: Vec<Value>,
}

impl Options {
    fn listed(user: &User, expiry: u64) -> Self {
        let when = time::format(expiry);
        let words = format!("markets --group {GROUP} --kind option --expiry {when}");
        let answer = user.until(&words, |answer| answer["markets"][33].is_object());
        let markets = answer["markets"].as_array().expect("a list").clone();
        assert_eq!(markets.len(), 34, "eight strikes on each side");
        for market in &markets {
            assert_eq!(market["status"], "open");
            assert_eq!(market["greeks"]["mark_iv"], "0.8", "{market}");
        }
        Self {
            expiry: i64::try_from(expiry).expect("a time"),
            when,
            markets,
        }
    }

    fn find(&self, trade: Trade) -> &Value {
        let strike = trade.strike.to_string();
        let mut markets = self.markets.iter();
        markets
            .find(|market| market["strike"] == strike && market["option_type"] == trade.kind)
            .expect("listed")
    }

    fn market(&self, trade: Trade) -> String {
        text(&self.find(trade)["market"])
    }

    fn id(&self, trade: Trade) -> u32 {
        u32::try_from(number(&self.find(trade)["id"])).expect("an id")
    }

    /// The average of the index since they were listed, in ten-thousandths of a unit: the index counts
    /// from the block that tells it; before it, the first mark did.
    fn settlement(&self, begun: i64, told: i64) -> i128 {
        let weight = i128::from(self.expiry - begun);
        let first = i128::from(told - begun);
        let sum = 1_000 * (FIRST * first + INDEX * (weight - first));
        (sum + weight / 2) / weight
    }
}

/// What a lot of 0.01 of the underlying pays at a price in ten-thousandths.
fn payoff(strike: i64, kind: &str, price: i128) -> i128 {
    let strike = i128::from(strike) * 10_000;
    let value = if kind == "call" {
        price - strike
    } else {
        strike - price
    };
    value.max(0)
}

/// A surface and an index take effect; returns the time of the latter's block.
async fn publish(user: &User, options: &Options, news: &mut Ws) -> i64 {
    let node = &user.0.network.nodes[0];
    let mut perpetual = Ws::connect(&node.ws).await;
    perpetual.subscribe("market", BTC_PERP).await;
    let mut ticker = Ws::connect(&node.ws).await;
    ticker.subscribe("market", &options.market(TRADES[0])).await;

    // 0.6 a year; a day of a year times 0.36.
    let variance = "0.000986301369863";
    let surface = json!({"group": GROUP, "expiries": [{
        "expiry": options.when, "forward": "104000.3", "tenor": 86_400,
        "nodes": [["-0.2", variance], ["0.2", variance]],
    }]});
    let file = user.0.directory.path().join("surface.json");
    std::fs::write(&file, surface.to_string()).expect("writes");
    user.tx(&format!("surface --account 0 {}", file.display()));
    let told = next(news, |message| message["surface"].is_object()).await;
    let told = &told["surface"]["expiries"][0];
    assert_eq!(
        (&told["expiry"], &told["forward"], &told["tenor"]),
        (&json!(options.expiry), &json!("104000.3"), &json!(86_400))
    );
    assert_eq!(user.query("surface BTC")["price_digits"], 4);
    user.tx("prices --account 0 BTC-PERP=104000 index:BTC-PERP=104000.3");
    let told = next(&mut perpetual, |update| update["index"] == 1_040_003).await;

    let quoted = next(&mut ticker, |update| update["height"] == told["height"]).await;
    assert_eq!(quoted["index"], 104_000, "{quoted}");
    let greek = |name: &str| -> f64 {
        let figure = quoted["greeks"][name].as_str();
        figure.and_then(|figure| figure.parse().ok()).expect(name)
    };
    assert!((greek("mark_iv") - 0.6).abs() < 1e-6, "{quoted}");
    assert!((0.9..=1.0).contains(&greek("delta")), "{quoted}");
    assert!(greek("vega") >= 0.0 && greek("forward") > 103_000.0);
    let mark = quoted["mark"].as_f64().expect("a number");
    assert!((greek("mark_value") - mark).abs() <= 0.5, "{quoted}");
    assert!((3_900.0..4_100.0).contains(&mark), "{quoted}");
    number(&told["time"])
}

/// The buyer takes what the seller offers; premium and fees move to the atom.
async fn trade(user: &User, api: &Api, options: &Options) {
    user.tx("transfer --account 1 --asset USDC --amount 20000 --to-sub 1");
    let before = [balance(user, BUYER), balance(user, SELLER)];
    let sides = |lots: i64| {
        if lots > 0 {
            [Side::Sell, Side::Buy]
        } else {
            [Side::Buy, Side::Sell]
        }
    };
    let network = &user.0.network;
    for (account, at) in [(SELLER, 0), (BUYER, 1)] {
        let order = |trade: &Trade| {
            let id = options.id(*trade);
            limit(id, sides(trade.lots)[at], trade.price, trade.lots.abs())
        };
        let orders: Vec<Action> = TRADES.iter().map(order).collect();
        let answer = execute_as(api, network, account, orders).await;
        for (result, trade) in answer["actions"]
            .as_array()
            .expect("results")
            .iter()
            .zip(TRADES)
        {
            let filled = if at == 0 { 0 } else { trade.lots.abs() };
            assert_eq!(
                (&result["name"], &result["filled"]),
                (&json!("OK"), &json!(filled)),
                "{answer}"
            );
        }
    }
    let premium = |trade: Trade| i128::from(trade.price) * i128::from(trade.lots) * TICK_VALUE;
    let paid: i128 = TRADES.map(premium).iter().sum();
    let fees: i128 = TRADES
        .map(|trade| trade.fee * i128::from(trade.lots.abs()))
        .iter()
        .sum();
    assert_eq!(balance(user, BUYER), before[0] - paid - fees);
    assert_eq!(balance(user, SELLER), before[1] + paid - fees);
    let account = user.query(&account(user, BUYER));
    for trade in TRADES {
        let mut positions = account["positions"].as_array().expect("positions").iter();
        let position = positions.find(|position| position["market"] == options.market(trade));
        let position = position.expect("held");
        assert_eq!(
            (&position["size"], &position["cost"]),
            (&json!(trade.lots), &json!("0"))
        );
    }
}

/// An order that is refused says what is missing; with as much, and not an atom less, it is taken.
fn refuse_by_what_is_missing(user: &User, options: &Options) {
    let call = options.market(TRADES[0]);
    let order =
        format!("order --account 1 --sub 1 --market {call} --side sell --size 10 --price 4500");
    let missing = || {
        let answer = user.sent(&order);
        let action = &answer["result"]["actions"][0];
        assert_eq!(action["name"], "INSUFFICIENT_MARGIN", "{answer}");
        assert!(text(&action["message"]).contains("initial margin"));
        atoms(&action["missing"])
    };
    let give = |amount: i128| {
        let (whole, part) = (amount / 1_000_000, amount % 1_000_000);
        user.tx(&format!(
            "transfer --account 1 --asset USDC --amount {whole}.{part:06} --to-sub 1"
        ));
    };
    let first = missing();
    assert!(first > 100_000_000_000, "{first}");
    give(first - 1);
    assert_eq!(missing(), 1);
    give(1);
    user.tx(&order);
    user.tx("cancel --account 1 --sub 1 --all");
}

/// The perpetual hedges the options. Only in portfolio mode that lowers what is required.
async fn hedge(user: &User, api: &Api) {
    let network = &user.0.network;
    // The underlying of 60 lots.
    let bid = vec![limit(PERP, Side::Buy, 1_040_000, 6_000)];
    execute_as(api, network, SELLER, bid).await;
    let ask = vec![limit(PERP, Side::Sell, 1_040_000, 6_000)];
    let sold = execute_as(api, network, BUYER, ask).await;
    assert_eq!(sold["actions"][0]["filled"], 6_000, "{sold}");
    let required = |mode: &str| {
        let answer = user.query(&account(user, BUYER));
        assert_eq!(answer["margin_mode"], mode);
        ["initial_margin", "maintenance_margin", "held_margin"].map(|name| atoms(&answer[name]))
    };
    let standard = required("standard");
    user.tx("margin-mode --account 1 --sub 1 portfolio");
    let portfolio = required("portfolio");
    for (standard, portfolio) in standard.into_iter().zip(portfolio) {
        assert!(
            0 < portfolio && portfolio * 2 < standard,
            "{portfolio} of {standard}"
        );
    }
}

/// Both leave an order that rests. Returns their ids.
async fn leave_orders(user: &User, api: &Api, options: &Options) -> [String; 2] {
    let call = options.id(TRADES[0]);
    let mut ids = Vec::new();
    for (account, order) in [
        (BUYER, limit(call, Side::Buy, 100, 7)),
        (SELLER, limit(call, Side::Sell, 9_000, 7)),
    ] {
        let answer = execute_as(api, &user.0.network, account, vec![order]).await;
        assert_eq!(answer["actions"][0]["name"], "OK", "{answer}");
        ids.push(text(&answer["actions"][0]["order"]));
    }
    ids.try_into().expect("two")
}

/// What the buyer gains, when every option was paid what it is worth.
fn check_settled(settled: &Value, options: &Options, price: i128) -> i128 {
    let list = settled["settled"].as_array().expect("a list");
    // With the strikes that were listed when the index moved.
    assert!(list.len() >= options.markets.len(), "{settled}");
    for market in &options.markets {
        let strike = text(&market["strike"]).parse().expect("a number");
        let pays = payoff(strike, &text(&market["option_type"]), price);
        let mut found = list.iter();
        let found = found.find(|found| found["market"] == market["market"]);
        let rounded = (pays + TICK_VALUE / 2) / TICK_VALUE;
        assert_eq!(
            i128::from(number(&found.expect("settled")["price"])),
            rounded,
            "{market}"
        );
    }
    let gains =
        TRADES.map(|trade| i128::from(trade.lots) * payoff(trade.strike, trade.kind, price));
    assert!(gains[0] > 0 && gains[1] == 0 && gains[2] < 0, "{gains:?}");
    gains.iter().sum()
}

/// The markets take nothing any more, and the next are there.
async fn are_over(user: &User, api: &Api, options: &Options, period: u64) {
    let call = options.market(TRADES[0]);
    let market = user.query(&format!("market {call}"));
    assert_eq!(
        (&market["status"], &market["open_interest"]),
        (&json!("settled"), &json!(0))
    );
    let bid = limit(options.id(TRADES[0]), Side::Buy, 100, 1);
    let refused = execute_as(api, &user.0.network, SELLER, vec![bid]).await;
    assert_eq!(refused["actions"][0]["name"], "MARKET_EXPIRED", "{refused}");
    let list = format!("markets --group {GROUP} --kind option --expiry");
    let left = user.query(&format!("{list} {}", options.when));
    assert_eq!(left["markets"], json!([]));
    let next = u64::try_from(options.expiry).expect("a time") + period * 1_000;
    let next = format!("{list} {}", time::format(next));
    user.until(&next, |answer| answer["markets"][33].is_object());
}

/// Words of a query of an account.
fn account(user: &User, (account, sub): (usize, u16)) -> String {
    format!("account {}/{sub}", user.address(account))
}

/// USDC of an account in atoms.
fn balance(user: &User, of: (usize, u16)) -> i128 {
    let answer = user.query(&account(user, of));
    assert_eq!(answer["balances"][0]["asset"], "USDC");
    atoms(&answer["balances"][0]["balance"])
}

/// Markets in which an account holds something.
fn positions(user: &User, of: (usize, u16)) -> Vec<String> {
    let answer = user.query(&account(user, of));
    let positions = answer["positions"].as_array().expect("positions").iter();
    positions
        .map(|position| text(&position["market"]))
        .collect()
}
