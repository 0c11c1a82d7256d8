//! One process in place of a network: the application's own methods, called as CometBFT would.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use tendermint_abci::Application;
use tendermint_proto::google::protobuf::Timestamp;

use crate::application::Exchange;
use crate::dispatch::panic_text;
use crate::pool::Mode;
use crate::proto::response_process_proposal::ProposalStatus;
use crate::proto::{RequestFinalizeBlock, RequestPrepareProposal, RequestProcessProposal};
use crate::{FatalHook, Pool};

/// Makes blocks of one exchange on a thread of its own. Dropping it stops it.
pub struct Sequencer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sequencer {
    /// Makes a block every `interval`. `fatal` is called with the reason when the application
    /// cannot go on, and then there are no more blocks.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(
        exchange: Exchange,
        interval: Duration,
        fatal: FatalHook,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = crossbeam_channel::bounded(0);
        let thread = thread::Builder::new()
            .name("sequencer".to_owned())
            .spawn(move || {
                let run = AssertUnwindSafe(|| run(&exchange, interval, &stopped));
                // What a panic left half done is never used again: the caller ends the process.
                match catch_unwind(run) {
                    Ok(Ok(())) => {}
                    Ok(Err(reason)) => fatal(&reason),
                    Err(panic) => fatal(&panic_text(&*panic)),
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Waits for the block that is being made and stops.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sequencer failed");
        }
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(exchange: &Exchange, interval: Duration, stopped: &Receiver<()>) -> Result<(), String> {
    let mut due = Instant::now();
    loop {
        due += interval;
        let wait = due.saturating_duration_since(Instant::now());
        match stopped.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => return Ok(()),
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        step(exchange, now)?;
        // After a long block the next comes at once, but those that were missed do not.
        due = due.max(Instant::now().checked_sub(interval).unwrap_or(due));
    }
}

/// Makes one block at `now`, or 1 ms after the last one when the clock has not moved on. Returns
/// its height. Blocks of one exchange must be made one after the other.
///
/// # Errors
/// When the application refuses its own proposal.
pub fn step(exchange: &Exchange, now: u64) -> Result<u64, String> {
    let last = exchange.snapshot();
    let height = last.height().saturating_add(1);
    let number = i64::try_from(height).map_err(|error| error.to_string())?;
    let time = timestamp(now.max(last.time().saturating_add(1)));
    let limits = &exchange.spec().limits;
    let pool = exchange.pool();
    let mut offer = Vec::new();
    let reaped = pool.reap_txs(0, 0);
    if pool.config().mode == Mode::Flood {
        offer = reaped;
    }
    let prepared = exchange.prepare_proposal(RequestPrepareProposal {
        max_tx_bytes: i64::try_from(limits.block_bytes).unwrap_or(i64::MAX),
        txs: offer,
        height: number,
        time: Some(time),
        ..Default::default()
    });
    let processed = exchange.process_proposal(RequestProcessProposal {
        txs: prepared.txs.clone(),
        height: number,
        time: Some(time),
        ..Default::default()
    });
    if processed.status() != ProposalStatus::Accept {
        return Err(format!("height {height}: the own proposal was refused"));
    }
    exchange.finalize_block(RequestFinalizeBlock {
        txs: prepared.txs,
        height: number,
        time: Some(time),
        ..Default::default()
    });
    exchange.commit();
    Ok(height)
}

fn timestamp(millis: u64) -> Timestamp {
    let part = i32::try_from(millis % 1_000).unwrap_or(0);
    Timestamp {
        seconds: i64::try_from(millis / 1_000).unwrap_or(i64::MAX),
        nanos: part.saturating_mul(1_000_000),
    }
}
