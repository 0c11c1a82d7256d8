//! Whole blocks made from any bytes, executed by the application and by the naive model: no panic,
//! nothing that must not happen, same results, money and positions; and a block that was executed,
//! dropped and executed again gives the same.
#![no_main]

use ballast_app::{Block, State};
use ballast_fuzz::script::{Input, MAX_BLOCKS, Script};
use ballast_model::Model;
use ballast_model::workload::test_spec;
use ballast_types::{BlockEvents, OrderId, TxResult};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, Once};

static ONE_THREAD: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    ONE_THREAD.call_once(|| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .use_current_thread();
        pool.build_global().unwrap();
    });
    let spec = test_spec();
    let mut state = State::genesis(Arc::new(spec.clone())).unwrap();
    let mut model = Model::new(&spec);
    let mut script = Script::new(spec);
    let mut input = Input(bytes);
    for _ in 0..MAX_BLOCKS {
        if input.ended() {
            break;
        }
        let txs = script.block(&mut input);
        execute(&mut state, &mut model, &mut script, &txs);
    }
    state.check_indexes().unwrap();
});

fn execute(state: &mut State, model: &mut Model, script: &mut Script, txs: &[Vec<u8>]) {
    let (height, time) = (script.height, script.time);
    let bytes: Vec<_> = txs.iter().cloned().map(Bytes::from).collect();
    let block = Block {
        height,
        time,
        txs: &bytes,
    };
    let dropped = state.execute(&block, &|_| false);
    let (app_hash, events) = (dropped.app_hash, dropped.events.clone());
    state.discard(dropped);

    let seed = state.app_hash();
    let candidate = state.execute(&block, &|_| false);
    assert_eq!((candidate.app_hash, &candidate.events), (app_hash, &events));
    assert!(
        candidate.stats.violations.none(),
        "{:?}",
        candidate.stats.violations
    );
    state.commit(candidate);

    let expected = model.execute(height, time, &seed, txs);
    compare(&events, &expected);
    for pair in orders(&events).zip(orders(&expected)) {
        if let (Some(ours), Some(theirs)) = pair {
            model.alias(ours, theirs);
            script.orders.push(ours);
        }
    }
    model.check_invariants().unwrap();
    let snapshot = state.committed();
    let balances = model
        .balances()
        .into_iter()
        .map(|((account, asset), n)| (account, asset, n));
    assert!(snapshot.balances().into_iter().eq(balances));
    let positions = model.positions().into_iter();
    let positions =
        positions.map(|((account, market), (size, cost))| (account, market, size, cost));
    assert!(snapshot.positions().into_iter().eq(positions));
    script.height += 1;
    script.time += 10;
}

fn results(block: &BlockEvents) -> impl Iterator<Item = &TxResult> {
    block.txs.iter().flatten()
}

fn actions(block: &BlockEvents) -> impl Iterator<Item = &ballast_types::ActionResult> {
    results(block).flat_map(|result| &result.actions)
}

/// The orders of all actions and of their parts.
fn orders(block: &BlockEvents) -> impl Iterator<Item = Option<OrderId>> {
    actions(block).flat_map(|action| {
        let parts = action.parts.iter().map(|part| part.order);
        std::iter::once(action.order).chain(parts)
    })
}

fn compare(ours: &BlockEvents, theirs: &BlockEvents) {
    let plain = |result: &TxResult| {
        let actions: Vec<_> = result
            .actions
            .iter()
            .map(|a| (a.code, a.filled, a.order.is_some()))
            .collect();
        (result.hash, result.code, actions)
    };
    let (ours, theirs) = (results(ours).map(plain), results(theirs).map(plain));
    assert_eq!(ours.collect::<Vec<_>>(), theirs.collect::<Vec<_>>());
}
