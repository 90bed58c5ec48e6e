//! Numbers as people read them: as many digits as say something.

use ringbench_stats::Interval;

use crate::chart::named;

/// 1234567 as 1,234,567.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Where there is no figure.
pub(crate) const DASH: &str = "–";

/// Three digits, and all of a larger number, in groups of three.
#[must_use]
pub fn digits(value: f64) -> String {
    match value {
        value if value.is_nan() => DASH.to_owned(),
        value if value >= 99.95 => grouped(value.round() as u64),
        value if value >= 9.995 => format!("{value:.1}"),
        value if value >= 0.9995 || value == 0.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

/// [`digits`], or a dash.
pub(crate) fn or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| DASH.to_owned(), digits)
}

/// Microseconds with the unit that suits.
pub(crate) fn time(us: Option<f64>) -> String {
    match us {
        None => DASH.to_owned(),
        Some(us) if us >= 999_500.0 => format!("{} s", digits(us / 1e6)),
        Some(us) if us >= 999.5 => format!("{} ms", digits(us / 1e3)),
        Some(us) => format!("{} µs", digits(us)),
    }
}

/// From when it was due, and in brackets from when it was sent; a dash without the former.
pub(crate) fn due_and_sent(due_us: Option<f64>, sent_us: Option<f64>) -> String {
    due_us.map_or_else(|| DASH.to_owned(), |due| format!("{} ({})", time(Some(due)), time(sent_us)))
}

/// A round value of microseconds, without needless digits.
pub(crate) fn time_mark(us: f64) -> String {
    match us {
        us if us >= 1e6 => format!("{} s", named(us / 1e6)),
        us if us >= 1e3 => format!("{} ms", named(us / 1e3)),
        us => format!("{} µs", named(us)),
    }
}

/// `median (low–high)`.
pub(crate) fn with_bounds(interval: &Interval) -> String {
    if interval.runs == 1 {
        return format!("{} (one run)", digits(interval.median));
    }
    format!("{} ({}–{})", digits(interval.median), digits(interval.low), digits(interval.high))
}

/// Bytes in the largest binary unit that divides them.
pub(crate) fn bytes(bytes: usize) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_say_something() {
        assert_eq!(
            [1_234_567.0, 99.96, 12.34, 1.0, 0.0123, 0.0].map(digits),
            ["1,234,567", "100", "12.3", "1.00", "0.012", "0.00"]
        );
        assert_eq!([Some(3.21), Some(4_320.0), Some(2e6), None].map(time), ["3.21 µs", "4.32 ms", "2.00 s", "–"]);
        assert_eq!([100, 4096, 1 << 20, 1536].map(bytes), ["100 B", "4 KiB", "1 MiB", "1536 B"]);
    }
}
