//! A group's unit: what its options and its portfolio margin are computed from, as it was at the last
//! refresh. A cache outside the pages, and a pure function of them.

use crate::surface::{Published, secs};
use ballast_risk::portfolio::{
    ExpiryMarks, Instrument, LotTerms, Marks, ONE, OptionTerms, RiskArray, Scenarios,
};
use ballast_risk::surface::moneyness;
use ballast_risk::{LotRisk, OptionLot};
use ballast_types::margin::Params;
use ballast_types::{
    Atoms, GroupSpec, MarketKind, MarketSpec, OptionKind, SETTLEMENT_WINDOW_MS, Side, Ticks, TimeMs,
};
use std::sync::{Arc, OnceLock};

/// What a unit is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    /// Block time in ms of the refresh.
    pub(crate) refreshed: TimeMs,
    /// In the scale of the group; 0 is none.
    pub(crate) index: i64,
    /// Mark of the perpetual likewise, when the group has one.
    pub(crate) perpetual: Option<i64>,
    /// In money.
    pub(crate) open_interest: i128,
    /// Ascending by expiry, each once.
    pub(crate) terms: Vec<TermInputs>,
    pub(crate) surface: Option<Arc<Published>>,
    /// See [`crate::chain::Chain::per_atom`].
    pub(crate) per_atom: i128,
    /// Markets of the group.
    pub(crate) markets: u32,
}

/// What a unit knows of an expiry.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TermInputs {
    /// Block time in ms.
    pub(crate) expiry: TimeMs,
    /// Mark of the first future that expires then, in the scale of the group.
    pub(crate) future: Option<i64>,
    /// Of the settlement price of its options: index x ms, and ms sampled.
    pub(crate) sum: i128,
    pub(crate) weight: u32,
}

/// An expiry of a unit; its number is that which [`Scenarios`] knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) expiry: TimeMs,
    /// Before the settlement window fixes a part of it.
    pub(crate) forward: i64,
}

/// What one lot of an option is, at the last refresh.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) risk: LotRisk,
    /// What the kernel makes of it; `None` without a unit, and of a settled option.
    pub(crate) array: Option<Priced>,
    /// In ticks of the option.
    pub(crate) mark: Ticks,
    pub(crate) index: Ticks,
}

/// An option as the kernel sees it.
#[derive(Clone, Debug)]
pub(crate) struct Priced {
    pub(crate) array: RiskArray,
    /// Number of its expiry in the unit.
    pub(crate) term: usize,
    /// A year, a ratio.
    pub(crate) volatility: i64,
}

/// Options whose figures are kept together.
const CHUNK: usize = 16;

/// What is found when it is asked for, by number within the group.
type Chunks<T> = Vec<OnceLock<Box<[T; CHUNK]>>>;

/// By side; `None` where the kernel refuses it.
type Sides = [OnceLock<Option<LotTerms>>; 2];

fn chunks<T>(markets: u32) -> Chunks<T> {
    let chunks = usize::try_from(markets).unwrap_or(0).div_ceil(CHUNK);
    (0..chunks).map(|_| OnceLock::new()).collect()
}

/// The place of a market, by its number within the group.
fn place<T: Default>(chunks: &Chunks<T>, local: u32) -> Option<&T> {
    let at = usize::try_from(local).ok()?;
    let chunk = chunks.get(at.checked_div(CHUNK)?)?;
    let chunk = chunk.get_or_init(|| Box::new(std::array::from_fn(|_| T::default())));
    chunk.get(at.checked_rem(CHUNK)?)
}

#[derive(Debug)]
pub(crate) struct Unit {
    /// Block time in ms of the refresh; 0 before the first.
    pub(crate) refreshed: TimeMs,
    /// In the scale of the group; 0 is none.
    pub(crate) index: i64,
    /// `None` when there is no index, or figures do not fit the kernel.
    pub(crate) scenarios: Option<Scenarios>,
    pub(crate) terms: Vec<Term>,
    pub(crate) surface: Option<Arc<Published>>,
    volatility: i64,
    per_atom: i128,
    figures: Chunks<OnceLock<Figures>>,
    lots: Chunks<Sides>,
    none: Figures,
}

impl Unit {
    pub(crate) fn new(group: &GroupSpec, params: Arc<Params>, inputs: Inputs) -> Self {
        let terms: Vec<_> = inputs.terms.iter().map(|at| term(at, &inputs)).collect();
        Self {
            refreshed: inputs.refreshed,
            index: inputs.index,
            scenarios: scenarios(group, params, &inputs, &terms),
            terms,
            surface: inputs.surface,
            volatility: group.volatility,
            per_atom: inputs.per_atom,
            figures: chunks(inputs.markets),
            lots: chunks(inputs.markets),
            none: Figures::default(),
        }
    }

    /// Whether it is made of the same as another.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let marks = |unit: &Self| unit.scenarios.as_ref().map(|s| s.marks().clone());
        (self.refreshed, self.index, &self.terms) == (other.refreshed, other.index, &other.terms)
            && self.surface == other.surface
            && marks(self) == marks(other)
            && self.figures.len() == other.figures.len()
    }

    /// Figures of an option that is not settled; all zero where there are none.
    pub(crate) fn figures(&self, local: u32, market: &MarketSpec) -> &Figures {
        match place(&self.figures, local) {
            Some(figures) => figures.get_or_init(|| self.compute(market).unwrap_or_default()),
            None => &self.none,
        }
    }

    /// What a lot of an open order makes of each state, with the money of an atom; `None` where the
    /// kernel refuses it.
    pub(crate) fn lot_terms(
        &self,
        local: u32,
        market: &MarketSpec,
        side: Side,
        atom: i128,
    ) -> Option<&LotTerms> {
        let [buy, sell] = place(&self.lots, local)?;
        let terms = match side {
            Side::Buy => buy,
            Side::Sell => sell,
        };
        let make = || {
            let instrument = match market.kind {
                MarketKind::Perpetual => Instrument::Perpetual,
                MarketKind::Spot { .. } => Instrument::Spot,
                MarketKind::Future { expiry } => Instrument::Future(self.term(expiry)?),
                MarketKind::Option { .. } => {
                    let priced = self.figures(local, market).array.as_ref()?;
                    Instrument::Option(priced.term, &priced.array)
                }
            };
            let scenarios = self.scenarios.as_ref()?;
            scenarios
                .lot(instrument, market.lot_amount, side, atom)
                .ok()
        };
        terms.get_or_init(make).as_ref()
    }

    /// Number of an expiry.
    pub(crate) fn term(&self, expiry: TimeMs) -> Option<usize> {
        self.terms.iter().position(|term| term.expiry == expiry)
    }

    /// The same surface with another index, other figures of the kernel and other forwards.
    pub(crate) fn with(&self, index: i64, scenarios: Option<Scenarios>, terms: Vec<Term>) -> Self {
        Self {
            refreshed: self.refreshed,
            index,
            scenarios,
            terms,
            surface: self.surface.clone(),
            volatility: self.volatility,
            per_atom: self.per_atom,
            figures: self.figures.iter().map(|_| OnceLock::new()).collect(),
            lots: self.lots.iter().map(|_| OnceLock::new()).collect(),
            none: Figures::default(),
        }
    }

    fn compute(&self, market: &MarketSpec) -> Option<Figures> {
        let MarketKind::Option { expiry, strike, .. } = market.kind else {
            return None;
        };
        let forward = self.terms.get(self.term(expiry)?)?.forward;
        self.figures_at(market, self.volatility(strike, expiry, forward))
    }

    /// Figures of an option at this volatility; `None` where there are none.
    pub(crate) fn figures_at(&self, market: &MarketSpec, volatility: i64) -> Option<Figures> {
        let scenarios = self.scenarios.as_ref()?;
        let MarketKind::Option {
            expiry,
            strike,
            kind,
        } = market.kind
        else {
            return None;
        };
        let term = self.term(expiry)?;
        let forward = self.terms.get(term)?.forward;
        let option = OptionTerms {
            kind,
            strike,
            volatility,
        };
        let array = scenarios.option(term, &option).ok()?;
        let lot = self.lot(&array, market, strike, forward)?;
        Some(Figures {
            risk: LotRisk::option(market, &lot),
            array: Some(Priced {
                array,
                term,
                volatility,
            }),
            mark: ticks(rounded(lot.value, market.tick_value)?),
            index: self.index.checked_div(market.tick_price)?,
        })
    }

    /// Volatility a year of a strike.
    fn volatility(&self, strike: i64, expiry: TimeMs, forward: i64) -> i64 {
        let surface = self.surface.as_ref();
        let given = surface.and_then(|surface| {
            let k = moneyness(strike, forward);
            surface
                .curves
                .volatility(k, secs(expiry), secs(self.refreshed))
        });
        given.unwrap_or(self.volatility)
    }

    /// What a lot is worth and hinges on, in atoms.
    fn lot(
        &self,
        array: &RiskArray,
        market: &MarketSpec,
        strike: i64,
        forward: i64,
    ) -> Option<OptionLot> {
        let amount = |price: i64| i128::from(price).saturating_mul(market.lot_amount.into());
        let out = match array.kind {
            OptionKind::Call => strike.saturating_sub(self.index),
            OptionKind::Put => self.index.saturating_sub(strike),
        };
        let hundredth = self.per_atom.checked_mul(100)?;
        let of_forward = amount(forward).checked_div(self.per_atom)?;
        let delta = i128::from(array.delta).checked_mul(of_forward)?;
        let size = rounded(delta.checked_abs()?, ONE.into())?;
        Some(OptionLot {
            value: rounded(amount(array.mark), self.per_atom)?,
            underlying: amount(self.index).checked_div(self.per_atom)?,
            out_of_the_money: amount(out.max(0)).checked_div(self.per_atom)?,
            delta: size.saturating_mul(delta.signum()),
            vega: rounded(amount(array.vega), hundredth)?,
        })
    }
}

/// The forward of an expiry: of the surface, else of the future, else the index.
fn term(at: &TermInputs, inputs: &Inputs) -> Term {
    let surface = inputs.surface.as_ref();
    let given = surface.and_then(|surface| Some(surface.at(at.expiry)?.forward));
    Term {
        expiry: at.expiry,
        forward: given.or(at.future).unwrap_or(inputs.index),
    }
}

/// The kernel's unit; `None` without an index, or when it refuses the figures.
fn scenarios(
    group: &GroupSpec,
    params: Arc<Params>,
    inputs: &Inputs,
    terms: &[Term],
) -> Option<Scenarios> {
    if inputs.index == 0 {
        return None;
    }
    let window = i128::from(SETTLEMENT_WINDOW_MS);
    let expiries = inputs.terms.iter().zip(terms).map(|(at, term)| {
        let left = window.saturating_sub(at.weight.into());
        let forward = i128::from(term.forward).checked_mul(left)?;
        let surface = inputs.surface.as_ref();
        let given = surface.and_then(|surface| surface.at(at.expiry));
        Some(ExpiryMarks {
            secs: secs(at.expiry.saturating_sub(inputs.refreshed)),
            forward: i64::try_from(forward.checked_div(window)?).ok()?,
            fixed: i64::try_from(at.sum.checked_div(window)?).ok()?,
            rate: given.map_or(0, |given| given.rate),
            forward_confidence: ONE,
            rate_confidence: ONE,
            volatility_confidence: ONE,
        })
    });
    let marks = Marks {
        price_digits: group.price_digits.into(),
        stable: ONE,
        index: inputs.index,
        index_confidence: ONE,
        perpetual: inputs.perpetual.unwrap_or(inputs.index),
        perpetual_confidence: ONE,
        open_interest: inputs.open_interest,
        expiries: expiries.collect::<Option<_>>()?,
    };
    Scenarios::new(params, marks).ok()
}

/// `value / by` to the nearest, half up; for values that are not negative.
pub(crate) fn rounded(value: Atoms, by: Atoms) -> Option<Atoms> {
    value.checked_add(by.checked_div(2)?)?.checked_div(by)
}

pub(crate) fn ticks(price: Atoms) -> Ticks {
    Ticks::try_from(price).unwrap_or(Ticks::MAX)
}
