//! Listing offsets, ends of epochs, deleting records.

use ringlog_protocol::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
use ringlog_protocol::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use ringlog_protocol::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use ringlog_protocol::{ApiKey, Str};

use super::{NOWHERE, TIME, batch, fill, topic};
use crate::Talk;

pub(super) fn play(talk: &mut Talk) {
    list(talk);
    epochs(talk);
    delete(talk);
}

fn list(talk: &mut Talk) {
    let id = topic(talk, "listed");
    topic(talk, "listed-empty");
    for _ in 0..2 {
        fill(talk, "listed", id, 0, &batch(5));
    }
    for v in talk.versions(ApiKey::ListOffsets) {
        let of = |name: &'static str, partition_index, timestamp| {
            let partition = ListOffsetsPartition { partition_index, timestamp, ..Default::default() };
            let topics = vec![ListOffsetsTopic { name: name.into(), partitions: vec![partition] }];
            ListOffsetsRequest { replica_id: -1, topics, timeout_ms: 5_000, ..Default::default() }
        };
        let at = |timestamp| of("listed", 0, timestamp);
        talk.ask(v, "the earliest", &at(-2));
        talk.ask(v, "the latest", &at(-1));
        talk.ask(v, "the record of the newest timestamp", &at(-3));
        talk.ask(v, "the earliest on local disk", &at(-4));
        talk.ask(v, "the latest in remote storage", &at(-5));
        talk.ask(v, "a time that has no meaning", &at(-77));
        talk.ask(v, "a time before the first record", &at(TIME - 1));
        talk.ask(v, "the time of a record inside a batch", &at(TIME + 200));
        talk.ask(v, "a time between two records", &at(TIME + 201));
        talk.ask(v, "a time after the last record", &at(TIME + 401));
        talk.ask(v, "the earliest of an empty partition", &of("listed-empty", 0, -2));
        talk.ask(v, "the latest of an empty partition", &of("listed-empty", 0, -1));
        talk.ask(v, "the newest timestamp of an empty partition", &of("listed-empty", 0, -3));
        talk.ask(v, "a time in an empty partition", &of("listed-empty", 0, TIME));
        talk.ask(v, "a partition that the topic lacks", &of("listed", 3, -1));
        talk.ask(v, "an unknown topic", &of(NOWHERE, 0, -1));
        talk.ask(v, "no topics", &ListOffsetsRequest { replica_id: -1, ..Default::default() });
        if v >= 2 {
            talk.ask(v, "the latest committed", &ListOffsetsRequest { isolation_level: 1, ..at(-1) });
        }
        if v >= 4 {
            let mut ahead = at(-1);
            ahead.topics.iter_mut().flat_map(|t| &mut t.partitions).for_each(|p| p.current_leader_epoch = 9);
            talk.ask(v, "an epoch that is still to come", &ahead);
        }
        let mut twice = at(-1);
        twice
            .topics
            .iter_mut()
            .for_each(|t| t.partitions.push(ListOffsetsPartition { timestamp: -2, ..Default::default() }));
        talk.ask(v, "one partition twice", &twice);
    }
}

fn epochs(talk: &mut Talk) {
    for v in talk.versions(ApiKey::OffsetForLeaderEpoch) {
        let of = |topic: Str<'static>, partition, current_leader_epoch, leader_epoch| {
            let partition = OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch };
            let topics = vec![OffsetForLeaderTopic { topic, partitions: vec![partition] }];
            OffsetForLeaderEpochRequest { replica_id: -1, topics }
        };
        talk.ask(v, "the end of the only epoch", &of("listed".into(), 0, 0, 0));
        talk.ask(v, "the leader's epoch not given", &of("listed".into(), 0, -1, 0));
        talk.ask(v, "an epoch that is still to come", &of("listed".into(), 0, -1, 3));
        talk.ask(v, "no epoch", &of("listed".into(), 0, -1, -1));
        talk.ask(v, "a leader's epoch that is still to come", &of("listed".into(), 0, 5, 0));
        talk.ask(v, "the end of an empty partition", &of("listed-empty".into(), 0, -1, 0));
        talk.ask(v, "a partition that the topic lacks", &of("listed".into(), 4, -1, 0));
        talk.ask(v, "an unknown topic", &of(NOWHERE.into(), 0, -1, 0));
    }
}

fn delete(talk: &mut Talk) {
    for v in talk.versions(ApiKey::DeleteRecords) {
        let name = format!("trimmed-v{v}");
        let id = topic(talk, &name);
        fill(talk, &name, id, 0, &batch(5));
        fill(talk, &name, id, 0, &batch(5));
        let before = |name: &str, partition_index, offset| DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: name.to_owned().into(),
                partitions: vec![DeleteRecordsPartition { partition_index, offset }],
            }],
            timeout_ms: 5_000,
        };
        talk.ask(v, "before an offset inside a batch", &before(&name, 0, 3));
        talk.ask(v, "before an offset that is gone already", &before(&name, 0, 1));
        talk.ask(v, "before one behind the end", &before(&name, 0, 11));
        talk.ask(v, "before an offset that has no meaning", &before(&name, 0, -7));
        let listed = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic {
                name: name.clone().into(),
                partitions: vec![ListOffsetsPartition { timestamp: -2, ..Default::default() }],
            }],
            ..Default::default()
        };
        talk.ask(1, &format!("the earliest after deleting records in v{v}"), &listed);
        talk.ask(v, "all", &before(&name, 0, -1));
        talk.ask(v, "a partition that the topic lacks", &before(&name, 3, 0));
        talk.ask(v, "an unknown topic", &before(NOWHERE, 0, 0));
        talk.ask(v, "no topics", &DeleteRecordsRequest::default());
    }
}
