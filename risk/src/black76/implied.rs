//! The volatility that a price implies.

use super::fixed::{
    LN_2, MAX_TOTAL_VOL, divide, fraction, full, ln_integer, ln_ratio, mul_wide, root_years, round,
    saturate,
};
use super::normal::{FAR, mills};
use super::{ONE, OptionKind, Place, Scaled};

/// ln sqrt(2 pi) in units of 2^-64.
const LN_PEAK: i128 = 0xeb3f_8e43_25f5_a535;

/// More than halving alone would take, twice.
const STEPS: u32 = 128;

/// The volatility a year ([`ONE`] is 100 %) at which the option costs `price`, in units of
/// `max(forward, strike)` scaled by [`ONE`]. `discount` as in [`Terms`](super::Terms).
///
/// `None` where no volatility below 64 (6,400 %) does: the price holds no time value or sits on a
/// bound, the option has expired, or forward, strike or discount is 0.
pub fn implied_vol(
    price: i64,
    kind: OptionKind,
    forward: u64,
    strike: u64,
    seconds: u64,
    discount: i64,
) -> Option<i64> {
    let price = Scaled {
        digits: price.into(),
        bits: 57,
    };
    let discount = i128::from(discount) << 63;
    implied_vol_wide(price, kind, forward, strike, seconds, discount)
}

/// As [`implied_vol`], for prices that one scaled by [`ONE`] does not hold: `price` of any scale,
/// `discount` scaled by [`WIDE`](super::WIDE).
pub fn implied_vol_wide(
    price: Scaled,
    kind: OptionKind,
    forward: u64,
    strike: u64,
    seconds: u64,
    discount: i128,
) -> Option<i64> {
    let root = root_years(seconds);
    if forward == 0 || strike == 0 || root == 0 || discount <= 0 || price.digits <= 0 {
        return None;
    }
    let (small, large) = (forward.min(strike), forward.max(strike));
    let bound = mul_wide(discount, fraction(small, large), 120);
    let inside = match kind {
        OptionKind::Call => forward > strike,
        OptionKind::Put => forward < strike,
    };
    // Discounted time value, and what it lacks to its upper bound.
    let time_value = if inside {
        let intrinsic = mul_wide(discount, fraction(large.wrapping_sub(small), large), 120);
        Scaled {
            digits: price.to_bits(120).saturating_sub(intrinsic),
            bits: 120,
        }
    } else {
        price
    };
    let missing = Scaled {
        digits: bound.saturating_sub(time_value.to_bits(120)),
        bits: 120,
    };
    let ln_discount = ln_scaled(Scaled {
        digits: discount,
        bits: 120,
    })?;
    let search = Search {
        distance: ln_ratio(forward, strike).wrapping_abs() >> 1,
        time_value: ln_scaled(time_value)?.wrapping_sub(ln_discount),
        missing: ln_scaled(missing)?.wrapping_sub(ln_discount),
    };
    let total = search.run()?;
    let vol = (i128::from(total) << 64).checked_div(root)?;
    i64::try_from(vol).ok()
}

/// The logarithm in units of 2^-64 of a number above 0.
fn ln_scaled(x: Scaled) -> Option<i128> {
    let digits = u128::try_from(x.digits).ok().filter(|x| *x > 0)?;
    // Up to 512 bits: ln 2 in units of 2^-116.
    let scale = round((LN_2 >> 4).wrapping_mul(x.bits.min(512).into()), 52);
    Some(ln_integer(digits).wrapping_sub(scale))
}

/// Logarithms in units of 2^-64, undiscounted.
struct Search {
    /// |ln(forward / strike)| in units of 2^-63.
    distance: i128,
    time_value: i128,
    missing: i128,
}

impl Search {
    /// Whether `total` is too high, and Halley's step from it towards the root, in units of
    /// 1 / [`ONE`].
    ///
    /// What is searched is the logarithm g of the time value where `near` is above 0, and of what is
    /// missing to its upper bound elsewhere: both are smooth and keep their relative precision in the
    /// wings (P. Jaeckel, "Let's be rational", Wilmott, 2015). In terms of the Mills ratio M, the
    /// slope g' is `1 / (M(near) - M(far))` and `-1 / (M(-near) + M(far))`, and `g'' / g'` is
    /// `near far / total - g'`.
    fn at(&self, total: i64) -> Option<(bool, i128)> {
        let place = Place::new(self.distance, i128::from(total) << 6, 6);
        if place.far >= FAR {
            return None;
        }
        let (near, far) = (mills(place.near.wrapping_abs()), mills(place.far));
        let (tails, searched) = if place.near < 0 {
            (near.wrapping_add(far), self.missing)
        } else {
            (near.wrapping_sub(far).max(1), self.time_value)
        };
        let scale = round(LN_2.wrapping_mul(61), 56);
        let logarithm = ln_integer(tails.unsigned_abs().into())
            .wrapping_sub(scale)
            .wrapping_add(place.exponent())
            .wrapping_sub(LN_PEAK);
        let inverse = if place.near < 0 {
            tails.wrapping_neg()
        } else {
            tails
        };
        let difference = logarithm.wrapping_sub(searched);
        // Newton's step; 2^-64 * 2^-61 to 2^-57.
        let step = mul_wide(difference, inverse.into(), 68).wrapping_neg();
        let step = step.clamp(-(1 << 63), 1 << 63);
        let bend = divide(full(place.near, place.far), total.into());
        let bend = bend.wrapping_sub(divide(1 << 118, inverse.into()));
        let one = i128::from(ONE);
        let divisor = one.wrapping_add(mul_wide(step, bend, 58));
        let divisor = divisor.clamp(one >> 2, one << 2);
        let too_high = (difference > 0) == (inverse > 0);
        Some((too_high, divide(step << 57, divisor)))
    }

    /// Halley's steps within a range that shrinks around the root.
    fn run(&self) -> Option<i64> {
        let (mut low_end, mut high_end) = (0, MAX_TOTAL_VOL);
        // Where near is 0, sqrt(2 a): the time value bends there.
        let bend = super::sqrt(saturate(self.distance >> 5)).max(1);
        let mut total = bend;
        for _ in 0..STEPS {
            // Too far out to tell: on which side of the bend does.
            let (too_high, step) = self.at(total).unwrap_or((total > bend, i128::MAX));
            if too_high {
                high_end = total;
            } else {
                low_end = total;
            }
            let next = i128::from(total).saturating_add(step);
            let inside = next > i128::from(low_end) && next < i128::from(high_end);
            let next = if inside {
                saturate(next)
            } else {
                low_end.wrapping_add(high_end.wrapping_sub(low_end) >> 1)
            };
            if step.unsigned_abs() <= 1 || high_end.wrapping_sub(low_end) <= 1 {
                break;
            }
            total = next;
        }
        Some(total).filter(|total| *total > 0 && *total < MAX_TOTAL_VOL)
    }
}
