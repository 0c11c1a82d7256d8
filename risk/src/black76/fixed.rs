//! Fixed-point functions: products, exponential, logarithm, square roots.
//!
//! The exponential takes out a power of 2^(1/64) and sums a Taylor polynomial of degree 6, the
//! logarithm takes out a factor by a table of 128 and sums one of degree 8 (P. T. P. Tang,
//! "Table-driven implementation of the exponential function in IEEE floating-point arithmetic" and
//! "... of the logarithm function ...", ACM TOMS 1989 and 1990). The compiler builds the tables.
//! Operands are bounded where a function is called, so the wrapping operations do not wrap.

/// The fixed-point scale: 1.0 is 2^57, so an `i64` holds -64 to 64 in steps of 6.9e-18.
pub const ONE: i64 = 1 << 57;

/// The scale of prices for [`implied_vol`](super::implied_vol): 1.0 is 2^120.
pub const WIDE: i128 = 1 << 120;

/// Seconds in a year of 365 days, the unit of time to expiry.
pub const YEAR: u64 = 31_536_000;

/// Longest time that the functions tell from longer ones, in seconds (139,000 years).
const LONGEST: u64 = 1 << 42;

/// ln 2 in units of 2^-120.
pub(super) const LN_2: i128 = 0xb1_7217_f7d1_cf79_abc9_e3b3_9803_f2f7;

/// 64 / ln 2 in units of 2^-40.
const STEPS_PER_E: i128 = 101_520_638_258_700;

/// ln 2 / 64 in units of 2^-80.
const STEP: i128 = (LN_2 + (1 << 45)) >> 46;

/// 1 / sqrt([`YEAR`]) in units of 2^-76.
const ROOT_YEAR: u128 = 0xbab8_f487_d2c0_e2d8;

/// 2^(j/64) in units of 2^-62.
static POWERS: [i64; 64] = powers();

/// Per 1/128 of \[1, 2): a factor near 1/x in units of 2^-63, and minus its logarithm in units of
/// 2^-64. The first is 1 and the last 1/2, so that the logarithm is exact around 1.
static FACTORS: [(u64, i128); 128] = factors();

/// The low 64 bits.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "callers shift so that the value fits"
)]
pub(super) const fn low(x: i128) -> i64 {
    x as i64
}

/// The low 32 bits of a shift's size.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "sizes of shifts")]
const fn bits(x: i64) -> u32 {
    x.unsigned_abs() as u32
}

/// The nearest `i64`.
#[inline]
pub(super) fn saturate(x: i128) -> i64 {
    i64::try_from(x).unwrap_or(if x < 0 { i64::MIN } else { i64::MAX })
}

/// `a * b / 2^64`, rounded down.
#[inline]
pub(super) const fn mul_high(a: i64, b: i64) -> i64 {
    low((a as i128).wrapping_mul(b as i128) >> 64)
}

/// `a * b` in full.
#[inline]
pub(super) const fn full(a: i64, b: i64) -> i128 {
    (a as i128).wrapping_mul(b as i128)
}

/// `x / 2^shift` rounded to the nearest; `shift` from 1 to 126.
#[inline]
pub(super) const fn round(x: i128, shift: u32) -> i128 {
    let half = 1_i128.wrapping_shl(shift.wrapping_sub(1));
    x.wrapping_add(half).wrapping_shr(shift)
}

/// `a * b / 2^shift` rounded towards 0, the product in 256 bits; `shift` from 1 to 127.
pub(super) const fn mul_wide(a: i128, b: i128, shift: u32) -> i128 {
    const LOW: u128 = u64::MAX as u128;
    let (x, y) = (a.unsigned_abs(), b.unsigned_abs());
    let (x1, x0, y1, y0) = (x >> 64, x & LOW, y >> 64, y & LOW);
    let (low, left, right) = (
        x0.wrapping_mul(y0),
        x0.wrapping_mul(y1),
        x1.wrapping_mul(y0),
    );
    let middle = (low >> 64)
        .wrapping_add(left & LOW)
        .wrapping_add(right & LOW);
    let high = x1
        .wrapping_mul(y1)
        .wrapping_add(left >> 64)
        .wrapping_add(right >> 64)
        .wrapping_add(middle >> 64);
    let low = (middle << 64) | (low & LOW);
    let product = high.wrapping_shl(128_u32.wrapping_sub(shift)) | low.wrapping_shr(shift);
    let size = product.cast_signed();
    if (a < 0) == (b < 0) {
        size
    } else {
        size.wrapping_neg()
    }
}

/// `a / b` rounded towards 0; 0 where `b` is 0.
#[inline]
pub(super) const fn divide(a: i128, b: i128) -> i128 {
    match a.checked_div(b) {
        Some(quotient) => quotient,
        None => 0,
    }
}

/// `m * 2^k` rounded to the nearest, for `m >= 0`; saturates.
#[inline]
pub(super) const fn scale(m: i128, k: i64) -> i128 {
    if k > 0 {
        if k >= m.leading_zeros() as i64 {
            return if m == 0 { 0 } else { i128::MAX };
        }
        return m.wrapping_shl(bits(k));
    }
    match bits(k) {
        0 => m,
        shift if shift > 126 => 0,
        shift => round(m, shift),
    }
}

/// e^x in units of 2^-120 for `x` in units of 2^-120; 0 below -83, saturates from ln 90.
pub(super) const fn exp_wide(x: i128) -> i128 {
    if x < WIDE.wrapping_mul(-83) {
        return 0;
    }
    if x > WIDE.wrapping_mul(5) {
        return i128::MAX;
    }
    // The power of 2.
    let n = round(mul_wide(x, STEPS_PER_E, 46), 120);
    let r = x.wrapping_sub(n.wrapping_mul(LN_2));
    let (mut sum, mut term, mut k) = (WIDE, WIDE, 1_i128);
    while term != 0 {
        term = divide(mul_wide(term, r, 120), k);
        sum = sum.wrapping_add(term);
        k = k.wrapping_add(1);
    }
    scale(sum, low(n))
}

/// `part / whole` in units of 2^-120, for `part <= whole`; 0 of 0.
pub(super) fn fraction(part: u64, whole: u64) -> i128 {
    let whole = u128::from(whole);
    let scaled = u128::from(part) << 60;
    let high = scaled.checked_div(whole).unwrap_or_default();
    let rest = scaled.checked_rem(whole).unwrap_or_default() << 60;
    let low = rest.checked_div(whole).unwrap_or_default();
    ((high << 60) | low).cast_signed()
}

const fn powers() -> [i64; 64] {
    let mut table = [0; 64];
    let (mut j, mut exponent) = (0_usize, 0_i128);
    while j < table.len() {
        #[expect(clippy::indexing_slicing, reason = "at compile time")]
        {
            table[j] = low(round(exp_wide(exponent >> 6), 58));
        }
        exponent = exponent.wrapping_add(LN_2);
        j = j.wrapping_add(1);
    }
    table
}

/// e^x as `(m, k)`: `m * 2^(k - 62)` with `m` from 2^61.99 to 2^63; relative error 4e-19. `x` in
/// units of 2^-64, -2^72 to 2^72 (-256 to 256).
#[inline]
pub(super) fn exp_parts(x: i128) -> (i64, i64) {
    let n = low(round(x.wrapping_mul(STEPS_PER_E), 104));
    let r = (x << 16).wrapping_sub(i128::from(n).wrapping_mul(STEP));
    // 64 r in units of 2^-64; |r| <= ln 2 / 128.
    let u = low(r >> 10);
    let mut sum = (1 << 26) / 720;
    for coefficient in [
        (1 << 32) / 120,
        (1 << 38) / 24,
        (1 << 44) / 6,
        1 << 49,
        1 << 56,
        1 << 62,
    ] {
        sum = mul_high(sum, u).wrapping_add(coefficient);
    }
    let index = usize::try_from(n & 63).unwrap_or_default();
    let power = POWERS.get(index).copied().unwrap_or_default();
    (low(full(sum, power) >> 62), n >> 6)
}

/// e^x; `x` and the result in units of 1 / [`ONE`]. Saturates from ln 64, 0 far below. Maximum
/// error 1 unit, or 1e-18 of a result above 1.
pub fn exp(x: i64) -> i64 {
    let (m, k) = exp_parts(i128::from(x) << 7);
    saturate(scale(i128::from(m), k.wrapping_sub(5)))
}

const fn factors() -> [(u64, i128); 128] {
    let mut table = [(0, 0); 128];
    let mut j = 0_usize;
    while j < table.len() {
        // Sixteen bits of the factor, so that the logarithm is of exactly this number.
        let factor = match j as u64 {
            0 => 1 << 16,
            127 => 1 << 15,
            j => (1_u64 << 24).wrapping_div(j.wrapping_mul(2).wrapping_add(257)),
        };
        // -ln(f) = 2 artanh((1 - f) / (1 + f))
        let one = 1_i128 << 16;
        let f = factor as i128;
        let z = divide(one.wrapping_sub(f) << 103, one.wrapping_add(f)) << 17;
        let square = mul_wide(z, z, 120);
        let (mut sum, mut power, mut k) = (0_i128, z, 1_i128);
        while power != 0 {
            sum = sum.wrapping_add(divide(power, k));
            power = mul_wide(power, square, 120);
            k = k.wrapping_add(2);
        }
        #[expect(clippy::indexing_slicing, reason = "at compile time")]
        {
            table[j] = (factor << 47, round(sum, 55));
        }
        j = j.wrapping_add(1);
    }
    table
}

/// The logarithm of the integer `x` in units of 2^-64; of 0 as of 1. Maximum error 3e-19.
#[inline]
pub(super) fn ln_integer(x: u128) -> i128 {
    if x == 0 {
        return 0;
    }
    let zeros = x.leading_zeros();
    let Ok(m) = u64::try_from(x.unbounded_shl(zeros) >> 64) else {
        return 0;
    };
    let Some((factor, logarithm)) = usize::try_from((m >> 56) & 127)
        .ok()
        .and_then(|index| FACTORS.get(index))
    else {
        return 0;
    };
    // x = 2^exponent * (1 + r) / factor; 64 r in units of 2^-64.
    let product = u128::from(m).wrapping_mul(u128::from(*factor));
    let u = low(product.cast_signed().wrapping_sub(1 << 126) >> 56);
    let mut sum = (1 << 14) / 9;
    for coefficient in [
        -(1 << 17),
        (1 << 26) / 7,
        -(1 << 32) / 6,
        (1 << 38) / 5,
        -(1 << 42),
        (1 << 50) / 3,
        -(1 << 55),
        1 << 62,
    ] {
        sum = mul_high(sum, u).wrapping_add(coefficient);
    }
    let exponent = i128::from(127_u32.wrapping_sub(zeros));
    round(exponent.wrapping_mul(LN_2), 56)
        .wrapping_add(*logarithm)
        .wrapping_add(round(full(u, sum), 68))
}

/// ln x; `x` and the result in units of 1 / [`ONE`]. `None` where `x` is not above 0. Maximum error
/// 1 unit.
pub fn ln(x: i64) -> Option<i64> {
    let x = u128::try_from(x).ok().filter(|x| *x > 0)?;
    let scale = round(LN_2.wrapping_mul(57), 56);
    Some(low(round(ln_integer(x).wrapping_sub(scale), 7)))
}

/// The square root, rounded down; argument and result in units of 1 / [`ONE`]. 0 for negative ones.
pub fn sqrt(x: i64) -> i64 {
    let square = u128::try_from(x).unwrap_or_default() << 57;
    i64::try_from(square.isqrt()).unwrap_or_default()
}

/// The square root of a time in years, in units of 2^-64; less than 2^73.
#[inline]
pub(super) fn root_years(seconds: u64) -> i128 {
    let seconds = u128::from(seconds.min(LONGEST));
    let shift = seconds.leading_zeros() & !1;
    let root = seconds.unbounded_shl(shift).isqrt();
    root.wrapping_mul(ROOT_YEAR)
        .unbounded_shr((shift >> 1).wrapping_add(12))
        .cast_signed()
}

/// [`total_vol`] in units of 2^-63.
pub(super) fn fine_total_vol(vol: i64, seconds: u64) -> i128 {
    let product = i128::from(vol.max(0)).saturating_mul(root_years(seconds));
    round(product.min(1 << 126), 58)
}

/// Volatility times the square root of time, both in units of 1 / [`ONE`]: `vol` is 1.0 for 100 %
/// a year of [`YEAR`] seconds. Saturates at 32; 0 for a negative volatility.
pub fn total_vol(vol: i64, seconds: u64) -> i64 {
    saturate(round(fine_total_vol(vol, seconds), 6)).min(MAX_TOTAL_VOL)
}

/// Total volatilities above it price alike: an option is worth its upper bound.
pub(super) const MAX_TOTAL_VOL: i64 = ONE << 5;

/// ln(forward / strike) in units of 2^-64, neither 0.
pub(super) fn ln_ratio(forward: u64, strike: u64) -> i128 {
    ln_integer(forward.into()).wrapping_sub(ln_integer(strike.into()))
}

/// ln(forward / strike) in units of 1 / [`ONE`]; 0 where one of them is 0. Maximum error 1 unit.
pub fn log_moneyness(forward: u64, strike: u64) -> i64 {
    if forward == 0 || strike == 0 {
        return 0;
    }
    low(round(ln_ratio(forward, strike), 7))
}

/// e^(-rate * time): `rate` per year in units of 1 / [`ONE`], the result too (it saturates at 64).
pub fn discount(rate: i64, seconds: u64) -> i64 {
    let growth = i128::from(rate).wrapping_mul(seconds.min(LONGEST).into());
    // In units of 2^-64; beyond e^5 and e^-100 every exponent is alike.
    let exponent = divide(growth.wrapping_neg() << 7, YEAR.into());
    let (m, k) = exp_parts(exponent.clamp(-(100 << 64), 5 << 64));
    saturate(scale(i128::from(m), k.wrapping_sub(5)))
}

/// As [`discount`], with rate and result in units of 1 / [`WIDE`]; it saturates at 128. Maximum
/// error 1e-31 for rates below 1 and times below ten years.
pub fn discount_wide(rate: i128, seconds: u64) -> i128 {
    let seconds = i128::from(seconds.min(LONGEST));
    let (year, scaled) = (i128::from(YEAR), seconds << 84);
    let whole = divide(scaled, year);
    let rest = scaled.wrapping_sub(whole.wrapping_mul(year)) << 20;
    let years = (whole << 20).wrapping_add(divide(rest, year));
    // Beyond e^5 and e^-83 every exponent is alike.
    let far = mul_wide(rate, years, 122).unsigned_abs() > 100 << 102;
    let exponent = match (far, rate < 0) {
        (true, true) => i128::MAX,
        (true, false) => i128::MIN,
        (false, _) => mul_wide(rate, years, 104).wrapping_neg(),
    };
    exp_wide(exponent)
}
