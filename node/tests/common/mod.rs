//! Networks as real processes, and clients of them.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test is a crate of its own and uses a part"
)]

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ballast::actions::now_ms;
use ballast::api::Api;
use ballast::cometbft::provide;
use ballast::network::{Endpoints, Network};
use ballast::ports::{NodePorts, probe};
use ballast_types::{Account, Action, MarketId, Order, Side, TxBody, chain_hash, sign_native};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub mod ws;

/// Nothing that is awaited takes this long.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A `ballast` that runs until it is told to stop. Dropped, it is killed, and with it its children.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts `ballast`.
    pub fn spawn(args: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_ballast"))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        Self { child }
    }

    /// Starts `ballast` and returns what it prints first on stdout.
    pub fn start(args: &[&str]) -> (Self, String) {
        let mut process = Self::spawn(args);
        let mut stdout = process.child.stdout.take().expect("piped");
        let (send, line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let mut byte = [0];
            while matches!(stdout.read(&mut byte), Ok(1)) {
                match byte[0] {
                    b'\n' => {
                        let line = String::from_utf8(std::mem::take(&mut text)).expect("UTF-8");
                        if send.send(line).is_err() {
                            return;
                        }
                    }
                    other => text.push(other),
                }
            }
        });
        match line.recv_timeout(PATIENCE) {
            Ok(line) => (process, line),
            Err(_) => {
                let ended = process.child.try_wait();
                panic!("ballast {args:?} printed nothing; it ended: {ended:?}");
            }
        }
    }

    /// Starts a network with `--json` and reads its line.
    pub fn network(args: &[&str]) -> (Self, Network) {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let (process, line) = Self::start(&args);
        let network = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"));
        (process, network)
    }

    pub fn signal(&self, signal: Signal) {
        // The id is ours until the child has been waited for.
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("not zero");
        kill_process(pid, signal).expect("runs");
    }

    /// Sends the signal and waits for the end.
    pub fn stop(mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("ours") {
                return status;
            }
            assert!(asked.elapsed() < PATIENCE, "it does not end on {signal:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `ballast` to its end.
pub fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ballast"))
        .args(args)
        .output()
        .expect("starts")
}

/// Runs `ballast` to its end with `input` on its standard input.
pub fn run_with_input(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ballast"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes()).expect("reads to the end");
    drop(stdin);
    child.wait_with_output().expect("ends")
}

/// What a run printed, when it succeeded.
pub fn stdout_of(args: &[&str]) -> String {
    let output = run(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ballast {args:?}: {stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A base port from which `nodes` nodes have free ports. It lies below those that systems give to
/// outgoing connections, and no other test of this process gets it.
pub fn free_base(nodes: usize) -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 200).expect("small");
    for _ in 0..200 {
        let slot = (start + TAKEN.fetch_add(1, Ordering::Relaxed)) % 200;
        let base = 10_000 + 100 * slot;
        let ports: Result<Vec<_>, _> = (0..nodes).map(|i| NodePorts::of(base, i)).collect();
        if ports.is_ok_and(|ports| probe(&ports).is_ok()) {
            return base;
        }
    }
    panic!("no free ports for {nodes} nodes");
}

/// Whether CometBFT is there. A test that needs it says so and passes where it is not.
pub fn is_installed() -> bool {
    let found = provide::installed().expect("a cache directory").is_some();
    if !found {
        eprintln!("skipped: CometBFT is not installed");
    }
    found
}

/// Requires that nothing listens on the ports of a network any more.
pub fn assert_ports_free(base: u16, nodes: usize) {
    let ports: Vec<_> = (0..nodes)
        .map(|i| NodePorts::of(base, i).expect("in range"))
        .collect();
    probe(&ports).expect("all ports are free again");
}

/// Process ids whose command line names this directory.
pub fn processes_of(directory: &Path) -> Vec<u32> {
    let name = directory.to_str().expect("UTF-8");
    let ids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    ids.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        let mut words = command.split(|byte| *byte == 0);
        words
            .any(|word| word.starts_with(name.as_bytes()))
            .then_some(id)
    })
    .collect()
}

pub fn api(node: &Endpoints) -> Api {
    Api::new(&node.http).expect("an address")
}

/// Asks until the answer passes.
pub async fn wait_for(api: &Api, path: &[&str], passes: impl Fn(&Value) -> bool) -> Value {
    let asked = Instant::now();
    let mut last = String::new();
    while asked.elapsed() < PATIENCE {
        match api.get(path, &[]).await {
            Ok(answer) if passes(&answer) => return answer,
            Ok(answer) => last = answer.to_string(),
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{path:?}: {last}");
}

/// Signs as one of the network's accounts. No two transactions have the same nonce.
pub fn sign(network: &Network, account: usize, actions: Vec<Action>) -> Vec<u8> {
    sign_as(network, (account, 0), actions)
}

/// [`sign`] for a subaccount.
pub fn sign_as(network: &Network, (account, sub): (usize, u16), actions: Vec<Action>) -> Vec<u8> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let secret = network.accounts[account].secret().expect("a key");
    let now = now_ms();
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
        Some(now.max(last + 1))
    });
    let nonce = now.max(last.expect("always a value") + 1);
    let body = TxBody {
        chain: chain_hash(&network.chain_id),
        account: Account::new(secret.id(), sub),
        key: secret.public(),
        nonce,
        expiry: now + 60_000,
        actions,
    };
    sign_native(&body, &secret)
}

/// A period in seconds, of which a multiple is so many seconds ahead or a little more; and that
/// multiple in ms. So nobody waits for more than one expiry.
pub fn ahead(seconds: u64) -> (u64, u64) {
    let from = now_ms() / 1_000 + seconds;
    let mut pairs = (from..).filter_map(|at| {
        let mut periods = (60..=600).rev();
        let period = periods.find(|period| at.is_multiple_of(*period))?;
        Some((period, at * 1_000))
    });
    pairs.next().expect("a multiple of 60 at the latest")
}

/// A limit order, in ticks and lots.
pub fn limit(market: u32, side: Side, price: i64, size: i64) -> Action {
    Action::Order(Order::limit(MarketId(market), side, price, size))
}

/// Sends actions and returns the result, which must be there.
pub async fn execute(api: &Api, network: &Network, account: usize, actions: Vec<Action>) -> Value {
    execute_as(api, network, (account, 0), actions).await
}

/// [`execute`] for a subaccount.
pub async fn execute_as(
    api: &Api,
    network: &Network,
    account: (usize, u16),
    actions: Vec<Action>,
) -> Value {
    // A node that was killed takes orders when it has caught up.
    api.until_ready().await;
    let tx = sign_as(network, account, actions);
    let answer = api
        .submit(tx, Duration::from_secs(30))
        .await
        .expect("taken");
    assert!(answer["result"].is_object(), "no block held it: {answer}");
    answer["result"].clone()
}
