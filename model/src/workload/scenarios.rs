//! Transactions that belong together and reach what chance rarely does.

use super::Workload;
use ballast_types::{
    Account, Action, Amend, Atoms, Cancel, Lots, MarketId, Order, PostOnly, PriceKind, PriceUpdate,
    Side, TimeInForce, Transfer,
};

impl Workload {
    /// Transactions that belong together and reach what chance rarely does.
    pub(super) fn scenario(&mut self) -> Vec<Vec<u8>> {
        let account = self.own_account();
        let authority = self.authority();
        match self.rng.below(18) {
            13..=17 => self.squeeze(),
            // A jump of the marks.
            0..=3 => {
                let prices = vec![Action::SetPrices(self.jump())];
                vec![self.native_of(authority, prices)]
            }
            // Everything is cancelled, and something that takes comes in the same transaction.
            4..=7 => {
                let order = Order {
                    post_only: PostOnly::No,
                    max_fills: 3,
                    peg: None,
                    twap: None,
                    ..self.order(account)
                };
                let actions = vec![Action::Cancel(Cancel::All(None)), Action::Order(order)];
                vec![self.native_of(account, actions)]
            }
            // More cancels than there are tokens.
            8 => {
                let count = usize::from(self.spec.limits.tx_actions);
                let mut cancels = || {
                    (0..count)
                        .map(|_| Action::Cancel(self.cancel(account)))
                        .collect::<Vec<_>>()
                };
                let batches = [cancels(), cancels()];
                batches
                    .map(|actions| self.native_of(account, actions))
                    .to_vec()
            }
            // The same order is amended twice.
            _ => {
                let known = self.own_order(account);
                let amends: Vec<Amend> = (0..2).map(|_| self.amend_of(known)).collect();
                let keep = |amend| {
                    Action::Amend(Amend {
                        keep_on_reject: true,
                        ..amend
                    })
                };
                let actions = amends.into_iter().map(keep).collect();
                vec![self.native_of(account, actions)]
            }
        }
    }

    /// Markets in which the account has a position, with its size.
    pub(super) fn held(&self, account: Account) -> Vec<(MarketId, Lots)> {
        let held = self
            .positions
            .iter()
            .filter(|((a, _), (size, _))| *a == account && *size != 0);
        held.map(|((_, market), (size, _))| (*market, *size))
            .collect()
    }

    /// True when equity is below twice the maintenance margin of the positions, about.
    fn is_weak(&self, account: Account) -> bool {
        let cash = self
            .balances
            .get(&(account, self.spec.margin_asset))
            .copied()
            .unwrap_or(0);
        let mut spare = cash;
        for (id, market) in (0..).map(MarketId).zip(&self.spec.markets) {
            if let Some((size, cost)) = self.positions.get(&(account, id)) {
                let value = Atoms::from(self.mark(id)) * market.tick_value * Atoms::from(*size);
                let margin = value.abs() * Atoms::from(market.maintenance_margin_ppm) / 1_000_000;
                spare += value - cost - 2 * margin;
            }
        }
        spare < 0 && !self.held(account).is_empty()
    }

    fn owned(&self, weak: bool) -> Vec<Account> {
        let owned = self
            .accounts
            .iter()
            .filter(|account| self.is_owned(**account));
        owned
            .filter(|account| self.is_weak(**account) == weak)
            .copied()
            .collect()
    }

    /// After a move of the marks: orders of accounts that may be uncovered now, cash for them, and
    /// orders of a rich account that meet what they have resting.
    pub(super) fn rescue(&mut self) -> Vec<Vec<u8>> {
        let margin = self.spec.margin_asset;
        let cash = |account: &Account| self.balances.get(&(*account, margin)).copied();
        let Some(richest) = self.owned(false).into_iter().max_by_key(cash) else {
            return Vec::new();
        };
        let amount = cash(&richest)
            .and_then(|cash| u128::try_from(cash / 2).ok())
            .unwrap_or(0);
        let weak = self.owned(true);
        let mut txs = Vec::new();
        for _ in 0..3.min(weak.len()) {
            let to = self.rng.pick(&weak);
            let with_cash = self.rng.one_in(3);
            if with_cash {
                let send = Action::Transfer(Transfer {
                    asset: margin,
                    amount,
                    to,
                });
                txs.push(self.native_of(richest, vec![send]));
            }
            for (market, size) in self.held(to) {
                let tx = if with_cash {
                    let closes = self.crossing_order(market, -size);
                    let size = self.rng.signed(size.abs() + 1, 2 * size.abs() + 2);
                    self.native_of(to, vec![Action::Order(Order { size, ..closes })])
                } else {
                    let from = self.rng.pick(&[to, richest, richest, richest]);
                    let order = self.crossing_order(market, size);
                    let larger = size.abs() * 2 + 40;
                    let size = if from == to { order.size } else { larger };
                    self.native_of(from, vec![Action::Order(Order { size, ..order })])
                };
                txs.push(tx);
            }
        }
        txs
    }

    /// An IOC order in the direction of `position`, with a limit that crosses.
    pub(super) fn crossing_order(&mut self, market: MarketId, position: Lots) -> Order {
        let side = if position > 0 { Side::Buy } else { Side::Sell };
        let mark = self.mark(market);
        Order {
            market,
            side,
            price: if side == Side::Buy {
                mark + mark / 25
            } else {
                mark - mark / 25
            },
            size: self.rng.signed(2, 2 * position.abs() + 2),
            tif: TimeInForce::Ioc,
            max_fills: self.spec.limits.max_fills,
            ..Order::limit(market, side, 0, 0)
        }
    }

    /// An account rests more in one market than closes its position there, and a mark elsewhere
    /// jumps against it: it becomes uncovered while those orders are near their mark.
    fn squeeze(&mut self) -> Vec<Vec<u8>> {
        let mut exposed = [self.owned(false), self.owned(true)].concat();
        exposed.retain(|account| self.held(*account).len() > 1);
        if exposed.is_empty() {
            return Vec::new();
        }
        let account = self.rng.pick(&exposed);
        let mut held = self.held(account);
        held.sort_by_key(|(market, size)| {
            let tick_value = self
                .spec
                .market(*market)
                .map_or(0, |market| market.tick_value);
            Atoms::from(size.abs()) * tick_value
        });
        let Some((jumping, against)) = held.pop() else {
            return Vec::new();
        };
        let mut actions = Vec::new();
        for (market, size) in &held {
            let mark = self.mark(*market);
            let away = self.rng.signed(mark / 200, mark / 60) * size.signum();
            actions.push(Action::Order(Order {
                price: mark + away,
                size: size.abs() * 2,
                tif: TimeInForce::Gtc,
                reduce_only: false,
                post_only: PostOnly::Reject,
                max_fills: 0,
                ..self.crossing_order(*market, -size)
            }));
        }
        self.squeezed = held;
        let mark = self.mark(jumping);
        let mut price = (mark - against.signum() * mark / 2).clamp(300, 4_000);
        let mut jumping = jumping;
        if let Some(reference) = self.reference_of_option(jumping) {
            let now = self.mark(reference);
            jumping = reference;
            price = self.rng.pick(&[now * 2 / 3, now * 3 / 2]).clamp(300, 4_000);
        }
        let update = PriceUpdate {
            market: jumping,
            kind: PriceKind::Mark,
            price,
        };
        let authority = self.authority();
        let jump = vec![Action::SetPrices(vec![update])];
        vec![
            self.native_of(account, actions),
            self.native_of(authority, jump),
        ]
    }

    /// In the block after a squeeze: what meets the orders that it left.
    pub(super) fn hit_squeezed(&mut self) -> Vec<Vec<u8>> {
        let mut txs = Vec::new();
        for (market, size) in std::mem::take(&mut self.squeezed) {
            let order = self.crossing_order(market, size);
            let size = 2 * size.abs() + 40;
            let from = self.own_account();
            txs.push(self.native_of(from, vec![Action::Order(Order { size, ..order })]));
        }
        txs
    }
}
