//! The normal distribution by the Mills ratio `M(y) = (1 - N(y)) / n(y)`.
//!
//! Tails of the distribution are `n(y) M(y)`, and both factors keep their relative precision where
//! the tail itself would vanish (Marsaglia, "Evaluating the normal distribution", Journal of
//! Statistical Software 11(4), 2004). `M' = y M - 1` gives every Taylor coefficient of M from its
//! value; solved downwards the equation forgets its starting value, so the compiler builds the
//! table of polynomials out of nothing else.

use super::ONE;
use super::fixed::{divide, exp_parts, full, low, mul_high, round, saturate, scale};

/// Above it, 17.0, a tail is below 1e-64.
pub(super) const FAR: i64 = 17 * ONE;

const DEGREE: usize = 9;

/// Segments of 1/16.
const SEGMENTS: usize = 272;

/// Taylor coefficients of M around the middle of each segment: per power of 16 h, in units of
/// 2^-61.
static MILLS: [[i64; DEGREE + 1]; SEGMENTS] = mills_table();

/// 1 / sqrt(2 pi) in units of 2^-64.
pub(super) const PEAK: i64 = 0x6621_14cf_50d9_4234;

#[expect(
    clippy::indexing_slicing,
    reason = "at compile time, where an index out of range does not build"
)]
const fn mills_table() -> [[i64; DEGREE + 1]; SEGMENTS] {
    const TERMS: usize = 24;
    let mut table = [[0; DEGREE + 1]; SEGMENTS];
    let one = 1_i128 << 100;
    // From 20 down; the middle of a segment is (2 j + 1) / 32.
    let mut j = 320_usize;
    let mut value = one << 5;
    value = value.wrapping_div(639);
    while j > 0 {
        j = j.wrapping_sub(1);
        let middle = (j as i128).wrapping_mul(2).wrapping_add(1);
        let mut terms = [0_i128; TERMS];
        terms[0] = value;
        terms[1] = (value.wrapping_mul(middle) >> 5).wrapping_sub(one);
        let mut k = 2;
        while k < TERMS {
            let sum = (terms[k.wrapping_sub(1)].wrapping_mul(middle) >> 5)
                .wrapping_add(terms[k.wrapping_sub(2)]);
            terms[k] = divide(sum, k as i128);
            k = k.wrapping_add(1);
        }
        value = 0;
        k = TERMS;
        while k > 0 {
            k = k.wrapping_sub(1);
            if k <= DEGREE && j < SEGMENTS {
                let mut shift = 39_u32;
                let mut power = 0;
                while power < k {
                    shift = shift.wrapping_add(4);
                    power = power.wrapping_add(1);
                }
                table[j][k] = low(round(terms[k], shift));
            }
            // The value 1/16 below.
            value = terms[k].wrapping_sub(value >> 4);
        }
    }
    table
}

/// The Mills ratio in units of 2^-61, for `y` from 0 to [`FAR`] in units of 1 / [`ONE`]; 0 above.
/// Maximum error 1e-18.
#[inline]
pub(super) fn mills(y: i64) -> i64 {
    let Some([c0, c1, c2, c3, c4, c5, c6, c7, c8, c9]) = usize::try_from(y >> 53)
        .ok()
        .and_then(|segment| MILLS.get(segment))
    else {
        return 0;
    };
    // 16 h in units of 2^-64, -1/2 to 1/2. Even and odd powers apart, so that the two chains run
    // side by side.
    let u = ((y & 0x1f_ffff_ffff_ffff).wrapping_sub(1 << 52)) << 11;
    let square = mul_high(u, u);
    let step = |sum: i64, coefficient: &i64| mul_high(sum, square).wrapping_add(*coefficient);
    let even = [c6, c4, c2, c0].into_iter().fold(*c8, step);
    let odd = [c7, c5, c3, c1].into_iter().fold(*c9, step);
    mul_high(odd, u).wrapping_add(even)
}

/// The density at `y` (-17 to 17, in units of 1 / [`ONE`]) as `(m, k)`: `m * 2^(k - 62)`.
#[inline]
pub(super) fn density(y: i64) -> (i64, i64) {
    let (m, k) = exp_parts((full(y, y) >> 51).wrapping_neg());
    (mul_high(m, PEAK), k)
}

/// The density of the normal distribution; argument and result in units of 1 / [`ONE`]. Maximum
/// error 1 unit.
pub fn normal_pdf(x: i64) -> i64 {
    if x.unsigned_abs() >= FAR.unsigned_abs() {
        return 0;
    }
    let (m, k) = density(x);
    saturate(scale(i128::from(m), k.wrapping_sub(5)))
}

/// The upper tail at `y >= 0` in units of 1 / [`ONE`].
#[inline]
pub(super) fn tail(y: i64) -> i64 {
    if y >= FAR {
        return 0;
    }
    let (m, k) = density(y);
    // 2^-62 * 2^-61 to 2^-57.
    saturate(scale(full(m, mills(y)), k.wrapping_sub(66)))
}

/// The cumulative normal distribution; argument and result in units of 1 / [`ONE`]. Maximum error
/// 1 unit.
pub fn normal_cdf(x: i64) -> i64 {
    if x < 0 {
        tail(x.saturating_neg())
    } else {
        ONE.wrapping_sub(tail(x))
    }
}
