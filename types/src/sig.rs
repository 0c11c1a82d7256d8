use crate::{AccountId, Hash, PublicKey};
use ed25519_zebra::{Signature, SigningKey, VerificationKey, VerificationKeyBytes, batch};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use secp256k1::{Message, SECP256K1, ecdsa};
use sha2::{Digest, Sha256};
use std::fmt;

/// Largest number of Ed25519 signatures checked in one batch.
const BATCH: usize = 256;
/// Below this, single checks are as fast as a batch.
const SMALLEST_BATCH: usize = 4;

/// One signature to check: who signed, the 32 bytes that were signed, the signature.
pub type Check<'a> = (&'a PublicKey, &'a Hash, &'a [u8; 64]);

/// A secret key, for clients, nodes and tests.
#[derive(Clone)]
pub enum Secret {
    /// Ed25519 seed.
    Ed25519([u8; 32]),
    /// secp256k1 scalar; made by [`Secret::secp256k1`], which checks it.
    Secp256k1(secp256k1::SecretKey),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.public().id())
    }
}

impl Secret {
    /// The Ed25519 key of a seed. Any 32 bytes will do.
    pub fn ed25519(seed: [u8; 32]) -> Self {
        Self::Ed25519(seed)
    }

    /// The secp256k1 key of a scalar; `None` for zero or a value not below the group order.
    pub fn secp256k1(scalar: [u8; 32]) -> Option<Self> {
        secp256k1::SecretKey::from_byte_array(scalar)
            .ok()
            .map(Self::Secp256k1)
    }

    /// The 32 secret bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        match self {
            Self::Ed25519(seed) => *seed,
            Self::Secp256k1(key) => key.secret_bytes(),
        }
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        match self {
            Self::Ed25519(seed) => {
                let key = VerificationKeyBytes::from(&SigningKey::from(*seed));
                PublicKey::Ed25519(key.into())
            }
            Self::Secp256k1(key) => PublicKey::Secp256k1(key.public_key(SECP256K1).serialize()),
        }
    }

    /// The address of the public half.
    pub fn id(&self) -> AccountId {
        self.public().id()
    }

    /// Signs 32 bytes: Ed25519 over the bytes, or ECDSA (low S) with the bytes as digest.
    pub fn sign(&self, hash: &Hash) -> [u8; 64] {
        match self {
            Self::Ed25519(seed) => SigningKey::from(*seed).sign(hash).into(),
            Self::Secp256k1(key) => SECP256K1
                .sign_ecdsa(Message::from_digest(*hash), key)
                .serialize_compact(),
        }
    }
}

/// Checks one signature. Ed25519 follows ZIP-215; secp256k1 refuses a high S.
pub fn verify((key, hash, signature): Check<'_>) -> bool {
    match key {
        PublicKey::Ed25519(bytes) => VerificationKey::try_from(*bytes)
            .and_then(|key| key.verify(&Signature::from(*signature), hash))
            .is_ok(),
        PublicKey::Secp256k1(bytes) => {
            let Ok(key) = secp256k1::PublicKey::from_byte_array_compressed(*bytes) else {
                return false;
            };
            ecdsa::Signature::from_compact(signature).is_ok_and(|signature| {
                SECP256K1
                    .verify_ecdsa(Message::from_digest(*hash), &signature, &key)
                    .is_ok()
            })
        }
    }
}

/// Checks many signatures, Ed25519 ones in batches. The answers are those of [`verify`]: ZIP-215
/// makes batch and single checks agree.
pub fn verify_batch(checks: &[Check<'_>]) -> Vec<bool> {
    let mut good = vec![false; checks.len()];
    let mut ed25519 = Vec::new();
    for (at, check) in checks.iter().enumerate() {
        match check.0 {
            PublicKey::Ed25519(key) => ed25519.push((at, *key, check.1, check.2)),
            PublicKey::Secp256k1(_) => {
                if let Some(good) = good.get_mut(at) {
                    *good = verify(*check);
                }
            }
        }
    }
    for chunk in ed25519.chunks(BATCH) {
        verify_ed25519(chunk, &mut good);
    }
    good
}

type Ed25519Check<'a> = (usize, [u8; 32], &'a Hash, &'a [u8; 64]);

fn verify_ed25519(checks: &[Ed25519Check<'_>], good: &mut [bool]) {
    if checks.len() < SMALLEST_BATCH {
        verify_singly(checks, good);
    } else if ed25519_batch_holds(checks) {
        mark_good(checks, good);
    } else {
        verify_failed(checks, good);
    }
}

/// A batch that failed is halved. When both halves fail there is more than one forgery, and single
/// checks cost less than further halves, of which each would be checked at every level: no
/// signature costs more than two batches, the halves on the way to a lone forgery, and one single
/// check. That bound is in the weight of a transaction.
fn verify_failed(checks: &[Ed25519Check<'_>], good: &mut [bool]) {
    let (left, right) = checks.split_at(checks.len().div_euclid(2));
    if checks.len() < SMALLEST_BATCH.saturating_mul(2) {
        return verify_singly(checks, good);
    }
    match (ed25519_batch_holds(left), ed25519_batch_holds(right)) {
        (false, false) | (true, true) => verify_singly(checks, good),
        (true, false) => {
            mark_good(left, good);
            verify_failed(right, good);
        }
        (false, true) => {
            mark_good(right, good);
            verify_failed(left, good);
        }
    }
}

fn verify_singly(checks: &[Ed25519Check<'_>], good: &mut [bool]) {
    for (at, key, hash, signature) in checks {
        if let Some(good) = good.get_mut(*at) {
            *good = verify((&PublicKey::Ed25519(*key), hash, signature));
        }
    }
}

fn mark_good(checks: &[Ed25519Check<'_>], good: &mut [bool]) {
    for (at, ..) in checks {
        if let Some(good) = good.get_mut(*at) {
            *good = true;
        }
    }
}

/// The batch's random coefficients come from everything that is checked, so that nothing random
/// enters and nobody can choose signatures against coefficients known in advance.
fn ed25519_batch_holds(checks: &[Ed25519Check<'_>]) -> bool {
    let mut seed = blake3::Hasher::new_derive_key("ballast/ed25519-batch/1");
    let mut verifier = batch::Verifier::new();
    for (_, key, hash, signature) in checks {
        seed.update(key).update(*hash).update(*signature);
        verifier.queue(batch::Item::from((
            VerificationKeyBytes::from(*key),
            Signature::from(**signature),
            hash,
        )));
    }
    verifier
        .verify(ChaCha20Rng::from_seed(*seed.finalize().as_bytes()))
        .is_ok()
}

/// What a node's ingress key signs for a bundle.
pub fn ingress_sign_hash(chain: &Hash, body: &[u8]) -> Hash {
    Sha256::new()
        .chain_update("ballast/bundle/1")
        .chain_update(chain)
        .chain_update(body)
        .finalize()
        .into()
}

/// Checks the origin's signature on a bundle.
pub fn verify_ingress(chain: &Hash, origin: &[u8; 32], body: &[u8], signature: &[u8; 64]) -> bool {
    verify((
        &PublicKey::Ed25519(*origin),
        &ingress_sign_hash(chain, body),
        signature,
    ))
}
