//! Volatilities: raw SVI, the scenarios "up" and "down", and the skews.
//!
//! Binary fixed point here, to the nearest: factors in units of 1 / [`black76::ONE`], 2^-57, and
//! volatilities in units of 2^-50, because those of the last minutes before an expiry are in the
//! hundreds.

use super::fixed::{mul_div, narrow};
use super::{Error, ONE, Params, Skew, SkewTerms, Volatility};
use crate::black76::{self, total_vol};
use ballast_types::margin::{ratio, refuse};
use ballast_types::surface;

/// A factor of 1.
const UNIT: i64 = black76::ONE;

/// A volatility of 1.
const VOLATILITY: i64 = 1 << 50;

/// The binary number nearest to a decimal ratio.
pub(super) fn binary(ratio: i64, field: &'static str) -> Result<i64, Error> {
    narrow(
        mul_div(i128::from(ratio), i128::from(UNIT), ONE.unsigned_abs()),
        field,
    )
}

/// The volatility nearest to a ratio.
pub(super) fn volatility(ratio: i64, field: &'static str) -> Result<i64, Error> {
    let one = i128::from(VOLATILITY);
    narrow(mul_div(i128::from(ratio), one, ONE.unsigned_abs()), field)
}

/// A volatility and a time of the same total volatility, the volatility in binary and below 64.
pub(super) fn of_binary(vol: i64, secs: i64) -> (i64, u64) {
    let secs = secs.unsigned_abs();
    match vol.checked_mul(1 << 7) {
        Some(vol) => (vol, secs),
        // A 128th for 16,384 times as long.
        None => (vol, secs.saturating_mul(1 << 14)),
    }
}

/// Volatility x square root of time, binary.
pub(super) fn deviation(vol: i64, secs: i64) -> i64 {
    let (vol, secs) = of_binary(vol, secs);
    total_vol(vol, secs)
}

/// The decimal ratio nearest to a binary number.
pub(super) fn decimal_ratio(binary: i64) -> Option<i64> {
    let ratio = mul_div(i128::from(binary), i128::from(ONE), UNIT.unsigned_abs())?;
    i64::try_from(ratio).ok()
}

fn times(a: i64, b: i64) -> Option<i64> {
    i64::try_from(mul_div(i128::from(a), i128::from(b), UNIT.unsigned_abs())?).ok()
}

fn divided(a: i64, b: i64) -> Option<i64> {
    if b < 1 {
        return None;
    }
    i64::try_from(mul_div(i128::from(a), i128::from(UNIT), b.unsigned_abs())?).ok()
}

/// The raw SVI curve of an expiry: total variance
/// `w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2))`, ratios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Svi {
    /// Total variance by log-moneyness.
    pub curve: surface::Svi,
    /// The forward of log-moneyness, a price of the unit.
    pub forward: i64,
    /// The time of total variance, years.
    pub tau: i64,
}

impl Svi {
    /// Volatility of a strike, a ratio: `sqrt(w / tau)` with k = ln(strike / forward) clamped to
    /// +-4 sqrt(a + b sigma) and w to 0..=144.
    ///
    /// # Errors
    /// Where the curve has no volatility: a forward or tau that is not above 0, a negative variance.
    pub fn volatility(&self, strike: i64) -> Result<i64, Error> {
        const MOST: i64 = 144;
        let field = "svi";
        let surface::Svi {
            a,
            b,
            rho,
            m,
            sigma,
        } = self.curve;
        let rule = "must be above 0";
        refuse(
            self.forward <= 0,
            "svi.F",
            i128::from(self.forward),
            0,
            rule,
        )?;
        ratio("svi.tau", self.tau, 1, i64::MAX, rule)?;
        let too_large = || Error::TooLarge(field);
        // Total variance up to 144 does not fit the binary numbers: ratios throughout.
        let one = ONE.unsigned_abs();
        let product = |x: i64, y: i64| mul_div(i128::from(x), i128::from(y), one);
        let level = product(b, sigma)
            .and_then(|product| product.checked_add(i128::from(a)))
            .ok_or_else(too_large)?;
        refuse(
            level < 0,
            field,
            level,
            super::RATIO_DIGITS,
            "a + b sigma must not be negative",
        )?;
        let curve = || -> Option<i64> {
            let reach = super::fixed::root(level)?.checked_mul(4)?;
            let log = black76::log_moneyness(
                u64::try_from(strike.max(0)).ok()?,
                u64::try_from(self.forward).ok()?,
            );
            let log = if strike == 0 {
                reach.checked_neg()?
            } else {
                decimal_ratio(log)?
            };
            let k = log.max(reach.checked_neg()?).min(reach);
            let from_middle = k.checked_sub(m)?;
            let square = product(from_middle, from_middle)?.checked_add(product(sigma, sigma)?)?;
            let bend =
                product(rho, from_middle)?.checked_add(i128::from(super::fixed::root(square)?))?;
            let variance = mul_div(bend, i128::from(b), one)?
                .checked_add(i128::from(a))?
                .clamp(0, i128::from(ONE).checked_mul(i128::from(MOST))?);
            let tau = self.tau.unsigned_abs();
            super::fixed::root(mul_div(variance, i128::from(ONE), tau)?)
        };
        curve().ok_or_else(too_large)
    }
}

/// How one expiry's volatilities move up and down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moves {
    /// A factor less 1, or points of volatility.
    up: i64,
    /// 1 less a factor, or points of volatility.
    down: i64,
    /// Lowest volatility after "up".
    least_up: i64,
    absolute: bool,
}

impl Moves {
    pub(super) fn new(method: &Volatility, secs: i64) -> Result<Self, Error> {
        match method {
            Volatility::Power {
                up,
                down,
                short_power,
                long_power,
                floor_secs,
                reference_secs,
                least_up,
            } => {
                let power = if secs <= *reference_secs {
                    short_power
                } else {
                    long_power
                };
                let log = black76::log_moneyness(
                    reference_secs.unsigned_abs(),
                    secs.max(*floor_secs).unsigned_abs(),
                );
                let field = "vol_shock";
                let exponent = narrow(
                    mul_div(i128::from(log), i128::from(*power), ONE.unsigned_abs()),
                    field,
                )?;
                let factor = exponential(exponent).ok_or(Error::TooLarge(field))?;
                let scaled =
                    |by: i64| times(binary(by, field)?, factor).ok_or(Error::TooLarge(field));
                Ok(Self {
                    up: scaled(*up)?,
                    down: scaled(*down)?,
                    least_up: volatility(*least_up, "vol_shock.min_vol_up")?,
                    absolute: false,
                })
            }
            Volatility::Table { absolute, tenors } => {
                let (mut before, mut after) = (None, None);
                for tenor in tenors {
                    if tenor.secs <= secs {
                        before = Some(tenor);
                    } else if after.is_none() {
                        after = Some(tenor);
                    }
                }
                let (up, down) = match (before, after) {
                    (Some(a), Some(b)) => {
                        let part = secs.checked_sub(a.secs);
                        let span = b.secs.checked_sub(a.secs);
                        let between = |from: i64, to: i64| {
                            let rise = i128::from(to).checked_sub(i128::from(from))?;
                            let share = mul_div(rise, i128::from(part?), span?.unsigned_abs())?;
                            i128::from(from).checked_add(share)
                        };
                        let field = "vol_shock.tenors";
                        (
                            narrow(between(a.up, b.up), field)?,
                            narrow(between(a.down, b.down), field)?,
                        )
                    }
                    (Some(row), None) | (None, Some(row)) => (row.up, row.down),
                    (None, None) => (0, 0),
                };
                let unit = if *absolute { volatility } else { binary };
                Ok(Self {
                    up: unit(up, "vol_shock.tenors")?,
                    down: unit(down, "vol_shock.tenors")?,
                    least_up: 0,
                    absolute: *absolute,
                })
            }
        }
    }

    pub(super) fn up(&self, vol: i64) -> Option<i64> {
        let moved = if self.absolute {
            vol.checked_add(self.up)
        } else {
            times(vol, UNIT.checked_add(self.up)?)
        };
        Some(moved?.max(self.least_up))
    }

    pub(super) fn down(&self, vol: i64) -> Option<i64> {
        if self.absolute {
            Some(vol.checked_sub(self.down)?.max(0))
        } else {
            times(vol, UNIT.checked_sub(self.down)?.max(0))
        }
    }
}

/// e^x, unless it is 64 or more.
pub(super) fn exponential(x: i64) -> Option<i64> {
    let value = black76::exp(x);
    (value < i64::MAX).then_some(value)
}

/// The tilts of one expiry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tilts {
    /// Log-moneyness at which the tilt is full.
    reach: i64,
    linear_cap: i64,
    absolute_cap: i64,
}

impl Tilts {
    /// `root_years` is sqrt(T).
    pub(super) fn new(skew: &Skew, root_years: i64) -> Result<Self, Error> {
        let cap = |terms: &SkewTerms, field| {
            times(binary(terms.slope, field)?, root_years)
                .and_then(|slope| slope.checked_add(binary(terms.cap, field).ok()?))
                .ok_or(Error::TooLarge(field))
        };
        let field = "skew.width";
        let scale = binary(skew.vol_scale, "skew.vol_scale")?;
        let fixed = binary(skew.vol_static, "skew.vol_static")?;
        let width = binary(skew.width, field)?;
        let deviations = times(scale, root_years)
            .and_then(|growth| growth.checked_add(fixed))
            .and_then(|vol| times(vol, times(root_years, width)?))
            .ok_or(Error::TooLarge(field))?;
        Ok(Self {
            reach: deviations.max(binary(skew.least_reach, "skew.min_kstar")?),
            linear_cap: cap(&skew.linear, "skew.linear_cap")?,
            absolute_cap: cap(&skew.absolute, "skew.abs_cap")?,
        })
    }

    /// `vol` tilted at the log-moneyness ln(strike / forward).
    pub(super) fn linear(&self, vol: i64, log: i64) -> Option<i64> {
        tilted(vol, log, self.linear_cap, self.reach)
    }

    pub(super) fn absolute(&self, vol: i64, log: i64) -> Option<i64> {
        tilted(vol, log.checked_abs()?, self.absolute_cap, self.reach)
    }
}

fn tilted(vol: i64, log: i64, cap: i64, reach: i64) -> Option<i64> {
    let slope = mul_div(i128::from(log), i128::from(cap), reach.unsigned_abs())?;
    let cap = i128::from(cap);
    let tilt = slope.min(cap).max(cap.checked_neg()?);
    times(
        vol,
        i64::try_from(i128::from(UNIT).checked_add(tilt)?.max(0)).ok()?,
    )
}

/// The discount factors of one expiry: D, and those on positive and negative option values; ratios.
#[derive(Clone, Copy, Debug)]
pub(super) struct Discounts {
    /// D in binary.
    pub(super) of_price: i64,
    /// On positive and on negative values, when the method has them.
    pub(super) of_value: Option<(i64, i64)>,
}

impl Discounts {
    pub(super) fn new(params: &Params, rate: i64, secs: i64, years: i64) -> Result<Self, Error> {
        let secs = secs.unsigned_abs();
        let of_price = if params.discount_at_rate {
            black76::discount(binary(rate.max(0), "expiries.rate")?, secs)
        } else {
            UNIT
        };
        let Some(terms) = &params.option_discount else {
            return Ok(Self {
                of_price,
                of_value: None,
            });
        };
        let field = "option_discount";
        let one = ONE.unsigned_abs();
        let exponent = |multiple: i64, add: i64| -> Option<i64> {
            let by_rate = mul_div(i128::from(rate), i128::from(multiple), one)?;
            let rate = by_rate.checked_add(i128::from(add))?;
            let exponent = mul_div(rate, i128::from(years), one)?;
            binary(i64::try_from(exponent).ok()?, field).ok()
        };
        let factor = |base: i64, exponent: Option<i64>| -> Option<i64> {
            decimal_ratio(times(binary(base, field).ok()?, exponential(exponent?)?)?)
        };
        let long = exponent(terms.long.multiple, terms.long.add).and_then(i64::checked_neg);
        let long = factor(terms.long.base, long).ok_or(Error::TooLarge(field))?;
        let inverse = divided(UNIT, of_price)
            .and_then(decimal_ratio)
            .unwrap_or(i64::MAX);
        let short = factor(
            terms.short.base,
            exponent(terms.short.multiple, terms.short.add),
        );
        let short = short.unwrap_or(i64::MAX).min(inverse);
        Ok(Self {
            of_price,
            // Long values never count in full where short ones do not: so a sum is worth at least
            // its parts, whatever the rate.
            of_value: Some((long.min(short), short)),
        })
    }
}
