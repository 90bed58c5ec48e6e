//! Produce (key 0): record batches to append.
//!
//! No response at all is sent to `acks` 0. Topics are named up to version 12 and go by id from 13 on.

use std::ops::Range;

use crate::{DecodeError, Message, Reader, Records, Str, Uuid, schema::api};

api! {
    Produce = 0, versions 3..=13, flexible from 9;

    request ProduceRequest<'a> {
        3..  transactional_id: Option<Str<'a>> = None, null 3..;
        0..  acks: i16;
        0..  timeout_ms: i32;
        0..  topic_data: Vec<TopicProduceData<'a>>;
    }

    struct TopicProduceData<'a> {
        0..=12  name: Str<'a>, ignorable;
        13..    topic_id: Uuid, ignorable;
        0..     partition_data: Vec<PartitionProduceData<'a>>;
    }

    struct PartitionProduceData<'a> {
        0..  index: i32;
        0..  records: Option<Records<'a>> = None, null 0..;
    }

    response ProduceResponse<'a> {
        0..   responses: Vec<TopicProduceResponse<'a>>;
        1..   throttle_time_ms: i32;
        10..  node_endpoints: Vec<NodeEndpoint<'a>>, tag 0;
    }

    struct TopicProduceResponse<'a> {
        0..=12  name: Str<'a>, ignorable;
        13..    topic_id: Uuid, ignorable;
        0..     partition_responses: Vec<PartitionProduceResponse<'a>>;
    }

    struct PartitionProduceResponse<'a> {
        0..   index: i32;
        0..   error_code: i16;
        0..   base_offset: i64;
        2..   log_append_time_ms: i64 = -1;
        5..   log_start_offset: i64 = -1, ignorable;
        8..   record_errors: Vec<BatchIndexAndErrorMessage<'a>>, ignorable;
        8..   error_message: Option<Str<'a>> = None, null 8.., ignorable;
        10..  current_leader: LeaderIdAndEpoch, tag 0;
    }

    struct BatchIndexAndErrorMessage<'a> {
        8..  batch_index: i32;
        8..  batch_index_error_message: Option<Str<'a>> = None, null 8..;
    }

    struct LeaderIdAndEpoch {
        10..  leader_id: i32 = -1;
        10..  leader_epoch: i32 = -1;
    }

    struct NodeEndpoint<'a> {
        10..  node_id: i32;
        10..  host: Str<'a>;
        10..  port: i32;
        10..  rack: Option<Str<'a>> = None, null 10..;
    }
}

/// A Produce request by where its records lie, so that a broker can cut them out of the frame without copying them.
#[derive(Debug, Clone, PartialEq)]
pub struct Walk<'a> {
    /// The transaction that the records belong to.
    pub transactional_id: Option<Str<'a>>,
    /// Which acknowledgement is awaited: 0 none at all, 1 that of the leader, −1 that of all in-sync replicas.
    pub acks: i16,
    /// How long to wait for it.
    pub timeout_ms: i32,
    /// In the order of the request.
    pub topics: Vec<WalkTopic<'a>>,
}

/// A topic of a [`Walk`].
#[derive(Debug, Clone, PartialEq)]
pub struct WalkTopic<'a> {
    /// Empty from version 13 on.
    pub name: Str<'a>,
    /// Zero up to version 12.
    pub topic_id: Uuid,
    /// In the order of the request.
    pub partitions: Vec<WalkPartition>,
}

/// A partition of a [`WalkTopic`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalkPartition {
    /// The partition.
    pub index: i32,
    /// Where in the body its records lie; `None` when they are null. Ranges never overlap, and rise through the walk.
    pub records: Option<Range<usize>>,
}

/// Finds the records in `body`, the bytes of a request behind its header. They are neither copied nor looked into.
pub fn walk<'a>(body: &'a [u8], version: i16) -> Result<Walk<'a>, DecodeError> {
    let request = ProduceRequest::decode(&mut Reader::new(body), version)?;
    let partition = |p: PartitionProduceData<'_>| WalkPartition {
        index: p.index,
        records: p.records.and_then(|records| records.range_in(body)),
    };
    let topic = |t: TopicProduceData<'a>| WalkTopic {
        name: t.name,
        topic_id: t.topic_id,
        partitions: t.partition_data.into_iter().map(partition).collect(),
    };
    Ok(Walk {
        transactional_id: request.transactional_id,
        acks: request.acks,
        timeout_ms: request.timeout_ms,
        topics: request.topic_data.into_iter().map(topic).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Piece, Writer, encode_request_pieces};

    fn request(records: &[Records<'static>]) -> ProduceRequest<'static> {
        let partition = |(index, records): (usize, &Records<'static>)| PartitionProduceData {
            index: index as i32,
            records: Some(records.clone()),
        };
        let partition_data = records.iter().enumerate().map(partition).collect();
        let topic_data = vec![TopicProduceData { partition_data, ..Default::default() }];
        ProduceRequest { acks: -1, timeout_ms: 1500, topic_data, ..Default::default() }
    }

    #[test]
    fn a_walk_finds_the_records_where_they_lie() {
        for version in crate::ApiKey::Produce.versions() {
            let batches: [&[u8]; 3] = [b"first batch", b"", &[7; 300]];
            let mut w = Writer::new();
            request(&batches.map(|batch| Records::Here(batch.into()))).encode(&mut w, version).unwrap();
            let body = w.into_bytes();
            let walk = walk(&body, version).unwrap();
            assert_eq!((walk.acks, walk.timeout_ms), (-1, 1500));
            let found = walk.topics[0].partitions.iter().map(|p| &body[p.records.clone().unwrap()]);
            assert!(found.eq(batches), "version {version}");
        }
    }

    #[test]
    fn null_records_are_told_from_empty_ones() {
        let mut request = request(&[Records::default()]);
        request.topic_data[0].partition_data[0].records = None;
        let mut w = Writer::new();
        request.encode(&mut w, 9).unwrap();
        assert_eq!(walk(&w.into_bytes(), 9).unwrap().topics[0].partitions[0].records, None);
    }

    #[test]
    fn pieces_and_the_bytes_for_their_gaps_make_the_same_frame_as_copying() {
        let (first, second) = (vec![1; 200], vec![2; 5]);
        for version in crate::ApiKey::Produce.versions() {
            let copied = request(&[&first, &second].map(|bytes| Records::Here(bytes.clone().into())));
            let apart = request(&[Records::Elsewhere(first.len()), Records::Elsewhere(second.len())]);
            let mut gaps = [&first, &second].into_iter();
            let frame: Vec<u8> = encode_request_pieces(&apart, version, 5, Some("me"))
                .unwrap()
                .into_iter()
                .flat_map(|piece| match piece {
                    Piece::Bytes(bytes) => bytes.to_vec(),
                    Piece::Gap(length) => gaps.next().filter(|bytes| bytes.len() == length).unwrap().clone(),
                })
                .collect();
            assert_eq!(frame, crate::encode_request(&copied, version, 5, Some("me")).unwrap());
        }
    }
}
