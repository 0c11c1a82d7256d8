//! The same engine in the plainest form: ordered maps of queues, and one loop that reads as the
//! rules do.

use ballast_orderbook::{Command, Event, NewOrder, Rejection, Removal, Resting, SelfTrade, Tif};
use ballast_types::{Lots, OrderId, Side, Ticks};
use std::collections::{BTreeMap, VecDeque};

#[derive(Clone, Copy)]
struct Order {
    resting: Resting,
    account: u64,
}

/// The orders of one side of one market: by price, first come first.
type Queues = BTreeMap<Ticks, VecDeque<Order>>;

pub(crate) struct Naive {
    sides: BTreeMap<(u32, Side), Queues>,
    /// Where the order of a slot rests.
    places: BTreeMap<u32, (u32, Side, Ticks)>,
    self_trade: SelfTrade,
}

impl Naive {
    pub(crate) fn new(markets: u32, self_trade: SelfTrade) -> Self {
        let sides = (0..markets).flat_map(|market| [(market, Side::Buy), (market, Side::Sell)]);
        Self {
            sides: sides.map(|side| (side, Queues::new())).collect(),
            places: BTreeMap::new(),
            self_trade,
        }
    }

    /// What the command does, as events.
    pub(crate) fn apply(&mut self, command: &Command) -> Vec<Event> {
        match *command {
            Command::Add(order) => match self.refusal(&order) {
                Some(reason) => rejected(order.slot, reason),
                None => self.enter(&order),
            },
            Command::Cancel { slot } if self.places.contains_key(&slot) => {
                vec![self.remove(slot, Removal::Cancelled)]
            }
            Command::Amend { slot, size, .. } if size < 1 => rejected(slot, Rejection::Size),
            Command::Amend { slot, price, size } if self.places.contains_key(&slot) => {
                self.amend(slot, price, size)
            }
            Command::Cancel { slot } | Command::Amend { slot, .. } => {
                rejected(slot, Rejection::NotResting)
            }
        }
    }

    /// All resting orders, by market, bids first, in priority.
    pub(crate) fn orders(&self) -> Vec<Resting> {
        let sides = self.sides.keys();
        sides
            .flat_map(|(market, side)| self.priority(*market, *side))
            .map(|order| order.resting)
            .collect()
    }

    /// The orders of a side, best price first, then first come first.
    fn priority(&self, market: u32, side: Side) -> Vec<Order> {
        let queues = &self.sides[&(market, side)];
        match side {
            Side::Buy => queues.values().rev().flatten().copied().collect(),
            Side::Sell => queues.values().flatten().copied().collect(),
        }
    }

    /// The orders that a new one would meet, if it were large enough.
    fn makers(&self, order: &NewOrder) -> Vec<Order> {
        let mut makers = self.priority(order.market, order.side.opposite());
        makers.retain(|maker| match order.side {
            Side::Buy => maker.resting.price <= order.price,
            Side::Sell => maker.resting.price >= order.price,
        });
        makers
    }

    fn is_self_trade(&self, maker: &Order, taker: &NewOrder) -> bool {
        self.self_trade != SelfTrade::Allow && maker.account == taker.account
    }

    fn refusal(&self, order: &NewOrder) -> Option<Rejection> {
        if order.size < 1 {
            return Some(Rejection::Size);
        }
        if order.slot > OrderId::MAX_SLOT {
            return Some(Rejection::Slot);
        }
        if !self.sides.contains_key(&(order.market, order.side)) {
            return Some(Rejection::Market);
        }
        if self.places.contains_key(&order.slot) {
            return Some(Rejection::Occupied);
        }
        match order.tif {
            Tif::PostOnly if !self.makers(order).is_empty() => Some(Rejection::WouldTrade),
            Tif::Fok if self.fillable(order) < order.size => Some(Rejection::NotWhole),
            _ => None,
        }
    }

    /// Lots that a new order could trade.
    fn fillable(&self, order: &NewOrder) -> Lots {
        let makers = self.makers(order);
        let own = |maker: &&Order| self.is_self_trade(maker, order);
        let size = |maker: &Order| maker.resting.size;
        match self.self_trade {
            SelfTrade::CancelMaker => makers.iter().filter(|m| !own(m)).map(size).sum(),
            _ => makers.iter().take_while(|m| !own(m)).map(size).sum(),
        }
    }

    fn enter(&mut self, order: &NewOrder) -> Vec<Event> {
        let (mut size, mut events) = (order.size, Vec::new());
        for maker in self.makers(order) {
            if size == 0 {
                break;
            }
            let common = size.min(maker.resting.size);
            let slot = maker.resting.slot;
            if !self.is_self_trade(&maker, order) {
                size -= common;
                events.push(Event::Filled {
                    taker: order.slot,
                    maker: slot,
                    market: order.market,
                    price: maker.resting.price,
                    size: common,
                    left: self.reduce(slot, common),
                });
                continue;
            }
            match self.self_trade {
                SelfTrade::Allow => unreachable!("no self-trade is prevented"),
                SelfTrade::CancelTaker => {}
                SelfTrade::CancelMaker | SelfTrade::CancelBoth => {
                    events.push(self.remove(slot, Removal::SelfTrade));
                }
                SelfTrade::DecrementBoth => {
                    size -= common;
                    events.push(Event::Decremented {
                        taker: order.slot,
                        maker: slot,
                        size: common,
                        left: self.reduce(slot, common),
                    });
                }
            }
            if matches!(
                self.self_trade,
                SelfTrade::CancelTaker | SelfTrade::CancelBoth
            ) {
                let (slot, reason) = (order.slot, Removal::SelfTrade);
                events.push(Event::Removed { slot, size, reason });
                return events;
            }
        }
        if size > 0 {
            events.push(self.rest(order, size));
        }
        events
    }

    fn rest(&mut self, order: &NewOrder, size: Lots) -> Event {
        let NewOrder {
            slot,
            market,
            side,
            price,
            ..
        } = *order;
        if matches!(order.tif, Tif::Ioc | Tif::Fok) {
            let reason = Removal::Unfilled;
            return Event::Removed { slot, size, reason };
        }
        let resting = Resting {
            slot,
            market,
            side,
            price,
            size,
            hidden: 0,
        };
        let account = order.account;
        self.places.insert(slot, (market, side, price));
        let queue = self.queue(slot);
        queue.push_back(Order { resting, account });
        Event::Added(resting)
    }

    fn amend(&mut self, slot: u32, price: Ticks, size: Lots) -> Vec<Event> {
        let queue = self.queue(slot);
        let order = *queue
            .iter()
            .find(|order| order.resting.slot == slot)
            .unwrap();
        if price == order.resting.price && size == order.resting.size {
            return Vec::new();
        }
        if price == order.resting.price && size < order.resting.size {
            self.reduce(slot, order.resting.size - size);
            return vec![Event::Shrunk { slot, size }];
        }
        let mut events = vec![self.remove(slot, Removal::Amended)];
        events.extend(self.enter(&NewOrder {
            slot,
            market: order.resting.market,
            side: order.resting.side,
            price,
            size,
            tif: Tif::Gtc,
            account: order.account,
        }));
        events
    }

    /// The queue in which the order of a slot rests.
    fn queue(&mut self, slot: u32) -> &mut VecDeque<Order> {
        let (market, side, price) = self.places[&slot];
        let queues = self.sides.get_mut(&(market, side)).unwrap();
        queues.entry(price).or_default()
    }

    /// Takes size off an order, which goes when nothing is left. What is left.
    fn reduce(&mut self, slot: u32, size: Lots) -> Lots {
        let mut orders = self.queue(slot).iter_mut();
        let order = orders.find(|order| order.resting.slot == slot).unwrap();
        order.resting.size -= size;
        let left = order.resting.size;
        if left == 0 {
            self.remove(slot, Removal::Unfilled);
        }
        left
    }

    fn remove(&mut self, slot: u32, reason: Removal) -> Event {
        let queue = self.queue(slot);
        let at = queue.iter().position(|order| order.resting.slot == slot);
        let size = queue.remove(at.unwrap()).unwrap().resting.size;
        self.places.remove(&slot);
        Event::Removed { slot, size, reason }
    }
}

fn rejected(slot: u32, reason: Rejection) -> Vec<Event> {
    vec![Event::Rejected { slot, reason }]
}
