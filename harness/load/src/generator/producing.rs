//! A producer at work: what it sends, where to, and when.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_local};

use super::desk::{Desk, Hall};
use super::lane::{Flow, Lane};
use super::router::Router;
use super::window::nanoseconds;
use crate::arrival::Schedule;
use crate::driver::{Produce, Record};
use crate::payload::{Cutter, Pool};
use crate::sequences::Sequences;
use crate::stamp::{STAMP_BYTES, Salt, Stamp};
use crate::workload::{Arrival, CellSpec};
use crate::{LoadError, monotonic_ns};

/// A producer that is early sleeps at least so long, and sends together what is due by then: each waking costs some 5 µs of a
/// processor that the target needs too.
const SHORTEST_SLEEP_NS: u64 = 50_000;
/// How often one that waits looks whether the cell was cut short.
const LOOK: Duration = Duration::from_millis(100);
/// Records, sent or given up, between two chances for the other tasks of the thread.
const TURN: u64 = 64;
/// After a refusal, where no rate says when to go on.
const PAUSE: Duration = Duration::from_millis(1);

/// What a producer is to do.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// Its number among all producers.
    pub(crate) number: u32,
    /// Of all producers.
    pub(crate) producers: u32,
    /// Its topic's first slot.
    pub(crate) first_slot: u32,
    /// Tells this run's records from others'.
    pub(crate) run: u32,
    /// Decides the times of random arrival, and random keys.
    pub(crate) seed: u64,
    /// How long after the end of the load, and after the last of them, receipts are waited for.
    pub(crate) patience: Duration,
    /// Whether its records take their keys with them.
    pub(crate) sends_keys: bool,
    /// What it did before, which its books go on from.
    pub(crate) before: Vec<LaneBooks>,
}

/// What a producer did on one slot.
#[derive(Debug, Clone)]
pub(crate) struct LaneBooks {
    pub(crate) producer: u32,
    pub(crate) slot: u32,
    pub(crate) sent: u64,
    pub(crate) acked: Sequences,
}

/// Sends as the cell says, then waits for the receipts.
pub(crate) async fn produce<P: Produce>(
    mut producer: P,
    task: Task,
    cell: Arc<CellSpec>,
    pool: Arc<Pool>,
    desk: Rc<Desk>,
    hall: Arc<Hall>,
) -> Vec<LaneBooks> {
    let mut sender = Sender::<P>::new(&task, &cell, &pool, desk, hall);
    if let Err(error) = sender.send_all(&mut producer, &task, &cell).await {
        sender.hall.trouble(|| error.to_string());
    }
    producer.idle();
    sender.receipts(&task).await
}

struct Sender<'a, P: Produce> {
    desk: Rc<Desk>,
    hall: Arc<Hall>,
    pool: &'a Pool,
    cutter: Cutter,
    router: Router,
    /// By partition.
    lanes: Vec<Option<OpenLane<P::Receipt>>>,
    flow: Rc<Flow>,
    value: Vec<u8>,
    task: &'a Task,
    stamped: bool,
    /// When the target last let it go on.
    free_ns: u64,
}

struct OpenLane<R> {
    lane: Rc<Lane<R>>,
    salt: Salt,
    settling: JoinHandle<()>,
}

impl<'a, P: Produce> Sender<'a, P> {
    fn new(task: &'a Task, cell: &CellSpec, pool: &'a Pool, desk: Rc<Desk>, hall: Arc<Hall>) -> Sender<'a, P> {
        let stamp_bytes = if cell.verify { STAMP_BYTES } else { 0 };
        let flow = Rc::default();
        let mut lanes: Vec<_> = std::iter::repeat_with(|| None).take(cell.partitions_per_topic as usize).collect();
        for books in task.before.iter().cloned() {
            if let Some(place) = lanes.get_mut((books.slot - task.first_slot) as usize) {
                *place = Some(OpenLane::new(task.run, books.slot, (books.sent, books.acked), &desk, &hall, &flow));
            }
        }
        Sender {
            desk,
            hall,
            pool,
            cutter: Cutter::new(pool, task.number, cell.message_bytes.saturating_sub(stamp_bytes)),
            router: Router::new(task, cell),
            lanes,
            flow,
            value: Vec::with_capacity(cell.message_bytes),
            task,
            stamped: cell.verify,
            free_ns: 0,
        }
    }

    /// Everything that is due by the window's end, as late as [`Self::latest_ns`]; what is left then was never taken. Of a cell that is cut
    /// short nothing is known of what is left.
    async fn send_all(&mut self, producer: &mut P, task: &Task, cell: &CellSpec) -> Result<(), LoadError> {
        let mut schedule = Schedule::new(cell.arrival, task.number, task.producers, task.seed);
        let window = self.desk.window;
        self.sleep_until(window.load_ns).await?;
        let mut goes_on = true;
        for turn in 1u64.. {
            goes_on &= !self.hall.enough.load(Ordering::Relaxed);
            if let Arrival::Closed { in_flight } = cell.arrival
                && !self.flow.is_below(in_flight)
            {
                producer.idle();
                let below = poll_fn(|context| self.flow.poll_below(in_flight, context));
                goes_on &= self.unless_late(below).await.is_some();
            }
            let mut now_ns = monotonic_ns();
            goes_on &= now_ns < self.latest_ns();
            let scheduled_ns = schedule.next_ns();
            let due_ns = scheduled_ns.map_or(now_ns, |due_ns| window.load_ns + due_ns);
            if due_ns >= window.end_ns || !goes_on && scheduled_ns.is_none() {
                break;
            }
            if goes_on && due_ns > now_ns {
                producer.idle();
                self.sleep_until(due_ns.max(now_ns + SHORTEST_SLEEP_NS)).await?;
                now_ns = monotonic_ns();
            }
            if self.hall.is_cut_short() {
                break;
            }
            let sent = if goes_on { self.send(producer, due_ns, now_ns).await } else { Sent::Stuck };
            match sent {
                Sent::Yes => {}
                Sent::Refused if scheduled_ns.is_none() => tokio::time::sleep(PAUSE).await,
                Sent::Refused => {}
                Sent::Stuck => {
                    goes_on = false;
                    self.desk.tally.borrow_mut().gave_up(due_ns, monotonic_ns());
                }
            }
            if turn.is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    async fn send(&mut self, producer: &mut P, due_ns: u64, sent_ns: u64) -> Sent {
        let (partition, key) = self.router.next();
        let slot = self.task.first_slot + partition;
        let text = self.cutter.next(self.pool);
        let Some(place) = self.lanes.get_mut(partition as usize) else { return Sent::Stuck };
        let OpenLane { lane, salt, .. } = place.get_or_insert_with(|| {
            OpenLane::new(self.task.run, slot, (0, Sequences::default()), &self.desk, &self.hall, &self.flow)
        });
        let (lane, salt) = (Rc::clone(lane), *salt);
        if self.stamped {
            let stamp = Stamp { producer: self.task.number, sequence: lane.next_sequence(), due_ns };
            stamp.write(salt, key.as_ref().map(|key| &key[..]), text, &mut self.value);
        } else {
            self.value.clear();
            self.value.extend_from_slice(text);
        }
        let free_ns = self.free_ns;
        let record = Record { slot, key: key.as_ref().map(|key| &key[..]), value: &self.value };
        let mut send = pin!(producer.send(record));
        // Most sends need no waiting, nor a look at the time after it.
        let mut outcome = poll_fn(|context| Poll::Ready(send.as_mut().poll(context))).await;
        if outcome.is_pending() {
            match self.unless_late(send).await {
                Some(done) => outcome = Poll::Ready(done),
                None => return Sent::Stuck,
            }
            self.free_ns = monotonic_ns();
        }
        let mut tally = self.desk.tally.borrow_mut();
        tally.sent(due_ns, sent_ns, free_ns);
        match outcome {
            Poll::Ready(Ok(receipt)) => {
                drop(tally);
                self.flow.sent();
                lane.push(due_ns, sent_ns, self.value.len() as u32, receipt);
                Sent::Yes
            }
            Poll::Ready(Err(error)) => {
                tally.refused += 1;
                tally.refusal(|| error.to_string());
                Sent::Refused
            }
            Poll::Pending => Sent::Stuck,
        }
    }

    /// The outcome, unless the cell is cut short, or over for longer than one is patient.
    async fn unless_late<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let deadline_ns = self.deadline_ns();
        loop {
            if let Ok(outcome) = tokio::time::timeout(LOOK, future.as_mut()).await {
                return Some(outcome);
            }
            if self.hall.is_cut_short() || monotonic_ns() >= deadline_ns {
                return None;
            }
        }
    }

    /// A rate that is more than twice what the target takes would go on for as many times longer as it is too high.
    fn latest_ns(&self) -> u64 {
        let window = self.desk.window;
        self.deadline_ns().max(window.end_ns.saturating_add(window.end_ns - window.load_ns))
    }

    fn deadline_ns(&self) -> u64 {
        self.desk.window.end_ns.saturating_add(nanoseconds(self.task.patience))
    }

    /// Sleeps in pieces: a cell may be cut short meanwhile.
    async fn sleep_until(&self, at_ns: u64) -> Result<(), LoadError> {
        loop {
            let now_ns = monotonic_ns();
            if now_ns >= at_ns || self.hall.is_cut_short() {
                return Ok(());
            }
            let piece_ns = at_ns.min(now_ns + nanoseconds(LOOK));
            self.desk.timer.sleep_until(piece_ns).await.map_err(LoadError::Timer)?;
        }
    }

    /// Waits for the receipts that are out, as long as some come, and closes the books.
    async fn receipts(self, task: &Task) -> Vec<LaneBooks> {
        let is_cut = self.hall.is_cut_short();
        let begun_ns = match is_cut || self.hall.enough.load(Ordering::Relaxed) {
            true => monotonic_ns(),
            false => self.desk.window.end_ns,
        };
        let patience = if is_cut { task.patience.min(Duration::from_secs(1)) } else { task.patience };
        let left = || {
            let last_ns = if is_cut { begun_ns } else { begun_ns.max(self.flow.returned_ns()) };
            Duration::from_nanos((last_ns + nanoseconds(patience)).saturating_sub(monotonic_ns()))
        };
        let open = self.lanes.into_iter().enumerate().filter_map(|(partition, open)| Some((partition as u32, open?)));
        let open: Vec<_> = open.collect();
        open.iter().for_each(|(_, open)| open.lane.close());
        let (mut books, mut unanswered) = (Vec::with_capacity(open.len()), 0);
        for (partition, OpenLane { lane, mut settling, .. }) in open {
            while tokio::time::timeout(left(), &mut settling).await.is_err() {
                // Others of this producer may have come meanwhile.
                if left().is_zero() {
                    settling.abort();
                    unanswered += lane.unanswered();
                    break;
                }
            }
            let (sent, acked) = lane.books();
            books.push(LaneBooks { producer: task.number, slot: task.first_slot + partition, sent, acked });
        }
        if unanswered > 0 {
            let waited = patience.as_secs_f64();
            self.hall.trouble(|| {
                format!("{unanswered} records of producer {} had no answer, and none came for {waited} s", task.number)
            });
        }
        books
    }
}

/// What became of handing a record over.
enum Sent {
    Yes,
    Refused,
    /// The target takes no more.
    Stuck,
}

impl<R: Future<Output = Result<(), LoadError>> + Unpin + 'static> OpenLane<R> {
    fn new(
        run: u32,
        slot: u32,
        (sent, acked): (u64, Sequences),
        desk: &Rc<Desk>,
        hall: &Arc<Hall>,
        flow: &Rc<Flow>,
    ) -> OpenLane<R> {
        let lane = Rc::new(Lane::after(sent, acked));
        let (settled, desk, hall, flow) = (Rc::clone(&lane), Rc::clone(desk), Arc::clone(hall), Rc::clone(flow));
        let settling = spawn_local(async move {
            poll_fn(|context| settled.settle(context, &desk, &hall, &flow)).await;
        });
        OpenLane { lane, salt: Salt::new(run, slot), settling }
    }
}
