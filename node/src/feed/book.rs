//! A book of whole orders in price-time priority, for what is expected and for what the exchange
//! reports.

use std::collections::BTreeMap;

use ballast_types::{Lots, Side, Ticks};

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

/// The orders of one market.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// Oldest first at each price.
    bids: BTreeMap<Ticks, Vec<Resting>>,
    asks: BTreeMap<Ticks, Vec<Resting>>,
    places: BTreeMap<u128, (Side, Ticks)>,
}

/// True when `price` is as good as `limit` or better, seen from its own side.
pub fn at_or_better(side: Side, price: Ticks, limit: Ticks) -> bool {
    match side {
        Side::Buy => price >= limit,
        Side::Sell => price <= limit,
    }
}

impl Book {
    fn side(&self, side: Side) -> &BTreeMap<Ticks, Vec<Resting>> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<Ticks, Vec<Resting>> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// Price and total size of the levels, best first.
    pub fn levels(&self, side: Side) -> Vec<(Ticks, Lots)> {
        let total = |(price, orders): (&Ticks, &Vec<Resting>)| {
            (*price, orders.iter().map(|order| order.size).sum())
        };
        let levels = self.side(side).iter();
        match side {
            Side::Buy => levels.rev().map(total).collect(),
            Side::Sell => levels.map(total).collect(),
        }
    }

    /// The orders at a price, oldest first.
    pub fn orders(&self, side: Side, price: Ticks) -> &[Resting] {
        self.side(side).get(&price).map_or(&[], Vec::as_slice)
    }

    /// The order and where it rests.
    pub fn order(&self, id: u128) -> Option<(Side, Ticks, Resting)> {
        let (side, price) = *self.places.get(&id)?;
        let order = self
            .orders(side, price)
            .iter()
            .find(|order| order.id == id)?;
        Some((side, price, *order))
    }

    /// The best price of a side.
    pub fn best(&self, side: Side) -> Option<Ticks> {
        let prices = &mut self.side(side).keys();
        match side {
            Side::Buy => prices.next_back().copied(),
            Side::Sell => prices.next().copied(),
        }
    }

    /// True when no order rests.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Puts an order at the back of its level.
    pub fn rest(&mut self, side: Side, price: Ticks, id: u128, size: Lots) {
        let order = Resting {
            id,
            size,
            filled: 0,
        };
        self.side_mut(side).entry(price).or_default().push(order);
        self.places.insert(id, (side, price));
    }

    /// Changes what rests of an order without moving it; it goes when nothing rests.
    /// False when it does not rest.
    pub fn reduce(&mut self, id: u128, size: Lots) -> bool {
        self.change(id, |order| order.size = size)
    }

    /// Removes an order. False when it does not rest.
    pub fn remove(&mut self, id: u128) -> bool {
        self.reduce(id, 0)
    }

    /// Takes a trade off an order. False when it does not rest.
    pub fn fill(&mut self, id: u128, size: Lots) -> bool {
        self.change(id, |order| {
            order.size -= size;
            order.filled += size;
        })
    }

    fn change(&mut self, id: u128, change: impl FnOnce(&mut Resting)) -> bool {
        let Some((side, price)) = self.places.get(&id).copied() else {
            return false;
        };
        let levels = self.side_mut(side);
        let Some(orders) = levels.get_mut(&price) else {
            return false;
        };
        let Some(at) = orders.iter().position(|order| order.id == id) else {
            return false;
        };
        change(&mut orders[at]);
        if orders[at].size <= 0 {
            orders.remove(at);
            if orders.is_empty() {
                levels.remove(&price);
            }
            self.places.remove(&id);
        }
        true
    }

    /// Trades with the orders of `side`, best and oldest first, down to `limit`. What finds no
    /// order is lost.
    pub fn take(&mut self, side: Side, limit: Ticks, size: Lots) {
        let mut left = size;
        while left > 0 {
            let Some(price) = self
                .best(side)
                .filter(|best| at_or_better(side, *best, limit))
            else {
                return;
            };
            let Some(first) = self.orders(side, price).first().copied() else {
                return;
            };
            let lots = left.min(first.size);
            self.fill(first.id, lots);
            left -= lots;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_trade_in_price_time_priority() {
        let mut book = Book::default();
        book.rest(Side::Sell, 11, 1, 5);
        book.rest(Side::Sell, 10, 2, 5);
        book.rest(Side::Sell, 10, 3, 5);
        book.take(Side::Sell, 10, 7);
        assert_eq!(
            book.orders(Side::Sell, 10),
            [Resting {
                id: 3,
                size: 3,
                filled: 2
            }]
        );
        book.take(Side::Sell, 10, 100);
        assert_eq!(book.levels(Side::Sell), [(11, 5)]);
        assert_eq!(
            (book.best(Side::Sell), book.best(Side::Buy)),
            (Some(11), None)
        );
    }

    #[test]
    fn orders_shrink_in_place_and_go() {
        let mut book = Book::default();
        book.rest(Side::Buy, 10, 1, 5);
        book.rest(Side::Buy, 10, 2, 5);
        assert!(book.reduce(1, 2));
        assert_eq!(
            book.orders(Side::Buy, 10)
                .iter()
                .map(|o| o.id)
                .collect::<Vec<_>>(),
            [1, 2]
        );
        assert!(book.remove(1) && book.remove(2));
        assert!(!book.remove(1) && book.is_empty() && book.levels(Side::Buy).is_empty());
    }
}
