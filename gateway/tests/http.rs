//! Queries and order entry over HTTP, and the shape of every error.

#![allow(clippy::too_many_lines, clippy::unwrap_used)]

mod common;

use ballast_types::{Account, AccountId, ActionResult, Code, OrderId, Side, TxResult, tx_hash};
use base64::Engine;
use common::client::{Ws, eventually, get, post, reach};
use common::{PERP, World, ask, fill, start};
use serde_json::{Value, json};

const OCTETS: &str = "application/octet-stream";
const JSON: &str = "application/json";

fn result(tx: &[u8], code: Code) -> TxResult {
    let action = ActionResult {
        code: Code::FillLimit,
        order: Some(OrderId(1 << 60)),
        filled: 3,
        missing: None,
        parts: vec![],
    };
    TxResult {
        hash: tx_hash(tx),
        code,
        actions: vec![action],
    }
}

#[tokio::test]
async fn queries_answer_from_the_last_sixteen_heights() {
    let gateway = start().await;
    let (status, answer) = get(&gateway, "/v1/chain").await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (503, &json!("NOT_READY"))
    );
    let mut world = World::new();
    let account = Account::new(AccountId([3; 20]), 2);
    let order = ask(account);
    world.open_account(account);
    world
        .state
        .accounts
        .get_mut(&account)
        .unwrap()
        .orders
        .push(order.clone());
    world.state.orders.insert(order.id, order);
    world
        .state
        .agents
        .insert(account.master, vec![(AccountId([4; 20]), 99)]);
    for height in 1_i64..=20 {
        let levels = vec![
            (Side::Buy, 900 + height, height),
            (Side::Sell, 1_100 - height, 1),
        ];
        let events = vec![fill(height.unsigned_abs(), account, account)];
        gateway.publish(world.block(vec![], events, &[(PERP, levels)]));
    }
    reach(&gateway, 20).await;

    let address = account.master;
    for (path, pointer, value) in [
        ("/health".to_owned(), "/status", json!("ok")),
        ("/v1/chain".to_owned(), "/chain_id", json!("gateway-test")),
        ("/v1/chain?height=5".to_owned(), "/height", json!(5)),
        (
            "/v1/chain".to_owned(),
            "/fee_pool_decimal",
            json!("1.234567"),
        ),
        ("/v1/assets".to_owned(), "/assets/1/decimals", json!(8)),
        ("/v1/markets".to_owned(), "/markets/1/base", json!("BTC")),
        ("/v1/markets/1".to_owned(), "/market", json!("BTC-USDC")),
        (
            "/v1/markets/BTC-PERP".to_owned(),
            "/open_interest_decimal",
            json!("0.042"),
        ),
        (
            "/v1/book/BTC-PERP?depth=2".to_owned(),
            "/bids/1/price",
            json!(919),
        ),
        (
            "/v1/book/BTC-PERP?depth=2".to_owned(),
            "/bids/2",
            json!(null),
        ),
        (
            "/v1/book/0?height=7".to_owned(),
            "/asks/0/price_decimal",
            json!("109.3"),
        ),
        (
            "/v1/bbo/BTC-PERP".to_owned(),
            "/bid/size_decimal",
            json!("0.020"),
        ),
        ("/v1/bbo/BTC-USDC".to_owned(), "/bid", json!(null)),
        (
            "/v1/trades/BTC-PERP?limit=1".to_owned(),
            "/trades/0/trade",
            json!(20),
        ),
        (
            format!("/v1/accounts/{address}/2"),
            "/orders/0/order",
            json!("1125899906842624"),
        ),
        (
            format!("/v1/accounts/{address}?sub=2"),
            "/positions/0/cost",
            json!("-300000"),
        ),
        (
            format!("/v1/accounts/{address}?sub=2&height=6"),
            "/height",
            json!(6),
        ),
        (
            format!("/v1/masters/{address}"),
            "/agents/0/expiry",
            json!(99),
        ),
        (
            format!("/v1/orders/{}", 1_u64 << 50),
            "/remaining_decimal",
            json!("0.050"),
        ),
        (
            format!("/v1/orders/{}", 1_u64 << 50),
            "/client_id",
            json!((1_u128 << 100).to_string()),
        ),
        (
            "/v1/blocks/latest".to_owned(),
            "/events/0/maker_account",
            json!(account.to_string()),
        ),
        (
            "/v1/blocks/5".to_owned(),
            "/events/1/levels/0",
            json!(["buy", 905, 5]),
        ),
    ] {
        let (status, answer) = get(&gateway, &path).await;
        assert_eq!(status, 200, "{path}: {answer}");
        assert_eq!(
            answer.pointer(pointer).unwrap_or(&Value::Null),
            &value,
            "{path}: {answer}"
        );
    }
    for path in [
        "/v1/book/0?height=4",
        "/v1/blocks/4",
        "/v1/markets?height=21",
        "/v1/blocks/21",
    ] {
        let (status, answer) = get(&gateway, path).await;
        let error = &answer["error"];
        assert_eq!(
            (status, &error["code"]),
            (410, &json!("HEIGHT_GONE")),
            "{path}"
        );
        assert_eq!(error["message"], "heights from 5 to 20 are served");
    }
}

#[tokio::test]
async fn bad_requests_are_told_which_field_and_which_value() {
    let gateway = start().await;
    let mut world = World::new();
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    let nobody = AccountId([9; 20]);
    let hash = "0".repeat(64);
    for (path, status, code, field, value) in [
        ("/", 404, "NOT_FOUND", "path", "/"),
        ("/info", 404, "NOT_FOUND", "path", "/info"),
        ("/exchange", 404, "NOT_FOUND", "path", "/exchange"),
        ("/ws", 404, "NOT_FOUND", "path", "/ws"),
        ("/v1/txs", 405, "METHOD_NOT_ALLOWED", "method", "GET"),
        ("/v1/ws", 400, "BAD_REQUEST", "request", "400"),
        ("/v1/orders/%ff", 400, "BAD_REQUEST", "request", "400"),
        ("/v1/book/3", 404, "UNKNOWN_MARKET", "market", "3"),
        (
            "/v1/book/DOGE?depth=x",
            404,
            "UNKNOWN_MARKET",
            "market",
            "DOGE",
        ),
        ("/v1/book/0?depth=-1", 400, "BAD_FIELD", "depth", "-1"),
        ("/v1/book/0?depth=10001", 400, "BAD_FIELD", "depth", "10001"),
        ("/v1/book/0?dept=1", 400, "UNKNOWN_FIELD", "dept", "1"),
        ("/v1/book/0?height=new", 400, "BAD_FIELD", "height", "new"),
        ("/v1/trades/0?limit=1001", 400, "BAD_FIELD", "limit", "1001"),
        ("/v1/accounts/me", 400, "BAD_FIELD", "address", "me"),
        ("/v1/accounts/me/65536", 400, "BAD_FIELD", "address", "me"),
        (
            &format!("/v1/accounts/{nobody}/65536"),
            400,
            "BAD_FIELD",
            "sub",
            "65536",
        ),
        (
            &format!("/v1/accounts/{nobody}?sub=65536"),
            400,
            "BAD_FIELD",
            "sub",
            "65536",
        ),
        (
            &format!("/v1/accounts/{nobody}"),
            404,
            "UNKNOWN_ACCOUNT",
            "account",
            &nobody.to_string(),
        ),
        (
            &format!("/v1/masters/{nobody}"),
            404,
            "UNKNOWN_ACCOUNT",
            "account",
            &nobody.to_string(),
        ),
        ("/v1/orders/-1", 400, "BAD_FIELD", "order", "-1"),
        ("/v1/orders/7", 404, "UNKNOWN_ORDER", "order", "7"),
        ("/v1/blocks/last", 400, "BAD_FIELD", "height", "last"),
        ("/v1/txs/abc", 400, "BAD_FIELD", "hash", "abc"),
        (&format!("/v1/txs/{hash}"), 404, "UNKNOWN_TX", "hash", &hash),
        (
            &format!("/v1/txs/{hash}?wait_ms=1"),
            404,
            "UNKNOWN_TX",
            "hash",
            &hash,
        ),
        (
            &format!("/v1/txs/{hash}?wait_ms=60001"),
            400,
            "BAD_FIELD",
            "wait_ms",
            "60001",
        ),
    ] {
        let (got, answer) = get(&gateway, path).await;
        let error = &answer["error"];
        let expected = json!({
            "code": code, "field": field, "value": value, "message": error["message"],
        });
        assert_eq!((got, error), (status, &expected), "{path}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{path}"
        );
    }
    for (path, kind, body, status, code, field) in [
        (
            "/v1/txs",
            "text/plain",
            b"x".to_vec(),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "content-type",
        ),
        ("/v1/txs", JSON, b"[]".to_vec(), 400, "BAD_FIELD", "body"),
        ("/v1/txs", JSON, b"{}".to_vec(), 400, "MISSING_FIELD", "tx"),
        (
            "/v1/txs",
            JSON,
            b"{\"tx\":1}".to_vec(),
            400,
            "BAD_FIELD",
            "tx",
        ),
        (
            "/v1/txs",
            JSON,
            b"{\"tx\":\"??\"}".to_vec(),
            400,
            "BAD_FIELD",
            "tx",
        ),
        (
            "/v1/txs",
            JSON,
            b"{\"tx\":\"00\",\"x\":1}".to_vec(),
            400,
            "UNKNOWN_FIELD",
            "x",
        ),
        (
            "/v1/txs?wait=yes",
            OCTETS,
            b"x".to_vec(),
            400,
            "BAD_FIELD",
            "wait",
        ),
        (
            "/v1/txs?timeout_ms=60001",
            OCTETS,
            b"x".to_vec(),
            400,
            "BAD_FIELD",
            "timeout_ms",
        ),
        (
            "/v1/txs",
            OCTETS,
            vec![0; (256 << 10) + 1],
            413,
            "BAD_BODY",
            "body",
        ),
        ("/v1/txs", OCTETS, b"bad".to_vec(), 400, "UNDECODABLE", "tx"),
        ("/v1/txs", OCTETS, b"full".to_vec(), 503, "FULL", "tx"),
        (
            "/v1/chain",
            OCTETS,
            vec![],
            405,
            "METHOD_NOT_ALLOWED",
            "method",
        ),
    ] {
        let (got, answer) = post(&gateway, path, kind, body).await;
        let error = &answer["error"];
        assert_eq!(
            (got, &error["code"], &error["field"]),
            (status, &json!(code), &json!(field)),
            "{path}: {answer}"
        );
    }
}

#[tokio::test]
async fn bad_messages_are_told_which_field_and_which_value() {
    let gateway = start().await;
    let mut ws = Ws::connect(gateway.ws_addr()).await;
    let early = ws
        .call(json!({"op": "subscribe", "channel": "blocks"}))
        .await;
    assert_eq!(early["error"]["code"], "NOT_READY");
    let me = AccountId([9; 20]).to_string();
    for (message, code, field, value) in [
        (json!([1]), "BAD_FIELD", "message", "[1]"),
        (json!({}), "MISSING_FIELD", "op", ""),
        (json!({"op": 1}), "BAD_FIELD", "op", "1"),
        (json!({"op": "buy"}), "BAD_FIELD", "op", "buy"),
        (json!({"op": "ping", "x": 5}), "UNKNOWN_FIELD", "x", "5"),
        (json!({"op": "subscribe"}), "MISSING_FIELD", "channel", ""),
        (
            json!({"op": "subscribe", "channel": "depth"}),
            "BAD_FIELD",
            "channel",
            "depth",
        ),
        (
            json!({"op": "subscribe", "channel": "book"}),
            "MISSING_FIELD",
            "market",
            "",
        ),
        (
            json!({"op": "unsubscribe", "channel": "book", "market": "X"}),
            "UNKNOWN_MARKET",
            "market",
            "X",
        ),
        (
            json!({"op": "subscribe", "channel": "blocks", "hashes": 1}),
            "BAD_FIELD",
            "hashes",
            "1",
        ),
        (
            json!({"op": "subscribe", "channel": "account", "account": "me"}),
            "BAD_FIELD",
            "account",
            "me",
        ),
        (json!({"op": "submit", "tx": ""}), "BAD_FIELD", "tx", ""),
        (
            json!({"op": "submit", "tx": hex::encode("full")}),
            "FULL",
            "tx",
            "32000",
        ),
        (
            json!({"op": "auth", "account": me, "key_type": "rsa", "key": "00"}),
            "BAD_FIELD",
            "key_type",
            "rsa",
        ),
        (
            json!({"op": "auth", "account": me, "key_type": "ed25519", "key": "00"}),
            "BAD_FIELD",
            "key",
            "00",
        ),
    ] {
        let answer = ws.call(message.clone()).await;
        let error = &answer["error"];
        assert_eq!(answer["type"], "error", "{message}: {answer}");
        assert_eq!(
            (&error["code"], &error["field"], &error["value"]),
            (&json!(code), &json!(field), &json!(value)),
            "{message}: {answer}"
        );
    }
    let answer = ws
        .call(json!({"op": "submit", "tx": "0x0102", "id": {"n": 1}}))
        .await;
    let hash = hex::encode(tx_hash(&[1, 2]));
    assert_eq!(
        answer,
        json!({"type": "submitted", "hash": hash, "id": {"n": 1}})
    );
}

#[tokio::test]
async fn a_transaction_is_taken_in_every_form_and_its_result_awaited() {
    let gateway = start().await;
    let mut world = World::new();
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    let tx = b"\x01 a transaction \xff";
    let hash = hex::encode(tx_hash(tx));
    let base64 = base64::engine::general_purpose::STANDARD.encode(tx);
    for (kind, body) in [
        (OCTETS, tx.to_vec()),
        (
            JSON,
            json!({"tx": hex::encode(tx)}).to_string().into_bytes(),
        ),
        (JSON, json!({"tx": base64}).to_string().into_bytes()),
    ] {
        let answer = post(&gateway, "/v1/txs", kind, body).await;
        assert_eq!(answer, (202, json!({"hash": hash})));
    }
    let path = "/v1/txs?wait=true&timeout_ms=1";
    assert_eq!(
        post(&gateway, path, OCTETS, tx.to_vec()).await,
        (202, json!({"hash": hash}))
    );

    let wait_path = format!("/v1/txs/{hash}?wait_ms=20000");
    let publish = async {
        eventually(async || gateway.stats().accepted == 5).await;
        gateway.publish(world.block(vec![result(tx, Code::Ok)], vec![], &[]));
    };
    let (posted, waited, ()) = tokio::join!(
        post(
            &gateway,
            "/v1/txs?wait=true&timeout_ms=20000",
            OCTETS,
            tx.to_vec()
        ),
        get(&gateway, &wait_path),
        publish,
    );
    let expected = json!({
        "hash": hash, "height": 2, "time": 1_200, "code": 0, "name": "OK",
        "actions": [{
            "code": 212, "name": "FILL_LIMIT", "order": (1_u64 << 60).to_string(), "filled": 3,
        }],
    });
    assert_eq!(waited, (200, expected.clone()));
    assert_eq!(posted, (200, json!({"hash": hash, "result": expected})));
    assert_eq!(
        get(&gateway, &format!("/v1/txs/0x{hash}")).await.1,
        expected
    );
    assert_eq!(gateway.stats().refused, 0);
}
