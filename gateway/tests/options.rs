//! Options: markets that are listed after the start, what they are priced from, and what a refusal
//! for want of margin says.

#![allow(clippy::unwrap_used)]

mod common;

use ballast_app::view::{ForwardView, GreeksView, MarketView, SurfaceView};
use ballast_types::surface::{Curve, Node, Svi};
use ballast_types::{
    ActionResult, Code, Event, ExpirySurface, GroupId, MarketId, MarketKind, MarketSpec,
    MarketStatus, OptionKind, PartResult, Side, TxResult, tx_hash,
};
use common::client::{ClientBook, Ws, get, reach};
use common::{EXPIRY, GENESIS, World, market, start};
use serde_json::{Value, json};

const GROUP: GroupId = GroupId(0);
const CALL: &str = "BTC-20261225-100000-C";
const PUT: &str = "BTC-20261225-100000-P";
const STRIKE: i64 = 100_000_000;

fn id(at: usize) -> MarketId {
    MarketId(u32::try_from(GENESIS + at).unwrap())
}

/// A call, then a put, at 100,000 with three digits.
fn listed(at: usize) -> (MarketSpec, MarketView, Event) {
    let (kind, letter) = match at % 2 {
        0 => (OptionKind::Call, "C"),
        _ => (OptionKind::Put, "P"),
    };
    let option = MarketKind::Option {
        expiry: EXPIRY,
        strike: STRIKE,
        kind,
    };
    let symbol = format!("BTC-20261225-100000-{letter}");
    let mut spec = market(&symbol, option, "5", "0.01");
    spec.tick_bands = vec![(1_000, 5)];
    spec.minimum_margin_ppm = 100_000;
    let view = MarketView {
        market: id(at),
        group: GROUP,
        mark: 640,
        index: 20_000,
        last: 0,
        status: MarketStatus::Open,
        expiry: Some(EXPIRY),
        trades: 0,
        open_interest: 250,
        greeks: Some(GreeksView {
            volatility: 600_000_000_000_000,
            forward: 100_500_000,
            mark: 3_201_250,
            delta: 512_300_000_000_000,
            gamma: 23_000_000_000,
            vega: 110_500,
            theta: -95_000,
        }),
    };
    let event = Event::Listed {
        market: id(at),
        series: 0,
        expiry: EXPIRY,
        strike: STRIKE,
        kind,
    };
    (spec, view, event)
}

fn list(world: &mut World, at: usize) -> Event {
    let (spec, view, event) = listed(at);
    world.state.books.insert(id(at), Default::default());
    world.state.listed.push((spec, view));
    event
}

fn curves() -> Vec<ExpirySurface> {
    let node = |k, variance| Node { k, variance };
    let nodes = Curve::Nodes(vec![
        node(-100_000_000_000_000, 31_000_000_000_000),
        node(0, 29_600_000_000_000),
    ]);
    let svi = Curve::Svi(Svi {
        a: 10_000_000_000_000,
        b: 50_000_000_000_000,
        rho: -300_000_000_000_000,
        m: 0,
        sigma: 100_000_000_000_000,
    });
    let of = |expiry, curve| ExpirySurface {
        expiry,
        forward: 100_500_000,
        rate: 45_000_000_000_000,
        tenor: 2_592_000,
        curve,
    };
    vec![of(EXPIRY, nodes), of(EXPIRY + 1_000, svi)]
}

fn surface(time: u64) -> SurfaceView {
    SurfaceView {
        group: GROUP,
        time,
        index: 100_000_500,
        forwards: vec![ForwardView {
            expiry: EXPIRY,
            forward: 100_500_000,
            rate: 45_000_000_000_000,
        }],
        expiries: curves(),
    }
}

fn names(answer: &Value) -> Vec<&str> {
    let markets = answer["markets"].as_array().unwrap().iter();
    markets
        .map(|market| market["market"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn listed_options_are_markets_at_once() {
    let gateway = start().await;
    let mut world = World::new();
    // Listed before the gateway's first block: known from the state.
    list(&mut world, 0);
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    let (status, call) = get(&gateway, &format!("/v1/markets/{CALL}")).await;
    assert_eq!(status, 200, "{call}");
    for (pointer, value) in [
        ("/id", json!(3)),
        ("/kind", json!("option")),
        ("/option_type", json!("call")),
        ("/strike", json!("100000")),
        ("/expiry", json!(EXPIRY)),
        ("/tick_bands", json!([[1_000, 5]])),
        ("/minimum_margin_ppm", json!(100_000)),
        ("/mark_decimal", json!("3200")),
        ("/index_decimal", json!("100000")),
        ("/open_interest_decimal", json!("2.50")),
        ("/greeks/mark_value", json!("3201.25")),
        ("/greeks/mark_iv", json!("0.6")),
        ("/greeks/delta", json!("0.5123")),
        ("/greeks/gamma", json!("0.000023")),
        ("/greeks/vega", json!("110.5")),
        ("/greeks/theta", json!("-95")),
        ("/greeks/forward", json!("100500")),
    ] {
        assert_eq!(call.pointer(pointer), Some(&value), "{pointer} of {call}");
    }
    assert_eq!(get(&gateway, &format!("/v1/markets/{PUT}")).await.0, 404);

    let put_listed = list(&mut world, 1);
    let levels = vec![(Side::Buy, 600, 7)];
    gateway.publish(world.block(vec![], vec![put_listed], &[(id(1), levels)]));
    reach(&gateway, 2).await;
    let (_, block) = get(&gateway, "/v1/blocks/2").await;
    let row = json!({"type": "listed", "market": PUT, "id": 4, "group": "BTC", "series": 0,
        "expiry": EXPIRY, "strike": "100000", "option_type": "put"});
    assert_eq!(block["events"][0], row);
    let (_, book) = get(&gateway, &format!("/v1/book/{PUT}")).await;
    assert_eq!(book["bids"][0]["price_decimal"], "3000");
    assert_eq!(book["bids"][0]["size_decimal"], "0.07");

    for (query, expected) in [
        ("", vec!["BTC-PERP", "BTC-USDC", "BTC-DEC26", CALL, PUT]),
        ("?kind=option", vec![CALL, PUT]),
        ("?kind=perpetual&group=BTC", vec!["BTC-PERP"]),
        (
            "?group=0&expiry=1798185600000",
            vec!["BTC-DEC26", CALL, PUT],
        ),
        ("?expiry=1", vec![]),
        // Not yet listed then.
        ("?kind=option&height=1", vec![CALL]),
    ] {
        let (_, answer) = get(&gateway, &format!("/v1/markets{query}")).await;
        assert_eq!(names(&answer), expected, "{query}");
    }
    for (query, code, field) in [
        ("?kind=swap", "BAD_FIELD", "kind"),
        ("?group=DOGE", "UNKNOWN_GROUP", "group"),
        ("?expiry=soon", "BAD_FIELD", "expiry"),
    ] {
        let (_, answer) = get(&gateway, &format!("/v1/markets{query}")).await;
        let error = &answer["error"];
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!(code), &json!(field))
        );
    }

    gateway.stop().await;
}

#[tokio::test]
async fn settled_markets_leave_the_list_but_are_still_told() {
    let gateway = start().await;
    let mut world = World::new();
    let events = vec![list(&mut world, 0), list(&mut world, 1)];
    gateway.publish(world.block(vec![], events, &[]));
    world.state.listed[0].1.status = MarketStatus::Settled;
    world.state.listed[0].1.greeks = None;
    let settled = Event::Settled {
        market: id(0),
        price: 700,
    };
    gateway.publish(world.block(vec![], vec![settled], &[]));
    reach(&gateway, 2).await;
    let (_, answer) = get(&gateway, "/v1/markets?kind=option").await;
    assert_eq!(names(&answer), [PUT]);
    let (_, answer) = get(&gateway, "/v1/markets?kind=option&settled=true").await;
    assert_eq!(names(&answer), [CALL, PUT]);
    let (_, call) = get(&gateway, &format!("/v1/markets/{CALL}")).await;
    assert_eq!(
        (&call["status"], &call["greeks"]),
        (&json!("settled"), &json!(null))
    );
    gateway.stop().await;
}

#[tokio::test]
async fn the_surface_says_what_options_are_priced_from() {
    let gateway = start().await;
    let mut world = World::new();
    world.state.surface = Some(surface(1_000));
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    let (_, answer) = get(&gateway, "/v1/surface/BTC").await;
    let expected = json!({
        "height": 1, "time": 1_100, "group": "BTC", "group_id": 0, "price_digits": 3, "refreshed": 1_000,
        "index": "100000.5",
        "forwards": [{"expiry": EXPIRY, "forward": "100500", "rate": "0.045"}],
        "expiries": [
            {"expiry": EXPIRY, "forward": "100500", "rate": "0.045", "tenor": 2_592_000,
                "nodes": [["-0.1", "0.031"], ["0", "0.0296"]]},
            {"expiry": EXPIRY + 1_000, "forward": "100500", "rate": "0.045", "tenor": 2_592_000,
                "svi": {"a": "0.01", "b": "0.05", "rho": "-0.3", "m": "0", "sigma": "0.1"}},
        ],
    });
    assert_eq!(answer, expected);
    let (status, answer) = get(&gateway, "/v1/surface/1").await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (404, &json!("UNKNOWN_GROUP"))
    );
    gateway.stop().await;
}

#[tokio::test]
async fn channels_tell_of_listings_surfaces_greeks_and_settlements() {
    let gateway = start().await;
    let mut world = World::new();
    gateway.publish(world.block(vec![], vec![], &[]));
    reach(&gateway, 1).await;
    let mut ws = Ws::connect(gateway.ws_addr()).await;
    let request = json!({"op": "subscribe", "channel": "group", "group": "BTC", "id": 1});
    let ack = ws.call(request.clone()).await;
    assert_eq!(
        (&ack["type"], &ack["group"]),
        (&json!("subscribed"), &json!("BTC"))
    );
    let snapshot = ws.recv().await;
    assert_eq!(
        (&snapshot["type"], &snapshot["seq"]),
        (&json!("snapshot"), &json!(1))
    );
    let unknown = json!({"op": "subscribe", "channel": "group", "group": "DOGE"});
    assert_eq!(ws.call(unknown).await["error"]["code"], "UNKNOWN_GROUP");

    let call_listed = list(&mut world, 0);
    world.state.surface = Some(surface(1_200));
    let effect = Event::Surface {
        group: GROUP,
        expiries: curves(),
    };
    gateway.publish(world.block(vec![], vec![effect, call_listed], &[]));
    let update = ws.recv().await;
    assert_eq!(
        (&update["type"], &update["seq"]),
        (&json!("update"), &json!(2))
    );
    assert_eq!(update["listed"][0]["market"], CALL);
    assert_eq!(update["surface"]["refreshed"], 1_200);
    assert_eq!(update["surface"]["expiries"][1]["svi"]["rho"], "-0.3");
    assert_eq!(update["settled"], json!(null));

    // The new market has channels like any other, and its prices follow the state.
    ws.subscribe("market", CALL).await;
    let prices = ws.recv().await;
    assert_eq!(prices["greeks"]["mark_iv"], "0.6", "{prices}");
    ws.subscribe("book", CALL).await;
    let mut book = ClientBook::default();
    book.take(&ws.recv().await);
    let view = &mut world.state.listed[0].1;
    view.mark = 641;
    view.greeks.as_mut().unwrap().volatility = 610_000_000_000_000;
    gateway.publish(world.block(vec![], vec![], &[(id(0), vec![(Side::Buy, 600, 7)])]));
    book.take(&ws.recv().await);
    let prices = ws.recv().await;
    assert_eq!(
        (&prices["channel"], &prices["seq"]),
        (&json!("market"), &json!(1))
    );
    assert_eq!(prices["mark"], 641);
    assert_eq!(prices["greeks"]["mark_iv"], "0.61");
    assert_eq!(prices["open_interest_decimal"], "2.50");

    let view = &mut world.state.listed[0].1;
    (view.mark, view.status, view.greeks) = (700, MarketStatus::Settled, None);
    let settled = Event::Settled {
        market: id(0),
        price: 700,
    };
    gateway.publish(world.block(vec![], vec![settled], &[]));
    let prices = ws.recv().await;
    assert_eq!(prices["status"], "settled");
    let update = ws.recv().await;
    let row = json!([{"market": CALL, "price": 700, "price_decimal": "3500"}]);
    assert_eq!((&update["settled"], &update["seq"]), (&row, &json!(3)));
    gateway.stop().await;
}

#[tokio::test]
async fn refusals_for_want_of_margin_say_how_much_is_missing() {
    let gateway = start().await;
    let mut world = World::new();
    let action = |code, missing| ActionResult {
        missing,
        ..ActionResult::code(code)
    };
    let quotes = ActionResult {
        parts: vec![PartResult {
            code: Code::InsufficientMargin,
            order: None,
            filled: 0,
            missing: Some(1),
        }],
        ..ActionResult::code(Code::Ok)
    };
    let tx = TxResult {
        hash: tx_hash(b"tx"),
        code: Code::Ok,
        actions: vec![
            action(Code::InsufficientMargin, Some(1_500_000)),
            action(Code::UnderMaintenance, Some(2)),
            action(Code::InsufficientBalance, Some(30)),
            action(Code::Ok, None),
            quotes,
        ],
    };
    gateway.publish(world.block(vec![tx], vec![], &[]));
    reach(&gateway, 1).await;
    let path = format!("/v1/txs/{}", hex::encode(tx_hash(b"tx")));
    let (_, answer) = get(&gateway, &path).await;
    for (pointer, value) in [
        ("/actions/0/missing", json!("1500000")),
        ("/actions/0/missing_decimal", json!("1.500000")),
        (
            "/actions/0/message",
            json!("equity would be 1.500000 USDC below initial margin"),
        ),
        (
            "/actions/1/message",
            json!("equity is 0.000002 USDC below maintenance margin"),
        ),
        ("/actions/2/missing", json!("30")),
        ("/actions/4/parts/0/missing_decimal", json!("0.000001")),
    ] {
        assert_eq!(
            answer.pointer(pointer),
            Some(&value),
            "{pointer} of {answer}"
        );
    }
    for pointer in ["/actions/2/missing_decimal", "/actions/3/missing"] {
        assert_eq!(answer.pointer(pointer), None, "{pointer} of {answer}");
    }
    gateway.stop().await;
}
