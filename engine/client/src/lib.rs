//! The native client: [`Producer`], [`Consumer`], [`Admin`], for Ringlog and for Apache Kafka.
//!
//! ```no_run
//! use ringlog_client::{Client, ClientOptions, Producer, ProducerOptions, ProducerRecord};
//!
//! # async fn example() -> Result<(), ringlog_client::ClientError> {
//! let client = Client::connect(ClientOptions::new("127.0.0.1:9092")?).await?;
//! let producer = Producer::new(client, ProducerOptions::default())?;
//! let delivery = producer.send(ProducerRecord { topic: "orders", value: Some(b"one"), ..Default::default() }).await?;
//! println!("offset {}", delivery.await?.offset);
//! producer.close().await
//! # }
//! ```
//!
//! Everything runs on the current tokio runtime, which may be single-threaded; handles can be sent between threads.
//! Settings have Kafka's meanings and defaults; their documentation names them.
#![forbid(unsafe_code)]

mod address;
mod admin;
mod backoff;
mod client;
mod connection;
mod consumer;
mod error;
mod offsets;
mod options;
mod partitioner;
mod producer;
mod topology;

pub use address::{Address, DEFAULT_PORT};
pub use admin::{
    Acl, AclFilter, AclOperation, AclPattern, AclPatternFilter, AclPermission, AclResource, Admin, ClusterDescription,
    ConfigChange, ConfigEntry, ConfigResource, ConfigSource, Election, Feature, FeatureUpdate, GroupDescription,
    GroupEpochs, GroupListing, GroupMember, HangingTransaction, LogDir, LogDirPartition, MemberTarget, NewTopic,
    ProducerState, Quorum, QuorumReplica, QuotaEntity, QuotaMatch, Reassignment, ScramMechanism, TopicDescription,
    TransactionDescription, TransactionFilter, TransactionListing,
};
pub use client::Client;
pub use consumer::{Assignor, Chunk, Consumer, PendingCommit, RebalanceListener, Records, Told, TopicPartition};
pub use error::ClientError;
pub use offsets::{CommittedOffset, FoundOffset, GroupMetadata, OffsetSpec};
pub use options::{Acks, ClientOptions, ConsumerOptions, Isolation, OffsetReset, ProducerOptions};
pub use partitioner::{Partitioner, murmur2, partition_of_key};
pub use producer::{
    Acknowledgement, BigEndian, Bytes, Delivery, Draft, DraftHeader, Interceptor, Producer, ProducerRecord,
    RecordMetadata, SerializeError, Serializer, TypedProducer, TypedRecord, Utf8, Written,
};
pub use ringlog_protocol::ErrorCode;
pub use ringlog_record::{Compression, Record, RecordHeader};
pub use topology::{Broker, Partition, Topic, Topology};
