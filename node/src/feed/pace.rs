//! Sends a sample by the clock, as load: nothing waits for anything.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::desk::{Batch, Desk, Failure};
use super::lobster::Sample;
use super::plan::{Act, Item, plan};

/// How long a result is waited for.
const WAIT: Duration = Duration::from_secs(20);

/// What became of the load.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Transactions sent.
    pub transactions: usize,
    /// Actions sent.
    pub actions: usize,
    /// Actions with result OK.
    pub accepted: usize,
    /// The other actions, by the name of the result; `HTTP` when the gateway refused the
    /// transaction, `NO_RESULT` when no block held it in time.
    pub rejected: BTreeMap<String, usize>,
    /// Median time from when a transaction was due to the answer with its result, ms.
    pub latency_p50_ms: f64,
    /// 99th percentile of the same.
    pub latency_p99_ms: f64,
    /// Seconds from the first transaction to the last answer.
    pub seconds: f64,
}

/// Sends the actions of each message when `speed` times the recorded clock says so.
///
/// # Errors
/// When `speed` is not above zero, or the exchange cannot be reached at all.
pub async fn send(sample: &Sample, mut desk: Desk, speed: f64) -> Result<Report, Failure> {
    if !(speed > 0.0 && speed.is_finite()) {
        return Err(format!("pace: {speed} is not above zero").into());
    }
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    for (after, acts) in schedule(sample) {
        let due = start + after.div_f64(speed);
        tokio::time::sleep_until(due).await;
        let batch: Batch = desk.sign(acts.into_iter());
        for (signed, acts) in batch {
            let api = desk.api.clone();
            tasks.spawn(async move {
                let answer = api.submit(signed.bytes, WAIT).await;
                (acts.len(), answer.ok(), due.elapsed())
            });
        }
    }
    let mut report = Report::default();
    let mut latencies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (actions, answer, latency) = done?;
        report.count(actions, answer.as_ref());
        if answer.is_some_and(|answer| !answer["result"].is_null()) {
            latencies.push(latency);
        }
    }
    latencies.sort_unstable();
    report.latency_p50_ms = percentile(&latencies, 50);
    report.latency_p99_ms = percentile(&latencies, 99);
    report.seconds = start.elapsed().as_secs_f64();
    Ok(report)
}

/// The actions of each message, with its time since the first.
fn schedule(sample: &Sample) -> Vec<(Duration, Vec<Act>)> {
    let times: Vec<u64> = sample.messages.iter().map(|message| message.time).collect();
    let first = times.first().copied().unwrap_or_default();
    let mut schedule = Vec::new();
    let mut acts = Vec::new();
    for item in plan(sample).items {
        match item {
            Item::Act(act) => acts.push(act),
            Item::Check(step) => {
                let time = times.get(step).copied().unwrap_or(first);
                let after = Duration::from_nanos(time.saturating_sub(first));
                schedule.push((after, std::mem::take(&mut acts)));
            }
        }
    }
    schedule
}

/// A percentile of sorted times, in ms; zero when there are none.
pub fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted
        .get(at)
        .copied()
        .map_or(0.0, |time: Duration| time.as_secs_f64() * 1_000.0)
}

impl Report {
    fn count(&mut self, actions: usize, answer: Option<&Value>) {
        self.transactions += 1;
        self.actions += actions;
        let mut reject = |name: &str, count| {
            *self.rejected.entry(name.to_owned()).or_default() += count;
        };
        let Some(answer) = answer else {
            return reject("HTTP", actions);
        };
        let result = &answer["result"];
        let Some(rows) = result["actions"]
            .as_array()
            .filter(|rows| rows.len() == actions)
        else {
            return reject(result["name"].as_str().unwrap_or("NO_RESULT"), actions);
        };
        for row in rows {
            match row["code"].as_u64() {
                Some(0) => self.accepted += 1,
                _ => reject(row["name"].as_str().unwrap_or_default(), 1),
            }
        }
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{} actions in {} transactions in {:.1} s: {} accepted, {} rejected\n\
             latency from due time to result: p50 {:.0} ms, p99 {:.0} ms\n",
            self.actions,
            self.transactions,
            self.seconds,
            self.accepted,
            self.rejected.values().sum::<usize>(),
            self.latency_p50_ms,
            self.latency_p99_ms,
        );
        for (name, count) in &self.rejected {
            let _ = writeln!(text, "  {name}: {count}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let times: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(
            (percentile(&times, 50), percentile(&times, 99)),
            (100.0, 198.0)
        );
        assert_eq!(
            (percentile(&times[..1], 99), percentile(&[], 50)),
            (1.0, 0.0)
        );
    }

    #[test]
    fn results_are_counted_by_action() {
        let mut report = Report::default();
        report.count(2, None);
        report.count(1, Some(&json!({"hash": "aa"})));
        report.count(
            3,
            Some(&json!({"result": {"name": "NONCE_USED", "actions": []}})),
        );
        let rows = json!([{"code": 0, "name": "OK"}, {"code": 206, "name": "CANCELLED_BEFORE"}]);
        report.count(2, Some(&json!({"result": {"name": "OK", "actions": rows}})));
        assert_eq!(
            (report.transactions, report.actions, report.accepted),
            (4, 8, 1)
        );
        let rejected = [
            ("CANCELLED_BEFORE", 1),
            ("HTTP", 2),
            ("NONCE_USED", 3),
            ("NO_RESULT", 1),
        ];
        let rejected = rejected.map(|(name, count)| (name.to_owned(), count));
        assert_eq!(report.rejected, BTreeMap::from(rejected));
    }
}
