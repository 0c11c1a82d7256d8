//! Pass 5 and the end of the block: positions, cash, fees, and the events that report them.

use crate::margin::up;
use crate::state::{PlacedOrder, Position, sign};
use crate::{Levels, Model};
use ballast_types::{
    Account, AssetId, Atoms, BlockEvents, Event, Lots, MarketId, MarketKind, Side, Ticks,
};
use std::collections::BTreeMap;

impl Model {
    /// Settles a fill of `lots` of a resting order, the maker first. Returns the fees of maker and
    /// taker.
    pub(crate) fn settle(
        &mut self,
        maker: &PlacedOrder,
        taker: Account,
        lots: Lots,
    ) -> (Atoms, Atoms) {
        let spec = &self.spec.markets[maker.market.index()];
        let [maker_fee, taker_fee] = [spec.maker_fee_ppm, spec.taker_fee_ppm]
            .map(|ppm| Atoms::from(lots) * self.fee(maker.market, maker.level, ppm));
        if let MarketKind::Option { .. } = spec.kind {
            let whole = up(
                self.option_lot(maker.market).underlying,
                Atoms::from(spec.taker_fee_ppm),
            );
            self.coverage
                .count(if taker_fee < Atoms::from(lots) * whole {
                    "fee of an option capped"
                } else {
                    "fee of an option at the index"
                });
        }
        let healthy = |model: &Self, account| model.equity(account) >= model.held(account);
        let before = [healthy(self, maker.account), healthy(self, taker)];
        for (account, side, fee) in [
            (maker.account, maker.side, maker_fee),
            (taker, maker.side.opposite(), taker_fee),
        ] {
            self.settle_side(account, maker.market, side, maker.level, lots);
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
            MarketKind::Perpetual | MarketKind::Future { .. } => {
                let position = self.state.positions.entry((account, market)).or_default();
                let cash = trade_position(position, signed, lot_cost);
                self.state.add_balance(account, margin_asset, cash);
            }
            MarketKind::Option { .. } => {
                let position = self.state.positions.entry((account, market)).or_default();
                position.size += signed;
                let premium = Atoms::from(signed) * lot_cost;
                self.state.add_balance(account, margin_asset, -premium);
            }
        }
    }

    /// What the events at the end of the block are compared with.
    pub(crate) fn before(&self) -> Before {
        Before {
            balances: self.state.balances.clone(),
            positions: self.state.positions.clone(),
            books: self
                .markets()
                .map(|market| (market, self.levels(market)))
                .collect(),
        }
    }

    /// Puts the events of a pass behind each other, group by group.
    pub(crate) fn flush_group_events(&mut self) {
        let groups = std::mem::take(&mut self.block.group_events);
        self.block.events.extend(groups.into_values().flatten());
    }

    /// Reports books, balances and positions that differ from the beginning of the block.
    pub(crate) fn close(&mut self, before: &Before) -> BlockEvents {
        let mut events = std::mem::take(&mut self.block.events);
        for group in self.groups() {
            events.extend(self.block.group_events.remove(&group).unwrap_or_default());
            for market in self.markets_of(group) {
                events.extend(self.book_event(market, &before.levels(market)));
            }
        }
        for (&(account, asset), &balance) in &self.state.balances {
            if before.balances.get(&(account, asset)).copied().unwrap_or(0) != balance {
                events.push(Event::Balance {
                    account,
                    asset,
                    balance,
                });
            }
        }
        for (&(account, market), &position) in &self.state.positions {
            let old = before
                .positions
                .get(&(account, market))
                .copied()
                .unwrap_or_default();
            if old != position {
                let Position { size, cost } = position;
                events.push(Event::Position {
                    account,
                    market,
                    size,
                    cost,
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
}

/// Balances, positions and books as they were before the block.
pub(crate) struct Before {
    balances: BTreeMap<(Account, AssetId), Atoms>,
    positions: BTreeMap<(Account, MarketId), Position>,
    books: BTreeMap<MarketId, Levels>,
}

impl Before {
    /// The levels of a market; none of one that was not listed yet.
    pub(crate) fn levels(&self, market: MarketId) -> Levels {
        self.books.get(&market).cloned().unwrap_or_default()
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
