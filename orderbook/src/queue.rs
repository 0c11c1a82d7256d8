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

    /// The place of an iceberg.
    pub(crate) fn iceberg_at(place: u32) -> u32 {
        place | ICEBERG
    }

    /// An order before `next`, or at the end of its level when that is [`NONE`].
    #[inline]
    pub(crate) fn new(place: u32, price: Ticks, size: Lots, next: u32) -> Self {
        Self {
            price,
            size,
            next,
            place,
            ..Self::VACANT
        }
    }

    #[inline]
    pub(crate) fn side(&self) -> Side {
        side_of(self.place)
    }

    #[inline]
    pub(crate) fn market(&self) -> u32 {
        (self.place & !ICEBERG) >> 1
    }

    #[inline]
    fn iceberg(&self) -> bool {
        self.place & ICEBERG != 0
    }
}

/// The hidden part of an order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Iceberg {
    pub(crate) hidden: Lots,
    /// What a refresh shows, when so much is hidden.
    pub(crate) display: Lots,
}

/// The orders of all markets and the levels that they stand at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queues {
    /// By slot.
    nodes: Vec<Node>,
    /// By slot; as long as the last iceberg needs. An entry counts when the node says so.
    icebergs: Vec<Iceberg>,
    pub(crate) ladders: Ladders,
    pub(crate) len: usize,
    /// Levels that changed since the last seal, as they were; a level may be named again.
    pub(crate) touched: Vec<Touched>,
    /// Changes are not noted.
    pub(crate) forgetful: bool,
}

impl Queues {
    #[inline]
    pub(crate) fn node(&self, slot: u32) -> Option<&Node> {
        self.nodes.get(index(slot)).filter(|node| node.size > 0)
    }

    #[inline]
    pub(crate) fn resting(&self, slot: u32, node: &Node) -> Resting {
        Resting {
            slot,
            market: node.market(),
            side: node.side(),
            price: node.price,
            size: node.size,
            hidden: self.hidden(slot, node),
        }
    }

    #[inline]
    fn hidden(&self, slot: u32, node: &Node) -> Lots {
        if node.iceberg() {
            self.iceberg(slot).hidden
        } else {
            0
        }
    }

    /// The entry of a slot, whether it counts or not.
    #[inline]
    pub(crate) fn iceberg(&self, slot: u32) -> Iceberg {
        self.icebergs.get(index(slot)).copied().unwrap_or_default()
    }

    /// Sets the entry of a slot. When it counts, the caller knows that the level has room.
    pub(crate) fn set_iceberg(&mut self, slot: u32, iceberg: Iceberg) {
        if self.icebergs.len() <= index(slot) {
            self.icebergs
                .resize(index(slot).saturating_add(1), Iceberg::default());
        }
        let Some(place) = self.icebergs.get_mut(index(slot)) else {
            return;
        };
        let before = std::mem::replace(place, iceberg);
        if let Some(node) = self.node(slot).copied().filter(Node::iceberg)
            && let Some(level) = self.ladders.level_mut(node.level)
        {
            let rest = level.hidden.saturating_sub(before.hidden);
            level.hidden = rest.saturating_add(iceberg.hidden);
        }
    }

    /// Puts a node in before `node.next`, at the end of its level when that is none. `None`,
    /// and no change, when the level's total would overflow or the market does not exist.
    #[inline]
    pub(crate) fn link(&mut self, slot: u32, mut node: Node) -> Option<()> {
        let rank = rank(node.side(), node.price);
        let hidden = self.hidden(slot, &node);
        let at = self.ladders.open(node.place & !ICEBERG, rank)?;
        let level = self.ladders.level_mut(at)?;
        // A level without orders takes every size, so that a refusal leaves none behind.
        let (shown, concealed) = room(level, node.size, hidden)?;
        let first = level.orders == 0;
        if !self.forgetful {
            touch(&mut self.touched, level, at, &node);
        }
        level.size = shown;
        level.hidden = concealed;
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
    #[inline]
    pub(crate) fn unlink(&mut self, slot: u32) -> Option<Node> {
        let place = self.nodes.get_mut(index(slot))?;
        if place.size == 0 {
            return None;
        }
        let node = *place;
        place.size = 0;
        let hidden = self.hidden(slot, &node);
        let level = self.ladders.level_mut(node.level)?;
        if !self.forgetful {
            touch(&mut self.touched, level, node.level, &node);
        }
        level.size = level.size.saturating_sub(node.size);
        level.hidden = level.hidden.saturating_sub(hidden);
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
    #[inline]
    pub(crate) fn resize(&mut self, slot: u32, size: Lots) {
        let Some(node) = self.nodes.get_mut(index(slot)) else {
            return;
        };
        if let Some(level) = self.ladders.level_mut(node.level) {
            if !self.forgetful {
                touch(&mut self.touched, level, node.level, node);
            }
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
            Some(self.resting(slot, node))
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
    #[inline]
    pub(crate) fn prefetch(&self, slot: u32) {
        if let Some(node) = self.nodes.get(index(slot)) {
            prefetch(node);
        }
    }

    /// Fetches level and neighbours of an order.
    #[inline]
    pub(crate) fn prefetch_around(&self, slot: u32) {
        if let Some(node) = self.node(slot) {
            self.ladders.prefetch(node.level);
            self.prefetch(node.prev);
            self.prefetch(node.next);
        }
    }
}

/// Totals of a level with one more order; `None` when both together would overflow.
#[inline]
fn room(level: &Level, size: Lots, hidden: Lots) -> Option<(Lots, Lots)> {
    let shown = level.size.checked_add(size)?;
    let concealed = level.hidden.checked_add(hidden)?;
    shown.checked_add(concealed)?;
    Some((shown, concealed))
}

/// Notes a level before it changes for the first time.
#[inline]
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
