//! Values per lot, requirement, equity, and the rules about risk that are made of them. `portfolio`
//! has what differs in Portfolio mode.

use crate::Model;
use crate::state::{PlacedOrder, reducible, sign};
use ballast_types::{
    Account, AssetId, Atoms, Lots, MarginMode, MarketId, MarketKind, OrderId, Side, Ticks,
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
    /// How it is computed.
    pub mode: MarginMode,
    /// Balance, unrealised profit and value of options; in Portfolio mode of spot too.
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

/// What a long lot and a short lot need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PerLot {
    long: Atoms,
    short: Atoms,
}

impl PerLot {
    /// Of the lots that an order on `side` buys or sells.
    fn of(self, side: Side) -> Atoms {
        match side {
            Side::Buy => self.long,
            Side::Sell => self.short,
        }
    }

    /// What a position needs.
    fn position(self, lots: Lots) -> Atoms {
        let lots = Atoms::from(lots);
        (self.long * lots).max(-self.short * lots)
    }
}

/// Largest part of the price that the fee of an option takes, in millionths.
const OPTION_FEE_PPM: Atoms = 125_000;

impl Model {
    /// The figures of an account at the current marks.
    pub fn margin(&self, account: Account) -> Margin {
        let open = self.open_orders(account);
        Margin {
            mode: self.margin_mode(account),
            equity: self.equity(account),
            initial: self.requirement(account, Rate::Initial, &open),
            maintenance: self.requirement(account, Rate::Maintenance, &open),
            held: self.held(account),
            uncovered: self.is_flagged(account),
        }
    }

    /// Fee of one lot at `price`; negative is a rebate.
    pub(crate) fn fee(&self, market: MarketId, price: Ticks, ppm: i32) -> Atoms {
        let spec = &self.spec.markets[market.index()];
        let (paid, ppm) = (Atoms::from(price) * spec.tick_value, Atoms::from(ppm));
        match spec.kind {
            MarketKind::Option { .. } => {
                let of_index = up(self.option_lot(market).underlying, ppm);
                of_index.min(up(paid, OPTION_FEE_PPM))
            }
            _ => up(paid, ppm),
        }
    }

    /// Value of one lot at the mark; 0 for spot.
    pub(crate) fn value(&self, market: MarketId) -> Atoms {
        let spec = &self.spec.markets[market.index()];
        match spec.kind {
            MarketKind::Spot { .. } => 0,
            MarketKind::Option { .. } => self.option_lot(market).value,
            MarketKind::Perpetual | MarketKind::Future { .. } => {
                Atoms::from(self.state.mark(market)) * spec.tick_value
            }
        }
    }

    /// Margin of one lot in Standard mode; 0 for spot.
    pub(crate) fn per_lot(&self, market: MarketId, rate: Rate) -> PerLot {
        let spec = &self.spec.markets[market.index()];
        let ppm = match rate {
            Rate::Initial => spec.initial_margin_ppm,
            Rate::Maintenance => spec.maintenance_margin_ppm,
        };
        if let MarketKind::Option { .. } = spec.kind {
            let (long, short) = (self.value(market), self.per_short_option(market, rate));
            return PerLot { long, short };
        }
        let lot = up(self.value(market), Atoms::from(ppm));
        PerLot {
            long: lot,
            short: lot,
        }
    }

    fn per_short_option(&self, market: MarketId, rate: Rate) -> Atoms {
        let spec = &self.spec.markets[market.index()];
        let part = |ppm: u32| up(self.option_lot(market).underlying, Atoms::from(ppm));
        let away = self.out_of_the_money(market);
        let initial = part(spec.initial_margin_ppm) - away;
        let initial = initial.max(part(spec.minimum_margin_ppm));
        match rate {
            Rate::Initial => initial,
            Rate::Maintenance => part(spec.maintenance_margin_ppm).min(initial),
        }
    }

    /// What one lot gains an account when it trades at `price` and pays a fee of `ppm`.
    pub(crate) fn gain(
        &self,
        account: Account,
        market: MarketId,
        side: Side,
        price: Ticks,
        ppm: i32,
    ) -> Atoms {
        let spec = &self.spec.markets[market.index()];
        let value = match (spec.kind, self.margin_mode(account)) {
            (MarketKind::Spot { .. }, MarginMode::Portfolio) => self.spot_value(market),
            _ => self.value(market),
        };
        let paid = Atoms::from(price) * spec.tick_value;
        (value - paid) * Atoms::from(sign(side)) - self.fee(market, price, ppm)
    }

    /// Gain at the limit of an order with the worst fee.
    pub(crate) fn limit_gain(&self, account: Account, open: &Open) -> Atoms {
        let ppm = self.spec.markets[open.market.index()].taker_fee_ppm;
        self.gain(account, open.market, open.side, open.price, ppm)
    }

    /// What an order adds to `W(scenario)`.
    pub(crate) fn term(&self, account: Account, open: &Open, scenario: Side, rate: Rate) -> Atoms {
        let k = self.per_lot(open.market, rate).of(scenario);
        let sign = Atoms::from(sign(scenario) * sign(open.side));
        Atoms::from(open.lots) * (self.limit_gain(account, open) - sign * k).min(0)
    }

    /// The requirement of one market in one scenario, `kL*p - W(+1)` or `-kS*p - W(-1)`.
    pub(crate) fn scenario(
        &self,
        account: Account,
        market: MarketId,
        scenario: Side,
        rate: Rate,
        open: &[Open],
    ) -> Atoms {
        let p = Atoms::from(sign(scenario) * self.state.position(account, market));
        let orders = open.iter().filter(|order| order.market == market);
        let worst: Atoms = orders
            .map(|order| self.term(account, order, scenario, rate))
            .sum();
        self.per_lot(market, rate).of(scenario) * p - worst
    }

    /// `IM` or `MM` of an account that has these open orders.
    pub(crate) fn requirement(&self, account: Account, rate: Rate, open: &[Open]) -> Atoms {
        if self.margin_mode(account) == MarginMode::Portfolio {
            let required = self.portfolio(account, open);
            return match rate {
                Rate::Initial => required.initial,
                Rate::Maintenance => required.maintenance,
            };
        }
        self.markets()
            .filter(|market| {
                self.state.position(account, *market) != 0
                    || open.iter().any(|order| order.market == *market)
            })
            .map(|market| {
                let long = self.scenario(account, market, Side::Buy, rate, open);
                let short = self.scenario(account, market, Side::Sell, rate, open);
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
        cash + unrealised + self.spot_equity(account)
    }

    /// Maintenance margin of the positions alone.
    pub(crate) fn held(&self, account: Account) -> Atoms {
        if self.margin_mode(account) == MarginMode::Portfolio {
            return self.portfolio(account, &[]).held;
        }
        let held = self.state.positions.iter();
        held.filter(|((of, _), _)| *of == account)
            .map(|((_, market), position)| {
                let lot = self.per_lot(*market, Rate::Maintenance);
                lot.position(position.size)
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

    /// How many of these lots an order of a flagged account may trade at `price`, so that
    /// `equity - held` does not fall.
    pub(crate) fn allowed_uncovered(&self, account: Account, fill: &Open, fee_ppm: i32) -> Lots {
        let (market, side) = (fill.market, fill.side);
        let gain = self.gain(account, market, side, fill.price, fee_ppm);
        let closing = fill
            .lots
            .min(reducible(self.state.position(account, market), side));
        if self.margin_mode(account) == MarginMode::Portfolio {
            let keeps =
                |lots| self.held_growth(account, market, side, lots) <= Atoms::from(lots) * gain;
            return if keeps(fill.lots) {
                fill.lots
            } else if closing > 0 && keeps(closing) {
                closing
            } else {
                0
            };
        }
        let mm = self.per_lot(market, Rate::Maintenance);
        if gain >= mm.of(side) {
            fill.lots
        } else if gain + mm.of(side.opposite()) >= 0 {
            closing
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
        // What orders reserve in Portfolio mode is no risk: with it nothing would ever reduce.
        let risk = |rate, open: &[Open]| {
            let reserves = match rate {
                Rate::Initial => self.order_reserves(account, open),
                Rate::Maintenance => 0,
            };
            self.requirement(account, rate, open) - reserves
        };
        let grows = |rate| risk(rate, &with) > risk(rate, before);
        let ppm = self.spec.markets[new.market.index()].taker_fee_ppm;
        let allowed = self.allowed_uncovered(account, new, ppm);
        let fees = self.fee(new.market, new.price, ppm);
        !grows(Rate::Initial)
            && !grows(Rate::Maintenance)
            && new.lots <= allowed
            && self.equity(account) >= Atoms::from(new.lots) * fees
    }
}
