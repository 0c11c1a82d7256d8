//! How far the prices of a group may move until an account is under maintenance margin.

use super::book::Book;
use super::world::{MILLION, World};
use super::{Figures, MarginExplained};
use crate::snapshot::Snapshot;
use ballast_types::{Account, GroupId};

/// How far down is looked, in millionths of a price.
pub const FARTHEST_DOWN_PPM: i64 = 990_000;
/// How far up.
pub const FARTHEST_UP_PPM: i64 = 9_000_000;

/// Moves that are looked at, in millionths; between the first that puts the account under maintenance
/// and the one before it the distance is bisected.
const DOWN: [i64; 20] = [
    2_000,
    5_000,
    10_000,
    20_000,
    30_000,
    50_000,
    75_000,
    100_000,
    150_000,
    200_000,
    250_000,
    300_000,
    400_000,
    500_000,
    600_000,
    700_000,
    800_000,
    900_000,
    950_000,
    FARTHEST_DOWN_PPM,
];
const UP: [i64; 22] = [
    2_000,
    5_000,
    10_000,
    20_000,
    30_000,
    50_000,
    75_000,
    100_000,
    150_000,
    200_000,
    300_000,
    400_000,
    500_000,
    750_000,
    1_000_000,
    1_500_000,
    2_000_000,
    3_000_000,
    4_000_000,
    5_500_000,
    7_000_000,
    FARTHEST_UP_PPM,
];

/// The smallest relative moves of all prices of a group at which an account is under maintenance
/// margin, when volatilities, time and other groups stay; millionths, not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distance {
    /// Which.
    pub group: GroupId,
    /// Its index in its scale; 0 is none.
    pub index: i64,
    /// Down; `None` where no move to [`FARTHEST_DOWN_PPM`] does it.
    pub down_ppm: Option<i64>,
    /// Up; `None` where no move to [`FARTHEST_UP_PPM`] does it.
    pub up_ppm: Option<i64>,
}

impl Snapshot {
    /// How far each group in which an account holds something may move: a search over fixed moves
    /// that widen, then bisection to one millionth, at most 100 valuations of each group. An account
    /// that is covered again before a farther one of the fixed moves may be missed between them.
    /// Visits every open order of the chain.
    pub fn liquidation_distance(&self, account: &Account) -> Option<Vec<Distance>> {
        let mut book = self.book_of(account)?;
        // What is held alone decides.
        book.orders.clear();
        let now = self.explained(account, &book);
        let each = now.groups.iter().map(|group| group.group);
        let held = each.filter(|group| self.holds(&book, *group));
        Some(
            held.filter_map(|group| self.distance(&book, &now, group))
                .collect(),
        )
    }

    /// Whether prices of a group change what an account has.
    fn holds(&self, book: &Book, group: GroupId) -> bool {
        let figures = World::now(self, group).map(|world| world.figures(book));
        figures.is_some_and(|figures| figures != Figures::default())
    }

    fn distance(&self, book: &Book, now: &MarginExplained, group: GroupId) -> Option<Distance> {
        let of_group = now.groups.iter().find(|of| of.group == group)?.figures;
        let rest = Figures {
            equity: now.total.equity.saturating_sub(of_group.equity),
            held: now.total.held.saturating_sub(of_group.held),
            ..Figures::default()
        };
        let under = |ppm: i64| {
            let factor = MILLION.saturating_add(ppm);
            let world = World::moved(self, group, factor);
            world.is_some_and(|world| rest.plus(world.figures(book)).under_maintenance())
        };
        Some(Distance {
            group,
            index: self.prices.unit(group)?.index,
            down_ppm: nearest(&DOWN, |ppm| under(ppm.saturating_neg())),
            up_ppm: nearest(&UP, under),
        })
    }
}

/// The first of some ascending moves at which something holds, to the millionth.
fn nearest(moves: &[i64], holds: impl Fn(i64) -> bool) -> Option<i64> {
    if holds(0) {
        return Some(0);
    }
    let mut before = 0_i64;
    for at in moves {
        if holds(*at) {
            return Some(bisect(before, *at, holds));
        }
        before = *at;
    }
    None
}

/// The least number above `not` at which something holds that holds at `yes`.
fn bisect(mut not: i64, mut yes: i64, holds: impl Fn(i64) -> bool) -> i64 {
    while yes.saturating_sub(not) > 1 {
        let middle = not.saturating_add(yes.saturating_sub(not).div_euclid(2));
        if holds(middle) {
            yes = middle;
        } else {
            not = middle;
        }
    }
    yes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_move_is_exact() {
        for least in [1, 2, 1_999, 2_000, 2_001, 123_456, 8_999_999, 9_000_000] {
            assert_eq!(nearest(&UP, |ppm| ppm >= least), Some(least));
        }
        assert_eq!(nearest(&UP, |ppm| ppm > FARTHEST_UP_PPM), None);
        assert_eq!(nearest(&DOWN, |_| true), Some(0));
    }
}
