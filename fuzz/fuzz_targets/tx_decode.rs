//! Any bytes as a transaction: decoding, weight and signature check never panic, and what a native
//! transaction decodes to encodes to the same bytes.
#![no_main]

use ballast_fuzz::spec;
use ballast_types::{
    ChainSpec, Decoded, Hash, Scheme, Tx, TxBody, chain_hash, decode, encode_native, tx_weight,
    verify,
};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static CHAIN: LazyLock<(ChainSpec, Hash)> = LazyLock::new(|| {
    let spec = spec();
    let chain = chain_hash(&spec.chain_id);
    (spec, chain)
});

fuzz_target!(|bytes: &[u8]| {
    let (spec, chain) = &*CHAIN;
    match decode(bytes, spec, chain) {
        Ok(Decoded::Tx(tx)) => check(bytes, *tx, spec),
        Ok(Decoded::Bundle(bundle)) => {
            for bytes in bundle.txs {
                if let Ok(Decoded::Tx(tx)) = decode(bytes, spec, chain) {
                    check(bytes, *tx, spec);
                }
            }
        }
        Err(_) => {}
    }
});

fn check(bytes: &[u8], tx: Tx, spec: &ChainSpec) {
    assert!(tx_weight(&tx, spec) > 0);
    verify((&tx.key, &tx.sign_hash, &tx.signature));
    if tx.scheme == Scheme::Native {
        let body = TxBody {
            chain: tx.chain,
            account: tx.account,
            key: tx.key,
            nonce: tx.nonce,
            expiry: tx.expiry,
            actions: tx.actions,
        };
        assert_eq!(encode_native(&body, &tx.signature), bytes);
    }
}
