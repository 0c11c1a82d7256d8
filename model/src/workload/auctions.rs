//! Markets that collect orders, and what they collect.

use super::Workload;
use ballast_types::{
    Action, MarketId, MarketStatus, Matching, Order, SelfTradeScope, SetMarketStatus, Side,
    TimeInForce,
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
        let mark = self.mark(market);
        let level = self.rng.signed(-2, 2);
        let mut txs = Vec::new();
        for _ in 0..self.rng.range(2, 6) {
            let account = self.own_account();
            let mut side = self.rng.pick(&[Side::Buy, Side::Sell]);
            let position = self.position(account, market);
            let closes = position != 0 && self.rng.one_in(2);
            if closes {
                side = Self::closing(position);
            }
            let direction = if side == Side::Buy { 1 } else { -1 };
            // Many at one level, so that it is shared.
            let price = match self.rng.below(3) {
                0 => mark + direction * self.rng.signed(-4, 12),
                _ => mark + level,
            };
            let tif = self.rng.pick(&[
                TimeInForce::Gtc,
                TimeInForce::Gtc,
                TimeInForce::Gtb(self.height / 2 * 2 + 2),
                TimeInForce::Gtb(self.height / 2 * 2 + 2),
                TimeInForce::Ioc,
                TimeInForce::Fok,
            ]);
            let iceberg = tif != TimeInForce::Ioc && tif != TimeInForce::Fok;
            let order = Order {
                tif,
                display: (iceberg && self.rng.one_in(3)).then_some(3),
                self_trade: self.self_trade(),
                self_trade_scope: self
                    .rng
                    .pick(&[SelfTradeScope::Account, SelfTradeScope::Master]),
                reduce_only: closes || self.rng.one_in(8),
                max_fills: self.spec.limits.max_fills,
                ..Order::limit(market, side, price, self.rng.signed(2, 24))
            };
            let mut actions = vec![Action::Order(order)];
            if self.rng.one_in(4) {
                let side = side.opposite();
                let size = self.rng.signed(2, 24);
                actions.push(Action::Order(Order {
                    side,
                    size,
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
            txs.push(self.native_of(account, actions));
        }
        if self.statuses.get(market.index()) == Some(&MarketStatus::Auction) {
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
}
