//! Transactions that belong together: those of masters that meet themselves, of icebergs, of orders
//! that a jump of a price triggers together, and of dead man's switches.

use super::Workload;
use ballast_types::{
    Account, Action, Condition, Order, PostOnly, PriceKind, PriceSource, PriceUpdate,
    SelfTradeScope, SetMarketStatus, Side, TimeInForce, Trigger,
};

impl Workload {
    pub(super) fn story(&mut self) -> Vec<Vec<u8>> {
        match self.rng.below(10) {
            0..=1 => self.meets_itself(),
            2..=3 => self.iceberg(),
            4..=6 => self.pile(),
            7 => self.switch(),
            8 => self.trimmed(),
            _ => {
                let change: SetMarketStatus = self.status();
                vec![self.native_of(self.authority(), vec![Action::SetMarketStatus(change)])]
            }
        }
    }

    /// Two accounts of one master, or twice the same, one after the other at a good price.
    fn meets_itself(&mut self) -> Vec<Vec<u8>> {
        let account = self.own_account();
        let master = account.master;
        let own = self.accounts.iter().filter(|other| other.master == master);
        let own: Vec<Account> = own.copied().collect();
        let other = self.rng.pick(&own);
        let market = self.market();
        let side = self.rng.pick(&[Side::Buy, Side::Sell]);
        let direction = if side == Side::Buy { 1 } else { -1 };
        let makers: Vec<Action> = (0..2)
            .map(|_| {
                let size = self.rng.signed(4, 20);
                let price = self.mark(market) + self.rng.signed(0, 3) * direction;
                let order = Order::limit(market, side, price, size).post_only(PostOnly::Slide);
                let display = self.rng.one_in(3).then_some(2);
                Action::Order(Order { display, ..order })
            })
            .collect();
        let taker = Order {
            self_trade: self.self_trade(),
            self_trade_scope: SelfTradeScope::Master,
            tif: self
                .rng
                .pick(&[TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok]),
            size: self.rng.signed(2, 30),
            ..self.crossing_order(market, -direction)
        };
        vec![
            self.native_of(account, makers),
            self.native_of(other, vec![Action::Order(taker)]),
        ]
    }

    /// An iceberg at the best price, and who takes several slices of it.
    fn iceberg(&mut self) -> Vec<Vec<u8>> {
        let (account, other) = (self.own_account(), self.own_account());
        let market = self.market();
        let side = self.rng.pick(&[Side::Buy, Side::Sell]);
        let direction = if side == Side::Buy { 1 } else { -1 };
        let price = self.mark(market) + self.rng.signed(0, 9) * direction;
        let size = self.rng.signed(10, 30);
        let maker = Order {
            display: Some(self.rng.signed(2, 5)),
            ..Order::limit(market, side, price, size).post_only(PostOnly::Slide)
        };
        let taker = Order {
            size: self.rng.signed(4, 30),
            ..self.crossing_order(market, -direction)
        };
        vec![
            self.native_of(account, vec![Action::Order(maker)]),
            self.native_of(other, vec![Action::Order(taker)]),
        ]
    }

    /// A position is to be closed by an iceberg far away, and half of it is closed at once.
    fn trimmed(&mut self) -> Vec<Vec<u8>> {
        let account = self.own_account();
        let held = self.held(account);
        if held.is_empty() {
            return Vec::new();
        }
        let (market, position) = self.rng.pick(&held);
        let direction = position.signum();
        let price = self.mark(market) + direction * self.mark(market) / 40;
        let size = position.abs().max(4);
        let iceberg = Order {
            display: Some(2),
            reduce_only: true,
            ..Order::limit(market, Self::closing(position), price, size)
        };
        let half = Order {
            size: size / 2,
            ..self.crossing_order(market, -position)
        };
        let iceberg = iceberg.post_only(PostOnly::Slide);
        let actions = [iceberg, half].map(Action::Order).to_vec();
        vec![self.native_of(account, actions)]
    }

    /// Orders of several accounts wait for about the same price, which comes in the next block.
    fn pile(&mut self) -> Vec<Vec<u8>> {
        let market = self.market();
        let source = self
            .rng
            .pick(&[PriceSource::Mark, PriceSource::Mark, PriceSource::Index]);
        let now = self.source_price(market, source);
        let up = self.rng.one_in(2);
        let (step, direction) = if up { (now / 30, 1) } else { (-now / 30, -1) };
        let mut txs = Vec::new();
        for _ in 0..self.rng.range(2, 4) {
            let account = self.own_account();
            let near = now + step * self.rng.signed(1, 3) / 3;
            let condition = if up {
                Condition::AtOrAbove(near)
            } else {
                Condition::AtOrBelow(near)
            };
            let position = self.position(account, market);
            let order = match self.rng.below(4) {
                // A stop order, or what is left of one.
                0 => Order {
                    reduce_only: true,
                    ..self.crossing_order(market, direction)
                },
                1 if position != 0 => Order {
                    size: position.abs(),
                    side: Self::closing(position),
                    ..self.crossing_order(market, -position)
                },
                _ => self.order(account),
            };
            let order = Order {
                market,
                trigger: Some(Trigger { source, condition }),
                peg: None,
                twap: None,
                ..order
            };
            txs.push(self.native_of(account, vec![Action::Order(order)]));
        }
        let kind = match source {
            PriceSource::Index => PriceKind::Index,
            _ => PriceKind::Mark,
        };
        let update = PriceUpdate {
            market,
            kind,
            price: (now + step).clamp(300, 4_000),
        };
        let prices = vec![Action::SetPrices(vec![update])];
        txs.push(self.native_of(self.authority(), prices));
        txs
    }

    /// An account places some orders and arms its switch, for the next block or the one after it.
    fn switch(&mut self) -> Vec<Vec<u8>> {
        let account = self.own_account();
        let count = self.rng.range(0, 4);
        let mut actions = vec![Action::CancelAfter(1_000)];
        for _ in 0..count {
            let market = self.market();
            let price = self.mark(market) * 9 / 10;
            let order = Order::limit(market, Side::Buy, price, self.rng.signed(2, 9));
            actions.push(Action::Order(order.post_only(PostOnly::Slide)));
        }
        vec![self.native_of(account, actions)]
    }
}
