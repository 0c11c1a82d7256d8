//! Pass 0: what leaves the books by itself: dead orders, those of accounts whose dead man's switch
//! went off, and those of accounts that are not covered.

use crate::Model;
use crate::margin::{Open, Rate};
use crate::state::PlacedOrder;
use ballast_types::{
    Account, GroupId, MarginMode, MarketId, OrderId, Removal, Side, TimeInForce, TimeMs,
};
use std::cmp::Reverse;

/// Why an order is dead, in the order in which dead orders leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Death {
    Time(TimeMs),
    Height(u64),
    Market(MarketId),
}

impl Model {
    /// Dead orders of a group: those with a time as end before those with a height, then those that
    /// are dead only because their market is settled.
    pub(crate) fn sweep_expired(&mut self, group: GroupId) {
        let mut dead: Vec<(Death, u64, OrderId)> = self
            .placed()
            .filter(|order| self.group_of(order.market) == group)
            .filter_map(|order| Some((self.death(order)?, order.priority, order.id)))
            .collect();
        dead.sort_unstable();
        if dead.len() > self.sweep_quota() {
            self.coverage.count("expired sweep stopped by its quota");
        }
        let mut quota = self.sweep_quota();
        for (death, _, id) in dead {
            // A link may have taken it off already.
            if !self.is_placed(id) {
                continue;
            }
            if quota == 0 {
                let left = matches!(death, Death::Market(_));
                self.coverage
                    .count_if(left, "sweep of a settled market stopped by its quota");
                continue;
            }
            quota -= 1;
            self.count_swept(death, id);
            let events = self.remove_now(id, Removal::Expired);
            self.block.events.extend(events);
        }
    }

    /// Why an order is dead; `None` while it is not.
    fn death(&self, order: &PlacedOrder) -> Option<Death> {
        match order.tif {
            TimeInForce::Gtt(end) if end <= self.block.time => Some(Death::Time(end)),
            TimeInForce::Gtb(end) if end <= self.block.height => Some(Death::Height(end)),
            _ if self.is_settled(order.market) => Some(Death::Market(order.market)),
            _ => None,
        }
    }

    fn count_swept(&mut self, death: Death, id: OrderId) {
        let name = match death {
            Death::Time(_) => "order swept by its time",
            Death::Height(_) => "order swept by its height",
            Death::Market(_) => "order swept by its market",
        };
        self.coverage.count(name);
        if !matches!(death, Death::Market(_)) {
            return;
        }
        let waiting = self.state.waiting.get(&id);
        let peg = self.state.orders.get(&id).is_some_and(|o| o.peg.is_some());
        let twap = waiting.is_some_and(|waiting| waiting.twap.is_some());
        let trigger = waiting.is_some_and(|waiting| waiting.trigger.is_some());
        let linked = self.link(id).is_some();
        for (kind, is) in [
            ("pegged", peg),
            ("TWAP", twap),
            ("triggered", trigger),
            ("linked", linked),
        ] {
            let name = format!("{kind} order swept by its market");
            self.coverage.count_if(is, &name);
        }
    }

    /// Dead man's switches that go off.
    pub(crate) fn switch_off(&mut self) {
        let time = self.block.time;
        let armed = self.state.deadlines.iter();
        let mut due: Vec<(TimeMs, Account)> = armed
            .filter(|(_, deadline)| **deadline <= time)
            .map(|(account, deadline)| (*deadline, *account))
            .collect();
        due.sort_unstable();
        let mut quota = self.sweep_quota();
        for (_, account) in due {
            if quota == 0 {
                self.coverage.count("switch stopped by its quota");
                return;
            }
            let orders = self.orders_of(account);
            if orders.is_empty() {
                // It uses one too.
                quota -= 1;
                self.coverage.count("switch without orders goes off");
            }
            for id in orders {
                if quota == 0 || !self.is_placed(id) {
                    continue;
                }
                quota -= 1;
                let events = self.remove_now(id, Removal::DeadMan);
                self.block.events.extend(events);
            }
            if self.orders_of(account).is_empty() {
                self.coverage.count("switch disarmed by going off");
                self.state.deadlines.remove(&account);
            }
        }
    }

    /// The orders of an account by group and priority.
    fn orders_of(&self, account: Account) -> Vec<OrderId> {
        let groups = self.groups();
        let orders = groups.flat_map(|group| self.placed_by(account, group));
        orders.map(|order| order.id).collect()
    }

    pub(crate) fn sweep_uncovered(&mut self) {
        let mut quota = self.sweep_quota();
        let flagged: Vec<Account> = self
            .state
            .accounts
            .iter()
            .filter(|(_, uncovered)| **uncovered)
            .map(|(account, _)| *account)
            .collect();
        for account in flagged {
            self.sweep_account(account, &mut quota);
            if self.is_covered(account) {
                self.coverage.count("flag cleared by the sweep");
                self.state.accounts.insert(account, false);
            }
        }
    }

    fn sweep_account(&mut self, account: Account, quota: &mut usize) {
        let orders = self.state.orders.values();
        let mut orders: Vec<PlacedOrder> = orders
            .filter(|order| order.account == account)
            .cloned()
            .collect();
        orders.sort_by_key(|order| {
            Reverse((order.height, self.group_of(order.market), order.priority))
        });
        for order in orders {
            if self.is_covered(account) {
                return;
            }
            if *quota == 0 {
                self.coverage.count("uncovered sweep stopped by its quota");
                return;
            }
            // A link may have taken off lots, or all of it.
            let Some(order) = self.state.orders.get(&order.id).cloned() else {
                continue;
            };
            if self.adds_to_requirement(&order) {
                *quota -= 1;
                self.coverage.count("uncovered order swept");
                let portfolio = self.margin_mode(account) == MarginMode::Portfolio;
                self.coverage.count_if(portfolio, "portfolio order swept");
                let events = self.remove_now(order.id, Removal::Uncovered);
                self.block.events.extend(events);
            }
        }
    }

    /// True when the order's own term is below zero in the binding scenario of its market; in
    /// Portfolio mode when the requirement is smaller without it.
    fn adds_to_requirement(&self, order: &PlacedOrder) -> bool {
        let open = self.open_orders(order.account);
        if self.margin_mode(order.account) == MarginMode::Portfolio {
            let mut without = open.clone();
            let at = without.iter().position(|other| *other == order.open());
            without.remove(at.expect("it rests"));
            let required = |open: &[Open]| self.portfolio(order.account, open).maintenance;
            return required(&without) < required(&open);
        }
        let requirement = |scenario| {
            self.scenario(
                order.account,
                order.market,
                scenario,
                Rate::Maintenance,
                &open,
            )
        };
        let binding = if requirement(Side::Buy) >= requirement(Side::Sell) {
            Side::Buy
        } else {
            Side::Sell
        };
        self.term(order.account, &order.open(), binding, Rate::Maintenance) < 0
    }

    fn sweep_quota(&self) -> usize {
        usize::try_from(self.spec.limits.sweep_orders).expect("32 bits fit")
    }
}

impl PlacedOrder {
    pub(crate) fn open(&self) -> Open {
        Open {
            market: self.market,
            side: self.side,
            price: self.price,
            lots: self.remaining,
        }
    }
}
