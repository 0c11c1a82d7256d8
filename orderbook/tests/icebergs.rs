//! The rules of icebergs and of self-trade verdicts, one table each.

#![allow(clippy::unwrap_used)]

use Side::{Buy, Sell};
use ballast_orderbook::{BookError, Books, ChangedLevel, Resting, Stop, Taken, Verdict};
use ballast_types::{Lots, Side};

/// (slot, shown, hidden) of the asks of market 0 in priority order.
type Queue = Vec<(u32, Lots, Lots)>;

/// Asks at 100: 1 shows 5 and hides 7, 3 at a time; 2 is plain; 3 shows 2 and hides 2.
fn books() -> Books {
    let mut books = Books::new(1);
    books.insert_iceberg(1, 0, Sell, 100, 5, 7, 3).unwrap();
    books.insert(2, 0, Sell, 100, 4).unwrap();
    books.insert_iceberg(3, 0, Sell, 100, 2, 2, 9).unwrap();
    books.seal();
    books
}

fn queue(books: &Books) -> Queue {
    let orders = books.orders(0, Sell);
    orders
        .map(|order| (order.slot, order.size, order.hidden))
        .collect()
}

fn fill(maker: &Resting, remaining: Lots) -> Verdict {
    Verdict::Fill(maker.size.min(remaining))
}

#[test]
fn levels_changes_and_checksums_count_shown_lots_only() {
    let books = books();
    let mut plain = Books::new(1);
    for (slot, size) in [(1, 5), (2, 4), (3, 2)] {
        plain.insert(slot, 0, Sell, 100, size).unwrap();
    }
    assert!(books.levels(0, Sell).eq(plain.levels(0, Sell)));
    assert_eq!(books.checksum(0), plain.checksum(0));
    assert_eq!(queue(&books), [(1, 5, 7), (2, 4, 0), (3, 2, 2)]);
}

#[test]
fn a_refresh_goes_behind_its_level_and_counts() {
    for (size, max, (remaining, met, stop), refreshed, left) in [
        // A part of what is shown.
        (
            4,
            9,
            (0, 1, Stop::Done),
            vec![],
            vec![(1, 1, 7), (2, 4, 0), (3, 2, 2)],
        ),
        // All that is shown: the fill and the refresh count.
        (
            5,
            9,
            (0, 2, Stop::Done),
            vec![(1, 3, 4)],
            vec![(2, 4, 0), (3, 2, 2), (1, 3, 4)],
        ),
        // A refresh follows its fill also when no more meetings are allowed.
        (
            6,
            1,
            (1, 2, Stop::Limit),
            vec![(1, 3, 4)],
            vec![(2, 4, 0), (3, 2, 2), (1, 3, 4)],
        ),
        // Each refreshed slice stands behind what was there when it was refreshed. `display` may
        // be more than what is left.
        (
            12,
            99,
            (0, 6, Stop::Done),
            vec![(1, 3, 4), (3, 2, 0)],
            vec![(1, 2, 4), (3, 2, 0)],
        ),
        // Everything.
        (
            50,
            99,
            (30, 11, Stop::NoCross),
            vec![(1, 3, 4), (3, 2, 0), (1, 3, 1), (1, 1, 0)],
            vec![],
        ),
    ] {
        let mut books = books();
        let taken = Taken {
            remaining,
            met,
            stop,
        };
        assert_eq!(books.walk(0, Buy, 100, size, max, fill), taken, "{size}");
        assert_eq!(queue(&books), [(1, 5, 7), (2, 4, 0), (3, 2, 2)]);
        assert_eq!(books.take(0, Buy, 100, size, max, fill), taken, "{size}");
        let slices = books.refreshed().iter();
        let slices: Queue = slices.map(|o| (o.slot, o.size, o.hidden)).collect();
        assert_eq!((slices, queue(&books)), (refreshed, left), "{size}");
        books.rollback();
        assert_eq!(queue(&books), [(1, 5, 7), (2, 4, 0), (3, 2, 2)]);
        // What was hidden before the rollback is what the next refreshes show.
        assert_eq!(books.take(0, Buy, 100, size, max, fill), taken, "{size}");
    }
}

#[test]
fn a_refresh_is_a_change_of_the_level() {
    let mut books = books();
    books.take(0, Buy, 100, 5, 9, fill);
    let level = ChangedLevel {
        market: 0,
        side: Sell,
        price: 100,
        size: 9,
    };
    assert_eq!(books.changed(), [level]);
    books.rollback();
    // 5 lots leave and 5 show up.
    books.remove(1);
    books.insert_iceberg(1, 0, Sell, 100, 5, 5, 5).unwrap();
    assert_eq!(books.changed(), []);
}

#[test]
fn shrinking_takes_what_is_hidden_first() {
    for (size, left) in [
        (12, None),
        (11, Some((5, 6))),
        (5, Some((5, 0))),
        (3, Some((3, 0))),
        (0, None),
    ] {
        let mut books = books();
        let shrunk = books.shrink(1, size);
        assert_eq!(
            shrunk.map(|order| (order.size, order.hidden)),
            left,
            "{size}"
        );
        assert_eq!(books.get(1).filter(|_| shrunk.is_some()), shrunk);
        books.rollback();
        assert_eq!(queue(&books), [(1, 5, 7), (2, 4, 0), (3, 2, 2)]);
    }
}

#[test]
fn an_iceberg_that_cannot_rest_is_refused() {
    let overflow = |size| Err(BookError::Overflow { price: 100, size });
    for (shown, hidden, display, result) in [
        (0, 1, 1, Err(BookError::Size(0))),
        (1, -1, 1, Err(BookError::Size(-1))),
        (1, 1, 0, Err(BookError::Size(0))),
        (1, i64::MAX, 1, overflow(i64::MAX)),
        (1, i64::MAX - 20, 1, overflow(i64::MAX - 19)),
        (1, i64::MAX - 21, 1, Ok(())),
    ] {
        let mut books = books();
        let before = queue(&books);
        let inserted = books.insert_iceberg(4, 0, Sell, 100, shown, hidden, display);
        assert_eq!(inserted, result, "{shown} {hidden} {display}");
        books.rollback();
        assert_eq!(queue(&books), before);
    }
}

#[test]
fn self_trade_verdicts_cut_remove_and_stop() {
    for (name, judge, taken, left) in [
        (
            "decrement both",
            (|maker: &Resting, remaining: Lots| match maker.slot {
                1 => Verdict::Decrement(maker.size.min(remaining)),
                _ => Verdict::Stop,
            }) as fn(&Resting, Lots) -> Verdict,
            (15, 2, Stop::Judge),
            vec![(2, 4, 0), (3, 2, 2), (1, 3, 4)],
        ),
        (
            "decrement a part; then the maker is met again",
            |maker, _| match maker.size {
                5 => Verdict::Decrement(2),
                _ => Verdict::Stop,
            },
            (18, 1, Stop::Judge),
            vec![(1, 3, 7), (2, 4, 0), (3, 2, 2)],
        ),
        (
            "decrement more than there is: stop",
            |maker, _| Verdict::Decrement(maker.size.saturating_add(1)),
            (20, 0, Stop::Judge),
            vec![(1, 5, 7), (2, 4, 0), (3, 2, 2)],
        ),
        (
            "cancel both: with what is hidden",
            |_, _| Verdict::RemoveAndStop,
            (20, 1, Stop::Judge),
            vec![(2, 4, 0), (3, 2, 2)],
        ),
        (
            "cancel makers: with what is hidden",
            |_, _| Verdict::Remove,
            (20, 3, Stop::NoCross),
            vec![],
        ),
    ] {
        let mut books = books();
        let (remaining, met, stop) = taken;
        let taken = Taken {
            remaining,
            met,
            stop,
        };
        assert_eq!(books.walk(0, Buy, 100, 20, 9, judge), taken, "walk: {name}");
        assert_eq!(books.take(0, Buy, 100, 20, 9, judge), taken, "take: {name}");
        assert_eq!(queue(&books), left, "{name}");
    }
}
