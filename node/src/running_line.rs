//! The line that shows a running network: height, blocks/s, orders/s, finality. It reads the
//! nodes' Prometheus metrics.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often a terminal's line is rewritten, and how often another output gets a new line.
const TERMINAL: Duration = Duration::from_secs(1);
const LOG: Duration = Duration::from_secs(10);

/// Shows the line on stderr until it is dropped.
pub async fn show(metrics: Vec<String>) {
    let terminal = std::io::stderr().is_terminal();
    let period = if terminal { TERMINAL } else { LOG };
    let Ok(http) = reqwest::Client::builder()
        .no_proxy()
        .timeout(TERMINAL)
        .build()
    else {
        return;
    };
    let _end = terminal.then_some(EndOfLine);
    let mut before: Option<(Instant, Sample)> = None;
    let mut tick = tokio::time::interval(period);
    loop {
        tick.tick().await;
        let mut texts = Vec::new();
        for url in &metrics {
            if let Ok(answer) = http.get(url).send().await
                && let Ok(text) = answer.text().await
            {
                texts.push(text);
            }
        }
        let sample = Sample::of(&texts);
        let now = Instant::now();
        if let Some((then, old)) = &before {
            let line = line(old, &sample, now.duration_since(*then).as_secs_f64());
            let mut stderr = std::io::stderr();
            // Nobody can be told that stderr is gone.
            let _ = match terminal {
                true => write!(stderr, "\r\x1b[2K{line}").and_then(|()| stderr.flush()),
                false => writeln!(stderr, "{line}"),
            };
        }
        before = Some((now, sample));
    }
}

/// Leaves the terminal with an empty line.
struct EndOfLine;

impl Drop for EndOfLine {
    fn drop(&mut self) {
        eprintln!();
    }
}

/// What the nodes' metrics say at one time.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sample {
    nodes: usize,
    height: f64,
    orders: f64,
    /// Over all nodes: (upper bound in seconds, transactions up to it).
    finality: Vec<(f64, f64)>,
}

impl Sample {
    fn of(texts: &[String]) -> Self {
        let mut sample = Self {
            nodes: texts.len(),
            ..Self::default()
        };
        for text in texts {
            sample.height = value(text, "ballast_height")
                .unwrap_or(0.0)
                .max(sample.height);
            sample.orders = value(text, "ballast_orders_total")
                .unwrap_or(0.0)
                .max(sample.orders);
            for (at, bucket) in buckets(text, "ballast_finality_seconds")
                .into_iter()
                .enumerate()
            {
                match sample.finality.get_mut(at) {
                    Some(sum) => sum.1 += bucket.1,
                    None => sample.finality.push(bucket),
                }
            }
        }
        sample
    }
}

fn line(old: &Sample, new: &Sample, seconds: f64) -> String {
    let rate = |old: f64, new: f64| (new - old).max(0.0) / seconds.max(0.001);
    let mut line = format!(
        "height {}  {:.1} blocks/s  {:.0} orders/s",
        new.height,
        rate(old.height, new.height),
        rate(old.orders, new.orders),
    );
    let counts: Vec<(f64, f64)> = new
        .finality
        .iter()
        .enumerate()
        .map(|(at, (bound, count))| {
            (
                *bound,
                count - old.finality.get(at).map_or(0.0, |(_, count)| *count),
            )
        })
        .collect();
    match (quantile(&counts, 0.5), quantile(&counts, 0.99)) {
        (Some(p50), Some(p99)) => {
            line += &format!(
                "  finality p50 {:.0} ms, p99 {:.0} ms",
                p50 * 1e3,
                p99 * 1e3
            );
        }
        _ => line += "  finality -",
    }
    line
}

/// The value of a metric without labels in Prometheus's text format.
pub fn value(text: &str, name: &str) -> Option<f64> {
    let rest = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
    text.lines().find_map(rest)
}

/// The cumulative buckets of a histogram without labels: (upper bound, count).
pub fn buckets(text: &str, name: &str) -> Vec<(f64, f64)> {
    let prefix = format!("{name}_bucket{{le=\"");
    let bucket = |line: &str| {
        let (bound, count) = line.strip_prefix(&prefix)?.split_once("\"} ")?;
        let bound = if bound == "+Inf" {
            f64::INFINITY
        } else {
            bound.parse().ok()?
        };
        Some((bound, count.parse().ok()?))
    };
    text.lines().filter_map(bucket).collect()
}

/// A quantile of cumulative buckets, taken as evenly filled; `None` without observations. In the
/// last bucket, which has no upper bound, it is the lower one.
pub fn quantile(buckets: &[(f64, f64)], q: f64) -> Option<f64> {
    let total = buckets.last()?.1;
    if total <= 0.0 {
        return None;
    }
    let rank = q * total;
    let (mut lower, mut below) = (0.0, 0.0);
    for (upper, count) in buckets {
        if *count >= rank && upper.is_finite() {
            let share = if *count > below {
                (rank - below) / (count - below)
            } else {
                1.0
            };
            return Some(lower + (upper - lower) * share);
        }
        if upper.is_finite() {
            (lower, below) = (*upper, *count);
        }
    }
    Some(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_made_of_what_changed() {
        let text = |height: u32, orders: u32, fast: u32, all: u32| {
            format!(
                "# HELP x\nballast_height {height}\nballast_orders_total {orders}\n\
                 ballast_finality_seconds_bucket{{le=\"0.1\"}} {fast}\n\
                 ballast_finality_seconds_bucket{{le=\"0.2\"}} {all}\n\
                 ballast_finality_seconds_bucket{{le=\"+Inf\"}} {all}\n"
            )
        };
        let old = Sample::of(&[text(10, 100, 5, 5)]);
        let new = Sample::of(&[text(20, 300, 15, 15), text(19, 290, 0, 0)]);
        assert_eq!(
            line(&old, &new, 2.0),
            "height 20  5.0 blocks/s  100 orders/s  finality p50 50 ms, p99 99 ms"
        );
        assert!(line(&new, &new, 1.0).ends_with("0 orders/s  finality -"));
    }

    #[test]
    fn quantiles_of_buckets() {
        let inf = f64::INFINITY;
        for (buckets, q, expected) in [
            (vec![], 0.5, None),
            (vec![(1.0, 0.0), (inf, 0.0)], 0.5, None),
            (vec![(1.0, 10.0), (2.0, 20.0), (inf, 20.0)], 0.5, Some(1.0)),
            (vec![(1.0, 10.0), (2.0, 20.0), (inf, 20.0)], 0.75, Some(1.5)),
            (vec![(1.0, 0.0), (inf, 4.0)], 0.5, Some(1.0)),
        ] {
            assert_eq!(quantile(&buckets, q), expected, "{buckets:?}");
        }
    }
}
