//! Pass 4: what becomes of the entries of a group. `meeting` holds how they trade.

use crate::Model;
use crate::admit::Entry;
use crate::meeting::{Stop, Taker, shown_of};
use crate::state::{PlacedOrder, sign};
use ballast_types::{
    Account, Code, Event, GroupId, GroupKey, Lots, MarketId, OrderId, PartResult, PostOnly,
    Removal, Side, TimeInForce, ticket,
};

impl Model {
    pub(crate) fn match_entries(&mut self) {
        let mut entries = std::mem::take(&mut self.block.admitted);
        entries.extend(self.block.refused.clone());
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
            for entry in here {
                let place = entry.place;
                let result = self.enter(group, entry);
                if let (Some(place), Some(result)) = (place, result) {
                    self.answer(place, result);
                }
            }
            self.trim(group);
        }
    }

    /// Gives an order its id, if it has none, and lets it wait, or trade and rest. A triggered
    /// order that was refused only ends.
    fn enter(&mut self, group: GroupId, entry: Entry) -> Option<PartResult> {
        let id = match entry.triggered {
            Some(id) if self.block.refused.iter().any(|e| e.triggered == Some(id)) => {
                let event = self.remove(id, Removal::Refused);
                self.group_event(group, event);
                return None;
            }
            Some(id) => {
                self.state.waiting.remove(&id);
                id
            }
            None => {
                self.state.ids += 1;
                OrderId(u64::from(group.0) << 50 | self.state.ids)
            }
        };
        let (code, filled) = if entry.waits() {
            (self.wait(group, &entry, id), 0)
        } else if entry.order.may_take() {
            self.match_taker(Taker::new(entry, id))
        } else {
            (self.post(entry, id), 0)
        };
        Some(PartResult {
            code,
            order: Some(id),
            filled,
        })
    }

    /// Rests a post-only order, one tick behind the other side's best price if it slides.
    fn post(&mut self, mut entry: Entry, id: OrderId) -> Code {
        let (market, side) = (entry.order.market, entry.order.side);
        if let Some(best) = self.crossing(market, side.opposite(), entry.order.price) {
            let price = best.price - sign(side);
            let most = self.spec.markets[market.index()].max_price;
            let slides = entry.order.post_only == PostOnly::Slide;
            if !slides || !(1..=most).contains(&price) {
                self.coverage.count_if(entry.quote, "quote would trade");
                self.coverage.count_if(slides, "nowhere to slide to");
                return Code::PostOnlyWouldTrade;
            }
            self.coverage.count(&format!("slide, {side:?}"));
            entry.order.price = price;
        }
        self.rest(&Taker::new(entry, id))
    }

    /// Matches an order that may take. Returns its code and what it traded.
    fn match_taker(&mut self, mut taker: Taker) -> (Code, Lots) {
        let untouched = (taker.entry.order.tif == TimeInForce::Fok).then(|| self.clone());
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
        let code = match stop {
            Stop::SelfTrade if taker.remaining == 0 => Code::SelfTrade,
            _ if taker.remaining == 0 => Code::Ok,
            _ => self.finish(&taker, stop),
        };
        self.remove_protected();
        (code, taker.traded)
    }

    /// Cancels or rests what is left of a taking order.
    fn finish(&mut self, taker: &Taker, stop: Stop) -> Code {
        let (reason, code) = match stop {
            Stop::NoMatch if taker.entry.order.may_rest() => return self.rest(taker),
            Stop::NoMatch => (Removal::Ioc, Code::Ok),
            Stop::FillLimit => (Removal::FillLimit, Code::FillLimit),
            Stop::SelfTrade => (Removal::SelfTrade, Code::SelfTrade),
            Stop::ReduceOnly => (Removal::ReduceOnly, reduce_only_code(taker)),
            Stop::Uncovered => (Removal::Uncovered, Code::Uncovered),
        };
        self.removed(taker, taker.remaining, reason);
        code
    }

    /// Puts what is left into the book, if a reduce-only order still has something to reduce.
    fn rest(&mut self, taker: &Taker) -> Code {
        let entry = &taker.entry;
        let mut size = taker.remaining;
        if entry.order.reduce_only {
            let most = self.may_reduce(entry.account, entry.order.market, entry.order.side);
            size = size.min(most);
            if size == 0 {
                self.removed(taker, taker.remaining, Removal::ReduceOnly);
                return reduce_only_code(taker);
            }
            self.coverage
                .count_if(size < taker.remaining, "reduce-only order rests in part");
        }
        self.make_room_for_quote(entry);
        let mut order = self.place(entry, taker.id, size, taker.traded);
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
            price: order.price,
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
        let mut orders = self.side(market, side);
        orders.retain(|order| order.account == account && order.reduce_only);
        orders.sort_by_key(|order| std::cmp::Reverse(order.priority));
        let total: i128 = orders.iter().map(|order| i128::from(order.remaining)).sum();
        let mut excess = total - i128::from(self.may_reduce(account, market, side));
        for order in orders {
            if excess <= 0 {
                return;
            }
            let remaining = i128::from(order.remaining);
            let event = if remaining <= excess {
                self.coverage.count("reduce-only order trimmed away");
                self.remove(order.id, Removal::ReduceOnly)
            } else {
                let left = Lots::try_from(remaining - excess).expect("less than what rests");
                self.shrink(order.id, left, Removal::ReduceOnly)
            };
            excess -= remaining;
            self.group_event(self.group_of(market), event);
        }
    }
}

fn reduce_only_code(taker: &Taker) -> Code {
    if taker.traded == 0 {
        Code::ReduceOnly
    } else {
        Code::Ok
    }
}
