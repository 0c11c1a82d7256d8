//! CometBFT's JSON: 64-bit numbers are strings, bytes are Base64 in some places and hexadecimal in
//! others, and empty lists are null.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use super::{Block, Header};

/// The body of an answer: the result, or the error that the node gave instead.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<Result<T, RpcError>> {
    #[derive(Deserialize)]
    struct Envelope {
        error: Option<RpcError>,
        result: Option<Box<serde_json::value::RawValue>>,
    }
    let envelope: Envelope = serde_json::from_slice(body)?;
    match envelope {
        Envelope {
            error: Some(error), ..
        } => Ok(Err(error)),
        Envelope {
            result: Some(result),
            ..
        } => serde_json::from_str(result.get()).map(Ok),
        Envelope { .. } => Err(serde_json::Error::custom("neither result nor error")),
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct RpcError {
    pub(super) code: i64,
    pub(super) message: String,
    #[serde(default)]
    pub(super) data: String,
}

#[derive(Deserialize)]
pub(super) struct Response<T> {
    pub(super) response: T,
}

#[derive(Deserialize)]
pub(super) struct BlockAnswer {
    block_id: BlockId,
    block: BlockBody,
}

#[derive(Deserialize)]
struct BlockId {
    hash: String,
}

#[derive(Deserialize)]
struct BlockBody {
    header: Header,
    data: BlockData,
}

#[derive(Deserialize)]
struct BlockData {
    #[serde(deserialize_with = "or_default")]
    txs: Vec<Bytes>,
}

#[derive(Deserialize)]
struct Bytes(#[serde(deserialize_with = "base64")] Vec<u8>);

impl From<BlockAnswer> for Block {
    fn from(answer: BlockAnswer) -> Self {
        Self {
            hash: answer.block_id.hash,
            header: answer.block.header,
            txs: answer
                .block
                .data
                .txs
                .into_iter()
                .map(|Bytes(tx)| tx)
                .collect(),
        }
    }
}

/// A number, as a string or bare.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Text(String),
        Bare(u64),
    }
    match Number::deserialize(deserializer)? {
        Number::Bare(number) => Ok(number),
        Number::Text(text) => text
            .parse()
            .map_err(|error| D::Error::custom(format!("{text:?}: {error}"))),
    }
}

/// A value, or its default for null.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Bytes as Base64; null is none.
pub(super) fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text: String = or_default(deserializer)?;
    BASE64
        .decode(&text)
        .map_err(|error| D::Error::custom(format!("{text:?}: {error}")))
}

/// A hash that this answer, unlike others, has as Base64.
pub(super) fn base64_as_hex<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    base64(deserializer).map(hex::encode_upper)
}

#[cfg(test)]
mod tests {
    use super::super::{BlockResults, NetInfo, QueryAnswer, Status};
    use super::*;

    fn result<T: DeserializeOwned>(json: &str) -> T {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{json}}}"#);
        parse(body.as_bytes())
            .expect("the right form")
            .expect("a result")
    }

    #[test]
    fn a_status() {
        let status: Status = result(
            r#"{"node_info":{"protocol_version":{"p2p":"8"},"id":"ab","listen_addr":"tcp://x",
                "network":"chain","version":"0.39.0","channels":"40","moniker":"n0","other":{}},
              "sync_info":{"latest_block_hash":"AA","latest_app_hash":"BB",
                "latest_block_height":"12","latest_block_time":"2026-11-21T14:19:26Z",
                "earliest_block_hash":"CC","earliest_block_height":"1","catching_up":false},
              "validator_info":{"address":"DD","pub_key":{},"voting_power":"10"}}"#,
        );
        assert_eq!(status.node_info.network, "chain");
        assert_eq!(status.sync_info.latest_block_height, 12);
        assert_eq!(status.validator_info.voting_power, 10);
    }

    #[test]
    fn a_block_with_and_without_transactions() {
        for (txs, expected) in [
            ("null", vec![]),
            ("[]", vec![]),
            (r#"["AQI=","Aw=="]"#, vec![vec![1, 2], vec![3]]),
        ] {
            let block: Block = result(&format!(
                r#"{{"block_id":{{"hash":"AA"}},"block":{{"header":{{"chain_id":"c","height":"7",
                    "time":"t","app_hash":"BB","last_results_hash":"CC","proposer_address":"DD"}},
                    "data":{{"txs":{txs}}}}}}}"#
            ));
            assert_eq!(block.header.height, 7);
            assert_eq!(block.txs, expected);
        }
    }

    #[test]
    fn results_of_a_block() {
        let results: BlockResults = result(
            r#"{"height":"7","txs_results":[{"code":3,"data":"AQI=","log":"l","info":"",
                "gas_wanted":"5","gas_used":"4","events":[],"codespace":"s"},
                {"code":0,"data":null}],"app_hash":"q80="}"#,
        );
        assert_eq!(results.app_hash, "ABCD");
        let [first, second] = results.txs_results.as_slice() else {
            panic!("two results")
        };
        assert_eq!(
            (first.code, first.gas_wanted, first.data.as_slice()),
            (3, 5, &[1, 2][..])
        );
        assert!(second.data.is_empty());
        let empty: BlockResults = result(r#"{"height":"8","txs_results":null,"app_hash":null}"#);
        assert!(empty.txs_results.is_empty() && empty.app_hash.is_empty());
    }

    #[test]
    fn sparse_answers() {
        let answer: Response<QueryAnswer> = result(r#"{"response":{"value":"AQ==","height":"3"}}"#);
        assert_eq!(
            (answer.response.height, answer.response.value),
            (3, vec![1])
        );
        let info: NetInfo = result(r#"{"listening":true,"n_peers":"0","peers":null}"#);
        assert!(info.peers.is_empty());
    }

    #[test]
    fn errors_and_nonsense() {
        let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","data":"d"}}"#;
        let error = parse::<Status>(body.as_bytes())
            .expect("the right form")
            .expect_err("error");
        assert_eq!((error.code, error.data.as_str()), (-32603, "d"));
        for body in ["", "{}", "<html>", r#"{"result":{"height":"x"}}"#] {
            assert!(parse::<BlockResults>(body.as_bytes()).is_err(), "{body}");
        }
    }
}
