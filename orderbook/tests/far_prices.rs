//! Thousands of levels at any distance from each other stand in order, and are found again.

#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

use ballast_orderbook::{Books, ChangedLevel};
use ballast_types::{Lots, Side, Ticks};
use std::collections::BTreeMap;

const MARKETS: u32 = 3;
const ORDERS: u32 = 4_000;

type Place = (u32, Side, Ticks);

fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Dense prices, prices of any number of bits, and one price for many orders.
fn place(n: u32) -> Place {
    let random = mix(n.into());
    let bits = u32::try_from(random >> 10 & 63).unwrap();
    let price = match random & 3 {
        0 => (random >> 16).cast_signed() % 200,
        1 => mix(random).cast_signed() >> bits,
        2 => 1_i64.wrapping_shl(bits),
        _ => -1,
    };
    let side = [Side::Buy, Side::Sell]
        .into_iter()
        .nth(usize::from(random & 4 > 0));
    let market = u32::try_from(random >> 20).unwrap_or(n) % MARKETS;
    (market, side.unwrap(), price)
}

fn assert_same(books: &Books, expected: &BTreeMap<Place, BTreeMap<u32, Lots>>) {
    for market in 0..MARKETS {
        for side in [Side::Buy, Side::Sell] {
            let of_side = expected.range((market, side, i64::MIN)..=(market, side, i64::MAX));
            let mut levels: Vec<_> = of_side
                .map(|((_, _, price), orders)| (*price, orders.values().sum::<Lots>()))
                .collect();
            if side == Side::Buy {
                levels.reverse();
            }
            let seen = books.levels(market, side);
            assert!(seen.map(|level| (level.price, level.size)).eq(levels));
        }
    }
}

#[test]
fn levels_at_any_distance_stand_in_order() {
    let mut books = Books::new(MARKETS as usize);
    let mut expected = BTreeMap::<Place, BTreeMap<u32, Lots>>::new();
    let mut places = BTreeMap::new();
    for n in 0..8 * ORDERS {
        let slot = u32::try_from(mix(u64::from(n) << 32) % u64::from(ORDERS)).unwrap();
        if let Some(place) = places.remove(&slot) {
            let level = expected.get_mut(&place).unwrap();
            assert_eq!(
                books.remove(slot).unwrap().size,
                level.remove(&slot).unwrap()
            );
            if level.is_empty() {
                expected.remove(&place);
            }
        } else {
            let (place, size) = (place(n), Lots::from(n) + 1);
            let (market, side, price) = place;
            books.insert(slot, market, side, price, size).unwrap();
            expected.entry(place).or_default().insert(slot, size);
            places.insert(slot, place);
        }
        if n % ORDERS == 0 {
            assert_same(&books, &expected);
            books.seal();
        }
    }
    assert_same(&books, &expected);
    assert!(expected.len() > 1_000, "{} levels", expected.len());
    // Back to the last seal, then to nothing.
    books.rollback();
    assert_eq!(books.changed(), []);
    for slot in 0..ORDERS {
        books.remove(slot);
    }
    assert!(books.is_empty());
    assert!(
        books
            .changed()
            .iter()
            .all(|ChangedLevel { size, .. }| *size == 0)
    );
    assert_same(&books, &BTreeMap::new());
}
