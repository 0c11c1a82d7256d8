//! How orders come into a group, change and go: records, books and indexes together.

use crate::accounts::AccountRef;
use crate::groups::{GroupShard, PRIORITY, StopKey, WAITING_ORDERS};
use crate::records::{OrderRecord, SpecialRecord};
use ballast_orderbook::{BookError, Books};
use ballast_types::{Condition, Lots, MarketId, OrderId};
use bytemuck::Zeroable;

impl GroupShard {
    /// Takes a slot for an order that enters. A slot whose generations are used up stays empty for
    /// ever.
    pub(crate) fn reserve_slot(&mut self) -> Option<(u32, OrderId)> {
        loop {
            let slot = self.orders.alloc().ok()?;
            let record = *self.orders.get(slot)?;
            if let Some(id) = self.id(slot, &record) {
                return Some((slot, id));
            }
        }
    }

    /// Gives back the slot of an order that neither rests nor waits.
    pub(crate) fn release_slot(&mut self, slot: u32) {
        // Only slots from `reserve_slot` and `leave` come here.
        let _ = self.orders.free(slot);
    }

    /// Puts an order into the book at the tail of its level. `record` needs no generation, priority
    /// or link yet.
    pub(crate) fn rest(
        &mut self,
        slot: u32,
        local: u32,
        mut record: OrderRecord,
        special: Option<SpecialRecord>,
    ) -> Option<()> {
        record.priority = self.next_priority()?;
        insert(&mut self.books, slot, local, &record, special.as_ref()).ok()?;
        self.link(slot, record, special)
    }

    /// Lets an order wait for its trigger. `record` needs no generation, priority or link yet.
    pub(crate) fn wait(
        &mut self,
        slot: u32,
        mut record: OrderRecord,
        special: SpecialRecord,
    ) -> Option<()> {
        record.priority = self.next_priority()?;
        self.link(slot, record, Some(special))
    }

    fn next_priority(&mut self) -> Option<u64> {
        let counter = self.orders.words_mut().counters.get_mut(PRIORITY)?;
        *counter = counter.saturating_add(1);
        Some(*counter)
    }

    /// Records of an order that is in its book, or waits, and everything that finds it.
    fn link(
        &mut self,
        slot: u32,
        mut record: OrderRecord,
        special: Option<SpecialRecord>,
    ) -> Option<()> {
        let owner = AccountRef(record.account);
        if let Some(client) = record.client() {
            self.by_client.insert((owner, client), slot);
        }
        self.link_priority(slot, &record);
        if let Some(special) = special {
            let at = self.specials.alloc().ok()?;
            *self.specials.get_mut(at)? = special;
            record.special = at.saturating_add(1);
            if record.waiting() {
                self.link_trigger(slot, &record, &special)?;
            }
        }
        let member = self.member_mut(owner)?;
        member.open_orders = member.open_orders.saturating_add(1);
        let stored = self.orders.get_mut(slot)?;
        record.generation = stored.generation;
        record.free_link = stored.free_link;
        *stored = record;
        Some(())
    }

    /// The indexes that a priority is part of.
    fn link_priority(&mut self, slot: u32, record: &OrderRecord) {
        let owner = AccountRef(record.account);
        self.by_account.insert((owner, record.priority), slot);
        if let Some(end) = record.end() {
            self.by_expiry.insert((end, record.priority), slot);
        }
        if record.reduce_only() && !record.waiting() {
            self.reduce_only
                .insert((owner, MarketId(record.market), record.priority), slot);
        }
    }

    fn unlink_priority(&mut self, record: &OrderRecord) {
        let owner = AccountRef(record.account);
        self.by_account.remove(&(owner, record.priority));
        if let Some(end) = record.end() {
            self.by_expiry.remove(&(end, record.priority));
        }
        if record.reduce_only() && !record.waiting() {
            self.reduce_only
                .remove(&(owner, MarketId(record.market), record.priority));
        }
    }

    fn link_trigger(
        &mut self,
        slot: u32,
        record: &OrderRecord,
        special: &SpecialRecord,
    ) -> Option<()> {
        if let Some(key) = stop_key(slot, record, special) {
            self.stops.insert(key, ());
        } else {
            let key = (MarketId(record.market), record.priority);
            self.trailing.insert(key, slot);
            let market = self.trade_record(record.market)?;
            market.trailing = market.trailing.saturating_add(1);
        }
        let waiting = self.specials.words_mut().counters.get_mut(WAITING_ORDERS)?;
        *waiting = waiting.saturating_add(1);
        Some(())
    }

    fn unlink_trigger(&mut self, slot: u32, record: &OrderRecord, special: &SpecialRecord) {
        let key = (MarketId(record.market), record.priority);
        self.due.remove(&key);
        self.unlink_stop(slot, record, special);
        if self.trailing.remove(&key).is_some()
            && let Some(market) = self.trade_record(record.market)
        {
            market.trailing = market.trailing.saturating_sub(1);
        }
        let words = self.specials.words_mut();
        if let Some(waiting) = words.counters.get_mut(WAITING_ORDERS) {
            *waiting = waiting.saturating_sub(1);
        }
    }

    /// A trigger price is looked at no more.
    pub(crate) fn unlink_stop(&mut self, slot: u32, record: &OrderRecord, special: &SpecialRecord) {
        if let Some(key) = stop_key(slot, record, special) {
            self.stops.remove(&key);
        }
    }

    fn trade_record(&mut self, market: u32) -> Option<&mut crate::records::TradeRecord> {
        let at = self.markets.iter().position(|id| id.0 == market)?;
        self.trades.get_mut(u32::try_from(at).ok()?)
    }

    /// Takes an open order out of book and indexes. The book may have let go of it already, when a
    /// fill ended it. Its slot is still in use.
    fn unlink(&mut self, slot: u32) -> Option<OrderRecord> {
        let record = *self.orders.get(slot)?;
        let owner = AccountRef(record.account);
        let special = self.special(&record).copied();
        if let Some(at) = record.special_slot() {
            self.specials.free(at).ok()?;
        }
        match &special {
            Some(special) if record.waiting() => self.unlink_trigger(slot, &record, special),
            _ => {
                self.books.remove(slot);
            }
        }
        self.unlink_priority(&record);
        if let Some(client) = record.client() {
            self.by_client.remove(&(owner, client));
        }
        let member = self.member_mut(owner)?;
        member.open_orders = member.open_orders.saturating_sub(1);
        Some(record)
    }

    /// Takes an open order out of book and indexes and frees its slot.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<OrderRecord> {
        let record = self.unlink(slot)?;
        self.orders.free(slot).ok()?;
        Some(record)
    }

    /// Ends the wait of an order, which keeps its slot and id and is nowhere until it rests, or its
    /// slot is released.
    pub(crate) fn leave(&mut self, slot: u32) -> Option<OrderRecord> {
        let record = self.unlink(slot)?;
        *self.orders.get_mut(slot)? = OrderRecord {
            generation: record.generation,
            ..OrderRecord::zeroed()
        };
        Some(record)
    }

    /// Makes a resting order smaller in place; hidden lots go first.
    pub(crate) fn shrink(&mut self, slot: u32, size: Lots) -> Option<()> {
        self.books.shrink(slot, size)?;
        let record = self.orders.get_mut(slot)?;
        record.remaining = size;
        let record = *record;
        if let Some(special) = self.special_mut(&record) {
            special.shown = special.shown.min(size);
        }
        Some(())
    }

    /// Books what a meeting has left of a maker that is not gone. `shown` is what it shows then; when
    /// that is nothing, the next lots show behind its level, and their number is returned.
    pub(crate) fn cut(&mut self, slot: u32, remaining: Lots, shown: Lots) -> Option<Lots> {
        let record = self.orders.get_mut(slot)?;
        record.remaining = remaining;
        let mut record = *record;
        let special = self.special_mut(&record)?;
        if shown > 0 {
            special.shown = shown;
            return None;
        }
        let next = special.display.min(remaining);
        special.shown = next;
        self.unlink_priority(&record);
        record.priority = self.next_priority()?;
        self.link_priority(slot, &record);
        *self.orders.get_mut(slot)? = record;
        Some(next)
    }

    /// What only special orders have.
    pub(crate) fn special(&self, record: &OrderRecord) -> Option<&SpecialRecord> {
        self.specials.get(record.special_slot()?)
    }

    pub(crate) fn special_mut(&mut self, record: &OrderRecord) -> Option<&mut SpecialRecord> {
        self.specials.get_mut(record.special_slot()?)
    }

    /// Whether another order may wait for such a trigger.
    pub(crate) fn may_wait(
        &self,
        local: u32,
        condition: &Condition,
        limits: &ballast_types::Limits,
    ) -> bool {
        let counters = self.specials.words().counters;
        let waiting = counters.get(WAITING_ORDERS).copied().unwrap_or(0);
        let trailing = self.trades.get(local).map_or(0, |market| market.trailing);
        let trails = matches!(condition, Condition::Trail { .. });
        waiting < u64::from(limits.waiting_orders) && (!trails || trailing < limits.trailing_orders)
    }
}

/// Puts an order into its book.
pub(crate) fn insert(
    books: &mut Books,
    slot: u32,
    local: u32,
    record: &OrderRecord,
    special: Option<&SpecialRecord>,
) -> Result<(), BookError> {
    let (side, price, size) = (record.side(), record.price, record.remaining);
    match special.filter(|special| special.display > 0) {
        Some(&SpecialRecord { shown, display, .. }) => {
            let hidden = size.saturating_sub(shown);
            books.insert_iceberg(slot, local, side, price, shown, hidden, display)
        }
        None => books.insert(slot, local, side, price, size),
    }
}

/// Where a waiting order that is not due is found by its trigger price; `None` for trailing ones.
pub(crate) fn stop_key(
    slot: u32,
    record: &OrderRecord,
    special: &SpecialRecord,
) -> Option<StopKey> {
    let trigger = special.trigger()?;
    let (above, price) = match trigger.condition {
        Condition::AtOrAbove(price) => (true, price),
        Condition::AtOrBelow(price) => (false, price),
        Condition::Trail { .. } => return None,
    };
    Some((MarketId(record.market), trigger.source, above, price, slot))
}
