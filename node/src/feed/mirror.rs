//! The exchange's book, order by order, from the events of its blocks.

use std::collections::{BTreeMap, VecDeque};

use ballast_types::{Lots, Side, Ticks};
use serde::Deserialize;

use super::book::Book;
use super::plan::Act;

/// A block as `GET /v1/blocks/HEIGHT` shows it, as far as it matters here.
#[derive(Debug, Deserialize)]
pub struct Block {
    /// Results by CometBFT transaction.
    pub txs: Vec<Vec<TxRow>>,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// Result of a transaction.
#[derive(Clone, Debug, Deserialize)]
pub struct TxRow {
    /// Names it.
    pub hash: String,
    /// Name of its code.
    pub name: String,
    /// Results of its actions; empty when it was refused.
    pub actions: Vec<ActionRow>,
}

/// Result of an action.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ActionRow {
    /// Number of its code; 0 is OK.
    pub code: u16,
    /// Name of its code.
    pub name: String,
    /// The order that it made.
    pub order: Option<String>,
}

/// Side of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SideName {
    /// A bid.
    Buy,
    /// An ask.
    Sell,
}

/// An event that changes a book.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// An order rests.
    Rested {
        /// Where.
        market: String,
        /// The exchange's id.
        order: String,
        /// Its side.
        side: SideName,
        /// Its price.
        price: Ticks,
        /// What rests.
        size: Lots,
        /// The client's id.
        client_id: Option<String>,
    },
    /// Two orders trade.
    Fill {
        /// Where.
        market: String,
        /// The resting order.
        maker: String,
        /// The other.
        taker: String,
        /// How much.
        size: Lots,
    },
    /// An order shrinks in place.
    Reduced {
        /// Where.
        market: String,
        /// Which.
        order: String,
        /// What still rests.
        size: Lots,
    },
    /// An order, or what is left of it, goes.
    Removed {
        /// Where.
        market: String,
        /// Which.
        order: String,
    },
    /// Anything else.
    #[serde(other)]
    Other,
}

impl Event {
    fn market(&self) -> Option<&str> {
        match self {
            Self::Rested { market, .. }
            | Self::Fill { market, .. }
            | Self::Reduced { market, .. }
            | Self::Removed { market, .. } => Some(market),
            Self::Other => None,
        }
    }
}

/// A market's orders as its events tell them.
#[derive(Debug, Default)]
pub struct Mirror {
    /// The orders, by client id.
    pub book: Book,
    /// Client ids by the exchange's ids.
    names: BTreeMap<String, u128>,
    /// Events that are not applied yet.
    waiting: VecDeque<Event>,
}

impl Mirror {
    /// Takes the events of a block; they are applied when the actions they belong to are followed.
    pub fn add(&mut self, market: &str, events: Vec<Event>) {
        let own = events
            .into_iter()
            .filter(|event| event.market() == Some(market));
        self.waiting.extend(own);
    }

    /// Applies what an action did.
    ///
    /// # Errors
    /// When nothing of it happened, or something else before it; says what. What was before it is
    /// applied too.
    pub fn follow(&mut self, act: &Act, result: &ActionRow) -> Result<(), String> {
        if result.code != 0 {
            return Err(format!("{act:?}: {}", result.name));
        }
        let first = self
            .waiting
            .iter()
            .position(|event| self.belongs(event, act, result));
        let Some(first) = first else {
            return Err(format!("{act:?}: OK, but no event of it"));
        };
        for _ in 0..=first {
            self.apply_next();
        }
        while self
            .waiting
            .front()
            .is_some_and(|event| self.is_taker(event, act, result))
        {
            self.apply_next();
        }
        match first {
            0 => Ok(()),
            early => Err(format!(
                "{act:?}: {early} events before it that belong to later ones"
            )),
        }
    }

    /// Applies all that is left. Its number is not zero when something happened unasked.
    pub fn finish(&mut self) -> usize {
        let left = self.waiting.len();
        for _ in 0..left {
            self.apply_next();
        }
        left
    }

    fn belongs(&self, event: &Event, act: &Act, result: &ActionRow) -> bool {
        let named = |order: &String, id: &u128| self.names.get(order) == Some(id);
        match (act, event) {
            (Act::Cancel { id }, Event::Removed { order, .. })
            | (Act::Reduce { id, .. }, Event::Reduced { order, .. }) => named(order, id),
            (Act::Post { .. }, Event::Rested { order, .. }) => result.order.as_ref() == Some(order),
            _ => self.is_taker(event, act, result),
        }
    }

    fn is_taker(&self, event: &Event, act: &Act, result: &ActionRow) -> bool {
        let Act::Take { .. } = act else { return false };
        match event {
            Event::Fill { taker, .. } => result.order.as_ref() == Some(taker),
            Event::Removed { order, .. } => result.order.as_ref() == Some(order),
            _ => false,
        }
    }

    fn apply_next(&mut self) {
        match self.waiting.pop_front() {
            Some(Event::Rested {
                order,
                side,
                price,
                size,
                client_id,
                ..
            }) => {
                let name = client_id.and_then(|id| id.parse().ok()).unwrap_or_default();
                let side = match side {
                    SideName::Buy => Side::Buy,
                    SideName::Sell => Side::Sell,
                };
                self.names.insert(order, name);
                self.book.rest(side, price, name, size);
            }
            Some(Event::Fill { maker, size, .. }) => {
                if let Some(name) = self.names.get(&maker) {
                    self.book.fill(*name, size);
                }
            }
            Some(Event::Reduced { order, size, .. }) => {
                if let Some(name) = self.names.get(&order) {
                    self.book.reduce(*name, size);
                }
            }
            Some(Event::Removed { order, .. }) => {
                if let Some(name) = self.names.remove(&order) {
                    self.book.remove(name);
                }
            }
            Some(Event::Other) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ok(order: Option<&str>) -> ActionRow {
        ActionRow {
            code: 0,
            name: "OK".to_owned(),
            order: order.map(str::to_owned),
        }
    }

    fn events(rows: serde_json::Value) -> Vec<Event> {
        serde_json::from_value(rows).expect("events")
    }

    fn rested(order: &str, client: &str, size: i64) -> serde_json::Value {
        json!({"type": "rested", "market": "M", "order": order, "account": "a", "side": "sell",
            "price": 10, "size": size, "client_id": client})
    }

    fn levels(mirror: &Mirror) -> Vec<(Ticks, Lots)> {
        mirror.book.levels(Side::Sell).collect()
    }

    fn post(id: u128, size: Lots) -> Act {
        Act::Post {
            id,
            side: Side::Sell,
            price: 10,
            size,
        }
    }

    #[test]
    fn each_action_gets_its_own_events() {
        let mut mirror = Mirror::default();
        let take = Act::Take {
            side: Side::Sell,
            price: 10,
            size: 9,
        };
        mirror.add(
            "M",
            events(json!([
                {"type": "balance", "account": "a"},
                rested("100", "1", 5),
                rested("101", "2", 6),
                {"type": "removed", "market": "OTHER", "order": "100", "client_id": null},
                {"type": "fill", "market": "M", "maker": "100", "taker": "102", "size": 5},
                {"type": "fill", "market": "M", "maker": "101", "taker": "102", "size": 4},
            ])),
        );
        mirror.follow(&post(1, 5), &ok(Some("100"))).expect("rests");
        assert_eq!(levels(&mirror), [(10, 5)]);
        mirror.follow(&post(2, 6), &ok(Some("101"))).expect("rests");
        mirror.follow(&take, &ok(Some("102"))).expect("trades");
        assert_eq!(levels(&mirror), [(10, 2)]);
        mirror.add(
            "M",
            events(json!([
                {"type": "reduced", "market": "M", "order": "101", "size": 1},
                {"type": "removed", "market": "M", "order": "101", "client_id": "2"},
            ])),
        );
        let reduce = Act::Reduce {
            id: 2,
            price: 10,
            total: 5,
            left: 1,
        };
        mirror.follow(&reduce, &ok(None)).expect("shrinks");
        assert_eq!(levels(&mirror), [(10, 1)]);
        mirror
            .follow(&Act::Cancel { id: 2 }, &ok(None))
            .expect("goes");
        assert!(mirror.book.is_empty());
        assert_eq!(mirror.finish(), 0);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let mut mirror = Mirror::default();
        mirror.add(
            "M",
            events(json!([rested("100", "1", 5), rested("101", "2", 6)])),
        );
        let refused = ActionRow {
            code: 206,
            name: "CANCELLED_BEFORE".to_owned(),
            order: None,
        };
        let error = mirror.follow(&post(3, 1), &refused).expect_err("refused");
        assert!(error.ends_with("CANCELLED_BEFORE"), "{error}");
        let error = mirror
            .follow(&post(2, 6), &ok(Some("101")))
            .expect_err("early");
        assert!(error.contains("1 events before it"), "{error}");
        let error = mirror
            .follow(&Act::Cancel { id: 9 }, &ok(None))
            .expect_err("nothing");
        assert!(error.ends_with("no event of it"), "{error}");
        assert_eq!(levels(&mirror), [(10, 11)]);
    }
}
