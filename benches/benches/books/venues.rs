//! Ours, and the plain engine that anyone would write first.

use ballast_benches::flow::{Message, Op};
use ballast_orderbook::{Books, Resting, Verdict};
use ballast_types::{Lots, Side, Ticks};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// An engine that is measured.
pub(crate) trait Venue {
    /// Empty books. Slots are below `slots`.
    fn new(markets: u32, slots: u32) -> Self;

    /// Does what the message asks for, and returns the lots traded.
    fn apply(&mut self, message: &Message) -> u64;

    /// Says that `far` and then `near` come soon, `near` sooner.
    fn hint(&self, _far: &Message, _near: &Message) {}

    /// A block ends.
    fn end_batch(&mut self) {}
}

/// What a feed of every order says.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code)]
enum Event {
    Added {
        slot: u32,
        market: u32,
        side: Side,
        price: Ticks,
        size: Lots,
    },
    Filled {
        maker: u32,
        price: Ticks,
        size: Lots,
    },
    Removed {
        slot: u32,
    },
}

/// Our books; with or without a list of events that is emptied after each batch.
pub(crate) struct Ours<const EVENTS: bool> {
    books: Books,
    events: Vec<Event>,
}

impl<const EVENTS: bool> Ours<EVENTS> {
    fn take(&mut self, message: &Message) -> u64 {
        let size = Lots::from(message.size);
        let events = &mut self.events;
        let judge = |maker: &Resting, left: Lots| {
            let lots = maker.size.min(left);
            if EVENTS {
                events.push(Event::Filled {
                    maker: maker.slot,
                    price: maker.price,
                    size: lots,
                });
            }
            Verdict::Fill(lots)
        };
        let taken = self.books.take(
            message.market,
            message.side,
            message.price,
            size,
            u32::MAX,
            judge,
        );
        (size - taken.remaining) as u64
    }

    fn add(&mut self, message: &Message) -> u64 {
        let &Message {
            price,
            slot,
            market,
            side,
            ..
        } = message;
        let mut size = Lots::from(message.size);
        let mut traded = 0;
        if self.books.crosses(market, side, price) {
            traded = self.take(message);
            size -= traded as Lots;
        }
        if size > 0 {
            let inserted = self.books.insert(slot, market, side, price, size);
            inserted.expect("a free slot");
            if EVENTS {
                self.events.push(Event::Added {
                    slot,
                    market,
                    side,
                    price,
                    size,
                });
            }
        }
        traded
    }

    fn cancel(&mut self, slot: u32) {
        if self.books.remove(slot).is_some() && EVENTS {
            self.events.push(Event::Removed { slot });
        }
    }
}

impl<const EVENTS: bool> Venue for Ours<EVENTS> {
    fn new(markets: u32, _slots: u32) -> Self {
        Self {
            books: Books::new(markets as usize),
            events: Vec::new(),
        }
    }

    fn apply(&mut self, message: &Message) -> u64 {
        match message.op {
            Op::Add => self.add(message),
            Op::Take => self.take(message),
            Op::Cancel => {
                self.cancel(message.slot);
                0
            }
            Op::Replace => {
                self.cancel(message.slot);
                self.add(message)
            }
        }
    }

    fn end_batch(&mut self) {
        self.books.seal();
        self.events.clear();
    }
}

/// A `BTreeMap` of levels, a `VecDeque` of orders each, and a `HashMap` from the order's id to its
/// level. A cancel looks for its order from the back of the level, where young orders are.
pub(crate) struct Plain {
    books: Vec<[BTreeMap<Ticks, VecDeque<Queued>>; 2]>,
    places: HashMap<u64, Place>,
}

struct Queued {
    id: u64,
    size: Lots,
}

struct Place {
    market: u32,
    side: Side,
    price: Ticks,
}

fn index(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

impl Plain {
    fn trade(&mut self, market: u32, taker: Side, limit: Ticks, mut size: Lots) -> Lots {
        let levels = &mut self.books[market as usize][index(taker.opposite())];
        while size > 0 {
            let best = match taker {
                Side::Buy => levels.first_entry().filter(|level| *level.key() <= limit),
                Side::Sell => levels.last_entry().filter(|level| *level.key() >= limit),
            };
            let Some(mut level) = best else { break };
            let queue = level.get_mut();
            while size > 0
                && let Some(maker) = queue.front_mut()
            {
                let lots = maker.size.min(size);
                size -= lots;
                maker.size -= lots;
                if maker.size == 0 {
                    self.places.remove(&maker.id);
                    queue.pop_front();
                }
            }
            if queue.is_empty() {
                level.remove();
            }
        }
        size
    }

    fn add(&mut self, message: &Message) -> u64 {
        let &Message {
            price,
            market,
            side,
            ..
        } = message;
        let whole = Lots::from(message.size);
        let size = self.trade(market, side, price, whole);
        if size > 0 {
            let id = u64::from(message.slot);
            self.places.insert(
                id,
                Place {
                    market,
                    side,
                    price,
                },
            );
            let levels = &mut self.books[market as usize][index(side)];
            let level = levels.entry(price).or_default();
            level.push_back(Queued { id, size });
        }
        (whole - size) as u64
    }

    fn cancel(&mut self, id: u64) {
        let Some(place) = self.places.remove(&id) else {
            return;
        };
        let levels = &mut self.books[place.market as usize][index(place.side)];
        let Some(queue) = levels.get_mut(&place.price) else {
            return;
        };
        if let Some(at) = queue.iter().rposition(|order| order.id == id) {
            queue.remove(at);
        }
        if queue.is_empty() {
            levels.remove(&place.price);
        }
    }
}

impl Venue for Plain {
    fn new(markets: u32, _slots: u32) -> Self {
        Self {
            books: (0..markets).map(|_| Default::default()).collect(),
            places: HashMap::new(),
        }
    }

    fn apply(&mut self, message: &Message) -> u64 {
        match message.op {
            Op::Add => self.add(message),
            Op::Take => {
                let size = Lots::from(message.size);
                let left = self.trade(message.market, message.side, message.price, size);
                (size - left) as u64
            }
            Op::Cancel => {
                self.cancel(message.slot.into());
                0
            }
            Op::Replace => {
                self.cancel(message.slot.into());
                self.add(message)
            }
        }
    }
}
