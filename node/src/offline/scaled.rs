//! Books for streams whose prices have a unit much finer than their ticks.

use ballast_orderbook::{BookError, Books, Resting};
use ballast_types::{Lots, Side, Ticks};

/// Books that count each market's prices in the largest unit that divides all of them, because
/// levels that are next to each other cost less time and memory.
#[derive(Debug, Default)]
pub struct Scaled {
    books: Books,
    /// By market: the unit, 0 as long as no price was other than 0.
    units: Vec<Ticks>,
}

impl Scaled {
    /// The books; their prices are in units.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// The unit of each market.
    pub fn units(&self) -> &[Ticks] {
        &self.units
    }

    /// Sees to it that there are at least as many markets.
    pub fn grow(&mut self, markets: usize) {
        self.units.resize(self.units.len().max(markets), 0);
        self.books.grow(markets);
    }

    /// Puts an order at the back of its level.
    ///
    /// # Errors
    /// Those of [`Books::insert`].
    pub fn insert(
        &mut self,
        slot: u32,
        market: u32,
        side: Side,
        price: Ticks,
        size: Lots,
    ) -> Result<(), BookError> {
        let price = self.scale(market, price);
        self.books.insert(slot, market, side, price, size)?;
        self.books.seal();
        Ok(())
    }

    /// Takes an order out.
    pub fn remove(&mut self, slot: u32) {
        self.books.remove(slot);
        self.books.seal();
    }

    /// Makes an order smaller in its place.
    pub fn shrink(&mut self, slot: u32, size: Lots) {
        self.books.shrink(slot, size);
        self.books.seal();
    }

    /// The order in a slot.
    pub fn get(&self, slot: u32) -> Option<Resting> {
        let order = self.books.get(slot)?;
        let price = order.price * self.unit(order.market);
        Some(Resting { price, ..order })
    }

    /// The best price of a side.
    pub fn best(&self, market: u32, side: Side) -> Option<Ticks> {
        let best = self.books.best(market, side)?;
        Some(best * self.unit(market))
    }

    fn unit(&self, market: u32) -> Ticks {
        self.units.get(market as usize).copied().unwrap_or(0)
    }

    /// A price in the unit of its market, which becomes finer when it does not divide the price.
    fn scale(&mut self, market: u32, price: Ticks) -> Ticks {
        let unit = self.unit(market);
        if unit > 0 && price % unit == 0 {
            return price / unit;
        }
        if price == 0 || market as usize >= self.units.len() {
            return price;
        }
        let finer = divisor(unit.unsigned_abs(), price.unsigned_abs());
        let finer = Ticks::try_from(finer).unwrap_or(1);
        let bids = self.books.orders(market, Side::Buy);
        let orders: Vec<_> = bids.chain(self.books.orders(market, Side::Sell)).collect();
        for order in &orders {
            self.books.remove(order.slot);
        }
        for order in &orders {
            let price = order.price * (unit / finer);
            let again = self
                .books
                .insert(order.slot, market, order.side, price, order.size);
            debug_assert!(again.is_ok(), "it fitted before: {again:?}");
        }
        self.books.seal();
        self.units[market as usize] = finer;
        price / finer
    }
}

/// The greatest common divisor.
fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_become_as_fine_as_prices_need() {
        let mut scaled = Scaled::default();
        scaled.grow(2);
        let prices = [0, 600, -900, 600, 450, i64::MIN, i64::MAX, -1];
        let units = [0, 600, 300, 300, 150, 2, 1, 1];
        let mut all = Vec::new();
        for ((slot, price), unit) in (0..).zip(prices).zip(units) {
            scaled.insert(slot, 1, Side::Buy, price, 1).expect("rests");
            assert_eq!(scaled.units(), [0, unit], "{price}");
            all.push((slot, price));
            for (slot, price) in &all {
                assert_eq!(scaled.get(*slot).expect("rests").price, *price);
            }
        }
        let slots: Vec<_> = scaled
            .books()
            .orders(1, Side::Buy)
            .map(|o| o.slot)
            .collect();
        assert_eq!(slots, [6, 1, 3, 4, 0, 7, 2, 5]);
        assert_eq!(scaled.best(1, Side::Buy), Some(i64::MAX));
        assert_eq!(scaled.best(1, Side::Sell), None);
    }
}
