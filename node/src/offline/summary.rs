//! What became of a run, and how far it is.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use serde::Serialize;

/// How often progress is shown.
const PERIOD: Duration = Duration::from_millis(500);

/// What became of a run. Counts that a format does not have are left out.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Messages read.
    pub messages: u64,
    /// Trades.
    pub fills: u64,
    /// Sum of the sizes of the trades, in the units of the stream.
    pub volume: u128,
    /// Orders that rest at the end.
    pub resting_orders: usize,
    /// Markets named.
    pub markets: usize,
    /// Time that it took.
    pub seconds: f64,
    /// Messages in a second.
    pub messages_per_second: f64,
    /// What else a format counts.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
    /// The same for people.
    #[serde(skip)]
    pub lines: Vec<String>,
    /// What does not agree, one line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    /// Why the run counts as failed although it came to its end.
    #[serde(skip)]
    pub failure: Option<String>,
}

impl Summary {
    /// Adds a count of the format: its name, and what it counts in words.
    pub fn count(&mut self, name: &str, count: u64, words: &str) {
        self.more.insert(name.to_owned(), count.into());
        self.lines
            .push(format!("{} {words}", grouped(count.into())));
    }

    /// Adds how long it took.
    pub fn timed(mut self, start: Instant) -> Self {
        self.seconds = start.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let messages = self.messages as f64;
        self.messages_per_second = (messages / self.seconds.max(1e-9)).round();
        self
    }

    /// For people.
    pub fn to_text(&self) -> String {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is whole and not negative"
        )]
        let rate = grouped(self.messages_per_second as u128);
        let mut text = format!(
            "{} messages in {:.3} s, {rate} messages/s\n{} fills, volume {} lots\n\
             {} resting orders in {} markets\n",
            grouped(self.messages.into()),
            self.seconds,
            grouped(self.fills.into()),
            grouped(self.volume),
            grouped(self.resting_orders as u128),
            grouped(self.markets as u128),
        );
        for line in self.lines.iter().chain(&self.differences) {
            let _ = writeln!(text, "{line}");
        }
        text
    }
}

/// Shows on a terminal how far a run is; nothing elsewhere.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
    last: Instant,
    start: Instant,
}

impl Progress {
    /// From now on.
    pub fn start() -> Self {
        let now = Instant::now();
        Self {
            shown: std::io::stderr().is_terminal(),
            last: now,
            start: now,
        }
    }

    /// To be called after each message; looks at the clock only now and then.
    pub fn at(&mut self, messages: u64) {
        if self.shown && messages.is_multiple_of(1 << 16) && self.last.elapsed() >= PERIOD {
            self.last = Instant::now();
            let (count, seconds) = (grouped(messages.into()), self.start.elapsed().as_secs());
            eprint!("\r{count} messages, {seconds} s ");
        }
    }
}

/// Takes the line away.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown && self.last > self.start {
            eprint!("\r\x1b[K");
        }
    }
}

/// A number with commas between thousands.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
