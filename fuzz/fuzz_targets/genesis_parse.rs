//! Any text as a genesis: parsing and validation never panic, and what is valid stays so when it is
//! written and read again.
#![no_main]

use ballast_fuzz::GENESIS_TIME;
use ballast_genesis::{from_json, to_json, validate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(genesis) = from_json(text) else { return };
    let valid = validate(&genesis, "fuzz-1", GENESIS_TIME);
    let again = from_json(&to_json(&genesis)).unwrap();
    assert_eq!(validate(&again, "fuzz-1", GENESIS_TIME), valid);
});
