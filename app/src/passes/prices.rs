//! Pass 1: who may set prices and statuses, and of which markets.

use crate::passes::Env;
use ballast_types::{Code, KeyId, MarketStatus, PriceKind, PriceUpdate, SetMarketStatus};

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
        if env.live(update.market).status == MarketStatus::Settled {
            return Err(Code::MarketExpired);
        }
        let has = update.kind == PriceKind::Index || market.kind.is_derivative();
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
    let settled = env.live(change.market).status == MarketStatus::Settled;
    if settled || change.status == MarketStatus::Settled {
        return Err(Code::MarketExpired);
    }
    Ok(())
}
