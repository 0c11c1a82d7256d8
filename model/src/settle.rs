//! Pass 5 and the end of the block: positions, cash, fees, and the events that report them.

use crate::margin::fee;
use crate::state::{Position, RestingOrder, State, sign};
use crate::{Levels, Model};
use ballast_types::{
    Account, AssetId, Atoms, BlockEvents, Event, Lots, MarketId, MarketKind, Side, Ticks,
};
use std::collections::BTreeSet;

impl Model {
    /// Settles a fill of `lots` of a resting order, the maker first. Returns the fees of maker and
    /// taker.
    pub(crate) fn settle(
        &mut self,
        maker: &RestingOrder,
        taker: Account,
        lots: Lots,
    ) -> (Atoms, Atoms) {
        let spec = &self.spec.markets[maker.market.index()];
        let maker_fee = Atoms::from(lots) * fee(spec, maker.price, spec.maker_fee_ppm);
        let taker_fee = Atoms::from(lots) * fee(spec, maker.price, spec.taker_fee_ppm);
        let healthy = |model: &Self, account| model.equity(account) >= model.held(account);
        let before = [healthy(self, maker.account), healthy(self, taker)];
        for (account, side, fee) in [
            (maker.account, maker.side, maker_fee),
            (taker, maker.side.opposite(), taker_fee),
        ] {
            self.settle_side(account, maker.market, side, maker.price, lots);
            self.state
                .add_balance(account, self.spec.margin_asset, -fee);
            self.state.fee_pool += fee;
        }
        for (account, before) in [maker.account, taker].into_iter().zip(before) {
            if before && !healthy(self, account) {
                self.violations.push(format!(
                    "height {}: a fill of {lots} in market {} took {account} below maintenance",
                    self.block.height, maker.market
                ));
            }
        }
        (maker_fee, taker_fee)
    }

    fn settle_side(
        &mut self,
        account: Account,
        market: MarketId,
        side: Side,
        price: Ticks,
        lots: Lots,
    ) {
        let spec = &self.spec.markets[market.index()];
        let signed = sign(side) * lots;
        let (kind, margin_asset) = (spec.kind, self.spec.margin_asset);
        let lot_cost = Atoms::from(price) * spec.tick_value;
        match kind {
            MarketKind::Spot { base, lot_atoms } => {
                self.state
                    .add_balance(account, base, Atoms::from(signed) * lot_atoms);
                self.state
                    .add_balance(account, margin_asset, -Atoms::from(signed) * lot_cost);
            }
            MarketKind::Perpetual => {
                let position = self.state.positions.entry((account, market)).or_default();
                let cash = trade_position(position, signed, lot_cost);
                self.state.add_balance(account, margin_asset, cash);
            }
        }
    }

    /// Reports balances, positions and books that differ from the beginning of the block.
    pub(crate) fn close(&mut self, before: &State) -> BlockEvents {
        let books = self.books_before(before);
        let mut events = std::mem::take(&mut self.block.events);
        for group in self.groups() {
            events.extend(self.block.group_events.remove(&group).unwrap_or_default());
            for (market, levels) in &books {
                if self.group_of(*market) == group {
                    events.extend(self.book_event(*market, levels));
                }
            }
        }
        let keys = |state: &State| state.balances.keys().copied().collect::<Vec<_>>();
        let accounts: BTreeSet<(Account, AssetId)> =
            keys(before).into_iter().chain(keys(&self.state)).collect();
        for (account, asset) in accounts {
            let balance = self.state.balance(account, asset);
            if balance != before.balance(account, asset) {
                events.push(Event::Balance {
                    account,
                    asset,
                    balance,
                });
            }
        }
        for ((account, market), Position { size, cost }) in &self.state.positions {
            let old = before
                .positions
                .get(&(*account, *market))
                .copied()
                .unwrap_or_default();
            if old
                != (Position {
                    size: *size,
                    cost: *cost,
                })
            {
                let (account, market) = (*account, *market);
                events.push(Event::Position {
                    account,
                    market,
                    size: *size,
                    cost: *cost,
                });
            }
        }
        let events = BlockEvents {
            height: self.block.height,
            time: self.block.time,
            txs: std::mem::take(&mut self.block.results),
            events,
        };
        self.coverage.record(&events);
        events
    }

    /// The books as they were.
    fn books_before(&self, before: &State) -> Vec<(MarketId, Levels)> {
        let then = Self {
            state: before.clone(),
            ..self.clone()
        };
        self.markets()
            .map(|market| (market, then.levels(market)))
            .collect()
    }
}

/// Changes a perpetual position by `signed` lots at `lot_cost` each. Returns the cash that closing
/// pays.
pub(crate) fn trade_position(position: &mut Position, signed: Lots, lot_cost: Atoms) -> Atoms {
    let traded = Atoms::from(signed);
    let p = Atoms::from(position.size);
    position.size += signed;
    if p == 0 || p.signum() == traded.signum() {
        position.cost += traded * lot_cost;
        return 0;
    }
    let closed = p.abs().min(traded.abs());
    let part = position.cost * closed / p.abs();
    let close = traded.signum() * closed * lot_cost;
    position.cost += traded * lot_cost - close - part;
    -close - part
}
