//! Results doubted: everything that is derived is made anew from repeats and raw histograms, and compared with what is written.

use std::path::Path;

use ringbench_stats::HdrLog;
use serde::Serialize;
use serde_json::Value;

use crate::results::{LatencyUs, Ledger, NoiseFloor, Repeat, Run, RunCell, SERIES, stated_noise_floor};
use crate::run::names_of;

/// What was looked at, and what is wrong.
#[derive(Debug, Default)]
pub struct Verified {
    /// Cells.
    pub cells: usize,
    /// Their repeats.
    pub repeats: usize,
    /// Files of raw histograms whose hash, slices and percentiles are as they were written.
    pub histograms: usize,
    /// Acknowledged records in ledgers that add up.
    pub records: u64,
    /// Acknowledged records that nobody read back: their workload does not ask for it, or their target keeps nothing.
    pub unread: u64,
    /// How far an unfinished run came.
    pub unfinished: Option<String>,
    /// A sentence for everything that is not as it should be, with the file that it is about.
    pub wrong: Vec<String>,
}

/// Checks a run that lies in a directory.
#[must_use]
pub fn verify(run: &Run, directory: &Path) -> Verified {
    let mut verified = Verified { unfinished: unfinished(run), ..Verified::default() };
    let results = Run::path(directory).display().to_string();
    for (cell, name) in run.cells.iter().zip(names_of(run)) {
        verified.cells += 1;
        for (index, repeat) in cell.repeats.iter().enumerate() {
            verified.repeats += 1;
            let mut wrong = ledger(repeat);
            if wrong.is_empty() {
                let of = if is_read(&repeat.ledger) { &mut verified.records } else { &mut verified.unread };
                *of += repeat.ledger.acked;
            }
            let place = format!("{name}, repeat {}", index + 1);
            match repeat.histograms.as_ref().map(|file| file.read(directory)) {
                None if repeat.failure.is_none() => wrong.push("it has no raw histograms".to_owned()),
                None => {}
                Some(Err(error)) => verified.wrong.push(format!("{error} ({place})")),
                Some(Ok(log)) => {
                    let differing: Vec<_> = quoted(repeat, &log).chain(due(cell, repeat, &log)).collect();
                    verified.histograms += usize::from(differing.is_empty());
                    wrong.extend(differing);
                }
            }
            verified.wrong.extend(wrong.into_iter().map(|what| format!("{results}: {place}: {what}")));
        }
        verified.wrong.extend(derived(run, cell, directory).map(|what| format!("{results}: {name}: {what}")));
    }
    if let Some(stated) = stated_noise_floor(directory) {
        let differing = differing(&stated, &NoiseFloor::of(&[run]));
        let said =
            differing.map(|what| format!("{results}: noise_floor: made anew from the repeats of all cells {what}"));
        verified.wrong.extend(said);
    }
    verified
}

fn unfinished(run: &Run) -> Option<String> {
    let (whole, cells) = (run.whole_cells(), run.cells.len());
    run.interrupted.then(|| format!("it ended before its end: {whole} of {cells} cells have all their repeats"))
}

/// Whether anybody looked for what was acknowledged: then it came back, or is lost.
fn is_read(books: &Ledger) -> bool {
    books.received > 0 || books.lost > 0
}

/// Whether the books of one repeat can be true.
fn ledger(repeat: &Repeat) -> Vec<String> {
    let Ledger { sent, acked, received, lost, .. } = repeat.ledger;
    let mut wrong = Vec::new();
    if acked > sent {
        wrong.push(format!("the ledger has {acked} acknowledged of {sent} sent"));
    }
    if received > sent {
        wrong.push(format!("the ledger has {received} read back of {sent} sent"));
    }
    // What was acknowledged came back or is lost; what came back may be more, by records that were never answered.
    if is_read(&repeat.ledger) && received + lost < acked {
        wrong.push(format!("the ledger has {acked} acknowledged, {received} read back and only {lost} lost"));
    }
    let counted = repeat.acked_records;
    if counted > acked {
        wrong.push(format!(
            "{counted} acknowledged records are counted, the ledger has {acked} of the warm-up and these"
        ));
    }
    let in_slices: u64 = repeat.timeline.iter().map(|tick| tick.acked).sum();
    if repeat.failure.is_none() && in_slices != counted {
        wrong.push(format!("{counted} acknowledged records are counted, its timeline has {in_slices}"));
    }
    wrong
}

fn quoted(repeat: &Repeat, log: &HdrLog) -> impl Iterator<Item = String> {
    let anew = SERIES.map(|series| LatencyUs::of(&log.merged(series)));
    let pairs = SERIES.into_iter().zip(repeat.quoted()).zip(anew);
    pairs.filter_map(|((series, quoted), anew)| {
        Some(format!("{series}: made anew from its histogram {}", differing(&quoted, &anew)?))
    })
}

/// Of records that were due in the time that was counted each is in the histogram, where all were answered.
fn due(cell: &RunCell, repeat: &Repeat, log: &HdrLog) -> Option<String> {
    let is_whole = repeat.failure.is_none() && repeat.ledger.failed == 0 && cell.write_bytes.is_none();
    let (due, in_histogram) = (repeat.due_records.filter(|_| is_whole)?, log.merged("latency").count());
    (due != in_histogram).then(|| format!("{due} records were due, its histogram has {in_histogram}"))
}

/// What is said of the cell as a whole, made anew.
fn derived(run: &Run, cell: &RunCell, directory: &Path) -> Option<String> {
    let mut anew = cell.clone();
    // A file that can't be read is said already.
    anew.derive(run.roofline.as_ref(), directory).ok()?;
    Some(format!("made anew from its repeats {}", differing(cell, &anew)?))
}

/// In which fields what is written differs from what was made anew; single values with both.
fn differing<T: Serialize>(written: &T, anew: &T) -> Option<String> {
    let [written, anew] = [written, anew].map(|of| serde_json::to_value(of).unwrap_or_default());
    let said = |(name, value): (&String, &Value)| {
        let anew = anew.get(name).filter(|anew| *anew != value)?;
        let is_single = |value: &Value| !value.is_object() && !value.is_array();
        let both = format!("{name} ({value} is written, it is {anew})");
        Some(if is_single(value) && is_single(anew) { both } else { name.clone() })
    };
    let differing: Vec<String> = written.as_object()?.iter().filter_map(said).collect();
    (!differing.is_empty()).then(|| format!("it differs in {}", differing.join(", ")))
}
