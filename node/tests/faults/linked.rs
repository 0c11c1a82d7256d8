//! Pegged and TWAP orders, and orders that are linked, of one client.

use ballast_types::{
    LinkKind, LinkRule, Linked, Order, Peg, PegTo, PostOnly, SelfTrade, SelfTradeScope,
    TimeInForce, Trigger, Twap,
};

use crate::mix::Trader;

impl Trader {
    /// Near the price that it follows.
    pub(crate) fn pegged(&mut self) -> Order {
        let order = self.order();
        let to = self.rng.pick(&[PegTo::Index, PegTo::Bid, PegTo::Ask]);
        let peg = Peg {
            to,
            offset: self.rng.signed(-order.price / 2_000, order.price / 2_000),
        };
        Order {
            tif: TimeInForce::Gtc,
            trigger: None,
            peg: Some(peg),
            ..order.post_only(PostOnly::Slide)
        }
    }

    /// A few seconds long.
    pub(crate) fn sliced(&mut self) -> Order {
        let twap = Twap {
            interval_ms: self.rng.pick(&[1_000, 1_500]),
            duration_ms: self.rng.range(3_000, 20_000),
            tolerance_ppm: self.rng.pick(&[100, 2_000, 100_000]),
        };
        let order = self.order();
        Order {
            tif: TimeInForce::Gtc,
            reduce_only: order.reduce_only,
            client_id: order.client_id,
            label: order.label,
            self_trade: order.self_trade,
            twap: Some(twap),
            ..Order::limit(order.market, order.side, order.price, order.size)
        }
    }

    /// Follows a price from a distance that leads nowhere.
    pub(crate) fn edge_peg(&mut self, offset: i64) -> Order {
        let to = self.rng.pick(&[PegTo::Index, PegTo::Bid, PegTo::Ask]);
        Order {
            peg: Some(Peg { to, offset }),
            ..self.pegged()
        }
    }

    /// Has a schedule that none may have.
    pub(crate) fn edge_twap(&mut self) -> Order {
        let twap = |duration_ms, interval_ms, tolerance_ppm| {
            Some(Twap {
                duration_ms,
                interval_ms,
                tolerance_ppm,
            })
        };
        let schedules = [
            twap(0, 0, 0),
            twap(u64::MAX, 1_000, 1),
            twap(10_000, u64::MAX, 1),
            twap(u64::MAX, u64::MAX, u32::MAX),
            twap(10_000, 0, 1),
            twap(1_999, 1_000, 1),
            twap(2_000, 1_000, 1_000_001),
        ];
        let twap = self.rng.pick(&schedules);
        Order {
            twap,
            ..self.sliced()
        }
    }

    /// Of any kind and rule, some of which do not fit together.
    pub(crate) fn linked(&mut self) -> Linked {
        let kind = [LinkKind::Oco, LinkKind::Oto, LinkKind::Otoco];
        let rule = [
            LinkRule::FirstHit,
            LinkRule::CompleteFill,
            LinkRule::Incremental,
        ];
        let (kind, rule) = (self.rng.pick(&kind), self.rng.pick(&rule));
        let order = self.order();
        let legs = match kind {
            LinkKind::Oco | LinkKind::Oto => 1,
            LinkKind::Otoco => 2,
        };
        Linked {
            kind,
            rule,
            order,
            legs: (0..legs).map(|at| self.leg(&order, at == 0)).collect(),
        }
    }

    fn leg(&mut self, order: &Order, triggered: bool) -> Order {
        let trigger: Option<Trigger> =
            (triggered || self.rng.one_in(2)).then(|| self.trigger(order.price));
        let side = match self.rng.one_in(3) {
            true => order.side.opposite(),
            false => order.side,
        };
        let price = order.price + self.rng.signed(-order.price / 500, order.price / 500);
        Order {
            self_trade: SelfTrade::CancelMaker,
            self_trade_scope: SelfTradeScope::Account,
            trigger,
            ..Order::limit(order.market, side, price, order.size)
        }
    }
}
