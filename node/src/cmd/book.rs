//! `ballast book`: recorded streams through the order book, without a chain.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Instant;

use ballast_orderbook::SelfTrade;
use clap::ValueEnum;

use crate::cmd::Failure;
use crate::offline::lines::Lines;
use crate::offline::output::Outputs;
use crate::offline::summary::Summary;
use crate::offline::{jsonl, lobster, mbo};

/// Bytes that are read at once.
const BUFFER: usize = 1 << 20;

/// Arguments of `book`.
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "Lines of --format jsonl, one JSON object each (prices in ticks, sizes in \
    lots, all whole numbers):\n  \
    {\"op\":\"add\",\"id\":7,\"market\":0,\"side\":\"buy\",\"price\":100,\"qty\":5,\"tif\":\"gtc\",\
    \"account\":3}\n  \
    {\"op\":\"market\",\"id\":8,\"market\":0,\"side\":\"sell\",\"qty\":2,\"limit\":90}\n  \
    {\"op\":\"amend\",\"id\":7,\"price\":101,\"qty\":4}\n  \
    {\"op\":\"cancel\",\"id\":7}\n\
    tif is gtc, ioc, fok or post_only; market and account are 0 when left out; an id is used once. \
    An amend at the same price and not larger keeps its place; any other enters again as gtc. A \
    cancel or amend of an order that does not rest changes nothing. The first bad line ends the \
    run with its number, the field and the value.\n\n\
    Written files, one JSON object a line:\n  \
    --fills   {\"taker\":8,\"maker\":7,\"price\":100,\"qty\":2,\"market\":0}\n  \
    --levels  {\"market\":0,\"side\":\"buy\",\"price\":100,\"qty\":3,\"orders\":1}\n  \
    --orders  {\"market\":0,\"side\":\"buy\",\"price\":100,\"id\":7,\"qty\":3}\n\n\
    The exit code is 0 when the stream was run to its end, 1 when it could not be read or a \
    comparison failed, 2 when the arguments are wrong.\n\n\
    Examples:\n  \
    ballast book --format jsonl --input orders.jsonl --fills fills.jsonl --levels levels.jsonl\n  \
    zcat orders.jsonl.gz | ballast book --format jsonl --input - --stp cancel-maker --json"
)]
pub struct Args {
    /// The stream; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// What the stream consists of
    #[arg(long, value_enum)]
    format: Format,
    /// Write the trades here, in order of execution
    #[arg(long, value_name = "FILE")]
    fills: Option<PathBuf>,
    /// Write the price levels at the end here: by market, bids best first, then asks best first
    #[arg(long, value_name = "FILE")]
    levels: Option<PathBuf>,
    /// Write the resting orders at the end here, in priority order
    #[arg(long, value_name = "FILE")]
    orders: Option<PathBuf>,
    /// What becomes of orders that would trade with their own account (jsonl)
    #[arg(long, value_name = "MODE", value_enum, default_value_t = Stp::Allow)]
    stp: Stp,
    /// Recorded books, one row a message (lobster): the first seeds the book, and the book is
    /// compared after each other message
    #[arg(long, value_name = "FILE")]
    levels_in: Option<PathBuf>,
    /// Print each difference: levels that are not the recorded ones (lobster), trades that are not
    /// at the best price (mbo)
    #[arg(long)]
    explain: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Message file of LOBSTER
    Lobster,
    /// Databento's market-by-order records, .dbn or .dbn.zst
    Mbo,
    /// Orders, cancels and amends, one JSON object a line
    Jsonl,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Stp {
    /// They trade
    Allow,
    /// What remains of the order that came is cancelled
    #[value(alias = "cancel_taker")]
    CancelTaker,
    /// The resting order is cancelled
    #[value(alias = "cancel_maker")]
    CancelMaker,
    /// Both are cancelled
    #[value(alias = "cancel_both")]
    CancelBoth,
    /// The smaller size is taken off both, without a trade
    #[value(alias = "decrement_both", alias = "decrement")]
    DecrementBoth,
}

impl Stp {
    fn mode(self) -> SelfTrade {
        match self {
            Self::Allow => SelfTrade::Allow,
            Self::CancelTaker => SelfTrade::CancelTaker,
            Self::CancelMaker => SelfTrade::CancelMaker,
            Self::CancelBoth => SelfTrade::CancelBoth,
            Self::DecrementBoth => SelfTrade::DecrementBoth,
        }
    }
}

/// Runs the stream and prints a summary.
pub fn run(args: Args) -> Result<(), Failure> {
    let [fills, levels, orders] =
        [&args.fills, &args.levels, &args.orders].map(|path| path.as_deref());
    fits(&args)?;
    let input = open(&args.input)?;
    let mut outputs = Outputs::create(fills, levels, orders)?;
    let start = Instant::now();
    let summary = run_format(&args, input, &mut outputs);
    // What was executed before a bad line stays written, in whole lines.
    outputs.finish()?;
    let summary = summary?.timed(start);
    match args.json {
        true => println!("{}", serde_json::to_string(&summary)?),
        false => print!("{}", summary.to_text()),
    }
    match summary.failure {
        None => Ok(()),
        Some(failure) => Err(failure.into()),
    }
}

fn run_format(
    args: &Args,
    input: Box<dyn BufRead>,
    outputs: &mut Outputs,
) -> Result<Summary, Failure> {
    let lines = |path: &Path, input| Lines::new(&name(path), input);
    match args.format {
        Format::Jsonl => jsonl::run(lines(&args.input, input), args.stp.mode(), outputs),
        Format::Mbo => mbo::run(&name(&args.input), input, args.explain, outputs),
        Format::Lobster => {
            let rows = args
                .levels_in
                .as_deref()
                .map(|path| Ok(lines(path, open(path)?)));
            let rows = rows.transpose().map_err(|error: Failure| error)?;
            lobster::run(lines(&args.input, input), rows, args.explain, outputs)
        }
    }
}

/// Options that another format would ignore are refused.
fn fits(args: &Args) -> Result<(), Failure> {
    if args.levels_in.is_some() && args.format != Format::Lobster {
        return Err("--levels-in: only --format lobster has recorded books".into());
    }
    if args.explain && args.levels_in.is_none() && args.format != Format::Mbo {
        return Err("--explain: nothing is compared; lobster compares with --levels-in".into());
    }
    if !matches!(args.stp, Stp::Allow) && args.format != Format::Jsonl {
        return Err("--stp: only --format jsonl names accounts".into());
    }
    Ok(())
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::with_capacity(BUFFER, std::io::stdin())));
    }
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Box::new(BufReader::with_capacity(BUFFER, file)))
}

fn name(path: &Path) -> String {
    match path == Path::new("-") {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}
