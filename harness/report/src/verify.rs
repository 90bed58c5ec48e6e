//! Results doubted: everything that is derived is made anew from repeats and raw histograms, and compared with what is written.

use std::path::Path;

use ringbench_stats::HdrLog;

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
    /// A sentence for everything that is not as it should be.
    pub wrong: Vec<String>,
}

/// Checks a run that lies in a directory.
#[must_use]
pub fn verify(run: &Run, directory: &Path) -> Verified {
    let mut verified = Verified::default();
    for (cell, name) in run.cells.iter().zip(names_of(run)) {
        verified.cells += 1;
        for (index, repeat) in cell.repeats.iter().enumerate() {
            verified.repeats += 1;
            let mut wrong = ledger(&repeat.ledger);
            if wrong.is_empty() {
                let of = if is_read(&repeat.ledger) { &mut verified.records } else { &mut verified.unread };
                *of += repeat.ledger.acked;
            }
            match repeat.histograms.as_ref().map(|file| file.read(directory)) {
                None if repeat.failure.is_none() => wrong.push("it has no raw histograms".to_owned()),
                None => {}
                Some(Err(error)) => wrong.push(error.to_string()),
                Some(Ok(log)) => {
                    let differing = quoted(repeat, &log);
                    verified.histograms += usize::from(differing.is_empty());
                    wrong.extend(differing);
                }
            }
            verified.wrong.extend(wrong.into_iter().map(|what| format!("{name}, repeat {}: {what}", index + 1)));
        }
        verified.wrong.extend(derived(run, cell, directory).map(|what| format!("{name}: {what}")));
    }
    let anew = NoiseFloor::of(&[run]);
    if stated_noise_floor(directory).is_some_and(|stated| stated != anew) {
        verified.wrong.push(format!("noise_floor: made anew from the repeats of all cells it is {anew:?}"));
    }
    verified
}

/// Whether anybody looked for what was acknowledged: then it came back, or is lost.
fn is_read(books: &Ledger) -> bool {
    books.received > 0 || books.lost > 0
}

/// Whether the books of one repeat can be true.
fn ledger(books: &Ledger) -> Vec<String> {
    let Ledger { sent, acked, received, lost, .. } = *books;
    let mut wrong = Vec::new();
    if acked > sent {
        wrong.push(format!("the ledger has {acked} acknowledged of {sent} sent"));
    }
    if received > sent {
        wrong.push(format!("the ledger has {received} read back of {sent} sent"));
    }
    // What was acknowledged came back or is lost; what came back may be more, by records that were never answered.
    if is_read(books) && received + lost < acked {
        wrong.push(format!("the ledger has {acked} acknowledged, {received} read back and only {lost} lost"));
    }
    wrong
}

fn quoted(repeat: &Repeat, log: &HdrLog) -> Vec<String> {
    let anew = SERIES.map(|series| LatencyUs::of(&log.merged(series)));
    let pairs = SERIES.into_iter().zip(repeat.quoted()).zip(anew);
    let differing = pairs.filter(|((_, quoted), anew)| quoted != anew);
    differing
        .map(|((series, quoted), anew)| format!("{series}: {quoted:?} is quoted, the histogram has {anew:?}"))
        .collect()
}

/// What is said of the cell as a whole, made anew.
fn derived(run: &Run, cell: &RunCell, directory: &Path) -> Option<String> {
    let mut anew = cell.clone();
    // A file that can't be read is said already.
    anew.derive(run.roofline.as_ref(), directory).ok()?;
    let json = |cell: &RunCell| serde_json::to_value(cell).unwrap_or_default();
    let (written, anew) = (json(cell), json(&anew));
    let fields = written.as_object()?.iter();
    let differing: Vec<&str> =
        fields.filter(|(name, value)| anew.get(*name) != Some(value)).map(|(name, _)| name.as_str()).collect();
    (!differing.is_empty()).then(|| format!("made anew from its repeats it differs in {}", differing.join(", ")))
}
