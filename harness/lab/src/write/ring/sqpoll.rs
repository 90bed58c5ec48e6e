//! SQPOLL: a thread of the kernel submits, so that an append needs no system call while that thread is awake.

use ringlog_io::RingSetup;

use super::Ring;

pub(crate) const SQPOLL: Ring = Ring {
    name: "uring-sqpoll",
    about: "io_uring with SQPOLL: a thread of the kernel submits, and spins for 10 ms between appends",
    setup: RingSetup::Sqpoll { idle_ms: 10 },
    ..Ring::PLAIN
};
