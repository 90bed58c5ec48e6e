//! A stage for groups: a clock, a log that writes when it is told to, and the answers that were given.

use std::collections::HashMap;
use std::sync::Arc;

use ringlog_coordinator::{
    Action, Answer, Change, Coordinator, GroupError, JoinRequest, Joined, MemberClaim, Settings, SyncRequest, Synced,
    Ticket, Token,
};

/// Metadata in these tests is a list of topics, separated by commas.
pub fn topics_of(metadata: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(metadata).ok()?;
    Some(text.split(',').filter(|topic| !topic.is_empty()).map(str::to_owned).collect())
}

pub struct Stage {
    pub coordinator: Coordinator,
    pub now_ms: i64,
    /// Written, in order.
    pub log: Vec<Change>,
    /// On the way to the log.
    pub writing: Vec<(Ticket, Vec<Change>)>,
    pub answers: HashMap<Token, Answer>,
    /// Writes are done at once.
    pub writes_at_once: bool,
    next_token: u64,
}

impl Stage {
    pub fn new() -> Stage {
        Stage::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Stage {
        Stage {
            coordinator: Coordinator::new(settings, topics_of),
            now_ms: 1_000_000,
            log: Vec::new(),
            writing: Vec::new(),
            answers: HashMap::new(),
            writes_at_once: true,
            next_token: 0,
        }
    }

    /// Calls the coordinator for a request, and gives the token by which its answer is found.
    pub fn ask(&mut self, call: impl FnOnce(&mut Coordinator, i64, Token) -> Vec<Action>) -> Token {
        self.next_token += 1;
        let token = Token(self.next_token);
        let actions = call(&mut self.coordinator, self.now_ms, token);
        self.carry_out(actions);
        token
    }

    pub fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Answer(token, answer) => {
                    assert!(self.answers.insert(token, answer).is_none(), "{token:?} was answered twice");
                }
                Action::Write(ticket, changes) => self.writing.push((ticket, changes)),
            }
        }
        if self.writes_at_once {
            self.write_all();
        }
    }

    pub fn write_all(&mut self) {
        while !self.writing.is_empty() {
            self.write_next(Ok(()));
        }
    }

    /// The oldest write ends like this.
    pub fn write_next(&mut self, outcome: Result<(), GroupError>) {
        let (ticket, changes) = self.writing.remove(0);
        if outcome.is_ok() {
            self.log.extend(changes);
        }
        let actions = self.coordinator.written(self.now_ms, &ticket, outcome);
        self.carry_out(actions);
    }

    /// The two oldest writes succeed; the log is told in their order, the coordinator is not.
    pub fn write_two_and_report_the_second_first(&mut self) {
        let written: Vec<(Ticket, Vec<Change>)> = self.writing.drain(..2).collect();
        for (_, changes) in &written {
            self.log.extend(changes.iter().cloned());
        }
        for (ticket, _) in written.iter().rev() {
            let actions = self.coordinator.written(self.now_ms, ticket, Ok(()));
            self.carry_out(actions);
        }
    }

    /// Lets time pass, in steps that end where something is due.
    pub fn pass(&mut self, milliseconds: i64) {
        let end = self.now_ms + milliseconds;
        while let Some(deadline_ms) = self.coordinator.next_deadline().filter(|deadline_ms| *deadline_ms <= end) {
            self.now_ms = deadline_ms.max(self.now_ms);
            let actions = self.coordinator.tick(self.now_ms);
            self.carry_out(actions);
        }
        self.now_ms = end;
    }

    /// What a coordinator knows that has only the log.
    pub fn restarted(&self) -> Coordinator {
        let mut replayed = Coordinator::new(Settings::default(), topics_of);
        self.log.iter().for_each(|change| replayed.load(change.clone()));
        replayed.loaded(self.now_ms);
        replayed
    }

    pub fn join(&mut self, request: JoinRequest) -> Token {
        self.ask(|coordinator, now_ms, token| coordinator.join(now_ms, token, request))
    }

    pub fn sync(&mut self, group: &str, member: MemberClaim, assignments: &[(&str, &str)]) -> Token {
        let assignments = assignments.iter().map(|(id, bytes)| ((*id).to_owned(), bytes.as_bytes().into())).collect();
        let request = SyncRequest { group: group.into(), member, assignments, ..Default::default() };
        self.ask(|coordinator, now_ms, token| coordinator.sync(now_ms, token, request))
    }

    pub fn heartbeat(&mut self, group: &str, member: &MemberClaim) -> Result<(), GroupError> {
        let token = self.ask(|coordinator, now_ms, token| coordinator.heartbeat(now_ms, token, group, member));
        match &self.answers[&token] {
            Answer::Heartbeat(outcome) => *outcome,
            other => panic!("a heartbeat was answered by {other:?}"),
        }
    }

    pub fn joined(&self, token: Token) -> Joined {
        match self.answers.get(&token) {
            Some(Answer::Join(Ok(joined))) => joined.clone(),
            other => panic!("not joined: {other:?}"),
        }
    }

    pub fn refused(&self, token: Token) -> (GroupError, String) {
        match self.answers.get(&token) {
            Some(Answer::Join(Err(refusal))) => refusal.clone(),
            other => panic!("not refused: {other:?}"),
        }
    }

    pub fn synced(&self, token: Token) -> Result<Synced, GroupError> {
        match self.answers.get(&token) {
            Some(Answer::Sync(outcome)) => outcome.clone(),
            other => panic!("no answer to a sync: {other:?}"),
        }
    }

    /// A stable group of members that join without a promised id; gives their claims, the leader first.
    pub fn stable_group(&mut self, group: &str, members: &[&str]) -> Vec<MemberClaim> {
        let tokens: Vec<Token> = members.iter().map(|name| self.join(consumer(group, name))).collect();
        // Who comes later than the first makes the first rebalance wait once more.
        self.pass(6_000);
        let mut claims: Vec<MemberClaim> = tokens.iter().map(|token| claim(&self.joined(*token))).collect();
        let leader = self.joined(tokens[0]).leader;
        claims.sort_by_key(|claim| claim.member_id != leader);
        let assignments: Vec<(String, String)> =
            claims.iter().map(|claim| (claim.member_id.clone(), format!("for {}", claim.member_id))).collect();
        let assignments: Vec<(&str, &str)> = assignments.iter().map(|(id, bytes)| (&**id, &**bytes)).collect();
        for claim in &claims {
            let is_leader = claim.member_id == leader;
            let token = self.sync(group, claim.clone(), if is_leader { &assignments } else { &[] });
            assert_eq!(
                self.synced(token).unwrap().assignment,
                Arc::from(format!("for {}", claim.member_id).as_bytes())
            );
        }
        claims
    }
}

pub fn claim(joined: &Joined) -> MemberClaim {
    MemberClaim { member_id: joined.member_id.clone(), instance_id: None, generation: joined.generation }
}

/// A consumer of the topic `t` that joins for the first time. Its id will be `name-1`.
pub fn consumer(group: &str, name: &str) -> JoinRequest {
    JoinRequest {
        group: group.into(),
        member_id: String::new(),
        instance_id: None,
        client_id: name.into(),
        client_host: "/127.0.0.1".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), Arc::from(&b"t"[..]))],
        needs_known_member_id: false,
        knows_skip_assignment: false,
        unique: "1".into(),
    }
}

/// The same consumer, back with its id.
pub fn again(request: JoinRequest, member_id: &str) -> JoinRequest {
    JoinRequest { member_id: member_id.into(), ..request }
}
