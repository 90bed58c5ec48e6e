//! Positions, resets, limits, and damage.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringlog_client::{
    ClientError, Consumer, ConsumerOptions, ErrorCode, Isolation, OffsetReset, OffsetSpec, TopicPartition,
};
use ringlog_protocol::fetch::{AbortedTransaction, FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData};
use ringlog_protocol::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use ringlog_protocol::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
};
use ringlog_protocol::{ApiKey, Records};
use ringlog_record::control::{self, Marker, MarkerKind};
use ringlog_record::{BatchBuilder, Compression, patch};

use super::broker::{self, Answer, Received};

/// A log of batches for each partition that is fetched, from `start` on.
struct Log {
    start: i64,
    batches: Vec<(i64, i64, Vec<u8>)>,
    aborted: Vec<AbortedTransaction>,
    asked: Vec<i64>,
    /// What each group has committed; −1 for nothing.
    committed: i64,
}

impl Log {
    fn new(start: i64) -> Self {
        Self { start, batches: Vec::new(), aborted: Vec::new(), asked: Vec::new(), committed: -1 }
    }

    fn end(&self) -> i64 {
        self.batches.last().map_or(self.start, |(_, end, _)| *end)
    }

    fn push(&mut self, bytes: Vec<u8>, records: i64) {
        let base = self.end();
        self.batches.push((base, base + records, bytes));
    }

    /// A batch of values that are the records' own offsets.
    fn append(&mut self, records: i64, compression: Compression, producer: Option<i64>) {
        let base = self.end();
        let mut builder = BatchBuilder::new(compression);
        for offset in base..base + records {
            builder.append(1000 + offset, None, Some(offset.to_string().as_bytes()), &[]).unwrap();
        }
        builder.set_position(base, 0);
        if let Some(id) = producer {
            builder.set_producer(id, 0, 0).set_transactional();
        }
        self.push(builder.build().unwrap(), records);
    }

    fn answer(&mut self, received: &Received) -> Answer {
        match received.api {
            ApiKey::ListOffsets => self.list(received),
            ApiKey::Fetch => self.fetch(received),
            ApiKey::OffsetFetch => self.fetch_offsets(received),
            _ => Answer::Usual,
        }
    }

    fn list(&self, received: &Received) -> Answer {
        let request = received.read::<ListOffsetsRequest<'_>>();
        let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
            name: topic.name.clone(),
            partitions: topic
                .partitions
                .iter()
                .map(|asked| ListOffsetsPartitionResponse {
                    partition_index: asked.partition_index,
                    offset: match asked.timestamp {
                        -2 => self.start,
                        -1 => self.end(),
                        // The record at offset n has the timestamp 1000 + n.
                        ms if ms - 1000 < self.end() => (ms - 1000).max(self.start),
                        _ => -1,
                    },
                    ..Default::default()
                })
                .collect(),
        });
        received.answer(&ListOffsetsResponse { topics: topics.collect(), ..Default::default() })
    }

    fn fetch_offsets(&self, received: &Received) -> Answer {
        let request = received.read::<OffsetFetchRequest<'_>>();
        let row = |partition_index| OffsetFetchResponsePartitions {
            partition_index,
            committed_offset: self.committed,
            ..Default::default()
        };
        let groups = request.groups.iter().map(|group| OffsetFetchResponseGroup {
            group_id: group.group_id.clone(),
            topics: (group.topics.iter().flatten())
                .map(|topic| OffsetFetchResponseTopics {
                    name: topic.name.clone(),
                    partitions: topic.partition_indexes.iter().copied().map(row).collect(),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        });
        received.answer(&OffsetFetchResponse { groups: groups.collect(), ..Default::default() })
    }

    fn fetch(&mut self, received: &Received) -> Answer {
        let request = received.read::<FetchRequest<'_>>();
        let mut responses = Vec::new();
        for topic in &request.topics {
            let mut partitions = Vec::new();
            for asked in &topic.partitions {
                self.asked.push(asked.fetch_offset);
                let in_range = (self.start..=self.end()).contains(&asked.fetch_offset);
                let code = if in_range { ErrorCode::None } else { ErrorCode::OffsetOutOfRange };
                let wanted = self.batches.iter().filter(|(_, end, _)| in_range && *end > asked.fetch_offset);
                let bytes: Vec<u8> = wanted.flat_map(|(_, _, bytes)| bytes).copied().collect();
                partitions.push(PartitionData {
                    partition_index: asked.partition,
                    error_code: code.code(),
                    high_watermark: self.end(),
                    last_stable_offset: self.end(),
                    aborted_transactions: Some(self.aborted.clone()),
                    records: Some(Records::Here(bytes.into())),
                    ..Default::default()
                });
            }
            responses.push(FetchableTopicResponse { topic: topic.topic.clone(), partitions, ..Default::default() });
        }
        received.answer(&FetchResponse { responses, ..Default::default() })
    }
}

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

async fn consumer(log: Log, options: ConsumerOptions) -> (Consumer, Arc<Mutex<Log>>) {
    let log = Arc::new(Mutex::new(log));
    let served = Arc::clone(&log);
    let client = broker::client(move |received: &Received| served.lock().unwrap().answer(received)).await;
    let mut consumer = Consumer::new(client, options).unwrap();
    consumer.assign([partition()]);
    (consumer, log)
}

fn earliest() -> ConsumerOptions {
    ConsumerOptions { offset_reset: OffsetReset::Earliest, ..Default::default() }
}

/// The offsets of what one poll gives; each record is checked to be what the log holds there.
async fn poll(consumer: &mut Consumer) -> Result<Vec<i64>, ClientError> {
    let records = consumer.poll(Duration::from_secs(30)).await?;
    let mut offsets = Vec::new();
    records.try_for_each(|from, record| {
        assert_eq!(*from, partition());
        assert_eq!(record.value, Some(record.offset.to_string().as_bytes()));
        assert_eq!(record.timestamp_ms, 1000 + record.offset);
        offsets.push(record.offset);
        Ok::<_, ClientError>(())
    })?;
    Ok(offsets)
}

#[tokio::test]
async fn batches_in_every_codec_are_read_in_order() {
    let mut log = Log::new(0);
    for compression in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
    {
        log.append(10, compression, None);
    }
    let (mut consumer, _) = consumer(log, earliest()).await;
    assert_eq!(poll(&mut consumer).await.unwrap(), (0..50).collect::<Vec<_>>());
    assert_eq!((consumer.position(&partition()), consumer.lag(&partition())), (Some(50), Some(0)));
}

#[tokio::test]
async fn a_poll_never_gives_more_than_asked_and_loses_nothing_at_the_cut() {
    let mut log = Log::new(0);
    log.append(10, Compression::None, None);
    log.append(10, Compression::Zstd, None);
    let (mut consumer, _) = consumer(log, ConsumerOptions { max_poll_records: 7, ..earliest() }).await;
    for expected in [0..7, 7..14, 14..20] {
        assert_eq!(poll(&mut consumer).await.unwrap(), expected.clone().collect::<Vec<_>>());
        assert_eq!(consumer.position(&partition()), Some(expected.end));
    }
}

#[tokio::test]
async fn a_position_within_a_batch_begins_there() {
    let mut log = Log::new(0);
    log.append(10, Compression::Lz4, None);
    log.append(5, Compression::None, None);
    let (mut consumer, _) = consumer(log, earliest()).await;
    consumer.seek(&partition(), 8).unwrap();
    assert_eq!(poll(&mut consumer).await.unwrap(), (8..15).collect::<Vec<_>>());
    consumer.seek_to(&partition(), OffsetSpec::Timestamp(1013)).unwrap();
    assert_eq!(poll(&mut consumer).await.unwrap(), [13, 14]);
}

#[tokio::test]
async fn a_seek_forgets_what_was_fetched_before_it() {
    let mut log = Log::new(0);
    log.append(10, Compression::None, None);
    let (mut consumer, _) = consumer(log, ConsumerOptions { max_poll_records: 2, ..earliest() }).await;
    assert_eq!(poll(&mut consumer).await.unwrap(), [0, 1]);
    consumer.seek(&partition(), 6).unwrap();
    assert_eq!(poll(&mut consumer).await.unwrap(), [6, 7]);
}

#[tokio::test]
async fn what_was_read_in_vain_is_read_again_from_where_reading_began_until_something_is_committed() {
    let mut log = Log::new(0);
    log.append(3, Compression::None, None);
    let latest = ConsumerOptions {
        group_id: Some("g".to_owned()),
        offset_reset: OffsetReset::Latest,
        auto_commit: None,
        ..Default::default()
    };
    let (mut consumer, log) = consumer(log, latest).await;
    assert!(consumer.poll(Duration::ZERO).await.unwrap().is_empty());
    log.lock().unwrap().append(2, Compression::None, None);
    for _ in 0..2 {
        assert_eq!(poll(&mut consumer).await.unwrap(), [3, 4]);
        consumer.seek_to_committed();
    }
    consumer.seek(&partition(), 1).unwrap();
    for _ in 0..2 {
        assert_eq!(poll(&mut consumer).await.unwrap(), [1, 2, 3, 4]);
        consumer.seek_to_committed();
    }
    log.lock().unwrap().committed = 2;
    assert_eq!(poll(&mut consumer).await.unwrap(), [2, 3, 4]);
}

#[tokio::test]
async fn an_offset_out_of_range_is_reset_as_the_setting_says() {
    let log = || {
        let mut log = Log::new(100);
        log.append(10, Compression::None, None);
        log
    };
    let (mut resetting, served) = consumer(log(), earliest()).await;
    resetting.seek(&partition(), 5).unwrap();
    assert_eq!(poll(&mut resetting).await.unwrap(), (100..110).collect::<Vec<_>>());
    assert_eq!(served.lock().unwrap().asked[..2], [5, 100]);

    let (mut strict, _) = consumer(log(), ConsumerOptions { offset_reset: OffsetReset::None, ..earliest() }).await;
    strict.seek(&partition(), 5).unwrap();
    assert_eq!(poll(&mut strict).await.unwrap_err(), ClientError::NoOffset { partition: partition() });
}

#[tokio::test]
async fn a_damaged_batch_stops_the_reading_at_its_offset_until_it_is_passed_by() {
    let mut log = Log::new(0);
    log.append(3, Compression::None, None);
    log.append(3, Compression::None, None);
    log.append(3, Compression::None, None);
    let damaged = &mut log.batches[1].2;
    *damaged.last_mut().unwrap() ^= 1;
    let (mut consumer, _) = consumer(log, earliest()).await;
    assert_eq!(poll(&mut consumer).await.unwrap(), [0, 1, 2]);
    let error = poll(&mut consumer).await.unwrap_err();
    assert!(matches!(error, ClientError::Records { offset: 3, .. }), "{error}");
    consumer.seek(&partition(), 6).unwrap();
    assert_eq!(poll(&mut consumer).await.unwrap(), [6, 7, 8]);
}

#[tokio::test]
async fn a_batch_cut_off_by_the_size_limit_is_asked_for_again() {
    let mut log = Log::new(0);
    log.append(3, Compression::None, None);
    let mut torn = Log::new(3);
    torn.append(3, Compression::None, None);
    let whole = torn.batches.remove(0).2;
    log.push(whole[..70].to_vec(), 3);
    let (mut consumer, served) = consumer(log, earliest()).await;
    assert_eq!(poll(&mut consumer).await.unwrap(), [0, 1, 2]);
    served.lock().unwrap().batches[1].2 = whole;
    assert_eq!(poll(&mut consumer).await.unwrap(), [3, 4, 5]);
}

#[tokio::test]
async fn read_committed_leaves_out_aborted_transactions_and_nobody_sees_markers() {
    let log = || {
        let mut log = Log::new(0);
        log.append(2, Compression::None, Some(7));
        log.append(2, Compression::None, Some(8));
        for (producer, kind) in [(7, MarkerKind::Abort), (8, MarkerKind::Commit)] {
            let mut marker = control::marker(Marker { kind, coordinator_epoch: 0 }, producer, 0, 1000).unwrap();
            patch::base_offset(&mut marker, log.end()).unwrap();
            log.push(marker, 1);
        }
        log.append(2, Compression::None, Some(7));
        log.aborted.push(AbortedTransaction { producer_id: 7, first_offset: 0 });
        log
    };
    let (mut all, _) = consumer(log(), earliest()).await;
    assert_eq!(poll(&mut all).await.unwrap(), [0, 1, 2, 3, 6, 7]);
    let committed = ConsumerOptions { isolation: Isolation::ReadCommitted, ..earliest() };
    let (mut committed, _) = consumer(log(), committed).await;
    assert_eq!(poll(&mut committed).await.unwrap(), [2, 3, 6, 7]);
}

#[tokio::test]
async fn a_paused_partition_waits_with_all_that_was_fetched() {
    let mut log = Log::new(0);
    log.append(4, Compression::None, None);
    let (mut consumer, _) = consumer(log, ConsumerOptions { max_poll_records: 2, ..earliest() }).await;
    assert_eq!(poll(&mut consumer).await.unwrap(), [0, 1]);
    consumer.pause(&[partition()]);
    assert!(consumer.poll(Duration::from_millis(1)).await.unwrap().is_empty());
    consumer.resume(&[partition()]);
    assert_eq!(poll(&mut consumer).await.unwrap(), [2, 3]);
}
