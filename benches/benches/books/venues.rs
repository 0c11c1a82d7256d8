//! Ours, and the plain engine that anyone would write first.

use ballast_benches::flow::{Message, Op};
use ballast_orderbook::{Books, Engine, Event, NewOrder, Resting, SelfTrade, Tif, Verdict};
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

/// Our engine: every command leaves its events in a list that is emptied after each batch.
pub(crate) struct Ours {
    engine: Engine,
    events: Vec<Event>,
    /// Names takers; no order rests there.
    taker: u32,
}

impl Ours {
    fn add(&mut self, message: &Message, slot: u32, tif: Tif) {
        let order = NewOrder {
            slot,
            market: message.market,
            side: message.side,
            price: message.price,
            size: message.size.into(),
            tif,
            account: 0,
        };
        self.engine.add(&order, &mut self.events);
    }
}

impl Venue for Ours {
    fn new(markets: u32, slots: u32) -> Self {
        Self {
            engine: Engine::new(markets, SelfTrade::Allow),
            events: Vec::new(),
            taker: slots,
        }
    }

    fn apply(&mut self, message: &Message) -> u64 {
        match message.op {
            Op::Add => self.add(message, message.slot, Tif::Gtc),
            Op::Cancel => self.engine.cancel(message.slot, &mut self.events),
            Op::Replace => self.engine.amend(
                message.slot,
                message.price,
                message.size.into(),
                &mut self.events,
            ),
            Op::Take => {
                let before = self.events.len();
                self.add(message, self.taker, Tif::Ioc);
                let filled = self.events[before..].iter().map(|event| match event {
                    Event::Filled { size, .. } => *size as u64,
                    _ => 0,
                });
                return filled.sum();
            }
        }
        0
    }

    fn hint(&self, far: &Message, near: &Message) {
        hint(self.engine.books(), far, near);
    }

    fn end_batch(&mut self) {
        self.events.clear();
    }
}

/// What will be read, as far as it can be said so early. The level of an order that enters is not
/// worth a hint: finding it costs more than it saves.
fn hint(books: &Books, far: &Message, near: &Message) {
    if far.op != Op::Take {
        books.prefetch(far.slot);
    }
    match near.op {
        Op::Cancel => books.prefetch_around(near.slot),
        Op::Add => books.prefetch_tail(near.market, near.side, near.price),
        Op::Replace => {
            books.prefetch_around(near.slot);
            books.prefetch_tail(near.market, near.side, near.price);
        }
        Op::Take => {}
    }
}

/// Our books without the engine: no events, no orders that are refused.
pub(crate) struct Bare {
    books: Books,
}

impl Bare {
    fn take(&mut self, message: &Message) -> u64 {
        let &Message {
            price,
            market,
            side,
            ..
        } = message;
        let size = Lots::from(message.size);
        let fill = |maker: &Resting, left: Lots| Verdict::Fill(maker.size.min(left));
        let taken = self.books.take(market, side, price, size, u32::MAX, fill);
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
        let crosses = self.books.crosses(market, side, price);
        let traded = if crosses { self.take(message) } else { 0 };
        let size = Lots::from(message.size) - traded as Lots;
        if size > 0 {
            let inserted = self.books.insert(slot, market, side, price, size);
            inserted.expect("a free slot");
        }
        traded
    }
}

impl Venue for Bare {
    fn new(markets: u32, _slots: u32) -> Self {
        Self {
            books: Books::new(markets as usize),
        }
    }

    fn apply(&mut self, message: &Message) -> u64 {
        match message.op {
            Op::Add => self.add(message),
            Op::Take => self.take(message),
            Op::Cancel => {
                self.books.remove(message.slot);
                0
            }
            Op::Replace => {
                self.books.remove(message.slot);
                self.add(message)
            }
        }
    }

    fn hint(&self, far: &Message, near: &Message) {
        hint(&self.books, far, near);
    }

    fn end_batch(&mut self) {
        self.books.seal();
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
