//! Orders, from what people write to what the chain takes.

use ballast_types::{
    Condition, Distance, MarketId, Order, Peg, PegTo, PostOnly, PriceSource, SelfTrade,
    SelfTradeScope, Side, TimeInForce, Trigger, Twap,
};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::{Error, Listing, Market, lot_of, tick_of};
use crate::actions::{
    OrderSpec, OrderType, PegName, Percent, ScopeName, SelfTradeName, SideName, SourceName, Tif,
    Trail, millis, now_ms,
};
use crate::api::Api;
use crate::units;

#[derive(Debug, Deserialize)]
struct Best {
    bid: Option<Level>,
    ask: Option<Level>,
}

#[derive(Debug, Deserialize)]
struct Level {
    price: i64,
}

impl Listing {
    pub(super) async fn order(&self, api: &Api, spec: &OrderSpec) -> Result<Order, Error> {
        let market = self.market(&spec.market)?;
        let side = match spec.side {
            SideName::Buy => Side::Buy,
            SideName::Sell => Side::Sell,
        };
        let peg = peg(spec, market)?;
        let post_only = match spec.order_type {
            OrderType::Limit if peg.is_some() => PostOnly::Slide,
            OrderType::PostOnly => PostOnly::Reject,
            OrderType::PostOnlySlide => PostOnly::Slide,
            OrderType::Limit | OrderType::Market | OrderType::Ioc | OrderType::Fok => PostOnly::No,
        };
        let trigger = trigger(spec, market)?;
        let size = |name, size| units::multiple(name, size, market.lot, &lot_of(market));
        Ok(Order {
            market: MarketId(market.id),
            side,
            price: price(api, spec, market, side).await?,
            size: size("size", spec.size)?,
            tif: time_in_force(spec)?,
            post_only,
            reduce_only: spec.reduce_only,
            client_id: spec.client_id,
            label: spec.label,
            max_fills: match post_only {
                PostOnly::No => spec.max_fills,
                PostOnly::Reject | PostOnly::Slide => 0,
            },
            self_trade: match spec.self_trade {
                SelfTradeName::CancelTaker => SelfTrade::CancelTaker,
                SelfTradeName::CancelMaker => SelfTrade::CancelMaker,
                SelfTradeName::CancelBoth => SelfTrade::CancelBoth,
                SelfTradeName::Decrement => SelfTrade::Decrement,
            },
            self_trade_scope: match spec.self_trade_scope {
                ScopeName::Account => SelfTradeScope::Account,
                ScopeName::Master => SelfTradeScope::Master,
            },
            display: spec
                .display
                .map(|display| size("display", display))
                .transpose()?,
            trigger,
            peg,
            twap: twap(spec)?,
        })
    }
}

/// What the price of the order follows.
fn peg(spec: &OrderSpec, market: &Market) -> Result<Option<Peg>, String> {
    let to = match (spec.peg, spec.offset) {
        (Some(PegName::Index), _) => PegTo::Index,
        (Some(PegName::Bid), _) => PegTo::Bid,
        (Some(PegName::Ask), _) => PegTo::Ask,
        (None, None) => return Ok(None),
        (None, Some(offset)) => {
            return Err(format!(
                "offset: {offset} needs --peg to say from which price"
            ));
        }
    };
    if !matches!(spec.order_type, OrderType::Limit | OrderType::PostOnlySlide) {
        let kind = spec.order_type;
        return Err(format!(
            "peg: {to:?} is for orders that slide, not {kind:?}"
        ));
    }
    let offset = spec.offset.unwrap_or_default();
    let offset = units::multiple("offset", offset, market.tick, &tick_of(market))?;
    Ok(Some(Peg { to, offset }))
}

/// When the order sends slices of itself.
fn twap(spec: &OrderSpec) -> Result<Option<Twap>, String> {
    let (duration, every) = match (spec.twap, spec.every) {
        (Some(duration), Some(every)) => (duration, every),
        (Some(duration), None) => {
            let duration = duration.0;
            return Err(format!(
                "twap: {duration:?} needs --every, the time between slices"
            ));
        }
        (None, Some(every)) => return Err(format!("every: {:?} is for --twap", every.0)),
        (None, None) => {
            return match spec.tolerance {
                Some(Percent(percent)) => Err(format!("tolerance: {percent}% is for --twap")),
                None => Ok(None),
            };
        }
    };
    let Percent(tolerance) = spec.tolerance.unwrap_or(Percent(Decimal::ONE));
    Ok(Some(Twap {
        duration_ms: millis(duration.0),
        interval_ms: millis(every.0),
        tolerance_ppm: ppm("tolerance", tolerance, 1_000_000)?,
    }))
}

fn time_in_force(spec: &OrderSpec) -> Result<TimeInForce, String> {
    let kind = spec.order_type;
    let at_once = match kind {
        OrderType::Market | OrderType::Ioc => Some(TimeInForce::Ioc),
        OrderType::Fok => Some(TimeInForce::Fok),
        OrderType::Limit | OrderType::PostOnly | OrderType::PostOnlySlide => None,
    };
    if at_once.is_some() {
        if let Some(tif) = spec.tif {
            return Err(format!(
                "tif: {tif:?} is for orders that rest, not {kind:?}"
            ));
        }
        if let Some(display) = spec.display {
            return Err(format!(
                "display: {display} is for orders that rest, not {kind:?}"
            ));
        }
    }
    Ok(match (at_once, spec.tif) {
        (Some(at_once), _) => at_once,
        (None, Some(Tif::For(time))) => TimeInForce::Gtt(now_ms().saturating_add(millis(time))),
        (None, Some(Tif::Block(height))) => TimeInForce::Gtb(height),
        (None, Some(Tif::Gtc) | None) => TimeInForce::Gtc,
    })
}

/// What the order waits for.
fn trigger(spec: &OrderSpec, market: &Market) -> Result<Option<Trigger>, String> {
    let source = match spec.trigger {
        Some(SourceName::Mark) => PriceSource::Mark,
        Some(SourceName::Index) => PriceSource::Index,
        Some(SourceName::Last) => PriceSource::Last,
        None => {
            let prices = [
                ("above", spec.above),
                ("below", spec.below),
                ("activation", spec.activation),
            ];
            let given = prices
                .iter()
                .find_map(|(name, price)| Some(format!("{name}: {}", (*price)?)));
            let given = given.or_else(|| Some(format!("trail: {:?}", spec.trail?)));
            return match given {
                None => Ok(None),
                Some(given) => Err(format!("{given} needs --trigger to say which price")),
            };
        }
    };
    let ticks = |name, price| units::multiple(name, price, market.tick, &tick_of(market));
    if let (Some(activation), None) = (spec.activation, spec.trail) {
        return Err(format!("activation: {activation} is for --trail"));
    }
    let condition = match (spec.above, spec.below, spec.trail) {
        (Some(price), None, None) => Condition::AtOrAbove(ticks("above", price)?),
        (None, Some(price), None) => Condition::AtOrBelow(ticks("below", price)?),
        (None, None, Some(trail)) => Condition::Trail {
            distance: match trail {
                Trail::Distance(distance) => Distance::Ticks(ticks("trail", distance)?),
                Trail::Percent(percent) => Distance::Ppm(ppm("trail", percent, 999_999)?),
            },
            activation: match spec.activation {
                Some(price) => ticks("activation", price)?,
                None => 0,
            },
        },
        _ => {
            return Err(format!(
                "trigger: {source:?} needs one of --above, --below and --trail"
            ));
        }
    };
    Ok(Some(Trigger { source, condition }))
}

/// A percentage in millionths, from 1 to `max`.
fn ppm(field: &str, percent: Decimal, max: u32) -> Result<u32, String> {
    let ppm = percent
        .checked_mul(Decimal::from(10_000))
        .filter(Decimal::is_integer);
    ppm.and_then(|ppm| u32::try_from(ppm).ok())
        .filter(|ppm| (1..=max).contains(ppm))
        .ok_or_else(|| {
            let max = Decimal::new(max.into(), 4).normalize();
            format!("{field}: {percent}% is not from 0.0001% to {max}%, in steps of 0.0001%")
        })
}

/// The limit of an order, in ticks.
async fn price(api: &Api, spec: &OrderSpec, market: &Market, side: Side) -> Result<i64, Error> {
    if let Some(price) = spec.price {
        let price = units::multiple("price", price, market.tick, &tick_of(market));
        return Ok(price?);
    }
    let market_order = spec.order_type == OrderType::Market;
    let Some(slippage) = spec.slippage.filter(|_| market_order) else {
        let reason = "is missing; only market orders may name --slippage instead";
        return Err(format!("price: {reason}").into());
    };
    if !(Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(&slippage) {
        return Err(format!("slippage: {slippage} is not from 0 to 100 percent").into());
    }
    let from = match (spec.trigger, spec.above.or(spec.below)) {
        (None, _) => Decimal::from(best(api, market, side).await?),
        (Some(_), Some(price)) => {
            let name = if spec.above.is_some() {
                "above"
            } else {
                "below"
            };
            Decimal::from(units::multiple(name, price, market.tick, &tick_of(market))?)
        }
        (Some(_), None) => {
            let reason =
                "is missing; for a trailing order nobody knows yet where --slippage begins";
            return Err(format!("price: {reason}").into());
        }
    };
    // Rounded towards where it begins, so that the bound is never wider than asked for.
    let bound = match side {
        Side::Buy => (from * (Decimal::ONE_HUNDRED + slippage) / Decimal::ONE_HUNDRED).floor(),
        Side::Sell => (from * (Decimal::ONE_HUNDRED - slippage) / Decimal::ONE_HUNDRED).ceil(),
    };
    i64::try_from(bound).map_err(|_| format!("slippage: {slippage} leads too far").into())
}

/// The price that an order which takes meets first.
async fn best(api: &Api, market: &Market, side: Side) -> Result<i64, Error> {
    let best: Best = api.read(&["v1", "bbo", &market.market]).await?;
    let (level, what) = match side {
        Side::Buy => (best.ask, "asks"),
        Side::Sell => (best.bid, "bids"),
    };
    let level = level.ok_or_else(|| {
        format!(
            "price: there are no {what} in {} to start from",
            market.market
        )
    })?;
    Ok(level.price)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market() -> Market {
        Market {
            market: "M".to_owned(),
            id: 1,
            group: "G".to_owned(),
            group_id: 0,
            tick: Decimal::new(1, 1),
            lot: Decimal::ONE,
        }
    }

    fn read(fields: &str) -> OrderSpec {
        let json = format!(r#"{{"market":"M","side":"sell","size":"5",{fields}}}"#);
        serde_json::from_str(&json).expect("an order")
    }

    #[test]
    fn triggers_are_read_or_refused_with_the_field_and_the_value() {
        let trail = |distance, activation| Condition::Trail {
            distance,
            activation,
        };
        for (fields, expected) in [
            (r#""price":"1""#, Ok(None)),
            (
                r#""trigger":"mark","above":"100.5""#,
                Ok(Some((PriceSource::Mark, Condition::AtOrAbove(1_005)))),
            ),
            (
                r#""trigger":"last","below":"100""#,
                Ok(Some((PriceSource::Last, Condition::AtOrBelow(1_000)))),
            ),
            (
                r#""trigger":"index","trail":"2.5%","activation":"7""#,
                Ok(Some((PriceSource::Index, trail(Distance::Ppm(25_000), 70)))),
            ),
            (
                r#""trigger":"mark","trail":"25""#,
                Ok(Some((PriceSource::Mark, trail(Distance::Ticks(250), 0)))),
            ),
            (
                r#""above":"7""#,
                Err("above: 7 needs --trigger to say which price"),
            ),
            (
                r#""trail":"7""#,
                Err("trail: Distance(7) needs --trigger to say which price"),
            ),
            (
                r#""trigger":"mark""#,
                Err("trigger: Mark needs one of --above, --below and --trail"),
            ),
            (
                r#""trigger":"mark","above":"1","below":"2""#,
                Err("trigger: Mark needs one of --above, --below and --trail"),
            ),
            (
                r#""trigger":"mark","above":"1","activation":"2""#,
                Err("activation: 2 is for --trail"),
            ),
            (
                r#""trigger":"mark","below":"1.05""#,
                Err("below: 1.05 is not a multiple of the tick of M, 0.1"),
            ),
            (
                r#""trigger":"mark","trail":"100%""#,
                Err("trail: 100% is not from 0.0001% to 99.9999%, in steps of 0.0001%"),
            ),
        ] {
            let result = trigger(&read(fields), &market());
            let result = result.map(|it| it.map(|it| (it.source, it.condition)));
            assert_eq!(result, expected.map_err(str::to_owned), "{fields}");
        }
    }

    #[test]
    fn pegs_are_read_or_refused_with_the_field_and_the_value() {
        for (fields, expected) in [
            (r#""price":"1""#, Ok(None)),
            (r#""peg":"index""#, Ok(Some((PegTo::Index, 0)))),
            (
                r#""peg":"bid","offset":"-2.5""#,
                Ok(Some((PegTo::Bid, -25))),
            ),
            (
                r#""peg":"ask","offset":"1","type":"post-only-slide""#,
                Ok(Some((PegTo::Ask, 10))),
            ),
            (
                r#""offset":"-1""#,
                Err("offset: -1 needs --peg to say from which price"),
            ),
            (
                r#""peg":"ask","offset":"0.05""#,
                Err("offset: 0.05 is not a multiple of the tick of M, 0.1"),
            ),
            (
                r#""peg":"ask","type":"post-only""#,
                Err("peg: Ask is for orders that slide, not PostOnly"),
            ),
        ] {
            let result = peg(&read(fields), &market());
            let result = result.map(|it| it.map(|it| (it.to, it.offset)));
            assert_eq!(result, expected.map_err(str::to_owned), "{fields}");
        }
    }

    #[test]
    fn schedules_are_read_or_refused_with_the_field_and_the_value() {
        for (fields, expected) in [
            (r#""price":"1""#, Ok(None)),
            (
                r#""twap":"1h","every":"30s""#,
                Ok(Some((3_600_000, 30_000, 10_000))),
            ),
            (
                r#""twap":"2s","every":"1s","tolerance":"0.05%""#,
                Ok(Some((2_000, 1_000, 500))),
            ),
            (
                r#""twap":"2s","every":"1s","tolerance":"100""#,
                Ok(Some((2_000, 1_000, 1_000_000))),
            ),
            (
                r#""twap":"2s""#,
                Err("twap: 2s needs --every, the time between slices"),
            ),
            (r#""every":"2s""#, Err("every: 2s is for --twap")),
            (r#""tolerance":"2%""#, Err("tolerance: 2% is for --twap")),
            (
                r#""twap":"2s","every":"1s","tolerance":"101%""#,
                Err("tolerance: 101% is not from 0.0001% to 100%, in steps of 0.0001%"),
            ),
        ] {
            let result = twap(&read(fields));
            let result =
                result.map(|it| it.map(|it| (it.duration_ms, it.interval_ms, it.tolerance_ppm)));
            assert_eq!(result, expected.map_err(str::to_owned), "{fields}");
        }
    }

    #[test]
    fn an_order_of_a_link_is_the_options_of_an_order() {
        let order: OrderSpec =
            "--market M --side sell --size 5 --trigger mark --below 97 --type ioc"
                .parse()
                .expect("an order");
        assert_eq!(order.below, Some(Decimal::from(97)));
        assert_eq!(order.order_type, OrderType::Ioc);
        for (text, error) in [
            ("--market M --side sell", "--size <SIZE>"),
            ("--market M --side sell --size x", "'x' for '--size <SIZE>'"),
            ("--market M --side sell --size 1 --twup 1h", "'--twup'"),
        ] {
            let refused = text.parse::<OrderSpec>().expect_err("no order");
            assert!(refused.contains(error), "{refused}");
            assert!(!refused.contains('\n'), "{refused}");
        }
    }

    #[test]
    fn times_in_force_are_those_of_the_type() {
        for (fields, expected) in [
            (r#""price":"1""#, Ok(TimeInForce::Gtc)),
            (r#""tif":"block:77""#, Ok(TimeInForce::Gtb(77))),
            (r#""type":"market""#, Ok(TimeInForce::Ioc)),
            (r#""type":"post-only-slide""#, Ok(TimeInForce::Gtc)),
            (
                r#""type":"fok","tif":"gtc""#,
                Err("tif: Gtc is for orders that rest, not Fok"),
            ),
            (
                r#""type":"ioc","display":"2""#,
                Err("display: 2 is for orders that rest, not Ioc"),
            ),
        ] {
            let result = time_in_force(&read(fields));
            assert_eq!(result, expected.map_err(str::to_owned), "{fields}");
        }
    }
}
