//! What the book does not show: who sees it, and where it is left out. And the market channel.

#![allow(clippy::too_many_lines, clippy::unwrap_used)]

mod common;

use ballast_app::view::{OrderView, WaitingView};
use ballast_gateway::Gateway;
use ballast_types::{
    Account, AccountId, Condition, Distance, Event, MarketStatus, OrderId, PostOnly, PriceSource,
    Removal, Secret, SelfTrade, SelfTradeScope, Side, TimeInForce, Trigger,
};
use common::client::{Ws, get, reach};
use common::keys::{ask_as, proof};
use common::{EXPIRY, FUTURE, PERP, World, ask, fill, start};
use serde_json::{Value, json};

const ICEBERG: OrderId = OrderId(1);
const STOP: OrderId = OrderId(2);

fn iceberg(account: Account) -> OrderView {
    OrderView {
        id: ICEBERG,
        remaining: 500,
        display: Some(20),
        shown: 15,
        tif: TimeInForce::Gtb(9),
        post_only: PostOnly::Slide,
        self_trade: SelfTrade::Decrement,
        self_trade_scope: SelfTradeScope::Master,
        ..ask(account)
    }
}

fn stop(account: Account) -> OrderView {
    let condition = Condition::Trail {
        distance: Distance::Ppm(20_000),
        activation: 1_300,
    };
    OrderView {
        id: STOP,
        shown: 0,
        tif: TimeInForce::Ioc,
        waiting: Some(WaitingView {
            trigger: Some(Trigger {
                source: PriceSource::Index,
                condition,
            }),
            twap: None,
            dormant: 0,
            due: true,
            extreme: Some(1_310),
            max_fills: 32,
        }),
        ..ask(account)
    }
}

/// A gateway at block time 1,100, and an account with an iceberg and a trailing stop.
async fn setting(owner: &Secret, agent: &Secret) -> (Gateway, World, Account) {
    let gateway = start().await;
    let mut world = World::new();
    let account = Account::new(owner.id(), 0);
    world.open_account(account);
    let state = &mut world.state;
    let orders = [iceberg(account), stop(account)];
    state.accounts.get_mut(&account).unwrap().orders = orders.to_vec();
    state.orders = orders.into_iter().map(|order| (order.id, order)).collect();
    state.agents.insert(owner.id(), vec![(agent.id(), 5_000)]);
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    (gateway, world, account)
}

#[tokio::test]
async fn hidden_lots_and_waiting_orders_are_for_those_who_prove_a_key() {
    let owner = Secret::secp256k1([7; 32]).unwrap();
    let agent = Secret::ed25519([8; 32]);
    let (gateway, _, account) = setting(&owner, &agent).await;
    let path = format!("/v1/accounts/{account}");
    let stranger = Secret::ed25519([9; 32]);

    let public = get(&gateway, &path).await.1;
    let as_stranger = ask_as(&gateway, &path, &proof(&stranger, 1_100)).await;
    assert_eq!(as_stranger, (200, public.clone()));
    assert_eq!(public["orders"].as_array().unwrap().len(), 1);
    let order = &public["orders"][0];
    let shown = ["remaining", "shown", "display", "state", "trigger"].map(|name| &order[name]);
    let null = &Value::Null;
    assert_eq!(
        shown,
        [&json!(15), &json!(15), null, &json!("resting"), null]
    );
    assert_eq!(get(&gateway, "/v1/orders/1").await.1["remaining"], 15);
    let (status, error) = get(&gateway, "/v1/orders/2").await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (404, &json!("UNKNOWN_ORDER"))
    );

    for secret in [&owner, &agent] {
        let (status, own) = ask_as(&gateway, &path, &proof(secret, 1_100)).await;
        assert_eq!(status, 200, "{own}");
        for (pointer, value) in [
            ("/orders/0/remaining_decimal", json!("0.500")),
            ("/orders/0/shown", json!(15)),
            ("/orders/0/display", json!(20)),
            ("/orders/0/time_in_force", json!("GTB")),
            ("/orders/0/expiry_height", json!(9)),
            ("/orders/0/post_only", json!("slide")),
            ("/orders/0/self_trade", json!("decrement")),
            ("/orders/0/self_trade_scope", json!("master")),
            ("/orders/1/state", json!("due")),
            ("/orders/1/time_in_force", json!("IOC")),
            ("/orders/1/extreme_decimal", json!("131.0")),
            ("/cancel_at", json!(0)),
        ] {
            assert_eq!(own.pointer(pointer), Some(&value), "{pointer}: {own}");
        }
        let trigger = json!({
            "source": "index", "condition": "trail", "distance_ppm": 20_000, "activation": 1_300,
            "activation_decimal": "130.0",
        });
        assert_eq!(own["orders"][1]["trigger"], trigger);
        let (status, order) = ask_as(&gateway, "/v1/orders/2", &proof(secret, 1_100)).await;
        assert_eq!((status, &order["remaining"]), (200, &json!(50)));
    }
}

#[tokio::test]
async fn proofs_that_do_not_hold_are_refused() {
    let owner = Secret::ed25519([7; 32]);
    let (gateway, _, account) = setting(&owner, &Secret::ed25519([8; 32])).await;
    let good = proof(&owner, 1_100);
    let words: Vec<_> = good.split(' ').collect();
    let later = proof(&owner, 1_101);
    let other_time = format!("{} 1101 {}", words[..3].join(" "), words[4]);
    let of_other_key = good.replace(words[2], &"11".repeat(32));
    for (header, status, code, field) in [
        ("Bearer x", 400, "BAD_FIELD", "authorization"),
        ("Ballast", 400, "BAD_FIELD", "key_type"),
        ("Ballast ed25519 00", 400, "BAD_FIELD", "key"),
        (&good.replace(" 1100 ", " x "), 400, "BAD_FIELD", "time"),
        (&other_time, 403, "BAD_SIGNATURE", "signature"),
        (&of_other_key, 403, "BAD_SIGNATURE", "signature"),
        (&proof(&owner, 31_101), 403, "STALE_PROOF", "time"),
    ] {
        let (answer, error) = ask_as(&gateway, &format!("/v1/accounts/{account}"), header).await;
        let error = &error["error"];
        let got = (answer, &error["code"], &error["field"]);
        assert_eq!(got, (status, &json!(code), &json!(field)), "{header}");
    }
    let answer = ask_as(&gateway, &format!("/v1/accounts/{account}"), &later).await;
    assert_eq!(answer.1["orders"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn blocks_tell_only_what_the_book_shows() {
    let owner = Secret::ed25519([7; 32]);
    let (gateway, mut world, account) = setting(&owner, &Secret::ed25519([8; 32])).await;
    let (market, order) = (PERP, ICEBERG);
    let condition = Condition::AtOrBelow(900);
    let trigger = Trigger {
        source: PriceSource::Mark,
        condition,
    };
    let events = vec![
        Event::Triggered {
            market,
            order: STOP,
            account,
        },
        Event::Waiting {
            market,
            order: OrderId(3),
            account,
            side: Side::Sell,
            price: 890,
            size: 9,
            dormant: 0,
            trigger: Some(trigger),
            twap: None,
            client_id: None,
        },
        Event::Rested {
            market,
            order,
            account,
            side: Side::Sell,
            price: 1_234,
            size: 500,
            shown: 20,
            client_id: None,
        },
        Event::Refreshed {
            market,
            order,
            account,
            shown: 20,
        },
        Event::Reduced {
            market,
            order,
            account,
            size: 400,
            reason: Removal::Amended,
        },
        // One that hides nothing, and is gone at the end of the block.
        Event::Rested {
            market,
            order: OrderId(5),
            account,
            side: Side::Sell,
            price: 1_235,
            size: 60,
            shown: 60,
            client_id: None,
        },
        Event::Reduced {
            market,
            order: OrderId(5),
            account,
            size: 50,
            reason: Removal::Amended,
        },
        Event::Removed {
            market,
            order: OrderId(4),
            account,
            size: 300,
            reason: Removal::DeadMan,
            client_id: None,
        },
    ];
    gateway.publish(world.block(vec![], events, &[]));
    reach(&gateway, 2).await;
    let (_, block) = get(&gateway, "/v1/blocks/2").await;
    let rows: Vec<_> = block["events"].as_array().unwrap().iter().collect();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row["type"].as_str().unwrap(), row["size"].as_i64()))
        .collect();
    let expected = [
        ("rested", Some(20)),
        ("reduced", None),
        ("rested", Some(60)),
        ("reduced", Some(50)),
        ("removed", None),
    ];
    assert_eq!(told, expected);
    assert_eq!(rows[4]["reason"], "DEAD_MAN");
    let text = block.to_string();
    for hidden in ["500", "400", "300", "890", "900"] {
        assert!(!text.contains(&format!(":{hidden},")), "{hidden} in {text}");
    }
}

#[tokio::test]
async fn prices_and_status_of_a_market_come_on_a_channel() {
    let gateway = start().await;
    let mut world = World::new();
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    let mut ws = Ws::connect(gateway.ws_addr()).await;
    ws.subscribe("market", "BTC-PERP").await;
    let snapshot = ws.recv().await;
    let told =
        |message: &Value| ["mark", "index", "last", "status"].map(|name| message[name].clone());
    let expected = [json!(1_000), json!(999), json!(0), json!("open")];
    assert_eq!(
        (&snapshot["type"], told(&snapshot)),
        (&json!("snapshot"), expected)
    );
    let market = PERP;
    let [maker, taker] = [1, 2].map(|id| Account::new(AccountId([id; 20]), 0));
    let same = Event::Mark {
        market,
        price: 1_000,
    };
    // Nothing is sent of a block that leaves everything as it was.
    gateway.publish(world.block(vec![], vec![same], &[]));
    let events = vec![
        Event::Status {
            market,
            status: MarketStatus::PostOnly,
        },
        Event::Index {
            market,
            price: 1_005,
        },
        fill(1, maker, taker),
        fill(2, maker, taker),
    ];
    gateway.publish(world.block(vec![], events, &[]));
    let update = ws.recv().await;
    let expected = [json!(1_000), json!(1_005), json!(1_002), json!("post-only")];
    assert_eq!((&update["height"], told(&update)), (&json!(3), expected));
    assert_eq!(update["index_decimal"], "100.5");
    assert_eq!(
        update["seq"].as_u64(),
        snapshot["seq"].as_u64().map(|seq| seq + 1)
    );
}

#[tokio::test]
async fn a_future_is_listed_with_its_expiry_and_is_settled_once() {
    let gateway = start().await;
    let mut world = World::new();
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    let (_, listed) = get(&gateway, "/v1/markets").await;
    let listed = ["kind", "expiry", "base", "lot_atoms"]
        .map(|name| [0, 1, 2].map(|at| listed["markets"][at][name].clone()));
    let expected = [
        [json!("perpetual"), json!("spot"), json!("future")],
        [json!(null), json!(null), json!(EXPIRY)],
        [json!(null), json!("BTC"), json!(null)],
        [json!(null), json!("10000"), json!(null)],
    ];
    assert_eq!(listed, expected);

    let mut ws = Ws::connect(gateway.ws_addr()).await;
    ws.subscribe("market", "BTC-DEC26").await;
    ws.recv().await;
    let settled = Event::Settled {
        market: FUTURE,
        price: 1_021,
    };
    gateway.publish(world.block(vec![], vec![settled], &[]));
    let update = ws.recv().await;
    let told = ["mark", "mark_decimal", "index", "last", "status"].map(|name| &update[name]);
    let expected = [
        &json!(1_021),
        &json!("510.5"),
        &json!(1_021),
        &json!(0),
        &json!("settled"),
    ];
    assert_eq!(told, expected);
    reach(&gateway, 2).await;
    let (_, block) = get(&gateway, "/v1/blocks/2").await;
    let row = json!({
        "type": "settled", "market": "BTC-DEC26", "price": 1_021, "price_decimal": "510.5",
    });
    assert_eq!(block["events"], json!([row]));
}
