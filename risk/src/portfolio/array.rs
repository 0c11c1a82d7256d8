//! One option in every scenario.

use super::fixed::{mul_div, narrow, scaled};
use super::marks::{Expiry, VolatilityCase};
use super::volatility::{decimal_ratio, deviation, of_binary, volatility as volatility_of};
use super::{Basis, Error, Floor, Numeraire, ONE, Scenarios, VolatilityShock};
use crate::black76::{self, OptionKind, Terms, greeks, log_moneyness, pair};
use ballast_types::margin::{ratio, refuse};

/// Largest volatility of an option.
const MOST_VOLATILITY: i64 = 8_000 * ONE;

/// An option and its mark volatility.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionTerms {
    /// Call or put.
    pub kind: OptionKind,
    /// Strike price, not negative.
    pub strike: i64,
    /// Volatility a year, a ratio from 0 to 8000.
    pub volatility: i64,
}

/// What one unit of an option is worth now and in each scenario; values of the unit (prices, or
/// ratios under the coin numeraire).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskArray {
    /// Call or put.
    pub kind: OptionKind,
    /// Strike price.
    pub strike: i64,
    /// Value at the marks.
    pub mark: i64,
    /// Change of the value with the forward, a ratio.
    pub delta: i64,
    /// Change of the value with the volatility, per 1.00.
    pub vega: i64,
    /// Value in each scenario.
    pub values: Vec<i64>,
    /// Value after the basis moves up.
    pub basis_up: i64,
    /// Value after it moves down.
    pub basis_down: i64,
    /// Cost of selling one.
    pub unwind_long: i64,
    /// Cost of buying one back.
    pub unwind_short: i64,
}

/// An option and what its values depend on, in binary.
struct Priced<'a> {
    scenarios: &'a Scenarios,
    expiry: &'a Expiry,
    kind: OptionKind,
    strike: i64,
    /// ln(forward / strike).
    log: i64,
}

impl Scenarios {
    /// The array of an option of the expiry with this index.
    ///
    /// # Errors
    /// A strike or volatility outside its range, an expiry that the marks lack, a figure that does
    /// not fit.
    pub fn option(&self, expiry: usize, option: &OptionTerms) -> Result<RiskArray, Error> {
        let OptionTerms {
            kind,
            strike,
            volatility,
        } = *option;
        let expiry = self
            .expiries
            .get(expiry)
            .ok_or(Error::TooLarge("expiries"))?;
        let (value, digits) = (i128::from(strike), self.marks.price_digits);
        let rule = "must not be negative";
        refuse(strike < 0, "options.strike", value, digits, rule)?;
        let rule = "must be from 0 to 8000";
        ratio("options.vol", volatility, 0, MOST_VOLATILITY, rule)?;
        let field = "expiries.fwd_var";
        let forward = expiry.marks.forward.checked_add(expiry.marks.fixed);
        let forward = forward.ok_or(Error::TooLarge(field))?.unsigned_abs();
        let priced = Priced {
            scenarios: self,
            expiry,
            kind,
            strike,
            log: log_moneyness(forward, strike.unsigned_abs()),
        };
        let vol = volatility_of(volatility, "options.vol")?;
        let deviations = self.deviations(&priced, vol)?;
        let now = deviations.first().copied().unwrap_or(0);
        let too_large = || Error::TooLarge("options");
        let mut values = Vec::with_capacity(self.len());
        for ((scenario, case), log) in self
            .params
            .scenarios
            .iter()
            .zip(&self.case_of)
            .zip(&self.logs)
        {
            let deviation = deviations.get(*case).copied().unwrap_or(now);
            let value = priced.at(scenario.moves(), *log, deviation);
            values.push(value.ok_or_else(too_large)?);
        }
        let mark = priced.at(0, 0, now).ok_or_else(too_large)?;
        let (basis_up, basis_down) = match self.params.basis {
            Basis::Competing { up, down, .. } => {
                let at = |change: i64| priced.at(change, log_of(change)?, now);
                (
                    at(up).ok_or_else(too_large)?,
                    at(down).ok_or_else(too_large)?,
                )
            }
            Basis::None | Basis::Roll { .. } => (mark, mark),
        };
        let (delta, vega) = priced.greeks(forward, vol).ok_or_else(too_large)?;
        let (unwind_long, unwind_short) = self.unwind(mark, delta).ok_or_else(too_large)?;
        Ok(RiskArray {
            kind,
            strike,
            mark,
            delta,
            vega,
            values,
            basis_up,
            basis_down,
            unwind_long,
            unwind_short,
        })
    }

    /// Total volatilities of an option, binary, one for each case.
    fn deviations(&self, option: &Priced<'_>, vol: i64) -> Result<Vec<i64>, Error> {
        let Expiry {
            moves,
            tilts,
            marks,
            ..
        } = option.expiry;
        let log = option.log.saturating_neg();
        let of = |case: &VolatilityCase| {
            let vol = match (case.shock, tilts) {
                (VolatilityShock::Up, _) => moves.up(vol)?,
                (VolatilityShock::Down, _) => moves.down(vol)?,
                (VolatilityShock::Linear, Some(tilts)) => tilts.linear(vol, log)?,
                (VolatilityShock::Absolute, Some(tilts)) => tilts.absolute(vol, log)?,
                (VolatilityShock::None, _) | (_, None) => vol,
            };
            let secs = marks.secs.saturating_sub(case.theta_secs).max(0);
            Some(deviation(vol, secs))
        };
        self.cases
            .iter()
            .map(|case| of(case).ok_or(Error::TooLarge("options.vol")))
            .collect()
    }

    /// Cost of closing one unit: long and short.
    fn unwind(&self, mark: i64, delta: i64) -> Option<(i64, i64)> {
        let Floor::Unwind {
            least_slip,
            slip_per_delta,
            fee,
            fee_cap,
            ..
        } = self.params.floor
        else {
            return Some((0, 0));
        };
        let slip = scaled(slip_per_delta, delta.checked_abs()?)?.max(i128::from(least_slip));
        let slip = scaled(self.coin, i64::try_from(slip).ok()?)?;
        let fee = scaled(self.coin, fee)?.min(scaled(mark, fee_cap)?);
        let long = slip.min(i128::from(mark)).checked_add(fee)?;
        let short = slip.checked_add(fee)?;
        Some((i64::try_from(long).ok()?, i64::try_from(short).ok()?))
    }
}

/// ln(1 + change), binary.
pub(super) fn log_of(change: i64) -> Option<i64> {
    let factor = ONE.checked_add(change)?;
    Some(log_moneyness(
        u64::try_from(factor).ok()?,
        ONE.unsigned_abs(),
    ))
}

impl Priced<'_> {
    /// Change of the value with the forward, a ratio, and with the volatility, per 1.00.
    fn greeks(&self, forward: u64, vol: i64) -> Option<(i64, i64)> {
        let (vol, seconds) = of_binary(vol, self.expiry.marks.secs);
        let terms = Terms {
            forward,
            strike: self.strike.unsigned_abs(),
            vol,
            seconds,
            discount: self.expiry.discounts.of_price,
        };
        let greeks = greeks(&terms, self.kind, 0);
        // A volatility that is 128 times as small moves the value 128 times as much.
        let finer = u32::from(seconds != self.expiry.marks.secs.unsigned_abs()).wrapping_mul(7);
        let unit = i128::from(terms.unit());
        let vega = mul_div(greeks.vega >> finer, unit, black76::ONE.unsigned_abs())?;
        let vega = match self.scenarios.params.numeraire {
            Numeraire::Quote => vega,
            Numeraire::Coin => {
                let index = self.scenarios.marks.index.unsigned_abs();
                mul_div(vega, i128::from(ONE), index)?
            }
        };
        Some((decimal_ratio(greeks.delta)?, i64::try_from(vega).ok()?))
    }

    /// Value after the underlying moves by `change`, whose logarithm is `log`, at this total
    /// volatility; to the nearest.
    fn at(&self, change: i64, log: i64, deviation: i64) -> Option<i64> {
        let factor = ONE.checked_add(change)?;
        let marks = &self.expiry.marks;
        let forward = if change == 0 {
            marks.forward
        } else {
            i64::try_from(scaled(marks.forward, factor)?).ok()?
        };
        let forward = forward.checked_add(marks.fixed)?;
        let discount = self.expiry.discounts.of_price;
        let price = if forward == 0 || self.strike == 0 || deviation == 0 {
            let inside = match self.kind {
                OptionKind::Call => forward.saturating_sub(self.strike),
                OptionKind::Put => self.strike.saturating_sub(forward),
            };
            by_ratio(inside.max(0), discount)
        } else {
            let log = if marks.fixed == 0 || change == 0 {
                self.log.checked_add(log)?
            } else {
                log_moneyness(forward.unsigned_abs(), self.strike.unsigned_abs())
            };
            let prices = pair(log, deviation);
            let part = match self.kind {
                OptionKind::Call => prices.call,
                OptionKind::Put => prices.put,
            };
            by_ratio(by_ratio(part, discount), forward.max(self.strike))
        };
        match self.scenarios.params.numeraire {
            Numeraire::Quote => Some(price),
            Numeraire::Coin => {
                let index = scaled(self.scenarios.marks.index, factor)?;
                narrow(
                    mul_div(
                        i128::from(price),
                        i128::from(ONE),
                        u64::try_from(index).ok()?,
                    ),
                    "options",
                )
                .ok()
            }
        }
    }
}

/// `a * b` where one of them is binary and at most 1; to the nearest.
fn by_ratio(a: i64, b: i64) -> i64 {
    const HALF: i128 = 1 << 56;
    let product = i128::from(a).saturating_mul(i128::from(b));
    i64::try_from(product.saturating_add(HALF) >> 57).unwrap_or(i64::MAX)
}

const _: () = assert!(black76::ONE == 1 << 57, "by_ratio shifts by its bits");
