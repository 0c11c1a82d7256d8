//! Orders that wait: when those with triggers are due, when they enter, and how orders begin to wait.

use crate::Model;
use crate::admit::Entry;
use crate::state::WaitingOrder;
use crate::twap::Schedule;
use ballast_types::{
    ActionKey, Code, Condition, Distance, Event, GroupId, Lots, MarketId, MarketSpec, MarketStatus,
    Order, OrderId, PriceSource, Side, Ticks, Trigger,
};

impl Model {
    /// Pass 0: which waiting orders of a group are due, and which of them enter in this block.
    pub(crate) fn trigger(&mut self, group: GroupId) {
        let mut entering = Vec::new();
        for id in self.waiting_in(group) {
            self.look_at_price(id);
            let waiting = &self.state.waiting[&id];
            let market = waiting.placed.market;
            let open = self.state.statuses[market.index()] == MarketStatus::Open;
            self.coverage
                .count_if(waiting.due && !open, "due order waits for its market");
            if waiting.due && open {
                entering.push(id);
            }
        }
        let quota = usize::try_from(self.spec.limits.triggered_orders).expect("32 bits fit");
        self.coverage
            .count_if(entering.len() > quota, "triggers stopped by their quota");
        entering.truncate(quota);
        for id in &entering {
            let placed = &self.state.waiting[id].placed;
            self.block.events.push(Event::Triggered {
                market: placed.market,
                order: *id,
                account: placed.account,
            });
        }
        self.block.triggered.extend(entering);
    }

    /// Waiting orders of a group in ascending priority.
    fn waiting_in(&self, group: GroupId) -> Vec<OrderId> {
        let waiting = self.state.waiting.values().map(|waiting| &waiting.placed);
        let mut here: Vec<(u64, OrderId)> = waiting
            .filter(|placed| self.group_of(placed.market) == group)
            .map(|placed| (placed.priority, placed.id))
            .collect();
        here.sort_unstable();
        here.into_iter().map(|(_, id)| id).collect()
    }

    fn look_at_price(&mut self, id: OrderId) {
        let waiting = &self.state.waiting[&id];
        let asleep = waiting.dormant == waiting.placed.remaining;
        let Some(trigger) = waiting.trigger.filter(|_| !asleep) else {
            self.coverage
                .count_if(asleep && waiting.trigger.is_some(), "dormant trigger");
            return;
        };
        let Some(price) = self.trigger_price(waiting.placed.market, trigger.source) else {
            return;
        };
        let waiting = self.state.waiting.get_mut(&id).expect("it waits");
        let (before, due) = (waiting.extreme, waiting.due);
        waiting.learn(trigger.condition, price);
        let after = waiting.extreme;
        waiting.due |= waiting.holds(trigger.condition, price);
        let fired = waiting.due && !due;
        let names = if fired {
            waiting.names(trigger)
        } else {
            Vec::new()
        };
        for name in names {
            self.coverage.count(&name);
        }
        if after != before {
            self.coverage.count(if before.is_none() {
                "trailing order active"
            } else {
                "trailing order follows"
            });
        }
    }

    /// The price that a trigger watches; `None` while there is none.
    fn trigger_price(&self, market: MarketId, source: PriceSource) -> Option<Ticks> {
        let prices = match source {
            PriceSource::Mark => &self.state.marks,
            PriceSource::Index => &self.state.indexes,
            PriceSource::Last => &self.state.lasts,
        };
        Some(prices[market.index()]).filter(|price| *price != 0)
    }

    /// The entries of pass 3 for triggered orders that no cancel removed, as they are now.
    pub(crate) fn triggered_entries(&mut self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for id in self.block.triggered.clone() {
            let Some(waiting) = self.state.waiting.get(&id) else {
                self.coverage.count("triggered order cancelled");
                continue;
            };
            let placed = &waiting.placed;
            let awake = placed.remaining - waiting.dormant;
            let order = placed.terms(placed.price, awake, waiting.max_fills);
            entries.push(self.entry_of(waiting, order));
        }
        entries
    }

    /// What a waiting order sends to pass 3.
    pub(crate) fn entry_of(&self, waiting: &WaitingOrder, order: Order) -> Entry {
        Entry {
            account: waiting.placed.account,
            key: self.trigger_key(waiting),
            place: None,
            order,
            asked: order.size,
            filled: waiting.placed.filled,
            again: true,
            replaces: None,
            triggered: Some(waiting.placed.id),
            slice: None,
            link: None,
            leg: false,
            quote: false,
        }
    }

    /// The place of a triggered order among the entries. Its id in there is the compared
    /// implementation's, which orders of equal stamps are sorted by.
    fn trigger_key(&self, waiting: &WaitingOrder) -> ActionKey {
        let placed = &waiting.placed;
        let alias = self.aliases.iter().find(|(_, own)| **own == placed.id);
        let id = alias.map_or(placed.id, |(other, _)| *other);
        let mut hash = [0; 32];
        hash[24..].copy_from_slice(&id.0.to_be_bytes());
        let (nonce, index) = placed.stamp;
        ActionKey {
            nonce,
            key: placed.account.master,
            hash,
            index,
            part: 0,
        }
    }

    /// Pass 4: an order begins to wait, when there is room.
    pub(crate) fn wait(&mut self, group: GroupId, entry: &Entry, id: OrderId) -> Code {
        if !self.has_room_to_wait(group, &entry.order, &[]) {
            return Code::TriggerLimit;
        }
        self.begin_to_wait(group, entry, id, 0);
        Code::Ok
    }

    /// Whether one more order may wait, beside those that wait and these `others` of its market.
    pub(crate) fn has_room_to_wait(
        &mut self,
        group: GroupId,
        order: &Order,
        others: &[&Order],
    ) -> bool {
        let waiting = self.waiting_in(group).len() + others.len();
        let here = self.state.waiting.values();
        let here = here.filter(|waiting| waiting.placed.market == order.market);
        let triggers = here.map(|waiting| &waiting.trigger);
        let triggers = triggers.chain(others.iter().map(|other| &other.trigger));
        let trailing = triggers.filter(|trigger| is_trailing(trigger)).count();
        let room = |limit: u32, taken: usize| taken < usize::try_from(limit).expect("32 bits fit");
        if !room(self.spec.limits.waiting_orders, waiting) {
            self.coverage.count("group full of waiting orders");
            return false;
        }
        if is_trailing(&order.trigger) && !room(self.spec.limits.trailing_orders, trailing) {
            self.coverage.count("market full of trailing orders");
            return false;
        }
        true
    }

    pub(crate) fn begin_to_wait(
        &mut self,
        group: GroupId,
        entry: &Entry,
        id: OrderId,
        dormant: Lots,
    ) {
        let start = self.block.time;
        let schedule = |twap| Schedule {
            twap,
            start,
            next: 0,
        };
        let waiting = WaitingOrder {
            placed: self.place(entry, id, entry.order.price, entry.order.size, 0),
            max_fills: entry.order.max_fills,
            trigger: entry.order.trigger,
            twap: entry.order.twap.map(schedule),
            dormant,
            extreme: None,
            due: false,
        };
        self.group_event(group, waiting.event());
        self.state.waiting.insert(id, waiting);
    }
}

impl WaitingOrder {
    /// A trailing order becomes active, or follows the price in its favour.
    fn learn(&mut self, condition: Condition, price: Ticks) {
        let Condition::Trail { activation, .. } = condition else {
            return;
        };
        let side = self.placed.side;
        let starts = activation == 0
            || match side {
                Side::Buy => price <= activation,
                Side::Sell => price >= activation,
            };
        self.extreme = match self.extreme {
            None => starts.then_some(price),
            Some(extreme) if side == Side::Sell => Some(extreme.max(price)),
            Some(extreme) => Some(extreme.min(price)),
        };
    }

    fn holds(&self, condition: Condition, price: Ticks) -> bool {
        match condition {
            Condition::AtOrAbove(level) => price >= level,
            Condition::AtOrBelow(level) => price <= level,
            Condition::Trail { distance, .. } => self.extreme.is_some_and(|extreme| {
                let distance = ticks_behind(distance, extreme);
                match self.placed.side {
                    Side::Buy => price >= extreme + distance,
                    Side::Sell => price <= extreme - distance,
                }
            }),
        }
    }

    pub(crate) fn event(&self) -> Event {
        let placed = &self.placed;
        Event::Waiting {
            market: placed.market,
            order: placed.id,
            account: placed.account,
            side: placed.side,
            price: placed.price,
            size: placed.remaining,
            dormant: self.dormant,
            trigger: self.trigger,
            twap: self.twap.map(|schedule| schedule.twap),
            client_id: placed.client_id,
        }
    }

    /// What fired, for the coverage.
    fn names(&self, trigger: Trigger) -> Vec<String> {
        let (condition, trail) = match trigger.condition {
            Condition::AtOrAbove(_) => ("AtOrAbove", None),
            Condition::AtOrBelow(_) => ("AtOrBelow", None),
            Condition::Trail { distance, .. } => match distance {
                Distance::Ticks(_) => ("Trail", Some("ticks")),
                Distance::Ppm(_) => ("Trail", Some("ppm")),
            },
        };
        let due = format!("due: {:?} {condition}", trigger.source);
        let trail = trail.map(|unit| format!("trail in {unit}, {:?}", self.placed.side));
        [due].into_iter().chain(trail).collect()
    }
}

/// How far the price must turn from the best one, in ticks.
fn ticks_behind(distance: Distance, extreme: Ticks) -> Ticks {
    match distance {
        Distance::Ticks(ticks) => ticks,
        Distance::Ppm(ppm) => {
            let part = i128::from(extreme) * i128::from(ppm) / 1_000_000;
            Ticks::try_from(part).expect("less than the price").max(1)
        }
    }
}

pub(crate) fn is_trailing(trigger: &Option<Trigger>) -> bool {
    trigger.is_some_and(|trigger| matches!(trigger.condition, Condition::Trail { .. }))
}

/// Whether the prices and the distance of a trigger are in range.
pub(crate) fn is_valid(trigger: &Trigger, market: &MarketSpec) -> bool {
    let prices = 1..=market.max_price;
    match trigger.condition {
        Condition::AtOrAbove(price) | Condition::AtOrBelow(price) => prices.contains(&price),
        Condition::Trail {
            distance,
            activation,
        } => {
            let distance = match distance {
                Distance::Ticks(ticks) => prices.contains(&ticks),
                Distance::Ppm(ppm) => (1..=999_999).contains(&ppm),
            };
            distance && (activation == 0 || prices.contains(&activation))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_at_least_one_tick() {
        for (ppm, extreme, ticks) in [
            (1, 1, 1),
            (10_000, 99, 1),
            (10_000, 250, 2),
            (999_999, 100, 99),
        ] {
            assert_eq!(ticks_behind(Distance::Ppm(ppm), extreme), ticks);
        }
        assert_eq!(ticks_behind(Distance::Ticks(7), 3), 7);
    }
}
