//! Members that do what they like, writes that end when and how they like, restarts at any time: the promises hold all the
//! same.
//! Replay a failure with `RINGLOG_SEED=<seed> cargo test -p ringlog-coordinator --test random`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "each test file uses its part")]
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ringlog_coordinator::{
    Action, Answer, Change, CommitRequest, GroupError, GroupValue, JoinRequest, Joined, LeaveRequest, LeavingMember,
    MemberClaim, OffsetToCommit, Settings, SyncRequest, Token,
};
use stage::{Stage, consumer};

/// xorshift64*: enough to wander about, and the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % sides
    }
}

/// A client: what it knows, and what it waits for.
#[derive(Default)]
struct Client {
    member_id: String,
    generation: i32,
    leads: Vec<String>,
    instance: Option<String>,
    waiting: Option<Token>,
    phase: Phase,
}

/// What a client that behaves does next.
#[derive(Default, Clone, Copy)]
enum Phase {
    #[default]
    Join,
    Sync,
    Consume,
}

/// What members were told of a generation.
struct Generation {
    leader: String,
    protocol: Option<String>,
    /// Who was told of it.
    told: BTreeSet<String>,
    /// Everybody, as the leader was told.
    members: Vec<String>,
}

struct World {
    stage: Stage,
    dice: Dice,
    /// Of all members: nobody waits longer for others.
    rebalance_timeout_ms: i32,
    /// The log gets to its writes at once, mostly; or a while later, all together.
    is_log_quick: bool,
    clients: Vec<Client>,
    /// Questions without an answer, and when they were asked.
    asked: BTreeMap<Token, i64>,
    /// How much of the log has been checked, and the generation that it has come to.
    checked: usize,
    written_generation: i32,
    /// The last write of the group's members failed: the log is allowed to know an older state of them.
    is_log_behind: bool,
    generations: BTreeMap<i32, Generation>,
    /// Completed before the last restart: who was told of it is forgotten.
    restored_generation: i32,
    unique: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let mut stage = Stage::with(settings());
        stage.writes_at_once = false;
        let mut dice = Dice(seed | 1);
        let clients = (0..=dice.roll(6)).map(|number| Client {
            generation: -1,
            // Two that take each other for a zombie.
            instance: (number % 3 == 2).then(|| "static".to_owned()),
            ..Default::default()
        });
        World {
            stage,
            rebalance_timeout_ms: if dice.roll(2) == 0 { 5_000 } else { 60_000 },
            is_log_quick: dice.roll(2) == 0,
            dice,
            clients: clients.collect(),
            asked: BTreeMap::new(),
            checked: 0,
            written_generation: 0,
            is_log_behind: false,
            generations: BTreeMap::new(),
            restored_generation: 0,
            unique: 0,
        }
    }

    fn step(&mut self) {
        let client = self.dice.roll(self.clients.len() as u64) as usize;
        match self.dice.roll(20) {
            14.. => self.behave(client),
            0..=2 if self.clients[client].waiting.is_none() => self.join(client),
            3..=4 if self.clients[client].waiting.is_none() => self.sync(client),
            5 => self.heartbeat(client),
            6 => self.commit(client),
            7 if self.dice.roll(4) == 0 => self.leave(client),
            8 => (0..self.dice.roll(20)).for_each(|_| self.write()),
            9 => {
                let milliseconds = [1, 500, 3_000, 12_000][self.dice.roll(4) as usize];
                self.stage.pass(milliseconds);
            }
            10 if self.dice.roll(5) == 0 => {
                let actions = self.stage.coordinator.expire_offsets(self.stage.now_ms);
                self.stage.carry_out(actions);
            }
            11 if self.dice.roll(30) == 0 => {
                self.ask(|coordinator, now_ms, token| coordinator.delete_group(now_ms, token, "g"));
            }
            12 if self.dice.roll(10) == 0 => self.drop_offsets(),
            // Its connection breaks: it asks again, while the broker still has its first question.
            13 if self.dice.roll(3) == 0 => self.clients[client].waiting = None,
            13 if self.dice.roll(20) == 0 && self.stage.writing.is_empty() => self.restart(),
            _ if self.is_log_quick => self.write(),
            _ => {}
        }
        self.hear();
        if self.stage.coordinator.describe("g").is_none() {
            // Deleted or forgotten: the next group of that name counts anew.
            self.generations.clear();
        }
    }

    fn behave(&mut self, client: usize) {
        match self.clients[client].phase {
            _ if self.clients[client].waiting.is_some() => {}
            Phase::Join => self.join(client),
            Phase::Sync => self.sync(client),
            Phase::Consume if self.dice.roll(2) == 0 => self.heartbeat(client),
            Phase::Consume => self.commit(client),
        }
    }

    fn ask(&mut self, call: impl FnOnce(&mut ringlog_coordinator::Coordinator, i64, Token) -> Vec<Action>) -> Token {
        let token = self.stage.ask(call);
        self.asked.insert(token, self.stage.now_ms);
        token
    }

    fn join(&mut self, client: usize) {
        self.unique += 1;
        let protocols = [&["range"][..], &["sticky", "range"], &["range", "sticky"]][self.dice.roll(3) as usize];
        let request = JoinRequest {
            member_id: self.clients[client].member_id.clone(),
            instance_id: self.clients[client].instance.clone(),
            needs_known_member_id: self.dice.roll(2) == 0,
            knows_skip_assignment: self.dice.roll(2) == 0,
            protocols: protocols.iter().map(|name| ((*name).to_owned(), Arc::from(&b"t"[..]))).collect(),
            unique: self.unique.to_string(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            ..consumer("g", "c")
        };
        let token = self.ask(|coordinator, now_ms, token| coordinator.join(now_ms, token, request));
        self.clients[client].waiting = Some(token);
    }

    fn sync(&mut self, client: usize) {
        let member = self.claim(client);
        // A leader may leave members out, and decide otherwise when it asks again.
        let given = self.clients[client].leads.iter().filter(|_| self.dice.roll(4) > 0);
        let assignments = given.map(|id| (id.clone(), Arc::from(id.as_bytes()))).collect();
        let request = SyncRequest { group: "g".into(), member, assignments, ..Default::default() };
        let token = self.ask(|coordinator, now_ms, token| coordinator.sync(now_ms, token, request));
        self.clients[client].waiting = Some(token);
    }

    fn claim(&self, client: usize) -> MemberClaim {
        let Client { member_id, generation, instance, .. } = &self.clients[client];
        MemberClaim { member_id: member_id.clone(), instance_id: instance.clone(), generation: *generation }
    }

    fn heartbeat(&mut self, client: usize) {
        let claim = self.claim(client);
        let token = self.ask(|coordinator, now_ms, token| coordinator.heartbeat(now_ms, token, "g", &claim));
        self.clients[client].waiting.get_or_insert(token);
    }

    fn commit(&mut self, client: usize) {
        let offset = self.dice.roll(1_000) as i64;
        let partition = self.dice.roll(3) as i32;
        let metadata = String::new();
        let offsets = vec![OffsetToCommit { topic: "t".into(), partition, offset, leader_epoch: -1, metadata }];
        let is_simple = self.dice.roll(4) == 0;
        let member = if is_simple { MemberClaim { generation: -1, ..Default::default() } } else { self.claim(client) };
        let request = CommitRequest { group: "g".into(), member, retention_ms: None, offsets };
        self.ask(|coordinator, now_ms, token| coordinator.commit(now_ms, token, request));
    }

    fn leave(&mut self, client: usize) {
        let Client { member_id, instance, .. } = &self.clients[client];
        let members = vec![LeavingMember { member_id: member_id.clone(), instance_id: instance.clone() }];
        let request = LeaveRequest { group: "g".into(), members };
        self.ask(|coordinator, now_ms, token| coordinator.leave(now_ms, token, request));
    }

    /// Offsets go because an operator wants it, or because their topic is deleted.
    fn drop_offsets(&mut self) {
        if self.dice.roll(2) == 0 {
            let offsets = vec![("t".into(), 0), ("t".into(), 1)];
            self.ask(|coordinator, now_ms, token| coordinator.delete_offsets(now_ms, token, "g", offsets));
        } else {
            let actions = self.stage.coordinator.topic_deleted(self.stage.now_ms, "t");
            self.stage.carry_out(actions);
        }
    }

    fn write(&mut self) {
        match (self.stage.writing.len(), self.dice.roll(10)) {
            (0, _) => {}
            (2.., 0) => {
                self.is_log_behind &= !self.stage.writing[..2].iter().any(|(_, changes)| tells_of_members(changes));
                self.stage.write_two_and_report_the_second_first();
            }
            (_, 1) => {
                self.is_log_behind |= tells_of_members(&self.stage.writing[0].1);
                self.stage.write_next(Err(GroupError::CoordinatorNotAvailable));
            }
            _ => {
                self.is_log_behind &= !tells_of_members(&self.stage.writing[0].1);
                self.stage.write_next(Ok(()));
            }
        }
        self.check_log();
    }

    /// The broker comes back with what its log says; who was waiting hears nothing, and asks again.
    fn restart(&mut self) {
        self.stage.coordinator = self.stage.restarted();
        self.stage.coordinator.update_settings(settings());
        self.is_log_behind = false;
        self.asked.clear();
        self.clients.iter_mut().for_each(|client| client.waiting = None);
        // Generations that were not written are counted anew.
        self.generations.clear();
        self.restored_generation = self.written_generation;
    }

    /// A group's generation never falls, and its leader is one of its members.
    fn check_log(&mut self) {
        for change in &self.stage.log[self.checked..] {
            match change {
                Change::Group { value: Some(GroupValue { generation, leader, members, .. }), .. } => {
                    assert!(*generation >= self.written_generation, "{generation} after {}", self.written_generation);
                    self.written_generation = *generation;
                    let leads = |leader: &String| members.iter().any(|member| member.member_id == *leader);
                    assert_eq!(leader.as_ref().is_some_and(leads), !members.is_empty(), "{leader:?} of {members:?}");
                }
                Change::Group { value: None, .. } => {
                    (self.written_generation, self.restored_generation) = (0, 0);
                    self.generations.clear();
                }
                Change::Offset { .. } => {}
            }
        }
        self.checked = self.stage.log.len();
    }

    fn check_nobody_waits_too_long(&self) {
        for (token, asked_ms) in &self.asked {
            let waited_ms = self.stage.now_ms - asked_ms;
            assert!(
                !self.stage.writing.is_empty() || waited_ms <= i64::from(self.rebalance_timeout_ms),
                "{token:?} waits for {waited_ms} ms"
            );
        }
    }

    /// Clients read their answers; what they are told has to fit together.
    fn hear(&mut self) {
        for (token, answer) in self.stage.answers.drain().collect::<BTreeMap<_, _>>() {
            assert!(self.asked.remove(&token).is_some(), "{token:?} was answered though nobody asks");
            if let Answer::Join(Ok(joined)) = &answer {
                note_generation(&mut self.generations, joined);
            }
            let Some(client) = self.clients.iter_mut().find(|client| client.waiting == Some(token)) else { continue };
            client.waiting = None;
            client.hear(answer);
        }
        for (number, generation) in self.generations.range(self.restored_generation + 1..) {
            generation.check(*number);
        }
    }

    /// Everybody falls silent: every question is answered, and the log gives the state back.
    fn end(mut self) {
        self.stage.writes_at_once = true;
        self.stage.write_all();
        let before = self.stage.log.len();
        self.stage.pass(10_000_000);
        self.is_log_behind &= !tells_of_members(&self.stage.log[before..]);
        self.hear();
        assert!(self.asked.is_empty(), "never answered: {:?}", self.asked);
        self.check_replay();
    }

    fn check_replay(&self) {
        let replayed = self.stage.restarted();
        let offsets = |coordinator: &ringlog_coordinator::Coordinator| {
            coordinator
                .all_committed("g")
                .map(|(topic, partition, c)| (topic.clone(), partition, c.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(offsets(&replayed), offsets(&self.stage.coordinator), "offsets live and replayed");
        if self.is_log_behind {
            return;
        }
        // A group that has never had members is no more than its offsets and the ids that it has promised.
        let settled = |group: &ringlog_coordinator::GroupDescription| {
            matches!(group.state, "Stable" | "Empty") && !group.protocol_type.is_empty()
        };
        let live = self.stage.coordinator.describe("g").filter(settled);
        if let Some(live) = live {
            assert_eq!(replayed.describe("g"), Some(live), "group live and replayed");
        }
    }
}

fn tells_of_members(changes: &[Change]) -> bool {
    changes.iter().any(|change| matches!(change, Change::Group { .. }))
}

impl Client {
    fn hear(&mut self, answer: Answer) {
        match answer {
            Answer::Join(Ok(joined)) => {
                self.member_id = joined.member_id;
                self.generation = joined.generation;
                self.leads = joined.members.into_iter().map(|member| member.member_id).collect();
                self.phase = Phase::Sync;
            }
            Answer::Sync(Ok(synced)) => {
                // Members get what the leader gave them, or nothing: never somebody else's.
                let own = [&*self.member_id, ""].map(str::as_bytes);
                let fits = own.contains(&&*synced.assignment) || self.instance.is_some();
                assert!(fits, "{} was assigned {:?}", self.member_id, synced.assignment);
                self.phase = Phase::Consume;
            }
            Answer::Join(Err((GroupError::MemberIdRequired, member_id))) => self.member_id = member_id,
            Answer::Join(Err(_))
            | Answer::Sync(Err(GroupError::UnknownMemberId | GroupError::FencedInstanceId))
            | Answer::Heartbeat(Err(GroupError::UnknownMemberId | GroupError::FencedInstanceId)) => {
                self.member_id.clear();
                self.phase = Phase::Join;
            }
            Answer::Sync(Err(_)) | Answer::Heartbeat(Err(_)) => self.phase = Phase::Join,
            _ => {}
        }
    }
}

fn note_generation(generations: &mut BTreeMap<i32, Generation>, joined: &Joined) {
    let generation = generations.entry(joined.generation).or_insert_with(|| Generation {
        leader: joined.leader.clone(),
        protocol: joined.protocol.clone(),
        told: BTreeSet::new(),
        members: Vec::new(),
    });
    generation.told.insert(joined.member_id.clone());
    assert_eq!(generation.protocol, joined.protocol, "one protocol in generation {}", joined.generation);
    // A static leader that came back has another id in the same generation.
    if !is_static(&generation.leader) && !is_static(&joined.leader) {
        assert_eq!(generation.leader, joined.leader, "one leader in generation {}", joined.generation);
    }
    if !joined.members.is_empty() {
        assert_eq!(joined.leader, joined.member_id, "only the leader hears of everybody");
        generation.members = joined.members.iter().map(|member| member.member_id.clone()).collect();
        assert!(generation.members.contains(&joined.leader), "the leader is a member");
    }
}

impl Generation {
    /// Nobody is in it who does not know; but static members may be away for a while.
    fn check(&self, number: i32) {
        assert!(self.told.contains(&self.leader), "{} leads generation {number} and was not told", self.leader);
        let unaware = self.members.iter().find(|member| !is_static(member) && !self.told.contains(*member));
        assert_eq!(unaware, None, "is in generation {number} and was not told");
    }
}

fn is_static(member_id: &str) -> bool {
    member_id.starts_with("static")
}

/// Offsets expire soon enough to be seen.
fn settings() -> Settings {
    Settings { offsets_retention_ms: 20_000, ..Settings::default() }
}

fn seeds() -> Vec<u64> {
    match std::env::var("RINGLOG_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..300).map(|number| 0x9E37_79B9 * (number + 1)).collect(),
    }
}

#[test]
fn whatever_members_do_everybody_is_answered_and_the_log_gives_the_state_back() {
    for seed in seeds() {
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..400 {
                world.step();
                world.check_nobody_waits_too_long();
                if world.stage.writing.is_empty() {
                    world.check_replay();
                }
            }
            world.end();
        });
        if let Err(panic) = run {
            eprintln!("replay with RINGLOG_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
