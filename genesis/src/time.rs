//! Times as people write them: RFC 3339 in UTC. CometBFT writes its genesis time so too.

use ballast_types::TimeMs;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

const MS_PER_SECOND: u64 = 1_000;
const SECONDS_PER_DAY: u64 = 86_400;

/// A time in ms since 1970: in JSON a string such as `"2026-12-25T08:00:00Z"`, or that number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub TimeMs);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = format(self.0);
        match parse(&text) {
            Some(time) if time == self.0 => serializer.serialize_str(&text),
            _ => serializer.serialize_u64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time such as \"2026-12-25T08:00:00Z\", or whole ms since 1970")
            }

            fn visit_u64<E: de::Error>(self, ms: u64) -> Result<Time, E> {
                Ok(Time(ms))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
                if !is_whole_ms(text) {
                    let message = format_args!("{text:?} is not a whole number of ms").to_string();
                    return Err(E::custom(message));
                }
                parse(text).map(Time).ok_or_else(|| {
                    E::custom(format_args!(
                        "{text:?} is not a time in UTC such as \"2026-12-25T08:00:00Z\""
                    ))
                })
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// A span of time in ms: in JSON a string such as `"8h"`, `"30m"` or `"7d"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u64);

/// Units of a [`Span`] in ms, the longest first.
const UNITS: [(&str, u64); 4] = [
    ("d", SECONDS_PER_DAY * MS_PER_SECOND),
    ("h", 3_600 * MS_PER_SECOND),
    ("m", 60 * MS_PER_SECOND),
    ("s", MS_PER_SECOND),
];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a span of time such as \"30s\", \"8h\" or \"7d\"");
        let units = [("ms", 1)].into_iter().chain(UNITS);
        let parts = units.filter_map(|(name, ms)| Some((text.strip_suffix(name)?, ms)));
        let (digits, ms) = parts.into_iter().next().ok_or_else(bad)?;
        let whole = digits.bytes().all(|digit| digit.is_ascii_digit());
        let count = digits.parse::<u64>().ok().filter(|_| whole);
        count
            .and_then(|count| count.checked_mul(ms))
            .map(Self)
            .ok_or_else(bad)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, ms): &&(&str, u64)| self.0.is_multiple_of(*ms);
        let (name, ms) = match UNITS.iter().find(fits) {
            Some(unit) if self.0 > 0 => *unit,
            Some(_) => ("s", MS_PER_SECOND),
            None => ("ms", 1),
        };
        write!(f, "{}{name}", self.0 / ms)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Whether nothing but zeros stands behind the third decimal of the seconds.
fn is_whole_ms(text: &str) -> bool {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    fraction
        .trim_end_matches('Z')
        .bytes()
        .skip(3)
        .all(|digit| digit == b'0')
}

/// `2026-11-21T14:19:26.287Z`. Years above 9999 have more than four digits, which [`parse`] does not
/// read.
pub fn format(time: TimeMs) -> String {
    let (seconds, millis) = (time / MS_PER_SECOND, time % MS_PER_SECOND);
    let (year, month, day) = civil_date(seconds / SECONDS_PER_DAY);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The time that `text` names, cut to milliseconds. Only UTC written as `Z` and years from 1970 to
/// 9999 are understood; `None` for anything else.
pub fn parse(text: &str) -> Option<TimeMs> {
    let (whole, fraction) = match text.strip_suffix('Z')?.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (text.strip_suffix('Z')?, "0"),
    };
    let form = "dddd-dd-ddTdd:dd:dd";
    let fits = |(c, form): (char, char)| {
        if form == 'd' {
            c.is_ascii_digit()
        } else {
            c == form
        }
    };
    if whole.len() != form.len() || !whole.chars().zip(form.chars()).all(fits) {
        return None;
    }
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from, to| whole.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let in_range = year >= 1970 && (1..=12).contains(&month) && hour < 24 && minute < 60;
    if !in_range || second >= 60 || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let days = (1970..year).map(days_in_year).sum::<u64>()
        + (1..month)
            .map(|month| days_in_month(year, month))
            .sum::<u64>()
        + (day - 1);
    let millis: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    Some(seconds * MS_PER_SECOND + millis)
}

/// Year, month and day of the day that lies `days` after 1970-01-01.
fn civil_date(days: u64) -> (u64, u64, u64) {
    // The calendar repeats every 400 years.
    const DAYS_PER_ERA: u64 = 146_097;
    let mut year = 1970 + days / DAYS_PER_ERA * 400;
    let mut rest = days % DAYS_PER_ERA;
    while rest >= days_in_year(year) {
        rest -= days_in_year(year);
        year += 1;
    }
    let mut month = 1;
    while rest >= days_in_month(year, month) {
        rest -= days_in_month(year, month);
        month += 1;
    }
    (year, month, rest + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (1_704_067_199_000, "2023-12-31T23:59:59.000Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
            (1_795_270_766_287, "2026-11-21T14:19:26.287Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (13_574_599_200_000, "2400-02-29T10:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ];
        for (ms, text) in table {
            assert_eq!(format(ms), text, "{ms}");
            assert_eq!(parse(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn other_texts_of_a_time() {
        for (text, ms) in [
            ("1970-01-01T00:00:01Z", Some(1_000)),
            ("1970-01-01T00:00:00.5Z", Some(500)),
            ("1970-01-01T00:00:00.123999999Z", Some(123)),
            ("", None),
            ("1970-01-01T00:00:00", None),
            ("1970-01-01T00:00:00.Z", None),
            ("1970-01-01T00:00:00+01:00", None),
            ("1969-12-31T23:59:59Z", None),
            ("2025-02-29T00:00:00Z", None),
            ("2025-13-01T00:00:00Z", None),
            ("2025-00-01T00:00:00Z", None),
            ("2025-01-01T24:00:00Z", None),
            ("2025-01-01 00:00:00Z", None),
            ("\u{664}025-01-01T00:00:0Z", None),
        ] {
            assert_eq!(parse(text), ms, "{text}");
        }
    }

    #[test]
    fn spans_are_read_and_written_in_their_longest_unit() {
        for (text, ms, shortest) in [
            ("0s", 0, "0s"),
            ("250ms", 250, "250ms"),
            ("90s", 90_000, "90s"),
            ("60m", 3_600_000, "1h"),
            ("32h", 115_200_000, "32h"),
            ("7d", 604_800_000, "7d"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(
                (span.0, span.to_string().as_str()),
                (ms, shortest),
                "{text}"
            );
        }
        for text in [
            "",
            "8",
            "h",
            "-1h",
            "1.5h",
            "+1h",
            "1w",
            "8 h",
            "213503982335d",
        ] {
            let error = text.parse::<Span>().unwrap_err();
            assert!(
                error.starts_with(&format!("{text:?} is not a span")),
                "{error}"
            );
        }
    }

    #[test]
    fn any_time_is_read_back_from_json() {
        for (ms, json) in [
            (1_798_185_600_000, "\"2026-12-25T08:00:00.000Z\""),
            (253_402_300_800_000, "253402300800000"),
            (u64::MAX, "18446744073709551615"),
        ] {
            assert_eq!(serde_json::to_string(&Time(ms)).unwrap(), json);
            assert_eq!(serde_json::from_str::<Time>(json).unwrap(), Time(ms));
        }
        let zeros: Time = serde_json::from_str("\"1970-01-01T00:00:00.123000Z\"").unwrap();
        assert_eq!(zeros, Time(123));
    }
}
