//! Pass 4: what becomes of the entries of a group. `meeting` holds how they trade.

use crate::Model;
use crate::admit::Entry;
use crate::meeting::{Stop, Taker, shown_of};
use crate::settle::Before;
use crate::state::{PlacedOrder, sign};
use ballast_types::{
    Account, Code, Event, GroupId, GroupKey, Lots, MarketId, OrderId, PartResult, PostOnly,
    Removal, Side, Ticks, TimeInForce, ticket,
};

impl Model {
    pub(crate) fn match_entries(&mut self, before: &Before) {
        self.find_collecting();
        let mut entries = std::mem::take(&mut self.block.admitted);
        let refused = self.block.refused.iter();
        entries.extend(refused.map(|(entry, _)| entry.clone()));
        for group in self.groups() {
            let mut here: Vec<Entry> = entries
                .iter()
                .filter(|e| self.group_of(e.order.market) == group)
                .cloned()
                .collect();
            here.sort_by_key(|entry| GroupKey {
                class: entry.class(),
                ticket: ticket(&self.block.seed, group, entry.account.master),
                action: entry.key,
            });
            for old in here.iter().filter_map(|entry| entry.replaces) {
                self.coverage.count("order replaced by keep");
                let event = self.remove(old, Removal::Amended);
                self.group_event(group, event);
            }
            self.move_pegs(group);
            for entry in here {
                self.enter(group, entry);
                self.block.taking = None;
                let events = self.take_off();
                self.group_events(group, events);
                self.remove_protected();
            }
            self.auctions(group, before);
            self.trim(group);
        }
    }

    fn enter(&mut self, group: GroupId, entry: Entry) {
        match (entry.triggered, entry.slice, entry.place) {
            (Some(id), Some(at), _) => self.enter_slice(group, entry, id, at),
            (Some(id), None, _) => self.enter_triggered(group, entry, id),
            (None, _, _) if entry.link.is_some() => self.enter_linked(group, &entry),
            (None, _, place) => {
                let id = self.next_id(group);
                let result = self.enter_as(group, &entry, id);
                self.answer(place.expect("an action has a result"), result);
            }
        }
    }

    pub(crate) fn next_id(&mut self, group: GroupId) -> OrderId {
        self.state.ids += 1;
        OrderId(u64::from(group.0) << 50 | self.state.ids)
    }

    /// Why pass 3 refused the triggered order, or the slice of the order, if it did.
    pub(crate) fn refusal_of(&self, id: OrderId) -> Option<Code> {
        let mut refused = self.block.refused.iter();
        let found = refused.find(|(entry, _)| entry.triggered == Some(id));
        found.map(|(_, code)| *code)
    }

    /// A triggered order waits no longer. One that was refused only ends.
    fn enter_triggered(&mut self, group: GroupId, mut entry: Entry, id: OrderId) {
        let Some(waiting) = self.state.waiting.get(&id) else {
            self.coverage.count("triggered leg gone before its turn");
            return;
        };
        let left = waiting.placed.remaining;
        self.coverage
            .count_if(left < entry.asked, "triggered leg shrunk before its turn");
        if self.refusal_of(id).is_some() {
            let event = self.remove(id, Removal::Refused);
            self.group_event(group, event);
            return;
        }
        entry.order.size = entry.order.size.min(left);
        self.coverage
            .count_if(self.link(id).is_some(), "triggered order of a link enters");
        self.leg_enters(group, id, entry.asked);
        self.state.waiting.remove(&id);
        self.enter_as(group, &entry, id);
    }

    /// Lets an order wait, or trade and rest.
    pub(crate) fn enter_as(&mut self, group: GroupId, entry: &Entry, id: OrderId) -> PartResult {
        let (code, filled) = if entry.waits() {
            (self.wait(group, entry, id), 0)
        } else if entry.order.may_take() {
            self.match_taker(Taker::new(entry.clone(), id))
        } else {
            (self.post(entry.clone(), id), 0)
        };
        let doomed = self.block.doomed.iter().any(|(order, _)| *order == id);
        self.coverage
            .count_if(doomed, "order doomed while it takes");
        if !self.is_placed(id) {
            self.leave_link(id);
        }
        PartResult {
            code,
            order: Some(id),
            filled,
            missing: None,
        }
    }

    /// Rests a post-only order, one tick behind the other side's best price if it slides.
    fn post(&mut self, mut entry: Entry, id: OrderId) -> Code {
        let (market, side) = (entry.order.market, entry.order.side);
        if let Some(peg) = entry.order.peg {
            return self.post_pegged(&Taker::new(entry, id), peg);
        }
        if let Some(best) = self.crossing(market, side.opposite(), entry.order.price) {
            let price = self.fitting(market, side, best.level - sign(side));
            let most = self.spec.markets[market.index()].max_price;
            let slides = entry.order.post_only == PostOnly::Slide;
            if !slides || !(1..=most).contains(&price) {
                self.coverage.count_if(entry.quote, "quote would trade");
                self.coverage.count_if(slides, "nowhere to slide to");
                return Code::PostOnlyWouldTrade;
            }
            self.coverage.count(&format!("slide, {side:?}"));
            let stepped = price != best.level - sign(side);
            self.coverage.count_if(stepped, "slide to a step of a band");
            entry.order.price = price;
        }
        let price = entry.order.price;
        self.rest(&Taker::new(entry, id), price)
    }

    /// Matches an order that may take. Returns its code and what it traded.
    fn match_taker(&mut self, mut taker: Taker) -> (Code, Lots) {
        let fok = taker.entry.order.tif == TimeInForce::Fok;
        if self.collects(taker.entry.order.market) {
            return (self.collect(&taker), 0);
        }
        let untouched = fok.then(|| self.clone());
        let lots = taker.remaining;
        let stop = self.take(&mut taker);
        if let Some(untouched) = untouched {
            let protected = !self.block.protected.is_empty();
            if taker.traded < lots {
                *self = untouched;
                self.coverage
                    .count_if(protected, "FOK order undone with a protection");
                self.removed(&taker, lots, Removal::Ioc);
                return (Code::FokUnfilled, 0);
            }
            self.coverage.count("FOK order filled");
            self.coverage
                .count_if(protected, "FOK order filled with a protection");
        }
        let order = &taker.entry.order;
        let code = if stop == Stop::NoMatch && taker.remaining > 0 && order.may_rest() {
            self.rest(&taker, order.price)
        } else {
            self.drop_rest(&taker, stop)
        };
        (code, taker.traded)
    }

    /// Cancels what is left of a taking order.
    fn drop_rest(&mut self, taker: &Taker, stop: Stop) -> Code {
        let reason = match stop {
            Stop::NoMatch => Removal::Ioc,
            Stop::FillLimit => Removal::FillLimit,
            Stop::SelfTrade => Removal::SelfTrade,
            Stop::ReduceOnly => Removal::ReduceOnly,
            Stop::Uncovered => Removal::Uncovered,
        };
        if taker.remaining > 0 {
            self.removed(taker, taker.remaining, reason);
        }
        taker.code(stop)
    }

    /// In a market that collects an order that may take rests without a meeting.
    fn collect(&mut self, taker: &Taker) -> Code {
        let order = &taker.entry.order;
        if order.tif == TimeInForce::Fok {
            self.coverage.count("FOK order while the market collects");
            self.removed(taker, taker.remaining, Removal::Ioc);
            return Code::FokUnfilled;
        }
        let ioc = order.tif == TimeInForce::Ioc;
        self.coverage.count_if(ioc, "IOC order rests");
        self.coverage.count("order rests without a meeting");
        self.rest(taker, order.price)
    }

    /// Puts what is left into the book, if a reduce-only order still has something to reduce.
    pub(crate) fn rest(&mut self, taker: &Taker, level: Ticks) -> Code {
        let entry = &taker.entry;
        let mut size = taker.remaining;
        if entry.order.reduce_only {
            let most = self.may_reduce(entry.account, entry.order.market, entry.order.side);
            size = size.min(most);
            if size == 0 {
                self.removed(taker, taker.remaining, Removal::ReduceOnly);
                return taker.code(Stop::ReduceOnly);
            }
            self.coverage
                .count_if(size < taker.remaining, "reduce-only order rests in part");
        }
        self.make_room_for_quote(entry);
        let mut order = self.place(entry, taker.id, level, size, taker.traded);
        order.shown = shown_of(order.display, size);
        self.coverage
            .count_if(order.shown < size, "iceberg order rests");
        self.coverage
            .count_if(entry.triggered.is_some(), "triggered order rests");
        let rested = Event::Rested {
            market: order.market,
            order: order.id,
            account: order.account,
            side: order.side,
            price: order.level,
            size,
            shown: order.shown,
            client_id: order.client_id,
        };
        self.group_event(self.group_of(order.market), rested);
        self.state.orders.insert(order.id, order);
        Code::Ok
    }

    /// An order at the next place in time that shows nothing yet.
    pub(crate) fn place(
        &mut self,
        entry: &Entry,
        id: OrderId,
        level: Ticks,
        remaining: Lots,
        traded: Lots,
    ) -> PlacedOrder {
        let order = &entry.order;
        PlacedOrder {
            id,
            market: order.market,
            account: entry.account,
            side: order.side,
            price: order.price,
            level,
            peg: order.peg,
            remaining,
            shown: 0,
            display: order.display,
            filled: entry.filled + traded,
            tif: order.tif,
            post_only: order.post_only,
            reduce_only: order.reduce_only,
            self_trade: order.self_trade,
            self_trade_scope: order.self_trade_scope,
            client_id: order.client_id,
            label: order.label,
            quote: entry.quote,
            stamp: entry.stamp(),
            priority: self.state.next_priority(),
            height: self.block.height,
        }
    }

    /// Cuts resting reduce-only orders, the newest first, to the positions that trades left.
    fn trim(&mut self, group: GroupId) {
        let traded = self.block.traded.clone();
        for (account, market) in traded {
            if self.group_of(market) == group {
                self.trim_side(account, market, Side::Buy);
                self.trim_side(account, market, Side::Sell);
            }
        }
    }

    fn trim_side(&mut self, account: Account, market: MarketId, side: Side) {
        loop {
            let mut orders = self.side(market, side);
            orders.retain(|order| order.account == account && order.reduce_only);
            let total: i128 = orders.iter().map(|order| i128::from(order.remaining)).sum();
            let excess = total - i128::from(self.may_reduce(account, market, side));
            let newest = orders.into_iter().max_by_key(|order| order.priority);
            let Some(newest) = newest.filter(|_| excess > 0) else {
                return;
            };
            let left = i128::from(newest.remaining) - excess;
            let events = if left <= 0 {
                self.coverage.count("reduce-only order trimmed away");
                self.remove_now(newest.id, Removal::ReduceOnly)
            } else {
                let left = Lots::try_from(left).expect("less than what rests");
                vec![self.shrink(newest.id, left, Removal::ReduceOnly)]
            };
            self.group_events(self.group_of(market), events);
        }
    }
}
