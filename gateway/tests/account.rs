//! The account channel: who may see it, and what it sends.

#![allow(clippy::too_many_lines, clippy::unwrap_used)]

mod common;

use ballast_gateway::{Gateway, ws_sign_hash};
use ballast_types::{Account, AccountId, Event, OrderId, Removal, Secret, Side, chain_hash};
use common::client::{Ws, reach};
use common::keys::{auth, challenge, log_in, watch};
use common::{PERP, USDC, World, fill, start};
use serde_json::{Value, json};

struct Setting {
    gateway: Gateway,
    world: World,
    owner: Secret,
    agent: Secret,
    account: Account,
}

/// An account whose agent counts until block time 1,250.
async fn setting() -> Setting {
    let gateway = start().await;
    let mut world = World::new();
    let owner = Secret::secp256k1([7; 32]).unwrap();
    let agent = Secret::ed25519([8; 32]);
    let account = Account::new(owner.id(), 0);
    world.open_account(account);
    world.open_account(Account::new(owner.id(), 5));
    world
        .state
        .agents
        .insert(owner.id(), vec![(agent.id(), 1_250)]);
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    Setting {
        gateway,
        world,
        owner,
        agent,
        account,
    }
}

#[tokio::test]
async fn only_the_owner_and_live_agents_get_in() {
    let Setting {
        gateway,
        mut world,
        owner,
        agent,
        account,
    } = setting().await;
    let stranger = Secret::ed25519([9; 32]);
    let mut ws = Ws::connect(gateway.ws_addr()).await;
    assert_eq!(
        watch(&mut ws, account).await["error"]["code"],
        "NOT_AUTHENTICATED"
    );

    let code = |answer: Value| {
        answer["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        code(log_in(&mut ws, account, &stranger).await),
        "KEY_NOT_ALLOWED"
    );
    let missing = ws.call(auth(account, &owner, &[0; 32])).await;
    assert_eq!(code(missing), "NO_CHALLENGE");
    let other_chain = ws_sign_hash(&chain_hash("other"), &challenge(&mut ws).await);
    assert_eq!(
        code(ws.call(auth(account, &owner, &other_chain)).await),
        "BAD_SIGNATURE"
    );
    assert_eq!(
        watch(&mut ws, account).await["error"]["code"],
        "NOT_AUTHENTICATED"
    );

    let expected = json!({"type": "authenticated", "account": account.to_string()});
    for secret in [&owner, &agent] {
        let mut ws = Ws::connect(gateway.ws_addr()).await;
        assert_eq!(log_in(&mut ws, account, secret).await, expected);
        // One proof serves every subaccount that exists.
        let sub = Account::new(account.master, 5);
        assert_eq!(watch(&mut ws, sub).await["type"], "subscribed");
        assert_eq!(ws.recv().await["account"], sub.to_string());
        let missing = watch(&mut ws, Account::new(account.master, 6)).await;
        assert_eq!(code(missing), "UNKNOWN_ACCOUNT");
        let foreign = watch(&mut ws, Account::new(AccountId([1; 20]), 0)).await;
        assert_eq!(code(foreign), "NOT_AUTHENTICATED");
    }
    // Block time 1,300: the agent's time is over.
    gateway.publish(world.block(vec![], vec![], &[]));
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 3).await;
    assert_eq!(
        code(log_in(&mut ws, account, &agent).await),
        "KEY_NOT_ALLOWED"
    );
    assert_eq!(log_in(&mut ws, account, &owner).await, expected);
}

#[tokio::test]
async fn a_watcher_sees_its_snapshot_and_then_only_what_is_its_own() {
    let Setting {
        gateway,
        mut world,
        owner,
        account,
        ..
    } = setting().await;
    let mut ws = Ws::connect(gateway.http_addr()).await;
    log_in(&mut ws, account, &owner).await;
    assert_eq!(watch(&mut ws, account).await["type"], "subscribed");
    let snapshot = ws.recv().await;
    assert_eq!(
        (&snapshot["seq"], &snapshot["height"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(snapshot["equity_decimal"], "13.500000");
    assert_eq!(snapshot["positions"][0]["size_decimal"], "-0.003");
    assert_eq!(snapshot["balances"][1]["reserved_decimal"], "0.00000002");

    let other = Account::new(AccountId([1; 20]), 0);
    let rested = |account| Event::Rested {
        market: PERP,
        order: OrderId(u64::MAX),
        account,
        side: Side::Sell,
        price: 1_010,
        size: 5,
        shown: 5,
        client_id: Some(u128::MAX),
    };
    // A block without events of the account sends nothing.
    gateway.publish(world.block(vec![], vec![rested(other)], &[]));
    let reduced = Event::Reduced {
        market: PERP,
        order: OrderId(3),
        account,
        size: 1,
        reason: Removal::ReduceOnly,
    };
    let removed = Event::Removed {
        market: PERP,
        order: OrderId(4),
        account,
        size: 7,
        reason: Removal::FillLimit,
        client_id: None,
    };
    let position = Event::Position {
        account,
        market: PERP,
        size: -5,
        cost: -500_000,
    };
    let balance = Event::Balance {
        account,
        asset: USDC,
        balance: -1,
    };
    let events = vec![
        rested(account),
        fill(1, account, other),
        reduced,
        removed,
        balance,
        position,
    ];
    gateway.publish(world.block(vec![], events, &[]));
    let update = ws.recv().await;
    assert_eq!(
        (
            &update["type"],
            &update["seq"],
            &update["height"],
            &update["time"]
        ),
        (&json!("update"), &json!(1), &json!(3), &json!(1_300))
    );
    let kinds: Vec<_> = update["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["type"])
        .collect();
    assert_eq!(kinds, ["rested", "fill", "reduced", "removed"]);
    assert_eq!(update["events"][0]["order"], u64::MAX.to_string());
    assert_eq!(update["events"][0]["client_id"], u128::MAX.to_string());
    let expected = json!({
        "type": "fill", "market": "BTC-PERP", "trade": 1, "order": "10", "role": "maker",
        "side": "sell", "price": 1_001, "price_decimal": "100.1", "size": 2,
        "size_decimal": "0.002", "fee": "-3", "fee_decimal": "-0.000003",
    });
    assert_eq!(update["events"][1], expected);
    assert_eq!(update["events"][2]["reason"], "REDUCE_ONLY");
    assert_eq!(update["events"][3]["reason"], "FILL_LIMIT");
    assert_eq!(update["balances"][0]["balance_decimal"], "-0.000001");
    assert_eq!(update["positions"][0]["cost"], "-500000");
}

#[tokio::test]
async fn an_agent_stops_seeing_the_account_when_it_is_removed_or_its_time_is_over() {
    let Setting {
        gateway,
        mut world,
        owner,
        agent,
        account,
    } = setting().await;
    let (mut removed, mut expired) = (
        Ws::connect(gateway.ws_addr()).await,
        Ws::connect(gateway.ws_addr()).await,
    );
    let second = Secret::ed25519([10; 32]);
    world
        .state
        .agents
        .get_mut(&owner.id())
        .unwrap()
        .push((second.id(), 9_999));
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 2).await;
    for (ws, secret) in [(&mut removed, &second), (&mut expired, &agent)] {
        log_in(ws, account, secret).await;
        assert_eq!(watch(ws, account).await["type"], "subscribed");
        assert_eq!(ws.recv().await["type"], "snapshot");
    }
    // Time 1,300: one agent has expired, the other is removed in this block.
    let agent = Event::Agent {
        account,
        key: second.id(),
        expiry: 0,
    };
    gateway.publish(world.block(vec![], vec![agent], &[]));
    for ws in [&mut removed, &mut expired] {
        let message = ws.recv().await;
        assert_eq!(message["type"], "unsubscribed");
        assert_eq!(message["error"]["code"], "NOT_AUTHENTICATED");
        // Nothing more comes, and it counts as unsubscribed.
        gateway.publish(world.block(vec![], vec![fill(1, account, account)], &[]));
        let request =
            json!({"op": "unsubscribe", "channel": "account", "account": account.to_string()});
        assert_eq!(ws.call(request).await["error"]["code"], "NOT_SUBSCRIBED");
    }
}

#[tokio::test]
async fn nothing_is_missed_between_the_snapshot_and_the_first_update() {
    let Setting {
        gateway,
        mut world,
        owner,
        account,
        ..
    } = setting().await;
    let mut ws = Ws::connect(gateway.ws_addr()).await;
    log_in(&mut ws, account, &owner).await;
    let subscription =
        |op: &str| json!({"op": op, "channel": "account", "account": account.to_string()});
    for _ in 0..20 {
        ws.send(subscription("subscribe")).await;
        for _ in 0..8 {
            let balance = Event::Balance {
                account,
                asset: USDC,
                balance: 1,
            };
            gateway.publish(world.block(vec![], vec![balance], &[]));
            tokio::task::yield_now().await;
        }
        assert_eq!(ws.recv().await["type"], "subscribed");
        let snapshot = ws.recv().await;
        let (first, last) = (snapshot["height"].as_u64().unwrap(), world.state.height);
        assert_eq!(
            (&snapshot["type"], &snapshot["seq"]),
            (&json!("snapshot"), &json!(0))
        );
        for height in first + 1..=last {
            let update = ws.recv().await;
            assert_eq!(
                (&update["type"], &update["seq"], &update["height"]),
                (&json!("update"), &json!(height - first), &json!(height))
            );
        }
        assert_eq!(
            ws.call(subscription("unsubscribe")).await["type"],
            "unsubscribed"
        );
    }
}
