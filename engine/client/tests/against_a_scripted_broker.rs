//! The client against a broker that does what each test says, over loopback.
#![allow(clippy::unwrap_used, reason = "a test fails by it, its helpers too")]

#[path = "scripted/admin.rs"]
mod admin;
#[path = "scripted/admin_replicas.rs"]
mod admin_replicas;
#[path = "scripted/admin_transactions.rs"]
mod admin_transactions;
#[path = "scripted/broker.rs"]
mod broker;
#[path = "scripted/connection.rs"]
mod connection;
#[path = "scripted/consumer.rs"]
mod consumer;
#[path = "scripted/producer.rs"]
mod producer;
#[path = "scripted/transactions.rs"]
mod transactions;
