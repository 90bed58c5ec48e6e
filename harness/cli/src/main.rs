//! The ringbench command: measure, verify, report.
#![forbid(unsafe_code)]

fn main() {}
