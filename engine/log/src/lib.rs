//! One partition on disk: append, read, truncate; segments, indexes, recovery, retention, compaction.
#![forbid(unsafe_code)]
