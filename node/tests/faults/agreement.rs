//! Four validators agree under mixed load, and so do nodes that join late.

use std::time::{Duration, Instant};

use ballast_types::Action;
use rustix::process::Signal;

use crate::audit::Audit;
use crate::load::Load;
use crate::net::Net;
use crate::{blocks, flood_blocks, report, serial};

const ALL: [usize; 4] = [0, 1, 2, 3];

/// Runs the load for so many blocks and checks everything; the network goes on.
async fn agree(net: &Net, nodes: &[usize], blocks: u64, seed: u64) -> String {
    let first = net.height() + 1;
    let load = Load::start(net, nodes, seed).await;
    net.reach(&ALL, first + blocks).await;
    let journal = load.finish().await;
    let mix = journal.assert_mixed();
    let mut audit = Audit::new(net);
    let last = audit.check(net, &journal).await;
    let agreed = net.assert_agreement(&ALL, first, last);
    net.assert_no_violations().await;
    format!(
        "{agreed} blocks: {mix}; on chain {} txs, {} fills",
        audit.txs, audit.fills
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn agreement_with_load_on_one_node() {
    let Some(_alone) = serial().await else { return };
    let net = Net::start("app").await;
    let figure = agree(&net, &[0], blocks(), 1).await;
    net.stop();
    report("four validators agree, load on one", &figure);
}

#[tokio::test(flavor = "multi_thread")]
async fn agreement_with_load_on_all_nodes_and_late_full_nodes() {
    let Some(_alone) = serial().await else { return };
    let mut net = Net::start("app").await;
    let figure = agree(&net, &ALL, blocks(), 2).await;
    report("four validators agree, load on all", &figure);

    // While the chain goes on under load.
    let load = Load::start(&net, &ALL, 3).await;
    let height = net.height();
    let figure = join_and_relay(&mut net).await;
    report(
        "a fifth node joins late, agrees, relays",
        &format!("joined after {height}; {figure}"),
    );

    net.signal(3, Signal::STOP).await;
    let height = net.height();
    let figure = join_and_relay(&mut net).await;
    report(
        "the same with a validator down",
        &format!("joined after {height}; {figure}"),
    );
    net.signal(3, Signal::CONT).await;

    let journal = load.finish().await;
    assert_eq!(journal.unanswered, [""; 0]);
    net.reach(&[0, 1, 2, 3, 4, 5], net.height() + 5).await;
    let last = Audit::new(&net).check(&net, &journal).await;
    net.assert_agreement(&[0, 4, 5], last - 5, last);
    net.assert_no_violations().await;
    net.stop();
}

/// Adds a full node and sends an order to it as soon as it says that it is ready: with all blocks,
/// or it would refuse what it does not know yet.
async fn join_and_relay(net: &mut Net) -> String {
    let (began, height) = (Instant::now(), net.height());
    let node = net.join();
    let ready = began.elapsed();
    let chain = net.api(node).get(&["v1", "chain"], &[]).await;
    let has = chain.expect("a chain")["height"].as_u64();
    assert!(
        has >= Some(height),
        "{has:?}, after {height} when it joined"
    );
    let mut trader = crate::mix::Trader::new(9, 2, &net.secrets, &net.spec);
    let order = loop {
        let order = trader.good();
        if matches!(order.actions.first(), Some(Action::Order(_))) {
            break order;
        }
    };
    let began = Instant::now();
    let answer = net
        .api(node)
        .submit(order.bytes, Duration::from_secs(30))
        .await;
    let answer = answer.expect("taken");
    assert_eq!(answer["result"]["code"], 0, "{answer}");
    let height = answer["result"]["height"].as_u64().expect("a height");
    let took = began.elapsed();
    // Also the validators have the block.
    net.reach(&[0, 1, 2, node], height).await;
    net.assert_agreement(&[0, 1, 2, node], height, height);
    let (ready, took) = (ready.as_millis(), took.as_millis());
    format!("had all blocks after {ready} ms, its order was final in {took} ms")
}

#[tokio::test(flavor = "multi_thread")]
async fn agreement_on_the_flood_mempool() {
    let Some(_alone) = serial().await else { return };
    let net = Net::start("flood").await;
    let figure = agree(&net, &ALL, flood_blocks(), 4).await;
    net.stop();
    report("four validators agree, flood", &figure);
}
