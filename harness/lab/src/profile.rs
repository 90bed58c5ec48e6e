//! The host profile: what the broker can choose between, measured, and the choice.

use ringbench_stats::{Interval, ratio};
use ringlog_io::{INLINE_WRITE_BYTES, Place};
use ringlog_settings::{Backend, HostProfile};

use crate::lab::{CellOutcome, Outcome};
use crate::plan::Plan;
use crate::ranking::{rank, scores};
use crate::setting::{Pages, Receiver, Setting, Size, SyncPolicy, TransferSetting, WriteSetting};

/// How the broker writes in the calling thread, and how on a ring; how it sends what it reads, and what it does not read.
const CALLED: &str = "pwritev";
const RING: &str = "uring-defer";
const READ: &str = "nowait-writev";
const SENDFILE: &str = "sendfile";
/// What else is measured, for whoever reads the profile.
const BESIDE: [&str; 2] = ["pwritev2-dsync", "uring-linked"];

const KIB: usize = 1 << 10;
const SIZES: [usize; 5] = [4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 1024 * KIB];
const GROUPED: [usize; 2] = [4 * KIB, 64 * KIB];
/// Appends that share a sync.
const GROUP: usize = 16;
/// From where on the broker uses sendfile without a profile.
const SENDFILE_MIN_BYTES: usize = 64 * KIB;
/// Enough for a difference of a fifth to be found in steady noise.
const REPEATS: usize = 7;

impl Plan {
    /// What [`profile`] decides by: under a minute.
    #[must_use]
    pub fn for_profile(seed: u64) -> Plan {
        let plain = |size_bytes| WriteSetting { size_bytes, ..crate::write::PLAIN };
        let durable = |size_bytes| WriteSetting { sync: SyncPolicy::Every, ..plain(size_bytes) };
        let grouped = |size_bytes| WriteSetting { sync: SyncPolicy::Group, queued: GROUP, ..plain(size_bytes) };
        let written = SIZES.map(plain).into_iter().chain(GROUPED.map(durable)).chain(GROUPED.map(grouped));
        let moved = SIZES.map(|size_bytes| Setting::Transfer(warm(size_bytes)));
        let settings = written.map(Setting::Write).chain(moved).collect();
        Plan::of(settings, &[&[CALLED, RING, READ, SENDFILE], &BESIDE[..]].concat(), REPEATS, seed)
    }
}

fn warm(size_bytes: usize) -> TransferSetting {
    TransferSetting { size_bytes, pages: Pages::Warm, receiver: Receiver::Reads }
}

/// What was chosen for the place that the plan of [`Plan::for_profile`] was run in, and why, line by line.
///
/// A default is left only for what was measured to be better beyond chance: a broker with its host's profile is never meant to be
/// slower than one without.
#[must_use]
pub fn profile(outcome: &Outcome, place: &Place) -> (HostProfile, Vec<String>) {
    let cells = &outcome.cells;
    let mut findings = Vec::new();
    let is_plain = |size_bytes| move |setting: &Setting| matches!(setting, Setting::Write(w) if w.size_bytes == size_bytes && w.sync == SyncPolicy::None);
    let write_inline_max_bytes = threshold(INLINE_WRITE_BYTES, |size_bytes| {
        let called = compared(cells, (CALLED, RING), is_plain(size_bytes));
        findings.push(said(size_bytes, "written by the calling thread instead of the ring", called));
        called
    });
    let sendfile_min_bytes = match threshold(SENDFILE_MIN_BYTES - 1, |size_bytes| {
        let read = compared(cells, (READ, SENDFILE), |setting| *setting == Setting::Transfer(warm(size_bytes)));
        findings.push(said(size_bytes, "read and sent with its header instead of by sendfile", read));
        read
    }) {
        // The threshold is the largest that is read; what is longer goes by sendfile.
        default if default == SENDFILE_MIN_BYTES - 1 => SENDFILE_MIN_BYTES,
        largest => largest + 1,
    };
    let is_group = |size_bytes| move |setting: &Setting| matches!(setting, Setting::Write(w) if w.size_bytes == size_bytes && w.sync == SyncPolicy::Group);
    let synced = GROUPED.map(|size_bytes| {
        let called = compared(cells, (CALLED, RING), is_group(size_bytes));
        findings.push(said(size_bytes, "times 16 written and synced by system calls instead of the ring", called));
        called
    });
    // The ring never stalls its thread's other work: it is left only for what is faster whatever the size.
    let by_calls = synced.iter().all(|called| called.is_some_and(|called| called.low > 1.0));
    findings.extend(rank(cells).into_iter().filter_map(|ranking| {
        let best = ranking.ranked.first()?;
        let sharing = ranking.ranked.iter().filter(|ranked| ranked.rank == best.rank);
        let names: Vec<_> = sharing.filter_map(|ranked| Some(cells.get(ranked.cell)?.cell.contestant.name())).collect();
        let Interval { median, low, high, .. } = best.score;
        Some(format!("{}: {} ({median:.0} MB/s, {low:.0} to {high:.0})", ranking.setting, names.join(" or ")))
    }));
    let profile = HostProfile {
        kernel: place.kernel.clone(),
        filesystem: place.filesystem.clone(),
        write_backend: if by_calls { Backend::Syscall } else { Backend::Uring },
        write_inline_max_bytes,
        sendfile_min_bytes,
    };
    (profile, findings)
}

/// Where a better way for small sizes ends: the largest size that it is used at. From `default` it moves as long as what is asked of
/// the sizes on the way, how many times as fast it is, says so beyond chance.
fn threshold(default: usize, mut times_as_fast: impl FnMut(usize) -> Option<Interval>) -> usize {
    let measured = SIZES.map(|size_bytes| (size_bytes, times_as_fast(size_bytes)));
    let faster = |ratio: &Option<Interval>| ratio.is_some_and(|ratio| ratio.low > 1.0);
    let slower = |ratio: &Option<Interval>| ratio.is_some_and(|ratio| ratio.high < 1.0);
    let above = measured.iter().filter(|(size_bytes, _)| *size_bytes > default);
    if let Some((largest, _)) = above.take_while(|(_, ratio)| faster(ratio)).last() {
        return *largest;
    }
    let below = measured.iter().rev().filter(|(size_bytes, _)| *size_bytes <= default);
    let lost = below.take_while(|(_, ratio)| slower(ratio)).last();
    // What is smaller than the smallest at which it loses keeps it.
    lost.map_or(default, |(smallest, _)| smallest - 1)
}

/// How many times as fast the first is as the second where they were both asked for this.
fn compared(cells: &[CellOutcome], names: (&str, &str), asked: impl Fn(&Setting) -> bool) -> Option<Interval> {
    let of = |name: &str| {
        let cell = cells.iter().find(|cell| cell.cell.contestant.name() == name && asked(&cell.cell.setting));
        cell.map(scores).unwrap_or_default()
    };
    ratio(&of(names.0), &of(names.1)).filter(|ratio| ratio.runs > 2)
}

fn said(size_bytes: usize, how: &str, times: Option<Interval>) -> String {
    let size = Size(size_bytes);
    times.map_or_else(
        || format!("{size} {how}: not measured"),
        |Interval { median, low, high, .. }| format!("{size} {how}: {median:.2} times as fast ({low:.2} to {high:.2})"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    fn times(median: f64) -> Option<Interval> {
        Some(Interval { median, low: median * 0.95, high: median * 1.05, confidence: 0.98, runs: 7 })
    }

    #[test]
    fn a_threshold_moves_only_for_what_is_beyond_chance() {
        let default = 64 * KIB;
        let at = |at: &'static [(usize, f64)]| {
            threshold(default, move |size| {
                at.iter().find(|(known, _)| *known == size).map_or(times(1.0), |(_, found)| times(*found))
            })
        };
        assert_eq!(at(&[]), default);
        assert_eq!(at(&[(256 * KIB, 1.2), (1024 * KIB, 1.2)]), 1024 * KIB);
        assert_eq!(at(&[(1024 * KIB, 1.2)]), default, "256 KiB lie between");
        assert_eq!(at(&[(64 * KIB, 0.8), (16 * KIB, 0.8)]), 16 * KIB - 1);
        assert_eq!(at(&[(4 * KIB, 0.8)]), default, "larger ones do not lose");
        assert_eq!(threshold(default, |_| None), default);
    }

    #[test]
    fn who_was_not_measured_keeps_the_defaults_and_the_reason_is_said() {
        let place = Place { kernel: "6.1".to_owned(), filesystem: "ext4".to_owned() };
        let (cells, unavailable, order, bench_ns) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let nothing = Outcome { cells, unavailable, order, bench_ns, calls_uncounted: None, interrupted: false };
        let (profile, findings) = super::profile(&nothing, &place);
        assert_eq!((profile.kernel.as_str(), profile.write_backend), ("6.1", Backend::Uring));
        assert_eq!(
            (profile.write_inline_max_bytes, profile.sendfile_min_bytes),
            (INLINE_WRITE_BYTES, SENDFILE_MIN_BYTES)
        );
        assert!(findings.iter().all(|finding| finding.ends_with("not measured")), "{findings:?}");
    }

    #[test]
    fn what_was_measured_decides() {
        let plan = Plan::for_profile(1);
        let sampled = |cell: &crate::Cell| {
            // System calls do twice as much as the ring up to 1 MiB, and sendfile more than reading from 16 KiB on.
            let bytes = match (cell.contestant.name(), cell.setting) {
                (CALLED, _) => 2_000,
                (SENDFILE, Setting::Transfer(setting)) if setting.size_bytes >= 16 * KIB => 2_000,
                _ => 1_000,
            };
            let sample = Sample { bytes, elapsed: std::time::Duration::from_secs(1), ..Sample::default() };
            CellOutcome { cell: *cell, samples: vec![Some(sample); REPEATS], failure: None, calls_each: None }
        };
        let cells = plan.cells().iter().map(sampled).collect();
        let (unavailable, order, bench_ns) = (Vec::new(), Vec::new(), Vec::new());
        let outcome = Outcome { cells, unavailable, order, bench_ns, calls_uncounted: None, interrupted: false };
        let place = Place { kernel: "6.1".to_owned(), filesystem: "ext4".to_owned() };
        let (profile, findings) = super::profile(&outcome, &place);
        assert_eq!((profile.write_backend, profile.write_inline_max_bytes), (Backend::Syscall, 1024 * KIB));
        assert_eq!(profile.sendfile_min_bytes, 16 * KIB);
        assert!(findings.iter().any(|finding| finding.contains("2.00 times as fast")), "{findings:?}");
    }
}
