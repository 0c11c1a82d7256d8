//! The volatility that a price implies.

use super::fixed::{
    LN_2, MAX_TOTAL_VOL, ln_integer, ln_ratio, mul_wide, root_years, round, saturate,
};
use super::normal::{FAR, mills};
use super::{OptionKind, Place};

/// ln sqrt(2 pi) in units of 2^-64.
const LN_PEAK: i128 = 0xeb3f_8e43_25f5_a535;

/// Halving the range alone would end after these.
const STEPS: u32 = 64;

/// The volatility a year ([`ONE`](super::ONE) is 100 %) at which the option costs `price`, in units of
/// `max(forward, strike)` scaled by [`ONE`](super::ONE). `discount` as in [`Terms`](super::Terms).
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
    let wide = |x| i128::from(x) << 63;
    implied_vol_wide(wide(price), kind, forward, strike, seconds, wide(discount))
}

/// As [`implied_vol`], with price and discount scaled by [`WIDE`](super::WIDE), for time values that a price
/// scaled by [`ONE`](super::ONE) does not hold.
pub fn implied_vol_wide(
    price: i128,
    kind: OptionKind,
    forward: u64,
    strike: u64,
    seconds: u64,
    discount: i128,
) -> Option<i64> {
    let root = root_years(seconds);
    if forward == 0 || strike == 0 || root == 0 || discount <= 0 || price <= 0 {
        return None;
    }
    let (small, large) = (forward.min(strike), forward.max(strike));
    let bound = mul_wide(discount, fraction(small, large), 120);
    let inside = match kind {
        OptionKind::Call => forward > strike,
        OptionKind::Put => forward < strike,
    };
    let intrinsic = if inside {
        mul_wide(discount, fraction(large.wrapping_sub(small), large), 120)
    } else {
        0
    };
    // Discounted time value, and what it lacks to its upper bound.
    let time_value = price.checked_sub(intrinsic).filter(|value| *value > 0)?;
    let missing = bound.checked_sub(time_value).filter(|value| *value > 0)?;
    let ln_discount = ln_wide(discount)?;
    let search = Search {
        distance: ln_ratio(forward, strike).wrapping_abs() >> 1,
        time_value: ln_wide(time_value)?.wrapping_sub(ln_discount),
        missing: ln_wide(missing)?.wrapping_sub(ln_discount),
    };
    let total = search.run()?;
    let vol = (i128::from(total) << 64).checked_div(root)?;
    i64::try_from(vol).ok()
}

/// `part / whole` in units of 2^-120, for `part <= whole`.
fn fraction(part: u64, whole: u64) -> i128 {
    let whole = u128::from(whole);
    let scaled = u128::from(part) << 60;
    let high = scaled.checked_div(whole).unwrap_or_default();
    let rest = scaled.checked_rem(whole).unwrap_or_default() << 60;
    let low = rest.checked_div(whole).unwrap_or_default();
    ((high << 60) | low).cast_signed()
}

/// The logarithm in units of 2^-64 of a number in units of 2^-120.
fn ln_wide(x: i128) -> Option<i128> {
    let x = u128::try_from(x).ok().filter(|x| *x > 0)?;
    let scale = round(LN_2.wrapping_mul(120), 56);
    Some(ln_integer(x).wrapping_sub(scale))
}

/// Logarithms in units of 2^-64, undiscounted.
struct Search {
    /// |ln(forward / strike)| in units of 2^-63.
    distance: i128,
    time_value: i128,
    missing: i128,
}

impl Search {
    /// At `total`, the logarithm of the time value (below the volatility where `near` is 0) or of
    /// what is missing (above it), less what is searched, and the inverse of its slope, in units of
    /// 2^-61. Both are smooth and keep their relative precision in the wings; the slopes are those
    /// of Jaeckel, "Let's be rational" (Wilmott, 2015), in terms of the Mills ratio.
    fn at(&self, total: i64) -> Option<(i128, i64)> {
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
        let slope = if place.near < 0 {
            tails.wrapping_neg()
        } else {
            tails
        };
        Some((logarithm.wrapping_sub(searched), slope))
    }

    /// Newton's steps within a range that shrinks around the root.
    fn run(&self) -> Option<i64> {
        let (mut low_end, mut high_end) = (0, MAX_TOTAL_VOL);
        // Where near is 0, sqrt(2 a): the time value bends there.
        let bend = super::sqrt(saturate(self.distance >> 5)).max(1);
        let mut total = bend;
        for _ in 0..STEPS.wrapping_mul(2) {
            let next = match self.at(total) {
                // Too far out: on which side tells the bend.
                None if total < bend => {
                    low_end = total;
                    None
                }
                None => {
                    high_end = total;
                    None
                }
                Some((difference, slope)) => {
                    if (difference > 0) == (slope > 0) {
                        high_end = total;
                    } else {
                        low_end = total;
                    }
                    // 2^-64 * 2^-61 to 2^-57.
                    let step = mul_wide(difference, slope.into(), 68);
                    Some(i128::from(total).wrapping_sub(step))
                }
            };
            let inside = |next: &i128| *next > i128::from(low_end) && *next < i128::from(high_end);
            let middle = low_end.wrapping_add(high_end.wrapping_sub(low_end) >> 1);
            let next = next.filter(inside).map_or(middle, saturate);
            if next == total || high_end.wrapping_sub(low_end) <= 1 {
                break;
            }
            total = next;
        }
        Some(total).filter(|total| *total > 0 && *total < MAX_TOTAL_VOL)
    }
}
