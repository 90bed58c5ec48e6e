//! Members of a group come and go, commit, and find what is added.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use ringlog_client::{
    Admin, Assignor, Client, ClientError, ClientOptions, CommittedOffset, Consumer, ConsumerOptions, OffsetReset,
    OffsetSpec, Partitioner, ProducerOptions, ProducerRecord, RebalanceListener, Told, TopicPartition,
};
use ringlog_interop::Broker;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::{PARTITIONS, POLL, client, create, poll_until, producer, text, until, with_topic};

#[test]
fn with_every_strategy_members_come_and_go_and_each_record_is_read_once() {
    for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky, Assignor::CooperativeSticky] {
        with_topic(assignor.name(), PARTITIONS, async |broker, topic| {
            let group = Group::new(&topic, assignor);
            group.produce(&broker, "before").await;
            let first = group.member(&broker).await;
            let second = group.member(&broker).await;
            until("two share six partitions", || share(&[&first, &second])).await;
            group.produce(&broker, "with two").await;
            let third = group.member(&broker).await;
            until("a third joins and each has two", || share(&[&first, &second, &third])).await;
            group.produce(&broker, "with three").await;
            second.leave().await;
            until("one leaves and the others have three each", || share(&[&first, &third])).await;
            group.produce(&broker, "after").await;
            until("the group has seen every record", || group.seen.lock().unwrap().len() >= group.sent()).await;
            first.leave().await;
            third.leave().await;
            let mut seen = std::mem::take(&mut *group.seen.lock().unwrap());
            seen.sort_unstable();
            assert_eq!(seen, group.expected(), "{}", assignor.name());
            let admin = Admin::new(client(&broker).await);
            let ends = (0..PARTITIONS).map(|index| (TopicPartition::new(&topic, index), OffsetSpec::Latest)).collect();
            let ends = admin.offsets(&ends).await.unwrap();
            for (partition, committed) in admin.group_offsets(&group.name).await.unwrap() {
                assert_eq!(Some(committed.offset), ends[&partition].offset, "{partition} is committed to its end");
            }
        });
    }
}

#[test]
fn a_member_of_librdkafka_and_one_of_ours_share_a_group() {
    for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::CooperativeSticky] {
        with_topic("mixed", PARTITIONS, async |broker, topic| {
            let group = Group::new(&topic, assignor);
            let theirs = Theirs::join(&broker, &group);
            until("it has all", || theirs.held.lock().unwrap().len() == 6).await;
            let ours = group.member(&broker).await;
            until("each has half", || theirs.held.lock().unwrap().len() == 3 && ours.held().len() == 3).await;
            let both: BTreeSet<_> =
                ours.held().iter().map(|p| p.partition).chain(theirs.held.lock().unwrap().iter().copied()).collect();
            assert_eq!(both.len(), 6, "{}", assignor.name());
            theirs.leave();
            until("ours has all", || ours.held().len() == 6).await;
            ours.leave().await;
        });
    }
}

#[test]
fn topics_and_partitions_that_come_later_are_found() {
    with_topic("later", 1, async |broker, topic| {
        let mut options = ClientOptions::new(broker.bootstrap()).unwrap();
        options.metadata_max_age = Duration::from_millis(200);
        let group = Group::new(&topic, Assignor::Range);
        let mut consumer = Consumer::new(Client::connect(options).await.unwrap(), group.options()).unwrap();
        consumer.subscribe_pattern(&format!("{topic}(-second)?")).unwrap();
        let admin = Admin::new(client(&broker).await);
        let (second, other) = (format!("{topic}-second"), format!("{topic}-other"));
        let holds = |consumer: &Consumer, count: usize| consumer.assignment().len() == count;
        poll_until(&mut consumer, |consumer| holds(consumer, 1)).await;
        for name in [&second, &other] {
            create(&admin, name, 1).await;
        }
        poll_until(&mut consumer, |consumer| holds(consumer, 2)).await;
        admin.create_partitions(&topic, 3).await.unwrap();
        poll_until(&mut consumer, |consumer| holds(consumer, 4)).await;
        assert!(consumer.assignment().iter().all(|partition| partition.topic != other));
        consumer.close().await.unwrap();
        for name in [&second, &other] {
            admin.delete_topic(name).await.unwrap();
        }
    });
}

#[test]
fn commits_that_are_begun_and_one_that_is_waited_for_take_effect_in_order() {
    with_topic("commit", 1, async |broker, topic| {
        let partition = TopicPartition::new(&topic, 0);
        let options = || ConsumerOptions { group_id: Some(topic.clone()), auto_commit: None, ..Default::default() };
        let mut consumer = Consumer::new(client(&broker).await, options()).unwrap();
        let at = |offset| BTreeMap::from([(partition.clone(), CommittedOffset { offset, ..Default::default() })]);
        let mut pending = Vec::new();
        for offset in 1..=50 {
            pending.push(consumer.begin_commit(&at(offset)).await.unwrap());
        }
        consumer.commit_offsets(&at(7)).await.unwrap();
        for pending in pending {
            pending.await.unwrap();
        }
        let committed = consumer.committed(std::slice::from_ref(&partition)).await.unwrap();
        assert_eq!(committed[&partition].offset, 7);
        let mut resumed = Consumer::new(client(&broker).await, options()).unwrap();
        resumed.assign([partition.clone()]);
        let _ = resumed.poll(Duration::ZERO).await;
        assert_eq!(resumed.committed(std::slice::from_ref(&partition)).await.unwrap()[&partition].offset, 7);
    });
}

/// A group that reads one topic, and what is sent to it and seen by it.
struct Group {
    name: String,
    topic: String,
    assignor: Assignor,
    phases: Mutex<Vec<&'static str>>,
    seen: Arc<Mutex<Vec<String>>>,
    /// Who reads what, by the members' own words; a partition never has two readers.
    readers: Arc<Mutex<BTreeSet<TopicPartition>>>,
}

const PER_PHASE: usize = 120;

impl Group {
    fn new(topic: &str, assignor: Assignor) -> Group {
        Group {
            name: format!("{topic}-group"),
            topic: topic.to_owned(),
            assignor,
            phases: Mutex::default(),
            seen: Arc::default(),
            readers: Arc::default(),
        }
    }

    fn options(&self) -> ConsumerOptions {
        ConsumerOptions {
            group_id: Some(self.name.clone()),
            offset_reset: OffsetReset::Earliest,
            auto_commit: None,
            heartbeat_interval: Duration::from_millis(200),
            session_timeout: Duration::from_secs(10),
            assignors: vec![self.assignor],
            ..Default::default()
        }
    }

    async fn produce(&self, broker: &Broker, phase: &'static str) {
        let options = ProducerOptions { partitioner: Partitioner::RoundRobin, ..Default::default() };
        let producer = producer(broker, options).await;
        for number in 0..PER_PHASE {
            let value = format!("{phase} {number}");
            let record = ProducerRecord { topic: &self.topic, value: Some(value.as_bytes()), ..Default::default() };
            drop(producer.send(record).await.unwrap());
        }
        producer.close().await.unwrap();
        self.phases.lock().unwrap().push(phase);
    }

    fn sent(&self) -> usize {
        self.phases.lock().unwrap().len() * PER_PHASE
    }

    fn expected(&self) -> Vec<String> {
        let phases = self.phases.lock().unwrap();
        let values = phases.iter().flat_map(|phase| (0..PER_PHASE).map(move |number| format!("{phase} {number}")));
        let mut values: Vec<_> = values.collect();
        values.sort_unstable();
        values
    }

    async fn member(&self, broker: &Broker) -> Member {
        let mut consumer = Consumer::new(client(broker).await, self.options()).unwrap();
        let held = Arc::new(Mutex::new(BTreeSet::new()));
        consumer.listen(Exclusive { held: Arc::clone(&held), readers: Arc::clone(&self.readers) });
        consumer.subscribe([self.topic.as_str()]).unwrap();
        let seen = Arc::clone(&self.seen);
        let (leave, mut left) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            loop {
                let records = tokio::select! {
                    records = consumer.poll(POLL) => records.unwrap(),
                    _ = &mut left => break,
                };
                let each = |_: &TopicPartition, record: &ringlog_client::Record<'_>| {
                    seen.lock().unwrap().push(text(record.value.unwrap()));
                    Ok::<_, ClientError>(())
                };
                records.try_for_each(each).unwrap();
            }
            consumer.close().await.unwrap();
        });
        Member { held, leave, task }
    }
}

/// Commits what it gives up, and sees to it that nobody else reads what it is given.
struct Exclusive {
    held: Arc<Mutex<BTreeSet<TopicPartition>>>,
    readers: Arc<Mutex<BTreeSet<TopicPartition>>>,
}

impl Exclusive {
    fn drop_all(&self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.held.lock().unwrap().remove(partition);
            self.readers.lock().unwrap().remove(partition);
        }
    }
}

impl RebalanceListener for Exclusive {
    fn assigned<'a>(&'a self, _: &'a mut Consumer, partitions: &'a [TopicPartition]) -> Told<'a> {
        Box::pin(async move {
            for partition in partitions {
                self.held.lock().unwrap().insert(partition.clone());
                assert!(self.readers.lock().unwrap().insert(partition.clone()), "{partition} has two readers");
            }
            Ok(())
        })
    }

    fn revoked<'a>(&'a self, consumer: &'a mut Consumer, partitions: &'a [TopicPartition]) -> Told<'a> {
        Box::pin(async move {
            consumer.commit().await?;
            self.drop_all(partitions);
            Ok(())
        })
    }

    fn lost<'a>(&'a self, _: &'a mut Consumer, partitions: &'a [TopicPartition]) -> Told<'a> {
        panic!("{partitions:?} were lost: no member of these tests is late");
    }
}

struct Member {
    held: Arc<Mutex<BTreeSet<TopicPartition>>>,
    leave: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Member {
    fn held(&self) -> BTreeSet<TopicPartition> {
        self.held.lock().unwrap().clone()
    }

    async fn leave(self) {
        self.leave.send(()).unwrap();
        self.task.await.unwrap();
    }
}

/// Whether the members hold every partition between them, evenly.
fn share(members: &[&Member]) -> bool {
    let held: Vec<_> = members.iter().map(|member| member.held()).collect();
    held.iter().all(|held| held.len() == PARTITIONS as usize / members.len())
        && held.iter().flatten().collect::<BTreeSet<_>>().len() == PARTITIONS as usize
}

/// A member that librdkafka's consumer is.
struct Theirs {
    held: Arc<Mutex<Vec<i32>>>,
    leave: std::sync::mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Theirs {
    fn join(broker: &Broker, group: &Group) -> Theirs {
        let consumer: BaseConsumer = rdkafka::ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap())
            .set("group.id", &group.name)
            .set("heartbeat.interval.ms", "300")
            .set("session.timeout.ms", "10000")
            .set("partition.assignment.strategy", group.assignor.name())
            .create()
            .unwrap();
        consumer.subscribe(&[&group.topic]).unwrap();
        let held = Arc::new(Mutex::new(Vec::new()));
        let (leave, left) = std::sync::mpsc::channel();
        let shown = Arc::clone(&held);
        let thread = std::thread::spawn(move || {
            while left.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                drop(consumer.poll(Duration::from_millis(50)));
                let assigned = consumer.assignment().unwrap();
                *shown.lock().unwrap() = assigned.elements().iter().map(|element| element.partition()).collect();
            }
        });
        Theirs { held, leave, thread }
    }

    fn leave(self) {
        self.leave.send(()).unwrap();
        self.thread.join().unwrap();
    }
}
