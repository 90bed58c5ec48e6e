//! What the consumers of a classic group tell each other: subscriptions and assignments. Brokers hand them on unread, but
//! for the topics of a subscription, which say whether committed offsets are in use.

use crate::{Blob, Str, schema::stored};

stored! {
    ConsumerProtocolSubscription<'a>, versions 0..=3, never flexible {
        0..  topics: Vec<Str<'a>>;
        0..  user_data: Option<Blob<'a>> = None, null 0..;
        1..  owned_partitions: Vec<TopicPartition<'a>>, ignorable;
        2..  generation_id: i32 = -1, ignorable;
        3..  rack_id: Option<Str<'a>> = None, null 3.., ignorable;
    }
}

stored! {
    ConsumerProtocolAssignment<'a>, versions 0..=3, never flexible {
        0..  assigned_partitions: Vec<TopicPartition<'a>>;
        0..  user_data: Option<Blob<'a>> = None, null 0..;
    }

    struct TopicPartition<'a> {
        0..  topic: Str<'a>;
        0..  partitions: Vec<i32>;
    }
}
