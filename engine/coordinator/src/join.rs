//! Joining: who gets in, under which id, and whether that takes a rebalance.

use std::sync::Arc;

use crate::action::Joined;
use crate::coordinator::Turn;
use crate::group::{Group, State, Then};
use crate::member::Member;
use crate::{Answer, GroupError, JoinRequest, Token};

impl Group {
    pub(crate) fn join(&mut self, turn: &mut Turn<'_>, token: Token, request: JoinRequest) {
        if self.state == State::Dead {
            return turn.refuse_join(token, GroupError::CoordinatorNotAvailable, &request.member_id);
        }
        if !self.has_room_for(&request.member_id, turn.settings.group_max_size) {
            return self.turn_away(turn, token, &request.member_id);
        }
        if !self.takes_protocols(&request.protocol_type, &request.protocols) {
            return turn.refuse_join(token, GroupError::InconsistentGroupProtocol, &request.member_id);
        }
        if request.member_id.is_empty() {
            self.join_without_id(turn, token, request);
        } else if request.instance_id.is_none() && self.promised_ids.contains_key(&request.member_id) {
            self.add_member(turn, token, request.member_id.clone(), &request);
        } else if let Err(error) = self.check_member(&request.member_id, request.instance_id.as_deref()) {
            turn.refuse_join(token, error, &request.member_id);
        } else {
            self.join_again(turn, token, &request);
        }
    }

    fn has_room_for(&self, member_id: &str, limit: usize) -> bool {
        let member = self.members.get(member_id);
        let (is_in, held) = match self.state {
            State::Empty | State::Dead => return true,
            State::PreparingRebalance { .. } => {
                let joining = self.members.values().filter(|member| member.awaiting_join.is_some()).count();
                (member.is_some_and(|member| member.awaiting_join.is_some()), joining)
            }
            State::CompletingRebalance | State::Stable => (member.is_some(), self.members.len()),
        };
        is_in || held < limit
    }

    /// There is no room, not even for a member of the last generation that comes too late: the others need not wait for it.
    fn turn_away(&mut self, turn: &mut Turn<'_>, token: Token, member_id: &str) {
        self.promised_ids.remove(member_id);
        self.remove_member(turn, member_id);
        turn.refuse_join(token, GroupError::GroupMaxSizeReached, "");
        self.complete_if_all_joined(turn);
    }

    /// Whether there would still be an assignor that all members know.
    fn takes_protocols(&self, protocol_type: &str, protocols: &[(String, Arc<[u8]>)]) -> bool {
        if protocol_type.is_empty() || protocols.is_empty() {
            return false;
        }
        let all_know = |name: &str| self.members.values().all(|member| member.knows(name));
        self.state == State::Empty
            || (self.protocol_type.as_deref() == Some(protocol_type)
                && protocols.iter().any(|(name, _)| all_know(name)))
    }

    fn join_without_id(&mut self, turn: &mut Turn<'_>, token: Token, request: JoinRequest) {
        let prefix = request.instance_id.as_ref().unwrap_or(&request.client_id);
        let member_id = format!("{prefix}-{}", request.unique);
        match &request.instance_id {
            Some(instance) => match self.static_member(instance).map(str::to_owned) {
                Some(current) => self.replace_static_member(turn, token, &current, member_id, &request),
                None => self.add_member(turn, token, member_id, &request),
            },
            None if request.needs_known_member_id => {
                // The id comes back at once, or its owner never got it: then nothing has to be undone (KIP-394).
                let deadline_ms = turn.now_ms + i64::from(request.session_timeout_ms);
                self.promised_ids.insert(member_id.clone(), deadline_ms);
                turn.refuse_join(token, GroupError::MemberIdRequired, &member_id);
            }
            None => self.add_member(turn, token, member_id, &request),
        }
    }

    fn add_member(&mut self, turn: &mut Turn<'_>, token: Token, member_id: String, request: &JoinRequest) {
        self.promised_ids.remove(&member_id);
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
        }
        if let State::PreparingRebalance { initial: Some(initial), .. } = &mut self.state {
            initial.member_came = true;
        }
        self.leader.get_or_insert_with(|| member_id.clone());
        let mut member = Member::new(turn.now_ms, member_id.clone(), request);
        member.awaiting_join = Some(token);
        self.members.insert(member_id, member);
        self.rebalance_or_complete(turn);
    }

    /// A member that is in the group joins: because of a rebalance, because its answer got lost, or because it wants one.
    fn join_again(&mut self, turn: &mut Turn<'_>, token: Token, request: &JoinRequest) {
        let is_leader = self.is_leader(&request.member_id);
        let Some(member) = self.members.get_mut(&request.member_id) else { return };
        let unchanged = member.protocols == request.protocols;
        match self.state {
            State::CompletingRebalance if unchanged => {
                member.heard(turn.now_ms);
                let joined = self.joined(&request.member_id);
                turn.answer(token, Answer::Join(Ok(joined)));
            }
            // The leader joins again when it has seen that topics or partitions have changed.
            State::Stable if unchanged && !is_leader => {
                member.heard(turn.now_ms);
                let joined = self.joined(&request.member_id);
                turn.answer(token, Answer::Join(Ok(joined)));
            }
            State::Empty | State::Dead => turn.refuse_join(token, GroupError::UnknownMemberId, &request.member_id),
            State::PreparingRebalance { .. } | State::CompletingRebalance | State::Stable => {
                let earlier = member.rejoin(token, request);
                if let Some(earlier) = earlier {
                    // Its connection is gone, or the client would not have asked again.
                    turn.refuse_join(earlier, GroupError::RebalanceInProgress, &request.member_id);
                }
                self.rebalance_or_complete(turn);
            }
        }
    }

    /// A static member is back, without the id it had: it takes the place of what it was before (KIP-345).
    fn replace_static_member(
        &mut self,
        turn: &mut Turn<'_>,
        token: Token,
        current: &str,
        member_id: String,
        request: &JoinRequest,
    ) {
        let Some(mut member) = self.members.remove(current) else { return };
        if let Some(earlier) = member.awaiting_join.take() {
            turn.refuse_join(earlier, GroupError::FencedInstanceId, current);
        }
        if let Some(earlier) = member.awaiting_sync.take() {
            turn.answer(earlier, Answer::Sync(Err(GroupError::FencedInstanceId)));
        }
        let was_leader = self.is_leader(current);
        if was_leader {
            self.leader = Some(member_id.clone());
        }
        if self.unsynced.remove(current) {
            self.unsynced.insert(member_id.clone());
        }
        member.member_id.clone_from(&member_id);
        member.client_id.clone_from(&request.client_id);
        member.client_host.clone_from(&request.client_host);
        member.is_new = false;
        member.rejoin(token, request);
        member.heard(turn.now_ms);
        self.members.insert(member_id.clone(), member);
        if self.state != State::Stable || self.elect_protocol() != self.protocol {
            return self.rebalance_or_complete(turn);
        }
        // Nothing changes for the others: no rebalance.
        if let Some(member) = self.members.get_mut(&member_id) {
            member.awaiting_join = None;
        }
        let mut joined = self.joined(&member_id);
        if was_leader && request.knows_skip_assignment {
            joined.skip_assignment = true;
        } else if was_leader {
            // An older client would assign anew if it knew that it leads (KIP-814).
            joined.leader = current.to_owned();
            joined.members.clear();
        }
        self.write_group(turn, |member| member.assignment.clone(), Then::Rejoined { token, joined });
    }

    pub(crate) fn rejoined(
        &mut self,
        turn: &mut Turn<'_>,
        token: Token,
        joined: Joined,
        outcome: Result<(), GroupError>,
    ) {
        match outcome {
            Ok(()) => turn.answer(token, Answer::Join(Ok(joined))),
            Err(error) => {
                turn.refuse_join(token, error, &joined.member_id);
                // The log knows the member by its former id: the next generation is written whole.
                if self.members.contains_key(&joined.member_id) {
                    self.rebalance_or_complete(turn);
                }
            }
        }
    }
}

impl Member {
    /// Takes over what a member brings when it joins again; gives the request that it had waiting. Its deadline stays: a
    /// member that waits has none, and that of a new one runs from its first request.
    fn rejoin(&mut self, token: Token, request: &JoinRequest) -> Option<Token> {
        self.protocols.clone_from(&request.protocols);
        self.session_timeout_ms = request.session_timeout_ms;
        self.rebalance_timeout_ms = request.rebalance_timeout_ms;
        self.awaiting_join.replace(token)
    }
}
