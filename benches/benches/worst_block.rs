//! The worst blocks that the block weight allows, each built of the actions that cost most for their
//! weight, executed on one thread. Prints milliseconds; the aim is at most 500.
//!
//! `cargo bench -p ballast-benches --bench worst_block`

#![allow(clippy::too_many_lines, clippy::unwrap_used)]

use ballast_app::{Block, State};
use ballast_benches::{MID, chain, seeds};
use ballast_types::{
    Account, AccountId, Action, AssetId, Cancel, ChainSpec, Condition, Decoded, GroupId, MarketId,
    Order, PostOnly, PriceKind, PriceSource, PriceUpdate, Secret, SetAgent, Side, TimeInForce,
    Transfer, Trigger, TxBody, chain_hash, decode, encode_native, sign_native, tx_weight,
};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;

const ACCOUNTS: usize = 20_000;
const GROUPS: u16 = 4;

/// Orders of other accounts only meet; the weight alone bounds these blocks.
fn spec(secrets: &[Secret]) -> ChainSpec {
    let mut spec = chain("worst", GROUPS, secrets);
    spec.limits.block_bytes = 90 << 20;
    for market in &mut spec.markets {
        market.self_trade = false;
    }
    spec
}

struct Bench {
    spec: ChainSpec,
    secrets: Vec<Secret>,
    state: State,
    height: u64,
    time: u64,
    nonce: u64,
}

impl Bench {
    fn new(secp256k1: bool) -> Self {
        let key = |seed| match secp256k1 {
            true => Secret::secp256k1(seed).unwrap(),
            false => Secret::ed25519(seed),
        };
        let secrets: Vec<_> = seeds(ACCOUNTS).map(key).collect();
        let spec = spec(&secrets);
        let state = State::genesis(Arc::new(spec.clone())).unwrap();
        Self {
            spec,
            secrets,
            state,
            height: 0,
            time: 1_000_000,
            nonce: 0,
        }
    }

    fn tx(&mut self, account: usize, actions: Vec<Action>) -> Bytes {
        self.nonce += 1;
        let secret = &self.secrets[account % ACCOUNTS];
        let body = TxBody {
            chain: chain_hash("worst"),
            account: Account::new(secret.id(), 0),
            key: secret.public(),
            // Unique, and inside the window: two minutes back, half a minute ahead.
            nonce: self.time - 100_000 + self.nonce % 100_000,
            expiry: u64::MAX,
            actions,
        };
        Bytes::from(sign_native(&body, secret))
    }

    fn weight(&self, tx: &Bytes) -> u64 {
        match decode(tx, &self.spec, &chain_hash("worst")).unwrap() {
            Decoded::Tx(tx) => tx_weight(&tx, &self.spec),
            Decoded::Bundle(_) => unreachable!("single transactions only"),
        }
    }

    fn execute(&mut self, txs: &[Bytes], verified: bool) -> (f64, u64, u64) {
        self.height += 1;
        self.time += 1_000;
        let block = Block {
            height: self.height,
            time: self.time,
            txs,
        };
        let start = Instant::now();
        let candidate = self.state.execute(&block, &|_| verified);
        let stats = candidate.stats;
        assert!(stats.violations.none());
        self.state.commit(candidate);
        (
            start.elapsed().as_secs_f64() * 1e3,
            stats.fills,
            stats.pages,
        )
    }

    /// Fills a block with transactions that `make` gives for 0, 1, 2... up to the block weight.
    fn fill(&mut self, make: &mut dyn FnMut(&mut Self, usize) -> Bytes) -> Vec<Bytes> {
        let mut left = self.spec.limits.block_weight;
        let mut txs = Vec::new();
        loop {
            let tx = make(self, txs.len());
            match left.checked_sub(self.weight(&tx)) {
                Some(rest) => left = rest,
                None => return txs,
            }
            txs.push(tx);
        }
    }

    /// One small ask of every account at its own price level: nothing is near anything else.
    fn seed_asks(&mut self, per_account: usize) {
        for chunk in 0..per_account {
            for part in 0..ACCOUNTS / 2_000 {
                let txs: Vec<_> = (part * 2_000..(part + 1) * 2_000)
                    .map(|account| {
                        let away = (account * 7_919 % ACCOUNTS) as i64 + 1;
                        let group = (account + chunk) as u16 % GROUPS;
                        let order = order(group, Side::Sell, MID + away, 1, TimeInForce::Gtc, 0);
                        self.tx(account, vec![Action::Order(order)])
                    })
                    .collect();
                self.execute(&txs, true);
            }
        }
    }
}

fn order(group: u16, side: Side, price: i64, size: i64, tif: TimeInForce, max_fills: u16) -> Order {
    let order = Order::limit(MarketId(u32::from(group)), side, price, size);
    match max_fills {
        0 => order.post_only(PostOnly::Reject),
        max_fills => Order {
            tif,
            max_fills,
            ..order
        },
    }
}

fn report(name: &str, bench: &mut Bench, txs: &[Bytes], verified: bool) {
    let (ms, fills, pages) = bench.execute(txs, verified);
    let mark = if ms <= 500.0 { "" } else { "  over 500 ms" };
    println!(
        "{name:<44} {:>7} txs {fills:>7} fills {pages:>7} pages {ms:>8.1} ms{mark}",
        txs.len()
    );
}

fn main() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    pool.install(run);
}

fn run() {
    let mut bench = Bench::new(false);
    bench.seed_asks(4);
    let takes = |tif, size| {
        move |bench: &mut Bench, n: usize| {
            let order = order(n as u16 % GROUPS, Side::Buy, MID + 50_000, size, tif, 256);
            bench.tx(n * 31, vec![Action::Order(order)])
        }
    };
    let txs = bench.fill(&mut takes(TimeInForce::Fok, 257));
    report(
        "fill-or-kill, 256 met, none filled",
        &mut bench,
        &txs,
        false,
    );
    let txs = bench.fill(&mut takes(TimeInForce::Ioc, 256));
    report(
        "IOC, 256 fills each, scattered makers",
        &mut bench,
        &txs,
        false,
    );
    let txs = bench.fill(&mut |bench, n| {
        let actions = (0..64)
            .map(|k| {
                let price = MID - 1 - ((n * 64 + k) as i64 * 7_919 % 900_000);
                Action::Order(order(
                    k as u16 % GROUPS,
                    Side::Buy,
                    price,
                    1,
                    TimeInForce::Gtc,
                    0,
                ))
            })
            .collect();
        bench.tx(n * 31, actions)
    });
    report("post-only, a level each", &mut bench, &txs, false);
    let txs = bench.fill(&mut |bench, n| bench.tx(n * 31, vec![Action::Cancel(Cancel::All(None))]));
    report("cancel all in every group", &mut bench, &txs, false);
    let txs = bench.fill(&mut |bench, n| {
        let actions = (0..64)
            .map(|k| {
                let client_id = 1 + (n * 64 + k) as u128;
                Action::Cancel(Cancel::Client {
                    group: GroupId(k as u16 % GROUPS),
                    client_id,
                })
            })
            .collect();
        bench.tx(n % 8, actions)
    });
    report(
        "cancel by client id, a new floor each",
        &mut bench,
        &txs,
        false,
    );
    let txs = bench.fill(&mut |bench, n| {
        let actions = (0..64)
            .map(|k| {
                let mut to = [3; 20];
                to[..8].copy_from_slice(&((n * 64 + k) as u64).to_le_bytes());
                Action::Transfer(Transfer {
                    asset: AssetId(0),
                    amount: 1,
                    to: Account::new(AccountId(to), 0),
                })
            })
            .collect();
        bench.tx(n * 31, actions)
    });
    report("transfer to a new account each", &mut bench, &txs, false);
    let txs = bench.fill(&mut |bench, n| {
        let agent = SetAgent {
            key: AccountId([n as u8; 20]),
            expiry: u64::MAX,
            markets: vec![MarketId(0); 8],
            max_notional: 0,
        };
        bench.tx(n, vec![Action::SetAgent(agent)])
    });
    report(
        "set an agent, one action a transaction",
        &mut bench,
        &txs,
        false,
    );
    let good = bench.fill(&mut |bench, n| {
        bench.tx(
            n,
            vec![Action::Cancel(Cancel::Order(ballast_types::OrderId(0)))],
        )
    });
    let forged: Vec<_> = good.iter().map(forge).collect();
    report("forged Ed25519 signatures", &mut bench, &forged, false);
    let updates: Vec<_> = (0..GROUPS)
        .map(|group| PriceUpdate {
            kind: PriceKind::Mark,
            market: MarketId(u32::from(group)),
            price: MID + 1,
        })
        .collect();
    let txs = [bench.tx(0, vec![Action::SetPrices(updates)])];
    report("price update", &mut bench, &txs, false);
    report(
        "open after it: new marks, all accounts",
        &mut bench,
        &[],
        false,
    );
    triggers();
    let mut bench = Bench::new(true);
    let txs = bench.fill(&mut |bench, n| {
        bench.tx(
            n,
            vec![Action::Cancel(Cancel::Order(ballast_types::OrderId(0)))],
        )
    });
    report("secp256k1 signatures", &mut bench, &txs, false);
}

/// As many waiting orders enter at once as may, each of which meets as much as it may; then a block
/// in which all that wait are looked at and nothing fires.
fn triggers() {
    let mut bench = Bench::new(false);
    bench.seed_asks(4);
    let per_group = bench.spec.limits.triggered_orders as usize;
    for stop in [MID + 10, MID + 1_000_000] {
        let txs: Vec<_> = (0..per_group * usize::from(GROUPS))
            .map(|n| {
                let group = n as u16 % GROUPS;
                let take = order(group, Side::Buy, MID + 50_000, 256, TimeInForce::Ioc, 256);
                let trigger = Some(Trigger {
                    source: PriceSource::Mark,
                    condition: Condition::AtOrAbove(stop),
                });
                bench.tx(n * 31, vec![Action::Order(Order { trigger, ..take })])
            })
            .collect();
        for txs in txs.chunks(2_000) {
            bench.execute(txs, true);
        }
    }
    let updates = (0..GROUPS).map(|group| PriceUpdate {
        market: MarketId(u32::from(group)),
        kind: PriceKind::Mark,
        price: MID + 10,
    });
    let txs = [bench.tx(0, vec![Action::SetPrices(updates.collect())])];
    bench.execute(&txs, true);
    report("triggered orders, 256 met each", &mut bench, &[], false);
    report("waiting orders that nothing fires", &mut bench, &[], false);
}

/// The same transaction with a signature of something else.
fn forge(tx: &Bytes) -> Bytes {
    let chain = chain_hash("worst");
    let body: TxBody = borsh::from_slice(&tx[1..tx.len() - 64]).unwrap();
    let mut other = body.clone();
    other.nonce += 1;
    assert_eq!(other.chain, chain);
    let signature = tx[tx.len() - 64..].try_into().unwrap();
    Bytes::from(encode_native(&other, signature))
}
