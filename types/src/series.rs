//! Which options a series lists: expiries, strikes and symbols.

use crate::{Cadence, MarketKind, MarketSpec, OptionKind, SeriesSpec, TimeMs};

const DAY_MS: u64 = 86_400_000;
/// 1970-01-01 was a Thursday: days since then that are 1 modulo 7 are Fridays.
const FRIDAY: u64 = 1;

/// Year, month (1 to 12) and day of a day since 1970-01-01, in the Gregorian calendar.
///
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let leaps = day_of_era
        .saturating_sub(day_of_era.div_euclid(1_460))
        .saturating_add(day_of_era.div_euclid(36_524))
        .saturating_sub(day_of_era.div_euclid(146_096));
    let year_of_era = leaps.div_euclid(365);
    let before = year_of_era
        .saturating_mul(365)
        .saturating_add(year_of_era.div_euclid(4))
        .saturating_sub(year_of_era.div_euclid(100));
    let day_of_year = day_of_era.saturating_sub(before);
    // Years begin in March here.
    let shifted = day_of_year
        .saturating_mul(5)
        .saturating_add(2)
        .div_euclid(153);
    let first = shifted.saturating_mul(153).saturating_add(2).div_euclid(5);
    let day = day_of_year.saturating_sub(first).saturating_add(1);
    let month = if shifted < 10 {
        shifted.saturating_add(3)
    } else {
        shifted.saturating_sub(9)
    };
    let year = era
        .saturating_mul(400)
        .saturating_add(year_of_era)
        .saturating_add(u64::from(month <= 2));
    (year, month, day)
}

/// Whether the day, a Friday, is the last one of a month whose number is a multiple of `months`.
fn is_last_friday(day: u64, months: u8) -> bool {
    let (_, month, _) = civil(day);
    let (_, next, _) = civil(day.saturating_add(7));
    let divides = month.checked_rem(u64::from(months)) == Some(0);
    divides && next != month
}

impl Cadence {
    /// The first times after `time`, ascending; as many as the cadence lists.
    pub fn after(&self, time: TimeMs) -> Vec<TimeMs> {
        match *self {
            Self::Every {
                period_ms,
                offset_ms,
                count,
            } => {
                let period = period_ms.max(1);
                let whole = time.saturating_sub(offset_ms).div_euclid(period);
                let start = whole.saturating_mul(period).saturating_add(offset_ms);
                let times = (0..=u64::from(count))
                    .map(|step| start.saturating_add(step.saturating_mul(period)));
                times
                    .filter(|at| *at > time)
                    .take(usize::from(count))
                    .collect()
            }
            Self::LastFriday {
                months,
                offset_ms,
                count,
            } => {
                // At most twelve months lie between two of them.
                let last = u64::from(count).saturating_mul(54).saturating_add(54);
                let today = time.div_euclid(DAY_MS);
                let weekday = today.rem_euclid(7);
                let to_friday = FRIDAY
                    .saturating_add(7)
                    .saturating_sub(weekday)
                    .rem_euclid(7);
                let friday = today.saturating_add(to_friday);
                let days = (0..last).map(|week| friday.saturating_add(week.saturating_mul(7)));
                days.filter(|day| is_last_friday(*day, months))
                    .map(|day| day.saturating_mul(DAY_MS).saturating_add(offset_ms))
                    .filter(|at| *at > time)
                    .take(usize::from(count))
                    .collect()
            }
        }
    }
}

impl SeriesSpec {
    /// When its options expire, seen at `time`: all cadences together, ascending, each once.
    pub fn expiries(&self, time: TimeMs) -> Vec<TimeMs> {
        let mut expiries: Vec<_> = self.cadences.iter().flat_map(|c| c.after(time)).collect();
        expiries.sort_unstable();
        expiries.dedup();
        expiries
    }

    /// The market of one of its options; `strike` in the scale of the group, of `price_digits`.
    pub fn market(
        &self,
        expiry: TimeMs,
        strike: i64,
        kind: OptionKind,
        price_digits: u8,
    ) -> MarketSpec {
        let (year, month, day) = civil(expiry.div_euclid(DAY_MS));
        let in_day = expiry.rem_euclid(DAY_MS).div_euclid(1_000);
        let (hour, minute, second) = (
            in_day.div_euclid(3_600),
            in_day.div_euclid(60).rem_euclid(60),
            in_day.rem_euclid(60),
        );
        // The customary hour is left out.
        let clock = if (hour, minute, second) == (8, 0, 0) {
            String::new()
        } else {
            format!("T{hour:02}{minute:02}{second:02}")
        };
        let letter = match kind {
            OptionKind::Call => 'C',
            OptionKind::Put => 'P',
        };
        let name = &self.market.symbol;
        let strike_text = decimal(strike, price_digits);
        MarketSpec {
            symbol: format!("{name}-{year:04}{month:02}{day:02}{clock}-{strike_text}-{letter}"),
            kind: MarketKind::Option {
                expiry,
                strike,
                kind,
            },
            ..self.market.clone()
        }
    }
}

/// Distance of strikes: the largest of 1, 2 and 5 times a power of ten that is not above
/// `index * step_ppm / 1,000,000`, at least 1; in the scale of `index`.
pub fn strike_step(index: i64, step_ppm: u32) -> i64 {
    let wanted = i128::from(index.max(0))
        .saturating_mul(i128::from(step_ppm))
        .div_euclid(1_000_000);
    let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
    let mut step: i64 = 1;
    let mut power: i64 = 1;
    loop {
        for factor in [1_i64, 2, 5] {
            match power.checked_mul(factor) {
                Some(next) if next <= wanted => step = next,
                _ => return step,
            }
        }
        match power.checked_mul(10) {
            Some(next) => power = next,
            None => return step,
        }
    }
}

/// A price as a decimal without zeros at its end.
fn decimal(price: i64, digits: u8) -> String {
    let unit = 10_u64.saturating_pow(u32::from(digits));
    let price = price.unsigned_abs();
    let whole = price.checked_div(unit).unwrap_or(0);
    let part = price.checked_rem(unit).unwrap_or(0);
    if part == 0 {
        return whole.to_string();
    }
    let part = format!("{part:0width$}", width = usize::from(digits));
    format!("{whole}.{}", part.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    /// 2026-11-21 00:00:00 UTC, a Saturday.
    const SATURDAY: u64 = 1_795_219_200_000;

    fn day(time: TimeMs) -> (u64, u64, u64) {
        civil(time / DAY_MS)
    }

    #[test]
    fn cadences_follow_the_calendar() {
        let daily = Cadence::Every {
            period_ms: DAY_MS,
            offset_ms: 8 * HOUR,
            count: 3,
        };
        let days: Vec<_> = daily.after(SATURDAY).into_iter().map(day).collect();
        assert_eq!(days, [(2026, 11, 21), (2026, 11, 22), (2026, 11, 23)]);
        // At the very moment it is over.
        assert_eq!(day(daily.after(SATURDAY + 8 * HOUR)[0]), (2026, 11, 22));
        let weekly = Cadence::Every {
            period_ms: 7 * DAY_MS,
            offset_ms: DAY_MS + 8 * HOUR,
            count: 2,
        };
        let fridays: Vec<_> = weekly.after(SATURDAY).into_iter().map(day).collect();
        assert_eq!(fridays, [(2026, 11, 27), (2026, 12, 4)]);
        let last = |months, count| Cadence::LastFriday {
            months,
            offset_ms: 8 * HOUR,
            count,
        };
        let months: Vec<_> = last(1, 4).after(SATURDAY).into_iter().map(day).collect();
        assert_eq!(
            months,
            [(2026, 11, 27), (2026, 12, 25), (2027, 1, 29), (2027, 2, 26)]
        );
        let quarters: Vec<_> = last(3, 3).after(SATURDAY).into_iter().map(day).collect();
        assert_eq!(quarters, [(2026, 12, 25), (2027, 3, 26), (2027, 6, 25)]);
        // On the Friday itself, before and after the hour.
        let friday = SATURDAY + 6 * DAY_MS;
        assert_eq!(day(last(1, 1).after(friday)[0]), (2026, 11, 27));
        assert_eq!(day(last(1, 1).after(friday + 8 * HOUR)[0]), (2026, 12, 25));
    }

    #[test]
    fn civil_days_round_trip_over_two_centuries() {
        let mut day = 0;
        for year in 1970..2170 {
            for month in 1..=12 {
                let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                let length = match month {
                    2 => 28 + u64::from(leap),
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                };
                for of in 1..=length {
                    assert_eq!(civil(day), (year, month, of));
                    day += 1;
                }
            }
        }
    }

    #[test]
    fn strike_steps_are_round() {
        for (index, ppm, step) in [
            (100_000, 25_000, 2_000),
            (99_999, 10_000, 500),
            (100_000, 10_000, 1_000),
            (3, 10_000, 1),
            (i64::MAX, 1_000_000, 5_000_000_000_000_000_000),
            (0, 1, 1),
        ] {
            assert_eq!(strike_step(index, ppm), step, "{index} {ppm}");
        }
    }

    #[test]
    fn strikes_are_written_as_decimals() {
        assert_eq!(decimal(100_000_000, 3), "100000");
        assert_eq!(decimal(1_500, 3), "1.5");
        assert_eq!(decimal(5, 3), "0.005");
    }
}
