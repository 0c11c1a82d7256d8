//! Results of the last transactions, and those who wait for one.

use ballast_types::{BlockEvents, Code, TxHash, TxResult};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A transaction's result and the block that holds it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub height: u64,
    pub time: u64,
    pub result: TxResult,
}

type Waiter = oneshot::Sender<Arc<Outcome>>;

/// A bounded store. A transaction that took effect keeps that result; of failures the last counts.
pub(crate) struct Results {
    capacity: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    outcomes: HashMap<TxHash, Arc<Outcome>>,
    oldest_first: VecDeque<TxHash>,
    waiters: HashMap<TxHash, Vec<Waiter>>,
    closed: bool,
}

/// Forgets a waiter whose client has gone or whose time is over.
struct Waiting<'a> {
    results: &'a Results,
    hash: TxHash,
    outcome: oneshot::Receiver<Arc<Outcome>>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.outcome.close();
        let mut inner = self.results.inner.lock();
        if let Some(waiters) = inner.waiters.get_mut(&self.hash) {
            waiters.retain(|waiter| !waiter.is_closed());
            if waiters.is_empty() {
                inner.waiters.remove(&self.hash);
            }
        }
    }
}

impl Results {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            inner: Mutex::default(),
        }
    }

    /// Takes a block's results and answers those who wait for them.
    pub(crate) fn record(&self, block: &BlockEvents) {
        let mut inner = self.inner.lock();
        for result in block.txs.iter().flatten() {
            // A repetition says nothing about the transaction that stands beside it, and what did
            // not decode has no hash.
            if result.code != Code::Duplicate && result.hash != [0; 32] {
                inner.insert(block, result, self.capacity);
            }
        }
    }

    /// The result, when it is known.
    pub(crate) fn get(&self, hash: &TxHash) -> Option<Arc<Outcome>> {
        self.inner.lock().outcomes.get(hash).cloned()
    }

    /// Waits for a result. A stored failure of a block up to height `after` does not count.
    pub(crate) async fn wait(
        &self,
        hash: TxHash,
        after: Option<u64>,
        timeout: Duration,
    ) -> Option<Arc<Outcome>> {
        let mut waiting = {
            let mut inner = self.inner.lock();
            if let Some(outcome) = inner.outcomes.get(&hash)
                && (outcome.result.code == Code::Ok || after < Some(outcome.height))
            {
                return Some(outcome.clone());
            }
            if inner.closed {
                return None;
            }
            let (waiter, outcome) = oneshot::channel();
            inner.waiters.entry(hash).or_default().push(waiter);
            Waiting {
                results: self,
                hash,
                outcome,
            }
        };
        tokio::time::timeout(timeout, &mut waiting.outcome)
            .await
            .ok()?
            .ok()
    }

    /// Ends every wait.
    pub(crate) fn close(&self) {
        let mut inner = self.inner.lock();
        inner.closed = true;
        let waiters = std::mem::take(&mut inner.waiters);
        drop(inner);
        drop(waiters);
    }

    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.inner.lock().waiters.len()
    }
}

impl Inner {
    fn insert(&mut self, block: &BlockEvents, result: &TxResult, capacity: usize) {
        let known = self.outcomes.get(&result.hash);
        if known.is_some_and(|known| known.result.code == Code::Ok) && result.code != Code::Ok {
            return;
        }
        if known.is_none() {
            self.oldest_first.push_back(result.hash);
            if self.oldest_first.len() > capacity
                && let Some(oldest) = self.oldest_first.pop_front()
            {
                self.outcomes.remove(&oldest);
            }
        }
        let outcome = Arc::new(Outcome {
            height: block.height,
            time: block.time,
            result: result.clone(),
        });
        for waiter in self.waiters.remove(&result.hash).into_iter().flatten() {
            let _ = waiter.send(outcome.clone());
        }
        self.outcomes.insert(result.hash, outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(height: u64, results: &[(u8, Code)]) -> BlockEvents {
        let txs = results
            .iter()
            .map(|(hash, code)| TxResult {
                hash: [*hash; 32],
                code: *code,
                actions: vec![],
            })
            .collect();
        BlockEvents {
            height,
            time: height,
            txs: vec![txs],
            events: vec![],
        }
    }

    fn seen(results: &Results, hash: u8) -> Option<(u64, Code)> {
        results
            .get(&[hash; 32])
            .map(|outcome| (outcome.height, outcome.result.code))
    }

    #[test]
    fn effects_are_kept_failures_are_replaced_and_the_oldest_leaves() {
        let results = Results::new(2);
        results.record(&block(
            1,
            &[(1, Code::NonceWindow), (1, Code::Duplicate), (0, Code::Ok)],
        ));
        assert_eq!(seen(&results, 1), Some((1, Code::NonceWindow)));
        assert_eq!(seen(&results, 0), None);
        results.record(&block(2, &[(1, Code::Ok)]));
        results.record(&block(3, &[(1, Code::NonceUsed), (2, Code::Ok)]));
        assert_eq!(seen(&results, 1), Some((2, Code::Ok)));
        results.record(&block(4, &[(3, Code::Ok)]));
        assert_eq!(seen(&results, 1), None);
        assert_eq!(seen(&results, 3), Some((4, Code::Ok)));
    }

    #[tokio::test]
    async fn waiting_ends_with_the_result_the_time_or_the_store() {
        let results = Arc::new(Results::new(10));
        results.record(&block(1, &[(1, Code::Expired)]));
        let short = Duration::from_millis(1);
        let long = Duration::from_secs(60);
        let height = |outcome: Option<Arc<Outcome>>| outcome.map(|outcome| outcome.height);
        assert_eq!(height(results.wait([1; 32], None, long).await), Some(1));
        assert_eq!(height(results.wait([1; 32], Some(1), short).await), None);
        assert_eq!(results.waiting(), 0);

        let waits = [1, 2].map(|hash| {
            let results = results.clone();
            tokio::spawn(async move { results.wait([hash; 32], Some(1), long).await })
        });
        while results.waiting() < 2 {
            tokio::task::yield_now().await;
        }
        results.record(&block(2, &[(1, Code::Ok)]));
        results.close();
        let [first, second] = waits;
        assert_eq!(height(first.await.unwrap()), Some(2));
        assert_eq!(height(second.await.unwrap()), None);
        assert_eq!(height(results.wait([3; 32], None, long).await), None);
    }
}
