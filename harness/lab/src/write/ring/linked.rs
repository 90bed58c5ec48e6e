//! The sync linked behind the appends: one submission for both, and no trip to user space between them.

use ringlog_io::RingSetup;

use super::Ring;

pub(crate) const LINKED: Ring = Ring {
    name: "uring-linked",
    about: "io_uring (DEFER_TASKRUN): the appends and an fdatasync linked behind them, by one call",
    setup: RingSetup::DeferTaskrun,
    linked: true,
    ..Ring::PLAIN
};
