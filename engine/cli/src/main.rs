//! The ringlog command: serve, and the operator's tools.
#![forbid(unsafe_code)]

fn main() {}
