//! Orders as links of their level's list.

use crate::ladder::{Ladders, Level, rank, side_of};
use crate::prefetch::prefetch;
use crate::undo::Touched;
use crate::{NONE, Resting, index};
use ballast_types::{Lots, Side, Ticks};

/// Of [`Node::place`]: a part of the order is hidden.
const ICEBERG: u32 = 1 << 31;

/// A resting order.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(crate) struct Node {
    pub(crate) price: Ticks,
    /// What it shows. Zero: the slot is vacant.
    pub(crate) size: Lots,
    pub(crate) prev: u32,
    pub(crate) next: u32,
    level: u32,
    /// Market and side, and whether it is an iceberg.
    pub(crate) place: u32,
}

impl Node {
    const VACANT: Self = Self {
        price: 0,
        size: 0,
        prev: NONE,
        next: NONE,
        level: NONE,
        place: 0,
    };

    /// An order before `next`, or at the end of its level when that is [`NONE`].
    pub(crate) fn new(place: u32, price: Ticks, size: Lots, next: u32) -> Self {
        Self {
            price,
            size,
            next,
            place,
            ..Self::VACANT
        }
    }

    pub(crate) fn side(&self) -> Side {
        side_of(self.place)
    }

    pub(crate) fn market(&self) -> u32 {
        (self.place & !ICEBERG) >> 1
    }

    pub(crate) fn resting(&self, slot: u32) -> Resting {
        Resting {
            slot,
            market: self.market(),
            side: self.side(),
            price: self.price,
            size: self.size,
        }
    }
}

/// The orders of all markets and the levels that they stand at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queues {
    /// By slot.
    nodes: Vec<Node>,
    pub(crate) ladders: Ladders,
    pub(crate) len: usize,
    /// Levels that changed since the last seal, as they were; a level may be named again.
    pub(crate) touched: Vec<Touched>,
}

impl Queues {
    pub(crate) fn new(markets: usize) -> Self {
        Self {
            ladders: Ladders::new(markets),
            ..Self::default()
        }
    }

    pub(crate) fn node(&self, slot: u32) -> Option<&Node> {
        self.nodes.get(index(slot)).filter(|node| node.size > 0)
    }

    /// Puts a node in before `node.next`, at the end of its level when that is none. `None`,
    /// and no change, when the level's total would overflow or the market does not exist.
    pub(crate) fn link(&mut self, slot: u32, mut node: Node) -> Option<()> {
        let rank = rank(node.side(), node.price);
        let at = self.ladders.open(node.place & !ICEBERG, rank)?;
        let level = self.ladders.level_mut(at)?;
        // A level without orders takes every size, so that a refusal leaves none behind.
        let total = level.size.checked_add(node.size)?;
        let first = level.orders == 0;
        touch(&mut self.touched, level, at, &node);
        level.size = total;
        level.orders = level.orders.saturating_add(1);
        if self.nodes.len() <= index(slot) {
            self.nodes
                .resize(index(slot).saturating_add(1), Node::VACANT);
        }
        match self.nodes.get_mut(index(node.next)) {
            Some(next) => node.prev = std::mem::replace(&mut next.prev, slot),
            None => node.prev = std::mem::replace(&mut level.tail, slot),
        }
        match self.nodes.get_mut(index(node.prev)) {
            Some(prev) => prev.next = slot,
            None => level.head = slot,
        }
        node.level = at;
        if let Some(place) = self.nodes.get_mut(index(slot)) {
            *place = node;
        }
        if first {
            self.ladders.occupy(at);
        }
        self.len = self.len.saturating_add(1);
        Some(())
    }

    /// Takes a node out. What is returned still names its neighbours.
    pub(crate) fn unlink(&mut self, slot: u32) -> Option<Node> {
        let place = self.nodes.get_mut(index(slot))?;
        if place.size == 0 {
            return None;
        }
        let node = *place;
        place.size = 0;
        let level = self.ladders.level_mut(node.level)?;
        touch(&mut self.touched, level, node.level, &node);
        level.size = level.size.saturating_sub(node.size);
        level.orders = level.orders.saturating_sub(1);
        match self.nodes.get_mut(index(node.prev)) {
            Some(prev) => prev.next = node.next,
            None => level.head = node.next,
        }
        match self.nodes.get_mut(index(node.next)) {
            Some(next) => next.prev = node.prev,
            None => level.tail = node.prev,
        }
        if level.orders == 0 {
            self.ladders.vacate(node.level);
        }
        self.len = self.len.saturating_sub(1);
        Some(node)
    }

    /// Gives a resting order another size. The caller knows that the level's total has room for it.
    pub(crate) fn resize(&mut self, slot: u32, size: Lots) {
        let Some(node) = self.nodes.get_mut(index(slot)) else {
            return;
        };
        if let Some(level) = self.ladders.level_mut(node.level) {
            touch(&mut self.touched, level, node.level, node);
            level.size = level.size.saturating_sub(node.size).saturating_add(size);
        }
        node.size = size;
    }

    /// The orders of a level, first come first.
    pub(crate) fn orders<'a>(&'a self, level: &Level) -> impl Iterator<Item = Resting> + use<'a> {
        let mut at = level.head;
        std::iter::from_fn(move || {
            let node = self.node(at)?;
            let slot = std::mem::replace(&mut at, node.next);
            Some(node.resting(slot))
        })
    }

    /// Forgets which levels changed.
    pub(crate) fn forget_touched(&mut self) {
        for touched in self.touched.drain(..) {
            if let Some(level) = self.ladders.level_mut(touched.at) {
                level.touched = false;
            }
        }
    }

    /// Fetches what a change of the order in a slot will read, but for its neighbours.
    pub(crate) fn prefetch(&self, slot: u32) {
        if let Some(node) = self.nodes.get(index(slot)) {
            prefetch(node);
        }
    }

    /// Fetches level and neighbours of an order.
    pub(crate) fn prefetch_around(&self, slot: u32) {
        if let Some(node) = self.node(slot) {
            self.ladders.prefetch(node.level);
            self.prefetch(node.prev);
            self.prefetch(node.next);
        }
    }
}

/// Notes a level before it changes for the first time.
fn touch(list: &mut Vec<Touched>, level: &mut Level, at: u32, node: &Node) {
    // The number of a level that comes to be may have named another one.
    if !level.touched || level.orders == 0 {
        level.touched = true;
        list.push(Touched {
            at,
            place: node.place & !ICEBERG,
            price: node.price,
            size: level.size,
        });
    }
}
