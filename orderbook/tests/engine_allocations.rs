//! An engine that has been as busy as it gets allocates nothing any more, with its events on.

#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

use ballast_orderbook::{Command, Engine, Event, NewOrder, SelfTrade, Tif};
use ballast_types::Side;

const SLOTS: u32 = 3_000;
const MARKETS: u32 = 8;
/// Commands between two readings of the events.
const BLOCK: u32 = 500;

/// Numbers that look random and are the same in each round.
fn scattered(n: u32, bound: u32) -> u32 {
    let mixed = u64::from(n.wrapping_mul(0x9e37_79b1)) * u64::from(bound);
    u32::try_from(mixed >> 32).unwrap()
}

fn command(n: u32) -> Command {
    let slot = scattered(n, SLOTS);
    let size = 1 + i64::from(scattered(n ^ 0x55, 40));
    let distance = i64::from(scattered(n ^ 0x33, 200));
    let (side, price) = match n % 2 {
        0 => (Side::Buy, 10 - distance),
        _ => (Side::Sell, distance - 10),
    };
    match scattered(n ^ 0x0f, 16) {
        0..4 => Command::Cancel { slot },
        4..7 => Command::Amend { slot, price, size },
        kind => Command::Add(NewOrder {
            slot,
            market: slot % MARKETS,
            side,
            price,
            size,
            tif: match kind {
                7 => Tif::Ioc,
                8 => Tif::Fok,
                9 => Tif::PostOnly,
                _ => Tif::Gtc,
            },
            account: u64::from(scattered(n ^ 0x77, 20)),
        }),
    }
}

/// One round of commands that leaves the engine empty. How many events there were.
fn round(engine: &mut Engine, events: &mut Vec<Event>) -> usize {
    let mut read = 0;
    for n in 0..40_000 {
        engine.apply(&command(n), events);
        if n % BLOCK == 0 {
            read += events.len();
            events.clear();
        }
    }
    for slot in 0..SLOTS {
        engine.cancel(slot, events);
    }
    read += events.len();
    events.clear();
    assert!(engine.books().is_empty());
    read
}

#[test]
fn rounds_after_the_first_two_allocate_nothing() {
    for mode in [
        SelfTrade::Allow,
        SelfTrade::CancelTaker,
        SelfTrade::CancelMaker,
        SelfTrade::CancelBoth,
        SelfTrade::DecrementBoth,
    ] {
        let mut engine = Engine::new(MARKETS, mode);
        let mut events = Vec::new();
        let first = round(&mut engine, &mut events);
        let (mut second, mut third) = (0, 0);
        round(&mut engine, &mut events);
        let counted = allocation_counter::measure(|| {
            second = round(&mut engine, &mut events);
            third = round(&mut engine, &mut events);
        });
        assert!(first > 40_000, "{first}");
        assert_eq!((first, first), (second, third), "{mode:?}");
        assert_eq!(counted.count_total, 0, "{mode:?}");
    }
}
