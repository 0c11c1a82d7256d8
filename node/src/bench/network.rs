//! Four validators in a temporary home on free ports: the exchange or a yardstick.

use std::path::Path;
use std::time::Duration;

use ballast_genesis::{Genesis, GenesisGroup, GenesisMarket, Kind, Matching, Number, Time};
use ballast_types::{ChainSpec, Secret};
use clap::ValueEnum;
use tempfile::TempDir;

use crate::actions::now_ms;
use crate::api::Api;
use crate::bench::flow::{Load, QUOTED};
use crate::cmd::Failure;
use crate::cometbft::config::{DEFAULT_TIMEOUT_COMMIT, Mempool};
use crate::cometbft::{child, home, provide};
use crate::genesis_file;
use crate::homes::LocalnetHome;
use crate::key_file::KeyType;
use crate::localnet::{self, Extras, Settings};
use crate::network::Endpoints;
use crate::ports;
use crate::rpc;
use crate::supervise::{Log, Patience, Program, Supervisor};

/// Validators of every network.
pub const VALIDATORS: usize = 4;
/// Where the search for free ports begins and ends, and its step. Systems give ports above to
/// outgoing connections.
const BASES: (u16, u16, usize) = (20_000, 32_000, 100);
/// A year in ms.
const YEAR_MS: u64 = 365 * 86_400_000;
/// How long a network may take until it has blocks.
const START: Duration = Duration::from_secs(60);

/// What the validators run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum System {
    /// The exchange.
    Exchange,
    /// The no-op application behind the exchange's own pool, bundles, gateway and transport.
    Noop,
    /// CometBFT's own key-value store, in its process, with its own mempool.
    Kvstore,
}

impl System {
    /// Its word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Noop => "no-op",
            Self::Kvstore => "kvstore",
        }
    }
}

/// A running network. Dropping it ends the processes too.
pub struct Running {
    /// What runs.
    pub system: System,
    /// The chain, as its genesis says.
    pub spec: ChainSpec,
    /// The demo accounts with Ed25519 keys.
    pub secrets: Vec<Secret>,
    /// Node 0 first.
    pub nodes: Vec<Endpoints>,
    supervisors: Vec<Supervisor>,
    // Deleted last.
    _directory: TempDir,
}

impl Running {
    /// Starts a new network and waits until each node has blocks.
    pub async fn start(ballast: &Path, system: System, load: Load) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new()
            .prefix("ballast-bench-")
            .tempdir()?;
        let network = LocalnetHome::open(&directory.path().join("net"), false)?;
        let mempool = match system {
            System::Exchange | System::Noop => Mempool::App,
            System::Kvstore => Mempool::Flood,
        };
        let base = free_base()?;
        let settings = Settings::generate(VALIDATORS, base, mempool, DEFAULT_TIMEOUT_COMMIT)?;
        localnet::create(&network, &settings, &Extras::default())?;
        for node in 0..VALIDATORS {
            // A few keys carry the load of a whole exchange.
            genesis_file::edit(&home::genesis_path(&network.node(node)), |genesis| {
                genesis.limits.bucket_tokens = 1_000_000;
                genesis.limits.bucket_refill = 1_000_000;
                genesis.limits.cancel_tokens = 1_000_000;
                // What a visit leaves in the two markets of a group; cancels weigh by it.
                genesis.limits.open_orders = 128;
                shape(genesis, load);
            })?;
        }
        let genesis = genesis_file::read(&home::genesis_path(&network.node(0)))?;
        let spec = genesis.validate()?.into_spec();
        let ed25519 = settings
            .accounts
            .iter()
            .filter(|key| key.key_type == KeyType::Ed25519);
        let secrets = ed25519
            .map(|record| record.secret())
            .collect::<Result<_, _>>()?;
        let nodes = settings.ports()?.iter().map(Endpoints::of).collect();
        let mut supervisors = Vec::new();
        for node in 0..VALIDATORS {
            let program = program(ballast, system, &network.node(node))?;
            let started = Supervisor::start(ballast.to_owned(), program, Patience::default());
            supervisors.push(started?);
        }
        let running = Self {
            system,
            spec,
            secrets,
            nodes,
            supervisors,
            _directory: directory,
        };
        let ready = tokio::time::timeout(START, running.ready()).await;
        ready.map_err(|_| format!("{}: no blocks after {START:?}", system.name()))??;
        Ok(running)
    }

    async fn ready(&self) -> Result<(), Failure> {
        for node in &self.nodes {
            let rpc = rpc::Client::new(&node.rpc, Duration::from_secs(5))?;
            while !rpc
                .status()
                .await
                .is_ok_and(|status| status.sync_info.latest_block_height >= 2)
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            if self.system != System::Kvstore {
                let api = Api::new(&node.http)?;
                while api.get(&["health"], &[]).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        Ok(())
    }

    /// Stops all processes and deletes their files.
    pub async fn stop(self) {
        for supervisor in &self.supervisors {
            supervisor.ask_to_stop();
        }
        for supervisor in self.supervisors {
            supervisor.stop().await;
        }
    }
}

/// Gives the genesis the markets that a load needs.
fn shape(genesis: &mut Genesis, load: Load) {
    match load {
        Load::Orders | Load::Cancels => {}
        Load::Auction => {
            for market in &mut genesis.markets {
                market.matching = Matching::Batch;
            }
        }
        Load::Quotes => {
            let (markets, group) = QUOTED;
            genesis.limits.open_orders = 2 * markets;
            genesis.groups.push(GenesisGroup::new(group));
            let like = genesis.markets.iter().find(|market| market.mark.is_some());
            let Some(like) = like.cloned() else { return };
            // A group has one perpetual, so they are futures that outlive the run.
            let expiry = Time(now_ms().saturating_add(YEAR_MS));
            genesis.markets.extend((0..markets).map(|at| GenesisMarket {
                symbol: format!("{group}{at}"),
                group: group.to_owned(),
                kind: Kind::Future,
                expiry: Some(expiry),
                mark: Some(Number::from(100)),
                min_notional: None,
                ..like.clone()
            }));
        }
    }
}

fn program(ballast: &Path, system: System, directory: &Path) -> Result<Program, Failure> {
    let cometbft = Log::File(directory.join("logs/cometbft.log"));
    let own = |args: [&str; 2]| Program {
        name: "ballast".to_owned(),
        path: ballast.to_owned(),
        args: args
            .into_iter()
            .map(Into::into)
            .chain([directory.into()])
            .collect(),
        env: Vec::new(),
        log: Log::File(directory.join("logs/ballast.log")),
    };
    Ok(match system {
        System::Exchange => own(["start", "--home"]),
        System::Noop => own(["noop-node", "--home"]),
        System::Kvstore => child::program(&provide::binary()?, directory, "kvstore", cometbft),
    })
}

fn free_base() -> Result<u16, Failure> {
    let (first, last, step) = BASES;
    let free = |base: &u16| {
        let nodes: Result<Vec<_>, _> = (0..VALIDATORS)
            .map(|node| ports::NodePorts::of(*base, node))
            .collect();
        nodes.is_ok_and(|nodes| ports::probe(&nodes).is_ok())
    };
    let base = (first..last).step_by(step).find(free);
    Ok(base.ok_or_else(|| format!("no free ports from {first} to {last}"))?)
}
