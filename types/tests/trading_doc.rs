//! The bytes in `docs/trading.md`, derived again.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

mod common;

use ballast_types::{
    Account, AccountId, Action, Amend, AssetId, Cancel, ChainSpec, Code, Decoded, GroupId, Hash,
    MarketId, MsgActionsBody, Order, OrderId, OrderRef, PostOnly, PriceKind, PriceUpdate, PublicKey,
    Scheme, Secret, SelfTrade, SelfTradeScope, SetAgent, Side, TimeInForce, Transfer, Tx, TxBody, chain_hash, decode, decode_bundle,
    encode_bundle, ingress_sign_hash, native_sign_hash, sign_native, tx_hash, verify,
    verify_ingress,
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
        market: MarketId(1),
        side: Side::Buy,
        price: 990_000,
        size: 5_000,
        tif: TimeInForce::Gtc,
        post_only: PostOnly::No,
        reduce_only: false,
        client_id: Some(7),
        label: 0,
        max_fills: 32,
        self_trade: SelfTrade::CancelTaker,
        self_trade_scope: SelfTradeScope::Account,
        display: None,
        trigger: None,
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
    actions
}

fn ask() -> Action {
    Action::Order(Order {
        market: MarketId(1),
        side: Side::Sell,
        price: 1_010_000,
        size: 500,
        tif: TimeInForce::Gtt(TIME + 600_000),
        post_only: PostOnly::Reject,
        reduce_only: false,
        client_id: None,
        label: 3,
        max_fills: 0,
        self_trade: SelfTrade::Decrement,
        self_trade_scope: SelfTradeScope::Master,
        display: Some(100),
        trigger: None,
    })
}

fn money_and_keys() -> [(&'static str, Action); 4] {
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
    let price = PriceUpdate {
        market: MarketId(1),
        kind: PriceKind::Mark,
        price: 1_000_000,
    };
    [
        ("action-transfer", Action::Transfer(transfer)),
        ("action-set-agent", Action::SetAgent(agent)),
        ("action-remove-agent", Action::RemoveAgent(id)),
        ("action-set-prices", Action::SetPrices(vec![price])),
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
    assert_eq!(kinds, (0..7).collect());
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

/// The enum numbers that no example shows.
#[test]
fn enums_have_the_numbers_of_the_table() {
    let number = |bytes: Vec<u8>| bytes[0];
    let sides = [Side::Buy, Side::Sell];
    assert_eq!(sides.map(|it| number(borsh::to_vec(&it).unwrap())), [0, 1]);
    let times = [
        TimeInForce::Gtc,
        TimeInForce::Gtt(5),
        TimeInForce::Ioc,
        TimeInForce::Fok,
    ];
    let bytes = times.map(|it| borsh::to_vec(&it).unwrap());
    assert_eq!(bytes[1], [1, 5, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes.map(number), [0, 1, 2, 3]);
    for row in [
        "| side | 0 buy, 1 sell |",
        "| time in force | 0 GTC, 1 GTT (followed by u64 ms), 2 IOC, 3 FOK |",
    ] {
        assert!(DOC.contains(row), "{row}");
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
