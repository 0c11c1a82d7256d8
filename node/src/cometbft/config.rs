//! CometBFT's `config.toml`. What is not written keeps CometBFT's default.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The node's own settings; they need not be the same on all nodes.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the node, for people.
    pub moniker: String,
    /// Address of the application: `unix://PATH`, `tcp://HOST:PORT` or `kvstore`.
    pub proxy_app: String,
    /// Where peers connect.
    pub p2p: SocketAddr,
    /// Where RPC clients connect.
    pub rpc: SocketAddr,
    /// Where CometBFT serves its Prometheus metrics; `None` is nowhere.
    pub metrics: Option<SocketAddr>,
    /// Peers to which a connection is kept.
    pub persistent_peers: Vec<Peer>,
    /// Whether peers tell each other addresses of further peers.
    pub peer_exchange: bool,
    /// Whether several peers may share one address and addresses may be local.
    pub local_network: bool,
    /// Who holds transactions that are in no block yet.
    pub mempool: Mempool,
    /// Largest transaction in bytes.
    pub max_tx_bytes: u64,
    /// Pause after a block's commit, in which late votes are collected.
    pub timeout_commit: Duration,
    /// Whether transactions are found by their hash.
    pub indexer: Indexer,
    /// Whether the results of all blocks are kept; without them `block_results` is refused.
    pub keep_results: bool,
    /// CometBFT's log level, such as `error` or `consensus:debug,*:info`.
    pub log_level: String,
}

/// Another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its node id, 40 hexadecimal digits.
    pub id: String,
    /// Its peer-to-peer address.
    pub address: SocketAddr,
}

/// Who holds transactions that are in no block yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mempool {
    /// The application, which also builds the blocks.
    #[default]
    App,
    /// CometBFT, which sends each transaction to every peer.
    Flood,
}

impl std::fmt::Display for Mempool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::App => "app",
            Self::Flood => "flood",
        })
    }
}

/// Whether transactions are found by their hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexer {
    /// Yes; `tx` and `tx_search` answer.
    Kv,
    /// No, which saves disk and time.
    Null,
}

/// Pause after a commit. Shorter gives a lower latency and takes more CPU for empty blocks.
///
/// Measured with four validators on two cores, CometBFT's kvstore and hardly any transactions
/// (CPU of the four CometBFT processes together, in parts of one core):
///
/// | pause  | blocks/s | time to commit, p50 / p90 | CPU  |
/// |--------|----------|---------------------------|------|
/// | 20 ms  | 23       | 43 / 62 ms                | 75 % |
/// | 50 ms  | 14       | 57 / 94 ms                | 45 % |
/// | 100 ms | 8        | 92 / 118 ms               | 33 % |
pub const DEFAULT_TIMEOUT_COMMIT: Duration = Duration::from_millis(50);

impl Config {
    /// The settings of a node whose ports are on `p2p` and `rpc`, with everything else at its
    /// default: the app mempool, no index, errors logged, addresses and peers as on the internet.
    pub fn new(moniker: &str, proxy_app: &str, p2p: SocketAddr, rpc: SocketAddr) -> Self {
        Self {
            moniker: moniker.to_owned(),
            proxy_app: proxy_app.to_owned(),
            p2p,
            rpc,
            metrics: None,
            persistent_peers: Vec::new(),
            peer_exchange: true,
            local_network: false,
            mempool: Mempool::App,
            max_tx_bytes: 64 << 10,
            timeout_commit: DEFAULT_TIMEOUT_COMMIT,
            indexer: Indexer::Null,
            keep_results: false,
            log_level: "error".to_owned(),
        }
    }

    /// The file's content.
    pub fn to_toml(&self) -> String {
        let mut toml = Toml::default();
        self.base(&mut toml);
        toml.section("rpc");
        toml.text("laddr", &format!("tcp://{}", self.rpc));
        self.p2p(&mut toml);
        self.mempool(&mut toml);
        self.consensus(&mut toml);
        toml.section("storage");
        toml.raw("discard_abci_responses", !self.keep_results);
        toml.section("tx_index");
        toml.text(
            "indexer",
            if self.indexer == Indexer::Kv {
                "kv"
            } else {
                "null"
            },
        );
        toml.section("instrumentation");
        toml.raw("prometheus", self.metrics.is_some());
        if let Some(address) = self.metrics {
            toml.text("prometheus_listen_addr", &address.to_string());
        }
        toml.0
    }

    fn base(&self, toml: &mut Toml) {
        toml.text("proxy_app", &self.proxy_app);
        toml.text("moniker", &self.moniker);
        toml.text("abci", "socket");
        toml.text("db_backend", "goleveldb");
        toml.text("log_level", &self.log_level);
        toml.text("log_format", "plain");
    }

    fn p2p(&self, toml: &mut Toml) {
        let peers: Vec<String> = self
            .persistent_peers
            .iter()
            .map(|p| format!("{}@{}", p.id, p.address))
            .collect();
        toml.section("p2p");
        toml.text("laddr", &format!("tcp://{}", self.p2p));
        toml.text("persistent_peers", &peers.join(","));
        // Without it a node that was away for long waits for longer and longer.
        toml.text("persistent_peers_max_dial_period", "1s");
        toml.raw("pex", self.peer_exchange);
        toml.raw("addr_book_strict", !self.local_network);
        toml.raw("allow_duplicate_ip", self.local_network);
        toml.text("flush_throttle_timeout", "2ms");
        toml.raw("send_rate", 50_000_000);
        toml.raw("recv_rate", 50_000_000);
    }

    fn mempool(&self, toml: &mut Toml) {
        toml.section("mempool");
        toml.text("type", &self.mempool.to_string());
        toml.raw("max_tx_bytes", self.max_tx_bytes);
        match self.mempool {
            Mempool::App => toml.text("reap_interval", "10ms"),
            Mempool::Flood => {
                // Checked again in PrepareProposal, by the application.
                toml.raw("recheck", false);
                toml.raw("size", 100_000);
                toml.raw("max_txs_bytes", 256 << 20);
                toml.raw("cache_size", 200_000);
            }
        }
    }

    fn consensus(&self, toml: &mut Toml) {
        toml.section("consensus");
        toml.text("timeout_propose", "500ms");
        toml.text(
            "timeout_commit",
            &format!("{}ms", self.timeout_commit.as_millis()),
        );
        // The app mempool never says that transactions are there.
        toml.raw("create_empty_blocks", true);
        toml.text("peer_gossip_sleep_duration", "5ms");
    }
}

#[derive(Default)]
struct Toml(String);

impl Toml {
    fn section(&mut self, name: &str) {
        self.line(format_args!("\n[{name}]"));
    }

    fn raw(&mut self, key: &str, value: impl std::fmt::Display) {
        self.line(format_args!("{key} = {value}"));
    }

    fn text(&mut self, key: &str, value: &str) {
        self.line(format_args!("{key} = {}", quoted(value)));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// A TOML basic string.
fn quoted(value: &str) -> String {
    let mut text = String::from('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Config::new("n0", "kvstore", address(1), address(2))
    }

    #[test]
    fn each_mempool_gets_its_own_keys() {
        let app = config().to_toml();
        assert!(app.contains("type = \"app\"\n") && app.contains("reap_interval = \"10ms\"\n"));
        assert!(!app.contains("recheck"), "{app}");
        let flood = Config {
            mempool: Mempool::Flood,
            ..config()
        }
        .to_toml();
        assert!(flood.contains("type = \"flood\"\n") && flood.contains("recheck = false\n"));
        assert!(!flood.contains("reap_interval"), "{flood}");
    }

    #[test]
    fn settings_reach_the_file() {
        let peer = Peer {
            id: "ab".to_owned(),
            address: SocketAddr::from(([127, 0, 0, 1], 7)),
        };
        let config = Config {
            persistent_peers: vec![peer.clone(), peer],
            peer_exchange: false,
            local_network: true,
            metrics: Some(SocketAddr::from(([127, 0, 0, 1], 9))),
            timeout_commit: Duration::from_millis(20),
            indexer: Indexer::Kv,
            ..config()
        };
        let text = config.to_toml();
        for line in [
            "proxy_app = \"kvstore\"",
            "laddr = \"tcp://127.0.0.1:1\"",
            "laddr = \"tcp://127.0.0.1:2\"",
            "persistent_peers = \"ab@127.0.0.1:7,ab@127.0.0.1:7\"",
            "pex = false",
            "addr_book_strict = false",
            "allow_duplicate_ip = true",
            "timeout_commit = \"20ms\"",
            "indexer = \"kv\"",
            "prometheus = true",
            "prometheus_listen_addr = \"127.0.0.1:9\"",
        ] {
            assert!(
                text.lines().any(|l| l == line),
                "{line} is missing in\n{text}"
            );
        }
    }

    #[test]
    fn text_is_quoted() {
        for (value, expected) in [
            ("a b", r#""a b""#),
            (r#"a"b\c"#, r#""a\"b\\c""#),
            ("a\nb", r#""a\u000Ab""#),
        ] {
            assert_eq!(quoted(value), expected);
        }
    }
}
