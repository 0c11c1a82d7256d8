//! Pegged orders: where they want to rest, and how they follow.

use crate::Model;
use crate::meeting::Taker;
use crate::state::{PlacedOrder, sign};
use ballast_types::{Code, Event, GroupId, MarketId, MarketStatus, Peg, PegTo, Side, Ticks};

impl Model {
    /// What a peg follows: the index, or the best price of an order that is not pegged itself.
    fn reference(&self, market: MarketId, to: PegTo) -> Option<Ticks> {
        let best = |side| {
            let mut orders = self.side(market, side).into_iter();
            orders.find(|order| order.peg.is_none()).map(|o| o.level)
        };
        match to {
            PegTo::Index => Some(self.state.indexes[market.index()]).filter(|price| *price != 0),
            PegTo::Bid => best(Side::Buy),
            PegTo::Ask => best(Side::Sell),
        }
    }

    /// Where an order wants to rest; `None` without a reference.
    fn wanted(&self, market: MarketId, side: Side, limit: Ticks, peg: Peg) -> Option<Ticks> {
        let price = self.reference(market, peg.to)? + peg.offset;
        let price = match side {
            Side::Buy => limit.min(price),
            Side::Sell => limit.max(price),
        };
        Some(self.behind_best(market, side, price))
    }

    /// The price, or one tick behind the best of the other side when it would cross that.
    fn behind_best(&self, market: MarketId, side: Side, price: Ticks) -> Ticks {
        match self.crossing(market, side.opposite(), price) {
            Some(best) => best.level - sign(side),
            None => price,
        }
    }

    fn has_price(&self, market: MarketId, price: Ticks) -> bool {
        (1..=self.spec.markets[market.index()].max_price).contains(&price)
    }

    /// Before the entries: pegged orders follow what they are pegged to.
    pub(crate) fn move_pegs(&mut self, group: GroupId) {
        for market in self.markets() {
            let status = self.state.statuses[market.index()];
            let trades = matches!(status, MarketStatus::Open | MarketStatus::PostOnly);
            if self.group_of(market) == group && trades && !self.collects(market) {
                self.move_pegs_of(group, market);
            }
        }
    }

    fn move_pegs_of(&mut self, group: GroupId, market: MarketId) {
        let here = self.state.orders.values();
        let mut moving: Vec<PlacedOrder> = here
            .filter(|order| order.market == market)
            .filter(|order| {
                let peg = order.peg;
                let wanted = peg.and_then(|p| self.wanted(market, order.side, order.price, p));
                wanted.is_some_and(|price| price != order.level)
            })
            .cloned()
            .collect();
        moving.sort_by_key(|order| order.priority);
        for order in &moving {
            self.state.orders.remove(&order.id);
        }
        for order in moving {
            self.move_peg(group, order);
        }
    }

    fn move_peg(&mut self, group: GroupId, mut order: PlacedOrder) {
        let (market, side) = (order.market, order.side);
        let peg = order.peg.expect("it is pegged");
        let before = order.level;
        let wanted = self.wanted(market, side, order.price, peg);
        order.level = match wanted.filter(|price| self.has_price(market, *price)) {
            Some(price) => price,
            None => {
                self.coverage.count("peg has nowhere to go");
                let most = self.spec.markets[market.index()].max_price;
                self.behind_best(market, side, before).clamp(1, most)
            }
        };
        order.priority = self.state.next_priority();
        if order.level == before {
            self.coverage.count("peg comes back where it was");
        } else {
            self.coverage.count(&format!("peg follows {:?}", peg.to));
            let event = Event::Moved {
                market,
                order: order.id,
                account: order.account,
                price: order.level,
            };
            self.group_event(group, event);
        }
        self.state.orders.insert(order.id, order);
    }

    /// A pegged order enters: it rests where it wants to, if it may.
    pub(crate) fn post_pegged(&mut self, taker: &Taker, peg: Peg) -> Code {
        let order = &taker.entry.order;
        let resting = self.state.orders.values();
        let pegged = resting.filter(|o| o.market == order.market && o.peg.is_some());
        let limit = usize::try_from(self.spec.limits.pegged_orders).expect("32 bits fit");
        if pegged.count() >= limit {
            return Code::PegLimit;
        }
        let Some(price) = self.wanted(order.market, order.side, order.price, peg) else {
            return Code::NoReference;
        };
        if !self.has_price(order.market, price) {
            self.coverage.count("peg without a place");
            return Code::PostOnlyWouldTrade;
        }
        let free = self.reference(order.market, peg.to).map(|x| x + peg.offset);
        let slides = free.is_some_and(|free| match order.side {
            Side::Buy => price < free.min(order.price),
            Side::Sell => price > free.max(order.price),
        });
        self.coverage.count_if(slides, "peg slides");
        self.rest(taker, price)
    }
}
