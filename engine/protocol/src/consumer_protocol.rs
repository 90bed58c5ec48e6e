//! What the consumers of a classic group tell each other: subscriptions and assignments. Brokers hand them on unread,
//! but for the topics of a subscription, which say whether committed offsets are in use.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecodeError, Stored};

    #[test]
    fn a_subscription_of_a_newer_consumer_is_read_as_the_newest_known() {
        let newer = b"\0\x09\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\0\0\0\0\x05\xff\xffwhat a later version adds";
        let subscription = ConsumerProtocolSubscription::from_newer_bytes(newer).unwrap();
        assert_eq!((&subscription.topics[..], subscription.generation_id), (&[Str::Borrowed("t")][..], 5));
        let error = DecodeError::UnknownSchemaVersion { schema: "ConsumerProtocolSubscription", version: 9 };
        assert_eq!(ConsumerProtocolSubscription::from_bytes(newer), Err(error));
    }

    #[test]
    fn an_assignment_lists_partitions_by_topic() {
        let assigned_partitions = vec![TopicPartition { topic: "t".into(), partitions: vec![0, 2] }];
        let assignment = ConsumerProtocolAssignment { assigned_partitions, user_data: None };
        let bytes = b"\0\0\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\0\0\0\0\x02\xff\xff\xff\xff";
        assert_eq!(assignment.to_bytes(0).unwrap(), bytes);
        assert_eq!(ConsumerProtocolAssignment::from_bytes(bytes).unwrap(), assignment);
    }
}
