//! Tests of the broker with other people's clients, unmodified and pinned.
#![forbid(unsafe_code)]
