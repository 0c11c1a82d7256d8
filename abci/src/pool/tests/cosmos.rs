use ballast_types::PublicKey;
use ballast_types::{MSG_ACTIONS_URL, MsgActionsBody};
use prost::encoding::{WireType, encode_key, encode_varint};

use super::*;

fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_key(number, WireType::LengthDelimited, &mut out);
    encode_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

fn varint(number: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    encode_key(number, WireType::Varint, &mut out);
    encode_varint(value, &mut out);
    out
}

/// Owner of the account of Cosmos tests, which exists when a test's [`Books`] say so.
pub(crate) fn wallet(number: u8) -> Secret {
    Secret::secp256k1([number + 1; 32]).unwrap()
}

/// An order of `wallet(number)` as `TxRaw`, in SIGN_MODE_DIRECT.
pub(crate) fn cosmos(number: u8, sequence: u64) -> Bytes {
    let owner = wallet(number);
    let PublicKey::Secp256k1(key) = owner.public() else {
        panic!()
    };
    let actions = MsgActionsBody {
        account: Account::new(owner.id(), 0),
        nonce: NOW + sequence,
        actions: vec![order()],
    };
    let any = |url: &str, value: &[u8]| [field(1, url.as_bytes()), field(2, value)].concat();
    let message = any(
        MSG_ACTIONS_URL,
        &field(1, &borsh::to_vec(&actions).unwrap()),
    );
    let tx_body = field(1, &message);
    let public = any("/cosmos.crypto.secp256k1.PubKey", &field(1, &key));
    let mode = field(1, &varint(1, 1));
    let signer = [field(1, &public), field(2, &mode), varint(3, sequence)].concat();
    let auth = field(1, &signer);
    let document = [
        field(1, &tx_body),
        field(2, &auth),
        field(3, CHAIN.as_bytes()),
    ]
    .concat();
    let signature = owner.sign(&tx_hash(&document));
    [field(1, &tx_body), field(2, &auth), field(3, &signature)]
        .concat()
        .into()
}

#[test]
fn a_masters_sequences_come_in_order_and_used_ones_go() {
    let pool = pool();
    for sequence in [2, 0, 1, 4] {
        pool.submit(&cosmos(0, sequence)).unwrap();
    }
    let block = |height| pool.prepare(Vec::new(), BlockRoom { height, ..ample() });
    assert_eq!(
        block(1),
        [cosmos(0, 0), cosmos(0, 1)],
        "2 came too early for this block"
    );
    commit(&pool, 1, &[tx_hash(&cosmos(0, 0)), tx_hash(&cosmos(0, 1))]);
    let books = Books {
        sequence: 3,
        ..Books::default()
    };
    pool.committed(&super::block(2, NOW + 2, &[]), Arc::new(books));
    assert!(block(3).is_empty(), "3 is missing");
    assert_eq!(pool.len(), 1, "and 2 is used");
}
