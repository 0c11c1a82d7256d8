use crate::{Code, Hash, Secret, TAG_BUNDLE, TAG_NATIVE, sig};

/// Transactions that one bundle may carry.
pub const MAX_BUNDLE_TXS: usize = 1_024;

/// A bundle: native transactions that travel as one CometBFT transaction. It has no author, order
/// or rights in execution; origin and signature only matter to the pools that pass it on.
///
/// Bytes: `0x02`, signature (64), origin (32), stamp (u64), count (u32), then per transaction its
/// length (u32) and bytes. Integers are little-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle<'a> {
    /// The origin's signature over everything behind it.
    pub signature: [u8; 64],
    /// Ed25519 ingress key of the node that made it.
    pub origin: [u8; 32],
    /// Milliseconds of the maker's clock; makes a second sending of the same content new bytes.
    pub stamp: u64,
    /// The transactions.
    pub txs: Vec<&'a [u8]>,
    /// What the signature covers.
    pub body: &'a [u8],
}

/// Makes the bytes of a bundle, signed by a node's ingress key (Ed25519).
pub fn encode_bundle(
    txs: &[impl AsRef<[u8]>],
    stamp: u64,
    chain: &Hash,
    ingress: &Secret,
) -> Vec<u8> {
    let mut body = Vec::new();
    if let crate::PublicKey::Ed25519(origin) = ingress.public() {
        body.extend_from_slice(&origin);
    }
    body.extend_from_slice(&stamp.to_le_bytes());
    body.extend_from_slice(&u32::try_from(txs.len()).unwrap_or(u32::MAX).to_le_bytes());
    for tx in txs {
        let tx = tx.as_ref();
        body.extend_from_slice(&u32::try_from(tx.len()).unwrap_or(u32::MAX).to_le_bytes());
        body.extend_from_slice(tx);
    }
    let signature = ingress.sign(&sig::ingress_sign_hash(chain, &body));
    let mut bytes = vec![TAG_BUNDLE];
    bytes.extend_from_slice(&signature);
    bytes.extend_from_slice(&body);
    bytes
}

/// Reads a bundle without copying.
///
/// # Errors
/// `UNDECODABLE` when the bytes do not fit the form to the last byte, when it is empty or holds
/// more than [`MAX_BUNDLE_TXS`], or when something in it is not a native transaction by its tag.
pub fn decode_bundle(bytes: &[u8]) -> Result<Bundle<'_>, Code> {
    read(bytes).ok_or(Code::Undecodable)
}

fn read(bytes: &[u8]) -> Option<Bundle<'_>> {
    let (&tag, rest) = bytes.split_first()?;
    let (signature, body) = rest.split_first_chunk::<64>()?;
    let (origin, rest) = body.split_first_chunk::<32>()?;
    let (stamp, rest) = rest.split_first_chunk::<8>()?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    if tag != TAG_BUNDLE || count == 0 || count > MAX_BUNDLE_TXS {
        return None;
    }
    let mut txs = Vec::with_capacity(count);
    for _ in 0..count {
        let (len, behind) = rest.split_first_chunk::<4>()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        let (tx, behind) = behind.split_at_checked(len)?;
        if tx.first() != Some(&TAG_NATIVE) {
            return None;
        }
        txs.push(tx);
        rest = behind;
    }
    rest.is_empty().then_some(Bundle {
        signature: *signature,
        origin: *origin,
        stamp: u64::from_le_bytes(*stamp),
        txs,
        body,
    })
}
