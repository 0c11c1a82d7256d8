//! Who a WebSocket client may speak for: a signed challenge.

use crate::error::ApiError;
use crate::{Committed, View};
use axum::http::StatusCode;
use ballast_types::{AccountId, Hash, KeyId, PublicKey, TimeMs, verify};
use sha2::{Digest, Sha256};

/// What a client signs to prove its key: SHA-256 of `ballast/ws/1`, the chain id's hash and the
/// 32 bytes of the challenge.
pub fn ws_sign_hash(chain: &Hash, challenge: &Hash) -> Hash {
    Sha256::new()
        .chain_update("ballast/ws/1")
        .chain_update(chain)
        .chain_update(challenge)
        .finalize()
        .into()
}

/// Why a key may see a master's accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// It owns the master.
    Owner,
    /// It is an agent until this block time in ms.
    Agent(TimeMs),
}

impl Grant {
    /// Whether it still counts at this block time.
    pub(crate) fn holds(self, time: TimeMs) -> bool {
        match self {
            Self::Owner => true,
            Self::Agent(expiry) => time < expiry,
        }
    }
}

/// What `key` may see of `master` by this view of block time `time`; `None` is nothing.
pub(crate) fn grant(view: &dyn View, master: AccountId, key: KeyId, time: TimeMs) -> Option<Grant> {
    if key == master {
        return Some(Grant::Owner);
    }
    let agents = view.master(&master)?.agents;
    let (_, expiry) = agents.into_iter().find(|(agent, _)| *agent == key)?;
    Some(Grant::Agent(expiry)).filter(|grant| grant.holds(time))
}

/// Checks a signed challenge against the state of a block.
pub(crate) fn check(
    latest: &Committed,
    chain: &Hash,
    challenge: &Hash,
    master: AccountId,
    key: &PublicKey,
    signature: &[u8; 64],
) -> Result<KeyId, ApiError> {
    let refuse = |code, field, message: &str| {
        Err(ApiError::new(
            StatusCode::FORBIDDEN,
            code,
            field,
            key.id(),
            message,
        ))
    };
    if !verify((key, &ws_sign_hash(chain, challenge), signature)) {
        return refuse(
            "BAD_SIGNATURE",
            "signature",
            "the key did not sign this challenge",
        );
    }
    if grant(&*latest.view, master, key.id(), latest.events.time).is_none() {
        let message = "the key neither owns the account nor is a live agent of it";
        return refuse("KEY_NOT_ALLOWED", "key", message);
    }
    Ok(key.id())
}

/// Reads a public key from its kind (`ed25519` or `secp256k1`) and hexadecimal bytes.
pub(crate) fn public_key(kind: &str, text: &str) -> Result<PublicKey, ApiError> {
    match kind {
        "ed25519" => bytes("key", text).map(PublicKey::Ed25519),
        "secp256k1" => bytes("key", text).map(PublicKey::Secp256k1),
        _ => Err(ApiError::bad(
            "key_type",
            kind,
            "key_type is ed25519 or secp256k1",
        )),
    }
}

/// Reads exactly `N` bytes from hexadecimal text, with or without `0x`.
pub(crate) fn bytes<const N: usize>(field: &str, text: &str) -> Result<[u8; N], ApiError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes)
        .map_err(|_| ApiError::bad(field, text, format!("{field} is {N} bytes in hexadecimal")))?;
    Ok(bytes)
}
