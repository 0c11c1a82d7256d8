//! Series of options: cadences, strikes and the terms of what they list.

use crate::market::{self, Context, rate, refuse};
use crate::{
    Error, GenesisBand, GenesisCadence, GenesisMarket, GenesisSeries, Kind, Number, Span, bounds,
};
use ballast_types::{Cadence, GroupId, MarketKind, MarketSpec, OptionKind, SeriesSpec};
use std::collections::BTreeMap;

const DAY_MS: u64 = 86_400_000;
/// Strikes lie within this many millionths of the index: [`bounds::STRIKE_REACH`] less the index
/// itself.
const REACH_PPM: i128 = (bounds::STRIKE_REACH - 1) * 1_000_000;

/// The integers of all series. `markets` are those of the genesis.
pub(crate) fn series(
    list: &[GenesisSeries],
    markets: &[MarketSpec],
    context: &Context<'_>,
) -> Result<Vec<SeriesSpec>, Error> {
    let mut expiries: BTreeMap<GroupId, u32> = BTreeMap::new();
    let mut listed = markets.len();
    let mut specs = Vec::with_capacity(list.len());
    for (i, series) in list.iter().enumerate() {
        let at = format!("series[{i}]");
        let spec = one(series, &at, markets, context)?;
        let of_this = spec.cadences.iter().map(|cadence| match cadence {
            Cadence::Every { count, .. } | Cadence::LastFriday { count, .. } => u32::from(*count),
        });
        let of_this = of_this.fold(0, u32::saturating_add);
        let sum = expiries.entry(spec.market.group).or_default();
        *sum = sum.saturating_add(of_this);
        if *sum > bounds::MAX_EXPIRIES {
            let most = bounds::MAX_EXPIRIES;
            let reason = format!("make {sum} in {}, more than {most}", series.group);
            let shown = format!("{of_this} expiries");
            return Err(Error::value(format_args!("{at}.cadences"), shown, reason));
        }
        let strikes = usize::from(spec.max_strikes).saturating_mul(2);
        let of_this = usize::try_from(of_this).unwrap_or(usize::MAX);
        listed = listed.saturating_add(strikes.saturating_mul(of_this));
        if listed > bounds::MAX_MARKETS {
            let reason = format!("makes {listed} markets, more than {}", bounds::MAX_MARKETS);
            let field = format!("{at}.max_strikes");
            return Err(Error::value(field, series.max_strikes, reason));
        }
        specs.push(spec);
    }
    Ok(specs)
}

fn one(
    series: &GenesisSeries,
    at: &str,
    markets: &[MarketSpec],
    context: &Context<'_>,
) -> Result<SeriesSpec, Error> {
    let terms = terms(series);
    let group = market::group(&terms, at, context)?;
    let units = market::units(&terms, at, group, context)?;
    check_group(series, at, group, markets, context)?;
    let (min_size, max_size) = market::sizes(&terms, at, units.lot_amount)?;
    let max_price = market::max_price(&terms, at, &units)?;
    let (min_notional, max_notional) = market::notionals(&terms, at, context)?;
    let (maker_fee_ppm, taker_fee_ppm) = market::fees(&terms, at)?;
    if maker_fee_ppm < 0 {
        let reason = "is negative; a maker of options gets no rebate";
        return Err(refuse(at, "maker_fee", series.maker_fee, reason));
    }
    let (initial_margin_ppm, maintenance_margin_ppm) = market::margins(&terms, at)?;
    let minimum = series.minimum_margin;
    let minimum_margin_ppm =
        rate(at, "minimum_margin", minimum, 0, initial_margin_ppm.into())?.unsigned_abs();
    Ok(SeriesSpec {
        cadences: cadences(&series.cadences, at)?,
        step_ppm: strikes(series, at)?,
        strikes: series.strikes,
        max_strikes: series.max_strikes,
        market: MarketSpec {
            symbol: series.name.clone(),
            group,
            kind: MarketKind::Option {
                expiry: 0,
                strike: 0,
                kind: OptionKind::Call,
            },
            tick: series.tick.shortest(),
            lot: series.lot.shortest(),
            tick_value: units.tick_value,
            tick_price: units.tick_price,
            lot_amount: units.lot_amount,
            tick_bands: bands(series, at, max_price)?,
            min_size,
            max_size,
            max_price,
            price_band_ppm: market::price_band(&terms, at)?,
            min_notional,
            max_notional,
            maker_fee_ppm,
            taker_fee_ppm,
            initial_margin_ppm,
            minimum_margin_ppm,
            maintenance_margin_ppm,
            mark: 0,
            matching: market::matching(series.matching),
            sharing: market::sharing(series.sharing),
            self_trade: series.self_trade,
            taker_hold: 0,
        },
    })
}

/// A series needs a group whose index its strikes can follow, and symbols of its own.
fn check_group(
    series: &GenesisSeries,
    at: &str,
    group: GroupId,
    markets: &[MarketSpec],
    context: &Context<'_>,
) -> Result<(), Error> {
    let of_group = || markets.iter().filter(|market| market.group == group);
    let largest = of_group().map(|market| {
        let price = i128::from(market.max_price);
        price.saturating_mul(market.tick_price.into())
    });
    let Some(largest) = largest.max() else {
        let reason = "has no perpetual, spot market or future, whose index the strikes follow";
        return Err(Error::text(
            format_args!("{at}.group"),
            &series.group,
            reason,
        ));
    };
    let begins = format!("{}-", series.name);
    let alike = |market: &&MarketSpec| looks_like_an_option(&market.symbol, &begins);
    if let Some(market) = markets.iter().find(alike) {
        let reason = format!("may list an option with the symbol of {}", market.symbol);
        return Err(Error::text(format_args!("{at}.name"), &series.name, reason));
    }
    check_lot_value(series, at, group, largest, context)
}

/// What a series has in common with a market.
fn terms(series: &GenesisSeries) -> GenesisMarket {
    GenesisMarket {
        symbol: series.name.clone(),
        group: series.group.clone(),
        kind: Kind::Perpetual,
        base: None,
        expiry: None,
        tick: series.tick,
        lot: series.lot,
        min_size: series.min_size,
        max_size: series.max_size,
        max_price: series.max_price,
        price_band: series.price_band,
        min_notional: series.min_notional,
        max_notional: series.max_notional,
        maker_fee: series.maker_fee,
        taker_fee: series.taker_fee,
        initial_margin: Some(series.initial_margin),
        maintenance_margin: Some(series.maintenance_margin),
        mark: None,
        matching: series.matching,
        sharing: series.sharing,
        self_trade: series.self_trade,
        taker_hold: 0,
    }
}

/// Whether `symbol` has the form of those that a series gives: date, strike, and C or P.
fn looks_like_an_option(symbol: &str, begins: &str) -> bool {
    let Some(rest) = symbol.strip_prefix(begins) else {
        return false;
    };
    rest.starts_with(|c: char| c.is_ascii_digit()) && (rest.ends_with("-C") || rest.ends_with("-P"))
}

/// A lot of an option may be worth as much as its strike.
fn check_lot_value(
    series: &GenesisSeries,
    at: &str,
    group: GroupId,
    largest: i128,
    context: &Context<'_>,
) -> Result<(), Error> {
    let digits = context.price_digits(group);
    let decimals = context.decimals(context.margin_asset);
    let strike = largest.saturating_mul(bounds::STRIKE_REACH);
    let shift = u32::from(digits)
        .saturating_add(9)
        .saturating_sub(decimals.into());
    let lot = series.lot.scaled(9).unwrap_or(i128::MAX);
    let value = strike
        .checked_mul(lot)
        .and_then(|value| value.checked_div(10_i128.checked_pow(shift)?));
    if value.is_none_or(|value| value >= bounds::MAX_LOT_VALUE) {
        let reason = format!(
            "is worth more than {} atoms at {} times the largest price of {}",
            bounds::MAX_LOT_VALUE,
            bounds::STRIKE_REACH,
            series.group
        );
        return Err(refuse(at, "lot", series.lot, reason));
    }
    Ok(())
}

/// The distance of strikes in millionths of the index.
fn strikes(series: &GenesisSeries, at: &str) -> Result<u32, Error> {
    let step = rate(at, "strike_step", series.strike_step, 1, 1_000_000)?.unsigned_abs();
    let reach = i128::from(series.strikes)
        .saturating_add(1)
        .saturating_mul(step.into());
    if series.strikes == 0 || reach > REACH_PPM {
        let reason = format!(
            "is not from 1 to as many as reach, one step (\"{}\") more than that, {} times the index",
            series.strike_step,
            bounds::STRIKE_REACH - 1
        );
        let field = format!("{at}.strikes");
        return Err(Error::value(field, series.strikes, reason));
    }
    let least = series.strikes.saturating_mul(2).saturating_add(1);
    if !(least..=bounds::MAX_STRIKES).contains(&series.max_strikes) {
        let reason = format!(
            "is not from {least} (2 x strikes + 1) to {}",
            bounds::MAX_STRIKES
        );
        let field = format!("{at}.max_strikes");
        return Err(Error::value(field, series.max_strikes, reason));
    }
    Ok(step)
}

fn bands(series: &GenesisSeries, at: &str, max_price: i64) -> Result<Vec<(i64, i64)>, Error> {
    let count = series.tick_bands.len();
    if count > bounds::MAX_TICK_BANDS {
        let reason = format!("are more than {}", bounds::MAX_TICK_BANDS);
        let field = format!("{at}.tick_bands");
        return Err(Error::value(field, format!("{count} entries"), reason));
    }
    let mut bands: Vec<(i64, i64)> = Vec::with_capacity(count);
    for (i, band) in series.tick_bands.iter().enumerate() {
        let at = format!("{at}.tick_bands[{i}]");
        let before = bands.last().copied().unwrap_or((0, 1));
        bands.push(tick_band(band, &at, before, series.tick, max_price)?);
    }
    Ok(bands)
}

/// First price and step in ticks. Both fit those `before`, so that the first price of each band is
/// a price of the band below too.
fn tick_band(
    band: &GenesisBand,
    at: &str,
    (from_before, step_before): (i64, i64),
    tick: Number,
    max_price: i64,
) -> Result<(i64, i64), Error> {
    let ticks = |name, number: Number| {
        let ticks = number.multiple_of(tick).map_err(|inexact| {
            let reason = market::not_multiple(inexact, "tick", tick);
            refuse(at, name, number, reason)
        })?;
        let in_range = (1..=i128::from(max_price)).contains(&ticks);
        i64::try_from(ticks)
            .ok()
            .filter(|_| in_range)
            .ok_or_else(|| {
                let reason = format!("is {ticks} ticks, which is not from 1 to {max_price}");
                refuse(at, name, number, reason)
            })
    };
    let (from, step) = (ticks("from", band.from)?, ticks("step", band.step)?);
    if from <= from_before {
        let reason = "is not above that of the band before";
        return Err(refuse(at, "from", band.from, reason));
    }
    if step <= step_before || step.checked_rem(step_before) != Some(0) {
        let reason = "is no larger multiple of the step below it";
        return Err(refuse(at, "step", band.step, reason));
    }
    if from.checked_rem(step) != Some(0) {
        let reason = format!("is not a multiple of step (\"{}\")", band.step);
        return Err(refuse(at, "from", band.from, reason));
    }
    Ok((from, step))
}

fn cadences(list: &[GenesisCadence], at: &str) -> Result<Vec<Cadence>, Error> {
    if list.is_empty() {
        let field = format!("{at}.cadences");
        return Err(Error::value(field, "[]", "holds no cadence"));
    }
    let paths = (0..).map(|i: usize| format!("{at}.cadences[{i}]"));
    let each = list.iter().zip(paths);
    each.map(|(cadence, at)| one_cadence(cadence, &at))
        .collect()
}

fn one_cadence(cadence: &GenesisCadence, at: &str) -> Result<Cadence, Error> {
    let count = cadence.count;
    if count == 0 {
        let field = format!("{at}.count");
        return Err(Error::value(field, count, "is not above zero"));
    }
    let stray = |name: &str, span: Option<Span>, needs: &str| match span {
        Some(span) => Err(Error::text(
            format_args!("{at}.{name}"),
            &span.to_string(),
            format_args!("belongs to {needs}, which is not given"),
        )),
        None => Ok(()),
    };
    match (cadence.every, cadence.last_friday) {
        (Some(every), None) => {
            stray("at", cadence.at, "last_friday")?;
            let ahead = every.0.saturating_mul(count.into());
            if every.0 < 1_000 || ahead > bounds::MAX_AHEAD.0 {
                let most = Span(bounds::MAX_AHEAD.0);
                let reason = format!("is below \"1s\", or times count ({count}) above \"{most}\"");
                let field = format!("{at}.every");
                return Err(Error::text(field, &every.to_string(), reason));
            }
            Ok(Cadence::Every {
                period_ms: whole(at, "every", every, u64::MAX)?,
                offset_ms: whole(at, "offset", cadence.offset.unwrap_or_default(), every.0)?,
                count,
            })
        }
        (None, Some(months)) => {
            stray("offset", cadence.offset, "every")?;
            let ahead = u32::from(months).saturating_mul(count.into());
            if !(1..=12).contains(&months) || ahead > bounds::MAX_AHEAD.1 {
                let most = bounds::MAX_AHEAD.1;
                let reason = format!("is not from 1 to 12, or times count ({count}) above {most}");
                let field = format!("{at}.last_friday");
                return Err(Error::value(field, months, reason));
            }
            Ok(Cadence::LastFriday {
                months,
                offset_ms: whole(at, "at", cadence.at.unwrap_or_default(), DAY_MS)?,
                count,
            })
        }
        (given, _) => {
            let what = if given.is_some() { "both" } else { "neither" };
            let reason = format!("has {what} of every and last_friday; one is needed");
            Err(Error::value(at, "{}", reason))
        }
    }
}

/// A whole number of seconds below `end`.
fn whole(at: &str, name: &str, span: Span, end: u64) -> Result<u64, Error> {
    if span.0 < end && span.0.is_multiple_of(1_000) {
        return Ok(span.0);
    }
    let reason = match end {
        u64::MAX => "is not a whole number of seconds".to_owned(),
        end => format!("is not a whole number of seconds below \"{}\"", Span(end)),
    };
    let field = format!("{at}.{name}");
    Err(Error::text(field, &span.to_string(), reason))
}
