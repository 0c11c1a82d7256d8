//! Four validators on real CometBFT. Skipped, with a line on stderr, on a machine without it:
//! `ballast cometbft` installs it.

mod common;

use std::path::Path;
use std::time::Duration;

use ballast::network::{Endpoints, Network};
use ballast::ports::NodePorts;
use ballast::rpc::Client;
use ballast_types::Side;
use common::{
    Process, api, assert_ports_free, execute, free_base, is_installed, limit, processes_of,
    stdout_of, wait_for,
};
use rustix::process::Signal;
use serde_json::Value;

const PERP: u32 = 1;

fn localnet(home: &Path, base: u16, more: &[&str]) -> (Process, Network) {
    let base = base.to_string();
    let home = home.to_str().expect("UTF-8");
    let args: Vec<&str> = ["localnet", "--home", home, "--base-port", &base]
        .into_iter()
        .chain(more.iter().copied())
        .collect();
    Process::network(&args)
}

fn client(node: &Endpoints) -> Client {
    Client::new(&node.rpc, Duration::from_secs(10)).expect("a client")
}

/// App hash after `height` as the node's CometBFT has it in the next header.
async fn app_hash(node: &Endpoints, height: u64) -> String {
    let client = client(node);
    loop {
        match client.block(Some(height + 1)).await {
            Ok(block) => return block.header.app_hash,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn height_of(result: &Value) -> u64 {
    assert_eq!(
        (&result["code"], &result["actions"][0]["code"]),
        (&0.into(), &0.into()),
        "{result}"
    );
    result["height"].as_u64().expect("a height")
}

/// Waits until every node's gateway has the height, and requires equal books and app hashes.
async fn assert_agree(nodes: &[Endpoints], height: u64) {
    let mut seen: Option<(Value, String)> = None;
    for node in nodes {
        let api = api(node);
        wait_for(&api, &["v1", "chain"], |chain| {
            chain["height"].as_u64() >= Some(height)
        })
        .await;
        let mut book = api
            .get(&["v1", "book", "BTC-PERP"], &[])
            .await
            .expect("a book");
        // Nobody trades meanwhile, so the books are equal whatever the heights.
        for field in ["height", "time"] {
            book.as_object_mut().expect("an object").remove(field);
        }
        let found = (book, app_hash(node, height).await);
        match &seen {
            Some(first) => assert_eq!(*first, found, "{}", node.http),
            None => seen = Some(found),
        }
    }
}

async fn trade(network: &Network) -> u64 {
    let (first, last) = (&network.nodes[0], &network.nodes[network.nodes.len() - 1]);
    let bid = vec![limit(PERP, Side::Buy, 990_000, 10)];
    height_of(&execute(&api(first), network, 1, bid).await);
    let ask = vec![limit(PERP, Side::Sell, 990_000, 4)];
    let taken = execute(&api(last), network, 5, ask).await;
    assert_eq!(taken["actions"][0]["filled"], 4, "{taken}");
    height_of(&taken)
}

#[tokio::test(flavor = "multi_thread")]
async fn four_validators_agree_resume_and_a_late_node_joins() {
    if !is_installed() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path().join("net");
    let base = free_base(5);
    let (process, network) = localnet(&home, base, &[]);
    assert_eq!(network.nodes.len(), 4);
    let height = trade(&network).await;
    assert_agree(&network.nodes, height).await;

    let path = home.to_str().expect("UTF-8");
    let (joined, line) = Process::start(&["localnet", "join", "--home", path, "--json"]);
    let late: Endpoints = serde_json::from_str(&line).expect("endpoints");
    let mut nodes = network.nodes.clone();
    nodes.push(late.clone());
    assert_agree(&nodes, height).await;
    let sent = execute(
        &api(&late),
        &network,
        2,
        vec![limit(PERP, Side::Buy, 980_000, 1)],
    )
    .await;
    assert_agree(&nodes, height_of(&sent)).await;
    assert!(joined.stop(Signal::TERM).success());

    assert!(process.stop(Signal::TERM).success());
    assert_ports_free(base, 5);
    assert_eq!(processes_of(&home), [0; 0]);

    let (process, resumed) = localnet(&home, base, &[]);
    assert_eq!(resumed.to_line(), network.to_line());
    let chain = api(&resumed.nodes[3])
        .get(&["v1", "chain"], &[])
        .await
        .expect("a chain");
    assert!(
        chain["height"].as_u64() > Some(height),
        "it goes on: {chain}"
    );
    trade(&resumed).await;
    assert!(process.stop(Signal::INT).success());
    assert_eq!(processes_of(&home), [0; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_agree_on_the_flood_mempool() {
    if !is_installed() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let base = free_base(2);
    let more = ["--validators", "2", "--mempool", "flood"];
    let (process, network) = localnet(directory.path(), base, &more);
    let height = trade(&network).await;
    assert_agree(&network.nodes, height).await;
    assert!(process.stop(Signal::TERM).success());
    assert_ports_free(base, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_is_set_up_by_hand() {
    if !is_installed() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (home, genesis, base) = (path("v0"), path("genesis.json"), free_base(1));
    let port = base.to_string();
    let written = stdout_of(&["init", "--home", &home, "--base-port", &port, "--json"]);
    let written: Value = serde_json::from_str(&written).expect("JSON");
    let key = |name: &str| written[name].as_str().expect("a key").to_owned();
    let (consensus, ingress) = (key("consensus_key"), key("ingress_key"));
    stdout_of(&[
        "genesis",
        "new",
        "--demo",
        "--chain-id",
        "by-hand",
        "--output",
        &genesis,
    ]);
    let validator = [
        "--name",
        "v0",
        "--consensus-key",
        &consensus,
        "--ingress-key",
        &ingress,
    ];
    stdout_of(&[&["genesis", "add-validator", &genesis][..], &validator].concat());
    stdout_of(&["genesis", "validate", &genesis]);
    std::fs::copy(&genesis, format!("{home}/config/genesis.json")).expect("copies");

    let node = Process::spawn(&["start", "--home", &home]);
    let ports = NodePorts::of(base, 0).expect("in range");
    let api = api(&Endpoints::of(&ports));
    let has_blocks = |chain: &Value| chain["height"].as_u64() >= Some(3);
    wait_for(&api, &["v1", "chain"], has_blocks).await;
    assert!(node.stop(Signal::TERM).success());
    assert_ports_free(base, 1);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn killed_processes_come_back() {
    if !is_installed() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let (process, network) = localnet(directory.path(), free_base(2), &["--validators", "2"]);
    trade(&network).await;
    let home = directory.path().join("node1");
    let killed = processes_of(&home);
    // `ballast start`, and the CometBFT of it.
    assert_eq!(killed.len(), 2, "{killed:?}");
    for id in &killed {
        let id = rustix::process::Pid::from_raw(id.cast_signed()).expect("not zero");
        rustix::process::kill_process(id, Signal::KILL).ok();
        let height = trade(&network).await;
        assert_agree(&network.nodes, height).await;
    }
    assert!(process.stop(Signal::TERM).success());
    assert_eq!(processes_of(directory.path()), [0; 0]);
}
