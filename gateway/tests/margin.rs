//! Margin over HTTP, of a real state: explained, after orders that are not sent, distances, proposals.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use ballast_app::{Block, State};
use ballast_gateway::{Committed, Gateway};
use ballast_types::{Account, Secret};
use common::client::{get, post, reach};
use common::{USDC, spec, start};
use serde_json::{Value, json};
use std::sync::Arc;

fn owner() -> Account {
    Account::new(Secret::ed25519([7; 32]).id(), 0)
}

/// A chain of one block, on which the owner has 12 USDC and a perpetual costs 100.
async fn world() -> Gateway {
    let mut spec = (*spec()).clone();
    spec.balances = vec![(owner(), USDC, 12_000_000)];
    let mut state = State::genesis(Arc::new(spec)).unwrap();
    let block = Block {
        height: 1,
        time: 2_000,
        txs: &[],
    };
    let candidate = state.execute(&block, &|_| false);
    let events = candidate.events.clone();
    state.commit(candidate);
    let gateway = start().await;
    gateway.publish(Arc::new(Committed {
        events,
        view: state.committed(),
    }));
    reach(&gateway, 1).await;
    gateway
}

async fn ask(gateway: &Gateway, path: &str, body: Value) -> (u16, Value) {
    let body = body.to_string().into_bytes();
    post(gateway, path, "application/json", body).await
}

fn path(what: &str) -> String {
    format!("/v1/accounts/{}/{what}", owner().master)
}

#[tokio::test]
async fn margin_is_explained_before_and_after_orders() {
    let gateway = world().await;
    for path in [path("margin"), path("0/margin")] {
        let (status, now) = get(&gateway, &path).await;
        assert_eq!(status, 200, "{now}");
        assert_eq!(now["height"], 1);
        assert_eq!(now["margin_mode"], "standard");
        assert_eq!(now["margin_asset"], "USDC");
        assert_eq!(now["total"]["equity"], "12.000000");
        assert_eq!(now["groups"], json!([]));
    }
    let mut order = json!({"market": "BTC-PERP", "side": "buy", "size": "0.5", "price": "100",
        "filled": true});
    let bought = json!({"orders": [order]});
    let (status, then) = ask(&gateway, &path("what_if"), bought).await;
    assert_eq!(status, 200, "{then}");
    let total = json!({"equity": "11.997500", "initial_margin": "2.500000",
        "maintenance_margin": "1.250000", "held_margin": "1.250000"});
    assert_eq!(then["total"], total);
    assert_eq!(then["missing"], "0.000000");
    let market = &then["groups"][0]["markets"][0];
    assert_eq!(market["market"], "BTC-PERP");
    assert_eq!(market["position"], "0.500");
    assert_eq!(market["mark"], "100.0");
    // Not without a key of the account.
    assert_eq!(market["bids"], Value::Null);

    let portfolio = json!({"orders": [order], "margin_mode": "portfolio"});
    let (_, then) = ask(&gateway, &path("what_if"), portfolio).await;
    let group = &then["groups"][0];
    let held = &group["portfolio"]["held"];
    // 16 % of 50 and a roll charge of 0.5 %; 0.2 % outside of the factors.
    assert_eq!(
        (&held["scan"], &held["roll"]),
        (&json!("8"), &json!("0.25"))
    );
    assert_eq!(held["initial"], "8.35");
    assert_eq!(then["total"]["initial_margin"], "8.350000");
    let marks = &group["portfolio"]["marks"];
    assert_eq!(
        (&marks["index"], &marks["age_ms"]),
        (&json!("100"), &json!(0))
    );
    let rows = group["portfolio"]["scenarios"].as_array().unwrap();
    let worst = held["worst_scenario"].as_u64().unwrap();
    let worst = &rows[usize::try_from(worst).unwrap()];
    assert_eq!(worst["result"], "-8");

    // An open bid needs what its fill would.
    order["filled"] = json!(false);
    let (_, then) = ask(&gateway, &path("what_if"), json!({"orders": [order]})).await;
    assert_eq!(then["total"]["equity"], "12.000000");
    assert_eq!(then["total"]["initial_margin"], "2.502500");
    assert_eq!(then["total"]["held_margin"], "0.000000");
    gateway.stop().await;
}

#[tokio::test]
async fn distances_and_proposals_are_answered() {
    let gateway = world().await;
    let (status, answer) = get(&gateway, &path("liquidation")).await;
    assert_eq!((status, &answer["groups"]), (200, &json!([])));
    for margin in [json!("okx"), json!({"scenarios": [{"spot": "0.1"}]})] {
        let body = json!({"group": "BTC", "margin": margin});
        let (status, answer) = ask(&gateway, "/v1/margin/proposed", body).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["accounts"], json!([]));
        assert_eq!(
            (&answer["looked_at"], &answer["next"]),
            (&json!(1), &Value::Null)
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn refusals_name_the_field_and_its_value() {
    let gateway = world().await;
    let order = |field: &str, value: Value| {
        let mut order = json!({"market": "BTC-PERP", "side": "buy", "size": "1", "price": "100"});
        order[field] = value;
        json!({ "orders": [order] })
    };
    for (body, field, value) in [
        (order("side", json!("up")), "orders[0].side", "up"),
        (order("size", json!("0.0001")), "orders[0].size", "0.0001"),
        (order("price", json!("x")), "orders[0].price", "x"),
        (order("price", json!("0")), "orders[0].price", "0"),
        (order("market", json!("NO")), "market", "NO"),
        (order("tif", json!("ioc")), "orders[0].tif", "\"ioc\""),
        (json!({"orders": 5}), "orders", "5"),
        (json!({"margin_mode": "cross"}), "margin_mode", "cross"),
    ] {
        let (status, answer) = ask(&gateway, &path("what_if"), body).await;
        assert!(status == 400 || status == 404, "{answer}");
        let error = &answer["error"];
        assert_eq!(
            (&error["field"], &error["value"]),
            (&json!(field), &json!(value))
        );
    }
    for (body, field, value) in [
        (json!({"group": "DOGE", "margin": "okx"}), "group", "DOGE"),
        (json!({"group": "BTC"}), "margin", ""),
        (
            json!({"group": "BTC", "margin": "none"}),
            "margin",
            "\"none\"",
        ),
        (
            json!({"group": "BTC", "margin": "okx", "after": "me"}),
            "after",
            "me",
        ),
    ] {
        let (_, answer) = ask(&gateway, "/v1/margin/proposed", body).await;
        let error = &answer["error"];
        assert_eq!(
            (&error["field"], &error["value"]),
            (&json!(field), &json!(value))
        );
    }
    let nobody = Secret::ed25519([8; 32]).id();
    for what in ["margin", "liquidation"] {
        let (status, answer) = get(&gateway, &format!("/v1/accounts/{nobody}/{what}")).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (404, &json!("UNKNOWN_ACCOUNT"))
        );
    }
    gateway.stop().await;
}
