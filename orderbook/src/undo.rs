use crate::Books;
use crate::books::Node;
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

/// One change of one order, with what it takes to undo it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) slot: u32,
    /// The order. Of a removed one, `next` names the order that it stood before.
    pub(crate) node: Node,
    /// Size before, 0 when the order did not rest.
    pub(crate) before: Lots,
    /// Size after, 0 when the order no longer rests.
    pub(crate) after: Lots,
}

impl Books {
    /// The levels whose totals differ from those of the last seal, by market, side and price.
    pub fn changed(&self) -> Vec<ChangedLevel> {
        let key = |level: &ChangedLevel| (level.market, level.side, level.price);
        let difference = |change: &Change| {
            let order = change.node.resting(change.slot);
            let size = change.after.wrapping_sub(change.before);
            ChangedLevel {
                market: order.market,
                side: order.side,
                price: order.price,
                size,
            }
        };
        let mut differences: Vec<_> = self.log.iter().map(difference).collect();
        differences.sort_unstable_by_key(key);
        let of_level = differences.chunk_by(|a, b| key(a) == key(b));
        of_level
            .filter_map(|level| {
                // The sum of all is the difference of two totals, so it fits, in any order.
                let sum = level
                    .iter()
                    .fold(0, |sum: Lots, part| sum.wrapping_add(part.size));
                let &ChangedLevel {
                    market,
                    side,
                    price,
                    ..
                } = level.first()?;
                let size = self.total(market, side, price);
                (sum != 0).then_some(ChangedLevel {
                    market,
                    side,
                    price,
                    size,
                })
            })
            .collect()
    }

    /// The block is committed: what was done until now can no longer be taken back.
    pub fn seal(&mut self) {
        self.log.clear();
    }

    /// The block is dropped: everything is again as it was at the last seal.
    pub fn rollback(&mut self) {
        while let Some(Change {
            slot,
            node,
            before,
            after,
        }) = self.log.pop()
        {
            if before == 0 {
                self.unlink(slot);
            } else if after == 0 {
                let linked = self.link(slot, node);
                debug_assert!(
                    linked.is_ok(),
                    "an order returns to where it was: {linked:?}"
                );
            } else {
                self.resize(slot, before);
            }
        }
    }
}
