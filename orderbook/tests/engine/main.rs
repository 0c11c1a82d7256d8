//! The engine against one that is written for reading: the same events and the same books after
//! each of many random commands. `ENGINE_COMMANDS` and `ENGINE_SEED` say how many and which.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]
#![allow(clippy::panic, clippy::unreachable, clippy::indexing_slicing)]
#![allow(
    clippy::arithmetic_side_effects,
    reason = "tests end when a number overflows"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "sizes of tests come from the environment"
)]

mod naive;
mod reader;
mod rules;

use ballast_orderbook::{
    Command, Engine, Event, NewOrder, Rejection, Removal, Resting, SelfTrade, Tif,
};
use ballast_types::Side;
use naive::Naive;
use reader::Reader;
use std::collections::BTreeMap;

const MODES: [SelfTrade; 5] = [
    SelfTrade::Allow,
    SelfTrade::CancelTaker,
    SelfTrade::CancelMaker,
    SelfTrade::CancelBoth,
    SelfTrade::DecrementBoth,
];
const MARKETS: u32 = 3;
const SLOTS: u64 = 120;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn signed(&mut self, from: i64, limit: u64) -> i64 {
        from + i64::try_from(self.below(limit)).unwrap()
    }

    fn slot(&mut self) -> u32 {
        u32::try_from(self.below(SLOTS)).unwrap()
    }

    /// Mostly good, sometimes zero or negative.
    fn size(&mut self) -> i64 {
        match self.below(64) {
            0 => self.signed(-2, 3),
            _ => self.signed(1, 20),
        }
    }

    fn add(&mut self) -> NewOrder {
        let side = [Side::Buy, Side::Sell][usize::from(self.below(2) == 0)];
        let tif = match self.below(16) {
            0..8 => Tif::Gtc,
            8..10 => Tif::Ioc,
            10..13 => Tif::Fok,
            _ => Tif::PostOnly,
        };
        // Bids around 100, asks around 106, so that some cross.
        let middle = if side == Side::Buy { 100 } else { 106 };
        NewOrder {
            slot: if self.below(500) == 0 {
                u32::MAX
            } else {
                self.slot()
            },
            market: u32::try_from(self.below(u64::from(MARKETS) * 100) / 99).unwrap(),
            side,
            price: middle + self.signed(-6, 13),
            size: self.size(),
            tif,
            account: self.below(4),
        }
    }

    fn command(&mut self) -> Command {
        match self.below(16) {
            0..9 => Command::Add(self.add()),
            9..12 => Command::Cancel { slot: self.slot() },
            _ => Command::Amend {
                slot: self.slot(),
                price: self.signed(95, 17),
                size: self.size(),
            },
        }
    }
}

fn crc(orders: impl Iterator<Item = Resting>) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    for order in orders {
        let side = u8::from(order.side == Side::Sell);
        crc.update(&order.market.to_le_bytes());
        crc.update(&[side]);
        crc.update(&order.price.to_le_bytes());
        crc.update(&order.slot.to_le_bytes());
        crc.update(&order.size.to_le_bytes());
    }
    crc.finalize()
}

fn orders(engine: &Engine) -> impl Iterator<Item = Resting> {
    let sides = (0..engine.markets()).flat_map(|m| [(m, Side::Buy), (m, Side::Sell)]);
    sides.flat_map(|(market, side)| engine.books().orders(market, side))
}

/// Counts what a command and its events show.
#[derive(Default)]
struct Coverage(BTreeMap<String, u64>);

impl Coverage {
    fn count(&mut self, name: &str) {
        match self.0.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(self.0.insert(name.to_owned(), 1)),
        }
    }

    fn look(&mut self, mode: SelfTrade, command: &Command, events: &[Event]) {
        let fills = events
            .iter()
            .filter(|event| matches!(event, Event::Filled { .. }));
        let (fills, last) = (fills.count(), events.last());
        if fills > 2 {
            self.count("sweep");
        }
        match (command, last) {
            (Command::Add(order), Some(Event::Added(rest))) => {
                self.count(&format!("{:?} rests", order.tif));
                if rest.size < order.size {
                    self.count("rests in part");
                }
            }
            (Command::Add(order), Some(Event::Filled { left, .. })) => {
                let maker = if *left == 0 { "goes" } else { "stays" };
                self.count(&format!("{:?} fills whole, maker {maker}", order.tif));
            }
            (Command::Amend { .. }, Some(Event::Added(_))) if fills > 0 => {
                self.count("amend trades and rests");
            }
            (Command::Amend { .. }, Some(Event::Added(_))) => self.count("amend moves"),
            (Command::Amend { .. }, Some(Event::Filled { .. })) => self.count("amend trades"),
            (Command::Amend { .. }, None) => self.count("amend changes nothing"),
            _ => {}
        }
        for event in events {
            match event {
                Event::Shrunk { .. } => self.count("amend shrinks"),
                Event::Decremented { left: 0, .. } => self.count("decrement, maker goes"),
                Event::Decremented { .. } => self.count("decrement, maker stays"),
                Event::Removed {
                    reason: Removal::SelfTrade,
                    ..
                } => {
                    self.count(&format!("{mode:?} removes"));
                }
                Event::Removed { reason, .. } => self.count(&format!("{reason:?}")),
                Event::Rejected { reason, .. } => self.count(&format!("{reason:?}")),
                Event::Added(_) | Event::Filled { .. } => {}
            }
        }
    }

    fn require(&self) {
        for name in [
            "sweep",
            "Gtc rests",
            "PostOnly rests",
            "rests in part",
            "Gtc fills whole, maker goes",
            "Gtc fills whole, maker stays",
            "Ioc fills whole, maker goes",
            "Ioc fills whole, maker stays",
            "Fok fills whole, maker goes",
            "Fok fills whole, maker stays",
            "amend moves",
            "amend trades",
            "amend trades and rests",
            "amend changes nothing",
            "amend shrinks",
            "decrement, maker goes",
            "decrement, maker stays",
            "CancelTaker removes",
            "CancelMaker removes",
            "CancelBoth removes",
        ] {
            self.has(name);
        }
        for reason in [Removal::Cancelled, Removal::Amended, Removal::Unfilled] {
            self.has(&format!("{reason:?}"));
        }
        for reason in [
            Rejection::Size,
            Rejection::Slot,
            Rejection::Occupied,
            Rejection::Market,
            Rejection::WouldTrade,
            Rejection::NotWhole,
            Rejection::NotResting,
        ] {
            self.has(&format!("{reason:?}"));
        }
    }

    fn has(&self, name: &str) {
        assert!(self.0.contains_key(name), "never: {name}; {:#?}", self.0);
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn random_commands_have_the_same_events_and_books() {
    let commands = setting("ENGINE_COMMANDS", 3_000_000);
    let seed = setting("ENGINE_SEED", 1);
    let mut coverage = Coverage::default();
    for (run, mode) in (0..).zip(MODES) {
        let mut random = Random(seed.wrapping_mul(1_000).wrapping_add(run));
        // The engine starts with fewer markets and grows.
        let (mut engine, mut naive) = (Engine::new(1, mode), Naive::new(MARKETS, mode));
        engine.grow(MARKETS);
        let mut events = Vec::new();
        for number in 0..commands / 5 {
            let command = random.command();
            events.clear();
            engine.apply(&command, &mut events);
            let at = format!("seed {seed}, {mode:?}, command {number}: {command:?}");
            assert_eq!(events, naive.apply(&command), "{at}");
            coverage.look(mode, &command, &events);
            if number % 64 == 0 {
                assert_eq!(
                    crc(orders(&engine)),
                    crc(naive.orders().into_iter()),
                    "{at}"
                );
            }
        }
        assert_eq!(orders(&engine).collect::<Vec<_>>(), naive.orders());
    }
    coverage.require();
}

#[test]
fn a_reader_of_the_events_keeps_the_same_book_and_no_size_is_lost() {
    for (run, mode) in (0..).zip(MODES) {
        let mut random = Random(100 + run);
        let mut engine = Engine::new(MARKETS, mode);
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        for number in 0..20_000 {
            let command = random.command();
            events.clear();
            // A hint changes nothing.
            engine.prefetch(&command);
            engine.prefetch_around(&command);
            engine.apply(&command, &mut events);
            let at = format!("{mode:?}, command {number}: {command:?}");
            reader.read(&command, &events, &at);
            for market in 0..MARKETS {
                let bid = engine.books().best(market, Side::Buy);
                let crossed = bid.is_some_and(|bid| engine.books().crosses(market, Side::Buy, bid));
                assert!(!crossed, "{at}: market {market} is crossed");
            }
            if number % 64 == 0 {
                assert_eq!(reader.orders(), orders(&engine).collect::<Vec<_>>(), "{at}");
            }
        }
    }
}

#[test]
fn cancels_and_amends_change_nothing_the_second_time() {
    let mut random = Random(9);
    let mut engine = Engine::new(MARKETS, SelfTrade::Allow);
    let mut events = Vec::new();
    for _ in 0..20_000 {
        let command = random.command();
        engine.apply(&command, &mut events);
        let again = match command {
            Command::Amend { slot, price, size } => {
                // What traded is no longer open: the same again is what rests now.
                let size = engine.books().get(slot).map_or(size, |order| order.size);
                Command::Amend { slot, price, size }
            }
            Command::Cancel { .. } => command,
            Command::Add(_) => continue,
        };
        let amended = matches!(
            events.last(),
            Some(Event::Added(_) | Event::Shrunk { .. }) | None
        );
        events.clear();
        engine.apply(&again, &mut events);
        match (again, amended) {
            (Command::Amend { .. }, true) => assert_eq!(events, [], "{again:?}"),
            (Command::Cancel { slot }, _) => {
                let reason = Rejection::NotResting;
                assert_eq!(events, [Event::Rejected { slot, reason }], "{again:?}");
            }
            _ => {}
        }
        events.clear();
    }
}

#[test]
fn growing_keeps_priority() {
    let mut random = Random(7);
    let mut engine = Engine::new(MARKETS, SelfTrade::Allow);
    let mut events = Vec::new();
    for _ in 0..2_000 {
        engine.apply(&random.command(), &mut events);
    }
    let before: Vec<_> = orders(&engine).collect();
    assert!(before.len() > 20);
    engine.grow(64);
    assert_eq!(engine.markets(), 64);
    assert_eq!(orders(&engine).collect::<Vec<_>>(), before);
    engine.grow(2);
    assert_eq!(engine.markets(), 64);
}
