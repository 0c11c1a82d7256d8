//! A local network under test: its processes, and what each node says of each block.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ballast::api::Api;
use ballast::client::Socket;
use ballast::cometbft::config::{DEFAULT_TIMEOUT_COMMIT, Mempool};
use ballast::cometbft::{home, provide};
use ballast::genesis_file;
use ballast::homes::LocalnetHome;
use ballast::localnet::{self, Extras, Settings};
use ballast::network::{Endpoints, Network};
use ballast::ports::{NodePorts, probe};
use ballast::rpc::Client;
use ballast_genesis::Genesis;
use ballast_types::{ChainSpec, Secret};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::sync::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::common::{PATIENCE, Process, api, assert_ports_free, free_base, processes_of};

/// Nodes that a network may grow to.
const MOST_NODES: usize = 6;
/// Between two looks at something that tells no events.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// A running network of four validators in a home of its own.
pub(crate) struct Net {
    directory: tempfile::TempDir,
    mempool: &'static str,
    base: u16,
    process: Option<Process>,
    pub(crate) network: Network,
    pub(crate) spec: Arc<ChainSpec>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) watchers: Vec<Watcher>,
    joined: Vec<Process>,
}

/// What kill -9 hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    /// `ballast start` of a node.
    Ballast(usize),
    /// The CometBFT of a node.
    CometBft(usize),
    /// Both of every node.
    All,
}

impl Net {
    pub(crate) async fn start(mempool: &'static str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self::run(directory, free_base(MOST_NODES), mempool).await
    }

    /// With another genesis than the demo's.
    pub(crate) async fn start_with(
        mempool: &'static str,
        change: impl FnOnce(&mut Genesis),
    ) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let base = free_base(MOST_NODES);
        prepare(directory.path(), base, change);
        Self::run(directory, base, mempool).await
    }

    async fn run(directory: tempfile::TempDir, base: u16, mempool: &'static str) -> Self {
        let (process, network) = run(directory.path(), base, mempool);
        let path = home::genesis_path(&directory.path().join("node0"));
        let spec = genesis_file::read(&path)
            .expect("reads")
            .validate()
            .expect("valid")
            .into_spec();
        let secrets = network
            .accounts
            .iter()
            .map(|account| account.secret().expect("a key"));
        let net = Self {
            directory,
            mempool,
            base,
            process: Some(process),
            spec: Arc::new(spec),
            secrets: secrets.collect(),
            watchers: network.nodes.iter().map(Watcher::start).collect(),
            network,
            joined: Vec::new(),
        };
        net.reach(&[0, 1, 2, 3], 1).await;
        net
    }

    pub(crate) fn node_home(&self, node: usize) -> PathBuf {
        self.directory.path().join(format!("node{node}"))
    }

    pub(crate) fn api(&self, node: usize) -> Api {
        api(&self.network.nodes[node])
    }

    pub(crate) fn rpc(&self, node: usize) -> Client {
        client(&self.network.nodes[node])
    }

    /// Adds a node that is no validator, by block sync, and returns its number.
    pub(crate) fn join(&mut self) -> usize {
        let path = self.directory.path().to_str().expect("UTF-8");
        let (process, line) = Process::start(&["localnet", "join", "--home", path, "--json"]);
        let node: Endpoints = serde_json::from_str(&line).expect("endpoints");
        self.watchers.push(Watcher::start(&node));
        self.network.nodes.push(node);
        self.joined.push(process);
        self.network.nodes.len() - 1
    }

    /// The last height that a node told of, the highest of all nodes.
    pub(crate) fn height(&self) -> u64 {
        self.watchers.iter().map(Watcher::height).max().unwrap_or(0)
    }

    /// Waits until these nodes have told of the height.
    pub(crate) async fn reach(&self, nodes: &[usize], height: u64) {
        for node in nodes {
            self.watchers[*node].reach(height).await;
        }
    }

    /// Process ids of a node's Ballast and CometBFT, as soon as both run.
    pub(crate) async fn processes(&self, node: usize) -> (u32, u32) {
        let asked = Instant::now();
        let home = self.node_home(node);
        while asked.elapsed() < PATIENCE {
            let (mut ballast, mut cometbft) = (Vec::new(), Vec::new());
            for id in processes_of(&home) {
                match program(id).as_deref() {
                    Some("ballast") => ballast.push(id),
                    Some("cometbft") => cometbft.push(id),
                    _ => {}
                }
            }
            if let (&[ballast], &[cometbft]) = (ballast.as_slice(), cometbft.as_slice()) {
                return (ballast, cometbft);
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("node {node} does not run");
    }

    /// Sends a signal to both processes of a node.
    pub(crate) async fn signal(&self, node: usize, signal: Signal) {
        let (ballast, cometbft) = self.processes(node).await;
        for id in [ballast, cometbft] {
            send(id, signal);
        }
    }

    /// Kills, and returns how long it took until every node told of new blocks again. With
    /// `supervisor`, `ballast localnet` itself dies too and is started again.
    pub(crate) async fn kill(&mut self, victim: Victim, supervisor: bool) -> Duration {
        let validators: Vec<usize> = (0..4).collect();
        let mut dead = Vec::new();
        for node in 0..4 {
            let (ballast, cometbft) = self.processes(node).await;
            match victim {
                Victim::Ballast(at) if at == node => dead.push((node, ballast)),
                Victim::CometBft(at) if at == node => dead.push((node, cometbft)),
                Victim::All => dead.extend([(node, ballast), (node, cometbft)]),
                _ => {}
            }
        }
        let began = Instant::now();
        let height = self.height();
        if supervisor && let Some(process) = self.process.take() {
            process.stop(Signal::KILL);
        }
        for (_, id) in &dead {
            send(*id, Signal::KILL);
        }
        if supervisor {
            wait_until_gone(self.directory.path(), self.base).await;
            let (process, network) = run(self.directory.path(), self.base, self.mempool);
            assert_eq!(
                network.to_line(),
                self.network.to_line(),
                "the same network"
            );
            self.process = Some(process);
        }
        // A height after those that a block under way at the kill may have had.
        self.reach(&validators, height + 4).await;
        for (node, old) in dead {
            let (ballast, cometbft) = self.processes(node).await;
            assert!(
                old != ballast && old != cometbft,
                "node {node}: {old} was not replaced"
            );
        }
        began.elapsed()
    }

    /// A value of a node's metrics.
    pub(crate) async fn metric(&self, node: usize, name: &str) -> u64 {
        let url = &self.network.nodes[node].metrics;
        let text = reqwest::get(url)
            .await
            .expect("served")
            .text()
            .await
            .expect("text");
        let found = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = found.unwrap_or_else(|| panic!("{name} is not in\n{text}"));
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is {value}"))
    }

    /// Requires that no node saw what must not happen.
    pub(crate) async fn assert_no_violations(&self) {
        for node in 0..self.network.nodes.len() {
            for name in ["invariant_violations", "crossed_books", "proposals_refused"] {
                let value = self.metric(node, &format!("ballast_{name}_total")).await;
                assert_eq!(value, 0, "{name} of node {node}");
            }
            assert_eq!(self.watchers[node].conflicts(), [""; 0], "node {node}");
        }
    }

    /// Requires that these nodes told of every height from 2 to `to`, and of one app hash for each.
    /// Returns how many heights these are.
    pub(crate) fn assert_agreement(&self, nodes: &[usize], from: u64, to: u64) -> u64 {
        for height in from..=to {
            let hashes: Vec<_> = nodes
                .iter()
                .map(|node| self.watchers[*node].app_hash(height))
                .collect();
            assert!(
                hashes[0].is_some(),
                "node {} told nothing of {height}",
                nodes[0]
            );
            let agree = hashes.windows(2).all(|pair| pair[0] == pair[1]);
            assert!(agree, "app hashes of height {height}: {hashes:?}");
        }
        to + 1 - from
    }

    /// Stops everything and requires that nothing is left.
    pub(crate) fn stop(mut self) {
        self.watchers.clear();
        for process in self.joined.drain(..) {
            assert!(process.stop(Signal::TERM).success());
        }
        let process = self.process.take().expect("runs");
        assert!(process.stop(Signal::TERM).success());
        assert_eq!(processes_of(self.directory.path()), [0; 0]);
        assert_ports_free(self.base, MOST_NODES);
    }
}

/// Writes the files of a network whose genesis is changed before its first block.
fn prepare(directory: &Path, base: u16, change: impl FnOnce(&mut Genesis)) {
    let home = LocalnetHome::open(directory, false).expect("opens");
    let settings = Settings::generate(4, base, Mempool::App, DEFAULT_TIMEOUT_COMMIT);
    let settings = settings.expect("randomness");
    localnet::create(&home, &settings, &Extras::default()).expect("writes");
    let first = home::genesis_path(&home.node(0));
    genesis_file::edit(&first, change).expect("valid");
    for node in 1..4 {
        std::fs::copy(&first, home::genesis_path(&home.node(node))).expect("copies");
    }
}

fn run(home: &Path, base: u16, mempool: &str) -> (Process, Network) {
    let home = home.to_str().expect("UTF-8");
    let base = base.to_string();
    Process::network(&[
        "localnet",
        "--home",
        home,
        "--base-port",
        &base,
        "--mempool",
        mempool,
        "--check-margins",
    ])
}

fn client(node: &Endpoints) -> Client {
    Client::new(&node.rpc, Duration::from_secs(10)).expect("a client")
}

fn program(id: u32) -> Option<String> {
    let path = std::fs::read_link(format!("/proc/{id}/exe")).ok()?;
    let name = path.file_name()?.to_str()?;
    // The system says so of a program that was rebuilt since.
    Some(name.trim_end_matches(" (deleted)").to_owned())
}

fn send(id: u32, signal: Signal) {
    let id = Pid::from_raw(id.cast_signed()).expect("not zero");
    // It may have died with its parent.
    let _ = kill_process(id, signal);
}

/// Waits for the end of all processes of a home. A process that ends loses its command line before
/// its sockets, so the ports are looked at too.
async fn wait_until_gone(home: &Path, base: u16) {
    let ports: Result<Vec<_>, _> = (0..4).map(|node| NodePorts::of(base, node)).collect();
    let ports = ports.expect("in range");
    let asked = Instant::now();
    loop {
        let (left, free) = (processes_of(home), probe(&ports));
        if left.is_empty() && free.is_ok() {
            return;
        }
        assert!(asked.elapsed() < PATIENCE, "left: {left:?}, {free:?}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether CometBFT is there; without it these tests are skipped with a line on stderr.
pub(crate) fn is_installed() -> bool {
    let found = provide::installed().expect("a cache directory").is_some();
    if !found {
        eprintln!("skipped: CometBFT is not installed");
    }
    found
}

/// Follows the `blocks` channel of a node, also over its restarts, until it is dropped.
pub(crate) struct Watcher {
    name: String,
    seen: Arc<Mutex<Seen>>,
    height: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    hashes: BTreeMap<u64, String>,
    /// When each height came first.
    times: BTreeMap<u64, Instant>,
    conflicts: Vec<String>,
}

impl Watcher {
    fn start(node: &Endpoints) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (send, height) = watch::channel(0);
        let (url, notes) = (node.ws.clone(), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            loop {
                // Ends when the node does.
                let _ = follow(&url, &notes, &send).await;
                tokio::time::sleep(LOOK).await;
            }
        });
        Self {
            name: node.ws.clone(),
            seen,
            height,
            task,
        }
    }

    /// The height of the last message; lower again while a restarted node replays.
    pub(crate) fn height(&self) -> u64 {
        *self.height.borrow()
    }

    /// Waits for the height; panics when the node tells of no further one for long.
    pub(crate) async fn reach(&self, height: u64) {
        let mut heights = self.height.clone();
        while *heights.borrow_and_update() < height {
            let next = tokio::time::timeout(PATIENCE, heights.changed()).await;
            let stuck = format!("{} is at {}, not at {height}", self.name, self.height());
            next.expect(&stuck).expect("it follows");
        }
    }

    fn app_hash(&self, height: u64) -> Option<String> {
        self.seen
            .lock()
            .expect("no panic")
            .hashes
            .get(&height)
            .cloned()
    }

    fn conflicts(&self) -> Vec<String> {
        self.seen.lock().expect("no panic").conflicts.clone()
    }

    /// Median and 99th percentile of the times between the blocks from height `from` to `to`.
    pub(crate) fn intervals(&self, from: u64, to: u64) -> (Duration, Duration) {
        let seen = self.seen.lock().expect("no panic");
        let times: Vec<_> = seen.times.range(from..=to).map(|(_, time)| *time).collect();
        let mut intervals: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        intervals.sort_unstable();
        let part = |percent: usize| {
            let at = (intervals.len() * percent).div_ceil(100).saturating_sub(1);
            intervals[at]
        };
        (part(50), part(99))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(
    url: &str,
    seen: &Mutex<Seen>,
    height: &watch::Sender<u64>,
) -> Result<(), ballast::client::Error> {
    let mut socket = Socket::connect(url).await?;
    socket.subscribe("blocks", json!({})).await?;
    loop {
        let message = socket.next().await?;
        let (Some(at), Some(hash)) = (message["height"].as_u64(), message["app_hash"].as_str())
        else {
            continue;
        };
        let mut seen = seen.lock().expect("no panic");
        seen.times.entry(at).or_insert_with(Instant::now);
        let first = seen
            .hashes
            .entry(at)
            .or_insert_with(|| hash.to_owned())
            .clone();
        if first != hash {
            seen.conflicts
                .push(format!("height {at}: {first}, then {hash}"));
        }
        drop(seen);
        height.send_replace(at);
    }
}
