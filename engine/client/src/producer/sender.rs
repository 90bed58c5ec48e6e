//! The producer's task: takes due batches, groups them by leader into requests, and deals with the answers; and takes
//! the steps of its transactions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use ringlog_protocol::init_producer_id::InitProducerIdRequest;
use ringlog_protocol::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use ringlog_protocol::{ApiKey, ErrorCode, Records};
use ringlog_record::{BatchHeader, RecordError, patch};
use tokio::time::Instant;

use super::Shared;
use super::accumulator::Place;
use super::coordinators::{Attempt, Coordinators};
use super::delivery::{Acknowledgement, Written};
use super::partition_queue::{Batch, Contents, Readiness};
use super::transaction::{Identity, Pace, Step, Transaction};
use crate::backoff::Backoff;
use crate::client::{Lane, OwnLane, lock};
use crate::connection::{Connection, Reply};
use crate::{Acks, ClientError, TopicPartition};

pub(super) struct Sender {
    shared: Arc<Shared>,
    lane: OwnLane,
    nodes: HashMap<i32, Node>,
    /// `None` while it is not known; then nothing is sent with idempotence.
    producer_id: Option<i64>,
    asking_id: bool,
    refreshing: bool,
    /// When all topics are asked about again without a cause.
    metadata_due: Instant,
    /// Where the last request ended in the order of partitions.
    last: Place,
    coordinators: Coordinators,
    /// When the next step of a transaction may be taken.
    step_due: Instant,
    step_backoff: Backoff,
    events: FuturesUnordered<BoxFuture<'static, Event>>,
}

/// A broker that leads partitions.
#[derive(Default)]
struct Node {
    connection: Option<Connection>,
    connecting: bool,
    in_flight: usize,
    not_before: Option<Instant>,
}

/// Batches in one request, with their places.
type Sent = Vec<(Place, Batch)>;

enum Event {
    Connected(i32, Result<Connection, ClientError>),
    Answered(i32, Sent, Result<Reply<ProduceRequest<'static>>, ClientError>),
    /// With `acks` 0: the request is in the socket's buffer, and that is all there will be to know.
    Unanswered(i32, Sent, Result<(), ClientError>),
    ProducerId(Result<Identity, ClientError>),
    Stepped(Step, Coordinators, Result<Option<Identity>, ClientError>),
    Refreshed,
}

impl Sender {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            lane: shared.client.own_lane(),
            metadata_due: Instant::now() + shared.client.options().metadata_max_age,
            nodes: HashMap::new(),
            producer_id: None,
            asking_id: false,
            refreshing: false,
            last: (0, 0),
            coordinators: Coordinators::default(),
            step_due: Instant::now(),
            step_backoff: shared.client.backoff(),
            events: FuturesUnordered::new(),
            shared,
        }
    }

    /// Runs until the producer is closed and everything is answered.
    pub(super) async fn run(mut self) {
        while !self.shared.is_done() {
            let look_again = self.send_due();
            let event = tokio::select! {
                () = self.shared.wake.notified() => None,
                Some(event) = self.events.next() => Some(event),
                () = tokio::time::sleep_until(look_again) => None,
            };
            if let Some(event) = event {
                self.handle(event);
            }
        }
    }

    /// Sends what is due and can be sent, and says when to look again if nothing happens.
    fn send_due(&mut self) -> Instant {
        let now = Instant::now();
        let mut look_again = now + Duration::from_secs(1);
        if self.metadata_due <= now {
            self.metadata_due = now + self.shared.client.options().metadata_max_age;
            self.refresh_all();
        }
        self.step(now, &mut look_again);
        loop {
            let requests = self.collect(now, &mut look_again);
            if requests.is_empty() {
                return look_again;
            }
            for (node, batches) in requests {
                self.send(node, batches);
            }
        }
    }

    /// Takes the next step of the transaction, if one is due.
    fn step(&mut self, now: Instant, look_again: &mut Instant) {
        let Some(doomed) = lock(&self.shared.accumulator).transaction.as_ref().map(Transaction::dooms) else { return };
        if let Some(error) = doomed {
            self.shared.fail_waiting(&error);
        }
        if self.step_due > now {
            *look_again = self.step_due.min(*look_again);
            return;
        }
        let mut accumulator = lock(&self.shared.accumulator);
        let drained = accumulator.is_empty();
        let Some(transaction) = &mut accumulator.transaction else { return };
        let Some(step) = transaction.next(drained) else { return };
        let identity = transaction.identity();
        let places: &[Place] = if let Step::AddPartitions(places) = &step { places } else { &[] };
        let named = |place: &Place| TopicPartition::new(&*accumulator.topic_name(*place), place.1 as i32);
        let attempt = Attempt {
            client: self.shared.client.clone(),
            transactional_id: self.shared.options.transactional_id.clone().unwrap_or_default(),
            timeout: self.shared.options.transaction_timeout,
            identity,
            partitions: places.iter().map(named).collect(),
        };
        let mut coordinators = std::mem::take(&mut self.coordinators);
        self.events.push(Box::pin(async move {
            let outcome = coordinators.take(&attempt, &step).await;
            Event::Stepped(step, coordinators, outcome)
        }));
    }

    fn stepped(&mut self, step: Step, outcome: Result<Option<Identity>, ClientError>) {
        if let Ok(Some(identity)) = outcome {
            self.identified(identity);
        }
        let mut accumulator = lock(&self.shared.accumulator);
        let Some(transaction) = &mut accumulator.transaction else { return };
        let pause = match transaction.answered(step, outcome) {
            Pace::AtOnce => {
                self.step_backoff.reset();
                Duration::ZERO
            }
            Pace::Soon => SOON.min(self.shared.client.options().retry_backoff),
            Pace::AfterBackoff => self.step_backoff.next(),
        };
        self.step_due = Instant::now() + pause;
    }

    fn identified(&mut self, identity: Identity) {
        self.producer_id = Some(identity.id);
        lock(&self.shared.accumulator).begin_epoch(identity.epoch);
    }

    /// At most one request for each broker, with at most one batch for each partition.
    fn collect(&mut self, now: Instant, look_again: &mut Instant) -> HashMap<i32, Sent> {
        let shared = Arc::clone(&self.shared);
        let options = &shared.options;
        let topology = shared.client.topology();
        let (mut requests, mut sizes) = (HashMap::<i32, Sent>::new(), HashMap::<i32, usize>::new());
        let (mut leaderless, mut expired) = (Vec::new(), Vec::new());
        let mut accumulator = lock(&shared.accumulator);
        let urgency = accumulator.urgency(options);
        for place in accumulator.active_after(self.last) {
            expired.extend(accumulator.take_expired(place, now, options.delivery_timeout));
            let topic = accumulator.topic_name(place);
            let has_joined = accumulator.transaction.as_ref().is_none_or(|open| open.has_joined(place));
            let Some(queue) = accumulator.queue(place) else { continue };
            if let Some(expires) = queue.expires(options.delivery_timeout) {
                *look_again = expires.min(*look_again);
            }
            match queue.readiness(now, urgency) {
                Readiness::Ready => {}
                Readiness::At(at) => {
                    *look_again = at.min(*look_again);
                    continue;
                }
                Readiness::Idle => continue,
            }
            if !has_joined {
                continue;
            }
            if options.idempotence && self.producer_id.is_none() {
                self.ask_for_id();
                continue;
            }
            let Some(leader) = topology.topic(&topic).ok().and_then(|topic| topic.leader(place.1 as i32).ok()) else {
                leaderless.push(topic.to_string());
                continue;
            };
            let total = sizes.entry(leader).or_default();
            let bytes = queue.front_bytes();
            if (*total > 0 && *total + bytes > options.max_request_bytes) || !self.can_send(leader, now, look_again) {
                continue;
            }
            if let Some(batch) = queue.take(options.idempotence) {
                *total += bytes;
                requests.entry(leader).or_default().push((place, batch));
                self.last = place;
            }
            accumulator.update_active(place);
        }
        drop(accumulator);
        shared.give_up(expired, None);
        if !leaderless.is_empty() {
            self.refresh(leaderless);
        }
        requests
    }

    /// Whether a request can go to this broker; if there is no connection, it begins to be made.
    fn can_send(&mut self, id: i32, now: Instant, look_again: &mut Instant) -> bool {
        let node = self.nodes.entry(id).or_default();
        if node.connection.as_ref().is_some_and(Connection::is_open) {
            return node.in_flight < self.shared.options.max_in_flight;
        }
        if let Some(not_before) = node.not_before.filter(|&not_before| not_before > now) {
            *look_again = not_before.min(*look_again);
        } else if !node.connecting && node.in_flight == 0 {
            // What was in flight on a lost connection has come back.
            node.connecting = true;
            let (client, lane) = (self.shared.client.clone(), self.lane.lane);
            self.events.push(Box::pin(async move { Event::Connected(id, client.node(id, lane).await) }));
        }
        false
    }

    fn send(&mut self, id: i32, mut batches: Sent) {
        // A request names each topic once.
        batches.sort_unstable_by_key(|(place, _)| *place);
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let Some(connection) = node.connection.clone() else { return };
        let (batches, bytes) = self.shared.build(batches, self.producer_id);
        if batches.is_empty() {
            return;
        }
        let request = self.shared.request(&batches, &bytes);
        // Version 12 writes by the newer protocol of transactions.
        let newest = if request.transactional_id.is_some() { 11 } else { 12 };
        let version = connection.version(ApiKey::Produce, 3..=newest);
        node.in_flight += 1;
        if self.shared.options.acks == Acks::None {
            let written = version.and_then(|version| connection.send_unanswered(&request, version, bytes));
            return self.events.push(Box::pin(async move {
                let outcome = match written {
                    Ok(written) => written.done().await,
                    Err(error) => Err(error),
                };
                Event::Unanswered(id, batches, outcome)
            }));
        }
        let pending = version.and_then(|version| connection.send(&request, version, bytes));
        self.events.push(Box::pin(async move {
            let reply = match pending {
                Ok(pending) => pending.reply(Duration::ZERO).await,
                Err(error) => Err(error),
            };
            Event::Answered(id, batches, reply)
        }));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Connected(id, connected) => {
                let pause = self.shared.client.options().retry_backoff;
                let node = self.nodes.entry(id).or_default();
                node.connecting = false;
                node.not_before = connected.is_err().then(|| Instant::now() + pause);
                node.connection = connected.ok();
                if node.connection.is_none() {
                    self.refresh_all();
                }
            }
            Event::ProducerId(outcome) => {
                self.asking_id = false;
                match outcome {
                    Ok(identity) => self.identified(identity),
                    Err(error) if error.is_retriable() => tracing::debug!(%error, "no producer id yet"),
                    Err(error) => self.shared.fail_waiting(&error),
                }
            }
            Event::Stepped(step, coordinators, outcome) => {
                self.coordinators = coordinators;
                self.stepped(step, outcome);
            }
            Event::Refreshed => {
                self.refreshing = false;
                lock(&self.shared.accumulator).learn_all(&self.shared.client.topology());
            }
            Event::Unanswered(id, batches, outcome) => {
                self.returned(id);
                for (place, batch) in batches {
                    self.shared.finish(place, batch, outcome.clone().map(|()| Written::UNTOLD));
                }
            }
            Event::Answered(id, batches, reply) => {
                self.returned(id);
                let answer = reply.as_ref().map_err(ClientError::clone).and_then(Reply::read);
                let stale = self.shared.finish_all(batches, &answer);
                if !stale.is_empty() {
                    self.refresh(stale);
                }
            }
        }
    }

    fn returned(&mut self, id: i32) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.in_flight -= 1;
        }
    }

    fn refresh_all(&mut self) {
        let names = lock(&self.shared.accumulator).topic_names();
        if !names.is_empty() {
            self.refresh(names.iter().map(|name| name.to_string()).collect());
        }
    }

    fn refresh(&mut self, topics: Vec<String>) {
        if std::mem::replace(&mut self.refreshing, true) {
            return;
        }
        let client = self.shared.client.clone();
        self.events.push(Box::pin(async move {
            let names: Vec<_> = topics.iter().map(String::as_str).collect();
            if let Err(error) = client.refresh(Some(&names), false).await {
                tracing::debug!(%error, "metadata cannot be had");
            }
            // An election takes about as long; asking faster only loads the brokers.
            tokio::time::sleep(client.options().retry_backoff).await;
            Event::Refreshed
        }));
    }

    fn ask_for_id(&mut self) {
        if std::mem::replace(&mut self.asking_id, true) {
            return;
        }
        let client = self.shared.client.clone();
        self.events.push(Box::pin(async move {
            let ask = || async {
                let connection = client.any(Lane::SHARED).await?;
                // A null transactional id: only idempotence is wanted.
                let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
                let reply = connection.call(&request).await?;
                let answer = reply.read()?;
                ClientError::check(answer.error_code, || "producer id".to_owned(), None)?;
                Ok(Identity { id: answer.producer_id, epoch: answer.producer_epoch })
            };
            Event::ProducerId(client.retry(client.options().api_timeout, ask).await)
        }));
    }
}

/// However its task ends, by its runtime's end or a callback's panic, nobody waits for it any more.
impl Drop for Sender {
    fn drop(&mut self) {
        self.shared.memory.close();
        let mut accumulator = lock(&self.shared.accumulator);
        accumulator.closed = true;
        for fate in accumulator.flush() {
            fate.seal(Err(ClientError::Closed));
        }
        accumulator.transaction.iter_mut().for_each(Transaction::close);
    }
}

impl Shared {
    fn is_done(&self) -> bool {
        let accumulator = lock(&self.accumulator);
        accumulator.closed && accumulator.is_empty()
    }

    /// The batches of a request and their bytes; one that cannot be built fails alone.
    fn build(&self, batches: Sent, producer_id: Option<i64>) -> (Sent, Vec<Bytes>) {
        let (mut built, mut bytes) = (Vec::with_capacity(batches.len()), Vec::with_capacity(batches.len()));
        for (place, mut batch) in batches {
            match build(&mut batch, producer_id, self.options.transactional_id.is_some()) {
                Ok(done) => {
                    bytes.push(done);
                    built.push((place, batch));
                }
                Err(cause) => {
                    let topic = lock(&self.accumulator).topic_name(place).to_string();
                    let partition = TopicPartition::new(topic, place.1 as i32);
                    self.finish(place, batch, Err(ClientError::Batch { partition, cause }));
                }
            }
        }
        (built, bytes)
    }

    fn request(&self, batches: &Sent, bytes: &[Bytes]) -> ProduceRequest<'static> {
        let accumulator = lock(&self.accumulator);
        let mut topic_data: Vec<TopicProduceData<'static>> = Vec::new();
        let mut last_topic = None;
        for ((place, _), bytes) in batches.iter().zip(bytes) {
            if last_topic.replace(place.0) != Some(place.0) {
                let name = accumulator.topic_name(*place).to_string().into();
                topic_data.push(TopicProduceData { name, ..Default::default() });
            }
            if let Some(topic) = topic_data.last_mut() {
                let records = Some(Records::Elsewhere(bytes.len()));
                topic.partition_data.push(PartitionProduceData { index: place.1 as i32, records });
            }
        }
        let timeout = self.client.options().request_timeout.as_millis();
        ProduceRequest {
            transactional_id: self.options.transactional_id.clone().map(Into::into),
            acks: self.options.acks.code(),
            timeout_ms: i32::try_from(timeout).unwrap_or(i32::MAX),
            topic_data,
        }
    }

    /// Deals with an answer, and gives the topics whose leaders it puts in doubt.
    fn finish_all(
        &self,
        batches: Sent,
        answer: &Result<ringlog_protocol::produce::ProduceResponse<'_>, ClientError>,
    ) -> Vec<String> {
        let mut stale = Vec::new();
        for (place, batch) in batches {
            let topic = lock(&self.accumulator).topic_name(place);
            let subject = || format!("partition {topic}-{}", place.1);
            let outcome = answer.as_ref().map_err(ClientError::clone).and_then(|answer| {
                let rows = answer.responses.iter().filter(|row| *row.name == *topic);
                let mut rows = rows.flat_map(|row| &row.partition_responses);
                let row = rows.find(|row| row.index == place.1 as i32);
                let row = row.ok_or_else(|| ClientError::unmentioned(subject()))?;
                // A duplicate was written by an earlier attempt.
                if row.error_code != ErrorCode::DuplicateSequenceNumber.code() {
                    ClientError::check(row.error_code, subject, row.error_message.as_deref())?;
                }
                Ok(Written { base_offset: row.base_offset, append_time_ms: row.log_append_time_ms })
            });
            if outcome.as_ref().is_err_and(ClientError::calls_for_metadata) {
                stale.push(topic.to_string());
            }
            self.finish(place, batch, outcome);
        }
        stale
    }

    /// Deals with what became of a batch that was sent.
    fn finish(&self, place: Place, batch: Batch, outcome: Result<Written, ClientError>) {
        let expires = batch.created + self.options.delivery_timeout;
        let mut accumulator = lock(&self.accumulator);
        let Some(queue) = accumulator.queue(place) else { return };
        let done = match &outcome {
            Ok(_) => {
                queue.written();
                Some(batch)
            }
            Err(error) => queue.failed(batch, error, Instant::now(), expires),
        };
        accumulator.update_active(place);
        let Some(batch) = done else { return };
        let topic = accumulator.topic_name(place);
        drop(accumulator);
        self.seal(&topic, place.1 as i32, batch, outcome);
    }

    /// Tells everybody the fate of a batch that is in no queue any more.
    fn seal(&self, topic: &str, partition: i32, batch: Batch, outcome: Result<Written, ClientError>) {
        if let Err(error) = &outcome {
            // Before anybody hears of it: who does may look what has become of the transaction.
            let mut accumulator = lock(&self.accumulator);
            let transaction = accumulator.transaction.iter_mut();
            transaction.for_each(|transaction| transaction.batch_failed(error, batch.number.is_some()));
        }
        self.memory.add_permits(batch.reserved_bytes);
        let told = Acknowledgement { topic, partition, opaques: &batch.opaques, outcome: outcome.as_ref().copied() };
        self.callback.iter().for_each(|callback| callback(&told));
        self.options.interceptors.iter().for_each(|interceptor| interceptor.on_acknowledgement(&told));
        batch.fate.seal(outcome);
        // Last: until here the fate is known to whoever has to seal it should the callback panic.
        lock(&self.accumulator).forget(batch.serial);
    }

    /// Nothing can ever be sent: fails all that waits.
    fn fail_waiting(&self, error: &ClientError) {
        let mut accumulator = lock(&self.accumulator);
        let places = accumulator.active_after((0, 0)).into_iter();
        let waiting =
            places.flat_map(|place| accumulator.take_expired(place, Instant::now(), Duration::ZERO)).collect();
        drop(accumulator);
        self.give_up(waiting, Some(error));
    }

    /// Fails batches, of which none was taken in `delivery.timeout.ms` if there is no other cause.
    fn give_up(&self, batches: Vec<(TopicPartition, Batch)>, why: Option<&ClientError>) {
        for (partition, batch) in batches {
            let timeout = || ClientError::Timeout {
                what: format!("the delivery to {partition}"),
                after: self.options.delivery_timeout,
                setting: "delivery.timeout.ms",
            };
            let error = why.cloned().unwrap_or_else(timeout);
            self.seal(&partition.topic, partition.partition, batch, Err(error));
        }
    }
}

/// The pause before a step that comes too soon after the transaction before.
const SOON: Duration = Duration::from_millis(20);

/// The bytes of a batch under its number.
fn build(batch: &mut Batch, producer_id: Option<i64>, transactional: bool) -> Result<Bytes, RecordError> {
    let (id, epoch, sequence) = match (producer_id, batch.number) {
        (Some(id), Some(number)) => (id, number.epoch, number.sequence),
        _ => (-1, -1, -1),
    };
    let bytes = match std::mem::replace(&mut batch.contents, Contents::Built(Bytes::new())) {
        Contents::Building(mut builder) => {
            builder.set_producer(id, epoch, sequence);
            if transactional {
                builder.set_transactional();
            }
            builder.build()?.into()
        }
        Contents::Built(bytes) => {
            let header = BatchHeader::parse(&bytes)?;
            if (header.producer_id, header.producer_epoch, header.base_sequence) == (id, epoch, sequence) {
                bytes
            } else {
                let mut renumbered = BytesMut::from(bytes);
                patch::producer(&mut renumbered, id, epoch, sequence)?;
                renumbered.freeze()
            }
        }
    };
    batch.contents = Contents::Built(bytes.clone());
    Ok(bytes)
}
