//! Members come, stay, and go.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "each test file uses its part")]
mod stage;

use std::sync::Arc;

use ringlog_coordinator::{
    Answer, Coordinator, GroupError, JoinRequest, LeaveRequest, LeavingMember, LeftMember, MemberClaim, Settings,
    SyncRequest,
};
use stage::{Stage, again, claim, consumer};

fn leaving(member_id: &str, instance_id: Option<&str>) -> LeavingMember {
    LeavingMember { member_id: member_id.into(), instance_id: instance_id.map(str::to_owned) }
}

fn leave(stage: &mut Stage, group: &str, members: Vec<LeavingMember>) -> Vec<Result<(), GroupError>> {
    let request = LeaveRequest { group: group.into(), members };
    let token = stage.ask(|coordinator, now_ms, token| coordinator.leave(now_ms, token, request));
    match &stage.answers[&token] {
        Answer::Leave(Ok(left)) => left.iter().map(|LeftMember { outcome, .. }| *outcome).collect(),
        other => panic!("{other:?}"),
    }
}

fn static_consumer(group: &str, instance: &str, unique: &str) -> JoinRequest {
    JoinRequest { instance_id: Some(instance.into()), unique: unique.into(), ..consumer(group, instance) }
}

#[test]
fn a_first_rebalance_waits_for_members_and_again_while_they_come() {
    let mut stage = Stage::new();
    let first = stage.join(consumer("g", "a"));
    stage.pass(2_900);
    let second = stage.join(consumer("g", "b"));
    stage.pass(2_900);
    assert!(stage.answers.is_empty(), "three more seconds for whoever else may come");
    stage.pass(200);
    let (first, second) = (stage.joined(first), stage.joined(second));
    assert_eq!((first.generation, second.generation), (1, 1));
    assert_eq!((&*first.leader, &*second.leader), ("a-1", "a-1"));
    assert_eq!(first.members.len(), 2, "the leader hears of everybody");
    assert!(second.members.is_empty());
}

#[test]
fn a_first_rebalance_never_waits_longer_than_the_rebalance_timeout() {
    let mut stage = Stage::new();
    let first = stage.join(JoinRequest { rebalance_timeout_ms: 5_000, ..consumer("g", "a") });
    for name in ["b", "c", "d", "e"] {
        stage.pass(1_500);
        stage.join(JoinRequest { rebalance_timeout_ms: 5_000, ..consumer("g", name) });
    }
    assert_eq!(stage.joined(first).members.len(), 4);
}

#[test]
fn a_member_without_an_id_is_given_one_and_comes_back_with_it() {
    let mut stage = Stage::new();
    let request = JoinRequest { needs_known_member_id: true, ..consumer("g", "a") };
    let token = stage.join(request.clone());
    assert_eq!(stage.refused(token), (GroupError::MemberIdRequired, "a-1".into()));
    let token = stage.join(again(request.clone(), "a-1"));
    stage.pass(3_000);
    assert_eq!(stage.joined(token).member_id, "a-1");
    let stranger = stage.join(again(request, "b-1"));
    assert_eq!(stage.refused(stranger).0, GroupError::UnknownMemberId);
}

#[test]
fn an_id_that_is_not_taken_up_expires() {
    let mut stage = Stage::new();
    stage.join(JoinRequest { needs_known_member_id: true, ..consumer("g", "a") });
    assert_eq!(stage.coordinator.list().count(), 1);
    stage.pass(10_000);
    let late = stage.join(again(consumer("g", "a"), "a-1"));
    assert_eq!(stage.refused(late).0, GroupError::UnknownMemberId);
    let actions = stage.coordinator.expire_offsets(stage.now_ms);
    assert_eq!((actions.len(), stage.coordinator.list().count()), (0, 0), "a group that was never anything is dropped");
}

#[test]
fn a_rebalance_waits_for_a_promised_member() {
    let mut stage = Stage::new();
    let members = stage.stable_group("g", &["a"]);
    let request = JoinRequest { needs_known_member_id: true, ..consumer("g", "b") };
    stage.join(request.clone());
    let rejoin = stage.join(JoinRequest {
        protocols: vec![("range".into(), Arc::from(&b"t,u"[..]))],
        ..again(consumer("g", "a"), &members[0].member_id)
    });
    assert!(!stage.answers.contains_key(&rejoin));
    let second = stage.join(again(request, "b-1"));
    assert_eq!(stage.joined(rejoin).members.len(), 2);
    assert_eq!(stage.joined(second).generation, 2);
}

#[test]
fn bad_joins_are_refused_by_name() {
    let mut stage = Stage::with(Settings { group_max_size: 1, ..Settings::default() });
    let refusals = [
        (JoinRequest { group: String::new(), ..consumer("g", "a") }, GroupError::InvalidGroupId),
        (JoinRequest { session_timeout_ms: 5_999, ..consumer("g", "a") }, GroupError::InvalidSessionTimeout),
        (JoinRequest { session_timeout_ms: 1_800_001, ..consumer("g", "a") }, GroupError::InvalidSessionTimeout),
        (JoinRequest { protocol_type: String::new(), ..consumer("g", "a") }, GroupError::InconsistentGroupProtocol),
        (JoinRequest { protocols: vec![], ..consumer("g", "a") }, GroupError::InconsistentGroupProtocol),
        (again(consumer("g", "a"), "never-seen"), GroupError::UnknownMemberId),
    ];
    for (request, error) in refusals {
        let token = stage.join(request.clone());
        assert_eq!(stage.refused(token).0, error, "{request:?}");
    }
    assert_eq!(stage.coordinator.list().count(), 0, "a refused join leaves no group behind");
    stage.stable_group("g", &["a"]);
    let another_type = JoinRequest { protocol_type: "connect".into(), ..again(consumer("g", "a"), "a-1") };
    let unknown_assignor =
        JoinRequest { protocols: vec![("mine".into(), Arc::default())], ..again(consumer("g", "a"), "a-1") };
    for request in [another_type, unknown_assignor] {
        let token = stage.join(request);
        assert_eq!(stage.refused(token).0, GroupError::InconsistentGroupProtocol);
    }
    let token = stage.join(consumer("g", "b"));
    assert_eq!(stage.refused(token), (GroupError::GroupMaxSizeReached, String::new()));
}

#[test]
fn the_assignor_is_the_one_most_members_want_among_those_all_know() {
    let mut stage = Stage::new();
    let wants = |name: &str, assignors: &[&str]| JoinRequest {
        protocols: assignors.iter().map(|assignor| ((*assignor).to_owned(), Arc::default())).collect(),
        ..consumer("g", name)
    };
    let token = stage.join(wants("a", &["only-a", "range", "sticky"]));
    stage.join(wants("b", &["sticky", "range"]));
    stage.join(wants("c", &["sticky", "range"]));
    stage.pass(60_000);
    assert_eq!(stage.joined(token).protocol.as_deref(), Some("sticky"));
}

#[test]
fn a_member_that_joins_or_leaves_makes_the_others_join_again() {
    let mut stage = Stage::new();
    let members = stage.stable_group("g", &["a", "b"]);
    assert_eq!(stage.heartbeat("g", &members[0]), Ok(()));
    let third = stage.join(consumer("g", "c"));
    assert_eq!(stage.heartbeat("g", &members[0]), Err(GroupError::RebalanceInProgress));
    let first = stage.join(again(consumer("g", "a"), "a-1"));
    let second = stage.join(again(consumer("g", "b"), "b-1"));
    let generations = [first, second, third].map(|token| stage.joined(token).generation);
    assert_eq!(generations, [2, 2, 2], "complete as soon as all are there");
    assert_eq!(stage.heartbeat("g", &members[0]), Err(GroupError::IllegalGeneration));
    assert_eq!(leave(&mut stage, "g", vec![leaving("c-1", None)]), [Ok(())]);
    assert_eq!(stage.heartbeat("g", &claim(&stage.joined(first))), Err(GroupError::RebalanceInProgress));
}

#[test]
fn a_silent_member_is_taken_out_after_its_session() {
    let mut stage = Stage::new();
    let members = stage.stable_group("g", &["a", "b"]);
    for _ in 0..4 {
        stage.pass(3_000);
        assert!(matches!(stage.heartbeat("g", &members[0]), Ok(()) | Err(GroupError::RebalanceInProgress)));
    }
    assert_eq!(stage.coordinator.describe("g").unwrap().state, "PreparingRebalance");
    assert_eq!(stage.heartbeat("g", &members[1]), Err(GroupError::UnknownMemberId));
    let rejoin = stage.join(again(consumer("g", "a"), "a-1"));
    assert_eq!(stage.joined(rejoin).members.len(), 1);
}

#[test]
fn a_member_that_does_not_rejoin_in_time_is_left_behind_and_the_leader_replaced() {
    let mut stage = Stage::new();
    let members = stage.stable_group("g", &["a", "b"]);
    stage.join(consumer("g", "c"));
    let follower = stage.join(again(consumer("g", "b"), "b-1"));
    for _ in 0..20 {
        stage.pass(3_000);
        // It lives, but does not join: its rebalance time-out decides.
        let _ = stage.heartbeat("g", &members[0]);
    }
    let joined = stage.joined(follower);
    assert_eq!((joined.generation, &*joined.leader), (2, "b-1"));
    assert_eq!(stage.heartbeat("g", &members[0]), Err(GroupError::UnknownMemberId));
}

#[test]
fn a_leader_that_never_syncs_is_taken_out_and_the_others_hear_of_it() {
    let mut stage = Stage::new();
    let tokens = ["a", "b"].map(|name| stage.join(consumer("g", name)));
    stage.pass(6_000);
    let [leader, follower] = tokens.map(|token| claim(&stage.joined(token)));
    let waiting = stage.sync("g", follower.clone(), &[]);
    for _ in 0..20 {
        stage.pass(3_000);
        let _ = stage.heartbeat("g", &leader);
    }
    assert_eq!(stage.synced(waiting), Err(GroupError::RebalanceInProgress));
    assert_eq!(stage.heartbeat("g", &leader), Err(GroupError::UnknownMemberId));
    assert_eq!(stage.heartbeat("g", &follower), Err(GroupError::RebalanceInProgress));
}

#[test]
fn members_that_the_leader_forgot_get_an_empty_assignment() {
    let mut stage = Stage::new();
    let tokens = ["a", "b"].map(|name| stage.join(consumer("g", name)));
    stage.pass(6_000);
    let [leader, follower] = tokens.map(|token| claim(&stage.joined(token)));
    let early = stage.sync("g", follower.clone(), &[]);
    stage.writes_at_once = false;
    let own = stage.sync("g", leader, &[("a-1", "all")]);
    assert!(!stage.answers.contains_key(&own), "no assignment before it is written");
    stage.write_all();
    assert_eq!(&*stage.synced(own).unwrap().assignment, b"all");
    assert_eq!(&*stage.synced(early).unwrap().assignment, b"");
    let late = stage.sync("g", follower, &[]);
    assert_eq!(&*stage.synced(late).unwrap().assignment, b"");
}

#[test]
fn an_assignment_that_can_not_be_written_makes_everybody_join_again() {
    let mut stage = Stage::new();
    let token = stage.join(consumer("g", "a"));
    stage.pass(3_000);
    let member = claim(&stage.joined(token));
    stage.writes_at_once = false;
    let sync = stage.sync("g", member.clone(), &[("a-1", "all")]);
    stage.write_next(Err(GroupError::NotCoordinator));
    assert_eq!(stage.synced(sync), Err(GroupError::NotCoordinator));
    assert_eq!(stage.heartbeat("g", &member), Err(GroupError::RebalanceInProgress));
}

#[test]
fn syncs_of_others_than_the_generation_are_refused_by_name() {
    let mut stage = Stage::new();
    let member = stage.stable_group("g", &["a"]).remove(0);
    let ask = |stage: &mut Stage, request: SyncRequest| {
        let token = stage.ask(|coordinator, now_ms, token| coordinator.sync(now_ms, token, request));
        stage.synced(token).map(drop)
    };
    let good = SyncRequest { group: "g".into(), member: member.clone(), ..Default::default() };
    let with = |change: fn(&mut SyncRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    assert_eq!(ask(&mut stage, good.clone()), Ok(()));
    for (request, error) in [
        (with(|request| request.group = String::new()), GroupError::InvalidGroupId),
        (with(|request| request.group = "other".into()), GroupError::UnknownMemberId),
        (with(|request| request.member.member_id = "b".into()), GroupError::UnknownMemberId),
        (with(|request| request.member.generation += 1), GroupError::IllegalGeneration),
        (with(|request| request.protocol_type = Some("connect".into())), GroupError::InconsistentGroupProtocol),
        (with(|request| request.protocol = Some("sticky".into())), GroupError::InconsistentGroupProtocol),
        (with(|request| request.member.instance_id = Some("i".into())), GroupError::UnknownMemberId),
    ] {
        assert_eq!(ask(&mut stage, request.clone()), Err(error), "{request:?}");
    }
}

#[test]
fn a_follower_that_lost_its_answer_gets_the_same_generation_again_and_the_leader_a_new_one() {
    let mut stage = Stage::new();
    stage.stable_group("g", &["a", "b"]);
    let follower = stage.join(again(consumer("g", "b"), "b-1"));
    assert_eq!(stage.joined(follower).generation, 1);
    let leader = stage.join(again(consumer("g", "a"), "a-1"));
    assert!(!stage.answers.contains_key(&leader));
    assert_eq!(stage.coordinator.describe("g").unwrap().state, "PreparingRebalance");
}

#[test]
fn a_group_whose_last_member_leaves_is_empty_and_goes_on_counting() {
    let mut stage = Stage::new();
    stage.stable_group("g", &["a"]);
    leave(&mut stage, "g", vec![leaving("a-1", None)]);
    assert_eq!(stage.coordinator.describe("g").unwrap().state, "Empty");
    let token = stage.join(consumer("g", "a"));
    stage.pass(3_000);
    assert_eq!(stage.joined(token).generation, 3);
}

#[test]
fn members_leave_together_each_with_its_own_outcome() {
    let mut stage = Stage::new();
    stage.stable_group("g", &["a", "b"]);
    let token = stage.join(static_consumer("g", "i", "1"));
    stage.pass(10_000);
    assert_eq!(stage.joined(token).member_id, "i-1");
    let outcomes = leave(
        &mut stage,
        "g",
        vec![leaving("nobody", None), leaving("x", Some("i")), leaving("", Some("i")), leaving("", Some("i"))],
    );
    let unknown = Err(GroupError::UnknownMemberId);
    assert_eq!(outcomes, [unknown, Err(GroupError::FencedInstanceId), Ok(()), unknown]);
    assert_eq!(leave(&mut stage, "no such group", vec![leaving("a", None)]), [unknown]);
}

#[test]
fn a_static_member_that_restarts_takes_its_place_without_a_rebalance() {
    let mut stage = Stage::new();
    let tokens = ["i", "k"].map(|name| stage.join(static_consumer("g", name, "1")));
    stage.pass(6_000);
    let [leader, follower] = tokens.map(|token| claim(&stage.joined(token)));
    stage.sync("g", leader.clone(), &[("i-1", "left"), ("k-1", "right")]);
    stage.sync("g", follower, &[]);

    let back = stage.join(static_consumer("g", "k", "2"));
    let joined = stage.joined(back);
    assert_eq!((joined.generation, &*joined.member_id, &*joined.leader), (1, "k-2", "i-1"));
    let sync = stage.sync("g", claim(&joined), &[]);
    assert_eq!(&*stage.synced(sync).unwrap().assignment, b"right");
    let fenced = MemberClaim { member_id: "k-1".into(), instance_id: Some("k".into()), generation: 1 };
    assert_eq!(stage.heartbeat("g", &fenced), Err(GroupError::FencedInstanceId));
    assert_eq!(stage.heartbeat("g", &leader), Ok(()));

    let old_leader = stage.join(static_consumer("g", "i", "2"));
    let joined = stage.joined(old_leader);
    assert_eq!((&*joined.leader, joined.members.len()), ("i-1", 0), "an older client must not assign anew");
    let new_leader = stage.join(JoinRequest { knows_skip_assignment: true, ..static_consumer("g", "i", "3") });
    let joined = stage.joined(new_leader);
    assert_eq!((&*joined.leader, joined.skip_assignment, joined.members.len()), ("i-3", true, 2));
    assert_eq!(stage.restarted().describe("g"), stage.coordinator.describe("g"));
}

#[test]
fn static_members_outlast_a_rebalance_and_end_with_their_session() {
    let mut stage = Stage::new();
    let token = stage.join(JoinRequest { session_timeout_ms: 100_000, ..static_consumer("g", "i", "1") });
    stage.pass(3_000);
    let member = claim(&stage.joined(token));
    stage.sync("g", member, &[]);
    let other = stage.join(consumer("g", "b"));
    stage.pass(60_000);
    let joined = stage.joined(other);
    assert_eq!((&*joined.leader, joined.members.len()), ("b-1", 2), "the static member is still counted in");
}

#[test]
fn unchanged_members_come_back_from_the_log_as_they_were() {
    let mut stage = Stage::new();
    let members = stage.stable_group("g", &["a", "b"]);
    let mut replayed = stage.restarted();
    assert_eq!(replayed.describe("g"), stage.coordinator.describe("g"));
    std::mem::swap(&mut stage.coordinator, &mut replayed);
    assert_eq!(stage.heartbeat("g", &members[1]), Ok(()), "nobody has to join again");
    stage.pass(10_000);
    assert_eq!(stage.coordinator.describe("g").unwrap().state, "Empty", "sessions run after a restart, too");
}

#[test]
fn a_new_member_that_asks_again_may_wait_as_long_as_one_that_asks_once() {
    let mut stage = Stage::new();
    let members = stage.stable_group("g", &["a"]);
    let request = JoinRequest { needs_known_member_id: true, ..consumer("g", "b") };
    stage.join(request.clone());
    let first = stage.join(again(request.clone(), "b-1"));
    let second = stage.join(again(request, "b-1"));
    assert_eq!(stage.refused(first).0, GroupError::RebalanceInProgress, "its first request is answered");
    for _ in 0..10 {
        stage.pass(3_000);
        let _ = stage.heartbeat("g", &members[0]);
    }
    assert!(!stage.answers.contains_key(&second), "a session of 10 s does not run while it waits");
    let rejoin = stage.join(again(consumer("g", "a"), "a-1"));
    assert_eq!((stage.joined(rejoin).generation, stage.joined(second).generation), (2, 2));
}

#[test]
fn a_promised_id_is_not_a_way_to_an_instance_id_that_is_taken() {
    let mut stage = Stage::new();
    stage.join(static_consumer("g", "i", "1"));
    stage.pass(3_000);
    stage.join(JoinRequest { needs_known_member_id: true, ..consumer("g", "b") });
    let token = stage.join(again(static_consumer("g", "i", "2"), "b-1"));
    assert_eq!(stage.refused(token).0, GroupError::FencedInstanceId);
}

#[test]
fn who_comes_too_late_for_a_full_group_is_out_and_nobody_waits_for_it() {
    let mut stage = Stage::new();
    stage.stable_group("g", &["a", "b"]);
    stage.coordinator.update_settings(Settings { group_max_size: 1, ..Settings::default() });
    let first = stage.join(again(consumer("g", "a"), "a-1"));
    let second = stage.join(again(consumer("g", "b"), "b-1"));
    assert_eq!(stage.refused(second), (GroupError::GroupMaxSizeReached, String::new()));
    assert_eq!(stage.joined(first).members.len(), 1);
}

#[test]
fn a_group_that_is_larger_than_allowed_after_a_restart_shrinks() {
    let mut stage = Stage::new();
    let members = stage.stable_group("g", &["a", "b"]);
    let settings = Settings { group_max_size: 1, ..Settings::default() };
    stage.coordinator = Coordinator::new(settings, stage::topics_of);
    stage.log.iter().for_each(|change| stage.coordinator.load(change.clone()));
    stage.coordinator.loaded(stage.now_ms);
    assert_eq!(stage.heartbeat("g", &members[0]), Err(GroupError::RebalanceInProgress));
}

#[test]
fn a_leader_that_asks_twice_for_its_assignment_is_written_once() {
    let mut stage = Stage::new();
    let token = stage.join(consumer("g", "a"));
    stage.pass(3_000);
    let leader = claim(&stage.joined(token));
    stage.writes_at_once = false;
    let first = stage.sync("g", leader.clone(), &[("a-1", "one")]);
    let second = stage.sync("g", leader, &[("a-1", "other")]);
    assert_eq!(stage.synced(first), Err(GroupError::RebalanceInProgress));
    stage.write_all();
    assert_eq!(&*stage.synced(second).unwrap().assignment, b"one");
    assert_eq!(stage.restarted().describe("g"), stage.coordinator.describe("g"));
}

#[test]
fn a_static_member_whose_new_id_can_not_be_written_joins_again() {
    let mut stage = Stage::new();
    let token = stage.join(static_consumer("g", "i", "1"));
    stage.pass(3_000);
    let member = MemberClaim { instance_id: Some("i".into()), ..claim(&stage.joined(token)) };
    stage.sync("g", member, &[("i-1", "all")]);
    stage.writes_at_once = false;
    let back = stage.join(static_consumer("g", "i", "2"));
    stage.write_next(Err(GroupError::NotCoordinator));
    assert_eq!(stage.refused(back).0, GroupError::NotCoordinator);
    let back = stage.join(static_consumer("g", "i", "3"));
    assert_eq!((stage.joined(back).generation, &*stage.joined(back).member_id), (2, "i-3"));
}
