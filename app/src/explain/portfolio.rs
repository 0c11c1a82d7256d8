//! Portfolio mode: each group as one.

use super::book::{Book, Open};
use super::world::{Lot, World, open_lots};
use super::{Figures, PortfolioMargin, TOO_MUCH, UsedExpiry, UsedMarks};
use ballast_risk::portfolio::{
    AMOUNT_ONE, ExpirySums, Held, Holdings, Instrument, OrderSums, Requirement, Scenarios,
};
use ballast_risk::{LotRisk, round_up_ppm, worst_gain};
use ballast_types::{Atoms, MarketId, MarketKind, MarketSpec, Side, TimeMs};
use std::collections::BTreeMap;

/// What the kernel takes.
struct Inputs {
    perpetual: Held,
    spot: Held,
    expiries: Vec<ExpirySums>,
    orders: OrderSums,
}

impl Inputs {
    fn holdings(&self) -> Holdings<'_> {
        Holdings {
            perpetual: self.perpetual,
            perpetual_pnl: 0,
            spot: self.spot,
            expiries: &self.expiries,
            collateral: &[],
        }
    }
}

impl World<'_> {
    pub(super) fn portfolio_figures(&self, book: &Book) -> Figures {
        let unrealised = self.used(book).into_iter().filter_map(|market| {
            let value = self.lot(market)?.risk.value;
            Some(book.position(market).unrealised(value))
        });
        let equity = unrealised.fold(self.spot_value(book), Atoms::saturating_add);
        let reserve = self.reserve(book);
        let (initial, maintenance, held) = match self.required(book) {
            Some(required) => (
                self.atoms(required.initial),
                self.atoms(required.maintenance),
                self.atoms(required.held),
            ),
            None => self.untold(book),
        };
        Figures {
            equity,
            initial: initial.saturating_add(reserve),
            maintenance,
            held,
        }
    }

    /// What is required where the kernel cannot tell.
    fn untold(&self, book: &Book) -> (Atoms, Atoms, Atoms) {
        let positions = book.positions.iter();
        let mut here = positions.filter(|(market, _)| self.spec(**market).is_some());
        if self.unit().scenarios.is_some() || here.any(|(_, position)| position.size != 0) {
            return (TOO_MUCH, TOO_MUCH, TOO_MUCH);
        }
        match self.open(book).next() {
            Some(_) => (TOO_MUCH, TOO_MUCH, 0),
            None => (0, 0, 0),
        }
    }

    /// `None` without a unit, and when the kernel refuses.
    fn required(&self, book: &Book) -> Option<Requirement> {
        let scenarios = self.unit().scenarios.as_ref()?;
        let inputs = self.inputs(book, scenarios)?;
        scenarios
            .requirement(&inputs.holdings(), &inputs.orders)
            .ok()
    }

    pub(super) fn portfolio_margin(&self, book: &Book) -> PortfolioMargin {
        let alone = Book {
            orders: Vec::new(),
            ..book.clone()
        };
        let (scenarios, required) = (self.unit().scenarios.as_ref(), self.required(book));
        let held = scenarios.and_then(|scenarios| {
            let inputs = self.inputs(&alone, scenarios)?;
            scenarios.margin(&inputs.holdings()).ok()
        });
        let added = |of: fn(&Requirement) -> i128| {
            let with = required.as_ref().map_or(0, of);
            let without = self.required(&alone).as_ref().map_or(0, of);
            self.atoms(with).saturating_sub(self.atoms(without))
        };
        let params = scenarios.map(|scenarios| scenarios.params());
        PortfolioMargin {
            marks: self.used_marks(),
            spot_amount: self.spot_amount(book),
            spot_value: self.spot_value(book),
            held: held.filter(|_| required.is_some()),
            scenarios: params.map_or_else(Vec::new, |params| params.scenarios.clone()),
            orders_initial: added(|required| required.initial),
            orders_maintenance: added(|required| required.maintenance),
            reserve: self.reserve(book),
            maintenance_factor: params.map_or(0, |params| params.maintenance_factor),
        }
    }

    fn used_marks(&self) -> UsedMarks {
        let unit = self.unit();
        let marks = unit.scenarios.as_ref().map(Scenarios::marks);
        let of_kernel = marks.into_iter().flat_map(|marks| &marks.expiries);
        let expiries = unit.terms.iter().zip(of_kernel);
        let group = self.state.chain.spec.groups.get(self.group.index());
        UsedMarks {
            refreshed: unit.refreshed,
            age_ms: self.state.time().saturating_sub(unit.refreshed),
            price_digits: group.map_or(0, |group| group.price_digits),
            index: unit.index,
            perpetual: marks.map_or(0, |marks| marks.perpetual),
            open_interest: marks.map_or(0, |marks| marks.open_interest),
            expiries: expiries
                .map(|(term, marks)| UsedExpiry {
                    expiry: term.expiry,
                    secs: marks.secs,
                    forward: marks.forward,
                    fixed: marks.fixed,
                    rate: marks.rate,
                })
                .collect(),
        }
    }

    fn inputs(&self, book: &Book, scenarios: &Scenarios) -> Option<Inputs> {
        let expiries = self.unit().terms.len();
        let mut inputs = Inputs {
            perpetual: Held::default(),
            spot: Held::of(i64::try_from(self.spot_amount(book)).ok()?),
            expiries: vec![ExpirySums::new(scenarios); expiries],
            orders: OrderSums::default(),
        };
        let mut futures: BTreeMap<usize, Held> = BTreeMap::new();
        for market in self.used(book) {
            if self.settled(market) {
                continue;
            }
            let (spec, lot) = (self.spec(market)?, self.lot(market)?);
            let held = held_of(book, market, spec)?;
            match spec.kind {
                MarketKind::Perpetual => add(&mut inputs.perpetual, held)?,
                MarketKind::Spot { .. } => add(&mut inputs.spot, held)?,
                MarketKind::Future { expiry } => {
                    add(futures.entry(self.term(expiry)?).or_default(), held)?;
                }
                MarketKind::Option { .. } if held == Held::default() => {}
                MarketKind::Option { .. } => {
                    let priced = lot.priced.as_ref()?;
                    let sums = inputs.expiries.get_mut(priced.term)?;
                    sums.change(&priced.array, Held::default(), held).ok()?;
                }
            }
            self.add_orders(book, market, &lot, scenarios, &mut inputs.orders)?;
        }
        for (term, future) in futures {
            inputs.expiries.get_mut(term)?.set_future(future);
        }
        Some(inputs)
    }

    fn add_orders(
        &self,
        book: &Book,
        market: MarketId,
        lot: &Lot,
        scenarios: &Scenarios,
        sums: &mut OrderSums,
    ) -> Option<()> {
        let (spec, atom) = (self.spec(market)?, self.state.chain.atom);
        let (mut risk, mut instrument) = (lot.risk, Instrument::Perpetual);
        match spec.kind {
            MarketKind::Perpetual => {}
            MarketKind::Spot { .. } => {
                risk = LotRisk {
                    value: self.valued(spec.lot_amount.into())?,
                    ..risk
                };
                instrument = Instrument::Spot;
            }
            MarketKind::Future { expiry } => instrument = Instrument::Future(self.term(expiry)?),
            MarketKind::Option { .. } => {
                if let Some(priced) = &lot.priced {
                    instrument = Instrument::Option(priced.term, &priced.array);
                }
            }
        }
        for open in book.orders.iter().filter(|open| open.market == market) {
            let gain = worst_gain(open.side, open.price, spec, &risk).checked_mul(atom)?;
            let terms = scenarios.order(instrument, spec.lot_amount, open.side, gain, atom);
            sums.add(&terms.ok()?, open.lots).ok()?;
        }
        Some(())
    }

    /// Number of an expiry in the unit.
    fn term(&self, expiry: TimeMs) -> Option<usize> {
        let terms = &self.unit().terms;
        terms.iter().position(|term| term.expiry == expiry)
    }

    /// Open orders of this group's markets that may still trade.
    fn open<'b>(&'b self, book: &'b Book) -> impl Iterator<Item = (&'b MarketSpec, &'b Open)> {
        let orders = book.orders.iter();
        let here = orders.filter(|open| !self.settled(open.market));
        here.filter_map(|open| Some((self.spec(open.market)?, open)))
    }

    fn reserve(&self, book: &Book) -> Atoms {
        let ppm = self.state.chain.spec.order_reserve_ppm.into();
        self.open(book).fold(0, |sum: Atoms, (spec, open)| {
            let notional = Atoms::from(open.price).saturating_mul(spec.tick_value);
            let reserve = round_up_ppm(notional, ppm).saturating_mul(open.lots.into());
            sum.saturating_add(reserve)
        })
    }

    /// The underlying that is held as spot, in 10^-9 of it.
    fn spot_amount(&self, book: &Book) -> Atoms {
        let bases = self.state.chain.bases(self.group).iter();
        let amounts = bases.map(|(asset, unit)| {
            let amount = book.balance(*asset).checked_mul(AMOUNT_ONE.into());
            amount.map_or(Atoms::MAX, |amount| amount.div_euclid((*unit).max(1)))
        });
        amounts.fold(0, Atoms::saturating_add)
    }

    fn spot_value(&self, book: &Book) -> Atoms {
        let amount = self.spot_amount(book).min(i64::MAX.into());
        self.valued(amount).unwrap_or(0)
    }

    /// An amount of the underlying at the index, in atoms.
    fn valued(&self, amount: i128) -> Option<Atoms> {
        let value = amount.checked_mul(self.unit().index.into())?;
        Some(value.div_euclid(self.state.chain.per_atom(self.group).max(1)))
    }

    /// Money in atoms, rounded up.
    fn atoms(&self, money: i128) -> Atoms {
        let down = money
            .saturating_neg()
            .div_euclid(self.state.chain.atom.max(1));
        down.saturating_neg()
    }
}

/// Position and open orders of a market, as amounts.
fn held_of(book: &Book, market: MarketId, spec: &MarketSpec) -> Option<Held> {
    let amount = |lots: i64| lots.checked_mul(spec.lot_amount);
    Some(Held {
        amount: amount(book.position(market).size)?,
        bids: amount(open_lots(book, market, Side::Buy))?,
        asks: amount(open_lots(book, market, Side::Sell))?,
    })
}

fn add(sum: &mut Held, held: Held) -> Option<()> {
    sum.amount = sum.amount.checked_add(held.amount)?;
    sum.bids = sum.bids.checked_add(held.bids)?;
    sum.asks = sum.asks.checked_add(held.asks)?;
    Some(())
}
