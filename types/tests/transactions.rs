//! Native transactions and bundles, byte by byte.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use ballast_types::{
    Account, Action, Cancel, Code, Decoded, MAX_BUNDLE_TXS, PriceUpdate, Scheme, Secret, SetAgent,
    Tx, TxBody, chain_hash, decode, decode_bundle, encode_bundle, encode_native, native_sign_hash,
    sign_native, tx_hash, verify, verify_ingress,
};
use common::{CHAIN_ID, action, body, order, spec};
use proptest::prelude::*;

fn secret() -> Secret {
    Secret::ed25519([1; 32])
}

fn example() -> TxBody {
    TxBody {
        chain: chain_hash(CHAIN_ID),
        account: Account::new(secret().id(), 2),
        key: secret().public(),
        nonce: 1_700_000_000_123,
        expiry: 1_700_000_060_000,
        actions: vec![Action::Order(order()), Action::Cancel(Cancel::All(None))],
    }
}

fn decode_tx(bytes: &[u8]) -> Result<Tx, Code> {
    match decode(bytes, &spec(), &chain_hash(CHAIN_ID))? {
        Decoded::Tx(tx) => Ok(*tx),
        Decoded::Bundle(_) => Err(Code::Undecodable),
    }
}

fn with_actions(actions: Vec<Action>) -> Vec<u8> {
    sign_native(
        &TxBody {
            actions,
            ..example()
        },
        &secret(),
    )
}

/// The worked example: every field where the documentation says that it lies.
#[test]
fn an_envelope_byte_by_byte() {
    let chain = "2902b24e2182643650455dd084ac9be1dc86cec821d52ae668f03bd9f23507a2";
    let body = [
        ("chain id hash", chain),
        ("master", "34750f98bd59fcfc946da45aaabe933be154a4b5"),
        ("subaccount", "0200"),
        ("key: Ed25519", "00"),
        (
            "key",
            "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
        ),
        ("nonce", "7b68e5cf8b010000"),
        ("expiry", "6052e6cf8b010000"),
        ("actions", "02000000"),
        ("action: order", "00"),
        ("market", "00000000"),
        ("side: sell", "01"),
        ("price", "c027090000000000"),
        ("size", "1900000000000000"),
        ("time in force: good until", "01"),
        ("until", "c08feecf8b010000"),
        ("post-only: no", "00"),
        ("reduce-only: yes", "01"),
        ("client id: given", "01"),
        ("client id", "07000000000000000000000000000000"),
        ("label", "03000000"),
        ("max_fills", "2000"),
        ("self-trade: cancel taker", "00"),
        ("self-trade scope: account", "00"),
        ("display: none", "00"),
        ("trigger: none", "00"),
        ("peg: none", "00"),
        ("schedule: none", "00"),
        ("action: cancel", "02"),
        ("cancel: all", "04"),
        ("group: every", "00"),
    ];
    let body: Vec<_> = body
        .iter()
        .flat_map(|(_, hex)| hex::decode(hex).unwrap())
        .collect();
    let sign_hash = native_sign_hash(&chain_hash(CHAIN_ID), &body);
    let signature = secret().sign(&sign_hash);
    let bytes = [&[0x01], body.as_slice(), &signature].concat();

    assert_eq!(
        hex::encode(sign_native(&example(), &secret())),
        hex::encode(&bytes)
    );
    let tx = decode_tx(&bytes).unwrap();
    assert_eq!(tx.sign_hash, sign_hash);
    assert_eq!(tx.hash, tx_hash(&bytes));
    assert!(verify((&tx.key, &tx.sign_hash, &tx.signature)));
    assert_eq!(
        hex::encode(tx.sign_hash),
        "610941aa39b623b66e5b9d1f6f86390dff8e040afa3be52078fc2812ac4206b9"
    );
    let (r, s) = tx.signature.split_at(32);
    assert_eq!(
        hex::encode(r),
        "b22cce7e86cbdf3d1d242bfc66f74e32f31dda739e4e4dc639e10988f1e7093c"
    );
    assert_eq!(
        hex::encode(s),
        "2c267c9a77d6ac4ef32c1f7d6b9063b602bee6e4f8ccb555a1cec0de72a65b02"
    );
    assert_eq!(
        hex::encode(tx.hash),
        "9607f3459b67b07c3e0404bab774947986ba4333dd2924600f2a7649d4a59e98"
    );
}

#[test]
fn what_decodes_to_which_code() {
    let good = sign_native(&example(), &secret());
    let order = Action::Order(order());
    let price = PriceUpdate {
        market: ballast_types::MarketId(0),
        kind: ballast_types::PriceKind::Mark,
        price: 1,
    };
    let agent = |markets: usize| {
        Action::SetAgent(SetAgent {
            key: secret().id(),
            expiry: 0,
            markets: vec![ballast_types::MarketId(0); markets],
            max_notional: 0,
        })
    };
    let behind = |byte: u8| [good.as_slice(), &[byte]].concat();
    let tagged = |tag: u8| [&[tag], &good[1..]].concat();
    let cases: &[(&str, Vec<u8>, Result<(), Code>)] = &[
        ("the example", good.clone(), Ok(())),
        ("nothing", vec![], Err(Code::Undecodable)),
        ("one byte", vec![1], Err(Code::Undecodable)),
        ("a byte behind", behind(0), Err(Code::Undecodable)),
        ("no envelope", tagged(0), Err(Code::Undecodable)),
        ("the reserved envelope", tagged(3), Err(Code::Undecodable)),
        ("text", b"{\"order\":1}".to_vec(), Err(Code::Undecodable)),
        ("no actions", with_actions(vec![]), Err(Code::NoActions)),
        ("64 actions", with_actions(vec![order.clone(); 64]), Ok(())),
        (
            "65 actions",
            with_actions(vec![order; 65]),
            Err(Code::TooManyActions),
        ),
        (
            "64 prices",
            with_actions(vec![Action::SetPrices(vec![price; 64])]),
            Ok(()),
        ),
        (
            "65 prices",
            with_actions(vec![Action::SetPrices(vec![price; 65])]),
            Err(Code::TooManyActions),
        ),
        ("8 agent markets", with_actions(vec![agent(8)]), Ok(())),
        (
            "9 agent markets",
            with_actions(vec![agent(9)]),
            Err(Code::TooManyActions),
        ),
        (
            "too long",
            with_actions(vec![Action::SetPrices(vec![price; 2_000])]),
            Err(Code::TooLarge),
        ),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(decode_tx(bytes).map(|_| ()), *expected, "{name}");
    }
}

#[test]
fn a_signature_covers_chain_and_body() {
    let bytes = sign_native(&example(), &secret());
    for at in 1..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        if let Ok(tx) = decode_tx(&changed) {
            assert!(
                !verify((&tx.key, &tx.sign_hash, &tx.signature)),
                "byte {at}"
            );
        }
    }
    let elsewhere = TxBody {
        chain: chain_hash("types-2"),
        ..example()
    };
    let tx = decode_tx(&encode_native(&elsewhere, bytes.last_chunk().unwrap())).unwrap();
    assert!(!verify((&tx.key, &tx.sign_hash, &tx.signature)));
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = sign_native(&example(), &secret());
    let bundle = encode_bundle(&[&bytes, &bytes], 5, &chain_hash(CHAIN_ID), &secret());
    for len in 0..bytes.len() {
        assert_eq!(
            decode_tx(&bytes[..len]),
            Err(Code::Undecodable),
            "{len} bytes"
        );
    }
    for len in 0..bundle.len() {
        assert_eq!(
            decode_bundle(&bundle[..len]),
            Err(Code::Undecodable),
            "{len} bytes"
        );
    }
    assert_eq!(
        decode_bundle(&[bundle.as_slice(), &[0]].concat()),
        Err(Code::Undecodable)
    );
}

#[test]
fn a_bundle_holds_native_transactions_and_only_so_many() {
    let chain = chain_hash(CHAIN_ID);
    let native: &[u8] = &[0x01, 9];
    let bundle = |txs: &[&[u8]]| encode_bundle(txs, 0, &chain, &secret());
    let cases: &[(&str, Vec<u8>, bool)] = &[
        ("one", bundle(&[native]), true),
        ("none", bundle(&[]), false),
        ("an empty one", bundle(&[native, &[]]), false),
        ("a bundle", bundle(&[native, &[0x02, 9]]), false),
        ("a Cosmos transaction", bundle(&[&[0x0a, 9]]), false),
        (
            "as many as may be",
            bundle(&vec![native; MAX_BUNDLE_TXS]),
            true,
        ),
        ("one more", bundle(&vec![native; MAX_BUNDLE_TXS + 1]), false),
    ];
    for (name, bytes, good) in cases {
        assert_eq!(decode_bundle(bytes).is_ok(), *good, "{name}");
    }
}

#[test]
fn the_origin_signs_a_bundle_for_one_chain() {
    let chain = chain_hash(CHAIN_ID);
    let bytes = encode_bundle(&[[0x01, 9]], 77, &chain, &secret());
    let bundle = decode_bundle(&bytes).unwrap();
    assert_eq!(bundle.stamp, 77);
    assert!(verify_ingress(
        &chain,
        &bundle.origin,
        bundle.body,
        &bundle.signature
    ));
    assert!(!verify_ingress(
        &chain_hash("x"),
        &bundle.origin,
        bundle.body,
        &bundle.signature
    ));
    assert!(!verify_ingress(
        &chain,
        &[9; 32],
        bundle.body,
        &bundle.signature
    ));
    let again = encode_bundle(&[[0x01, 9]], 78, &chain, &secret());
    assert_ne!(bytes, again, "another stamp makes another transaction");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn transactions_round_trip(body in body(secret().public()), secp in any::<bool>()) {
        let secret = if secp { Secret::secp256k1([1; 32]).unwrap() } else { secret() };
        let body = TxBody { key: secret.public(), ..body };
        let bytes = sign_native(&body, &secret);
        let tx = decode_tx(&bytes).unwrap();
        prop_assert!(verify((&tx.key, &tx.sign_hash, &tx.signature)));
        prop_assert_eq!((tx.scheme, tx.key_id, tx.len), (Scheme::Native, secret.id(), bytes.len()));
        prop_assert_eq!((tx.account, tx.nonce, tx.expiry), (body.account, body.nonce, body.expiry));
        prop_assert_eq!(tx.actions, body.actions);
    }

    #[test]
    fn actions_have_one_encoding(action in action()) {
        let bytes = borsh::to_vec(&action).unwrap();
        prop_assert_eq!(borsh::from_slice::<Action>(&bytes).unwrap(), action);
    }

    #[test]
    fn changed_bytes_never_panic_and_never_decode_to_the_same_bytes_twice(
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = sign_native(&example(), &secret());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(tx) = decode_tx(&bytes) {
            let body = TxBody {
                chain: tx.chain,
                account: tx.account,
                key: tx.key,
                nonce: tx.nonce,
                expiry: tx.expiry,
                actions: tx.actions,
            };
            prop_assert_eq!(encode_native(&body, &tx.signature), bytes);
        }
    }

    #[test]
    fn bundles_round_trip(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..20),
        stamp in any::<u64>(),
    ) {
        let txs: Vec<_> = pieces.iter().map(|piece| [&[0x01], piece.as_slice()].concat()).collect();
        let bytes = encode_bundle(&txs, stamp, &chain_hash(CHAIN_ID), &secret());
        let bundle = decode_bundle(&bytes).unwrap();
        prop_assert_eq!(&bundle.txs, &txs);
        prop_assert_eq!(bundle.stamp, stamp);
    }
}
