//! Scales, linked orders, quotes and their protection, from what people write to what the chain takes.

use ballast_types::{
    GroupId, LinkKind, LinkRule, Linked, MarketId, PostOnly, Quote, QuoteSide, Quotes, Scale,
    SetProtection,
};
use rust_decimal::Decimal;

use super::{Error, Listing, Market, lot_of, tick_of};
use crate::actions::{LinkName, LinkedSpec, ProtectSpec, QuotesSpec, RuleName, ScaleSpec, millis};
use crate::api::Api;
use crate::units;

impl Listing {
    pub(super) async fn scale(&self, api: &Api, spec: &ScaleSpec) -> Result<Scale, Error> {
        let market = self.market(&spec.order.market)?;
        let tick = tick_of(market);
        let millionth = Decimal::new(1, 6);
        let ratio = units::multiple("last_size", spec.last_size, millionth, "a millionth")?;
        Ok(Scale {
            order: self.order(api, &spec.order).await?,
            last_price: units::multiple("last_price", spec.last_price, market.tick, &tick)?,
            orders: spec.orders,
            last_size_ppm: u32::try_from(ratio)
                .map_err(|_| format!("last_size: {} is not from 0.001 to 1000", spec.last_size))?,
        })
    }

    pub(super) async fn linked(&self, api: &Api, spec: &LinkedSpec) -> Result<Linked, Error> {
        let of = |field: String| move |error: Error| Error::Field(format!("{field}: {error}"));
        let order = self.order(api, &spec.order).await;
        let mut legs = Vec::with_capacity(spec.legs.len());
        for (at, leg) in spec.legs.iter().enumerate() {
            let leg = self.order(api, leg).await;
            legs.push(leg.map_err(of(format!("legs[{at}]")))?);
        }
        Ok(Linked {
            kind: match spec.kind {
                LinkName::Oco => LinkKind::Oco,
                LinkName::Oto => LinkKind::Oto,
                LinkName::Otoco => LinkKind::Otoco,
            },
            rule: match spec.rule {
                RuleName::FirstHit => LinkRule::FirstHit,
                RuleName::CompleteFill => LinkRule::CompleteFill,
                RuleName::Incremental => LinkRule::Incremental,
            },
            order: order.map_err(of("order".to_owned()))?,
            legs,
        })
    }

    pub(super) fn quotes(&self, spec: &QuotesSpec) -> Result<Quotes, Error> {
        let mut group = None;
        let mut quotes = Vec::with_capacity(spec.quotes.len());
        for text in &spec.quotes {
            let (market, quote) = self.quote(text)?;
            let of_market = GroupId(market.group_id);
            if *group.get_or_insert(of_market) != of_market {
                let name = &market.market;
                return Err(format!("quotes: {name} is of another group than the first").into());
            }
            quotes.push(quote);
        }
        quotes.sort_by_key(|quote| quote.market);
        Ok(Quotes {
            group: group.ok_or_else(|| "quotes: is empty".to_owned())?,
            post_only: match spec.slide {
                true => PostOnly::Slide,
                false => PostOnly::Reject,
            },
            quotes,
        })
    }

    fn quote(&self, text: &str) -> Result<(&Market, Quote), Error> {
        let bad = || format!("quotes: {text:?} is not MARKET=[P:SIZE]/[P:SIZE]");
        let (name, sides) = text.split_once('=').ok_or_else(bad)?;
        let (bid, ask) = sides.split_once('/').ok_or_else(bad)?;
        let market = self.market(name)?;
        let side = |text: &str| -> Result<Option<QuoteSide>, Error> {
            if text.is_empty() {
                return Ok(None);
            }
            let (price, size) = text.split_once(':').ok_or_else(bad)?;
            let number = |text: &str| text.parse::<Decimal>().map_err(|_| bad());
            Ok(Some(QuoteSide {
                price: units::multiple("quotes", number(price)?, market.tick, &tick_of(market))?,
                size: units::multiple("quotes", number(size)?, market.lot, &lot_of(market))?,
            }))
        };
        let quote = Quote {
            market: MarketId(market.id),
            bid: side(bid)?,
            ask: side(ask)?,
        };
        Ok((market, quote))
    }

    pub(super) fn protect(&self, spec: &ProtectSpec) -> Result<SetProtection, Error> {
        let decimals = self.asset("margin_asset", &self.margin_asset)?.decimals;
        let bound = |field: &str, amount: Option<Decimal>| match amount {
            Some(amount) => units::atoms(field, amount, decimals),
            None => Ok(0),
        };
        Ok(SetProtection {
            group: self.group(&spec.group)?,
            interval_ms: spec.interval.map_or(0, |span| millis(span.0)),
            freeze_ms: spec.freeze.map_or(0, |span| millis(span.0)),
            notional: bound("notional", spec.notional)?,
            delta: bound("delta", spec.delta)?,
            vega: bound("vega", spec.vega)?,
        })
    }
}
