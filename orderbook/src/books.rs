use crate::NONE;
use crate::ladder::place_of;
use crate::queue::{Iceberg, Node, Queues};
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
    /// Icebergs refreshed by the last take or auction.
    pub(crate) refreshed: Vec<Resting>,
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
    /// Lots that it shows; at least 1.
    pub size: Lots,
    /// Lots that it hides: 0 unless it is an iceberg.
    pub hidden: Lots,
}

impl Resting {
    /// Lots shown and hidden. They fit the type.
    pub fn total(&self) -> Lots {
        self.size.saturating_add(self.hidden)
    }
}

/// A price level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Price in ticks.
    pub price: Ticks,
    /// Sum of what its orders show, in lots.
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
        let mut books = Self::default();
        books.grow(markets);
        books
    }

    /// Empty books that note no changes, and so are faster: [`seal`](Self::seal) and
    /// [`rollback`](Self::rollback) do nothing, and no level is [`changed`](Self::changed).
    pub fn forgetful(markets: usize) -> Self {
        let mut books = Self::new(markets);
        books.queues.forgetful = true;
        books
    }

    /// Sees to it that there are at least so many markets; new ones are empty.
    pub fn grow(&mut self, markets: usize) {
        self.queues.ladders.grow(markets);
    }

    /// Puts an order at the end of its level. Whether it crosses is not looked at.
    ///
    /// # Errors
    /// When the market does not exist, the slot is taken or too large, the size is not above zero,
    /// or the level's total would overflow. Nothing has changed then.
    #[inline]
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
        let place = self.vacant(slot, market, side)?;
        let order = Node::new(place, price, size, NONE);
        if self.queues.link(slot, order).is_none() {
            return Err(BookError::Overflow { price, size });
        }
        self.note(Change::Inserted { slot });
        Ok(())
    }

    /// Puts an order at the end of its level that shows `shown` lots and hides `hidden`. When it
    /// has traded all it shows, it shows again up to `display` of what it hides, at the end of its
    /// level. A rebuild inserts icebergs among the other orders, in order of priority.
    ///
    /// # Errors
    /// As for [`insert`](Self::insert); also when `hidden` is below zero, `display` is not above
    /// zero, or all shown and hidden lots of the level would overflow.
    #[allow(clippy::too_many_arguments)]
    pub fn insert_iceberg(
        &mut self,
        slot: u32,
        market: u32,
        side: Side,
        price: Ticks,
        shown: Lots,
        hidden: Lots,
        display: Lots,
    ) -> Result<(), BookError> {
        for (size, least) in [(shown, 1), (hidden, 0), (display, 1)] {
            if size < least {
                return Err(BookError::Size(size));
            }
        }
        let place = self.vacant(slot, market, side)?;
        let size = shown.saturating_add(hidden);
        let overflow = BookError::Overflow { price, size };
        shown.checked_add(hidden).ok_or(overflow)?;
        self.set_iceberg(slot, Iceberg { hidden, display });
        let order = Node::new(Node::iceberg_at(place), price, shown, NONE);
        self.queues.link(slot, order).ok_or(overflow)?;
        self.note(Change::Inserted { slot });
        Ok(())
    }

    /// Takes an order out; `None` when none rests in the slot.
    #[inline]
    pub fn remove(&mut self, slot: u32) -> Option<Resting> {
        let node = self.queues.unlink(slot)?;
        self.note(Change::removed(slot, &node));
        Some(self.queues.resting(slot, &node))
    }

    /// Makes an order smaller in its place and returns what rests now. `size` is all of it, shown
    /// and hidden; what is hidden goes first. `None`, and no change, when no order rests in the
    /// slot or `size` is not above zero and below the order's.
    pub fn shrink(&mut self, slot: u32, size: Lots) -> Option<Resting> {
        let order = self.get(slot)?;
        if size <= 0 || size >= order.total() {
            return None;
        }
        let shown = order.size.min(size);
        let hidden = size.saturating_sub(shown);
        if hidden != order.hidden {
            let iceberg = self.queues.iceberg(slot);
            self.set_iceberg(slot, Iceberg { hidden, ..iceberg });
        }
        if shown != order.size {
            self.resize(slot, order.size, shown);
        }
        Some(Resting {
            size: shown,
            hidden,
            ..order
        })
    }

    /// The order in the slot.
    #[inline]
    pub fn get(&self, slot: u32) -> Option<Resting> {
        let node = self.queues.node(slot)?;
        Some(self.queues.resting(slot, node))
    }

    /// The best price of a side; `None` when nothing rests or the market does not exist.
    #[inline]
    pub fn best(&self, market: u32, side: Side) -> Option<Ticks> {
        let ladders = &self.queues.ladders;
        ladders.price(ladders.best(place_of(market, side))?)
    }

    /// True when an order of `taker_side` with this limit would meet a resting order.
    #[inline]
    pub fn crosses(&self, market: u32, taker_side: Side, limit: Ticks) -> bool {
        let best = self.best(market, taker_side.opposite());
        best.is_some_and(|best| reaches(taker_side, limit, best))
    }

    /// True when the best bid is not below the best ask.
    pub fn crossed(&self, market: u32) -> bool {
        let bid = self.best(market, Side::Buy);
        bid.is_some_and(|bid| self.crosses(market, Side::Buy, bid))
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
    #[inline]
    pub fn prefetch(&self, slot: u32) {
        self.queues.prefetch(slot);
    }

    /// As [`prefetch`](Self::prefetch), some messages later, for what that fetch made cheap to
    /// find: the order's level and its neighbours.
    #[inline]
    pub fn prefetch_around(&self, slot: u32) {
        self.queues.prefetch_around(slot);
    }

    /// Tells the processor that an order will soon be inserted at this price.
    #[inline]
    pub fn prefetch_level(&self, market: u32, side: Side, price: Ticks) {
        let ladders = &self.queues.ladders;
        if let Some(at) = ladders.find(market, side, price) {
            ladders.prefetch(at);
        }
    }

    /// As [`prefetch_level`](Self::prefetch_level), some messages later: the level's last order.
    #[inline]
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

    /// The order that is first in priority, when its price reaches the limit of a taker.
    #[inline]
    pub(crate) fn first(&self, market: u32, taker_side: Side, limit: Ticks) -> Option<Resting> {
        let ladders = &self.queues.ladders;
        let at = ladders.best(place_of(market, taker_side.opposite()))?;
        if !reaches(taker_side, limit, ladders.price(at)?) {
            return None;
        }
        let slot = ladders.level(at)?.head;
        self.get(slot)
    }

    /// Takes lots from an order, those that it shows first; all of them remove it. True when that
    /// refreshed an iceberg.
    #[inline]
    pub(crate) fn cut(&mut self, order: &Resting, lots: Lots) -> bool {
        let slot = order.slot;
        let rest = order.total().saturating_sub(lots);
        if lots < order.size {
            let left = order.size.saturating_sub(lots);
            self.resize(slot, order.size, left);
            return false;
        }
        let removed = self.queues.unlink(slot);
        if let Some(node) = &removed {
            self.note(Change::removed(slot, node));
        }
        let (Some(node), true) = (removed, rest > 0) else {
            return false;
        };
        let iceberg = self.queues.iceberg(slot);
        let size = iceberg.display.min(rest);
        let hidden = rest.saturating_sub(size);
        self.set_iceberg(slot, Iceberg { hidden, ..iceberg });
        let linked = self
            .queues
            .link(slot, Node::new(node.place, node.price, size, NONE));
        debug_assert!(linked.is_some(), "a level has room for its own lots");
        self.note(Change::Inserted { slot });
        self.refreshed.push(Resting {
            size,
            hidden,
            ..*order
        });
        true
    }

    /// The market's side as a place, when the slot can take an order.
    #[inline]
    fn vacant(&self, slot: u32, market: u32, side: Side) -> Result<u32, BookError> {
        if slot > OrderId::MAX_SLOT {
            return Err(BookError::Slot(slot));
        }
        if self.queues.node(slot).is_some() {
            return Err(BookError::Occupied(slot));
        }
        let place = place_of(market, side);
        let exists = self.queues.ladders.has(place);
        exists.then_some(place).ok_or(BookError::Market(market))
    }

    #[inline]
    fn note(&mut self, change: Change) {
        if !self.queues.forgetful {
            self.log.push(change);
        }
    }

    #[inline]
    fn resize(&mut self, slot: u32, before: Lots, size: Lots) {
        self.queues.resize(slot, size);
        self.note(Change::Resized { slot, size: before });
    }

    fn set_iceberg(&mut self, slot: u32, iceberg: Iceberg) {
        let before = self.queues.iceberg(slot);
        self.queues.set_iceberg(slot, iceberg);
        self.note(Change::Iceberg { slot, before });
    }
}

/// Whether a taker with this limit trades at a price of the other side.
#[inline]
pub(crate) fn reaches(taker_side: Side, limit: Ticks, price: Ticks) -> bool {
    match taker_side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}
