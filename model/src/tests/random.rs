//! Random blocks: what must always hold holds, and everything that can happen does.

use crate::workload::{Workload, test_secrets, test_spec};
use crate::{Coverage, Model};
use ballast_types::{BlockEvents, Hash, tx_hash};

const SEEDS: u64 = 10;
const BLOCKS: u64 = 50;
const TRANSACTIONS: u64 = 40;

/// Runs random blocks with the model's own ids. The seed of a block is a hash of its height.
fn run(seed: u64, blocks: u64) -> (Model, Vec<BlockEvents>) {
    let spec = test_spec();
    let mut model = Model::new(&spec);
    let mut workload = Workload::new(seed, &spec, test_secrets());
    let mut all = Vec::new();
    for _ in 0..blocks {
        let block = workload.next_block(TRANSACTIONS);
        let app_hash: Hash = tx_hash(&block.height.to_le_bytes());
        let events = model.execute(block.height, block.time, &app_hash, &block.txs);
        model.check_invariants().unwrap_or_else(|error| {
            panic!("seed {seed}, height {}: {error}", block.height);
        });
        for order in super::orders(&events) {
            model.alias(order, order);
        }
        workload.observe(&events);
        all.push(events);
    }
    (model, all)
}

#[test]
fn invariants_hold_and_everything_happens() {
    let mut coverage = Coverage::default();
    for seed in 0..SEEDS {
        coverage.merge(run(seed, BLOCKS).0.coverage());
    }
    println!("{coverage}");
    assert_eq!(coverage.missing(), Vec::<String>::new());
}

#[test]
fn equal_seeds_give_equal_blocks_and_events() {
    assert_eq!(run(7, 20).1, run(7, 20).1);
}
