//! Pass 0, first step: bytes become transactions with verified signatures.

use crate::passes::Env;
use ballast_types::{Code, Decoded, Tx, TxHash, decode, tx_hash, verify_batch};
use bytes::Bytes;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::ops::Range;

/// Transactions of a block in block order, and which of them each CometBFT transaction holds.
#[derive(Debug, Default)]
pub(crate) struct Unpacked {
    pub(crate) units: Vec<Unit>,
    pub(crate) spans: Vec<Range<usize>>,
}

/// One transaction: what it is, or why it is none.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) hash: TxHash,
    pub(crate) tx: Result<Tx, Code>,
}

/// Signatures that one task verifies.
const CHECKS: usize = 256;

pub(crate) fn unpack(
    txs: &[Bytes],
    env: &Env<'_>,
    verified: &(dyn Fn(&TxHash) -> bool + Sync),
) -> Unpacked {
    let decoded: Vec<Vec<Unit>> = txs.par_iter().map(|bytes| units(bytes, env)).collect();
    let mut unpacked = Unpacked::default();
    for units in decoded {
        let start = unpacked.units.len();
        unpacked.units.extend(units);
        unpacked.spans.push(start..unpacked.units.len());
    }
    refuse_repeats(&mut unpacked.units);
    refuse_other_chains(&mut unpacked.units, env);
    unpacked
        .units
        .par_chunks_mut(CHECKS)
        .for_each(|units| refuse_forged(units, verified));
    unpacked
}

fn units(bytes: &[u8], env: &Env<'_>) -> Vec<Unit> {
    let spec = &env.chain.spec;
    match decode(bytes, spec, &env.chain.hash) {
        Ok(Decoded::Tx(tx)) => vec![Unit {
            hash: tx.hash,
            tx: Ok(*tx),
        }],
        Ok(Decoded::Bundle(bundle)) => bundle
            .txs
            .iter()
            .map(|inner| inner_unit(inner, env))
            .collect(),
        Err(code) => vec![Unit {
            hash: outer_hash(bytes),
            tx: Err(code),
        }],
    }
}

/// A bundle that does not decode has no transaction to name.
fn outer_hash(bytes: &[u8]) -> TxHash {
    if bytes.first() == Some(&ballast_types::TAG_BUNDLE) {
        [0; 32]
    } else {
        tx_hash(bytes)
    }
}

fn inner_unit(bytes: &[u8], env: &Env<'_>) -> Unit {
    match decode(bytes, &env.chain.spec, &env.chain.hash) {
        Ok(Decoded::Tx(tx)) => Unit {
            hash: tx.hash,
            tx: Ok(*tx),
        },
        // The bundle's decoder lets native transactions through only.
        Ok(Decoded::Bundle(_)) => Unit {
            hash: tx_hash(bytes),
            tx: Err(Code::Undecodable),
        },
        Err(code) => Unit {
            hash: tx_hash(bytes),
            tx: Err(code),
        },
    }
}

fn refuse_repeats(units: &mut [Unit]) {
    let mut seen = BTreeSet::new();
    for unit in units {
        if unit.tx.is_ok() && !seen.insert(unit.hash) {
            unit.tx = Err(Code::Duplicate);
        }
    }
}

fn refuse_other_chains(units: &mut [Unit], env: &Env<'_>) {
    for unit in units {
        if unit.tx.as_ref().is_ok_and(|tx| tx.chain != env.chain.hash) {
            unit.tx = Err(Code::WrongChain);
        }
    }
}

fn refuse_forged(units: &mut [Unit], verified: &(dyn Fn(&TxHash) -> bool + Sync)) {
    let mut unknown: Vec<&mut Unit> = units
        .iter_mut()
        .filter(|unit| unit.tx.is_ok() && !verified(&unit.hash))
        .collect();
    let checks: Vec<_> = unknown
        .iter()
        .filter_map(|unit| unit.tx.as_ref().ok())
        .map(|tx| (&tx.key, &tx.sign_hash, &tx.signature))
        .collect();
    let good = verify_batch(&checks);
    for (unit, good) in unknown.iter_mut().zip(good) {
        if !good {
            unit.tx = Err(Code::BadSignature);
        }
    }
}
