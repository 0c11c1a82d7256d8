//! A real CometBFT on homes that our code wrote. Skipped, with a line on stderr, on a machine that
//! has none yet: `ballast cometbft` installs it.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ballast::actions::now_ms;
use ballast::cometbft::config::{Config, Indexer, Mempool, Peer};
use ballast::cometbft::genesis::{ConsensusParams, GenesisDoc, Validator, to_json};
use ballast::cometbft::keys::NodeKeys;
use ballast::cometbft::{child, home, provide};
use ballast::ports::{NodePorts, probe};
use ballast::rpc::Client;
use ballast::supervise::{Log, Patience, Supervisor};
use serde_json::value::RawValue;
use tokio::time::timeout;

fn cometbft() -> Option<PathBuf> {
    let found = provide::installed().expect("a cache directory");
    if found.is_none() {
        eprintln!("skipped: CometBFT is not installed");
    }
    found
}

fn genesis(keys: &[NodeKeys]) -> String {
    let validators: Vec<Validator> = keys
        .iter()
        .enumerate()
        .map(|(i, keys)| Validator {
            name: format!("node{i}"),
            public_key: keys.validator_public_key(),
            power: 10,
        })
        .collect();
    to_json(&GenesisDoc {
        chain_id: "ballast-test",
        genesis_time: now_ms(),
        params: ConsensusParams::default(),
        validators: &validators,
        app_state: RawValue::NULL,
    })
    .expect("serialises")
}

/// Ports that were free a moment ago, for `count` nodes.
fn free_ports(count: usize) -> Vec<NodePorts> {
    for _ in 0..100 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let base = listener.local_addr().expect("bound").port();
        drop(listener);
        let nodes: Result<Vec<_>, _> = (0..count).map(|i| NodePorts::of(base, i)).collect();
        if let Ok(nodes) = nodes
            && probe(&nodes).is_ok()
        {
            return nodes;
        }
    }
    panic!("no {count} free blocks of ports");
}

fn write_network(root: &Path, ports: &[NodePorts], mempool: Mempool) -> Vec<NodeKeys> {
    let keys: Vec<NodeKeys> = ports
        .iter()
        .map(|_| NodeKeys::generate().expect("randomness"))
        .collect();
    let genesis = genesis(&keys);
    for (i, own) in ports.iter().enumerate() {
        let peers = keys
            .iter()
            .zip(ports)
            .enumerate()
            .filter(|(other, _)| *other != i);
        let config = Config {
            metrics: Some(own.cometbft_metrics),
            persistent_peers: peers
                .map(|(_, (keys, ports))| Peer {
                    id: keys.node_id(),
                    address: ports.p2p,
                })
                .collect(),
            peer_exchange: false,
            local_network: true,
            mempool,
            indexer: if i == 0 { Indexer::Kv } else { Indexer::Null },
            keep_results: i == 0,
            ..Config::new(&format!("node{i}"), "kvstore", own.p2p, own.rpc)
        };
        home::create(&root.join(format!("node{i}")), &keys[i], &config, &genesis).expect("writes");
    }
    keys
}

#[test]
fn cometbft_reads_our_keys() {
    let Some(cometbft) = cometbft() else { return };
    let root = tempfile::tempdir().expect("a directory");
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    for mempool in [Mempool::App, Mempool::Flood] {
        let root = root.path().join(mempool.to_string());
        let config = Config {
            mempool,
            ..Config::new("n \"0\"", "kvstore", address(1), address(2))
        };
        let keys = NodeKeys::generate().expect("randomness");
        home::create(&root, &keys, &config, &genesis(&[keys])).expect("writes");
        let run = |command: &str| {
            let output = Command::new(&cometbft)
                .args([command, "--home"])
                .arg(&root)
                .output()
                .expect("ran");
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        assert_eq!(run("show-node-id"), keys.node_id());
        let shown: serde_json::Value =
            serde_json::from_str(&run("show-validator")).expect("a public key");
        let expected = ballast::cometbft::keys::public_key_json(&keys.validator_public_key());
        assert_eq!(shown, expected);
    }
}

#[tokio::test]
async fn two_validators_agree_and_stop() {
    let Some(cometbft) = cometbft() else { return };
    let root = tempfile::tempdir().expect("a directory");
    let ports = free_ports(2);
    let keys = write_network(root.path(), &ports, Mempool::Flood);
    let nodes: Vec<Supervisor> = (0..2)
        .map(|i| {
            let home = root.path().join(format!("node{i}"));
            let log = Log::File(home.join("logs/cometbft.log"));
            let program = child::program(&cometbft, &home, "kvstore", log);
            let ballast = PathBuf::from(env!("CARGO_BIN_EXE_ballast"));
            Supervisor::start(ballast, program, Patience::default()).expect("a thread")
        })
        .collect();

    let clients: Vec<Client> = ports
        .iter()
        .map(|p| Client::new(&format!("http://{}", p.rpc), Duration::from_secs(20)).expect("new"))
        .collect();
    let checks = timeout(Duration::from_secs(60), use_network(&clients, &keys));
    checks.await.expect("in time");

    for node in &nodes {
        node.ask_to_stop();
    }
    for node in nodes {
        assert_eq!(node.status().starts, 1, "no node had to be restarted");
        timeout(Duration::from_secs(20), node.stop())
            .await
            .expect("stops");
    }
    probe(&ports).expect("all ports are free again");
}

async fn reach(client: &Client, height: u64) {
    loop {
        match client.status().await {
            Ok(status) if status.sync_info.latest_block_height >= height => return,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

#[allow(clippy::too_many_lines)]
async fn use_network(clients: &[Client], keys: &[NodeKeys]) {
    for client in clients {
        reach(client, 3).await;
    }
    let [first, second] = clients else {
        panic!("two nodes")
    };
    let status = first.status().await.expect("a status");
    assert_eq!(status.node_info.id, keys[0].node_id());
    assert_eq!(status.validator_info.voting_power, 10);
    let peers = first.net_info().await.expect("peers").peers;
    assert_eq!(peers.len(), 1);
    assert_eq!(peers[0].node_info.id, keys[1].node_id());

    let sent = first
        .broadcast_tx_commit(b"colour=blue")
        .await
        .expect("committed");
    assert_eq!((sent.check_tx.code, sent.tx_result.code), (0, 0));
    reach(second, sent.height + 1).await;
    let blocks = [
        first.block(Some(sent.height)).await.expect("a block"),
        second.block(Some(sent.height)).await.expect("a block"),
    ];
    assert_eq!(blocks[0].hash, blocks[1].hash);
    assert_eq!(blocks[1].txs, [b"colour=blue".to_vec()]);
    let answer = second
        .abci_query("", b"colour", 0, false)
        .await
        .expect("an answer");
    assert_eq!((answer.code, answer.value.as_slice()), (0, &b"blue"[..]));

    let results = first
        .block_results(Some(sent.height))
        .await
        .expect("results");
    assert_eq!(
        (results.height, results.txs_results.len()),
        (sent.height, 1)
    );
    let refused = second
        .block_results(Some(sent.height))
        .await
        .expect_err("discarded");
    assert!(refused.to_string().contains("not persisting"), "{refused}");
    let next = first.block(Some(sent.height + 1)).await.expect("a block");
    assert_eq!(
        (next.header.height, &next.header.app_hash),
        (sent.height + 1, &results.app_hash)
    );
    let info = first.abci_info().await.expect("info");
    assert!(info.last_block_height >= sent.height);
    let checked = second
        .broadcast_tx_sync(b"nonsense")
        .await
        .expect("answered");
    assert_ne!(checked.code, 0);
    let hash: [u8; 32] = hex::decode(&sent.hash)
        .expect("hex")
        .try_into()
        .expect("32 bytes");
    assert_eq!(first.tx(&hash).await.expect("indexed").height, sent.height);
    let queued = second
        .broadcast_tx_async(b"colour=red")
        .await
        .expect("queued");
    assert_eq!(queued.code, 0);
    first.num_unconfirmed_txs().await.expect("a count");
    let error = first
        .block(Some(1 << 40))
        .await
        .expect_err("no such block")
        .to_string();
    assert!(
        error.contains("block at http://") && error.contains("height"),
        "{error}"
    );
}
