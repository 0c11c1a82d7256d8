//! Seeded streams of order-book messages, the same for every engine that is measured.
//!
//! A stream begins with orders that fill the books without trading. Then, of 100 messages, 45 add an
//! order, 43 cancel one, 7 take and 5 replace one. All numbers are integers from one [`Random`], so
//! a [`Shape`], a seed and a count give the same messages on every machine.
//!
//! - Distances and ages are geometric in steps: a step is left with probability one half, and inside
//!   a step all values are equally likely ([`Random::halving`]).
//! - An order is a bid or an ask with equal probability, 1 to 100 lots, at 1 tick plus a distance
//!   from the mid of a market that is drawn uniformly; where it would cross, it is put one tick
//!   behind the best opposite price.
//! - The mid moves one tick up or down each [`Shape::calm`] messages of its market, on average.
//! - A cancel names, four times of five, a recent order, by the number of orders that came after it;
//!   else any resting order, each equally likely. A replaced order is picked in the same way; it
//!   gets a new size and another price on its side, drawn as for an add (one tick worse where that
//!   is the old price), and so loses its priority.
//! - A take is immediate-or-cancel: nine times of ten 1 to 10 lots, else 1 to 190, so that on average
//!   it fills what adds bring more than cancels take. Its side follows the mid where that has moved
//!   past a best price. Its limit lies up to 3 ticks behind the last price that it reaches, so an
//!   engine without limits on takes does the same.
//! - When the count of resting orders leaves its mark by 2 %, an add becomes a cancel or a cancel an
//!   add.
//! - A slot is a number below [`Stream::slots`]; that of an order that left last is used first.

use ballast_types::{Side, Ticks};
use std::collections::{BTreeMap, VecDeque};

/// Messages of a batch: what a block would hold.
pub const BATCH: usize = 4_096;

/// Where the mid of every market starts, in ticks.
const MID: Ticks = 1_000_000;
/// Largest size of an order in lots.
const MAX_SIZE: u64 = 100;

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A limit order that rests; it never crosses.
    Add,
    /// The order in the slot leaves.
    Cancel,
    /// Immediate or cancel; it has no slot.
    Take,
    /// The order in the slot leaves, and one with this size and another price takes its slot.
    Replace,
}

/// One message, 24 bytes. A cancel carries no price and no size, as in a real feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Limit in ticks.
    pub price: Ticks,
    /// Lots.
    pub size: u32,
    /// Names the order; `u32::MAX` for a take.
    pub slot: u32,
    /// Market, from 0.
    pub market: u32,
    /// What is asked for.
    pub op: Op,
    /// Side of the order, or of the taker.
    pub side: Side,
}

/// What a stream is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Markets, all equally busy.
    pub markets: u32,
    /// Orders that rest in all of them together, within 10 %.
    pub resting: u32,
}

impl Shape {
    /// One market with 5,000 resting orders.
    pub const SMALL: Self = Self {
        markets: 1,
        resting: 5_000,
    };
    /// 64 markets with 126,000 resting orders in all.
    pub const MANY: Self = Self {
        markets: 64,
        resting: 126_000,
    };
    /// One market with a million resting orders.
    pub const LARGE: Self = Self {
        markets: 1,
        resting: 1_000_000,
    };

    fn per_market(&self) -> u32 {
        self.resting / self.markets
    }

    /// Ticks over which the number of orders halves with the distance from the mid.
    pub fn step(&self) -> u64 {
        u64::from(self.per_market() / 128).clamp(16, 256)
    }

    /// Messages of a market between two moves of its mid, on average.
    pub fn calm(&self) -> u64 {
        u64::from(self.per_market() / 100).max(10)
    }

    /// Newer orders over which the number of recent cancels halves.
    pub fn recent(&self) -> u64 {
        u64::from(self.resting / 16).max(16)
    }

    /// Orders that fill the books, before the first message of the stream. Builds nothing.
    pub fn seeds(self, seed: u64) -> impl Iterator<Item = Message> {
        let mut random = Random::new(seed);
        (0..self.resting).map(move |slot| {
            let market = random.below(self.markets.into()) as u32;
            let side = random.side();
            Message {
                price: away(MID, side, random.halving(self.step())),
                size: random.size(),
                slot,
                market,
                op: Op::Add,
                side,
            }
        })
    }
}

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform inside a step; each step is half as likely as the one before.
    pub fn halving(&mut self, step: u64) -> u64 {
        u64::from(self.bits().trailing_zeros()) * step + self.below(step)
    }

    fn side(&mut self) -> Side {
        if self.below(2) == 0 {
            Side::Buy
        } else {
            Side::Sell
        }
    }

    fn size(&mut self) -> u32 {
        1 + self.below(MAX_SIZE) as u32
    }
}

/// A whole stream, made before any clock starts.
#[derive(Clone, Debug)]
pub struct Stream {
    /// What it is like.
    pub shape: Shape,
    /// Adds that fill the books; not to be timed.
    pub seeds: Vec<Message>,
    /// The stream itself.
    pub messages: Vec<Message>,
    /// All slots are below.
    pub slots: u32,
    /// Lots traded by the end of each [`BATCH`]; the last one may be shorter.
    pub traded: Vec<u64>,
}

impl Stream {
    /// A stream of `count` messages.
    pub fn new(shape: Shape, seed: u64, count: usize) -> Self {
        let seeds: Vec<_> = shape.seeds(seed).collect();
        let mut flow = Flow::new(shape, seed);
        for message in &seeds {
            flow.rest(message);
        }
        let mut messages = Vec::with_capacity(count);
        let mut traded = Vec::with_capacity(count.div_ceil(BATCH));
        while messages.len() < count {
            messages.push(flow.next());
            if messages.len() % BATCH == 0 || messages.len() == count {
                traded.push(flow.traded);
            }
        }
        Self {
            shape,
            seeds,
            messages,
            slots: flow.orders.len() as u32,
            traded,
        }
    }
}

/// A price `distance` behind the tick next to `mid`.
fn away(mid: Ticks, side: Side, distance: u64) -> Ticks {
    let distance = 1 + distance as Ticks;
    match side {
        Side::Buy => mid - distance,
        Side::Sell => mid + distance,
    }
}

#[derive(Clone, Copy)]
struct Order {
    price: Ticks,
    size: u32,
    market: u32,
    side: Side,
    /// Counts the orders that the slot has held, so that old names of it are known as such.
    turn: u32,
    /// Where the slot stands in `live`.
    place: u32,
}

/// Slot and turn.
type Name = (u32, u32);

/// Levels by price, bids negated: best first. Orders that have left stay until they come to the
/// front, so only [`Flow::best`] may look.
type Queues = BTreeMap<Ticks, VecDeque<Name>>;

/// The generator: books written for reading, and what picks the next message.
struct Flow {
    shape: Shape,
    random: Random,
    mids: Vec<Ticks>,
    books: Vec<[Queues; 2]>,
    orders: Vec<Order>,
    free: Vec<u32>,
    live: Vec<u32>,
    /// Every order that ever rested, oldest first.
    history: Vec<Name>,
    traded: u64,
}

fn key(side: Side, price: Ticks) -> Ticks {
    match side {
        Side::Buy => -price,
        Side::Sell => price,
    }
}

impl Flow {
    fn new(shape: Shape, seed: u64) -> Self {
        Self {
            shape,
            // Another sequence than that of the seeds.
            random: Random::new(!seed),
            mids: vec![MID; shape.markets as usize],
            books: vec![Default::default(); shape.markets as usize],
            orders: Vec::new(),
            free: Vec::new(),
            live: Vec::new(),
            history: Vec::new(),
            traded: 0,
        }
    }

    fn next(&mut self) -> Message {
        let market = self.random.below(self.shape.markets.into()) as u32;
        if self.random.below(self.shape.calm()) == 0 {
            let up = self.random.below(2) == 0;
            self.mids[market as usize] += if up { 1 } else { -1 };
        }
        let live = self.live.len() as u64;
        let mark = u64::from(self.shape.resting);
        let (few, many) = (live * 50 <= mark * 49, live * 50 >= mark * 51);
        match self.random.below(100) {
            0..45 if !many => self.add(market),
            45..88 if few => self.add(market),
            0..88 => self.cancel(),
            88..95 => self.take(market),
            _ => self.replace(),
        }
    }

    fn add(&mut self, market: u32) -> Message {
        let side = self.random.side();
        let slot = self.free.pop().unwrap_or(self.orders.len() as u32);
        let message = Message {
            price: self.price(market, side),
            size: self.random.size(),
            slot,
            market,
            op: Op::Add,
            side,
        };
        self.rest(&message);
        message
    }

    fn cancel(&mut self) -> Message {
        let slot = self.pick();
        let order = self.orders[slot as usize];
        self.leave(slot);
        Message {
            price: 0,
            size: 0,
            slot,
            market: order.market,
            op: Op::Cancel,
            side: order.side,
        }
    }

    fn replace(&mut self) -> Message {
        let slot = self.pick();
        let old = self.orders[slot as usize];
        let Order { market, side, .. } = old;
        self.leave(slot);
        self.free.pop();
        let mut price = self.price(market, side);
        if price == old.price {
            price = away(price, side, 0);
        }
        let message = Message {
            price,
            size: self.random.size(),
            slot,
            market,
            op: Op::Replace,
            side,
        };
        self.rest(&message);
        message
    }

    fn take(&mut self, market: u32) -> Message {
        let mid = self.mids[market as usize];
        let ask = self.best(market, Side::Sell);
        let bid = self.best(market, Side::Buy);
        let side = match (bid, ask) {
            (_, Some(ask)) if ask <= mid => Side::Buy,
            (Some(bid), _) if bid >= mid => Side::Sell,
            _ => self.random.side(),
        };
        let large = self.random.below(10) == 0;
        let size = 1 + self.random.below(if large { 190 } else { 10 }) as u32;
        let cushion = self.random.below(4) as Ticks;
        let mut last = if side == Side::Buy { ask } else { bid }.unwrap_or(mid);
        let mut left = size;
        while left > 0
            && let Some(price) = self.best(market, side.opposite())
        {
            last = price;
            let level = &self.books[market as usize][index(side.opposite())];
            let (slot, _) = level[&key(side.opposite(), price)][0];
            let maker = &mut self.orders[slot as usize];
            let filled = left.min(maker.size);
            left -= filled;
            maker.size -= filled;
            self.traded += u64::from(filled);
            if maker.size == 0 {
                self.leave(slot);
            }
        }
        let price = match side {
            Side::Buy => last + cushion,
            Side::Sell => last - cushion,
        };
        Message {
            price,
            size,
            slot: u32::MAX,
            market,
            op: Op::Take,
            side,
        }
    }

    /// Where an order of the side would rest.
    fn price(&mut self, market: u32, side: Side) -> Ticks {
        let distance = self.random.halving(self.shape.step());
        let price = away(self.mids[market as usize], side, distance);
        match (side, self.best(market, side.opposite())) {
            (Side::Buy, Some(ask)) => price.min(ask - 1),
            (Side::Sell, Some(bid)) => price.max(bid + 1),
            (_, None) => price,
        }
    }

    /// A resting order that is to leave. The feedback keeps some resting.
    fn pick(&mut self) -> u32 {
        if self.random.below(5) > 0 {
            for _ in 0..8 {
                let age = 1 + self.random.halving(self.shape.recent()) as usize;
                let Some(at) = self.history.len().checked_sub(age) else {
                    continue;
                };
                let (slot, turn) = self.history[at];
                let order = &self.orders[slot as usize];
                if order.turn == turn && order.size > 0 {
                    return slot;
                }
            }
        }
        self.live[self.random.below(self.live.len() as u64) as usize]
    }

    /// Puts an order into the books.
    fn rest(&mut self, message: &Message) {
        let slot = message.slot;
        if slot as usize == self.orders.len() {
            self.orders.push(Order {
                price: 0,
                size: 0,
                market: 0,
                side: Side::Buy,
                turn: 0,
                place: 0,
            });
        }
        let order = &mut self.orders[slot as usize];
        *order = Order {
            price: message.price,
            size: message.size,
            market: message.market,
            side: message.side,
            turn: order.turn + 1,
            place: self.live.len() as u32,
        };
        let name = (slot, order.turn);
        self.live.push(slot);
        self.history.push(name);
        self.books[message.market as usize][index(message.side)]
            .entry(key(message.side, message.price))
            .or_default()
            .push_back(name);
    }

    /// Frees the slot. Its name stays in the books until it comes to the front.
    fn leave(&mut self, slot: u32) {
        let order = &mut self.orders[slot as usize];
        order.size = 0;
        let place = order.place as usize;
        self.live.swap_remove(place);
        if let Some(&moved) = self.live.get(place) {
            self.orders[moved as usize].place = place as u32;
        }
        self.free.push(slot);
    }

    /// The best price of a side. What has left is dropped on the way.
    fn best(&mut self, market: u32, side: Side) -> Option<Ticks> {
        let queues = &mut self.books[market as usize][index(side)];
        loop {
            let mut level = queues.first_entry()?;
            let queue = level.get_mut();
            while let Some(&(slot, turn)) = queue.front() {
                let order = &self.orders[slot as usize];
                if order.turn == turn && order.size > 0 {
                    return Some(order.price);
                }
                queue.pop_front();
            }
            level.remove();
        }
    }
}

fn index(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{BATCH, Message, Op, Shape, Stream};
    use ballast_orderbook::{Books, Verdict};
    use ballast_types::{Lots, Side};

    const SMALL: Shape = Shape {
        markets: 1,
        resting: 1_000,
    };
    const MANY: Shape = Shape {
        markets: 7,
        resting: 2_000,
    };
    const COUNT: usize = 60_000;

    fn put(books: &mut Books, m: &Message) {
        assert!(!books.crosses(m.market, m.side, m.price), "{m:?} crosses");
        books
            .insert(m.slot, m.market, m.side, m.price, Lots::from(m.size))
            .unwrap();
    }

    /// Applies one message and returns the lots traded.
    fn apply(books: &mut Books, m: &Message) -> u64 {
        match m.op {
            Op::Add => put(books, m),
            Op::Cancel => {
                let order = books.remove(m.slot).unwrap();
                assert_eq!((order.market, order.side), (m.market, m.side));
            }
            Op::Replace => {
                books.remove(m.slot).unwrap();
                put(books, m);
            }
            Op::Take => {
                let size = Lots::from(m.size);
                let fill =
                    |maker: &ballast_orderbook::Resting, left| Verdict::Fill(maker.size.min(left));
                let taken = books.take(m.market, m.side, m.price, size, u32::MAX, fill);
                let empty = books.best(m.market, m.side.opposite()).is_none();
                assert!(taken.remaining == 0 || empty, "the limit of {m:?} binds");
                return (size - taken.remaining) as u64;
            }
        }
        0
    }

    #[test]
    fn every_message_does_what_it_says_and_the_count_of_resting_orders_holds() {
        for shape in [SMALL, MANY] {
            let stream = Stream::new(shape, 1, COUNT);
            let mut books = Books::new(shape.markets as usize);
            for m in &stream.seeds {
                put(&mut books, m);
            }
            let mut traded = 0;
            let (low, high) = (shape.resting * 9 / 10, shape.resting * 11 / 10);
            for (batch, &total) in stream.messages.chunks(BATCH).zip(&stream.traded) {
                for m in batch {
                    traded += apply(&mut books, m);
                    let resting = books.len() as u32;
                    assert!((low..=high).contains(&resting), "{resting} rest");
                }
                assert_eq!(traded, total);
            }
            assert!(stream.messages.iter().all(|m| m.market < shape.markets));
            assert!(stream.slots < shape.resting * 11 / 10);
        }
    }

    #[test]
    fn the_mix_is_45_adds_43_cancels_7_takes_and_5_replacements_of_100() {
        let stream = Stream::new(SMALL, 2, COUNT);
        for (op, share) in [
            (Op::Add, 45),
            (Op::Cancel, 43),
            (Op::Take, 7),
            (Op::Replace, 5),
        ] {
            let count = stream.messages.iter().filter(|m| m.op == op).count();
            let off = (count * 100).abs_diff(COUNT * share);
            assert!(off <= COUNT, "{count} of {COUNT} are {op:?}");
        }
        let buys = stream.messages.iter().filter(|m| m.side == Side::Buy);
        assert!(buys.count().abs_diff(COUNT / 2) < COUNT / 50);
    }

    /// FNV-1a over the numbers of each message as 64-bit words; sides and operations in the order of
    /// their declaration, from 0.
    fn fingerprint(messages: &[Message]) -> u64 {
        let words = messages.iter().flat_map(|m| {
            let side = u64::from(m.side == Side::Sell);
            let numbers = [m.slot.into(), m.market.into(), m.size.into(), side];
            [m.op as u64, m.price as u64].into_iter().chain(numbers)
        });
        words.fold(0xcbf2_9ce4_8422_2325, |hash, word: u64| {
            (hash ^ word).wrapping_mul(0x100_0000_01b3)
        })
    }

    #[test]
    fn a_stream_is_given_by_its_shape_and_seed() {
        let of = |seed| fingerprint(&Stream::new(MANY, seed, 5_000).messages);
        assert_ne!(of(1), of(2));
        assert_eq!(
            of(1),
            0x0653_fccb_6013_438d,
            "older figures no longer compare"
        );
    }
}
