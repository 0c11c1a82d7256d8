//! Futures near their expiry, and the clock that reaches it.

use super::Workload;
use super::actions::EDGES;
use ballast_types::{
    Account, Action, LinkKind, LinkRule, Linked, MarketId, MarketKind, MarketStatus, Order,
    PostOnly, PriceKind, PriceUpdate, SetMarketStatus, Side, TimeInForce, TimeMs, sign_native,
};

/// Time after genesis at which no block comes for a while, in ms.
const HALT_AT: TimeMs = 26_000;
/// How long none comes, in ms: most of the window before an expiry.
const HALT_MS: TimeMs = 1_790_000;
/// From how long before its expiry on a future is filled with orders, in ms.
const FILLING_MS: TimeMs = 4_000;

impl Workload {
    /// The time of the next block: soon, but once half an hour later.
    pub(super) fn next_time(&mut self) -> TimeMs {
        let next = self.time + self.rng.range(100, 1_500);
        let age = next - self.spec.genesis_time;
        if (HALT_AT..HALT_MS).contains(&age) {
            return next + HALT_MS;
        }
        next
    }

    pub(super) fn is_settled(&self, market: MarketId) -> bool {
        self.statuses.get(market.index()) == Some(&MarketStatus::Settled)
    }

    /// Markets that are not settled and have prices of this kind. One spot market never has any.
    pub(super) fn priced(&self, kind: PriceKind) -> Vec<MarketId> {
        let markets = (0..).map(MarketId).zip(&self.spec.markets);
        markets
            .filter(|(_, market)| !matches!(market.kind, MarketKind::Option { .. }))
            .filter(|(id, market)| {
                market.kind.is_derivative() || kind == PriceKind::Index && *id != MarketId(6)
            })
            .map(|(id, _)| id)
            .filter(|id| !self.is_settled(*id))
            .collect()
    }

    /// Futures and options that are not settled and expire so soon that the blocks before are few.
    pub(super) fn expiring(&self) -> Vec<(MarketId, TimeMs)> {
        let markets = (0..).map(MarketId).zip(&self.spec.markets);
        markets
            .filter_map(|(id, market)| Some((id, market.kind.expiry()?)))
            .filter(|(id, expiry)| !self.is_settled(*id) && *expiry < self.time + FILLING_MS)
            .collect()
    }

    /// Positions and orders of every kind for futures and some options that expire soon, and what
    /// is sent to those that have.
    pub(super) fn futures(&mut self) -> Vec<Vec<u8>> {
        let mut txs = Vec::new();
        let (mut expiring, options): (Vec<_>, Vec<_>) = self
            .expiring()
            .into_iter()
            .partition(|(id, _)| !self.is_option(*id));
        if !options.is_empty() {
            expiring.push(self.rng.pick(&options));
        }
        for (market, expiry) in expiring {
            let account = self.own_account();
            txs.extend(self.opened(market));
            for _ in 0..3 {
                let account = self.own_account();
                let action = self.left_in(account, market);
                txs.push(self.native_of(account, vec![action]));
            }
            if expiry < self.time + 2_500 {
                txs.push(self.before_expiry(account, market));
            }
        }
        let settled = (0..).map(MarketId).take(self.spec.markets.len());
        let settled: Vec<MarketId> = settled.filter(|id| self.is_settled(*id)).collect();
        let (mut settled, options): (Vec<_>, Vec<_>) =
            settled.into_iter().partition(|id| !self.is_option(*id));
        if !options.is_empty() {
            settled.push(self.rng.pick(&options));
        }
        for market in settled {
            if self.rng.one_in(4) {
                let tx = self.too_late(market);
                txs.push(tx);
            }
        }
        txs
    }

    /// Two accounts trade, one of them as much as it can.
    fn opened(&mut self, market: MarketId) -> Vec<Vec<u8>> {
        let (account, other) = (self.own_account(), self.own_account());
        let direction = self.rng.pick(&[-1, 1]);
        let taker = Order {
            size: self.rng.pick(&[20, 60, 200]),
            ..self.crossing_order(market, direction)
        };
        let maker = Order {
            side: taker.side.opposite(),
            price: self.mark(market),
            tif: TimeInForce::Gtc,
            max_fills: 0,
            ..taker
        };
        vec![
            self.native_of(
                account,
                vec![Action::Order(maker.post_only(PostOnly::Slide))],
            ),
            self.native_of(other, vec![Action::Order(taker)]),
        ]
    }

    /// An order that is still there when the future expires: far from the mark, or waiting.
    fn left_in(&mut self, account: Account, market: MarketId) -> Action {
        let side = self.rng.pick(&[Side::Buy, Side::Sell]);
        let direction = if side == Side::Buy { 1 } else { -1 };
        let mark = self.mark(market);
        let price = mark - direction * self.rng.signed(mark / 20, mark / 5);
        let order = Order {
            tif: self.rng.pick(&[
                TimeInForce::Gtc,
                TimeInForce::Gtt(self.time + 60_000),
                TimeInForce::Gtt(self.time + 4_000),
            ]),
            max_fills: self.spec.limits.max_fills,
            ..Order::limit(market, side, price, self.rng.signed(4, 12))
        };
        let stays = Order {
            tif: TimeInForce::Gtc,
            ..order
        };
        match self.rng.below(8) {
            0 => Action::Order(self.with_trigger(order)),
            1 => Action::Order(self.with_twap(order)),
            2..=3 => Action::Order(self.with_peg(stays)),
            4 => Action::Linked(Linked {
                kind: LinkKind::Oto,
                rule: LinkRule::FirstHit,
                order: stays,
                legs: vec![Order {
                    side: side.opposite(),
                    ..stays
                }],
            }),
            5 => {
                let mut linked = self.linked(account);
                linked.order.market = market;
                for leg in &mut linked.legs {
                    leg.market = market;
                }
                Action::Linked(linked)
            }
            6 => Action::Order(Order {
                display: Some(2),
                ..order
            }),
            _ => Action::Order(order),
        }
    }

    /// What changes in the last blocks of a future: it is suspended with prices that wait, or it
    /// collects, and its book is crossed.
    fn before_expiry(&mut self, account: Account, market: MarketId) -> Vec<u8> {
        let mark = self.mark(market);
        if self.statuses.get(market.index()) == Some(&MarketStatus::Auction) {
            let crossing = [Side::Buy, Side::Sell].map(|side| {
                let direction = if side == Side::Buy { 1 } else { -1 };
                let order = Order::limit(market, side, mark + direction * 5, 4);
                let max_fills = self.spec.limits.max_fills;
                Action::Order(Order { max_fills, ..order })
            });
            return self.native_of(account, crossing.to_vec());
        }
        let (suspended, auction) = (MarketStatus::Suspended, MarketStatus::Auction);
        let open = MarketStatus::Open;
        let status = self
            .rng
            .pick(&[suspended, suspended, auction, auction, open]);
        let change = Action::SetMarketStatus(SetMarketStatus { market, status });
        let updates = [PriceKind::Mark, PriceKind::Index].map(|kind| PriceUpdate {
            market,
            kind,
            price: mark + 50,
        });
        let prices = Action::SetPrices(updates.to_vec());
        // Before all else that the authority sends, which may have used its tokens up.
        let authority = self.authority();
        let secret = self.owner(authority.master);
        let mut body = self.body(authority, &secret, vec![change, prices]);
        body.nonce -= 1_000;
        sign_native(&body, &secret)
    }

    /// Orders, prices and statuses for a market that is settled.
    fn too_late(&mut self, market: MarketId) -> Vec<u8> {
        let status = self.rng.pick(&[MarketStatus::Open, MarketStatus::Settled]);
        let kind = self.rng.pick(&[PriceKind::Mark, PriceKind::Index]);
        let price = self.rng.pick(&[900, 1_100, EDGES[0], EDGES[2]]);
        let update = PriceUpdate {
            market,
            kind,
            price,
        };
        let action = match self.rng.below(4) {
            0 => Action::SetMarketStatus(SetMarketStatus { market, status }),
            1 => Action::SetPrices(vec![update]),
            2 => {
                // Settled by decree, which no market is.
                let market = self.market();
                let status = MarketStatus::Settled;
                Action::SetMarketStatus(SetMarketStatus { market, status })
            }
            _ => {
                let account = self.own_account();
                let action = self.left_in(account, market);
                return self.native_of(account, vec![action]);
            }
        };
        self.native_of(self.authority(), vec![action])
    }
}
