//! `ballast init`: the home of a node that will run on this machine.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::json;

use crate::cmd::Failure;
use crate::cometbft::config::{Config, Mempool, Peer};
use crate::cometbft::home;
use crate::cometbft::keys::NodeKeys;
use crate::key_file::{self, KeyType, public_hex};
use crate::ports::{DEFAULT_BASE, NodePorts};
use crate::settings::{self, NodeSettings};

/// Arguments of `init`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Writes new keys, config/config.toml for CometBFT and config/ballast.json \
    for Ballast; edit both as you like. The keys that are printed go into the genesis of a new \
    network; its file goes to HOME/config/genesis.json. A typical sequence:\n\n  \
    ballast init --home v0 --moniker v0 --p2p 0.0.0.0:26600\n  \
    ballast genesis new --demo --chain-id demo-1 --output genesis.json\n  \
    ballast genesis add-validator genesis.json --name v0 --consensus-key KEY --ingress-key KEY\n  \
    cp genesis.json v0/config/genesis.json\n  ballast start --home v0"
)]
pub struct Args {
    /// Directory of the node
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// Name of the node, for people
    #[arg(long, default_value = "ballast")]
    moniker: String,
    /// The ports follow from it: p2p P, RPC P + 1, HTTP P + 2, WebSocket P + 3, metrics P + 4,
    /// CometBFT metrics P + 5; all on 127.0.0.1
    #[arg(long, value_name = "P", default_value_t = DEFAULT_BASE)]
    base_port: u16,
    /// Where other nodes connect [default: 127.0.0.1:P]
    #[arg(long, value_name = "IP:PORT")]
    p2p: Option<SocketAddr>,
    /// A node to which a connection is kept; may be repeated
    #[arg(long = "peer", value_name = "ID@IP:PORT")]
    peers: Vec<PeerArg>,
    /// Who holds transactions that wait; the same on all nodes
    #[arg(long, value_enum, default_value = "app")]
    mempool: Mempool,
    /// Pass on transactions that peers sent: for sentries and full nodes
    #[arg(long)]
    relay: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A peer as `--peer` names it.
#[derive(Clone, Debug)]
struct PeerArg(Peer);

impl FromStr for PeerArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not ID@IP:PORT with an id of 40 hex digits");
        let (id, address) = text.split_once('@').ok_or_else(bad)?;
        if hex::decode(id).map_or(0, |bytes| bytes.len()) != 20 {
            return Err(bad());
        }
        let address = address.parse().map_err(|_| bad())?;
        let id = id.to_lowercase();
        Ok(Self(Peer { id, address }))
    }
}

/// Writes the home and prints the public halves of its keys.
pub fn run(args: Args) -> Result<(), Failure> {
    let ports = NodePorts::of(args.base_port, 0)?;
    let p2p = args.p2p.unwrap_or(ports.p2p);
    let keys = NodeKeys::generate()?;
    let ingress = key_file::generate(KeyType::Ed25519)?;
    let config = Config {
        metrics: Some(ports.cometbft_metrics),
        persistent_peers: args.peers.into_iter().map(|PeerArg(peer)| peer).collect(),
        local_network: p2p.ip().is_loopback(),
        mempool: args.mempool,
        // `ballast start` gives the socket's address on the command line.
        ..Config::new(&args.moniker, "unix://abci.sock", p2p, ports.rpc)
    };
    let home: &Path = &args.home;
    home::create_without_genesis(home, &keys, &config)?;
    settings::write_ingress_key(home, &ingress)?;
    let settings = NodeSettings {
        moniker: args.moniker,
        mempool: args.mempool,
        relay: args.relay,
        rpc: ports.rpc,
        http: ports.http,
        ws: ports.ws,
        metrics: ports.metrics,
    };
    settings.write(home)?;
    let shown = [
        ("home", home.display().to_string()),
        ("peer", format!("{}@{p2p}", keys.node_id())),
        ("consensus_key", hex::encode(keys.validator_public_key())),
        ("ingress_key", public_hex(&ingress.public())),
    ];
    if args.json {
        let fields = shown.map(|(name, value)| (name.to_owned(), json!(value)));
        println!(
            "{}",
            serde_json::Value::Object(fields.into_iter().collect())
        );
    } else {
        for (name, value) in shown {
            println!("{name:<13}  {value}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_read_or_refused() {
        let id = "AB".repeat(20);
        let PeerArg(peer) = format!("{id}@127.0.0.1:7").parse().expect("a peer");
        assert_eq!((peer.id, peer.address.port()), (id.to_lowercase(), 7));
        for bad in [
            "",
            "ab@127.0.0.1:7",
            &id,
            &format!("{id}@host:7"),
            &format!("{id}@127.0.0.1"),
        ] {
            let error = bad.parse::<PeerArg>().expect_err("refused");
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }
}
