//! Writes the seeds of the corpora again, for when an encoding has changed:
//! `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.

use ballast_fuzz::{GENESIS_TIME, secret, spec};
use ballast_genesis::{GenesisValidator, demo, demo_cadence, demo_future, to_json};
use ballast_model::workload::Rng;
use ballast_types::surface::{Curve, Node, Svi};
use ballast_types::{
    Account, Action, Amend, AssetId, Cancel, Condition, Distance, ExpirySurface, GroupId, LinkKind,
    LinkRule, Linked, MarginMode, MarketId, MarketStatus, Order, OrderId, OrderRef, Peg, PegTo,
    PostOnly, PriceKind, PriceSource, PriceUpdate, Quote, QuoteSide, Quotes, Scale, Secret,
    SelfTrade, SelfTradeScope, SetAgent, SetMarketStatus, SetProtection, SetSurface, Side,
    TimeInForce, Transfer, Trigger, Twap, TxBody, chain_hash, encode_bundle, sign_native,
};
use std::path::Path;
use std::{fs, io};

fn actions() -> Vec<Action> {
    let order = Order {
        tif: TimeInForce::Gtt(GENESIS_TIME + 60_000),
        client_id: Some(7),
        label: 1,
        ..Order::limit(MarketId(1), Side::Buy, 600_000, 10)
    };
    let trail = Condition::Trail {
        distance: Distance::Ppm(20_000),
        activation: 610_000,
    };
    let waits = Order {
        tif: TimeInForce::Ioc,
        reduce_only: true,
        self_trade: SelfTrade::Decrement,
        self_trade_scope: SelfTradeScope::Master,
        trigger: Some(Trigger {
            source: PriceSource::Last,
            condition: trail,
        }),
        ..Order::limit(MarketId(1), Side::Sell, 500_000, 10)
    };
    let iceberg = Order {
        tif: TimeInForce::Gtb(9),
        display: Some(2),
        ..order.post_only(PostOnly::Slide)
    };
    vec![
        Action::Order(order),
        Action::Amend(Amend {
            order: OrderRef::Client {
                group: GroupId(0),
                client_id: 7,
            },
            price: 600_001,
            size: 5,
            keep_on_reject: true,
            max_fills: 1,
        }),
        Action::Cancel(Cancel::Order(OrderId(1))),
        Action::Cancel(Cancel::Label {
            group: GroupId(0),
            label: 1,
        }),
        Action::Cancel(Cancel::All(None)),
        Action::Transfer(Transfer {
            asset: AssetId(0),
            amount: 5,
            to: Account::new(secret(2).id(), 3),
        }),
        Action::SetAgent(SetAgent {
            key: secret(3).id(),
            expiry: GENESIS_TIME + 1_000_000,
            markets: vec![MarketId(0)],
            max_notional: 0,
        }),
        Action::RemoveAgent(secret(3).id()),
        Action::SetPrices(vec![PriceUpdate {
            market: MarketId(1),
            kind: PriceKind::Index,
            price: 600_100,
        }]),
        Action::SetMarketStatus(SetMarketStatus {
            market: MarketId(1),
            status: MarketStatus::CancelOnly,
        }),
        Action::CancelAfter(30_000),
        Action::Order(waits),
        Action::Order(iceberg),
        Action::SetMarketStatus(SetMarketStatus {
            market: MarketId(0),
            status: MarketStatus::Auction,
        }),
    ]
    .into_iter()
    .chain(several(order, waits))
    .chain(followers(order))
    .chain(portfolio())
    .collect()
}

/// Actions of several orders.
fn several(order: Order, waits: Order) -> [Action; 4] {
    let side = Some(QuoteSide {
        price: 600_000,
        size: 3,
    });
    [
        Action::Linked(Linked {
            kind: LinkKind::Otoco,
            rule: LinkRule::Incremental,
            order,
            legs: vec![waits, waits],
        }),
        Action::Scale(Scale {
            order,
            last_price: 590_000,
            orders: 3,
            last_size_ppm: 500_000,
        }),
        Action::Quotes(Quotes {
            group: GroupId(0),
            post_only: PostOnly::Slide,
            quotes: vec![Quote {
                market: MarketId(1),
                bid: side,
                ask: None,
            }],
        }),
        Action::SetProtection(SetProtection {
            group: GroupId(0),
            interval_ms: 1_000,
            freeze_ms: 0,
            notional: 5,
            delta: 0,
            vega: 7,
        }),
    ]
}

/// What margins and prices options.
fn portfolio() -> [Action; 2] {
    let expiry = |curve| ExpirySurface {
        expiry: GENESIS_TIME + 86_400_000,
        forward: 1_000_000_000,
        rate: 0,
        tenor: 86_400,
        curve,
    };
    let node = |k| Node {
        k,
        variance: 1_000_000_000_000,
    };
    let svi = Svi {
        a: 1_000_000_000_000,
        b: 1_000_000_000_000,
        rho: 0,
        m: 0,
        sigma: 100_000_000_000_000,
    };
    let curves = [Curve::Nodes(vec![node(-1), node(1)]), Curve::Svi(svi)];
    [
        Action::SetMarginMode(MarginMode::Portfolio),
        Action::SetSurface(SetSurface {
            group: GroupId(0),
            expiries: curves.map(expiry).into(),
        }),
    ]
}

/// Orders that follow a price or a schedule.
fn followers(order: Order) -> [Action; 2] {
    let peg = Some(Peg {
        to: PegTo::Bid,
        offset: -2,
    });
    let twap = Some(Twap {
        duration_ms: 10_000,
        interval_ms: 1_000,
        tolerance_ppm: 500,
    });
    let pegged = order.post_only(PostOnly::Slide);
    [
        Action::Order(Order { peg, ..pegged }),
        Action::Order(Order { twap, ..order }),
    ]
}

fn tx(secret: &Secret, actions: Vec<Action>) -> Vec<u8> {
    let body = TxBody {
        chain: chain_hash(&spec().chain_id),
        account: Account::new(secret.id(), 0),
        key: secret.public(),
        nonce: GENESIS_TIME,
        expiry: GENESIS_TIME + 60_000,
        actions,
    };
    sign_native(&body, secret)
}

fn write(target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(name), bytes)
}

fn main() -> io::Result<()> {
    let chain = chain_hash(&spec().chain_id);
    for (number, action) in actions().into_iter().enumerate() {
        write(
            "tx_decode",
            &format!("action{number}"),
            &tx(&secret(1), vec![action]),
        )?;
    }
    let every = tx(&secret(1), actions());
    write("tx_decode", "every_action", &every)?;
    if let Some(secret) = Secret::secp256k1([5; 32]) {
        write("tx_decode", "secp256k1", &tx(&secret, actions()))?;
    }
    let bundle = encode_bundle(&[every.clone(), every], GENESIS_TIME, &chain, &secret(0));
    write("tx_decode", "bundle", &bundle)?;
    write("bundle_decode", "two", &bundle)?;
    write(
        "bundle_decode",
        "short",
        &encode_bundle(&[[1, 2, 3]], 1, &chain, &secret(0)),
    )?;

    // For blocks any bytes will do; long ones give the fuzzer something to cut.
    let mut rng = Rng::new(1);
    for number in 0..16 {
        let program: Vec<_> = (0..600).map(|_| rng.byte()).collect();
        write("block", &format!("random{number}"), &program)?;
    }

    let validator = GenesisValidator {
        name: "one".to_owned(),
        consensus_key: "11".repeat(32),
        ingress_key: "22".repeat(32),
        power: 1,
    };
    let accounts = [
        Account::new(secret(1).id(), 0),
        Account::new(secret(1).id(), 4),
    ];
    let mut genesis = demo(&accounts, secret(0).id(), vec![validator]);
    genesis.markets.push(demo_future(GENESIS_TIME + 86_400_000));
    genesis.series[0].cadences.push(demo_cadence(10_000));
    write("genesis_parse", "demo.json", to_json(&genesis).as_bytes())
}
