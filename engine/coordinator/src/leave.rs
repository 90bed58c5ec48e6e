//! Members that go: of their own will, or because nothing is heard of them.

use crate::action::LeftMember;
use crate::coordinator::Turn;
use crate::group::{Group, State};
use crate::member::Member;
use crate::{Answer, GroupError, LeavingMember, Token};

/// What members hear that leave a group which does not exist.
pub(crate) fn nobody_known(members: Vec<LeavingMember>) -> Answer {
    let unknown = |member: LeavingMember| LeftMember {
        member_id: member.member_id,
        instance_id: member.instance_id,
        outcome: Err(GroupError::UnknownMemberId),
    };
    Answer::Leave(Ok(members.into_iter().map(unknown).collect()))
}

impl Group {
    pub(crate) fn leave(&mut self, turn: &mut Turn<'_>, token: Token, leaving: Vec<LeavingMember>) {
        if self.state == State::Dead {
            return turn.answer(token, Answer::Leave(Err(GroupError::CoordinatorNotAvailable)));
        }
        let held = self.members.len();
        let mut left = Vec::with_capacity(leaving.len());
        for member in leaving {
            let outcome = self.take_out(turn, &member);
            left.push(LeftMember { member_id: member.member_id, instance_id: member.instance_id, outcome });
        }
        turn.answer(token, Answer::Leave(Ok(left)));
        self.members_gone(turn, self.members.len() < held);
    }

    /// With a member gone the others have to share anew; with a promised id, they may only have been waiting for it.
    fn members_gone(&mut self, turn: &mut Turn<'_>, somebody_left: bool) {
        if somebody_left {
            self.rebalance_or_complete(turn);
        } else {
            self.complete_if_all_joined(turn);
        }
    }

    fn take_out(&mut self, turn: &mut Turn<'_>, leaving: &LeavingMember) -> Result<(), GroupError> {
        if self.promised_ids.remove(&leaving.member_id).is_some() {
            return Ok(());
        }
        let member_id = match &leaving.instance_id {
            // An operator takes a static member out by its instance id alone.
            Some(instance) if leaving.member_id.is_empty() => {
                self.static_member(instance).ok_or(GroupError::UnknownMemberId)?.to_owned()
            }
            instance => {
                self.check_member(&leaving.member_id, instance.as_deref())?;
                leaving.member_id.clone()
            }
        };
        self.remove_member(turn, &member_id);
        Ok(())
    }

    /// Takes a member out; what it was waiting for is answered. The rebalance that this takes is the caller's to begin.
    pub(crate) fn remove_member(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        let Some(member) = self.members.remove(member_id) else { return };
        if let Some(token) = member.awaiting_join {
            turn.refuse_join(token, GroupError::UnknownMemberId, "");
        }
        if let Some(token) = member.awaiting_sync {
            turn.answer(token, Answer::Sync(Err(GroupError::UnknownMemberId)));
        }
        self.unsynced.remove(member_id);
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// Does what is due.
    pub(crate) fn expire(&mut self, turn: &mut Turn<'_>) {
        let now_ms = turn.now_ms;
        self.promised_ids.retain(|_, deadline_ms| *deadline_ms > now_ms);
        let is_late = |member: &&Member| member.expires_at().is_some_and(|at| at <= now_ms);
        let mut late: Vec<String> =
            self.members.values().filter(is_late).map(|member| member.member_id.clone()).collect();
        if matches!(self.state, State::CompletingRebalance | State::Stable) && self.sync_deadline_ms <= now_ms {
            late.extend(self.unsynced.iter().cloned());
        }
        for member_id in &late {
            self.remove_member(turn, member_id);
        }
        match self.state {
            State::PreparingRebalance { deadline_ms, .. } if deadline_ms <= now_ms => self.join_deadline_passed(turn),
            _ => self.members_gone(turn, !late.is_empty()),
        }
    }
}
