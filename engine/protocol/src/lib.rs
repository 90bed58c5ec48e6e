//! The Kafka wire codec: sans-IO, bounded, borrowing.
#![forbid(unsafe_code)]
