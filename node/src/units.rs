//! From decimals, as people write them, to the integers of the chain. Exactly or not at all.

use std::str::FromStr;
use std::time::Duration;

use rust_decimal::Decimal;

/// How many times `unit` (a tick or a lot) `value` is. The error names the field and the value.
pub fn multiple(field: &str, value: Decimal, unit: Decimal, what: &str) -> Result<i64, String> {
    let count = value
        .checked_div(unit)
        .filter(|count| count.checked_mul(unit) == Some(value));
    count
        .filter(Decimal::is_integer)
        .and_then(|count| i64::try_from(count).ok())
        .ok_or_else(|| format!("{field}: {value} is not a multiple of {what}, {unit}"))
}

/// Atoms of an amount of an asset with this many decimal places.
pub fn atoms(field: &str, amount: Decimal, decimals: u32) -> Result<u128, String> {
    let exact = 10_i128
        .checked_pow(decimals)
        .and_then(|unit| Decimal::try_from_i128_with_scale(unit, 0).ok())
        .and_then(|unit| amount.checked_mul(unit))
        .filter(Decimal::is_integer)
        .and_then(|atoms| u128::try_from(atoms).ok());
    exact.ok_or_else(|| {
        format!("{field}: {amount} is negative, too large, or has more than {decimals} decimals")
    })
}

/// A span of time such as `500ms`, `30s`, `5m`, `2h` or `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a time such as 500ms, 30s, 5m, 2h or 7d");
        let end = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, unit) = text.split_at(end);
        let number: u64 = number.parse().map_err(|_| bad())?;
        let ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(bad()),
        };
        number
            .checked_mul(ms)
            .map(|ms| Self(Duration::from_millis(ms)))
            .ok_or_else(bad)
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl<'de> serde::Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    #[test]
    fn multiples_are_exact_or_refused() {
        for (value, unit, count) in [
            ("100000", "0.1", Some(1_000_000)),
            ("0.05", "0.01", Some(5)),
            ("0.055", "0.01", None),
            ("7", "1", Some(7)),
            ("1", "0.3", None),
            ("-0.1", "0.1", Some(-1)),
            ("99999999999999999999", "1", None),
        ] {
            let result = multiple("price", decimal(value), decimal(unit), "the tick");
            assert_eq!(result.clone().ok(), count, "{value} / {unit}");
            if let Err(error) = result {
                let start = format!("price: {value} is not a multiple of the tick, {unit}");
                assert_eq!(error, start);
            }
        }
    }

    #[test]
    fn amounts_become_atoms() {
        for (amount, decimals, expected) in [
            ("1.5", 6, Some(1_500_000)),
            ("0.0000001", 6, None),
            ("3", 0, Some(3)),
            ("-1", 6, None),
            ("79228162514264337593543950335", 6, None),
        ] {
            assert_eq!(
                atoms("amount", decimal(amount), decimals).ok(),
                expected,
                "{amount}"
            );
        }
    }

    #[test]
    fn spans_of_time() {
        for (text, ms) in [
            ("500ms", Some(500)),
            ("30s", Some(30_000)),
            ("7d", Some(604_800_000)),
            ("", None),
            ("s", None),
            ("1", None),
            ("1w", None),
            ("99999999999999999999s", None),
            ("9999999999999999999d", None),
        ] {
            let span = text.parse::<Span>().ok();
            assert_eq!(span, ms.map(|ms| Span(Duration::from_millis(ms))), "{text}");
        }
    }
}
