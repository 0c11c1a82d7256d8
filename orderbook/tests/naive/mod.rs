//! The same books in the plainest form: one list of orders, sorted whenever it is looked at.

use ballast_orderbook::{BookError, ChangedLevel, Level, Resting, Stop, Taken, Verdict};
use ballast_types::{Lots, OrderId, Side, Ticks};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Default)]
pub(crate) struct Naive {
    markets: u32,
    /// In the order in which they came, or were refreshed.
    orders: Vec<Order>,
    sealed: Vec<Order>,
    /// Refreshes of the last take.
    pub(crate) refreshed: Vec<Resting>,
}

/// An order and what a refresh of it shows.
#[derive(Clone, Copy, PartialEq)]
struct Order {
    resting: Resting,
    display: Lots,
}

type Totals = BTreeMap<(u32, Side, Ticks), Lots>;

fn totals(orders: &[Order]) -> Totals {
    let mut totals = Totals::new();
    for Order { resting, .. } in orders {
        *totals
            .entry((resting.market, resting.side, resting.price))
            .or_default() += resting.size;
    }
    totals
}

impl Naive {
    pub(crate) fn new(markets: u32) -> Self {
        Self {
            markets,
            ..Self::default()
        }
    }

    /// A plain order when it hides nothing and `display` is 0.
    pub(crate) fn insert(&mut self, order: Resting, display: Lots) -> Result<(), BookError> {
        let Resting {
            slot,
            market,
            side,
            price,
            size,
            hidden,
        } = order;
        let iceberg = display != 0 || hidden != 0;
        let same_level = |other: &&Order| {
            let Resting {
                market: m,
                side: s,
                price: p,
                ..
            } = other.resting;
            (m, s, p) == (market, side, price)
        };
        let total = |order: &Resting| i128::from(order.size) + i128::from(order.hidden);
        let of_level = self.orders.iter().filter(same_level);
        let others: i128 = of_level.map(|other| total(&other.resting)).sum();
        if size < 1 {
            return Err(BookError::Size(size));
        } else if hidden < 0 {
            return Err(BookError::Size(hidden));
        } else if iceberg && display < 1 {
            return Err(BookError::Size(display));
        } else if slot > OrderId::MAX_SLOT {
            return Err(BookError::Slot(slot));
        } else if self.get(slot).is_some() {
            return Err(BookError::Occupied(slot));
        } else if market >= self.markets {
            return Err(BookError::Market(market));
        } else if others + total(&order) > i128::from(i64::MAX) {
            let size = size.saturating_add(hidden);
            return Err(BookError::Overflow { price, size });
        }
        self.orders.push(Order {
            resting: order,
            display,
        });
        Ok(())
    }

    fn position(&self, slot: u32) -> Option<usize> {
        self.orders
            .iter()
            .position(|order| order.resting.slot == slot)
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<Resting> {
        let at = self.position(slot)?;
        Some(self.orders.remove(at).resting)
    }

    pub(crate) fn shrink(&mut self, slot: u32, size: Lots) -> Option<Resting> {
        let at = self.position(slot)?;
        let order = &mut self.orders[at].resting;
        if !(1..order.size + order.hidden).contains(&size) {
            return None;
        }
        order.size = order.size.min(size);
        order.hidden = size - order.size;
        Some(*order)
    }

    pub(crate) fn get(&self, slot: u32) -> Option<Resting> {
        self.position(slot).map(|at| self.orders[at].resting)
    }

    pub(crate) fn orders(&self, market: u32, side: Side) -> Vec<Resting> {
        let resting = self.orders.iter().map(|order| order.resting);
        let of_side = |order: &Resting| order.market == market && order.side == side;
        let mut orders: Vec<_> = resting.filter(of_side).collect();
        // A stable sort: within a price they stay in the order in which they came.
        orders.sort_by(|a, b| match side {
            Side::Buy => b.price.cmp(&a.price),
            Side::Sell => a.price.cmp(&b.price),
        });
        orders
    }

    pub(crate) fn levels(&self, market: u32, side: Side) -> Vec<Level> {
        let orders = self.orders(market, side);
        let level = |of_price: &[Resting]| Level {
            price: of_price[0].price,
            size: of_price.iter().map(|order| order.size).sum(),
            orders: u32::try_from(of_price.len()).unwrap(),
        };
        orders
            .chunk_by(|a, b| a.price == b.price)
            .map(level)
            .collect()
    }

    pub(crate) fn crosses(&self, market: u32, taker_side: Side, limit: Ticks) -> bool {
        self.crossing(market, taker_side, limit).is_some()
    }

    pub(crate) fn crossing(&self, market: u32, taker_side: Side, limit: Ticks) -> Option<Resting> {
        let first = self
            .orders(market, taker_side.opposite())
            .first()
            .copied()?;
        let crosses = match taker_side {
            Side::Buy => first.price <= limit,
            Side::Sell => first.price >= limit,
        };
        crosses.then_some(first)
    }

    /// Takes lots from what an order shows, then from what it hides. True when it was refreshed.
    pub(crate) fn cut(&mut self, slot: u32, lots: Lots) -> bool {
        let at = self.position(slot).unwrap();
        if lots < self.orders[at].resting.size {
            self.orders[at].resting.size -= lots;
            return false;
        }
        let mut order = self.orders.remove(at);
        let rest = order.resting.size + order.resting.hidden - lots;
        if rest == 0 {
            return false;
        }
        order.resting.size = rest.min(order.display);
        order.resting.hidden = rest - order.resting.size;
        self.orders.push(order);
        self.refreshed.push(order.resting);
        true
    }

    pub(crate) fn take(
        &mut self,
        (market, taker_side, limit): (u32, Side, Ticks),
        size: Lots,
        max_fills: u32,
        mut judge: impl FnMut(&Resting, Lots) -> Verdict,
    ) -> Taken {
        self.refreshed.clear();
        let (mut remaining, mut met) = (size.max(0), 0);
        let stop = loop {
            if remaining == 0 {
                break Stop::Done;
            }
            let Some(maker) = self.crossing(market, taker_side, limit) else {
                break Stop::NoCross;
            };
            if met >= max_fills {
                break Stop::Limit;
            }
            let verdict = judge(&maker, remaining);
            match verdict {
                Verdict::Fill(lots) | Verdict::Decrement(lots)
                    if lots >= 1 && lots <= maker.size && lots <= remaining =>
                {
                    remaining -= lots;
                    met += 1;
                    if self.cut(maker.slot, lots) {
                        met += 1;
                    }
                }
                Verdict::Remove | Verdict::RemoveAndStop => {
                    self.remove(maker.slot);
                    met += 1;
                    if verdict == Verdict::RemoveAndStop {
                        break Stop::Judge;
                    }
                }
                Verdict::Fill(_) | Verdict::Decrement(_) | Verdict::Stop => break Stop::Judge,
            }
        };
        Taken {
            remaining,
            met,
            stop,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.orders.len()
    }

    pub(crate) fn checksum(&self, market: u32) -> u32 {
        let mut bytes = Vec::new();
        for side in [Side::Buy, Side::Sell] {
            for level in self.levels(market, side).into_iter().take(25) {
                bytes.extend(level.price.to_le_bytes());
                bytes.extend(level.size.to_le_bytes());
            }
        }
        crc32(&bytes)
    }

    pub(crate) fn changed(&self) -> Vec<ChangedLevel> {
        let (before, now) = (totals(&self.sealed), totals(&self.orders));
        let levels: BTreeSet<_> = before.keys().chain(now.keys()).copied().collect();
        let changed = levels
            .into_iter()
            .filter(|level| before.get(level) != now.get(level));
        changed
            .map(|level @ (market, side, price)| ChangedLevel {
                market,
                side,
                price,
                size: now.get(&level).copied().unwrap_or(0),
            })
            .collect()
    }

    pub(crate) fn seal(&mut self) {
        self.sealed = self.orders.clone();
    }

    pub(crate) fn rollback(&mut self) {
        self.orders = self.sealed.clone();
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
    }
    !crc
}
