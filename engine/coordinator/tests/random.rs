//! Members that do what they like, writes that end when and how they like: the promises hold all the same.
//! Replay a failure with `RINGLOG_SEED=<seed> cargo test -p ringlog-coordinator --test random`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "each test file uses its part")]
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ringlog_coordinator::{
    Action, Answer, CommitRequest, GroupError, JoinRequest, Joined, LeaveRequest, LeavingMember, MemberClaim,
    OffsetToCommit, SyncRequest, Token,
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
}

struct World {
    stage: Stage,
    dice: Dice,
    clients: Vec<Client>,
    asked: BTreeSet<Token>,
    /// Of each generation: its leader, its protocol, and who was told of it.
    generations: BTreeMap<i32, (String, Option<String>, BTreeSet<String>)>,
    unique: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let mut stage = Stage::new();
        stage.writes_at_once = false;
        let clients = (0..5).map(|number| Client {
            generation: -1,
            instance: (number == 4).then(|| "static".to_owned()),
            ..Default::default()
        });
        World {
            stage,
            dice: Dice(seed | 1),
            clients: clients.collect(),
            asked: BTreeSet::new(),
            generations: BTreeMap::new(),
            unique: 0,
        }
    }

    fn step(&mut self) {
        let client = self.dice.roll(5) as usize;
        match self.dice.roll(12) {
            0..=2 if self.clients[client].waiting.is_none() => self.join(client),
            3..=4 if self.clients[client].waiting.is_none() => self.sync(client),
            5 => self.heartbeat(client),
            6 => self.commit(client),
            7 if self.dice.roll(4) == 0 => self.leave(client),
            8 => self.write(),
            9 => {
                let milliseconds = [1, 500, 3_000, 12_000][self.dice.roll(4) as usize];
                self.stage.pass(milliseconds);
            }
            10 if self.dice.roll(20) == 0 => {
                let actions = self.stage.coordinator.expire_offsets(self.stage.now_ms);
                self.stage.carry_out(actions);
            }
            11 if self.dice.roll(30) == 0 => {
                let token = self.ask(|coordinator, now_ms, token| coordinator.delete_group(now_ms, token, "g"));
                self.asked.insert(token);
            }
            _ => self.write(),
        }
        self.hear();
        if self.stage.coordinator.describe("g").is_none() {
            // Deleted or forgotten: the next group of that name counts anew.
            self.generations.clear();
        }
    }

    fn ask(&mut self, call: impl FnOnce(&mut ringlog_coordinator::Coordinator, i64, Token) -> Vec<Action>) -> Token {
        let token = self.stage.ask(call);
        self.asked.insert(token);
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
            ..consumer("g", "c")
        };
        let token = self.ask(|coordinator, now_ms, token| coordinator.join(now_ms, token, request));
        self.clients[client].waiting = Some(token);
    }

    fn sync(&mut self, client: usize) {
        let Client { member_id, generation, leads, instance, .. } = &self.clients[client];
        let assignments = leads.iter().map(|id| (id.clone(), Arc::from(id.as_bytes()))).collect();
        let member =
            MemberClaim { member_id: member_id.clone(), instance_id: instance.clone(), generation: *generation };
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
        self.ask(|coordinator, now_ms, token| coordinator.heartbeat(now_ms, token, "g", &claim));
    }

    fn commit(&mut self, client: usize) {
        let offset = self.dice.roll(1_000) as i64;
        let partition = self.dice.roll(3) as i32;
        let metadata = String::new();
        let offsets = vec![OffsetToCommit { topic: "t".into(), partition, offset, leader_epoch: -1, metadata }];
        let request = CommitRequest { group: "g".into(), member: self.claim(client), retention_ms: None, offsets };
        self.ask(|coordinator, now_ms, token| coordinator.commit(now_ms, token, request));
    }

    fn leave(&mut self, client: usize) {
        let Client { member_id, instance, .. } = &self.clients[client];
        let members = vec![LeavingMember { member_id: member_id.clone(), instance_id: instance.clone() }];
        let request = LeaveRequest { group: "g".into(), members };
        self.ask(|coordinator, now_ms, token| coordinator.leave(now_ms, token, request));
    }

    fn write(&mut self) {
        if !self.stage.writing.is_empty() {
            self.stage.write_next(Ok(()));
        }
    }

    /// Clients read their answers; what they are told has to fit together.
    fn hear(&mut self) {
        for (token, answer) in self.stage.answers.drain().collect::<BTreeMap<_, _>>() {
            assert!(self.asked.remove(&token), "{token:?} was answered though nobody asks");
            let Some(client) = self.clients.iter_mut().find(|client| client.waiting == Some(token)) else { continue };
            client.waiting = None;
            match answer {
                Answer::Join(Ok(joined)) => {
                    client.member_id.clone_from(&joined.member_id);
                    client.generation = joined.generation;
                    client.leads = joined.members.iter().map(|member| member.member_id.clone()).collect();
                    check_generation(&mut self.generations, &joined);
                }
                Answer::Join(Err((GroupError::MemberIdRequired, member_id))) => client.member_id = member_id,
                Answer::Join(Err(_))
                | Answer::Sync(Err(GroupError::UnknownMemberId | GroupError::FencedInstanceId)) => {
                    client.member_id.clear();
                }
                Answer::Sync(Ok(synced)) => {
                    // Members get what the leader gave them, or nothing: never somebody else's.
                    let own = [&*client.member_id, ""].map(str::as_bytes);
                    let fits = own.contains(&&*synced.assignment) || client.instance.is_some();
                    assert!(fits, "{} was assigned {:?}", client.member_id, synced.assignment);
                }
                _ => {}
            }
        }
    }

    /// Everybody falls silent: every question is answered, and the log gives the state back.
    fn end(mut self) {
        self.stage.write_all();
        self.stage.pass(10_000_000);
        self.stage.write_all();
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

fn check_generation(generations: &mut BTreeMap<i32, (String, Option<String>, BTreeSet<String>)>, joined: &Joined) {
    let (leader, protocol, _) = generations
        .entry(joined.generation)
        .or_insert_with(|| (joined.leader.clone(), joined.protocol.clone(), BTreeSet::new()));
    assert_eq!(*protocol, joined.protocol, "one protocol in generation {}", joined.generation);
    if !joined.members.is_empty() {
        assert_eq!(joined.leader, joined.member_id, "only the leader hears of everybody");
        assert!(joined.members.iter().any(|member| member.member_id == joined.leader), "the leader is a member");
    }
    // A static leader that came back has another id in the same generation.
    if !leader.starts_with("static") && !joined.leader.starts_with("static") {
        assert_eq!(*leader, joined.leader, "one leader in generation {}", joined.generation);
    }
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
