//! Pass 0: what leaves the books by itself: dead orders, those of accounts whose dead man's switch
//! went off, and those of accounts that are not covered.

use crate::Model;
use crate::margin::{Open, Rate};
use crate::state::PlacedOrder;
use ballast_types::{Account, GroupId, OrderId, Removal, TimeInForce, TimeMs};
use std::cmp::Reverse;

impl Model {
    /// Dead orders of a group: those with a time as end before those with a height.
    pub(crate) fn sweep_expired(&mut self, group: GroupId) {
        let (time, height) = (self.block.time, self.block.height);
        let mut dead: Vec<_> = self
            .placed()
            .filter(|order| order.is_dead(time, height))
            .filter(|order| self.group_of(order.market) == group)
            .map(|order| match order.tif {
                TimeInForce::Gtb(end) => ((true, end), order.priority, order.id),
                TimeInForce::Gtt(end) => ((false, end), order.priority, order.id),
                _ => unreachable!("without an end it never dies"),
            })
            .collect();
        dead.sort_unstable();
        if dead.len() > self.sweep_quota() {
            self.coverage.count("expired sweep stopped by its quota");
        }
        let mut quota = self.sweep_quota();
        for ((by_height, _), _, id) in dead {
            // A link may have taken it off already.
            if quota == 0 || !self.is_placed(id) {
                continue;
            }
            quota -= 1;
            self.coverage.count(if by_height {
                "order swept by its height"
            } else {
                "order swept by its time"
            });
            let events = self.remove_now(id, Removal::Expired);
            self.block.events.extend(events);
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
                let events = self.remove_now(order.id, Removal::Uncovered);
                self.block.events.extend(events);
            }
        }
    }

    /// True when the order's own term is below zero in the binding scenario of its market.
    fn adds_to_requirement(&self, order: &PlacedOrder) -> bool {
        let open = self.open_orders(order.account);
        let requirement = |scenario| {
            self.scenario(
                order.account,
                order.market,
                scenario,
                Rate::Maintenance,
                &open,
            )
        };
        let binding = if requirement(1) >= requirement(-1) {
            1
        } else {
            -1
        };
        self.term(&order.open(), binding, Rate::Maintenance) < 0
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
