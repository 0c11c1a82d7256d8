//! The server against a client on real sockets.

mod client;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;

use ballast_abci::{
    Address, Application, FatalHook, Pool, Server, ServerConfig, message_limit, proto, request,
    response,
};
use ballast_abci::{RequestInsertTx, RequestReapTxs, ResponseInsertTx, ResponseReapTxs};
use bytes::Bytes;
use client::{Client, encode};
use parking_lot::{Condvar, Mutex};
use proto::*;
use request::Value as In;
use response::Value as Out;

/// Marks every answer, so that an answer of another method shows. `FinalizeBlock` at height 99
/// waits for the gate, and `Commit` panics when told to.
#[derive(Clone, Default)]
struct TestApp {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    gate: Mutex<Gate>,
    changed: Condvar,
    inserted: Mutex<Vec<Bytes>>,
}

#[derive(Default)]
struct Gate {
    finalizing: bool,
    open: bool,
    commit_panics: bool,
}

impl Application for TestApp {
    fn info(&self, request: RequestInfo) -> ResponseInfo {
        ResponseInfo {
            data: format!("for {}", request.version),
            ..Default::default()
        }
    }

    fn init_chain(&self, request: RequestInitChain) -> ResponseInitChain {
        ResponseInitChain {
            app_hash: request.app_state_bytes,
            ..Default::default()
        }
    }

    fn query(&self, request: RequestQuery) -> ResponseQuery {
        ResponseQuery {
            log: request.path,
            ..Default::default()
        }
    }

    fn check_tx(&self, request: RequestCheckTx) -> ResponseCheckTx {
        ResponseCheckTx {
            data: request.tx,
            ..Default::default()
        }
    }

    fn commit(&self) -> ResponseCommit {
        assert!(!self.shared.gate.lock().commit_panics, "state is corrupt");
        ResponseCommit { retain_height: 7 }
    }

    fn list_snapshots(&self) -> ResponseListSnapshots {
        ResponseListSnapshots {
            snapshots: vec![Snapshot {
                height: 5,
                ..Default::default()
            }],
        }
    }

    fn offer_snapshot(&self, _: RequestOfferSnapshot) -> ResponseOfferSnapshot {
        ResponseOfferSnapshot { result: 3 }
    }

    fn load_snapshot_chunk(&self, request: RequestLoadSnapshotChunk) -> ResponseLoadSnapshotChunk {
        ResponseLoadSnapshotChunk {
            chunk: vec![request.chunk as u8; 3].into(),
        }
    }

    fn apply_snapshot_chunk(&self, _: RequestApplySnapshotChunk) -> ResponseApplySnapshotChunk {
        ResponseApplySnapshotChunk {
            result: 1,
            ..Default::default()
        }
    }

    fn extend_vote(&self, request: RequestExtendVote) -> ResponseExtendVote {
        ResponseExtendVote {
            vote_extension: request.hash,
        }
    }

    fn finalize_block(&self, request: RequestFinalizeBlock) -> ResponseFinalizeBlock {
        if request.height == 99 {
            let mut gate = self.shared.gate.lock();
            gate.finalizing = true;
            self.shared.changed.notify_all();
            self.shared.changed.wait_while(&mut gate, |gate| !gate.open);
        }
        ResponseFinalizeBlock {
            tx_results: vec![ExecTxResult::default(); request.txs.len()],
            ..Default::default()
        }
    }
}

impl Pool for TestApp {
    fn insert_tx(&self, tx: Bytes) -> u32 {
        self.shared.inserted.lock().push(tx);
        32_001
    }

    fn reap_txs(&self, max_bytes: u64, max_gas: u64) -> Vec<Bytes> {
        assert_eq!((max_bytes, max_gas), (1000, 2000));
        std::mem::take(&mut *self.shared.inserted.lock())
    }
}

struct Fixture {
    app: TestApp,
    server: Server,
    fatal: Arc<Mutex<Vec<String>>>,
    _directory: tempfile::TempDir,
}

impl Fixture {
    fn unix() -> Self {
        let directory = tempfile::tempdir().expect("temporary directory");
        let address = Address::unix(directory.path().join("abci.sock")).expect("short path");
        Self::at(address, directory)
    }

    fn tcp() -> Self {
        let address = "tcp://127.0.0.1:0".parse().expect("address");
        Self::at(address, tempfile::tempdir().expect("temporary directory"))
    }

    fn at(address: Address, directory: tempfile::TempDir) -> Self {
        let (app, fatal) = (TestApp::default(), Arc::<Mutex<Vec<String>>>::default());
        let seen = Arc::clone(&fatal);
        let hook: FatalHook = Arc::new(move |reason| seen.lock().push(reason.to_owned()));
        let config = ServerConfig {
            address,
            max_message_bytes: message_limit(2 << 20),
        };
        let server =
            Server::start(config, app.clone(), Arc::new(app.clone()), hook).expect("server");
        Self {
            app,
            server,
            fatal,
            _directory: directory,
        }
    }

    fn client(&self) -> Client {
        Client::connect(self.server.address())
    }
}

fn start_at(path: &Path) -> Result<Server, String> {
    let config = ServerConfig {
        address: Address::Unix(path.to_owned()),
        max_message_bytes: 1 << 20,
    };
    let app = TestApp::default();
    Server::start(config, app.clone(), Arc::new(app), Arc::new(|_| {})).map_err(|e| e.to_string())
}

fn check_tx(number: u32) -> In {
    In::CheckTx(RequestCheckTx {
        tx: number.to_be_bytes().to_vec().into(),
        ..Default::default()
    })
}

fn finalize(height: i64, txs: Vec<Bytes>) -> In {
    In::FinalizeBlock(RequestFinalizeBlock {
        height,
        txs,
        ..Default::default()
    })
}

fn flush() -> In {
    In::Flush(RequestFlush {})
}

/// Every method with the answer that only that method gives.
#[expect(clippy::too_many_lines, reason = "one table")]
fn every_method() -> Vec<(In, Out)> {
    let tx = Bytes::from_static(b"tx");
    vec![
        (
            In::Echo(RequestEcho {
                message: "hello".into(),
            }),
            Out::Echo(ResponseEcho {
                message: "hello".into(),
            }),
        ),
        (flush(), Out::Flush(ResponseFlush {})),
        (
            In::Info(RequestInfo {
                version: "0.39.0".into(),
                ..Default::default()
            }),
            Out::Info(ResponseInfo {
                data: "for 0.39.0".into(),
                ..Default::default()
            }),
        ),
        (
            In::InitChain(RequestInitChain {
                app_state_bytes: tx.clone(),
                ..Default::default()
            }),
            Out::InitChain(ResponseInitChain {
                app_hash: tx.clone(),
                ..Default::default()
            }),
        ),
        (
            In::Query(RequestQuery {
                path: "/a".into(),
                ..Default::default()
            }),
            Out::Query(ResponseQuery {
                log: "/a".into(),
                ..Default::default()
            }),
        ),
        (
            In::CheckTx(RequestCheckTx {
                tx: tx.clone(),
                ..Default::default()
            }),
            Out::CheckTx(ResponseCheckTx {
                data: tx.clone(),
                ..Default::default()
            }),
        ),
        (
            In::Commit(RequestCommit {}),
            Out::Commit(ResponseCommit { retain_height: 7 }),
        ),
        (
            In::ListSnapshots(RequestListSnapshots {}),
            Out::ListSnapshots(ResponseListSnapshots {
                snapshots: vec![Snapshot {
                    height: 5,
                    ..Default::default()
                }],
            }),
        ),
        (
            In::OfferSnapshot(RequestOfferSnapshot::default()),
            Out::OfferSnapshot(ResponseOfferSnapshot { result: 3 }),
        ),
        (
            In::LoadSnapshotChunk(RequestLoadSnapshotChunk {
                chunk: 9,
                ..Default::default()
            }),
            Out::LoadSnapshotChunk(ResponseLoadSnapshotChunk {
                chunk: vec![9; 3].into(),
            }),
        ),
        (
            In::ApplySnapshotChunk(RequestApplySnapshotChunk::default()),
            Out::ApplySnapshotChunk(ResponseApplySnapshotChunk {
                result: 1,
                ..Default::default()
            }),
        ),
        (
            In::PrepareProposal(RequestPrepareProposal {
                max_tx_bytes: 100,
                txs: vec![tx.clone()],
                ..Default::default()
            }),
            Out::PrepareProposal(ResponsePrepareProposal {
                txs: vec![tx.clone()],
            }),
        ),
        (
            In::ProcessProposal(RequestProcessProposal::default()),
            Out::ProcessProposal(ResponseProcessProposal { status: 1 }),
        ),
        (
            In::ExtendVote(RequestExtendVote {
                hash: tx.clone(),
                ..Default::default()
            }),
            Out::ExtendVote(ResponseExtendVote {
                vote_extension: tx.clone(),
            }),
        ),
        (
            In::VerifyVoteExtension(RequestVerifyVoteExtension::default()),
            Out::VerifyVoteExtension(ResponseVerifyVoteExtension { status: 1 }),
        ),
        (
            finalize(3, vec![tx.clone(); 2]),
            Out::FinalizeBlock(ResponseFinalizeBlock {
                tx_results: vec![ExecTxResult::default(); 2],
                ..Default::default()
            }),
        ),
        (
            In::InsertTx(RequestInsertTx { tx: tx.clone() }),
            Out::InsertTx(ResponseInsertTx { code: 32_001 }),
        ),
        (
            In::ReapTxs(RequestReapTxs {
                max_bytes: 1000,
                max_gas: 2000,
            }),
            Out::ReapTxs(ResponseReapTxs { txs: vec![tx] }),
        ),
    ]
}

#[test]
fn every_method_is_answered_in_order() {
    for fixture in [Fixture::unix(), Fixture::tcp()] {
        let (requests, answers): (Vec<_>, Vec<_>) = every_method().into_iter().unzip();
        let mut client = fixture.client();
        client.send(&requests);
        for expected in answers {
            assert_eq!(client.receive(), Some(expected));
        }
    }
}

#[test]
fn requests_may_arrive_byte_by_byte() {
    let fixture = Fixture::tcp();
    let mut client = fixture.client();
    for (request, expected) in every_method() {
        for byte in encode(&[request]) {
            client.write(&[byte]);
        }
        assert_eq!(client.receive(), Some(expected));
    }
}

#[test]
fn a_thousand_pipelined_checks_are_answered_in_order() {
    for fixture in [Fixture::unix(), Fixture::tcp()] {
        let mut client = fixture.client();
        let mut requests: Vec<_> = (0..1000).map(check_tx).collect();
        requests.push(flush());
        client.send(&requests);
        for number in 0..1000_u32 {
            let Some(Out::CheckTx(answer)) = client.receive() else {
                panic!("no answer")
            };
            assert_eq!(answer.data, number.to_be_bytes()[..]);
        }
        assert_eq!(client.receive(), Some(Out::Flush(ResponseFlush {})));
    }
}

#[test]
fn a_block_larger_than_the_read_buffer_arrives_whole() {
    for fixture in [Fixture::unix(), Fixture::tcp()] {
        let txs: Vec<Bytes> = (0..8000_u32).map(|n| vec![n as u8; 250].into()).collect();
        let Out::FinalizeBlock(answer) = fixture.client().call(finalize(1, txs)) else {
            panic!("not FinalizeBlock");
        };
        assert_eq!(answer.tx_results.len(), 8000);
    }
}

#[test]
fn bad_bytes_get_an_exception_and_the_end_of_their_connection_only() {
    let tebibyte = [0x80, 0x80, 0x80, 0x80, 0x80, 0x20];
    let cases: [(&[u8], &str); 6] = [
        (&[3, 0xba, 0x06, 0x00], "unknown request field 103"),
        (&[0], "request names no method"),
        (
            &tebibyte,
            "message of 1099511627776 bytes is over the limit of 16777216",
        ),
        (&[0xff; 11], "message length is not a varint of 64 bits"),
        (&[4, 0xde, 0xad, 0xbe, 0xef], "undecodable request"),
        (b"\x0dGET / HTTP/1.1\r\n\r\n", "undecodable request"),
    ];
    for fixture in [Fixture::unix(), Fixture::tcp()] {
        let mut bystander = fixture.client();
        for (bytes, reason) in cases {
            let mut client = fixture.client();
            // What was asked before is answered first.
            client.send(&[check_tx(1)]);
            client.write(bytes);
            assert!(
                matches!(client.receive(), Some(Out::CheckTx(_))),
                "{reason}"
            );
            let error = client.receive_exception();
            assert!(error.starts_with(reason), "{error}");
            assert!(matches!(bystander.call(check_tx(2)), Out::CheckTx(_)));
        }
        assert!(
            fixture.fatal.lock().is_empty(),
            "a protocol error is not fatal"
        );
    }
}

#[test]
fn a_panic_of_the_application_is_an_exception_and_fatal() {
    let fixture = Fixture::unix();
    fixture.app.shared.gate.lock().commit_panics = true;
    let mut client = fixture.client();
    client.send(&[check_tx(1), In::Commit(RequestCommit {}), check_tx(2)]);
    assert!(matches!(client.receive(), Some(Out::CheckTx(_))));
    assert_eq!(
        client.receive_exception(),
        "Commit failed: state is corrupt"
    );
    assert_eq!(*fixture.fatal.lock(), ["Commit failed: state is corrupt"]);
}

#[test]
fn checks_are_answered_while_a_block_is_executed() {
    let fixture = Fixture::unix();
    let [mut consensus, mut mempool, mut query, mut snapshot] = [(); 4].map(|()| fixture.client());
    consensus.send(&[finalize(99, Vec::new()), flush()]);
    let shared = &fixture.app.shared;
    shared
        .changed
        .wait_while(&mut shared.gate.lock(), |gate| !gate.finalizing);
    for number in 0..10 {
        assert!(matches!(mempool.call(check_tx(number)), Out::CheckTx(_)));
        assert!(matches!(
            query.call(In::Query(RequestQuery::default())),
            Out::Query(_)
        ));
        let list = In::ListSnapshots(RequestListSnapshots {});
        assert!(matches!(snapshot.call(list), Out::ListSnapshots(_)));
    }
    shared.gate.lock().open = true;
    shared.changed.notify_all();
    assert!(matches!(consensus.receive(), Some(Out::FinalizeBlock(_))));
}

#[test]
fn clients_come_and_go() {
    let fixture = Fixture::unix();
    for number in 0..200 {
        assert!(matches!(
            fixture.client().call(check_tx(number)),
            Out::CheckTx(_)
        ));
    }
    // A client that leaves in the middle of a request harms nobody.
    fixture.client().write(&[100, 1, 2, 3]);
    assert!(matches!(
        fixture.client().call(check_tx(0)),
        Out::CheckTx(_)
    ));
}

#[test]
fn a_client_that_stops_sending_sees_its_answers_and_the_end() {
    let fixture = Fixture::unix();
    let Address::Unix(path) = fixture.server.address() else {
        panic!("not a unix socket")
    };
    for rest in [&[][..], &[100, 1, 2, 3]] {
        let mut stream = UnixStream::connect(path).expect("connect");
        stream.write_all(&encode(&[flush()])).expect("write");
        stream.write_all(rest).expect("write");
        stream.shutdown(Shutdown::Write).expect("shutdown");
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers).expect("read");
        assert_eq!(answers, [2, 0x1a, 0]);
    }
}

#[test]
fn the_65th_connection_is_closed() {
    let fixture = Fixture::unix();
    let mut clients: Vec<_> = (0..64).map(|_| fixture.client()).collect();
    for client in &mut clients {
        client.call(check_tx(1));
    }
    assert_eq!(fixture.client().receive(), None);
    assert!(matches!(clients[0].call(check_tx(2)), Out::CheckTx(_)));
}

#[test]
fn stop_closes_connections_and_frees_the_address() {
    for fixture in [Fixture::unix(), Fixture::tcp()] {
        let mut idle = fixture.client();
        let mut midway = fixture.client();
        idle.call(check_tx(1));
        midway.write(&[100, 1, 2, 3]);
        let address = fixture.server.address().clone();
        fixture.server.stop();
        assert_eq!(idle.receive(), None);
        assert_eq!(midway.receive(), None);
        if let Address::Unix(path) = &address {
            assert!(!path.exists(), "the socket file stays");
        }
        let again = Fixture::at(address, fixture._directory);
        assert!(matches!(again.client().call(check_tx(2)), Out::CheckTx(_)));
    }
}

#[test]
fn a_stale_socket_is_replaced_and_nothing_else() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let stale = directory.path().join("stale");
    drop(UnixListener::bind(&stale).expect("bind"));
    assert!(stale.exists());
    let server = start_at(&stale).expect("a stale socket is replaced");
    let error = start_at(&stale).err().expect("a live one is not");
    assert!(error.ends_with("another server listens there"), "{error}");
    server.stop();

    let file = directory.path().join("file");
    std::fs::write(&file, "precious").expect("write");
    let error = start_at(&file).err().expect("a file is not replaced");
    assert!(error.ends_with("the file is not a socket"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).expect("read"), "precious");
}

#[test]
fn a_path_over_100_bytes_is_refused_by_name() {
    let path = format!("/tmp/{}", "a".repeat(100));
    let error = start_at(Path::new(&path)).err().expect("too long");
    assert!(
        error.contains(&path) && error.contains("is 105 bytes long"),
        "{error}"
    );
}
