//! The broker: shards, connections, one handler per API, metrics.
#![forbid(unsafe_code)]
