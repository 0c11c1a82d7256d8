//! Random commands on the books and on a naive model: nothing that can be seen may differ.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]

mod naive;

use ballast_orderbook::{Books, Resting, Verdict};
use ballast_types::{Lots, OrderId, Side, Ticks};
use naive::Naive;
use proptest::prelude::*;

/// Commands also name one market and some slots that do not exist.
const MARKETS: u32 = 2;
const SLOTS: u32 = 30;

#[derive(Clone, Debug)]
enum Command {
    Insert(Resting),
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
    Remove,
    Stop,
    Zero,
    TooMuch,
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn slot() -> impl Strategy<Value = u32> {
    prop_oneof![40 => 0..SLOTS, 1 => Just(OrderId::MAX_SLOT + 1), 1 => Just(u32::MAX)]
}

fn price() -> impl Strategy<Value = Ticks> {
    prop_oneof![
        30 => -4..5_i64,
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
    (0..=MARKETS, side(), price())
}

fn ruling() -> impl Strategy<Value = Ruling> {
    prop_oneof![
        8 => Just(Ruling::All),
        8 => (0..20_i64).prop_map(Ruling::Part),
        4 => Just(Ruling::Remove),
        1 => Just(Ruling::Stop),
        1 => Just(Ruling::Zero),
        1 => Just(Ruling::TooMuch),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let rulings = prop::collection::vec(ruling(), 0..10);
    prop_oneof![
        24 => (slot(), at(), size()).prop_map(|(slot, (market, side, price), size)| {
            Command::Insert(Resting { slot, market, side, price, size })
        }),
        6 => slot().prop_map(Command::Remove),
        6 => (slot(), size()).prop_map(|(slot, size)| Command::Shrink(slot, size)),
        8 => (at(), size(), 0..12_u32, rulings).prop_map(|(at, size, max_fills, rulings)| {
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
            Ruling::Remove => Verdict::Remove,
            Ruling::Stop => Verdict::Stop,
            Ruling::Zero => Verdict::Fill(0),
            Ruling::TooMuch => Verdict::Fill(most.saturating_add(1)),
        }
    }
}

fn assert_same(books: &Books, naive: &Naive) {
    assert_eq!(books.len(), naive.len());
    assert_eq!(books.is_empty(), naive.len() == 0);
    assert_eq!(books.changed(), naive.changed());
    for slot in (0..=SLOTS).chain([u32::MAX]) {
        assert_eq!(books.get(slot), naive.get(slot));
    }
    for market in 0..=MARKETS {
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

fn apply(command: &Command, books: &mut Books, naive: &mut Naive) {
    match command {
        Command::Insert(order) => {
            let Resting {
                slot,
                market,
                side,
                price,
                size,
            } = *order;
            let inserted = books.insert(slot, market, side, price, size);
            assert_eq!(inserted, naive.insert(*order));
        }
        Command::Remove(slot) => assert_eq!(books.remove(*slot), naive.remove(*slot)),
        Command::Shrink(slot, size) => {
            assert_eq!(books.shrink(*slot, *size), naive.shrink(*slot, *size));
        }
        Command::Take {
            at,
            size,
            max_fills,
            rulings,
        } => {
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
        }
        Command::Seal => {
            books.seal();
            naive.seal();
        }
        Command::Rollback => {
            books.rollback();
            naive.rollback();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_books_are_the_naive_books(commands in prop::collection::vec(command(), 1..150)) {
        let mut books = Books::new(MARKETS as usize);
        let mut naive = Naive::new(MARKETS);
        for command in &commands {
            apply(command, &mut books, &mut naive);
            assert_same(&books, &naive);
        }
    }

    #[test]
    fn a_dropped_block_leaves_no_trace(
        committed in prop::collection::vec(command(), 1..80),
        dropped in prop::collection::vec(command(), 1..80),
        next in prop::collection::vec(command(), 1..80),
    ) {
        let mut books = Books::new(MARKETS as usize);
        let mut naive = Naive::new(MARKETS);
        let run = |commands: &[Command], books: &mut Books, naive: &mut Naive| {
            for command in commands {
                if !matches!(command, Command::Seal | Command::Rollback) {
                    apply(command, books, naive);
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
