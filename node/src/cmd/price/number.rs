//! Decimal numbers of any size, exact to 37 digits, and their way to fixed point and back.

use std::str::FromStr;

/// Significant digits that are printed.
const PRINTED: usize = 15;

/// Digits that are kept of a longer number.
const KEPT: usize = 37;

/// Largest power of ten.
const LARGEST: i32 = 9_999;

/// `digits * 10^exponent`; no digits end in 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Number {
    negative: bool,
    digits: u128,
    exponent: i32,
}

impl FromStr for Number {
    type Err = ();

    /// Reads `-12.5e-3` and the like; digits after the 37th count as 0.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (number, power) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let all: String = [whole, part].concat();
        if all.is_empty() || !all.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(());
        }
        let digits = all.trim_start_matches('0');
        let kept = &digits[..digits.len().min(KEPT)];
        let power: i32 = power.parse().map_err(|_| ())?;
        let dropped = digits.len() - kept.len();
        let exponent = i64::from(power) + dropped as i64 - part.len() as i64;
        let exponent = i32::try_from(exponent).map_err(|_| ())?;
        let number = Self {
            negative,
            digits: if kept.is_empty() {
                0
            } else {
                kept.parse().map_err(|_| ())?
            },
            exponent,
        };
        let number = number.trimmed();
        (number.exponent.abs() <= LARGEST)
            .then_some(number)
            .ok_or(())
    }
}

impl Number {
    /// 1.
    pub(super) const ONE: Self = Self {
        negative: false,
        digits: 1,
        exponent: 0,
    };

    fn trimmed(mut self) -> Self {
        if self.digits == 0 {
            return Self::default();
        }
        while self.digits.is_multiple_of(10) {
            self.digits /= 10;
            self.exponent += 1;
        }
        self
    }

    pub(super) fn is_negative(&self) -> bool {
        self.negative
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits == 0
    }

    /// The nearest `f64`.
    pub(super) fn approximate(&self) -> f64 {
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}{}e{}", self.digits, self.exponent)
            .parse()
            .unwrap_or(f64::NAN)
    }

    /// The number, if it is whole and fits.
    pub(super) fn whole(&self) -> Option<u64> {
        let power = 10_u64.checked_pow(u32::try_from(self.exponent).ok()?);
        let digits = u64::try_from(self.digits).ok();
        let whole = match self.digits {
            0 => Some(0),
            _ => digits?.checked_mul(power?),
        };
        whole.filter(|whole| !self.negative || *whole == 0)
    }

    /// `self / other` in units of 2^-bits, rounded towards 0; `None` where 127 bits do not hold it
    /// or `other` is 0. Exact where the quotient's terms have less than 38 digits.
    pub(super) fn ratio(&self, other: &Self, bits: u32) -> Option<i128> {
        let (mut above, mut below, mut bits) = (self.digits, other.digits, bits);
        if below == 0 {
            return None;
        }
        if above == 0 {
            return Some(0);
        }
        for _ in other.exponent..self.exponent {
            match above.checked_mul(10) {
                Some(product) => above = product,
                None if below < 10 => return None,
                None => below /= 10,
            }
        }
        for _ in self.exponent..other.exponent {
            if let Some(product) = below.checked_mul(10).filter(|x| x >> 127 == 0) {
                below = product;
            } else {
                let shift = above.leading_zeros().min(bits);
                above = (above << shift) / 10;
                bits -= shift;
            }
        }
        let (mut quotient, mut rest) = (above / below, above % below);
        for _ in 0..bits {
            let (twice, over) = (rest << 1, rest >> 127 == 1);
            let one = over || twice >= below;
            rest = if one {
                twice.wrapping_sub(below)
            } else {
                twice
            };
            quotient = quotient.checked_mul(2)? | u128::from(one);
        }
        let quotient = i128::try_from(quotient).ok()?;
        Some(if self.negative { -quotient } else { quotient })
    }

    /// Two numbers as integers of one unit, exact where both fit 64 bits; otherwise the larger is.
    pub(super) fn integers(&self, other: &Self) -> [u64; 2] {
        // The unit of the larger must leave it below 2^64.
        let digits = |x: &Self| if x.digits == 0 { 0 } else { x.digits.ilog10() };
        let top = |x: &Self| x.exponent + digits(x).cast_signed();
        let numbers = [self, other].into_iter().filter(|x| !x.is_zero());
        let Some(top) = numbers.clone().map(top).max() else {
            return [0, 0];
        };
        let finest = numbers.map(|x| x.exponent).min().unwrap_or_default();
        // Nineteen digits always fit.
        let unit = finest.max(top - 18);
        [self, other].map(|x| {
            let shift = x.exponent - unit;
            let ten = 10_u128.checked_pow(shift.unsigned_abs());
            let scaled = match (shift >= 0, ten) {
                (true, Some(ten)) => x.digits.checked_mul(ten),
                (false, Some(ten)) => Some((x.digits + ten / 2) / ten),
                (true, None) => (x.digits == 0).then_some(0),
                (false, None) => Some(0),
            };
            u64::try_from(scaled.unwrap_or_default()).unwrap_or(u64::MAX)
        })
    }

    /// The larger.
    pub(super) fn max(self, other: Self) -> Self {
        let larger = self.ratio(&other, 60).is_none_or(|ratio| ratio >= 1 << 60);
        if larger { self } else { other }
    }
}

/// A power of the unit that a fixed-point number is in.
#[derive(Clone, Copy, Debug)]
pub(super) enum In {
    /// No unit.
    Nothing,
    /// The unit.
    Unit(Number),
    /// One over the unit.
    PerUnit(Number),
}

/// `x * 2^-bits` of `unit` as a decimal of 15 significant digits.
pub(super) fn print(x: i128, bits: u32, unit: In) -> String {
    let (mut two, mut ten) = (-bits.cast_signed(), 0);
    let mut digits = x.unsigned_abs();
    let fit = |number: Number| {
        let (mut digits, mut exponent) = (number.digits, number.exponent);
        while digits >> 64 != 0 {
            (digits, exponent) = ((digits + 5) / 10, exponent + 1);
        }
        (digits, exponent)
    };
    match unit {
        In::Nothing => {}
        In::Unit(unit) => {
            let (unit, exponent) = fit(unit);
            while digits >> 64 != 0 {
                (digits, two) = (digits.midpoint(1), two + 1);
            }
            digits *= unit;
            ten = exponent;
        }
        In::PerUnit(unit) => {
            let (unit, exponent) = fit(unit);
            let shift = digits.leading_zeros() % 128;
            digits = (digits << shift).checked_div(unit).unwrap_or_default();
            two -= shift.cast_signed();
            ten = -exponent;
        }
    }
    // Powers of two into powers of ten, in 120 bits and more.
    while two != 0 && digits != 0 {
        if two > 0 && digits >> 127 == 0 {
            (digits, two) = (digits << 1, two - 1);
        } else if two > 0 {
            (digits, ten) = ((digits + 5) / 10, ten + 1);
        } else if digits >> 124 == 0 {
            (digits, ten) = (digits * 10, ten - 1);
        } else {
            (digits, two) = (digits.midpoint(1), two + 1);
        }
    }
    written(x < 0, digits, ten)
}

/// `digits * 10^exponent`, rounded, as text.
fn written(negative: bool, mut digits: u128, mut exponent: i32) -> String {
    let surplus = digits.checked_ilog10().unwrap_or_default() + 1;
    if let Some(surplus) = surplus.checked_sub(PRINTED as u32).filter(|n| *n > 0) {
        let power = 10_u128.pow(surplus);
        digits = digits / power + u128::from(digits % power >= power / 2);
        exponent += surplus.cast_signed();
    }
    let Number {
        digits, exponent, ..
    } = Number {
        negative,
        digits,
        exponent,
    }
    .trimmed();
    let text = digits.to_string();
    let sign = if negative && digits != 0 { "-" } else { "" };
    let point = text.len() as i32 + exponent;
    let text = match point {
        _ if digits == 0 => text,
        // 0.00001 to 999,999,999,999,999.
        -4..=0 => format!("0.{}{text}", "0".repeat(point.unsigned_abs() as usize)),
        1..=15 if exponent >= 0 => format!("{text}{}", "0".repeat(exponent as usize)),
        1..=15 => {
            let (whole, part) = text.split_at(point as usize);
            format!("{whole}.{part}")
        }
        _ => {
            let (first, rest) = text.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{first}{dot}{rest}e{}", point - 1)
        }
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::{In, Number, print};

    fn number(text: &str) -> Number {
        text.parse().unwrap_or_else(|()| panic!("{text}"))
    }

    #[test]
    fn reads_what_is_a_decimal_number_and_nothing_else() {
        for (text, half) in [
            ("2.5", 5_i128 << 9),
            ("+2.50", 5 << 9),
            ("-25e-1", -5 << 9),
            ("0.25E+1", 5 << 9),
            (".25e1", 5 << 9),
            (
                "0000000000000000000000000000000000000000000000002.5",
                5 << 9,
            ),
            (
                "2.50000000000000000000000000000000000000000000000000000001",
                5 << 9,
            ),
            ("-0.0e9", 0),
        ] {
            assert_eq!(number(text).ratio(&Number::ONE, 10), Some(half), "{text}");
        }
        for text in [
            "",
            "-",
            ".",
            "e5",
            "1e",
            "1e5.0",
            "--1",
            "1 ",
            "0x1",
            "NaN",
            "inf",
            "1,5",
            "1e99999",
            "1e99999999999",
        ] {
            assert_eq!(text.parse::<Number>(), Err(()), "{text}");
        }
    }

    #[test]
    fn divides_exactly_or_says_that_it_does_not_fit() {
        let ratio = |a: &str, b: &str| number(a).ratio(&number(b), 120);
        assert_eq!(ratio("32833.095", "65666.19"), Some(1 << 119));
        assert_eq!(ratio("1e-20", "2e-20"), Some(1 << 119));
        assert_eq!(ratio("1e30", "8e30"), Some(1 << 117));
        assert_eq!(ratio("1e-400", "1"), Some(0));
        assert_eq!(ratio("1e400", "1"), None);
        assert_eq!(ratio("128", "1"), None);
        assert_eq!(ratio("1", "0"), None);
        let tiny = ratio("123456789e-36", "1000000").unwrap_or_default();
        assert_eq!(tiny, 164, "1.23456789e-34 * 2^120");
    }

    #[test]
    fn puts_two_numbers_into_one_unit() {
        let integers = |a: &str, b: &str| number(a).integers(&number(b));
        assert_eq!(integers("65666.19", "1e5"), [6_566_619, 10_000_000]);
        assert_eq!(integers("1e-12", "1e-5"), [1, 10_000_000]);
        assert_eq!(integers("0", "7e90"), [0, 7]);
        assert_eq!(integers("0", "0"), [0, 0]);
        assert_eq!(integers("1e-30", "1e6"), [0, 1_000_000_000_000_000_000]);
        assert_eq!(
            integers("1.2345678901234567890123", "2"),
            [1_234_567_890_123_456_789, 2_000_000_000_000_000_000]
        );
    }

    #[test]
    fn prints_fifteen_digits() {
        let half = 1_i128 << 56;
        for (x, unit, text) in [
            (half, In::Nothing, "0.5"),
            (-half, In::Unit(number("100")), "-50"),
            (half, In::Unit(number("2e15")), "1e15"),
            (half, In::Unit(number("2e14")), "100000000000000"),
            (half, In::Unit(number("2e-5")), "0.00001"),
            (half, In::Unit(number("3e-6")), "1.5e-6"),
            (half, In::PerUnit(number("3")), "0.166666666666667"),
            (half, In::PerUnit(number("0")), "0"),
            (1, In::Nothing, "6.93889390390723e-18"),
            (0, In::Unit(number("7")), "0"),
            (i128::MAX, In::Unit(number("1e20")), "1.18059162071741e41"),
            ((1 << 57) - 1, In::Nothing, "1"),
        ] {
            assert_eq!(print(x, 57, unit), text);
        }
    }
}
