//! Pegged orders and TWAP orders.

use super::Workload;
use super::actions::EDGES;
use ballast_types::{
    Action, MarketId, Order, Peg, PegTo, PostOnly, SelfTrade, Side, TimeInForce, Twap,
};

impl Workload {
    /// The order as one that follows a price; some of them cannot.
    pub(super) fn with_peg(&mut self, order: Order) -> Order {
        let to = self.rng.pick(&[PegTo::Index, PegTo::Bid, PegTo::Ask]);
        let offset = match self.rng.below(24) {
            0 => self.rng.pick(&EDGES),
            1 => self.rng.pick(&[-100_000, 100_000, 100_001, -100_001]),
            _ => self.rng.signed(-8, 8),
        };
        let mark = self.mark(order.market);
        let direction = if order.side == Side::Buy { 1 } else { -1 };
        let price = match self.rng.below(3) {
            0 => mark + self.rng.signed(-5, 5),
            _ => mark + direction * self.rng.signed(0, mark / 30),
        };
        // At the edge of the prices, from where it cannot follow.
        let edge = match order.side {
            Side::Buy => 2 - self.index(order.market),
            Side::Sell => 100_000 - self.index(order.market),
        };
        let (to, offset) = if self.rng.one_in(8) {
            (PegTo::Index, edge)
        } else {
            (to, offset)
        };
        let bad = self.rng.one_in(16);
        let pegged = Order {
            peg: Some(Peg { to, offset }),
            trigger: None,
            price,
            tif: if order.may_rest() {
                order.tif
            } else {
                TimeInForce::Gtc
            },
            ..order
        };
        if bad {
            return pegged;
        }
        pegged.post_only(PostOnly::Slide)
    }

    /// The order as one that is sent in slices, soon and often; some of them cannot.
    pub(super) fn with_twap(&mut self, order: Order) -> Order {
        let interval_ms = match self.rng.below(20) {
            0 => self.rng.pick(&[0, 999, 3_600_000, 3_600_001, u64::MAX]),
            _ => self.rng.pick(&[1_000, 1_000, 1_200]),
        };
        let duration_ms = match self.rng.below(20) {
            0 => self.rng.pick(&[0, 1_999, 86_400_000, 86_400_001, u64::MAX]),
            _ => self.rng.range(2_400, 8_000),
        };
        let tolerance_ppm = match self.rng.below(20) {
            0 => self.rng.pick(&[0, 1, 1_000_000, 1_000_001, u32::MAX]),
            _ => u32::try_from(self.rng.range(1_000, 40_000)).unwrap_or(1),
        };
        let twap = Twap {
            duration_ms,
            interval_ms,
            tolerance_ppm,
        };
        if self.rng.one_in(16) {
            let twap = Some(twap);
            return Order { twap, ..order };
        }
        let mark = self.mark(order.market);
        let direction = if order.side == Side::Buy { 1 } else { -1 };
        let price = match self.rng.below(3) {
            0 => mark - direction * self.rng.signed(0, mark / 50),
            _ => mark + direction * self.rng.signed(0, mark / 15),
        };
        Order {
            twap: Some(twap),
            price,
            size: match self.rng.below(4) {
                0 => self.rng.signed(2, 9),
                _ => self.rng.signed(6, 60),
            },
            tif: match order.tif {
                TimeInForce::Gtt(_) if self.rng.one_in(3) => order.tif,
                _ => TimeInForce::Gtc,
            },
            post_only: PostOnly::No,
            max_fills: self.spec.limits.max_fills,
            display: None,
            trigger: None,
            ..order
        }
    }

    /// A TWAP order, and liquidity for it that is the same master's now and then.
    pub(super) fn sliced(&mut self) -> Vec<Vec<u8>> {
        let (account, other) = (self.own_account(), self.own_account());
        let mut order = self.order(account);
        if self.height < 4 {
            // Without an index or a last price, perhaps.
            order.market = MarketId(self.rng.pick(&[0, 2]));
        }
        let order = self.with_twap(order);
        let any = self.self_trade();
        let order = Order {
            self_trade: self.rng.pick(&[any, SelfTrade::Decrement]),
            reduce_only: self.rng.one_in(4),
            ..order
        };
        let mark = self.mark(order.market);
        let direction = if order.side == Side::Buy { 1 } else { -1 };
        let maker = Order::limit(
            order.market,
            order.side.opposite(),
            mark + direction * self.rng.signed(1, mark / 100),
            self.rng.signed(4, 20),
        );
        let from = self.rng.pick(&[account, other]);
        vec![
            self.native_of(account, vec![Action::Order(order)]),
            self.native_of(from, vec![Action::Order(maker.post_only(PostOnly::Slide))]),
        ]
    }
}
