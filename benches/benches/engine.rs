//! The whole engine without network: decode, verify, authorise, cancel, admit, match, settle, hash.
//!
//! Prints a table: microseconds of each part per action, and actions per second, by block size,
//! accounts, groups and threads. One action is an order (9 in 10 post-only around a fixed mid, the
//! others IOC) or the cancel by client id that makes room for it, half and half, 32 to a transaction.
//!
//! `cargo bench -p ballast-benches --bench engine [-- quick]`

#![allow(clippy::unwrap_used)]

use ballast_app::{Block, PASSES, State};
use ballast_benches::{MID, chain, secrets};
use ballast_types::{
    Account, Action, Cancel, GroupId, MarketId, Order, PostOnly, Secret, Side, TimeInForce, TxBody,
    chain_hash, sign_native,
};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ACTIONS_PER_TX: usize = 32;
/// What the observer names, but the end.
fn names() -> impl Iterator<Item = &'static str> {
    PASSES.into_iter().chain(["hash"])
}

/// One row of the table.
struct Case {
    accounts: usize,
    groups: usize,
    actions: usize,
    threads: usize,
    blocks: u64,
    verified: bool,
}

/// xorshift64: any fixed sequence will do.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn order(random: &mut Random, groups: usize, client_id: u128) -> (Order, GroupId) {
    let market = u32::try_from(random.below(groups as u64)).unwrap();
    let side = if random.below(2) == 0 {
        Side::Buy
    } else {
        Side::Sell
    };
    let takes = random.below(10) == 0;
    let away = random.below(200) as i64 + 1;
    let price = match (side, takes) {
        (Side::Buy, false) => MID - away,
        (Side::Sell, false) => MID + away,
        (Side::Buy, true) => MID + 50,
        (Side::Sell, true) => MID - 50,
    };
    let size = random.below(20) as i64 + 1;
    let order = Order::limit(MarketId(market), side, price, size);
    let order = if takes {
        Order {
            tif: TimeInForce::Ioc,
            ..order
        }
    } else {
        Order {
            client_id: Some(client_id),
            ..order.post_only(PostOnly::Reject)
        }
    };
    (order, GroupId(u16::try_from(market).unwrap()))
}

/// Signed transactions of one block, accounts in turn.
fn block(
    case: &Case,
    height: u64,
    time: u64,
    secrets: &[Secret],
    random: &mut Random,
) -> Vec<Bytes> {
    let txs = case.actions.div_ceil(ACTIONS_PER_TX);
    (0..txs)
        .map(|number| {
            let turn = usize::try_from(height).unwrap() * txs + number;
            let secret = &secrets[turn % secrets.len()];
            let round = (turn / secrets.len()) as u128;
            let mut actions = Vec::new();
            for pair in 0..ACTIONS_PER_TX / 2 {
                let client_id = 1 + pair as u128 + (round % 4) * 100;
                let (order, group) = order(random, case.groups, client_id);
                actions.push(Action::Cancel(Cancel::Client { group, client_id }));
                actions.push(Action::Order(order));
            }
            let body = TxBody {
                chain: chain_hash("bench"),
                account: Account::new(secret.id(), 0),
                key: secret.public(),
                nonce: time + number as u64,
                expiry: u64::MAX,
                actions,
            };
            Bytes::from(sign_native(&body, secret))
        })
        .collect()
}

fn run(case: &Case) {
    let secrets = secrets(case.accounts);
    let groups = u16::try_from(case.groups).unwrap();
    let spec = chain("bench", groups, &secrets);
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(case.threads)
        .build()
        .unwrap();
    let mut state = State::genesis(Arc::new(spec)).unwrap();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut parts = [Duration::ZERO; PASSES.len() + 1];
    let mut all = Duration::ZERO;
    let (mut actions, mut fills) = (0_usize, 0_u64);
    let warm_up = case.blocks / 3;
    for height in 1..=case.blocks {
        let time = 1_000_000 + height * 1_000;
        let txs = block(case, height, time, &secrets, &mut random);
        let mut marks = Vec::with_capacity(PASSES.len() + 2);
        let verified = case.verified;
        let start = Instant::now();
        let candidate = threads.install(|| {
            let block = Block {
                height,
                time,
                txs: &txs,
            };
            state.execute_observed(&block, &|_| verified, &mut |name| {
                marks.push((name, Instant::now()));
            })
        });
        assert!(candidate.stats.violations.none());
        let stats = candidate.stats;
        state.commit(candidate);
        if height <= warm_up {
            continue;
        }
        all += start.elapsed();
        actions += txs.len() * ACTIONS_PER_TX;
        fills += stats.fills;
        for pair in marks.windows(2) {
            let at = names().position(|part| part == pair[0].0).unwrap();
            parts[at] += pair[1].1 - pair[0].1;
        }
    }
    let per = |time: Duration| time.as_secs_f64() * 1e6 / actions as f64;
    print!(
        "{:>8} {:>6} {:>7} {:>3} {:>5} |",
        case.accounts,
        case.groups,
        case.actions,
        case.threads,
        if case.verified { "cache" } else { "check" }
    );
    for part in parts {
        print!(" {:>9.3}", per(part));
    }
    println!(
        " | {:>7.3} {:>9.0} {:>6.2}",
        per(all),
        1e6 / per(all),
        fills as f64 / actions as f64
    );
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "quick");
    print!(
        "{:>8} {:>6} {:>7} {:>3} {:>5} |",
        "accounts", "groups", "actions", "thr", "sigs"
    );
    for part in names() {
        print!(" {part:>9}");
    }
    println!(" | {:>7} {:>9} {:>6}", "us/act", "actions/s", "fills");
    let base = Case {
        accounts: 1_000,
        groups: 3,
        actions: 3_200,
        threads: 1,
        blocks: 60,
        verified: true,
    };
    let mut cases = vec![
        base,
        Case {
            verified: false,
            threads: 1,
            ..case_of(3_200)
        },
    ];
    if !quick {
        cases.extend([320, 1_000, 10_000].map(case_of));
        cases.extend([100, 10_000, 100_000].map(|accounts| Case {
            accounts,
            ..case_of(3_200)
        }));
        cases.extend([1, 30, 300].map(|groups| Case {
            groups,
            ..case_of(3_200)
        }));
        cases.extend([2, 4].map(|threads| Case {
            threads,
            ..case_of(3_200)
        }));
    }
    for case in &cases {
        run(case);
    }
}

fn case_of(actions: usize) -> Case {
    Case {
        accounts: 1_000,
        groups: 3,
        actions,
        threads: 1,
        blocks: 60,
        verified: true,
    }
}
