//! Cosmos transactions (`TxRaw`, SIGN_MODE_DIRECT), read into our own types. The only file that
//! knows cosmrs.

use crate::tx::{Scheme, Tx, tx_hash};
use crate::{Account, AccountId, Action, ChainSpec, Code, Hash, PublicKey, TimeMs, Transfer};
use borsh::{BorshDeserialize, BorshSerialize};
use cosmrs::proto::Any;
use cosmrs::proto::cosmos::bank::v1beta1::MsgSend;
use cosmrs::proto::cosmos::crypto::secp256k1::PubKey;
use cosmrs::proto::cosmos::tx::v1beta1::mode_info::Sum;
use cosmrs::proto::cosmos::tx::v1beta1::{AuthInfo, SignDoc, SignerInfo, TxBody, TxRaw};
use cosmrs::proto::traits::Message;
use sha2::{Digest, Sha256};

/// Type URL of a bank transfer.
pub const MSG_SEND_URL: &str = "/cosmos.bank.v1beta1.MsgSend";
/// Type URL of a batch of Ballast actions: `MsgActions { bytes borsh = 1; }`.
pub const MSG_ACTIONS_URL: &str = "/ballast.v1.MsgActions";
const PUB_KEY_URL: &str = "/cosmos.crypto.secp256k1.PubKey";
const SIGN_MODE_DIRECT: i32 = 1;

/// What `MsgActions.borsh` holds.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MsgActionsBody {
    /// The account that acts; its master is the signer.
    pub account: Account,
    /// Millisecond stamp; within the nonce window, and growing with the sequence.
    pub nonce: u64,
    /// What to do, in order.
    pub actions: Vec<Action>,
}

impl MsgActionsBody {
    /// The bytes that go into `MsgActions.borsh`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to a Vec cannot fail.
        let _ = self.serialize(&mut bytes);
        bytes
    }
}

/// Every account has this number, so that a wallet need not ask for one.
const ACCOUNT_NUMBER: u64 = 0;

/// Decodes `TxRaw` bytes. Holds either bank transfers of the signer, or one `MsgActions`.
pub(crate) fn decode(bytes: &[u8], spec: &ChainSpec, chain: &Hash) -> Result<Tx, Code> {
    let raw = TxRaw::decode(bytes).map_err(|_| Code::Undecodable)?;
    // Only one encoding counts: the signature does not cover what is around the body, and nobody
    // shall change the hash of another's transaction.
    if raw.encode_to_vec() != bytes {
        return Err(Code::Undecodable);
    }
    let body = TxBody::decode(raw.body_bytes.as_slice()).map_err(|_| Code::Undecodable)?;
    let auth = AuthInfo::decode(raw.auth_info_bytes.as_slice()).map_err(|_| Code::Undecodable)?;
    let [signer] = auth.signer_infos.as_slice() else {
        return Err(Code::Undecodable);
    };
    let [signature] = raw.signatures.as_slice() else {
        return Err(Code::Undecodable);
    };
    let signature = signature
        .as_slice()
        .try_into()
        .map_err(|_| Code::Undecodable)?;
    let key = public_key(signer).ok_or(Code::Undecodable)?;
    let key_id = key.id();
    let (account, nonce, actions) = messages(&body.messages, key_id, spec)?;
    let document = SignDoc {
        body_bytes: raw.body_bytes,
        auth_info_bytes: raw.auth_info_bytes,
        chain_id: spec.chain_id.clone(),
        account_number: ACCOUNT_NUMBER,
    };
    Ok(Tx {
        hash: tx_hash(bytes),
        len: bytes.len(),
        scheme: Scheme::Cosmos {
            sequence: signer.sequence,
            timeout_height: body.timeout_height,
        },
        chain: *chain,
        account,
        key,
        key_id,
        nonce,
        expiry: TimeMs::MAX,
        actions,
        sign_hash: Sha256::digest(document.encode_to_vec()).into(),
        signature,
    })
}

fn public_key(signer: &SignerInfo) -> Option<PublicKey> {
    let Some(Sum::Single(single)) = signer.mode_info.as_ref()?.sum.as_ref() else {
        return None;
    };
    let any = signer.public_key.as_ref()?;
    if single.mode != SIGN_MODE_DIRECT || any.type_url != PUB_KEY_URL {
        return None;
    }
    let key = PubKey::decode(any.value.as_slice()).ok()?.key;
    Some(PublicKey::Secp256k1(key.try_into().ok()?))
}

type Messages = (Account, u64, Vec<Action>);

fn messages(messages: &[Any], signer: AccountId, spec: &ChainSpec) -> Result<Messages, Code> {
    if let [one] = messages
        && one.type_url == MSG_ACTIONS_URL
    {
        let body = bytes_field_1(&one.value).ok_or(Code::Undecodable)?;
        let body: MsgActionsBody = borsh::from_slice(body).map_err(|_| Code::Undecodable)?;
        return Ok((body.account, body.nonce, body.actions));
    }
    if messages.len() > usize::from(spec.limits.tx_actions) {
        return Err(Code::TooManyActions);
    }
    let mut actions = Vec::new();
    for message in messages {
        if message.type_url != MSG_SEND_URL {
            return Err(Code::Undecodable);
        }
        let send = MsgSend::decode(message.value.as_slice()).map_err(|_| Code::Undecodable)?;
        transfers(&send, signer, spec, &mut actions)?;
    }
    Ok((Account::new(signer, 0), 0, actions))
}

fn transfers(
    send: &MsgSend,
    signer: AccountId,
    spec: &ChainSpec,
    actions: &mut Vec<Action>,
) -> Result<(), Code> {
    if send.from_address.parse() != Ok(signer) {
        return Err(Code::KeyNotAllowed);
    }
    let to = send.to_address.parse().map_err(|_| Code::UnknownAccount)?;
    for coin in &send.amount {
        actions.push(Action::Transfer(Transfer {
            asset: spec.asset_by_denom(&coin.denom).ok_or(Code::UnknownAsset)?,
            amount: coin.amount.parse().map_err(|_| Code::BadAmount)?,
            to: Account::new(to, 0),
        }));
    }
    Ok(())
}

/// Reads a message whose only field is `bytes x = 1`.
fn bytes_field_1(message: &[u8]) -> Option<&[u8]> {
    let (&tag, mut rest) = message.split_first()?;
    let mut len = 0_usize;
    for shift in [0_u32, 7, 14, 21] {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        len |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return (tag == 0x0a && rest.len() == len).then_some(rest);
        }
    }
    None
}
