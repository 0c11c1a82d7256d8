//! A reader who knows the book only from events.

use ballast_orderbook::{Command, Event, Resting};
use ballast_types::{Lots, Side};

/// The resting orders, in the order in which they came.
#[derive(Default)]
pub(crate) struct Reader(Vec<Resting>);

impl Reader {
    /// Reads the events of a command. What enters must add up.
    pub(crate) fn read(&mut self, command: &Command, events: &[Event], at: &str) {
        let mut out: Lots = 0;
        for event in events {
            match *event {
                Event::Added(order) => {
                    out += order.size;
                    self.0.push(order);
                }
                Event::Filled {
                    maker, size, left, ..
                }
                | Event::Decremented {
                    maker, size, left, ..
                } => {
                    out += size;
                    assert_eq!(self.take(maker, size), Some(left), "{at}");
                }
                Event::Shrunk { slot, size } => {
                    self.0
                        .iter_mut()
                        .filter(|order| order.slot == slot)
                        .for_each(|order| {
                            assert!(size < order.size, "{at}");
                            order.size = size;
                        });
                }
                Event::Removed { slot, size, .. } => match self.take(slot, size) {
                    Some(left) => assert_eq!(left, 0, "{at}"),
                    None => out += size,
                },
                Event::Rejected { .. } => assert_eq!(events.len(), 1, "{at}"),
            }
        }
        let entered = match (command, events.first()) {
            (_, None | Some(Event::Rejected { .. } | Event::Shrunk { .. })) => 0,
            (Command::Add(order), _) => order.size,
            (Command::Amend { size, .. }, _) => *size,
            (Command::Cancel { .. }, _) => 0,
        };
        assert_eq!(out, entered, "{at}: {events:?}");
    }

    /// Takes size off a resting order; what is left.
    fn take(&mut self, slot: u32, size: Lots) -> Option<Lots> {
        let order = self.0.iter_mut().find(|order| order.slot == slot)?;
        order.size -= size;
        let left = order.size;
        self.0.retain(|order| order.size > 0);
        Some(left)
    }

    /// The orders by market, bids first, in priority.
    pub(crate) fn orders(&self) -> Vec<Resting> {
        let mut orders = self.0.clone();
        orders.sort_by_key(|order| match order.side {
            Side::Buy => (order.market, order.side, -order.price),
            Side::Sell => (order.market, order.side, order.price),
        });
        orders
    }
}
