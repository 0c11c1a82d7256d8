//! TWAP orders: when their slices are due, what these ask for, and how they trade.

use crate::Model;
use crate::admit::Entry;
use crate::meeting::Taker;
use crate::state::{PlacedOrder, WaitingOrder};
use ballast_types::{
    Code, Event, GroupId, Lots, MarketSpec, MarketStatus, Order, OrderId, PostOnly, Removal, Side,
    Ticks, TimeInForce, TimeMs, Twap,
};

/// Largest slice as a multiple of an even one.
const CATCH_UP: i128 = 3;
/// Bounds of the time between slices, in ms.
const INTERVALS: std::ops::RangeInclusive<u64> = 1_000..=3_600_000;
/// Longest schedule in ms.
const LONGEST_MS: u64 = 86_400_000;

/// A schedule, and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// As it was asked for.
    pub twap: Twap,
    /// Block time in ms from which the first slice is due.
    pub start: TimeMs,
    /// Number of the next slice.
    pub next: u64,
}

impl Schedule {
    /// Number of the last slice; that of the first is 0.
    fn last(&self) -> u64 {
        self.twap.duration_ms / self.twap.interval_ms
    }

    /// When the next slice is due.
    fn due(&self) -> TimeMs {
        self.start + self.next * self.twap.interval_ms
    }

    /// Number of the last slice that is due.
    fn reached(&self, time: TimeMs) -> u64 {
        ((time - self.start) / self.twap.interval_ms).min(self.last())
    }

    /// Lots that slice `at` asks for.
    fn lots(&self, at: u64, placed: &PlacedOrder, min_size: Lots) -> Lots {
        let n = i128::from(self.last());
        let (filled, remaining) = (i128::from(placed.filled), i128::from(placed.remaining));
        let total = filled + remaining;
        let behind = total * i128::from(at + 1).min(n) / n - filled;
        let most = CATCH_UP * ((total + n - 1) / n);
        let lots = Lots::try_from(behind.min(most).min(remaining)).expect("at most what remains");
        let too_small = at < self.last() && lots < min_size;
        if lots < 1 || too_small { 0 } else { lots }
    }
}

/// Whether a schedule is in range, and the order one that can be sliced.
pub(crate) fn is_valid(order: &Order, twap: &Twap, market: &MarketSpec) -> bool {
    order.post_only == PostOnly::No
        && order.display.is_none()
        && order.trigger.is_none()
        && order.may_rest()
        && market.matching == ballast_types::Matching::Continuous
        && INTERVALS.contains(&twap.interval_ms)
        && (2 * twap.interval_ms..=LONGEST_MS).contains(&twap.duration_ms)
        && (1..=1_000_000).contains(&twap.tolerance_ppm)
}

impl Model {
    /// Pass 0: which TWAP orders of a group send a slice in this block.
    pub(crate) fn slice(&mut self, group: GroupId) {
        let (time, height) = (self.block.time, self.block.height);
        let waiting = self.state.waiting.values();
        let mut due: Vec<(TimeMs, u64, OrderId)> = waiting
            .filter(|w| self.group_of(w.placed.market) == group)
            .filter(|w| self.state.statuses[w.placed.market.index()] == MarketStatus::Open)
            .filter(|w| !w.placed.is_dead(time, height))
            .filter_map(|w| Some((w.twap?.due(), w.placed.priority, w.placed.id)))
            .filter(|(due, _, _)| *due <= time)
            .collect();
        due.sort_unstable();
        let quota = usize::try_from(self.spec.limits.twap_slices).expect("32 bits fit");
        self.coverage
            .count_if(due.len() > quota, "slices stopped by their quota");
        due.truncate(quota);
        let slicing = due.into_iter().map(|(_, _, id)| id);
        self.block.slicing.extend(slicing);
    }

    /// The entries of pass 3 for the slices of orders that pass 2 has left.
    pub(crate) fn slice_entries(&mut self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for id in self.block.slicing.clone() {
            let Some(waiting) = self.state.waiting.get(&id).cloned() else {
                self.coverage.count("TWAP order gone before its slice");
                continue;
            };
            entries.push(self.slice_entry(&waiting));
        }
        entries
    }

    fn slice_entry(&mut self, waiting: &WaitingOrder) -> Entry {
        let placed = &waiting.placed;
        let schedule = waiting.twap.expect("it has a schedule");
        let at = schedule.reached(self.block.time);
        let min_size = self.spec.markets[placed.market.index()].min_size;
        let bound = self.slice_bound(placed, schedule.twap.tolerance_ppm);
        let lots = bound.map_or(0, |_| schedule.lots(at, placed, min_size));
        let total = placed.filled + placed.remaining;
        let even =
            (i128::from(total) + i128::from(schedule.last()) - 1) / i128::from(schedule.last());
        self.coverage.count_if(
            i128::from(lots) == CATCH_UP * even,
            "slice catches up at most",
        );
        self.coverage
            .count_if(bound.is_none(), "slice without a price");
        self.coverage
            .count_if(bound.is_some() && lots == 0, "slice of nothing");
        self.coverage
            .count_if(bound == Some(placed.price), "slice at the limit");
        self.coverage.count_if(
            bound.is_some_and(|bound| bound != placed.price),
            "slice within its tolerance",
        );
        let price = bound.unwrap_or(placed.price);
        let order = Order {
            tif: TimeInForce::Ioc,
            ..placed.terms(price, lots, waiting.max_fills)
        };
        Entry {
            slice: Some(at),
            ..self.entry_of(waiting, order)
        }
    }

    /// The limit of a slice; `None` when there is no price that it could be near.
    fn slice_bound(&self, placed: &PlacedOrder, tolerance_ppm: u32) -> Option<Ticks> {
        let at = placed.market.index();
        let near = match self.spec.markets[at].kind {
            kind if kind.is_derivative() => self.state.marks[at],
            _ if self.state.indexes[at] != 0 => self.state.indexes[at],
            _ => self.state.lasts[at],
        };
        let width = i128::from(near) * i128::from(tolerance_ppm) / 1_000_000;
        let width = Ticks::try_from(width).expect("at most the price");
        let price = match placed.side {
            Side::Buy => placed.price.min(near + width),
            Side::Sell => placed.price.max(near - width),
        };
        (near != 0).then(|| self.fitting(placed.market, placed.side, price))
    }

    /// Pass 4: a slice trades, and the schedule of its order goes on or is over.
    pub(crate) fn enter_slice(&mut self, group: GroupId, entry: Entry, id: OrderId, at: u64) {
        let (account, market, size) = (entry.account, entry.order.market, entry.asked);
        if size > 0 {
            let (code, filled) = self.trade_slice(entry, id);
            self.coverage.count(&format!("slice {}", code.name()));
            let event = Event::Sliced {
                market,
                order: id,
                account,
                size,
                filled,
                code,
            };
            self.group_event(group, event);
        }
        let waiting = self.state.waiting.get_mut(&id).expect("it waits meanwhile");
        let schedule = waiting.twap.as_mut().expect("it has a schedule");
        schedule.next = at + 1;
        let over = schedule.next > schedule.last();
        if waiting.placed.remaining == 0 {
            self.coverage.count("TWAP order done");
            self.state.waiting.remove(&id);
        } else if over {
            let event = self.remove(id, Removal::Schedule);
            self.group_event(group, event);
        }
    }

    /// Code of a slice, and lots that traded.
    fn trade_slice(&mut self, entry: Entry, id: OrderId) -> (Code, Lots) {
        if let Some(code) = self.refusal_of(id) {
            return (code, 0);
        }
        if self.collects(entry.order.market) {
            return (Code::MarketAuction, 0);
        }
        let lots = entry.order.size;
        let mut taker = Taker::new(entry, id);
        let stop = self.take(&mut taker);
        let waiting = self.state.waiting.get_mut(&id).expect("it waits meanwhile");
        waiting.placed.remaining -= lots - taker.remaining;
        waiting.placed.filled += taker.traded;
        self.coverage
            .count_if(lots - taker.remaining > taker.traded, "slice decremented");
        (taker.code(stop), taker.traded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_counts_its_slices_from_the_start() {
        let mut schedule = Schedule {
            twap: Twap {
                duration_ms: 3_500,
                interval_ms: 1_000,
                tolerance_ppm: 1,
            },
            start: 10_000,
            next: 0,
        };
        assert_eq!((schedule.last(), schedule.due()), (3, 10_000));
        schedule.next = 2;
        assert_eq!(schedule.due(), 12_000);
        let reached = [10_000, 10_999, 12_000, 13_000, 99_000];
        assert_eq!(reached.map(|time| schedule.reached(time)), [0, 0, 2, 3, 3]);
    }
}
