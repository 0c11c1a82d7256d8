//! A node's own settings: `config/ballast.json` in its home. CometBFT's are in `config.toml`.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ballast_types::Secret;
use serde::{Deserialize, Serialize};

use crate::cometbft::config::Mempool;
use crate::key_file;

const FILE: &str = "config/ballast.json";
const INGRESS_KEY: &str = "config/ingress_key.json";

/// What `ballast start` reads from a home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSettings {
    /// Name of the node, for people.
    pub moniker: String,
    /// CometBFT's mempool; must be the one in `config.toml`.
    pub mempool: Mempool,
    /// Whether it passes on transactions that peers sent: for full nodes and sentries.
    pub relay: bool,
    /// The RPC address of its CometBFT.
    pub rpc: SocketAddr,
    /// Where its gateway serves HTTP.
    pub http: SocketAddr,
    /// Where its gateway serves the WebSocket alone.
    pub ws: SocketAddr,
    /// Where it serves its Prometheus metrics.
    pub metrics: SocketAddr,
}

/// Why settings cannot be used or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}", path = .path.display())]
pub struct Error {
    /// The file.
    path: PathBuf,
    /// What is wrong with it.
    source: io::Error,
}

impl NodeSettings {
    /// The settings of a home.
    pub fn read(home: &Path) -> Result<Self, Error> {
        let path = home.join(FILE);
        std::fs::read_to_string(&path)
            .and_then(|text| Ok(serde_json::from_str(&text)?))
            .map_err(|source| Error { path, source })
    }

    /// Writes or replaces the settings of a home.
    pub fn write(&self, home: &Path) -> Result<(), Error> {
        let path = home.join(FILE);
        let new = path.with_extension("json.new");
        serde_json::to_string_pretty(self)
            .map_err(io::Error::from)
            .and_then(|text| std::fs::write(&new, text + "\n"))
            .and_then(|()| std::fs::rename(&new, &path))
            .map_err(|source| Error { path, source })
    }
}

/// The key that signs the bundles of the node in `home`.
pub fn ingress_key(home: &Path) -> Result<Secret, key_file::Error> {
    key_file::read(&home.join(INGRESS_KEY))
}

/// Stores a new home's ingress key; fails when it has one.
pub fn write_ingress_key(home: &Path, key: &Secret) -> Result<(), key_file::Error> {
    key_file::create(&home.join(INGRESS_KEY), key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_back_and_errors_name_the_file_and_field() {
        let home = tempfile::tempdir().expect("a directory");
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let settings = NodeSettings {
            moniker: "node0".to_owned(),
            mempool: Mempool::Flood,
            relay: true,
            rpc: address(1),
            http: address(2),
            ws: address(3),
            metrics: address(4),
        };
        std::fs::create_dir(home.path().join("config")).expect("creates");
        settings.write(home.path()).expect("writes");
        assert_eq!(NodeSettings::read(home.path()).expect("reads"), settings);

        let path = home.path().join(FILE);
        let text = std::fs::read_to_string(&path).expect("reads");
        std::fs::write(&path, text.replace("relay", "delay")).expect("writes");
        let error = NodeSettings::read(home.path())
            .expect_err("refused")
            .to_string();
        assert!(
            error.contains("ballast.json") && error.contains("delay"),
            "{error}"
        );
    }
}
