//! The bytes in `docs/trading.md`, derived again.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

mod common;

use ballast_types::margin::ONE;
use ballast_types::surface::{Curve, Node, Svi};
use ballast_types::{
    Account, AccountId, Action, Amend, AssetId, Cancel, ChainSpec, Code, Condition, Decoded,
    Distance, ExpirySurface, GroupId, Hash, LinkKind, LinkRule, Linked, MarginMode, MarketId,
    MarketStatus, MsgActionsBody, Order, OrderId, OrderRef, Peg, PegTo, PostOnly, PriceKind,
    PriceSource, PriceUpdate, PublicKey, Quote, QuoteSide, Quotes, SETTLEMENT_WINDOW_MS, Scale,
    Scheme, Secret, SelfTrade, SelfTradeScope, SetAgent, SetMarketStatus, SetProtection,
    SetSurface, Side, TimeInForce, Transfer, Trigger, Twap, Tx, TxBody, chain_hash, decode,
    decode_bundle, encode_bundle, ingress_sign_hash, native_sign_hash, sign_native, tx_hash,
    verify, verify_ingress,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

const DOC: &str = include_str!("../../docs/trading.md");
const CHAIN_ID: &str = "demo-1";
const TIME: u64 = 1_700_000_000_000;
const EXPIRY: u64 = TIME + 60_000;

fn ed25519() -> Secret {
    let mut seed = [0; 32];
    seed.iter_mut().zip(0..).for_each(|(byte, at)| *byte = at);
    Secret::ed25519(seed)
}

fn secp256k1() -> Secret {
    Secret::secp256k1([1; 32]).unwrap()
}

fn ingress() -> Secret {
    Secret::ed25519([0x20; 32])
}

fn chain() -> Hash {
    chain_hash(CHAIN_ID)
}

fn spec() -> ChainSpec {
    ChainSpec {
        chain_id: CHAIN_ID.to_owned(),
        ..common::spec()
    }
}

/// Labels and bytes of the document's fenced blocks: each line begins with hexadecimal digits, and
/// what follows after a space says what they are.
fn blocks() -> Vec<(&'static str, Vec<u8>)> {
    let mut lines = DOC.lines();
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(label) = line.strip_prefix("```hex ") {
            let inside = lines.by_ref().take_while(|line| *line != "```");
            let digits: String = inside.filter_map(|line| line.split(' ').next()).collect();
            blocks.push((label, hex::decode(digits).unwrap()));
        }
    }
    blocks
}

fn block(label: &str) -> Vec<u8> {
    let found: Vec<_> = blocks()
        .into_iter()
        .filter(|(name, _)| *name == label)
        .collect();
    assert_eq!(found.len(), 1, "blocks with the label {label}");
    found[0].1.clone()
}

#[track_caller]
fn says(what: &str) {
    let quoted = format!("`{what}`");
    assert!(DOC.contains(&quoted), "the document does not hold {quoted}");
}

fn decode_tx(bytes: &[u8]) -> Tx {
    match decode(bytes, &spec(), &chain()).unwrap() {
        Decoded::Tx(tx) => *tx,
        Decoded::Bundle(_) => panic!("is a bundle"),
    }
}

fn check_signature(tx: &Tx) {
    assert!(verify((&tx.key, &tx.sign_hash, &tx.signature)));
    says(&hex::encode(tx.sign_hash));
    says(&hex::encode(tx.hash));
}

fn bid() -> Action {
    Action::Order(Order {
        client_id: Some(7),
        ..Order::limit(MarketId(1), Side::Buy, 990_000, 5_000)
    })
}

fn body(secret: &Secret, sub: u16, nonce: u64, action: Action) -> TxBody {
    TxBody {
        chain: chain(),
        account: Account::new(secret.id(), sub),
        key: secret.public(),
        nonce,
        expiry: EXPIRY,
        actions: vec![action],
    }
}

fn first() -> TxBody {
    body(&ed25519(), 0, TIME, bid())
}

fn second() -> TxBody {
    let cancel = Action::Cancel(Cancel::All(None));
    body(&secp256k1(), 3, TIME + 1, cancel)
}

/// One of each form of action, by the label of its block.
fn actions() -> Vec<(&'static str, Action)> {
    let group = GroupId(0);
    let order = OrderId(16_777_216);
    let amend = |order, keep_on_reject| {
        Action::Amend(Amend {
            order,
            price: 991_000,
            size: 6_000,
            keep_on_reject,
            max_fills: 32,
        })
    };
    let client = OrderRef::Client {
        group,
        client_id: 7,
    };
    let mut actions = vec![
        ("action-order", ask()),
        ("action-order-iceberg", iceberg()),
        ("action-order-stop", stop()),
        ("action-order-trailing", trailing_stop()),
        ("action-order-pegged", pegged()),
        ("action-order-twap", twap()),
        ("action-amend-id", amend(OrderRef::Id(order), false)),
        ("action-amend-client", amend(client, true)),
    ];
    let client_id = 7;
    let cancels = [
        ("action-cancel-order", Cancel::Order(order)),
        ("action-cancel-client", Cancel::Client { group, client_id }),
        ("action-cancel-label", Cancel::Label { group, label: 3 }),
        ("action-cancel-market", Cancel::Market(MarketId(1))),
        ("action-cancel-group", Cancel::All(Some(group))),
    ];
    actions.extend(cancels.map(|(label, cancel)| (label, Action::Cancel(cancel))));
    actions.extend(money_and_keys());
    actions.extend(several());
    actions.extend(portfolio());
    actions
}

fn ask() -> Action {
    let order = Order::limit(MarketId(1), Side::Sell, 1_010_000, 500);
    Action::Order(Order {
        tif: TimeInForce::Gtt(TIME + 600_000),
        label: 3,
        self_trade: SelfTrade::Decrement,
        self_trade_scope: SelfTradeScope::Master,
        ..order.post_only(PostOnly::Reject)
    })
}

fn iceberg() -> Action {
    Action::Order(Order {
        tif: TimeInForce::Gtb(250_000),
        client_id: Some(7),
        display: Some(500),
        ..Order::limit(MarketId(1), Side::Buy, 990_000, 5_000)
    })
}

/// Closes a long position at any price down to `worst`.
fn close(worst: i64, source: PriceSource, condition: Condition) -> Order {
    Order {
        tif: TimeInForce::Ioc,
        reduce_only: true,
        trigger: Some(Trigger { source, condition }),
        ..Order::limit(MarketId(1), Side::Sell, worst, 5_000)
    }
}

fn stop_order() -> Order {
    close(950_000, PriceSource::Mark, Condition::AtOrBelow(970_000))
}

fn stop() -> Action {
    Action::Order(stop_order())
}

/// Three ticks under the index, never above 990,000.
fn pegged() -> Action {
    let peg = Peg {
        to: PegTo::Index,
        offset: -3,
    };
    Action::Order(Order {
        peg: Some(peg),
        ..Order::limit(MarketId(1), Side::Buy, 990_000, 5_000).post_only(PostOnly::Slide)
    })
}

/// An hour of slices a minute apart, at most half a percent above the mark.
fn twap() -> Action {
    let twap = Twap {
        duration_ms: 3_600_000,
        interval_ms: 60_000,
        tolerance_ppm: 5_000,
    };
    Action::Order(Order {
        twap: Some(twap),
        ..Order::limit(MarketId(1), Side::Buy, 1_010_000, 5_000)
    })
}

/// Closes a long position at a profit, or at the stop.
fn linked() -> Linked {
    let profit = Order::limit(MarketId(1), Side::Sell, 1_050_000, 5_000);
    Linked {
        kind: LinkKind::Oco,
        rule: LinkRule::Incremental,
        order: profit.post_only(PostOnly::Reject),
        legs: vec![stop_order()],
    }
}

fn trailing_stop() -> Action {
    let condition = Condition::Trail {
        distance: Distance::Ppm(20_000),
        activation: 1_020_000,
    };
    Action::Order(close(900_000, PriceSource::Index, condition))
}

fn several() -> [(&'static str, Action); 4] {
    let group = GroupId(0);
    let market = MarketId(1);
    let order = Order::limit(market, Side::Buy, 990_000, 5_000).post_only(PostOnly::Reject);
    let scale = Scale {
        order,
        last_price: 980_000,
        orders: 5,
        last_size_ppm: 2_000_000,
    };
    let bid = QuoteSide {
        price: 990_000,
        size: 500,
    };
    let quotes = Quotes {
        group,
        post_only: PostOnly::Slide,
        quotes: vec![Quote {
            market,
            bid: Some(bid),
            ask: None,
        }],
    };
    let protection = SetProtection {
        group,
        interval_ms: 1_000,
        freeze_ms: 10_000,
        notional: 10_000_000_000,
        delta: 0,
        vega: 1_000_000_000,
    };
    [
        ("action-scale", Action::Scale(scale)),
        ("action-quotes", Action::Quotes(quotes)),
        ("action-set-protection", Action::SetProtection(protection)),
        ("action-linked", Action::Linked(linked())),
    ]
}

fn portfolio() -> [(&'static str, Action); 2] {
    let ratio = |thousandths: i64| thousandths * (ONE / 1_000);
    let node = |k, variance| Node { k, variance };
    let nodes = vec![
        node(ratio(-100), ratio(12) / 10),
        node(ratio(100), ratio(1)),
    ];
    let svi = Svi {
        a: ratio(4),
        b: ratio(20),
        rho: ratio(-300),
        m: ratio(10),
        sigma: ratio(100),
    };
    let day = 86_400;
    let expiry = |days: u32, forward, rate, curve| ExpirySurface {
        expiry: TIME + u64::from(days * day) * 1_000,
        forward,
        rate,
        tenor: days * day,
        curve,
    };
    let surface = SetSurface {
        group: GroupId(0),
        expiries: vec![
            expiry(1, 1_000_000_000, 0, Curve::Nodes(nodes)),
            expiry(7, 1_002_000_000, ratio(50), Curve::Svi(svi)),
        ],
    };
    [
        (
            "action-set-margin-mode",
            Action::SetMarginMode(MarginMode::Portfolio),
        ),
        ("action-set-surface", Action::SetSurface(surface)),
    ]
}

fn money_and_keys() -> [(&'static str, Action); 6] {
    let id = ed25519().id();
    let transfer = Transfer {
        asset: AssetId(0),
        amount: 1_500_000,
        to: Account::new(id, 7),
    };
    let agent = SetAgent {
        key: id,
        expiry: TIME + 86_400_000,
        markets: vec![MarketId(0), MarketId(1)],
        max_notional: 10_000_000_000,
    };
    let market = MarketId(1);
    let price = |kind, price| PriceUpdate {
        market,
        kind,
        price,
    };
    let prices = vec![
        price(PriceKind::Mark, 1_000_000),
        price(PriceKind::Index, 999_500),
    ];
    let status = SetMarketStatus {
        market,
        status: MarketStatus::CancelOnly,
    };
    [
        ("action-transfer", Action::Transfer(transfer)),
        ("action-set-agent", Action::SetAgent(agent)),
        ("action-remove-agent", Action::RemoveAgent(id)),
        ("action-set-prices", Action::SetPrices(prices)),
        ("action-set-status", Action::SetMarketStatus(status)),
        ("action-cancel-after", Action::CancelAfter(30_000)),
    ]
}

#[test]
fn actions_have_the_bytes_shown() {
    let mut kinds = BTreeSet::new();
    for (label, action) in actions() {
        let bytes = borsh::to_vec(&action).unwrap();
        assert_eq!(hex::encode(block(label)), hex::encode(&bytes), "{label}");
        kinds.insert(bytes[0]);
    }
    let of_actions = blocks();
    let of_actions = of_actions
        .iter()
        .filter(|(label, _)| label.starts_with("action-"));
    assert_eq!(of_actions.count(), actions().len());
    assert_eq!(kinds, (0..15).collect());
}

#[test]
fn keys_have_the_addresses_shown() {
    for secret in [ed25519(), secp256k1()] {
        says(&hex::encode(secret.to_bytes()));
        says(&secret.id().to_string());
        match secret.public() {
            PublicKey::Ed25519(key) => says(&hex::encode(key)),
            PublicKey::Secp256k1(key) => says(&hex::encode(key)),
        }
    }
    says(&hex::encode(ingress().to_bytes()));
    says(&hex::encode(chain()));
}

#[test]
fn native_transactions_have_the_bytes_shown() {
    for (label, body, secret) in [
        ("tx-ed25519", first(), ed25519()),
        ("tx-secp256k1", second(), secp256k1()),
    ] {
        let shown = block(label);
        let made = sign_native(&body, &secret);
        assert_eq!(hex::encode(&shown), hex::encode(made), "{label}");
        assert!(DOC.contains(&format!("{} bytes:", shown.len())), "{label}");

        let tx = decode_tx(&shown);
        assert_eq!(tx.actions, body.actions);
        assert_eq!((tx.account, tx.nonce), (body.account, body.nonce));
        assert_eq!((tx.expiry, tx.scheme), (EXPIRY, Scheme::Native));
        assert_eq!(
            tx.sign_hash,
            native_sign_hash(&chain(), &shown[1..shown.len() - 64])
        );
        assert_eq!(tx.hash, tx_hash(&shown));
        check_signature(&tx);
    }
}

/// Where the table says that the fields of the envelope lie.
#[test]
fn fields_of_an_envelope_lie_where_the_table_says() {
    for (body, secret) in [(first(), ed25519()), (second(), secp256k1())] {
        let tx = sign_native(&body, &secret);
        let (longer, tag) = match body.key {
            PublicKey::Ed25519(_) => (0, [0]),
            PublicKey::Secp256k1(_) => (1, [1]),
        };
        let sub = body.account.sub.to_le_bytes();
        let (nonce, expiry) = (body.nonce.to_le_bytes(), body.expiry.to_le_bytes());
        let fields: [(usize, &[u8]); 8] = [
            (0, &[1]),
            (1, &body.chain),
            (33, &body.account.master.0),
            (53, &sub),
            (55, &tag),
            (88 + longer, &nonce),
            (96 + longer, &expiry),
            (104 + longer, &[1, 0, 0, 0]),
        ];
        for (at, bytes) in fields {
            assert_eq!(&tx[at..at + bytes.len()], bytes, "at {at}");
        }
        let action = borsh::to_vec(&body.actions[0]).unwrap();
        assert_eq!(&tx[108 + longer..tx.len() - 64], action);
    }
}

#[test]
fn the_bundle_has_the_bytes_shown() {
    let shown = block("bundle");
    let txs = [
        sign_native(&first(), &ed25519()),
        sign_native(&second(), &secp256k1()),
    ];
    let made = encode_bundle(&txs, TIME + 2, &chain(), &ingress());
    assert_eq!(hex::encode(&shown), hex::encode(made));
    assert!(DOC.contains(&format!("{} bytes:", shown.len())));

    let bundle = decode_bundle(&shown).unwrap();
    assert_eq!((bundle.stamp, bundle.body), (TIME + 2, &shown[65..]));
    assert_eq!(PublicKey::Ed25519(bundle.origin), ingress().public());
    assert!(verify_ingress(
        &chain(),
        &bundle.origin,
        bundle.body,
        &bundle.signature
    ));
    says(&hex::encode(ingress_sign_hash(&chain(), bundle.body)));
    assert_eq!(bundle.txs, txs);
}

fn check_cosmos(label: &str, sequence: u64) -> Tx {
    let shown = block(label);
    let tx = decode_tx(&shown);
    let timeout_height = 0;
    assert_eq!(
        tx.scheme,
        Scheme::Cosmos {
            sequence,
            timeout_height
        }
    );
    assert_eq!(tx.key, secp256k1().public());
    assert_eq!(tx.signature, secp256k1().sign(&tx.sign_hash));
    assert_eq!(tx.signature, shown[shown.len() - 64..]);
    check_signature(&tx);
    tx
}

#[test]
fn cosmos_transactions_have_the_bytes_shown() {
    let tx = check_cosmos("cosmos-actions", 0);
    let body = MsgActionsBody {
        account: Account::new(secp256k1().id(), 0),
        nonce: TIME + 3,
        actions: vec![Action::Cancel(Cancel::Market(MarketId(1)))],
    };
    assert_eq!(body.to_bytes(), block("cosmos-msg-actions"));
    assert_eq!((tx.account, tx.nonce), (body.account, body.nonce));
    assert_eq!(tx.actions, body.actions);
    let document = Sha256::digest(block("cosmos-actions-sign-doc"));
    assert_eq!(tx.sign_hash, <Hash>::from(document));

    let tx = check_cosmos("cosmos-send", 1);
    let transfer = Transfer {
        asset: AssetId(0),
        amount: 1_500_000,
        to: Account::new(ed25519().id(), 0),
    };
    assert_eq!((tx.account, tx.nonce), (body.account, 0));
    assert_eq!(tx.actions, [Action::Transfer(transfer)]);
}

/// The bytes of some variants in their order, and the row of the document that numbers them.
type Numbered = (Vec<Vec<u8>>, &'static str);

fn bytes<T: borsh::BorshSerialize>(variants: &[T]) -> Vec<Vec<u8>> {
    let bytes = variants.iter().map(|it| borsh::to_vec(it).unwrap());
    bytes.collect()
}

fn enums_of_orders() -> [Numbered; 5] {
    let times = [
        TimeInForce::Gtc,
        TimeInForce::Gtt(5),
        TimeInForce::Ioc,
        TimeInForce::Fok,
        TimeInForce::Gtb(6),
    ];
    let post_only = [PostOnly::No, PostOnly::Reject, PostOnly::Slide];
    let self_trade = [
        SelfTrade::CancelTaker,
        SelfTrade::CancelMaker,
        SelfTrade::CancelBoth,
        SelfTrade::Decrement,
    ];
    let scopes = [SelfTradeScope::Account, SelfTradeScope::Master];
    [
        (bytes(&[Side::Buy, Side::Sell]), "side | 0 buy, 1 sell"),
        (
            bytes(&times),
            "time in force | 0 GTC, 1 GTT (followed by u64 ms), 2 IOC, 3 FOK, 4 GTB (followed by \
             u64 height)",
        ),
        (bytes(&post_only), "post-only | 0 no, 1 reject, 2 slide"),
        (
            bytes(&self_trade),
            "self-trade | 0 cancel taker, 1 cancel maker, 2 cancel both, 3 decrement",
        ),
        (bytes(&scopes), "self-trade scope | 0 account, 1 master"),
    ]
}

fn enums_of_links() -> [Numbered; 3] {
    let pegs = [PegTo::Index, PegTo::Bid, PegTo::Ask];
    let kinds = [LinkKind::Oco, LinkKind::Oto, LinkKind::Otoco];
    let rules = [
        LinkRule::FirstHit,
        LinkRule::CompleteFill,
        LinkRule::Incremental,
    ];
    [
        (
            bytes(&pegs),
            "price followed by a peg | 0 index, 1 bid, 2 ask",
        ),
        (bytes(&kinds), "kind of a link | 0 OCO, 1 OTO, 2 OTOCO"),
        (
            bytes(&rules),
            "rule of a link | 0 first hit, 1 complete fill, 2 incremental",
        ),
    ]
}

fn enums_of_margin() -> [Numbered; 2] {
    let svi = Svi {
        a: 1,
        b: 2,
        rho: 3,
        m: 4,
        sigma: 5,
    };
    let curves = [Curve::Nodes(Vec::new()), Curve::Svi(svi)];
    [
        (
            bytes(&[MarginMode::Standard, MarginMode::Portfolio]),
            "margin mode | 0 standard, 1 portfolio",
        ),
        (
            bytes(&curves),
            "curve of a surface | 0 points (u32 count, then of each i64 log-moneyness and i64 \
             variance), 1 SVI (i64 a, b, rho, m, sigma)",
        ),
    ]
}

fn enums_of_prices() -> [Numbered; 5] {
    let sources = [PriceSource::Mark, PriceSource::Index, PriceSource::Last];
    let trail = Condition::Trail {
        distance: Distance::Ppm(3),
        activation: 4,
    };
    let conditions = [Condition::AtOrAbove(1), Condition::AtOrBelow(2), trail];
    let distances = [Distance::Ticks(7), Distance::Ppm(8)];
    let statuses = [
        MarketStatus::Open,
        MarketStatus::PostOnly,
        MarketStatus::CancelOnly,
        MarketStatus::Suspended,
        MarketStatus::Auction,
        MarketStatus::Settled,
    ];
    [
        (
            bytes(&sources),
            "price watched by a trigger | 0 mark, 1 index, 2 last",
        ),
        (
            bytes(&conditions),
            "condition of a trigger | 0 at or above (i64 ticks), 1 at or below (i64 ticks), 2 \
             trail (distance, then i64 activation)",
        ),
        (
            bytes(&distances),
            "distance of a trail | 0 ticks (i64), 1 millionths (u32)",
        ),
        (
            bytes(&[PriceKind::Mark, PriceKind::Index]),
            "kind of a price | 0 mark, 1 index",
        ),
        (
            bytes(&statuses),
            "market status | 0 open, 1 post-only, 2 cancel-only, 3 suspended, 4 auction, 5 settled",
        ),
    ]
}

/// The enum numbers, of which the examples show only some.
#[test]
fn enums_have_the_numbers_of_the_table() {
    let (orders, prices) = (enums_of_orders(), enums_of_prices());
    let (links, margin) = (enums_of_links(), enums_of_margin());
    let all = orders.iter().chain(&prices).chain(&links).chain(&margin);
    for (bytes, row) in all {
        assert!(DOC.contains(&format!("| {row} |")), "{row}");
        let numbers: Vec<u8> = bytes.iter().map(|it| it[0]).collect();
        let expected: Vec<u8> = (0..).take(bytes.len()).collect();
        assert_eq!(numbers, expected, "{row}");
    }
    assert_eq!(orders[1].0[4], [4, 6, 0, 0, 0, 0, 0, 0, 0]);
    let trail = [2, 1, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(prices[1].0[2], trail);
    assert_eq!(prices[2].0[0].len(), 9);
}

/// By the rule of execution.md.
#[test]
fn the_future_is_settled_as_shown() {
    let minute = 60_000;
    let weight = i128::from(SETTLEMENT_WINDOW_MS);
    assert_eq!(weight, 30 * minute);
    let sum = 1_000_000 * 20 * minute + 1_003_001 * 10 * minute;
    let price = (sum + weight / 2) / weight;
    let cost = 500 * 995_000 * 10;
    let gain = 500 * price * 10 - cost;
    assert_eq!((price, cost, gain), (1_001_000, 4_975_000_000, 30_000_000));
    for shown in [
        "(1,000,000 * 1,200,000 ms + 1,003,001 * 600,000 ms + 900,000) / 1,800,000 = 1,001,000\n",
        "`500 * 1,001,000 * 10 - 4,975,000,000 = 30,000,000`",
    ] {
        assert!(DOC.contains(shown), "{shown}");
    }
}

#[test]
fn addresses_of_the_document_read_back() {
    let secrets = [ed25519(), secp256k1()];
    for id in secrets.map(|secret| secret.id()) {
        assert_eq!(id.to_string().parse::<AccountId>(), Ok(id));
    }
}

#[test]
fn the_table_of_codes_lists_exactly_all() {
    let (_, section) = DOC.split_once("\n## Result codes\n").unwrap();
    let (section, _) = section.split_once("\nPools answer").unwrap();
    let rows = section.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let number: u16 = cells.next()?.parse().ok()?;
        Some((number, cells.next()?.to_owned()))
    });
    let shown: Vec<_> = rows.collect();
    let all = Code::ALL.iter();
    let all: Vec<_> = all
        .map(|code| (code.number(), code.name().to_owned()))
        .collect();
    assert_eq!(shown, all);
}
