//! What hostile clients send changes nothing and delays nobody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ballast::api::Error;
use ballast::client::Socket;
use ballast_types::{Code, chain_hash, encode_bundle};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::audit::Audit;
use crate::load::{Journal, Load};
use crate::mix::{BAD, Trader};
use crate::net::Net;
use crate::{blocks, report, serial};

const ALL: [usize; 4] = [0, 1, 2, 3];
/// Of each kind of bad transaction, through each door.
const ROUNDS: usize = 4;
/// Between two requests of a client that never reads.
const PING: Duration = Duration::from_millis(50);

/// Everything that the node tells of the demo accounts.
async fn accounts(net: &Net, node: usize) -> Vec<Value> {
    let mut found = Vec::new();
    for secret in &net.secrets {
        let path = ["v1", "accounts", &secret.id().to_string()];
        let mut answer = net.api(node).get(&path, &[]).await.expect("an account");
        let fields = answer.as_object_mut().expect("an object");
        fields.remove("height");
        fields.remove("time");
        found.push(answer);
    }
    found
}

/// Numbers of codes by what was wrong, through one door.
#[derive(Default)]
struct Refusals(BTreeMap<&'static str, Vec<u32>>);

impl Refusals {
    fn add(&mut self, kind: &'static str, number: u32) {
        assert_ne!(number, 0, "{kind} was taken");
        let numbers = self.0.entry(kind).or_default();
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }

    fn codes(&self) -> usize {
        let mut numbers: Vec<_> = self.0.values().flatten().collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.len()
    }
}

/// Sends one through every door and takes the numbered codes.
async fn send(net: &Net, node: usize, kind: &'static str, bytes: &[u8], seen: &mut Refusals) {
    let (api, rpc) = (net.api(node), net.rpc(node));
    match api.submit(bytes.to_vec(), Duration::ZERO).await {
        Err(Error::Refused { code, value, .. }) => {
            let named = Code::ALL.iter().find(|known| known.name() == code);
            let number = named.map(|known| u32::from(known.number()));
            let number = number.or_else(|| value.parse().ok());
            seen.add(
                kind,
                number.unwrap_or_else(|| panic!("{kind}: {code} has no number")),
            );
        }
        other => panic!("{kind}: {other:?}"),
    }
    // What CometBFT itself refuses (empty, too large) has an error of RPC and no code.
    if let Ok(sent) = rpc.broadcast_tx_sync(bytes).await {
        seen.add(kind, sent.code);
    }
    let _ = rpc.broadcast_tx_async(bytes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_input_through_every_door() {
    let Some(_alone) = serial().await else { return };
    let net = Net::start("app").await;
    let mut trader = Trader::new(21, 2, &net.secrets, &net.spec);
    let before = accounts(&net, 0).await;
    let first = net.height();
    let mut seen = Refusals::default();
    let mut sent = 0;
    for kind in BAD {
        for round in 0..ROUNDS {
            let bytes = trader.bad_of(kind);
            send(&net, round % 4, kind, &bytes, &mut seen).await;
            sent += 3;
            if kind == "wrong chain" {
                // The one that waits for its result: a code, not a block.
                let bytes = trader.bad_of(kind);
                let answer = net
                    .rpc(round % 4)
                    .broadcast_tx_commit(&bytes)
                    .await
                    .expect("a code");
                seen.add(kind, answer.check_tx.code);
                sent += 1;
            }
        }
    }
    sent += bundles(&net, &mut trader, &mut seen).await;
    // What is at an edge is in blocks, and has codes there.
    for round in 0..40 {
        let sent = trader.edge();
        let answer = net
            .api(round % 4)
            .submit(sent.bytes, Duration::from_secs(30))
            .await;
        let answer = answer.expect("taken");
        for action in answer["result"]["actions"].as_array().expect("actions") {
            let code = action["code"].as_u64().expect("a code");
            seen.add("edge", u32::try_from(code).expect("a code of the chain"));
        }
    }
    let last = net.height();
    assert!(last > first, "heights keep moving");
    net.reach(&ALL, last + 3).await;
    for node in ALL {
        assert_eq!(accounts(&net, node).await, before, "node {node}");
        net.rpc(node).status().await.expect("a status");
    }
    net.assert_no_violations().await;
    let codes = seen.codes();
    net.stop();
    let figure = format!(
        "{sent} inputs of {} kinds, {codes} codes, nothing changed",
        BAD.len() + 1
    );
    report("hostile input through every door", &figure);
}

/// Bad transactions inside bundles, alone and beside each other.
async fn bundles(net: &Net, trader: &mut Trader, seen: &mut Refusals) -> usize {
    let chain = chain_hash(&net.spec.chain_id);
    // A validator's own ingress key gives no rights.
    let ingress = ballast::settings::ingress_key(&net.node_home(1)).expect("a key");
    let mut sent = 0;
    for kind in BAD {
        // Only what begins like a native transaction is let into a bundle at all.
        let inner = trader.bad_of(kind);
        let bytes = encode_bundle(&[inner], 7, &chain, &ingress);
        send(net, sent % 4, "bundle", &bytes, seen).await;
        sent += 1;
    }
    let all: Vec<_> = BAD.iter().map(|kind| trader.bad_of(kind)).collect();
    let inner: Vec<_> = all
        .into_iter()
        .filter(|tx| tx.first() == Some(&1))
        .collect();
    let small: Vec<_> = inner.into_iter().filter(|tx| tx.len() < 20_000).collect();
    let bytes = encode_bundle(&small, 8, &chain, &ingress);
    send(net, 2, "bundle", &bytes, seen).await;
    sent + 1
}

/// A client that takes every channel, asks for more, and never reads. When the node cuts it off,
/// which is counted, the next one comes.
fn dead_clients(url: String, market: &'static str, cut_off: Arc<AtomicU64>) -> JoinHandle<()> {
    // The answer to a ping carries this back.
    let ping = json!({"op": "ping", "id": "x".repeat(60_000)});
    tokio::spawn(async move {
        while let Ok(mut socket) = Socket::connect(&url).await {
            for channel in ["trades", "book", "bbo"] {
                let request = json!({"op": "subscribe", "channel": channel, "market": market});
                let _ = socket.send(&request).await;
            }
            while socket.send(&ping).await.is_ok() {
                tokio::time::sleep(PING).await;
            }
            cut_off.fetch_add(1, Ordering::Relaxed);
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn websocket_clients_that_never_read_delay_no_block() {
    let Some(_alone) = serial().await else { return };
    let net = Net::start("app").await;
    let load = Load::start(&net, &ALL, 22).await;
    let blocks = blocks().min(120);
    let without = stretch(&net, blocks).await;
    let cut_off = Arc::new(AtomicU64::new(0));
    let markets = ["BTC-PERP", "AAPL/USDC"];
    let clients: Vec<_> = net
        .network
        .nodes
        .iter()
        .flat_map(|node| {
            let (url, cut_off) = (&node.ws, &cut_off);
            markets.map(|market| dead_clients(url.clone(), market, Arc::clone(cut_off)))
        })
        .collect();
    let first = net.height() + 1;
    let mut last = first + blocks;
    net.reach(&[0], last).await;
    // How soon a client is behind by the limit depends on the system's own buffers.
    while cut_off.load(Ordering::Relaxed) == 0 {
        last += 1;
        assert!(
            last < first + 10 * blocks,
            "clients that are far behind are cut off"
        );
        net.reach(&[0], last).await;
    }
    let with = net.watchers[0].intervals(first, last);
    let cut_off = cut_off.load(Ordering::Relaxed);
    for client in &clients {
        client.abort();
    }
    let journal: Journal = load.finish().await;
    Audit::new(&net).check(&net, &journal).await;
    net.assert_no_violations().await;
    net.stop();
    let ms = |time: Duration| time.as_millis();
    // Timing on a shared machine: a client that is waited for would stall blocks for seconds.
    assert!(
        with.1 < without.1 * 2 + Duration::from_millis(250),
        "{without:?}, then {with:?}"
    );
    let figure = format!(
        "time between blocks, median and p99: {} and {} ms without, {} and {} ms with {} of them \
         ({cut_off} cut off)",
        ms(without.0),
        ms(without.1),
        ms(with.0),
        ms(with.1),
        clients.len()
    );
    report("WebSocket clients that never read", &figure);
}

/// Median and 99th percentile of the times between the next blocks.
async fn stretch(net: &Net, blocks: u64) -> (Duration, Duration) {
    let first = net.height() + 1;
    net.reach(&[0], first + blocks).await;
    net.watchers[0].intervals(first, first + blocks)
}
