//! Cost of state as pages, and of the same updates in a Jellyfish Merkle tree.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ballast_app::pages::{Record, Table};
use bytemuck::{Pod, Zeroable};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jmt::mock::MockTreeStore;
use jmt::storage::TreeWriter;
use jmt::{KeyHash, Sha256Jmt};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Item {
    words: [u64; 8],
}

impl Record for Item {
    const LAYOUT: u32 = 1;
}

const DIRTY: [u32; 4] = [1, 100, 1_000, 10_000];

fn table<const N: usize>(pages: u32) -> Table<Item, N> {
    let mut table = Table::new(u32::MAX);
    for n in 0..pages * N as u32 {
        table
            .push(Item {
                words: [n.into(); 8],
            })
            .expect("room");
    }
    table.seal();
    table
}

/// The n-th of a fixed sequence that visits every number below `bound`, a power of two, once.
fn scattered(n: u32, bound: u32) -> u32 {
    n.wrapping_mul(0x9e37_79b1) % bound
}

fn access(c: &mut Criterion) {
    const PAGES: u32 = 65_536;
    let mut group = c.benchmark_group("pages/access");
    let mut table = table::<64>(PAGES);
    for (name, slots) in [("warm", 1_024), ("cold", PAGES * 64)] {
        let mut n = 0;
        group.bench_function(BenchmarkId::new("get", name), |b| {
            b.iter(|| {
                n += 1;
                table.get(scattered(n, slots)).map(|item| item.words[3])
            })
        });
    }
    let mut n = 0;
    group.bench_function("get_mut repeated", |b| {
        b.iter(|| {
            n += 1;
            if let Some(item) = table.get_mut(scattered(n, 1_024)) {
                item.words[3] += 1;
            }
        })
    });
    table.discard();
    group.bench_function("get_mut first, scattered pages of 4 KiB", |b| {
        b.iter_custom(|count| {
            let mut spent = Duration::ZERO;
            for first in (0..count).step_by(10_000) {
                let start = Instant::now();
                for n in 0..(count - first).min(10_000) as u32 {
                    black_box(table.get_mut(scattered(n, PAGES) * 64));
                }
                spent += start.elapsed();
                table.discard();
            }
            spent
        })
    });
    group.bench_function("discard 10,000 pages", |b| {
        b.iter_custom(|count| {
            let mut spent = Duration::ZERO;
            for _ in 0..count {
                for n in 0..10_000 {
                    black_box(table.get_mut(scattered(n, PAGES) * 64));
                }
                let start = Instant::now();
                table.discard();
                spent += start.elapsed();
            }
            spent
        })
    });
    group.finish();
}

fn seal(c: &mut Criterion) {
    const PAGES: u32 = 65_536;
    let mut table = table::<64>(PAGES);
    let mut group = c.benchmark_group("pages/seal");
    for dirty in DIRTY {
        group.throughput(Throughput::Elements(dirty.into()));
        for scatter in [false, true] {
            let name = if scatter { "scattered" } else { "dense" };
            group.bench_function(BenchmarkId::new(name, dirty), |b| {
                b.iter_custom(|count| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..count {
                        // Someone still reads the block before, so that paths must be copied.
                        let reader = table.snapshot();
                        for n in 0..dirty {
                            let page = if scatter { scattered(n, PAGES) } else { n };
                            if let Some(item) = table.get_mut(page * 64) {
                                item.words[3] += 1;
                            }
                        }
                        let start = Instant::now();
                        black_box(table.seal());
                        spent += start.elapsed();
                        drop(reader);
                    }
                    spent
                })
            });
        }
    }
    group.finish();
}

fn snapshot(c: &mut Criterion) {
    const PAGES: u32 = 262_144;
    let mut table = table::<16>(PAGES);
    let mut group = c.benchmark_group("pages/snapshot of 262,144 pages");
    group.bench_function("clone and drop", |b| b.iter(|| table.snapshot().len()));
    let snapshot = table.snapshot();
    let mut n = 0;
    group.bench_function("get", |b| {
        b.iter(|| {
            n += 1;
            snapshot
                .get(scattered(n, PAGES * 16))
                .map(|item| item.words[3])
        })
    });
    drop(snapshot);
    group.bench_function("drop, 1,000 scattered pages later", |b| {
        b.iter_custom(|count| {
            let mut spent = Duration::ZERO;
            for _ in 0..count {
                let reader = table.snapshot();
                for n in 0..1_000 {
                    black_box(table.get_mut(scattered(n, PAGES) * 16));
                }
                table.seal();
                let start = Instant::now();
                drop(reader);
                spent += start.elapsed();
            }
            spent
        })
    });
    group.finish();
}

/// One key where the table has one page.
fn jellyfish(c: &mut Criterion) {
    const KEYS: u32 = 65_536;
    let store = MockTreeStore::default();
    let key = |n: u32| KeyHash::with::<sha2::Sha256>(n.to_le_bytes());
    let mut version = 0;
    let mut put = |keys: &mut dyn Iterator<Item = u32>| {
        let value = u64::to_le_bytes(version).repeat(8);
        let values = keys.map(|n| (key(n), Some(value.clone())));
        let tree = Sha256Jmt::new(&store);
        let (root, batch) = tree.put_value_set(values, version).expect("readable store");
        store
            .write_node_batch(&batch.node_batch)
            .expect("writable store");
        version += 1;
        root
    };
    put(&mut (0..KEYS));
    let mut group = c.benchmark_group("jmt");
    for dirty in DIRTY {
        group.throughput(Throughput::Elements(dirty.into()));
        group.bench_function(BenchmarkId::new("put_value_set", dirty), |b| {
            b.iter(|| put(&mut (0..dirty).map(|n| scattered(n, KEYS))))
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = access, seal, snapshot, jellyfish
}
criterion_main!(benches);
