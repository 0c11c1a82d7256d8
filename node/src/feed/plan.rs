//! What to do so that a book follows the recorded one, and how the two are compared.
//!
//! The first row seeds the book. A level of a later row is *determined* when it lies at or better
//! than the worst price that the row before showed of its side: the messages alone must bring it
//! about. Levels beyond come into view with whatever happened out of sight, so they are *adopted*:
//! missing size enters as one unattributed order in front, surplus goes from the back. Messages
//! about orders that never were seen to enter act on the unattributed order of their level.

use std::collections::BTreeSet;

use ballast_types::{Lots, Side, Ticks};

use super::book::{Book, Trade, at_or_better};
use super::lobster::{Kind, Message, Row, Sample};

/// Client ids from here on name unattributed orders; recorded orders have smaller ones.
pub const UNATTRIBUTED: u128 = 1 << 64;
/// Actions that one block is asked to hold at most.
const MAX_RUN: usize = 200;

const SIDES: [Side; 2] = [Side::Buy, Side::Sell];

/// Something to do. Orders are named by client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Cancel an order.
    Cancel {
        /// Which.
        id: u128,
    },
    /// Make an order smaller in place.
    Reduce {
        /// Which.
        id: u128,
        /// Its price, which stays.
        price: Ticks,
        /// Its size, counted from when it entered.
        total: Lots,
        /// What still rests.
        left: Lots,
    },
    /// Enter an order that only rests.
    Post {
        /// Its name.
        id: u128,
        /// Its side.
        side: Side,
        /// Its price.
        price: Ticks,
        /// Its size.
        size: Lots,
    },
    /// Trade at once, and cancel what does not.
    Take {
        /// The side that is traded with.
        side: Side,
        /// The worst price.
        price: Ticks,
        /// How much.
        size: Lots,
    },
}

/// The plan is a list of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Do this.
    Act(Act),
    /// The book is now to be compared with this row, by [`compare`].
    Check(usize),
}

/// Everything to do for a sample, and what became of it in the planner's own book.
#[derive(Debug, Default)]
pub struct Plan {
    /// In this order.
    pub items: Vec<Item>,
    /// Levels that were adopted.
    pub adopted: usize,
    /// Orders that adoptions enter again.
    pub reentered: usize,
    /// Messages about orders that were not seen to enter.
    pub unattributed: usize,
    /// The comparisons with the planner's own book.
    pub tally: Tally,
    /// The book as it is now.
    pub book: Book,
    /// Trades in that book.
    pub trades: Vec<Trade>,
    /// How many unattributed orders there were.
    unseen: u128,
}

/// Sum of comparisons.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Steps compared.
    pub steps: usize,
    /// Steps without a difference.
    pub agreed: usize,
    /// Determined levels compared.
    pub levels: usize,
    /// The differences: row and what is different.
    pub differences: Vec<(usize, String)>,
}

impl Tally {
    /// Compares the book with row `step` and counts the outcome. True when they agree.
    pub fn check(&mut self, sample: &Sample, step: usize, book: &Book) -> bool {
        let rows = step
            .checked_sub(1)
            .and_then(|at| sample.rows.get(at..=step));
        match rows {
            Some([before, after]) => self.compare(step, before, after, book),
            _ => false,
        }
    }

    /// Compares the book with the row `after` and counts the outcome. True when they agree.
    pub fn compare(&mut self, step: usize, before: &Row, after: &Row, book: &Book) -> bool {
        let (levels, wrong) = compare(book, before, after);
        self.steps += 1;
        self.levels += levels;
        let agrees = wrong.is_empty();
        self.agreed += usize::from(agrees);
        self.differences
            .extend(wrong.into_iter().map(|wrong| (step, wrong)));
        agrees
    }
}

/// The levels compared, and those that differ, of a book that should be that of `after`.
pub fn compare(book: &Book, before: &Row, after: &Row) -> (usize, Vec<String>) {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for side in SIDES {
        let determined = |price: Ticks| {
            [before.last(side), after.last(side)]
                .into_iter()
                .all(|last| last.is_none_or(|last| at_or_better(side, price, last)))
        };
        let recorded = after.side(side).iter().copied();
        let recorded: Vec<_> = recorded.filter(|level| determined(level.0)).collect();
        let found = book.levels(side);
        let found: Vec<_> = found.take_while(|level| determined(level.0)).collect();
        compared += recorded.len();
        if recorded == found {
            continue;
        }
        let prices: BTreeSet<_> = recorded.iter().chain(&found).map(|level| level.0).collect();
        for price in prices {
            let (recorded, found) = (size_at(&recorded, price), size_at(&found, price));
            if recorded != found {
                wrong.push(format!(
                    "{side:?} {price}: recorded {recorded}, found {found}"
                ));
            }
        }
    }
    (compared, wrong)
}

fn size_at(levels: &[(Ticks, Lots)], price: Ticks) -> Lots {
    levels
        .iter()
        .find(|level| level.0 == price)
        .map_or(0, |level| level.1)
}

impl Act {
    /// Rank in a block: cancels, amends, orders that only rest, orders that may take.
    fn class(&self) -> u8 {
        match self {
            Self::Cancel { .. } => 0,
            Self::Reduce { .. } => 1,
            Self::Post { .. } => 2,
            Self::Take { .. } => 3,
        }
    }
}

/// Cuts the plan into blocks: the longest runs in which the canonical order of a block keeps the
/// order of the actions, given growing nonces.
pub fn runs(items: &[Item]) -> Vec<&[Item]> {
    let mut runs = Vec::new();
    let (mut start, mut class, mut acts) = (0, 0, 0);
    for (at, item) in items.iter().enumerate() {
        let Item::Act(act) = item else { continue };
        if act.class() < class || acts == MAX_RUN {
            runs.push(&items[start..at]);
            (start, acts) = (at, 0);
        }
        class = act.class();
        acts += 1;
    }
    runs.push(&items[start..]);
    runs
}

/// Plans a whole sample.
pub fn plan(sample: &Sample) -> Plan {
    let mut plan = Plan::default();
    if let Some(first) = sample.rows.first() {
        plan.seed(first);
    }
    let steps = (1..).zip(sample.rows.windows(2));
    for (message, (step, rows)) in sample.messages.iter().skip(1).zip(steps) {
        if let [before, after] = rows {
            plan.step(step, message, before, after);
        }
    }
    plan
}

impl Plan {
    /// The first row: all that it shows is adopted.
    pub fn seed(&mut self, first: &Row) {
        self.adopt(None, first);
        self.adopted = 0;
    }

    /// Does what a message says, compares with the row after it, and adopts what came into view.
    pub fn step(&mut self, step: usize, message: &Message, before: &Row, after: &Row) {
        self.follow(message);
        self.items.push(Item::Check(step));
        self.tally.compare(step, before, after, &self.book);
        self.adopt(Some(before), after);
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Cancel { id } => {
                self.book.remove(id);
            }
            Act::Reduce { id, left, .. } => {
                self.book.reduce(id, left);
            }
            Act::Post {
                id,
                side,
                price,
                size,
            } => self.book.rest(side, price, id, size),
            Act::Take { side, price, size } => self.book.take(side, price, size, &mut self.trades),
        }
        self.items.push(Item::Act(act));
    }

    /// Does what a message says.
    pub fn follow(&mut self, message: &Message) {
        let Message {
            kind,
            size,
            price,
            side,
            ..
        } = *message;
        match kind {
            Kind::New => self.act(Act::Post {
                id: message.order.into(),
                side,
                price,
                size,
            }),
            Kind::Trade => self.act(Act::Take { side, price, size }),
            Kind::Reduce | Kind::Delete => {
                let own = u128::from(message.order);
                let known = self.book.order(own).is_some();
                self.unattributed += usize::from(!known);
                let id = match known {
                    true => Some(own),
                    false => self.unattributed_at(side, price),
                };
                let rest = if known && kind == Kind::Delete {
                    Lots::MAX
                } else {
                    size
                };
                if let Some(id) = id {
                    let shrink = self.shrink(id, rest);
                    shrink.into_iter().for_each(|act| self.act(act));
                }
            }
            Kind::Nothing => {}
        }
    }

    fn unattributed_at(&self, side: Side, price: Ticks) -> Option<u128> {
        let orders = self.book.orders(side, price).into_iter();
        orders.map(|order| order.id).find(|id| *id >= UNATTRIBUTED)
    }

    /// Takes `size` off an order.
    fn shrink(&self, id: u128, size: Lots) -> Option<Act> {
        let (_, price, order) = self.book.order(id)?;
        let left = order.size.saturating_sub(size);
        Some(match left > 0 {
            true => Act::Reduce {
                id,
                price,
                total: order.filled + left,
                left,
            },
            false => Act::Cancel { id },
        })
    }

    /// Brings the levels of `after` about that are not determined: those beyond `before`.
    fn adopt(&mut self, before: Option<&Row>, after: &Row) {
        let mut acts = Vec::new();
        for side in SIDES {
            let seen = |price: Ticks| {
                before.is_some_and(|row| {
                    let last = row.last(side);
                    last.is_none_or(|last| at_or_better(side, price, last))
                })
            };
            let shown = |price: Ticks| {
                let last = after.last(side);
                last.is_none_or(|last| at_or_better(side, price, last))
            };
            let found = self.book.levels(side).skip_while(|level| seen(level.0));
            let found: Vec<_> = found.take_while(|level| shown(level.0)).collect();
            let recorded = after.side(side).iter().copied();
            let recorded: Vec<_> = recorded.filter(|level| !seen(level.0)).collect();
            let prices: BTreeSet<_> = found.iter().chain(&recorded).map(|level| level.0).collect();
            for price in prices {
                let missing = size_at(&recorded, price) - size_at(&found, price);
                self.adopted += usize::from(missing != 0);
                if missing > 0 {
                    acts.extend(self.put_in_front(side, price, missing));
                } else {
                    acts.extend(self.drop_from_back(side, price, -missing));
                }
            }
        }
        // Levels do not depend on each other, so their actions may be sorted into one run.
        acts.sort_by_key(Act::class);
        acts.into_iter().for_each(|act| self.act(act));
    }

    fn put_in_front(&mut self, side: Side, price: Ticks, missing: Lots) -> Vec<Act> {
        let old = self.book.orders(side, price);
        let mut acts: Vec<_> = old
            .iter()
            .map(|order| Act::Cancel { id: order.id })
            .collect();
        let (front, rest) = match old.split_first() {
            Some((first, rest)) if first.id >= UNATTRIBUTED => (first.size, rest),
            _ => (0, old.as_slice()),
        };
        let post = |id, size| Act::Post {
            id,
            side,
            price,
            size,
        };
        acts.push(post(UNATTRIBUTED + self.unseen, front + missing));
        acts.extend(rest.iter().map(|order| post(order.id, order.size)));
        self.reentered += old.len();
        self.unseen += 1;
        acts
    }

    fn drop_from_back(&self, side: Side, price: Ticks, surplus: Lots) -> Vec<Act> {
        let mut acts = Vec::new();
        let mut left = surplus;
        for order in self.book.orders(side, price).iter().rev() {
            if left == 0 {
                break;
            }
            acts.extend(self.shrink(order.id, left));
            left = left.saturating_sub(order.size).max(0);
        }
        acts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(messages: &str, rows: &str) -> Sample {
        Sample::parse(messages, rows).expect("reads")
    }

    fn acts(plan: &Plan) -> Vec<Act> {
        let act = |item: &Item| match item {
            Item::Act(act) => Some(*act),
            Item::Check(_) => None,
        };
        plan.items.iter().filter_map(act).collect()
    }

    /// Two levels a side: asks 1.02 (5) and 1.03 (5), bids 1.01 (5) and 1.00 (5).
    const SEED: &str = "10200,5,10100,5,10300,5,10000,5\n";

    #[test]
    fn messages_become_actions_and_known_orders_keep_their_names() {
        let plan = plan(&sample(
            "0,1,1,5,10100,1\n1,1,7,3,10100,1\n2,2,7,1,10100,1\n3,4,9,6,10100,1\n\
             4,3,7,1,10100,1\n5,5,0,1,10150,1\n",
            &format!(
                "{SEED}10200,5,10100,8,10300,5,10000,5\n10200,5,10100,7,10300,5,10000,5\n\
                 10200,5,10100,1,10300,5,10000,5\n10200,5,10000,5,10300,5,9900,4\n\
                 10200,5,10000,5,10300,5,9900,4\n"
            ),
        ));
        let done = acts(&plan);
        assert_eq!(done.len(), 9, "{done:?}");
        assert_eq!(
            done[4],
            Act::Post {
                id: 7,
                side: Side::Buy,
                price: 101,
                size: 3
            }
        );
        assert_eq!(
            done[5],
            Act::Reduce {
                id: 7,
                price: 101,
                total: 2,
                left: 2
            }
        );
        assert_eq!(
            done[6],
            Act::Take {
                side: Side::Buy,
                price: 101,
                size: 6
            }
        );
        assert_eq!(done[7], Act::Cancel { id: 7 });
        let unseen = UNATTRIBUTED + 4;
        assert_eq!(
            done[8],
            Act::Post {
                id: unseen,
                side: Side::Buy,
                price: 99,
                size: 4
            }
        );
        let tally = Tally {
            steps: 5,
            agreed: 5,
            levels: 19,
            differences: Vec::new(),
        };
        assert_eq!(plan.tally, tally);
        assert_eq!((plan.adopted, plan.reentered, plan.unattributed), (1, 0, 0));
    }

    #[test]
    fn unknown_orders_act_on_the_unattributed_order_of_their_level() {
        let plan = plan(&sample(
            "0,1,1,5,10100,1\n1,2,77,2,10100,1\n2,3,78,3,10200,-1\n3,2,1,3,10100,1\n",
            &format!(
                "{SEED}10200,5,10100,3,10300,5,10000,5\n10200,2,10100,3,10300,5,10000,5\n\
                 10200,2,10000,5,10300,5,9900,1\n"
            ),
        ));
        let done = acts(&plan);
        let id = UNATTRIBUTED + 1;
        assert_eq!(
            done[4],
            Act::Reduce {
                id,
                price: 101,
                total: 3,
                left: 3
            }
        );
        assert_eq!(done[6], Act::Cancel { id });
        assert_eq!((plan.tally.agreed, plan.unattributed), (3, 3));
    }

    #[test]
    fn adoption_puts_missing_size_in_front_and_takes_surplus_from_the_back() {
        let mut plan = Plan::default();
        plan.book.rest(Side::Buy, 100, 7, 3);
        plan.book.rest(Side::Buy, 100, 8, 4);
        let before = Row {
            depth: 1,
            bids: vec![(101, 1)],
            asks: Vec::new(),
        };
        let with = |size| Row {
            depth: 1,
            bids: vec![(100, size)],
            asks: Vec::new(),
        };

        plan.adopt(Some(&before), &with(12));
        let post = |id, size| Act::Post {
            id,
            side: Side::Buy,
            price: 100,
            size,
        };
        let cancels = [Act::Cancel { id: 7 }, Act::Cancel { id: 8 }];
        assert_eq!(acts(&plan)[..2], cancels);
        assert_eq!(
            acts(&plan)[2..],
            [post(UNATTRIBUTED, 5), post(7, 3), post(8, 4)]
        );
        assert_eq!((plan.adopted, plan.reentered), (1, 2));

        plan.items.clear();
        plan.adopt(Some(&before), &with(6));
        let reduce = Act::Reduce {
            id: 7,
            price: 100,
            total: 1,
            left: 1,
        };
        assert_eq!(acts(&plan), [Act::Cancel { id: 8 }, reduce]);

        plan.items.clear();
        plan.adopt(Some(&before), &with(6));
        assert_eq!(acts(&plan), [], "nothing is left to adopt");
    }

    #[test]
    fn differences_are_named() {
        let row = |bids: &[(Ticks, Lots)]| Row {
            depth: 2,
            bids: bids.to_vec(),
            asks: Vec::new(),
        };
        let mut book = Book::default();
        book.rest(Side::Buy, 10, 1, 5);
        book.rest(Side::Buy, 9, 2, 5);
        book.rest(Side::Buy, 7, 3, 5);
        let before = row(&[(10, 5), (8, 5)]);
        let (levels, wrong) = compare(&book, &before, &row(&[(10, 6), (7, 1)]));
        assert_eq!(levels, 1, "7 is beyond what the row before showed");
        assert_eq!(
            wrong,
            ["Buy 9: recorded 0, found 5", "Buy 10: recorded 6, found 5"]
        );
    }

    #[test]
    fn runs_end_where_the_class_falls() {
        let act = |class| match class {
            0 => Item::Act(Act::Cancel { id: 1 }),
            2 => Item::Act(Act::Post {
                id: 1,
                side: Side::Buy,
                price: 1,
                size: 1,
            }),
            _ => Item::Act(Act::Take {
                side: Side::Buy,
                price: 1,
                size: 1,
            }),
        };
        let items = [
            act(0),
            act(2),
            Item::Check(1),
            act(2),
            act(3),
            Item::Check(2),
            act(2),
        ];
        let lengths: Vec<_> = runs(&items).iter().map(|run| run.len()).collect();
        assert_eq!(lengths, [6, 1]);
        assert_eq!(runs(&vec![act(2); 2 * MAX_RUN + 1]).len(), 3);
    }
}
