//! Cost of adding, cancelling and taking in books of few and of many orders.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ballast_orderbook::{Books, Resting, Verdict};
use ballast_types::{Lots, Side, Ticks};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const RESTING: [u32; 2] = [5_000, 1_000_000];
/// Levels of each side.
const LEVELS: u32 = 500;
/// Operations between two rollbacks, about those of a block.
const BLOCK: u64 = 1_000;
/// Size of every order.
const SIZE: Lots = 10;

/// The n-th of a fixed sequence of scattered numbers below `bound`.
fn scattered(n: u32, bound: u32) -> u32 {
    let mixed = u64::from(n.wrapping_mul(0x9e37_79b1)) * u64::from(bound);
    (mixed >> 32) as u32
}

fn place(slot: u32) -> (Side, Ticks) {
    let level = i64::from(scattered(slot, LEVELS));
    if slot.is_multiple_of(2) {
        (Side::Buy, -1 - level)
    } else {
        (Side::Sell, 1 + level)
    }
}

fn add(books: &mut Books, slot: u32) {
    let (side, price) = place(slot);
    books.insert(slot, 0, side, price, SIZE).expect("room");
}

fn books(resting: u32) -> Books {
    let mut books = Books::new(1);
    (0..resting).for_each(|slot| add(&mut books, slot));
    books.seal();
    books
}

fn fill(maker: &Resting, remaining: Lots) -> Verdict {
    Verdict::Fill(maker.size.min(remaining))
}

/// Times `work` with running numbers, and rolls back, untimed, after each block.
fn blocks(books: &mut Books, count: u64, work: impl Fn(&mut Books, u32)) -> Duration {
    let mut spent = Duration::ZERO;
    for first in (0..count).step_by(BLOCK as usize) {
        let start = Instant::now();
        for n in first..count.min(first + BLOCK) {
            work(books, n as u32);
        }
        spent += start.elapsed();
        books.rollback();
    }
    spent
}

fn orderbook(c: &mut Criterion) {
    for resting in RESTING {
        let mut books = books(resting);
        let mut group = c.benchmark_group("orderbook");
        let mut bench = |name, work: &dyn Fn(&mut Books, u32)| {
            group.bench_function(BenchmarkId::new(name, resting), |b| {
                b.iter_custom(|count| blocks(&mut books, count, work))
            });
        };
        bench("add", &|books, n| add(books, resting + n % BLOCK as u32));
        bench("cancel", &|books, n| {
            black_box(books.remove(scattered(n, resting)));
        });
        bench("take 1 order", &|books, _| {
            black_box(books.take(0, Side::Buy, i64::MAX, SIZE, 1, fill));
        });
        bench("take part of an order", &|books, _| {
            black_box(books.take(0, Side::Sell, i64::MIN, 1, 1, fill));
        });
        bench("walk 32 orders", &|books, _| {
            black_box(books.walk(0, Side::Buy, i64::MAX, 32 * SIZE, 32, fill));
        });
        group.bench_function(BenchmarkId::new("changed after 1,000 adds", resting), |b| {
            (0..BLOCK as u32).for_each(|n| add(&mut books, resting + n));
            b.iter(|| black_box(books.changed()));
            books.rollback();
        });
        group.finish();
    }
}

criterion_group!(benches, orderbook);
criterion_main!(benches);
