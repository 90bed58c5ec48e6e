//! Fetch (key 1): record batches from a position, waited for if need be.
//!
//! Topics are named up to version 12 and go by id from 13 on. A partition without records answers with empty records,
//! never with null: many clients take null for a fault, so that empty is what a response starts with here.

use crate::{Records, Str, Uuid, schema::api};

api! {
    Fetch = 1, versions 4..=18, flexible from 12;

    request FetchRequest<'a> {
        12..    cluster_id: Option<Str<'a>> = None, null 12.., tag 0, ignorable;
        0..=14  replica_id: i32 = -1;
        15..    replica_state: ReplicaState, tag 1;
        0..     max_wait_ms: i32;
        0..     min_bytes: i32;
        3..     max_bytes: i32 = i32::MAX;
        4..     isolation_level: i8;
        7..     session_id: i32, ignorable;
        7..     session_epoch: i32 = -1, ignorable;
        0..     topics: Vec<FetchTopic<'a>>;
        7..     forgotten_topics_data: Vec<ForgottenTopic<'a>>;
        11..    rack_id: Str<'a>, ignorable;
    }

    struct ReplicaState {
        15..  replica_id: i32 = -1;
        15..  replica_epoch: i64 = -1;
    }

    struct FetchTopic<'a> {
        0..=12  topic: Str<'a>, ignorable;
        13..    topic_id: Uuid, ignorable;
        0..     partitions: Vec<FetchPartition>;
    }

    struct FetchPartition {
        0..   partition: i32;
        9..   current_leader_epoch: i32 = -1, ignorable;
        0..   fetch_offset: i64;
        12..  last_fetched_epoch: i32 = -1;
        5..   log_start_offset: i64 = -1, ignorable;
        0..   partition_max_bytes: i32;
        17..  replica_directory_id: Uuid, tag 0, ignorable;
        18..  high_watermark: i64 = i64::MAX, tag 1, ignorable;
    }

    struct ForgottenTopic<'a> {
        7..=12  topic: Str<'a>, ignorable;
        13..    topic_id: Uuid, ignorable;
        7..     partitions: Vec<i32>;
    }

    response FetchResponse<'a> {
        1..   throttle_time_ms: i32;
        7..   error_code: i16, ignorable;
        7..   session_id: i32;
        0..   responses: Vec<FetchableTopicResponse<'a>>;
        16..  node_endpoints: Vec<NodeEndpoint<'a>>, tag 0;
    }

    struct FetchableTopicResponse<'a> {
        0..=12  topic: Str<'a>, ignorable;
        13..    topic_id: Uuid, ignorable;
        0..     partitions: Vec<PartitionData<'a>>;
    }

    struct PartitionData<'a> {
        0..   partition_index: i32;
        0..   error_code: i16;
        0..   high_watermark: i64;
        4..   last_stable_offset: i64 = -1;
        5..   log_start_offset: i64 = -1, ignorable;
        12..  diverging_epoch: EpochEndOffset, tag 0;
        12..  current_leader: LeaderIdAndEpoch, tag 1;
        12..  snapshot_id: SnapshotId, tag 2;
        4..   aborted_transactions: Option<Vec<AbortedTransaction>>, null 4..;
        11..  preferred_read_replica: i32 = -1;
        0..   records: Option<Records<'a>>, null 0..;
    }

    struct EpochEndOffset {
        12..  epoch: i32 = -1;
        12..  end_offset: i64 = -1;
    }

    struct LeaderIdAndEpoch {
        12..  leader_id: i32 = -1;
        12..  leader_epoch: i32 = -1;
    }

    struct SnapshotId {
        0..  end_offset: i64 = -1;
        0..  epoch: i32 = -1;
    }

    struct AbortedTransaction {
        4..  producer_id: i64;
        4..  first_offset: i64;
    }

    struct NodeEndpoint<'a> {
        16..  node_id: i32;
        16..  host: Str<'a>;
        16..  port: i32;
        16..  rack: Option<Str<'a>> = None, null 16..;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApiKey, Message, Piece, Reader, encode_response, encode_response_pieces};

    fn response(records: Vec<Option<Records<'static>>>) -> FetchResponse<'static> {
        let partition = |(index, records)| PartitionData {
            partition_index: index as i32,
            high_watermark: 42,
            aborted_transactions: None,
            records,
            ..Default::default()
        };
        let partitions = records.into_iter().enumerate().map(partition).collect();
        FetchResponse {
            responses: vec![FetchableTopicResponse { partitions, ..Default::default() }],
            ..Default::default()
        }
    }

    #[test]
    fn records_from_files_and_the_pieces_around_them_make_the_same_frame_as_copying() {
        let files = [vec![1; 130], vec![], vec![3; 7]];
        for version in ApiKey::Fetch.versions() {
            let copied = response(files.iter().map(|file| Some(Records::Here(file.clone().into()))).collect());
            let sent = response(files.iter().map(|file| Some(Records::Elsewhere(file.len()))).collect());
            let pieces = encode_response_pieces(&sent, version, 3).unwrap();
            let mut gaps = files.iter().filter(|file| !file.is_empty());
            let frame: Vec<u8> = pieces
                .into_iter()
                .flat_map(|piece| match piece {
                    Piece::Bytes(bytes) => bytes.to_vec(),
                    Piece::Gap(length) => gaps.next().filter(|file| file.len() == length).unwrap().clone(),
                })
                .collect();
            assert_eq!(frame, encode_response(&copied, version, 3).unwrap(), "version {version}");
        }
    }

    #[test]
    fn a_partition_without_records_answers_with_empty_ones_and_not_with_null() {
        let frame = encode_response(&response(vec![Some(PartitionData::default().records.unwrap())]), 11, 3).unwrap();
        assert_eq!(&frame[frame.len() - 4..], [0; 4]);
        let mut r = Reader::new(&frame[8..]);
        let read = FetchResponse::decode(&mut r, 11).unwrap();
        assert_eq!(read.responses[0].partitions[0].records, Some(Records::default()));
    }

    #[test]
    fn records_elsewhere_are_refused_where_there_is_no_gap_for_them() {
        let elsewhere = response(vec![Some(Records::Elsewhere(9))]);
        assert!(encode_response(&elsewhere, 11, 3).is_err());
    }
}
