//! Room on a disk for what a cell writes.

use std::path::Path;

use ringbench_load::workload::CellSpec;

/// What is left free.
const RESERVE_BYTES: u64 = 1 << 30;

/// Free on the disk of this directory, for who is not root.
pub(crate) fn free_bytes(directory: &Path) -> Option<u64> {
    let there = directory.ancestors().find(|path| path.is_dir())?;
    let disk = nix::sys::statvfs::statvfs(there).ok()?;
    Some(disk.blocks_available() * disk.fragment_size())
}

/// Refuses to fill a disk.
///
/// # Errors
/// A sentence, when a run of the cell may need more than is free.
pub(crate) fn room_for(cell: &CellSpec, directory: &Path) -> Result<(), String> {
    let needed = cell.estimate().disk_bytes.saturating_add(RESERVE_BYTES);
    let Some(free) = free_bytes(directory).filter(|free| *free < needed) else { return Ok(()) };
    let less = if cell.write_bytes.is_some() { "timesMemory=NUMBER" } else { "testDuration=TIME" };
    Err(format!(
        "{}: {:.1} GB are free, and {} may need {:.1}: make room, keep the target's files elsewhere, or say less with --set {less}",
        directory.display(),
        free as f64 / 1e9,
        cell.name,
        needed as f64 / 1e9
    ))
}
