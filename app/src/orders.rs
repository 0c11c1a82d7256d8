//! How orders come into a group, change and go: records, books and indexes together.

use crate::accounts::AccountRef;
use crate::groups::{GroupShard, PRIORITY, QuoteKey, StopKey, WAITING_ORDERS};
use crate::passes::Place;
use crate::records::{OrderRecord, SpecialRecord};
use ballast_orderbook::{BookError, Books};
use ballast_types::{Condition, Limits, Lots, MarketId, OrderId, Side, Ticks, Trigger};
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

    /// Puts an order into the book at the tail of its level, and returns its priority. `record` needs
    /// no generation or priority yet.
    pub(crate) fn rest(
        &mut self,
        slot: u32,
        local: u32,
        mut record: OrderRecord,
        special: Option<SpecialRecord>,
    ) -> Option<u64> {
        record.priority = self.next_priority()?;
        insert(&mut self.books, slot, local, &record, special.as_ref()).ok()?;
        self.link(slot, record, special)?;
        Some(record.priority)
    }

    /// Lets an order wait. `record` needs no generation, priority or link yet.
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
        if record.quote() {
            self.quotes.insert(quote_key(&record), slot);
        }
        self.link_priority(slot, &record);
        if let Some(special) = special {
            let at = self.specials.alloc().ok()?;
            *self.specials.get_mut(at)? = special;
            record.special = at.saturating_add(1);
        }
        let member = self.member_mut(owner)?;
        member.open_orders = member.open_orders.saturating_add(1);
        let stored = self.orders.get_mut(slot)?;
        record.generation = stored.generation;
        record.free_link = stored.free_link;
        *stored = record;
        if record.waiting() {
            self.count_waiting(&record, true)?;
            self.watch(slot, &record)?;
        }
        Some(())
    }

    /// The indexes that a priority is part of, but `stranded`: no order comes to a settled market.
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
        if record.pegged() {
            let key = (MarketId(record.market), record.priority);
            self.pegged.insert(key, slot);
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
        let key = (MarketId(record.market), record.priority);
        if record.pegged() {
            self.pegged.remove(&key);
        }
        self.stranded.remove(&key);
    }

    /// Counts an order that begins to wait, or ends its wait.
    fn count_waiting(&mut self, record: &OrderRecord, begins: bool) -> Option<()> {
        let special = *self.special(record)?;
        let waiting = self.specials.words_mut().counters.get_mut(WAITING_ORDERS)?;
        *waiting = match begins {
            true => waiting.saturating_add(1),
            false => waiting.saturating_sub(1),
        };
        if special.trails() {
            let market = self.trade_record(record.market)?;
            market.trailing = match begins {
                true => market.trailing.saturating_add(1),
                false => market.trailing.saturating_sub(1),
            };
        }
        Some(())
    }

    /// Puts a waiting order where what it waits for finds it: nowhere while all of it is dormant.
    pub(crate) fn watch(&mut self, slot: u32, record: &OrderRecord) -> Option<()> {
        let special = *self.special(record)?;
        if record.asleep(&special) {
            return Some(());
        }
        let market = MarketId(record.market);
        let key = (market, record.priority);
        if let Some(time) = special.next_slice() {
            self.slices.insert((market, time, record.priority), slot);
        } else if special.trails() {
            self.trailing.insert(key, slot);
        } else if let Some(stop) = stop_key(slot, record, &special) {
            if special.due == 0 {
                self.stops.insert(stop, ());
            }
        } else {
            self.special_mut(record)?.due = 1;
            self.due.insert(key, slot);
        }
        if special.due != 0 {
            self.due.insert(key, slot);
        }
        Some(())
    }

    /// The opposite.
    pub(crate) fn unwatch(&mut self, slot: u32, record: &OrderRecord) {
        let Some(special) = self.special(record).copied() else {
            return;
        };
        let market = MarketId(record.market);
        let key = (market, record.priority);
        self.due.remove(&key);
        self.trailing.remove(&key);
        self.unlink_stop(slot, record, &special);
        if let Some(time) = special.next_slice() {
            self.slices.remove(&(market, time, record.priority));
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
        if record.waiting() {
            self.unwatch(slot, &record);
            self.count_waiting(&record, false)?;
        } else {
            self.books.remove(slot);
        }
        if let Some(at) = record.special_slot() {
            self.specials.free(at).ok()?;
        }
        self.unlink_priority(&record);
        if let Some(client) = record.client() {
            self.by_client.remove(&(owner, client));
        }
        if record.quote() {
            self.quotes.remove(&quote_key(&record));
        }
        let member = self.member_mut(owner)?;
        member.open_orders = member.open_orders.saturating_sub(1);
        Some(record)
    }

    /// Takes an open order out of book and indexes and frees its slot. What that does to orders that
    /// it is linked with is noted.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<OrderRecord> {
        self.end(slot, false)
    }

    /// As [`Self::remove`], for an order that has traded all its lots or that a link takes: it does
    /// nothing to the others.
    pub(crate) fn remove_alone(&mut self, slot: u32) -> Option<OrderRecord> {
        self.end(slot, true)
    }

    fn end(&mut self, slot: u32, alone: bool) -> Option<OrderRecord> {
        let record = self.unlink(slot)?;
        self.orders.free(slot).ok()?;
        if record.link != 0 {
            // Its link is there as long as the order is.
            let _ = self.quit_link(slot, record.link_slot(), alone);
        }
        Some(record)
    }

    /// Ends the wait of an order, which keeps its slot, id and link and is nowhere until it rests, or
    /// its slot is released.
    pub(crate) fn leave(&mut self, slot: u32) -> Option<OrderRecord> {
        let record = self.unlink(slot)?;
        *self.orders.get_mut(slot)? = OrderRecord {
            generation: record.generation,
            link: record.link,
            ..OrderRecord::zeroed()
        };
        Some(record)
    }

    /// Makes an open order smaller in place; hidden lots go first.
    pub(crate) fn shrink(&mut self, slot: u32, size: Lots) -> Option<()> {
        let record = self.orders.get_mut(slot)?;
        record.remaining = size;
        let record = *record;
        if record.waiting() {
            return Some(());
        }
        self.books.shrink(slot, size)?;
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
        let record = *record;
        let special = self.special_mut(&record)?;
        if shown > 0 {
            special.shown = shown;
            return None;
        }
        let next = special.display.min(remaining);
        self.refresh(slot, next)?;
        Some(next)
    }

    /// The next lots of an iceberg show behind all others of its level.
    pub(crate) fn refresh(&mut self, slot: u32, shown: Lots) -> Option<()> {
        let mut record = *self.orders.get(slot)?;
        self.special_mut(&record)?.shown = shown;
        self.unlink_priority(&record);
        record.priority = self.next_priority()?;
        self.link_priority(slot, &record);
        *self.orders.get_mut(slot)? = record;
        Some(())
    }

    /// Puts a pegged order that has left the book at a level again, behind all others.
    pub(crate) fn move_to(&mut self, slot: u32, local: u32, level: Ticks) -> Option<()> {
        let mut record = *self.orders.get(slot)?;
        self.special_mut(&record)?.rests = level;
        self.unlink_priority(&record);
        record.priority = self.next_priority()?;
        self.link_priority(slot, &record);
        *self.orders.get_mut(slot)? = record;
        let special = self.specials.get(record.special_slot()?);
        insert(&mut self.books, slot, local, &record, special).ok()
    }

    /// What only special orders have.
    pub(crate) fn special(&self, record: &OrderRecord) -> Option<&SpecialRecord> {
        self.specials.get(record.special_slot()?)
    }

    pub(crate) fn special_mut(&mut self, record: &OrderRecord) -> Option<&mut SpecialRecord> {
        self.specials.get_mut(record.special_slot()?)
    }

    /// Whether more orders may wait, with such triggers, in the order given. The place of the first
    /// that may not.
    pub(crate) fn over_limit(
        &self,
        local: u32,
        triggers: impl Iterator<Item = Option<Trigger>>,
        limits: &Limits,
    ) -> Option<usize> {
        let counters = self.specials.words().counters;
        let mut waiting = counters.get(WAITING_ORDERS).copied().unwrap_or(0);
        let mut trailing = self.trades.get(local).map_or(0, |market| market.trailing);
        for (at, trigger) in triggers.enumerate() {
            let condition = trigger.map(|trigger| trigger.condition);
            let trails = matches!(condition, Some(Condition::Trail { .. }));
            let full = trails && trailing >= limits.trailing_orders;
            if full || waiting >= u64::from(limits.waiting_orders) {
                return Some(at);
            }
            waiting = waiting.saturating_add(1);
            trailing = trailing.saturating_add(u32::from(trails));
        }
        None
    }

    /// Whether the order that was there still waits.
    pub(crate) fn waits_at(&self, place: Place) -> bool {
        let record = self.orders.get(place.slot);
        record.is_some_and(|record| record.priority == place.priority && record.waiting())
    }
}

/// Where a quote is found.
pub(crate) fn quote_key(record: &OrderRecord) -> QuoteKey {
    let ask = record.side() == Side::Sell;
    (AccountRef(record.account), MarketId(record.market), ask)
}

/// Puts an order into its book.
pub(crate) fn insert(
    books: &mut Books,
    slot: u32,
    local: u32,
    record: &OrderRecord,
    special: Option<&SpecialRecord>,
) -> Result<(), BookError> {
    let (side, price, size) = (record.side(), record.level(special), record.remaining);
    match special.filter(|special| special.display > 0) {
        Some(&SpecialRecord { shown, display, .. }) => {
            let hidden = size.saturating_sub(shown);
            books.insert_iceberg(slot, local, side, price, shown, hidden, display)
        }
        None => books.insert(slot, local, side, price, size),
    }
}

/// Where a waiting order that is not due is found by its trigger price; `None` when it has none.
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
