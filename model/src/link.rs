//! Links: what fills, entries and ends of an order do to those that it is linked with.

use crate::Model;
use ballast_types::{Event, GroupId, LinkKind, LinkRule, Lots, OrderId, Removal};
use std::collections::BTreeSet;

/// Two or three orders of a market that live and die together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// How they are linked.
    pub kind: LinkKind,
    /// How a fill acts.
    pub rule: LinkRule,
    /// The first order, then its legs.
    orders: Vec<OrderId>,
    /// Those that rest, wait, or are on their way from one to the other.
    open: BTreeSet<OrderId>,
}

impl Link {
    pub(crate) fn new(kind: LinkKind, rule: LinkRule, orders: Vec<OrderId>) -> Self {
        Self {
            kind,
            rule,
            open: orders.iter().copied().collect(),
            orders,
        }
    }

    /// The first order, while it is open.
    pub fn first(&self) -> Option<OrderId> {
        let first = self.orders.first().copied();
        first.filter(|id| self.open.contains(id))
    }

    /// The legs that are open.
    pub fn legs(&self) -> Vec<OrderId> {
        let legs = self.orders.iter().skip(1).copied();
        legs.filter(|id| self.open.contains(id)).collect()
    }

    /// All that are open.
    pub fn open(&self) -> &BTreeSet<OrderId> {
        &self.open
    }

    /// The other order of a pair, while it is open.
    fn other(&self, id: OrderId) -> Option<OrderId> {
        let pair = match self.kind {
            LinkKind::Oto => return None,
            LinkKind::Oco => &self.orders[..],
            LinkKind::Otoco => &self.orders[1..],
        };
        let other = pair.iter().copied().find(|order| *order != id);
        other.filter(|other| pair.contains(&id) && self.open.contains(other))
    }

    /// The legs whose lots wait for fills of this order.
    fn dependents(&self, id: OrderId) -> Vec<OrderId> {
        if self.kind == LinkKind::Oco || self.orders.first() != Some(&id) {
            return Vec::new();
        }
        self.legs()
    }

    /// What a fill of `lots` of an order of which `left` were left does to `y` lots.
    fn act(&self, y: Lots, lots: Lots, left: Lots) -> Lots {
        match self.rule {
            LinkRule::FirstHit => y,
            LinkRule::CompleteFill if lots == left => y,
            LinkRule::CompleteFill => 0,
            LinkRule::Incremental => {
                let part = i128::from(y) * i128::from(lots) / i128::from(left);
                Lots::try_from(part).expect("a part of the lots")
            }
        }
    }
}

impl Model {
    /// The link that an order is in.
    pub fn link(&self, order: OrderId) -> Option<&Link> {
        let mut links = self.state.links.iter();
        links.find(|link| link.open.contains(&order))
    }

    /// Lots that remain of an order, doomed ones too; none of one that is gone.
    fn remaining_of(&self, id: OrderId) -> Lots {
        let mut placed = self.placed().filter(|order| order.id == id);
        let taking = self.block.taking.filter(|(taker, _)| *taker == id);
        let placed = placed.next().map(|order| order.remaining);
        placed.or(taking.map(|(_, lots)| lots)).unwrap_or(0)
    }

    /// Lots that are left of an order: those that remain and are not doomed.
    pub(crate) fn left_of(&self, id: OrderId) -> Lots {
        let doomed = self.block.doomed.iter().find(|(order, _)| *order == id);
        let left = self.remaining_of(id) - doomed.map_or(0, |(_, lots)| *lots);
        // One that takes may trade on when it is doomed.
        left.max(0)
    }

    fn dormant_of(&self, id: OrderId) -> Lots {
        let waiting = self.state.waiting.get(&id);
        waiting.map_or(0, |waiting| waiting.dormant)
    }

    /// A fill of `lots` of an order of which `left` were left before.
    pub(crate) fn act_on_links(&mut self, id: OrderId, lots: Lots, left: Lots) {
        let Some(link) = self.link(id).cloned() else {
            return;
        };
        for leg in link.dependents(id) {
            let awake = link.act(self.dormant_of(leg), lots, left);
            let name = format!("{:?} wakes a leg", link.rule);
            self.coverage.count_if(awake > 0, &name);
            self.wake(leg, awake);
        }
        if let Some(other) = link.other(id) {
            let lost = link.act(self.left_of(other), lots, left);
            let name = format!("{:?} acts on a pair", link.rule);
            self.coverage.count_if(lost > 0, &name);
            self.doom(other, lost);
        }
        if self.remaining_of(id) == 0 {
            self.part_from_link(id);
        }
    }

    /// An order leaves otherwise than by its last fill.
    pub(crate) fn leave_link(&mut self, id: OrderId) {
        let Some(link) = self.link(id).cloned() else {
            return;
        };
        if let Some(other) = link.other(id) {
            self.coverage.count("end of an order dooms the other");
            self.doom(other, self.left_of(other));
        }
        for leg in link.dependents(id) {
            self.coverage.count("end of the first order dooms a leg");
            self.doom(leg, self.dormant_of(leg));
        }
        self.part_from_link(id);
    }

    pub(crate) fn part_from_link(&mut self, id: OrderId) {
        for link in &mut self.state.links {
            link.open.remove(&id);
        }
        self.state.links.retain(|link| link.open.len() > 1);
    }

    /// A waiting leg of which pass 3 judged `judged` lots is about to enter.
    pub(crate) fn leg_enters(&mut self, group: GroupId, id: OrderId, judged: Lots) {
        let Some(link) = self.link(id).cloned() else {
            return;
        };
        let depends = link.kind != LinkKind::Oco && link.orders.first() != Some(&id);
        if !depends || link.rule != LinkRule::Incremental {
            return;
        }
        if let Some(first) = link.first() {
            self.coverage.count("leg enters and dooms the first order");
            self.doom(first, self.left_of(first));
        }
        if self.remaining_of(id) > judged {
            self.coverage.count("leg enters in part");
            let event = self.shrink(id, judged, Removal::Linked);
            self.group_event(group, event);
        }
        for leg in link.legs().into_iter().filter(|leg| *leg != id) {
            self.doom(leg, self.dormant_of(leg));
        }
    }

    fn wake(&mut self, leg: OrderId, lots: Lots) {
        if let Some(waiting) = self.state.waiting.get_mut(&leg)
            && lots > 0
        {
            waiting.dormant -= lots;
            waiting.due |= waiting.trigger.is_none();
            let (due, part) = (waiting.trigger.is_none(), waiting.dormant > 0);
            self.coverage.count_if(due, "leg without a trigger is due");
            self.coverage.count_if(part, "leg wakes in part");
            self.note_woken(leg);
        }
    }

    /// An order loses lots, dormant ones first.
    fn doom(&mut self, id: OrderId, lots: Lots) {
        if lots == 0 {
            return;
        }
        match self.block.doomed.iter_mut().find(|(order, _)| *order == id) {
            Some((_, doomed)) => *doomed += lots,
            None => self.block.doomed.push((id, lots)),
        }
        if let Some(waiting) = self.state.waiting.get_mut(&id)
            && waiting.dormant > 0
        {
            waiting.dormant = (waiting.dormant - lots).max(0);
            self.note_woken(id);
        }
    }

    fn note_woken(&mut self, leg: OrderId) {
        if !self.block.woken.contains(&leg) {
            self.block.woken.push(leg);
        }
    }

    /// Takes doomed lots off their orders. Returns the events that tell of it.
    pub(crate) fn take_off(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while !self.block.doomed.is_empty() {
            let (id, lots) = self.block.doomed.remove(0);
            let remaining = self.remaining_of(id);
            if !self.is_placed(id) {
                continue;
            }
            events.push(if lots >= remaining {
                self.coverage.count_if(
                    self.block.triggered.contains(&id) && self.state.waiting.contains_key(&id),
                    "triggered leg removed by its link",
                );
                self.remove(id, Removal::Linked)
            } else {
                self.shrink(id, remaining - lots, Removal::Linked)
            });
        }
        for leg in std::mem::take(&mut self.block.woken) {
            if let Some(waiting) = self.state.waiting.get(&leg) {
                events.push(waiting.event());
            }
        }
        events
    }
}
