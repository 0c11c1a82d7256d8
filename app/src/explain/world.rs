//! Prices of a group as they are, moved, or under other parameters.

use super::book::Book;
use super::{Figures, MarketMargin};
use crate::snapshot::Snapshot;
use crate::unit::{Priced, Term, Unit};
use ballast_risk::LotRisk;
use ballast_risk::portfolio::{Error, Marks, Scenarios};
use ballast_types::margin::Params;
use ballast_types::{GroupId, Lots, MarginMode, MarketId, MarketSpec, MarketStatus, Side, Ticks};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Millionths of a whole.
pub(super) const MILLION: i64 = 1_000_000;

/// What a group's markets are worth.
pub(super) struct World<'a> {
    pub(super) state: &'a Snapshot,
    pub(super) group: GroupId,
    now: &'a Unit,
    other: Other,
}

/// What is not as it is.
enum Other {
    Nothing,
    /// All prices, by this factor in millionths; each option keeps its volatility.
    Prices(i64, Box<Unit>),
    Params(Box<Unit>),
}

/// One lot of a market.
pub(super) struct Lot {
    pub(super) risk: LotRisk,
    pub(super) mark: Ticks,
    /// Of an option that has figures.
    pub(super) priced: Option<Priced>,
}

impl<'a> World<'a> {
    /// As it is; `None` when there is no such group.
    pub(super) fn now(state: &'a Snapshot, group: GroupId) -> Option<Self> {
        Some(Self {
            state,
            group,
            now: state.prices.unit(group)?,
            other: Other::Nothing,
        })
    }

    /// With all prices moved by a factor in millionths.
    pub(super) fn moved(state: &'a Snapshot, group: GroupId, factor: i64) -> Option<Self> {
        let now = state.prices.unit(group)?;
        let scenarios = now.scenarios.as_ref().and_then(|scenarios| {
            let mut marks: Marks = scenarios.marks().clone();
            marks.index = moved(marks.index, factor).max(1);
            marks.perpetual = moved(marks.perpetual, factor);
            for expiry in &mut marks.expiries {
                expiry.forward = moved(expiry.forward, factor);
            }
            Scenarios::new(Arc::clone(scenarios.params()), marks).ok()
        });
        let term = |term: &Term| Term {
            forward: moved(term.forward, factor),
            ..*term
        };
        let terms = now.terms.iter().map(term).collect();
        let unit = now.with(moved(now.index, factor), scenarios, terms);
        Some(Self {
            state,
            group,
            now,
            other: Other::Prices(factor, Box::new(unit)),
        })
    }

    /// Under other parameters; `Ok(None)` when the group has no unit.
    pub(super) fn proposed(
        state: &'a Snapshot,
        group: GroupId,
        params: &Params,
    ) -> Result<Option<Self>, Error> {
        let Some(now) = state.prices.unit(group) else {
            return Ok(None);
        };
        let Some(scenarios) = &now.scenarios else {
            return Ok(None);
        };
        let mut marks = scenarios.marks().clone();
        if params.open_interest.is_some() && scenarios.params().open_interest.is_none() {
            marks.open_interest = state.open_interest(group);
        }
        let scenarios = Scenarios::new(Arc::new(params.clone()), marks)?;
        let unit = now.with(now.index, Some(scenarios), now.terms.clone());
        Ok(Some(Self {
            state,
            group,
            now,
            other: Other::Params(Box::new(unit)),
        }))
    }

    pub(super) fn unit(&self) -> &Unit {
        match &self.other {
            Other::Nothing => self.now,
            Other::Prices(_, unit) | Other::Params(unit) => unit,
        }
    }

    /// Spec of a market of this group.
    pub(super) fn spec(&self, market: MarketId) -> Option<&'a MarketSpec> {
        let spec = self.state.chain.market(market)?;
        (spec.group == self.group).then_some(spec)
    }

    pub(super) fn settled(&self, market: MarketId) -> bool {
        let state = self.state;
        state.prices.status(market, &state.chain) == MarketStatus::Settled
    }

    /// What one lot of a market of this group is.
    pub(super) fn lot(&self, market: MarketId) -> Option<Lot> {
        let spec = self.spec(market)?;
        let (prices, chain) = (&self.state.prices, &self.state.chain);
        if chain.option(market).is_none() {
            let mark = prices.live(market, chain).mark;
            let mark = match &self.other {
                Other::Prices(factor, _) if !self.settled(market) => moved(mark, *factor),
                _ => mark,
            };
            return Some(Lot {
                risk: LotRisk::at(spec, mark),
                mark,
                priced: None,
            });
        }
        let now = prices.figures(market, chain)?;
        let figures = match &self.other {
            Other::Nothing => now.clone(),
            _ if self.settled(market) => now.clone(),
            Other::Params(unit) => unit.figures(chain.local(market), spec).clone(),
            Other::Prices(_, unit) => {
                let volatility = now.array.as_ref().map(|priced| priced.volatility);
                let figures = volatility.and_then(|volatility| unit.figures_at(spec, volatility));
                figures.unwrap_or_default()
            }
        };
        Some(Lot {
            risk: figures.risk,
            mark: figures.mark,
            priced: figures.array,
        })
    }

    /// Markets of this group in which an account has something, ascending.
    pub(super) fn used(&self, book: &Book) -> BTreeSet<MarketId> {
        let open = book.orders.iter().map(|open| open.market);
        let all = book.positions.keys().copied().chain(open);
        all.filter(|market| self.spec(*market).is_some()).collect()
    }

    /// What the group adds to the sums of an account.
    pub(super) fn figures(&self, book: &Book) -> Figures {
        match book.mode {
            MarginMode::Standard => self.standard_figures(book),
            MarginMode::Portfolio => self.portfolio_figures(book),
        }
    }

    pub(super) fn markets(&self, book: &Book) -> Vec<MarketMargin> {
        let market = |market: MarketId| {
            let lot = self.lot(market)?;
            let position = book.position(market);
            Some(MarketMargin {
                market,
                position: position.size,
                cost: position.cost,
                mark: lot.mark,
                value: lot.risk.value,
                unrealised: position.unrealised(lot.risk.value),
                bids: open_lots(book, market, Side::Buy),
                asks: open_lots(book, market, Side::Sell),
                standard: match book.mode {
                    MarginMode::Standard => self.standard_margin(book, market),
                    MarginMode::Portfolio => None,
                },
            })
        };
        self.used(book).into_iter().filter_map(market).collect()
    }
}

/// Open lots of a side of a market.
pub(super) fn open_lots(book: &Book, market: MarketId, side: Side) -> Lots {
    let orders = book.orders.iter();
    let here = orders.filter(|open| open.market == market && open.side == side);
    here.fold(0, |sum: Lots, open| sum.saturating_add(open.lots))
}

/// A price times a factor in millionths, to the nearest.
fn moved(price: i64, factor: i64) -> i64 {
    let product = i128::from(price).saturating_mul(factor.into());
    let half = i128::from(MILLION).div_euclid(2);
    let nearest = product.saturating_add(half).div_euclid(MILLION.into());
    i64::try_from(nearest).unwrap_or(i64::MAX)
}
