//! Linked, pegged and TWAP orders, and auctions: what is told of them, and to whom.

#![allow(clippy::too_many_lines, clippy::unwrap_used)]

mod common;

use ballast_app::view::{LinkView, OrderView, TwapView, WaitingView};
use ballast_gateway::Gateway;
use ballast_types::{
    Account, Code, Event, LinkKind, LinkRule, MarketStatus, OrderId, Peg, PegTo, Removal, Secret,
    Side, Twap,
};
use common::client::{ClientBook, Ws, get, reach};
use common::keys::{ask_as, log_in, proof, watch};
use common::{PERP, World, ask, start};
use serde_json::{Value, json};

const PEGGED: OrderId = OrderId(1);
const SLICED: OrderId = OrderId(2);
const LEG: OrderId = OrderId(3);
const FIRST: OrderId = OrderId(4);

const HOUR: Twap = Twap {
    duration_ms: 3_600_000,
    interval_ms: 60_000,
    tolerance_ppm: 5_000,
};

const WAITING: WaitingView = WaitingView {
    trigger: None,
    twap: None,
    dormant: 0,
    due: false,
    extreme: None,
    max_fills: 32,
};

fn orders(account: Account) -> [OrderView; 4] {
    let peg = Some(Peg {
        to: PegTo::Index,
        offset: -12,
    });
    let twap = Some(TwapView {
        twap: HOUR,
        start: 1_000,
        next: 3,
    });
    let link = Some(LinkView {
        kind: LinkKind::Oto,
        rule: LinkRule::CompleteFill,
        order: Some(FIRST),
        legs: vec![LEG],
    });
    let pegged = OrderView {
        id: PEGGED,
        price: 1_111,
        level: 1_222,
        peg,
        ..ask(account)
    };
    let sliced = OrderView {
        id: SLICED,
        shown: 0,
        waiting: Some(WaitingView { twap, ..WAITING }),
        ..ask(account)
    };
    let leg = OrderView {
        id: LEG,
        shown: 0,
        link: link.clone(),
        waiting: Some(WaitingView {
            dormant: 30,
            ..WAITING
        }),
        ..ask(account)
    };
    let first = OrderView {
        id: FIRST,
        link,
        ..ask(account)
    };
    [pegged, sliced, leg, first]
}

/// A gateway at block 1, and an account with a pegged order, a TWAP order, and an OTO.
async fn setting(owner: &Secret) -> (Gateway, World, Account) {
    let gateway = start().await;
    let mut world = World::new();
    let account = Account::new(owner.id(), 0);
    world.open_account(account);
    let orders = orders(account);
    world.state.accounts.get_mut(&account).unwrap().orders = orders.to_vec();
    world.state.orders = orders.into_iter().map(|it| (it.id, it)).collect();
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    (gateway, world, account)
}

#[tokio::test]
async fn limits_pegs_links_and_schedules_are_for_the_accounts_own_keys() {
    let owner = Secret::ed25519([7; 32]);
    let (gateway, _, account) = setting(&owner).await;
    let path = format!("/v1/accounts/{account}");

    let public = get(&gateway, &path).await.1;
    let orders = public["orders"].as_array().unwrap();
    let ids: Vec<_> = orders.iter().map(|order| &order["order"]).collect();
    assert_eq!(ids, ["1", "4"]);
    let fields = ["price", "rests_at", "peg", "link", "twap"];
    let null = &Value::Null;
    assert_eq!(
        fields.map(|name| &orders[0][name]),
        [&json!(1_222), &json!(1_222), null, null, null]
    );
    assert_eq!(orders[1]["link"], Value::Null);

    let own = ask_as(&gateway, &path, &proof(&owner, 1_100)).await.1;
    for (pointer, value) in [
        ("/orders/0/price", json!(1_111)),
        ("/orders/0/rests_at_decimal", json!("122.2")),
        (
            "/orders/0/peg",
            json!({"to": "index", "offset": -12, "offset_decimal": "-1.2"}),
        ),
        ("/orders/1/state", json!("waiting")),
        ("/orders/1/trigger", Value::Null),
        ("/orders/1/rests_at", Value::Null),
        (
            "/orders/1/twap",
            json!({
                "duration_ms": 3_600_000, "interval_ms": 60_000, "tolerance_ppm": 5_000,
                "start": 1_000, "next": 3,
            }),
        ),
        ("/orders/2/dormant", json!(30)),
        ("/orders/2/dormant_decimal", json!("0.030")),
        (
            "/orders/2/link",
            json!({"kind": "oto", "rule": "complete-fill", "order": "4", "legs": ["3"]}),
        ),
        ("/orders/3/dormant", json!(0)),
    ] {
        assert_eq!(own.pointer(pointer), Some(&value), "{pointer}: {own}");
    }
    assert_eq!(own["orders"][3]["link"], own["orders"][2]["link"]);
}

/// A leg that wakes up and loses lots, a slice, a move, and what an auction would do.
fn events(account: Account) -> Vec<Event> {
    let (market, size) = (PERP, 50);
    let waiting = |order, dormant, twap| Event::Waiting {
        market,
        order,
        account,
        side: Side::Sell,
        price: 1_234,
        size,
        dormant,
        trigger: None,
        twap,
        client_id: None,
    };
    vec![
        waiting(LEG, 20, None),
        waiting(SLICED, 0, Some(HOUR)),
        Event::Moved {
            market,
            order: PEGGED,
            account,
            price: 1_223,
        },
        Event::Sliced {
            market,
            order: SLICED,
            account,
            size: 17,
            filled: 13,
            code: Code::FillLimit,
        },
        Event::Reduced {
            market,
            order: LEG,
            account,
            size: 41,
            reason: Removal::Linked,
        },
        Event::Removed {
            market,
            order: SLICED,
            account,
            size: 19,
            reason: Removal::Schedule,
            client_id: None,
        },
        Event::Auction {
            market,
            price: 1_225,
            volume: 8,
            imbalance: -3,
            traded: 0,
        },
    ]
}

fn kinds(events: &Value) -> Vec<&str> {
    let events = events.as_array().unwrap().iter();
    events.map(|row| row["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_account_is_told_what_becomes_of_its_orders_and_others_what_the_book_shows() {
    let owner = Secret::ed25519([7; 32]);
    let (gateway, mut world, account) = setting(&owner).await;
    let mut ws = Ws::connect(gateway.ws_addr()).await;
    log_in(&mut ws, account, &owner).await;
    watch(&mut ws, account).await;
    let snapshot = ws.recv().await;
    assert_eq!(snapshot["orders"].as_array().unwrap().len(), 4);

    gateway.publish(world.block(vec![], events(account), &[]));
    let own = &ws.recv().await["events"];
    let expected = [
        "waiting", "waiting", "moved", "sliced", "reduced", "removed",
    ];
    assert_eq!(kinds(own), expected);
    for (pointer, value) in [
        ("/0/dormant", json!(20)),
        ("/0/trigger", Value::Null),
        ("/0/twap", Value::Null),
        ("/1/twap/interval_ms", json!(60_000)),
        ("/2/price_decimal", json!("122.3")),
        ("/3/size", json!(17)),
        ("/3/filled_decimal", json!("0.013")),
        ("/3/code", json!(212)),
        ("/3/name", json!("FILL_LIMIT")),
        ("/4/size", json!(41)),
        ("/4/reason", json!("LINKED")),
        ("/5/size", json!(19)),
        ("/5/reason", json!("SCHEDULE")),
    ] {
        assert_eq!(own.pointer(pointer), Some(&value), "{pointer}: {own}");
    }

    reach(&gateway, 2).await;
    let (_, block) = get(&gateway, "/v1/blocks/2").await;
    let public = &block["events"];
    assert_eq!(kinds(public), ["moved", "reduced", "removed", "auction"]);
    assert_eq!(public[1].get("size"), None, "of an order that waits");
    let auction = json!({
        "type": "auction", "market": "BTC-PERP", "price": 1_225, "price_decimal": "122.5",
        "volume": 8, "volume_decimal": "0.008", "imbalance": -3, "imbalance_decimal": "-0.003",
        "traded": 0, "traded_decimal": "0.000",
    });
    assert_eq!(public[3], auction);
}

/// It enters in the block, and the lots that never woke up are no business of others.
#[tokio::test]
async fn a_leg_that_enters_does_not_tell_what_it_has_lost() {
    let owner = Secret::ed25519([7; 32]);
    let (gateway, mut world, account) = setting(&owner).await;
    let leg = world.state.orders.get_mut(&LEG).unwrap();
    (leg.waiting, leg.shown) = (None, 50);
    gateway.publish(world.block(vec![], events(account), &[]));
    reach(&gateway, 2).await;
    let (_, block) = get(&gateway, "/v1/blocks/2").await;
    assert_eq!(block["events"][1]["type"], "reduced");
    assert_eq!(block["events"][1].get("size"), None);
}

#[tokio::test]
async fn auctions_and_their_status_come_on_the_channel_of_the_market() {
    let gateway = start().await;
    let mut world = World::new();
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    let (_, market) = get(&gateway, "/v1/markets/BTC-PERP").await;
    let ways = ["matching", "sharing"].map(|name| &market[name]);
    assert_eq!(ways, ["continuous", "pro_rata"]);

    let mut ws = Ws::connect(gateway.ws_addr()).await;
    ws.subscribe("market", "BTC-PERP").await;
    assert_eq!(ws.recv().await["auction"], Value::Null);
    let auction = |traded| Event::Auction {
        market: PERP,
        price: 1_000,
        volume: 8,
        imbalance: 2,
        traded,
    };
    let status = |status| Event::Status {
        market: PERP,
        status,
    };
    let collecting = vec![status(MarketStatus::Auction), auction(0)];
    gateway.publish(world.block(vec![], collecting, &[]));
    let update = ws.recv().await;
    assert_eq!(
        (&update["status"], &update["auction"]["imbalance"]),
        (&json!("auction"), &json!(2))
    );
    // The same again is news, and a block without an auction is none.
    gateway.publish(world.block(vec![], vec![auction(0)], &[]));
    assert_eq!(ws.recv().await["auction"]["traded"], 0);
    gateway.publish(world.block(vec![], vec![], &[]));
    let opened = vec![status(MarketStatus::Open), auction(8)];
    gateway.publish(world.block(vec![], opened, &[]));
    let update = ws.recv().await;
    let told = (&update["height"], &update["auction"]["traded_decimal"]);
    assert_eq!(told, (&json!(5), &json!("0.008")));
    assert_eq!(update["status"], "open");
}

#[tokio::test]
async fn a_crossed_book_is_a_book_like_any_other() {
    let gateway = start().await;
    let mut world = World::new();
    let crossed = vec![
        (Side::Buy, 1_010, 4),
        (Side::Buy, 1_000, 1),
        (Side::Sell, 990, 3),
        (Side::Sell, 1_000, 7),
    ];
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    let mut ws = Ws::connect(gateway.ws_addr()).await;
    let mut book = ClientBook::default();
    ws.subscribe("book", "BTC-PERP").await;
    book.take(&ws.recv().await);
    gateway.publish(world.block(vec![], vec![], &[(PERP, crossed)]));
    book.take(&ws.recv().await);
    let uncrossed = vec![
        (Side::Buy, 1_010, 0),
        (Side::Buy, 1_000, 0),
        (Side::Sell, 990, 0),
        (Side::Sell, 1_000, 5),
    ];
    gateway.publish(world.block(vec![], vec![], &[(PERP, uncrossed)]));
    book.take(&ws.recv().await);
    reach(&gateway, 3).await;
    for height in [2, 3] {
        let path = format!("/v1/bbo/BTC-PERP?height={height}");
        let (_, bbo) = get(&gateway, &path).await;
        let crossed = bbo["bid"]["price"].as_i64() >= bbo["ask"]["price"].as_i64();
        assert_eq!(crossed, height == 2, "{bbo}");
    }
    book.assert_is(&get(&gateway, "/v1/book/BTC-PERP").await.1);
}
