//! Markets that collect orders, and what they collect.

use super::Workload;
use ballast_types::{
    Account, Action, MarketId, MarketStatus, Matching, Order, SelfTradeScope, SetMarketStatus,
    Side, Ticks, TimeInForce,
};

impl Workload {
    /// Markets that collect now, or that will from the next block on.
    fn collecting(&self) -> Vec<MarketId> {
        let markets = (0..).map(MarketId).zip(&self.spec.markets);
        let markets = markets.zip(&self.statuses);
        let collecting = markets.filter(|((_, market), status)| {
            market.matching == Matching::Batch || **status == MarketStatus::Auction
        });
        collecting.map(|((id, _), _)| id).collect()
    }

    /// Orders of several accounts that cross in a market that collects, or a market that begins to.
    pub(super) fn collected(&mut self) -> Vec<Vec<u8>> {
        if self.rng.one_in(4) {
            let (market, status) = (self.market(), MarketStatus::Auction);
            let change = Action::SetMarketStatus(SetMarketStatus { market, status });
            return vec![self.native_of(self.authority(), vec![change])];
        }
        let markets = self.collecting();
        let market = self.rng.pick(&markets);
        let level = self.mark(market) + self.rng.signed(-2, 2);
        let mut txs = Vec::new();
        for _ in 0..self.rng.range(2, 6) {
            let account = self.own_account();
            let actions = self.collected_of(account, market, level);
            txs.push(self.native_of(account, actions));
        }
        if self.statuses.get(market.index()) == Some(&MarketStatus::Auction) {
            // Its first slice comes when the market is open again.
            let account = self.own_account();
            let base = self.order(account);
            let twap = self.with_twap(Order {
                market,
                reduce_only: false,
                client_id: None,
                ..base
            });
            txs.push(self.native_of(account, vec![Action::Order(twap)]));
        }
        txs
    }

    fn collected_of(&mut self, account: Account, market: MarketId, level: Ticks) -> Vec<Action> {
        let order = self.crossing_at(account, market, level);
        let mut actions = vec![Action::Order(order)];
        if order.reduce_only && self.rng.one_in(2) {
            actions.push(Action::Order(order));
        }
        if self.rng.one_in(4) {
            actions.push(Action::Order(Order {
                side: order.side.opposite(),
                size: self.rng.signed(2, 24),
                ..order
            }));
        }
        if self.rng.one_in(8) {
            let mut linked = self.linked(account);
            linked.order.market = market;
            for leg in &mut linked.legs {
                leg.market = market;
            }
            actions.push(Action::Linked(linked));
        }
        actions
    }

    /// An order around a level: many are right there, so that it is shared.
    fn crossing_at(&mut self, account: Account, market: MarketId, level: Ticks) -> Order {
        let position = self.position(account, market);
        let closes = position != 0 && self.rng.one_in(2);
        let side = if closes {
            Self::closing(position)
        } else {
            self.rng.pick(&[Side::Buy, Side::Sell])
        };
        let direction = if side == Side::Buy { 1 } else { -1 };
        let price = match self.rng.below(3) {
            0 => level + direction * self.rng.signed(-4, 12),
            _ => level,
        };
        let soon = TimeInForce::Gtb(self.height / 2 * 2 + 2);
        let tif = self.rng.pick(&[
            TimeInForce::Gtc,
            TimeInForce::Gtc,
            soon,
            soon,
            TimeInForce::Ioc,
            TimeInForce::Fok,
        ]);
        let size = self.rng.signed(2, 24);
        let order = Order {
            tif,
            self_trade: self.self_trade(),
            self_trade_scope: self
                .rng
                .pick(&[SelfTradeScope::Account, SelfTradeScope::Master]),
            reduce_only: closes || self.rng.one_in(8),
            max_fills: self.spec.limits.max_fills,
            ..Order::limit(market, side, price, size)
        };
        let iceberg = order.may_rest() && self.rng.one_in(3);
        Order {
            display: iceberg.then_some(3),
            ..order
        }
    }
}
