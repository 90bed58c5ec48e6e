//! The state machine against a model of its coordinator: one by one, and at random.

use std::collections::BTreeSet;

use futures_util::FutureExt;

use super::*;

const PLACES: usize = 3;

fn refusal(code: ErrorCode) -> ClientError {
    ClientError::Broker { code, subject: "it".to_owned(), message: String::new() }
}

fn lost() -> ClientError {
    ClientError::Timeout { what: "it".to_owned(), after: std::time::Duration::ZERO, setting: "request.timeout.ms" }
}

/// What came of a call, once that is known.
fn heard(transaction: &mut Transaction, fate: &Arc<Fate>) -> Option<Result<(), ClientError>> {
    let outcome = fate.delivery(0, 0, 0).now_or_never()?;
    transaction.heard(fate);
    Some(outcome.map(drop))
}

fn open() -> Transaction {
    let mut transaction = Transaction::new();
    let call = transaction.init().unwrap();
    let step = transaction.next(true).unwrap();
    assert_eq!(step, Step::Init { current: None });
    transaction.answered(step, Ok(Some(Identity { id: 7, epoch: 0 })));
    heard(&mut transaction, &call).unwrap().unwrap();
    transaction.begin().unwrap();
    transaction
}

fn answer(transaction: &mut Transaction, outcome: Result<(), ClientError>) -> (Step, Pace) {
    let step = transaction.next(true).unwrap();
    (step.clone(), transaction.answered(step, outcome.map(|()| None)))
}

fn send_offset(transaction: &mut Transaction, offset: i64) {
    let at = CommittedOffset { offset, ..Default::default() };
    let offsets = BTreeMap::from([(TopicPartition::new("t", 0), at)]);
    drop(transaction.send_offsets(GroupMetadata::without_member("g"), offsets).unwrap());
}

#[test]
fn one_step_is_under_way_at_a_time_and_the_end_waits_for_the_batches() {
    let mut transaction = open();
    transaction.join((0, 1));
    transaction.join((0, 1));
    let call = transaction.commit().unwrap();
    let add = transaction.next(false).unwrap();
    assert_eq!(add, Step::AddPartitions(vec![(0, 1)]));
    assert_eq!(transaction.next(true), None, "one is under way");
    assert!(!transaction.has_joined((0, 1)));
    transaction.answered(add, Ok(None));
    assert!(transaction.has_joined((0, 1)));
    assert_eq!(transaction.next(false), None, "a batch is left");
    assert_eq!(answer(&mut transaction, Ok(())), (Step::End { commit: true }, Pace::AtOnce));
    heard(&mut transaction, &call).unwrap().unwrap();
    transaction.begin().unwrap();
    assert!(!transaction.has_joined((0, 1)), "that was the transaction before");
}

#[test]
fn a_step_is_taken_again_after_what_may_pass_and_soon_while_the_last_transaction_ends() {
    let mut transaction = open();
    transaction.join((0, 0));
    for (error, pace) in [
        (refusal(ErrorCode::ConcurrentTransactions), Pace::Soon),
        (refusal(ErrorCode::NotCoordinator), Pace::AfterBackoff),
        (refusal(ErrorCode::UnknownTopicOrPartition), Pace::AfterBackoff),
        (lost(), Pace::AfterBackoff),
    ] {
        assert_eq!(answer(&mut transaction, Err(error)), (Step::AddPartitions(vec![(0, 0)]), pace));
    }
    answer(&mut transaction, Ok(()));
    transaction.commit().unwrap();
    assert_eq!(answer(&mut transaction, Err(lost())), (Step::End { commit: true }, Pace::AfterBackoff));
    assert_eq!(answer(&mut transaction, Ok(())), (Step::End { commit: true }, Pace::AtOnce));
}

#[test]
fn what_the_coordinator_may_have_heard_of_is_ended_and_followed_by_a_fresh_epoch() {
    for ended in [Ok(()), Err(refusal(ErrorCode::InvalidTxnState))] {
        let mut transaction = open();
        transaction.join((0, 0));
        answer(&mut transaction, Err(lost()));
        let call = transaction.abort().unwrap();
        assert_eq!(answer(&mut transaction, ended).0, Step::End { commit: false });
        let step = transaction.next(true).unwrap();
        assert_eq!(step, Step::Init { current: Some(Identity { id: 7, epoch: 0 }) });
        transaction.answered(step, Ok(Some(Identity { id: 7, epoch: 1 })));
        heard(&mut transaction, &call).unwrap().unwrap();
    }
    // What it certainly held is another matter.
    let mut transaction = open();
    transaction.join((0, 0));
    answer(&mut transaction, Ok(()));
    let call = transaction.abort().unwrap();
    answer(&mut transaction, Err(refusal(ErrorCode::InvalidTxnState)));
    assert!(matches!(heard(&mut transaction, &call).unwrap(), Err(ClientError::ProducerFailed { .. })));
}

#[test]
fn after_a_lost_request_the_next_transaction_has_a_fresh_epoch() {
    for (lost_step, commit) in (0..5).flat_map(|step| [(step, true), (step, false)]) {
        let mut transaction = open();
        let mut joined = 0;
        let mut take = |transaction: &mut Transaction| {
            if joined == lost_step {
                answer(transaction, Err(lost()));
            }
            joined += 1;
            answer(transaction, Ok(())).0
        };
        for place in [(0, 0), (0, 1)] {
            transaction.join(place);
            assert_eq!(take(&mut transaction), Step::AddPartitions(vec![place]));
        }
        send_offset(&mut transaction, 5);
        assert!(matches!(take(&mut transaction), Step::AddOffsets { .. }));
        assert!(matches!(take(&mut transaction), Step::CommitOffsets { .. }));
        let call = if commit { transaction.commit().unwrap() } else { transaction.abort().unwrap() };
        assert_eq!(take(&mut transaction), Step::End { commit });
        let step = transaction.next(true).unwrap();
        assert_eq!(step, Step::Init { current: Some(Identity { id: 7, epoch: 0 }) }, "{lost_step}");
        transaction.answered(step, Ok(Some(Identity { id: 7, epoch: 1 })));
        heard(&mut transaction, &call).unwrap().unwrap();
        transaction.begin().unwrap();
    }
}

#[test]
fn what_is_lost_after_another_partition_has_joined_is_followed_by_a_fresh_epoch_too() {
    let mut transaction = open();
    transaction.join((0, 0));
    answer(&mut transaction, Ok(()));
    transaction.join((0, 1));
    answer(&mut transaction, Err(lost()));
    transaction.abort().unwrap();
    assert_eq!(answer(&mut transaction, Ok(())).0, Step::End { commit: false });
    assert!(matches!(transaction.next(true), Some(Step::Init { current: Some(_) })));
}

#[test]
fn a_commit_stands_whatever_comes_of_the_fresh_epoch_after_it() {
    let mut transaction = open();
    transaction.join((0, 0));
    answer(&mut transaction, Ok(()));
    let call = transaction.commit().unwrap();
    answer(&mut transaction, Err(lost()));
    assert_eq!(answer(&mut transaction, Ok(())).0, Step::End { commit: true });
    assert!(matches!(answer(&mut transaction, Err(refusal(ErrorCode::ProducerFenced))).0, Step::Init { .. }));
    heard(&mut transaction, &call).unwrap().unwrap();
    assert!(matches!(transaction.begin(), Err(ClientError::ProducerFailed { .. })));
}

#[test]
fn who_closes_waits_for_a_commit_aborts_it_when_it_fails_and_begins_no_other() {
    let mut transaction = open();
    transaction.join((0, 0));
    answer(&mut transaction, Ok(()));
    transaction.commit().unwrap();
    let call = transaction.finish().unwrap();
    answer(&mut transaction, Err(refusal(ErrorCode::TransactionAbortable)));
    assert!(matches!(heard(&mut transaction, &call), Some(Err(ClientError::AbortTransaction { .. }))));
    let call = transaction.finish().unwrap();
    assert_eq!(answer(&mut transaction, Ok(())).0, Step::End { commit: false });
    heard(&mut transaction, &call).unwrap().unwrap();
    assert!(transaction.finish().is_none());
    assert_eq!(transaction.begin(), Err(ClientError::Closed));
}

#[test]
fn a_failed_batch_spoils_the_transaction_and_one_of_a_fenced_producer_the_producer() {
    let mut transaction = open();
    transaction.join((0, 0));
    answer(&mut transaction, Ok(()));
    let call = transaction.commit().unwrap();
    transaction.batch_failed(&refusal(ErrorCode::InvalidProducerEpoch), true);
    assert!(matches!(heard(&mut transaction, &call).unwrap(), Err(ClientError::AbortTransaction { .. })));
    assert_eq!(transaction.next(true), None, "only an abort leads on");
    transaction.batch_failed(&refusal(ErrorCode::ProducerFenced), true);
    assert!(matches!(transaction.abort(), Err(ClientError::ProducerFailed { .. })));
    assert!(matches!(transaction.dooms(), Some(ClientError::ProducerFailed { .. })));
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// As much of a coordinator as decides about answers.
#[derive(Default)]
struct Coordinator {
    epoch: i16,
    ongoing: bool,
    /// How the last transaction ended, until the next begins: the same end may be asked for again.
    ended: Option<bool>,
    /// Whether that was a commit, also after a fresh epoch.
    committed: bool,
    partitions: BTreeSet<Place>,
    /// Offsets that wait for the end, and those that were committed.
    offsets: (Option<i64>, i64),
}

impl Coordinator {
    fn carry_out(&mut self, step: &Step) -> Result<Option<Identity>, ClientError> {
        match step {
            Step::Init { current } => {
                if current.is_some_and(|current| current.epoch != self.epoch && current.epoch + 1 != self.epoch) {
                    return Err(refusal(ErrorCode::ProducerFenced));
                }
                // An attempt whose answer was lost is told from another by the epoch that it names.
                if current.is_none_or(|current| current.epoch == self.epoch) {
                    assert!(!self.ongoing, "a fresh epoch within a transaction fences the producer");
                    self.epoch += 1;
                }
                self.ended = None;
                return Ok(Some(Identity { id: 7, epoch: self.epoch }));
            }
            Step::AddPartitions(places) => {
                self.begin();
                self.partitions.extend(places);
            }
            Step::AddOffsets { .. } => self.begin(),
            Step::CommitOffsets { offsets, .. } => {
                assert!(self.ongoing, "offsets are committed in a transaction");
                self.offsets.0 = offsets.values().next().map(|committed| committed.offset);
            }
            Step::End { commit } if self.ongoing => {
                if let (true, Some(offset)) = (*commit, self.offsets.0.take()) {
                    self.offsets.1 = offset;
                }
                self.partitions.clear();
                (self.ongoing, self.ended, self.offsets.0) = (false, Some(*commit), None);
                self.committed = *commit;
            }
            Step::End { commit } if self.ended == Some(*commit) => {}
            Step::End { .. } => return Err(refusal(ErrorCode::InvalidTxnState)),
        }
        Ok(None)
    }

    fn begin(&mut self) {
        (self.ongoing, self.ended, self.committed) = (true, None, false);
    }
}

/// A producer, what it has sent, and its coordinator.
struct World {
    dice: Dice,
    transaction: Transaction,
    coordinator: Coordinator,
    under_way: Option<Step>,
    /// Requests that were lost and may yet arrive, with their epochs and how many transactions had begun.
    late: Vec<(Step, i16, usize)>,
    waiting: Vec<Place>,
    /// Batches that the open transaction has written, and whether it has lost one or an offset.
    written: usize,
    failed: bool,
    /// The last offset that was sent, and what is committed once the open transaction is.
    offset: i64,
    to_commit: i64,
    call: Option<(Call, Arc<Fate>)>,
    begun: usize,
    /// Transactions that have ended: committed, aborted.
    ended: (usize, usize),
    gaps: bool,
    faults: bool,
}

impl World {
    fn new(seed: u64) -> World {
        let mut transaction = Transaction::new();
        let call = transaction.init().unwrap();
        World {
            dice: Dice(seed),
            transaction,
            coordinator: Coordinator { epoch: -1, ..Default::default() },
            under_way: None,
            late: Vec::new(),
            waiting: Vec::new(),
            written: 0,
            failed: false,
            offset: 0,
            to_commit: 0,
            call: Some((Call::Init, call)),
            begun: 0,
            ended: (0, 0),
            gaps: false,
            faults: true,
        }
    }

    fn turn(&mut self) {
        match self.dice.roll(7) {
            0 => self.call(),
            1 | 2 => self.send_batch(),
            3 => self.step(),
            4 => self.deliver(),
            5 => self.arrive(),
            _ => self.hear(),
        }
    }

    fn call(&mut self) {
        if self.call.is_some() {
            let refused = [self.transaction.begin(), self.transaction.check_open()];
            assert!(refused.iter().all(Result::is_err));
            return;
        }
        if self.transaction.check_open().is_err() && self.transaction.dooms().is_none() {
            self.transaction.begin().unwrap();
            (self.written, self.failed) = (0, false);
            self.begun += 1;
            self.to_commit = self.coordinator.offsets.1;
        }
        match self.dice.roll(8) {
            0 => {
                if let Ok(call) = self.transaction.commit() {
                    self.call = Some((Call::Commit, call));
                }
            }
            1 => self.call = Some((Call::Abort, self.transaction.abort().unwrap())),
            2 if self.transaction.check_open().is_ok() => {
                self.offset += 1;
                self.to_commit = self.offset;
                send_offset(&mut self.transaction, self.offset);
            }
            _ if self.transaction.check_open().is_ok() => {
                let place = (0, self.dice.roll(PLACES as u64) as usize);
                self.transaction.join(place);
                self.waiting.push(place);
            }
            _ => {}
        }
    }

    /// As the sender does: what can't be sent any more is given up, the rest once its partition has joined.
    fn send_batch(&mut self) {
        if let Some(error) = self.transaction.dooms() {
            self.waiting.drain(..).for_each(|_| self.transaction.batch_failed(&error, false));
        }
        let Some(index) = self.waiting.iter().position(|place| self.transaction.has_joined(*place)) else { return };
        let place = self.waiting.swap_remove(index);
        let coordinator = &self.coordinator;
        assert!(coordinator.ongoing && coordinator.partitions.contains(&place), "{place:?} has not joined");
        if self.faults && self.dice.roll(10) == 0 {
            (self.failed, self.gaps) = (true, true);
            self.transaction.batch_failed(&refusal(ErrorCode::MessageTooLarge), true);
        } else {
            self.written += 1;
        }
    }

    fn step(&mut self) {
        let drained = self.waiting.is_empty();
        if let Some(step) = self.transaction.next(drained) {
            assert!(self.under_way.is_none(), "two steps at a time");
            if let Step::End { commit } = &step {
                assert!(drained, "batches are left");
                assert!(!(*commit && self.failed), "a part would be committed");
            }
            if let Step::Init { current: Some(_) } = &step {
                self.gaps = false;
            }
            self.under_way = Some(step);
        }
    }

    /// The coordinator hears of the step, or not, and so does the producer of what came of it.
    fn deliver(&mut self) {
        let Some(step) = self.under_way.take() else { return };
        let trouble = if self.faults { self.dice.roll(12) } else { 12 };
        let outcome = match trouble {
            0 => {
                // A lost Init fences the producer should it arrive: no epoch keeps it from that.
                let identity = self.transaction.identity().filter(|_| !matches!(step, Step::Init { .. }));
                self.late.extend(identity.map(|identity| (step.clone(), identity.epoch, self.begun)));
                Err(lost())
            }
            1 => {
                let _ = self.coordinator.carry_out(&step);
                Err(lost())
            }
            2 => Err(refusal(ErrorCode::NotCoordinator)),
            3 => Err(refusal(ErrorCode::ConcurrentTransactions)),
            4 if matches!(step, Step::AddPartitions(_) | Step::AddOffsets { .. } | Step::CommitOffsets { .. }) => {
                self.failed |= matches!(self.call, None | Some((Call::Commit, _)));
                Err(refusal(ErrorCode::TransactionAbortable))
            }
            _ => self.coordinator.carry_out(&step),
        };
        self.transaction.answered(step, outcome);
    }

    /// The coordinator hears of a step that was taken for lost.
    fn arrive(&mut self) {
        // Between the end and the fresh epoch it would fence the producer.
        let is_in_between = self.transaction.renew && self.transaction.held == Held::No;
        if self.late.is_empty() || is_in_between {
            return;
        }
        let index = self.dice.roll(self.late.len() as u64) as usize;
        let (step, epoch, begun) = self.late.swap_remove(index);
        if epoch != self.coordinator.epoch {
            return;
        }
        assert_eq!(begun, self.begun, "another transaction hears of {step:?}");
        // Offsets are refused once the transaction has ended; those from before others would be committed instead.
        let is_harmless = match &step {
            Step::CommitOffsets { offsets, .. } => {
                self.coordinator.ongoing && offsets.values().all(|committed| committed.offset == self.offset)
            }
            _ => true,
        };
        if is_harmless {
            let _ = self.coordinator.carry_out(&step);
        }
    }

    fn hear(&mut self) {
        let Some((call, fate)) = self.call.take() else { return };
        match (heard(&mut self.transaction, &fate), call) {
            (None, _) => self.call = Some((call, fate)),
            (Some(Ok(())), Call::Init) => {}
            (Some(Ok(())), Call::Commit) => {
                assert!(!self.failed && self.waiting.is_empty() && !self.coordinator.ongoing);
                assert!(self.written == 0 || self.coordinator.committed, "it was not committed");
                assert_eq!(self.coordinator.offsets.1, self.to_commit);
                self.ended.0 += 1;
            }
            (Some(Ok(())), Call::Abort) => {
                assert!(!self.coordinator.ongoing, "it was not aborted");
                assert!(self.written == 0 || !self.coordinator.committed, "it was committed");
                assert!(!self.gaps, "the next one would have a gap in its numbers");
                self.ended.1 += 1;
            }
            (Some(Err(error)), Call::Commit) => {
                assert!(matches!(error, ClientError::AbortTransaction { .. }), "{error}");
                assert!(self.failed, "{error}");
            }
            (Some(Err(error)), _) => panic!("{error}"),
        }
    }
}

#[test]
fn whatever_is_lost_or_refused_a_transaction_is_committed_whole_or_aborted() {
    let replayed = std::env::var("RINGLOG_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = replayed.map_or_else(|| (0..400).collect(), |seed| vec![seed]);
    let mut ended = (0, 0);
    for &seed in &seeds {
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            (0..2000).for_each(|_| world.turn());
            // Once nothing goes wrong every call ends.
            world.faults = false;
            while world.call.is_some() {
                world.send_batch();
                world.step();
                world.deliver();
                world.hear();
            }
            world.ended
        });
        let (committed, aborted) = run.unwrap_or_else(|panic| {
            eprintln!("RINGLOG_SEED={seed} replays this");
            std::panic::resume_unwind(panic)
        });
        ended = (ended.0 + committed, ended.1 + aborted);
    }
    assert!(seeds.len() == 1 || ended.0 > 1000 && ended.1 > 1000, "{ended:?}");
}
