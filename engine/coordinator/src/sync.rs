//! Assignments, from the leader to everybody; and heartbeats.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::action::Synced;
use crate::coordinator::Turn;
use crate::group::{Group, State, Then};
use crate::{Answer, GroupError, MemberClaim, SyncRequest, Token};

impl Group {
    pub(crate) fn sync(&mut self, turn: &mut Turn<'_>, token: Token, request: SyncRequest) {
        if let Err(error) = self.check_sync(&request) {
            return turn.answer(token, Answer::Sync(Err(error)));
        }
        let member_id = &request.member.member_id;
        let (protocol_type, protocol) = (self.protocol_type.clone(), self.protocol.clone());
        let Some(member) = self.members.get_mut(member_id) else { return };
        member.heard(turn.now_ms);
        self.unsynced.remove(member_id);
        if self.state == State::Stable {
            let synced = Synced { protocol_type, protocol, assignment: member.assignment.clone() };
            return turn.answer(token, Answer::Sync(Ok(synced)));
        }
        if let Some(earlier) = member.awaiting_sync.replace(token) {
            // Its connection is gone, or the client would not have asked again.
            turn.answer(earlier, Answer::Sync(Err(GroupError::RebalanceInProgress)));
        }
        // A leader that asks twice must not have the log say something else than what its members are told.
        if self.is_leader(member_id) && !self.is_assigning() {
            let assignments: BTreeMap<String, Arc<[u8]>> = request.assignments.into_iter().collect();
            let generation = self.generation;
            let given = assignments.clone();
            let then = Then::Assign { generation, assignments };
            self.write_group(turn, |member| given.get(&member.member_id).cloned().unwrap_or_default(), then);
        }
    }

    fn check_sync(&self, request: &SyncRequest) -> Result<(), GroupError> {
        self.check_claim(&request.member)?;
        let fits = |given: &Option<String>, own: &Option<String>| given.is_none() || given == own;
        if !fits(&request.protocol_type, &self.protocol_type) || !fits(&request.protocol, &self.protocol) {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        match self.state {
            State::Empty => Err(GroupError::UnknownMemberId),
            State::PreparingRebalance { .. } => Err(GroupError::RebalanceInProgress),
            State::CompletingRebalance | State::Stable => Ok(()),
            State::Dead => Err(GroupError::CoordinatorNotAvailable),
        }
    }

    /// The leader's assignment is written: everybody who asks gets theirs. Members that it left out get an empty one.
    pub(crate) fn assign(
        &mut self,
        turn: &mut Turn<'_>,
        generation: i32,
        assignments: &BTreeMap<String, Arc<[u8]>>,
        outcome: Result<(), GroupError>,
    ) {
        if self.state != State::CompletingRebalance || self.generation != generation {
            return;
        }
        if let Err(error) = outcome {
            self.refuse_syncs(turn, error);
            return self.prepare_rebalance(turn);
        }
        self.enter(turn.now_ms, State::Stable);
        for member in self.members.values_mut() {
            member.assignment = assignments.get(&member.member_id).cloned().unwrap_or_default();
            if let Some(token) = member.awaiting_sync.take() {
                member.heard(turn.now_ms);
                let (protocol_type, protocol) = (self.protocol_type.clone(), self.protocol.clone());
                let synced = Synced { protocol_type, protocol, assignment: member.assignment.clone() };
                turn.answer(token, Answer::Sync(Ok(synced)));
            }
        }
    }

    pub(crate) fn heartbeat(&mut self, turn: &mut Turn<'_>, token: Token, claim: &MemberClaim) {
        let outcome = self.check_claim(claim).and_then(|()| {
            if let Some(member) = self.members.get_mut(&claim.member_id) {
                member.heard(turn.now_ms);
            }
            match self.state {
                State::PreparingRebalance { .. } => Err(GroupError::RebalanceInProgress),
                State::Empty | State::Dead => Err(GroupError::UnknownMemberId),
                State::CompletingRebalance | State::Stable => Ok(()),
            }
        });
        turn.answer(token, Answer::Heartbeat(outcome));
    }
}
