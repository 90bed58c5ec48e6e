//! A rebalance, from its cause to the next generation.

use crate::coordinator::Turn;
use crate::group::{Group, InitialDelay, State, Then};
use crate::{Answer, GroupError};

impl Group {
    /// Members have changed: begins a rebalance, or goes on with the one that is under way.
    pub(crate) fn rebalance_or_complete(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Empty | State::CompletingRebalance | State::Stable => self.prepare_rebalance(turn),
            State::PreparingRebalance { .. } => self.complete_if_all_joined(turn),
            State::Dead => {}
        }
    }

    /// Asks everybody to join again, and waits.
    pub(crate) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        self.refuse_syncs(turn, GroupError::RebalanceInProgress);
        self.unsynced.clear();
        let timeout_ms = self.rebalance_timeout_ms();
        let state = if self.state == State::Empty {
            let delay_ms = i64::from(turn.settings.group_initial_rebalance_delay_ms);
            let initial = InitialDelay { left_ms: (timeout_ms - delay_ms).max(0), member_came: false };
            State::PreparingRebalance { deadline_ms: turn.now_ms + delay_ms, initial: Some(initial) }
        } else {
            State::PreparingRebalance { deadline_ms: turn.now_ms + timeout_ms, initial: None }
        };
        self.enter(turn.now_ms, state);
        self.complete_if_all_joined(turn);
    }

    pub(crate) fn complete_if_all_joined(&mut self, turn: &mut Turn<'_>) {
        let State::PreparingRebalance { initial: None, .. } = self.state else { return };
        if self.promised_ids.is_empty() && self.members.values().all(|member| member.awaiting_join.is_some()) {
            self.complete_rebalance(turn);
        }
    }

    /// The wait for members is over, if it was not the first wait and somebody came during it.
    pub(crate) fn join_deadline_passed(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::PreparingRebalance { initial: Some(InitialDelay { left_ms, member_came: true }), .. }
                if left_ms > 0 =>
            {
                let delay_ms = i64::from(turn.settings.group_initial_rebalance_delay_ms).min(left_ms);
                let initial = Some(InitialDelay { left_ms: left_ms - delay_ms, member_came: false });
                self.state = State::PreparingRebalance { deadline_ms: turn.now_ms + delay_ms, initial };
            }
            _ => self.complete_rebalance(turn),
        }
    }

    /// The next generation: of those who have joined, and of static members whose session has not ended.
    fn complete_rebalance(&mut self, turn: &mut Turn<'_>) {
        let late =
            self.members.values().filter(|member| member.awaiting_join.is_none() && member.instance_id.is_none());
        for member_id in late.map(|member| member.member_id.clone()).collect::<Vec<_>>() {
            self.remove_member(turn, &member_id);
        }
        let has_joined = |id: &String| self.members.get(id).is_some_and(|member| member.awaiting_join.is_some());
        if !self.leader.as_ref().is_some_and(has_joined) {
            let joined = self.members.values().find(|member| member.awaiting_join.is_some());
            match joined.map(|member| member.member_id.clone()) {
                Some(next) => self.leader = Some(next),
                // Static members only, and none is back: their sessions decide.
                None if !self.members.is_empty() => {
                    let deadline_ms = turn.now_ms + self.rebalance_timeout_ms().max(1);
                    self.state = State::PreparingRebalance { deadline_ms, initial: None };
                    return;
                }
                None => self.leader = None,
            }
        }
        self.generation = self.generation.saturating_add(1);
        self.protocol = self.elect_protocol();
        if self.members.is_empty() {
            self.enter(turn.now_ms, State::Empty);
            return self.write_group(turn, |member| member.assignment.clone(), Then::Nothing);
        }
        self.enter(turn.now_ms, State::CompletingRebalance);
        self.unsynced = self.members.keys().cloned().collect();
        self.sync_deadline_ms = turn.now_ms + self.rebalance_timeout_ms();
        let member_ids: Vec<String> = self.members.keys().cloned().collect();
        for member_id in member_ids {
            let joined = self.joined(&member_id);
            let Some(member) = self.members.get_mut(&member_id) else { continue };
            member.heard(turn.now_ms);
            member.is_new = false;
            if let Some(token) = member.awaiting_join.take() {
                turn.answer(token, Answer::Join(Ok(joined)));
            }
        }
    }

    /// Each member votes for the first of its protocols that all know. Among equals, the leader's order decides.
    pub(crate) fn elect_protocol(&self) -> Option<String> {
        let all_know = |name: &str| self.members.values().all(|member| member.knows(name));
        let vote = |member: &crate::member::Member| {
            member.protocols.iter().map(|(name, _)| name.clone()).find(|name| all_know(name))
        };
        let votes: Vec<String> = self.members.values().filter_map(vote).collect();
        let leader =
            self.leader.as_ref().and_then(|leader| self.members.get(leader)).or(self.members.values().next())?;
        let candidates = leader.protocols.iter().map(|(name, _)| name).filter(|name| all_know(name));
        let count = |name: &String| votes.iter().filter(|vote| *vote == name).count();
        // `max_by_key` gives the last of equals: the leader's favourite has to come last.
        candidates.rev().max_by_key(|name| count(name)).cloned()
    }

    pub(crate) fn refuse_syncs(&mut self, turn: &mut Turn<'_>, error: GroupError) {
        for member in self.members.values_mut() {
            if let Some(token) = member.awaiting_sync.take() {
                // While it waited for us its session stood still.
                member.heard(turn.now_ms);
                turn.answer(token, Answer::Sync(Err(error)));
            }
        }
    }
}
