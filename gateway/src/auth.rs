//! Who a client may see: a signed challenge on the WebSocket, a signed time over HTTP.

use crate::error::ApiError;
use crate::orders::Sight;
use crate::{Committed, Shared, View};
use axum::http::{HeaderMap, StatusCode, header};
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

/// What a client signs to prove its key in a request over HTTP: SHA-256 of `ballast/http/1`, the
/// chain id's hash and a time in ms (8 bytes, little-endian).
pub fn http_sign_hash(chain: &Hash, time: TimeMs) -> Hash {
    Sha256::new()
        .chain_update("ballast/http/1")
        .chain_update(chain)
        .chain_update(time.to_le_bytes())
        .finalize()
        .into()
}

/// A key with a signed time, as the header `authorization` carries it:
/// `Ballast KEY_TYPE KEY TIME SIGNATURE`.
pub(crate) struct Proof {
    key: PublicKey,
    time: TimeMs,
    signature: [u8; 64],
}

impl Proof {
    /// The proof of a request; `None` when it has none.
    pub(crate) fn new(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let Some(header) = headers.get(header::AUTHORIZATION) else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(header.as_bytes());
        let mut words = text.split(' ');
        let mut next = || words.next().unwrap_or_default();
        if next() != "Ballast" {
            let message = "authorization is Ballast KEY_TYPE KEY TIME SIGNATURE";
            return Err(ApiError::bad("authorization", &text, message));
        }
        let key = public_key(next(), next())?;
        let time = next();
        let signature = bytes("signature", next())?;
        let time = time
            .parse()
            .map_err(|_| ApiError::bad("time", time, "time is in ms"))?;
        Ok(Some(Self {
            key,
            time,
            signature,
        }))
    }

    /// The key, when it signed a time near that of the newest block.
    pub(crate) fn key(&self, shared: &Shared, now: TimeMs) -> Result<KeyId, ApiError> {
        let catalog = shared.catalog();
        let limits = &catalog.spec.limits;
        let from = now.saturating_sub(limits.nonce_past_ms);
        let to = now.saturating_add(limits.nonce_future_ms);
        let refuse = |code, field, value: String, message: String| {
            Err(ApiError::new(
                StatusCode::FORBIDDEN,
                code,
                field,
                value,
                message,
            ))
        };
        if !(from..=to).contains(&self.time) {
            let message = format!("time is from {from} to {to}");
            return refuse("STALE_PROOF", "time", self.time.to_string(), message);
        }
        let signed = http_sign_hash(&catalog.chain, self.time);
        if !verify((&self.key, &signed, &self.signature)) {
            let message = "the key did not sign this time for this chain".to_owned();
            return refuse(
                "BAD_SIGNATURE",
                "signature",
                self.key.id().to_string(),
                message,
            );
        }
        Ok(self.key.id())
    }
}

/// What a request may see of a master's accounts. A proof by a key that has no right to them is that
/// of anybody.
pub(crate) fn sight(
    shared: &Shared,
    proof: Option<&Proof>,
    master: AccountId,
) -> Result<Sight, ApiError> {
    let Some(proof) = proof else {
        return Ok(Sight::Public);
    };
    let latest = shared.latest().ok_or_else(ApiError::not_ready)?;
    let time = latest.events.time;
    let key = proof.key(shared, time)?;
    Ok(match grant(&*latest.view, master, key, time) {
        Some(_) => Sight::Own,
        None => Sight::Public,
    })
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
