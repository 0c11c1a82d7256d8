//! Values per lot, requirement, equity, and the rules about risk that are made of them.

use crate::Model;
use crate::state::{PlacedOrder, reducible, sign};
use ballast_types::{
    Account, AssetId, Atoms, Lots, MarketId, MarketKind, MarketSpec, OrderId, Side, Ticks,
};

/// Which margin rate a requirement is computed with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rate {
    Initial,
    Maintenance,
}

/// What an open order means to margin and reserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) market: MarketId,
    pub(crate) side: Side,
    pub(crate) price: Ticks,
    pub(crate) lots: Lots,
}

/// Figures of an account, in atoms of the margin asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margin {
    /// Balance and unrealised profit.
    pub equity: Atoms,
    /// Initial requirement, with open orders.
    pub initial: Atoms,
    /// Maintenance requirement, with open orders.
    pub maintenance: Atoms,
    /// Maintenance of the positions alone.
    pub held: Atoms,
    /// The flag.
    pub uncovered: bool,
}

/// `x` times a rate, rounded toward positive infinity.
pub(crate) fn up(x: Atoms, ppm: Atoms) -> Atoms {
    -(-x * ppm).div_euclid(1_000_000)
}

/// Fee of one lot at `price`; negative is a rebate.
pub(crate) fn fee(market: &MarketSpec, price: Ticks, ppm: i32) -> Atoms {
    up(Atoms::from(price) * market.tick_value, Atoms::from(ppm))
}

impl Model {
    /// The figures of an account at the current marks.
    pub fn margin(&self, account: Account) -> Margin {
        let open = self.open_orders(account);
        Margin {
            equity: self.equity(account),
            initial: self.requirement(account, Rate::Initial, &open),
            maintenance: self.requirement(account, Rate::Maintenance, &open),
            held: self.held(account),
            uncovered: self.is_flagged(account),
        }
    }

    /// Value of one lot at the mark; 0 for spot.
    pub(crate) fn value(&self, market: MarketId) -> Atoms {
        let spec = &self.spec.markets[market.index()];
        match spec.kind {
            MarketKind::Spot { .. } => 0,
            MarketKind::Perpetual | MarketKind::Future { .. } => {
                Atoms::from(self.state.mark(market)) * spec.tick_value
            }
        }
    }

    /// Margin of one lot; 0 for spot.
    pub(crate) fn per_lot(&self, market: MarketId, rate: Rate) -> Atoms {
        let spec = &self.spec.markets[market.index()];
        let ppm = match rate {
            Rate::Initial => spec.initial_margin_ppm,
            Rate::Maintenance => spec.maintenance_margin_ppm,
        };
        up(self.value(market), Atoms::from(ppm))
    }

    /// What one lot gains when it trades at `price` and pays a fee of `ppm`.
    pub(crate) fn gain(&self, market: MarketId, side: Side, price: Ticks, ppm: i32) -> Atoms {
        let spec = &self.spec.markets[market.index()];
        let paid = Atoms::from(price) * spec.tick_value;
        let better = (self.value(market) - paid) * Atoms::from(sign(side));
        better - fee(spec, price, ppm)
    }

    /// Gain at the limit of an order with the worst fee.
    pub(crate) fn limit_gain(&self, open: &Open) -> Atoms {
        let ppm = self.spec.markets[open.market.index()].taker_fee_ppm;
        self.gain(open.market, open.side, open.price, ppm)
    }

    /// What an order adds to `W(scenario)`.
    pub(crate) fn term(&self, open: &Open, scenario: i64, rate: Rate) -> Atoms {
        let k = self.per_lot(open.market, rate);
        let d = sign(open.side);
        Atoms::from(open.lots) * (self.limit_gain(open) - Atoms::from(scenario * d) * k).min(0)
    }

    /// The requirement of one market in one scenario: `s*k*p - W(s)`.
    pub(crate) fn scenario(
        &self,
        account: Account,
        market: MarketId,
        scenario: i64,
        rate: Rate,
        open: &[Open],
    ) -> Atoms {
        let p = Atoms::from(self.state.position(account, market));
        let orders = open.iter().filter(|order| order.market == market);
        let worst: Atoms = orders.map(|order| self.term(order, scenario, rate)).sum();
        Atoms::from(scenario) * self.per_lot(market, rate) * p - worst
    }

    /// `IM` or `MM` of an account that has these open orders.
    pub(crate) fn requirement(&self, account: Account, rate: Rate, open: &[Open]) -> Atoms {
        self.markets()
            .map(|market| {
                let long = self.scenario(account, market, 1, rate, open);
                let short = self.scenario(account, market, -1, rate, open);
                long.max(short)
            })
            .sum()
    }

    pub(crate) fn equity(&self, account: Account) -> Atoms {
        let cash = self.state.balance(account, self.spec.margin_asset);
        let unrealised: Atoms = self
            .markets()
            .filter_map(|market| Some((market, self.state.positions.get(&(account, market))?)))
            .map(|(market, held)| Atoms::from(held.size) * self.value(market) - held.cost)
            .sum();
        cash + unrealised
    }

    /// Maintenance margin of the positions alone.
    pub(crate) fn held(&self, account: Account) -> Atoms {
        self.markets()
            .map(|market| {
                let p = Atoms::from(self.state.position(account, market));
                self.per_lot(market, Rate::Maintenance) * p.abs()
            })
            .sum()
    }

    /// Resting orders, and orders admitted and not yet matched; without those that an admitted
    /// entry replaces, and without those that wait or are to.
    pub(crate) fn open_orders(&self, account: Account) -> Vec<Open> {
        let resting = self.state.orders.values();
        let resting = resting
            .filter(|order| order.account == account && !self.is_replaced(order.id))
            .map(PlacedOrder::open);
        let admitted = self
            .block
            .admitted
            .iter()
            .filter(|entry| entry.account == account && !entry.waits());
        resting.chain(admitted.map(|entry| entry.open())).collect()
    }

    /// True when an admitted entry takes the place of this resting order.
    pub(crate) fn is_replaced(&self, order: OrderId) -> bool {
        self.block
            .admitted
            .iter()
            .any(|entry| entry.replaces == Some(order))
    }

    /// Atoms of `asset` that neither left nor are reserved by these open asks.
    pub(crate) fn free(&self, account: Account, asset: AssetId, open: &[Open]) -> Atoms {
        let reserved: Atoms = open
            .iter()
            .filter(|order| order.side == Side::Sell)
            .map(|order| match self.spec.markets[order.market.index()].kind {
                MarketKind::Spot { base, lot_atoms } if base == asset => {
                    Atoms::from(order.lots) * lot_atoms
                }
                _ => 0,
            })
            .sum();
        self.state.balance(account, asset) - reserved
    }

    pub(crate) fn is_flagged(&self, account: Account) -> bool {
        self.state.accounts.get(&account).copied().unwrap_or(false)
    }

    /// True when equity covers every subset of fills.
    pub(crate) fn is_covered(&self, account: Account) -> bool {
        let open = self.open_orders(account);
        self.equity(account) >= self.requirement(account, Rate::Maintenance, &open)
    }

    /// Lots that an order of a flagged account may trade at `price`, so that `equity - held` does
    /// not fall.
    pub(crate) fn allowed_uncovered(
        &self,
        account: Account,
        market: MarketId,
        side: Side,
        price: Ticks,
        fee_ppm: i32,
    ) -> Lots {
        let gain = self.gain(market, side, price, fee_ppm);
        let mm = self.per_lot(market, Rate::Maintenance);
        if gain >= mm {
            Lots::MAX
        } else if gain + mm >= 0 {
            reducible(self.state.position(account, market), side)
        } else {
            0
        }
    }

    /// Whether `new` is risk-reducing for an account with the open orders `rest` besides it, when
    /// its open orders were `before`.
    pub(crate) fn is_risk_reducing(
        &self,
        account: Account,
        new: &Open,
        before: &[Open],
        rest: &[Open],
    ) -> bool {
        let with: Vec<Open> = rest.iter().chain([new]).copied().collect();
        let grows =
            |rate| self.requirement(account, rate, &with) > self.requirement(account, rate, before);
        let ppm = self.spec.markets[new.market.index()].taker_fee_ppm;
        let allowed = self.allowed_uncovered(account, new.market, new.side, new.price, ppm);
        let fees = fee(&self.spec.markets[new.market.index()], new.price, ppm);
        !grows(Rate::Initial)
            && !grows(Rate::Maintenance)
            && new.lots <= allowed
            && self.equity(account) >= Atoms::from(new.lots) * fees
    }
}
