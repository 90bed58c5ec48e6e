//! The broker: shards, connections, one handler per API.
//!
//! [`Server`] starts and stops one. Responses leave in request order; nothing is answered to acks=0; what a connection or the
//! broker as a whole may hold is bounded.
#![forbid(unsafe_code)]

mod acceptor;
mod acls;
mod admission;
mod authorized_operations;
mod broker;
mod budget;
mod clock;
mod config_resource;
mod connection;
mod detached;
mod dispatch;
mod drain;
mod errors;
mod groups;
mod handlers;
mod inbox;
mod io_plan;
mod leadership;
mod limits;
mod log_config;
mod metrics;
mod outbox;
mod quotas;
mod repeats;
mod reply;
mod request;
mod reserve;
mod server;
mod shard;
mod topics;
mod upkeep;

pub use server::{Server, ServerError};
