//! Auctions: which markets collect, at which price what has crossed trades, and who trades.

use crate::Model;
use crate::settle::Before;
use crate::state::PlacedOrder;
use ballast_types::{
    Event, GroupId, Lots, MarketId, MarketStatus, Matching, OrderId, Removal, SelfTrade, Sharing,
    Side, Ticks, TimeInForce,
};
use std::collections::VecDeque;

/// What an auction would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clearing {
    price: Ticks,
    /// Lots that can trade.
    volume: Lots,
    /// Lots that want to buy less those that want to sell.
    imbalance: Lots,
}

/// An order that an auction is at, and how many lots it may still trade.
#[derive(Clone, Copy, Debug)]
struct Party {
    id: OrderId,
    quota: Lots,
}

/// What the orders of one level may trade.
#[derive(Clone, Debug)]
struct Shares {
    side: Side,
    price: Ticks,
    quotas: VecDeque<(OrderId, Lots)>,
}

/// An auction that runs.
struct Auction {
    market: MarketId,
    price: Ticks,
    shares: Option<Shares>,
    /// The bid and the ask at hand.
    bid: Option<Party>,
    ask: Option<Party>,
    /// Fills, removals and refreshes.
    met: u32,
    traded: Lots,
}

impl Auction {
    fn party(&mut self, side: Side) -> &mut Option<Party> {
        match side {
            Side::Buy => &mut self.bid,
            Side::Sell => &mut self.ask,
        }
    }
}

impl Model {
    /// When pass 4 begins: the markets in which no order takes in this block.
    pub(crate) fn find_collecting(&mut self) {
        for market in self.markets() {
            let batch = self.spec.markets[market.index()].matching == Matching::Batch;
            let auction = self.state.statuses[market.index()] == MarketStatus::Auction;
            let crossed = self.is_crossed(market);
            self.coverage
                .count_if(crossed && !batch && !auction, "crossed book collects");
            if batch || auction || crossed {
                self.block.collecting.insert(market);
            }
        }
    }

    /// True when no order takes in the market in this block.
    pub(crate) fn collects(&self, market: MarketId) -> bool {
        self.block.collecting.contains(&market)
    }

    pub(crate) fn is_crossed(&self, market: MarketId) -> bool {
        let best = |side| self.side(market, side).first().map(|order| order.level);
        match (best(Side::Buy), best(Side::Sell)) {
            (Some(bid), Some(ask)) => bid >= ask,
            _ => false,
        }
    }

    /// After all entries: the auctions of a group's markets.
    pub(crate) fn auctions(&mut self, group: GroupId, before: &Before) {
        for market in self.markets() {
            if self.group_of(market) != group || !self.collects(market) {
                continue;
            }
            let status = self.state.statuses[market.index()];
            match self.clearing(market) {
                Some(clearing) if matches!(status, MarketStatus::Open | MarketStatus::PostOnly) => {
                    let name = format!("auction, {status:?}");
                    self.coverage.count(&name);
                    self.auction(group, market, clearing);
                }
                Some(clearing)
                    if status == MarketStatus::Auction
                        && self.book_event(market, &before.levels(market)).is_some() =>
                {
                    self.coverage.count("indicative auction");
                    self.tell_auction(market, clearing, 0);
                }
                _ => {}
            }
            self.end_ioc_orders(group, market);
        }
    }

    /// IOC orders that came to rest in this block rest no longer.
    fn end_ioc_orders(&mut self, group: GroupId, market: MarketId) {
        let here = self.state.orders.values();
        let mut ending: Vec<(u64, OrderId)> = here
            .filter(|order| order.market == market && order.tif == TimeInForce::Ioc)
            .map(|order| (order.priority, order.id))
            .collect();
        ending.sort_unstable();
        for (_, id) in ending {
            if self.is_placed(id) {
                self.coverage.count("IOC order dropped after an auction");
                let events = self.remove_now(id, Removal::Ioc);
                self.group_events(group, events);
            }
        }
    }

    fn tell_auction(&mut self, market: MarketId, clearing: Clearing, traded: Lots) {
        let event = Event::Auction {
            market,
            price: clearing.price,
            volume: clearing.volume,
            imbalance: clearing.imbalance,
            traded,
        };
        self.group_event(self.group_of(market), event);
    }

    /// The price that an auction would have, found by trying all; `None` without a crossed book.
    fn clearing(&self, market: MarketId) -> Option<Clearing> {
        let (bids, asks) = self.orders(market);
        let (highest, lowest) = (bids.first()?.level, asks.first()?.level);
        let lots = |orders: &[PlacedOrder], trades: &dyn Fn(Ticks) -> bool| -> Lots {
            let trading = orders.iter().filter(|order| trades(order.level));
            trading.map(|order| order.remaining).sum()
        };
        let at = |price| {
            let demand = lots(&bids, &|level| level >= price);
            let supply = lots(&asks, &|level| level <= price);
            Clearing {
                price,
                volume: demand.min(supply),
                imbalance: demand - supply,
            }
        };
        let near = self.auction_reference(market);
        (lowest..=highest).map(at).min_by_key(|clearing| {
            let distance = clearing.price.abs_diff(near);
            let balance = clearing.imbalance.abs();
            (-clearing.volume, balance, distance, clearing.price)
        })
    }

    fn auction_reference(&self, market: MarketId) -> Ticks {
        let at = market.index();
        match self.spec.markets[at].kind {
            kind if kind.is_derivative() => self.state.marks[at],
            _ if self.state.lasts[at] != 0 => self.state.lasts[at],
            _ => self.state.indexes[at],
        }
    }

    fn auction(&mut self, group: GroupId, market: MarketId, clearing: Clearing) {
        let mut auction = Auction {
            market,
            price: clearing.price,
            shares: self.shares(market, clearing),
            bid: None,
            ask: None,
            met: 0,
            traded: 0,
        };
        let sharing = if auction.shares.is_some() {
            "auction shared by lots"
        } else {
            "auction shared by time"
        };
        self.coverage.count(sharing);
        loop {
            self.advance(&mut auction, Side::Buy);
            self.advance(&mut auction, Side::Sell);
            let (Some(bid), Some(ask)) = (auction.bid, auction.ask) else {
                break;
            };
            if auction.met >= self.spec.limits.auction_fills {
                self.coverage.count("auction cut short");
                self.block.still_crossed.insert(market);
                break;
            }
            self.pair(&mut auction, bid, ask);
        }
        for party in [auction.bid, auction.ask].into_iter().flatten() {
            self.show_after_auction(&mut auction, party);
        }
        let events = self.take_off();
        self.group_events(group, events);
        self.remove_protected();
        self.tell_auction(market, clearing, auction.traded);
    }

    /// What the orders of the worst level that trades may trade, when not all of it does.
    fn shares(&self, market: MarketId, clearing: Clearing) -> Option<Shares> {
        if self.spec.markets[market.index()].sharing == Sharing::Time {
            return None;
        }
        let side = match clearing.imbalance {
            0 => return None,
            1.. => Side::Buy,
            _ => Side::Sell,
        };
        let mut lots = clearing.volume;
        for (price, orders) in self.by_level(market, side) {
            let all: Lots = orders.iter().map(|order| order.remaining).sum();
            if lots >= all {
                lots -= all;
                continue;
            }
            let most = usize::try_from(self.spec.limits.auction_fills).expect("32 bits fit");
            let sizes = orders.iter().take(most);
            let sizes: Vec<Lots> = sizes.map(|order| order.remaining).collect();
            let quotas = orders.iter().map(|o| o.id).zip(share(lots, &sizes));
            return Some(Shares {
                side,
                price,
                quotas: quotas.filter(|(_, quota)| *quota > 0).collect(),
            });
        }
        None
    }

    /// The levels of one side with their orders, the best and the oldest first.
    fn by_level(&self, market: MarketId, side: Side) -> Vec<(Ticks, Vec<PlacedOrder>)> {
        let mut levels: Vec<(Ticks, Vec<PlacedOrder>)> = Vec::new();
        for order in self.side(market, side) {
            match levels.last_mut() {
                Some((price, orders)) if *price == order.level => orders.push(order),
                _ => levels.push((order.level, vec![order])),
            }
        }
        levels
    }

    /// Goes on to the next order of a side when the one at hand has traded what it may.
    fn advance(&mut self, auction: &mut Auction, side: Side) {
        if auction.party(side).is_some_and(|party| party.quota > 0) {
            return;
        }
        if let Some(party) = auction.party(side).take() {
            self.show_after_auction(auction, party);
        }
        let Some(first) = self.crossing(auction.market, side, auction.price) else {
            return;
        };
        let shares = auction.shares.as_mut();
        let shares = shares.filter(|s| s.side == side && s.price == first.level);
        let shared = shares.and_then(|shares| shares.quotas.pop_front());
        let (id, quota) = shared.unwrap_or((first.id, first.remaining));
        *auction.party(side) = Some(Party { id, quota });
    }

    /// An iceberg that has traded all that it showed shows its next lots.
    fn show_after_auction(&mut self, auction: &mut Auction, party: Party) {
        let order = self.state.orders.get(&party.id);
        if order.is_some_and(|order| order.shown == 0) {
            self.coverage.count("iceberg refreshed in an auction");
            self.show_next(party.id);
            auction.met += 1;
        }
    }

    fn drop_party(&mut self, auction: &mut Auction, order: &PlacedOrder, reason: Removal) {
        let name = format!("removed in an auction, {reason:?}");
        self.coverage.count(&name);
        self.block.still_crossed.insert(auction.market);
        self.remove_maker(order, reason);
        auction.met += 1;
        *auction.party(order.side) = None;
    }

    /// A bid and an ask trade, or one of them goes.
    fn pair(&mut self, auction: &mut Auction, bid: Party, ask: Party) {
        let [buyer, seller] = [bid, ask].map(|party| self.at_price(party.id, auction.price));
        let (time, height) = (self.block.time, self.block.height);
        let both = [&buyer, &seller];
        if both.iter().any(|order| order.is_dead(time, height)) {
            for order in both.into_iter().filter(|o| o.is_dead(time, height)) {
                self.drop_party(auction, order, Removal::Expired);
            }
            return;
        }
        if both.iter().any(|order| self.left_of(order.id) == 0) {
            for order in both {
                if self.left_of(order.id) == 0 {
                    self.drop_party(auction, order, Removal::Linked);
                }
            }
            return;
        }
        let (maker, taker) = if buyer.priority < seller.priority {
            (&buyer, &seller)
        } else {
            (&seller, &buyer)
        };
        if self.is_self_trade(taker.account, taker.self_trade_scope, maker) {
            self.part_selves(auction, maker, taker);
            return;
        }
        let left = both.map(|order| self.left_of(order.id));
        let offered = left.into_iter().chain([bid.quota, ask.quota]);
        let offered = offered.min().expect("there are four");
        let Some((lots, cut)) = self.auction_lots(auction, maker, taker, offered) else {
            return;
        };
        self.trade_in_auction(maker, taker, lots, cut);
        for party in [&mut auction.bid, &mut auction.ask].into_iter().flatten() {
            party.quota -= lots;
        }
        auction.met += 1;
        auction.traded += lots;
    }

    /// A resting order as if it rested at the price of the auction.
    fn at_price(&self, id: OrderId, price: Ticks) -> PlacedOrder {
        PlacedOrder {
            level: price,
            ..self.state.orders[&id].clone()
        }
    }

    fn part_selves(&mut self, auction: &mut Auction, maker: &PlacedOrder, taker: &PlacedOrder) {
        let name = format!("self-trade in an auction, {:?}", taker.self_trade);
        self.coverage.count(&name);
        let (removed_maker, removed_taker) = match taker.self_trade {
            SelfTrade::CancelMaker => (true, false),
            SelfTrade::CancelBoth => (true, true),
            SelfTrade::CancelTaker | SelfTrade::Decrement => (false, true),
        };
        let mut gone = Vec::new();
        gone.extend(removed_maker.then_some(maker));
        gone.extend(removed_taker.then_some(taker));
        gone.sort_by_key(|order| order.side);
        for order in gone {
            self.drop_party(auction, order, Removal::SelfTrade);
        }
    }

    /// Lots of those offered that may trade, and whether a protection cut them; without any, the
    /// order that may not is removed.
    fn auction_lots(
        &mut self,
        auction: &mut Auction,
        maker: &PlacedOrder,
        taker: &PlacedOrder,
        offered: Lots,
    ) -> Option<(Lots, bool)> {
        let group = self.group_of(maker.market);
        if maker.quote && self.is_frozen(maker.account, group) {
            self.drop_party(auction, maker, Removal::Protection);
            return None;
        }
        let most = self.protected_lots(maker).unwrap_or(offered);
        if most == 0 {
            self.drop_party(auction, maker, Removal::Protection);
            self.protect(maker);
            return None;
        }
        let mut lots = offered.min(most);
        for order in [maker, taker] {
            if order.reduce_only {
                lots = lots.min(self.may_reduce(order.account, order.market, order.side));
            }
            if lots == 0 {
                self.drop_party(auction, order, Removal::ReduceOnly);
                return None;
            }
        }
        let spec = &self.spec.markets[maker.market.index()];
        let fees = [spec.maker_fee_ppm, spec.taker_fee_ppm];
        for (order, fee) in [maker, taker].into_iter().zip(fees) {
            let fill = order.fill_of(order.side, lots);
            let most = self.allowed_lots(order.account, &fill, fee);
            lots = lots.min(most);
            if lots == 0 {
                self.drop_party(auction, order, Removal::Uncovered);
                return None;
            }
        }
        Some((lots, most < offered))
    }

    fn trade_in_auction(
        &mut self,
        maker: &PlacedOrder,
        taker: &PlacedOrder,
        lots: Lots,
        cut: bool,
    ) {
        let both = [maker, taker];
        let left = both.map(|order| self.left_of(order.id));
        for order in both {
            self.use_up(order.id, lots);
            if let Some(order) = self.state.orders.get_mut(&order.id) {
                order.filled += lots;
            }
        }
        self.fill(maker, taker.id, taker.account, lots);
        self.count_quote_fill(maker, lots, cut);
        for (order, left) in both.into_iter().zip(left) {
            let linked = self.link(order.id).is_some();
            self.coverage
                .count_if(linked, "fill of a link in an auction");
            self.act_on_links(order.id, lots, left);
        }
    }
}

/// `lots` divided by sizes: whole parts, then one each to the largest remainders.
fn share(lots: Lots, sizes: &[Lots]) -> Vec<Lots> {
    let all: i128 = sizes.iter().map(|size| i128::from(*size)).sum();
    let lots = i128::from(lots).min(all);
    let products: Vec<i128> = sizes.iter().map(|size| lots * i128::from(*size)).collect();
    let mut parts: Vec<i128> = products.iter().map(|product| product / all).collect();
    let over = usize::try_from(lots - parts.iter().sum::<i128>()).expect("fewer than sizes");
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|at| (-(products[*at] % all), *at));
    for at in by_remainder.into_iter().take(over) {
        parts[at] += 1;
    }
    let parts = parts.into_iter();
    parts
        .map(|part| Lots::try_from(part).expect("at most the lots"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_by_size_and_the_largest_remainders_get_the_rest() {
        let cases: &[(Lots, &[Lots], &[Lots])] = &[
            (10, &[10, 10], &[5, 5]),
            (11, &[10, 10], &[6, 5]),
            (10, &[10, 20, 30], &[2, 3, 5]),
            (1, &[1, 1, 1], &[1, 0, 0]),
            (2, &[5, 1, 5], &[1, 0, 1]),
            (9, &[2, 2], &[2, 2]),
        ];
        for (lots, sizes, expected) in cases {
            assert_eq!(share(*lots, sizes), *expected, "{lots} {sizes:?}");
        }
    }
}
