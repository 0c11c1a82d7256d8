//! What an account holds and has open, and what orders would make of it.

use super::HypotheticalOrder;
use super::world::World;
use crate::accounts::AccountRef;
use crate::form::mode_of;
use crate::records::{AccountRecord, OrderRecord};
use crate::snapshot::{AccountTables, Snapshot};
use ballast_risk::{MAX_POSITION, Position, notional};
use ballast_types::{
    Account, AssetId, Atoms, Lots, MarginMode, MarketId, MarketKind, MarketStatus, Side, Ticks,
};
use std::collections::{BTreeMap, BTreeSet};

/// An account as far as margin is concerned.
#[derive(Clone, Debug)]
pub(super) struct Book {
    pub(super) mode: MarginMode,
    /// Balance of the margin asset.
    pub(super) cash: Atoms,
    /// Other balances.
    pub(super) balances: BTreeMap<AssetId, Atoms>,
    pub(super) positions: BTreeMap<MarketId, Position>,
    pub(super) orders: Vec<Open>,
}

/// An open order: it rests, or would.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) market: MarketId,
    pub(super) side: Side,
    pub(super) price: Ticks,
    pub(super) lots: Lots,
}

/// Field, value and rule of an order that could not be.
type Refused = (&'static str, i64, &'static str);

impl Open {
    /// The order of a record that rests; waiting ones count in nothing.
    pub(super) fn of(record: &OrderRecord) -> Option<Self> {
        (record.remaining > 0 && !record.waiting()).then(|| Self {
            market: MarketId(record.market),
            side: record.side(),
            price: record.price,
            lots: record.remaining,
        })
    }
}

impl Snapshot {
    /// Balances, positions and open orders of an account. Visits every open order of the chain.
    pub(super) fn book_of(&self, account: &Account) -> Option<Book> {
        let (tables, reference, record) = self.find(account)?;
        let mut book = Book::held(tables, record);
        let own = BTreeSet::from([reference.0]);
        book.orders = self.open_orders(&own).map(|(_, open)| open).collect();
        Some(book)
    }

    /// Open orders of these accounts, with the reference of each owner.
    pub(super) fn open_orders<'a>(
        &'a self,
        owners: &'a BTreeSet<u32>,
    ) -> impl Iterator<Item = (AccountRef, Open)> + 'a {
        let records = self.groups.iter().flat_map(|group| group.orders.iter());
        records
            .filter(|(_, record)| owners.contains(&record.account))
            .filter_map(|(_, record)| Some((AccountRef(record.account), Open::of(record)?)))
    }
}

impl Book {
    /// Without its open orders.
    pub(super) fn held(tables: &AccountTables, record: &AccountRecord) -> Self {
        let balances = tables.balances_of(record);
        let mut positions = BTreeMap::new();
        let mut next = record.positions;
        while let Some(position) = next
            .checked_sub(1)
            .and_then(|slot| tables.positions.get(slot))
        {
            next = position.next;
            if position.size != 0 || position.cost != 0 {
                positions.insert(MarketId(position.market), position.position());
            }
        }
        Self {
            mode: mode_of(record.mode),
            cash: record.cash,
            balances: balances.map(|(asset, amount, _)| (asset, amount)).collect(),
            positions,
            orders: Vec::new(),
        }
    }

    pub(super) fn balance(&self, asset: AssetId) -> Atoms {
        self.balances.get(&asset).copied().unwrap_or(0)
    }

    pub(super) fn position(&self, market: MarketId) -> Position {
        self.positions.get(&market).copied().unwrap_or_default()
    }

    /// With an order that is open or filled.
    pub(super) fn add(
        &mut self,
        state: &Snapshot,
        order: &HypotheticalOrder,
    ) -> Result<(), Refused> {
        let spec = state.chain.market(order.market);
        let unknown = ("market", i64::from(order.market.0), "is no market");
        let spec = spec.ok_or(unknown)?;
        if state.prices.status(order.market, &state.chain) == MarketStatus::Settled {
            return Err(("market", i64::from(order.market.0), "is settled"));
        }
        if !(1..=spec.max_price).contains(&order.price) {
            let rule = "ticks; must be from 1 to the market's largest price";
            return Err(("price", order.price, rule));
        }
        if !(1..=MAX_POSITION).contains(&order.size) {
            return Err(("size", order.size, "lots; must be from 1 to 2^44"));
        }
        if order.filled {
            self.fill(state, order);
        } else {
            self.orders.push(Open {
                market: order.market,
                side: order.side,
                price: order.price,
                lots: order.size,
            });
        }
        let short = |base| self.reserved(state, base) > self.balance(base);
        match spec.kind {
            MarketKind::Spot { base, .. } if order.side == Side::Sell && short(base) => {
                let rule = "lots; more than the free balance of the base asset";
                Err(("size", order.size, rule))
            }
            _ => Ok(()),
        }
    }

    /// What open spot asks reserve of an asset.
    fn reserved(&self, state: &Snapshot, asset: AssetId) -> Atoms {
        let asks = self.orders.iter().filter(|open| open.side == Side::Sell);
        asks.filter_map(|open| match state.chain.market(open.market)?.kind {
            MarketKind::Spot { base, lot_atoms } if base == asset => {
                Some(lot_atoms.saturating_mul(Atoms::from(open.lots)))
            }
            _ => None,
        })
        .fold(0, Atoms::saturating_add)
    }

    /// Trades all of an order at its limit with the taker's fee.
    fn fill(&mut self, state: &Snapshot, order: &HypotheticalOrder) {
        let Some(spec) = state.chain.market(order.market) else {
            return;
        };
        let lot = World::now(state, spec.group).and_then(|world| world.lot(order.market));
        let risk = lot.map(|lot| lot.risk).unwrap_or_default();
        let fee = risk.fee(order.price, spec.tick_value, spec.taker_fee_ppm);
        let fee = fee.saturating_mul(order.size.into());
        let signed = match order.side {
            Side::Buy => order.size,
            Side::Sell => order.size.saturating_neg(),
        };
        let paid = notional(order.price, signed, spec.tick_value);
        let position = self.positions.entry(order.market);
        let gained = match spec.kind {
            MarketKind::Spot { base, lot_atoms } => {
                let delivered = lot_atoms.saturating_mul(Atoms::from(signed));
                let balance = self.balances.entry(base).or_default();
                *balance = balance.saturating_add(delivered);
                paid.saturating_neg()
            }
            MarketKind::Option { .. } => {
                let position = position.or_default();
                position.size = position.size.saturating_add(signed);
                paid.saturating_neg()
            }
            MarketKind::Perpetual | MarketKind::Future { .. } => {
                position
                    .or_default()
                    .fill(order.side, order.size, order.price, spec.tick_value)
            }
        };
        self.cash = self.cash.saturating_add(gained).saturating_sub(fee);
    }
}
