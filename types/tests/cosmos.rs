//! Cosmos transactions as a wallet makes them: with cosmrs' SignDoc, in SIGN_MODE_DIRECT.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::too_many_lines)]

mod common;

use ballast_types::{
    Account, AccountId, Action, AssetId, Cancel, Code, Decoded, MSG_ACTIONS_URL, MSG_SEND_URL,
    MsgActionsBody, Scheme, Secret, Transfer, Tx, chain_hash, decode, tx_hash, verify,
};
use common::{CHAIN_ID, order, spec};
use cosmrs::Any;
use cosmrs::crypto::secp256k1::SigningKey;
use cosmrs::proto::cosmos::bank::v1beta1::MsgSend;
use cosmrs::proto::cosmos::base::v1beta1::Coin;
use cosmrs::proto::traits::Message;
use cosmrs::tx::{Body, Fee, SignDoc, SignerInfo};

const SECRET: [u8; 32] = [6; 32];

fn signer() -> AccountId {
    Secret::secp256k1(SECRET).unwrap().id()
}

fn receiver() -> AccountId {
    AccountId([9; 20])
}

/// How a test transaction differs from a good one.
struct Wallet {
    chain_id: &'static str,
    account_number: u64,
    sequence: u64,
    timeout_height: u32,
}

const GOOD: Wallet = Wallet {
    chain_id: CHAIN_ID,
    account_number: 0,
    sequence: 4,
    timeout_height: 0,
};

impl Wallet {
    fn sign(&self, messages: Vec<Any>) -> Vec<u8> {
        let key = SigningKey::from_slice(&SECRET).unwrap();
        let body = Body::new(messages, "a memo", self.timeout_height);
        let signer = SignerInfo::single_direct(Some(key.public_key()), self.sequence);
        let coin = cosmrs::Coin {
            denom: "usdc".parse().unwrap(),
            amount: 0,
        };
        let auth = signer.auth_info(Fee::from_amount_and_gas(coin, 200_000_u64));
        let chain_id = self.chain_id.parse().unwrap();
        let document = SignDoc::new(&body, &auth, &chain_id, self.account_number).unwrap();
        document.sign(&key).unwrap().to_bytes().unwrap()
    }
}

fn any(url: &str, message: &impl Message) -> Any {
    Any {
        type_url: url.to_owned(),
        value: message.encode_to_vec(),
    }
}

fn send(from: &str, to: &str, coins: &[(&str, &str)]) -> Any {
    let coin = |(denom, amount): &(&str, &str)| Coin {
        denom: (*denom).to_owned(),
        amount: (*amount).to_owned(),
    };
    let message = MsgSend {
        from_address: from.to_owned(),
        to_address: to.to_owned(),
        amount: coins.iter().map(coin).collect(),
    };
    any(MSG_SEND_URL, &message)
}

fn good_send() -> Any {
    send(
        &signer().to_string(),
        &receiver().to_string(),
        &[("usdc", "5")],
    )
}

fn actions(body: &MsgActionsBody) -> Any {
    let borsh = borsh::to_vec(body).unwrap();
    let mut value = vec![0x0a];
    // A length in protobuf's base-128 form; these bodies need at most two bytes.
    match u8::try_from(borsh.len()).unwrap() {
        short @ ..0x80 => value.push(short),
        long => value.extend([long, 1]),
    }
    value.extend(borsh);
    Any {
        type_url: MSG_ACTIONS_URL.to_owned(),
        value,
    }
}

fn body() -> MsgActionsBody {
    MsgActionsBody {
        account: Account::new(signer(), 3),
        nonce: 1_700_000_000_500,
        actions: vec![Action::Order(order()), Action::Cancel(Cancel::All(None))],
    }
}

fn decode_tx(bytes: &[u8]) -> Result<Tx, Code> {
    match decode(bytes, &spec(), &chain_hash(CHAIN_ID))? {
        Decoded::Tx(tx) => Ok(*tx),
        Decoded::Bundle(_) => Err(Code::Undecodable),
    }
}

fn good_signature(tx: &Tx) -> bool {
    verify((&tx.key, &tx.sign_hash, &tx.signature))
}

#[test]
fn a_transfer_made_by_a_wallet_verifies() {
    let coins = [
        ("usdc", "5"),
        ("btc", "340282366920938463463374607431768211455"),
    ];
    let message = send(&signer().to_string(), &receiver().to_string(), &coins);
    let wallet = Wallet {
        timeout_height: 900,
        ..GOOD
    };
    let bytes = wallet.sign(vec![message, good_send()]);
    let tx = decode_tx(&bytes).unwrap();

    assert!(good_signature(&tx));
    assert_eq!(
        tx.scheme,
        Scheme::Cosmos {
            sequence: 4,
            timeout_height: 900
        }
    );
    assert_eq!(
        (tx.account, tx.key_id, tx.nonce),
        (Account::new(signer(), 0), signer(), 0)
    );
    assert_eq!((tx.hash, tx.len), (tx_hash(&bytes), bytes.len()));
    let transfer = |asset, amount| {
        let to = Account::new(receiver(), 0);
        Action::Transfer(Transfer {
            asset: AssetId(asset),
            amount,
            to,
        })
    };
    assert_eq!(
        tx.actions,
        [transfer(0, 5), transfer(1, u128::MAX), transfer(0, 5)]
    );
}

#[test]
fn actions_made_by_a_wallet_verify() {
    let tx = decode_tx(&GOOD.sign(vec![actions(&body())])).unwrap();
    assert!(good_signature(&tx));
    assert_eq!((tx.account, tx.nonce), (body().account, body().nonce));
    assert_eq!(tx.actions, body().actions);
    assert_eq!(
        tx.scheme,
        Scheme::Cosmos {
            sequence: 4,
            timeout_height: 0
        }
    );
}

#[test]
fn a_signature_for_another_chain_or_account_number_does_not_verify() {
    for wallet in [
        Wallet {
            chain_id: "types-2",
            ..GOOD
        },
        Wallet {
            account_number: 1,
            ..GOOD
        },
    ] {
        let tx = decode_tx(&wallet.sign(vec![good_send()])).unwrap();
        assert!(
            !good_signature(&tx),
            "{} {}",
            wallet.chain_id,
            wallet.account_number
        );
    }
}

#[test]
fn no_byte_of_a_wallets_transaction_may_change() {
    let bytes = GOOD.sign(vec![actions(&body())]);
    let good = decode_tx(&bytes).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        if let Ok(tx) = decode_tx(&changed) {
            assert_ne!(tx, good, "byte {at}");
            assert!(!good_signature(&tx), "byte {at}");
        }
        assert!(decode_tx(&bytes[..at]).is_err(), "{at} bytes");
    }
}

#[test]
fn only_one_encoding_of_the_envelope_counts() {
    let good = GOOD.sign(vec![good_send()]);
    let unknown_field = [good.as_slice(), &[0x78, 1]].concat();
    let long_length = [&[0x0a, good[1] | 0x80, good[2] | 0x80, 0], &good[3..]].concat();
    assert_eq!(good[1] >> 7, 1, "the body's length has two bytes");
    for bytes in [unknown_field, long_length] {
        assert_eq!(decode_tx(&bytes), Err(Code::Undecodable));
    }
}

#[test]
fn what_decodes_to_which_code() {
    let (us, them) = (signer().to_string(), receiver().to_string());
    let empty = MsgActionsBody {
        actions: vec![],
        ..body()
    };
    let many = MsgActionsBody {
        actions: vec![Action::Cancel(Cancel::All(None)); 65],
        ..body()
    };
    let mut trailing = actions(&body());
    trailing.value.push(0);
    let unknown = Any {
        type_url: "/cosmos.gov.v1.MsgVote".to_owned(),
        value: vec![],
    };
    let cases: Vec<(&str, Vec<Any>, Result<(), Code>)> = vec![
        ("a transfer", vec![good_send()], Ok(())),
        ("actions", vec![actions(&body())], Ok(())),
        ("no message", vec![], Err(Code::NoActions)),
        (
            "no coins",
            vec![send(&us, &them, &[])],
            Err(Code::NoActions),
        ),
        ("no actions", vec![actions(&empty)], Err(Code::NoActions)),
        (
            "65 actions",
            vec![actions(&many)],
            Err(Code::TooManyActions),
        ),
        ("64 transfers", vec![good_send(); 64], Ok(())),
        (
            "65 transfers",
            vec![good_send(); 65],
            Err(Code::TooManyActions),
        ),
        (
            "two batches",
            vec![actions(&body()); 2],
            Err(Code::Undecodable),
        ),
        (
            "a transfer and a batch",
            vec![good_send(), actions(&body())],
            Err(Code::Undecodable),
        ),
        ("a byte behind", vec![trailing], Err(Code::Undecodable)),
        ("another message", vec![unknown], Err(Code::Undecodable)),
        (
            "of another's",
            vec![send(&them, &us, &[("usdc", "5")])],
            Err(Code::KeyNotAllowed),
        ),
        (
            "to nobody",
            vec![send(&us, "x", &[("usdc", "5")])],
            Err(Code::UnknownAccount),
        ),
        (
            "of what",
            vec![send(&us, &them, &[("doge", "5")])],
            Err(Code::UnknownAsset),
        ),
        (
            "a fraction",
            vec![send(&us, &them, &[("usdc", "0.5")])],
            Err(Code::BadAmount),
        ),
        (
            "negative",
            vec![send(&us, &them, &[("usdc", "-5")])],
            Err(Code::BadAmount),
        ),
        (
            "2^128",
            vec![send(
                &us,
                &them,
                &[("usdc", "340282366920938463463374607431768211456")],
            )],
            Err(Code::BadAmount),
        ),
    ];
    for (name, messages, expected) in cases {
        assert_eq!(
            decode_tx(&GOOD.sign(messages)).map(|_| ()),
            expected,
            "{name}"
        );
    }
}
