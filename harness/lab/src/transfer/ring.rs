//! The ring that sends.

use std::io;

use ringlog_io::{BareRing, Operation, RingSetup};

/// As the broker has it. The longest chain has two operations.
const ENTRIES: u32 = 4;

/// A ring, if the kernel has these operations for it.
pub(super) fn ring(opcodes: &[&str]) -> io::Result<BareRing> {
    let ring = BareRing::new(RingSetup::DeferTaskrun, ENTRIES)?;
    opcodes.iter().try_for_each(|opcode| ring.supports(opcode))?;
    Ok(ring)
}

/// Runs operations that have to move exactly so many bytes each.
pub(super) fn run_whole(
    ring: &mut BareRing,
    operations: &mut [Operation<'_>],
    expected: &[usize],
    results: &mut Vec<io::Result<usize>>,
) -> io::Result<()> {
    ring.run(operations, results)?;
    for (result, expected) in results.drain(..).zip(expected) {
        let moved = result?;
        if moved != *expected {
            return Err(io::Error::other(format!("an operation moved {moved} of {expected} bytes")));
        }
    }
    Ok(())
}
