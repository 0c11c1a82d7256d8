//! `ballast dev`: the exchange in one process, with a sequencer in place of CometBFT.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ballast_abci::pool::{Mode, PoolConfig};
use ballast_abci::sequencer::Sequencer;
use ballast_genesis::GenesisValidator;
use ballast_types::{ChainSpec, Secret};

use crate::api::Api;
use crate::cmd::{Failure, block_on};
use crate::key_file::{self, KeyRecord, KeyType, public_hex};
use crate::localnet::{Extras, demo_genesis, new_chain_id};
use crate::network::{Endpoints, Network, demo_accounts};
use crate::node::{self, Addresses, Node};
use crate::ports::{self, NodePorts};
use crate::running_line;
use crate::signals::StopSignals;

/// Arguments of `dev`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "The state is in memory: each start is a new chain with new accounts. \
    Needs neither Go nor CometBFT.\n\nExamples:\n  ballast dev\n  \
    ballast dev --base-port 27000 --json > dev.json &\n  \
    ballast tx order --keys dev.json --account 1 --market BTC-PERP --side buy --size 0.5 \
    --price 99000"
)]
pub struct Args {
    /// The ports follow from it: HTTP P + 2, WebSocket P + 3, metrics P + 4
    #[arg(long, value_name = "P", default_value_t = ports::DEFAULT_BASE)]
    base_port: u16,
    /// Time between two blocks, in ms
    #[arg(long, value_name = "MS", default_value_t = 50,
        value_parser = clap::value_parser!(u64).range(1..=60_000))]
    block_time: u64,
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

/// Runs the exchange until SIGINT or SIGTERM.
pub fn run(args: Args) -> Result<(), Failure> {
    block_on(serve(args))?
}

async fn serve(args: Args) -> Result<(), Failure> {
    let mut signals = StopSignals::listen()?;
    let ports = NodePorts::of(args.base_port, 0)?;
    let ingress = key_file::generate(KeyType::Ed25519)?;
    let accounts: Vec<KeyRecord> = demo_accounts()?.iter().map(KeyRecord::new).collect();
    let network = Network {
        chain_id: new_chain_id("dev")?,
        home: String::new(),
        nodes: vec![Endpoints::without_cometbft(&ports)],
        accounts,
    };
    let spec = Arc::new(spec(&network, &ingress, &args.extras)?);
    let pool = PoolConfig::new(Mode::App, ingress, &spec);
    let addresses = Addresses {
        http: ports.http,
        ws: ports.ws,
        metrics: ports.metrics,
    };
    let node = Node::start(addresses, spec, pool).await?;
    if args.check_margins {
        node.exchange.check_margins();
    }
    node.caught_up().store(true, Ordering::Relaxed);
    let (fatal, mut failed) = node::fatal_hook();
    let api = Api::new(&network.nodes[0].http)?;
    let interval = Duration::from_millis(args.block_time);
    let sequencer = Sequencer::start(node.exchange.clone(), interval, fatal)?;
    let show = async {
        api.until_ready().await;
        if args.json {
            println!("{}", network.to_line());
        } else {
            println!("{}", network.to_text());
            running_line::show(vec![network.nodes[0].metrics.clone()]).await;
        }
        std::future::pending::<()>().await;
    };
    let outcome = tokio::select! {
        _ = signals.next() => Ok(()),
        reason = failed.recv() => Err(reason.unwrap_or_default().into()),
        () = show => Ok(()),
    };
    tokio::task::spawn_blocking(move || sequencer.stop()).await?;
    node.stop().await;
    outcome
}

/// The demo genesis with one validator, whose consensus key nobody has: there is no consensus.
fn spec(network: &Network, ingress: &Secret, extras: &Extras) -> Result<ChainSpec, Failure> {
    let validator = GenesisValidator {
        name: "dev".to_owned(),
        consensus_key: hex::encode([1; 32]),
        ingress_key: public_hex(&ingress.public()),
        power: 1,
    };
    let file = demo_genesis(
        &network.chain_id,
        &network.accounts,
        vec![validator],
        extras,
    )?;
    let genesis_time = file.genesis_time();
    Ok(ballast_genesis::validate(&file.genesis, &network.chain_id, genesis_time)?.into_spec())
}
