//! Markets: from decimals to ticks, lots, atoms and millionths.

use crate::number::Inexact;
use crate::{Error, GenesisMarket, Kind, Matching, Number, Sharing, bounds, time};
use ballast_types::{AssetId, AssetSpec, GroupId, GroupSpec, MarketKind, MarketSpec, TimeMs};
use std::collections::BTreeMap;

/// Decimal places of a millionth.
const PPM: u8 = 6;

/// What markets refer to.
pub(crate) struct Context<'a> {
    pub(crate) assets: &'a [AssetSpec],
    pub(crate) asset_ids: &'a BTreeMap<&'a str, AssetId>,
    pub(crate) groups: &'a [GroupSpec],
    pub(crate) group_ids: &'a BTreeMap<&'a str, GroupId>,
    pub(crate) margin_asset: AssetId,
    /// The time before the first block in ms.
    pub(crate) genesis_time: TimeMs,
}

impl Context<'_> {
    pub(crate) fn decimals(&self, id: AssetId) -> u8 {
        self.assets
            .get(id.index())
            .map_or(0, |asset| asset.decimals)
    }

    pub(crate) fn price_digits(&self, id: GroupId) -> u8 {
        self.groups
            .get(id.index())
            .map_or(0, |group| group.price_digits)
    }
}

/// What a step of price and of size is.
pub(crate) struct Units {
    /// Atoms of a tick of one lot.
    pub(crate) tick_value: i128,
    /// A tick in the scale of the group.
    pub(crate) tick_price: i64,
    /// A lot in 10^-9.
    pub(crate) lot_amount: i64,
}

/// The integers of one market; `at` is its path, as `markets[2]`.
pub(crate) fn market(
    market: &GenesisMarket,
    at: &str,
    context: &Context<'_>,
) -> Result<MarketSpec, Error> {
    let group = group(market, at, context)?;
    let units = units(market, at, group, context)?;
    let kind = kind(market, at, context)?;
    let (min_size, max_size) = sizes(market, at, units.lot_amount)?;
    let max_price = max_price(market, at, &units)?;
    let (min_notional, max_notional) = notionals(market, at, context)?;
    let (maker_fee_ppm, taker_fee_ppm) = fees(market, at)?;
    let (initial_margin_ppm, maintenance_margin_ppm) = margins(market, at)?;
    if market.taker_hold != 0 {
        let field = format_args!("{at}.taker_hold").to_string();
        return Err(Error::value(
            field,
            market.taker_hold,
            "is reserved and must be 0",
        ));
    }
    Ok(MarketSpec {
        symbol: market.symbol.clone(),
        group,
        kind,
        tick: market.tick.shortest(),
        lot: market.lot.shortest(),
        tick_value: units.tick_value,
        tick_price: units.tick_price,
        lot_amount: units.lot_amount,
        tick_bands: Vec::new(),
        min_size,
        max_size,
        max_price,
        price_band_ppm: price_band(market, at)?,
        min_notional,
        max_notional,
        maker_fee_ppm,
        taker_fee_ppm,
        initial_margin_ppm,
        minimum_margin_ppm: 0,
        maintenance_margin_ppm,
        mark: mark(market, at, max_price)?,
        matching: matching(market.matching),
        sharing: sharing(market.sharing),
        self_trade: market.self_trade,
        taker_hold: market.taker_hold,
    })
}

pub(crate) fn matching(matching: Matching) -> ballast_types::Matching {
    match matching {
        Matching::Continuous => ballast_types::Matching::Continuous,
        Matching::Batch => ballast_types::Matching::Batch,
    }
}

pub(crate) fn sharing(sharing: Sharing) -> ballast_types::Sharing {
    match sharing {
        Sharing::Time => ballast_types::Sharing::Time,
        Sharing::ProRata => ballast_types::Sharing::ProRata,
    }
}

pub(crate) fn group(
    market: &GenesisMarket,
    at: &str,
    context: &Context<'_>,
) -> Result<GroupId, Error> {
    let found = context.group_ids.get(market.group.as_str());
    found.copied().ok_or_else(|| {
        Error::text(
            format_args!("{at}.group"),
            &market.group,
            "is not the name of a group",
        )
    })
}

pub(crate) fn units(
    market: &GenesisMarket,
    at: &str,
    group: GroupId,
    context: &Context<'_>,
) -> Result<Units, Error> {
    for (name, number) in [("tick", market.tick), ("lot", market.lot)] {
        if !number.is_positive() {
            return Err(refuse(at, name, number, "is not above zero"));
        }
    }
    let tick_value = tick_value(market, at, context)?;
    let whole = |name, number: Number, digits: u8, max: i128| {
        let reason = match number.scaled(digits) {
            Ok(units) if units <= max => {
                return i64::try_from(units).map_err(|_| refuse(at, name, number, "is too large"));
            }
            Err(Inexact::Fraction) => {
                format!("has more than {digits} decimals, which is how exact prices and sizes are")
            }
            _ => format!("is more than {max} times 10^-{digits}"),
        };
        Err(refuse(at, name, number, reason))
    };
    let digits = context.price_digits(group);
    Ok(Units {
        tick_value,
        tick_price: whole("tick", market.tick, digits, bounds::MAX_PRICE)?,
        lot_amount: whole("lot", market.lot, 9, bounds::MAX_AMOUNT)?,
    })
}

fn tick_value(market: &GenesisMarket, at: &str, context: &Context<'_>) -> Result<i128, Error> {
    let decimals = context.decimals(context.margin_asset);
    market.tick.product(market.lot, decimals).map_err(|inexact| {
        let lot = market.lot;
        refuse(at, "tick", market.tick, match inexact {
            Inexact::Fraction => format!(
                "is not a whole number of atoms of the margin asset per lot: tick x lot (\"{lot}\") \
                 x 10^{decimals} must be whole"
            ),
            Inexact::TooLarge => format!("times lot (\"{lot}\") is too large"),
        })
    })
}

fn kind(market: &GenesisMarket, at: &str, context: &Context<'_>) -> Result<MarketKind, Error> {
    let expiry = expiry(market, at, context.genesis_time)?;
    match (market.kind, &market.base) {
        (Kind::Spot, base) => spot(market, base.as_deref(), at, context),
        (kind, Some(base)) => Err(Error::text(
            format_args!("{at}.base"),
            base,
            format_args!("is given, but a {} delivers no asset", name(kind)),
        )),
        (_, None) => Ok(
            expiry.map_or(MarketKind::Perpetual, |expiry| MarketKind::Future {
                expiry,
            }),
        ),
    }
}

/// What a future has, and no other market.
fn expiry(market: &GenesisMarket, at: &str, genesis_time: TimeMs) -> Result<Option<TimeMs>, Error> {
    let field = format_args!("{at}.expiry").to_string();
    let Some(expiry) = market.expiry else {
        return match market.kind {
            Kind::Spot | Kind::Perpetual => Ok(None),
            Kind::Future => Err(Error::value(
                field,
                "null",
                "is not a time, which a future needs",
            )),
        };
    };
    let shown = time::format(expiry.0);
    let latest = bounds::MAX_EXPIRY;
    if market.kind != Kind::Future {
        let reason = format!("is given, but a {} has none", name(market.kind));
        return Err(Error::text(field, &shown, reason));
    }
    if expiry.0 > latest {
        let reason = format!("is after {}", time::format(latest));
        return Err(Error::value(field, expiry.0, reason));
    }
    if expiry.0 <= genesis_time {
        let reason = format!("is not after genesis time, {}", time::format(genesis_time));
        return Err(Error::text(field, &shown, reason));
    }
    Ok(Some(expiry.0))
}

/// As people call it.
fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Spot => "spot market",
        Kind::Perpetual => "perpetual",
        Kind::Future => "future",
    }
}

fn spot(
    market: &GenesisMarket,
    base: Option<&str>,
    at: &str,
    context: &Context<'_>,
) -> Result<MarketKind, Error> {
    let field = format_args!("{at}.base").to_string();
    let Some(base) = base else {
        return Err(Error::value(field, "null", "is not the symbol of an asset"));
    };
    let Some(&id) = context.asset_ids.get(base) else {
        return Err(Error::text(field, base, "is not the symbol of an asset"));
    };
    if id == context.margin_asset {
        return Err(Error::text(
            field,
            base,
            "is the margin asset, which every market quotes in",
        ));
    }
    if market.group != base {
        let reason =
            format_args!("is not {base:?}: a spot market belongs to its base's group").to_string();
        return Err(Error::text(
            format_args!("{at}.group"),
            &market.group,
            reason,
        ));
    }
    let decimals = context.decimals(id);
    let lot_atoms = market.lot.scaled(decimals).map_err(|_| {
        let reason = format!(
            "is not a whole number of atoms of {base}, which has {decimals} \
             decimals"
        );
        refuse(at, "lot", market.lot, reason)
    })?;
    let max = bounds::MAX_SPOT_ATOMS
        .checked_div(bounds::MAX_POSITION_LOTS.into())
        .unwrap_or(0);
    if lot_atoms > max {
        let reason = format!("is {lot_atoms} atoms of {base}, more than {max}");
        return Err(refuse(at, "lot", market.lot, reason));
    }
    Ok(MarketKind::Spot {
        base: id,
        lot_atoms,
    })
}

pub(crate) fn sizes(
    market: &GenesisMarket,
    at: &str,
    lot_amount: i64,
) -> Result<(i64, i64), Error> {
    let lots = |name, size: Number| {
        let reason = match size.multiple_of(market.lot) {
            Ok(lots) if (1..=bounds::MAX_ORDER_LOTS.into()).contains(&lots) => {
                return i64::try_from(lots).map_err(|_| refuse(at, name, size, "is too large"));
            }
            Ok(lots) => {
                format!(
                    "is {lots} lots, which is not from 1 to {}",
                    bounds::MAX_ORDER_LOTS
                )
            }
            Err(inexact) => not_multiple(inexact, "lot", market.lot),
        };
        Err(refuse(at, name, size, reason))
    };
    let min = lots("min_size", market.min_size)?;
    let max = lots("max_size", market.max_size)?;
    if min > max {
        let reason = format!("is above max_size (\"{}\")", market.max_size);
        return Err(refuse(at, "min_size", market.min_size, reason));
    }
    if i128::from(max).saturating_mul(lot_amount.into()) > bounds::MAX_AMOUNT {
        let reason = format!("is more than {} times 10^-9", bounds::MAX_AMOUNT);
        return Err(refuse(at, "max_size", market.max_size, reason));
    }
    Ok((min, max))
}

pub(crate) fn max_price(market: &GenesisMarket, at: &str, units: &Units) -> Result<i64, Error> {
    let by_value = bounds::MAX_LOT_VALUE.checked_div(units.tick_value);
    let by_price = bounds::MAX_PRICE.checked_div(units.tick_price.into());
    let max = by_value.unwrap_or(0).min(by_price.unwrap_or(0));
    price(market, at, "max_price", market.max_price, max)
}

fn mark(market: &GenesisMarket, at: &str, max_price: i64) -> Result<i64, Error> {
    match (market.kind, market.mark) {
        (Kind::Spot, mark) => zero_for_spot(at, "mark", mark).map(|()| 0),
        (_, Some(mark)) => price(market, at, "mark", mark, max_price.into()),
        (kind, None) => Err(missing(at, "mark", kind)),
    }
}

/// A price from 1 to `max` ticks.
fn price(
    market: &GenesisMarket,
    at: &str,
    name: &str,
    price: Number,
    max: i128,
) -> Result<i64, Error> {
    let reason = match price.multiple_of(market.tick) {
        Ok(ticks) if (1..=max).contains(&ticks) => {
            return i64::try_from(ticks).map_err(|_| refuse(at, name, price, "is too large"));
        }
        Ok(ticks) => format!("is {ticks} ticks, which is not from 1 to {max}"),
        Err(inexact) => not_multiple(inexact, "tick", market.tick),
    };
    Err(refuse(at, name, price, reason))
}

pub(crate) fn price_band(market: &GenesisMarket, at: &str) -> Result<u32, Error> {
    market.price_band.map_or(Ok(0), |band| {
        let ppm = rate(at, "price_band", band, 0, bounds::MAX_PRICE_BAND_PPM)?;
        Ok(ppm.unsigned_abs())
    })
}

pub(crate) fn notionals(
    market: &GenesisMarket,
    at: &str,
    context: &Context<'_>,
) -> Result<(i128, i128), Error> {
    let decimals = context.decimals(context.margin_asset);
    let atoms = |name, bound: Option<Number>| {
        let Some(bound) = bound else {
            return Ok(0);
        };
        let reason = match bound.scaled(decimals) {
            Ok(atoms) if (0..=bounds::MAX_NOTIONAL).contains(&atoms) => return Ok(atoms),
            Err(Inexact::Fraction) => format!("has more than {decimals} decimals"),
            _ => format!("is not from 0 to {} atoms", bounds::MAX_NOTIONAL),
        };
        Err(refuse(at, name, bound, reason))
    };
    let min = atoms("min_notional", market.min_notional)?;
    let max = atoms("max_notional", market.max_notional)?;
    match (market.min_notional, market.max_notional) {
        (Some(least), Some(most)) if max != 0 && min > max => {
            let reason = format!("is above max_notional (\"{most}\")");
            Err(refuse(at, "min_notional", least, reason))
        }
        _ => Ok((min, max)),
    }
}

pub(crate) fn fees(market: &GenesisMarket, at: &str) -> Result<(i32, i32), Error> {
    let taker = rate(at, "taker_fee", market.taker_fee, 0, bounds::MAX_FEE_PPM)?;
    let maker = rate(
        at,
        "maker_fee",
        market.maker_fee,
        -bounds::MAX_FEE_PPM,
        bounds::MAX_FEE_PPM,
    )?;
    if maker.unsigned_abs() > taker.unsigned_abs() {
        let reason = format!(
            "is larger in size than taker_fee (\"{}\")",
            market.taker_fee
        );
        return Err(refuse(at, "maker_fee", market.maker_fee, reason));
    }
    Ok((maker, taker))
}

pub(crate) fn margins(market: &GenesisMarket, at: &str) -> Result<(u32, u32), Error> {
    let fields = [
        ("initial_margin", market.initial_margin),
        ("maintenance_margin", market.maintenance_margin),
    ];
    if market.kind == Kind::Spot {
        for (name, margin) in fields {
            zero_for_spot(at, name, margin)?;
        }
        return Ok((0, 0));
    }
    let [initial, maintenance] = fields.map(|(name, margin)| {
        let margin = margin.ok_or_else(|| missing(at, name, market.kind))?;
        let ppm = rate(at, name, margin, 1, bounds::MAX_MARGIN_PPM)?;
        Ok((margin, ppm.unsigned_abs()))
    });
    let ((initial, initial_ppm), (maintenance, maintenance_ppm)) = (initial?, maintenance?);
    if maintenance_ppm > initial_ppm {
        let reason = format!("is above initial_margin (\"{initial}\")");
        return Err(refuse(at, "maintenance_margin", maintenance, reason));
    }
    Ok((initial_ppm, maintenance_ppm))
}

/// A fraction as a whole number of millionths from `min` to `max`.
pub(crate) fn rate(at: &str, name: &str, rate: Number, min: i128, max: i128) -> Result<i32, Error> {
    let reason = match rate.scaled(PPM) {
        Ok(ppm) if (min..=max).contains(&ppm) => {
            return i32::try_from(ppm).map_err(|_| refuse(at, name, rate, "is too large"));
        }
        Err(Inexact::Fraction) => "is not a whole number of millionths".to_owned(),
        _ => format!("is not from {min} to {max} millionths"),
    };
    Err(refuse(at, name, rate, reason))
}

fn zero_for_spot(at: &str, name: &str, number: Option<Number>) -> Result<(), Error> {
    match number {
        Some(number) if !number.is_zero() => Err(refuse(
            at,
            name,
            number,
            "must be 0 or left out in a spot market",
        )),
        _ => Ok(()),
    }
}

pub(crate) fn not_multiple(inexact: Inexact, unit: &str, step: Number) -> String {
    match inexact {
        Inexact::Fraction => format!("is not a multiple of {unit} (\"{step}\")"),
        Inexact::TooLarge => format!("is too large for {unit} (\"{step}\")"),
    }
}

fn missing(at: &str, field: &str, kind: Kind) -> Error {
    Error::value(
        format_args!("{at}.{field}"),
        "null",
        format_args!("is not a number, which a {} needs", name(kind)),
    )
}

pub(crate) fn refuse(
    at: &str,
    name: &str,
    number: Number,
    reason: impl std::fmt::Display,
) -> Error {
    Error::value(
        format_args!("{at}.{name}"),
        format_args!("\"{number}\""),
        reason,
    )
}
