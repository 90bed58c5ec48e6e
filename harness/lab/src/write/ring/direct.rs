//! O_DIRECT from registered memory: the device reads it without a copy, and no page is pinned for each append.

use ringlog_io::RingSetup;

use super::Ring;

pub(crate) const DIRECT: Ring = Ring {
    name: "uring-direct",
    about: "io_uring (DEFER_TASKRUN) with O_DIRECT, the file and the memory registered",
    setup: RingSetup::DeferTaskrun,
    direct: true,
    registered: true,
    ..Ring::PLAIN
};
