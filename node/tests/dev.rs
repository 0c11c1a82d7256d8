//! `ballast dev`, `tx` and `query` as a user runs them.

mod common;

use ballast_types::{Action, Cancel, MarketId, Side};
use common::ws::{Book, Ws, queried};
use common::{
    Process, api, assert_ports_free, execute, free_base, limit, run, stdout_of, wait_for,
};
use rustix::process::Signal;
use serde_json::{Value, json};

const PERP: u32 = 1;
const BTC_PERP: &str = "BTC-PERP";

fn dev(base: u16) -> (Process, ballast::network::Network) {
    Process::network(&["dev", "--base-port", &base.to_string()])
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_reach_the_book_by_http_and_websocket() {
    let base = free_base(1);
    let (process, network) = dev(base);
    let node = &network.nodes[0];
    assert_eq!((node.rpc.as_str(), network.nodes.len()), ("", 1));
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
    let placed = execute(&api, &network, 1, bids).await;
    assert_eq!(placed["code"], 0, "{placed}");
    let taken = execute(
        &api,
        &network,
        5,
        vec![limit(PERP, Side::Sell, 990_000, 15)],
    )
    .await;
    assert_eq!(
        (&taken["actions"][0]["code"], &taken["actions"][0]["filled"]),
        (&json!(0), &json!(10))
    );
    let cancel = Action::Cancel(Cancel::Market(MarketId(PERP)));
    let cancelled = execute(&api, &network, 1, vec![cancel]).await;
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
    let status = process.stop(Signal::INT);
    assert!(status.success(), "{status}");
    assert_ports_free(base, 1);
}

#[test]
fn a_user_trades_from_the_command_line() {
    let (process, network) = dev(free_base(1));
    let directory = tempfile::tempdir().expect("a directory");
    let keys = directory.path().join("dev.json");
    std::fs::write(&keys, network.to_line()).expect("writes");
    let keys = keys.to_str().expect("UTF-8");
    let tx = |words: &str| {
        let args: Vec<&str> = ["tx"]
            .into_iter()
            .chain(words.split_whitespace())
            .chain(["--keys", keys])
            .collect();
        run(&args)
    };
    let ok = |words: &str| {
        let output = tx(words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tx {words}: {stderr}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let query = |words: &str| {
        let args: Vec<&str> = ["query"]
            .into_iter()
            .chain(words.split_whitespace())
            .chain(["--keys", keys, "--json"])
            .collect();
        serde_json::from_str::<Value>(&stdout_of(&args)).expect("JSON")
    };

    let bid = "order --account 1 --market BTC-PERP --side buy --size 0.5 --price 99000";
    let answer: Value = serde_json::from_str(&ok(&format!("{bid} --json"))).expect("JSON");
    let order = answer["result"]["actions"][0]["order"]
        .as_str()
        .expect("an order")
        .to_owned();
    assert_eq!(query("book BTC-PERP")["bids"][0]["size_decimal"], "0.5000");

    ok(&format!(
        "amend --account 1 --order {order} --price 99500.5"
    ));
    let moved = query("book BTC-PERP");
    assert_eq!(moved["bids"][0]["price_decimal"], "99500.5");
    // secp256k1, at market.
    ok("order --account 4 --market BTC-PERP --side sell --size 0.2 --type market --slippage 1");
    assert_eq!(
        query("trades BTC-PERP")["trades"][0]["size_decimal"],
        "0.2000"
    );
    ok("cancel --account 1 --all");
    assert_eq!(query("book BTC-PERP")["bids"], json!([]));
    ok("transfer --account 1 --asset USDC --amount 12.5 --to-sub 1");
    let address = &network.accounts[1].address;
    assert_eq!(
        query(&format!("account {address}/1"))["equity_decimal"],
        "12.500000"
    );
    ok("prices --account 0 BTC-PERP=101000 ETH-PERP=4010");
    let agent = &network.accounts[2].address;
    ok(&format!(
        "agent --account 1 --address {agent} --valid-for 1d --markets BTC-PERP"
    ));
    ok(&format!(
        "{} --master {address}",
        bid.replace("--account 1", "--account 2")
    ));
    let batch = directory.path().join("batch.json");
    let actions = json!([
        {"action": "cancel", "market": "BTC-PERP"},
        {"action": "order", "market": "ETH/USDC", "side": "buy", "size": "1", "price": "3999.5",
         "type": "post-only", "client_id": "7", "tif": "5m"},
    ]);
    std::fs::write(&batch, actions.to_string()).expect("writes");
    ok(&format!("batch {} --account 1", batch.display()));
    assert_eq!(
        query("book ETH/USDC")["bids"][0]["price_decimal"],
        "3999.50"
    );
    assert_eq!(query("markets")["markets"][1]["mark_decimal"], "101000.0");
    let shown = stdout_of(&["query", "account", address, "--keys", keys]);
    assert!(
        shown.contains("ETH/USDC") && shown.contains("balances"),
        "{shown}"
    );
    for words in ["chain", "block latest", "master ", "market 0"] {
        query(&words.replace("master ", &format!("master {address}")));
    }

    for (words, reason) in [
        (
            bid.replace("0.5", "0.50005"),
            "size: 0.50005 is not a multiple of the lot of BTC-PERP",
        ),
        (
            bid.replace("99000", "99000.05"),
            "price: 99000.05 is not a multiple of the tick",
        ),
        (
            bid.replace("BTC-PERP", "X"),
            "market: \"X\" is none of BTC/USDC, BTC-PERP",
        ),
        (
            bid.replace("--account 1", "--account 99"),
            "account: 99 is not below 8",
        ),
        (bid.replace("--price 99000", ""), "price: is missing"),
        (
            "prices --account 1 BTC-PERP=1000".to_owned(),
            "NOT_PRICE_AUTHORITY",
        ),
        ("cancel --account 1".to_owned(), "cancel: name one of"),
        ("raw 05".to_owned(), "UNDECODABLE"),
    ] {
        let output = tx(&words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && stderr.contains(reason),
            "tx {words}: {stderr}"
        );
    }
    assert!(process.stop(Signal::TERM).success());
}

#[tokio::test]
async fn blocks_come_while_nobody_trades() {
    let (process, network) = dev(free_base(1));
    let api = api(&network.nodes[0]);
    let first = wait_for(&api, &["v1", "chain"], |chain| {
        chain["height"].as_u64() > Some(0)
    })
    .await;
    let later = first["height"].as_u64().map(|height| height + 5);
    wait_for(&api, &["v1", "chain"], |chain| {
        chain["height"].as_u64() >= later
    })
    .await;
    process.stop(Signal::TERM);
}
