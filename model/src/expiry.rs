//! Futures: what their settlement prices are made of, and what happens when they expire.

use crate::Model;
use crate::state::Position;
use ballast_types::{
    Account, Atoms, Event, MarketId, MarketKind, MarketStatus, SETTLEMENT_WINDOW_MS, Ticks, TimeMs,
};

/// Index times milliseconds, and those milliseconds, of a future or of the options of an expiry so
/// far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Samples {
    pub(crate) sum: Atoms,
    pub(crate) weight: TimeMs,
}

impl Model {
    pub(crate) fn is_settled(&self, market: MarketId) -> bool {
        self.state.statuses[market.index()] == MarketStatus::Settled
    }

    /// Futures that are not settled, and when they expire.
    fn futures(&self) -> Vec<(MarketId, TimeMs)> {
        let markets = self.markets().zip(&self.spec.markets);
        markets
            .filter(|(market, _)| !self.is_settled(*market))
            .filter_map(|(market, spec)| match spec.kind {
                MarketKind::Future { expiry } => Some((market, expiry)),
                _ => None,
            })
            .collect()
    }

    /// The index, or the mark while there is none.
    pub(crate) fn index_or_mark(&self, market: MarketId) -> Ticks {
        match self.state.indexes[market.index()] {
            0 => self.state.mark(market),
            index => index,
        }
    }

    /// Before anything of the block takes effect: the time since the block before, at its prices.
    pub(crate) fn sample(&mut self) {
        let (last, time) = (self.state.time, self.block.time);
        for (market, expiry) in self.futures() {
            let begin = expiry.saturating_sub(SETTLEMENT_WINDOW_MS);
            let (from, to) = (last.max(begin), time.min(expiry));
            let within = to.saturating_sub(from);
            let price = self.index_or_mark(market);
            let samples = &mut self.state.samples[market.index()];
            samples.sum += Atoms::from(price) * Atoms::from(within);
            samples.weight += within;
            let name = match (last < begin, expiry < time) {
                (true, _) => "sample of the first part of a span",
                (_, true) => "sample of the last part of a span",
                _ => "sample of a whole span",
            };
            self.coverage.count_if(within > 0, name);
        }
        self.sample_options(last);
        self.state.time = time;
    }

    /// After the prices of the block: futures that have expired are settled.
    pub(crate) fn settle_expired(&mut self) {
        for (market, expiry) in self.futures() {
            if self.block.time >= expiry {
                self.settle_market(market);
            }
        }
    }

    /// The average of the samples, rounded to the nearest tick.
    fn settlement_price(&mut self, market: MarketId) -> Ticks {
        let Samples { sum, weight } = self.state.samples[market.index()];
        let price = if weight == 0 {
            self.coverage.count("settled without a sample");
            self.index_or_mark(market)
        } else {
            self.coverage.count("settled by samples");
            let weight = Atoms::from(weight);
            Ticks::try_from((sum + weight / 2) / weight).expect("an average of ticks")
        };
        price.clamp(1, self.spec.markets[market.index()].max_price)
    }

    fn settle_market(&mut self, market: MarketId) {
        let at = market.index();
        let name = format!("settled when {:?}", self.state.statuses[at]);
        self.coverage.count(&name);
        let crossed = self.is_crossed(market);
        self.coverage
            .count_if(crossed, "settled with a crossed book");
        let healthy: Vec<Account> = self
            .state
            .accounts
            .keys()
            .filter(|account| self.equity(**account) >= 0)
            .copied()
            .collect();
        let price = self.settlement_price(market);
        self.state.marks[at] = price;
        self.state.indexes[at] = price;
        self.state.statuses[at] = MarketStatus::Settled;
        let pending = self.state.pending.len();
        self.state.pending.retain(|(of, _), _| *of != market);
        self.coverage.count_if(
            self.state.pending.len() < pending,
            "price of a settled market dropped",
        );
        self.settle_positions(market, price);
        for account in healthy {
            let deficit = self.equity(account) < 0;
            self.coverage
                .count_if(deficit, "deficit made by settlement");
        }
        let group = self.group_of(market);
        self.block.stale.insert(group);
        self.block.events.push(Event::Settled { market, price });
    }

    fn settle_positions(&mut self, market: MarketId, price: Ticks) {
        let value = Atoms::from(price) * self.spec.markets[market.index()].tick_value;
        let margin_asset = self.spec.margin_asset;
        let held = self.state.positions.iter_mut();
        let here = held.filter(|((_, of), _)| *of == market);
        let mut paid = Vec::new();
        for ((account, _), position) in here {
            let Position { size, cost } = std::mem::take(position);
            paid.push((*account, Atoms::from(size) * value - cost));
            self.coverage.count_if(size > 0, "long position settled");
            self.coverage.count_if(size < 0, "short position settled");
        }
        for (account, cash) in paid {
            self.state.add_balance(account, margin_asset, cash);
        }
    }
}
