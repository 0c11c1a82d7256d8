//! `ballast localnet`: several validators on this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ballast_genesis::time;
use clap::Subcommand;

use crate::actions::{millis, now_ms};
use crate::api::Api;
use crate::cmd::{Failure, block_on, start};
use crate::cometbft::config::{DEFAULT_TIMEOUT_COMMIT, Mempool};
use crate::cometbft::provide;
use crate::homes::{self, LocalnetHome};
use crate::localnet::{self, Extras, Settings};
use crate::network::Network;
use crate::ports::{self, NodePorts};
use crate::rpc;
use crate::running_line;
use crate::signals::StopSignals;
use crate::supervise::{Log, Patience, Program, Supervisor, own_binary};

/// Validators of a new network.
const VALIDATORS: usize = 4;
/// A node has to stop its own CometBFT first.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a node may end before the network was ready.
const MAX_STARTS: u64 = 5;
/// How often the nodes are asked whether they are ready.
pub(super) const ASK: Duration = Duration::from_millis(100);

/// Arguments of `localnet`.
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Each node is a `ballast start` that runs its CometBFT; their logs are in \
    HOME/nodeN/logs. Node N uses the ports from base + 10 N: p2p, RPC, HTTP, WebSocket, metrics, \
    CometBFT metrics. Ctrl-C stops everything; the same command resumes it.\n\nExamples:\n  \
    ballast localnet\n  ballast localnet --home /tmp/net --base-port 27000 --json > net.json\n  \
    ballast localnet --reset --mempool flood\n  ballast localnet join --home /tmp/net"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Number of validators [default: 4, or as the existing home has]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    validators: Option<u16>,
    /// Directory of the network [default: ~/.ballast/localnet]
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Start over: delete the network in the home first
    #[arg(long)]
    reset: bool,
    /// First port of node 0 [default: 26600, or as the existing home has]
    #[arg(long, value_name = "P")]
    base_port: Option<u16>,
    /// Who holds transactions that wait: the application, or CometBFT [default: app, or as the
    /// existing home has]
    #[arg(long, value_enum)]
    mempool: Option<Mempool>,
    /// CometBFT's pause after a commit, in ms [default: 50, or as the existing home has]
    #[arg(long, value_name = "MS")]
    timeout_commit: Option<u64>,
    /// Compute the margin of every account anew after every block, and stop when one is not what
    /// was kept: slow
    #[arg(long)]
    check_margins: bool,
    #[command(flatten)]
    extras: Extras,
    /// When ready, print one line of JSON on stdout and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Add a node that is no validator to a network, and run it
    #[command(
        after_help = "The node fetches all blocks from the validators. Later it is started \
        again by `ballast start --home HOME/nodeN`.\n\nExample:\n  ballast localnet join --json"
    )]
    Join {
        /// Directory of the network [default: ~/.ballast/localnet]
        #[arg(long, value_name = "DIR")]
        home: Option<PathBuf>,
        /// When the node serves, print one line of JSON on stdout: its endpoints
        #[arg(long)]
        json: bool,
    },
}

/// Runs the network until SIGINT or SIGTERM.
pub fn run(args: Args) -> Result<(), Failure> {
    if let Some(Verb::Join { home, json }) = args.verb {
        return join(home, json);
    }
    // Asked for early: a rebuild replaces the file.
    let ballast = own_binary()?;
    provide::binary()?;
    let directory = match &args.home {
        Some(home) => home.clone(),
        None => homes::default_localnet()?,
    };
    let home = LocalnetHome::open(&directory, args.reset)?;
    let settings = set_up(&args, &home)?;
    block_on(run_nodes(ballast, &home, &settings, &args))?
}

/// Writes or updates the files of the network.
fn set_up(args: &Args, home: &LocalnetHome) -> Result<Settings, Failure> {
    let wanted = args.validators.map(usize::from);
    if !home.is_set_up() {
        let pause = args
            .timeout_commit
            .map_or(DEFAULT_TIMEOUT_COMMIT, Duration::from_millis);
        let settings = Settings::generate(
            wanted.unwrap_or(VALIDATORS),
            args.base_port.unwrap_or(ports::DEFAULT_BASE),
            args.mempool.unwrap_or_default(),
            pause,
        )?;
        ports::probe(&settings.ports()?)?;
        localnet::create(home, &settings, &args.extras)?;
        return Ok(settings);
    }
    if args.extras != Extras::default() {
        return Err(format!(
            "--future, --option-expiry, --batch: the network in {} has its markets already; start over \
             with --reset",
            home.path().display(),
        )
        .into());
    }
    let mut settings: Settings = home.settings()?;
    if let Some(wanted) = wanted.filter(|wanted| *wanted != settings.validators) {
        return Err(format!(
            "--validators {wanted}: the network in {} has {}; start over with --reset",
            home.path().display(),
            settings.validators
        )
        .into());
    }
    settings.base_port = args.base_port.unwrap_or(settings.base_port);
    settings.mempool = args.mempool.unwrap_or(settings.mempool);
    settings.timeout_commit_ms = args.timeout_commit.unwrap_or(settings.timeout_commit_ms);
    ports::probe(&settings.ports()?)?;
    localnet::update(home, &settings)?;
    Ok(settings)
}

async fn run_nodes(
    ballast: PathBuf,
    home: &LocalnetHome,
    settings: &Settings,
    args: &Args,
) -> Result<(), Failure> {
    let mut signals = StopSignals::listen()?;
    let network = settings.network(home.path())?;
    let mut nodes = Vec::new();
    for node in 0..settings.validators {
        nodes.push(supervise(
            &ballast,
            &home.node(node),
            &localnet::name(node),
            args.check_margins,
        )?);
    }
    let outcome = tokio::select! {
        _ = signals.next() => Ok(()),
        outcome = serve(&network, &nodes, home, args.json) => outcome,
    };
    for node in &nodes {
        node.ask_to_stop();
    }
    for node in nodes {
        node.stop().await;
    }
    outcome
}

/// A supervised `ballast start`.
fn supervise(
    ballast: &Path,
    home: &Path,
    name: &str,
    check_margins: bool,
) -> std::io::Result<Supervisor> {
    let mut args = vec!["start".into(), "--home".into(), home.into()];
    if check_margins {
        args.push("--check-margins".into());
    }
    let program = Program {
        name: name.to_owned(),
        path: ballast.to_owned(),
        args,
        env: Vec::new(),
        log: Log::File(home.join("logs/ballast.log")),
    };
    let patience = Patience {
        stop_timeout: STOP_TIMEOUT,
        ..Patience::default()
    };
    Supervisor::start(ballast.to_owned(), program, patience)
}

/// Waits until the network is ready, says so, and shows it until it is dropped.
async fn serve(
    network: &Network,
    nodes: &[Supervisor],
    home: &LocalnetHome,
    json: bool,
) -> Result<(), Failure> {
    if !json {
        eprintln!("ballast: starting {} validators", nodes.len());
    }
    for (at, (endpoints, node)) in network.nodes.iter().zip(nodes).enumerate() {
        let client = rpc::Client::new(&endpoints.rpc, Duration::from_secs(5))?;
        while !is_ready(&client).await {
            if node.status().starts > MAX_STARTS {
                let log = home.node(at).join("logs/ballast.log");
                return Err(format!("{} keeps ending; see {}", node.name(), log.display()).into());
            }
            tokio::time::sleep(ASK).await;
        }
        Api::new(&endpoints.http)?.until_ready().await;
    }
    if json {
        println!("{}", network.to_line());
        return std::future::pending().await;
    }
    println!("{}", network.to_text());
    running_line::show(
        network
            .nodes
            .iter()
            .map(|node| node.metrics.clone())
            .collect(),
    )
    .await;
    std::future::pending().await
}

/// A newest block not older than this is one of the chain's last.
const FRESH: Duration = Duration::from_secs(10);
/// When no block comes for this long, there are no more to fetch.
const STILL: Duration = Duration::from_secs(3);

/// Whether a node has the chain's blocks. Its own word is not enough: under load CometBFT stops
/// syncing before it has heard how high its peers are, and fetches the rest as consensus does.
pub(super) async fn is_ready(client: &rpc::Client) -> bool {
    let Some(before) = synced(client).await else {
        return false;
    };
    if is_fresh(&before) {
        return true;
    }
    // A chain that stands has no fresh block.
    tokio::time::sleep(STILL).await;
    synced(client)
        .await
        .is_some_and(|now| now.latest_block_height == before.latest_block_height)
}

async fn synced(client: &rpc::Client) -> Option<rpc::SyncInfo> {
    let sync = client.status().await.ok()?.sync_info;
    (sync.latest_block_height >= 2 && !sync.catching_up).then_some(sync)
}

/// A time to come is this machine's clock being slow.
fn is_fresh(sync: &rpc::SyncInfo) -> bool {
    time::parse(&sync.latest_block_time)
        .is_some_and(|time| now_ms().saturating_sub(time) <= millis(FRESH))
}

fn join(home: Option<PathBuf>, json: bool) -> Result<(), Failure> {
    let home = match home {
        Some(home) => std::path::absolute(home)?,
        None => homes::default_localnet()?,
    };
    let settings = Settings::read(&home.join(homes::SETTINGS))?;
    let node = localnet::add_full_node(&home, &settings)?;
    let ports = NodePorts::of(settings.base_port, node)?;
    start::run_home(
        &home.join(localnet::name(node)),
        false,
        false,
        start::Announce::of(&ports, json),
    )
}
