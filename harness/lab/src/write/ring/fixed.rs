//! Registered file and buffer: neither the descriptor nor the memory's pages are looked up for each operation.

use ringlog_io::RingSetup;

use super::Ring;

pub(crate) const FIXED: Ring = Ring {
    name: "uring-fixed",
    about: "io_uring (DEFER_TASKRUN) with the file and the memory registered",
    setup: RingSetup::DeferTaskrun,
    registered: true,
    ..Ring::PLAIN
};
