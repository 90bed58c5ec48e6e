//! Classic consumer groups: membership, offsets, description.

use ringlog_protocol::delete_groups::DeleteGroupsRequest;
use ringlog_protocol::describe_groups::DescribeGroupsRequest;
use ringlog_protocol::heartbeat::HeartbeatRequest;
use ringlog_protocol::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use ringlog_protocol::leave_group::{LeaveGroupRequest, MemberIdentity};
use ringlog_protocol::list_groups::ListGroupsRequest;
use ringlog_protocol::offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use ringlog_protocol::offset_delete::{OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use ringlog_protocol::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use ringlog_protocol::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use ringlog_protocol::{ApiKey, Blob, Str, Uuid};

use super::{NO_ID, NOWHERE, batch, fill, topic};
use crate::Talk;

/// A subscription to the topic "grouped", version 0, without user data.
const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\x01\0\x07grouped\0\0\0\0";
/// An assignment of its partition 0.
const ASSIGNMENT: &[u8] = b"\0\0\0\0\0\x01\0\x07grouped\0\0\0\x01\0\0\0\0\0\0\0\0";

pub(super) fn play(talk: &mut Talk) {
    let id = topic(talk, "grouped");
    fill(talk, "grouped", id, 0, &batch(5));
    listings(talk);
    joins(talk);
    static_members(talk);
    two_members(talk);
    syncs(talk);
    heartbeats(talk);
    commits(talk, id);
    fetched_offsets(talk, id);
    descriptions(talk);
    leaves(talk);
    deletions(talk);
}

fn join<'a>(group: &'a str, member: &'a str) -> JoinGroupRequest<'a> {
    let range = JoinGroupRequestProtocol { name: "range".into(), metadata: Blob::Borrowed(SUBSCRIPTION) };
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        member_id: member.into(),
        protocol_type: "consumer".into(),
        protocols: vec![range],
        ..Default::default()
    }
}

fn sync<'a>(group: &'a str, member: &'a str, generation_id: i32) -> SyncGroupRequest<'a> {
    let assignment = SyncGroupRequestAssignment { member_id: member.into(), assignment: Blob::Borrowed(ASSIGNMENT) };
    SyncGroupRequest {
        group_id: group.into(),
        generation_id,
        member_id: member.into(),
        assignments: vec![assignment],
        ..Default::default()
    }
}

/// A stable group with one member, whose id is given; its generation is 1.
fn member_of(talk: &mut Talk, group: &str) -> String {
    let member = talk.quietly(3, &join(group, "")).get("member_id").to_owned();
    let synced = talk.quietly(2, &sync(group, &member, 1));
    assert_eq!(synced.get("error_code"), "0", "the scenario could not form the group {group}");
    member
}

fn listings(talk: &mut Talk) {
    member_of(talk, "group-listed");
    for v in talk.versions(ApiKey::ListGroups) {
        talk.ask(v, "all groups", &ListGroupsRequest::default());
        if v >= 4 {
            let by = |states: &[&'static str]| ListGroupsRequest {
                states_filter: states.iter().map(|s| (*s).into()).collect(),
                ..Default::default()
            };
            talk.ask(v, "the stable ones", &by(&["Stable"]));
            talk.ask(v, "the states in small letters", &by(&["stable"]));
            talk.ask(v, "the empty ones", &by(&["Empty"]));
            talk.ask(v, "a state that nobody knows", &by(&["Sleepy"]));
        }
        if v >= 5 {
            let by = |kind: &'static str| ListGroupsRequest { types_filter: vec![kind.into()], ..Default::default() };
            talk.ask(v, "the classic ones", &by("classic"));
            talk.ask(v, "those of the new protocol", &by("consumer"));
            talk.ask(v, "a type that nobody knows", &by("sleepy"));
        }
    }
}

fn joins(talk: &mut Talk) {
    for v in talk.versions(ApiKey::JoinGroup) {
        let group = format!("group-join-v{v}");
        let first = talk.ask(v, "without a member id", &join(&group, ""));
        let mut member = first.get("member_id").to_owned();
        if v >= 4 {
            talk.ask(v, "with the id that was given", &join(&group, &member));
        }
        talk.quietly(2, &sync(&group, &member, 1));
        talk.ask(v, "the leader joins again", &join(&group, &member));
        member.push('x');
        talk.ask(v, "an unknown member", &join(&group, &member));
        talk.ask(v, "a group without a name", &join("", ""));
        let other = format!("group-join-other-v{v}");
        talk.ask(v, "a session too short", &JoinGroupRequest { session_timeout_ms: 10, ..join(&other, "") });
        talk.ask(v, "a session too long", &JoinGroupRequest { session_timeout_ms: i32::MAX, ..join(&other, "") });
        talk.ask(v, "no protocols", &JoinGroupRequest { protocols: vec![], ..join(&other, "") });
        talk.ask(v, "no protocol type", &JoinGroupRequest { protocol_type: "".into(), ..join(&other, "") });
        talk.ask(v, "an unknown member of an unknown group", &join(&format!("group-nowhere-v{v}"), "somebody"));
        talk.ask(
            v,
            "another protocol type than the group's",
            &JoinGroupRequest { protocol_type: "connect".into(), ..join(&group, "") },
        );
        let sticky = JoinGroupRequestProtocol { name: "sticky".into(), metadata: Blob::Borrowed(SUBSCRIPTION) };
        talk.ask(
            v,
            "no protocol that the group has",
            &JoinGroupRequest { protocols: vec![sticky], ..join(&group, "") },
        );
    }
}

fn static_members(talk: &mut Talk) {
    for v in talk.versions(ApiKey::JoinGroup).filter(|v| *v >= 5) {
        let group = format!("group-static-v{v}");
        let joined =
            |member: &'static str| JoinGroupRequest { group_instance_id: Some("rack-1".into()), ..join("", member) };
        let of = |request: JoinGroupRequest<'static>| JoinGroupRequest { group_id: group.clone().into(), ..request };
        let member = talk.ask(v, "a static member", &of(joined(""))).get("member_id").to_owned();
        talk.quietly(2, &sync(&group, &member, 1));
        talk.ask(v, "a static member that has been restarted", &of(joined("")));
        talk.ask(v, "a static member with another's id", &of(joined("somebody-else")));
        if let Some(h) = talk.versions(ApiKey::Heartbeat).filter(|v| *v >= 3).last() {
            let beat = HeartbeatRequest {
                group_id: group.clone().into(),
                generation_id: 1,
                member_id: member.into(),
                group_instance_id: Some("rack-1".into()),
            };
            talk.ask(h, &format!("a static member that was replaced, joined in v{v}"), &beat);
        }
    }
}

/// A second member waits until the first one has joined again.
fn two_members(talk: &mut Talk) {
    for v in talk.versions(ApiKey::JoinGroup) {
        let group = format!("group-two-v{v}");
        let first = member_of(talk, &group);
        let second =
            if v >= 4 { talk.quietly(v, &join(&group, "")).get("member_id").to_owned() } else { String::new() };
        let waiting = talk.say(v, &join(&group, &second));
        // The first one learns of it by its heartbeat.
        let beat = HeartbeatRequest {
            group_id: group.clone().into(),
            generation_id: 1,
            member_id: first.clone().into(),
            ..Default::default()
        };
        let mut heard = talk.quietly(2, &beat);
        for _ in 0..100 {
            if heard.get("error_code") != "0" {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
            heard = talk.quietly(2, &beat);
        }
        talk.ask(2, &format!("a member whose group rebalances, joined in v{v}"), &beat);
        talk.ask(2, &format!("of the generation before, joined in v{v}"), &sync(&group, &first, 1));
        let joined = talk.ask(v, "the first of two", &join(&group, &first));
        let second = talk.hear::<JoinGroupRequest<'_>>(waiting, v, "the second of two");
        assert_eq!(joined.get("generation_id"), second.get("generation_id"), "{group}");
        // The follower's request waits for the leader's assignment, which leaves the follower with nothing.
        let follower = second.get("member_id").to_owned();
        let waiting = talk.say(2, &SyncGroupRequest { assignments: vec![], ..sync(&group, &follower, 2) });
        talk.ask(2, &format!("the leader of two, joined in v{v}"), &sync(&group, &first, 2));
        talk.hear::<SyncGroupRequest<'_>>(waiting, 2, &format!("the follower of two, left out, joined in v{v}"));
    }
}

fn syncs(talk: &mut Talk) {
    for v in talk.versions(ApiKey::SyncGroup) {
        let group = format!("group-sync-v{v}");
        let member = talk.quietly(3, &join(&group, "")).get("member_id").to_owned();
        let sync = |member: &str, generation| {
            let mut request = sync("", "", generation);
            if v >= 5 {
                (request.protocol_type, request.protocol_name) = (Some("consumer".into()), Some("range".into()));
            }
            request.group_id = group.clone().into();
            request.member_id = member.to_owned().into();
            request.assignments.iter_mut().for_each(|a| a.member_id = member.to_owned().into());
            request
        };
        talk.ask(v, "an unknown member", &sync("somebody", 1));
        talk.ask(v, "another generation", &sync(&member, 9));
        if v >= 5 {
            talk.ask(
                v,
                "another protocol type",
                &SyncGroupRequest { protocol_type: Some("connect".into()), ..sync(&member, 1) },
            );
            talk.ask(
                v,
                "another protocol",
                &SyncGroupRequest { protocol_name: Some("sticky".into()), ..sync(&member, 1) },
            );
        }
        talk.ask(v, "the leader's assignment", &sync(&member, 1));
        talk.ask(v, "the same again", &sync(&member, 1));
        talk.ask(v, "an unknown group", &SyncGroupRequest { group_id: "group-nowhere".into(), ..sync(&member, 1) });
        talk.ask(v, "a group without a name", &SyncGroupRequest { group_id: "".into(), ..sync(&member, 1) });
    }
}

fn heartbeats(talk: &mut Talk) {
    for v in talk.versions(ApiKey::Heartbeat) {
        let group = format!("group-heartbeat-v{v}");
        let member = member_of(talk, &group);
        let beat = |group: &str, member: &str, generation_id| HeartbeatRequest {
            group_id: group.to_owned().into(),
            generation_id,
            member_id: member.to_owned().into(),
            ..Default::default()
        };
        talk.ask(v, "a member", &beat(&group, &member, 1));
        talk.ask(v, "another generation", &beat(&group, &member, 2));
        talk.ask(v, "an unknown member", &beat(&group, "somebody", 1));
        talk.ask(v, "no member", &beat(&group, "", 1));
        talk.ask(v, "an unknown group", &beat("group-nowhere", &member, 1));
        talk.ask(v, "a group without a name", &beat("", &member, 1));
    }
}

fn commit<'a>(
    group: &'a str,
    name: &'a str,
    topic_id: Uuid,
    partition_index: i32,
    committed_offset: i64,
) -> OffsetCommitRequest<'a> {
    let committed_metadata = Some(Str::from("noted"));
    let partition =
        OffsetCommitRequestPartition { partition_index, committed_offset, committed_metadata, ..Default::default() };
    let topic = OffsetCommitRequestTopic { name: name.into(), topic_id, partitions: vec![partition] };
    OffsetCommitRequest { group_id: group.into(), topics: vec![topic], ..Default::default() }
}

fn commits(talk: &mut Talk, id: Uuid) {
    for v in talk.versions(ApiKey::OffsetCommit) {
        let group = format!("group-commit-v{v}");
        let member = member_of(talk, &group);
        let by = |member: &str, generation, request: OffsetCommitRequest<'static>| OffsetCommitRequest {
            group_id: group.clone().into(),
            generation_id_or_member_epoch: generation,
            member_id: member.to_owned().into(),
            ..request
        };
        let at = |offset| commit("", "grouped", id, 0, offset);
        talk.ask(v, "a member", &by(&member, 1, at(3)));
        talk.ask(v, "another generation", &by(&member, 2, at(3)));
        talk.ask(v, "an unknown member", &by("somebody", 1, at(3)));
        talk.ask(v, "no member, while the group has some", &by("", -1, at(3)));
        talk.ask(v, "a partition that the topic lacks", &by(&member, 1, commit("", "grouped", id, 9, 3)));
        talk.ask(v, "an unknown topic", &by(&member, 1, commit("", NOWHERE, NO_ID, 0, 3)));
        let mut wordy = by(&member, 1, at(3));
        wordy
            .topics
            .iter_mut()
            .flat_map(|t| &mut t.partitions)
            .for_each(|p| p.committed_metadata = Some("w".repeat(5000).into()));
        talk.ask(v, "more metadata than is allowed", &wordy);
        let mut silent = by(&member, 1, at(4));
        silent.topics.iter_mut().flat_map(|t| &mut t.partitions).for_each(|p| p.committed_metadata = None);
        talk.ask(v, "metadata of null", &silent);
        talk.ask(v, "an offset that has no meaning", &by(&member, 1, at(-5)));
        talk.ask(v, "no topics", &OffsetCommitRequest { topics: vec![], ..by(&member, 1, at(3)) });
        let alone = format!("group-commit-alone-v{v}");
        talk.ask(v, "a group that has no members", &commit(&alone, "grouped", id, 0, 2));
        talk.ask(
            v,
            "an unknown member of a group that has none",
            &OffsetCommitRequest {
                generation_id_or_member_epoch: 1,
                member_id: "somebody".into(),
                ..commit(&format!("group-commit-nowhere-v{v}"), "grouped", id, 0, 2)
            },
        );
        talk.ask(v, "a group without a name", &commit("", "grouped", id, 0, 2));
    }
}

fn fetched_offsets(talk: &mut Talk, id: Uuid) {
    let member = member_of(talk, "group-fetch");
    let committed = OffsetCommitRequest {
        generation_id_or_member_epoch: 1,
        member_id: member.into(),
        ..commit("group-fetch", "grouped", id, 0, 3)
    };
    talk.quietly(7, &committed);
    for v in talk.versions(ApiKey::OffsetFetch) {
        let of = |group: &'static str, wanted: Option<(&'static str, Uuid, Vec<i32>)>| {
            if v < 8 {
                let topics = wanted.map(|(name, _, partition_indexes)| {
                    vec![OffsetFetchRequestTopic { name: name.into(), partition_indexes }]
                });
                OffsetFetchRequest { group_id: group.into(), topics, ..Default::default() }
            } else {
                let topics = wanted.map(|(name, topic_id, partition_indexes)| {
                    vec![OffsetFetchRequestTopics { name: name.into(), topic_id, partition_indexes }]
                });
                OffsetFetchRequest {
                    groups: vec![OffsetFetchRequestGroup { group_id: group.into(), topics, ..Default::default() }],
                    ..Default::default()
                }
            }
        };
        talk.ask(
            v,
            "a committed partition, and one that is not",
            &of("group-fetch", Some(("grouped", id, vec![0, 5]))),
        );
        talk.ask(v, "an unknown topic", &of("group-fetch", Some((NOWHERE, NO_ID, vec![0]))));
        talk.ask(v, "an unknown group", &of("group-nowhere", Some(("grouped", id, vec![0]))));
        talk.ask(v, "a group without a name", &of("", Some(("grouped", id, vec![0]))));
        if v >= 2 {
            talk.ask(v, "all that the group committed", &of("group-fetch", None));
            talk.ask(v, "all that an unknown group committed", &of("group-nowhere", None));
        }
        if v >= 7 {
            talk.ask(
                v,
                "only what is stable",
                &OffsetFetchRequest { require_stable: true, ..of("group-fetch", Some(("grouped", id, vec![0]))) },
            );
        }
        if v >= 8 {
            let mut two = of("group-fetch", None);
            two.groups.extend(of("group-nowhere", None).groups);
            talk.ask(v, "two groups", &two);
        }
    }
}

fn descriptions(talk: &mut Talk) {
    member_of(talk, "group-described");
    let id = super::id_of(talk, "grouped");
    talk.quietly(7, &commit("group-emptied", "grouped", id, 0, 1));
    for v in talk.versions(ApiKey::DescribeGroups) {
        let of = |groups: &[&'static str]| DescribeGroupsRequest {
            groups: groups.iter().map(|g| (*g).into()).collect(),
            ..Default::default()
        };
        talk.ask(v, "a stable group", &of(&["group-described"]));
        talk.ask(v, "a group that has only offsets", &of(&["group-emptied"]));
        talk.ask(v, "an unknown group", &of(&["group-nowhere"]));
        talk.ask(v, "a group without a name", &of(&[""]));
        talk.ask(v, "two groups", &of(&["group-described", "group-nowhere"]));
        talk.ask(v, "no groups", &of(&[]));
        if v >= 3 {
            talk.ask(
                v,
                "with authorized operations",
                &DescribeGroupsRequest { include_authorized_operations: true, ..of(&["group-described"]) },
            );
        }
    }
}

fn leaves(talk: &mut Talk) {
    for v in talk.versions(ApiKey::LeaveGroup) {
        let group = format!("group-leave-v{v}");
        let member = member_of(talk, &group);
        let leave = |group: &str, members: &[&str]| {
            let identity = |m: &&str| MemberIdentity { member_id: (*m).to_owned().into(), ..Default::default() };
            let mut request = LeaveGroupRequest { group_id: group.to_owned().into(), ..Default::default() };
            if v >= 3 {
                request.members = members.iter().map(identity).collect();
            } else {
                request.member_id = members.first().copied().unwrap_or_default().to_owned().into();
            }
            request
        };
        talk.ask(v, "an unknown member", &leave(&group, &["somebody"]));
        talk.ask(v, "an unknown group", &leave("group-nowhere", &["somebody"]));
        talk.ask(v, "a group without a name", &leave("", &["somebody"]));
        if v >= 3 {
            talk.ask(v, "a member and somebody", &leave(&group, &[&member, "somebody"]));
            let by_instance = MemberIdentity { group_instance_id: Some("rack-9".into()), ..Default::default() };
            talk.ask(v, "an unknown instance", &LeaveGroupRequest { members: vec![by_instance], ..leave(&group, &[]) });
        } else {
            talk.ask(v, "a member", &leave(&group, &[&member]));
        }
        talk.ask(v, "a member that has left", &leave(&group, &[&member]));
        let described = DescribeGroupsRequest { groups: vec![group.clone().into()], ..Default::default() };
        talk.ask(0, &format!("a group that its last member left in v{v}"), &described);
    }
}

fn deletions(talk: &mut Talk) {
    let id = super::id_of(talk, "grouped");
    for v in talk.versions(ApiKey::OffsetDelete) {
        let of = |group: &'static str, topic: &'static str, partition_index| OffsetDeleteRequest {
            group_id: group.into(),
            topics: vec![OffsetDeleteRequestTopic {
                name: topic.into(),
                partitions: vec![OffsetDeleteRequestPartition { partition_index }],
            }],
        };
        talk.quietly(7, &commit("group-offsets", "grouped", id, 0, 1));
        talk.ask(v, "a committed offset", &of("group-offsets", "grouped", 0));
        talk.ask(v, "one that was not committed", &of("group-offsets", "grouped", 0));
        talk.ask(v, "a partition that the topic lacks", &of("group-offsets", "grouped", 9));
        talk.ask(v, "an unknown topic", &of("group-offsets", NOWHERE, 0));
        talk.ask(v, "a topic that the group consumes", &of("group-described", "grouped", 0));
        talk.ask(v, "an unknown group", &of("group-nowhere", "grouped", 0));
        talk.ask(v, "no topics", &OffsetDeleteRequest { topics: vec![], ..of("group-offsets", "grouped", 0) });
    }
    for v in talk.versions(ApiKey::DeleteGroups) {
        let group = format!("group-delete-v{v}");
        talk.quietly(7, &commit(&group, "grouped", id, 0, 1));
        let of = |groups: &[&str]| DeleteGroupsRequest {
            groups_names: groups.iter().map(|g| (*g).to_owned().into()).collect(),
        };
        talk.ask(v, "a group without members", &of(&[&group]));
        talk.ask(v, "the same again", &of(&[&group]));
        talk.ask(v, "a group with members", &of(&["group-described"]));
        talk.ask(v, "an unknown group", &of(&["group-nowhere"]));
        talk.ask(v, "a group without a name", &of(&[""]));
        talk.ask(v, "no groups", &of(&[]));
    }
}
