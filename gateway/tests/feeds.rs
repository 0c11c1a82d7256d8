//! Market data over WebSocket: gap-free, consistent with queries, and fair to all clients.

#![allow(clippy::too_many_lines, clippy::unwrap_used)]

mod common;

use ballast_types::{Account, AccountId, ActionResult, Code, OrderId, PartResult, Side, TxResult};
use common::client::{ClientBook, Ws, eventually, get, reach};
use common::{PERP, SPOT, World, fill, start, start_with};
use futures_util::StreamExt;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn snapshot_and_deltas_are_the_book_of_the_query_at_every_height() {
    let gateway = start().await;
    let mut world = World::new();
    for _ in 0..10 {
        let levels = world.random_levels();
        gateway.publish(world.block(vec![], vec![], &[(PERP, levels)]));
    }
    reach(&gateway, 10).await;
    let mut ws = Ws::connect(gateway.ws_addr()).await;
    ws.subscribe("book", "BTC-PERP").await;
    let mut book = ClientBook::default();
    let snapshot = ws.recv().await;
    assert_eq!(
        (&snapshot["type"], &snapshot["height"]),
        (&json!("snapshot"), &json!(10))
    );
    assert_eq!(
        (&snapshot["tick"], &snapshot["lot"]),
        (&json!("0.1"), &json!("0.001"))
    );
    book.take(&snapshot);
    for height in 11..100 {
        let (perp, spot) = (world.random_levels(), world.random_levels());
        gateway.publish(world.block(vec![], vec![], &[(PERP, perp), (SPOT, spot)]));
        book.take(&ws.recv().await);
        assert_eq!(book.height, height);
        let path = format!("/v1/book/BTC-PERP?height={height}&depth=1000");
        let (status, answer) = get(&gateway, &path).await;
        assert_eq!((status, &answer["height"]), (200, &json!(height)));
        book.assert_is(&answer);
    }
    assert_eq!(gateway.stats().book_errors, 0);
    gateway.stop().await;
}

#[tokio::test]
async fn numbers_go_on_across_a_reconnect_while_blocks_come() {
    let gateway = start().await;
    let mut world = World::new();
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    let mut book = ClientBook::default();
    let mut seq = None;
    for _ in 0..5 {
        let mut ws = Ws::connect(gateway.http_addr()).await;
        // Blocks are on their way while the subscription is.
        for _ in 0..10 {
            let levels = world.random_levels();
            gateway.publish(world.block(vec![], vec![], &[(PERP, levels)]));
        }
        ws.subscribe("book", "0").await;
        loop {
            let message = ws.recv().await;
            if message["type"] == "snapshot" {
                // One number for each block that changed the book.
                let (number, height) = (message["seq"].as_u64(), message["height"].as_u64());
                let offset = height.unwrap() - number.unwrap();
                assert_eq!(*seq.get_or_insert(offset), offset, "{message}");
            }
            book.take(&message);
            if book.height == world.state.height {
                break;
            }
        }
    }
}

#[tokio::test]
async fn trades_bbo_and_blocks_arrive_once_each_in_order() {
    let gateway = start().await;
    let mut world = World::new();
    gateway.publish(world.block(vec![], vec![], &[(PERP, vec![(Side::Buy, 990, 4)])]));
    reach(&gateway, 1).await;
    let mut ws = Ws::connect(gateway.ws_addr()).await;
    assert_eq!(ws.subscribe("trades", "BTC-PERP").await["seq"], 0);
    ws.subscribe("bbo", "BTC-PERP").await;
    let snapshot = ws.recv().await;
    assert_eq!(snapshot["bid"]["price_decimal"], "99.0");
    assert_eq!(
        (&snapshot["bid"]["size"], &snapshot["ask"]),
        (&json!(4), &json!(null))
    );
    let ack = ws
        .call(json!({"op": "subscribe", "channel": "blocks", "hashes": true}))
        .await;
    assert_eq!(
        ack,
        json!({"type": "subscribed", "channel": "blocks", "seq": 1})
    );

    let [maker, taker] = [1, 2].map(|id| Account::new(AccountId([id; 20]), 0));
    let order = ActionResult {
        code: Code::Ok,
        order: Some(OrderId(11)),
        filled: 4,
        missing: None,
        parts: vec![],
    };
    let cancel = ActionResult::code(Code::Ok);
    let part = |order| PartResult {
        code: Code::Ok,
        order,
        filled: 0,
        missing: None,
    };
    let quotes = ActionResult {
        parts: [Some(OrderId(12)), None, Some(OrderId(13))]
            .map(part)
            .into(),
        ..ActionResult::code(Code::Ok)
    };
    let tx = TxResult {
        hash: [9; 32],
        code: Code::Ok,
        actions: vec![order, cancel, quotes],
    };
    let bad = TxResult {
        hash: [8; 32],
        code: Code::Expired,
        actions: vec![],
    };
    let fills = vec![fill(1, maker, taker), fill(2, maker, taker)];
    // Far from the best price: no message on `bbo`.
    let far = vec![(PERP, vec![(Side::Buy, 10, 1)])];
    gateway.publish(world.block(vec![tx, bad], fills, &far));
    let trades = ws.recv().await;
    assert_eq!(
        (&trades["channel"], &trades["seq"]),
        (&json!("trades"), &json!(1))
    );
    assert_eq!(
        (&trades["height"], &trades["time"]),
        (&json!(2), &json!(1_200))
    );
    let expected = json!({
        "trade": 2, "height": 2, "time": 1_200, "side": "buy", "price": 1_002, "size": 2,
        "price_decimal": "100.2", "size_decimal": "0.002", "maker": "10", "taker": "11",
    });
    assert_eq!(trades["trades"][1], expected);
    let block = ws.recv().await;
    let expected = json!({
        "type": "update", "channel": "blocks", "seq": 2, "height": 2, "time": 1_200,
        "app_hash": "02".repeat(32), "txs": 2, "orders": 3, "fills": 2,
        "results": [["09".repeat(32), 0], ["08".repeat(32), 107]],
    });
    assert_eq!(block, expected);

    let ack = ws
        .call(json!({"op": "unsubscribe", "channel": "trades", "market": "0"}))
        .await;
    assert_eq!(ack["type"], "unsubscribed");
    gateway.publish(world.block(
        vec![],
        vec![fill(3, maker, taker)],
        &[(PERP, vec![(Side::Sell, 991, 1)])],
    ));
    let bbo = ws.recv().await;
    assert_eq!(
        (&bbo["channel"], &bbo["ask"]["price"]),
        (&json!("bbo"), &json!(991))
    );
    assert_eq!(
        bbo["seq"].as_u64(),
        snapshot["seq"].as_u64().map(|seq| seq + 1)
    );
    assert_eq!(ws.recv().await["seq"], 3);
    let (_, trades) = get(&gateway, "/v1/trades/BTC-PERP?limit=2").await;
    assert_eq!(
        (&trades["trades"][0]["trade"], &trades["trades"][1]["trade"]),
        (&json!(3), &json!(2))
    );
}

#[tokio::test]
async fn a_gap_or_a_wrong_checksum_sends_the_book_whole() {
    let gateway = start().await;
    let mut world = World::new();
    gateway.publish(world.block(vec![], vec![], &[(PERP, vec![(Side::Buy, 990, 4)])]));
    reach(&gateway, 1).await;
    let mut ws = Ws::connect(gateway.ws_addr()).await;
    ws.subscribe("book", "BTC-PERP").await;
    let mut book = ClientBook::default();
    book.take(&ws.recv().await);
    world.block(vec![], vec![], &[(PERP, vec![(Side::Buy, 991, 4)])]);
    gateway.publish(world.block(vec![], vec![], &[(PERP, vec![(Side::Sell, 999, 4)])]));
    let message = ws.recv().await;
    assert_eq!(
        (&message["type"], &message["seq"]),
        (&json!("snapshot"), &json!(book.seq + 1))
    );
    book.take(&message);
    assert_eq!((book.bids.len(), book.asks.len()), (2, 1));

    // The view has a level that no event told of.
    world.state.books.get_mut(&PERP).unwrap()[0].insert(5, 5);
    gateway.publish(world.block(vec![], vec![], &[(PERP, vec![(Side::Sell, 998, 4)])]));
    let message = ws.recv().await;
    assert_eq!(
        (&message["type"], &message["seq"]),
        (&json!("snapshot"), &json!(book.seq + 1))
    );
    book.take(&message);
    assert_eq!((book.bids.len(), book.asks.len()), (3, 2));
    assert_eq!(gateway.stats().book_errors, 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped_and_others_see_every_block_in_time() {
    let gateway = start_with(|config| config.queue_bytes = 1 << 20).await;
    let mut world = World::new();
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    let (mut slow, mut fast) = (
        Ws::connect(gateway.ws_addr()).await,
        Ws::connect(gateway.ws_addr()).await,
    );
    slow.subscribe("book", "BTC-PERP").await;
    let ack = fast
        .call(json!({"op": "subscribe", "channel": "blocks"}))
        .await;
    assert_eq!(ack["type"], "subscribed");
    for block in 0..200 {
        let levels = (0..10_000).map(|price| (Side::Buy, 1_000_000 + price, 1_000_000 + block));
        let levels = levels.collect();
        gateway.publish(world.block(vec![], vec![], &[(PERP, levels)]));
        let message = tokio::time::timeout(Duration::from_secs(2), fast.recv())
            .await
            .unwrap();
        assert_eq!(message["height"], world.state.height);
        if gateway.stats().slow_clients == 1 {
            break;
        }
    }
    assert_eq!(gateway.stats().slow_clients, 1);
    // What was sent before is still there to read, and then the reason.
    let reason = loop {
        if let Err(reason) = slow.try_recv().await {
            break reason;
        }
    };
    assert!(reason.starts_with("SLOW_CLIENT"), "{reason}");
    eventually(async || gateway.stats().clients == 1).await;
}

#[tokio::test]
async fn a_silent_client_is_dropped_and_one_that_answers_pings_stays() {
    let gateway = start_with(|config| config.client_timeout = Duration::from_millis(900)).await;
    let _silent = Ws::connect(gateway.ws_addr()).await;
    let mut alive = Ws::connect(gateway.ws_addr()).await;
    let (tell, told) = tokio::sync::oneshot::channel();
    // Reading answers the pings, until a message is asked for.
    let reading = tokio::spawn(async move {
        tokio::pin!(told);
        loop {
            tokio::select! {
                message = alive.0.next() => assert!(message.unwrap().unwrap().is_ping()),
                _ = &mut told => return alive.call(json!({"op": "ping", "id": 1})).await,
            }
        }
    });
    eventually(async || gateway.stats().dead_clients == 1).await;
    // Longer than the client's first second, so that only its pongs have kept it.
    tokio::time::sleep(Duration::from_millis(900)).await;
    tell.send(()).unwrap();
    assert_eq!(reading.await.unwrap(), json!({"type": "pong", "id": 1}));
    assert_eq!(
        (gateway.stats().clients, gateway.stats().dead_clients),
        (1, 1)
    );
}

#[tokio::test]
async fn clients_and_their_subscriptions_are_bounded() {
    let gateway = start_with(|config| {
        config.max_clients = 1;
        config.max_subscriptions = 2;
    })
    .await;
    let mut world = World::new();
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    let mut ws = Ws::connect(gateway.ws_addr()).await;
    let url = format!("ws://{}/v1/ws", gateway.http_addr());
    let refused = tokio_tungstenite::connect_async(&url)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("503"), "{refused}");

    ws.subscribe("trades", "BTC-PERP").await;
    ws.subscribe("trades", "BTC-USDC").await;
    for (request, code) in [
        (
            json!({"op": "subscribe", "channel": "blocks"}),
            "SUBSCRIPTION_LIMIT",
        ),
        (
            json!({"op": "subscribe", "channel": "trades", "market": "0"}),
            "ALREADY_SUBSCRIBED",
        ),
        (
            json!({"op": "unsubscribe", "channel": "book", "market": "0"}),
            "NOT_SUBSCRIBED",
        ),
    ] {
        assert_eq!(ws.call(request).await["error"]["code"], code);
    }
    ws.send(json!({"op": "ping", "id": "x".repeat(65 << 10)}))
        .await;
    let reason = ws.try_recv().await.unwrap_err();
    // The rest of the message is never read, so a reset may overtake the reason.
    let told = reason.contains("too long") || reason.contains("reset");
    assert!(told, "{reason}");
    eventually(async || gateway.stats().clients == 0).await;
    let mut ws = Ws::connect(gateway.ws_addr()).await;
    gateway.stop().await;
    assert_eq!(ws.try_recv().await.unwrap_err(), "the gateway stops");
}
