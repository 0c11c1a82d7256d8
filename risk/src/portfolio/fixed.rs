//! Products and quotients that round one way and never wrap.

use super::{AMOUNT_DIGITS, Error, MONEY_DIGITS, ONE, RATIO_DIGITS};

/// `a * b / c`, rounded down; `None` when `c` is 0 or the result does not fit.
pub(super) fn mul_div_floor(a: i128, b: i128, c: u64) -> Option<i128> {
    if let Some(product) = a.checked_mul(b) {
        return div_floor(product, c);
    }
    let (size, rest) = wide(a.unsigned_abs(), b.unsigned_abs(), c)?;
    let size = i128::try_from(size).ok()?;
    if (a < 0) == (b < 0) {
        Some(size)
    } else {
        0_i128.checked_sub(size)?.checked_sub(i128::from(rest != 0))
    }
}

/// `a * b / c`, rounded up.
pub(super) fn mul_div_ceil(a: i128, b: i128, c: u64) -> Option<i128> {
    mul_div_floor(a.checked_neg()?, b, c)?.checked_neg()
}

/// `a * b / c`, rounded to the nearest, halves up.
pub(super) fn mul_div(a: i128, b: i128, c: u64) -> Option<i128> {
    if let Some(product) = a.checked_mul(b) {
        return div_floor(product.checked_add(i128::from(c >> 1))?, c);
    }
    let twice = mul_div_floor(a, b.checked_mul(2)?, c)?;
    div_floor(twice.checked_add(1)?, 2)
}

/// `a / c`, rounded down.
#[inline]
pub(super) fn div_floor(a: i128, c: u64) -> Option<i128> {
    let c = i128::from(c);
    // One division: the remainder of `checked_div_euclid` would cost another.
    let quotient = a.checked_div(c)?;
    let rest = a.wrapping_sub(quotient.wrapping_mul(c));
    quotient.checked_sub(i128::from(rest < 0))
}

/// `a / c`, rounded up.
pub(super) fn div_ceil(a: i128, c: u64) -> Option<i128> {
    div_floor(a.checked_neg()?, c)?.checked_neg()
}

/// Quotient and remainder of the 256-bit product by `c`, when the quotient fits 128 bits.
fn wide(a: u128, b: u128, c: u64) -> Option<(u128, u64)> {
    const LOW: u128 = 0xffff_ffff_ffff_ffff;
    let (a1, a0) = (a >> 64, a & LOW);
    let (b1, b0) = (b >> 64, b & LOW);
    // Halves are below 2^64, so the products fit and the sums of three halves do.
    let low = a0.wrapping_mul(b0);
    let cross = a1.wrapping_mul(b0).wrapping_add(low >> 64);
    let middle = a0.wrapping_mul(b1).wrapping_add(cross & LOW);
    let high = a1
        .wrapping_mul(b1)
        .wrapping_add(cross >> 64)
        .wrapping_add(middle >> 64);
    let limbs = [high >> 64, high & LOW, middle & LOW, low & LOW];
    let divisor = u128::from(c);
    let mut rest = 0_u128;
    let mut quotient = 0_u128;
    for limb in limbs {
        let part = rest.wrapping_shl(64) | limb;
        let digit = part.checked_div(divisor)?;
        rest = part.checked_rem(divisor)?;
        quotient = quotient.checked_mul(1 << 64)?.checked_add(digit)?;
    }
    Some((quotient, u64::try_from(rest).ok()?))
}

/// A number as the `i64` that it fits.
pub(super) fn narrow(value: Option<i128>, field: &'static str) -> Result<i64, Error> {
    value
        .and_then(|value| i64::try_from(value).ok())
        .ok_or(Error::TooLarge(field))
}

/// Nearest product of a value and a ratio.
pub(super) fn scaled(value: i64, ratio: i64) -> Option<i128> {
    mul_div(i128::from(value), i128::from(ratio), ONE.unsigned_abs())
}

/// Square root of a ratio that is not negative, rounded down.
pub(super) fn root(ratio: i128) -> Option<i64> {
    let square = u128::try_from(ratio)
        .ok()?
        .checked_mul(u128::from(ONE.unsigned_abs()))?;
    i64::try_from(square.isqrt()).ok()
}

/// Conversions that depend on the digits of a unit's values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// Amount x value to money.
    product: u64,
    /// Coins x value to money.
    coins: u64,
}

impl Scale {
    /// For values of 3 to 16 digits.
    pub(super) fn new(value_digits: u32) -> Option<Self> {
        let of = |digits: u32| 10_u64.checked_pow(digits);
        let to_money = |digits: u32| {
            of(value_digits
                .checked_add(digits)?
                .checked_sub(MONEY_DIGITS)?)
        };
        Some(Self {
            product: to_money(AMOUNT_DIGITS)?,
            coins: to_money(RATIO_DIGITS)?,
        })
    }

    pub(super) fn money_floor(self, product: i128) -> Option<i128> {
        div_floor(product, self.product)
    }

    pub(super) fn money_ceil(self, product: i128) -> Option<i128> {
        div_ceil(product, self.product)
    }

    /// `coins` at `price`, rounded up.
    pub(super) fn coins_ceil(self, coins: i128, price: i64) -> Option<i128> {
        mul_div_ceil(coins, i128::from(price), self.coins)
    }

    /// How many coins `money` buys at `price`, rounded down.
    pub(super) fn coins_for(self, money: i128, price: i64) -> Option<i128> {
        mul_div_floor(money, i128::from(self.coins), u64::try_from(price).ok()?)
    }
}

/// `money` x `ratio`, rounded down.
pub(super) fn share_floor(money: i128, ratio: i64) -> Option<i128> {
    mul_div_floor(money, i128::from(ratio), ONE.unsigned_abs())
}

/// `money` x `ratio`, rounded up.
pub(super) fn share_ceil(money: i128, ratio: i64) -> Option<i128> {
    mul_div_ceil(money, i128::from(ratio), ONE.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_round_one_way() {
        for (a, b, c, down, near, up) in [
            (7, 1, 2, 3, 4, 4),
            (-7, 1, 2, -4, -3, -3),
            (6, 1, 2, 3, 3, 3),
            (1, 1, 3, 0, 0, 1),
            (-1, 1, 3, -1, 0, 0),
            (-5, 1, 3, -2, -2, -1),
        ] {
            assert_eq!(mul_div_floor(a, b, c), Some(down), "{a} * {b} / {c}");
            assert_eq!(mul_div(a, b, c), Some(near), "{a} * {b} / {c}");
            assert_eq!(mul_div_ceil(a, b, c), Some(up), "{a} * {b} / {c}");
        }
    }

    #[test]
    fn products_of_256_bits_agree_with_the_narrow_ones() {
        let mut word = 1_u128;
        let mut next = |bits: u32| {
            word = word.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645) ^ (word >> 61);
            word >> (128 - bits)
        };
        for _ in 0..10_000 {
            let (a, b, c) = (next(64), next(60), next(50).max(1));
            let divisor = u64::try_from(c).unwrap();
            let (quotient, rest) = wide(a, b, divisor).unwrap();
            assert_eq!(quotient, a * b / c);
            assert_eq!(u128::from(rest), a * b % c);
            // a * (b c) / c
            let (a, b) = (next(66), next(60));
            assert_eq!(wide(a, b * c, divisor), Some((a * b, 0)));
        }
    }

    #[test]
    fn what_does_not_fit_is_nothing() {
        assert_eq!(mul_div_floor(i128::MAX, 3, 2), None);
        assert_eq!(mul_div_floor(i128::MAX, 1 << 62, 1 << 62), Some(i128::MAX));
        assert_eq!(mul_div_ceil(i128::MIN, 1, 1), None);
        assert_eq!(mul_div(1, 1, 0), None);
    }
}
