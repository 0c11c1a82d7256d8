//! Auctions: tables, and random books against the plainest ways to find a price and to pair.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]

#[allow(dead_code)]
mod naive;

use Side::{Buy, Sell};
use ballast_orderbook::{Books, Clearing, Pairing, Resting, Stop, Uncrossed};
use ballast_types::{Lots, Sharing, Side, Ticks};
use naive::Naive;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Slot, side, price, shown, hidden; a refresh shows 2.
type Order = (u32, Side, Ticks, Lots, Lots);
/// Bid, ask, lots.
type Fill = (u32, u32, Lots);

const DISPLAY: Lots = 2;

fn books(orders: &[Order]) -> Books {
    let mut books = Books::new(2);
    for &(slot, side, price, shown, hidden) in orders {
        books
            .insert_iceberg(slot, 0, side, price, shown, hidden, DISPLAY)
            .unwrap();
    }
    books.seal();
    books
}

fn queue(books: &Books, side: Side) -> Vec<(u32, Lots, Lots)> {
    let orders = books.orders(0, side);
    orders
        .map(|order| (order.slot, order.size, order.hidden))
        .collect()
}

/// Name, orders, reference price; price, volume and imbalance.
type Crossing = (
    &'static str,
    &'static [Order],
    Ticks,
    Option<(Ticks, Lots, Lots)>,
);

const CROSSINGS: &[Crossing] = &[
    ("no orders", &[], 0, None),
    ("one side", &[(1, Buy, 10, 5, 0)], 0, None),
    (
        "not crossed",
        &[(1, Buy, 9, 5, 0), (2, Sell, 10, 5, 0)],
        0,
        None,
    ),
    (
        "a range: the nearest to the reference",
        &[(1, Buy, 20, 5, 0), (2, Sell, 10, 5, 0)],
        13,
        Some((13, 5, 0)),
    ),
    (
        "reference below",
        &[(1, Buy, 20, 5, 0), (2, Sell, 10, 5, 0)],
        i64::MIN,
        Some((10, 5, 0)),
    ),
    (
        "reference above",
        &[(1, Buy, 20, 5, 0), (2, Sell, 10, 5, 0)],
        i64::MAX,
        Some((20, 5, 0)),
    ),
    (
        "volume before balance",
        &[
            (1, Buy, 20, 5, 0),
            (2, Buy, 15, 5, 0),
            (3, Sell, 10, 6, 0),
            (4, Sell, 16, 7, 0),
        ],
        20,
        Some((15, 6, 4)),
    ),
    (
        "balance before nearness",
        &[(1, Buy, 20, 5, 0), (2, Buy, 15, 5, 0), (3, Sell, 10, 5, 0)],
        10,
        Some((16, 5, 0)),
    ),
    (
        "as near above as below: the lower",
        &[
            (1, Buy, 20, 5, 0),
            (2, Buy, 12, 3, 0),
            (3, Sell, 10, 5, 0),
            (4, Sell, 18, 3, 0),
        ],
        15,
        Some((15, 5, 0)),
    ),
    (
        "hidden lots count",
        &[(1, Buy, 20, 1, 9), (2, Sell, 10, 4, 0), (3, Sell, 12, 1, 7)],
        0,
        Some((12, 10, -2)),
    ),
    (
        "at the ends of the range of prices",
        &[(1, Buy, i64::MAX, 5, 0), (2, Sell, i64::MIN, 4, 0)],
        7,
        Some((7, 4, 1)),
    ),
    (
        "at one end",
        &[(1, Buy, i64::MIN, 5, 0), (2, Sell, i64::MIN, 4, 0)],
        7,
        Some((i64::MIN, 4, 1)),
    ),
    (
        "more lots than the type holds",
        &[
            (1, Buy, 5, i64::MAX, 0),
            (2, Buy, 4, i64::MAX, 0),
            (3, Buy, 3, i64::MAX, 0),
            (4, Sell, 1, i64::MAX, 0),
        ],
        3,
        Some((5, i64::MAX, 0)),
    ),
];

#[test]
fn the_price_gives_volume_then_balance_then_nearness_then_the_lower() {
    for &(name, orders, reference, expected) in CROSSINGS {
        let expected = expected.map(|(price, volume, imbalance)| Clearing {
            price,
            volume,
            imbalance,
        });
        assert_eq!(books(orders).clearing(0, reference), expected, "{name}");
        assert_eq!(books(orders).clearing(1, reference), None, "{name}");
    }
}

/// Bids for 12 at 10 and better, asks of 8: the level at 10 is shared.
const SHARED: [Order; 6] = [
    (1, Buy, 11, 2, 0),
    (2, Buy, 10, 5, 0),
    (3, Buy, 10, 1, 2),
    (4, Buy, 10, 2, 0),
    (5, Sell, 9, 3, 0),
    (6, Sell, 10, 5, 0),
];

#[test]
fn the_last_level_is_shared_by_time_or_by_size() {
    for (sharing, max, fills, met, stop, bids) in [
        (
            Sharing::Time,
            99,
            &[(1, 5, 2), (2, 5, 1), (2, 6, 4), (3, 6, 1)][..],
            5,
            Stop::NoCross,
            &[(4, 2, 0), (3, 2, 0)][..],
        ),
        // 6 lots among 5, 3 and 2: 3, 1.8 and 1.2. The lot left over goes to the second. That
        // trades more than it shows, and is refreshed behind the third.
        (
            Sharing::ProRata,
            99,
            &[(1, 5, 2), (2, 5, 1), (2, 6, 2), (3, 6, 2), (4, 6, 1)],
            6,
            Stop::NoCross,
            &[(2, 2, 0), (4, 1, 0), (3, 1, 0)],
        ),
        (
            Sharing::Time,
            2,
            &[(1, 5, 2), (2, 5, 1)],
            2,
            Stop::Limit,
            &[(2, 4, 0), (3, 1, 2), (4, 2, 0)],
        ),
        // The two oldest share 6 by 5 and 3: 3.75 and 2.25; two fills leave most for later.
        (
            Sharing::ProRata,
            2,
            &[(1, 5, 2), (2, 5, 1)],
            2,
            Stop::Limit,
            &[(2, 4, 0), (3, 1, 2), (4, 2, 0)],
        ),
    ] {
        let mut books = books(&SHARED);
        let mut seen = Vec::new();
        let ended = books.uncross(0, 10, sharing, max, |bid, ask, lots, _| {
            seen.push((bid.slot, ask.slot, lots));
            Pairing::Fill(lots)
        });
        let volume = fills.iter().map(|(_, _, lots)| lots).sum();
        assert_eq!(seen, fills, "{sharing:?}");
        assert_eq!(ended, Uncrossed { volume, met, stop }, "{sharing:?} {max}");
        assert_eq!(queue(&books, Buy), bids, "{sharing:?} {max}");
        books.rollback();
        assert_eq!(books.len(), SHARED.len());
        assert_eq!(queue(&books, Buy)[2], (3, 1, 2));
    }
}

#[test]
fn the_judge_refuses_either_order_both_or_the_rest() {
    type Judge = fn(&Resting, &Resting, Lots, &[Resting]) -> Pairing;
    for (name, judge, ended, bids, asks) in [
        (
            "the bid",
            (|bid, _, lots, _| match bid.slot {
                1 => Pairing::RemoveBid,
                _ => Pairing::Fill(lots),
            }) as Judge,
            (8, 4, Stop::NoCross),
            &[(4, 2, 0)][..],
            &[][..],
        ),
        (
            "the ask",
            |_, ask, lots, _| match ask.slot {
                5 => Pairing::RemoveAsk,
                _ => Pairing::Fill(lots),
            },
            (5, 3, Stop::NoCross),
            &[(2, 2, 0), (3, 1, 2), (4, 2, 0)],
            &[],
        ),
        (
            "both",
            |_, _, _, _| Pairing::RemoveBoth,
            (0, 4, Stop::NoCross),
            &[(3, 1, 2), (4, 2, 0)],
            &[],
        ),
        (
            "nothing more",
            |bid, _, lots, _| match bid.slot {
                1 => Pairing::Fill(lots),
                _ => Pairing::Stop,
            },
            (2, 1, Stop::Judge),
            &[(2, 5, 0), (3, 1, 2), (4, 2, 0)],
            &[(5, 1, 0), (6, 5, 0)],
        ),
        (
            "a part; then the same two again",
            |_, _, _, _| Pairing::Fill(1),
            (8, 9, Stop::NoCross),
            &[(4, 2, 0), (3, 2, 0)],
            &[],
        ),
        (
            "more than offered: nothing more",
            |_, _, lots, _| Pairing::Fill(lots + 1),
            (0, 0, Stop::Judge),
            &[(1, 2, 0), (2, 5, 0), (3, 1, 2), (4, 2, 0)],
            &[(5, 3, 0), (6, 5, 0)],
        ),
    ] {
        let mut books = books(&SHARED);
        let (volume, met, stop) = ended;
        assert_eq!(
            books.uncross(0, 10, Sharing::Time, 99, judge),
            Uncrossed { volume, met, stop },
            "{name}"
        );
        assert_eq!(queue(&books, Buy), bids, "{name}");
        assert_eq!(queue(&books, Sell), asks, "{name}");
    }
}

/// Tries every price.
fn brute_force(orders: &[Resting], reference: Ticks) -> Option<Clearing> {
    let lots = |side: Side, in_price: &dyn Fn(Ticks) -> bool| {
        let matching = orders
            .iter()
            .filter(|order| order.side == side && in_price(order.price));
        matching.map(Resting::total).sum::<Lots>()
    };
    let at = |price: Ticks| {
        let (demand, supply) = (
            lots(Buy, &|bid| bid >= price),
            lots(Sell, &|ask| ask <= price),
        );
        Clearing {
            price,
            volume: demand.min(supply),
            imbalance: demand - supply,
        }
    };
    let prices = orders.iter().map(|order| order.price);
    let (low, high) = (prices.clone().min()?, prices.max()?);
    let best = (low..=high).map(at).min_by_key(|clearing| {
        let near = (clearing.price - reference).abs();
        (
            -clearing.volume,
            clearing.imbalance.abs(),
            near,
            clearing.price,
        )
    });
    best.filter(|clearing| clearing.volume > 0)
}

/// Pairs the first bid with the first ask, one pair after the other.
fn pair(
    naive: &mut Naive,
    price: Ticks,
    max_fills: u32,
    mut judge: impl FnMut(&Resting, &Resting, Lots) -> Pairing,
) -> Uncrossed {
    naive.refreshed.clear();
    let mut traded = BTreeMap::<u32, Lots>::new();
    let (mut volume, mut met) = (0, 0);
    let stop = loop {
        let first = |naive: &Naive, taker| naive.crossing(0, taker, price);
        let (Some(bid), Some(ask)) = (first(naive, Sell), first(naive, Buy)) else {
            break Stop::NoCross;
        };
        if met >= max_fills {
            break Stop::Limit;
        }
        let left = |order: &Resting| order.total() - traded.get(&order.slot).unwrap_or(&0);
        let most = left(&bid).min(left(&ask));
        let gone: &[_] = match judge(&bid, &ask, most) {
            Pairing::Fill(lots) if lots >= 1 && lots <= most => {
                volume += lots;
                met += 1;
                for order in [bid, ask] {
                    let lost = traded.entry(order.slot).or_default();
                    *lost += lots;
                    if *lost == order.total() {
                        traded.remove(&order.slot);
                        naive.remove(order.slot);
                    }
                }
                continue;
            }
            Pairing::RemoveBid => &[bid],
            Pairing::RemoveAsk => &[ask],
            Pairing::RemoveBoth => &[bid, ask],
            Pairing::Fill(_) | Pairing::Stop => break Stop::Judge,
        };
        for order in gone {
            traded.remove(&order.slot);
            naive.remove(order.slot);
            met += 1;
        }
    };
    let side = |slot: &u32| naive.get(*slot).unwrap().side;
    let mut left: Vec<_> = traded.into_iter().collect();
    left.sort_by_key(|(slot, _)| side(slot));
    for (slot, lots) in left {
        met += u32::from(naive.cut(slot, lots));
    }
    Uncrossed { volume, met, stop }
}

fn orders() -> impl Strategy<Value = Vec<Resting>> {
    let side = prop_oneof![Just(Buy), Just(Sell)];
    let hidden = prop_oneof![2 => Just(0), 1 => 0..9_i64];
    let step = prop_oneof![3 => Just(1), 1 => Just(40)];
    let order = (side, 0..12_i64, step, 1..9_i64, hidden);
    prop::collection::vec(order, 0..30).prop_map(|orders| {
        let numbered = (0..).zip(orders);
        let order = |(slot, (side, price, step, size, hidden))| Resting {
            slot,
            market: 0,
            side,
            price: price * step,
            size,
            hidden,
        };
        numbered.map(order).collect()
    })
}

fn both(orders: &[Resting]) -> (Books, Naive) {
    let (mut books, mut naive) = (Books::new(1), Naive::new(1));
    for order in orders {
        let &Resting {
            slot,
            market,
            side,
            price,
            size,
            hidden,
        } = order;
        let inserted = match hidden {
            0 => books.insert(slot, market, side, price, size),
            _ => books.insert_iceberg(slot, market, side, price, size, hidden, DISPLAY),
        };
        inserted.unwrap();
        naive
            .insert(*order, if hidden == 0 { 0 } else { DISPLAY })
            .unwrap();
    }
    books.seal();
    naive.seal();
    (books, naive)
}

fn assert_same(books: &Books, naive: &Naive) {
    for side in [Buy, Sell] {
        assert_eq!(
            books.orders(0, side).collect::<Vec<_>>(),
            naive.orders(0, side)
        );
        assert_eq!(
            books.levels(0, side).collect::<Vec<_>>(),
            naive.levels(0, side)
        );
    }
    assert_eq!(books.changed(), naive.changed());
}

/// Decides by slots and lots, so that the same question has the same answer.
fn judge(bid: &Resting, ask: &Resting, lots: Lots) -> Pairing {
    match (bid.slot * 7 + ask.slot * 3) % 16 {
        0 => Pairing::RemoveBid,
        1 => Pairing::RemoveAsk,
        2 => Pairing::RemoveBoth,
        3 if lots % 4 == 3 => Pairing::Stop,
        4 => Pairing::Fill((lots + 1) / 2),
        _ => Pairing::Fill(lots),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_clearing_price_is_the_one_of_brute_force(orders in orders(), reference in -5..500_i64) {
        let (books, _) = both(&orders);
        prop_assert_eq!(books.clearing(0, reference), brute_force(&orders, reference));
    }
}

#[test]
fn an_auction_pairs_as_the_naive_one_does() {
    let seen = RefCell::new(BTreeSet::new());
    let mut runner = TestRunner::new(ProptestConfig::with_cases(1_000));
    let result = runner.run(&(orders(), 0..12_i64, 0..40_u32), |(orders, price, max)| {
        let (mut books, mut naive) = both(&orders);
        let (mut asked, mut expected) = (Vec::new(), Vec::new());
        let ended = books.uncross(0, price, Sharing::Time, max, |bid, ask, lots, _| {
            asked.push((*bid, *ask, lots));
            judge(bid, ask, lots)
        });
        let paired = pair(&mut naive, price, max, |bid, ask, lots| {
            expected.push((*bid, *ask, lots));
            judge(bid, ask, lots)
        });
        assert_eq!((ended, asked), (paired, expected));
        assert_eq!(books.refreshed(), naive.refreshed);
        assert_same(&books, &naive);
        seen.borrow_mut().insert(format!("{:?}", ended.stop));
        if !naive.refreshed.is_empty() {
            seen.borrow_mut().insert("refreshed".to_owned());
        }
        if ended.met > max {
            seen.borrow_mut()
                .insert("refreshed after the last".to_owned());
        }
        books.rollback();
        naive.rollback();
        assert_same(&books, &naive);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let each = [
        "Judge",
        "Limit",
        "NoCross",
        "refreshed",
        "refreshed after the last",
    ];
    for what in each {
        assert!(seen.borrow().contains(what), "not seen: {what}");
    }
}

/// What an order may get of `lots` that are shared by size: at least what the division gives.
fn least(lots: Lots, order: &Resting, all: Lots) -> Lots {
    lots * order.total() / all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_shared_level_trades_by_size(orders in orders(), reference in 0..12_i64) {
        let (mut books, naive) = both(&orders);
        let Some(clearing) = books.clearing(0, reference) else {
            return Ok(());
        };
        let mut got = BTreeMap::<u32, Lots>::new();
        let ended = books.uncross(0, clearing.price, Sharing::ProRata, u32::MAX, |bid, ask, lots, _| {
            *got.entry(bid.slot).or_default() += lots;
            *got.entry(ask.slot).or_default() += lots;
            Pairing::Fill(lots)
        });
        prop_assert_eq!((ended.volume, ended.stop), (clearing.volume, Stop::NoCross));
        for side in [Buy, Sell] {
            let mut left = clearing.volume;
            for level in naive.orders(0, side).chunk_by(|a, b| a.price == b.price) {
                let all: Lots = level.iter().map(Resting::total).sum();
                let lots = left.min(all);
                left -= lots;
                let of = |order: &Resting| got.get(&order.slot).copied().unwrap_or(0);
                prop_assert_eq!(level.iter().map(of).sum::<Lots>(), lots);
                // Those that got one more, first; then by remainder; then by age.
                let more = |order: &Resting| of(order) - least(lots, order, all);
                let mut ranked: Vec<_> = level.iter().collect();
                ranked.sort_by_key(|order| std::cmp::Reverse(lots * order.total() % all));
                let extra: Vec<_> = ranked.iter().map(|order| more(order)).collect();
                prop_assert!(extra.is_sorted_by(|a, b| a >= b), "{:?}", extra);
                prop_assert!(extra.iter().all(|lots| (0..=1).contains(lots)), "{:?}", extra);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn an_auction_by_size_is_fair_whatever_the_judge_says(
        orders in orders(),
        price in 0..12_i64,
        max in prop_oneof![0..40_u32, Just(u32::MAX)],
    ) {
        let (mut books, _) = both(&orders);
        let (mut got, mut removed) = (BTreeMap::<u32, Lots>::new(), BTreeSet::new());
        let ended = books.uncross(0, price, Sharing::ProRata, max, |bid, ask, lots, _| {
            assert!(bid.price >= price && ask.price <= price);
            let pairing = judge(bid, ask, lots);
            let (no_bid, no_ask) = match pairing {
                Pairing::Fill(lots) => {
                    *got.entry(bid.slot).or_default() += lots;
                    *got.entry(ask.slot).or_default() += lots;
                    (false, false)
                }
                Pairing::RemoveBid => (true, false),
                Pairing::RemoveAsk => (false, true),
                Pairing::RemoveBoth => (true, true),
                Pairing::Stop => (false, false),
            };
            removed.extend(no_bid.then_some(bid.slot));
            removed.extend(no_ask.then_some(ask.slot));
            pairing
        });
        let mut traded = 0;
        for order in &orders {
            let lots = got.get(&order.slot).copied().unwrap_or(0);
            traded += lots;
            let left = books.get(order.slot).map_or(0, |order| order.total());
            if removed.contains(&order.slot) {
                prop_assert!(left == 0 && lots < order.total());
            } else {
                prop_assert_eq!(lots + left, order.total(), "slot {}", order.slot);
            }
        }
        prop_assert_eq!(traded, 2 * ended.volume);
        prop_assert!(ended.met <= max.saturating_add(2));
        let crosses = books.crosses(0, Sell, price) && books.crosses(0, Buy, price);
        prop_assert_eq!(crosses, ended.stop != Stop::NoCross);
        books.rollback();
        let sealed: BTreeMap<_, _> = orders.iter().map(|order| (order.slot, *order)).collect();
        for order in books.orders(0, Buy).chain(books.orders(0, Sell)) {
            prop_assert_eq!(sealed.get(&order.slot), Some(&order));
        }
        prop_assert_eq!(books.len(), orders.len());
    }
}

#[test]
fn of_a_level_with_more_orders_than_fills_the_oldest_share() {
    let mut orders: Vec<Order> = (0..10).map(|slot| (slot, Buy, 5, 10, 0)).collect();
    orders.push((10, Sell, 5, 9, 0));
    let mut fills: Vec<Fill> = Vec::new();
    let mut books = books(&orders);
    books.uncross(0, 5, Sharing::ProRata, 3, |bid, ask, lots, _| {
        fills.push((bid.slot, ask.slot, lots));
        Pairing::Fill(lots)
    });
    assert_eq!(fills, [(0, 10, 3), (1, 10, 3), (2, 10, 3)]);
}
