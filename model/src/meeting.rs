//! Pass 4: how a taking order meets resting orders, in price-time priority.

use crate::Model;
use crate::admit::Entry;
use crate::margin::Open;
use crate::state::{PlacedOrder, reducible};
use ballast_types::{
    Account, Code, Event, Lots, MarginMode, MarketId, OrderId, Removal, SelfTrade, SelfTradeScope,
    Side,
};

/// Why a taking order went no further although lots remain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Nothing crosses any more.
    NoMatch,
    FillLimit,
    SelfTrade,
    ReduceOnly,
    Uncovered,
}

/// A taking order while it trades.
pub(crate) struct Taker {
    pub(crate) entry: Entry,
    pub(crate) id: OrderId,
    pub(crate) remaining: Lots,
    pub(crate) traded: Lots,
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
    pub(crate) fn new(entry: Entry, id: OrderId) -> Self {
        Self {
            remaining: entry.order.size,
            entry,
            id,
            traded: 0,
            met: 0,
            refreshes: 0,
        }
    }

    /// What its result says when it has stopped.
    pub(crate) fn code(&self, stop: Stop) -> Code {
        match stop {
            Stop::SelfTrade => Code::SelfTrade,
            _ if self.remaining == 0 => Code::Ok,
            Stop::NoMatch => Code::Ok,
            Stop::FillLimit => Code::FillLimit,
            Stop::ReduceOnly if self.traded == 0 => Code::ReduceOnly,
            Stop::ReduceOnly => Code::Ok,
            Stop::Uncovered => Code::Uncovered,
        }
    }
}

impl Model {
    /// Meets resting orders until nothing remains, nothing crosses, or a rule stops it.
    pub(crate) fn take(&mut self, taker: &mut Taker) -> Stop {
        let order = taker.entry.order;
        while taker.remaining > 0 {
            self.block.taking = Some((taker.id, taker.remaining));
            let Some(mut maker) = self.crossing(order.market, order.side.opposite(), order.price)
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
                continue;
            }
            let left = self.left_of(maker.id);
            self.coverage
                .count_if(left < maker.shown, "doomed maker met");
            let part = 0 < left && left < maker.shown;
            self.coverage.count_if(part, "maker doomed in part met");
            if left == 0 {
                self.remove_maker(&maker, Removal::Linked);
                continue;
            }
            maker.shown = maker.shown.min(left);
            if self.is_self_trade(taker.entry.account, order.self_trade_scope, &maker) {
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

    /// True when an account's order must not trade with this maker.
    pub(crate) fn is_self_trade(
        &self,
        taker: Account,
        scope: SelfTradeScope,
        maker: &PlacedOrder,
    ) -> bool {
        let in_scope = match scope {
            SelfTradeScope::Account => taker == maker.account,
            SelfTradeScope::Master => taker.master == maker.account.master,
        };
        in_scope && !self.spec.markets[maker.market.index()].self_trade
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
        if left.remaining == 0 {
            self.leave_link(maker.id);
        }
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
        self.block.taking = Some((taker.id, taker.remaining));
        self.coverage
            .count_if(taker.remaining == 0, "decrement ends the taker");
        let refreshes = left.shown == 0 && left.remaining > 0;
        self.coverage
            .count_if(refreshes, "decrement refreshes the maker");
        self.refresh(taker, &left);
    }

    /// Takes lots from what a resting order shows. Returns the order as it is then; it is gone when
    /// nothing remains of it.
    pub(crate) fn use_up(&mut self, id: OrderId, lots: Lots) -> PlacedOrder {
        let orders = &mut self.state.orders;
        let order = orders.get_mut(&id).expect("it was found in the book");
        order.remaining -= lots;
        // An auction trades hidden lots too.
        order.shown = (order.shown - lots).max(0);
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
        self.show_next(maker.id);
        taker.met += 1;
        taker.refreshes += 1;
        self.coverage
            .count_if(taker.refreshes > 1, "taker refreshes again");
        self.coverage.count_if(
            taker.met >= taker.entry.order.max_fills,
            "limit of meetings reached by a refresh",
        );
    }

    /// The next lots of an iceberg show at the back of its level.
    pub(crate) fn show_next(&mut self, id: OrderId) {
        let priority = self.state.next_priority();
        let orders = &mut self.state.orders;
        let order = orders.get_mut(&id).expect("lots of it remain");
        order.priority = priority;
        order.shown = shown_of(order.display, order.remaining);
        let market = order.market;
        let event = Event::Refreshed {
            market,
            order: id,
            account: order.account,
            shown: order.shown,
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
        let most = self.allowed_lots(maker.account, &maker.fill_of(maker.side, lots), fee);
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
        let most = self.allowed_lots(account, &maker.fill_of(order.side, lots), fee);
        self.coverage
            .count_if(most > 0 && most < lots, "uncovered taker cut");
        lots = lots.min(most);
        if lots == 0 {
            return Err(Stop::Uncovered);
        }
        Ok(lots)
    }

    pub(crate) fn may_reduce(&self, account: Account, market: MarketId, side: Side) -> Lots {
        reducible(self.state.position(account, market), side)
    }

    /// How many lots of a fill the account's flag allows; all of them without it.
    pub(crate) fn allowed_lots(&mut self, account: Account, fill: &Open, fee_ppm: i32) -> Lots {
        if !self.is_flagged(account) {
            return fill.lots;
        }
        let allowed = self.allowed_uncovered(account, fill, fee_ppm);
        if self.margin_mode(account) == MarginMode::Portfolio {
            self.coverage.count(match allowed {
                0 => "portfolio fill refused",
                lots if lots < fill.lots => "portfolio fill allowed in part",
                _ => "portfolio fill allowed whole",
            });
        }
        allowed
    }

    pub(crate) fn remove_maker(&mut self, maker: &PlacedOrder, reason: Removal) {
        let event = self.remove(maker.id, reason);
        self.group_event(self.group_of(maker.market), event);
    }

    /// One fill. It is settled at once: nothing in this pass looks at balances.
    fn trade(&mut self, maker: &PlacedOrder, taker: &mut Taker, lots: Lots) {
        let left_before = [maker.id, taker.id].map(|id| self.left_of(id));
        let left = self.use_up(maker.id, lots);
        if let Some(order) = self.state.orders.get_mut(&maker.id) {
            order.filled += lots;
        }
        taker.remaining -= lots;
        taker.traded += lots;
        self.block.taking = Some((taker.id, taker.remaining));
        let triggered = taker.entry.triggered.is_some() && taker.entry.slice.is_none();
        self.coverage.count_if(triggered, "triggered order trades");
        let taker_account = taker.entry.account;
        self.fill(maker, taker.id, taker_account, lots);
        self.act_on_links(maker.id, lots, left_before[0]);
        self.act_on_links(taker.id, lots, left_before[1]);
        self.refresh(taker, &left);
    }

    /// Settles and tells of a fill at the maker's level.
    pub(crate) fn fill(
        &mut self,
        maker: &PlacedOrder,
        taker: OrderId,
        taker_account: Account,
        lots: Lots,
    ) {
        let market = maker.market;
        let (maker_fee, taker_fee) = self.settle(maker, taker_account, lots);
        self.block
            .traded
            .extend([(maker.account, market), (taker_account, market)]);
        self.state.trades[market.index()] += 1;
        self.state.lasts[market.index()] = maker.level;
        let fill = Event::Fill {
            market,
            trade: self.state.trades[market.index()],
            maker: maker.id,
            maker_account: maker.account,
            taker,
            taker_account,
            taker_side: maker.side.opposite(),
            price: maker.level,
            size: lots,
            maker_fee,
            taker_fee,
        };
        self.group_event(self.group_of(market), fill);
    }

    /// The event for lots of an order that came in and never rested.
    pub(crate) fn removed(&mut self, taker: &Taker, size: Lots, reason: Removal) {
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
}

impl PlacedOrder {
    /// A fill at the level of this maker, of its own side or of the taker's.
    pub(crate) fn fill_of(&self, side: Side, lots: Lots) -> Open {
        Open {
            market: self.market,
            side,
            price: self.level,
            lots,
        }
    }
}

/// Lots that the book shows of an order with `remaining` lots.
pub(crate) fn shown_of(display: Option<Lots>, remaining: Lots) -> Lots {
    display.map_or(remaining, |display| display.min(remaining))
}
