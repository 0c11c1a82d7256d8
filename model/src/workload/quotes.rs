//! Scales, quotes and their protection, and who trades with them.

use super::Workload;
use super::actions::{EDGES, FIRST_OPTION};
use ballast_types::{
    Account, Action, GroupId, Lots, MarketId, Order, PostOnly, Quote, QuoteSide, Quotes, Scale,
    SetProtection, Side, Ticks, TimeInForce,
};

impl Workload {
    /// A random order in several parts; some of them are none.
    pub(super) fn scale(&mut self, account: Account) -> Scale {
        let mut order = self.order(account);
        if !self.rng.one_in(12) {
            order = Order {
                trigger: None,
                peg: None,
                twap: None,
                ..order
            };
        }
        if !order.may_rest() && !self.rng.one_in(12) {
            order.tif = TimeInForce::Gtc;
        }
        if self.rng.one_in(60) {
            order.client_id = Some(u128::MAX - 1);
        }
        let orders = match self.rng.below(30) {
            0 => self.rng.pick(&[0, 1, 64, 65, u16::MAX]),
            _ => u16::try_from(self.rng.range(2, 5)).unwrap_or(2),
        };
        let last_size_ppm = match self.rng.below(30) {
            0 => self
                .rng
                .pick(&[0, 999, 1_000, 1_000_000_000, 1_000_000_001]),
            1..=9 => 1_000_000,
            _ => u32::try_from(self.rng.range(200_000, 5_000_000)).unwrap_or(1),
        };
        Scale {
            last_price: self.price(order.market, order.side),
            orders,
            last_size_ppm,
            order: Order {
                size: order.size.saturating_mul(2),
                ..order
            },
        }
    }

    /// Settled ones seldom.
    fn markets_of(&mut self, group: GroupId) -> Vec<MarketId> {
        let late = self.rng.one_in(12);
        let markets = (0..).map(MarketId).zip(&self.spec.markets);
        let mut markets: Vec<MarketId> = markets
            .filter(|(id, market)| market.group == group && (late || !self.is_settled(*id)))
            .map(|(id, _)| id)
            .collect();
        // Of many options a few, so that orders of several accounts meet.
        let first = usize::try_from(FIRST_OPTION).unwrap_or(usize::MAX);
        let genesis = markets.partition_point(|id| id.index() < first);
        markets.truncate(genesis + 3);
        markets
    }

    /// Quotes in the markets of a group, around their marks.
    pub(super) fn quotes(&mut self, account: Account, group: GroupId) -> Quotes {
        let mut quotes = Vec::new();
        for market in self.markets_of(group) {
            if self.rng.one_in(5) {
                continue;
            }
            let bid = self.quote_side(account, market, Side::Buy);
            let ask = self.quote_side(account, market, Side::Sell);
            quotes.push(Quote { market, bid, ask });
        }
        let kinds = [PostOnly::Slide, PostOnly::Slide, PostOnly::Reject];
        let mut quotes = Quotes {
            group,
            post_only: self.rng.pick(&kinds),
            quotes,
        };
        if self.rng.one_in(12) {
            self.spoil(&mut quotes);
        }
        quotes
    }

    fn spoil(&mut self, quotes: &mut Quotes) {
        match self.rng.below(6) {
            0 => quotes.post_only = PostOnly::No,
            1 => quotes.quotes.clear(),
            2 => quotes.quotes.reverse(),
            3 => quotes.quotes.extend(quotes.quotes.clone()),
            4 => quotes.group = GroupId(self.rng.pick(&[0, 1, 2, 3, u16::MAX])),
            _ => {
                let market = MarketId(self.rng.pick(&[0, 4, 5, u32::MAX]));
                quotes.quotes.push(Quote {
                    market,
                    bid: None,
                    ask: None,
                });
            }
        }
    }

    /// Where the account quotes a side already, mostly there.
    fn quote_side(&mut self, account: Account, market: MarketId, side: Side) -> Option<QuoteSide> {
        if self.rng.one_in(7) {
            return None;
        }
        let direction = if side == Side::Buy { -1 } else { 1 };
        let known = self.orders.iter().rev();
        let mut known = known.filter(|known| known.part && known.account == account);
        let old = known.find(|known| known.market == market && known.side == side);
        let old = old.map(|known| (known.price, known.size));
        let near = self.mark(market) + direction * self.rng.signed(-1, 12);
        let size = self.rng.signed(2, 40);
        let (price, size): (Ticks, Lots) = match (self.rng.below(12), old) {
            (0, _) => (near, self.rng.pick(&[0, 1, -1, 5_000])),
            (1, Some((price, _))) => (price, self.rng.pick(&[0, 1])),
            (2..=4, Some((price, size))) => (price, size),
            (5..=7, Some((price, size))) => (price, self.rng.signed(2, size.max(2))),
            _ if self.rng.one_in(60) => (self.rng.pick(&EDGES), size),
            _ => (near, size),
        };
        let price = self.stepped(market, price);
        Some(QuoteSide { price, size })
    }

    /// Bounds that few fills reach, mostly.
    pub(super) fn protection(&mut self, group: GroupId) -> SetProtection {
        let markets = self.markets_of(group);
        let lot = match markets.is_empty() {
            true => 1,
            false => {
                let market = self.rng.pick(&markets);
                let tick_value = self.spec.market(market).map_or(1, |m| m.tick_value);
                i128::from(self.mark(market)) * tick_value
            }
        };
        let lot = u128::try_from(lot).unwrap_or(1);
        let part = u128::from(self.rng.below(3));
        let mut lots = || u128::from(self.rng.range(3, 30)) * lot + part * lot / 3;
        let bounds = [lots(), lots()];
        let [notional, delta] = match self.rng.below(7) {
            0..=1 => [bounds[0], 0],
            2..=3 => [0, bounds[1]],
            4 => self
                .rng
                .pick(&[[0, 0], [1, 0], [0, 1], [u128::MAX, u128::MAX]]),
            _ => bounds,
        };
        SetProtection {
            group,
            interval_ms: match self.rng.below(24) {
                0 => 0,
                1 => self.rng.pick(&[1, 86_400_000, 86_400_001, u64::MAX]),
                _ => self.rng.range(500, 6_000),
            },
            freeze_ms: match self.rng.below(24) {
                0..=4 => 0,
                5 => self.rng.pick(&[86_400_000, 86_400_001, u64::MAX]),
                _ => self.rng.range(1, 4_000),
            },
            notional,
            delta,
            vega: match self.rng.below(6) {
                0 => u128::from(self.rng.range(200, 20_000)),
                _ => 0,
            },
        }
    }

    /// Notional of some whole lots of one of these quotes; a fill can reach it exactly.
    fn part_of(&mut self, quotes: &Quotes) -> u128 {
        let all = quotes.quotes.iter();
        let sides = all.flat_map(|quote| {
            let sides = [quote.bid, quote.ask].into_iter().flatten();
            sides.map(|side| (quote.market, side))
        });
        let sides: Vec<_> = sides.collect();
        if sides.is_empty() {
            return 0;
        }
        let (market, side) = self.rng.pick(&sides);
        let lots = self.rng.signed(1, side.size.clamp(1, 20));
        let tick_value = self.spec.market(market).map_or(1, |m| m.tick_value);
        let notional = i128::from(side.price) * i128::from(lots) * tick_value;
        u128::try_from(notional).unwrap_or(0)
    }

    /// Makers that quote a group with a protection, and who hits them in the same block: in several
    /// orders, or in one that must be filled whole.
    pub(super) fn quoted(&mut self) -> Vec<Vec<u8>> {
        if self.rng.one_in(3) {
            return self.quoted_to_the_lot();
        }
        let group = GroupId(self.rng.pick(&[0, 0, 1, 1, 2]));
        let mut txs = Vec::new();
        let makers = self.rng.range(1, 3);
        for _ in 0..makers {
            let account = self.own_account();
            let mut actions = Vec::new();
            let quotes = self.quotes(account, group);
            if self.rng.one_in(3) {
                let mut protection = self.protection(group);
                let part = self.part_of(&quotes);
                match self.rng.below(4) {
                    0 => (protection.notional, protection.delta) = (part, 0),
                    1 => (protection.notional, protection.delta) = (0, part),
                    2 => protection.notional = part,
                    _ => {}
                }
                actions.push(Action::SetProtection(protection));
            }
            actions.push(Action::Quotes(quotes));
            if self.rng.one_in(6) {
                actions.push(Action::Quotes(self.quotes(account, group)));
            }
            txs.push(self.native_of(account, actions));
        }
        let markets = self.markets_of(group);
        for _ in 0..self.rng.range(1, 3) {
            let market = self.rng.pick(&markets);
            if self.rng.one_in(2) {
                txs.extend(self.closer(market));
                continue;
            }
            let from = self.own_account();
            let direction = self.rng.pick(&[-1, 1]);
            let order = self.crossing_order(market, direction);
            let spot = self
                .spec
                .market(market)
                .is_some_and(|market| !market.kind.is_derivative());
            let order = Order {
                size: self.rng.signed(5, if spot { 150 } else { 60 }),
                tif: self.rng.pick(&[
                    TimeInForce::Ioc,
                    TimeInForce::Ioc,
                    TimeInForce::Fok,
                    TimeInForce::Gtc,
                ]),
                ..order
            };
            txs.push(self.native_of(from, vec![Action::Order(order)]));
        }
        txs
    }

    /// One quote at a good price, protected by a bound of some whole lots, and who takes it.
    fn quoted_to_the_lot(&mut self) -> Vec<Vec<u8>> {
        let (account, other) = (self.own_account(), self.own_account());
        let market = MarketId(self.rng.pick(&[0, 1, 2, 3, 4]));
        let Some(spec) = self.spec.market(market) else {
            return Vec::new();
        };
        let (group, tick_value) = (spec.group, spec.tick_value);
        let perpetual = spec.kind.is_derivative();
        let mut side = self.rng.pick(&[Side::Buy, Side::Sell]);
        let (mark, mut size) = (self.mark(market), self.rng.signed(4, 20));
        let mut lots = self.rng.signed(2, size);
        // Who closes a position that is smaller than the bound.
        let closing = self.smallest(market).filter(|_| self.rng.one_in(3));
        if let Some((position, _)) = closing {
            side = Self::closing(position).opposite();
            (lots, size) = (position.abs() + 2, position.abs() + 6);
        }
        let direction = if side == Side::Buy { 1 } else { -1 };
        let price = mark + self.rng.signed(0, 6) * direction;
        let value = i128::from(lots) * tick_value;
        let bound = |price: Ticks| u128::try_from(i128::from(price) * value).unwrap_or(0);
        let by_delta = self.rng.one_in(2);
        let protection = SetProtection {
            notional: if by_delta { 0 } else { bound(price) },
            delta: match (by_delta, perpetual) {
                (false, _) => 0,
                (true, false) => bound(price),
                (true, true) => bound(mark),
            },
            interval_ms: self.rng.range(500, 6_000),
            ..self.protection(group)
        };
        let wanted = Some(QuoteSide { price, size });
        let quote = Quote {
            market,
            bid: wanted.filter(|_| side == Side::Buy),
            ask: wanted.filter(|_| side == Side::Sell),
        };
        let quotes = Quotes {
            group,
            post_only: PostOnly::Reject,
            quotes: vec![quote],
        };
        let actions = vec![Action::SetProtection(protection), Action::Quotes(quotes)];
        if closing.is_some() {
            let mut txs = vec![self.native_of(account, actions)];
            txs.extend(self.closer(market));
            return txs;
        }
        let taker = Order {
            tif: self.rng.pick(&[TimeInForce::Ioc, TimeInForce::Fok]),
            size: match self.rng.below(3) {
                0 => lots,
                _ => self.rng.signed(4, 30),
            },
            ..self.crossing_order(market, -direction)
        };
        vec![
            self.native_of(account, actions),
            self.native_of(other, vec![Action::Order(taker)]),
        ]
    }

    /// Who has the smallest position closes it with an order for much more.
    fn closer(&mut self, market: MarketId) -> Option<Vec<u8>> {
        let (size, account) = self.smallest(market)?;
        let order = Order {
            size: 60,
            reduce_only: true,
            ..self.crossing_order(market, -size)
        };
        Some(self.native_of(account, vec![Action::Order(order)]))
    }

    /// The smallest position in a market, and whose it is.
    fn smallest(&self, market: MarketId) -> Option<(Lots, Account)> {
        let held = self.positions.iter().filter(|((account, of), (size, _))| {
            *of == market && *size != 0 && self.is_owned(*account)
        });
        let held = held.map(|((account, _), (size, _))| (size.abs(), *size, *account));
        held.min().map(|(_, size, account)| (size, account))
    }

    /// Amends and quotes for the same side in one transaction.
    pub(super) fn quoted_twice(&mut self) -> Vec<Vec<u8>> {
        // Also parts of scales.
        let quoting: Vec<_> = self
            .orders
            .iter()
            .filter(|known| known.part && self.is_owned(known.account))
            .copied()
            .collect();
        if quoting.is_empty() {
            return Vec::new();
        }
        let known = self.rng.pick(&quoting);
        let group = self.spec.market(known.market).map(|market| market.group);
        let amend = Action::Amend(self.amend_of(Some(known)));
        let quotes = self.quotes(known.account, group.unwrap_or_default());
        let actions = match self.rng.below(3) {
            0 => vec![amend],
            1 => vec![amend, Action::Quotes(quotes)],
            _ => vec![Action::Quotes(quotes), amend],
        };
        vec![self.native_of(known.account, actions)]
    }
}
