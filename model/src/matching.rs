//! Pass 4: price-time priority.

use crate::Model;
use crate::admit::Entry;
use crate::state::{RestingOrder, reducible};
use ballast_types::{
    Account, ActionResult, Code, Event, GroupId, GroupKey, Lots, MarketId, OrderId, Removal, Side,
    TimeInForce, ticket,
};

/// Why a taking order went no further although lots remain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// Nothing crosses any more.
    NoMatch,
    FillLimit,
    SelfTrade,
    ReduceOnly,
    Uncovered,
}

/// A taking order while it trades.
struct Taker {
    entry: Entry,
    id: OrderId,
    remaining: Lots,
}

impl Taker {
    fn traded(&self) -> Lots {
        self.entry.lots - self.remaining
    }
}

impl Model {
    pub(crate) fn match_entries(&mut self) {
        let entries = std::mem::take(&mut self.block.admitted);
        for group in self.groups() {
            let mut here: Vec<Entry> = entries
                .iter()
                .filter(|e| self.group_of(e.market) == group)
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
                self.answer(place, result);
            }
            self.trim(group);
        }
    }

    /// Gives an order its id and lets it trade and rest.
    fn enter(&mut self, group: GroupId, entry: Entry) -> ActionResult {
        self.state.ids += 1;
        let id = OrderId(u64::from(group.0) << 50 | self.state.ids);
        let result = |code, filled| ActionResult {
            code,
            order: Some(id),
            filled,
        };
        if entry.post_only {
            let other = entry.side.opposite();
            if self.crossing(entry.market, other, entry.price).is_some() {
                return result(Code::PostOnlyWouldTrade, 0);
            }
            let lots = entry.lots;
            let code = self.rest(&Taker {
                entry,
                id,
                remaining: lots,
            });
            return result(code, 0);
        }
        let untouched = (entry.tif == TimeInForce::Fok).then(|| self.clone());
        let lots = entry.lots;
        let mut taker = Taker {
            entry,
            id,
            remaining: lots,
        };
        let stop = self.take(&mut taker);
        if let Some(untouched) = untouched
            && taker.remaining > 0
        {
            *self = untouched;
            taker.remaining = lots;
            self.removed(&taker, Removal::Ioc);
            return result(Code::FokUnfilled, 0);
        }
        self.coverage
            .count_if(taker.entry.tif == TimeInForce::Fok, "FOK order filled");
        let traded = taker.traded();
        let code = if taker.remaining == 0 {
            Code::Ok
        } else {
            self.finish(&taker, stop)
        };
        result(code, traded)
    }

    /// Cancels or rests what is left of a taking order.
    fn finish(&mut self, taker: &Taker, stop: Stop) -> Code {
        let (reason, code) = match stop {
            Stop::NoMatch if taker.entry.may_rest() => return self.rest(taker),
            Stop::NoMatch => (Removal::Ioc, Code::Ok),
            Stop::FillLimit => (Removal::FillLimit, Code::FillLimit),
            Stop::SelfTrade => (Removal::SelfTrade, Code::SelfTrade),
            Stop::ReduceOnly => (Removal::ReduceOnly, reduce_only_code(taker)),
            Stop::Uncovered => (Removal::Uncovered, Code::Uncovered),
        };
        self.removed(taker, reason);
        code
    }

    /// Meets resting orders until nothing remains, nothing crosses, or a rule stops it.
    fn take(&mut self, taker: &mut Taker) -> Stop {
        let entry = taker.entry.clone();
        let spec = self.spec.markets[entry.market.index()].clone();
        let mut met = 0;
        while taker.remaining > 0 {
            let crossing = self.crossing(entry.market, entry.side.opposite(), entry.price);
            let Some(maker) = crossing else { break };
            if met == entry.max_fills {
                return Stop::FillLimit;
            }
            met += 1;
            if maker.expiry > 0 && maker.expiry <= self.block.time {
                self.coverage.count("expired maker removed");
                self.remove_maker(&maker, Removal::Expired);
                continue;
            }
            if maker.account == entry.account && !spec.self_trade {
                return Stop::SelfTrade;
            }
            let mut lots = maker.remaining.min(taker.remaining);
            if maker.reduce_only {
                let most = self.may_reduce(maker.account, entry.market, maker.side);
                self.coverage.count_if(most < lots, "reduce-only maker cut");
                lots = lots.min(most);
                if lots == 0 {
                    self.remove_maker(&maker, Removal::ReduceOnly);
                    continue;
                }
            }
            let fee = spec.maker_fee_ppm;
            let most = self.allowed_lots(maker.account, entry.market, maker.side, maker.price, fee);
            self.coverage
                .count_if(most > 0 && most < lots, "uncovered maker cut");
            lots = lots.min(most);
            if lots == 0 {
                self.remove_maker(&maker, Removal::Uncovered);
                continue;
            }
            if entry.reduce_only {
                lots = lots.min(self.may_reduce(entry.account, entry.market, entry.side));
                if lots == 0 {
                    return Stop::ReduceOnly;
                }
            }
            let fee = spec.taker_fee_ppm;
            let most = self.allowed_lots(entry.account, entry.market, entry.side, maker.price, fee);
            self.coverage
                .count_if(most > 0 && most < lots, "uncovered taker cut");
            lots = lots.min(most);
            if lots == 0 {
                return Stop::Uncovered;
            }
            self.trade(&maker, taker, lots);
        }
        Stop::NoMatch
    }

    fn may_reduce(&self, account: Account, market: MarketId, side: Side) -> Lots {
        reducible(self.state.position(account, market), side)
    }

    /// Lots that the account's flag allows; all of them without it.
    fn allowed_lots(
        &self,
        account: Account,
        market: MarketId,
        side: Side,
        price: i64,
        fee_ppm: i32,
    ) -> Lots {
        if self.is_flagged(account) {
            self.allowed_uncovered(account, market, side, price, fee_ppm)
        } else {
            Lots::MAX
        }
    }

    fn remove_maker(&mut self, maker: &RestingOrder, reason: Removal) {
        let event = self.remove(maker.id, reason);
        self.group_event(self.group_of(maker.market), event);
    }

    /// One fill. It is settled at once: nothing in this pass looks at balances.
    fn trade(&mut self, maker: &RestingOrder, taker: &mut Taker, lots: Lots) {
        let market = maker.market;
        let resting = self
            .state
            .orders
            .get_mut(&maker.id)
            .expect("it was found in the book");
        resting.remaining -= lots;
        resting.filled += lots;
        if resting.remaining == 0 {
            self.state.orders.remove(&maker.id);
        }
        taker.remaining -= lots;
        let taker_account = taker.entry.account;
        let (maker_fee, taker_fee) = self.settle(maker, taker_account, lots);
        self.block
            .traded
            .extend([(maker.account, market), (taker_account, market)]);
        self.state.trades[market.index()] += 1;
        let fill = Event::Fill {
            market,
            trade: self.state.trades[market.index()],
            maker: maker.id,
            maker_account: maker.account,
            taker: taker.id,
            taker_account,
            taker_side: taker.entry.side,
            price: maker.price,
            size: lots,
            maker_fee,
            taker_fee,
        };
        self.group_event(self.group_of(market), fill);
    }

    /// Puts what is left into the book, if a reduce-only order still has something to reduce.
    fn rest(&mut self, taker: &Taker) -> Code {
        let entry = &taker.entry;
        let mut size = taker.remaining;
        if entry.reduce_only {
            size = size.min(self.may_reduce(entry.account, entry.market, entry.side));
            if size == 0 {
                self.removed(taker, Removal::ReduceOnly);
                return reduce_only_code(taker);
            }
            self.coverage
                .count_if(size < taker.remaining, "reduce-only order rests in part");
        }
        self.state.priorities += 1;
        let order = RestingOrder {
            id: taker.id,
            market: entry.market,
            account: entry.account,
            side: entry.side,
            price: entry.price,
            remaining: size,
            filled: entry.filled + taker.traded(),
            expiry: entry.expiry(),
            post_only: entry.post_only,
            reduce_only: entry.reduce_only,
            client_id: entry.client_id,
            label: entry.label,
            stamp: entry.stamp(),
            priority: self.state.priorities,
            height: self.block.height,
        };
        let rested = Event::Rested {
            market: order.market,
            order: order.id,
            account: order.account,
            side: order.side,
            price: order.price,
            size,
            client_id: order.client_id,
        };
        self.state.orders.insert(order.id, order);
        self.group_event(self.group_of(taker.entry.market), rested);
        Code::Ok
    }

    /// The event for what is left of an order that never rested.
    fn removed(&mut self, taker: &Taker, reason: Removal) {
        let event = Event::Removed {
            market: taker.entry.market,
            order: taker.id,
            account: taker.entry.account,
            size: taker.remaining,
            reason,
            client_id: taker.entry.client_id,
        };
        self.group_event(self.group_of(taker.entry.market), event);
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
    if taker.traded() == 0 {
        Code::ReduceOnly
    } else {
        Code::Ok
    }
}
