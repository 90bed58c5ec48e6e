//! The records of `__consumer_offsets`, byte for byte as Kafka writes them.
//!
//! The version in front of a key says what the record is: 0 or 1 a committed offset, 2 a group; others are not ours to read.

use crate::{Blob, Str, Uuid, schema::stored};

stored! {
    OffsetCommitKey<'a>, versions 0..=1, never flexible {
        0..  group: Str<'a>;
        0..  topic: Str<'a>;
        0..  partition: i32;
    }
}

stored! {
    OffsetCommitValue<'a>, versions 0..=4, flexible from 4 {
        0..     offset: i64;
        3..     leader_epoch: i32 = -1, ignorable;
        0..     metadata: Str<'a>;
        0..     commit_timestamp: i64;
        1..=1   expire_timestamp: i64 = -1, ignorable;
        4..     topic_id: Uuid, tag 0, ignorable;
    }
}

stored! {
    GroupMetadataKey<'a>, versions 2..=2, never flexible {
        0..  group: Str<'a>;
    }
}

stored! {
    GroupMetadataValue<'a>, versions 0..=4, flexible from 4 {
        0..  protocol_type: Str<'a>;
        0..  generation: i32;
        0..  protocol: Option<Str<'a>>, null 0..;
        0..  leader: Option<Str<'a>>, null 0..;
        2..  current_state_timestamp: i64 = -1, ignorable;
        0..  members: Vec<MemberMetadata<'a>>;
    }

    struct MemberMetadata<'a> {
        0..  member_id: Str<'a>;
        3..  group_instance_id: Option<Str<'a>> = None, null 3.., ignorable;
        0..  client_id: Str<'a>;
        0..  client_host: Str<'a>;
        1..  rebalance_timeout: i32 = -1, ignorable;
        0..  session_timeout: i32;
        0..  subscription: Blob<'a>;
        0..  assignment: Blob<'a>;
    }
}
