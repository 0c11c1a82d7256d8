//! The feed's own copy of a book.

use ballast_app::view::BookView;
use ballast_types::{Lots, Side, Ticks};
use std::collections::BTreeMap;

/// Levels of each side that the checksum covers.
const CHECKSUM_LEVELS: usize = 25;

/// A level: price in ticks, size in lots.
pub(crate) type Level = (Ticks, Lots);

/// Sizes by price.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Book {
    bids: BTreeMap<Ticks, Lots>,
    asks: BTreeMap<Ticks, Lots>,
}

impl Book {
    pub(crate) fn new(view: &BookView) -> Self {
        Self {
            bids: view
                .bids
                .iter()
                .map(|level| (level.price, level.size))
                .collect(),
            asks: view
                .asks
                .iter()
                .map(|level| (level.price, level.size))
                .collect(),
        }
    }

    /// Takes the changed levels of a block; size 0 is a level that is gone.
    pub(crate) fn apply(&mut self, levels: &[(Side, Ticks, Lots)]) {
        for (side, price, size) in levels {
            let levels = match side {
                Side::Buy => &mut self.bids,
                Side::Sell => &mut self.asks,
            };
            match size {
                0 => levels.remove(price),
                size => levels.insert(*price, *size),
            };
        }
    }

    /// Best first.
    pub(crate) fn bids(&self) -> impl Iterator<Item = Level> {
        self.bids.iter().rev().map(|(price, size)| (*price, *size))
    }

    /// Best first.
    pub(crate) fn asks(&self) -> impl Iterator<Item = Level> {
        self.asks.iter().map(|(price, size)| (*price, *size))
    }

    /// Best bid and best ask.
    pub(crate) fn best(&self) -> (Option<Level>, Option<Level>) {
        (self.bids().next(), self.asks().next())
    }

    /// CRC-32 over the best 25 bids, then 25 asks, as (i64 price, i64 size) little-endian.
    pub(crate) fn checksum(&self) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        let best = self
            .bids()
            .take(CHECKSUM_LEVELS)
            .chain(self.asks().take(CHECKSUM_LEVELS));
        for (price, size) in best {
            crc.update(&price.to_le_bytes());
            crc.update(&size.to_le_bytes());
        }
        crc.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_covers_the_best_25_of_each_side_bids_first() {
        let mut book = Book::default();
        assert_eq!((book.checksum(), book.best()), (0, (None, None)));
        let bids = (1..=30).map(|price| (Side::Buy, price, price * 10));
        let asks = (31..=60).map(|price| (Side::Sell, price, price));
        book.apply(&bids.chain(asks).collect::<Vec<_>>());
        assert_eq!(book.best(), (Some((30, 300)), Some((31, 31))));

        let mut bytes = Vec::new();
        for price in (6_i64..=30).rev() {
            bytes.extend([price, price * 10].map(i64::to_le_bytes).concat());
        }
        for price in 31_i64..=55 {
            bytes.extend([price, price].map(i64::to_le_bytes).concat());
        }
        assert_eq!(book.checksum(), crc32fast::hash(&bytes));

        let before = book.checksum();
        book.apply(&[(Side::Buy, 5, 0), (Side::Sell, 56, 1)]);
        assert_eq!(book.checksum(), before);
        book.apply(&[(Side::Buy, 30, 0)]);
        assert_ne!(book.checksum(), before);
    }

    #[test]
    fn the_example_of_the_reference_has_these_checksums() {
        let mut book = Book::default();
        book.apply(&[
            (Side::Buy, 999, 5),
            (Side::Buy, 998, 2),
            (Side::Sell, 1_001, 4),
        ]);
        assert_eq!(book.checksum(), 3_810_297_786);
        book.apply(&[(Side::Buy, 999, 0), (Side::Sell, 1_000, 3)]);
        assert_eq!(book.checksum(), 267_312_765);
    }
}
