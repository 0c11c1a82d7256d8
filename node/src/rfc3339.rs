//! Times as CometBFT writes them in its genesis and headers: RFC 3339 in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ballast_genesis::time;

/// `2026-11-21T14:19:26.287Z`, cut to milliseconds. Times before 1970 are given as 1970.
pub fn format(time: SystemTime) -> String {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    time::format(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// The time that `text` names, cut to milliseconds. Only UTC written as `Z` and years from 1970 to
/// 9999 are understood; `None` for anything else.
pub fn parse(text: &str) -> Option<SystemTime> {
    time::parse(text).map(|ms| UNIX_EPOCH + Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_to_milliseconds() {
        let text = "2026-11-21T14:19:26.287Z";
        let time = UNIX_EPOCH + Duration::from_micros(1_795_270_766_287_999);
        assert_eq!(format(time), text);
        assert_eq!(parse(text), Some(time - Duration::from_micros(999)));
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(format(before), "1970-01-01T00:00:00.000Z");
        assert_eq!(parse("1969-12-31T23:59:59Z"), None);
    }
}
