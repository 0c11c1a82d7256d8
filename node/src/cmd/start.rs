//! `ballast start`: one node with its CometBFT.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ballast_abci::application::Exchange;
use ballast_abci::pool::{Mode, PoolConfig};
use ballast_abci::{Address, Pool as _, Server, ServerConfig, message_limit};
use ballast_types::ChainSpec;
use tokio::task::JoinHandle;

use crate::api::Api;
use crate::cmd::{Failure, block_on, localnet};
use crate::cometbft::config::Mempool;
use crate::cometbft::genesis::ConsensusParams;
use crate::cometbft::{child, home, provide};
use crate::genesis_file;
use crate::homes::HomeLock;
use crate::network::Endpoints;
use crate::node::{self, Addresses, endpoints_text};
use crate::ports::NodePorts;
use crate::rpc;
use crate::settings::{self, NodeSettings};
use crate::signals::StopSignals;
use crate::sockets::AbciSocket;
use crate::supervise::{Log, Patience, Supervisor, own_binary};

/// How often bundles are taken from the pool in flood mode; CometBFT does it as often in app mode.
const REAP: Duration = Duration::from_millis(10);
/// Most bytes of them at once.
const REAP_BYTES: u64 = 1 << 20;
const RPC_TIMEOUT: Duration = Duration::from_secs(5);

/// Arguments of `start`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "HOME holds CometBFT's files and config/ballast.json, the node's ports and \
    mempool. CometBFT runs as a child and is started again when it ends; its output is in \
    HOME/logs/cometbft.log. SIGINT or SIGTERM stops both.\n\nExample:\n  \
    ballast start --home ~/.ballast/localnet/node0"
)]
pub struct Args {
    /// Directory of the node
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// Do not run CometBFT: the operator does, with the proxy_app that is printed
    #[arg(long)]
    external_cometbft: bool,
    /// Compute the margin of every account anew after every block, and stop when one is not what
    /// was kept: slow
    #[arg(long)]
    check_margins: bool,
}

/// Runs the node until SIGINT or SIGTERM. Fails when the application cannot go on.
pub fn run(args: Args) -> Result<(), Failure> {
    run_home(&args.home, args.external_cometbft, args.check_margins, None)
}

/// What a node that was just added says when it serves.
pub(super) struct Announce {
    endpoints: Endpoints,
    json: bool,
}

impl Announce {
    pub(super) fn of(ports: &NodePorts, json: bool) -> Option<Self> {
        Some(Self {
            endpoints: Endpoints::of(ports),
            json,
        })
    }

    /// Says it as soon as the node has all blocks: until then it judges transactions by an old
    /// state, and passes none on.
    async fn when_ready(&self) -> Result<(), Failure> {
        let client = rpc::Client::new(&self.endpoints.rpc, RPC_TIMEOUT)?;
        while !localnet::is_ready(&client).await {
            tokio::time::sleep(localnet::ASK).await;
        }
        Api::new(&self.endpoints.http)?.until_ready().await;
        self.say();
        Ok(())
    }

    fn say(&self) {
        match self.json {
            // Strings always serialise.
            true => println!(
                "{}",
                serde_json::to_string(&self.endpoints).unwrap_or_default()
            ),
            false => println!("{}", endpoints_text(&self.endpoints)),
        }
    }
}

pub(super) fn run_home(
    directory: &Path,
    external: bool,
    check_margins: bool,
    announce: Option<Announce>,
) -> Result<(), Failure> {
    // Asked for early: a rebuild replaces the file.
    let ballast = own_binary()?;
    let directory = std::path::absolute(directory)?;
    let settings = NodeSettings::read(&directory)?;
    let _lock = HomeLock::take(&directory)?;
    let path = home::genesis_path(&directory);
    let file = genesis_file::read(&path)?;
    let spec = file
        .validate()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    if let Some(chain) = &file.chain {
        eprintln!("ballast: {}", disk_need(&chain.params));
    }
    let cometbft = if external {
        None
    } else {
        Some(provide::binary()?)
    };
    let node = Validator {
        ballast,
        cometbft,
        settings,
        spec: Arc::new(spec.into_spec()),
        check_margins,
        announce,
        directory,
    };
    block_on(node.run())?
}

struct Validator {
    ballast: PathBuf,
    /// `None` when the operator runs it.
    cometbft: Option<PathBuf>,
    settings: NodeSettings,
    spec: Arc<ChainSpec>,
    check_margins: bool,
    announce: Option<Announce>,
    directory: PathBuf,
}

impl Validator {
    async fn run(self) -> Result<(), Failure> {
        let mut signals = StopSignals::listen()?;
        let socket = AbciSocket::new(&self.directory)?;
        let (fatal, mut failed) = node::fatal_hook();
        let node = node::Node::start(
            Addresses::from(&self.settings),
            Arc::clone(&self.spec),
            self.pool()?,
        )
        .await?;
        let exchange = &node.exchange;
        if self.check_margins {
            exchange.check_margins();
        }
        let config = ServerConfig {
            address: Address::unix(socket.path())?,
            max_message_bytes: message_limit(self.spec.limits.block_bytes),
        };
        let server = Server::start(config, exchange.clone(), exchange.pool().clone(), fatal)?;
        let poster = self.post_bundles(exchange)?;
        let cometbft = self.start_cometbft(&socket)?;
        let watch = self.watch_sync(node.caught_up())?;
        let outcome = tokio::select! {
            signal = signals.next() => {
                tracing::info!(signal, "stopping");
                Ok(())
            }
            reason = failed.recv() => Err(reason.unwrap_or_default().into()),
            error = self.announce() => Err(error),
        };
        watch.abort();
        if let Some(cometbft) = cometbft {
            cometbft.stop().await;
        }
        if let Some(poster) = poster {
            poster.abort();
        }
        tokio::task::spawn_blocking(move || server.stop()).await?;
        node.stop().await;
        outcome
    }

    /// Ends only when it fails.
    async fn announce(&self) -> Failure {
        if let Some(announce) = &self.announce
            && let Err(error) = announce.when_ready().await
        {
            return error;
        }
        std::future::pending().await
    }

    /// Lets the node take orders as soon as its CometBFT has all blocks. An operator's own CometBFT
    /// may answer elsewhere, so with that the node takes them at once.
    fn watch_sync(&self, caught_up: Arc<AtomicBool>) -> Result<JoinHandle<()>, Failure> {
        let client = rpc::Client::new(&format!("http://{}", self.settings.rpc), RPC_TIMEOUT)?;
        let external = self.cometbft.is_none();
        Ok(tokio::spawn(async move {
            while !external && !localnet::is_ready(&client).await {
                tokio::time::sleep(localnet::ASK).await;
            }
            caught_up.store(true, Ordering::Relaxed);
        }))
    }

    fn pool(&self) -> Result<PoolConfig, Failure> {
        let mode = match self.settings.mempool {
            Mempool::App => Mode::App,
            Mempool::Flood => Mode::Flood,
        };
        let ingress = settings::ingress_key(&self.directory)?;
        Ok(PoolConfig {
            relay: self.settings.relay,
            ..PoolConfig::new(mode, ingress, &self.spec)
        })
    }

    fn start_cometbft(&self, socket: &AbciSocket) -> Result<Option<Supervisor>, Failure> {
        let Some(cometbft) = &self.cometbft else {
            eprintln!(
                "ballast: waiting for CometBFT with proxy_app = {:?}",
                socket.proxy_app()
            );
            return Ok(None);
        };
        let log = Log::File(self.directory.join("logs/cometbft.log"));
        let program = child::program(cometbft, &self.directory, &socket.proxy_app(), log);
        let supervisor = Supervisor::start(self.ballast.clone(), program, Patience::default())?;
        Ok(Some(supervisor))
    }

    /// In flood mode CometBFT does not ask for bundles, so they are posted to it.
    fn post_bundles(&self, exchange: &Exchange) -> Result<Option<JoinHandle<()>>, Failure> {
        if self.settings.mempool == Mempool::App {
            return Ok(None);
        }
        let url = format!("http://{}", self.settings.rpc);
        let client = rpc::Client::new(&url, RPC_TIMEOUT)?;
        let pool = Arc::clone(exchange.pool());
        Ok(Some(tokio::spawn(async move {
            loop {
                for bundle in pool.reap_txs(REAP_BYTES, 0) {
                    // What is lost is sent again until it is in a block.
                    if let Err(error) = client.broadcast_tx_async(&bundle).await {
                        tracing::debug!(%error, "a bundle was not taken");
                    }
                }
                tokio::time::sleep(REAP).await;
            }
        })))
    }
}

/// What the evidence window makes a node keep.
fn disk_need(params: &ConsensusParams) -> String {
    let hours = params.evidence_max_age.as_secs_f64() / 3600.0;
    let blocks = params.evidence_max_age_blocks;
    let megabyte_a_second = params.evidence_max_age.as_secs() / 1000;
    format!(
        "disk: blocks of {hours:.1} hours, and at least {blocks} blocks, are kept: {megabyte_a_second} \
         GB per MB/s of transactions"
    )
}
