//! Pass 4: price-time priority.

use crate::Model;
use crate::admit::Entry;
use crate::state::{PlacedOrder, reducible, sign};
use ballast_types::{
    Account, Code, Event, GroupId, GroupKey, Lots, MarketId, OrderId, PartResult, PostOnly,
    Removal, SelfTrade, SelfTradeScope, Side, Ticks, TimeInForce, ticket,
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
    traded: Lots,
    /// Meetings and refreshes so far.
    met: u16,
    refreshes: u16,
}

/// What a maker may trade.
struct MakerLots {
    lots: Lots,
    /// The protection of its quotes made them fewer.
    cut: bool,
}

impl Taker {
    fn new(entry: Entry, id: OrderId) -> Self {
        Self {
            remaining: entry.order.size,
            entry,
            id,
            traded: 0,
            met: 0,
            refreshes: 0,
        }
    }
}

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

    /// Gives an order its id, if it has none, and lets it wait, or trade and rest. A triggered order
    /// that was refused only ends.
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

    /// Meets resting orders until nothing remains, nothing crosses, or a rule stops it.
    fn take(&mut self, taker: &mut Taker) -> Stop {
        let order = taker.entry.order;
        while taker.remaining > 0 {
            let Some(maker) = self.crossing(order.market, order.side.opposite(), order.price)
            else {
                break;
            };
            if taker.met >= order.max_fills {
                return Stop::FillLimit;
            }
            taker.met += 1;
            if maker.is_dead(self.block.time, self.block.height) {
                self.coverage.count("expired maker removed");
                self.remove_maker(&maker, Removal::Expired);
            } else if self.is_self_trade(taker, &maker) {
                if self.prevent_self_trade(taker, &maker) {
                    return Stop::SelfTrade;
                }
            } else if let Some(most) = self.quote_lots(taker, &maker)
                && let Some(lots) = self.maker_lots(&maker, most.lots)
            {
                match self.taker_lots(taker, &maker, lots) {
                    Ok(lots) => {
                        self.trade(&maker, taker, lots);
                        let further = most.cut && lots < most.lots;
                        self.coverage
                            .count_if(further, "protected fill cut further");
                        self.count_quote_fill(&maker, lots, most.cut);
                    }
                    Err(stop) => return stop,
                }
            }
        }
        Stop::NoMatch
    }

    /// True when the taker must not trade with this maker.
    fn is_self_trade(&self, taker: &Taker, maker: &PlacedOrder) -> bool {
        let (taker, maker, order) = (taker.entry.account, maker.account, &taker.entry.order);
        let in_scope = match order.self_trade_scope {
            SelfTradeScope::Account => taker == maker,
            SelfTradeScope::Master => taker.master == maker.master,
        };
        in_scope && !self.spec.markets[order.market.index()].self_trade
    }

    /// Does what the taker's mode says. Returns whether the taker stops.
    fn prevent_self_trade(&mut self, taker: &mut Taker, maker: &PlacedOrder) -> bool {
        let mode = taker.entry.order.self_trade;
        self.coverage.count(&format!("self-trade, {mode:?}"));
        let across = maker.account != taker.entry.account;
        self.coverage
            .count_if(across, "self-trade across accounts of a master");
        match mode {
            SelfTrade::CancelTaker => true,
            SelfTrade::CancelMaker => {
                self.remove_maker(maker, Removal::SelfTrade);
                false
            }
            SelfTrade::CancelBoth => {
                self.remove_maker(maker, Removal::SelfTrade);
                true
            }
            SelfTrade::Decrement => {
                self.decrement(taker, maker);
                taker.remaining == 0
            }
        }
    }

    /// Maker and taker lose the same lots without a trade.
    fn decrement(&mut self, taker: &mut Taker, maker: &PlacedOrder) {
        let lots = taker.remaining.min(maker.shown);
        let left = self.use_up(maker.id, lots);
        self.coverage.count(if left.remaining == 0 {
            "decrement ends the maker"
        } else {
            "decrement reduces the maker"
        });
        let (market, order, account) = (maker.market, maker.id, maker.account);
        let reason = Removal::SelfTrade;
        let event = if left.remaining == 0 {
            Event::Removed {
                market,
                order,
                account,
                size: lots,
                reason,
                client_id: maker.client_id,
            }
        } else {
            Event::Reduced {
                market,
                order,
                account,
                size: left.remaining,
                reason,
            }
        };
        self.group_event(self.group_of(market), event);
        self.removed(taker, lots, reason);
        taker.remaining -= lots;
        self.coverage
            .count_if(taker.remaining == 0, "decrement ends the taker");
        let refreshes = left.shown == 0 && left.remaining > 0;
        self.coverage
            .count_if(refreshes, "decrement refreshes the maker");
        self.refresh(taker, &left);
    }

    /// Takes lots from what a resting order shows. Returns the order as it is then; it is gone when
    /// nothing remains of it.
    fn use_up(&mut self, id: OrderId, lots: Lots) -> PlacedOrder {
        let orders = &mut self.state.orders;
        let order = orders.get_mut(&id).expect("it was found in the book");
        order.remaining -= lots;
        order.shown -= lots;
        let left = order.clone();
        if left.remaining == 0 {
            orders.remove(&id);
        }
        left
    }

    /// Shows the next slice of an iceberg that has only hidden lots left.
    fn refresh(&mut self, taker: &mut Taker, maker: &PlacedOrder) {
        if maker.shown > 0 || maker.remaining == 0 {
            return;
        }
        let priority = self.state.next_priority();
        let orders = &mut self.state.orders;
        let order = orders.get_mut(&maker.id).expect("lots of it remain");
        order.priority = priority;
        order.shown = shown_of(order.display, order.remaining);
        let (market, shown) = (order.market, order.shown);
        taker.met += 1;
        taker.refreshes += 1;
        self.coverage
            .count_if(taker.refreshes > 1, "taker refreshes again");
        self.coverage.count_if(
            taker.met >= taker.entry.order.max_fills,
            "limit of meetings reached by a refresh",
        );
        let event = Event::Refreshed {
            market,
            order: maker.id,
            account: maker.account,
            shown,
        };
        self.group_event(self.group_of(market), event);
    }

    /// Lots that could trade, as far as the protection of a quote lets them; without any, the quote
    /// is removed.
    fn quote_lots(&mut self, taker: &Taker, maker: &PlacedOrder) -> Option<MakerLots> {
        let lots = maker.shown.min(taker.remaining);
        let group = self.group_of(maker.market);
        if maker.quote && self.is_frozen(maker.account, group) {
            self.coverage.count("frozen maker removed");
            self.remove_maker(maker, Removal::Protection);
            return None;
        }
        let most = self.protected_lots(maker).unwrap_or(lots);
        if most == 0 {
            self.coverage.count("protection lets nothing trade");
            self.remove_maker(maker, Removal::Protection);
            self.protect(maker);
            return None;
        }
        Some(MakerLots {
            lots: lots.min(most),
            cut: most < lots,
        })
    }

    /// Lots of these that the maker may trade; without any, it is removed.
    fn maker_lots(&mut self, maker: &PlacedOrder, lots: Lots) -> Option<Lots> {
        let mut lots = lots;
        if maker.reduce_only {
            let most = self.may_reduce(maker.account, maker.market, maker.side);
            self.coverage.count_if(most < lots, "reduce-only maker cut");
            lots = lots.min(most);
            if lots == 0 {
                self.remove_maker(maker, Removal::ReduceOnly);
                return None;
            }
        }
        let fee = self.spec.markets[maker.market.index()].maker_fee_ppm;
        let most = self.allowed_lots(maker.account, maker.market, maker.side, maker.price, fee);
        self.coverage
            .count_if(most > 0 && most < lots, "uncovered maker cut");
        lots = lots.min(most);
        if lots == 0 {
            self.remove_maker(maker, Removal::Uncovered);
            return None;
        }
        Some(lots)
    }

    /// Lots that the taker may trade of these; without any, it stops.
    fn taker_lots(&mut self, taker: &Taker, maker: &PlacedOrder, lots: Lots) -> Result<Lots, Stop> {
        let (account, order) = (taker.entry.account, &taker.entry.order);
        let mut lots = lots;
        if order.reduce_only {
            lots = lots.min(self.may_reduce(account, order.market, order.side));
            if lots == 0 {
                return Err(Stop::ReduceOnly);
            }
        }
        let fee = self.spec.markets[order.market.index()].taker_fee_ppm;
        let most = self.allowed_lots(account, order.market, order.side, maker.price, fee);
        self.coverage
            .count_if(most > 0 && most < lots, "uncovered taker cut");
        lots = lots.min(most);
        if lots == 0 {
            return Err(Stop::Uncovered);
        }
        Ok(lots)
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
        price: Ticks,
        fee_ppm: i32,
    ) -> Lots {
        if self.is_flagged(account) {
            self.allowed_uncovered(account, market, side, price, fee_ppm)
        } else {
            Lots::MAX
        }
    }

    fn remove_maker(&mut self, maker: &PlacedOrder, reason: Removal) {
        let event = self.remove(maker.id, reason);
        self.group_event(self.group_of(maker.market), event);
    }

    /// One fill. It is settled at once: nothing in this pass looks at balances.
    fn trade(&mut self, maker: &PlacedOrder, taker: &mut Taker, lots: Lots) {
        let market = maker.market;
        let left = self.use_up(maker.id, lots);
        if let Some(order) = self.state.orders.get_mut(&maker.id) {
            order.filled += lots;
        }
        taker.remaining -= lots;
        taker.traded += lots;
        self.coverage
            .count_if(taker.entry.triggered.is_some(), "triggered order trades");
        let taker_account = taker.entry.account;
        let (maker_fee, taker_fee) = self.settle(maker, taker_account, lots);
        self.block
            .traded
            .extend([(maker.account, market), (taker_account, market)]);
        self.state.trades[market.index()] += 1;
        self.state.lasts[market.index()] = maker.price;
        let fill = Event::Fill {
            market,
            trade: self.state.trades[market.index()],
            maker: maker.id,
            maker_account: maker.account,
            taker: taker.id,
            taker_account,
            taker_side: taker.entry.order.side,
            price: maker.price,
            size: lots,
            maker_fee,
            taker_fee,
        };
        self.group_event(self.group_of(market), fill);
        self.refresh(taker, &left);
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

    /// The event for lots of an order that came in and never rested.
    fn removed(&mut self, taker: &Taker, size: Lots, reason: Removal) {
        let event = Event::Removed {
            market: taker.entry.order.market,
            order: taker.id,
            account: taker.entry.account,
            size,
            reason,
            client_id: taker.entry.order.client_id,
        };
        self.group_event(self.group_of(taker.entry.order.market), event);
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

/// Lots that the book shows of an order with `remaining` lots.
fn shown_of(display: Option<Lots>, remaining: Lots) -> Lots {
    display.map_or(remaining, |display| display.min(remaining))
}
