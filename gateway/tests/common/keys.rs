//! Proofs of keys, over HTTP and WebSocket.

use super::client::Ws;
use ballast_gateway::{Gateway, http_sign_hash, ws_sign_hash};
use ballast_types::{Account, Hash, PublicKey, Secret, chain_hash};
use serde_json::{Value, json};

/// How a client proves its key.
pub fn auth(account: Account, secret: &Secret, sign: &Hash) -> Value {
    let (key_type, key) = match secret.public() {
        PublicKey::Ed25519(key) => ("ed25519", hex::encode(key)),
        PublicKey::Secp256k1(key) => ("secp256k1", hex::encode(key)),
    };
    let signature = hex::encode(secret.sign(sign));
    json!({
        "op": "auth", "account": account.to_string(), "key_type": key_type, "key": key,
        "signature": signature,
    })
}

pub async fn challenge(ws: &mut Ws) -> Hash {
    let answer = ws.call(json!({"op": "challenge"})).await;
    let mut challenge = [0; 32];
    hex::decode_to_slice(answer["challenge"].as_str().unwrap(), &mut challenge).unwrap();
    challenge
}

pub async fn log_in(ws: &mut Ws, account: Account, secret: &Secret) -> Value {
    let challenge = challenge(ws).await;
    ws.call(auth(
        account,
        secret,
        &ws_sign_hash(&chain_hash("gateway-test"), &challenge),
    ))
    .await
}

pub async fn watch(ws: &mut Ws, account: Account) -> Value {
    let request = json!({"op": "subscribe", "channel": "account", "account": account.to_string()});
    ws.call(request).await
}

/// `authorization` of a key that signs a time.
pub fn proof(secret: &Secret, time: u64) -> String {
    let (key_type, key) = match secret.public() {
        PublicKey::Ed25519(key) => ("ed25519", hex::encode(key)),
        PublicKey::Secp256k1(key) => ("secp256k1", hex::encode(key)),
    };
    let signature = secret.sign(&http_sign_hash(&chain_hash("gateway-test"), time));
    format!("Ballast {key_type} {key} {time} {}", hex::encode(signature))
}

pub async fn ask_as(gateway: &Gateway, path: &str, authorization: &str) -> (u16, Value) {
    let request = reqwest::Client::new().get(format!("http://{}{path}", gateway.http_addr()));
    let request = request.header("authorization", authorization);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}
