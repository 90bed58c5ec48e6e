//! Standard output, which somebody may have stopped reading.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

/// Prints a line. A reader that has left (`ringbench workloads list | head`) ends no measurement and changes no exit status.
macro_rules! say {
    ($($words:tt)*) => {
        $crate::stdout::line(format_args!($($words)*))
    };
}

pub(crate) fn line(words: Arguments<'_>) {
    match writeln!(io::stdout().lock(), "{words}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => eprintln!("ringbench: standard output: {error}"),
        _ => {}
    }
}
