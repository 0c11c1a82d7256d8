//! Random commands on the books and on a naive model: nothing that can be seen may differ.
//! `PROPTEST_CASES` sets how many sequences; 256 unless told.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]

mod naive;

use ballast_orderbook::{BookError, Books, Resting, Stop, Verdict};
use ballast_types::{Lots, OrderId, Side, Ticks};
use naive::Naive;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Commands also name one market and some slots that do not exist.
const MARKETS: u32 = 2;
const SLOTS: u32 = 30;

#[derive(Clone, Debug)]
enum Command {
    Insert(Resting),
    /// With what a refresh shows.
    Iceberg(Resting, Lots),
    Remove(u32),
    Shrink(u32, Lots),
    Take {
        at: (u32, Side, Ticks),
        size: Lots,
        max_fills: u32,
        rulings: Vec<Ruling>,
    },
    Seal,
    Rollback,
}

/// How the judge decides about one meeting.
#[derive(Clone, Copy, Debug)]
enum Ruling {
    All,
    Part(Lots),
    Decrement,
    Remove,
    RemoveAndStop,
    Stop,
    Zero,
    TooMuch,
}

/// How often something happened in all cases together.
type Seen = RefCell<BTreeMap<String, u32>>;

fn see(seen: &Seen, what: &str) {
    *seen.borrow_mut().entry(what.to_owned()).or_default() += 1;
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn slot() -> impl Strategy<Value = u32> {
    prop_oneof![40 => 0..SLOTS, 1 => Just(OrderId::MAX_SLOT + 1), 1 => Just(u32::MAX)]
}

fn price() -> impl Strategy<Value = Ticks> {
    prop_oneof![
        40 => -4..5_i64,
        6 => (-6..6_i64).prop_map(|n| n * 33),
        // One bit of difference: the shape that a search by bits finds hardest.
        6 => (0..63_u32, side()).prop_map(|(bit, side)| match side {
            Side::Buy => 1 << bit,
            Side::Sell => -1 << bit,
        }),
        1 => Just(i64::MIN),
        1 => Just(i64::MAX),
    ]
}

fn size() -> impl Strategy<Value = Lots> {
    prop_oneof![
        40 => 1..20_i64,
        2 => -1..1_i64,
        1 => Just(i64::MIN),
        2 => i64::MAX - 20..=i64::MAX,
    ]
}

fn at() -> impl Strategy<Value = (u32, Side, Ticks)> {
    let market = prop_oneof![20 => 0..=MARKETS, 1 => Just(1 << 31), 1 => Just(u32::MAX)];
    (market, side(), price())
}

fn ruling() -> impl Strategy<Value = Ruling> {
    prop_oneof![
        12 => Just(Ruling::All),
        8 => (0..20_i64).prop_map(Ruling::Part),
        3 => Just(Ruling::Decrement),
        3 => Just(Ruling::Remove),
        1 => Just(Ruling::RemoveAndStop),
        1 => Just(Ruling::Stop),
        1 => Just(Ruling::Zero),
        1 => Just(Ruling::TooMuch),
    ]
}

fn order(hidden: Lots) -> impl Strategy<Value = Resting> {
    (slot(), at(), size()).prop_map(move |(slot, (market, side, price), size)| Resting {
        slot,
        market,
        side,
        price,
        size,
        hidden,
    })
}

fn command() -> impl Strategy<Value = Command> {
    let rulings = prop::collection::vec(ruling(), 0..10);
    let hidden = prop_oneof![4 => Just(0), 12 => 0..30_i64, 1 => size()];
    prop_oneof![
        16 => order(0).prop_map(Command::Insert),
        10 => (order(0), hidden, prop_oneof![9 => 1..6_i64, 1 => size()]).prop_map(
            |(order, hidden, display)| Command::Iceberg(Resting { hidden, ..order }, display)
        ),
        6 => slot().prop_map(Command::Remove),
        6 => (slot(), size()).prop_map(|(slot, size)| Command::Shrink(slot, size)),
        10 => (at(), size(), 0..12_u32, rulings).prop_map(|(at, size, max_fills, rulings)| {
            Command::Take { at, size, max_fills, rulings }
        }),
        1 => Just(Command::Seal),
        1 => Just(Command::Rollback),
    ]
}

/// Decides by the rulings in turn, then fills all, and writes down what it was asked.
fn judge(
    rulings: &[Ruling],
    calls: &mut Vec<(Resting, Lots)>,
) -> impl FnMut(&Resting, Lots) -> Verdict {
    move |maker, remaining| {
        let ruling = rulings.get(calls.len()).copied().unwrap_or(Ruling::All);
        calls.push((*maker, remaining));
        let most = maker.size.min(remaining);
        match ruling {
            Ruling::All => Verdict::Fill(most),
            Ruling::Part(lots) => Verdict::Fill(1 + lots % most),
            Ruling::Decrement => Verdict::Decrement(most),
            Ruling::Remove => Verdict::Remove,
            Ruling::RemoveAndStop => Verdict::RemoveAndStop,
            Ruling::Stop => Verdict::Stop,
            Ruling::Zero => Verdict::Fill(0),
            Ruling::TooMuch => Verdict::Decrement(most.saturating_add(1)),
        }
    }
}

/// A hint has no effect, whatever it names.
fn prefetch(books: &Books) {
    for slot in (0..=SLOTS).chain([u32::MAX]) {
        books.prefetch(slot);
        books.prefetch_around(slot);
    }
    for market in [0, MARKETS, u32::MAX] {
        for price in [i64::MIN, -1, 0, 1, i64::MAX] {
            books.prefetch_level(market, Side::Buy, price);
            books.prefetch_tail(market, Side::Sell, price);
        }
    }
}

fn assert_same(books: &Books, naive: &Naive) {
    prefetch(books);
    assert_eq!(books.len(), naive.len());
    assert_eq!(books.is_empty(), naive.len() == 0);
    assert_eq!(books.changed(), naive.changed());
    for slot in (0..=SLOTS).chain([u32::MAX]) {
        assert_eq!(books.get(slot), naive.get(slot));
    }
    for market in (0..=MARKETS).chain([1 << 31, u32::MAX]) {
        assert_eq!(books.checksum(market), naive.checksum(market));
        for side in [Side::Buy, Side::Sell] {
            let levels = naive.levels(market, side);
            assert_eq!(
                books.orders(market, side).collect::<Vec<_>>(),
                naive.orders(market, side)
            );
            assert_eq!(books.levels(market, side).collect::<Vec<_>>(), levels);
            assert_eq!(
                books.best(market, side),
                levels.first().map(|level| level.price)
            );
            for limit in (-5..6).chain([i64::MIN, i64::MAX]) {
                let crosses = naive.crosses(market, side, limit);
                assert_eq!(books.crosses(market, side, limit), crosses);
            }
        }
    }
}

fn see_insert(seen: &Seen, kind: &str, inserted: Result<(), BookError>) {
    let how = match inserted {
        Ok(()) => "fine",
        Err(BookError::Market(_)) => "market",
        Err(BookError::Slot(_)) => "slot",
        Err(BookError::Occupied(_)) => "occupied",
        Err(BookError::Size(_)) => "size",
        Err(BookError::Overflow { .. }) => "overflow",
    };
    see(seen, &format!("{kind}: {how}"));
}

fn take(command: &Command, books: &mut Books, naive: &mut Naive, seen: &Seen) {
    let Command::Take {
        at,
        size,
        max_fills,
        rulings,
    } = command
    else {
        return;
    };
    let &(market, side, limit) = at;
    let [mut walked, mut took, mut expected] = [const { Vec::new() }; 3];
    let by = judge(rulings, &mut walked);
    let walk = books.walk(market, side, limit, *size, *max_fills, by);
    assert_same(books, naive);
    let by = judge(rulings, &mut took);
    let take = books.take(market, side, limit, *size, *max_fills, by);
    let taken = naive.take(*at, *size, *max_fills, judge(rulings, &mut expected));
    assert_eq!((walk, &walked), (taken, &expected));
    assert_eq!((take, &took), (taken, &expected));
    assert_eq!(books.refreshed(), naive.refreshed);
    let stop = match taken.stop {
        Stop::Done => "done",
        Stop::NoCross => "no cross",
        Stop::Limit => "limit",
        Stop::Judge => "judge",
    };
    see(seen, &format!("take: {stop}"));
    for (_, ruling) in took.iter().zip(rulings) {
        let name = format!("{ruling:?}");
        let name = name.split('(').next().unwrap();
        see(seen, &format!("ruling: {name}"));
    }
    if taken.met > *max_fills {
        see(seen, "refresh: after the last fill");
    }
    for refreshed in books.refreshed() {
        let again = took.iter().any(|(maker, _)| maker == refreshed);
        let level = books.levels(market, side.opposite());
        let behind = level
            .filter(|level| level.price == refreshed.price)
            .any(|level| level.orders > 1);
        for (name, is) in [("met again", again), ("behind others", behind)] {
            if is {
                see(seen, &format!("refresh: {name}"));
            }
        }
    }
}

fn apply(command: &Command, books: &mut Books, naive: &mut Naive, seen: &Seen) {
    match command {
        Command::Insert(order) => {
            let Resting {
                slot,
                market,
                side,
                price,
                size,
                ..
            } = *order;
            let inserted = books.insert(slot, market, side, price, size);
            assert_eq!(inserted, naive.insert(*order, 0));
            see_insert(seen, "insert", inserted);
        }
        Command::Iceberg(order, display) => {
            let Resting {
                slot,
                market,
                side,
                price,
                size,
                hidden,
            } = *order;
            let display = if (hidden, *display) == (0, 0) {
                1
            } else {
                *display
            };
            let inserted = books.insert_iceberg(slot, market, side, price, size, hidden, display);
            assert_eq!(inserted, naive.insert(*order, display));
            see_insert(seen, "iceberg", inserted);
        }
        Command::Remove(slot) => {
            let removed = books.remove(*slot);
            assert_eq!(removed, naive.remove(*slot));
            let hidden = removed.map(|order| order.hidden > 0);
            see(seen, &format!("remove, hidden: {hidden:?}"));
        }
        Command::Shrink(slot, size) => {
            let before = books.get(*slot);
            let after = books.shrink(*slot, *size);
            assert_eq!(after, naive.shrink(*slot, *size));
            if let (Some(before), Some(after)) = (before, after) {
                let parts = (after.size < before.size, after.hidden < before.hidden);
                see(seen, &format!("shrink, shown and hidden: {parts:?}"));
            }
        }
        Command::Take { .. } => take(command, books, naive, seen),
        Command::Seal => {
            books.seal();
            naive.seal();
        }
        Command::Rollback => {
            let changed = !books.changed().is_empty();
            books.rollback();
            naive.rollback();
            see(seen, &format!("rollback, changed: {changed}"));
        }
    }
}

const EACH: &[&str] = &[
    "insert: fine",
    "insert: market",
    "insert: slot",
    "insert: occupied",
    "insert: size",
    "insert: overflow",
    "iceberg: fine",
    "iceberg: market",
    "iceberg: slot",
    "iceberg: occupied",
    "iceberg: size",
    "iceberg: overflow",
    "remove, hidden: None",
    "remove, hidden: Some(false)",
    "remove, hidden: Some(true)",
    "shrink, shown and hidden: (true, false)",
    "shrink, shown and hidden: (false, true)",
    "shrink, shown and hidden: (true, true)",
    "take: done",
    "take: no cross",
    "take: limit",
    "take: judge",
    "ruling: All",
    "ruling: Part",
    "ruling: Decrement",
    "ruling: Remove",
    "ruling: RemoveAndStop",
    "ruling: Stop",
    "ruling: Zero",
    "ruling: TooMuch",
    "refresh: met again",
    "refresh: behind others",
    "refresh: after the last fill",
    "rollback, changed: true",
];

#[test]
fn the_books_are_the_naive_books() {
    let seen = Seen::default();
    let mut runner = TestRunner::new(ProptestConfig::default());
    let commands = prop::collection::vec(command(), 1..150);
    let result = runner.run(&commands, |commands| {
        let mut books = Books::new(MARKETS as usize);
        let mut naive = Naive::new(MARKETS);
        for command in &commands {
            apply(command, &mut books, &mut naive, &seen);
            assert_same(&books, &naive);
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    for what in EACH {
        assert!(
            seen.borrow().contains_key(*what),
            "not seen: {what}; seen: {:#?}",
            seen.borrow()
        );
    }
}

proptest! {
    #[test]
    fn a_dropped_block_leaves_no_trace(
        committed in prop::collection::vec(command(), 1..80),
        dropped in prop::collection::vec(command(), 1..80),
        next in prop::collection::vec(command(), 1..80),
    ) {
        let seen = Seen::default();
        let mut books = Books::new(MARKETS as usize);
        let mut naive = Naive::new(MARKETS);
        let run = |commands: &[Command], books: &mut Books, naive: &mut Naive| {
            for command in commands {
                if !matches!(command, Command::Seal | Command::Rollback) {
                    apply(command, books, naive, &seen);
                }
            }
        };
        run(&committed, &mut books, &mut naive);
        books.seal();
        naive.seal();
        let mut untouched = books.clone();
        run(&dropped, &mut books, &mut naive);
        books.rollback();
        naive.rollback();
        assert_same(&books, &naive);
        assert_same(&untouched, &naive);
        // The block that follows sees no difference either.
        run(&next, &mut books, &mut naive.clone());
        run(&next, &mut untouched, &mut naive);
        assert_same(&books, &naive);
        assert_same(&untouched, &naive);
    }
}
