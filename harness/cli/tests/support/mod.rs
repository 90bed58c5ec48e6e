//! A broker of a test's own, and what stands between it and its clients.
#![allow(dead_code, reason = "every test uses its own part")]

pub(crate) mod broker;
pub(crate) mod proxy;
