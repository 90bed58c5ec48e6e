//! One client's connection: frames in, requests in flight, responses out in request order.
//!
//! Like Kafka, a connection works on one request at a time; unlike Kafka, Produce requests behind a Produce request are
//! taken up at once. Their batches are queued on the partitions in request order, so nothing is reordered, and one
//! write carries all of them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use futures_util::stream::{FuturesOrdered, StreamExt};
use ringlog_protocol::ApiKey;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tracing::{debug, warn};

use crate::budget::Held;
use crate::dispatch;
use crate::inbox::Inbox;
use crate::limits::Admission;
use crate::outbox::Outbox;
use crate::reply::Reply;
use crate::request::{Handling, Peer, RequestError};
use crate::shard::Shard;

/// Produce requests of one connection that may be in flight; more wait in the socket. Kafka's producers send five.
const IN_FLIGHT: usize = 64;

/// Why a connection ended, where that is worth a line.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Frame(#[from] crate::inbox::FrameError),
    #[error("{0}")]
    Request(#[from] RequestError),
    #[error("half a frame arrived and {0:?} passed without a further byte")]
    Stalled(Duration),
    #[error("the response was not taken for {0:?}")]
    NotReading(Duration),
    #[error("idle for {0:?} (connections.max.idle.ms)")]
    Idle(Duration),
}

/// Serves one connection until its peer leaves, misbehaves, or the broker drains.
pub(crate) async fn serve(shard: Rc<Shard>, stream: TcpStream, peer: Peer, admission: Admission) {
    let _admission = admission;
    let address = peer.address;
    let frame_limit = shard.broker.config.socket_request_max_bytes;
    let first_check =
        shard.broker.limits.half_frame.min(shard.broker.config.connections_max_idle.unwrap_or(Duration::MAX));
    let connection = Connection {
        inbox: Inbox::new(frame_limit),
        in_flight: FuturesOrdered::new(),
        started: VecDeque::new(),
        produce_only: true,
        muted_until: None,
        ended: false,
        outbox: Outbox::new(shard.broker.sendfile_min_bytes),
        last_progress: Instant::now(),
        timer: Box::pin(tokio::time::sleep(first_check)),
        held: shard.broker.budget.hold(0),
        shard,
        stream,
        peer,
    };
    match connection.run().await {
        Ok(()) => debug!(%address, "connection closed by its peer"),
        Err(Closed::Io(error)) => debug!(%address, %error, "connection lost"),
        Err(Closed::Idle(limit)) => debug!(%address, ?limit, "idle connection closed"),
        Err(reason) => warn!(%address, %reason, "connection refused further service"),
    }
}

struct Connection {
    shard: Rc<Shard>,
    stream: TcpStream,
    peer: Peer,
    inbox: Inbox,
    in_flight: FuturesOrdered<LocalBoxFuture<'static, Result<Reply, RequestError>>>,
    /// What is in flight and since when, in the same order.
    started: VecDeque<(ApiKey, Instant)>,
    /// Everything in flight is a Produce request: another one may start beside it.
    produce_only: bool,
    /// A quota is used up: until then nothing is read and no request is begun (KIP-219).
    muted_until: Option<Instant>,
    /// The peer has sent its last byte; what it asked for is still answered.
    ended: bool,
    outbox: Outbox,
    last_progress: Instant,
    timer: Pin<Box<Sleep>>,
    /// The inbox's share of the broker's budget.
    held: Held,
}

impl Connection {
    async fn run(mut self) -> Result<(), Closed> {
        let drain = self.shard.broker.drain.clone();
        loop {
            self.start_requests()?;
            let has_answered = self.collect_replies()?;
            if !self.outbox.is_empty() {
                self.write_replies().await?;
                continue;
            }
            if has_answered {
                // With silence, and there is room for what has waited behind it.
                continue;
            }
            let is_done = self.ended && self.muted_until.is_none();
            if self.in_flight.is_empty() && (is_done || drain.is_draining()) {
                return Ok(());
            }
            self.inbox.release_when_empty();
            self.held.resize(self.inbox.len());
            let is_listening = !self.ended && self.muted_until.is_none();
            let wants_bytes = is_listening && !self.inbox.has_frame() && self.shard.broker.budget.has_room();
            tokio::select! {
                biased;
                Some(reply) = self.in_flight.next(), if !self.in_flight.is_empty() => self.answer(reply?),
                read = self.inbox.fill(&self.stream), if wants_bytes => {
                    let bytes = read?;
                    self.ended = bytes == 0;
                    self.shard.metrics().received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                    self.last_progress = Instant::now();
                }
                () = self.shard.broker.budget.room(), if is_listening && !self.shard.broker.budget.has_room() => {}
                () = drain.started(), if self.in_flight.is_empty() => {}
                () = self.timer.as_mut() => self.check_deadlines()?,
            }
        }
    }

    /// Starts every whole request that may run beside those in flight.
    fn start_requests(&mut self) -> Result<(), Closed> {
        while self.in_flight.len() < IN_FLIGHT && self.muted_until.is_none() {
            if !self.in_flight.is_empty() && !self.produce_only {
                return Ok(());
            }
            let Some(is_produce) = self.inbox.next_is_produce() else { break };
            if !self.in_flight.is_empty() && !is_produce {
                return Ok(());
            }
            let Some(frame) = self.inbox.next_frame()? else { break };
            self.last_progress = Instant::now();
            self.produce_only = is_produce;
            let (api, handling) = dispatch::start(&self.shard, self.peer, frame)?;
            self.started.push_back((api, self.last_progress));
            match handling {
                Handling::Done(reply) if self.in_flight.is_empty() => self.answer(reply),
                Handling::Done(reply) => self.in_flight.push_back(ready(Ok(reply)).boxed_local()),
                Handling::Later(future) => self.in_flight.push_back(future),
            }
        }
        // A bad length is found even when no whole frame has come.
        if self.in_flight.is_empty() && !self.inbox.has_frame() {
            self.inbox.check_length()?;
        }
        Ok(())
    }

    /// Takes what is finished already, so that one write answers a whole wake-up; whether there was any.
    fn collect_replies(&mut self) -> Result<bool, Closed> {
        let before = self.in_flight.len();
        while !self.in_flight.is_empty() {
            let Some(Some(reply)) = self.in_flight.next().now_or_never() else { break };
            self.answer(reply?);
        }
        Ok(self.in_flight.len() < before)
    }

    /// The oldest request is done.
    fn answer(&mut self, reply: Reply) {
        if let Some((api, since)) = self.started.pop_front() {
            self.shard.metrics().answered(api, since.elapsed());
            if let Ok(throttle_ms @ 1..) = u64::try_from(reply.throttle_ms) {
                self.shard.metrics().throttled(api, throttle_ms);
                self.mute(Duration::from_millis(throttle_ms));
            }
        }
        self.outbox.push(reply);
    }

    /// Takes nothing from the peer for so long: a quota is used up.
    fn mute(&mut self, throttle: Duration) {
        let until = Instant::now() + throttle;
        let until = self.muted_until.map_or(until, |earlier| earlier.max(until));
        self.muted_until = Some(until);
        self.timer.as_mut().reset(until);
    }

    async fn write_replies(&mut self) -> Result<(), Closed> {
        let limit = self.shard.broker.limits.response_stall;
        let flush = self.outbox.flush(&self.stream, &self.shard.disk);
        let bytes = tokio::time::timeout(limit, flush).await.map_err(|_| Closed::NotReading(limit))??;
        self.shard.metrics().sent_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.last_progress = Instant::now();
        Ok(())
    }

    /// The timer is armed once and looks at what has happened since, instead of being reset by every request.
    fn check_deadlines(&mut self) -> Result<(), Closed> {
        if self.muted_until.take().is_some() {
            // It was us who kept the peer waiting.
            self.last_progress = Instant::now();
        }
        let idle_limit = self.shard.broker.config.connections_max_idle;
        let stall_limit = self.shard.broker.limits.half_frame;
        let quiet = self.last_progress.elapsed();
        if self.inbox.is_mid_frame() && self.in_flight.is_empty() && quiet >= stall_limit {
            return Err(Closed::Stalled(stall_limit));
        }
        if let Some(idle_limit) = idle_limit.filter(|limit| self.in_flight.is_empty() && quiet >= *limit) {
            return Err(Closed::Idle(idle_limit));
        }
        let soonest = stall_limit.min(idle_limit.unwrap_or(Duration::MAX));
        let next = Instant::now() + soonest.max(Duration::from_millis(100));
        self.timer.as_mut().reset(next);
        Ok(())
    }
}
