use rust_decimal::Decimal;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// An exact decimal number of at most 28 digits, in JSON a string such as `"0.01"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Number(Decimal);

/// Why a number has no exact integer in the unit that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inexact {
    /// A fraction would be left.
    Fraction,
    /// It does not fit 127 bits.
    TooLarge,
}

impl Number {
    /// `mantissa / 10^scale`, for constants in code; a scale above 28 counts as 28.
    pub(crate) fn new(mantissa: i64, scale: u32) -> Self {
        Self(Decimal::new(mantissa, scale.min(28)))
    }

    /// The number times `10^power`.
    pub(crate) fn scaled(self, power: u8) -> Result<i128, Inexact> {
        let (mantissa, scale) = self.parts();
        shift(mantissa, i64::from(power).saturating_sub(scale))
    }

    /// `self * other * 10^power`.
    pub(crate) fn product(self, other: Self, power: u8) -> Result<i128, Inexact> {
        let ((a, a_scale), (b, b_scale)) = (self.parts(), other.parts());
        let mantissa = a.checked_mul(b).ok_or(Inexact::TooLarge)?;
        shift(
            mantissa,
            i64::from(power)
                .saturating_sub(a_scale)
                .saturating_sub(b_scale),
        )
    }

    /// How many times `unit`, which is not zero, the number is.
    pub(crate) fn multiple_of(self, unit: Self) -> Result<i128, Inexact> {
        let ((a, a_scale), (b, b_scale)) = (self.parts(), unit.parts());
        let scale = a_scale.max(b_scale);
        let a = shift(a, scale.saturating_sub(a_scale))?;
        let b = shift(b, scale.saturating_sub(b_scale))?;
        match a.checked_rem(b) {
            Some(0) => a.checked_div(b).ok_or(Inexact::TooLarge),
            _ => Err(Inexact::Fraction),
        }
    }

    /// Digits behind the point, without trailing zeros.
    pub(crate) fn decimals(self) -> u8 {
        u8::try_from(self.parts().1).unwrap_or(u8::MAX)
    }

    /// Whether it is at most `10^power`.
    pub(crate) fn is_at_most_power(self, power: i64) -> bool {
        let (mantissa, scale) = self.parts();
        shift(1, power.saturating_add(scale)).map_or_else(
            |inexact| mantissa <= 0 || inexact == Inexact::TooLarge,
            |bound| mantissa <= bound,
        )
    }

    /// True above zero.
    pub(crate) fn is_positive(self) -> bool {
        self.0.mantissa() > 0
    }

    /// True for zero, however it is written.
    pub(crate) fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// The number without trailing zeros.
    pub(crate) fn shortest(self) -> String {
        self.0.normalize().to_string()
    }

    /// Mantissa and number of decimal places, without trailing zeros.
    fn parts(self) -> (i128, i64) {
        let number = self.0.normalize();
        (number.mantissa(), i64::from(number.scale()))
    }
}

/// `mantissa * 10^power`.
fn shift(mantissa: i128, power: i64) -> Result<i128, Inexact> {
    let digits = u32::try_from(power.unsigned_abs()).map_err(|_| Inexact::TooLarge)?;
    let factor = 10_i128.checked_pow(digits);
    if power >= 0 {
        if mantissa == 0 {
            return Ok(0);
        }
        return factor
            .and_then(|factor| mantissa.checked_mul(factor))
            .ok_or(Inexact::TooLarge);
    }
    // A factor beyond 127 bits is above every mantissa.
    match factor.map(|factor| (mantissa.checked_rem(factor), mantissa.checked_div(factor))) {
        Some((Some(0), Some(whole))) => Ok(whole),
        None if mantissa == 0 => Ok(0),
        _ => Err(Inexact::Fraction),
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(number.into())
    }
}

impl FromStr for Number {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
            && digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.ends_with(|c: char| c.is_ascii_digit());
        match Decimal::from_str_exact(text) {
            Ok(number) if plain => Ok(Self(number)),
            _ => Err(format!(
                "{text:?} is not a decimal number of at most 28 digits, such as \"0.01\""
            )),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number in a string, such as \"0.01\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn texts_that_are_numbers() {
        for text in ["0", "-0.0002", "0.010", "79228162514264337593543950335"] {
            assert_eq!(number(text).to_string(), text);
        }
        let too_exact = "0.12345678901234567890123456789012";
        for text in [
            "", "-", ".5", "5.", "1e3", "1_000", "+1", " 1", "1,5", "1.2.3", too_exact,
        ] {
            let error = text.parse::<Number>().unwrap_err();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn numbers_compare_with_powers_of_ten() {
        for (text, power, expected) in [
            ("1", 0, true),
            ("1.01", 0, false),
            ("0.01", -2, true),
            ("0.011", -2, false),
            ("1", -40, false),
            ("-1", -40, true),
            ("79228162514264337593543950335", 60, true),
        ] {
            assert_eq!(
                number(text).is_at_most_power(power),
                expected,
                "{text} {power}"
            );
        }
        assert_eq!(
            (number("0.0120").decimals(), number("5").decimals()),
            (3, 0)
        );
    }

    #[test]
    fn conversions_are_exact_or_refused() {
        use Inexact::{Fraction, TooLarge};
        assert_eq!(number("1.50").scaled(1), Ok(15));
        assert_eq!(number("-0.0001").scaled(6), Ok(-100));
        assert_eq!(number("0.15").scaled(1), Err(Fraction));
        assert_eq!(number("0").scaled(255), Ok(0));
        assert_eq!(number("1").scaled(255), Err(TooLarge));
        assert_eq!(
            number("79228162514264337593543950335").scaled(18),
            Err(TooLarge)
        );
        assert_eq!(number("0.1").product(number("0.0001"), 6), Ok(10));
        assert_eq!(number("0.01").product(number("0.00001"), 6), Err(Fraction));
        let tiny = number("0.0000000000000000000000000001");
        assert_eq!(tiny.product(tiny, 6), Err(Fraction));
        assert_eq!(number("100000").multiple_of(number("0.1")), Ok(1_000_000));
        assert_eq!(number("0.15").multiple_of(number("0.1")), Err(Fraction));
        assert_eq!(
            number("79228162514264337593543950335").multiple_of(tiny),
            Err(TooLarge)
        );
    }
}
