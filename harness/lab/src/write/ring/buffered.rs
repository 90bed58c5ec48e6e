//! The ring as it comes: a completion interrupts the thread that waits for it.

use super::Ring;

pub(crate) const BUFFERED: Ring =
    Ring { name: "uring", about: "io_uring with default flags, into the page cache", ..Ring::PLAIN };
