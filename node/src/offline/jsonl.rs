//! `jsonl` streams: orders, cancels and amends, one JSON object a line, through the engine.

use ballast_orderbook::{Engine, Event, NewOrder, Rejection, Removal, SelfTrade};
use ballast_types::OrderId;

use super::Failure;
use super::ids::Ids;
use super::line::{Add, Message};
use super::lines::Lines;
use super::markets::Markets;
use super::output::{FillRow, Outputs, View};
use super::slots::Slots;
use super::summary::{Progress, Summary};

/// The engine, and what the stream calls its orders and markets.
struct Runner<'a> {
    engine: Engine,
    slots: Slots<u64>,
    /// Ids of all orders so far, also of those that have left.
    ids: Ids,
    markets: Markets<u64>,
    events: Vec<Event>,
    outputs: &'a mut Outputs,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    fills: u64,
    volume: u128,
    refused: u64,
    not_resting: u64,
    self_trades: u64,
}

/// Runs a stream to its end and writes what is asked for.
///
/// # Errors
/// At the first bad line, with its number, the field and the value; when a file cannot be read or
/// written.
pub fn run(
    mut lines: Lines<'_>,
    self_trade: SelfTrade,
    outputs: &mut Outputs,
) -> Result<Summary, Failure> {
    let mut runner = Runner {
        engine: Engine::new(1, self_trade),
        slots: Slots::default(),
        ids: Ids::default(),
        markets: Markets::default(),
        events: Vec::new(),
        outputs,
        counts: Counts::default(),
    };
    let (mut messages, mut progress) = (0, Progress::start());
    while let Some(line) = lines.next()? {
        let done = Message::parse(line).and_then(|message| runner.message(&message));
        done.map_err(|error| lines.failure(&error))?;
        messages += 1;
        progress.at(messages);
    }
    let view = View {
        books: runner.engine.books(),
        units: &[],
        markets: runner.markets.sorted(),
        id: &|slot| runner.slots.name(slot),
    };
    runner.outputs.books(&view)?;
    let Counts {
        fills,
        volume,
        refused,
        not_resting,
        self_trades,
    } = runner.counts;
    let mut summary = Summary {
        messages,
        fills,
        volume,
        resting_orders: runner.engine.books().len(),
        markets: runner.markets.len(),
        ..Summary::default()
    };
    summary.count("refused", refused, "post_only and fok orders refused");
    summary.count(
        "not_resting",
        not_resting,
        "cancels and amends of orders that do not rest",
    );
    summary.count(
        "self_trades",
        self_trades,
        "events of self-trade prevention",
    );
    Ok(summary)
}

impl Runner<'_> {
    fn message(&mut self, message: &Message) -> Result<(), String> {
        self.events.clear();
        match *message {
            Message::Add(order) => self.add(&order),
            Message::Cancel { id } => {
                match self.slots.get(id) {
                    Some(slot) => {
                        self.engine.cancel(slot, &mut self.events);
                        self.slots.release(slot);
                    }
                    None => self.counts.not_resting += 1,
                }
                Ok(())
            }
            Message::Amend { id, price, qty } => {
                let Some(slot) = self.slots.get(id) else {
                    self.counts.not_resting += 1;
                    return Ok(());
                };
                self.engine.amend(slot, price, qty, &mut self.events);
                self.follow(id, slot)?;
                if self.engine.books().get(slot).is_none() {
                    self.slots.release(slot);
                }
                Ok(())
            }
        }
    }

    fn add(&mut self, order: &Add) -> Result<(), String> {
        let Add {
            id,
            market,
            side,
            price,
            qty,
            tif,
            account,
        } = *order;
        if !self.ids.insert(id) {
            return Err(format!("id: {id} is repeated"));
        }
        let slot = self.slots.claim(id);
        let place = self.markets.place(market);
        if place >= self.engine.markets() {
            self.engine.grow(place.saturating_mul(2));
        }
        let order = NewOrder {
            slot,
            market: place,
            side,
            price,
            size: qty,
            tif,
            account,
        };
        self.engine.add(&order, &mut self.events);
        self.follow(id, slot)?;
        if !matches!(self.events.last(), Some(Event::Added(_))) {
            self.slots.release(slot);
        }
        Ok(())
    }

    /// Reads the events of an order that came.
    fn follow(&mut self, id: u64, own: u32) -> Result<(), String> {
        for event in &self.events {
            match *event {
                Event::Filled {
                    maker,
                    market,
                    price,
                    size,
                    left,
                    ..
                } => {
                    self.counts.fills += 1;
                    self.counts.volume += u128::from(size.unsigned_abs());
                    let row = FillRow {
                        taker: id,
                        maker: self.slots.name(maker),
                        price,
                        qty: size,
                        market: self.markets.name(market),
                    };
                    self.outputs.fill(&row).map_err(|error| error.to_string())?;
                    if left == 0 {
                        self.slots.release(maker);
                    }
                }
                Event::Decremented { maker, left, .. } => {
                    self.counts.self_trades += 1;
                    if left == 0 {
                        self.slots.release(maker);
                    }
                }
                Event::Removed { slot, size, reason } => match reason {
                    Removal::Overflow => {
                        return Err(format!("qty: {size} more overflow the price level"));
                    }
                    Removal::SelfTrade => {
                        self.counts.self_trades += 1;
                        if slot != own {
                            self.slots.release(slot);
                        }
                    }
                    Removal::Cancelled | Removal::Amended | Removal::Unfilled => {}
                },
                Event::Rejected { reason, .. } => match reason {
                    Rejection::Slot => {
                        let most = OrderId::MAX_SLOT;
                        return Err(format!("id: {id}: more than {most} orders rest"));
                    }
                    _ => self.counts.refused += 1,
                },
                Event::Added(_) | Event::Shrunk { .. } => {}
            }
        }
        Ok(())
    }
}
