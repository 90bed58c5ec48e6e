//! What a broker's groups are configured with.

/// Kafka's names, with dots as underscores; defaults are Kafka's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Shortest session time-out that a member may ask for. Milliseconds.
    pub group_min_session_timeout_ms: i32,
    /// Longest one.
    pub group_max_session_timeout_ms: i32,
    /// How long the first rebalance of an empty group waits for further members. Milliseconds.
    pub group_initial_rebalance_delay_ms: i32,
    /// Most members of a group.
    pub group_max_size: usize,
    /// Longest metadata of a committed offset. Bytes.
    pub offset_metadata_max_bytes: usize,
    /// How long the offsets of a group without members are kept. Milliseconds.
    pub offsets_retention_ms: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            group_min_session_timeout_ms: 6_000,
            group_max_session_timeout_ms: 1_800_000,
            group_initial_rebalance_delay_ms: 3_000,
            group_max_size: i32::MAX as usize,
            offset_metadata_max_bytes: 4_096,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1_000,
        }
    }
}
