use crate::Books;
use crate::ladder::side_of;
use crate::queue::{Iceberg, Node};
use ballast_types::{Lots, Side, Ticks};

/// A level whose total is not what it was at the last seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangedLevel {
    /// Market, numbered within the group.
    pub market: u32,
    /// Side.
    pub side: Side,
    /// Price in ticks.
    pub price: Ticks,
    /// Total in lots now; 0 when the level is gone.
    pub size: Lots,
}

/// A level as it was before it changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touched {
    /// The number that it had then.
    pub(crate) at: u32,
    /// Market and side.
    pub(crate) place: u32,
    pub(crate) price: Ticks,
    pub(crate) size: Lots,
}

/// One change of one order, with what it takes to undo it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Inserted {
        slot: u32,
    },
    Resized {
        slot: u32,
        /// What it was.
        size: Lots,
    },
    Removed {
        slot: u32,
        /// The order that it stood before.
        next: u32,
        place: u32,
        price: Ticks,
        size: Lots,
    },
    /// The entry of a slot in the table of icebergs is another.
    Iceberg {
        slot: u32,
        before: Iceberg,
    },
}

impl Change {
    pub(crate) fn removed(slot: u32, node: &Node) -> Self {
        let Node {
            price,
            size,
            next,
            place,
            ..
        } = *node;
        Self::Removed {
            slot,
            next,
            place,
            price,
            size,
        }
    }
}

impl Books {
    /// The levels whose totals differ from those of the last seal, by market, side and price.
    pub fn changed(&self) -> Vec<ChangedLevel> {
        let key = |touched: &Touched| (touched.place, touched.price);
        let mut levels: Vec<_> = self.queues.touched.iter().collect();
        // A stable sort: of several the first tells what was before.
        levels.sort_by_key(|touched| key(touched));
        levels.dedup_by_key(|touched| key(touched));
        let changed = levels.into_iter().filter_map(|touched| {
            let (market, side) = (touched.place >> 1, side_of(touched.place));
            let size = self.total(market, side, touched.price);
            (size != touched.size).then_some(ChangedLevel {
                market,
                side,
                price: touched.price,
                size,
            })
        });
        changed.collect()
    }

    /// The block is committed: what was done until now can no longer be taken back.
    pub fn seal(&mut self) {
        self.log.clear();
        self.queues.forget_touched();
    }

    /// The block is dropped: everything is again as it was at the last seal.
    pub fn rollback(&mut self) {
        while let Some(change) = self.log.pop() {
            match change {
                Change::Inserted { slot } => {
                    self.queues.unlink(slot);
                }
                Change::Resized { slot, size } => self.queues.resize(slot, size),
                Change::Iceberg { slot, before } => self.queues.set_iceberg(slot, before),
                Change::Removed {
                    slot,
                    next,
                    place,
                    price,
                    size,
                } => {
                    let linked = self.queues.link(slot, Node::new(place, price, size, next));
                    debug_assert!(linked.is_some(), "an order returns to where it was");
                }
            }
        }
        self.queues.forget_touched();
    }
}
