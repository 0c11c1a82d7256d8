//! What the fuzz targets share: a chain, and blocks made from bytes.

pub mod script;

use ballast_genesis::{GenesisValidator, demo, validate};
use ballast_types::{Account, ChainSpec, Secret};

/// Genesis time of the fuzzed chain in ms.
pub const GENESIS_TIME: u64 = 1_700_000_000_000;

/// Secret of the demo account `number`.
pub fn secret(number: u8) -> Secret {
    Secret::ed25519([number.wrapping_add(1); 32])
}

/// The demo exchange with eight funded accounts, the first of which publishes prices.
pub fn spec() -> ChainSpec {
    let accounts: Vec<_> = (0..8)
        .map(|number| Account::new(secret(number).id(), 0))
        .collect();
    let validator = GenesisValidator {
        name: "fuzz".to_owned(),
        consensus_key: "11".repeat(32),
        ingress_key: "22".repeat(32),
        power: 1,
    };
    let genesis = demo(&accounts, secret(0).id(), vec![validator]);
    match validate(&genesis, "fuzz-1", GENESIS_TIME) {
        Ok(valid) => valid.into_spec(),
        Err(error) => panic!("the demo genesis is not valid: {error}"),
    }
}
