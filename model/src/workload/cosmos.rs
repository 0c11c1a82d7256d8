//! Cosmos transactions by hand: the few length-delimited fields that a wallet would send.

use ballast_types::{
    AccountId, ChainSpec, Decoded, MSG_ACTIONS_URL, MSG_SEND_URL, MsgActionsBody, PublicKey,
    Secret, chain_hash, decode,
};

/// A `TxRaw` of bank transfers `(receiver, denomination, amount)`, signed by a secp256k1 key.
pub fn cosmos_sends(
    spec: &ChainSpec,
    secret: &Secret,
    sequence: u64,
    timeout_height: u64,
    sends: &[(AccountId, &str, u128)],
) -> Vec<u8> {
    let messages = sends.iter().map(|(to, denom, amount)| {
        let mut coin = bytes_field(1, denom.as_bytes());
        coin.extend(bytes_field(2, amount.to_string().as_bytes()));
        let mut send = bytes_field(1, secret.id().to_string().as_bytes());
        send.extend(bytes_field(2, to.to_string().as_bytes()));
        send.extend(bytes_field(3, &coin));
        any(MSG_SEND_URL, &send)
    });
    sign(spec, secret, sequence, timeout_height, messages)
}

/// A `TxRaw` of one `MsgActions`, signed by a secp256k1 key.
pub fn cosmos_actions(
    spec: &ChainSpec,
    secret: &Secret,
    sequence: u64,
    timeout_height: u64,
    body: &MsgActionsBody,
) -> Vec<u8> {
    let message = any(MSG_ACTIONS_URL, &bytes_field(1, &body.to_bytes()));
    sign(spec, secret, sequence, timeout_height, [message])
}

fn sign(
    spec: &ChainSpec,
    secret: &Secret,
    sequence: u64,
    timeout_height: u64,
    messages: impl IntoIterator<Item = Vec<u8>>,
) -> Vec<u8> {
    let mut body: Vec<u8> = messages
        .into_iter()
        .flat_map(|message| bytes_field(1, &message))
        .collect();
    body.extend(number_field(3, timeout_height));
    let key = match secret.public() {
        PublicKey::Secp256k1(key) => key.to_vec(),
        PublicKey::Ed25519(key) => key.to_vec(),
    };
    let mut signer = bytes_field(
        1,
        &any("/cosmos.crypto.secp256k1.PubKey", &bytes_field(1, &key)),
    );
    signer.extend(bytes_field(2, &bytes_field(1, &number_field(1, 1))));
    signer.extend(number_field(3, sequence));
    let auth = bytes_field(1, &signer);
    let raw = |signature: &[u8; 64]| {
        let mut raw = bytes_field(1, &body);
        raw.extend(bytes_field(2, &auth));
        raw.extend(bytes_field(3, signature));
        raw
    };
    // What decodes knows what was to be signed; the signature itself is not part of that.
    let unsigned = raw(&[0; 64]);
    match decode(&unsigned, spec, &chain_hash(&spec.chain_id)) {
        Ok(Decoded::Tx(tx)) => raw(&secret.sign(&tx.sign_hash)),
        _ => unsigned,
    }
}

fn any(url: &str, value: &[u8]) -> Vec<u8> {
    let mut any = bytes_field(1, url.as_bytes());
    any.extend(bytes_field(2, value));
    any
}

fn bytes_field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    field.extend(varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
    field.extend_from_slice(bytes);
    field
}

/// Zero is the default and is left out.
fn number_field(number: u8, value: u64) -> Vec<u8> {
    if value == 0 {
        return Vec::new();
    }
    let mut field = vec![number << 3];
    field.extend(varint(value));
    field
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
