//! A market's whole orders in price-time priority, for what is expected and for what the exchange
//! reports.

use ballast_orderbook::{Books, Level, Resting as Rested, Verdict};
use ballast_types::{Lots, Side, Ticks};

use crate::offline::slots::Slots;

/// An order, named by the client's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// The client's id.
    pub id: u128,
    /// What rests.
    pub size: Lots,
    /// What has traded since it entered.
    pub filled: Lots,
}

/// An order that rested and traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The client's id.
    pub maker: u128,
    /// Its price.
    pub price: Ticks,
    /// What traded.
    pub size: Lots,
}

/// The orders of one market.
#[derive(Clone, Debug)]
pub struct Book {
    books: Books,
    slots: Slots<u128>,
    /// By slot.
    filled: Vec<Lots>,
}

/// True when `price` is as good as `limit` or better, seen from its own side.
pub fn at_or_better(side: Side, price: Ticks, limit: Ticks) -> bool {
    match side {
        Side::Buy => price >= limit,
        Side::Sell => price <= limit,
    }
}

impl Default for Book {
    fn default() -> Self {
        Self {
            books: Books::new(1),
            slots: Slots::default(),
            filled: Vec::new(),
        }
    }
}

impl Book {
    /// The order book below.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// The client's id of the order in a slot.
    pub fn id(&self, slot: u32) -> u128 {
        self.slots.name(slot)
    }

    /// Price and total size of the levels, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (Ticks, Lots)> {
        let levels = self.books.levels(0, side);
        levels.map(|Level { price, size, .. }| (price, size))
    }

    /// The orders at a price, oldest first.
    pub fn orders(&self, side: Side, price: Ticks) -> Vec<Resting> {
        let orders = self.books.orders(0, side);
        orders
            .skip_while(|order| order.price != price)
            .take_while(|order| order.price == price)
            .map(|order| self.named(&order))
            .collect()
    }

    /// The order and where it rests.
    pub fn order(&self, id: u128) -> Option<(Side, Ticks, Resting)> {
        let order = self.books.get(self.slots.get(id)?)?;
        Some((order.side, order.price, self.named(&order)))
    }

    fn named(&self, order: &Rested) -> Resting {
        Resting {
            id: self.id(order.slot),
            size: order.size,
            filled: self.filled[order.slot as usize],
        }
    }

    /// True when no order rests.
    pub fn is_empty(&self) -> bool {
        self.books.is_empty()
    }

    /// Puts an order at the back of its level. One of the same id goes first. Nothing rests of a
    /// size below 1, or when the level cannot count it.
    pub fn rest(&mut self, side: Side, price: Ticks, id: u128, size: Lots) {
        self.remove(id);
        let slot = self.slots.claim(id);
        let at = slot as usize;
        self.filled.resize(self.filled.len().max(at + 1), 0);
        self.filled[at] = 0;
        if self.books.insert(slot, 0, side, price, size).is_err() {
            self.slots.release(slot);
        }
        self.books.seal();
    }

    /// Makes an order smaller without moving it; it goes when nothing rests. False when it does
    /// not rest.
    pub fn reduce(&mut self, id: u128, size: Lots) -> bool {
        let Some(slot) = self.slots.get(id) else {
            return false;
        };
        if size <= 0 {
            self.books.remove(slot);
            self.slots.release(slot);
        } else {
            self.books.shrink(slot, size);
        }
        self.books.seal();
        true
    }

    /// Removes an order. False when it does not rest.
    pub fn remove(&mut self, id: u128) -> bool {
        self.reduce(id, 0)
    }

    /// Takes a trade off an order. False when it does not rest.
    pub fn fill(&mut self, id: u128, size: Lots) -> bool {
        let Some(order) = self.slots.get(id).and_then(|slot| self.books.get(slot)) else {
            return false;
        };
        self.filled[order.slot as usize] += size;
        self.reduce(id, order.size - size)
    }

    /// Trades with the orders of `side`, best and oldest first, down to `limit`. What finds no
    /// order is lost.
    pub fn take(&mut self, side: Side, limit: Ticks, size: Lots, trades: &mut Vec<Trade>) {
        let Self {
            books,
            slots,
            filled,
        } = self;
        books.take(0, side.opposite(), limit, size, u32::MAX, |maker, left| {
            let size = left.min(maker.size);
            filled[maker.slot as usize] += size;
            trades.push(Trade {
                maker: slots.name(maker.slot),
                price: maker.price,
                size,
            });
            if size == maker.size {
                slots.release(maker.slot);
            }
            Verdict::Fill(size)
        });
        books.seal();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(book: &Book, side: Side) -> Vec<(Ticks, Lots)> {
        book.levels(side).collect()
    }

    #[test]
    fn orders_trade_in_price_time_priority() {
        let mut book = Book::default();
        let mut trades = Vec::new();
        book.rest(Side::Sell, 11, 1, 5);
        book.rest(Side::Sell, 10, 2, 5);
        book.rest(Side::Sell, 10, 3, 5);
        book.take(Side::Sell, 10, 7, &mut trades);
        let trade = |maker, size| Trade {
            maker,
            price: 10,
            size,
        };
        assert_eq!(trades, [trade(2, 5), trade(3, 2)]);
        let left = Resting {
            id: 3,
            size: 3,
            filled: 2,
        };
        assert_eq!(book.orders(Side::Sell, 10), [left]);
        assert_eq!(book.order(3), Some((Side::Sell, 10, left)));
        book.take(Side::Sell, 10, 100, &mut trades);
        assert_eq!(levels(&book, Side::Sell), [(11, 5)]);
        assert_eq!(levels(&book, Side::Buy), []);
    }

    #[test]
    fn orders_shrink_in_place_and_go() {
        let mut book = Book::default();
        book.rest(Side::Buy, 10, 1, 5);
        book.rest(Side::Buy, 10, 2, 5);
        assert!(book.reduce(1, 2) && book.fill(1, 1));
        let of = |id, size, filled| Resting { id, size, filled };
        assert_eq!(book.orders(Side::Buy, 10), [of(1, 1, 1), of(2, 5, 0)]);
        assert!(book.remove(1) && book.remove(2));
        assert!(!book.remove(1) && book.is_empty() && levels(&book, Side::Buy).is_empty());
        book.rest(Side::Buy, 10, 3, 0);
        assert!(book.is_empty() && book.order(3).is_none());
    }

    #[test]
    fn an_id_that_enters_again_replaces_its_order() {
        let mut book = Book::default();
        book.rest(Side::Buy, 10, 1, 5);
        book.rest(Side::Buy, 9, 1, 4);
        assert_eq!(levels(&book, Side::Buy), [(9, 4)]);
    }
}
