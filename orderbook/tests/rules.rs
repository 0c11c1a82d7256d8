//! The rules of the book, one table each.

#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

use Side::{Buy, Sell};
use ballast_orderbook::{BookError, Books, ChangedLevel, Level, Resting, Stop, Taken, Verdict};
use ballast_types::{Lots, OrderId, Side, Ticks};

/// Books of two markets with these orders in market 0, entered in this order and sealed.
fn books(orders: &[(u32, Side, Ticks, Lots)]) -> Books {
    let mut books = Books::new(2);
    for &(slot, side, price, size) in orders {
        books.insert(slot, 0, side, price, size).unwrap();
    }
    books.seal();
    books
}

/// (slot, price, size) of a side of market 0 in priority order.
fn queue(books: &Books, side: Side) -> Vec<(u32, Ticks, Lots)> {
    books
        .orders(0, side)
        .map(|order| (order.slot, order.price, order.size))
        .collect()
}

fn fill_all(maker: &Resting, remaining: Lots) -> Verdict {
    Verdict::Fill(maker.size.min(remaining))
}

#[test]
fn orders_stand_by_price_then_time() {
    let books = books(&[
        (1, Buy, 99, 5),
        (2, Buy, 100, 4),
        (3, Buy, 99, 3),
        (4, Buy, -7, 1),
        (9, Sell, 102, 1),
        (8, Sell, 101, 2),
        (7, Sell, 102, 3),
        (6, Sell, 101, 4),
    ]);
    assert_eq!(
        queue(&books, Buy),
        [(2, 100, 4), (1, 99, 5), (3, 99, 3), (4, -7, 1)]
    );
    assert_eq!(
        queue(&books, Sell),
        [(8, 101, 2), (6, 101, 4), (9, 102, 1), (7, 102, 3)]
    );
    let levels: Vec<_> = books.levels(0, Buy).collect();
    let expected = [(100, 4, 1), (99, 8, 2), (-7, 1, 1)];
    assert_eq!(
        levels,
        expected.map(|(price, size, orders)| Level {
            price,
            size,
            orders
        })
    );
    assert_eq!(
        (books.best(0, Buy), books.best(0, Sell)),
        (Some(100), Some(101))
    );
    assert_eq!((books.best(1, Buy), books.best(7, Buy)), (None, None));
    assert_eq!(books.len(), 8);
}

#[test]
fn a_taker_crosses_at_the_best_price_or_beyond() {
    let books = books(&[(1, Buy, 99, 1), (2, Sell, 101, 1)]);
    for (market, taker, limit, crosses) in [
        (0, Buy, 100, false),
        (0, Buy, 101, true),
        (0, Buy, i64::MAX, true),
        (0, Sell, 100, false),
        (0, Sell, 99, true),
        (0, Sell, i64::MIN, true),
        (1, Buy, i64::MAX, false),
        (2, Buy, i64::MAX, false),
    ] {
        assert_eq!(
            books.crosses(market, taker, limit),
            crosses,
            "{market} {taker:?} {limit}"
        );
    }
}

#[test]
fn an_order_that_cannot_rest_is_refused() {
    let mut books = books(&[(1, Buy, 100, i64::MAX - 1)]);
    let full = BookError::Overflow {
        price: 100,
        size: 2,
    };
    for (slot, market, price, size, result) in [
        (2, 0, 100, 0, Err(BookError::Size(0))),
        (2, 0, 100, -1, Err(BookError::Size(-1))),
        (2, 2, 100, 1, Err(BookError::Market(2))),
        (1, 0, 99, 1, Err(BookError::Occupied(1))),
        (
            OrderId::MAX_SLOT + 1,
            0,
            99,
            1,
            Err(BookError::Slot(OrderId::MAX_SLOT + 1)),
        ),
        (2, 0, 100, 2, Err(full)),
        (2, 0, 100, 1, Ok(())),
    ] {
        assert_eq!(books.insert(slot, market, Buy, price, size), result);
    }
    assert_eq!(full.to_string(), "size 2 overflows the level at price 100");
    assert_eq!(queue(&books, Buy), [(1, 100, i64::MAX - 1), (2, 100, 1)]);
}

#[test]
fn a_smaller_order_keeps_its_place() {
    let mut books = books(&[(1, Sell, 100, 5), (2, Sell, 100, 5)]);
    for (slot, size, left) in [
        (1, 5, None),
        (1, 6, None),
        (1, 0, None),
        (1, -3, None),
        (3, 1, None),
        (u32::MAX, 1, None),
        (1, 2, Some(2)),
    ] {
        assert_eq!(
            books.shrink(slot, size).map(|order| order.size),
            left,
            "{slot} to {size}"
        );
    }
    assert_eq!(queue(&books, Sell), [(1, 100, 2), (2, 100, 5)]);
}

#[test]
fn a_removed_order_is_gone_and_its_slot_free() {
    let mut books = books(&[(1, Sell, 100, 5), (2, Sell, 100, 6), (3, Sell, 100, 7)]);
    let order = Resting {
        slot: 2,
        market: 0,
        side: Sell,
        price: 100,
        size: 6,
        hidden: 0,
    };
    assert_eq!(books.get(2), Some(order));
    assert_eq!(books.remove(2), Some(order));
    assert_eq!(
        (books.get(2), books.remove(2), books.remove(u32::MAX)),
        (None, None, None)
    );
    books.insert(2, 0, Sell, 100, 1).unwrap();
    assert_eq!(queue(&books, Sell), [(1, 100, 5), (3, 100, 7), (2, 100, 1)]);
}

struct Meeting {
    name: &'static str,
    taker: (Side, Ticks, Lots, u32),
    /// Decides by the maker's slot and size and what remains of the taker.
    judge: fn(&Resting, Lots) -> Verdict,
    /// (slot, size) of the makers in the order in which they were met, and what remained then.
    met: &'static [(u32, Lots, Lots)],
    taken: (Lots, u32, Stop),
    /// The maker side afterwards.
    left: &'static [(u32, Ticks, Lots)],
}

const ASKS: [(u32, Side, Ticks, Lots); 4] = [
    (1, Sell, 100, 5),
    (2, Sell, 101, 3),
    (3, Sell, 100, 4),
    (4, Sell, 102, 9),
];
/// The same in priority order.
const ALL: [(u32, Ticks, Lots); 4] = [(1, 100, 5), (3, 100, 4), (2, 101, 3), (4, 102, 9)];

const MEETINGS: &[Meeting] = &[
    Meeting {
        name: "better prices first, then older orders; the last maker keeps the rest",
        taker: (Buy, 102, 13, 9),
        judge: fill_all,
        met: &[(1, 5, 13), (3, 4, 8), (2, 3, 4), (4, 9, 1)],
        taken: (0, 4, Stop::Done),
        left: &[(4, 102, 8)],
    },
    Meeting {
        name: "no price beyond the limit",
        taker: (Buy, 100, 13, 9),
        judge: fill_all,
        met: &[(1, 5, 13), (3, 4, 8)],
        taken: (4, 2, Stop::NoCross),
        left: &[(2, 101, 3), (4, 102, 9)],
    },
    Meeting {
        name: "no more meetings than allowed",
        taker: (Buy, 102, 13, 2),
        judge: fill_all,
        met: &[(1, 5, 13), (3, 4, 8)],
        taken: (4, 2, Stop::Limit),
        left: &[(2, 101, 3), (4, 102, 9)],
    },
    Meeting {
        name: "filled by the last meeting allowed",
        taker: (Buy, 102, 9, 2),
        judge: fill_all,
        met: &[(1, 5, 9), (3, 4, 4)],
        taken: (0, 2, Stop::Done),
        left: &[(2, 101, 3), (4, 102, 9)],
    },
    Meeting {
        name: "nothing crosses when no meeting is allowed either",
        taker: (Buy, 99, 1, 0),
        judge: fill_all,
        met: &[],
        taken: (1, 0, Stop::NoCross),
        left: &ALL,
    },
    Meeting {
        name: "a removal is a meeting without a fill",
        taker: (Buy, 102, 5, 2),
        judge: |maker, remaining| match maker.slot {
            1 => Verdict::Remove,
            _ => fill_all(maker, remaining),
        },
        met: &[(1, 5, 5), (3, 4, 5)],
        taken: (1, 2, Stop::Limit),
        left: &[(2, 101, 3), (4, 102, 9)],
    },
    Meeting {
        name: "a maker that was cut is met again, with what is left of it",
        taker: (Buy, 100, 7, 9),
        judge: |maker, remaining| match (maker.slot, maker.size) {
            (1, 5) => Verdict::Fill(2),
            (1, 3) => Verdict::Remove,
            _ => fill_all(maker, remaining),
        },
        met: &[(1, 5, 7), (1, 3, 5), (3, 4, 5)],
        taken: (1, 3, Stop::NoCross),
        left: &[(2, 101, 3), (4, 102, 9)],
    },
    Meeting {
        name: "the limit of meetings may fall on a maker that was cut",
        taker: (Buy, 100, 7, 1),
        judge: |_, _| Verdict::Fill(2),
        met: &[(1, 5, 7)],
        taken: (5, 1, Stop::Limit),
        left: &[(1, 100, 3), (3, 100, 4), (2, 101, 3), (4, 102, 9)],
    },
    Meeting {
        name: "the judge stops the taker, and the maker stays",
        taker: (Buy, 102, 7, 9),
        judge: |maker, remaining| match maker.slot {
            3 => Verdict::Stop,
            _ => fill_all(maker, remaining),
        },
        met: &[(1, 5, 7), (3, 4, 2)],
        taken: (2, 1, Stop::Judge),
        left: &[(3, 100, 4), (2, 101, 3), (4, 102, 9)],
    },
    Meeting {
        name: "a fill of more than there is stops the taker",
        taker: (Buy, 102, 7, 9),
        judge: |maker, _| Verdict::Fill(maker.size + 1),
        met: &[(1, 5, 7)],
        taken: (7, 0, Stop::Judge),
        left: &ALL,
    },
    Meeting {
        name: "a fill of nothing stops the taker",
        taker: (Buy, 102, 7, 9),
        judge: |_, _| Verdict::Fill(0),
        met: &[(1, 5, 7)],
        taken: (7, 0, Stop::Judge),
        left: &ALL,
    },
    Meeting {
        name: "a taker without size is done",
        taker: (Buy, 102, -4, 9),
        judge: fill_all,
        met: &[],
        taken: (0, 0, Stop::Done),
        left: &ALL,
    },
    Meeting {
        name: "asks do not meet asks",
        taker: (Sell, 1, 7, 9),
        judge: fill_all,
        met: &[],
        taken: (7, 0, Stop::NoCross),
        left: &ALL,
    },
];

#[test]
fn a_taker_meets_orders_in_price_time_priority() {
    for case in MEETINGS {
        let &Meeting {
            name,
            taker: (side, limit, size, max),
            judge,
            ..
        } = case;
        let (remaining, met, stop) = case.taken;
        let taken = Taken {
            remaining,
            met,
            stop,
        };
        let mut books = books(&ASKS);
        let mut seen = Vec::new();
        let mut note = |maker: &Resting, remaining| {
            seen.push((maker.slot, maker.size, remaining));
            judge(maker, remaining)
        };
        assert_eq!(
            books.walk(0, side, limit, size, max, &mut note),
            taken,
            "walk: {name}"
        );
        assert_eq!(queue(&books, Sell), ALL, "walk changes nothing: {name}");
        assert_eq!(
            books.take(0, side, limit, size, max, &mut note),
            taken,
            "take: {name}"
        );
        assert_eq!(
            seen,
            [case.met, case.met].concat(),
            "walk, then take: {name}"
        );
        assert_eq!(queue(&books, Sell), case.left, "{name}");
    }
}

#[test]
fn changed_names_the_levels_whose_total_is_another() {
    let mut books = books(&[(1, Buy, 99, 5), (2, Sell, 101, 5), (3, Sell, 102, 5)]);
    assert_eq!(books.changed(), []);
    books.insert(4, 1, Buy, 50, 2).unwrap();
    books.shrink(3, 1).unwrap();
    books.remove(1).unwrap();
    books.insert(5, 0, Buy, 98, 7).unwrap();
    // This level only has another order than before.
    books.remove(2).unwrap();
    books.insert(2, 0, Sell, 101, 5).unwrap();
    // And this one came and went.
    books.insert(6, 0, Sell, 103, 5).unwrap();
    books.take(0, Buy, 101, 2, 9, fill_all);
    books.insert(7, 0, Sell, 101, 2).unwrap();
    books.remove(6).unwrap();
    let expected = [
        (0, Buy, 98, 7),
        (0, Buy, 99, 0),
        (0, Sell, 102, 1),
        (1, Buy, 50, 2),
    ];
    let level = |(market, side, price, size)| ChangedLevel {
        market,
        side,
        price,
        size,
    };
    assert_eq!(books.changed(), expected.map(level));
    books.seal();
    assert_eq!(books.changed(), []);
}

#[test]
fn a_rollback_restores_the_queue_of_the_last_seal() {
    let mut books = books(&[(1, Sell, 100, 5), (2, Sell, 100, 6), (3, Sell, 100, 7)]);
    let (sealed, checksum) = (queue(&books, Sell), books.checksum(0));
    books.remove(2).unwrap();
    books.insert(2, 0, Sell, 100, 1).unwrap();
    books.insert(4, 1, Buy, 1, 1).unwrap();
    books.take(0, Buy, 100, 12, 9, fill_all);
    books.shrink(2, 1);
    books.remove(3);
    books.remove(2);
    books.rollback();
    assert_eq!((queue(&books, Sell), books.checksum(0)), (sealed, checksum));
    assert_eq!((books.changed(), books.len()), (vec![], 3));
    books.insert(4, 0, Sell, 100, 8).unwrap();
    assert_eq!(queue(&books, Sell).last(), Some(&(4, 100, 8)));
}

#[test]
fn the_checksum_covers_25_bids_then_25_asks() {
    // Values from zlib over the same bytes.
    for (orders, checksum) in [
        (&[][..], 0),
        (&[(1, Buy, 100, 5)], 0x492b_8431),
        (
            &[
                (1, Buy, 99, 3),
                (2, Buy, 100, 5),
                (3, Sell, 101, 3),
                (4, Buy, 99, 4),
            ],
            0xb6b6_5e7c,
        ),
        (&[(1, Sell, 101, 3)], 0x212c_1c27),
        (&[(1, Buy, -1, 5)], 0x3335_c80b),
    ] {
        assert_eq!(books(orders).checksum(0), checksum, "{orders:?}");
    }
    let mut books = Books::new(1);
    for n in 0..26 {
        books
            .insert(n, 0, Buy, 1_000 - i64::from(n), i64::from(n) + 1)
            .unwrap();
        books
            .insert(n + 26, 0, Sell, 1_001 + i64::from(n), i64::from(n) + 1)
            .unwrap();
    }
    assert_eq!(books.checksum(0), 0x33e1_cf58);
    books.remove(25).unwrap();
    books.remove(51).unwrap();
    assert_eq!(
        books.checksum(0),
        0x33e1_cf58,
        "the 26th level does not count"
    );
    assert_eq!(
        books.checksum(1),
        0,
        "nor does a market that does not exist"
    );
}
