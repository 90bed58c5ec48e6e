//! A lane: the records of one producer to one slot that wait for their receipts, in order.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use super::desk::{Desk, Hall};
use crate::LoadError;
use crate::monotonic_ns;
use crate::sequences::Sequences;

/// Where a producer puts records on their way to one slot, and a task of its own takes their receipts.
///
/// Receipts are looked at in order, as targets give them: one that comes before that of an earlier record is seen with that.
pub(crate) struct Lane<R> {
    in_flight: RefCell<VecDeque<InFlight<R>>>,
    settler: RefCell<Option<Waker>>,
    sent: Cell<u64>,
    acked: RefCell<Sequences>,
    closing: Cell<bool>,
}

struct InFlight<R> {
    sequence: u64,
    due_ns: u64,
    sent_ns: u64,
    bytes: u32,
    receipt: R,
}

impl<R: Future<Output = Result<(), LoadError>> + Unpin> Lane<R> {
    /// One that goes on after so many records were sent, and these acknowledged.
    pub(crate) fn after(sent: u64, acked: Sequences) -> Lane<R> {
        Lane {
            in_flight: RefCell::default(),
            settler: RefCell::default(),
            sent: Cell::new(sent),
            acked: RefCell::new(acked),
            closing: Cell::new(false),
        }
    }

    /// The sequence number of its next record.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.sent.get()
    }

    /// A record is on its way.
    pub(crate) fn push(&self, due_ns: u64, sent_ns: u64, bytes: u32, receipt: R) {
        let sequence = self.sent.replace(self.sent.get() + 1);
        self.in_flight.borrow_mut().push_back(InFlight { sequence, due_ns, sent_ns, bytes, receipt });
        self.wake();
    }

    /// No more records: the task ends with the last receipt.
    pub(crate) fn close(&self) {
        self.closing.set(true);
        self.wake();
    }

    fn wake(&self) {
        if let Some(settler) = self.settler.borrow_mut().take() {
            settler.wake();
        }
    }

    /// Takes the receipts that are there; done when the lane is closed and empty.
    pub(crate) fn settle(&self, context: &mut Context<'_>, desk: &Desk, hall: &Hall, flow: &Flow) -> Poll<()> {
        let mut in_flight = self.in_flight.borrow_mut();
        let (mut tally, mut acked) = (desk.tally.borrow_mut(), self.acked.borrow_mut());
        let (now_ns, before) = (monotonic_ns(), in_flight.len());
        let mut refused = 0;
        while let Some(first) = in_flight.front_mut() {
            let Poll::Ready(outcome) = Pin::new(&mut first.receipt).poll(context) else { break };
            match outcome {
                Ok(()) => {
                    acked.insert(first.sequence);
                    tally.acked(first.due_ns, first.sent_ns, now_ns, first.bytes);
                }
                Err(error) => {
                    refused += 1;
                    tally.refusal(|| error.to_string());
                }
            }
            in_flight.pop_front();
        }
        let settled = before - in_flight.len();
        if settled > 0 {
            hall.acked.fetch_add((settled - refused) as u64, Ordering::Relaxed);
            flow.returned(settled as u32, now_ns);
        }
        if in_flight.is_empty() {
            if self.closing.get() {
                return Poll::Ready(());
            }
            *self.settler.borrow_mut() = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// How many have no answer.
    pub(crate) fn unanswered(&self) -> usize {
        self.in_flight.borrow().len()
    }

    /// How many were sent, and which of them acknowledged.
    pub(crate) fn books(&self) -> (u64, Sequences) {
        (self.sent.get(), self.acked.take())
    }
}

/// How many records a producer has on their way, and who waits for one of them to return.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    out: Cell<u32>,
    /// When the last answer came.
    returned_ns: Cell<u64>,
    waiting: RefCell<Option<Waker>>,
}

impl Flow {
    /// One more is on its way.
    pub(crate) fn sent(&self) {
        self.out.set(self.out.get() + 1);
    }

    fn returned(&self, count: u32, now_ns: u64) {
        self.out.set(self.out.get() - count);
        self.returned_ns.set(now_ns);
        if let Some(waiting) = self.waiting.borrow_mut().take() {
            waiting.wake();
        }
    }

    /// When the last answer came; 0 before the first.
    pub(crate) fn returned_ns(&self) -> u64 {
        self.returned_ns.get()
    }

    pub(crate) fn is_below(&self, limit: u32) -> bool {
        self.out.get() < limit
    }

    /// Ready when fewer than `limit` are on their way.
    pub(crate) fn poll_below(&self, limit: u32, context: &mut Context<'_>) -> Poll<()> {
        if self.is_below(limit) {
            return Poll::Ready(());
        }
        *self.waiting.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }
}
