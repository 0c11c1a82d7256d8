use crate::NONE;
use crate::ladder::place_of;
use crate::queue::{Node, Queues};
use crate::undo::Change;
use ballast_types::{Lots, OrderId, Side, Ticks};

/// Levels of each side that a checksum covers.
const CHECKSUM_LEVELS: usize = 25;

/// The books of all markets of one group. Markets are numbered from 0 within the group.
#[derive(Clone, Debug, Default)]
pub struct Books {
    pub(crate) queues: Queues,
    /// What was done since the last seal, oldest first.
    pub(crate) log: Vec<Change>,
}

/// A resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Slot of the order's record.
    pub slot: u32,
    /// Market, numbered within the group.
    pub market: u32,
    /// Bid or ask.
    pub side: Side,
    /// Limit in ticks.
    pub price: Ticks,
    /// Lots that rest; at least 1.
    pub size: Lots,
}

/// A price level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Price in ticks.
    pub price: Ticks,
    /// Sum of the sizes of its orders in lots.
    pub size: Lots,
    /// How many orders it has.
    pub orders: u32,
}

/// Why an order cannot rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// The group has fewer markets.
    #[error("market {0} is not one of the group")]
    Market(u32),
    /// Above [`OrderId::MAX_SLOT`].
    #[error("slot {0} is above {max}", max = OrderId::MAX_SLOT)]
    Slot(u32),
    /// An order rests in the slot.
    #[error("slot {0} holds an order already")]
    Occupied(u32),
    /// Not above zero.
    #[error("size {0} is not above 0")]
    Size(Lots),
    /// The level's total would not fit.
    #[error("size {size} overflows the level at price {price}")]
    Overflow {
        /// Price of the level.
        price: Ticks,
        /// Size of the order that was refused.
        size: Lots,
    },
}

impl Books {
    /// Empty books of `markets` markets.
    pub fn new(markets: usize) -> Self {
        Self {
            queues: Queues::new(markets),
            ..Self::default()
        }
    }

    /// Puts an order at the end of its level. Whether it crosses is not looked at.
    ///
    /// # Errors
    /// When the market does not exist, the slot is taken or too large, the size is not above zero,
    /// or the level's total would overflow. Nothing has changed then.
    pub fn insert(
        &mut self,
        slot: u32,
        market: u32,
        side: Side,
        price: Ticks,
        size: Lots,
    ) -> Result<(), BookError> {
        if size <= 0 {
            return Err(BookError::Size(size));
        }
        if slot > OrderId::MAX_SLOT {
            return Err(BookError::Slot(slot));
        }
        if self.queues.node(slot).is_some() {
            return Err(BookError::Occupied(slot));
        }
        let place = place_of(market, side);
        if !self.queues.ladders.has(place) {
            return Err(BookError::Market(market));
        }
        let order = Node::new(place, price, size, NONE);
        if self.queues.link(slot, order).is_none() {
            return Err(BookError::Overflow { price, size });
        }
        self.log.push(Change::Inserted { slot });
        Ok(())
    }

    /// Takes an order out; `None` when none rests in the slot.
    pub fn remove(&mut self, slot: u32) -> Option<Resting> {
        let node = self.queues.unlink(slot)?;
        self.log.push(Change::removed(slot, &node));
        Some(node.resting(slot))
    }

    /// Makes an order smaller in its place and returns what rests now. `None`, and no change, when
    /// no order rests in the slot or `size` is not above zero and below the order's.
    pub fn shrink(&mut self, slot: u32, size: Lots) -> Option<Resting> {
        let node = *self.queues.node(slot)?;
        if size <= 0 || size >= node.size {
            return None;
        }
        self.queues.resize(slot, size);
        self.log.push(Change::Resized {
            slot,
            size: node.size,
        });
        Some(Resting {
            size,
            ..node.resting(slot)
        })
    }

    /// The order in the slot.
    pub fn get(&self, slot: u32) -> Option<Resting> {
        self.queues.node(slot).map(|node| node.resting(slot))
    }

    /// The best price of a side; `None` when nothing rests or the market does not exist.
    pub fn best(&self, market: u32, side: Side) -> Option<Ticks> {
        let ladders = &self.queues.ladders;
        ladders.price(ladders.best(place_of(market, side))?)
    }

    /// True when an order of `taker_side` with this limit would meet a resting order.
    pub fn crosses(&self, market: u32, taker_side: Side, limit: Ticks) -> bool {
        let best = self.best(market, taker_side.opposite());
        best.is_some_and(|best| reaches(taker_side, limit, best))
    }

    /// The levels of a side, best first. None when the market does not exist.
    pub fn levels(&self, market: u32, side: Side) -> impl Iterator<Item = Level> {
        let levels = self.queues.ladders.walk(place_of(market, side));
        levels.map(|found| Level {
            price: found.price,
            size: found.level.size,
            orders: found.level.orders,
        })
    }

    /// The orders of a side in price-time priority. None when the market does not exist.
    pub fn orders(&self, market: u32, side: Side) -> impl Iterator<Item = Resting> {
        let levels = self.queues.ladders.walk(place_of(market, side));
        levels.flat_map(|found| self.queues.orders(found.level))
    }

    /// Resting orders of all markets.
    pub fn len(&self) -> usize {
        self.queues.len
    }

    /// True when no order rests in any market.
    pub fn is_empty(&self) -> bool {
        self.queues.len == 0
    }

    /// CRC-32 over the best 25 bids, then the best 25 asks, each as price and size: `i64`,
    /// little-endian. That of nothing, 0, when the market does not exist.
    pub fn checksum(&self, market: u32) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        for side in [Side::Buy, Side::Sell] {
            for level in self.levels(market, side).take(CHECKSUM_LEVELS) {
                crc.update(&level.price.to_le_bytes());
                crc.update(&level.size.to_le_bytes());
            }
        }
        crc.finalize()
    }

    /// Tells the processor that the order in the slot will soon be removed, shrunk or met, or that
    /// one will be inserted there. It changes nothing but the time that takes.
    pub fn prefetch(&self, slot: u32) {
        self.queues.prefetch(slot);
    }

    /// As [`prefetch`](Self::prefetch), some messages later, for what that fetch made cheap to
    /// find: the order's level and its neighbours.
    pub fn prefetch_around(&self, slot: u32) {
        self.queues.prefetch_around(slot);
    }

    /// Tells the processor that an order will soon be inserted at this price.
    pub fn prefetch_level(&self, market: u32, side: Side, price: Ticks) {
        let ladders = &self.queues.ladders;
        if let Some(at) = ladders.find(market, side, price) {
            ladders.prefetch(at);
        }
    }

    /// As [`prefetch_level`](Self::prefetch_level), some messages later: the level's last order.
    pub fn prefetch_tail(&self, market: u32, side: Side, price: Ticks) {
        let ladders = &self.queues.ladders;
        let at = ladders.find(market, side, price);
        if let Some(level) = at.and_then(|at| ladders.level(at)) {
            self.queues.prefetch(level.tail);
        }
    }

    /// Total of a level, 0 when there is none.
    pub(crate) fn total(&self, market: u32, side: Side, price: Ticks) -> Lots {
        let ladders = &self.queues.ladders;
        let at = ladders.find(market, side, price);
        at.and_then(|at| ladders.level(at))
            .map_or(0, |level| level.size)
    }

    /// Orders that an order of `taker_side` with this limit would meet, in price-time priority.
    pub(crate) fn crossing(
        &self,
        market: u32,
        taker_side: Side,
        limit: Ticks,
    ) -> impl Iterator<Item = Resting> {
        let levels = self
            .queues
            .ladders
            .walk(place_of(market, taker_side.opposite()));
        levels
            .take_while(move |found| reaches(taker_side, limit, found.price))
            .flat_map(|found| self.queues.orders(found.level))
    }

    /// The order that is first in priority, when its price reaches the limit of a taker.
    pub(crate) fn first(&self, market: u32, taker_side: Side, limit: Ticks) -> Option<Resting> {
        let ladders = &self.queues.ladders;
        let at = ladders.best(place_of(market, taker_side.opposite()))?;
        let slot = ladders.level(at)?.head;
        let maker = self.get(slot)?;
        reaches(taker_side, limit, maker.price).then_some(maker)
    }
}

/// Whether a taker with this limit trades at a price of the other side.
fn reaches(taker_side: Side, limit: Ticks, price: Ticks) -> bool {
    match taker_side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}
