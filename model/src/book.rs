//! Books as sorted views of the resting orders.

use crate::state::{PlacedOrder, sign};
use crate::{Levels, Model};
use ballast_types::{Event, Lots, MarketId, OrderId, Removal, Side, Ticks};
use std::collections::BTreeMap;

/// Levels of one side that the checksum covers.
const CHECKSUM_LEVELS: usize = 25;

impl Model {
    /// One side of a market in price-time priority.
    pub(crate) fn side(&self, market: MarketId, side: Side) -> Vec<PlacedOrder> {
        let orders = self.state.orders.values();
        let mut orders: Vec<PlacedOrder> = orders
            .filter(|order| order.market == market && order.side == side)
            .cloned()
            .collect();
        orders.sort_by_key(|order| (-sign(side) * order.level, order.priority));
        orders
    }

    /// The best order of a side if an order of the other side with limit `price` would meet it.
    pub(crate) fn crossing(
        &self,
        market: MarketId,
        side: Side,
        price: Ticks,
    ) -> Option<PlacedOrder> {
        let best = self.side(market, side).into_iter().next()?;
        let crosses = match side {
            Side::Buy => best.level >= price,
            Side::Sell => best.level <= price,
        };
        crosses.then_some(best)
    }

    /// The price itself, or the nearest behind it (below for a bid) that fits the market's bands.
    pub(crate) fn fitting(&self, market: MarketId, side: Side, price: Ticks) -> Ticks {
        let bands = &self.spec.markets[market.index()].tick_bands;
        match side {
            Side::Buy => at_or_below(bands, price),
            Side::Sell => at_or_above(bands, price),
        }
    }

    /// The levels of a market as the book shows them, the best first.
    pub fn levels(&self, market: MarketId) -> Levels {
        let side = |side| {
            let mut levels: Vec<(Ticks, Lots)> = Vec::new();
            for order in self.side(market, side) {
                match levels.last_mut() {
                    Some((price, size)) if *price == order.level => *size += order.shown,
                    _ => levels.push((order.level, order.shown)),
                }
            }
            levels
        };
        (side(Side::Buy), side(Side::Sell))
    }

    /// The event Book, when levels differ from those before the block.
    pub(crate) fn book_event(&self, market: MarketId, before: &Levels) -> Option<Event> {
        let now = self.levels(market);
        let mut levels = changed(Side::Buy, &before.0, &now.0);
        levels.extend(changed(Side::Sell, &before.1, &now.1));
        (!levels.is_empty()).then(|| Event::Book {
            market,
            levels,
            checksum: checksum(&now),
        })
    }

    /// Takes an order out of its book, or ends its waiting. That dooms what it is linked with, unless
    /// it is its link that takes it.
    pub(crate) fn remove(&mut self, id: OrderId, reason: Removal) -> Event {
        let waited = self.state.waiting.remove(&id).map(|waiting| waiting.placed);
        self.coverage.count_if(
            waited.is_some(),
            &format!("waiting order removed, {reason:?}"),
        );
        let order = waited
            .or_else(|| self.state.orders.remove(&id))
            .expect("only orders that rest or wait are removed");
        match reason {
            Removal::Linked => self.part_from_link(id),
            _ => self.leave_link(id),
        }
        Event::Removed {
            market: order.market,
            order: order.id,
            account: order.account,
            size: order.remaining,
            reason,
            client_id: order.client_id,
        }
    }

    /// Removes an order in a pass that takes off at once what that dooms.
    pub(crate) fn remove_now(&mut self, id: OrderId, reason: Removal) -> Vec<Event> {
        let mut events = vec![self.remove(id, reason)];
        events.extend(self.take_off());
        events
    }

    /// True while the order rests or waits.
    pub(crate) fn is_placed(&self, id: OrderId) -> bool {
        self.state.orders.contains_key(&id) || self.state.waiting.contains_key(&id)
    }

    /// Makes an order smaller in its place. Hidden lots go first.
    pub(crate) fn shrink(&mut self, order: OrderId, size: Lots, reason: Removal) -> Event {
        let waiting = self.state.waiting.get_mut(&order);
        let order = waiting
            .map(|waiting| &mut waiting.placed)
            .or_else(|| self.state.orders.get_mut(&order))
            .expect("only orders that rest or wait shrink");
        self.coverage.count_if(
            order.shown > 0 && order.shown < order.remaining,
            &format!("hidden lots reduced, {reason:?}"),
        );
        order.remaining = size;
        order.shown = order.shown.min(size);
        Event::Reduced {
            market: order.market,
            order: order.id,
            account: order.account,
            size,
            reason,
        }
    }
}

/// The band of a price: where it begins, and its step.
fn band(bands: &[(Ticks, Ticks)], price: Ticks) -> (Ticks, Ticks) {
    let reached = bands.iter().rev().find(|(begin, _)| *begin <= price);
    reached.copied().unwrap_or((Ticks::MIN, 1))
}

/// Whether a price is one that bands allow.
pub(crate) fn fits_bands(bands: &[(Ticks, Ticks)], price: Ticks) -> bool {
    price % band(bands, price).1 == 0
}

fn at_or_below(bands: &[(Ticks, Ticks)], mut price: Ticks) -> Ticks {
    loop {
        let (begin, step) = band(bands, price);
        let fits = price - price.rem_euclid(step);
        if fits >= begin {
            return fits;
        }
        price = begin - 1;
    }
}

fn at_or_above(bands: &[(Ticks, Ticks)], mut price: Ticks) -> Ticks {
    loop {
        let (_, step) = band(bands, price);
        let fits = price + (-price).rem_euclid(step);
        let next = bands.iter().map(|(begin, _)| *begin);
        match next.filter(|begin| price < *begin).min() {
            Some(begin) if begin <= fits => price = begin,
            _ => return fits,
        }
    }
}

fn changed(
    side: Side,
    before: &[(Ticks, Lots)],
    now: &[(Ticks, Lots)],
) -> Vec<(Side, Ticks, Lots)> {
    let before: BTreeMap<Ticks, Lots> = before.iter().copied().collect();
    let mut sizes: BTreeMap<Ticks, Lots> = before.keys().map(|price| (*price, 0)).collect();
    sizes.extend(now.iter().copied());
    sizes
        .into_iter()
        .filter(|(price, size)| before.get(price) != Some(size))
        .map(|(price, size)| (side, price, size))
        .collect()
}

/// CRC-32 over the best 25 bids, then asks, each as price and size, little-endian.
pub(crate) fn checksum((bids, asks): &Levels) -> u32 {
    let levels = bids
        .iter()
        .take(CHECKSUM_LEVELS)
        .chain(asks.iter().take(CHECKSUM_LEVELS));
    let bytes: Vec<u8> = levels
        .flat_map(|(price, size)| [price.to_le_bytes(), size.to_le_bytes()].concat())
        .collect();
    crc32(&bytes)
}

/// CRC-32 as in Ethernet and zip, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= 0xedb8_8320;
            }
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_of_the_check_string() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn prices_move_to_the_nearest_that_fits_its_band() {
        let bands = [(100, 5), (1_000, 30)];
        for (price, below, above) in [
            (0, 0, 0),
            (99, 99, 99),
            (100, 100, 100),
            (101, 100, 105),
            (999, 995, 1_020),
            (1_000, 995, 1_020),
            (1_020, 1_020, 1_020),
            (1_021, 1_020, 1_050),
        ] {
            assert_eq!(at_or_below(&bands, price), below, "{price}");
            assert_eq!(at_or_above(&bands, price), above, "{price}");
            assert_eq!(fits_bands(&bands, price), below == above, "{price}");
            assert_eq!(at_or_below(&[], price), price);
        }
    }

    #[test]
    fn only_levels_that_differ_are_reported() {
        let before = [(10, 5), (9, 4), (8, 3)];
        let now = [(11, 1), (10, 5), (9, 2)];
        let expected = vec![(Side::Buy, 8, 0), (Side::Buy, 9, 2), (Side::Buy, 11, 1)];
        assert_eq!(changed(Side::Buy, &before, &now), expected);
    }
}
