//! The load generator and the verification ledger.
#![forbid(unsafe_code)]
