//! One member of a group.

use std::sync::Arc;

use crate::{JoinRequest, Token};

/// How long a member that joins for the first time may wait for the rebalance to complete: it sends no heartbeats meanwhile,
/// and may long be gone.
pub(crate) const NEW_MEMBER_JOIN_TIMEOUT_MS: i64 = 300_000;

#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout_ms: i32,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) protocols: Vec<(String, Arc<[u8]>)>,
    pub(crate) assignment: Arc<[u8]>,
    pub(crate) awaiting_join: Option<Token>,
    pub(crate) awaiting_sync: Option<Token>,
    /// Has not completed a rebalance yet.
    pub(crate) is_new: bool,
    /// Taken out when nothing is heard of it until then, unless it waits for an answer of ours.
    pub(crate) deadline_ms: i64,
}

impl Member {
    pub(crate) fn new(now_ms: i64, member_id: String, request: &JoinRequest) -> Self {
        Self {
            member_id,
            instance_id: request.instance_id.clone(),
            client_id: request.client_id.clone(),
            client_host: request.client_host.clone(),
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            protocols: request.protocols.clone(),
            assignment: Arc::default(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: true,
            deadline_ms: now_ms + NEW_MEMBER_JOIN_TIMEOUT_MS,
        }
    }

    pub(crate) fn metadata(&self, protocol: &str) -> Arc<[u8]> {
        self.protocols
            .iter()
            .find(|(name, _)| name == protocol)
            .map(|(_, metadata)| metadata.clone())
            .unwrap_or_default()
    }

    pub(crate) fn knows(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    /// A sign of life.
    pub(crate) fn heard(&mut self, now_ms: i64) {
        self.deadline_ms = now_ms + i64::from(self.session_timeout_ms);
    }

    /// When it is taken out. A member that waits for us can't be late; a new one may only wait so long.
    pub(crate) fn expires_at(&self) -> Option<i64> {
        let waits = self.awaiting_join.is_some() || self.awaiting_sync.is_some();
        (self.is_new || !waits).then_some(self.deadline_ms)
    }
}
