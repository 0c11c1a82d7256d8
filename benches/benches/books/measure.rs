//! Clocks, percentiles, memory, and what the machine can do.

use crate::venues::Venue;
use ballast_benches::flow::{BATCH, Message, Random, Shape, Stream};
use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

/// One pass over a stream.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// Nanoseconds a message.
    pub(crate) ns: f64,
    /// Messages until the time was up, or all.
    pub(crate) done: usize,
    /// Lots traded less those that the generator counted.
    pub(crate) surplus: i64,
}

/// Single commands, in nanoseconds.
#[derive(Clone, Copy)]
pub(crate) struct Singles {
    pub(crate) p50: f64,
    pub(crate) p999: f64,
}

/// Books that hold the stream's seeds.
fn seeded<V: Venue>(stream: &Stream) -> V {
    let mut venue = V::new(stream.shape.markets, stream.slots);
    for batch in stream.seeds.chunks(BATCH) {
        for message in batch {
            venue.apply(message);
        }
        venue.end_batch();
    }
    venue
}

/// Time that this thread has had a processor, so that other processes disturb less.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Times the stream until `budget` is spent. With `AHEAD` above 0, the message that comes `AHEAD`
/// later and the one that comes half as much later are hinted at before each one.
pub(crate) fn timed<V: Venue, const AHEAD: usize>(stream: &Stream, budget: Duration) -> Run {
    let mut venue = seeded::<V>(stream);
    let messages = &stream.messages;
    let last = messages.len() - 1;
    let mut traded = 0;
    let mut done = 0;
    let start = processor_time();
    while done < messages.len() && processor_time() - start < budget {
        let end = messages.len().min(done + BATCH);
        for at in done..end {
            if AHEAD > 0 {
                let far = &messages[last.min(at + AHEAD)];
                let near = &messages[last.min(at + AHEAD / 2)];
                venue.hint(far, near);
            }
            traded += venue.apply(&messages[at]);
        }
        venue.end_batch();
        done = end;
    }
    let ns = (processor_time() - start).as_nanos() as f64 / done as f64;
    let expected = stream.traded[done.div_ceil(BATCH) - 1];
    Run {
        ns,
        done,
        surplus: traded as i64 - expected as i64,
    }
}

/// Times up to `count` commands one by one, after as many that are not timed, and takes `clock`,
/// the cost of asking the clock, off each.
pub(crate) fn singles<V: Venue>(stream: &Stream, count: usize, clock: f64) -> Singles {
    let mut venue = seeded::<V>(stream);
    let mut times = Vec::with_capacity(count);
    for (number, batch) in stream.messages.chunks(BATCH).enumerate() {
        if number * BATCH >= 2 * count {
            break;
        }
        let timed = number * BATCH >= count;
        for message in batch {
            let start = Instant::now();
            black_box(venue.apply(message));
            if timed {
                times.push(start.elapsed().as_nanos() as u32);
            }
        }
        venue.end_batch();
    }
    times.sort_unstable();
    Singles {
        p50: (percentile(&times, 0.5) - clock).max(0.0),
        p999: (percentile(&times, 0.999) - clock).max(0.0),
    }
}

fn percentile(sorted: &[u32], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted
        .get(at.min(sorted.len().saturating_sub(1)))
        .map_or(f64::NAN, |&ns| ns.into())
}

/// The middle one of a few figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Bytes that the process keeps in memory when it builds books with `shape.resting` orders, or
/// `None` when the system does not say. Only of use in a fresh process.
pub(crate) fn growth<V: Venue>(shape: Shape) -> Option<u64> {
    let before = resident()?;
    let mut venue = V::new(shape.markets, shape.resting.max(1));
    for (number, message) in shape.seeds(1).enumerate() {
        venue.apply(&message);
        if number % BATCH == 0 {
            venue.end_batch();
        }
    }
    venue.end_batch();
    let after = resident()?;
    black_box(&venue);
    Some(after.saturating_sub(before))
}

/// [`growth`] in a process of its own, which starts this program with `arguments`.
pub(crate) fn growth_apart(arguments: &[&str]) -> Option<u64> {
    let program = std::env::current_exe().ok()?;
    let output = Command::new(program).args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    kibibytes(&status, "VmRSS:")
}

/// Bytes that could still be used, if the system says.
pub(crate) fn available() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    kibibytes(&info, "MemAvailable:")
}

fn kibibytes(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number * 1_024)
}

/// What the figures are to be read with.
pub(crate) struct Machine {
    pub(crate) model: String,
    /// By the system, where it says.
    pub(crate) megahertz: Option<f64>,
    /// By a chain of additions and shifts that wait for each other.
    pub(crate) gigahertz: f64,
    /// Nanoseconds a step of a random walk over 1 MiB and 64 MiB.
    pub(crate) chase: [f64; 2],
    /// Nanoseconds between two questions to the clock.
    pub(crate) clock: f64,
    pub(crate) load: String,
}

impl Machine {
    pub(crate) fn measure() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name| {
            let line = info.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            model: field("model name").unwrap_or_else(|| "unknown processor".into()),
            megahertz: field("cpu MHz").and_then(|text| text.parse().ok()),
            gigahertz: gigahertz(),
            chase: [chase(1 << 20), chase(64 << 20)],
            clock: clock(),
            load: load.split(' ').next().unwrap_or("unknown").to_owned(),
        }
    }
}

/// Each round is three shifts and three exclusive ors, each of which waits for the one before.
fn gigahertz() -> f64 {
    const ROUNDS: u32 = 20_000_000;
    let rates = (0..5).map(|_| {
        let mut x = black_box(1_u64);
        let start = processor_time();
        for _ in 0..ROUNDS {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
        }
        black_box(x);
        6.0 * f64::from(ROUNDS) / (processor_time() - start).as_nanos() as f64
    });
    rates.fold(0.0, f64::max)
}

/// Nanoseconds a step along a random cycle through all cache lines of so many bytes.
fn chase(bytes: usize) -> f64 {
    const STEPS: usize = 4_000_000;
    let lines = bytes / 64;
    let mut random = Random::new(1);
    let mut next: Vec<[u32; 16]> = (0..lines as u32).map(|line| [line; 16]).collect();
    // Sattolo's shuffle leaves one cycle.
    for line in (1..lines).rev() {
        next.swap(line, random.below(line as u64) as usize);
    }
    let mut at = 0;
    for _ in 0..lines {
        at = next[at as usize][0];
    }
    let start = processor_time();
    for _ in 0..STEPS {
        at = next[at as usize][0];
    }
    black_box(at);
    (processor_time() - start).as_nanos() as f64 / STEPS as f64
}

fn clock() -> f64 {
    let mut times: Vec<u32> = (0..100_000)
        .map(|_| Instant::now().elapsed().as_nanos() as u32)
        .collect();
    times.sort_unstable();
    percentile(&times, 0.5)
}

/// Messages by kind, so that a reader sees that the stream is what it says.
pub(crate) fn shares(messages: &[Message]) -> String {
    use ballast_benches::flow::Op;
    let share = |op| {
        let count = messages.iter().filter(|message| message.op == op).count();
        100.0 * count as f64 / messages.len() as f64
    };
    format!(
        "{:.1} % add, {:.1} % cancel, {:.1} % take, {:.1} % replace",
        share(Op::Add),
        share(Op::Cancel),
        share(Op::Take),
        share(Op::Replace)
    )
}
