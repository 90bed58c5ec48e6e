//! WriteTxnMarkers (key 27): the coordinator tells partition leaders how transactions ended.

use crate::{Str, schema::api};

api! {
    WriteTxnMarkers = 27, versions 1..=2, flexible from 1;

    request WriteTxnMarkersRequest<'a> {
        0..  markers: Vec<WritableTxnMarker<'a>>;
    }

    struct WritableTxnMarker<'a> {
        0..  producer_id: i64;
        0..  producer_epoch: i16;
        0..  transaction_result: bool;
        0..  topics: Vec<WritableTxnMarkerTopic<'a>>;
        0..  coordinator_epoch: i32;
        2..  transaction_version: i8, ignorable;
    }

    struct WritableTxnMarkerTopic<'a> {
        0..  name: Str<'a>;
        0..  partition_indexes: Vec<i32>;
    }

    response WriteTxnMarkersResponse<'a> {
        0..  markers: Vec<WritableTxnMarkerResult<'a>>;
    }

    struct WritableTxnMarkerResult<'a> {
        0..  producer_id: i64;
        0..  topics: Vec<WritableTxnMarkerTopicResult<'a>>;
    }

    struct WritableTxnMarkerTopicResult<'a> {
        0..  name: Str<'a>;
        0..  partitions: Vec<WritableTxnMarkerPartitionResult>;
    }

    struct WritableTxnMarkerPartitionResult {
        0..  partition_index: i32;
        0..  error_code: i16;
    }
}
