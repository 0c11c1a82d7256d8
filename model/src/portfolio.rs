//! Portfolio mode: what the scenarios of each group require of an account.

use crate::Model;
use crate::margin::{Open, up};
use crate::state::sign;
use crate::unit::Unit;
use ballast_risk::portfolio::{
    AMOUNT_DIGITS, ExpirySums, Held, Holdings, Instrument, MONEY_DIGITS, OrderSums,
};
use ballast_types::{
    Account, AssetId, Atoms, GroupId, Lots, MarginMode, MarketId, MarketKind, Side,
};
use std::collections::BTreeSet;

/// What is required for a group whose figures cannot be told.
const TOO_MUCH: Atoms = 1 << 120;

/// Requirements in atoms of the margin asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Required {
    pub(crate) initial: Atoms,
    pub(crate) maintenance: Atoms,
    pub(crate) held: Atoms,
}

impl Required {
    fn all(atoms: Atoms) -> Self {
        Self {
            initial: atoms,
            maintenance: atoms,
            held: atoms,
        }
    }
}

/// An account in one group: its open orders there, and a fill that has not happened.
struct Book<'a> {
    account: Account,
    group: GroupId,
    open: &'a [Open],
    fill: Option<(MarketId, Lots)>,
}

impl Model {
    /// What is required of an account that has these open orders.
    pub(crate) fn portfolio(&self, account: Account, open: &[Open]) -> Required {
        let required = self.scenarios_required(account, open);
        let initial = required.initial + self.order_reserves(account, open);
        Required {
            initial,
            ..required
        }
    }

    /// What open orders add to the initial requirement besides their scenarios; nothing in Standard
    /// mode.
    pub(crate) fn order_reserves(&self, account: Account, open: &[Open]) -> Atoms {
        if self.margin_mode(account) == MarginMode::Standard {
            return 0;
        }
        let orders = self.that_may_trade(open);
        orders.iter().map(|order| self.order_reserve(order)).sum()
    }

    fn scenarios_required(&self, account: Account, open: &[Open]) -> Required {
        let mut sum = Required::default();
        for group in self.groups() {
            let required = self.group_required(account, group, open, None);
            sum.initial = sum.initial.saturating_add(required.initial);
            sum.maintenance = sum.maintenance.saturating_add(required.maintenance);
            sum.held = sum.held.saturating_add(required.held);
        }
        sum
    }

    fn order_reserve(&self, order: &Open) -> Atoms {
        let value = self.spec.markets[order.market.index()].tick_value;
        let ppm = Atoms::from(self.spec.order_reserve_ppm);
        Atoms::from(order.lots) * up(Atoms::from(order.price) * value, ppm)
    }

    /// By how much `held` of the group grows when this many lots trade.
    pub(crate) fn held_growth(
        &self,
        account: Account,
        market: MarketId,
        side: Side,
        lots: Lots,
    ) -> Atoms {
        let group = self.group_of(market);
        let held = |fill| self.group_required(account, group, &[], fill).held;
        held(Some((market, sign(side) * lots))) - held(None)
    }

    /// Orders of settled markets wait to be swept, and count in nothing.
    fn that_may_trade(&self, open: &[Open]) -> Vec<Open> {
        let open = open.iter().filter(|order| !self.is_settled(order.market));
        open.copied().collect()
    }

    fn group_required(
        &self,
        account: Account,
        group: GroupId,
        open: &[Open],
        fill: Option<(MarketId, Lots)>,
    ) -> Required {
        let mut open = self.that_may_trade(open);
        open.retain(|order| self.group_of(order.market) == group);
        let book = Book {
            account,
            group,
            open: &open,
            fill,
        };
        if let Some(unit) = self.state.units.get(&group) {
            let required = self.scenario_required(&book, unit);
            return required.unwrap_or(Required::all(TOO_MUCH));
        }
        let mut markets = self.markets_of(group);
        if markets.any(|market| self.lots_of(&book, market) != 0) {
            Required::all(TOO_MUCH)
        } else if open.is_empty() {
            Required::default()
        } else {
            Required {
                held: 0,
                ..Required::all(TOO_MUCH)
            }
        }
    }

    /// The position in lots, after the fill.
    fn lots_of(&self, book: &Book<'_>, market: MarketId) -> Lots {
        let kind = self.spec.markets[market.index()].kind;
        let fill = book
            .fill
            .filter(|(of, _)| *of == market && kind.is_derivative());
        self.state.position(book.account, market) + fill.map_or(0, |(_, lots)| lots)
    }

    /// `None` when the kernel refuses, or something does not fit.
    fn scenario_required(&self, book: &Book<'_>, unit: &Unit) -> Option<Required> {
        let mut perpetual = Held::default();
        let mut spot = Held::of(i64::try_from(self.spot_amount(book)).ok()?);
        let mut futures = vec![Held::default(); unit.expiries.len()];
        let mut sums = vec![ExpirySums::new(&unit.scenarios); unit.expiries.len()];
        for market in self.markets_of(book.group) {
            if self.is_settled(market) {
                continue;
            }
            let held = self.held_of(book, market)?;
            let at = |expiry| unit.expiries.iter().position(|of| *of == expiry);
            match self.spec.markets[market.index()].kind {
                MarketKind::Perpetual => add(&mut perpetual, held)?,
                MarketKind::Spot { .. } => add(&mut spot, held)?,
                MarketKind::Future { expiry } => add(&mut futures[at(expiry)?], held)?,
                MarketKind::Option { expiry, .. } => {
                    if held != Held::default() {
                        let array = unit.arrays.get(&market)?;
                        let sums = &mut sums[at(expiry)?];
                        sums.change(array, Held::default(), held).ok()?;
                    }
                }
            }
        }
        for (sums, future) in sums.iter_mut().zip(futures) {
            sums.set_future(future);
        }
        let holdings = Holdings {
            perpetual,
            perpetual_pnl: 0,
            spot,
            expiries: &sums,
            collateral: &[],
        };
        let orders = self.order_sums(book, unit)?;
        let required = unit.scenarios.requirement(&holdings, &orders).ok()?;
        let atoms = |money: i128| -(-money).div_euclid(self.atom());
        Some(Required {
            initial: atoms(required.initial),
            maintenance: atoms(required.maintenance),
            held: atoms(required.held),
        })
    }

    /// An atom of the margin asset in money.
    fn atom(&self) -> i128 {
        let decimals = self.spec.assets[self.spec.margin_asset.index()].decimals;
        10_i128.pow(MONEY_DIGITS - u32::from(decimals))
    }

    /// Position and open orders of a market; of a spot market its open orders alone.
    fn held_of(&self, book: &Book<'_>, market: MarketId) -> Option<Held> {
        let lot = i128::from(self.spec.markets[market.index()].lot_amount);
        let amount = |lots: i128| i64::try_from(lots * lot).ok();
        let open = |side| -> i128 {
            let open = book.open.iter();
            let here = open.filter(|order| order.market == market && order.side == side);
            here.map(|order| i128::from(order.lots)).sum()
        };
        Some(Held {
            amount: amount(i128::from(self.lots_of(book, market)))?,
            bids: amount(open(Side::Buy))?,
            asks: amount(open(Side::Sell))?,
        })
    }

    fn order_sums(&self, book: &Book<'_>, unit: &Unit) -> Option<OrderSums> {
        let mut sums = OrderSums::default();
        for order in book.open {
            let spec = &self.spec.markets[order.market.index()];
            let at = |expiry| unit.expiries.iter().position(|of| *of == expiry);
            let instrument = match spec.kind {
                MarketKind::Perpetual => Instrument::Perpetual,
                MarketKind::Spot { .. } => Instrument::Spot,
                MarketKind::Future { expiry } => Instrument::Future(at(expiry)?),
                MarketKind::Option { expiry, .. } => {
                    Instrument::Option(at(expiry)?, unit.arrays.get(&order.market)?)
                }
            };
            let gain = self.limit_gain(book.account, order) * self.atom();
            let scenarios = &unit.scenarios;
            let terms = scenarios.order(instrument, spec.lot_amount, order.side, gain, self.atom());
            sums.add(&terms.ok()?, order.lots).ok()?;
        }
        Some(sums)
    }

    /// The spot of a group that an account holds, in 10^-9 of the underlying: of each asset that its
    /// spot markets deliver once, rounded down.
    fn spot_amount(&self, book: &Book<'_>) -> Atoms {
        let mut seen: BTreeSet<AssetId> = BTreeSet::new();
        let mut amount = 0;
        for market in self.markets_of(book.group) {
            let MarketKind::Spot { base, .. } = self.spec.markets[market.index()].kind else {
                continue;
            };
            if seen.insert(base) {
                let balance = self.state.balance(book.account, base);
                amount += self.in_amounts(base, balance + self.filled_atoms(book, base));
            }
        }
        amount
    }

    /// What the fill delivers of an asset.
    fn filled_atoms(&self, book: &Book<'_>, asset: AssetId) -> Atoms {
        book.fill.map_or(0, |(market, lots)| {
            match self.spec.markets[market.index()].kind {
                MarketKind::Spot { base, lot_atoms } if base == asset => {
                    Atoms::from(lots) * lot_atoms
                }
                _ => 0,
            }
        })
    }

    fn in_amounts(&self, asset: AssetId, atoms: Atoms) -> Atoms {
        let decimals = u32::from(self.spec.assets[asset.index()].decimals);
        let factor = |digits: u32| 10_i128.pow(digits);
        match AMOUNT_DIGITS.checked_sub(decimals) {
            Some(missing) => atoms.saturating_mul(factor(missing)),
            None => atoms.div_euclid(factor(decimals - AMOUNT_DIGITS)),
        }
    }

    /// A lot of a spot market at the index of its group.
    pub(crate) fn spot_value(&self, market: MarketId) -> Atoms {
        let spec = &self.spec.markets[market.index()];
        let index = Atoms::from(self.group_index(spec.group));
        index * Atoms::from(spec.lot_amount) / self.scale_of(spec.group)
    }

    /// What the spot of all groups adds to equity; nothing in Standard mode.
    pub(crate) fn spot_equity(&self, account: Account) -> Atoms {
        if self.margin_mode(account) == MarginMode::Standard {
            return 0;
        }
        let values = self.groups().map(|group| {
            let amount = self.spot_amount(&Book {
                account,
                group,
                open: &[],
                fill: None,
            });
            let amount = amount.min(Atoms::from(i64::MAX));
            amount * Atoms::from(self.group_index(group)) / self.scale_of(group)
        });
        values.sum()
    }
}

fn add(sum: &mut Held, held: Held) -> Option<()> {
    sum.amount = sum.amount.checked_add(held.amount)?;
    sum.bids = sum.bids.checked_add(held.bids)?;
    sum.asks = sum.asks.checked_add(held.asks)?;
    Some(())
}
