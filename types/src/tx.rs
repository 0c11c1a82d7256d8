use crate::{Account, Action, Bundle, ChainSpec, Code, Hash, KeyId, PublicKey, Secret, TimeMs};
use crate::{bundle, cosmos};
use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};

/// First byte of a native transaction.
pub const TAG_NATIVE: u8 = 0x01;
/// First byte of a bundle.
pub const TAG_BUNDLE: u8 = 0x02;
/// Reserved for EIP-712.
pub const TAG_RESERVED: u8 = 0x03;
/// First byte of a Cosmos `TxRaw` (field 1, length-delimited).
pub const TAG_COSMOS: u8 = 0x0a;

/// SHA-256 of a transaction's bytes, envelope byte and signature included.
pub type TxHash = Hash;

/// What a native transaction's signature covers.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TxBody {
    /// SHA-256 of the chain id.
    pub chain: Hash,
    /// The account that acts.
    pub account: Account,
    /// The key that signs: the owner's or an agent's.
    pub key: PublicKey,
    /// Millisecond stamp, used once per key.
    pub nonce: u64,
    /// Block time in ms from which the transaction is refused.
    pub expiry: TimeMs,
    /// What to do, in order.
    pub actions: Vec<Action>,
}

/// How a transaction was signed and what stops its repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Native: nonce window and used-set.
    Native,
    /// Cosmos: sequence number; refused above `timeout_height` (0 is none). `nonce` is 0 for bank
    /// transfers, which have none.
    Cosmos {
        /// Sequence number.
        sequence: u64,
        /// Last height at which it counts, 0 for any.
        timeout_height: u64,
    },
}

/// A decoded transaction of either envelope. Nothing is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tx {
    /// Hash of its bytes.
    pub hash: TxHash,
    /// Its bytes, counted.
    pub len: usize,
    /// Envelope.
    pub scheme: Scheme,
    /// Chain that it was signed for; always this chain's for Cosmos, whose signature covers it.
    pub chain: Hash,
    /// The account that acts.
    pub account: Account,
    /// The key that signs.
    pub key: PublicKey,
    /// Address of `key`.
    pub key_id: KeyId,
    /// Nonce in ms.
    pub nonce: u64,
    /// Expiry in ms of block time.
    pub expiry: TimeMs,
    /// What to do.
    pub actions: Vec<Action>,
    /// The 32 bytes that were signed.
    pub sign_hash: Hash,
    /// The signature.
    pub signature: [u8; 64],
}

/// What the bytes of a CometBFT transaction hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// One transaction.
    Tx(Box<Tx>),
    /// Native transactions, as bytes; each is decoded with [`decode`].
    Bundle(Bundle<'a>),
}

/// SHA-256 of a transaction's bytes.
pub fn tx_hash(bytes: &[u8]) -> TxHash {
    Sha256::digest(bytes).into()
}

/// What a native transaction's key signs.
pub fn native_sign_hash(chain: &Hash, body: &[u8]) -> Hash {
    Sha256::new()
        .chain_update("ballast/tx/1")
        .chain_update(chain)
        .chain_update(body)
        .finalize()
        .into()
}

/// The bytes of a native transaction.
pub fn encode_native(body: &TxBody, signature: &[u8; 64]) -> Vec<u8> {
    let mut bytes = vec![TAG_NATIVE];
    // Writing to a Vec cannot fail.
    let _ = body.serialize(&mut bytes);
    bytes.extend_from_slice(signature);
    bytes
}

/// Signs a native transaction and returns its bytes. `body.key` must be the secret's public half.
pub fn sign_native(body: &TxBody, secret: &Secret) -> Vec<u8> {
    let mut encoded = Vec::new();
    let _ = body.serialize(&mut encoded);
    let signature = secret.sign(&native_sign_hash(&body.chain, &encoded));
    encode_native(body, &signature)
}

/// Decodes a CometBFT transaction.
///
/// # Errors
/// `UNDECODABLE` when the bytes are none of the envelopes, `TOO_LARGE` when a native transaction
/// exceeds the limit, `NO_ACTIONS` and `TOO_MANY_ACTIONS` by the chain's limits.
pub fn decode<'a>(bytes: &'a [u8], spec: &ChainSpec, chain: &Hash) -> Result<Decoded<'a>, Code> {
    match bytes.first() {
        Some(&TAG_NATIVE) => native(bytes, spec).map(|tx| Decoded::Tx(Box::new(tx))),
        Some(&TAG_BUNDLE) => bundle::decode_bundle(bytes).map(Decoded::Bundle),
        Some(&TAG_COSMOS) => {
            let tx = cosmos::decode(bytes, spec, chain)?;
            check_actions(&tx.actions, spec)?;
            Ok(Decoded::Tx(Box::new(tx)))
        }
        _ => Err(Code::Undecodable),
    }
}

fn native(bytes: &[u8], spec: &ChainSpec) -> Result<Tx, Code> {
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > spec.limits.native_tx_bytes {
        return Err(Code::TooLarge);
    }
    let (_, rest) = bytes.split_first().ok_or(Code::Undecodable)?;
    let (encoded, signature) = rest.split_last_chunk::<64>().ok_or(Code::Undecodable)?;
    let body: TxBody = borsh::from_slice(encoded).map_err(|_| Code::Undecodable)?;
    check_actions(&body.actions, spec)?;
    Ok(Tx {
        hash: tx_hash(bytes),
        len: bytes.len(),
        scheme: Scheme::Native,
        chain: body.chain,
        account: body.account,
        key: body.key,
        key_id: body.key.id(),
        nonce: body.nonce,
        expiry: body.expiry,
        sign_hash: native_sign_hash(&body.chain, encoded),
        signature: *signature,
        actions: body.actions,
    })
}

/// Price updates of one action.
const MAX_PRICES: usize = 64;
/// Markets of one action of quotes.
const MAX_QUOTES: usize = 256;
/// Markets in an agent's scope.
const MAX_AGENT_MARKETS: usize = 8;

fn check_actions(actions: &[Action], spec: &ChainSpec) -> Result<(), Code> {
    if actions.is_empty() {
        return Err(Code::NoActions);
    }
    let many = actions.len() > usize::from(spec.limits.tx_actions)
        || actions.iter().any(|action| match action {
            Action::SetPrices(prices) => prices.len() > MAX_PRICES,
            Action::SetAgent(agent) => agent.markets.len() > MAX_AGENT_MARKETS,
            Action::Quotes(quotes) => quotes.quotes.len() > MAX_QUOTES,
            _ => false,
        });
    if many {
        Err(Code::TooManyActions)
    } else {
        Ok(())
    }
}
