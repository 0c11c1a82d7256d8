//! Volatility surface of one underlying: a curve per expiry, between which total variance is linear
//! in time.
//!
//! A curve gives total variance `w(k) = vol^2 T` by log-moneyness `k = ln(strike / forward)`: a table
//! of nodes, linear between them and flat beyond, or raw SVI (J. Gatheral, 2004). It is stated with
//! the time for which its variance is; as time passes its *volatility* stays, so an expiry that comes
//! closer loses variance in proportion.
//!
//! [`Surface::new`] refuses a surface with butterfly arbitrage at the nodes of a curve, or calendar
//! arbitrage at those of two neighbours, and [`Surface::check_jump`] one that moves too far from the
//! last. Numbers are ratios in units of 1 / [`ONE`].

mod check;
mod curve;

use std::fmt;

pub use ballast_types::surface::{Curve, MAX_NODES, Node, Svi};
pub use curve::{nodes, variance};

/// A ratio of 1, the scale of [`portfolio`](crate::portfolio) margin.
pub const ONE: i64 = crate::portfolio::ONE;

/// Most expiries of a surface.
pub const MAX_EXPIRIES: usize = 64;

/// Seconds in a year of 365 days.
const YEAR: i128 = crate::black76::YEAR as i128;

/// The curve of one expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// When the options expire, in seconds since 1970.
    pub expiry: i64,
    /// The time that the curve's total variance is of, in seconds; above 0.
    pub tenor: i64,
    /// Total variance by log-moneyness.
    pub curve: Curve,
}

/// Curves of one underlying that passed the checks, by expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surface {
    slices: Vec<Slice>,
}

/// Why a surface is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is none, or there are more than [`MAX_EXPIRIES`].
    Expiries(usize),
    /// An expiry is not after the one before it, or not after now.
    Order {
        /// The expiry.
        expiry: i64,
        /// What it must be after.
        after: i64,
    },
    /// The time of a curve's total variance is not above 0, in seconds.
    Tenor {
        /// The curve's expiry.
        expiry: i64,
        /// The time.
        tenor: i64,
    },
    /// A number of a curve breaks its rule.
    Parameter {
        /// The curve's expiry.
        expiry: i64,
        /// Its name.
        field: &'static str,
        /// Its value.
        value: i64,
        /// What it must be.
        rule: &'static str,
    },
    /// Calls around a strike cost less than the one between them: a negative density.
    Butterfly {
        /// The curve's expiry.
        expiry: i64,
        /// The log-moneyness between.
        k: i64,
    },
    /// Total variance falls with time.
    Calendar {
        /// The later expiry.
        expiry: i64,
        /// The log-moneyness.
        k: i64,
        /// Total variance of the earlier expiry there.
        before: i64,
        /// Total variance of the later one.
        variance: i64,
    },
    /// The volatility moved further than an update may move it.
    Jump {
        /// The expiry.
        expiry: i64,
        /// The log-moneyness.
        k: i64,
        /// The volatility before.
        from: i64,
        /// The volatility now.
        to: i64,
    },
}

/// A ratio as a decimal.
fn ratio(value: &i64) -> String {
    let size = value.unsigned_abs();
    let whole = size.checked_div(ONE.unsigned_abs()).unwrap_or_default();
    let part = size.checked_rem(ONE.unsigned_abs()).unwrap_or_default();
    let sign = if *value < 0 { "-" } else { "" };
    let text = format!("{sign}{whole}.{part:015}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expiries(count) => {
                write!(f, "{count} expiries, must be 1 to {MAX_EXPIRIES}")
            }
            Self::Order { expiry, after } => write!(f, "expiry {expiry} is not after {after}"),
            Self::Tenor { expiry, tenor } => {
                write!(
                    f,
                    "expiry {expiry}: tenor is {tenor} seconds, must be above 0"
                )
            }
            Self::Parameter {
                expiry,
                field,
                value,
                rule,
            } => write!(f, "expiry {expiry}: {field} is {}, {rule}", ratio(value)),
            Self::Butterfly { expiry, k } => {
                write!(f, "expiry {expiry}: negative density at k = {}", ratio(k))
            }
            Self::Calendar {
                expiry,
                k,
                before,
                variance,
            } => write!(
                f,
                "expiry {expiry}: total variance {} at k = {} is below {} of the expiry before",
                ratio(variance),
                ratio(k),
                ratio(before)
            ),
            Self::Jump {
                expiry,
                k,
                from,
                to,
            } => write!(
                f,
                "expiry {expiry}: volatility at k = {} jumps from {} to {}",
                ratio(k),
                ratio(from),
                ratio(to)
            ),
        }
    }
}

impl std::error::Error for Error {}

impl Slice {
    /// Total variance at `k` when the expiry is `left` seconds away, rounded down.
    fn variance(&self, k: i64, left: i64) -> i64 {
        let stated = i128::from(variance(&self.curve, k));
        let scaled = stated.saturating_mul(i128::from(left.max(0)));
        saturate(scaled.checked_div(i128::from(self.tenor)).unwrap_or(0))
    }
}

/// The volatility that makes `variance` in `left` seconds.
fn volatility(variance: i64, left: i64) -> Option<i64> {
    let yearly = i128::from(variance)
        .checked_mul(YEAR)?
        .checked_div(i128::from(left))?;
    let square = u128::try_from(yearly)
        .ok()?
        .checked_mul(u128::from(ONE.unsigned_abs()))?;
    i64::try_from(square.isqrt()).ok()
}

fn saturate(x: i128) -> i64 {
    i64::try_from(x).unwrap_or(if x < 0 { i64::MIN } else { i64::MAX })
}

/// ln(strike / forward) to the nearest ratio, halves up: where a surface is asked for the volatility
/// of an option. 0 where one of them is not above 0.
pub fn moneyness(strike: i64, forward: i64) -> i64 {
    let price = |x: i64| u64::try_from(x).unwrap_or(0);
    let log = crate::black76::log_moneyness(price(strike), price(forward));
    let one = i128::from(crate::black76::ONE);
    let doubled = i128::from(log)
        .saturating_mul(i128::from(ONE))
        .saturating_mul(2)
        .saturating_add(one);
    saturate(doubled.div_euclid(one.saturating_mul(2)))
}

impl Surface {
    /// A surface that holds at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// What is wrong first: the expiries, a curve's numbers or its density, total variance that
    /// falls with time.
    pub fn new(slices: Vec<Slice>, now: i64) -> Result<Self, Error> {
        if slices.is_empty() || slices.len() > MAX_EXPIRIES {
            return Err(Error::Expiries(slices.len()));
        }
        let mut before: Option<&Slice> = None;
        for slice in &slices {
            let after = before.map_or(now, |before| before.expiry);
            if slice.expiry <= after {
                let expiry = slice.expiry;
                return Err(Error::Order { expiry, after });
            }
            check::numbers(slice)?;
            check::butterfly(slice)?;
            if let Some(before) = before {
                check::calendar(before, slice, now)?;
            }
            before = Some(slice);
        }
        Ok(Self { slices })
    }

    /// A surface that has been accepted before; expiries may be over by now.
    pub fn accepted(slices: Vec<Slice>) -> Self {
        Self { slices }
    }

    /// The curves, by expiry.
    pub fn slices(&self) -> &[Slice] {
        &self.slices
    }

    /// Volatility a year at log-moneyness `k` of what expires at `expiry`, seen at `now`.
    ///
    /// Total variance is linear in time between two expiries of the surface; before the first that
    /// is not over and after the last, the volatility is theirs. `None` where `expiry` is not after
    /// `now`, or all of the surface is over.
    pub fn volatility(&self, k: i64, expiry: i64, now: i64) -> Option<i64> {
        let left = expiry.checked_sub(now).filter(|left| *left > 0)?;
        let live = || self.slices.iter().filter(|slice| slice.expiry > now);
        let earlier = live().take_while(|slice| slice.expiry <= expiry).last();
        let later = live().find(|slice| slice.expiry >= expiry);
        // Years of 365 days overflow nothing: both times are below 2^63.
        let own = |slice: &Slice| volatility(variance(&slice.curve, k), slice.tenor);
        let (Some(earlier), Some(later)) = (earlier, later) else {
            return own(earlier.or(later)?);
        };
        if earlier.expiry == later.expiry {
            return own(earlier);
        }
        let start = earlier.expiry.checked_sub(now)?;
        let end = later.expiry.checked_sub(now)?;
        let low = i128::from(earlier.variance(k, start));
        let high = i128::from(later.variance(k, end));
        let share = high
            .checked_sub(low)?
            .checked_mul(i128::from(left.checked_sub(start)?))?
            .checked_div(i128::from(end.checked_sub(start)?))?;
        volatility(saturate(low.checked_add(share)?), left)
    }

    /// Whether the update to `next` stays within `cap`, the largest change of a volatility in parts
    /// of itself, at every node of `next`.
    ///
    /// # Errors
    /// The first node that jumps.
    pub fn check_jump(&self, next: &Self, now: i64, cap: i64) -> Result<(), Error> {
        for slice in &next.slices {
            for k in nodes(&slice.curve) {
                let vol = |surface: &Self| surface.volatility(k, slice.expiry, now);
                let (Some(from), Some(to)) = (vol(self), vol(next)) else {
                    continue;
                };
                let moved = i128::from(to.abs_diff(from)).saturating_mul(i128::from(ONE));
                if moved > i128::from(from).saturating_mul(i128::from(cap)) {
                    let expiry = slice.expiry;
                    return Err(Error::Jump {
                        expiry,
                        k,
                        from,
                        to,
                    });
                }
            }
        }
        Ok(())
    }
}
