//! The scale that the prices of a group have in common.

use crate::number::Inexact;
use crate::{Error, Genesis, GenesisGroup, Number, bounds};
use std::collections::BTreeMap;

/// What the scale of a group has to hold of a market or a series.
pub(crate) struct Steps<'a> {
    symbol: &'a str,
    tick: Number,
    lot: Number,
    max_price: Number,
}

/// The markets and series of each group, by its name.
pub(crate) fn steps(genesis: &Genesis) -> BTreeMap<&str, Vec<Steps<'_>>> {
    let markets = genesis.markets.iter().map(|market| {
        let steps = Steps {
            symbol: &market.symbol,
            tick: market.tick,
            lot: market.lot,
            max_price: market.max_price,
        };
        (market.group.as_str(), steps)
    });
    let series = genesis.series.iter().map(|series| {
        let steps = Steps {
            symbol: &series.name,
            tick: series.tick,
            lot: series.lot,
            max_price: series.max_price,
        };
        (series.group.as_str(), steps)
    });
    let mut groups: BTreeMap<&str, Vec<Steps<'_>>> = BTreeMap::new();
    for (group, steps) in markets.chain(series) {
        groups.entry(group).or_default().push(steps);
    }
    groups
}

/// Digits behind the point of the prices of a group; `at` is its path. When it does not say: as many
/// as the ticks need, and as many more as value a lot to the atom, where the largest price leaves
/// room for them.
pub(crate) fn price_digits(
    group: &GenesisGroup,
    at: &str,
    steps: &[Steps<'_>],
    decimals: u8,
) -> Result<u8, Error> {
    let (least, most) = bounds::PRICE_DIGITS;
    if let Some(digits) = group.price_digits {
        let field = format!("{at}.price_digits");
        if !(least..=most).contains(&digits) {
            let reason = format!("is not from {least} to {most}");
            return Err(Error::value(field, digits, reason));
        }
        if let Some(it) = steps.iter().find(|it| it.tick.decimals() > digits) {
            let reason = format!("is too few for the tick of {}, \"{}\"", it.symbol, it.tick);
            return Err(Error::value(field, digits, reason));
        }
        return Ok(digits);
    }
    let ticks = steps.iter().map(|it| it.tick.decimals()).max();
    let exact = ticks.unwrap_or(0).clamp(least, most);
    let wanted = (exact..=most).find(|digits| {
        let power = i64::from(*digits).saturating_sub(i64::from(decimals));
        steps.iter().all(|it| it.lot.is_at_most_power(power))
    });
    let fits = |digits: &u8| {
        let prices = steps.iter().map(|it| it.max_price.scaled(*digits));
        prices.into_iter().all(|price| match price {
            Ok(price) => price <= bounds::MAX_PRICE,
            Err(inexact) => inexact == Inexact::Fraction,
        })
    };
    let room = (exact..=wanted.unwrap_or(most)).take_while(fits).last();
    Ok(room.unwrap_or(exact))
}
