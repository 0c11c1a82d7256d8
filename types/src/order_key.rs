use crate::{AccountId, GroupId, Hash, KeyId, TxHash};
use borsh::{BorshDeserialize, BorshSerialize};

/// Rank of an action in a block before anything else counts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Class {
    /// Cancels.
    Cancel,
    /// Orders that can only rest. Actions that touch no book also rank here.
    PostOnly,
    /// Orders that may take.
    Take,
}

/// Order of transactions in pass 1: Cosmos before native, sequence or nonce, key, hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TxKey {
    /// False for Cosmos, true for native.
    pub native: bool,
    /// Sequence of a Cosmos transaction, nonce of a native one.
    pub number: u64,
    /// Key that signed.
    pub key: KeyId,
    /// Transaction hash.
    pub hash: TxHash,
}

/// Place of an action among those of equal class and ticket: nonce, key, hash, index, part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActionKey {
    /// Nonce of the transaction in ms.
    pub nonce: u64,
    /// Key that signed.
    pub key: KeyId,
    /// Transaction hash.
    pub hash: TxHash,
    /// Index in the transaction.
    pub index: u16,
    /// Which part of an action of several, from 0.
    pub part: u16,
}

/// Order of actions in the account passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Class first.
    pub class: Class,
    /// Then the action.
    pub action: ActionKey,
}

/// Order of actions in the group passes: class, ticket, then the action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupKey {
    /// Class first.
    pub class: Class,
    /// Then the lottery ticket of the master in this group.
    pub ticket: u128,
    /// Then the action.
    pub action: ActionKey,
}

/// The master's place in the group's lottery of this block: the first 16 bytes, big-endian, of
/// BLAKE3 (key derivation context `ballast/ticket/1`) over seed, group (u16 little-endian), master.
pub fn ticket(seed: &Hash, group: GroupId, master: AccountId) -> u128 {
    draw("ballast/ticket/1", seed, &group.0.to_le_bytes(), master)
}

/// The shard of an account: the first 8 bytes, little-endian, of BLAKE3 of its master, modulo the
/// number of shards. All subaccounts of a master share a shard.
pub fn account_shard(master: AccountId, shards: u16) -> usize {
    let mut first = [0; 8];
    blake3::Hasher::new()
        .update(&master.0)
        .finalize_xof()
        .fill(&mut first);
    let shard = u64::from_le_bytes(first)
        .checked_rem(u64::from(shards))
        .unwrap_or(0);
    usize::try_from(shard).unwrap_or(0)
}

/// The master's place in the lottery for a draw on something that all shards share, named by
/// `what` (as `accounts`): as [`ticket`], in the context `ballast/claim/1`.
pub fn claim_ticket(seed: &Hash, what: &str, master: AccountId) -> u128 {
    draw("ballast/claim/1", seed, what.as_bytes(), master)
}

fn draw(context: &str, seed: &Hash, what: &[u8], master: AccountId) -> u128 {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(seed).update(what).update(&master.0);
    let mut first = [0; 16];
    hasher.finalize_xof().fill(&mut first);
    u128::from_be_bytes(first)
}
