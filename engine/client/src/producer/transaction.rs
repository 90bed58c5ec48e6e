//! The transactions of one producer: what may be called when, which request is due, and what an answer means (KIP-98).
//! No socket and no clock: the sender asks for the [next](Transaction::next) step, takes it, and tells what
//! [came of it](Transaction::answered).
//!
//! ```text
//! Uninitialized → Initializing → Ready → Open → Committing → Ready
//!                                        Open → Aborting → Ready
//!                            Open, Committing → MustAbort → Aborting
//!                                    whatever → Failed
//! ```
//!
//! One step is under way at a time. A partition joins before its first batch leaves; the end comes when no batch is left.
//! After an abort that leaves gaps in the numbers of batches, the coordinator gives a fresh epoch (KIP-360); and after
//! each transaction of which a request was lost: should it arrive later still, it is refused. Otherwise, by the classic
//! protocol, a transaction has the epoch of the one before. What that leaves open:
//!
//! - what arrives between the end and the fresh epoch may open a transaction: the coordinator then fences the producer,
//!   as it does when a lost [`Step::Init`] arrives after its repetition;
//! - offsets that were lost, and arrive after later ones of the same transaction, are committed in their place.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use ringlog_protocol::ErrorCode;

use super::accumulator::Place;
use super::delivery::{Fate, Written};
use crate::offsets::{CommittedOffset, GroupMetadata};
use crate::{ClientError, TopicPartition};

pub(super) struct Transaction {
    state: State,
    /// From the first answer to [`Step::Init`] on.
    identity: Option<Identity>,
    /// Those that records were sent to, and whether the coordinator knows it.
    partitions: HashMap<Place, bool>,
    /// Those among them that the coordinator is to be told of.
    joining: Vec<Place>,
    offsets: VecDeque<Offsets>,
    held: Held,
    /// The next transaction needs a fresh epoch.
    renew: bool,
    under_way: bool,
    /// The last call that has to be waited for, until somebody has heard what came of it.
    call: Option<(Call, Arc<Fate>)>,
    /// No other transaction begins.
    closing: bool,
}

/// Who the producer is to the brokers: a later one of the same transactional id has a higher epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

/// A request that is due.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Become the producer of the transactional id, or get a fresh epoch.
    Init {
        current: Option<Identity>,
    },
    AddPartitions(Vec<Place>),
    AddOffsets {
        group: String,
    },
    CommitOffsets {
        group: GroupMetadata,
        offsets: BTreeMap<TopicPartition, CommittedOffset>,
    },
    End {
        commit: bool,
    },
}

/// When the next step may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    AtOnce,
    /// The coordinator is ending the transaction before: that takes milliseconds.
    Soon,
    AfterBackoff,
}

#[derive(Debug)]
enum State {
    Uninitialized,
    Initializing,
    Ready,
    Open,
    Committing,
    MustAbort(ClientError),
    Aborting,
    Failed(ClientError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Init,
    Commit,
    Abort,
}

/// Whether the coordinator has anything to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    No,
    /// It was told, and the answer was lost.
    Perhaps,
    Yes,
}

/// Offsets that are to be committed with the transaction.
struct Offsets {
    group: GroupMetadata,
    offsets: BTreeMap<TopicPartition, CommittedOffset>,
    /// The coordinator knows of the group.
    added: bool,
    fate: Arc<Fate>,
}

impl Transaction {
    pub(super) fn new() -> Self {
        Self {
            state: State::Uninitialized,
            identity: None,
            partitions: HashMap::new(),
            joining: Vec::new(),
            offsets: VecDeque::new(),
            held: Held::No,
            renew: false,
            under_way: false,
            call: None,
            closing: false,
        }
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Begins to become the only producer of its id.
    pub(super) fn init(&mut self) -> Result<Arc<Fate>, ClientError> {
        match &self.state {
            State::Uninitialized => {
                self.state = State::Initializing;
                Ok(self.begin_call(Call::Init))
            }
            _ => self.unheard(Call::Init).ok_or_else(|| match self.error() {
                ClientError::State(_) => ClientError::State("init_transactions has succeeded: it is called once"),
                failed => failed,
            }),
        }
    }

    pub(super) fn begin(&mut self) -> Result<(), ClientError> {
        if self.closing {
            return Err(ClientError::Closed);
        }
        match (&self.state, &self.call) {
            (State::Ready, None) => {
                self.state = State::Open;
                Ok(())
            }
            (State::Ready, Some(_)) => Err(ClientError::State(
                "nobody has heard yet what came of the last init, commit or abort: call it again, then begin",
            )),
            _ => Err(self.error()),
        }
    }

    /// Whether records may be sent.
    pub(super) fn check_open(&self) -> Result<(), ClientError> {
        if matches!(self.state, State::Open) { Ok(()) } else { Err(self.error()) }
    }

    /// Notes that there are records for a partition.
    pub(super) fn join(&mut self, place: Place) {
        self.partitions.entry(place).or_insert_with(|| {
            self.joining.push(place);
            false
        });
    }

    /// Whether the coordinator knows of the partition, so that batches may go there.
    pub(super) fn has_joined(&self, place: Place) -> bool {
        self.partitions.get(&place) == Some(&true)
    }

    /// Begins to commit a group's offsets with the transaction.
    pub(super) fn send_offsets(
        &mut self,
        group: GroupMetadata,
        offsets: BTreeMap<TopicPartition, CommittedOffset>,
    ) -> Result<Arc<Fate>, ClientError> {
        self.check_open()?;
        let fate = Fate::open();
        self.offsets.push_back(Offsets { group, offsets, added: false, fate: Arc::clone(&fate) });
        Ok(fate)
    }

    pub(super) fn commit(&mut self) -> Result<Arc<Fate>, ClientError> {
        if let Some(fate) = self.unheard(Call::Commit) {
            return Ok(fate);
        }
        self.check_open()?;
        self.state = State::Committing;
        Ok(self.begin_call(Call::Commit))
    }

    pub(super) fn abort(&mut self) -> Result<Arc<Fate>, ClientError> {
        if let Some(fate) = self.unheard(Call::Abort) {
            return Ok(fate);
        }
        if !matches!(self.state, State::Open | State::MustAbort(_)) {
            return Err(self.error());
        }
        self.drop_unsent(&ABORTED);
        self.state = State::Aborting;
        Ok(self.begin_call(Call::Abort))
    }

    /// Before the producer closes: aborts what is open, and gives what is to be waited for. A commit that fails is to
    /// be finished again.
    pub(super) fn finish(&mut self) -> Option<Arc<Fate>> {
        self.closing = true;
        match self.state {
            State::Open | State::MustAbort(_) => self.abort().ok(),
            State::Committing | State::Aborting => self.call.as_ref().map(|(_, fate)| Arc::clone(fate)),
            _ => None,
        }
    }

    /// Somebody knows what came of a call.
    pub(super) fn heard(&mut self, fate: &Arc<Fate>) {
        self.call.take_if(|(_, last)| Arc::ptr_eq(last, fate));
    }

    /// Why batches that wait can't be sent any more.
    pub(super) fn dooms(&self) -> Option<ClientError> {
        match self.state {
            State::MustAbort(_) | State::Failed(_) => Some(self.error()),
            State::Aborting => Some(ABORTED),
            _ => None,
        }
    }

    /// The step to take, if one is due and none is under way. `drained`: no batch is waiting or in flight.
    pub(super) fn next(&mut self, drained: bool) -> Option<Step> {
        if self.under_way {
            return None;
        }
        let step = match self.state {
            State::Initializing => Some(Step::Init { current: None }),
            State::Open | State::Committing => self.next_of_open(drained),
            State::Aborting if drained => self.next_of_end(false),
            _ => None,
        };
        self.under_way = step.is_some();
        step
    }

    fn next_of_open(&mut self, drained: bool) -> Option<Step> {
        if !self.joining.is_empty() {
            return Some(Step::AddPartitions(std::mem::take(&mut self.joining)));
        }
        if let Some(Offsets { group, offsets, added, .. }) = self.offsets.front() {
            return Some(match added {
                false => Step::AddOffsets { group: group.group_id.clone() },
                true => Step::CommitOffsets { group: group.clone(), offsets: offsets.clone() },
            });
        }
        match self.state {
            State::Committing if drained => self.next_of_end(true),
            _ => None,
        }
    }

    fn next_of_end(&mut self, commit: bool) -> Option<Step> {
        match self.held {
            Held::Yes | Held::Perhaps => Some(Step::End { commit }),
            Held::No if self.renew => Some(Step::Init { current: self.identity }),
            Held::No => self.end(),
        }
    }

    /// Takes in what came of a step: with [`Step::Init`] who the producer is.
    pub(super) fn answered(&mut self, step: Step, outcome: Result<Option<Identity>, ClientError>) -> Pace {
        self.under_way = false;
        match outcome {
            Ok(identity) => {
                self.succeeded(step, identity);
                Pace::AtOnce
            }
            Err(error) if error.is_retriable() => {
                self.postponed(step, &error);
                match error.code() {
                    Some(ErrorCode::ConcurrentTransactions) => Pace::Soon,
                    _ => Pace::AfterBackoff,
                }
            }
            Err(error) => {
                self.refused(&step, error);
                Pace::AtOnce
            }
        }
    }

    fn succeeded(&mut self, step: Step, identity: Option<Identity>) {
        match step {
            Step::Init { .. } => {
                self.identity = identity;
                self.renew = false;
                self.end();
            }
            Step::AddPartitions(places) => {
                self.held = Held::Yes;
                self.partitions.extend(places.into_iter().map(|place| (place, true)));
            }
            Step::AddOffsets { .. } => {
                self.held = Held::Yes;
                self.offsets.iter_mut().take(1).for_each(|first| first.added = true);
            }
            Step::CommitOffsets { .. } => {
                self.offsets.pop_front().iter().for_each(|done| done.fate.seal(DONE));
            }
            Step::End { .. } => {
                self.held = Held::No;
                // A fresh epoch is to follow otherwise.
                if !self.renew {
                    self.end();
                }
            }
        }
    }

    /// A step is to be taken again, if it is still wanted.
    fn postponed(&mut self, step: Step, error: &ClientError) {
        if error.code().is_none() && !matches!(step, Step::Init { .. }) {
            // It may arrive later still: it is not to open, to write to, or to end the next transaction.
            (self.renew, self.held) = (true, self.held.max(Held::Perhaps));
        }
        if let (Step::AddPartitions(places), State::Open | State::Committing) = (step, &self.state) {
            self.joining.extend(places);
        }
    }

    fn refused(&mut self, step: &Step, error: ClientError) {
        use ErrorCode as E;
        let code = error.code();
        if code == Some(E::InvalidProducerIdMapping) {
            // The coordinator has forgotten the producer: there is nothing to end, and everything to begin again.
            (self.held, self.renew) = (Held::No, true);
        }
        if let (Step::Init { .. }, State::Committing) = (step, &self.state) {
            // What was called for is done: only the next transaction can't be.
            self.call.iter().for_each(|(_, fate)| fate.seal(DONE));
        }
        match (step, code) {
            (Step::End { commit: false }, Some(E::InvalidProducerIdMapping)) => {}
            // What may have been added was not.
            (Step::End { commit: false }, Some(E::InvalidTxnState)) if self.held == Held::Perhaps => {
                self.held = Held::No
            }
            (Step::Init { .. } | Step::End { commit: false }, _) => self.fail(error),
            (_, Some(code)) if is_abortable(code) => self.must_abort(error),
            _ => self.fail(error),
        }
    }

    /// A batch has failed; `numbered`: brokers may expect another number than the next one's.
    pub(super) fn batch_failed(&mut self, error: &ClientError, numbered: bool) {
        use ErrorCode as E;
        self.renew |= numbered;
        match error.code() {
            Some(E::ProducerFenced | E::TransactionalIdAuthorizationFailed | E::UnsupportedVersion) => {
                self.fail(error.clone());
            }
            _ => self.must_abort(error.clone()),
        }
    }

    /// The sender has ended: nobody waits any more.
    pub(super) fn close(&mut self) {
        self.fail(ClientError::Closed);
    }

    fn must_abort(&mut self, cause: ClientError) {
        if matches!(self.state, State::Open | State::Committing) {
            self.state = State::MustAbort(cause);
            self.give_up();
        }
    }

    fn fail(&mut self, cause: ClientError) {
        if !matches!(self.state, State::Failed(_)) {
            self.state = State::Failed(cause);
            self.give_up();
        }
    }

    /// Tells those who wait that the transaction, or the producer, has failed.
    fn give_up(&mut self) {
        let error = self.error();
        self.drop_unsent(&error);
        self.call.iter().for_each(|(_, fate)| fate.seal(Err(error.clone())));
    }

    fn drop_unsent(&mut self, why: &ClientError) {
        self.joining.clear();
        self.offsets.drain(..).for_each(|unsent| unsent.fate.seal(Err(why.clone())));
    }

    /// The transaction has ended, as it was called for: no step follows.
    fn end(&mut self) -> Option<Step> {
        if !matches!(self.state, State::Failed(_)) {
            self.state = State::Ready;
            self.partitions.clear();
            self.held = Held::No;
            self.call.iter().for_each(|(_, fate)| fate.seal(DONE));
        }
        None
    }

    fn begin_call(&mut self, call: Call) -> Arc<Fate> {
        let fate = Fate::open();
        self.call = Some((call, Arc::clone(&fate)));
        fate
    }

    fn unheard(&self, call: Call) -> Option<Arc<Fate>> {
        self.call.as_ref().filter(|(last, _)| *last == call).map(|(_, fate)| Arc::clone(fate))
    }

    /// Why a call does not fit the state.
    fn error(&self) -> ClientError {
        ClientError::State(match &self.state {
            State::Uninitialized => "a producer with a transactional.id begins with init_transactions",
            State::Initializing => "init_transactions has not succeeded yet: call it again to wait for it",
            State::Ready => "no transaction is open: call begin_transaction first",
            State::Open => "a transaction is open: commit or abort it first",
            State::Committing => "the transaction is being committed: call commit_transaction again to wait for it",
            State::Aborting => "the transaction is being aborted: call abort_transaction again to wait for it",
            State::MustAbort(cause) => return ClientError::AbortTransaction { cause: Box::new(cause.clone()) },
            State::Failed(cause) => return ClientError::ProducerFailed { cause: Box::new(cause.clone()) },
        })
    }
}

const ABORTED: ClientError = ClientError::State("the transaction was aborted");
const DONE: Result<Written, ClientError> = Ok(Written::UNTOLD);

/// Whether an answer spoils the transaction only. All that is not known to do so is the end of the producer.
fn is_abortable(code: ErrorCode) -> bool {
    use ErrorCode as E;
    matches!(
        code,
        E::TransactionAbortable
            | E::TopicAuthorizationFailed
            | E::GroupAuthorizationFailed
            | E::OperationNotAttempted
            | E::UnknownProducerId
            | E::InvalidProducerIdMapping
            | E::UnknownMemberId
            | E::IllegalGeneration
            | E::FencedInstanceId
            | E::RebalanceInProgress
            | E::OffsetMetadataTooLarge
            | E::InvalidCommitOffsetSize
    )
}

#[cfg(test)]
mod tests;
