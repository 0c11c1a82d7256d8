//! Standard mode: each market on its own.

use super::book::Book;
use super::world::{Lot, World};
use super::{Figures, StandardMargin, StandardScenarios};
use ballast_risk::{Rates, Terms, Worst, requirement, scenarios, worst_gain};
use ballast_types::{Atoms, Lots, MarketId};

impl World<'_> {
    pub(super) fn standard_figures(&self, book: &Book) -> Figures {
        let each = self.used(book).into_iter().filter_map(|market| {
            let lot = self.lot(market)?;
            let margin = self.standard_margin(book, market)?;
            Some(Figures {
                equity: book.position(market).unrealised(lot.risk.value),
                initial: margin.initial.requirement(),
                maintenance: margin.maintenance.requirement(),
                held: margin.held,
            })
        });
        each.fold(Figures::default(), Figures::plus)
    }

    pub(super) fn standard_margin(&self, book: &Book, market: MarketId) -> Option<StandardMargin> {
        let lot = self.lot(market)?;
        let size = book.position(market).size;
        let terms = self.terms(book, market, &lot)?;
        Some(StandardMargin {
            initial: StandardScenarios::of(lot.risk.initial, size, terms.initial),
            maintenance: StandardScenarios::of(lot.risk.maintenance, size, terms.maintenance),
            held: lot.risk.maintenance.held(size),
        })
    }

    fn terms(&self, book: &Book, market: MarketId, lot: &Lot) -> Option<Terms> {
        let spec = self.spec(market)?;
        let here = book.orders.iter().filter(|open| open.market == market);
        let terms = here.map(|open| {
            let gain = worst_gain(open.side, open.price, spec, &lot.risk);
            Terms::of(open.side, gain, &lot.risk, open.lots)
        });
        Some(terms.fold(Terms::default(), Terms::plus))
    }
}

impl StandardScenarios {
    fn of(rates: Rates, size: Lots, worst: Worst) -> Self {
        let (long_loses, short_loses) = scenarios(rates, size, worst);
        let alone = requirement(rates, size, Worst::default());
        Self {
            rates,
            long_loses,
            short_loses,
            orders: long_loses.max(short_loses).saturating_sub(alone),
        }
    }

    /// What the market requires.
    pub fn requirement(&self) -> Atoms {
        self.long_loses.max(self.short_loses)
    }
}
