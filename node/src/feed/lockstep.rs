//! Follows a sample step by step on a running exchange.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use ballast_types::{Secret, Side, encode_bundle};
use serde::Serialize;
use serde_json::json;

use super::desk::{Batch, Desk, Failure, MARKET};
use super::lobster::Sample;
use super::mirror::{ActionRow, Block, Mirror, TxRow};
use super::plan::{Item, Plan, Tally, plan, runs};
use crate::actions::now_ms;
use crate::client::{LiveBook, Socket};

/// Longest wait for the block of a run.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of a sample.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Steps compared.
    pub steps: usize,
    /// Steps after which the exchange's book was the recorded one.
    pub agreed: usize,
    /// Determined levels compared.
    pub levels: usize,
    /// Levels adopted from the record.
    pub adopted: usize,
    /// Orders that adoptions entered again.
    pub reentered: usize,
    /// Messages about orders that were not seen to enter.
    pub unattributed: usize,
    /// Actions sent.
    pub actions: usize,
    /// Transactions sent.
    pub transactions: usize,
    /// Runs of actions whose classes do not decrease, seed included.
    pub runs: usize,
    /// Blocks that held them.
    pub blocks: usize,
    /// Runs that took more than one block.
    pub split_runs: usize,
    /// Ends of runs at which the book of the WebSocket was that of the events.
    pub live_books_equal: usize,
    /// Seconds from the first transaction to the last block.
    pub seconds: f64,
    /// Why steps did not agree: refused actions, unexpected events, levels that differ.
    pub reasons: Vec<String>,
}

struct Follower {
    desk: Desk,
    socket: Socket,
    live: LiveBook,
    mirror: Mirror,
    tally: Tally,
    report: Report,
    heights: BTreeSet<u64>,
    /// Signs bundles. The gateway takes them from anybody.
    bundler: Secret,
    step: usize,
}

/// Sends the sample in lockstep and compares after each step.
///
/// # Errors
/// When the exchange cannot be reached, does not go on, or has other orders in the market.
pub async fn follow(
    sample: &Sample,
    mut desk: Desk,
    ws: &str,
    bundler: Secret,
) -> Result<Report, Failure> {
    let Plan {
        items,
        adopted,
        reentered,
        unattributed,
        ..
    } = plan(sample);
    let mut socket = Socket::connect(ws).await?;
    socket.subscribe("blocks", json!({"hashes": true})).await?;
    socket.subscribe("book", json!({"market": MARKET})).await?;
    let mut live = LiveBook::default();
    live.take(&socket.next().await?)?;
    if !(live.bids().is_empty() && live.asks().is_empty()) {
        return Err(format!("{MARKET}: other accounts have orders; the book must be empty").into());
    }
    // Nonces start after the funds have arrived.
    desk.sign(std::iter::empty());
    let report = Report {
        adopted,
        reentered,
        unattributed,
        ..Report::default()
    };
    let mut follower = Follower {
        desk,
        socket,
        live,
        mirror: Mirror::default(),
        tally: Tally::default(),
        report,
        heights: BTreeSet::new(),
        bundler,
        step: 0,
    };
    let start = Instant::now();
    for run in runs(&items) {
        follower.run(sample, run).await?;
    }
    Ok(follower.finish(start.elapsed()))
}

impl Follower {
    /// Sends a run, waits for its blocks, and walks through it with their events.
    async fn run(&mut self, sample: &Sample, run: &[Item]) -> Result<(), Failure> {
        let acts = run.iter().filter_map(|item| match item {
            Item::Act(act) => Some(*act),
            Item::Check(_) => None,
        });
        let batch = self.desk.sign(acts);
        let results = self.send(&batch).await?;
        let results = batch.iter().flat_map(|(signed, acts)| {
            let result = results.get(&hex::encode(signed.hash));
            (0..acts.len()).map(move |at| match result {
                Some(tx) => tx
                    .actions
                    .get(at)
                    .cloned()
                    .unwrap_or_else(|| refused(&tx.name)),
                None => refused("no result"),
            })
        });
        let mut results = results.collect::<Vec<_>>().into_iter();
        for item in run {
            match item {
                Item::Act(act) => {
                    let result = results.next().unwrap_or_default();
                    if let Err(reason) = self.mirror.follow(act, &result) {
                        self.note(&reason);
                    }
                }
                Item::Check(step) => {
                    self.step = *step;
                    self.tally.check(sample, *step, &self.mirror.book);
                }
            }
        }
        let unasked = self.mirror.finish();
        if unasked > 0 {
            self.note(&format!("{unasked} events that no action asked for"));
        }
        let book = &self.mirror.book;
        let equal = book.levels(Side::Buy).eq(self.live.bids())
            && book.levels(Side::Sell).eq(self.live.asks());
        self.report.live_books_equal += usize::from(equal);
        if !equal {
            self.note("the book of the WebSocket is not that of the events");
        }
        self.report.runs += 1;
        Ok(())
    }

    /// Sends the transactions of a run as one bundle, so that one block takes them, and collects
    /// their results. Events go to the mirror.
    async fn send(&mut self, batch: &Batch) -> Result<BTreeMap<String, TxRow>, Failure> {
        let bytes: Vec<_> = batch
            .iter()
            .map(|(signed, _)| signed.bytes.as_slice())
            .collect();
        let body = match bytes.as_slice() {
            [] => return Ok(BTreeMap::new()),
            [one] => one.to_vec(),
            many => encode_bundle(many, now_ms(), self.desk.chain(), &self.bundler),
        };
        self.report.transactions += batch.len();
        self.report.actions += batch.iter().map(|(_, acts)| acts.len()).sum::<usize>();
        self.desk.api.submit(body, Duration::ZERO).await?;
        let mut waiting: BTreeSet<_> = batch
            .iter()
            .map(|(signed, _)| hex::encode(signed.hash))
            .collect();
        let mut results = BTreeMap::new();
        let mut blocks = 0;
        while !waiting.is_empty() {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            let message = message.map_err(|_| {
                format!(
                    "step {}: {} transactions are in no block",
                    self.step,
                    waiting.len()
                )
            })??;
            if message["channel"] == "book" {
                self.live.take(&message)?;
                continue;
            }
            let rows = message["results"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            if !rows
                .iter()
                .any(|row| row[0].as_str().is_some_and(|hash| waiting.contains(hash)))
            {
                continue;
            }
            let height = message["height"].as_u64().unwrap_or_default();
            let block: Block = self
                .desk
                .api
                .read(&["v1", "blocks", &height.to_string()])
                .await?;
            self.heights.insert(height);
            blocks += 1;
            self.mirror.add(MARKET, block.events);
            for row in block.txs.into_iter().flatten() {
                if waiting.remove(&row.hash) {
                    results.insert(row.hash.clone(), row);
                }
            }
        }
        self.report.split_runs += usize::from(blocks > 1);
        Ok(results)
    }

    fn note(&mut self, reason: &str) {
        self.report
            .reasons
            .push(format!("after step {}: {reason}", self.step));
    }

    fn finish(self, time: Duration) -> Report {
        let Tally {
            steps,
            agreed,
            levels,
            differences,
        } = self.tally;
        let mut report = Report {
            steps,
            agreed,
            levels,
            blocks: self.heights.len(),
            seconds: time.as_secs_f64(),
            ..self.report
        };
        let differences = differences.into_iter();
        report
            .reasons
            .extend(differences.map(|(step, what)| format!("step {step}: {what}")));
        report
    }
}

fn refused(name: &str) -> ActionRow {
    ActionRow {
        code: u16::MAX,
        name: name.to_owned(),
        order: None,
    }
}

impl Report {
    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{} of {} steps agree, {} levels compared\n\
             {} levels adopted, {} orders entered again, {} messages about unknown orders\n\
             {} actions in {} transactions, {} runs, {} blocks ({} runs took more than one), \
             {:.1} s\n\
             the WebSocket's book was that of the events at the end of {} of {} runs\n",
            self.agreed,
            self.steps,
            self.levels,
            self.adopted,
            self.reentered,
            self.unattributed,
            self.actions,
            self.transactions,
            self.runs,
            self.blocks,
            self.split_runs,
            self.seconds,
            self.live_books_equal,
            self.runs,
        );
        for reason in &self.reasons {
            let _ = writeln!(text, "  {reason}");
        }
        text
    }
}
