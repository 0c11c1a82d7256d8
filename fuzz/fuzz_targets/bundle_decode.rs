//! Any bytes as a bundle: what decodes consists of exactly those bytes; and any transactions, made
//! into a bundle, come out of it again.
#![no_main]

use ballast_fuzz::secret;
use ballast_types::{
    MAX_BUNDLE_TXS, TAG_BUNDLE, TAG_NATIVE, decode_bundle, encode_bundle, verify_ingress,
};
use libfuzzer_sys::fuzz_target;

const CHAIN: [u8; 32] = [7; 32];

fuzz_target!(|bytes: &[u8]| {
    if let Ok(bundle) = decode_bundle(bytes) {
        let mut again = vec![TAG_BUNDLE];
        again.extend_from_slice(&bundle.signature);
        again.extend_from_slice(&bundle.origin);
        again.extend_from_slice(&bundle.stamp.to_le_bytes());
        again.extend_from_slice(&(bundle.txs.len() as u32).to_le_bytes());
        for tx in &bundle.txs {
            assert_eq!(tx[0], TAG_NATIVE);
            again.extend_from_slice(&(tx.len() as u32).to_le_bytes());
            again.extend_from_slice(tx);
        }
        assert_eq!(again, bytes);
        verify_ingress(&CHAIN, &bundle.origin, bundle.body, &bundle.signature);
    }

    // The first byte says how long the pieces are.
    let Some((&length, content)) = bytes.split_first() else {
        return;
    };
    let pieces = content.chunks(usize::from(length) + 1).take(MAX_BUNDLE_TXS);
    let txs: Vec<_> = pieces
        .map(|piece| [&[TAG_NATIVE], piece].concat())
        .collect();
    if txs.is_empty() {
        return;
    }
    let encoded = encode_bundle(&txs, u64::from(length), &CHAIN, &secret(0));
    let bundle = decode_bundle(&encoded).unwrap();
    assert_eq!(bundle.txs, txs);
    assert!(verify_ingress(
        &CHAIN,
        &bundle.origin,
        bundle.body,
        &bundle.signature
    ));
});
