//! Durations as people read them.

use std::time::Duration;

/// `45 s`, `12 min`, `7 h 50 min`.
pub(crate) fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..100 => format!("{seconds} s"),
        100..5_970 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h {} min", (seconds + 30) / 3600, (seconds + 30) % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_the_unit_that_suits() {
        let said = [45, 99, 150, 3_600, 28_200].map(|seconds| words(Duration::from_secs(seconds)));
        assert_eq!(said, ["45 s", "99 s", "3 min", "60 min", "7 h 50 min"]);
    }
}
