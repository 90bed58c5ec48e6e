//! The files of a partition's directory, and those that a crash left half-done.

use std::path::{Path, PathBuf};

use ringlog_io::Disk;

use crate::{
    LogError, RecoveryCase,
    error::IoContext,
    scan::{Scan, Tail},
    segment::{self, INDEX, LOG, SNAPSHOT, Segment, TIME_INDEX, TXN_INDEX, with_suffix},
};

/// Being deleted: kept for readers for a while.
pub(crate) const DELETED: &str = "deleted";
/// Being written by a compaction or a truncation.
pub(crate) const CLEANED: &str = "cleaned";
/// Complete, on its way to replace the segments that it was made from.
pub(crate) const SWAP: &str = "swap";
const TEMPORARY: &str = "tmp";

/// What a partition's directory holds.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Base offset and size of each segment, in order.
    pub(crate) logs: Vec<(i64, u64)>,
    /// Offsets of the snapshots, in order.
    pub(crate) snapshots: Vec<i64>,
    leftovers: Vec<PathBuf>,
    swaps: Vec<i64>,
    orphans: Vec<(i64, PathBuf)>,
}

impl Listing {
    pub(crate) fn of(dir: &Path) -> Result<Self, LogError> {
        let mut listing = Self::default();
        for entry in std::fs::read_dir(dir).context("list", dir)? {
            let entry = entry.context("list", dir)?;
            let name = entry.file_name();
            let Some((stem, suffix)) = name.to_str().and_then(|name| name.rsplit_once('.')) else { continue };
            match (parse_offset(stem), suffix) {
                (Some(base), LOG) => listing.logs.push((base, entry.metadata().context("stat", &entry.path())?.len())),
                (Some(offset), SNAPSHOT) => listing.snapshots.push(offset),
                (Some(base), INDEX | TIME_INDEX | TXN_INDEX) => listing.orphans.push((base, entry.path())),
                (None, SWAP) => match stem.strip_suffix(".log").and_then(parse_offset) {
                    Some(base) => listing.swaps.push(base),
                    None => listing.leftovers.push(entry.path()),
                },
                (_, DELETED | CLEANED | TEMPORARY) => listing.leftovers.push(entry.path()),
                _ => {}
            }
        }
        listing.logs.sort_unstable();
        listing.snapshots.sort_unstable();
        let Self { logs, orphans, .. } = &mut listing;
        orphans.retain(|(base, _)| logs.binary_search_by_key(base, |(base, _)| *base).is_err());
        Ok(listing)
    }

    /// Whether nothing is half-done.
    pub(crate) fn is_settled(&self) -> bool {
        self.leftovers.is_empty() && self.swaps.is_empty() && self.orphans.is_empty()
    }
}

/// Finishes what was complete and removes what was not.
pub(crate) fn settle(
    disk: &Disk,
    dir: &Path,
    listing: &Listing,
    cases: &mut Vec<RecoveryCase>,
) -> Result<(), LogError> {
    for &base in &listing.swaps {
        complete_swap(disk, dir, listing, base, cases)?;
    }
    for path in listing.leftovers.iter().chain(listing.orphans.iter().map(|(_, path)| path)) {
        // A swap may have taken it along.
        if path.exists() {
            disk.remove_file(path).context("remove", path)?;
            cases.push(RecoveryCase::LeftoverRemoved { path: path.clone() });
        }
    }
    Ok(())
}

/// The `.swap` was synced before it got its name: it replaces every segment that begins in its range. One that is damaged all
/// the same is dropped while all that it was made from is still there.
fn complete_swap(
    disk: &Disk,
    dir: &Path,
    listing: &Listing,
    base: i64,
    cases: &mut Vec<RecoveryCase>,
) -> Result<(), LogError> {
    let path = segment::file_path(dir, base, LOG);
    let swap = with_suffix(&path, SWAP);
    let file = disk.open_file(&swap, ringlog_io::Mode::Read).context("open", &swap)?;
    let mut scan = Scan::new(&file, 0, file.len().context("stat", &swap)?, base);
    let mut next_offset = base;
    let tail = loop {
        match scan.next()? {
            Ok((_, header)) => next_offset = header.next_offset(),
            Err(tail) => break tail,
        }
    };
    if tail != Tail::Clean {
        if !listing.logs.iter().any(|(original, _)| *original == base) {
            let reason = "a compacted segment is damaged and its originals are gone".into();
            return Err(LogError::Corrupt { path: swap, position: scan.position(), reason });
        }
        disk.remove_file(&swap).context("remove", &swap)?;
        cases.push(RecoveryCase::LeftoverRemoved { path: swap });
        return Ok(());
    }
    let replaced =
        listing.logs.iter().map(|(base, _)| *base).filter(|&original| (base..next_offset).contains(&original));
    for original in replaced.filter(|&original| original != base) {
        let original = Segment::closed(dir, original, 0).path(LOG);
        disk.remove_file(&original).context("remove", &original)?;
    }
    // The indexes of the old segment of this name do not fit.
    for suffix in [INDEX, TIME_INDEX] {
        let index = segment::file_path(dir, base, suffix);
        if index.exists() {
            disk.remove_file(&index).context("remove", &index)?;
        }
    }
    disk.rename(&swap, &path).context("rename", &swap)?;
    disk.sync_dir(dir).context("sync", dir)?;
    cases.push(RecoveryCase::SwapCompleted { path });
    Ok(())
}

fn parse_offset(stem: &str) -> Option<i64> {
    let digits = stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| stem.parse().ok()).flatten()
}
