//! Pass 1: who may set prices and statuses, and of which markets.

use crate::passes::Env;
use crate::surface;
use ballast_types::margin::ONE;
use ballast_types::{
    Code, ExpirySurface, KeyId, MarketKind, MarketStatus, PriceKind, PriceUpdate, SetMarketStatus,
    SetSurface,
};

/// Largest forward of a surface.
const MAX_FORWARD: i64 = 1 << 60;

fn check_authority(key: KeyId, env: &Env<'_>) -> Result<(), Code> {
    if env.chain.spec.price_authorities.contains(&key) {
        Ok(())
    } else {
        Err(Code::NotPriceAuthority)
    }
}

pub(crate) fn check_prices(key: KeyId, prices: &[PriceUpdate], env: &Env<'_>) -> Result<(), Code> {
    check_authority(key, env)?;
    for update in prices {
        let market = env.chain.market(update.market).ok_or(Code::UnknownMarket)?;
        if env.status(update.market) == MarketStatus::Settled {
            return Err(Code::MarketExpired);
        }
        let has = match market.kind {
            MarketKind::Option { .. } => false,
            MarketKind::Spot { .. } => update.kind == PriceKind::Index,
            MarketKind::Perpetual | MarketKind::Future { .. } => true,
        };
        if !has || !(1..=market.max_price).contains(&update.price) {
            return Err(Code::BadPrice);
        }
    }
    Ok(())
}

pub(crate) fn check_status(
    key: KeyId,
    change: &SetMarketStatus,
    env: &Env<'_>,
) -> Result<(), Code> {
    check_authority(key, env)?;
    env.chain.market(change.market).ok_or(Code::UnknownMarket)?;
    let settled = env.status(change.market) == MarketStatus::Settled;
    if settled || change.status == MarketStatus::Settled {
        return Err(Code::MarketExpired);
    }
    Ok(())
}

/// Whether a surface may be published, beside the one that holds.
pub(crate) fn check_surface(key: KeyId, update: &SetSurface, env: &Env<'_>) -> Result<(), Code> {
    check_authority(key, env)?;
    let group = env.chain.spec.groups.get(update.group.index());
    let group = group.ok_or(Code::UnknownMarket)?;
    let fits = |expiry: &ExpirySurface| {
        (1..=MAX_FORWARD).contains(&expiry.forward)
            && expiry.rate.saturating_abs() <= ONE
            && expiry.expiry.is_multiple_of(1_000)
    };
    let count = update.expiries.len();
    if !(1..=surface::MAX_EXPIRIES).contains(&count) || !update.expiries.iter().all(fits) {
        return Err(Code::BadSurface);
    }
    let now = surface::secs(env.time);
    let next = ballast_risk::surface::Surface::new(surface::slices(&update.expiries), now);
    let next = next.map_err(|_| Code::BadSurface)?;
    let unit = env.prices.unit(update.group);
    let before = unit.and_then(|unit| unit.surface.as_ref());
    match before.filter(|_| group.surface_cap > 0) {
        Some(before) => before
            .curves
            .check_jump(&next, now, group.surface_cap)
            .map_err(|_| Code::SurfaceJump),
        None => Ok(()),
    }
}
