//! Record batches (format v2): read, validate, patch, build; CRC-32C; capped compression.
#![forbid(unsafe_code)]
