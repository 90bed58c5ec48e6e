//! Offsets are committed, deleted, and expire.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(unreachable_pub, dead_code, clippy::unwrap_used, reason = "each test file uses its part")]
mod stage;

use std::sync::Arc;

use ringlog_coordinator::{
    Answer, Change, CommitRequest, GroupError, GroupValue, JoinRequest, LeaveRequest, LeavingMember, MemberClaim,
    OffsetToCommit, Settings,
};
use stage::{Stage, claim, consumer};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

fn simple() -> MemberClaim {
    MemberClaim { generation: -1, ..Default::default() }
}

fn offset(topic: &str, partition: i32, offset: i64) -> OffsetToCommit {
    OffsetToCommit { topic: topic.into(), partition, offset, leader_epoch: 0, metadata: "mine".into() }
}

fn commit(
    stage: &mut Stage,
    member: MemberClaim,
    offsets: Vec<OffsetToCommit>,
) -> Result<Vec<Result<(), GroupError>>, GroupError> {
    commit_with(stage, CommitRequest { group: "g".into(), member, retention_ms: None, offsets })
}

fn commit_with(stage: &mut Stage, request: CommitRequest) -> Result<Vec<Result<(), GroupError>>, GroupError> {
    let token = stage.ask(|coordinator, now_ms, token| coordinator.commit(now_ms, token, request));
    outcomes(stage.answers.remove(&token).unwrap())
}

fn outcomes(answer: Answer) -> Result<Vec<Result<(), GroupError>>, GroupError> {
    match answer {
        Answer::Offsets(outcome) => outcome.map(|offsets| offsets.into_iter().map(|offset| offset.outcome).collect()),
        other => panic!("{other:?}"),
    }
}

fn delete_offsets(stage: &mut Stage, offsets: &[(&str, i32)]) -> Result<Vec<Result<(), GroupError>>, GroupError> {
    let offsets = offsets.iter().map(|(topic, partition)| ((*topic).into(), *partition)).collect();
    let token = stage.ask(|coordinator, now_ms, token| coordinator.delete_offsets(now_ms, token, "g", offsets));
    outcomes(stage.answers.remove(&token).unwrap())
}

fn delete_group(stage: &mut Stage, group: &str) -> Result<(), GroupError> {
    let token = stage.ask(|coordinator, now_ms, token| coordinator.delete_group(now_ms, token, group));
    match stage.answers[&token] {
        Answer::Delete(outcome) => outcome,
        ref other => panic!("{other:?}"),
    }
}

fn committed(stage: &Stage, topic: &str) -> Option<i64> {
    stage.coordinator.committed("g", topic, 0).map(|committed| committed.offset)
}

fn expire(stage: &mut Stage) {
    let actions = stage.coordinator.expire_offsets(stage.now_ms);
    stage.carry_out(actions);
}

#[test]
fn a_commit_is_seen_and_answered_once_it_is_written() {
    let mut stage = Stage::new();
    stage.writes_at_once = false;
    let request =
        CommitRequest { group: "g".into(), member: simple(), retention_ms: None, offsets: vec![offset("t", 0, 5)] };
    let token = stage.ask(|coordinator, now_ms, token| coordinator.commit(now_ms, token, request));
    assert_eq!((committed(&stage, "t"), stage.answers.len()), (None, 0));
    stage.write_all();
    assert_eq!(committed(&stage, "t"), Some(5));
    assert_eq!(outcomes(stage.answers.remove(&token).unwrap()), Ok(vec![Ok(())]));
    let found = stage.coordinator.committed("g", "t", 0).unwrap();
    assert_eq!((&*found.metadata, found.commit_timestamp_ms), ("mine", 1_000_000));
}

#[test]
fn commits_take_effect_in_the_order_of_the_log_whatever_order_they_are_reported_in() {
    let mut stage = Stage::new();
    stage.writes_at_once = false;
    for value in [5, 6] {
        let offsets = vec![offset("t", 0, value)];
        let request = CommitRequest { group: "g".into(), member: simple(), retention_ms: None, offsets };
        stage.ask(|coordinator, now_ms, token| coordinator.commit(now_ms, token, request));
    }
    let (second, first) = (stage.writing.pop().unwrap().0, stage.writing.pop().unwrap().0);
    for ticket in [second, first] {
        let actions = stage.coordinator.written(stage.now_ms, &ticket, Ok(()));
        stage.carry_out(actions);
    }
    assert_eq!(committed(&stage, "t"), Some(6));
}

#[test]
fn a_commit_that_can_not_be_written_says_so_and_changes_nothing() {
    let mut stage = Stage::new();
    stage.writes_at_once = false;
    let request =
        CommitRequest { group: "g".into(), member: simple(), retention_ms: None, offsets: vec![offset("t", 0, 5)] };
    let token = stage.ask(|coordinator, now_ms, token| coordinator.commit(now_ms, token, request));
    stage.write_next(Err(GroupError::CoordinatorNotAvailable));
    assert_eq!(outcomes(stage.answers.remove(&token).unwrap()), Ok(vec![Err(GroupError::CoordinatorNotAvailable)]));
    assert_eq!(committed(&stage, "t"), None);
}

#[test]
fn only_members_of_the_generation_commit_while_there_are_members() {
    let mut stage = Stage::new();
    let member = stage.stable_group("g", &["a"]).remove(0);
    let one = || vec![offset("t", 0, 1)];
    assert_eq!(commit(&mut stage, member.clone(), one()), Ok(vec![Ok(())]));
    for (claim, error) in [
        (simple(), GroupError::UnknownMemberId),
        (MemberClaim { member_id: "b".into(), ..member.clone() }, GroupError::UnknownMemberId),
        (MemberClaim { generation: 9, ..member.clone() }, GroupError::IllegalGeneration),
        (MemberClaim { instance_id: Some("i".into()), ..member.clone() }, GroupError::UnknownMemberId),
    ] {
        assert_eq!(commit(&mut stage, claim.clone(), one()), Err(error), "{claim:?}");
    }
    let stranger = CommitRequest { group: "other".into(), member, retention_ms: None, offsets: one() };
    assert_eq!(commit_with(&mut stage, stranger), Err(GroupError::GroupIdNotFound));
}

#[test]
fn a_member_commits_while_others_join_but_not_between_join_and_assignment() {
    let mut stage = Stage::new();
    let member = stage.stable_group("g", &["a"]).remove(0);
    stage.join(consumer("g", "b"));
    assert_eq!(commit(&mut stage, member, vec![offset("t", 0, 1)]), Ok(vec![Ok(())]), "preparing");
    let rejoin = stage.join(stage::again(consumer("g", "a"), "a-1"));
    let member = claim(&stage.joined(rejoin));
    assert_eq!(commit(&mut stage, member, vec![offset("t", 0, 2)]), Err(GroupError::RebalanceInProgress), "completing");
}

#[test]
fn metadata_over_the_limit_is_refused_for_its_offset_alone() {
    let mut stage = Stage::new();
    let long = OffsetToCommit { metadata: "x".repeat(4_097), ..offset("t", 1, 7) };
    let outcome = commit(&mut stage, simple(), vec![offset("t", 0, 5), long]);
    assert_eq!(outcome, Ok(vec![Ok(()), Err(GroupError::OffsetMetadataTooLarge)]));
    assert_eq!(committed(&stage, "t"), Some(5));
    assert!(stage.coordinator.committed("g", "t", 1).is_none());
}

#[test]
fn offsets_in_use_are_not_deleted() {
    let mut stage = Stage::new();
    let member = stage.stable_group("g", &["a"]).remove(0);
    commit(&mut stage, member, vec![offset("t", 0, 1), offset("u", 0, 2)]).unwrap();
    let outcome = delete_offsets(&mut stage, &[("t", 0), ("u", 0), ("never", 0)]);
    assert_eq!(outcome, Ok(vec![Err(GroupError::GroupSubscribedToTopic), Ok(()), Ok(())]));
    assert_eq!((committed(&stage, "t"), committed(&stage, "u")), (Some(1), None));
}

#[test]
fn a_group_is_deleted_when_it_has_no_members_and_its_offsets_with_it() {
    let mut stage = Stage::new();
    assert_eq!(delete_group(&mut stage, "g"), Err(GroupError::GroupIdNotFound));
    assert_eq!(delete_group(&mut stage, ""), Err(GroupError::GroupIdNotFound));
    let member = stage.stable_group("g", &["a"]).remove(0);
    commit(&mut stage, member.clone(), vec![offset("t", 0, 1)]).unwrap();
    assert_eq!(delete_group(&mut stage, "g"), Err(GroupError::NonEmptyGroup));
    let members = vec![LeavingMember { member_id: member.member_id, instance_id: None }];
    let request = LeaveRequest { group: "g".into(), members };
    stage.ask(|coordinator, now_ms, token| coordinator.leave(now_ms, token, request));
    assert_eq!(delete_group(&mut stage, "g"), Ok(()));
    assert_eq!((stage.coordinator.list().count(), committed(&stage, "t")), (0, None));
    assert_eq!(stage.restarted().list().count(), 0);
}

#[test]
fn a_simple_consumers_offsets_expire_by_their_commits() {
    let mut stage = Stage::new();
    commit(&mut stage, simple(), vec![offset("t", 0, 1)]).unwrap();
    stage.pass(DAY_MS);
    commit(&mut stage, simple(), vec![offset("u", 0, 2)]).unwrap();
    let short = CommitRequest {
        group: "g".into(),
        member: simple(),
        retention_ms: Some(1_000),
        offsets: vec![offset("v", 0, 3)],
    };
    commit_with(&mut stage, short).unwrap();
    stage.pass(1_000);
    expire(&mut stage);
    assert_eq!((committed(&stage, "t"), committed(&stage, "v")), (Some(1), None));
    stage.pass(6 * DAY_MS - 1_000);
    expire(&mut stage);
    assert_eq!((committed(&stage, "t"), committed(&stage, "u")), (None, Some(2)));
    stage.pass(DAY_MS);
    expire(&mut stage);
    assert_eq!(stage.coordinator.list().count(), 0, "a group with nothing left is forgotten");
}

#[test]
fn a_groups_offsets_are_kept_while_it_has_members_and_for_the_retention_after_the_last() {
    let mut stage = Stage::with(Settings { offsets_retention_ms: 7 * DAY_MS, ..Settings::default() });
    let member = stage.stable_group("g", &["a"]).remove(0);
    commit(&mut stage, member.clone(), vec![offset("t", 0, 1), offset("left", 0, 1)]).unwrap();
    stage.now_ms += 8 * DAY_MS;
    expire(&mut stage);
    assert_eq!(committed(&stage, "t"), Some(1), "in use");
    assert_eq!(committed(&stage, "left"), None, "no member reads it");
    stage.pass(10_000);
    assert_eq!(stage.coordinator.describe("g").unwrap().state, "Empty");
    stage.pass(6 * DAY_MS);
    expire(&mut stage);
    assert_eq!(committed(&stage, "t"), Some(1));
    stage.pass(DAY_MS);
    expire(&mut stage);
    assert_eq!(stage.coordinator.list().count(), 0);
    assert_eq!(stage.restarted().list().count(), 0);
}

#[test]
fn a_deleted_topic_takes_its_offsets_along() {
    let mut stage = Stage::new();
    commit(&mut stage, simple(), vec![offset("t", 0, 1), offset("u", 0, 2)]).unwrap();
    let actions = stage.coordinator.topic_deleted(stage.now_ms, "t");
    stage.carry_out(actions);
    assert_eq!((committed(&stage, "t"), committed(&stage, "u")), (None, Some(2)));
    assert_eq!(stage.restarted().all_committed("g").count(), 1);
}

#[test]
fn a_commit_on_its_way_goes_with_its_deleted_topic() {
    let mut stage = Stage::new();
    stage.writes_at_once = false;
    let request =
        CommitRequest { group: "g".into(), member: simple(), retention_ms: None, offsets: vec![offset("t", 0, 1)] };
    let token = stage.ask(|coordinator, now_ms, token| coordinator.commit(now_ms, token, request));
    let actions = stage.coordinator.topic_deleted(stage.now_ms, "t");
    stage.carry_out(actions);
    stage.write_all();
    assert_eq!(outcomes(stage.answers.remove(&token).unwrap()), Ok(vec![Ok(())]), "it was in time");
    assert_eq!((committed(&stage, "t"), stage.restarted().all_committed("g").count()), (None, 0));
}

#[test]
fn the_group_without_a_name_commits_and_is_deleted_but_its_offsets_are_not_deleted_singly() {
    let mut stage = Stage::new();
    let nameless =
        CommitRequest { group: String::new(), member: simple(), retention_ms: None, offsets: vec![offset("t", 0, 1)] };
    assert_eq!(commit_with(&mut stage, nameless), Ok(vec![Ok(())]));
    let one = vec![("t".into(), 0)];
    let token = stage.ask(|coordinator, now_ms, token| coordinator.delete_offsets(now_ms, token, "", one));
    assert_eq!(outcomes(stage.answers.remove(&token).unwrap()), Err(GroupError::InvalidGroupId));
    assert_eq!(delete_group(&mut stage, ""), Ok(()));
    assert_eq!(delete_group(&mut stage, ""), Err(GroupError::GroupIdNotFound));
}

#[test]
fn offsets_are_in_use_while_it_is_not_known_what_members_read() {
    let mut stage = Stage::new();
    commit(&mut stage, simple(), vec![offset("u", 0, 1)]).unwrap();
    stage.join(consumer("g", "a"));
    assert_eq!(delete_offsets(&mut stage, &[("u", 0)]), Ok(vec![Err(GroupError::GroupSubscribedToTopic)]), "joining");
    stage.pass(3_000);
    assert_eq!(delete_offsets(&mut stage, &[("u", 0)]), Ok(vec![Ok(())]), "they read t");

    let mut stage = Stage::new();
    commit(&mut stage, simple(), vec![offset("u", 0, 1)]).unwrap();
    let garbled: Arc<[u8]> = [0xFF].into();
    stage.join(JoinRequest { protocols: vec![("range".into(), garbled)], ..consumer("g", "a") });
    stage.pass(3_000);
    assert_eq!(delete_offsets(&mut stage, &[("u", 0)]), Ok(vec![Err(GroupError::GroupSubscribedToTopic)]), "garbled");
}

#[test]
fn offsets_of_a_group_that_speaks_another_protocol_are_deleted_only_without_members() {
    let mut stage = Stage::new();
    commit(&mut stage, simple(), vec![offset("t", 0, 1)]).unwrap();
    stage.join(JoinRequest { protocol_type: "connect".into(), ..consumer("g", "a") });
    assert_eq!(delete_offsets(&mut stage, &[("t", 0)]), Err(GroupError::NonEmptyGroup));
}

#[test]
fn without_a_note_of_when_a_group_became_empty_its_offsets_expire_by_their_commits() {
    let mut stage = Stage::new();
    stage.now_ms = 100 * DAY_MS;
    commit(&mut stage, simple(), vec![offset("t", 0, 1)]).unwrap();
    let value = GroupValue {
        protocol_type: "consumer".into(),
        generation: 3,
        protocol: None,
        leader: None,
        state_since_ms: -1,
        members: vec![],
    };
    stage.log.push(Change::Group { group: "g".into(), value: Some(value) });
    stage.coordinator = stage.restarted();
    expire(&mut stage);
    assert_eq!(committed(&stage, "t"), Some(1));
    stage.pass(7 * DAY_MS);
    expire(&mut stage);
    assert_eq!(committed(&stage, "t"), None);
}

#[test]
fn a_commit_behind_the_end_of_its_group_keeps_it_whichever_is_reported_first() {
    for report in [Stage::write_all, Stage::write_two_and_report_the_second_first] {
        let mut stage = Stage::new();
        let member = stage.stable_group("g", &["a"]).remove(0);
        let members = vec![LeavingMember { member_id: member.member_id, instance_id: None }];
        let request = LeaveRequest { group: "g".into(), members };
        stage.ask(|coordinator, now_ms, token| coordinator.leave(now_ms, token, request));
        stage.writes_at_once = false;
        expire(&mut stage);
        let offsets = vec![offset("t", 0, 5)];
        let request = CommitRequest { group: "g".into(), member: simple(), retention_ms: None, offsets };
        stage.ask(|coordinator, now_ms, token| coordinator.commit(now_ms, token, request));
        report(&mut stage);
        stage.writes_at_once = true;
        assert_eq!(committed(&stage, "t"), Some(5));
        assert_eq!(stage.restarted().describe("g"), stage.coordinator.describe("g"));
        assert_eq!(commit(&mut stage, simple(), vec![offset("t", 0, 6)]), Ok(vec![Ok(())]));
    }
}
