//! What a validator asks of a proposal, and the memory of good signatures that asking fills.

use std::collections::HashSet;

use ballast_types::{
    BUNDLE_WEIGHT, ChainSpec, Code, Decoded, Hash, Tx, TxHash, cometbft_tx_weight, decode,
    decode_bundle, tx_hash, tx_weight, verify_batch,
};
use bytes::Bytes;
use rayon::prelude::*;

use crate::noop::block_bytes;
use crate::pool::Generations;

/// Good signatures that are remembered at least.
const VERIFIED: usize = 1 << 18;

/// Signatures that are checked together.
const BATCH: usize = 256;

/// Why a proposal is refused: what no honest proposer does and the bytes prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A transaction is larger than the parameter.
    #[error("transaction {index} has {bytes} bytes")]
    TxBytes {
        /// Which.
        index: usize,
        /// How large it is.
        bytes: usize,
    },
    /// The transactions are larger together than the parameter.
    #[error("the transactions take {bytes} bytes")]
    Bytes {
        /// How large they are.
        bytes: u64,
    },
    /// The transactions weigh more than the parameter.
    #[error("the transactions weigh {weight}")]
    Weight {
        /// What they weigh.
        weight: u64,
    },
    /// A transaction is none of the envelopes.
    #[error("transaction {index} is none of the envelopes")]
    Undecodable {
        /// Which.
        index: usize,
    },
    /// The same bytes came before.
    #[error("transaction {index} has the bytes of an earlier one")]
    Repeated {
        /// Which.
        index: usize,
    },
}

/// Transactions whose signatures are good, each with its weight, so that nothing is verified twice
/// on one node. Bounded: the oldest are forgotten.
pub struct Verified(Generations<TxHash, u64>);

impl Default for Verified {
    fn default() -> Self {
        Self(Generations::new(VERIFIED))
    }
}

impl Verified {
    /// Whether the transaction's signature is known to be good.
    pub fn contains(&self, hash: &TxHash) -> bool {
        self.0.contains(hash)
    }

    /// Remembers a transaction whose signature is good.
    pub(crate) fn insert(&self, hash: TxHash, weight: u64) {
        self.0.insert(hash, weight);
    }

    /// Weight of a CometBFT transaction, as [`cometbft_tx_weight`] has it; what is verified is
    /// not decoded again.
    ///
    /// # Errors
    /// `UNDECODABLE` when it is none of the envelopes.
    pub(crate) fn weight(&self, bytes: &[u8], spec: &ChainSpec, chain: &Hash) -> Result<u64, Code> {
        let Ok(bundle) = decode_bundle(bytes) else {
            let known = self.0.get(&tx_hash(bytes));
            return known.map_or_else(|| cometbft_tx_weight(bytes, spec, chain), Ok);
        };
        let weigh = |tx: &&[u8]| match self.0.get(&tx_hash(tx)) {
            Some(weight) => weight,
            None => cometbft_tx_weight(tx, spec, chain)
                .unwrap_or_else(|_| ballast_types::refused_weight(tx.len())),
        };
        Ok(bundle
            .txs
            .iter()
            .map(weigh)
            .fold(BUNDLE_WEIGHT, u64::saturating_add))
    }
}

/// Judges a proposal by the bytes of its transactions, and verifies the signatures that are new to
/// this node. Bad signatures are no reason: they get a code in the block. Returns the weight of each
/// transaction.
///
/// # Errors
/// When the proposal breaks a parameter, or holds what no honest proposer puts into it.
pub fn process(
    txs: &[Bytes],
    spec: &ChainSpec,
    chain: &Hash,
    verified: &Verified,
) -> Result<Vec<u64>, Reason> {
    let mut seen = HashSet::with_capacity(txs.len());
    let mut bytes = 0_u64;
    for (index, tx) in txs.iter().enumerate() {
        if tx.len() as u64 > spec.limits.tx_bytes {
            return Err(Reason::TxBytes {
                index,
                bytes: tx.len(),
            });
        }
        if !seen.insert(&**tx) {
            return Err(Reason::Repeated { index });
        }
        bytes = bytes.saturating_add(block_bytes(tx.len()));
    }
    if bytes > spec.limits.block_bytes {
        return Err(Reason::Bytes { bytes });
    }
    let opened: Vec<Opened> = txs
        .par_iter()
        .map(|tx| open(tx, spec, chain, verified))
        .collect();
    let weights: Vec<u64> = opened
        .iter()
        .enumerate()
        .map(|(index, opened)| opened.weight.ok_or(Reason::Undecodable { index }))
        .collect::<Result<_, _>>()?;
    let weight = weights.iter().copied().fold(0, u64::saturating_add);
    if weight > spec.limits.block_weight {
        return Err(Reason::Weight { weight });
    }
    verify(opened.into_iter().flat_map(|opened| opened.new), verified);
    Ok(weights)
}

struct Opened {
    /// `None` when it is none of the envelopes.
    weight: Option<u64>,
    /// What is not verified yet, with weights.
    new: Vec<(Box<Tx>, u64)>,
}

fn open(bytes: &[u8], spec: &ChainSpec, chain: &Hash, verified: &Verified) -> Opened {
    let Ok(bundle) = decode_bundle(bytes) else {
        let mut new = Vec::new();
        return Opened {
            weight: open_tx(bytes, spec, chain, verified, &mut new).ok(),
            new,
        };
    };
    let mut weight = BUNDLE_WEIGHT;
    let mut new = Vec::new();
    for tx in bundle.txs {
        let its_weight = open_tx(tx, spec, chain, verified, &mut new);
        let refused = || ballast_types::refused_weight(tx.len());
        weight = weight.saturating_add(its_weight.unwrap_or_else(|_| refused()));
    }
    Opened {
        weight: Some(weight),
        new,
    }
}

fn open_tx(
    bytes: &[u8],
    spec: &ChainSpec,
    chain: &Hash,
    verified: &Verified,
    new: &mut Vec<(Box<Tx>, u64)>,
) -> Result<u64, Code> {
    if let Some(weight) = verified.0.get(&tx_hash(bytes)) {
        return Ok(weight);
    }
    match decode(bytes, spec, chain) {
        Ok(Decoded::Tx(tx)) => {
            let weight = tx_weight(&tx, spec);
            if tx.chain == *chain {
                new.push((tx, weight));
            }
            Ok(weight)
        }
        Ok(Decoded::Bundle(_)) | Err(Code::Undecodable) => Err(Code::Undecodable),
        Err(_) => Ok(ballast_types::refused_weight(bytes.len())),
    }
}

fn verify(new: impl Iterator<Item = (Box<Tx>, u64)>, verified: &Verified) {
    let new: Vec<_> = new.collect();
    new.par_chunks(BATCH).for_each(|chunk| {
        let checks: Vec<_> = chunk
            .iter()
            .map(|(tx, _)| (&tx.key, &tx.sign_hash, &tx.signature))
            .collect();
        for ((tx, weight), good) in chunk.iter().zip(verify_batch(&checks)) {
            if good {
                verified.insert(tx.hash, *weight);
            }
        }
    });
}
