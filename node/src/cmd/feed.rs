//! `ballast feed`: recorded order flow.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::api::Api;
use crate::cmd::{Failure, block_on};
use crate::feed::desk::Desk;
use crate::feed::lobster::Sample;
use crate::feed::{lockstep, pace};
use crate::key_file::{self, KeyType};
use crate::network::Network;

/// Arguments of `feed`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    source: Source,
}

#[derive(Subcommand, Debug)]
enum Source {
    /// Send the messages of a LOBSTER sample in lockstep, and compare the exchange's book with the
    /// recorded one after each
    #[command(
        after_help = "The sample's first row seeds the AAPL/USDC book, which must be empty. \
        The transactions are those of subaccounts 1 to 5 of the chosen account, which are funded \
        first. The exit code is 1 when a step does not agree.\n\nExample:\n  ballast dev --json > \
        dev.json &\n  ballast feed lobster --messages AAPL_message_10.csv --book \
        AAPL_orderbook_10.csv --keys dev.json\nTen times as fast as it was, as load:\n  ballast \
        feed lobster ... --pace 10"
    )]
    Lobster(Lobster),
}

#[derive(clap::Args, Debug)]
struct Lobster {
    /// Message file of the sample
    #[arg(long, value_name = "FILE")]
    messages: PathBuf,
    /// Order book file of the sample
    #[arg(long, value_name = "FILE")]
    book: PathBuf,
    /// File with the --json line of a network, for its accounts
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// HTTP address of a gateway [default: that of the first node in --keys]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Number of the account in --keys that trades
    #[arg(long, value_name = "N", default_value_t = 0)]
    account: usize,
    /// Do not wait or compare, but send at this multiple of the recorded speed
    #[arg(long, value_name = "X")]
    pace: Option<f64>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Sends the flow and prints its report. Fails when a step does not agree.
pub fn run(args: Args) -> Result<(), Failure> {
    let Source::Lobster(args) = args.source;
    block_on(lobster(&args))?
}

async fn lobster(args: &Lobster) -> Result<(), Failure> {
    let sample = Sample::parse(&read(&args.messages)?, &read(&args.book)?)?;
    let network = Network::read(&args.keys)?;
    let record = network.accounts.get(args.account).ok_or_else(|| {
        let count = network.accounts.len();
        format!("account: {} is not below {count}", args.account)
    })?;
    let first = network.nodes.first().map(|node| node.http.as_str());
    let url = args
        .url
        .as_deref()
        .or(first)
        .ok_or("url: the network has no nodes; name one")?;
    let desk = Desk::open(Api::new(url)?, record.secret()?).await?;
    if let Some(speed) = args.pace {
        let report = pace::send(&sample, desk, speed).await?;
        match args.json {
            true => println!("{}", serde_json::to_string(&report)?),
            false => print!("{}", report.to_text()),
        }
        return Ok(());
    }
    // The gateway serves the WebSocket on its HTTP port too.
    let ws = url.trim_end_matches('/').replacen("http://", "ws://", 1) + "/v1/ws";
    let bundler = key_file::generate(KeyType::Ed25519)?;
    let report = lockstep::follow(&sample, desk, &ws, bundler).await?;
    match args.json {
        true => println!("{}", serde_json::to_string(&report)?),
        false => print!("{}", report.to_text()),
    }
    match report.agreed == report.steps {
        true => Ok(()),
        false => Err(format!("{} of {} steps agree", report.agreed, report.steps).into()),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    Ok(std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?)
}
