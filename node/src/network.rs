//! What a running network tells about itself: endpoints and demo accounts, for people and as the
//! one line of `--json`, which `tx`, `query` and `feed` read again.

use std::fmt::Write as _;
use std::path::Path;

use ballast_types::Secret;
use serde::{Deserialize, Serialize};

use crate::key_file::{self, KeyRecord, KeyType};
use crate::ports::NodePorts;

/// Demo accounts of each key type.
const ACCOUNTS_OF_A_TYPE: usize = 4;

/// A network that is ready.
#[derive(Clone, Serialize, Deserialize)]
pub struct Network {
    /// CometBFT's chain id.
    pub chain_id: String,
    /// Its home directory; empty when its state is in memory.
    pub home: String,
    /// Its nodes, node 0 first.
    pub nodes: Vec<Endpoints>,
    /// Accounts with plenty of every asset; the first one's key publishes marks.
    pub accounts: Vec<KeyRecord>,
}

/// Where a node is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// CometBFT's JSON-RPC; empty when there is no CometBFT.
    pub rpc: String,
    /// The gateway's HTTP.
    pub http: String,
    /// The gateway's WebSocket.
    pub ws: String,
    /// Ballast's Prometheus metrics.
    pub metrics: String,
}

impl Endpoints {
    /// Those of a node that runs CometBFT.
    pub fn of(ports: &NodePorts) -> Self {
        Self {
            rpc: format!("http://{}", ports.rpc),
            ..Self::without_cometbft(ports)
        }
    }

    /// Those of a node without CometBFT.
    pub fn without_cometbft(ports: &NodePorts) -> Self {
        Self {
            rpc: String::new(),
            http: format!("http://{}", ports.http),
            ws: format!("ws://{}/v1/ws", ports.ws),
            metrics: format!("http://{}/metrics", ports.metrics),
        }
    }
}

impl Network {
    /// Reads the `--json` line from a file.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(text.trim()).map_err(|error| {
            format!(
                "{}: is not a network's --json line: {error}",
                path.display()
            )
        })
    }

    /// The line of `--json`.
    pub fn to_line(&self) -> String {
        // Strings and lists always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Tables for people.
    pub fn to_text(&self) -> String {
        let mut text = format!("Chain {}", self.chain_id);
        if !self.home.is_empty() {
            let _ = write!(text, " in {}", self.home);
        }
        text.push_str("\n\n");
        let nodes = self.nodes.iter().enumerate().map(|(i, node)| {
            let rpc = if node.rpc.is_empty() { "-" } else { &node.rpc };
            [
                i.to_string(),
                rpc.to_owned(),
                node.http.clone(),
                node.ws.clone(),
                node.metrics.clone(),
            ]
        });
        let header = ["node", "RPC", "HTTP", "WebSocket", "metrics"];
        text.push_str(&table(&header, nodes.map(Vec::from).collect()));
        text.push('\n');
        let accounts = self.accounts.iter().enumerate().map(|(i, account)| {
            let kind = key_type_name(account.key_type).to_owned();
            vec![
                i.to_string(),
                account.address.clone(),
                kind,
                account.key.clone(),
            ]
        });
        text.push_str(&table(
            &["account", "address", "key type", "key"],
            accounts.collect(),
        ));
        text.push_str("\nThese keys are for tests only. Account 0 also publishes mark prices.\n");
        text
    }
}

/// New demo accounts: four with Ed25519 keys, then four with secp256k1 keys.
pub fn demo_accounts() -> Result<Vec<Secret>, getrandom::Error> {
    let types = [KeyType::Ed25519, KeyType::Secp256k1];
    let types = types
        .into_iter()
        .flat_map(|kind| [kind; ACCOUNTS_OF_A_TYPE]);
    types.map(key_file::generate).collect()
}

fn key_type_name(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::Ed25519 => "ed25519",
        KeyType::Secp256k1 => "secp256k1",
    }
}

/// Columns as wide as their widest cell, two spaces apart; a line each, ending with a newline.
pub fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut lines = vec![header.iter().map(|name| (*name).to_owned()).collect()];
    lines.extend(rows);
    let mut widths = vec![0; header.len()];
    for cells in &lines {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for cells in &lines {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        let ports = NodePorts::of(26_600, 0).expect("in range");
        let accounts = demo_accounts().expect("randomness");
        Network {
            chain_id: "c".to_owned(),
            home: "/h".to_owned(),
            nodes: vec![Endpoints::of(&ports)],
            accounts: accounts.iter().map(KeyRecord::new).collect(),
        }
    }

    #[test]
    fn the_line_has_the_promised_form_and_reads_back() {
        let network = network();
        let line = network.to_line();
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let node = &value["nodes"][0];
        assert_eq!(node["rpc"], "http://127.0.0.1:26601");
        assert_eq!(node["http"], "http://127.0.0.1:26602");
        assert_eq!(node["ws"], "ws://127.0.0.1:26603/v1/ws");
        assert_eq!(node["metrics"], "http://127.0.0.1:26604/metrics");
        for (i, key_type) in [
            (0, "ed25519"),
            (3, "ed25519"),
            (4, "secp256k1"),
            (7, "secp256k1"),
        ] {
            let account = &value["accounts"][i];
            assert_eq!(account["key_type"], key_type);
            assert_eq!(account["key"].as_str().map(str::len), Some(64));
        }
        let read: Network = serde_json::from_str(&line).expect("reads");
        assert_eq!(read.to_line(), line);
    }

    #[test]
    fn tables_are_aligned() {
        let rows = vec![vec!["1".to_owned(), "x".to_owned()]];
        assert_eq!(table(&["node", "a"], rows), "node  a\n1     x\n");
    }
}
