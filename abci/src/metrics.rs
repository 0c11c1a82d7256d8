//! What a node counts about itself, for Prometheus.

use std::sync::Arc;
use std::time::Duration;

use ballast_app::{Snapshot, Stats};
use ballast_types::{BlockEvents, Code};
use parking_lot::Mutex;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder,
};

/// The metrics of one node, in a registry of their own. All names start with `ballast_`.
pub struct Metrics {
    registry: Registry,
    /// The last committed state, for what is only worth counting when somebody asks.
    state: Mutex<Option<Arc<Snapshot>>>,
    /// Last committed height.
    pub height: IntGauge,
    /// Seconds of each pass of a block, by name; hashing of the pages is one of them.
    pub pass_seconds: HistogramVec,
    /// Seconds of a whole block: execution and commit.
    pub block_seconds: Histogram,
    /// Orders that got an id.
    pub orders: IntCounter,
    /// Trades.
    pub fills: IntCounter,
    /// Transactions and actions that were refused, by the name of the code.
    pub rejections: IntCounterVec,
    /// Transactions that wait in the pool.
    pub pool_txs: IntGauge,
    /// Their bytes.
    pub pool_bytes: IntGauge,
    /// Bundles made for the peers.
    pub bundles_made: IntCounter,
    /// Bundles received from peers.
    pub bundles_seen: IntCounter,
    /// Transactions sent to the peers again.
    pub resends: IntCounter,
    /// Signatures of transactions by how they were settled: `batched`, `single` or `cached`.
    pub signatures: IntCounterVec,
    /// Pages that the last block wrote.
    pub pages_dirty: IntGauge,
    /// Bytes of the state.
    pub state_bytes: IntGauge,
    /// Seconds from the first sight of a transaction at this node to its commit.
    pub finality_seconds: Histogram,
    /// Sum of what accounts with negative equity owe, in atoms of the margin asset.
    pub deficit: IntGauge,
    /// Blocks after which an invariant did not hold.
    pub invariant_violations: IntCounter,
    /// Books found crossed at the end of a block.
    pub crossed_books: IntCounter,
    /// Proposals of others that this node refused.
    pub proposals_refused: IntCounter,
}

impl Metrics {
    /// All zero.
    ///
    /// # Errors
    /// Never, unless two metrics have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let add = Adder(&registry);
        Ok(Self {
            height: add.gauge("height", "Last committed height")?,
            pass_seconds: add.histograms(
                "pass_seconds",
                "Seconds of each pass of a block",
                "pass",
            )?,
            block_seconds: add.histogram("block_seconds", "Seconds of execution and commit")?,
            orders: add.counter("orders_total", "Orders that got an id")?,
            fills: add.counter("fills_total", "Trades")?,
            rejections: add.counters("rejections_total", "Refusals by code", "code")?,
            pool_txs: add.gauge("pool_txs", "Transactions that wait in the pool")?,
            pool_bytes: add.gauge("pool_bytes", "Bytes that wait in the pool")?,
            bundles_made: add.counter("bundles_made_total", "Bundles made for the peers")?,
            bundles_seen: add.counter("bundles_seen_total", "Bundles received from peers")?,
            resends: add.counter("resends_total", "Transactions sent to the peers again")?,
            signatures: add.counters("signatures_total", "Signatures by way of checking", "how")?,
            pages_dirty: add.gauge("pages_dirty", "Pages that the last block wrote")?,
            state_bytes: add.gauge("state_bytes", "Bytes of the state")?,
            finality_seconds: add.histogram(
                "finality_seconds",
                "Seconds from first sight here to commit",
            )?,
            deficit: add.gauge("deficit_atoms", "What accounts below zero owe")?,
            invariant_violations: add.counter(
                "invariant_violations_total",
                "Blocks that broke an invariant",
            )?,
            crossed_books: add.counter("crossed_books_total", "Books crossed after a block")?,
            proposals_refused: add.counter("proposals_refused_total", "Proposals refused")?,
            state: Mutex::new(None),
            registry,
        })
    }

    /// The text exposition format.
    pub fn text(&self) -> String {
        let state = self.state.lock().clone();
        if let Some(state) = state {
            let deficit = state.chain().deficit;
            self.deficit.set(i64::try_from(deficit).unwrap_or(i64::MAX));
            self.state_bytes.set(gauge(state.page_bytes()));
        }
        let mut text = Vec::new();
        // Writing to a Vec fails only for a malformed family, of which there is none.
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "cannot encode metrics");
        }
        String::from_utf8(text).unwrap_or_default()
    }

    /// Counts what a committed block did, and keeps the state after it for [`text`](Self::text).
    pub fn count(&self, events: &BlockEvents, stats: &Stats, state: Arc<Snapshot>) {
        self.height.set(gauge(events.height));
        for result in events.txs.iter().flatten() {
            self.count_code(result.code);
            for action in &result.actions {
                self.count_code(action.code);
            }
        }
        self.orders.inc_by(stats.orders);
        self.fills.inc_by(stats.fills);
        self.pages_dirty.set(gauge(stats.pages));
        self.crossed_books.inc_by(stats.violations.crossed_books);
        if !stats.violations.none() {
            self.invariant_violations.inc();
        }
        *self.state.lock() = Some(state);
    }

    fn count_code(&self, code: Code) {
        if code != Code::Ok {
            self.rejections.with_label_values(&[code.name()]).inc();
        }
    }

    /// Counts the time that a pass took.
    pub fn observe_pass(&self, pass: &str, time: Duration) {
        self.pass_seconds
            .with_label_values(&[pass])
            .observe(time.as_secs_f64());
    }
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Seconds from 100 us to 6.5 s, in steps of two.
const BUCKETS: [f64; 17] = [
    0.000_1, 0.000_2, 0.000_4, 0.000_8, 0.001_6, 0.003_2, 0.006_4, 0.012_8, 0.025_6, 0.051_2, 0.1,
    0.15, 0.25, 0.5, 1.0, 2.5, 6.5,
];

struct Adder<'a>(&'a Registry);

impl Adder<'_> {
    fn add<C>(&self, metric: Result<C, prometheus::Error>) -> Result<C, prometheus::Error>
    where
        C: prometheus::core::Collector + Clone + 'static,
    {
        let metric = metric?;
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.add(IntGauge::with_opts(opts(name, help)))
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.add(IntCounter::with_opts(opts(name, help)))
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        label: &str,
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.add(IntCounterVec::new(opts(name, help), &[label]))
    }

    fn histogram(&self, name: &str, help: &str) -> Result<Histogram, prometheus::Error> {
        self.add(Histogram::with_opts(buckets(name, help)))
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        label: &str,
    ) -> Result<HistogramVec, prometheus::Error> {
        self.add(HistogramVec::new(buckets(name, help), &[label]))
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("ballast")
}

fn buckets(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts::from(opts(name, help)).buckets(BUCKETS.to_vec())
}

#[cfg(test)]
mod tests {
    use ballast_app::State;
    use ballast_types::TxResult;

    use super::*;

    #[test]
    fn a_block_is_counted_and_exposed_as_text() {
        let metrics = Metrics::new().unwrap();
        let refused = TxResult {
            hash: [1; 32],
            code: Code::NonceUsed,
            actions: Vec::new(),
        };
        let events = BlockEvents {
            height: 7,
            txs: vec![vec![refused]],
            ..Default::default()
        };
        let state = State::genesis(Arc::new(crate::pool::tests::spec())).unwrap();
        let mut stats = Stats {
            orders: 3,
            ..Stats::default()
        };
        stats.violations.crossed_books = 2;
        metrics.count(&events, &stats, state.committed());
        metrics.observe_pass("match", Duration::from_millis(2));
        let text = metrics.text();
        for line in [
            "ballast_height 7",
            "ballast_rejections_total{code=\"NONCE_USED\"} 1",
            "ballast_pass_seconds_count{pass=\"match\"} 1",
            "ballast_orders_total 3",
            "ballast_crossed_books_total 2",
            "ballast_invariant_violations_total 1",
            "ballast_deficit_atoms 0",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} not in\n{text}"
            );
        }
    }
}
