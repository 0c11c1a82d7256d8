//! What the ABCI transport costs: a `FinalizeBlock` of the no-op application, there and back.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use ballast_abci::noop::{Mempool, NoopApp};
use ballast_abci::proto::{RequestFinalizeBlock, RequestFlush};
use ballast_abci::{Address, Request, Server, ServerConfig, message_limit, request};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use prost::Message;

const TX_BYTES: usize = 250;

/// Bytes of an answer to Flush with its length.
const FLUSH_ANSWER: [u8; 3] = [2, 0x1a, 0];

fn block_and_flush(txs: usize) -> Vec<u8> {
    let txs = (0..txs)
        .map(|number| vec![number as u8; TX_BYTES].into())
        .collect();
    let block = RequestFinalizeBlock {
        txs,
        height: 1,
        ..Default::default()
    };
    let mut out = Vec::new();
    for value in [
        request::Value::FinalizeBlock(block),
        request::Value::Flush(RequestFlush {}),
    ] {
        Request { value: Some(value) }
            .encode_length_delimited(&mut out)
            .expect("encode");
    }
    out
}

fn connect(address: &Address) -> (Box<dyn Read>, Box<dyn Write>) {
    match address {
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).expect("connect");
            (
                Box::new(stream.try_clone().expect("clone")),
                Box::new(stream),
            )
        }
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).expect("connect");
            stream.set_nodelay(true).expect("nodelay");
            (
                Box::new(stream.try_clone().expect("clone")),
                Box::new(stream),
            )
        }
    }
}

/// Reads until the answer to Flush, which comes last.
fn read_answers(reader: &mut dyn Read, buffer: &mut [u8]) {
    let mut tail = [0; FLUSH_ANSWER.len()];
    loop {
        let count = reader.read(buffer).expect("read");
        assert_ne!(count, 0, "the server closed the connection");
        for byte in &buffer[count.saturating_sub(tail.len())..count] {
            tail.rotate_left(1);
            tail[tail.len() - 1] = *byte;
        }
        if tail == FLUSH_ANSWER {
            return;
        }
    }
}

fn finalize_block(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("temporary directory");
    let unix = Address::unix(directory.path().join("abci.sock")).expect("short path");
    let tcp = "tcp://127.0.0.1:0".parse().expect("address");
    let mut group = criterion.benchmark_group("abci/finalize_block");
    for (transport, address) in [("unix", unix), ("tcp", tcp)] {
        let app = NoopApp::new(Mempool::Flood);
        let config = ServerConfig {
            address,
            max_message_bytes: message_limit(2 << 20),
        };
        let server = Server::start(config, app.clone(), Arc::new(app), Arc::new(|_| {}))
            .expect("the server starts");
        let (mut reader, mut writer) = connect(server.address());
        let mut buffer = vec![0; 64 * 1024];
        for txs in [0, 1000, 4000] {
            let bytes = block_and_flush(txs);
            group.throughput(Throughput::Bytes(bytes.len() as u64));
            group.bench_function(BenchmarkId::new(transport, txs), |bencher| {
                bencher.iter(|| {
                    writer.write_all(&bytes).expect("write");
                    read_answers(&mut *reader, &mut buffer);
                });
            });
        }
        server.stop();
    }
    group.finish();
}

criterion_group!(benches, finalize_block);
criterion_main!(benches);
