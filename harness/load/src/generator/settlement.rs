//! The books of all producers held against those of all consumers.

use std::collections::HashMap;

use super::consuming::{Reading, SeenBooks};
use super::producing::LaneBooks;
use crate::Verdict;
use crate::sequences::Sequences;

/// What became of every record. Each of the `subscriptions` has to receive every one that was acknowledged; without any, nobody has
/// looked.
pub(crate) fn settle(sent: &[LaneBooks], refused: u64, readings: Vec<Reading>, subscriptions: u32) -> Verdict {
    let mut verdict = Verdict { sent: refused, failed: refused, ..Verdict::default() };
    for lane in sent {
        let acked = lane.acked.count();
        verdict.sent += lane.sent;
        verdict.acked += acked;
        verdict.failed += lane.sent - acked;
    }
    let unstamped: u64 = readings.iter().map(|reading| reading.unstamped).sum();
    let mut seen: Vec<HashMap<(u32, u32), Sequences>> = vec![HashMap::new(); subscriptions as usize];
    for reading in readings {
        verdict.corrupt += reading.corrupt;
        let Some(seen) = seen.get_mut(reading.subscription as usize) else { continue };
        for SeenBooks { slot, producer, seen: read, duplicated, reordered } in reading.seen {
            verdict.duplicated += duplicated;
            verdict.reordered += reordered;
            let all = seen.entry((slot, producer)).or_default();
            // Two consumers of one subscription have it.
            verdict.duplicated += all.count_common(&read);
            all.extend(&read);
        }
    }
    if unstamped > 0 {
        verdict.read = unstamped;
        verdict.lost = (verdict.acked * u64::from(subscriptions)).saturating_sub(unstamped);
        return verdict;
    }
    for mut seen in seen {
        for lane in sent {
            let read = seen.remove(&(lane.slot, lane.producer)).unwrap_or_default();
            let known = read.count_common(&Sequences::up_to(lane.sent));
            verdict.read += known;
            // Numbers that were never given.
            verdict.corrupt += read.count() - known;
            verdict.lost += lane.acked.count() - lane.acked.count_common(&read);
        }
        verdict.corrupt += seen.values().map(Sequences::count).sum::<u64>();
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::consuming::tests::{reading, value};
    use super::*;

    fn lane(slot: u32, sent: u64, acked: impl IntoIterator<Item = u64>) -> LaneBooks {
        let mut sequences = Sequences::default();
        acked.into_iter().for_each(|sequence| assert!(sequences.insert(sequence)));
        LaneBooks { producer: 0, slot, sent, acked: sequences }
    }

    fn values(slot: u32, sequences: impl IntoIterator<Item = u64>) -> Vec<(u32, Vec<u8>)> {
        sequences.into_iter().map(|sequence| value(7, slot, sequence)).collect()
    }

    #[test]
    fn whoever_reads_everything_once_has_clean_books() {
        let read = [values(0, 0..100), values(1, 0..50)].concat();
        let verdict = settle(&[lane(0, 100, 0..100), lane(1, 50, 0..50)], 0, vec![reading(7, &read)], 1);
        assert!(verdict.is_clean(), "{verdict:?}");
        assert_eq!((verdict.sent, verdict.acked, verdict.read), (150, 150, 150));
    }

    #[test]
    fn what_was_acknowledged_and_not_read_is_lost_and_what_was_not_may_be_missing() {
        // 5 was never answered and is there, 6 was never answered and is not.
        let verdict = settle(&[lane(0, 7, 0..5)], 0, vec![reading(7, &values(0, [0, 1, 3, 5]))], 1);
        assert_eq!((verdict.lost, verdict.failed, verdict.read), (2, 2, 4));
        assert!(!verdict.is_clean());
    }

    #[test]
    fn every_subscription_is_owed_everything() {
        let mut second = reading(7, &values(0, 0..4));
        second.subscription = 1;
        let verdict = settle(&[lane(0, 5, 0..5)], 0, vec![reading(7, &values(0, 0..5)), second], 2);
        assert_eq!((verdict.lost, verdict.read), (1, 9));
    }

    #[test]
    fn two_consumers_of_one_subscription_share_and_what_both_have_is_duplicated() {
        let readings = vec![reading(7, &values(0, 0..3)), reading(7, &values(0, 2..5))];
        let verdict = settle(&[lane(0, 5, 0..5)], 0, readings, 1);
        assert_eq!((verdict.lost, verdict.duplicated, verdict.read), (0, 1, 5));
    }

    #[test]
    fn a_number_that_was_never_given_is_corrupt() {
        let verdict = settle(&[lane(0, 2, 0..2)], 0, vec![reading(7, &[values(0, 0..3), values(1, 0..1)].concat())], 1);
        assert_eq!((verdict.corrupt, verdict.read), (2, 2));
    }

    #[test]
    fn a_refusal_voids_the_cell() {
        let verdict = settle(&[lane(0, 1, 0..1)], 3, vec![reading(7, &values(0, 0..1))], 1);
        assert_eq!((verdict.failed, verdict.sent), (3, 4));
        assert!(!verdict.is_clean());
    }
}
