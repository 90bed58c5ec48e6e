//! The clocks: the wall's, as Kafka's timestamps count it, and one that never steps back, for sessions and deadlines.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01 UTC.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// What the wall's clock said when this was first asked, and the time that has passed since: whoever sets the wall's clock
/// neither ends a member's session nor prolongs it.
pub(crate) fn steady_ms() -> i64 {
    static BEGUN: LazyLock<(i64, Instant)> = LazyLock::new(|| (now_ms(), Instant::now()));
    let (wall_ms, begun) = *BEGUN;
    wall_ms.saturating_add(i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_tell_the_same_time_of_day() {
        assert!((steady_ms() - now_ms()).abs() < 60_000);
    }
}
