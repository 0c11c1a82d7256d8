//! `ballast bench`: what four validators on this machine carry.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use serde::Serialize;

use crate::api::Api;
use crate::bench::cpu::LOAD_GENERATOR;
use crate::bench::flow::{Flow, Load, VISIT};
use crate::bench::load::{self, Pace, Seen, WARM_UP};
use crate::bench::network::{Running, System};
use crate::bench::noop;
use crate::cmd::{Failure, block_on};
use crate::cometbft::provide;
use crate::network::table;
use crate::supervise::own_binary;

/// Transactions a second that are signed for a saturated run; more cannot be final here.
const MOST_TXS: usize = 25_000;
/// The same in orders.
const MOST_ORDERS: usize = 200_000;

/// Arguments of `bench`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Measure throughput and latency of four validators, and of two yardsticks
    #[command(
        after_help = "Networks run one after the other in temporary directories on free \
        ports. Four Ed25519 keys with 128 subaccounts each send to node 0.\n\n\
        Loads: `orders`: of 64 actions one cancels, 59 rest and four take. `auction`: the same in \
        markets that trade in a batch at the end of each block. `cancels`: all accounts place 64 \
        orders each, then all cancel each of theirs; both count as orders. `quotes`: \
        each transaction is one mass quote that moves both sides of 200 markets, and counts as 400 \
        orders; each eighth takes from quotes instead.\n\n\
        All transactions are signed before the clock starts. At a \
        rate each is due at its own time; those due within 2 ms share a request. Saturated, a \
        number of bytes is kept on its way. Latency runs from when a transaction was due \
        (saturated: sent) to the message of its block on the WebSocket of node 0.\n\n\
        Yardsticks: `noop` is the same pool, bundles, gateway and transport without \
        verification and execution; `kvstore` is CometBFT's own application, with as many bytes \
        by broadcast_tx_async."
    )]
    Localnet(Localnet),
}

#[derive(clap::Args, Debug)]
struct Localnet {
    /// Seconds measured in each run, after 1.5 s of warm-up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=40))]
    seconds: u64,
    /// Orders a second
    #[arg(long, value_delimiter = ',', value_name = "N,...", default_values_t = [5_000])]
    rates: Vec<u32>,
    /// Actions of a transaction; each divides 64
    #[arg(long, value_delimiter = ',', value_name = "N,...", default_values_t = [1, 8, 32])]
    sizes: Vec<usize>,
    /// What to run
    #[arg(long, value_delimiter = ',', value_enum, value_name = "S,...",
        default_values = ["exchange", "noop", "kvstore"])]
    systems: Vec<System>,
    /// What is sent; all but the first to the exchange only
    #[arg(long, value_delimiter = ',', value_enum, value_name = "L,...", default_values = ["orders"])]
    loads: Vec<Load>,
    /// KiB that are sent and not final when saturated. With more than about 150,000 orders on their
    /// way, cancels overtake the orders of a later visit
    #[arg(long, value_name = "KIB", default_value_t = 4_096)]
    in_flight: usize,
    /// Leave the saturated runs out
    #[arg(long)]
    no_saturated: bool,
    /// Print one JSON object for each run instead of a table
    #[arg(long)]
    json: bool,
}

/// Arguments of the hidden node that a yardstick runs.
#[derive(clap::Args, Debug)]
pub struct NoopNode {
    /// Directory of the node
    #[arg(long)]
    home: PathBuf,
}

/// Runs a node of the no-op yardstick.
pub fn run_noop_node(args: NoopNode) -> Result<(), Failure> {
    let ballast = own_binary()?;
    block_on(noop::run(&ballast, &std::path::absolute(args.home)?))?
}

/// A line of the report.
#[derive(Debug, Serialize)]
struct Row {
    system: &'static str,
    load: &'static str,
    /// Actions of a transaction.
    size: usize,
    /// Orders a second asked for; none when saturated.
    rate: Option<u32>,
    orders_per_second: f64,
    transactions_per_second: f64,
    bytes_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    block_ms: f64,
    /// Transactions with another code than OK.
    refused: usize,
    /// Orders that got no place in a book and no trade; unknown for yardsticks.
    orders_refused: Option<u64>,
    /// Transactions due that never became final.
    missing: usize,
    cpu_ballast_seconds: f64,
    cpu_cometbft_seconds: f64,
    cpu_load_generator_seconds: f64,
    /// Of all validators together, without the load generator.
    cpu_us_per_order: f64,
    cpu_seconds_by_process: std::collections::BTreeMap<String, f64>,
}

/// Runs the benchmark and prints its table.
pub fn run(args: Args) -> Result<(), Failure> {
    let What::Localnet(args) = args.what;
    if let Some(size) = args
        .sizes
        .iter()
        .find(|size| **size == 0 || !VISIT.is_multiple_of(**size))
    {
        return Err(format!("sizes: {size} does not divide {VISIT}").into());
    }
    let ballast = own_binary()?;
    provide::binary()?;
    block_on(async {
        let mut rows = Vec::new();
        for system in &args.systems {
            for (at, load) in args.loads.iter().enumerate() {
                if at == 0 || *system == System::Exchange {
                    measure(&args, &ballast, *system, *load, &mut rows).await?;
                }
            }
        }
        if !args.json {
            print!("{}", to_text(&rows));
        }
        Ok(())
    })?
}

async fn measure(
    args: &Localnet,
    ballast: &std::path::Path,
    system: System,
    load: Load,
    rows: &mut Vec<Row>,
) -> Result<(), Failure> {
    let network = Running::start(ballast, system, load).await?;
    let mut flow = Flow::new(load, network.secrets.clone(), &network.spec)?;
    if system == System::Exchange {
        let node = network.nodes.first().ok_or("the network has no node")?;
        flow.fund(&Api::new(&node.http)?).await?;
    }
    let seconds = Duration::from_secs(args.seconds);
    // A mass quote is one action.
    let sizes = match load {
        Load::Quotes => &[1],
        Load::Orders | Load::Auction | Load::Cancels => args.sizes.as_slice(),
    };
    for size in sizes {
        let rates = args.rates.iter().map(|rate| Some(*rate));
        let saturated = (!args.no_saturated).then_some(None);
        for rate in rates.chain(saturated) {
            let orders = load.orders(*size);
            let a_second = match rate {
                Some(rate) => usize::try_from(rate)?.div_ceil(orders),
                None => MOST_TXS.min(MOST_ORDERS.max(1_000 * orders) / orders),
            };
            let time = (WARM_UP + seconds).as_secs_f64();
            let count = (a_second as f64 * time).ceil() as usize + 1;
            let mut txs = flow.prepare(count, *size);
            if system == System::Kvstore {
                txs = load::as_key_value(&txs);
            }
            let pace = match rate {
                Some(rate) => Pace::Rate(f64::from(rate) / orders as f64),
                None => Pace::Saturated {
                    in_flight: args.in_flight << 10,
                },
            };
            let seen = load::run(&network, Arc::new(txs), pace, seconds).await?;
            let row = row(system, load, *size, rate, seen);
            if args.json {
                println!("{}", serde_json::to_string(&row)?);
            } else {
                eprintln!(
                    "{}",
                    to_text(std::slice::from_ref(&row))
                        .lines()
                        .last()
                        .unwrap_or("")
                );
            }
            rows.push(row);
        }
    }
    network.stop().await;
    Ok(())
}

fn row(system: System, load: Load, size: usize, rate: Option<u32>, seen: Seen) -> Row {
    let of = |start: &str| -> f64 {
        let mine = seen.cpu.iter().filter(|(name, _)| name.starts_with(start));
        // A sum of nothing would be -0.
        mine.fold(0.0, |sum, (_, seconds)| sum + seconds)
    };
    let (ballast, cometbft) = (of("ballast"), of("cometbft"));
    let seconds = seen.seconds.max(f64::MIN_POSITIVE);
    let orders = seen.orders as f64;
    Row {
        system: system.name(),
        load: load.name(),
        size,
        rate,
        orders_per_second: orders / seconds,
        transactions_per_second: seen.txs as f64 / seconds,
        bytes_per_second: seen.bytes as f64 / seconds,
        p50_ms: seen.p50_ms,
        p99_ms: seen.p99_ms,
        block_ms: seconds * 1_000.0 / (seen.blocks.max(1) as f64),
        refused: seen.refused,
        // Blocks count no cancels.
        orders_refused: (system == System::Exchange && load != Load::Cancels)
            .then(|| seen.orders.saturating_sub(seen.placed)),
        missing: seen.missing,
        cpu_ballast_seconds: ballast,
        cpu_cometbft_seconds: cometbft,
        cpu_load_generator_seconds: of(LOAD_GENERATOR),
        cpu_us_per_order: (ballast + cometbft) * 1e6 / orders.max(1.0),
        cpu_seconds_by_process: seen.cpu,
    }
}

fn to_text(rows: &[Row]) -> String {
    let header = [
        "system",
        "load",
        "size",
        "rate",
        "orders/s",
        "tx/s",
        "MB/s",
        "p50 ms",
        "p99 ms",
        "block ms",
        "refused",
        "missing",
        "CPU s: app",
        "cometbft",
        "load",
        "us/order",
    ];
    let cells = |row: &Row| {
        vec![
            row.system.to_owned(),
            row.load.to_owned(),
            row.size.to_string(),
            row.rate.map_or("max".to_owned(), |rate| rate.to_string()),
            format!("{:.0}", row.orders_per_second),
            format!("{:.0}", row.transactions_per_second),
            format!("{:.2}", row.bytes_per_second / 1e6),
            format!("{:.0}", row.p50_ms),
            format!("{:.0}", row.p99_ms),
            format!("{:.0}", row.block_ms),
            row.orders_refused.unwrap_or(row.refused as u64).to_string(),
            row.missing.to_string(),
            format!("{:.2}", row.cpu_ballast_seconds),
            format!("{:.2}", row.cpu_cometbft_seconds),
            format!("{:.2}", row.cpu_load_generator_seconds),
            format!("{:.1}", row.cpu_us_per_order),
        ]
    };
    table(&header, rows.iter().map(cells).collect())
}
