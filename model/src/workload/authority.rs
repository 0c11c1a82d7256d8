//! What price authorities do: prices and statuses of markets.

use super::Workload;
use super::actions::EDGES;
use ballast_types::{
    Account, Action, MarketId, MarketStatus, PriceKind, PriceUpdate, SetMarketStatus, Ticks,
};

impl Workload {
    pub(super) fn authority(&self) -> Account {
        Account::new(self.owners[0], 0)
    }

    pub(super) fn index(&self, market: MarketId) -> Ticks {
        if let Some((index, tick_price)) = self.option_index(market) {
            return index / tick_price;
        }
        let known = self.indexes.get(market.index()).copied();
        known.filter(|price| *price > 0).unwrap_or(1_000)
    }

    /// Prices walk a few percent, and sometimes jump.
    pub(super) fn prices(&mut self) -> Vec<PriceUpdate> {
        let count = self.rng.range(1, 3);
        (0..count)
            .map(|_| {
                let market = self.market();
                let kind = self
                    .rng
                    .pick(&[PriceKind::Mark, PriceKind::Mark, PriceKind::Index]);
                let far = self.rng.one_in(5);
                let moved = self.moved(market, kind, if far { 5 } else { 30 });
                let price = if self.rng.one_in(40) {
                    self.rng.pick(&EDGES)
                } else {
                    moved
                };
                PriceUpdate {
                    market,
                    kind,
                    price,
                }
            })
            .collect()
    }

    /// Small steps of some prices, in most blocks.
    pub(super) fn tick(&mut self) -> Vec<Vec<u8>> {
        let count = self.rng.below(4);
        let mut updates = Vec::new();
        for _ in 0..count {
            let index = self.rng.one_in(2);
            let kind = if index {
                PriceKind::Index
            } else {
                PriceKind::Mark
            };
            let markets = self.priced(kind);
            let market = self.rng.pick(&markets);
            let price = self.moved(market, kind, 40);
            updates.push(PriceUpdate {
                market,
                kind,
                price,
            });
        }
        if updates.is_empty() {
            return Vec::new();
        }
        vec![self.native_of(self.authority(), vec![Action::SetPrices(updates)])]
    }

    /// A jump of one mark, or of one index.
    pub(super) fn jump(&mut self) -> Vec<PriceUpdate> {
        let kind = if self.rng.one_in(3) {
            PriceKind::Index
        } else {
            PriceKind::Mark
        };
        let markets = self.priced(kind);
        let market = self.rng.pick(&markets);
        let price = self.moved(market, kind, 4);
        vec![PriceUpdate {
            market,
            kind,
            price,
        }]
    }

    /// A price up to `1 / part` away from what it is, drawn to 1,000.
    fn moved(&mut self, market: MarketId, kind: PriceKind, part: i64) -> Ticks {
        let now = match kind {
            PriceKind::Mark => self.mark(market),
            PriceKind::Index => self.index(market),
        };
        let step = now / part;
        let moved = now + self.rng.signed(-step, step) + (1_000 - now) / 20;
        moved.clamp(300, 4_000)
    }

    pub(super) fn status(&mut self) -> SetMarketStatus {
        let status = self.rng.pick(&[
            MarketStatus::Open,
            MarketStatus::PostOnly,
            MarketStatus::CancelOnly,
            MarketStatus::Suspended,
            MarketStatus::Auction,
        ]);
        SetMarketStatus {
            market: self.market(),
            status,
        }
    }

    /// Markets that are not open do not stay so for long, unless they expire.
    pub(super) fn reopen(&mut self) -> Vec<Vec<u8>> {
        let mut actions = Vec::new();
        let expiring = self.expiring();
        for (market, status) in (0..).map(MarketId).zip(self.statuses.clone()) {
            let ends =
                status == MarketStatus::Settled || expiring.iter().any(|(id, _)| *id == market);
            let shut = status != MarketStatus::Open && !ends;
            if shut && self.rng.one_in(2) {
                let open = MarketStatus::Open;
                let next = match status {
                    MarketStatus::Auction => [MarketStatus::PostOnly, MarketStatus::CancelOnly],
                    _ => [open, open],
                };
                let status = self.rng.pick(&[open, open, next[0], next[0], next[1]]);
                actions.push(Action::SetMarketStatus(SetMarketStatus { market, status }));
            }
        }
        if actions.is_empty() {
            return Vec::new();
        }
        vec![self.native_of(self.authority(), actions)]
    }
}
