//! The exchange as its user meets it (`tx`, `query`, HTTP, WebSocket), on every kind of network:
//! `ballast dev`, and four validators with either mempool. The latter are skipped, with a line on
//! stderr, on a machine without CometBFT: `ballast cometbft` installs it.

mod common;

#[path = "user/batches.rs"]
mod batches;
#[path = "user/futures.rs"]
mod futures;
#[path = "user/linked.rs"]
mod linked;
#[path = "user/market_data.rs"]
mod market_data;
#[path = "user/options.rs"]
mod options;
#[path = "user/orders.rs"]
mod orders;
#[path = "user/quotes.rs"]
mod quotes;

use std::process::Output;
use std::time::{Duration, Instant};

use ballast::network::Network;
use ballast_types::{Action, Cancel, MarketId, Side};
use common::ws::{Book, Ws, queried};
use common::{
    Process, api, assert_ports_free, execute, free_base, is_installed, limit, run, wait_for,
};
use linked::{
    an_auction_opens_a_market_at_one_price, linked_orders_live_and_die_together,
    pegged_orders_follow_a_price, twap_orders_trade_in_slices,
};
use market_data::levels_and_bests_follow_from_the_orders_of_blocks;
use orders::{
    icebergs_show_a_part_and_own_orders_do_not_trade, markets_have_bounds_and_statuses,
    orders_end_by_height_and_by_a_dead_mans_switch, waiting_orders_fire,
};
use quotes::quotes_are_replaced_and_protected;
use rustix::process::Signal;
use serde_json::{Value, json};

const PERP: u32 = 1;
const BTC_PERP: &str = "BTC-PERP";

/// What runs the exchange.
#[derive(Clone, Copy)]
enum Kind {
    Dev,
    App,
    Flood,
}

/// Every test of this file, on one kind of network.
macro_rules! suite {
    ($network:ident, $kind:expr) => {
        mod $network {
            use super::{Kind, Running};

            suite!(
                $kind,
                orders_reach_the_book_by_http_and_websocket,
                a_user_places_amends_takes_and_cancels,
                a_user_moves_money_names_agents_and_signs_batches,
                tables_are_for_people,
                refusals_name_the_field_or_the_code,
                waiting_orders_fire,
                icebergs_show_a_part_and_own_orders_do_not_trade,
                markets_have_bounds_and_statuses,
                orders_end_by_height_and_by_a_dead_mans_switch,
                quotes_are_replaced_and_protected,
                linked_orders_live_and_die_together,
                pegged_orders_follow_a_price,
                twap_orders_trade_in_slices,
                an_auction_opens_a_market_at_one_price,
                levels_and_bests_follow_from_the_orders_of_blocks,
                blocks_come_while_nobody_trades
            );
        }
    };
    ($kind:expr, $($test:ident),*) => {
        $(
            #[test]
            fn $test() {
                if let Some(running) = Running::start($kind) {
                    super::$test(running);
                }
            }
        )*
    };
}

suite!(dev, Kind::Dev);
suite!(localnet_app, Kind::App);
suite!(localnet_flood, Kind::Flood);

/// A network, and where it keeps its files.
struct Running {
    process: Process,
    network: Network,
    base: u16,
    directory: tempfile::TempDir,
}

impl Running {
    /// None where CometBFT is needed and missing.
    fn start(kind: Kind) -> Option<Self> {
        Self::start_with(kind, &[])
    }

    /// With more words for `dev` and `localnet`.
    fn start_with(kind: Kind, words: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let home = directory.path().join("net");
        let home = home.to_str().expect("UTF-8");
        let base = free_base(if matches!(kind, Kind::Dev) { 1 } else { 4 });
        let port = base.to_string();
        let mut args = match kind {
            Kind::Dev => vec!["dev"],
            _ if !is_installed() => return None,
            Kind::App => vec!["localnet", "--mempool", "app", "--home", home],
            Kind::Flood => vec!["localnet", "--mempool", "flood", "--home", home],
        };
        args.extend(["--base-port", &port]);
        args.extend(words);
        let (process, network) = Process::network(&args);
        let expected = if matches!(kind, Kind::Dev) { 1 } else { 4 };
        assert_eq!(network.nodes.len(), expected);
        Some(Self {
            process,
            network,
            base,
            directory,
        })
    }

    fn stop(self, signal: Signal) {
        let status = self.process.stop(signal);
        assert!(status.success(), "{status}");
        assert_ports_free(self.base, self.network.nodes.len());
    }
}

#[tokio::main]
async fn orders_reach_the_book_by_http_and_websocket(running: Running) {
    let network = &running.network;
    let node = &network.nodes[0];
    assert!(network.accounts.len() >= 8);
    let api = api(node);

    let mut ws = Ws::connect(&node.ws).await;
    ws.subscribe("book", BTC_PERP).await;
    let mut book = Book::default();
    book.take(&ws.receive().await);

    let bids = vec![
        limit(PERP, Side::Buy, 990_000, 10),
        limit(PERP, Side::Buy, 980_000, 20),
    ];
    let placed = execute(&api, network, 1, bids).await;
    assert_eq!(placed["code"], 0, "{placed}");
    let taken = execute(&api, network, 5, vec![limit(PERP, Side::Sell, 990_000, 15)]).await;
    assert_eq!(
        (&taken["actions"][0]["code"], &taken["actions"][0]["filled"]),
        (&json!(0), &json!(10))
    );
    let cancel = Action::Cancel(Cancel::Market(MarketId(PERP)));
    let cancelled = execute(&api, network, 1, vec![cancel]).await;
    assert_eq!(cancelled["actions"][0]["code"], 0);

    let height = cancelled["height"].as_u64().expect("a height");
    while book.height < height {
        book.take(&ws.receive().await);
    }
    let answer = api
        .get(&["v1", "book", BTC_PERP], &[])
        .await
        .expect("a book");
    assert_eq!(book.levels(), queried(&answer));
    assert_eq!(book.levels(), (vec![], vec![(990_000, 5)]));

    let metrics = reqwest::get(&node.metrics)
        .await
        .expect("served")
        .text()
        .await
        .expect("text");
    for line in [
        "ballast_orders_total 3",
        "ballast_fills_total 1",
        "ballast_crossed_books_total 0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} is not in\n{metrics}"
        );
    }
    running.stop(Signal::INT);
}

/// Somebody at a terminal, with a network of their own.
struct User(Running);

impl User {
    fn new(running: Running) -> Self {
        let file = running.directory.path().join("keys.json");
        std::fs::write(file, running.network.to_line()).expect("writes");
        Self(running)
    }

    fn run(&self, command: &str, words: &str) -> Output {
        let keys = self.0.directory.path().join("keys.json");
        let mut args = vec![command];
        // What stands in quotes is one word.
        for (at, part) in words.split('"').enumerate() {
            match at % 2 {
                0 => args.extend(part.split_whitespace()),
                _ => args.push(part),
            }
        }
        args.extend(["--keys", keys.to_str().expect("UTF-8")]);
        run(&args)
    }

    /// What `tx` prints, when nothing is refused.
    fn tx(&self, words: &str) -> String {
        let output = self.run("tx", words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tx {words}: {stderr}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The node's answer to `tx`, whatever became of the actions.
    fn sent(&self, words: &str) -> Value {
        let output = self.run("tx", &format!("{words} --json"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{words}: {stderr}"))
    }

    /// Name of the code and lots filled of the first action of `tx`.
    fn result(&self, words: &str) -> (String, i64) {
        let answer = self.sent(words);
        let action = &answer["result"]["actions"][0];
        let name = action["name"].as_str().map(str::to_owned);
        let filled = action["filled"].as_i64();
        name.zip(filled)
            .unwrap_or_else(|| panic!("{words}: {answer}"))
    }

    /// Id of the order that the first action of `tx` makes, when nothing is refused.
    fn order(&self, words: &str) -> String {
        let answer: Value = serde_json::from_str(&self.tx(&format!("{words} --json")))
            .unwrap_or_else(|error| panic!("{words}: {error}"));
        let order = &answer["result"]["actions"][0]["order"];
        order.as_str().expect("an order").to_owned()
    }

    /// Asks until the answer passes.
    fn until(&self, words: &str, passes: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let answer = self.query(words);
            if passes(&answer) {
                return answer;
            }
            let waited = start.elapsed();
            assert!(waited < Duration::from_secs(20), "{words}: still {answer}");
        }
    }

    fn query(&self, words: &str) -> Value {
        let output = self.run("query", &format!("{words} --json"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{words}: {stderr}"))
    }

    fn address(&self, account: usize) -> &str {
        &self.0.network.accounts[account].address
    }

    fn stop(self) {
        self.0.stop(Signal::TERM);
    }
}

const BID: &str = "order --account 1 --market BTC-PERP --side buy --size 0.5 --price 99000";

fn a_user_places_amends_takes_and_cancels(running: Running) {
    let user = User::new(running);
    let answer = user.sent(BID);
    let first = &answer["result"]["actions"][0]["order"];
    let first = first.as_str().expect("an order");
    assert_eq!(
        user.query("book BTC-PERP")["bids"][0]["size_decimal"],
        "0.5000"
    );
    let amended = user.order(&format!(
        "amend --account 1 --order {first} --price 99500.5"
    ));
    let moved = user.query(&format!("order {amended}"));
    assert_eq!(
        (&moved["price_decimal"], &moved["remaining_decimal"]),
        (&json!("99500.5"), &json!("0.5000"))
    );
    assert_eq!(
        user.query("book BTC-PERP")["bids"][0]["price_decimal"],
        "99500.5"
    );
    // Account 4 has a secp256k1 key.
    let sell = "order --account 4 --market BTC-PERP --side sell --size 0.2";
    user.tx(&format!("{sell} --type market --slippage 1"));
    assert_eq!(
        user.query("trades BTC-PERP")["trades"][0]["size_decimal"],
        "0.2000"
    );
    user.tx("cancel --account 1 --all");
    assert_eq!(user.query("book BTC-PERP")["bids"], json!([]));
    let hash = answer["hash"].as_str().expect("a hash");
    assert_eq!(user.query(&format!("tx {hash}"))["name"], "OK");
    user.stop();
}

fn a_user_moves_money_names_agents_and_signs_batches(running: Running) {
    let user = User::new(running);
    let address = user.address(1);
    user.tx("transfer --account 1 --asset USDC --amount 12.5 --to-sub 1");
    assert_eq!(
        user.query(&format!("account {address}/1"))["equity_decimal"],
        "12.500000"
    );
    user.tx("prices --account 0 BTC-PERP=101000 ETH-PERP=4010");
    let agent = user.address(2);
    user.tx(&format!(
        "agent --account 1 --address {agent} --valid-for 1d --markets BTC-PERP"
    ));
    user.tx(&format!(
        "{} --master {address}",
        BID.replace("account 1", "account 2")
    ));
    assert_eq!(
        user.query(&format!("master {address}"))["agents"][0]["key"],
        agent
    );
    let batch = user.0.directory.path().join("batch.json");
    let actions = json!([
        {"action": "cancel", "market": "BTC-PERP"},
        {"action": "order", "market": "ETH/USDC", "side": "buy", "size": "1", "price": "3999.5",
         "type": "post-only", "client_id": "7", "tif": "5m"},
    ]);
    std::fs::write(&batch, actions.to_string()).expect("writes");
    user.tx(&format!("batch {} --account 1", batch.display()));
    assert_eq!(user.query("book BTC-PERP")["bids"], json!([]));
    assert_eq!(
        user.query("book ETH/USDC")["bids"][0]["price_decimal"],
        "3999.50"
    );
    user.tx("cancel --account 1 --client-id 7 --group ETH");
    assert_eq!(user.query("book ETH/USDC")["bids"], json!([]));
    // The prices were published blocks ago.
    assert_eq!(user.query("market BTC-PERP")["mark_decimal"], "101000.0");
    user.stop();
}

fn tables_are_for_people(running: Running) {
    let user = User::new(running);
    user.tx(BID);
    let address = user.address(1);
    for (words, part) in [
        ("chain", "open_orders       1"),
        ("markets", "BTC-PERP  "),
        ("market 1", "BTC-PERP"),
        ("book 1", "bid   99000.0  0.5000  1"),
        ("trades BTC-PERP", "none"),
        ("block", "transactions"),
        (&format!("account {address}"), "BTC-PERP  buy"),
        (&format!("master {address}"), "agents"),
    ] {
        let output = user.run("query", words);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    user.stop();
}

/// Of triggers, icebergs and what price authorities do.
fn newer_refusals() -> Vec<(String, &'static str)> {
    vec![
        (
            format!("{BID} --trigger mark"),
            "trigger: Mark needs one of --above, --below and --trail",
        ),
        (
            format!("{BID} --below 98000"),
            "below: 98000 needs --trigger to say which price",
        ),
        (format!("{BID} --trigger oracle --below 1"), "'oracle'"),
        (
            format!("{BID} --trigger last --above 0.01"),
            "above: 0.01 is not a multiple of the tick",
        ),
        (
            format!("{BID} --trigger last --trail x%"),
            "\"x%\" is not a distance such as 250",
        ),
        (
            format!("{BID} --display 0.00001"),
            "display: 0.00001 is not a multiple of the lot",
        ),
        (format!("{BID} --tif block:x"), "\"block:x\" is not block:"),
        (
            "prices --account 0 mark:BTC-PERP=1".to_owned(),
            "market: \"mark:BTC-PERP\"",
        ),
        ("prices --account 0 BTC/USDC=1".to_owned(), "BAD_PRICE"),
        (
            "status --account 0 BTC-PERP settled".to_owned(),
            "status: settled is what a market is once it has expired; no action sets it",
        ),
        (
            format!("{BID} --peg bid --offset 0.05"),
            "offset: 0.05 is not a multiple of the tick",
        ),
        (
            format!("{BID} --twap 1h"),
            "twap: 3600s needs --every, the time between slices",
        ),
        (
            "linked --account 1 --kind oco --order \"--side buy\" --leg \"--side sell\"".to_owned(),
            "--market <MARKET>",
        ),
        (
            "status --account 1 BTC-PERP open".to_owned(),
            "NOT_PRICE_AUTHORITY",
        ),
        ("status --account 0 BTC-PERP shut".to_owned(), "'shut'"),
        ("margin-mode --account 1 cross".to_owned(), "'cross'"),
        (
            "surface --account 0 no-such-file.json".to_owned(),
            "'no-such-file.json' for '<FILE>'",
        ),
        (
            "protect --account 1 --group BTC --vega 0.0000001".to_owned(),
            "vega: 0.0000001 is negative, too large, or has more than 6 decimals",
        ),
        ("cancel-after --account 1 5ms".to_owned(), "BAD_TIMEOUT"),
    ]
}

fn refusals_name_the_field_or_the_code(running: Running) {
    let user = User::new(running);
    for (words, reason) in [
        (
            BID.replace("0.5", "0.50005"),
            "size: 0.50005 is not a multiple of the lot of BTC-PERP",
        ),
        (
            BID.replace("99000", "99000.05"),
            "price: 99000.05 is not a multiple of the tick",
        ),
        (
            BID.replace("BTC-PERP", "X"),
            "market: \"X\" is none of BTC/USDC, BTC-PERP",
        ),
        (
            BID.replace("--account 1", "--account 99"),
            "account: 99 is not below 8",
        ),
        (BID.replace("--price 99000", ""), "price: is missing"),
        (
            BID.replace("--price 99000", "--type market --slippage 1"),
            "no asks in BTC-PERP",
        ),
        (
            "transfer --account 1 --asset X --amount 1 --to-sub 1".to_owned(),
            "asset: \"X\"",
        ),
        (
            "prices --account 1 BTC-PERP=1000".to_owned(),
            "NOT_PRICE_AUTHORITY",
        ),
        ("cancel --account 1".to_owned(), "cancel: name one of"),
        (
            "amend --account 1 --order 77 --price 1".to_owned(),
            "UNKNOWN_ORDER",
        ),
        ("raw 05".to_owned(), "UNDECODABLE"),
    ]
    .into_iter()
    .chain(newer_refusals())
    {
        let output = user.run("tx", &words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && stderr.contains(reason),
            "tx {words}: {stderr}"
        );
    }
    user.stop();
}

#[tokio::main]
async fn blocks_come_while_nobody_trades(running: Running) {
    let api = api(&running.network.nodes[0]);
    let first = wait_for(&api, &["v1", "chain"], |chain| {
        chain["height"].as_u64() > Some(0)
    })
    .await;
    let later = first["height"].as_u64().map(|height| height + 5);
    wait_for(&api, &["v1", "chain"], |chain| {
        chain["height"].as_u64() >= later
    })
    .await;
    running.stop(Signal::TERM);
}
