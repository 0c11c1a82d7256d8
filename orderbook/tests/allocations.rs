//! Books that have been as full as they get allocate nothing any more.

#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

use ballast_orderbook::{Books, Resting, Verdict};
use ballast_types::{Lots, Side, Ticks};

const SLOTS: u32 = 4_000;
const MARKETS: u32 = 8;
/// Commands between two seals.
const BLOCK: u32 = 500;

/// Numbers that look random and repeat after `SLOTS` calls of each.
fn scattered(n: u32, bound: u32) -> u32 {
    let mixed = u64::from(n.wrapping_mul(0x9e37_79b1)) * u64::from(bound);
    u32::try_from(mixed >> 32).unwrap()
}

fn fill(maker: &Resting, remaining: Lots) -> Verdict {
    Verdict::Fill(maker.size.min(remaining))
}

fn insert(books: &mut Books, slot: u32) {
    let market = slot % MARKETS;
    // Most near the best price, some far away, in chunks of their own.
    let distance = match scattered(slot, 16) {
        0 => i64::from(scattered(slot, 1 << 30)),
        _ => i64::from(scattered(slot, 300)),
    };
    let (side, price): (_, Ticks) = match slot % 16 {
        ..8 => (Side::Buy, -1 - distance),
        _ => (Side::Sell, 1 + distance),
    };
    if slot.is_multiple_of(5) {
        books
            .insert_iceberg(slot, market, side, price, 5, 20, 5)
            .unwrap();
    } else {
        books.insert(slot, market, side, price, 10).unwrap();
    }
}

/// One round of commands that leaves the books as it found them.
fn round(books: &mut Books) -> i64 {
    let mut traded = 0;
    for n in 0..SLOTS {
        let slot = scattered(n, SLOTS);
        books.shrink(slot, 4);
        books.remove(slot);
        insert(books, slot);
        if n % 8 == 0 {
            let (side, limit) = match n / 64 % 2 {
                0 => (Side::Buy, i64::MAX),
                _ => (Side::Sell, i64::MIN),
            };
            let market = n / 8 % MARKETS;
            let taken = books.take(market, side, limit, 60, 32, fill);
            traded += 60 - taken.remaining;
        }
        if n % BLOCK == 0 {
            books.seal();
        }
    }
    for slot in 0..SLOTS {
        books.remove(slot);
        insert(books, slot);
        if slot % BLOCK == 0 {
            books.seal();
        }
    }
    traded
}

#[test]
fn the_steady_state_allocates_nothing() {
    let mut books = Books::new(MARKETS as usize);
    (0..SLOTS).for_each(|slot| insert(&mut books, slot));
    books.seal();
    let before = round(&mut books);
    let mut after = 0;
    let allocations = allocation_counter::measure(|| after = round(&mut books));
    assert_eq!((before, before > 10_000), (after, true), "trades");
    assert_eq!((allocations.count_total, allocations.bytes_total), (0, 0));
}

#[test]
fn empty_markets_allocate_little() {
    let mut books = None;
    let markets = 10_000;
    let allocations = allocation_counter::measure(|| books = Some(Books::new(markets)));
    let bytes = usize::try_from(allocations.bytes_total).unwrap();
    assert!(bytes <= 16 * markets, "{bytes} bytes");
    assert_eq!(allocations.count_total, 1);
    drop(books);
}

#[test]
fn memory_follows_the_levels_however_far_apart_they_are() {
    let levels = 10_000_u32;
    let scatter = |n: u32| i64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed());
    let mut books = Books::new(1);
    let allocations = allocation_counter::measure(|| {
        for slot in 0..levels {
            books.insert(slot, 0, Side::Buy, scatter(slot), 1).unwrap();
        }
    });
    assert_eq!(books.levels(0, Side::Buy).count(), levels as usize);
    let each = allocations.bytes_max / u64::from(levels);
    assert!(each < 4_096, "{each} bytes a level");
    // Levels that come and go at other prices use the same memory.
    let move_one = |books: &mut Books, slot: u32| {
        books.remove(slot).unwrap();
        let price = scatter(slot + levels);
        books.insert(slot, 0, Side::Buy, price, 1).unwrap();
        books.seal();
    };
    move_one(&mut books, 0);
    let allocations = allocation_counter::measure(|| {
        (1..levels).for_each(|slot| move_one(&mut books, slot));
    });
    assert_eq!(allocations.count_total, 0);
}
