//! The prices of a market and what it takes, as the `market` channel tells them.

use crate::catalog::Catalog;
use crate::markets::Greeks;
use ballast_app::view::{GreeksView, MarketView};
use ballast_types::{Event, Lots, MarketId, MarketStatus, Ticks};
use serde::Serialize;

/// What the channel of a market tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prices {
    mark: Ticks,
    index: Ticks,
    last: Ticks,
    status: MarketStatus,
    /// Of the last block.
    auction: Option<Auction>,
    /// Of an option; kept only while somebody listens.
    option: Option<OptionPrices>,
}

/// What an option has beside a market's prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OptionPrices {
    open_interest: Lots,
    greeks: Option<GreeksView>,
}

/// What an auction did, or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Auction {
    pub price: Ticks,
    pub volume: Lots,
    pub imbalance: Lots,
    pub traded: Lots,
}

#[derive(Serialize)]
pub(crate) struct AuctionRow {
    price: Ticks,
    price_decimal: String,
    volume: Lots,
    volume_decimal: String,
    imbalance: Lots,
    imbalance_decimal: String,
    traded: Lots,
    traded_decimal: String,
}

impl Auction {
    pub(crate) fn row(self, catalog: &Catalog, market: MarketId) -> AuctionRow {
        AuctionRow {
            price: self.price,
            price_decimal: catalog.price(market, self.price),
            volume: self.volume,
            volume_decimal: catalog.size(market, self.volume),
            imbalance: self.imbalance,
            imbalance_decimal: catalog.size(market, self.imbalance),
            traded: self.traded,
            traded_decimal: catalog.size(market, self.traded),
        }
    }
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
    auction: Option<AuctionRow>,
    #[serde(flatten)]
    option: Option<OptionBody>,
}

#[derive(Serialize)]
struct OptionBody {
    open_interest: Lots,
    open_interest_decimal: String,
    greeks: Option<Greeks>,
}

pub(crate) fn status(status: MarketStatus) -> &'static str {
    match status {
        MarketStatus::Open => "open",
        MarketStatus::PostOnly => "post-only",
        MarketStatus::CancelOnly => "cancel-only",
        MarketStatus::Suspended => "suspended",
        MarketStatus::Auction => "auction",
        MarketStatus::Settled => "settled",
    }
}

/// The market that an event gives a new price or status, or whose auction it tells of.
pub(crate) fn market_of(event: &Event) -> Option<MarketId> {
    match event {
        Event::Mark { market, .. }
        | Event::Index { market, .. }
        | Event::Status { market, .. }
        | Event::Settled { market, .. }
        | Event::Auction { market, .. }
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
            auction: None,
            option: None,
        }
    }

    /// Reads what no event tells of an option.
    pub(crate) fn follow(&mut self, view: &MarketView) {
        let option = OptionPrices {
            open_interest: view.open_interest,
            greeks: view.greeks,
        };
        *self = Self {
            auction: self.auction,
            option: Some(option),
            ..Self::new(view)
        };
    }

    /// Forgets the auction of the block before.
    pub(crate) fn begin(&mut self) {
        self.auction = None;
    }

    /// Follows an event of the market.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Mark { price, .. } => self.mark = *price,
            Event::Index { price, .. } => self.index = *price,
            Event::Fill { price, .. } => self.last = *price,
            Event::Status { status, .. } => self.status = *status,
            Event::Settled { price, .. } => {
                (self.mark, self.index) = (*price, *price);
                self.status = MarketStatus::Settled;
            }
            Event::Auction {
                price,
                volume,
                imbalance,
                traded,
                ..
            } => {
                self.auction = Some(Auction {
                    price: *price,
                    volume: *volume,
                    imbalance: *imbalance,
                    traded: *traded,
                });
            }
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
            auction: self.auction.map(|auction| auction.row(catalog, market)),
            option: self.option.map(|option| OptionBody {
                open_interest: option.open_interest,
                open_interest_decimal: catalog.size(market, option.open_interest),
                greeks: catalog.market(market).and_then(|spec| {
                    let greeks = option.greeks?;
                    Some(Greeks::new(catalog, spec.group, &greeks))
                }),
            }),
        }
    }
}
