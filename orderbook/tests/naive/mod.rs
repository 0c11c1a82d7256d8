//! The same books in the plainest form: one list of orders, sorted whenever it is looked at.

use ballast_orderbook::{BookError, ChangedLevel, Level, Resting, Stop, Taken, Verdict};
use ballast_types::{Lots, OrderId, Side, Ticks};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Default)]
pub(crate) struct Naive {
    markets: u32,
    /// In the order in which they came.
    orders: Vec<Resting>,
    sealed: Vec<Resting>,
}

type Totals = BTreeMap<(u32, Side, Ticks), Lots>;

fn totals(orders: &[Resting]) -> Totals {
    let mut totals = Totals::new();
    for order in orders {
        *totals
            .entry((order.market, order.side, order.price))
            .or_default() += order.size;
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

    pub(crate) fn insert(&mut self, order: Resting) -> Result<(), BookError> {
        let Resting {
            slot,
            market,
            side,
            price,
            size,
        } = order;
        let total = totals(&self.orders)
            .get(&(market, side, price))
            .copied()
            .unwrap_or(0);
        if size < 1 {
            return Err(BookError::Size(size));
        } else if slot > OrderId::MAX_SLOT {
            return Err(BookError::Slot(slot));
        } else if self.get(slot).is_some() {
            return Err(BookError::Occupied(slot));
        } else if market >= self.markets {
            return Err(BookError::Market(market));
        } else if i128::from(total) + i128::from(size) > i128::from(i64::MAX) {
            return Err(BookError::Overflow { price, size });
        }
        self.orders.push(order);
        Ok(())
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<Resting> {
        let at = self.orders.iter().position(|order| order.slot == slot)?;
        Some(self.orders.remove(at))
    }

    pub(crate) fn shrink(&mut self, slot: u32, size: Lots) -> Option<Resting> {
        let order = self.orders.iter_mut().find(|order| order.slot == slot)?;
        if !(1..order.size).contains(&size) {
            return None;
        }
        order.size = size;
        Some(*order)
    }

    pub(crate) fn get(&self, slot: u32) -> Option<Resting> {
        self.orders.iter().find(|order| order.slot == slot).copied()
    }

    pub(crate) fn orders(&self, market: u32, side: Side) -> Vec<Resting> {
        let of_side = |order: &&Resting| order.market == market && order.side == side;
        let mut orders: Vec<_> = self.orders.iter().filter(of_side).copied().collect();
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

    fn crossing(&self, market: u32, taker_side: Side, limit: Ticks) -> Option<Resting> {
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

    pub(crate) fn take(
        &mut self,
        (market, taker_side, limit): (u32, Side, Ticks),
        size: Lots,
        max_fills: u32,
        mut judge: impl FnMut(&Resting, Lots) -> Verdict,
    ) -> Taken {
        let (mut remaining, mut met) = (size.max(0), 0);
        while remaining > 0 {
            let Some(maker) = self.crossing(market, taker_side, limit) else {
                return Taken {
                    remaining,
                    met,
                    stop: Stop::NoCross,
                };
            };
            if met == max_fills {
                return Taken {
                    remaining,
                    met,
                    stop: Stop::Limit,
                };
            }
            match judge(&maker, remaining) {
                Verdict::Fill(lots) if lots >= 1 && lots <= maker.size && lots <= remaining => {
                    remaining -= lots;
                    if self.shrink(maker.slot, maker.size - lots).is_none() {
                        self.remove(maker.slot);
                    }
                }
                Verdict::Remove => drop(self.remove(maker.slot)),
                Verdict::Fill(_) | Verdict::Stop => {
                    return Taken {
                        remaining,
                        met,
                        stop: Stop::Judge,
                    };
                }
            }
            met += 1;
        }
        Taken {
            remaining,
            met,
            stop: Stop::Done,
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
