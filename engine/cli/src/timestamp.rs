//! Points in time as users write and read them: RFC 3339, or milliseconds since the epoch.

use std::time::{SystemTime, UNIX_EPOCH};

/// Reads `2026-11-21T02:11:54.123Z`, with another offset such as `+01:00`, without a time (midnight) or without an
/// offset (UTC); or milliseconds since the epoch.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let wrong = || format!("'{text}' is no time: write 2026-11-21T02:11:54Z, 2026-11-21, or milliseconds since 1970");
    if let Ok(ms) = text.parse::<i64>() {
        return Ok(ms);
    }
    let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00:00Z"));
    let mut numbers = date.splitn(3, '-').map(str::parse::<i64>);
    let mut next = || numbers.next().and_then(Result::ok);
    let (year, month, day) = (next().ok_or_else(wrong)?, next().ok_or_else(wrong)?, next().ok_or_else(wrong)?);
    let days = days_from_civil(year, month, day).ok_or_else(wrong)?;
    let (clock, offset_minutes) = split_offset(time).ok_or_else(wrong)?;
    let clock_ms = parse_clock(clock).ok_or_else(wrong)?;
    Ok(days * DAY_MS + clock_ms - offset_minutes * 60_000)
}

/// Reads how long ago, as `30s`, `15m`, `2h` or `7d`: the milliseconds since the epoch that it was then.
pub(crate) fn parse_ago(text: &str) -> Result<i64, String> {
    let wrong = || format!("'{text}' is no age: write 30s, 15m, 2h or 7d");
    let unit_ms = match text.chars().last() {
        Some('s') => 1000,
        Some('m') => 60_000,
        Some('h') => 3_600_000,
        Some('d') => DAY_MS,
        _ => return Err(wrong()),
    };
    let count: u32 = text.get(..text.len() - 1).and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64);
    Ok((now_ms - i64::from(count) * unit_ms).max(0))
}

/// `2026-11-21T02:11:54.123Z`; `-` for a record without a timestamp.
pub(crate) fn format(ms: i64) -> String {
    if ms < 0 {
        return "-".to_owned();
    }
    let (year, month, day) = civil_from_days(ms / DAY_MS);
    let (second, rest) = (ms % DAY_MS / 1000, ms % 1000);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:03}Z")
}

const DAY_MS: i64 = 86_400_000;

/// A clock's text, and the minutes that it is ahead of UTC.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let (clock, offset) = time.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes) = (hours.parse::<i64>().ok()?, minutes.parse::<i64>().ok()?);
    (hours < 24 && minutes < 60).then_some((clock, sign * (hours * 60 + minutes)))
}

fn parse_clock(clock: &str) -> Option<i64> {
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut numbers = clock.splitn(3, ':').map(|number| number.parse::<i64>().ok());
    let (hour, minute, second) = (numbers.next()??, numbers.next()??, numbers.next().unwrap_or(Some(0))?);
    // Three digits, whatever was written: a tenth is 100 ms.
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let ms = digits.parse::<i64>().ok()?;
    let valid = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    valid.then_some(((hour * 60 + minute) * 60 + second) * 1000 + ms)
}

/// Days since 1970-01-01 of a date in the Gregorian calendar: years counted from March, so that the leap day comes
/// last.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era_year, era) = (shifted % 400, shifted / 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + era_year * 365 + era_year / 4 - era_year / 100 + day_of_year - 719_468;
    // The 31st of a month of 30 days is none.
    (civil_from_days(days) == (year, month, day)).then_some(days)
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_is_read_in_all_its_forms() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2026-11-21T02:11:54.123Z", 1_795_227_114_123),
            ("2026-11-21T03:11:54.123+01:00", 1_795_227_114_123),
            ("2026-11-20T21:41:54.1-04:30", 1_795_227_114_100),
            ("2026-11-21", 1_795_219_200_000),
            ("2026-11-21 02:11", 1_795_227_060_000),
            ("1795227114123", 1_795_227_114_123),
        ] {
            assert_eq!(parse(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "yesterday", "2026-13-01", "2026-02-29", "2026-01-01T25:00:00Z", "2026-01-01T1Z", "2026-11"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_day_is_shown_as_it_is_read() {
        for day in 0..80_000 {
            let ms = day * DAY_MS + 12_345_678;
            assert_eq!(parse(&format(ms)), Ok(ms));
        }
        assert_eq!(format(1_795_227_114_123), "2026-11-21T02:11:54.123Z");
    }

    #[test]
    fn an_age_is_counted_back_from_now() {
        let now = || parse_ago("0s").unwrap();
        for (text, ms) in [("30s", 30_000), ("15m", 900_000), ("2h", 7_200_000), ("7d", 7 * DAY_MS)] {
            let (before, then, after) = (now(), parse_ago(text).unwrap(), now());
            assert!((before..=after).contains(&(then + ms)), "{text}");
        }
        for text in ["", "7", "d", "-7d", "7 d", "1w"] {
            assert!(parse_ago(text).unwrap_err().contains("is no age"), "{text}");
        }
    }
}
