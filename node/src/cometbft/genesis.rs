//! CometBFT's `genesis.json`.

use std::time::Duration;

use ballast_genesis::time;
use ballast_types::TimeMs;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::keys;

/// What all nodes of a network must agree on before the first block.
#[derive(Clone, Copy, Debug)]
pub struct GenesisDoc<'a> {
    /// 1 to 50 characters.
    pub chain_id: &'a str,
    /// No block has an earlier time.
    pub genesis_time: TimeMs,
    /// Consensus parameters.
    pub params: ConsensusParams,
    /// The first validators.
    pub validators: &'a [Validator],
    /// Handed to the application byte for byte.
    pub app_state: &'a RawValue,
}

/// One of the first validators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator {
    /// For people.
    pub name: String,
    /// Ed25519 key that signs its votes.
    pub public_key: [u8; 32],
    /// Voting power.
    pub power: u64,
}

/// CometBFT's consensus parameters, as far as Ballast sets them. Vote extensions are off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsensusParams {
    /// Largest block in bytes.
    pub block_max_bytes: u64,
    /// Largest sum of the transactions' gas, that is their weight; `None` is no limit. Needed with
    /// the flood mempool only: otherwise the application fills the block.
    pub block_max_gas: Option<u64>,
    /// Evidence expires when it is older than this many blocks and than `evidence_max_age`.
    pub evidence_max_age_blocks: u64,
    /// See `evidence_max_age_blocks`. Blocks younger than both must be kept on disk.
    pub evidence_max_age: Duration,
    /// Most bytes of evidence in a block.
    pub evidence_max_bytes: u64,
}

impl Default for ConsensusParams {
    /// Blocks of 2 MiB. Evidence counts for six hours and at least 100,000 blocks. Nodes keep the
    /// blocks of that time: 22 GB at 1 MB/s of transactions, against 170 GB for CometBFT's default
    /// of two days.
    fn default() -> Self {
        Self {
            block_max_bytes: 2 << 20,
            block_max_gas: None,
            evidence_max_age_blocks: 100_000,
            evidence_max_age: Duration::from_hours(6),
            evidence_max_bytes: 64 << 10,
        }
    }
}

/// The file's content. Integers are strings, as CometBFT wants them.
pub fn to_json(doc: &GenesisDoc<'_>) -> serde_json::Result<String> {
    let params = &doc.params;
    let max_gas = params
        .block_max_gas
        .map_or_else(|| "-1".to_owned(), |gas| gas.to_string());
    let consensus_params = json!({
        "block": { "max_bytes": params.block_max_bytes.to_string(), "max_gas": max_gas },
        "evidence": {
            "max_age_num_blocks": params.evidence_max_age_blocks.to_string(),
            "max_age_duration": params.evidence_max_age.as_nanos().to_string(),
            "max_bytes": params.evidence_max_bytes.to_string(),
        },
        "validator": { "pub_key_types": ["ed25519"] },
        "version": { "app": "0" },
        "abci": { "vote_extensions_enable_height": "0" },
    });
    serde_json::to_string_pretty(&File {
        genesis_time: time::format(doc.genesis_time),
        chain_id: doc.chain_id,
        initial_height: "1",
        consensus_params,
        validators: doc.validators.iter().map(validator_json).collect(),
        app_hash: "",
        app_state: doc.app_state,
    })
}

fn validator_json(validator: &Validator) -> Value {
    json!({
        "address": hex::encode_upper(keys::address(&validator.public_key)),
        "pub_key": keys::public_key_json(&validator.public_key),
        "power": validator.power.to_string(),
        "name": validator.name,
    })
}

#[derive(serde::Serialize)]
struct File<'a> {
    genesis_time: String,
    chain_id: &'a str,
    initial_height: &'a str,
    consensus_params: Value,
    validators: Vec<Value>,
    app_hash: &'a str,
    app_state: &'a RawValue,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_cometbfts_form() {
        let app_state = RawValue::from_string(r#"{"b":1.50,"a":[2]}"#.to_owned()).expect("JSON");
        let validator = Validator {
            name: "v0".to_owned(),
            public_key: [7; 32],
            power: 10,
        };
        let doc = GenesisDoc {
            chain_id: "c",
            genesis_time: 1_000,
            params: ConsensusParams {
                block_max_gas: Some(4_000_000),
                ..Default::default()
            },
            validators: &[validator],
            app_state: &app_state,
        };
        let text = to_json(&doc).expect("serialises");
        assert!(
            text.contains(r#"{"b":1.50,"a":[2]}"#),
            "app_state is kept as it is: {text}"
        );
        let value: Value = serde_json::from_str(&text).expect("parses");
        let table = [
            ("/genesis_time", json!("1970-01-01T00:00:01.000Z")),
            ("/initial_height", json!("1")),
            ("/consensus_params/block/max_bytes", json!("2097152")),
            ("/consensus_params/block/max_gas", json!("4000000")),
            (
                "/consensus_params/evidence/max_age_duration",
                json!("21600000000000"),
            ),
            (
                "/consensus_params/abci/vote_extensions_enable_height",
                json!("0"),
            ),
            ("/validators/0/power", json!("10")),
            ("/validators/0/name", json!("v0")),
        ];
        for (pointer, expected) in table {
            assert_eq!(value.pointer(pointer), Some(&expected), "{pointer}");
        }
        let no_limit = GenesisDoc {
            params: ConsensusParams::default(),
            ..doc
        };
        assert!(
            to_json(&no_limit)
                .expect("serialises")
                .contains(r#""max_gas": "-1""#)
        );
    }
}
