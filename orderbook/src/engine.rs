use crate::{Books, Resting, Stop, Verdict};
use ballast_types::{Lots, OrderId, Side, Ticks};

/// A matching engine without a chain around it: commands in, events out.
///
/// Orders are named by slots, dense numbers that the caller gives. A slot is free again when its
/// order has left the book, and a caller does well to use such slots first. Nothing is allocated
/// once the slots, the levels and the list of events have been as many before.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    books: Books,
    markets: u32,
    self_trade: SelfTrade,
    /// By slot; not kept when self-trade is allowed.
    accounts: Vec<u64>,
}

/// What becomes of an order that would trade with one of its own account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SelfTrade {
    /// They trade.
    #[default]
    Allow,
    /// What remains of the taker is cancelled.
    CancelTaker,
    /// The maker is cancelled, and the taker goes on.
    CancelMaker,
    /// The maker and what remains of the taker are cancelled.
    CancelBoth,
    /// The smaller size is taken off both, without a trade; what has nothing left goes.
    DecrementBoth,
}

/// What becomes of what does not trade at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tif {
    /// It rests.
    Gtc,
    /// It is cancelled. A market order is one of these, with its bound as price.
    Ioc,
    /// The order trades whole or is refused.
    Fok,
    /// The order is refused when it crosses; it rests whole.
    PostOnly,
}

/// An order that enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Its name; no order rests there.
    pub slot: u32,
    /// Market.
    pub market: u32,
    /// Bid or ask.
    pub side: Side,
    /// The worst price at which it trades, in ticks.
    pub price: Ticks,
    /// Lots; at least 1.
    pub size: Lots,
    /// What becomes of the rest.
    pub tif: Tif,
    /// Whose it is; looked at only where self-trade is not allowed.
    pub account: u64,
}

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// [`Engine::add`].
    Add(NewOrder),
    /// [`Engine::cancel`].
    Cancel {
        /// Which order.
        slot: u32,
    },
    /// [`Engine::amend`].
    Amend {
        /// Which order.
        slot: u32,
        /// Its price from now on.
        price: Ticks,
        /// Its open size from now on.
        size: Lots,
    },
}

/// What happened. From these a reader keeps the same book, order by order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An order rests, behind those of its price.
    Added(Resting),
    /// Two orders traded.
    Filled {
        /// The order that came.
        taker: u32,
        /// The order that rested. It has left when `left` is 0.
        maker: u32,
        /// Market.
        market: u32,
        /// Price of the maker in ticks.
        price: Ticks,
        /// Lots that traded.
        size: Lots,
        /// Lots of the maker that still rest.
        left: Lots,
    },
    /// Two orders of one account lost size and did not trade.
    Decremented {
        /// The order that came.
        taker: u32,
        /// The order that rested. It has left when `left` is 0.
        maker: u32,
        /// Lots that each lost.
        size: Lots,
        /// Lots of the maker that still rest.
        left: Lots,
    },
    /// An order shrank in its place.
    Shrunk {
        /// Which.
        slot: u32,
        /// Lots that rest now.
        size: Lots,
    },
    /// An order left the book, or what remained of a taker was dropped.
    Removed {
        /// Which.
        slot: u32,
        /// Lots that it still had.
        size: Lots,
        /// Why.
        reason: Removal,
    },
    /// A command changed nothing.
    Rejected {
        /// The order that it named.
        slot: u32,
        /// Why.
        reason: Rejection,
    },
}

/// Why an order left without a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It was cancelled.
    Cancelled,
    /// An amend took it out and enters it again at once.
    Amended,
    /// It rests only if it says so.
    Unfilled,
    /// It would have traded with its own account.
    SelfTrade,
    /// The total of its level would not fit.
    Overflow,
}

/// Why a command changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The size is below 1.
    Size,
    /// The slot is above [`OrderId::MAX_SLOT`].
    Slot,
    /// An order rests in the slot.
    Occupied,
    /// There is no such market.
    Market,
    /// A post-only order would cross.
    WouldTrade,
    /// A fill-or-kill order would not fill whole.
    NotWhole,
    /// No order rests in the slot.
    NotResting,
}

impl Engine {
    /// An engine with empty books.
    pub fn new(markets: u32, self_trade: SelfTrade) -> Self {
        Self {
            books: Books::forgetful(usize::try_from(markets).unwrap_or(usize::MAX)),
            markets,
            self_trade,
            accounts: Vec::new(),
        }
    }

    /// The books, to look at.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// How many markets there are.
    pub fn markets(&self) -> u32 {
        self.markets
    }

    /// Sees to it that there are at least as many markets.
    pub fn grow(&mut self, markets: u32) {
        if markets > self.markets {
            self.books.grow(index(markets));
            self.markets = markets;
        }
    }

    /// Tells the processor which slot a command that comes soon is about. It changes nothing but
    /// the time that takes; some 20 commands ahead is a good distance.
    pub fn prefetch(&self, command: &Command) {
        let (Command::Add(NewOrder { slot, .. })
        | Command::Cancel { slot }
        | Command::Amend { slot, .. }) = *command;
        self.books.prefetch(slot);
    }

    /// As [`prefetch`](Self::prefetch), some commands later, for what that fetch made cheap to
    /// find.
    pub fn prefetch_around(&self, command: &Command) {
        match *command {
            Command::Add(NewOrder {
                market,
                side,
                price,
                ..
            }) => self.books.prefetch_tail(market, side, price),
            Command::Cancel { slot } | Command::Amend { slot, .. } => {
                self.books.prefetch_around(slot);
            }
        }
    }

    /// Does what the command says.
    pub fn apply(&mut self, command: &Command, events: &mut Vec<Event>) {
        match command {
            Command::Add(order) => self.add(order, events),
            Command::Cancel { slot } => self.cancel(*slot, events),
            Command::Amend { slot, price, size } => self.amend(*slot, *price, *size, events),
        }
    }

    /// An order enters: it trades as far as it may, and what remains rests or is dropped.
    pub fn add(&mut self, order: &NewOrder, events: &mut Vec<Event>) {
        match self.refusal(order) {
            Some(reason) => events.push(Event::Rejected {
                slot: order.slot,
                reason,
            }),
            None => self.enter(order, events),
        }
    }

    /// An order leaves.
    pub fn cancel(&mut self, slot: u32, events: &mut Vec<Event>) {
        if !self.leave(slot, Removal::Cancelled, events) {
            events.push(Event::Rejected {
                slot,
                reason: Rejection::NotResting,
            });
        }
    }

    /// Gives an order another price and open size. At the same price and not larger it keeps its
    /// place; otherwise it leaves and enters again as a [`Tif::Gtc`] order, which may trade.
    pub fn amend(&mut self, slot: u32, price: Ticks, size: Lots, events: &mut Vec<Event>) {
        let mut reject = |reason| events.push(Event::Rejected { slot, reason });
        if size <= 0 {
            return reject(Rejection::Size);
        }
        let Some(order) = self.books.get(slot) else {
            return reject(Rejection::NotResting);
        };
        if price == order.price && size <= order.size {
            if self.books.shrink(slot, size).is_some() {
                events.push(Event::Shrunk { slot, size });
            }
        } else {
            self.leave(slot, Removal::Amended, events);
            let again = NewOrder {
                slot,
                market: order.market,
                side: order.side,
                price,
                size,
                tif: Tif::Gtc,
                account: self.account(slot),
            };
            self.enter(&again, events);
        }
    }

    fn refusal(&self, order: &NewOrder) -> Option<Rejection> {
        let NewOrder {
            slot,
            market,
            side,
            price,
            size,
            tif,
            ..
        } = *order;
        if size <= 0 {
            Some(Rejection::Size)
        } else if slot > OrderId::MAX_SLOT {
            Some(Rejection::Slot)
        } else if market >= self.markets {
            Some(Rejection::Market)
        } else if self.books.get(slot).is_some() {
            Some(Rejection::Occupied)
        } else if tif == Tif::PostOnly && self.books.crosses(market, side, price) {
            Some(Rejection::WouldTrade)
        } else if tif == Tif::Fok && !self.fills_whole(order) {
            Some(Rejection::NotWhole)
        } else {
            None
        }
    }

    /// True when nothing but trades would end the order.
    fn fills_whole(&self, order: &NewOrder) -> bool {
        let &NewOrder {
            market,
            side,
            price,
            size,
            ..
        } = order;
        let judge = |maker: &Resting, left: Lots| match self.self_trade {
            SelfTrade::CancelMaker if self.own(maker, order) => Verdict::Remove,
            _ if self.own(maker, order) => Verdict::Stop,
            _ => Verdict::Fill(left.min(maker.size)),
        };
        let taken = self.books.walk(market, side, price, size, u32::MAX, judge);
        taken.stop == Stop::Done
    }

    fn enter(&mut self, order: &NewOrder, events: &mut Vec<Event>) {
        let slot = order.slot;
        let (size, own) = self.trade(order, events);
        if size == 0 {
            return;
        }
        let reason = match order.tif {
            _ if own => Removal::SelfTrade,
            Tif::Ioc | Tif::Fok => Removal::Unfilled,
            Tif::Gtc | Tif::PostOnly => {
                let &NewOrder {
                    market,
                    side,
                    price,
                    ..
                } = order;
                if self.books.insert(slot, market, side, price, size).is_ok() {
                    self.remember(order);
                    return events.push(Event::Added(Resting {
                        slot,
                        market,
                        side,
                        price,
                        size,
                        hidden: 0,
                    }));
                }
                Removal::Overflow
            }
        };
        events.push(Event::Removed { slot, size, reason });
    }

    /// Trades as far as prices cross. What remains, and whether it may not go on for meeting its
    /// own account.
    fn trade(&mut self, order: &NewOrder, events: &mut Vec<Event>) -> (Lots, bool) {
        let &NewOrder {
            slot: taker,
            market,
            side,
            price,
            ..
        } = order;
        let (accounts, mode) = (&self.accounts, self.self_trade);
        let mut own = false;
        let judge = |maker: &Resting, left: Lots| {
            let size = left.min(maker.size);
            let left = maker.size.saturating_sub(size);
            if !is_own(accounts, mode, maker, order) {
                events.push(Event::Filled {
                    taker,
                    maker: maker.slot,
                    market,
                    price: maker.price,
                    size,
                    left,
                });
                return Verdict::Fill(size);
            }
            if mode == SelfTrade::DecrementBoth {
                events.push(Event::Decremented {
                    taker,
                    maker: maker.slot,
                    size,
                    left,
                });
                return Verdict::Decrement(size);
            }
            if matches!(mode, SelfTrade::CancelMaker | SelfTrade::CancelBoth) {
                events.push(Event::Removed {
                    slot: maker.slot,
                    size: maker.size,
                    reason: Removal::SelfTrade,
                });
            }
            own = mode != SelfTrade::CancelMaker;
            match mode {
                SelfTrade::CancelMaker => Verdict::Remove,
                SelfTrade::CancelBoth => Verdict::RemoveAndStop,
                _ => Verdict::Stop,
            }
        };
        let taken = self
            .books
            .take(market, side, price, order.size, u32::MAX, judge);
        (taken.remaining, own)
    }

    /// False when no order rests in the slot.
    fn leave(&mut self, slot: u32, reason: Removal, events: &mut Vec<Event>) -> bool {
        let Some(Resting { size, .. }) = self.books.remove(slot) else {
            return false;
        };
        events.push(Event::Removed { slot, size, reason });
        true
    }

    fn own(&self, maker: &Resting, order: &NewOrder) -> bool {
        is_own(&self.accounts, self.self_trade, maker, order)
    }

    fn account(&self, slot: u32) -> u64 {
        self.accounts.get(index(slot)).copied().unwrap_or(0)
    }

    fn remember(&mut self, order: &NewOrder) {
        if self.self_trade == SelfTrade::Allow {
            return;
        }
        let at = index(order.slot);
        if self.accounts.len() <= at {
            self.accounts.resize(at.saturating_add(1), 0);
        }
        if let Some(account) = self.accounts.get_mut(at) {
            *account = order.account;
        }
    }
}

fn is_own(accounts: &[u64], mode: SelfTrade, maker: &Resting, order: &NewOrder) -> bool {
    mode != SelfTrade::Allow && accounts.get(index(maker.slot)) == Some(&order.account)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
