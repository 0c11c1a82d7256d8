//! A JSON value that knows its path, so that every error names the field and the value.

use ballast_types::margin::{AMOUNT_DIGITS, MONEY_DIGITS, ONE, RATIO_DIGITS};
use serde_json::Value;

/// Names that carry no numbers and are allowed anywhere.
const REMARKS: [&str; 4] = ["id", "name", "note", "source"];

/// Characters of a value that an error shows.
const SHOWN: usize = 80;

/// A value that may be missing, and where it is.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    path: String,
    value: Option<&'a Value>,
}

impl<'a> Field<'a> {
    /// The value at the top.
    pub fn root(name: &str, value: &'a Value) -> Self {
        Self {
            path: name.to_owned(),
            value: Some(value),
        }
    }

    /// A member; null counts as missing.
    pub fn get(&self, name: &str) -> Self {
        let value = self.value.and_then(|value| value.get(name));
        Self {
            path: format!("{}.{name}", self.path),
            value: value.filter(|value| !value.is_null()),
        }
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&'a Value> {
        self.value
    }

    /// Itself, unless it is missing.
    pub fn present(self) -> Option<Self> {
        self.value.is_some().then_some(self)
    }

    /// An error about this field.
    pub fn error(&self, why: &str) -> String {
        match self.value {
            Some(value) => {
                let text = value.to_string();
                let short: String = text.chars().take(SHOWN).collect();
                let dots = if short.len() < text.len() { "..." } else { "" };
                format!("{}: {short}{dots} {why}", self.path)
            }
            None => format!("{}: missing", self.path),
        }
    }

    /// Refuses members of other names.
    ///
    /// # Errors
    /// Names the first that is not known.
    pub fn only(&self, names: &[&str]) -> Result<(), String> {
        let Some(value) = self.value else {
            return Ok(());
        };
        let members = value
            .as_object()
            .ok_or_else(|| self.error("is not an object"))?;
        for name in members.keys() {
            if !names.contains(&name.as_str()) && !REMARKS.contains(&name.as_str()) {
                return Err(self.get(name).error("is not known here"));
            }
        }
        Ok(())
    }

    /// The members, in the order of their names.
    ///
    /// # Errors
    /// A value that is no object.
    pub fn members(&self) -> Result<Vec<(String, Self)>, String> {
        let members = self.value.and_then(Value::as_object);
        let members = members.ok_or_else(|| self.error("is not an object"))?;
        Ok(members
            .keys()
            .map(|name| (name.clone(), self.get(name)))
            .collect())
    }

    /// The elements; none when missing.
    ///
    /// # Errors
    /// A value that is no list.
    pub fn elements(&self) -> Result<Vec<Self>, String> {
        let Some(value) = self.value else {
            return Ok(Vec::new());
        };
        let list = value
            .as_array()
            .ok_or_else(|| self.error("is not a list"))?;
        let element = |(index, value)| Self {
            path: format!("{}[{index}]", self.path),
            value: Some(value),
        };
        Ok(list.iter().enumerate().map(element).collect())
    }

    /// The text.
    ///
    /// # Errors
    /// A value that is no string.
    pub fn text(&self) -> Result<&'a str, String> {
        let text = self.value.and_then(Value::as_str);
        text.ok_or_else(|| self.error("is not a string"))
    }

    /// The truth value; false when missing.
    ///
    /// # Errors
    /// Another value.
    pub fn flag(&self) -> Result<bool, String> {
        match self.value {
            None => Ok(false),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| self.error("is not true or false")),
        }
    }

    /// A number in units of 10^-`digits`, to the nearest; from a string or a JSON number.
    ///
    /// # Errors
    /// A value that is no number, or too large.
    pub fn decimal(&self, digits: u32) -> Result<Option<i128>, String> {
        let text = match self.value {
            None => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => return Err(self.error("is not a number")),
        };
        let number = parse(&text, digits).map_err(|why| self.error(why))?;
        Ok(Some(number))
    }

    fn small(&self, digits: u32, default: Option<i64>) -> Result<i64, String> {
        match self.decimal(digits)? {
            None => default.ok_or_else(|| self.error("")),
            Some(number) => i64::try_from(number).map_err(|_| self.error("is too large")),
        }
    }

    /// A ratio.
    ///
    /// # Errors
    /// As [`Self::decimal`].
    pub fn ratio(&self, default: i64) -> Result<i64, String> {
        self.small(RATIO_DIGITS, Some(default))
    }

    /// A ratio that must be given.
    ///
    /// # Errors
    /// As [`Self::decimal`], and where it is missing.
    pub fn needed_ratio(&self) -> Result<i64, String> {
        self.small(RATIO_DIGITS, None)
    }

    /// A weight, rounded down so that 0.16 / 0.33 of a loss of 33 % is not above 16 %; 1 when
    /// missing.
    ///
    /// # Errors
    /// As [`Self::decimal`].
    pub fn weight(&self) -> Result<i64, String> {
        const FINER_DIGITS: u32 = RATIO_DIGITS + 6;
        match self.decimal(FINER_DIGITS)? {
            None => Ok(ONE),
            Some(number) => {
                i64::try_from(number.div_euclid(1_000_000)).map_err(|_| self.error("is too large"))
            }
        }
    }

    /// A confidence or factor: 1 when missing.
    ///
    /// # Errors
    /// As [`Self::decimal`].
    pub fn full(&self) -> Result<i64, String> {
        self.ratio(ONE)
    }

    /// An amount: 0 when missing.
    ///
    /// # Errors
    /// As [`Self::decimal`].
    pub fn amount(&self) -> Result<i64, String> {
        self.small(AMOUNT_DIGITS, Some(0))
    }

    /// Money: 0 when missing.
    ///
    /// # Errors
    /// As [`Self::decimal`].
    pub fn money(&self) -> Result<i128, String> {
        Ok(self.decimal(MONEY_DIGITS)?.unwrap_or(0))
    }

    /// A price of this many digits.
    ///
    /// # Errors
    /// As [`Self::decimal`], and where it is missing and has no default.
    pub fn price(&self, digits: u32, default: Option<i64>) -> Result<i64, String> {
        self.small(digits, default)
    }

    /// Whole seconds.
    ///
    /// # Errors
    /// As [`Self::price`].
    pub fn secs(&self, default: Option<i64>) -> Result<i64, String> {
        self.small(0, default)
    }
}

/// A decimal number, an exponent allowed, in units of 10^-`digits`; halves away from 0.
///
/// # Errors
/// What is wrong with the text.
pub fn parse(text: &str, digits: u32) -> Result<i128, &'static str> {
    const BAD: &str = "is not a number";
    let text = text.trim();
    let (negative, size) = match text.strip_prefix('-') {
        Some(size) => (true, size),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (size, exponent) = match size.split_once(['e', 'E']) {
        Some((size, exponent)) => (size, exponent.parse::<i32>().map_err(|_| BAD)?),
        None => (size, 0),
    };
    let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
    let figures: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if figures.is_empty() || !figures.iter().all(u8::is_ascii_digit) {
        return Err(BAD);
    }
    let whole = i32::try_from(whole.len()).map_err(|_| BAD)?;
    let digits = i32::try_from(digits).map_err(|_| BAD)?;
    // How many figures stand before the end of the result.
    let kept = whole.saturating_add(exponent).saturating_add(digits);
    let figure = |index: i32| {
        let index = usize::try_from(index).ok()?;
        figures
            .get(index)
            .map(|figure| i128::from(figure.saturating_sub(b'0')))
    };
    let mut value = 0_i128;
    for index in 0..kept.clamp(0, 10_000) {
        let figure = figure(index).unwrap_or(0);
        let next = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(figure));
        value = next.ok_or("is too large")?;
    }
    if kept >= 0 && figure(kept).unwrap_or(0) >= 5 {
        value = value.checked_add(1).ok_or("is too large")?;
    }
    Ok(if negative {
        value.saturating_neg()
    } else {
        value
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_round_to_the_nearest() {
        for (text, digits, number) in [
            ("1", 2, 100),
            ("-0.125", 2, -13),
            ("0.124", 2, 12),
            (" +2.5e-3 ", 4, 25),
            ("1e3", 0, 1_000),
            ("0.0049", 2, 0),
            ("0.00999", 2, 1),
            (".5", 0, 1),
            ("5.", 0, 5),
            (
                "0.33333333333333333333333333333333333333333333333333",
                3,
                333,
            ),
        ] {
            assert_eq!(parse(text, digits), Ok(number), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in [
            "",
            "-",
            "1,5",
            "0x10",
            "NaN",
            "1e",
            "1.2.3",
            "--1",
            "1e99999999999",
            ".",
        ] {
            assert_eq!(parse(text, 2), Err("is not a number"), "{text}");
        }
        assert_eq!(parse("1e40", 2), Err("is too large"));
        assert_eq!(parse("0e2000000000", 2), Ok(0));
        assert_eq!(parse("1e-2000000000", 2), Ok(0));
    }
}
