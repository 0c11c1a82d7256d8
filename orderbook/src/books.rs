use crate::undo::Change;
use ballast_types::{Lots, OrderId, Side, Ticks};
use std::collections::BTreeMap;

/// Levels of each side that a checksum covers.
const CHECKSUM_LEVELS: usize = 25;

/// In place of a slot: there is no such neighbour.
const NONE: u32 = u32::MAX;

/// The books of all markets of one group. Markets are numbered from 0 within the group.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// By slot.
    nodes: Vec<Node>,
    markets: Vec<Market>,
    len: usize,
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

/// An order as a link of its level's list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    price: Ticks,
    /// Zero: the slot is vacant.
    pub(crate) size: Lots,
    prev: u32,
    next: u32,
    market: u32,
    side: Side,
}

/// The orders of one level, first come first.
#[derive(Clone, Copy, Debug)]
struct Queue {
    size: Lots,
    orders: u32,
    head: u32,
    tail: u32,
}

/// Levels by [`rank`], hence best first on both sides.
type Ladder = BTreeMap<Ticks, Queue>;

#[derive(Clone, Debug, Default)]
struct Market {
    bids: Ladder,
    asks: Ladder,
}

/// Orders prices from best to worst. Its own inverse.
fn rank(side: Side, price: Ticks) -> Ticks {
    match side {
        Side::Buy => !price,
        Side::Sell => price,
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Node {
    const VACANT: Self = Self {
        price: 0,
        size: 0,
        prev: NONE,
        next: NONE,
        market: 0,
        side: Side::Buy,
    };

    pub(crate) fn resting(&self, slot: u32) -> Resting {
        let Self {
            price,
            size,
            market,
            side,
            ..
        } = *self;
        Resting {
            slot,
            market,
            side,
            price,
            size,
        }
    }
}

impl Market {
    fn ladder(&self, side: Side) -> &Ladder {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn ladder_mut(&mut self, side: Side) -> &mut Ladder {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

impl Books {
    /// Empty books of `markets` markets.
    pub fn new(markets: usize) -> Self {
        Self {
            markets: vec![Market::default(); markets],
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
        if self.node(slot).is_some() {
            return Err(BookError::Occupied(slot));
        }
        let node = Node {
            price,
            size,
            prev: NONE,
            next: NONE,
            market,
            side,
        };
        self.link(slot, node)?;
        self.log.push(Change {
            slot,
            node,
            before: 0,
            after: size,
        });
        Ok(())
    }

    /// Takes an order out; `None` when none rests in the slot.
    pub fn remove(&mut self, slot: u32) -> Option<Resting> {
        let node = self.unlink(slot)?;
        self.log.push(Change {
            slot,
            node,
            before: node.size,
            after: 0,
        });
        Some(node.resting(slot))
    }

    /// Makes an order smaller in its place and returns what rests now. `None`, and no change, when
    /// no order rests in the slot or `size` is not above zero and below the order's.
    pub fn shrink(&mut self, slot: u32, size: Lots) -> Option<Resting> {
        let node = *self.node(slot)?;
        if size <= 0 || size >= node.size {
            return None;
        }
        self.resize(slot, size);
        self.log.push(Change {
            slot,
            node,
            before: node.size,
            after: size,
        });
        Some(Resting {
            size,
            ..node.resting(slot)
        })
    }

    /// The order in the slot.
    pub fn get(&self, slot: u32) -> Option<Resting> {
        self.node(slot).map(|node| node.resting(slot))
    }

    /// The best price of a side; `None` when nothing rests or the market does not exist.
    pub fn best(&self, market: u32, side: Side) -> Option<Ticks> {
        self.ladder(market, side)?
            .first_key_value()
            .map(|(&key, _)| rank(side, key))
    }

    /// True when an order of `taker_side` with this limit would meet a resting order.
    pub fn crosses(&self, market: u32, taker_side: Side, limit: Ticks) -> bool {
        let side = taker_side.opposite();
        self.best(market, side)
            .is_some_and(|best| rank(side, best) <= rank(side, limit))
    }

    /// The levels of a side, best first. None when the market does not exist.
    pub fn levels(&self, market: u32, side: Side) -> impl Iterator<Item = Level> {
        self.ladder(market, side)
            .into_iter()
            .flatten()
            .map(move |(&key, queue)| Level {
                price: rank(side, key),
                size: queue.size,
                orders: queue.orders,
            })
    }

    /// The orders of a side in price-time priority. None when the market does not exist.
    pub fn orders(&self, market: u32, side: Side) -> impl Iterator<Item = Resting> {
        let ladder = self.ladder(market, side);
        ladder
            .into_iter()
            .flatten()
            .flat_map(|(_, queue)| self.queue(queue))
    }

    /// Resting orders of all markets.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when no order rests in any market.
    pub fn is_empty(&self) -> bool {
        self.len == 0
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

    /// Orders of `side` that cross an opposite order's `limit`, in price-time priority.
    pub(crate) fn crossing(
        &self,
        market: u32,
        side: Side,
        limit: Ticks,
    ) -> impl Iterator<Item = Resting> {
        let ladder = self.ladder(market, side);
        ladder
            .into_iter()
            .flat_map(move |ladder| ladder.range(..=rank(side, limit)))
            .flat_map(|(_, queue)| self.queue(queue))
    }

    /// Slot of the order that is first in priority.
    pub(crate) fn first(&self, market: u32, side: Side) -> Option<u32> {
        self.ladder(market, side)?
            .first_key_value()
            .map(|(_, queue)| queue.head)
    }

    /// Total of a level, 0 when there is none.
    pub(crate) fn total(&self, market: u32, side: Side, price: Ticks) -> Lots {
        let queue = self
            .ladder(market, side)
            .and_then(|ladder| ladder.get(&rank(side, price)));
        queue.map_or(0, |queue| queue.size)
    }

    /// Puts a node in before `node.next`, at the end of its level when that is none.
    pub(crate) fn link(&mut self, slot: u32, mut node: Node) -> Result<(), BookError> {
        let Node {
            price,
            size,
            market,
            side,
            next,
            ..
        } = node;
        let books = self
            .markets
            .get_mut(index(market))
            .ok_or(BookError::Market(market))?;
        // An empty queue takes every size, so that the error below leaves none behind.
        let queue = books
            .ladder_mut(side)
            .entry(rank(side, price))
            .or_insert(Queue {
                size: 0,
                orders: 0,
                head: NONE,
                tail: NONE,
            });
        queue.size = queue
            .size
            .checked_add(size)
            .ok_or(BookError::Overflow { price, size })?;
        queue.orders = queue.orders.saturating_add(1);
        if self.nodes.len() <= index(slot) {
            self.nodes
                .resize(index(slot).saturating_add(1), Node::VACANT);
        }
        match self.nodes.get_mut(index(next)) {
            Some(next) => node.prev = std::mem::replace(&mut next.prev, slot),
            None => node.prev = std::mem::replace(&mut queue.tail, slot),
        }
        match self.nodes.get_mut(index(node.prev)) {
            Some(prev) => prev.next = slot,
            None => queue.head = slot,
        }
        if let Some(place) = self.nodes.get_mut(index(slot)) {
            *place = node;
        }
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// Takes a node out. What is returned still names its neighbours.
    pub(crate) fn unlink(&mut self, slot: u32) -> Option<Node> {
        let node = *self.node(slot)?;
        let ladder = self
            .markets
            .get_mut(index(node.market))?
            .ladder_mut(node.side);
        let key = rank(node.side, node.price);
        let queue = ladder.get_mut(&key)?;
        queue.size = queue.size.saturating_sub(node.size);
        queue.orders = queue.orders.saturating_sub(1);
        match self.nodes.get_mut(index(node.prev)) {
            Some(prev) => prev.next = node.next,
            None => queue.head = node.next,
        }
        match self.nodes.get_mut(index(node.next)) {
            Some(next) => next.prev = node.prev,
            None => queue.tail = node.prev,
        }
        if queue.orders == 0 {
            ladder.remove(&key);
        }
        if let Some(place) = self.nodes.get_mut(index(slot)) {
            *place = Node::VACANT;
        }
        self.len = self.len.saturating_sub(1);
        Some(node)
    }

    /// Gives an order another size. The caller knows that the level's total has room for it.
    pub(crate) fn resize(&mut self, slot: u32, size: Lots) {
        let Some(node) = self.nodes.get_mut(index(slot)) else {
            return;
        };
        let books = self.markets.get_mut(index(node.market));
        let ladder = books.map(|market| market.ladder_mut(node.side));
        let queue = ladder.and_then(|ladder| ladder.get_mut(&rank(node.side, node.price)));
        if let Some(queue) = queue {
            queue.size = queue.size.saturating_sub(node.size).saturating_add(size);
        }
        node.size = size;
    }

    fn node(&self, slot: u32) -> Option<&Node> {
        self.nodes.get(index(slot)).filter(|node| node.size > 0)
    }

    fn ladder(&self, market: u32, side: Side) -> Option<&Ladder> {
        self.markets
            .get(index(market))
            .map(|market| market.ladder(side))
    }

    fn queue(&self, queue: &Queue) -> impl Iterator<Item = Resting> {
        let mut at = queue.head;
        std::iter::from_fn(move || {
            let node = self.node(at)?;
            let slot = std::mem::replace(&mut at, node.next);
            Some(node.resting(slot))
        })
    }
}
