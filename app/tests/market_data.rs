//! Levels and bests follow from what the events tell of orders alone: whoever keeps every order of
//! a market has the book that `Event::Book` tells, after every block.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]

use ballast_app::{Block, State};
use ballast_model::workload::{Workload, test_secrets, test_spec};
use ballast_types::{BlockEvents, Event, Lots, MarketId, OrderId, Removal, Side, Ticks, TxHash};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const NONE_VERIFIED: &(dyn Fn(&TxHash) -> bool + Sync) = &|_| false;

/// An order that rests.
#[derive(Clone, Copy, Debug)]
struct Order {
    market: MarketId,
    side: Side,
    price: Ticks,
    /// Hidden lots included.
    size: Lots,
    shown: Lots,
}

/// Sizes by (market, side, price).
type Levels = BTreeMap<(MarketId, Side, Ticks), Lots>;

/// The orders of all markets, from events.
#[derive(Default)]
struct Orders {
    resting: BTreeMap<OrderId, Order>,
    /// Kinds of events that did something.
    seen: BTreeSet<&'static str>,
}

impl Orders {
    fn apply(&mut self, event: &Event) {
        let did = match event {
            Event::Rested {
                market,
                order,
                side,
                price,
                size,
                shown,
                ..
            } => {
                let new = Order {
                    market: *market,
                    side: *side,
                    price: *price,
                    size: *size,
                    shown: *shown,
                };
                assert!(self.resting.insert(*order, new).is_none(), "{order} rests");
                "rested"
            }
            Event::Fill {
                maker, taker, size, ..
            } => {
                assert!(self.fill(*maker, *size), "{maker} does not rest");
                // Of an auction the other rests too.
                match self.fill(*taker, *size) {
                    true => "filled in an auction",
                    false => "filled",
                }
            }
            Event::Reduced {
                order,
                size,
                reason,
                ..
            } => {
                let Some(own) = self.resting.get_mut(order) else {
                    return;
                };
                // A decrement takes what shows; all else takes hidden lots first.
                own.shown = match reason {
                    Removal::SelfTrade => own.shown - (own.size - size),
                    _ => own.shown.min(*size),
                };
                own.size = *size;
                "reduced"
            }
            Event::Refreshed { order, shown, .. } => {
                self.resting.get_mut(order).unwrap().shown = *shown;
                "refreshed"
            }
            Event::Moved { order, price, .. } => {
                self.resting.get_mut(order).unwrap().price = *price;
                "moved"
            }
            // Also what never rested is removed.
            Event::Removed { order, .. } if self.resting.remove(order).is_some() => "removed",
            _ => return,
        };
        self.seen.insert(did);
    }

    /// False when the order does not rest.
    fn fill(&mut self, order: OrderId, size: Lots) -> bool {
        let Some(own) = self.resting.get_mut(&order) else {
            return false;
        };
        own.size -= size;
        // In an auction hidden lots trade before they show.
        own.shown = (own.shown - size).max(0);
        if own.size == 0 {
            self.resting.remove(&order);
        }
        true
    }

    fn levels(&self) -> Levels {
        let mut levels = Levels::new();
        for (id, order) in &self.resting {
            assert!((1..=order.size).contains(&order.shown), "{id}: {order:?}");
            *levels
                .entry((order.market, order.side, order.price))
                .or_default() += order.shown;
        }
        levels
    }
}

/// Best first.
fn side(levels: &Levels, market: MarketId, side: Side) -> Vec<(Ticks, Lots)> {
    let of = levels.range((market, side, Ticks::MIN)..=(market, side, Ticks::MAX));
    let mut of: Vec<_> = of.map(|((_, _, price), size)| (*price, *size)).collect();
    if side == Side::Buy {
        of.reverse();
    }
    of
}

fn checksum(levels: &Levels, market: MarketId) -> u32 {
    let best = |at| side(levels, market, at).into_iter().take(25);
    let words = best(Side::Buy).chain(best(Side::Sell));
    let bytes = words.flat_map(|(price, size)| [price.to_le_bytes(), size.to_le_bytes()]);
    crc32fast::hash(&bytes.collect::<Vec<_>>().concat())
}

/// Requires that the block's books tell exactly the levels that changed.
fn compare(before: &Levels, after: &Levels, block: &BlockEvents) {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    let size = |levels: &Levels, key: &(_, _, _)| -> Lots { levels.get(key).copied().unwrap_or(0) };
    let changed: Levels = keys
        .into_iter()
        .map(|key| (key, size(after, &key)))
        .filter(|(key, now)| size(before, key) != *now)
        .collect();
    let mut told = Levels::new();
    for event in &block.events {
        if let Event::Book {
            market,
            levels,
            checksum: sum,
        } = event
        {
            told.extend(
                levels
                    .iter()
                    .map(|(at, price, size)| ((*market, *at, *price), *size)),
            );
            assert_eq!(*sum, checksum(after, *market), "height {}", block.height);
        }
    }
    assert_eq!(told, changed, "height {}", block.height);
}

#[test]
fn levels_and_bests_follow_from_what_is_told_of_orders() {
    let spec = test_spec();
    let mut seen = BTreeSet::new();
    for seed in 100..104 {
        let mut workload = Workload::new(seed, &spec, test_secrets());
        let mut state = State::genesis(Arc::new(spec.clone())).unwrap();
        let mut orders = Orders::default();
        for _ in 0..60 {
            let next = workload.next_block(40);
            let txs: Vec<Bytes> = next.txs.into_iter().map(Bytes::from).collect();
            let block = Block {
                height: next.height,
                time: next.time,
                txs: &txs,
            };
            let candidate = state.execute(&block, NONE_VERIFIED);
            let events = candidate.events.clone();
            state.commit(candidate);
            let before = orders.levels();
            events.events.iter().for_each(|event| orders.apply(event));
            let after = orders.levels();
            compare(&before, &after, &events);
            let snapshot = state.committed();
            for market in (0_u32..).take(spec.markets.len()).map(MarketId) {
                let view = snapshot.book(market, 1).unwrap();
                let first = |at| side(&after, market, at).first().copied();
                let best = |levels: &[_]| levels.first().map(pair);
                assert_eq!(best(&view.bids), first(Side::Buy));
                assert_eq!(best(&view.asks), first(Side::Sell));
            }
            workload.observe(&events);
        }
        seen.extend(orders.seen);
    }
    let kinds = [
        "filled",
        "filled in an auction",
        "moved",
        "reduced",
        "refreshed",
        "removed",
        "rested",
    ];
    assert_eq!(seen, BTreeSet::from(kinds));
}

fn pair(level: &ballast_app::view::LevelView) -> (Ticks, Lots) {
    (level.price, level.size)
}
