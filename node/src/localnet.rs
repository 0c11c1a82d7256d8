//! The files of a local network: settings, keys, genesis, and a home for each node.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ballast_genesis::{GenesisValidator, Matching};
use ballast_types::Account;
use serde::{Deserialize, Serialize};

use crate::actions::now_ms;
use crate::cometbft::config::{Config, Indexer, Mempool, Peer};
use crate::cometbft::home;
use crate::cometbft::keys::NodeKeys;
use crate::genesis_file::GenesisFile;
use crate::homes::{self, LocalnetHome};
use crate::key_file::{self, KeyRecord, KeyType, public_hex};
use crate::network::{Endpoints, Network, demo_accounts};
use crate::ports::{self, NodePorts};
use crate::settings::{self, NodeSettings};
use crate::units::Span;

/// Voting power of each validator.
const POWER: u64 = 10;

/// What a localnet is; stored in its home, so that it resumes.
#[derive(Clone, Serialize, Deserialize)]
pub struct Settings {
    /// CometBFT's chain id.
    pub chain_id: String,
    /// Number of validators.
    pub validators: usize,
    /// All ports follow from it.
    pub base_port: u16,
    /// Who holds transactions that are in no block yet.
    pub mempool: Mempool,
    /// CometBFT's pause after a commit.
    pub timeout_commit_ms: u64,
    /// The demo accounts.
    pub accounts: Vec<KeyRecord>,
}

/// Why a network cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The home directory.
    #[error(transparent)]
    Home(#[from] homes::Error),
    /// A CometBFT home.
    #[error(transparent)]
    CometBft(#[from] home::Error),
    /// A node's settings.
    #[error(transparent)]
    Settings(#[from] settings::Error),
    /// A key.
    #[error(transparent)]
    Key(#[from] key_file::Error),
    /// The ports.
    #[error(transparent)]
    Ports(#[from] ports::Error),
    /// The genesis.
    #[error("genesis: {0}")]
    Genesis(#[from] ballast_genesis::Error),
    /// A file.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives no random numbers.
    #[error("no randomness for new keys: {0}")]
    Random(#[from] getrandom::Error),
}

impl Settings {
    /// A new network's: a chain id of its own, so that no transaction counts in two, and new
    /// accounts.
    pub fn generate(
        validators: usize,
        base_port: u16,
        mempool: Mempool,
        timeout_commit: Duration,
    ) -> Result<Self, getrandom::Error> {
        Ok(Self {
            chain_id: new_chain_id("localnet")?,
            validators,
            base_port,
            mempool,
            timeout_commit_ms: u64::try_from(timeout_commit.as_millis()).unwrap_or(u64::MAX),
            accounts: demo_accounts()?.iter().map(KeyRecord::new).collect(),
        })
    }

    /// Reads the settings file of a home that may be in use.
    pub fn read(path: &Path) -> Result<Self, Error> {
        std::fs::read_to_string(path)
            .and_then(|text| Ok(serde_json::from_str(&text)?))
            .map_err(|source| Error::Io {
                path: path.to_owned(),
                source,
            })
    }

    /// The ports of each validator's node.
    pub fn ports(&self) -> Result<Vec<NodePorts>, ports::Error> {
        (0..self.validators)
            .map(|node| NodePorts::of(self.base_port, node))
            .collect()
    }

    /// What the network tells about itself.
    pub fn network(&self, home: &Path) -> Result<Network, ports::Error> {
        Ok(Network {
            chain_id: self.chain_id.clone(),
            home: home.display().to_string(),
            nodes: self.ports()?.iter().map(Endpoints::of).collect(),
            accounts: self.accounts.clone(),
        })
    }
}

/// `PREFIX-` and eight random hex digits.
pub fn new_chain_id(prefix: &str) -> Result<String, getrandom::Error> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{prefix}-{}", hex::encode(bytes)))
}

/// What the markets of a demo network have beyond the demo's own.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// In a new network, list BTC-FUTURE, which expires this long after genesis, behind the demo
    /// markets
    #[arg(long, value_name = "TIME")]
    pub future: Option<Span>,
    /// In a new network, list options that expire at each multiple of this time, before the others
    #[arg(long, value_name = "TIME")]
    pub option_expiry: Option<Span>,
    /// In a new network, let these markets trade in a batch at the end of each block
    #[arg(long, value_name = "SYMBOL,...", value_delimiter = ',')]
    pub batch: Vec<String>,
}

/// The genesis file of a demo network.
///
/// # Errors
/// When it would not be valid, or lacks a market that is to trade in batches; names the field.
pub fn demo_genesis(
    chain_id: &str,
    accounts: &[KeyRecord],
    validators: Vec<GenesisValidator>,
    extras: &Extras,
) -> Result<GenesisFile, ballast_genesis::Error> {
    let owner = |record: &KeyRecord| {
        record
            .secret()
            .map(|secret| secret.id())
            .map_err(|reason| ballast_genesis::Error::Value {
                field: "accounts".to_owned(),
                value: record.address.clone(),
                reason,
            })
    };
    let owners: Result<Vec<_>, _> = accounts.iter().map(owner).collect();
    let owners = owners?;
    let funded: Vec<_> = owners.iter().map(|owner| Account::new(*owner, 0)).collect();
    let authority = owners.first().copied().unwrap_or_default();
    let genesis = ballast_genesis::demo(&funded, authority, validators);
    let mut file = GenesisFile::new(chain_id.to_owned(), now_ms(), genesis);
    if let Some(lifetime) = extras.future {
        let lifetime = u64::try_from(lifetime.0.as_millis()).unwrap_or(u64::MAX);
        let expiry = file.genesis_time().saturating_add(lifetime);
        let market = ballast_genesis::demo_future(expiry);
        file.genesis.markets.push(market);
    }
    if let Some(period) = extras.option_expiry {
        let period = u64::try_from(period.0.as_millis()).unwrap_or(u64::MAX);
        for series in &mut file.genesis.series {
            series.cadences.push(ballast_genesis::demo_cadence(period));
        }
    }
    for symbol in &extras.batch {
        let mut markets = file.genesis.markets.iter_mut();
        let market = markets.find(|market| market.symbol == *symbol);
        let market = market.ok_or_else(|| ballast_genesis::Error::Value {
            field: "batch".to_owned(),
            value: symbol.clone(),
            reason: "is not the symbol of a market".to_owned(),
        })?;
        market.matching = Matching::Batch;
    }
    file.validate_draft()?;
    Ok(file)
}

/// Writes a new network into an empty home; its settings are last, so that it is whole or absent.
pub fn create(home: &LocalnetHome, settings: &Settings, extras: &Extras) -> Result<(), Error> {
    let mut nodes = Vec::new();
    let mut validators = Vec::new();
    for node in 0..settings.validators {
        let keys = NodeKeys::generate()?;
        let ingress = key_file::generate(KeyType::Ed25519)?;
        validators.push(GenesisValidator {
            name: name(node),
            consensus_key: hex::encode(keys.validator_public_key()),
            ingress_key: public_hex(&ingress.public()),
            power: POWER,
        });
        nodes.push((keys, ingress));
    }
    let genesis = demo_genesis(&settings.chain_id, &settings.accounts, validators, extras)?;
    let path = home::genesis_path(home.path());
    let genesis = genesis.to_text().map_err(|error| Error::Io {
        path,
        source: error.into(),
    })?;
    let peers = peers(settings, nodes.iter().map(|(keys, _)| keys.node_id()))?;
    for (node, (keys, ingress)) in nodes.iter().enumerate() {
        let config = config(settings, node, &peers)?;
        home::create(&home.node(node), keys, &config, &genesis)?;
        settings::write_ingress_key(&home.node(node), ingress)?;
        node_settings(settings, node)?.write(&home.node(node))?;
    }
    Ok(home.finish_set_up(settings)?)
}

/// Writes the settings, which may have changed, into an existing network.
pub fn update(home: &LocalnetHome, settings: &Settings) -> Result<(), Error> {
    let peers = peers_of_home(home.path(), settings)?;
    for node in 0..settings.validators {
        home::write_config(&home.node(node), &config(settings, node, &peers)?)?;
        node_settings(settings, node)?.write(&home.node(node))?;
    }
    Ok(home.finish_set_up(settings)?)
}

/// Adds a node that is no validator to the network in `home`, which may be running. Returns its
/// number; it is started by `ballast start`.
pub fn add_full_node(home: &Path, settings: &Settings) -> Result<usize, Error> {
    let is_free = |node: &usize| !home.join(name(*node)).exists();
    let node = (settings.validators..)
        .find(is_free)
        .unwrap_or(settings.validators);
    NodePorts::of(settings.base_port, node).and_then(|ports| ports::probe(&[ports]))?;
    let path = home::genesis_path(&home.join(name(0)));
    let genesis = std::fs::read_to_string(&path).map_err(|source| Error::Io { path, source })?;
    let directory = home.join(name(node));
    let config = config(settings, node, &peers_of_home(home, settings)?)?;
    home::create(&directory, &NodeKeys::generate()?, &config, &genesis)?;
    settings::write_ingress_key(&directory, &key_file::generate(KeyType::Ed25519)?)?;
    node_settings(settings, node)?.write(&directory)?;
    Ok(node)
}

/// The name of a node, which is also that of its directory.
pub fn name(node: usize) -> String {
    format!("node{node}")
}

fn config(settings: &Settings, node: usize, peers: &[Peer]) -> Result<Config, ports::Error> {
    let ports = NodePorts::of(settings.base_port, node)?;
    // Node 0 answers the questions of tools.
    let first = node == 0;
    let others = peers.iter().enumerate().filter(|(peer, _)| *peer != node);
    Ok(Config {
        metrics: Some(ports.cometbft_metrics),
        persistent_peers: others.map(|(_, peer)| peer.clone()).collect(),
        peer_exchange: false,
        local_network: true,
        mempool: settings.mempool,
        timeout_commit: Duration::from_millis(settings.timeout_commit_ms),
        indexer: if first { Indexer::Kv } else { Indexer::Null },
        keep_results: first,
        // `ballast start` gives the socket's address on the command line.
        ..Config::new(&name(node), "unix://abci.sock", ports.p2p, ports.rpc)
    })
}

fn node_settings(settings: &Settings, node: usize) -> Result<NodeSettings, ports::Error> {
    let ports = NodePorts::of(settings.base_port, node)?;
    Ok(NodeSettings {
        moniker: name(node),
        mempool: settings.mempool,
        relay: node >= settings.validators,
        rpc: ports.rpc,
        http: ports.http,
        ws: ports.ws,
        metrics: ports.metrics,
    })
}

fn peers_of_home(home: &Path, settings: &Settings) -> Result<Vec<Peer>, Error> {
    let id = |node| Ok(home::read_keys(&home.join(name(node)))?.node_id());
    let ids: Result<Vec<_>, Error> = (0..settings.validators).map(id).collect();
    Ok(peers(settings, ids?.into_iter())?)
}

fn peers(
    settings: &Settings,
    ids: impl Iterator<Item = String>,
) -> Result<Vec<Peer>, ports::Error> {
    let peer = |(node, id)| {
        Ok(Peer {
            id,
            address: NodePorts::of(settings.base_port, node)?.p2p,
        })
    };
    ids.enumerate().map(peer).collect()
}

#[cfg(test)]
mod tests {
    use ballast_types::PublicKey;

    use super::*;
    use crate::genesis_file;

    #[test]
    fn a_network_is_written_resumed_and_joined() {
        let directory = tempfile::tempdir().expect("a directory");
        let home = LocalnetHome::open(directory.path(), false).expect("opens");
        let pause = Duration::from_millis(30);
        // Ports of which nothing is known but that they are rarely used.
        let settings = Settings::generate(4, 20_100, Mempool::App, pause).expect("randomness");
        let lifetime = Duration::from_secs(3600);
        let extras = Extras {
            future: Some(Span(lifetime)),
            option_expiry: Some(Span(Duration::from_secs(20))),
            batch: vec!["ETH-PERP".to_owned()],
        };
        create(&home, &settings, &extras).expect("writes");

        let file = genesis_file::read(&home::genesis_path(&home.node(2))).expect("reads");
        let spec = file.validate().expect("valid").into_spec();
        assert_eq!(spec.chain_id, settings.chain_id);
        assert_eq!(spec.validators.len(), 4);
        let expiry = spec.markets.last().and_then(|market| market.kind.expiry());
        assert_eq!(expiry, Some(spec.genesis_time + 3_600_000));
        let soon = spec.genesis_time.next_multiple_of(20_000);
        for series in &spec.series {
            assert_eq!(series.expiries(spec.genesis_time - 1).first(), Some(&soon));
        }
        let batch =
            |market: &&ballast_types::MarketSpec| market.matching == ballast_types::Matching::Batch;
        let batches: Vec<_> = spec.markets.iter().filter(batch).collect();
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].symbol, "ETH-PERP");
        for node in 0..4 {
            let keys = home::read_keys(&home.node(node)).expect("reads");
            let ingress = settings::ingress_key(&home.node(node)).expect("reads");
            assert_eq!(
                spec.validators[node].consensus_key,
                keys.validator_public_key()
            );
            assert_eq!(
                ingress.public(),
                PublicKey::Ed25519(spec.validators[node].ingress_key)
            );
            assert!(!NodeSettings::read(&home.node(node)).expect("reads").relay);
        }
        let first = settings.accounts[0].secret().expect("a key").id();
        assert_eq!(spec.price_authorities, [first]);
        assert_eq!(settings.accounts.len(), 8);

        let moved = Settings {
            base_port: 20_300,
            mempool: Mempool::Flood,
            ..settings.clone()
        };
        update(&home, &moved).expect("writes");
        let path = home.path().join(homes::SETTINGS);
        let read = Settings::read(&path).expect("reads");
        assert_eq!((read.base_port, read.chain_id), (20_300, settings.chain_id));
        let toml = home.node(3).join("config/config.toml");
        let toml = std::fs::read_to_string(toml).expect("reads");
        assert!(
            toml.contains("127.0.0.1:20300,") && toml.contains("type = \"flood\""),
            "{toml}"
        );

        let node = add_full_node(home.path(), &moved).expect("writes");
        assert_eq!(node, 4);
        let joined = NodeSettings::read(&home.node(4)).expect("reads");
        assert!(joined.relay && joined.http.port() == 20_342);
        assert_eq!(add_full_node(home.path(), &moved).expect("writes"), 5);
    }
}
