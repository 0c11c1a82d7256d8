//! Pass 3: what an order says of itself, and what its market takes.

use crate::passes::triggers::part;
use crate::passes::{Entry, Env, Origin};
use ballast_risk::notional;
use ballast_types::{
    Class, Code, Condition, Distance, MarketKind, MarketSpec, MarketStatus, Matching, Order, Peg,
    PostOnly, Side, Ticks, TimeInForce, Trigger, Twap,
};

/// Time between two slices of a schedule.
const SLICE_INTERVAL_MS: std::ops::RangeInclusive<u64> = 1_000..=3_600_000;

/// Longest schedule.
const DAY_MS: u64 = 86_400_000;

/// What the market takes, and what the order says of itself.
pub(crate) fn check_form(entry: &Entry, market: &MarketSpec, env: &Env<'_>) -> Result<(), Code> {
    let order = &entry.order;
    match env.status(order.market) {
        MarketStatus::Settled => return Err(Code::MarketExpired),
        MarketStatus::CancelOnly | MarketStatus::Suspended => return Err(Code::MarketCancelOnly),
        MarketStatus::PostOnly if entry.class() == Class::Take => {
            return Err(Code::MarketPostOnly);
        }
        MarketStatus::Auction if !order.may_rest() && !entry.waits() => {
            return Err(Code::MarketAuction);
        }
        MarketStatus::Open | MarketStatus::PostOnly | MarketStatus::Auction => {}
    }
    if !price_fits(order.price, market) {
        return Err(Code::BadPrice);
    }
    if matches!(entry.origin, Origin::New | Origin::Leg) {
        if !(market.min_size..=market.max_size).contains(&order.size) {
            return Err(Code::BadSize);
        }
        if order
            .display
            .is_some_and(|display| display < market.min_size || !order.may_rest())
        {
            return Err(Code::BadDisplay);
        }
    }
    if !order.may_take() && !order.may_rest() {
        return Err(Code::BadTimeInForce);
    }
    if expired(order.tif, env) {
        return Err(Code::Expired);
    }
    if !fills_fit(order.post_only, order.max_fills, env) {
        return Err(Code::BadMaxFills);
    }
    if order.client_id == Some(0) {
        return Err(Code::BadClientId);
    }
    match &order.trigger {
        Some(trigger) if !trigger_fits(trigger, market.max_price) => return Err(Code::BadTrigger),
        _ => {}
    }
    if order.peg.is_some_and(|peg| !peg_fits(order, &peg, market)) {
        return Err(Code::BadPeg);
    }
    match &order.twap {
        Some(twap) if !twap_fits(order, twap, market) => Err(Code::BadTwap),
        _ => Ok(()),
    }
}

fn peg_fits(order: &Order, peg: &Peg, market: &MarketSpec) -> bool {
    let most = market.max_price;
    let offsets = 0_i64.saturating_sub(most)..=most;
    order.post_only == PostOnly::Slide
        && !order.waits()
        && market.tick_bands.is_empty()
        && market.matching == Matching::Continuous
        && offsets.contains(&peg.offset)
}

fn twap_fits(order: &Order, twap: &Twap, market: &MarketSpec) -> bool {
    let least = twap.interval_ms.saturating_mul(2);
    order.may_take()
        && order.display.is_none()
        && order.trigger.is_none()
        && order.may_rest()
        && market.matching == Matching::Continuous
        && SLICE_INTERVAL_MS.contains(&twap.interval_ms)
        && (least..=DAY_MS).contains(&twap.duration_ms)
        && (1..=1_000_000).contains(&twap.tolerance_ppm)
}

fn expired(tif: TimeInForce, env: &Env<'_>) -> bool {
    match tif {
        TimeInForce::Gtt(end) => end <= env.time,
        TimeInForce::Gtb(end) => end <= env.height,
        TimeInForce::Gtc | TimeInForce::Ioc | TimeInForce::Fok => false,
    }
}

fn trigger_fits(trigger: &Trigger, max_price: Ticks) -> bool {
    match trigger.condition {
        Condition::AtOrAbove(price) | Condition::AtOrBelow(price) => {
            (1..=max_price).contains(&price)
        }
        Condition::Trail {
            distance,
            activation,
        } => {
            let turns = match distance {
                Distance::Ticks(ticks) => (1..=max_price).contains(&ticks),
                Distance::Ppm(ppm) => (1..=999_999).contains(&ppm),
            };
            turns && (0..=max_price).contains(&activation)
        }
    }
}

/// Whether a limit is in range, and a multiple of the step of its band.
pub(crate) fn price_fits(price: Ticks, market: &MarketSpec) -> bool {
    (1..=market.max_price).contains(&price) && fitting(Side::Buy, price, market) == price
}

/// The nearest price that fits the bands of the market: a bid's not above, an ask's not below.
pub(crate) fn fitting(side: Side, price: Ticks, market: &MarketSpec) -> Ticks {
    let bands = market.tick_bands.iter().rev();
    let band = bands.clone().find(|(from, _)| *from <= price);
    let Some((from, step)) = band.copied() else {
        return price;
    };
    let over = price.checked_rem(step).unwrap_or(0);
    if over == 0 {
        return price;
    }
    match side {
        Side::Sell => {
            // A band begins where those below it end, whatever their steps.
            let next = price.saturating_sub(over).saturating_add(step);
            let mut above = bands
                .clone()
                .filter(|(first, _)| *first > from && *first < next);
            match above.next_back() {
                Some((first, _)) => fitting(side, *first, market),
                None => next,
            }
        }
        Side::Buy => {
            let down = price.saturating_sub(over);
            if down >= from {
                down
            } else {
                fitting(side, from.saturating_sub(1), market)
            }
        }
    }
}

/// The market's price band and bounds of notional.
pub(crate) fn check_price(entry: &Entry, market: &MarketSpec, env: &Env<'_>) -> Result<(), Code> {
    let order = &entry.order;
    let live = env.live(order.market);
    // What it is measured from, and what it is a fraction of.
    let (reference, whole) = match market.kind {
        MarketKind::Perpetual | MarketKind::Future { .. } => (live.mark, live.mark),
        MarketKind::Spot { .. } => (live.index, live.index),
        MarketKind::Option { .. } => (live.mark, live.index),
    };
    if market.price_band_ppm > 0 && reference != 0 && !entry.waits() {
        let band = part(whole, market.price_band_ppm);
        let beyond = match order.side {
            Side::Buy => order.price > reference.saturating_add(band),
            Side::Sell => order.price < reference.saturating_sub(band),
        };
        if beyond {
            return Err(Code::PriceBand);
        }
    }
    let value = notional(order.price, order.size, market.tick_value);
    let bounded = matches!(
        entry.origin,
        Origin::New | Origin::Leg | Origin::Triggered(..)
    );
    let large = market.max_notional > 0 && value > market.max_notional;
    let small = value < market.min_notional && bounded && !order.reduce_only;
    if large || small {
        Err(Code::BadNotional)
    } else {
        Ok(())
    }
}

/// A post-only order meets nobody; any other at least one, at most the chain's limit.
pub(crate) fn fills_fit(post_only: PostOnly, max_fills: u16, env: &Env<'_>) -> bool {
    let most = env.chain.spec.limits.max_fills;
    if post_only != PostOnly::No {
        max_fills == 0
    } else {
        (1..=most).contains(&max_fills)
    }
}
