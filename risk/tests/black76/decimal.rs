//! Exact decimals of the vectors, as integers.

use ballast_risk::black76::ONE;

/// `digits * 10^exponent`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal {
    pub(crate) digits: i128,
    pub(crate) exponent: i32,
}

impl Decimal {
    pub(crate) fn parse(text: &str) -> Self {
        let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        Self {
            digits: format!("{whole}{part}").parse().unwrap(),
            exponent: exponent.parse::<i32>().unwrap() - i32::try_from(part.len()).unwrap(),
        }
    }

    /// `self * 10^power`, rounded towards 0.
    pub(crate) fn times_ten_to(self, power: i32) -> i128 {
        let power = self.exponent + power;
        let ten = 10_i128.checked_pow(power.unsigned_abs());
        match ten {
            Some(ten) if power >= 0 => self.digits * ten,
            Some(ten) => self.digits / ten,
            None => 0,
        }
    }

    /// In units of 1 / [`ONE`].
    pub(crate) fn fixed(self) -> i64 {
        let (mut digits, mut exponent) = (self.digits, self.exponent);
        while digits % 10 == 0 && exponent < 0 {
            (digits, exponent) = (digits / 10, exponent + 1);
        }
        let scaled = digits * i128::from(ONE);
        let ten = 10_i128.pow(exponent.unsigned_abs());
        let scaled = if exponent < 0 {
            scaled / ten
        } else {
            scaled * ten
        };
        i64::try_from(scaled).unwrap()
    }

    pub(crate) fn over(self, other: Self) -> Self {
        // Eighteen more digits than there are.
        Self {
            digits: self.digits * 10_i128.pow(18) / other.digits,
            exponent: self.exponent - other.exponent - 18,
        }
    }

    pub(crate) fn times(self, other: Self) -> Self {
        Self {
            digits: self.digits * other.digits,
            exponent: self.exponent + other.exponent,
        }
    }

    pub(crate) fn max(self, other: Self) -> Self {
        let power = -self.exponent.min(other.exponent);
        if self.times_ten_to(power) >= other.times_ten_to(power) {
            self
        } else {
            other
        }
    }
}

/// Units of 1 / [`ONE`] as units of 10^-18.
pub(crate) fn atto(fixed: impl Into<i128>) -> i128 {
    (fixed.into() * 5_i128.pow(18)) >> 39
}
