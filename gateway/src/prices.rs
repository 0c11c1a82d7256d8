//! The prices of a market and what it takes, as the `market` channel tells them.

use crate::catalog::Catalog;
use ballast_app::view::MarketView;
use ballast_types::{Event, MarketId, MarketStatus, Ticks};
use serde::Serialize;

/// What the channel of a market tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prices {
    mark: Ticks,
    index: Ticks,
    last: Ticks,
    status: MarketStatus,
}

#[derive(Serialize)]
pub(crate) struct PricesBody {
    mark: Ticks,
    mark_decimal: String,
    index: Ticks,
    index_decimal: String,
    last: Ticks,
    last_decimal: String,
    status: &'static str,
}

pub(crate) fn status(status: MarketStatus) -> &'static str {
    match status {
        MarketStatus::Open => "open",
        MarketStatus::PostOnly => "post-only",
        MarketStatus::CancelOnly => "cancel-only",
        MarketStatus::Suspended => "suspended",
    }
}

/// The market that an event gives a new price or status.
pub(crate) fn market_of(event: &Event) -> Option<MarketId> {
    match event {
        Event::Mark { market, .. }
        | Event::Index { market, .. }
        | Event::Status { market, .. }
        | Event::Fill { market, .. } => Some(*market),
        _ => None,
    }
}

impl Prices {
    pub(crate) fn new(view: &MarketView) -> Self {
        Self {
            mark: view.mark,
            index: view.index,
            last: view.last,
            status: view.status,
        }
    }

    /// Follows an event of the market.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Mark { price, .. } => self.mark = *price,
            Event::Index { price, .. } => self.index = *price,
            Event::Fill { price, .. } => self.last = *price,
            Event::Status { status, .. } => self.status = *status,
            _ => {}
        }
    }

    pub(crate) fn body(self, catalog: &Catalog, market: MarketId) -> PricesBody {
        PricesBody {
            mark: self.mark,
            mark_decimal: catalog.price(market, self.mark),
            index: self.index,
            index_decimal: catalog.price(market, self.index),
            last: self.last,
            last_decimal: catalog.price(market, self.last),
            status: status(self.status),
        }
    }
}
