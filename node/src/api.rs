//! A client for the gateway's HTTP, for the commands.

use std::sync::Arc;
use std::time::Duration;

use ballast_gateway::http_sign_hash;
use ballast_types::{Hash, PublicKey, Secret};
use reqwest::Url;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::actions::now_ms;

/// Longer than the gateway lets a request wait.
const TIMEOUT: Duration = Duration::from_secs(70);
/// Pause between two questions whether a node is ready.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("--node {url:?}: {reason}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The node cannot be reached, or the connection broke.
    #[error("{url}: {source}")]
    Http {
        /// What was asked.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// The node refuses the request.
    #[error("{field} {value:?}: {message} ({code})")]
    Refused {
        /// The stable name of the reason.
        code: String,
        /// The part of the request that is at fault.
        field: String,
        /// What it held.
        value: String,
        /// For people.
        message: String,
    },
    /// The answer has another form than this version's.
    #[error("{url}: unexpected answer: {reason}")]
    Form {
        /// What was asked.
        url: String,
        /// What does not fit.
        reason: String,
    },
}

/// A key to prove to a node, so that it tells what only the account's keys may see.
#[derive(Clone, Debug)]
pub struct Proof {
    secret: Secret,
    chain: Hash,
}

impl Proof {
    /// A key, and the chain's digest.
    pub fn new(secret: Secret, chain: Hash) -> Self {
        Self { secret, chain }
    }

    /// The value of the header `authorization` at a time in ms.
    fn header(&self, time: u64) -> String {
        let (key_type, key) = match self.secret.public() {
            PublicKey::Ed25519(key) => ("ed25519", hex::encode(key)),
            PublicKey::Secp256k1(key) => ("secp256k1", hex::encode(key)),
        };
        let signature = self.secret.sign(&http_sign_hash(&self.chain, time));
        format!("Ballast {key_type} {key} {time} {}", hex::encode(signature))
    }
}

/// A client of one node.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    url: Url,
    proof: Option<Arc<Proof>>,
}

impl Api {
    /// A client of the gateway at `url`, such as `http://127.0.0.1:26602`.
    pub fn new(url: &str) -> Result<Self, Error> {
        let bad = |reason: String| Error::Url {
            url: url.to_owned(),
            reason,
        };
        let parsed = Url::parse(url).map_err(|error| bad(error.to_string()))?;
        if parsed.scheme() != "http" || parsed.cannot_be_a_base() {
            return Err(bad("is not an http://HOST:PORT address".to_owned()));
        }
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .no_proxy()
            .build()
            .map_err(|source| Error::Http {
                url: url.to_owned(),
                source,
            })?;
        Ok(Self {
            http,
            url: parsed,
            proof: None,
        })
    }

    /// The same, proving a key with each question.
    pub fn with_proof(self, proof: Proof) -> Self {
        Self {
            proof: Some(Arc::new(proof)),
            ..self
        }
    }

    /// Waits until the node has a block to tell about, and takes transactions.
    pub async fn until_ready(&self) {
        while self.get(&["health"], &[]).await.is_err() {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// `GET` of a path, given in parts, which are escaped.
    pub async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, Error> {
        let url = self.address(path, query);
        let mut request = self.http.get(url.clone());
        if let Some(proof) = &self.proof {
            request = request.header("authorization", proof.header(now_ms()));
        }
        self.answer(request, &url).await
    }

    /// `POST` of a JSON body, otherwise as [`Self::get`].
    pub async fn post(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        body: &Value,
    ) -> Result<Value, Error> {
        let url = self.address(path, query);
        let mut request = self.http.post(url.clone()).body(body.to_string());
        request = request.header("content-type", "application/json");
        if let Some(proof) = &self.proof {
            request = request.header("authorization", proof.header(now_ms()));
        }
        self.answer(request, &url).await
    }

    /// [`Self::get`], read into a type.
    pub async fn read<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Error> {
        let answer = self.get(path, &[]).await?;
        serde_json::from_value(answer).map_err(|error| Error::Form {
            url: self.address(path, &[]).into(),
            reason: error.to_string(),
        })
    }

    /// Sends a signed transaction and waits for its block; the answer has no `result` when none
    /// held it in that time.
    pub async fn submit(&self, tx: Vec<u8>, wait: Duration) -> Result<Value, Error> {
        let mut query = Vec::new();
        if !wait.is_zero() {
            query.push(("wait", "true".to_owned()));
            query.push(("timeout_ms", wait.as_millis().to_string()));
        }
        let url = self.address(&["v1", "txs"], &query);
        let request = self.http.post(url.clone()).body(tx);
        let request = request.header("content-type", "application/octet-stream");
        self.answer(request, &url).await
    }

    fn address(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn answer(&self, request: reqwest::RequestBuilder, url: &Url) -> Result<Value, Error> {
        let failed = |source: reqwest::Error| Error::Http {
            url: url.to_string(),
            source: source.without_url(),
        };
        let response = request.send().await.map_err(failed)?;
        let ok = response.status().is_success();
        let body = response.bytes().await.map_err(failed)?;
        let form = |reason: String| Error::Form {
            url: url.to_string(),
            reason,
        };
        let value: Value =
            serde_json::from_slice(&body).map_err(|error| form(error.to_string()))?;
        if ok {
            return Ok(value);
        }
        let error = &value["error"];
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        match error.is_object() {
            true => Err(Error::Refused {
                code: text("code"),
                field: text("field"),
                value: text("value"),
                message: text("message"),
            }),
            false => Err(form(value.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_path_are_escaped() {
        let api = Api::new("http://127.0.0.1:1/").expect("an address");
        let url = api.address(&["v1", "book", "BTC/USDC"], &[("depth", "5".to_owned())]);
        assert_eq!(
            url.as_str(),
            "http://127.0.0.1:1/v1/book/BTC%2FUSDC?depth=5"
        );
    }

    #[test]
    fn addresses_that_are_none_are_named() {
        for url in ["", "127.0.0.1:1", "ftp://x", "mailto:x"] {
            let error = Api::new(url).expect_err("refused").to_string();
            assert!(error.contains(&format!("{url:?}")), "{error}");
        }
    }
}
