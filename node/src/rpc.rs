//! A client for CometBFT's JSON-RPC over HTTP: the calls that Ballast makes, typed.
//!
//! Hashes are upper-case hexadecimal, as CometBFT shows them. Transactions and data are bytes.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

mod wire;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The node cannot be reached, or the connection broke.
    #[error("{method} at {url}: {source}")]
    Http {
        /// The node.
        url: String,
        /// The call.
        method: &'static str,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// The node refuses or fails the call.
    #[error("{method} at {url}: {message} ({code}): {data}")]
    Refused {
        /// The node.
        url: String,
        /// The call.
        method: &'static str,
        /// JSON-RPC's error code.
        code: i64,
        /// JSON-RPC's error message.
        message: String,
        /// What CometBFT adds.
        data: String,
    },
    /// The answer has another form than CometBFT 0.40's.
    #[error("{method} at {url}: unexpected answer: {source}")]
    Form {
        /// The node.
        url: String,
        /// The call.
        method: &'static str,
        /// What does not fit.
        source: serde_json::Error,
    },
}

/// A client of one node. Clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    /// A client of the node at `url`, such as `http://127.0.0.1:26601`. A call takes at most
    /// `timeout`; [`Self::broadcast_tx_commit`] needs more than ten seconds.
    pub fn new(url: &str, timeout: Duration) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .no_proxy()
            // CometBFT closes a connection that was idle for ten seconds; a request sent at that
            // moment would fail.
            .pool_idle_timeout(Duration::from_secs(5))
            .build()?;
        Ok(Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    /// The node's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Who the node is and how far it got.
    pub async fn status(&self) -> Result<Status, Error> {
        self.call("status", json!({})).await
    }

    /// The block of `height`, or the newest.
    pub async fn block(&self, height: Option<u64>) -> Result<Block, Error> {
        self.call("block", at(height)).await
    }

    /// The results of the block of `height`, or of the newest. Refused by nodes that discard them.
    pub async fn block_results(&self, height: Option<u64>) -> Result<BlockResults, Error> {
        self.call("block_results", at(height)).await
    }

    /// Hands `tx` to the node and returns at once, without the application's answer.
    pub async fn broadcast_tx_async(&self, tx: &[u8]) -> Result<Broadcast, Error> {
        self.call("broadcast_tx_async", transaction(tx)).await
    }

    /// Hands `tx` to the node and returns the application's answer to CheckTx.
    pub async fn broadcast_tx_sync(&self, tx: &[u8]) -> Result<Broadcast, Error> {
        self.call("broadcast_tx_sync", transaction(tx)).await
    }

    /// Hands `tx` to the node and waits up to ten seconds for a block that contains it.
    pub async fn broadcast_tx_commit(&self, tx: &[u8]) -> Result<BroadcastCommit, Error> {
        self.call("broadcast_tx_commit", transaction(tx)).await
    }

    /// Asks the application. `height` 0 is the newest.
    pub async fn abci_query(
        &self,
        path: &str,
        data: &[u8],
        height: u64,
        prove: bool,
    ) -> Result<QueryAnswer, Error> {
        let data = hex::encode(data);
        let height = height.to_string();
        let params = json!({ "path": path, "data": data, "height": height, "prove": prove });
        let answer: wire::Response<QueryAnswer> = self.call("abci_query", params).await?;
        Ok(answer.response)
    }

    /// The application's own account of itself.
    pub async fn abci_info(&self) -> Result<AppInfo, Error> {
        let answer: wire::Response<AppInfo> = self.call("abci_info", json!({})).await?;
        Ok(answer.response)
    }

    /// The node's peers.
    pub async fn net_info(&self) -> Result<NetInfo, Error> {
        self.call("net_info", json!({})).await
    }

    /// How many transactions wait in CometBFT's own pool (none with the app mempool).
    pub async fn num_unconfirmed_txs(&self) -> Result<Unconfirmed, Error> {
        self.call("num_unconfirmed_txs", json!({})).await
    }

    /// The transaction with this SHA-256, on a node with an index.
    pub async fn tx(&self, hash: &[u8; 32]) -> Result<Tx, Error> {
        self.call("tx", json!({ "hash": BASE64.encode(hash), "prove": false }))
            .await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, Error> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let http_error = |source| Error::Http {
            url: self.url.clone(),
            method,
            source,
        };
        let response = self
            .http
            .post(&self.url)
            .json(&request)
            .send()
            .await
            .map_err(http_error)?;
        // CometBFT answers errors with status 500 and a JSON-RPC body.
        let body = response.bytes().await.map_err(http_error)?;
        match wire::parse::<T>(&body) {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(wire::RpcError {
                code,
                message,
                data,
            })) => Err(Error::Refused {
                url: self.url.clone(),
                method,
                code,
                message,
                data,
            }),
            Err(source) => Err(Error::Form {
                url: self.url.clone(),
                method,
                source,
            }),
        }
    }
}

fn at(height: Option<u64>) -> Value {
    height.map_or_else(
        || json!({}),
        |height| json!({ "height": height.to_string() }),
    )
}

fn transaction(tx: &[u8]) -> Value {
    json!({ "tx": BASE64.encode(tx) })
}

/// Answer of `status`.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// Who the node is.
    pub node_info: NodeInfo,
    /// How far it got.
    pub sync_info: SyncInfo,
    /// The node's validator key and what it weighs now.
    pub validator_info: ValidatorInfo,
}

/// What a node says of itself.
#[derive(Clone, Debug, Deserialize)]
pub struct NodeInfo {
    /// Node id, 40 lower-case hexadecimal digits.
    pub id: String,
    /// Peer-to-peer address.
    pub listen_addr: String,
    /// Chain id.
    pub network: String,
    /// Its name for people.
    pub moniker: String,
}

/// How far a node got.
#[derive(Clone, Debug, Deserialize)]
pub struct SyncInfo {
    /// Hash of the newest block.
    pub latest_block_hash: String,
    /// App hash after the newest block.
    pub latest_app_hash: String,
    /// Height of the newest block; 0 before the first.
    #[serde(deserialize_with = "wire::number")]
    pub latest_block_height: u64,
    /// Time of the newest block, RFC 3339.
    pub latest_block_time: String,
    /// Height of the oldest block that the node still has.
    #[serde(deserialize_with = "wire::number")]
    pub earliest_block_height: u64,
    /// Whether it is still fetching blocks from others.
    pub catching_up: bool,
}

/// A node's validator key.
#[derive(Clone, Debug, Deserialize)]
pub struct ValidatorInfo {
    /// Address, upper-case hexadecimal.
    pub address: String,
    /// Voting power; 0 when it is no validator.
    #[serde(deserialize_with = "wire::number")]
    pub voting_power: u64,
}

/// Answer of `block`.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "wire::BlockAnswer")]
pub struct Block {
    /// Hash of the block.
    pub hash: String,
    /// Its header.
    pub header: Header,
    /// Its transactions.
    pub txs: Vec<Vec<u8>>,
}

/// A block's header, in parts.
#[derive(Clone, Debug, Deserialize)]
pub struct Header {
    /// Chain id.
    pub chain_id: String,
    /// Height of the block.
    #[serde(deserialize_with = "wire::number")]
    pub height: u64,
    /// Time of the block, RFC 3339.
    pub time: String,
    /// App hash after the block **before**.
    pub app_hash: String,
    /// Hash over the results of the block before.
    pub last_results_hash: String,
    /// Address of the validator that proposed it.
    pub proposer_address: String,
}

/// Answer of `block_results`.
#[derive(Clone, Debug, Deserialize)]
pub struct BlockResults {
    /// Height of the block.
    #[serde(deserialize_with = "wire::number")]
    pub height: u64,
    /// One for each transaction, in the block's order.
    #[serde(deserialize_with = "wire::or_default")]
    pub txs_results: Vec<TxResult>,
    /// App hash after the block.
    #[serde(deserialize_with = "wire::base64_as_hex")]
    pub app_hash: String,
}

/// What became of a transaction.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TxResult {
    /// 0 is success.
    pub code: u32,
    /// The application's data.
    #[serde(deserialize_with = "wire::base64")]
    pub data: Vec<u8>,
    /// For people; not part of consensus.
    pub log: String,
    /// Weight that it may need.
    #[serde(deserialize_with = "wire::number")]
    pub gas_wanted: u64,
    /// Weight that it took.
    #[serde(deserialize_with = "wire::number")]
    pub gas_used: u64,
    /// Namespace of the code.
    pub codespace: String,
}

/// Answer of `broadcast_tx_async` and `broadcast_tx_sync`.
#[derive(Clone, Debug, Deserialize)]
pub struct Broadcast {
    /// CheckTx's code; 0 is success, and always 0 with `async`.
    pub code: u32,
    /// CheckTx's data, hexadecimal.
    pub data: String,
    /// For people.
    pub log: String,
    /// Namespace of the code.
    pub codespace: String,
    /// SHA-256 of the transaction.
    pub hash: String,
}

/// Answer of `broadcast_tx_commit`.
#[derive(Clone, Debug, Deserialize)]
pub struct BroadcastCommit {
    /// Result of CheckTx; when its code is not 0 there is no block.
    pub check_tx: TxResult,
    /// Result of the execution.
    pub tx_result: TxResult,
    /// SHA-256 of the transaction.
    pub hash: String,
    /// Height of its block; 0 when there is none.
    #[serde(deserialize_with = "wire::number")]
    pub height: u64,
}

/// Answer of `tx`.
#[derive(Clone, Debug, Deserialize)]
pub struct Tx {
    /// SHA-256 of the transaction.
    pub hash: String,
    /// Height of its block.
    #[serde(deserialize_with = "wire::number")]
    pub height: u64,
    /// Its place in the block.
    pub index: u32,
    /// What became of it.
    pub tx_result: TxResult,
    /// Its bytes.
    #[serde(deserialize_with = "wire::base64")]
    pub tx: Vec<u8>,
}

/// Answer of `abci_query`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct QueryAnswer {
    /// 0 is success.
    pub code: u32,
    /// For people.
    pub log: String,
    /// For people.
    pub info: String,
    /// The key that was asked for.
    #[serde(deserialize_with = "wire::base64")]
    pub key: Vec<u8>,
    /// The answer.
    #[serde(deserialize_with = "wire::base64")]
    pub value: Vec<u8>,
    /// Height of the state that it describes.
    #[serde(deserialize_with = "wire::number")]
    pub height: u64,
    /// Namespace of the code.
    pub codespace: String,
}

/// Answer of `abci_info`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AppInfo {
    /// The application's own text.
    pub data: String,
    /// Height of the last block that it keeps durably.
    #[serde(deserialize_with = "wire::number")]
    pub last_block_height: u64,
    /// App hash after that block.
    #[serde(deserialize_with = "wire::base64_as_hex")]
    pub last_block_app_hash: String,
}

/// Answer of `net_info`.
#[derive(Clone, Debug, Deserialize)]
pub struct NetInfo {
    /// Whether the node accepts peers.
    pub listening: bool,
    /// The connected peers.
    #[serde(deserialize_with = "wire::or_default")]
    pub peers: Vec<Peer>,
}

/// A connected peer.
#[derive(Clone, Debug, Deserialize)]
pub struct Peer {
    /// What it says of itself.
    pub node_info: NodeInfo,
    /// Whether this node made the connection.
    pub is_outbound: bool,
    /// Its address.
    pub remote_ip: String,
}

/// Answer of `num_unconfirmed_txs`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Unconfirmed {
    /// Transactions in the pool.
    #[serde(deserialize_with = "wire::number")]
    pub total: u64,
    /// Their bytes.
    #[serde(deserialize_with = "wire::number")]
    pub total_bytes: u64,
}
