//! What operators are shown of a group.

use std::sync::Arc;

use crate::Coordinator;
use crate::group::State;

/// One group, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable` or `Dead`.
    pub state: &'static str,
    /// `consumer` for consumers; empty without members ever.
    pub protocol_type: String,
    /// The assignor chosen; empty outside of `Stable`.
    pub protocol: String,
    /// Its members.
    pub members: Vec<MemberDescription>,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDescription {
    /// Member id.
    pub member_id: String,
    /// `group.instance.id`.
    pub instance_id: Option<String>,
    /// `client.id`.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// Its metadata for the assignor chosen; empty outside of `Stable`.
    pub metadata: Arc<[u8]>,
    /// Its assignment; empty outside of `Stable`.
    pub assignment: Arc<[u8]>,
}

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupListing {
    /// Group id.
    pub group: Arc<str>,
    /// `consumer` for consumers; empty without members ever.
    pub protocol_type: String,
    /// As in [`GroupDescription`].
    pub state: &'static str,
}

impl Coordinator {
    /// A group's state and members; `None` when there is no such group.
    #[must_use]
    pub fn describe(&self, group: &str) -> Option<GroupDescription> {
        let group = self.groups.get(group)?;
        let protocol = group.protocol.clone().filter(|_| group.state == State::Stable).unwrap_or_default();
        let members = group.members.values().map(|member| MemberDescription {
            member_id: member.member_id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: member.metadata(&protocol),
            assignment: if group.state == State::Stable { member.assignment.clone() } else { Arc::default() },
        });
        Some(GroupDescription {
            state: group.state.name(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            members: members.collect(),
            protocol,
        })
    }

    /// Every group.
    pub fn list(&self) -> impl Iterator<Item = GroupListing> {
        self.groups.values().map(|group| GroupListing {
            group: group.id.clone(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            state: group.state.name(),
        })
    }
}
