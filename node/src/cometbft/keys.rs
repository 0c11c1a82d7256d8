//! The two Ed25519 keys of a CometBFT node, and CometBFT's JSON for them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The tag that CometBFT's JSON gives to an Ed25519 secret key.
pub const SECRET_KEY_TYPE: &str = "tendermint/PrivKeyEd25519";
/// The tag that CometBFT's JSON gives to an Ed25519 public key.
pub const PUBLIC_KEY_TYPE: &str = "tendermint/PubKeyEd25519";

/// What a node signs with.
#[derive(Clone, Copy, Debug)]
pub struct NodeKeys {
    /// Authenticates the node to its peers.
    pub node: SigningKey,
    /// Signs proposals and votes. A node that is no validator has one too.
    pub validator: SigningKey,
}

impl NodeKeys {
    /// New keys from the operating system's randomness; fails when it has none.
    pub fn generate() -> Result<Self, getrandom::Error> {
        Ok(Self {
            node: new_key()?,
            validator: new_key()?,
        })
    }

    /// The node id by which peers name it.
    pub fn node_id(&self) -> String {
        hex::encode(address(&public_key(&self.node)))
    }

    /// The validator's public key.
    pub fn validator_public_key(&self) -> [u8; 32] {
        public_key(&self.validator)
    }
}

fn new_key() -> Result<SigningKey, getrandom::Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(SigningKey::from(seed))
}

/// The public half of `key`.
pub fn public_key(key: &SigningKey) -> [u8; 32] {
    VerificationKeyBytes::from(key).into()
}

/// CometBFT's address of a public key: the first 20 bytes of its SHA-256.
pub fn address(public_key: &[u8; 32]) -> [u8; 20] {
    let digest: [u8; 32] = Sha256::digest(public_key).into();
    let mut address = [0; 20];
    address.copy_from_slice(&digest[..20]);
    address
}

/// `{"type": .., "value": ..}` of a public key.
pub fn public_key_json(public_key: &[u8; 32]) -> Value {
    json!({ "type": PUBLIC_KEY_TYPE, "value": BASE64.encode(public_key) })
}

/// `{"type": .., "value": ..}` of a secret key: CometBFT stores the seed and the public key.
fn secret_key_json(key: &SigningKey) -> Value {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(key.as_ref());
    bytes[32..].copy_from_slice(&public_key(key));
    json!({ "type": SECRET_KEY_TYPE, "value": BASE64.encode(bytes) })
}

/// The content of `node_key.json`.
pub fn node_key_json(key: &SigningKey) -> Value {
    json!({ "priv_key": secret_key_json(key) })
}

/// The content of `priv_validator_key.json`.
pub fn validator_key_json(key: &SigningKey) -> Value {
    let public_key = public_key(key);
    json!({
        "address": hex::encode_upper(address(&public_key)),
        "pub_key": public_key_json(&public_key),
        "priv_key": secret_key_json(key),
    })
}

/// The secret key in the `priv_key` field that both files have; `None` when it is not there or its
/// public half does not belong to it.
pub fn parse_secret_key(file: &Value) -> Option<SigningKey> {
    let key = file.get("priv_key")?;
    if key.get("type")? != SECRET_KEY_TYPE {
        return None;
    }
    let bytes: [u8; 64] = BASE64
        .decode(key.get("value")?.as_str()?)
        .ok()?
        .try_into()
        .ok()?;
    let (seed, public) = bytes.split_at(32);
    let key = SigningKey::try_from(seed).ok()?;
    (public_key(&key) == *public).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node key and a validator key that CometBFT 0.40.0 wrote itself.
    const SECRET: &str =
        "DFgpQS7KQR1v0NQktHc3mnJG2SplS6ksYDCMAEc3LcrlG1iFYufqaay6/1SPN2GaPvUf3I4Cg52rdKYwqbqn+A==";
    const ADDRESS: &str = "E1427738601D14719E483F82AF8F6E421555CAAE";
    const PUBLIC: &str = "5RtYhWLn6mmsuv9Ujzdhmj71H9yOAoOdq3SmMKm6p/g=";

    #[test]
    fn a_key_file_of_cometbft_reads_and_writes_the_same() {
        let file = json!({
            "address": ADDRESS,
            "pub_key": { "type": PUBLIC_KEY_TYPE, "value": PUBLIC },
            "priv_key": { "type": SECRET_KEY_TYPE, "value": SECRET },
        });
        let key = parse_secret_key(&file).expect("a valid key");
        assert_eq!(validator_key_json(&key), file);
        assert_eq!(node_key_json(&key)["priv_key"], file["priv_key"]);
    }

    #[test]
    fn a_damaged_key_file_is_refused() {
        let good = json!({ "priv_key": { "type": SECRET_KEY_TYPE, "value": SECRET } });
        assert!(parse_secret_key(&good).is_some());
        for (what, pointer, value) in [
            (
                "another type",
                "/priv_key/type",
                json!("tendermint/PrivKeySecp256k1"),
            ),
            ("no base64", "/priv_key/value", json!("!")),
            ("too short", "/priv_key/value", json!("AAAA")),
            (
                "foreign public half",
                "/priv_key/value",
                json!(BASE64.encode([7; 64])),
            ),
            ("no key", "/priv_key", json!(null)),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).expect("the field exists") = value;
            assert!(parse_secret_key(&bad).is_none(), "{what}");
        }
    }

    #[test]
    fn generated_keys_differ() {
        let keys = NodeKeys::generate().expect("randomness");
        assert_ne!(public_key(&keys.node), keys.validator_public_key());
        assert_eq!(keys.node_id().len(), 40);
    }
}
