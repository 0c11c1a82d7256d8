//! The price levels of all sides of all markets.
//!
//! Levels stand in chunks of neighbouring prices, with one bit for each level that has orders. The
//! chunks of a side are a list, best first, and the leaves of a [`Tree`]. A table finds most of
//! them without a walk through the tree. So memory follows the levels that exist, and no price is
//! too far away.

use crate::prefetch::prefetch;
use crate::tree::{Neighbour, Root, Tree};
use crate::{NONE, index};
use ballast_types::{Lots, Side, Ticks};

/// A chunk has two to the power of this many levels; at most 64.
const BITS: u32 = 5;
const WIDTH: usize = 1 << BITS;
const MASK: u32 = (1 << BITS) - 1;
/// Entries of the table for each chunk, at least.
const ENTRIES_PER_CHUNK: usize = 4;
/// A place that never exists.
const NO_PLACE: u32 = u32::MAX >> 1;
/// Markets have smaller numbers, so that a place has fewer than 31 bits.
const MAX_MARKETS: u32 = 1 << 29;

/// One side of one market, as a number. [`NO_PLACE`] when there is no such market.
#[inline]
pub(crate) fn place_of(market: u32, side: Side) -> u32 {
    if market >= MAX_MARKETS {
        return NO_PLACE;
    }
    match side {
        Side::Buy => market << 1,
        Side::Sell => market << 1 | 1,
    }
}

#[inline]
pub(crate) fn side_of(place: u32) -> Side {
    if place & 1 == 0 {
        Side::Buy
    } else {
        Side::Sell
    }
}

/// Orders prices from best to worst.
#[inline]
pub(crate) fn rank(side: Side, price: Ticks) -> u64 {
    let rising = price.cast_unsigned() ^ (1 << 63);
    match side {
        Side::Buy => !rising,
        Side::Sell => rising,
    }
}

/// The inverse of [`rank`].
#[inline]
fn price_of(side: Side, rank: u64) -> Ticks {
    let rising = match side {
        Side::Buy => !rank,
        Side::Sell => rank,
    };
    (rising ^ (1 << 63)).cast_signed()
}

/// The orders of one level, first come first.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
pub(crate) struct Level {
    /// Sum of what its orders show.
    pub(crate) size: Lots,
    /// Sum of what its orders hide. Both together fit the type.
    pub(crate) hidden: Lots,
    pub(crate) head: u32,
    pub(crate) tail: u32,
    /// None: the level does not exist.
    pub(crate) orders: u32,
    /// It is in the list of levels touched since the last seal.
    pub(crate) touched: bool,
}

impl Level {
    const VACANT: Self = Self {
        size: 0,
        hidden: 0,
        head: NONE,
        tail: NONE,
        orders: 0,
        touched: false,
    };
}

/// Levels of neighbouring ranks.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    /// The ranks without their last bits.
    number: u64,
    /// Which levels exist, the best in the lowest bit. None in a chunk that is free.
    live: u64,
    place: u32,
    /// The next better chunk of the side.
    prev: u32,
    /// The next worse chunk of the side.
    next: u32,
}

/// One side of one market.
#[derive(Clone, Copy, Debug)]
struct Ladder {
    best: u32,
    root: Root,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Ladders {
    /// By place.
    sides: Vec<Ladder>,
    chunks: Vec<Chunk>,
    /// Those of the chunks, in their order.
    levels: Vec<Level>,
    free: Vec<u32>,
    tree: Tree,
    /// Where a chunk is likely to be found, by place and number; a power of two.
    table: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u64,
    place: u32,
    chunk: u32,
}

impl Entry {
    const EMPTY: Self = Self {
        number: 0,
        place: NONE,
        chunk: NONE,
    };
}

/// A level and what it is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a> {
    pub(crate) at: u32,
    pub(crate) price: Ticks,
    pub(crate) level: &'a Level,
}

#[inline]
fn offset(rank: u64) -> u32 {
    u32::try_from(rank & u64::from(MASK)).unwrap_or(0)
}

#[inline]
fn bit(at: u32) -> u64 {
    1_u64.wrapping_shl(at & MASK)
}

impl Ladders {
    /// Sees to it that there are at least so many markets.
    pub(crate) fn grow(&mut self, markets: usize) {
        let empty = Ladder {
            best: NONE,
            root: NONE,
        };
        let sides = markets.min(index(MAX_MARKETS)).saturating_mul(2);
        self.sides.resize(sides.max(self.sides.len()), empty);
    }

    #[inline]
    pub(crate) fn level(&self, at: u32) -> Option<&Level> {
        self.levels.get(index(at)).filter(|level| level.orders > 0)
    }

    #[inline]
    pub(crate) fn level_mut(&mut self, at: u32) -> Option<&mut Level> {
        self.levels.get_mut(index(at))
    }

    /// The level of a rank, as a number; it need not have orders yet. `None` when the place does
    /// not exist. Who adds no order calls [`vacate`](Self::vacate).
    #[inline]
    pub(crate) fn open(&mut self, place: u32, rank: u64) -> Option<u32> {
        let number = rank >> BITS;
        let chunk = match self.remembered(place, number) {
            NONE => self.open_chunk(place, number)?,
            chunk => chunk,
        };
        Some(chunk << BITS | offset(rank))
    }

    /// A level has its first order.
    #[inline]
    pub(crate) fn occupy(&mut self, at: u32) {
        if let Some(chunk) = self.chunks.get_mut(index(at >> BITS)) {
            chunk.live |= bit(at);
        }
    }

    /// A level has no order.
    #[inline]
    pub(crate) fn vacate(&mut self, at: u32) {
        let id = at >> BITS;
        let Some(chunk) = self.chunks.get_mut(index(id)) else {
            return;
        };
        chunk.live &= !bit(at);
        if chunk.live == 0 {
            let chunk = *chunk;
            self.close_chunk(id, chunk);
        }
    }

    /// The level of a price, as a number; it need not exist.
    #[inline]
    pub(crate) fn find(&self, market: u32, side: Side, price: Ticks) -> Option<u32> {
        let (place, rank) = (place_of(market, side), rank(side, price));
        let number = rank >> BITS;
        let chunk = match self.remembered(place, number) {
            NONE => self.walked(place, number)?,
            chunk => chunk,
        };
        Some(chunk << BITS | offset(rank))
    }

    /// The best level of a side, as a number.
    #[inline]
    pub(crate) fn best(&self, place: u32) -> Option<u32> {
        let id = self.sides.get(index(place))?.best;
        let chunk = self.chunks.get(index(id))?;
        Some(id << BITS | chunk.live.trailing_zeros())
    }

    /// The next worse level of the same side, as a number.
    pub(crate) fn worse(&self, at: u32) -> Option<u32> {
        let id = at >> BITS;
        let chunk = self.chunks.get(index(id))?;
        // Shifted twice: once by the whole width would be no shift at all.
        let rest = chunk.live.wrapping_shr(at & MASK) >> 1;
        if rest != 0 {
            let steps = rest.trailing_zeros().saturating_add(1);
            return Some(at.saturating_add(steps));
        }
        let worse = self.chunks.get(index(chunk.next))?;
        Some(chunk.next << BITS | worse.live.trailing_zeros())
    }

    /// The next better level of the same side, as a number.
    pub(crate) fn better(&self, at: u32) -> Option<u32> {
        let chunk = self.chunks.get(index(at >> BITS))?;
        let below = chunk.live & bit(at).wrapping_sub(1);
        if let Some(offset) = below.checked_ilog2() {
            return Some(at & !MASK | offset);
        }
        let better = self.chunks.get(index(chunk.prev))?;
        Some(chunk.prev << BITS | better.live.checked_ilog2()?)
    }

    /// The price of a level.
    #[inline]
    pub(crate) fn price(&self, at: u32) -> Option<Ticks> {
        let chunk = self.chunks.get(index(at >> BITS))?;
        let rank = chunk.number << BITS | u64::from(at & MASK);
        Some(price_of(side_of(chunk.place), rank))
    }

    /// A level that exists.
    pub(crate) fn found(&self, at: u32) -> Option<Found<'_>> {
        let (price, level) = (self.price(at)?, self.level(at)?);
        Some(Found { at, price, level })
    }

    /// The levels of a side, best first.
    pub(crate) fn walk(&self, place: u32) -> impl Iterator<Item = Found<'_>> {
        std::iter::successors(self.best(place), |at| self.worse(*at))
            .filter_map(|at| self.found(at))
    }

    #[inline]
    pub(crate) fn has(&self, place: u32) -> bool {
        index(place) < self.sides.len()
    }

    /// Fetches a level into the cache.
    #[inline]
    pub(crate) fn prefetch(&self, at: u32) {
        if let Some(level) = self.levels.get(index(at)) {
            prefetch(level);
        }
    }

    #[inline]
    fn slot_of(&self, place: u32, number: u64) -> usize {
        // Neighbouring chunks get neighbouring entries, sides begin at scattered ones.
        let scattered = place.wrapping_mul(0x9e37_79b1) >> 4;
        let mask = self.table.len().wrapping_sub(1);
        let hash = number.wrapping_add(u64::from(scattered)) & u64::from(u32::MAX);
        usize::try_from(hash).unwrap_or(0) & mask
    }

    /// The chunk, when the table knows it, or [`NONE`].
    #[inline]
    fn remembered(&self, place: u32, number: u64) -> u32 {
        match self.table.get(self.slot_of(place, number)) {
            Some(entry) if entry.number == number && entry.place == place => entry.chunk,
            _ => NONE,
        }
    }

    fn remember(&mut self, place: u32, number: u64, chunk: u32) {
        let at = self.slot_of(place, number);
        if let Some(entry) = self.table.get_mut(at) {
            *entry = Entry {
                number,
                place,
                chunk,
            };
        }
    }

    /// The chunk, when the tree knows it.
    fn walked(&self, place: u32, number: u64) -> Option<u32> {
        let root = self.sides.get(index(place))?.root;
        let nearest = self.tree.nearest(root, number)?;
        let chunk = self.chunks.get(index(nearest))?;
        (chunk.number == number).then_some(nearest)
    }

    #[cold]
    fn open_chunk(&mut self, place: u32, number: u64) -> Option<u32> {
        let mut ladder = *self.sides.get(index(place))?;
        let nearest = self.tree.nearest(ladder.root, number);
        let of_nearest = nearest.and_then(|id| self.chunks.get(index(id)));
        let nearest_number = of_nearest.map_or(0, |chunk| chunk.number);
        if let Some(id) = nearest.filter(|_| nearest_number == number) {
            self.remember(place, number, id);
            return Some(id);
        }
        let id = self.allocate()?;
        let mut chunk = Chunk {
            number,
            live: 0,
            place,
            prev: NONE,
            next: NONE,
        };
        match self
            .tree
            .insert(&mut ladder.root, number, id, nearest_number)
        {
            Neighbour::None => (),
            Neighbour::Below(prev) => {
                chunk.prev = prev;
                chunk.next = self.chunks.get(index(prev)).map_or(NONE, |prev| prev.next);
            }
            Neighbour::Above(next) => {
                chunk.next = next;
                chunk.prev = self.chunks.get(index(next)).map_or(NONE, |next| next.prev);
            }
        }
        match self.chunks.get_mut(index(chunk.prev)) {
            Some(prev) => prev.next = id,
            None => ladder.best = id,
        }
        if let Some(next) = self.chunks.get_mut(index(chunk.next)) {
            next.prev = id;
        }
        *self.chunks.get_mut(index(id))? = chunk;
        *self.sides.get_mut(index(place))? = ladder;
        self.remember(place, number, id);
        Some(id)
    }

    #[cold]
    fn close_chunk(&mut self, id: u32, chunk: Chunk) {
        let Some(ladder) = self.sides.get_mut(index(chunk.place)) else {
            return;
        };
        self.tree.remove(&mut ladder.root, chunk.number);
        match self.chunks.get_mut(index(chunk.prev)) {
            Some(prev) => prev.next = chunk.next,
            None => ladder.best = chunk.next,
        }
        if let Some(next) = self.chunks.get_mut(index(chunk.next)) {
            next.prev = chunk.prev;
        }
        if self.remembered(chunk.place, chunk.number) != NONE {
            let at = self.slot_of(chunk.place, chunk.number);
            if let Some(entry) = self.table.get_mut(at) {
                *entry = Entry::EMPTY;
            }
        }
        self.free.push(id);
    }

    /// A chunk without levels.
    fn allocate(&mut self) -> Option<u32> {
        if let Some(id) = self.free.pop() {
            return Some(id);
        }
        let id = u32::try_from(self.chunks.len()).ok()?;
        if id > NONE >> BITS >> 1 {
            return None;
        }
        self.chunks.push(Chunk {
            number: 0,
            live: 0,
            place: NONE,
            prev: NONE,
            next: NONE,
        });
        let levels = self.levels.len().saturating_add(WIDTH);
        self.levels.resize(levels, Level::VACANT);
        let entries = self.chunks.len().saturating_mul(ENTRIES_PER_CHUNK);
        if entries > self.table.len() {
            self.enlarge_table(entries.next_power_of_two());
        }
        Some(id)
    }

    fn enlarge_table(&mut self, entries: usize) {
        self.table.clear();
        self.table.resize(entries, Entry::EMPTY);
        for id in (0..).take(self.chunks.len()) {
            let chunk = self.chunks.get(index(id)).filter(|chunk| chunk.live != 0);
            if let Some(&Chunk { number, place, .. }) = chunk {
                self.remember(place, number, id);
            }
        }
    }
}
