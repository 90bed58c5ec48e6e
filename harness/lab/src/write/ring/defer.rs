//! SINGLE_ISSUER and DEFER_TASKRUN: completions are run when the thread asks for them. What the broker's rings are.

use ringlog_io::RingSetup;

use super::Ring;

pub(crate) const DEFER: Ring = Ring {
    name: "uring-defer",
    about: "io_uring with SINGLE_ISSUER and DEFER_TASKRUN: completions are run by who waits for them",
    setup: RingSetup::DeferTaskrun,
    ..Ring::PLAIN
};
