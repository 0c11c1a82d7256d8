//! Published engines behind [`Venue`]. Each gets the calls that its documentation names, and where it
//! lets the caller choose ids, dense ones.

use crate::venues::Venue;
use ballast_benches::flow::{Message, Op};
use ballast_types::Side;

/// `obcore`: what an order would do is evaluated first, and applied then.
pub(crate) struct Obcore {
    books: Vec<obcore::OrderBook<ObcoreOrder>>,
    evaluator: obcore::Evaluator<ObcoreOrder>,
}

#[derive(Clone, Debug)]
pub(crate) struct ObcoreOrder {
    id: u32,
    owner: u32,
    price: u64,
    size: u64,
    left: u64,
    buy: bool,
    tif: obcore::TIF,
}

impl obcore::OrderInterface for ObcoreOrder {
    type I = u32;
    type N = u64;
    type O = u32;

    fn id(&self) -> &u32 {
        &self.id
    }

    fn is_buy(&self) -> bool {
        self.buy
    }

    fn price(&self) -> u64 {
        self.price
    }

    fn quantity(&self) -> u64 {
        self.size
    }

    fn remaining(&self) -> u64 {
        self.left
    }

    fn fill(&mut self, quantity: u64) {
        self.left -= quantity;
    }

    fn owner(&self) -> &u32 {
        &self.owner
    }

    fn tif(&self) -> obcore::TIF {
        self.tif
    }
}

impl Obcore {
    fn run(&mut self, market: u32, op: obcore::Op<ObcoreOrder>) -> u64 {
        let book = &mut self.books[market as usize];
        let mut traded = 0;
        for instruction in self.evaluator.eval(book, op) {
            if let obcore::Instruction::Fill(_, _, _, lots, true) = &instruction {
                traded += lots;
            }
            book.apply(instruction);
        }
        self.evaluator.reset();
        traded
    }

    fn insert(&mut self, message: &Message, tif: obcore::TIF) -> u64 {
        let size = u64::from(message.size);
        let order = ObcoreOrder {
            id: message.slot,
            owner: 0,
            price: message.price as u64,
            size,
            left: size,
            buy: message.side == Side::Buy,
            tif,
        };
        self.run(message.market, obcore::Op::Insert(order))
    }

    fn cancel(&mut self, message: &Message) -> u64 {
        self.run(message.market, obcore::Op::Delete(message.slot))
    }
}

impl Venue for Obcore {
    fn new(markets: u32, _slots: u32) -> Self {
        Self {
            books: (0..markets).map(|_| Default::default()).collect(),
            evaluator: Default::default(),
        }
    }

    fn apply(&mut self, message: &Message) -> u64 {
        match message.op {
            Op::Add => self.insert(message, obcore::TIF::GTC),
            Op::Take => self.insert(message, obcore::TIF::IOC),
            Op::Cancel => self.cancel(message),
            Op::Replace => self.cancel(message) + self.insert(message, obcore::TIF::GTC),
        }
    }
}

/// `matchcore`: an order's id is the number of the command that brought it.
pub(crate) struct Matchcore {
    books: Vec<(matchcore::OrderBook, u64)>,
    ids: Vec<matchcore::OrderId>,
}

impl Matchcore {
    fn run(&mut self, market: u32, kind: matchcore::CommandKind) -> matchcore::CommandOutcome {
        let (book, next) = &mut self.books[market as usize];
        let meta = matchcore::CommandMeta {
            sequence_number: matchcore::SequenceNumber(*next),
            timestamp: matchcore::Timestamp(*next),
        };
        *next += 1;
        book.execute(&matchcore::Command { meta, kind })
    }

    fn submit(&mut self, message: &Message, tif: matchcore::TimeInForce) -> u64 {
        if message.op != Op::Take {
            let next = self.books[message.market as usize].1;
            self.ids[message.slot as usize] = matchcore::OrderId(next);
        }
        let side = match message.side {
            Side::Buy => matchcore::Side::Buy,
            Side::Sell => matchcore::Side::Sell,
        };
        let quantity = matchcore::Quantity(message.size.into());
        let order = matchcore::NewOrder::Limit(matchcore::LimitOrder::new(
            matchcore::Price(message.price as u64),
            matchcore::QuantityPolicy::Standard { quantity },
            matchcore::OrderFlags::new(side, false, tif),
        ));
        let command = matchcore::CommandKind::Submit(matchcore::SubmitCmd { order });
        match self.run(message.market, command) {
            matchcore::CommandOutcome::Applied(matchcore::CommandReport::Submit(effects)) => {
                let result = effects.target_order().match_result();
                result.map_or(0, |result| result.executed_quantity().0)
            }
            _ => 0,
        }
    }

    fn cancel(&mut self, message: &Message) {
        let cancel = matchcore::CancelCmd {
            order_id: self.ids[message.slot as usize],
            order_kind: matchcore::OrderKind::Limit,
        };
        self.run(message.market, matchcore::CommandKind::Cancel(cancel));
    }
}

impl Venue for Matchcore {
    fn new(markets: u32, slots: u32) -> Self {
        let book = |_| (matchcore::OrderBook::new("bench"), 0);
        Self {
            books: (0..markets).map(book).collect(),
            ids: vec![matchcore::OrderId(0); slots as usize],
        }
    }

    fn apply(&mut self, message: &Message) -> u64 {
        match message.op {
            Op::Add => self.submit(message, matchcore::TimeInForce::Gtc),
            Op::Take => self.submit(message, matchcore::TimeInForce::Ioc),
            Op::Cancel => {
                self.cancel(message);
                0
            }
            Op::Replace => {
                self.cancel(message);
                self.submit(message, matchcore::TimeInForce::Gtc)
            }
        }
    }
}

/// `lobster`: a take is its market order, which has no limit.
pub(crate) struct Lobster {
    books: Vec<lobster::OrderBook>,
}

impl Lobster {
    fn run(&mut self, market: u32, order: lobster::OrderType) -> u64 {
        match self.books[market as usize].execute(order) {
            lobster::OrderEvent::Filled { filled_qty, .. }
            | lobster::OrderEvent::PartiallyFilled { filled_qty, .. } => filled_qty,
            _ => 0,
        }
    }

    fn limit(&mut self, message: &Message) -> u64 {
        let order = lobster::OrderType::Limit {
            id: message.slot.into(),
            side: lobster_side(message.side),
            qty: message.size.into(),
            price: message.price as u64,
        };
        self.run(message.market, order)
    }

    fn cancel(&mut self, message: &Message) -> u64 {
        let id = message.slot.into();
        self.run(message.market, lobster::OrderType::Cancel { id })
    }
}

fn lobster_side(side: Side) -> lobster::Side {
    match side {
        Side::Buy => lobster::Side::Bid,
        Side::Sell => lobster::Side::Ask,
    }
}

impl Venue for Lobster {
    fn new(markets: u32, slots: u32) -> Self {
        let capacity = (slots / markets) as usize;
        let book = |_| lobster::OrderBook::new(capacity, 10, false);
        Self {
            books: (0..markets).map(book).collect(),
        }
    }

    fn apply(&mut self, message: &Message) -> u64 {
        match message.op {
            Op::Add => self.limit(message),
            Op::Take => {
                let order = lobster::OrderType::Market {
                    id: u128::MAX,
                    side: lobster_side(message.side),
                    qty: message.size.into(),
                };
                self.run(message.market, order)
            }
            Op::Cancel => self.cancel(message),
            Op::Replace => self.cancel(message) + self.limit(message),
        }
    }
}

/// `orderbook-rs`: made for many threads; here one calls it.
pub(crate) struct OrderbookRs {
    books: Vec<orderbook_rs::OrderBook<()>>,
}

impl OrderbookRs {
    fn limit(&mut self, message: &Message) -> u64 {
        let added = self.books[message.market as usize].add_limit_order(
            orderbook_rs::Id::from_u64(message.slot.into()),
            message.price as u128,
            message.size.into(),
            orderbook_rs_side(message.side),
            orderbook_rs::TimeInForce::Gtc,
            None,
        );
        added.expect("the order rests");
        0
    }

    fn cancel(&mut self, message: &Message) {
        let id = orderbook_rs::Id::from_u64(message.slot.into());
        let cancelled = self.books[message.market as usize].cancel_order(id);
        cancelled.expect("the order rests");
    }
}

fn orderbook_rs_side(side: Side) -> orderbook_rs::Side {
    match side {
        Side::Buy => orderbook_rs::Side::Buy,
        Side::Sell => orderbook_rs::Side::Sell,
    }
}

impl Venue for OrderbookRs {
    fn new(markets: u32, _slots: u32) -> Self {
        let book = |_| orderbook_rs::OrderBook::new("bench");
        Self {
            books: (0..markets).map(book).collect(),
        }
    }

    fn apply(&mut self, message: &Message) -> u64 {
        match message.op {
            Op::Add => self.limit(message),
            Op::Take => {
                let size = u64::from(message.size);
                let matched = self.books[message.market as usize].match_limit_order(
                    orderbook_rs::Id::from_u64(u64::MAX),
                    size,
                    orderbook_rs_side(message.side),
                    message.price as u128,
                );
                matched.map_or(0, |result| size - result.remaining_quantity().as_u64())
            }
            Op::Cancel => {
                self.cancel(message);
                0
            }
            Op::Replace => {
                self.cancel(message);
                self.limit(message)
            }
        }
    }
}
