//! Sends signed transactions to one node by the clock or as fast as they become final, and notes
//! when that node tells of the blocks that hold them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ballast_types::{Hash, Secret, TxHash, chain_hash, encode_bundle, tx_hash};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::cpu;
use super::flow::Prepared;
use super::network::{Running, System};
use crate::actions::now_ms;
use crate::api::{self, Api};
use crate::client::Socket;
use crate::cmd::Failure;
use crate::feed::pace::percentile;
use crate::rpc;

/// Transactions that are due within so long go out together.
const TICK: Duration = Duration::from_millis(2);
/// Most bytes of one request.
const REQUEST_BYTES: usize = 16 << 10;
/// Requests that wait for their answers.
const REQUESTS: usize = 32;
/// Before the measurement.
pub const WARM_UP: Duration = Duration::from_millis(1_500);
/// After the last transaction was sent.
const DRAIN: Duration = Duration::from_secs(10);

/// How transactions are sent.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// By the clock, so many a second.
    Rate(f64),
    /// As soon as earlier ones are final.
    Saturated {
        /// Bytes that are sent and not final.
        in_flight: usize,
    },
}

/// What was seen in one run.
#[derive(Debug, Default)]
pub struct Seen {
    /// Seconds measured.
    pub seconds: f64,
    /// Transactions final in that time.
    pub txs: usize,
    /// Orders in them.
    pub orders: u64,
    /// Transactions of those that got a code other than OK.
    pub refused: usize,
    /// Orders that the exchange took of those final in that time, as its blocks say.
    pub placed: u64,
    /// Bytes of the transactions.
    pub bytes: u64,
    /// Blocks in that time.
    pub blocks: usize,
    /// From when a transaction was due to the message of its block, ms: median.
    pub p50_ms: f64,
    /// The same, 99th percentile.
    pub p99_ms: f64,
    /// Transactions due in that time that never became final.
    pub missing: usize,
    /// CPU seconds by process.
    pub cpu: BTreeMap<String, f64>,
}

/// Where transactions go in.
#[derive(Clone)]
enum Door {
    Gateway {
        api: Api,
        chain: Hash,
        bundler: Secret,
    },
    Rpc(rpc::Client),
}

/// What sender and listener share. Times are microseconds since the start; 0 is never.
struct Board {
    txs: Arc<Vec<Prepared>>,
    start: Instant,
    due: Vec<AtomicU64>,
    in_flight: AtomicUsize,
    is_final: tokio::sync::Notify,
}

#[derive(Default)]
struct Notes {
    /// Transaction, time, code.
    finals: Vec<(usize, u64, u16)>,
    /// Time and orders.
    blocks: Vec<(u64, u64)>,
}

/// Sends `txs` to node 0 and measures for `seconds` after the warm-up.
pub async fn run(
    network: &Running,
    txs: Arc<Vec<Prepared>>,
    pace: Pace,
    seconds: Duration,
) -> Result<Seen, Failure> {
    let node = network.nodes.first().ok_or("the network has no node")?;
    let kvstore = network.system == System::Kvstore;
    let door = match kvstore {
        true => Door::Rpc(rpc::Client::new(&node.rpc, Duration::from_secs(10))?),
        false => Door::Gateway {
            api: Api::new(&node.http)?,
            chain: chain_hash(&network.spec.chain_id),
            bundler: crate::key_file::generate(crate::key_file::KeyType::Ed25519)?,
        },
    };
    let socket = match kvstore {
        true => new_blocks(&node.rpc).await?,
        false => {
            let mut socket = Socket::connect(&node.ws).await?;
            socket.subscribe("blocks", json!({"hashes": true})).await?;
            socket
        }
    };
    let end = WARM_UP + seconds;
    let board = Arc::new(Board {
        due: txs.iter().map(|_| AtomicU64::new(0)).collect(),
        txs,
        start: Instant::now(),
        in_flight: AtomicUsize::new(0),
        is_final: tokio::sync::Notify::new(),
    });
    let listener = tokio::spawn(listen(Arc::clone(&board), socket, end + DRAIN));
    let cpu = tokio::spawn(async move {
        tokio::time::sleep(WARM_UP).await;
        let before = cpu::sample();
        tokio::time::sleep(seconds).await;
        cpu::between(&before, &cpu::sample())
    });
    let sent = match pace {
        Pace::Rate(rate) => send_by_the_clock(&board, &door, rate, end).await?,
        Pace::Saturated { in_flight } => send_when_final(&board, &door, in_flight, end).await?,
    };
    let ran_out = board.elapsed();
    let notes = listener.await??;
    let cpu = cpu.await?;
    let mut seen = evaluate(
        &board,
        &notes,
        end.min(Duration::from_micros(ran_out)),
        sent,
    );
    seen.cpu = cpu;
    Ok(seen)
}

impl Board {
    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn launch(&self, at: usize, due: u64) {
        self.due[at].store(due.max(1), Ordering::Relaxed);
        self.in_flight
            .fetch_add(self.txs[at].bytes.len(), Ordering::Relaxed);
    }
}

impl Door {
    /// Sends transactions; those that find no room are sent again until they do.
    async fn send(&self, board: &Board, range: std::ops::Range<usize>) -> Result<(), Failure> {
        match self {
            Self::Gateway {
                api,
                chain,
                bundler,
            } => {
                let txs: Vec<_> = range.map(|at| board.txs[at].bytes.as_slice()).collect();
                let body = match txs.as_slice() {
                    [one] => one.to_vec(),
                    many => encode_bundle(many, now_ms(), chain, bundler),
                };
                loop {
                    match api.submit(body.clone(), Duration::ZERO).await {
                        Err(api::Error::Refused { code, .. }) if code == "FULL" => {
                            tokio::time::sleep(Duration::from_millis(10)).await;
                        }
                        Err(error) => return Err(error.into()),
                        Ok(_) => return Ok(()),
                    }
                }
            }
            Self::Rpc(rpc) => {
                for at in range {
                    // CometBFT answers with an error when its mempool is full.
                    while rpc.broadcast_tx_async(&board.txs[at].bytes).await.is_err() {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
                Ok(())
            }
        }
    }
}

/// Sends each transaction at its time. Returns how many were sent.
async fn send_by_the_clock(
    board: &Arc<Board>,
    door: &Door,
    rate: f64,
    end: Duration,
) -> Result<usize, Failure> {
    let due = |at: usize| Duration::from_secs_f64(at as f64 / rate);
    let mut requests = Requests::new(board, door);
    let mut tick = tokio::time::interval(TICK);
    let mut next = 0;
    while next < board.txs.len() && due(next) < end {
        tick.tick().await;
        let now = board.start.elapsed();
        let first = next;
        while next < board.txs.len() && due(next) <= now {
            board.launch(next, u64::try_from(due(next).as_micros())?);
            next += 1;
        }
        requests.send(first..next).await?;
    }
    requests.finish().await?;
    Ok(next)
}

/// Keeps a number of bytes on their way. Returns how many were sent.
async fn send_when_final(
    board: &Arc<Board>,
    door: &Door,
    in_flight: usize,
    end: Duration,
) -> Result<usize, Failure> {
    let mut requests = Requests::new(board, door);
    let mut next = 0;
    while next < board.txs.len() && board.start.elapsed() < end {
        let first = next;
        let mut bytes = 0;
        while next < board.txs.len()
            && bytes < REQUEST_BYTES
            && board.in_flight.load(Ordering::Relaxed) < in_flight
        {
            bytes += board.txs[next].bytes.len();
            board.launch(next, board.elapsed());
            next += 1;
        }
        if first == next {
            let pause = Duration::from_millis(5);
            // Without blocks there is no word of them, so look again after a while.
            let _ = tokio::time::timeout(pause, board.is_final.notified()).await;
            continue;
        }
        requests.send(first..next).await?;
    }
    requests.finish().await?;
    Ok(next)
}

/// Requests on their way, at most [`REQUESTS`].
struct Requests<'a> {
    board: &'a Arc<Board>,
    door: &'a Door,
    room: Arc<Semaphore>,
    tasks: JoinSet<Result<(), Failure>>,
}

impl<'a> Requests<'a> {
    fn new(board: &'a Arc<Board>, door: &'a Door) -> Self {
        Self {
            board,
            door,
            room: Arc::new(Semaphore::new(REQUESTS)),
            tasks: JoinSet::new(),
        }
    }

    /// Sends a range of transactions in requests of their own, and waits while too many wait.
    async fn send(&mut self, range: std::ops::Range<usize>) -> Result<(), Failure> {
        let mut first = range.start;
        let mut bytes = 0;
        for at in range.clone() {
            bytes += self.board.txs[at].bytes.len();
            let single = matches!(self.door, Door::Rpc(_));
            if single || bytes >= REQUEST_BYTES || at + 1 == range.end {
                let permit = Arc::clone(&self.room).acquire_owned().await?;
                let (board, door) = (Arc::clone(self.board), self.door.clone());
                let part = first..at + 1;
                self.tasks.spawn(async move {
                    let sent = door.send(&board, part).await;
                    drop(permit);
                    sent
                });
                (first, bytes) = (at + 1, 0);
            }
        }
        while let Some(done) = self.tasks.try_join_next() {
            done??;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        while let Some(done) = self.tasks.join_next().await {
            done??;
        }
        Ok(())
    }
}

/// A message of the `blocks` channel.
#[derive(Deserialize)]
struct BlockMessage {
    #[serde(default)]
    orders: u64,
    #[serde(default)]
    results: Vec<(String, u16)>,
}

/// Notes what becomes final, until everything sent is, or the time is up.
async fn listen(board: Arc<Board>, mut socket: Socket, until: Duration) -> Result<Notes, Failure> {
    let by_hash: HashMap<TxHash, usize> = board
        .txs
        .iter()
        .enumerate()
        .map(|(at, tx)| (tx.hash, at))
        .collect();
    let deadline = board.start + until;
    let mut notes = Notes::default();
    loop {
        let Ok(text) = tokio::time::timeout_at(deadline, socket.next_text()).await else {
            return Ok(notes);
        };
        let text = text?;
        let now = board.elapsed();
        let (orders, results) = read_block(&text)?;
        notes.blocks.push((now, orders));
        for (hash, code) in results {
            let Some(at) = by_hash.get(&hash) else {
                continue;
            };
            notes.finals.push((*at, now, code));
            board
                .in_flight
                .fetch_sub(board.txs[*at].bytes.len(), Ordering::Relaxed);
        }
        board.is_final.notify_one();
        let sending = Duration::from_micros(now) < until.saturating_sub(DRAIN);
        if !sending && board.in_flight.load(Ordering::Relaxed) == 0 {
            return Ok(notes);
        }
    }
}

/// Orders and results of a block's message, the gateway's or CometBFT's.
fn read_block(text: &str) -> Result<(u64, Vec<(TxHash, u16)>), Failure> {
    if text.contains("\"channel\"") {
        let message: BlockMessage = serde_json::from_str(text)?;
        let mut results = Vec::with_capacity(message.results.len());
        for (hex, code) in message.results {
            let mut hash = [0; 32];
            hex::decode_to_slice(hex, &mut hash)?;
            results.push((hash, code));
        }
        return Ok((message.orders, results));
    }
    let message: Value = serde_json::from_str(text)?;
    let txs = message["result"]["data"]["value"]["block"]["data"]["txs"].as_array();
    let mut results = Vec::new();
    for tx in txs.map(Vec::as_slice).unwrap_or_default() {
        results.push((tx_hash(&BASE64.decode(tx.as_str().unwrap_or_default())?), 0));
    }
    Ok((0, results))
}

/// A subscription to CometBFT's blocks.
async fn new_blocks(rpc: &str) -> Result<Socket, Failure> {
    let url = rpc.replacen("http://", "ws://", 1) + "/websocket";
    let mut socket = Socket::connect(&url).await?;
    let query = json!({"query": "tm.event='NewBlock'"});
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": query});
    socket.send(&request).await?;
    let answer = socket.next().await?;
    match answer["error"].is_null() {
        true => Ok(socket),
        false => Err(format!("{url}: {}", answer["error"]).into()),
    }
}

fn evaluate(board: &Board, notes: &Notes, end: Duration, sent: usize) -> Seen {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let window = micros(WARM_UP)..micros(end);
    let mut seen = Seen {
        seconds: end.saturating_sub(WARM_UP).as_secs_f64(),
        ..Seen::default()
    };
    let mut is_final = vec![false; board.txs.len()];
    let mut latencies = Vec::new();
    for (at, time, code) in &notes.finals {
        let tx = &board.txs[*at];
        let due = board.due[*at].load(Ordering::Relaxed);
        is_final[*at] = true;
        if window.contains(&due) {
            latencies.push(Duration::from_micros(time.saturating_sub(due)));
        }
        if window.contains(time) {
            seen.txs += 1;
            seen.orders += u64::from(tx.orders);
            seen.refused += usize::from(*code != 0);
            seen.bytes += tx.bytes.len() as u64;
        }
    }
    for (time, orders) in &notes.blocks {
        if window.contains(time) {
            seen.blocks += 1;
            seen.placed += orders;
        }
    }
    let due_in_window = |at: &usize| window.contains(&board.due[*at].load(Ordering::Relaxed));
    seen.missing = (0..sent)
        .filter(due_in_window)
        .filter(|at| !is_final[*at])
        .count();
    latencies.sort_unstable();
    seen.p50_ms = percentile(&latencies, 50);
    seen.p99_ms = percentile(&latencies, 99);
    seen
}

/// The same number of bytes, in the form that CometBFT's key-value store takes: one `=`.
pub fn as_key_value(txs: &[Prepared]) -> Vec<Prepared> {
    let one = |tx: &Prepared| {
        let plain = |byte: &u8| match byte {
            b'=' | b':' => b'.',
            byte => *byte,
        };
        let mut bytes: Vec<u8> = tx.bytes.iter().map(plain).collect();
        let key = hex::encode(&tx.hash[..16]);
        for (to, from) in bytes.iter_mut().zip(key.bytes().chain([b'='])) {
            *to = from;
        }
        Prepared {
            hash: tx_hash(&bytes),
            bytes,
            orders: tx.orders,
        }
    };
    txs.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_from_both_servers() {
        let hash = "11".repeat(32);
        let text = json!({"type": "update", "channel": "blocks", "orders": 3, "txs": 1,
            "results": [[hash, 7]]});
        let read = read_block(&text.to_string()).expect("reads");
        assert_eq!(read, (3, vec![([0x11; 32], 7)]));
        let block = json!({"block": {"data": {"txs": [BASE64.encode(b"a=b")]}}});
        let text = json!({"result": {"data": {"value": block}}});
        let read = read_block(&text.to_string()).expect("reads");
        assert_eq!(read, (0, vec![(tx_hash(b"a=b"), 0)]));
    }

    #[test]
    fn key_values_have_one_separator_and_the_same_length() {
        let tx = Prepared {
            hash: [5; 32],
            bytes: vec![b'='; 100],
            orders: 1,
        };
        let [other] = as_key_value(&[tx]).try_into().expect("one");
        assert_eq!(other.bytes.len(), 100);
        let separators = other
            .bytes
            .iter()
            .filter(|byte| matches!(byte, b'=' | b':'));
        assert_eq!(separators.count(), 1);
        assert_eq!(other.bytes[32], b'=');
    }

    #[test]
    fn only_the_window_counts() {
        let tx = Prepared {
            hash: [1; 32],
            bytes: vec![0; 10],
            orders: 2,
        };
        let board = Board {
            txs: Arc::new(vec![tx.clone(), tx.clone(), tx]),
            start: Instant::now(),
            due: [1, 1_600_000, 2_000_000].map(AtomicU64::new).into(),
            in_flight: AtomicUsize::new(0),
            is_final: tokio::sync::Notify::new(),
        };
        let notes = Notes {
            finals: vec![(0, 1_550_000, 0), (1, 1_700_000, 106)],
            blocks: vec![(100, 9), (1_550_000, 2), (1_700_000, 1)],
        };
        let seen = evaluate(&board, &notes, Duration::from_millis(2_500), 3);
        assert_eq!(
            (seen.txs, seen.orders, seen.refused, seen.placed),
            (2, 4, 1, 3)
        );
        assert_eq!((seen.bytes, seen.blocks, seen.missing), (20, 2, 1));
        assert_eq!((seen.p50_ms, seen.seconds), (100.0, 1.0));
    }
}
