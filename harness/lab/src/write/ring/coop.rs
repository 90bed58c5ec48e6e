//! COOP_TASKRUN: completions are run when the thread enters the kernel anyway.

use ringlog_io::RingSetup;

use super::Ring;

pub(crate) const COOP: Ring = Ring {
    name: "uring-coop",
    about: "io_uring with COOP_TASKRUN: no interrupt for a completion",
    setup: RingSetup::CoopTaskrun,
    ..Ring::PLAIN
};
