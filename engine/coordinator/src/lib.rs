//! Consumer groups as a state machine: events in, actions out, no clock and no socket.
//!
//! [`Coordinator`] holds all groups of a broker. Each call tells it what happened and when; it answers with [`Action`]s for the
//! shell around it to carry out in order: give an answer to a waiting request, or write [`Change`]s to `__consumer_offsets`.
//! What depends on a write happens when the shell reports it [written](Coordinator::written). Replaying the changes with
//! [`Coordinator::load`] gives the state that they came from.
//!
//! The rules are those of Kafka's classic group protocol: KIP-62 (rebalance time-out), KIP-134 (initial delay), KIP-211 (offset
//! expiry), KIP-345 and KIP-814 (static members), KIP-394 (required member ids), KIP-496 (offset deletion).
#![forbid(unsafe_code)]

mod action;
mod coordinator;
mod describe;
mod error;
mod group;
mod join;
mod leave;
mod load;
mod member;
mod offsets;
mod rebalance;
mod request;
mod settings;
mod sync;

pub use action::{Action, Answer, Change, Joined, JoinedMember, LeftMember, Synced, Ticket, Token};
pub use coordinator::Coordinator;
pub use describe::{GroupDescription, GroupListing, MemberDescription};
pub use error::GroupError;
pub use load::{GroupValue, MemberValue};
pub use offsets::{Committed, OffsetOutcome};
pub use request::{CommitRequest, JoinRequest, LeaveRequest, LeavingMember, MemberClaim, OffsetToCommit, SyncRequest};
pub use settings::Settings;
