//! What an account in Portfolio mode holds and has open in a group, and what that needs. A cache
//! outside the pages: it follows from the records, and is made again when the group is refreshed.

use crate::passes::Env;
use ballast_risk::portfolio::{
    ExpirySums, Held, Holdings, Losses, OrderSums, OrderTerms, Requirement, Scenarios,
};
use ballast_risk::{LotRisk, round_up_ppm, worst_gain};
use ballast_types::{Atoms, GroupId, Lots, MarketId, MarketKind, MarketSpec, Side, Ticks};
use std::collections::BTreeMap;

/// A requirement that does not fit.
const TOO_MUCH: Atoms = 1 << 120;

/// Amounts are in 10^-9 of the underlying.
const AMOUNT: Atoms = 1_000_000_000;

/// Position and open orders in a market, in lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Own {
    size: Lots,
    bids: Lots,
    asks: Lots,
}

impl Own {
    fn held(self, market: &MarketSpec) -> Option<Held> {
        let amount = |lots: Lots| lots.checked_mul(market.lot_amount);
        Some(Held {
            amount: amount(self.size)?,
            bids: amount(self.bids)?,
            asks: amount(self.asks)?,
        })
    }
}

/// What a group adds to the sums of an account, in atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) initial: Atoms,
    pub(crate) maintenance: Atoms,
    pub(crate) held: Atoms,
    /// Value of the spot.
    pub(crate) spot: Atoms,
}

impl Needs {
    fn all(figure: Atoms) -> Self {
        Self {
            initial: figure,
            maintenance: figure,
            held: figure,
            spot: 0,
        }
    }
}

/// What the kernel sums up.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sums {
    expiries: Vec<ExpirySums>,
    orders: OrderSums,
    /// Of the positions as they are and this amount of spot; none until they are asked for.
    losses: Option<(i64, Losses)>,
}

/// An account in a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnitSums {
    /// No entry where there is nothing.
    own: BTreeMap<MarketId, Own>,
    /// Open lots by limit, likewise.
    orders: BTreeMap<(MarketId, Side, Ticks), Lots>,
    /// What open orders reserve.
    pub(crate) reserve: Atoms,
    /// `None` until they are asked for, and when something does not fit.
    sums: Option<Sums>,
    /// What the sums of the account have of it.
    pub(crate) needs: Needs,
}

impl UnitSums {
    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.orders.is_empty() && self.needs == Needs::default()
    }

    /// Whether positions and open orders are the same.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.own == other.own && self.orders == other.orders
    }

    /// The unit is another one.
    pub(crate) fn renew(&mut self) {
        self.sums = None;
    }

    /// A market is settled: what was held or open there counts no more.
    pub(crate) fn forget(&mut self, market: MarketId, env: &Env<'_>) {
        self.own.remove(&market);
        let keys = (market, Side::Buy, Ticks::MIN)..=(market, Side::Sell, Ticks::MAX);
        let orders: Vec<_> = self
            .orders
            .range(keys)
            .map(|(k, lots)| (*k, *lots))
            .collect();
        for (key, lots) in orders {
            self.orders.remove(&key);
            let reserve = reserve(key.0, key.2, lots, env);
            self.reserve = self.reserve.saturating_sub(reserve);
        }
        self.sums = None;
    }

    /// A position grows by signed lots.
    pub(crate) fn hold(&mut self, market: MarketId, lots: Lots, env: &Env<'_>) {
        if lots != 0 {
            let grow = |own: &mut Own| own.size = own.size.saturating_add(lots);
            self.change(market, env, grow);
        }
    }

    /// More lots are open at a limit; fewer when negative.
    pub(crate) fn open(
        &mut self,
        market: MarketId,
        side: Side,
        price: Ticks,
        lots: Lots,
        env: &Env<'_>,
    ) {
        let key = (market, side, price);
        let open = self.orders.entry(key).or_default();
        *open = open.saturating_add(lots);
        if *open == 0 {
            self.orders.remove(&key);
        }
        self.reserve = self
            .reserve
            .saturating_add(reserve(market, price, lots, env));
        let added = match &mut self.sums {
            Some(sums) => sums.add(key, lots, env).is_some(),
            None => true,
        };
        if !added {
            self.sums = None;
        }
        self.change(market, env, |own| {
            let open = match side {
                Side::Buy => &mut own.bids,
                Side::Sell => &mut own.asks,
            };
            *open = open.saturating_add(lots);
        });
    }

    fn change(&mut self, market: MarketId, env: &Env<'_>, change: impl FnOnce(&mut Own)) {
        let own = self.own.entry(market).or_default();
        let before = *own;
        change(own);
        let after = *own;
        if let Some(sums) = &mut self.sums
            && after.size != before.size
        {
            sums.losses = None;
        }
        if after == Own::default() {
            self.own.remove(&market);
        }
        let changed = match &mut self.sums {
            Some(sums) if market >= env.chain.first_option() => {
                sums.change(market, before, after, env).is_some()
            }
            _ => true,
        };
        if !changed {
            self.sums = None;
        }
    }

    /// What all this needs, with an amount of spot.
    pub(crate) fn find(&mut self, group: GroupId, spot: Atoms, env: &Env<'_>) -> Needs {
        let unit = env.prices.unit(group);
        let index = unit.map_or(0, |unit| unit.index);
        let value = spot.saturating_mul(index.into());
        let value = value.checked_div(env.chain.per_atom(group)).unwrap_or(0);
        let scenarios = unit.and_then(|unit| unit.scenarios.as_ref());
        let mut needs = match scenarios {
            Some(scenarios) => self
                .requirement(scenarios, group, spot, env)
                .and_then(|requirement| in_atoms(requirement, env.chain.atom))
                .unwrap_or(Needs::all(TOO_MUCH)),
            None => self.without_unit(),
        };
        needs.spot = value;
        needs.initial = needs.initial.saturating_add(self.reserve);
        needs
    }

    fn without_unit(&self) -> Needs {
        if self.own.values().any(|own| own.size != 0) {
            Needs::all(TOO_MUCH)
        } else if self.orders.is_empty() {
            Needs::default()
        } else {
            Needs {
                held: 0,
                ..Needs::all(TOO_MUCH)
            }
        }
    }

    fn requirement(
        &mut self,
        scenarios: &Scenarios,
        group: GroupId,
        spot: Atoms,
        env: &Env<'_>,
    ) -> Option<Requirement> {
        if self.sums.is_none() {
            self.sums = Some(self.build(scenarios, group, env)?);
        }
        let sums = self.sums.as_mut()?;
        let mut futures = vec![Held::default(); sums.expiries.len()];
        let mut perpetual = Held::default();
        let spot = i64::try_from(spot).ok()?;
        let mut bought = Held::of(spot);
        for (id, own) in self.own.range(..env.chain.first_option()) {
            let market = env.chain.market(*id)?;
            let sum = match market.kind {
                MarketKind::Perpetual => &mut perpetual,
                MarketKind::Spot { .. } => &mut bought,
                MarketKind::Future { expiry } => {
                    futures.get_mut(env.prices.unit(group)?.term(expiry)?)?
                }
                MarketKind::Option { .. } => continue,
            };
            add(sum, own.held(market)?)?;
        }
        for (sums, future) in sums.expiries.iter_mut().zip(futures) {
            sums.set_future(future);
        }
        let holdings = Holdings {
            perpetual,
            perpetual_pnl: 0,
            spot: bought,
            expiries: &sums.expiries,
            collateral: &[],
        };
        let losses = match &sums.losses {
            Some((of, losses)) if *of == spot => losses,
            _ => {
                let losses = scenarios.losses(&holdings).ok()?;
                &sums.losses.insert((spot, losses)).1
            }
        };
        let requirement = scenarios.requirement_of(&holdings, losses, &sums.orders);
        requirement.ok()
    }

    fn build(&self, scenarios: &Scenarios, group: GroupId, env: &Env<'_>) -> Option<Sums> {
        let terms = &env.prices.unit(group)?.terms;
        let mut sums = Sums {
            expiries: terms.iter().map(|_| ExpirySums::new(scenarios)).collect(),
            orders: OrderSums::default(),
            losses: None,
        };
        for (market, own) in self.own.range(env.chain.first_option()..) {
            sums.change(*market, Own::default(), *own, env)?;
        }
        for (key, lots) in &self.orders {
            sums.add(*key, *lots, env)?;
        }
        Some(sums)
    }
}

impl Sums {
    /// An option is held and open in other numbers.
    fn change(&mut self, id: MarketId, from: Own, to: Own, env: &Env<'_>) -> Option<()> {
        let market = env.chain.market(id)?;
        let priced = env.prices.figures(id, env.chain)?.array.as_ref()?;
        let sums = self.expiries.get_mut(priced.term)?;
        let (from, to) = (from.held(market)?, to.held(market)?);
        sums.change(&priced.array, from, to).ok()
    }

    fn add(
        &mut self,
        (market, side, price): (MarketId, Side, Ticks),
        lots: Lots,
        env: &Env<'_>,
    ) -> Option<()> {
        let terms = order_terms(market, side, price, env)?;
        self.orders.add(&terms, lots).ok()
    }
}

fn add(sum: &mut Held, held: Held) -> Option<()> {
    sum.amount = sum.amount.checked_add(held.amount)?;
    sum.bids = sum.bids.checked_add(held.bids)?;
    sum.asks = sum.asks.checked_add(held.asks)?;
    Some(())
}

/// What one lot of an open order may lose in each state.
fn order_terms(id: MarketId, side: Side, price: Ticks, env: &Env<'_>) -> Option<OrderTerms> {
    let market = env.chain.market(id)?;
    let risk = risk(id, env)?;
    let gain = worst_gain(side, price, market, &risk).checked_mul(env.chain.atom)?;
    let unit = env.prices.unit(market.group)?;
    let lot = unit.lot_terms(env.chain.local(id), market, side, env.chain.atom)?;
    lot.order(gain).ok()
}

/// What a lot is worth in Portfolio mode, where spot has a value too.
pub(crate) fn risk(id: MarketId, env: &Env<'_>) -> Option<LotRisk> {
    let (market, risk) = env.market(id)?;
    let MarketKind::Spot { .. } = market.kind else {
        return Some(*risk);
    };
    let unit = env.prices.unit(market.group)?;
    let value = Atoms::from(unit.index).saturating_mul(market.lot_amount.into());
    Some(LotRisk {
        value: value.checked_div(env.chain.per_atom(market.group))?,
        ..*risk
    })
}

/// What open lots reserve beside their requirement.
fn reserve(id: MarketId, price: Ticks, lots: Lots, env: &Env<'_>) -> Atoms {
    let ppm = i64::from(env.chain.spec.order_reserve_ppm);
    let Some(market) = env.chain.market(id).filter(|_| ppm > 0) else {
        return 0;
    };
    let value = Atoms::from(price).saturating_mul(market.tick_value);
    round_up_ppm(value, ppm).saturating_mul(lots.into())
}

/// The figures in atoms, each rounded up.
fn in_atoms(requirement: Requirement, atom: i128) -> Option<Needs> {
    let up = |money: i128| {
        let rest = i128::from(money.checked_rem(atom)? > 0);
        money.checked_div(atom)?.checked_add(rest)
    };
    Some(Needs {
        initial: up(requirement.initial)?,
        maintenance: up(requirement.maintenance)?,
        held: up(requirement.held)?,
        spot: 0,
    })
}

/// Atoms of an asset as an amount, where `unit` are 1.
pub(crate) fn amount(atoms: Atoms, unit: i128) -> Atoms {
    let whole = atoms.checked_div(unit).unwrap_or(0);
    let rest = atoms.checked_rem(unit).unwrap_or(0).saturating_mul(AMOUNT);
    let rest = rest.checked_div(unit).unwrap_or(0);
    whole.saturating_mul(AMOUNT).saturating_add(rest)
}
