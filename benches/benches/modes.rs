//! What orders cost from accounts in Standard and in Portfolio mode: blocks of 1,000 resting orders in
//! options, on one thread. Prints microseconds of each pass per order, of the fastest of some blocks.
//!
//! `cargo bench -p ballast-benches --bench modes`

#![allow(clippy::unwrap_used)]

use ballast_app::{Block, PASSES, State};
use ballast_benches::{MID, chain, secrets};
use ballast_types::{
    Account, Action, Cadence, Cancel, ChainSpec, Code, GroupId, MarginMode, MarketId, MarketKind,
    OptionKind, Order, PostOnly, PriceKind, PriceUpdate, Secret, SeriesSpec, Side, TxBody,
    chain_hash, sign_native,
};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;

const ACCOUNTS: usize = 100;
/// Orders of an account in a block.
const ORDERS: usize = 10;
const ROUNDS: usize = 12;
/// Strikes on each side of the middle, three expiries, calls and puts.
const STRIKES: u16 = 20;
const OPTIONS: usize = 3 * 2 * (2 * STRIKES as usize + 1);
const WEEK_MS: u64 = 7 * 86_400_000;
/// Orders that are cancelled after each block.
const SHORT_LIVED: u32 = 1;

struct Case {
    mode: MarginMode,
    positions: usize,
    open: usize,
    /// A new mark before each block, which refreshes the group.
    refreshed: bool,
}

fn spec(secrets: &[Secret], mode: MarginMode) -> ChainSpec {
    let mut spec = chain("modes", 1, secrets);
    let mut market = spec.markets[0].clone();
    market.symbol = "O".to_owned();
    market.mark = 0;
    market.kind = MarketKind::Option {
        expiry: 0,
        strike: 0,
        kind: OptionKind::Call,
    };
    market.initial_margin_ppm = 150_000;
    market.minimum_margin_ppm = 120_000;
    market.maintenance_margin_ppm = 75_000;
    spec.series.push(SeriesSpec {
        cadences: vec![Cadence::Every {
            period_ms: WEEK_MS,
            offset_ms: 0,
            count: 3,
        }],
        step_ppm: 20_000,
        strikes: STRIKES,
        max_strikes: 2 * STRIKES + 1,
        market,
    });
    spec.margin_mode = mode;
    spec.order_reserve_ppm = 500;
    spec.limits.listings = 1_000;
    spec.limits.block_weight = 1 << 40;
    spec
}

struct Bench {
    secrets: Vec<Secret>,
    state: State,
    height: u64,
    time: u64,
    nonce: u64,
}

impl Bench {
    fn new(mode: MarginMode) -> Self {
        let secrets = secrets(ACCOUNTS);
        let state = State::genesis(Arc::new(spec(&secrets, mode))).unwrap();
        let mut bench = Self {
            secrets,
            state,
            height: 0,
            time: 1_000_000,
            nonce: 0,
        };
        bench.execute(&[]);
        assert_eq!(bench.state.committed().markets() as usize, 1 + OPTIONS);
        bench
    }

    /// Executes a block in which each account sends its actions; microseconds of each pass.
    fn execute(&mut self, sent: &[(usize, Vec<Action>)]) -> Vec<f64> {
        self.height += 1;
        self.time += 1_000;
        let mut txs = Vec::new();
        for (account, actions) in sent {
            for actions in actions.chunks(64) {
                txs.push(self.tx(*account, actions));
            }
        }
        let block = Block {
            height: self.height,
            time: self.time,
            txs: &txs,
        };
        let mut marks = Vec::with_capacity(PASSES.len() + 2);
        let observer = &mut |name| marks.push((name, Instant::now()));
        let candidate = self.state.execute_observed(&block, &|_| true, observer);
        assert!(candidate.stats.violations.none());
        let results = candidate.events.txs.iter().flatten();
        let mut codes = results.flat_map(|tx| tx.actions.iter().map(|action| action.code));
        assert!(codes.all(|code| code == Code::Ok), "all is admitted");
        self.state.commit(candidate);
        let passes = marks.windows(2);
        passes
            .map(|pair| (pair[1].1 - pair[0].1).as_secs_f64() * 1e6)
            .collect()
    }

    fn tx(&mut self, account: usize, actions: &[Action]) -> Bytes {
        self.nonce += 1;
        let secret = &self.secrets[account];
        let body = TxBody {
            chain: chain_hash("modes"),
            account: Account::new(secret.id(), 0),
            key: secret.public(),
            // Unique, and inside the window: two minutes back, half a minute ahead.
            nonce: self.time - 100_000 + self.nonce % 100_000,
            expiry: u64::MAX,
            actions: actions.to_vec(),
        };
        Bytes::from(sign_native(&body, secret))
    }

    /// Accounts sell options to their neighbours until each has so many positions.
    fn trade(&mut self, positions: usize) {
        for (first, side) in [(0, Side::Sell), (1, Side::Buy)] {
            let order =
                |n: usize| Action::Order(Order::limit(held(n, positions), side, 30_000, 10));
            let actions: Vec<_> = (0..positions).map(order).collect();
            let sent: Vec<_> = (first..ACCOUNTS)
                .step_by(2)
                .map(|account| (account, actions.clone()))
                .collect();
            self.execute(&sent);
        }
    }

    /// Each account places orders that rest, in the options that it holds.
    fn place(&mut self, count: usize, label: u32, positions: usize) -> Vec<f64> {
        let order = |account: usize, n: usize| {
            let (side, price) = match n % 3 {
                0 => (Side::Sell, 60_000),
                _ => (Side::Buy, 1_000),
            };
            let market = held(n * 7 + account, positions);
            let order = Order::limit(market, side, price + (n % 50) as i64, 5);
            Action::Order(Order {
                label,
                ..order.post_only(PostOnly::Reject)
            })
        };
        let sent: Vec<_> = (0..ACCOUNTS)
            .map(|account| (account, (0..count).map(|n| order(account, n)).collect()))
            .collect();
        self.execute(&sent)
    }

    fn cancel(&mut self, round: usize, refreshed: bool) {
        let (group, label) = (GroupId(0), SHORT_LIVED);
        let mut sent: Vec<_> = (0..ACCOUNTS)
            .map(|account| {
                (
                    account,
                    vec![Action::Cancel(Cancel::Label { group, label })],
                )
            })
            .collect();
        if refreshed {
            let update = PriceUpdate {
                market: MarketId(0),
                kind: PriceKind::Mark,
                price: MID + 1 + (round % 2) as i64,
            };
            sent.push((0, vec![Action::SetPrices(vec![update])]));
        }
        self.execute(&sent);
    }
}

/// The n-th option that every account holds, spread over strikes and expiries.
fn held(n: usize, positions: usize) -> MarketId {
    let option = n % positions * OPTIONS / positions;
    MarketId(u32::try_from(1 + option).unwrap())
}

fn run(case: &Case) {
    let mut bench = Bench::new(case.mode);
    bench.trade(case.positions);
    if case.open > 0 {
        bench.place(case.open, 0, case.positions);
    }
    let blocks = (0..ROUNDS).map(|round| {
        let passes = bench.place(ORDERS, SHORT_LIVED, case.positions);
        bench.cancel(round, case.refreshed);
        passes
    });
    let all = |passes: &Vec<f64>| passes.iter().sum::<f64>();
    let fastest = blocks.skip(2).min_by(|a, b| all(a).total_cmp(&all(b)));
    let fastest = fastest.unwrap();
    let refreshed = if case.refreshed { "yes" } else { "no" };
    print!(
        "{:>9} {:>9} {:>5} {refreshed:>9} |",
        format!("{:?}", case.mode),
        case.positions,
        case.open
    );
    let per = |time: f64| time / (ACCOUNTS * ORDERS) as f64;
    for pass in &fastest {
        print!(" {:>9.2}", per(*pass));
    }
    println!(" | {:>8.2}", per(all(&fastest)));
}

fn main() {
    let only = std::env::args().find_map(|arg| arg.parse::<usize>().ok());
    print!(
        "{:>9} {:>9} {:>5} {:>9} |",
        "mode", "positions", "open", "refreshed"
    );
    for part in PASSES.into_iter().chain(["hash"]) {
        print!(" {part:>9}");
    }
    println!(" | {:>8}", "us/order");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let cases = [
        (10, 0, false),
        (10, 200, false),
        (100, 200, false),
        (10, 200, true),
        (100, 200, true),
    ];
    let modes = [MarginMode::Standard, MarginMode::Portfolio];
    let cases = cases
        .into_iter()
        .flat_map(|(positions, open, refreshed)| {
            modes.map(|mode| Case {
                mode,
                positions,
                open,
                refreshed,
            })
        })
        .enumerate()
        .filter(|(number, _)| only.is_none_or(|only| only == *number));
    pool.unwrap()
        .install(|| cases.for_each(|(_, case)| run(&case)));
}
