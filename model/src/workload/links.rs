//! Orders that are linked, and who trades with them.

use super::Workload;
use super::actions::EDGES;
use ballast_types::{
    Account, Action, Condition, LinkKind, LinkRule, Linked, Lots, MarketId, Order, PostOnly,
    PriceSource, Side, Ticks, TimeInForce, Trigger,
};

/// A market order of this direction comes in this block.
pub(super) type Hit = (u64, MarketId, Lots);

impl Workload {
    /// Linked orders near the mark, mostly; some of them are none.
    pub(super) fn linked(&mut self, account: Account) -> Linked {
        let market = self.market();
        let kind = self
            .rng
            .pick(&[LinkKind::Oco, LinkKind::Oto, LinkKind::Otoco]);
        let rule = self.rng.pick(&[
            LinkRule::FirstHit,
            LinkRule::CompleteFill,
            LinkRule::Incremental,
            LinkRule::Incremental,
        ]);
        let side = self.rng.pick(&[Side::Buy, Side::Sell]);
        let mut order = self.first_order(account, market, side);
        let mut legs = Vec::new();
        match kind {
            LinkKind::Oco => {
                // Both close, or one above and one below.
                let same = rule == LinkRule::Incremental || self.rng.one_in(2);
                let other = if same { side } else { side.opposite() };
                legs.push(self.leg(account, market, other, true));
            }
            LinkKind::Oto => {
                let triggered = rule == LinkRule::Incremental || self.rng.one_in(2);
                let back = self.rng.pick(&[side, side.opposite(), side.opposite()]);
                legs.push(self.leg(account, market, back, triggered));
            }
            LinkKind::Otoco => {
                let triggered = rule == LinkRule::Incremental || self.rng.one_in(2);
                let back = side.opposite();
                let same = rule == LinkRule::Incremental || !self.rng.one_in(4);
                let other = if same { back } else { side };
                legs.push(self.leg(account, market, back, triggered));
                legs.push(self.leg(account, market, other, true));
                if self.rng.one_in(2) {
                    legs.reverse();
                }
            }
        }
        if self.rng.one_in(8) {
            order = self.with_trigger(order);
        }
        let mut linked = Linked {
            kind,
            rule,
            order,
            legs,
        };
        if self.rng.one_in(10) {
            self.spoil_link(&mut linked);
        }
        linked
    }

    /// An order that trades soon, now or when somebody comes.
    fn first_order(&mut self, account: Account, market: MarketId, side: Side) -> Order {
        let mark = self.mark(market);
        let direction = if side == Side::Buy { 1 } else { -1 };
        let base = self.order(account);
        let price = match self.rng.below(4) {
            0 => mark + direction * self.rng.signed(1, mark / 40),
            _ => mark - direction * self.rng.signed(-2, mark / 100),
        };
        self.near(base, market, side, price)
    }

    /// A leg near the mark, with a trigger that fires soon.
    fn leg(&mut self, account: Account, market: MarketId, side: Side, triggered: bool) -> Order {
        let mark = self.mark(market);
        let direction = if side == Side::Buy { 1 } else { -1 };
        let price = match self.rng.below(3) {
            0 => mark + direction * self.rng.signed(0, mark / 40),
            _ => mark - direction * self.rng.signed(0, mark / 100),
        };
        let base = self.order(account);
        let mut leg = self.near(base, market, side, price);
        if self.rng.one_in(6) {
            leg.tif = TimeInForce::Ioc;
            leg.display = None;
            leg = Order {
                post_only: PostOnly::No,
                max_fills: self.spec.limits.max_fills,
                ..leg
            };
        }
        leg.reduce_only |= self.rng.one_in(6);
        if triggered {
            leg = if self.rng.one_in(3) {
                self.with_trigger(leg)
            } else {
                self.with_soon_trigger(leg)
            };
        }
        leg
    }

    /// An order of a market at a price, otherwise like another one; most can rest.
    fn near(&mut self, base: Order, market: MarketId, side: Side, price: Ticks) -> Order {
        let rests = base.may_rest() || !self.rng.one_in(4);
        let size = self.rng.signed(3, 30);
        Order {
            market,
            side,
            price,
            size,
            tif: if base.may_rest() || !rests {
                base.tif
            } else {
                TimeInForce::Gtc
            },
            reduce_only: base.reduce_only && self.rng.one_in(3),
            client_id: base.client_id.filter(|_| self.rng.one_in(2)),
            display: base.display.map(|display| display.clamp(2, 5)),
            trigger: None,
            peg: None,
            twap: None,
            ..base
        }
    }

    /// The order with a trigger that fires at once, or with the next small move.
    pub(super) fn with_soon_trigger(&mut self, order: Order) -> Order {
        let source = self.rng.pick(&[PriceSource::Mark, PriceSource::Index]);
        let now = self.source_price(order.market, source);
        let away = self.rng.signed(-now / 20, now / 200);
        let condition = if self.rng.one_in(2) {
            Condition::AtOrAbove(now + away)
        } else {
            Condition::AtOrBelow(now - away)
        };
        let trigger = Some(Trigger { source, condition });
        Order { trigger, ..order }
    }

    fn spoil_link(&mut self, linked: &mut Linked) {
        match self.rng.below(8) {
            0 => linked.legs.clear(),
            1 => linked.legs.extend(linked.legs.clone()),
            2 => linked.legs[0].market = MarketId(self.rng.pick(&[0, 3, u32::MAX])),
            3 => {
                for leg in &mut linked.legs {
                    leg.trigger = None;
                }
            }
            4 => linked.order = self.with_peg(linked.order),
            5 => linked.legs[0] = self.with_twap(linked.legs[0]),
            6 => linked.legs[0].size = self.rng.pick(&EDGES),
            _ => {
                linked.rule = LinkRule::Incremental;
                linked.legs[0].side = linked.legs[0].side.opposite();
            }
        }
    }

    /// Linked orders, and market orders that hit what rests of them in this block or the next ones.
    pub(super) fn linked_and_hit(&mut self) -> Vec<Vec<u8>> {
        let account = self.own_account();
        let linked = match self.rng.below(9) {
            0..=2 => self.resting_pair(),
            3..=4 => self.growing_legs(),
            5..=6 => self.pair_that_meets(),
            _ => self.linked(account),
        };
        let market = linked.order.market;
        let against = if linked.order.side == Side::Buy {
            -1
        } else {
            1
        };
        for _ in 0..self.rng.range(1, 3) {
            let at = self.height + self.rng.pick(&[0, 1, 1, 2, 3]);
            let direction = self.rng.pick(&[against, against, -against]);
            self.hits.push((at, market, direction));
        }
        let mut actions = vec![Action::Linked(linked)];
        if self.rng.one_in(8) {
            actions.push(Action::Linked(self.linked(account)));
        }
        vec![self.native_of(account, actions)]
    }

    /// A pair of which both rest soon, one behind the other.
    fn resting_pair(&mut self) -> Linked {
        let market = match self.rng.below(4) {
            0 => MarketId(self.rng.pick(&[5, 6])),
            _ => self.market(),
        };
        let side = self.rng.pick(&[Side::Buy, Side::Sell]);
        let direction = if side == Side::Buy { 1 } else { -1 };
        let mark = self.mark(market);
        let away = self.rng.signed(-6, 3);
        let behind = self.rng.pick(&[0, 0, 2]);
        let mut at = |away: Ticks, iceberg: bool| {
            let size = self.rng.signed(8, 30);
            let display = iceberg.then_some(3);
            let order = Order::limit(market, side, mark - direction * away, size);
            Order { display, ..order }.post_only(PostOnly::Slide)
        };
        let (order, mut leg) = (at(away, true), at(away + behind, false));
        if self.rng.one_in(3) {
            leg.display = order.display;
        }
        if self.rng.one_in(3) {
            leg.post_only = PostOnly::No;
            leg.max_fills = self.spec.limits.max_fills;
        }
        Linked {
            kind: LinkKind::Oco,
            rule: self.rng.pick(&[
                LinkRule::FirstHit,
                LinkRule::CompleteFill,
                LinkRule::Incremental,
                LinkRule::Incremental,
            ]),
            order,
            legs: vec![self.at_once(leg)],
        }
    }

    /// A pair on both sides, of which the second takes the first, or would.
    fn pair_that_meets(&mut self) -> Linked {
        let market = match self.rng.below(3) {
            0 => MarketId(4),
            _ => self.market(),
        };
        let side = self.rng.pick(&[Side::Buy, Side::Sell]);
        let direction = if side == Side::Buy { 1 } else { -1 };
        let price = self.mark(market) + direction * self.rng.signed(0, 6);
        let (size, other) = (self.rng.signed(4, 30), self.rng.signed(4, 30));
        let order = Order::limit(market, side, price, size).post_only(PostOnly::Slide);
        let leg = Order {
            max_fills: self.spec.limits.max_fills,
            self_trade: self.self_trade(),
            ..Order::limit(market, side.opposite(), price - direction * 12, other)
        };
        Linked {
            kind: LinkKind::Oco,
            rule: self.rng.pick(&[LinkRule::FirstHit, LinkRule::CompleteFill]),
            order,
            legs: vec![self.at_once(leg)],
        }
    }

    /// An order that trades in parts, and legs that follow each of them at once.
    fn growing_legs(&mut self) -> Linked {
        let market = self.market();
        let side = self.rng.pick(&[Side::Buy, Side::Sell]);
        let direction = if side == Side::Buy { 1 } else { -1 };
        let mark = self.mark(market);
        let (away, size) = (self.rng.signed(-6, 0), self.rng.signed(10, 40));
        let order = Order::limit(market, side, mark - direction * away, size);
        let mut legs = Vec::new();
        let count = self.rng.pick(&[1, 2, 2]);
        for _ in 0..count {
            let (price, size) = (self.rng.signed(-4, 12), self.rng.signed(10, 40));
            let leg = Order {
                max_fills: self.spec.limits.max_fills,
                tif: self.rng.pick(&[TimeInForce::Gtc, TimeInForce::Ioc]),
                ..Order::limit(market, side.opposite(), mark + direction * -price, size)
            };
            legs.push(self.at_once(leg));
        }
        Linked {
            kind: if legs.len() == 2 {
                LinkKind::Otoco
            } else {
                LinkKind::Oto
            },
            rule: LinkRule::Incremental,
            order: order.post_only(PostOnly::Slide),
            legs,
        }
    }

    /// The order with a trigger that fires as soon as there is a price.
    fn at_once(&mut self, order: Order) -> Order {
        let trigger = Some(Trigger {
            source: self.rng.pick(&[PriceSource::Mark, PriceSource::Index]),
            condition: Condition::AtOrAbove(1),
        });
        Order { trigger, ..order }
    }

    /// The market orders that were to come in this block.
    pub(super) fn hit_linked(&mut self) -> Vec<Vec<u8>> {
        let height = self.height;
        let mut hits = std::mem::take(&mut self.hits);
        let (now, later) = hits.drain(..).partition(|(at, _, _)| *at <= height);
        self.hits = later;
        let now: Vec<Hit> = now;
        let mut txs = Vec::new();
        for (_, market, direction) in now {
            let from = self.own_account();
            let order = self.crossing_order(market, direction);
            let most = self.rng.pick(&[8, 40]);
            let size = self.rng.signed(2, most);
            txs.push(self.native_of(from, vec![Action::Order(Order { size, ..order })]));
        }
        txs
    }
}
