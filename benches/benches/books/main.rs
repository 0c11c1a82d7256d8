//! Our books and published engines on the same streams of messages, in the same run.
//!
//! For each stream: nanoseconds of processor time a message (median of interleaved runs), the ratio to the fastest
//! published engine, the median and the 99.9th percentile of single commands; then bytes an order,
//! and how the cost of a message grows with the orders that rest and with the markets.
//! `ballast_benches::flow` says what the streams are.
//!
//! `cargo bench -p ballast-benches --bench books [-- --help]`

#![allow(clippy::unwrap_used)]

mod measure;
mod published;
mod venues;

use ballast_benches::flow::{Shape, Stream};
use measure::{Machine, Run, Singles, available, median};
use published::{Lobster, Matchcore, Obcore, OrderbookRs};
use std::process::ExitCode;
use std::time::Duration;
use venues::{Bare, Ours, Plain, Venue};

const HELP: &str = "\
Our books and published engines on the same streams of messages.

  --messages N     messages of a stream (5000000)
  --streams LIST   of small, many, large (all three)
  --engine TEXT    only engines whose name contains the text, and no memory
  --runs N         runs of each engine, of which the median counts (3)
  --seconds N      an engine stops after so long, and its figure is that of what it did (2)
  --no-curve       without the cost by resting orders and by markets
  --quick          300000 messages, one run, a smaller curve
  --help           this text
";

/// Messages ahead that the look-ahead hints at first.
const AHEAD: usize = 12;
const SEED: u64 = 1;
/// Commands that are timed one by one.
const SINGLES: usize = 500_000;

struct Options {
    messages: usize,
    streams: Vec<String>,
    engine: String,
    runs: usize,
    budget: Duration,
    curve: bool,
    quick: bool,
}

/// What is run, as functions of its type.
struct Engine {
    name: &'static str,
    /// One of the crates that ours is compared with.
    published: bool,
    timed: fn(&Stream, Duration) -> Run,
    /// None with look-ahead, which has nothing to look ahead to.
    singles: Option<fn(&Stream, usize, f64) -> Singles>,
    growth: fn(Shape) -> Option<u64>,
}

fn engine<V: Venue, const AHEAD: usize>(name: &'static str, published: bool) -> Engine {
    Engine {
        name,
        published,
        timed: measure::timed::<V, AHEAD>,
        singles: (AHEAD == 0).then_some(measure::singles::<V>),
        growth: measure::growth::<V>,
    }
}

const EVENTS: &str = "ballast, events on";
const EVENTS_AHEAD: &str = "ballast, events on, look-ahead";

fn engines() -> Vec<Engine> {
    vec![
        engine::<Ours, 0>(EVENTS, false),
        engine::<Ours, AHEAD>(EVENTS_AHEAD, false),
        engine::<Bare, 0>("ballast, book alone", false),
        engine::<Bare, AHEAD>("ballast, book alone, look-ahead", false),
        engine::<Obcore, 0>("obcore 0.1.6", true),
        engine::<Matchcore, 0>("matchcore 0.4.0", true),
        engine::<Lobster, 0>("lobster 0.7.0", true),
        engine::<OrderbookRs, 0>("orderbook-rs 0.15.3", true),
        engine::<Plain, 0>("BTreeMap + HashMap + VecDeque", false),
    ]
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, name, resting, markets] = arguments.as_slice()
        && command == "--growth"
    {
        return print_growth(name, resting, markets);
    }
    let options = match options(&arguments) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("books: {message}\n\n{HELP}");
            return ExitCode::FAILURE;
        }
    };
    let Some(options) = options else {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    };
    let machine = Machine::measure();
    print_machine(&machine);
    for (name, shape) in [
        ("small", Shape::SMALL),
        ("many", Shape::MANY),
        ("large", Shape::LARGE),
    ] {
        if options.streams.iter().any(|stream| stream == name) {
            compare(name, shape, &options, machine.clock);
        }
    }
    if options.engine.is_empty() {
        memory(&options);
    }
    if options.curve {
        curves(&options);
    }
    ExitCode::SUCCESS
}

/// `None`: the help is asked for.
fn options(arguments: &[String]) -> Result<Option<Options>, String> {
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let mut options = Options {
        messages: if quick { 300_000 } else { 5_000_000 },
        streams: ["small", "many", "large"].map(String::from).to_vec(),
        engine: String::new(),
        runs: if quick { 1 } else { 3 },
        budget: Duration::from_secs(2),
        curve: true,
        quick,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        let number = |text: &String| match text.parse::<u32>() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!("{argument} {text}: not a number above 0")),
        };
        match argument.as_str() {
            "--messages" => options.messages = number(value()?)? as usize,
            "--runs" => options.runs = number(value()?)? as usize,
            "--seconds" => options.budget = Duration::from_secs(number(value()?)?.into()),
            "--engine" => options.engine = value()?.clone(),
            "--streams" => {
                options.streams = value()?.split(',').map(String::from).collect();
                let known = |name: &String| ["small", "many", "large"].contains(&name.as_str());
                if let Some(name) = options.streams.iter().find(|name| !known(name)) {
                    return Err(format!("--streams {name}: not small, many or large"));
                }
            }
            "--no-curve" => options.curve = false,
            // The second is what cargo says to every bench.
            "--quick" | "--bench" => {}
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("{argument}: not an option")),
        }
    }
    Ok(Some(options))
}

fn print_machine(machine: &Machine) {
    let said = machine.megahertz.map_or("not said".into(), |mhz| {
        format!("{:.2} GHz by the system", mhz / 1e3)
    });
    println!("processor      {}, {said}", machine.model);
    println!(
        "clock rate     {:.2} GHz by a chain of dependent shifts and exclusive ors",
        machine.gigahertz
    );
    println!(
        "pointer chase  {:.1} ns in 1 MiB, {:.1} ns in 64 MiB",
        machine.chase[0], machine.chase[1]
    );
    println!(
        "asking a clock {:.0} ns, taken off single commands",
        machine.clock
    );
    println!("load average   {} at the start", machine.load);
}

/// All engines on one stream.
fn compare(name: &str, shape: Shape, options: &Options, clock: f64) {
    let stream = Stream::new(shape, SEED, options.messages);
    println!(
        "\n{name}: {} messages ({}), {} markets, {} resting orders, {} lots traded",
        stream.messages.len(),
        measure::shares(&stream.messages),
        shape.markets,
        shape.resting,
        stream.traded.last().unwrap()
    );
    let mut engines = engines();
    engines.retain(|engine| engine.name.contains(&options.engine));
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); engines.len()];
    for _ in 0..options.runs {
        for (engine, runs) in engines.iter().zip(&mut runs) {
            // One that is stopped once is not run again: filling its books takes long too.
            if runs.iter().all(|run| run.done == options.messages) {
                runs.push((engine.timed)(&stream, options.budget));
            }
        }
    }
    let ns: Vec<f64> = runs
        .iter()
        .map(|runs| median(runs.iter().map(|run| run.ns).collect()))
        .collect();
    let published = engines.iter().zip(&ns).filter(|(e, _)| e.published);
    let fastest = published.map(|(_, &ns)| ns).min_by(f64::total_cmp);
    println!(
        "{:<32} {:>10} {:>20} {:>8} {:>8}  note",
        "engine", "ns/message", "speed/fastest crate", "p50 ns", "p99.9 ns"
    );
    for ((engine, runs), ns) in engines.iter().zip(&runs).zip(ns) {
        let count = SINGLES.min(stream.messages.len() / 2);
        let singles = engine.singles.map(|singles| singles(&stream, count, clock));
        let figure = |figure: fn(Singles) -> f64| {
            singles.map_or("-".into(), |singles| format!("{:.0}", figure(singles)))
        };
        println!(
            "{:<32} {:>10.1} {:>20} {:>8} {:>8}  {}",
            engine.name,
            ns,
            fastest.map_or("-".into(), |fastest| format!("{:.2}", fastest / ns)),
            figure(|singles| singles.p50),
            figure(|singles| singles.p999),
            note(runs, stream.messages.len())
        );
    }
}

/// What a run did otherwise than the others.
fn note(runs: &[Run], messages: usize) -> String {
    let done = runs.iter().map(|run| run.done).min().unwrap_or(0);
    let mut notes = Vec::new();
    if done < messages {
        notes.push(format!("stopped after {done} messages"));
    }
    if let Some(run) = runs.iter().find(|run| run.surplus != 0) {
        notes.push(format!("traded {:+} lots against the others", run.surplus));
    }
    notes.join(", ")
}

fn print_growth(name: &str, resting: &str, markets: &str) -> ExitCode {
    let shape = resting.parse().ok().zip(markets.parse().ok());
    let engine = engines().into_iter().find(|engine| engine.name == name);
    let bytes = engine
        .zip(shape)
        .and_then(|(engine, (resting, markets))| (engine.growth)(Shape { markets, resting }));
    match bytes {
        Some(bytes) => println!("{bytes}"),
        None => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}

/// Growth of a process of its own.
fn memory(options: &Options) {
    let resting: u32 = if options.quick { 200_000 } else { 1_000_000 };
    println!("\nmemory: growth of a process that builds the books");
    println!(
        "{:<32} {:>14} {:>26}",
        "engine", "bytes an order", "KiB, 10,000 empty markets"
    );
    for engine in engines().iter().filter(|engine| engine.singles.is_some()) {
        let growth = |resting: u32, markets: u32| {
            let (resting, markets) = (resting.to_string(), markets.to_string());
            measure::growth_apart(&["--growth", engine.name, &resting, &markets])
        };
        let figure = |bytes: Option<u64>, unit: f64| {
            bytes.map_or("-".into(), |bytes| format!("{:.0}", bytes as f64 / unit))
        };
        println!(
            "{:<32} {:>14} {:>26}",
            engine.name,
            figure(growth(resting, 1), resting.into()),
            figure(growth(0, 10_000), 1_024.0)
        );
    }
}

/// How the cost of a message grows.
fn curves(options: &Options) {
    let count = if options.quick { 100_000 } else { 1_000_000 };
    let points: &[u32] = if options.quick {
        &[1_000, 10_000, 100_000]
    } else {
        &[1_000, 10_000, 100_000, 1_000_000, 10_000_000]
    };
    println!("\nns a message by resting orders, one market, {count} messages, events on");
    println!("{:>10} {:>12} {:>12}", "resting", "in turn", "look-ahead");
    for &resting in points {
        // The generator and its stream take about 150 bytes an order, the books less than 100.
        let needed = u64::from(resting) * 250 + (1 << 30);
        match available() {
            Some(bytes) if bytes < needed => {
                println!("{resting:>10} skipped: {} MiB free", bytes >> 20);
            }
            _ => point(
                Shape {
                    markets: 1,
                    resting,
                },
                resting,
                count,
                options,
            ),
        }
    }
    println!("\nns a message by markets, 100000 resting orders, {count} messages, events on");
    println!("{:>10} {:>12} {:>12}", "markets", "in turn", "look-ahead");
    for markets in [1, 10, 100, 1_000, 10_000] {
        let shape = Shape {
            markets,
            resting: 100_000,
        };
        point(shape, markets, count, options);
    }
}

fn point(shape: Shape, label: u32, count: usize, options: &Options) {
    let stream = Stream::new(shape, SEED, count);
    let names = [EVENTS, EVENTS_AHEAD];
    let engines = engines();
    let mut figures = [Vec::new(), Vec::new()];
    for _ in 0..options.runs {
        for (name, figures) in names.iter().zip(&mut figures) {
            let engine = engines.iter().find(|engine| engine.name == *name).unwrap();
            figures.push((engine.timed)(&stream, options.budget).ns);
        }
    }
    let [turn, ahead] = figures.map(median);
    println!("{label:>10} {turn:>12.1} {ahead:>12.1}");
}
