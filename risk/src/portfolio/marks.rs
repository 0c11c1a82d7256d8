//! What depends on the marks of one underlying, and on nothing that an account holds.

use super::array::log_of;
use super::fixed::{Scale, div_ceil, div_floor, mul_div, mul_div_ceil, narrow, scaled, share_ceil};
use super::volatility::{Discounts, Moves, Tilts, binary, decimal_ratio, exponential};
use super::{
    Basis, Error, Numeraire, ONE, Params, RATIO_DIGITS, Scenario, VolatilityShock, YEAR_SECS,
};
use crate::black76;
use std::sync::Arc;

/// A millionth, in money.
const MILLION: u64 = 1_000_000;
use ballast_types::margin::{ratio, refuse};

/// The marks of one underlying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Decimal digits of all prices of the unit, 3 to 16; as many as prices leave room for.
    pub price_digits: u32,
    /// Value of the quote, a ratio above 0.
    pub stable: i64,
    /// Price of the underlying, above 0.
    pub index: i64,
    /// Confidence of the index, 0 to 1.
    pub index_confidence: i64,
    /// Mark of the perpetual.
    pub perpetual: i64,
    /// Its confidence.
    pub perpetual_confidence: i64,
    /// Open interest of the underlying, money.
    pub open_interest: i128,
    /// The expiries.
    pub expiries: Vec<ExpiryMarks>,
}

/// The marks of one expiry. Its forward is `forward + fixed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryMarks {
    /// Seconds to expiry.
    pub secs: i64,
    /// The part of the forward that moves with the underlying.
    pub forward: i64,
    /// The part that the settlement window has fixed.
    pub fixed: i64,
    /// Interest rate.
    pub rate: i64,
    /// Confidence of the forward.
    pub forward_confidence: i64,
    /// Confidence of the rate.
    pub rate_confidence: i64,
    /// Confidence of the volatilities.
    pub volatility_confidence: i64,
}

/// One underlying's part of the method at its marks.
#[derive(Clone, Debug)]
pub struct Scenarios {
    pub(super) params: Arc<Params>,
    pub(super) marks: Marks,
    /// Factor of the initial requirement.
    pub(super) initial_factor: i128,
    /// The value of one coin: the index, or 1 under the coin numeraire.
    pub(super) coin: i64,
    pub(super) scale: Scale,
    /// Result of one perpetual per scenario, before weights.
    pub(super) perpetual_moves: Vec<i64>,
    /// ln(1 + move) of each scenario, binary.
    pub(super) logs: Vec<i64>,
    pub(super) expiries: Vec<Expiry>,
    /// The volatilities that scenarios see, each once.
    pub(super) cases: Vec<VolatilityCase>,
    /// Which of them each scenario sees.
    pub(super) case_of: Vec<usize>,
}

/// A volatility shock at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VolatilityCase {
    pub(super) shock: VolatilityShock,
    pub(super) theta_secs: i64,
}

/// What the method makes of one expiry.
#[derive(Clone, Debug)]
pub(super) struct Expiry {
    pub(super) marks: ExpiryMarks,
    pub(super) moves: Moves,
    pub(super) tilts: Option<Tilts>,
    pub(super) discounts: Discounts,
    /// Share of the competing basis loss.
    pub(super) basis: i64,
    /// Rate of the roll charge.
    pub(super) roll: i64,
    /// Result of one future per scenario, before weights.
    pub(super) future_moves: Vec<i64>,
}

impl VolatilityCase {
    const NOW: Self = Self {
        shock: VolatilityShock::None,
        theta_secs: 0,
    };
}

impl Scenarios {
    /// Prepares a unit. `params` must have passed [`Params::check`].
    ///
    /// # Errors
    /// A mark outside its range, or a figure that does not fit.
    pub fn new(params: Arc<Params>, marks: Marks) -> Result<Self, Error> {
        marks.check()?;
        let (coin, value_digits) = match params.numeraire {
            Numeraire::Quote => (marks.index, marks.price_digits),
            Numeraire::Coin => (ONE, RATIO_DIGITS),
        };
        let base = if params.perpetual_from_index {
            marks.index
        } else {
            marks.perpetual
        };
        let mut cases = vec![VolatilityCase::NOW];
        let mut case_of = Vec::with_capacity(params.scenarios.len());
        for scenario in &params.scenarios {
            let case = VolatilityCase {
                shock: scenario.volatility,
                theta_secs: scenario.theta_secs,
            };
            let known = cases.iter().position(|known| *known == case);
            case_of.push(known.unwrap_or(cases.len()));
            if known.is_none() {
                cases.push(case);
            }
        }
        Ok(Self {
            initial_factor: initial_factor(&params, &marks).ok_or(Error::TooLarge("im_factor"))?,
            coin,
            scale: Scale::new(value_digits).ok_or(Error::TooLarge("price_digits"))?,
            perpetual_moves: linear_moves(&params, base, "perp_mark")?,
            logs: params
                .scenarios
                .iter()
                .map(|scenario| log_of(scenario.moves()).ok_or(Error::TooLarge("scenarios.spot")))
                .collect::<Result<_, _>>()?,
            expiries: marks
                .expiries
                .iter()
                .map(|expiry| Expiry::new(&params, expiry))
                .collect::<Result<_, _>>()?,
            cases,
            case_of,
            params,
            marks,
        })
    }

    /// The method.
    pub fn params(&self) -> &Arc<Params> {
        &self.params
    }

    /// The marks.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// How many scenarios there are.
    pub fn len(&self) -> usize {
        self.params.scenarios.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.params.scenarios.is_empty()
    }
}

/// Factor of the initial requirement: rises with open interest and as the quote falls.
fn initial_factor(params: &Params, marks: &Marks) -> Option<i128> {
    let mut factor = i128::from(params.initial_factor);
    if let Some(open) = &params.open_interest {
        let span = open.upper.checked_sub(open.lower)?;
        let above = marks.open_interest.checked_sub(open.lower)?.clamp(0, span);
        let rise = i128::from(open.most).checked_sub(factor)?;
        // In millionths, so that the divisor fits 64 bits.
        let above = div_ceil(above, MILLION)?;
        let span = u64::try_from(div_floor(span, MILLION)?).ok()?.max(1);
        factor = factor.checked_add(mul_div_ceil(rise, above, span)?.min(rise))?;
    }
    if let Some(peg) = &params.peg {
        let gap = i128::from(peg.threshold).checked_sub(i128::from(marks.stable))?;
        factor = factor.checked_add(share_ceil(gap.max(0), peg.factor)?)?;
    }
    Some(factor)
}

/// Result of one unit of a linear instrument at `base` in each scenario.
fn linear_moves(params: &Params, base: i64, field: &'static str) -> Result<Vec<i64>, Error> {
    let of = |scenario: &Scenario| {
        let change = scenario.moves();
        let value = match params.numeraire {
            Numeraire::Quote => scaled(base, change),
            // 1 - 1 / (1 + x) = x / (1 + x)
            Numeraire::Coin => ONE.checked_add(change).and_then(|factor| {
                mul_div(
                    i128::from(change),
                    i128::from(ONE),
                    u64::try_from(factor).ok()?,
                )
            }),
        };
        narrow(value, field)
    };
    params.scenarios.iter().map(of).collect()
}

impl Expiry {
    fn new(params: &Params, marks: &ExpiryMarks) -> Result<Self, Error> {
        let field = "expiries.secs";
        let year = YEAR_SECS.unsigned_abs();
        let years = narrow(
            mul_div(i128::from(marks.secs), i128::from(ONE), year),
            field,
        )?;
        let one = ONE.unsigned_abs();
        let by_year = |rate: i64| mul_div(i128::from(rate), i128::from(years), one);
        let (mut basis, mut roll) = (0, 0);
        match params.basis {
            Basis::None => {}
            Basis::Competing { add, multiple, .. } => {
                let growth = by_year(multiple);
                basis = narrow(
                    growth.and_then(|x| x.checked_add(i128::from(add))),
                    "basis.mult",
                )?;
            }
            Basis::Roll {
                least,
                annual,
                exponential: compound,
                ..
            } => {
                let field = "basis.annual";
                let growth = narrow(by_year(annual), field)?;
                let growth = if compound {
                    exponential(binary(growth, field)?)
                        .and_then(decimal_ratio)
                        .and_then(|factor| factor.checked_sub(ONE))
                        .ok_or(Error::TooLarge(field))?
                } else {
                    growth
                };
                roll = growth.max(least);
            }
        }
        let root_years = black76::total_vol(black76::ONE, marks.secs.unsigned_abs());
        Ok(Self {
            marks: *marks,
            moves: Moves::new(&params.volatility, marks.secs)?,
            tilts: params
                .skew
                .as_ref()
                .map(|skew| Tilts::new(skew, root_years))
                .transpose()?,
            discounts: Discounts::new(params, marks.rate, marks.secs, years)?,
            basis,
            roll,
            future_moves: linear_moves(params, marks.forward, "expiries.fwd_var")?,
        })
    }

    /// Confidence of what the expiry's options are priced from.
    pub(super) fn confidence(&self) -> i64 {
        let marks = &self.marks;
        marks
            .forward_confidence
            .min(marks.rate_confidence)
            .min(marks.volatility_confidence)
    }
}

impl Marks {
    fn check(&self) -> Result<(), Error> {
        let digits = self.price_digits;
        let value = i128::from(digits);
        let rule = "must be from 3 to 16";
        refuse(!(3..=16).contains(&digits), "price_digits", value, 0, rule)?;
        let rule = "must be above 0";
        refuse(self.index < 1, "spot", i128::from(self.index), digits, rule)?;
        let price = |field, value: i64| {
            refuse(
                value < 0,
                field,
                i128::from(value),
                digits,
                "must not be negative",
            )
        };
        let confidence = |field, value| ratio(field, value, 0, ONE, "must be from 0 to 1");
        ratio("stable", self.stable, 1, i64::MAX, rule)?;
        price("perp_mark", self.perpetual)?;
        confidence("spot_conf", self.index_confidence)?;
        confidence("perp_conf", self.perpetual_confidence)?;
        for expiry in &self.expiries {
            let secs = i128::from(expiry.secs);
            refuse(secs < 0, "expiries.secs", secs, 0, "must not be negative")?;
            price("expiries.fwd_var", expiry.forward)?;
            price("expiries.fwd_fix", expiry.fixed)?;
            confidence("expiries.fwd_conf", expiry.forward_confidence)?;
            confidence("expiries.rate_conf", expiry.rate_confidence)?;
            confidence("expiries.vol_conf", expiry.volatility_confidence)?;
        }
        Ok(())
    }
}
