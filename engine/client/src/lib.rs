//! The native client: Producer, Consumer, Admin.
#![forbid(unsafe_code)]
