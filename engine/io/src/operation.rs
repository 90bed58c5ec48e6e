//! One operation of a [`crate::BareRing`]: what the kernel is asked to do, and with whose bytes.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use io_uring::types::{Fd, FsyncFlags};
use io_uring::{opcode, squeue};

use crate::pool::Buffer;
use crate::syscall::offset;

/// An operation and what it borrows: read by the kernel, or written by it where the borrow is exclusive. "Fixed" ones use a range of
/// a buffer that the ring owns ([`crate::BareRing::register_buffers`]); their pages need not be looked up again each time.
///
/// **`linked`**: the next operation of the list begins when this one has succeeded (IOSQE_IO_LINK). When it fails, or a read, write,
/// splice or send is short, the rest of the chain ends with ECANCELED; what was done stays done. A link orders, it does not make
/// atomic: a linked write and fdatasync are durable only when both results say so.
///
/// One operation moves at most 1 GiB. Sockets should block: on a non-blocking one the operation ends with EAGAIN instead of waiting.
#[derive(Debug)]
#[expect(
    missing_docs,
    reason = "the fields are the arguments of the call that each variant names; `linked` is told above"
)]
pub enum Operation<'a> {
    /// pwrite(2). May be short.
    Write { file: Descriptor<'a>, bytes: &'a [u8], position: u64, linked: bool },
    /// pwrite(2) from a registered buffer. May be short.
    WriteFixed { file: Descriptor<'a>, buffer: u16, range: Range<usize>, position: u64, linked: bool },
    /// pread(2): 0 at the end of the file, fewer bytes just before it.
    Read { file: Descriptor<'a>, bytes: &'a mut [u8], position: u64, linked: bool },
    /// pread(2) into a registered buffer.
    ReadFixed { file: Descriptor<'a>, buffer: u16, range: Range<usize>, position: u64, linked: bool },
    /// fdatasync(2) of what was written before it *began*: link the write to it. Always in a worker thread of the kernel.
    Fdatasync { file: Descriptor<'a>, linked: bool },
    /// splice(2): one side is a pipe, which has no position. Always in a worker thread of the kernel; waits while the pipe is empty
    /// or full. 0 at the end of the file. May be short.
    Splice {
        from: Descriptor<'a>,
        from_position: Option<u64>,
        to: Descriptor<'a>,
        to_position: Option<u64>,
        length: u32,
        linked: bool,
    },
    /// send(2) until the socket has taken all of it, or fails.
    Send { socket: Descriptor<'a>, bytes: &'a [u8], linked: bool },
    /// send(2) of a range of a registered buffer, copied like any other: so a linked [`Operation::ReadFixed`] and this move a file's
    /// bytes in one system call.
    SendFixed { socket: Descriptor<'a>, buffer: u16, range: Range<usize>, linked: bool },
    /// send(2) without copying (Linux 6.0; TCP and UDP), ended when the network has let go of the bytes: on TCP, when the peer has
    /// acknowledged them. On loopback the kernel copies after all.
    SendZc { socket: Descriptor<'a>, bytes: &'a [u8], linked: bool },
    /// recv(2): what there is, at least one byte; 0 when the peer has ended. Waits like the blocking call, until somebody sends or the
    /// socket is shut down.
    Recv { socket: Descriptor<'a>, bytes: &'a mut [u8], linked: bool },
}

/// A file, pipe or socket as an operation names it.
#[derive(Debug, Clone, Copy)]
pub enum Descriptor<'a> {
    /// Any open descriptor.
    Open(BorrowedFd<'a>),
    /// The place in [`crate::BareRing::register_files`]: saves the look-up. EBADF where there is none.
    Registered(u32),
}

impl<'a, T: AsFd> From<&'a T> for Descriptor<'a> {
    fn from(file: &'a T) -> Descriptor<'a> {
        Descriptor::Open(file.as_fd())
    }
}

/// The most that one operation is asked to move.
const MAX_BYTES: usize = 1 << 30;
/// "This side of the splice has no position."
const NO_POSITION: i64 = -1;
const SPLICE_F_FD_IN_FIXED: u32 = 1 << 31;
/// Without WAITALL a send ends with what the socket had room for.
const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;

impl Operation<'_> {
    pub(crate) fn is_linked(&self) -> bool {
        match *self {
            Operation::Write { linked, .. }
            | Operation::WriteFixed { linked, .. }
            | Operation::Read { linked, .. }
            | Operation::ReadFixed { linked, .. }
            | Operation::Fdatasync { linked, .. }
            | Operation::Splice { linked, .. }
            | Operation::Send { linked, .. }
            | Operation::SendFixed { linked, .. }
            | Operation::SendZc { linked, .. }
            | Operation::Recv { linked, .. } => linked,
        }
    }

    /// The kernel's form, which points to the borrowed bytes, or into `registered` where that range exists.
    pub(crate) fn entry(&mut self, registered: &mut [Buffer]) -> io::Result<squeue::Entry> {
        let linked = if self.is_linked() { squeue::Flags::IO_LINK } else { squeue::Flags::empty() };
        let (entry, target) = match self {
            Operation::Write { file, bytes, position, .. } => {
                let entry = opcode::Write::new(file.fd(), bytes.as_ptr(), length(bytes));
                (entry.offset(checked(*position)?).build(), file)
            }
            Operation::WriteFixed { file, buffer, range, position, .. } => {
                let bytes = fixed(registered, *buffer, range)?;
                let entry = opcode::WriteFixed::new(file.fd(), bytes.as_ptr(), length(bytes), *buffer);
                (entry.offset(checked(*position)?).build(), file)
            }
            Operation::Read { file, bytes, position, .. } => {
                let entry = opcode::Read::new(file.fd(), bytes.as_mut_ptr(), length(bytes));
                (entry.offset(checked(*position)?).build(), file)
            }
            Operation::ReadFixed { file, buffer, range, position, .. } => {
                let bytes = fixed(registered, *buffer, range)?;
                let entry = opcode::ReadFixed::new(file.fd(), bytes.as_mut_ptr(), length(bytes), *buffer);
                (entry.offset(checked(*position)?).build(), file)
            }
            Operation::Fdatasync { file, .. } => {
                (opcode::Fsync::new(file.fd()).flags(FsyncFlags::DATASYNC).build(), file)
            }
            Operation::Splice { from, from_position, to, to_position, length, .. } => {
                let from_position = from_position.map_or(Ok(NO_POSITION), offset)?;
                let to_position = to_position.map_or(Ok(NO_POSITION), offset)?;
                let length = (*length).min(MAX_BYTES as u32);
                let flags = if from.is_registered() { SPLICE_F_FD_IN_FIXED } else { 0 };
                let entry = opcode::Splice::new(from.fd(), from_position, to.fd(), to_position, length);
                (entry.flags(flags).build(), to)
            }
            Operation::Send { socket, bytes, .. } => {
                (opcode::Send::new(socket.fd(), bytes.as_ptr(), length(bytes)).flags(SEND_FLAGS).build(), socket)
            }
            Operation::SendFixed { socket, buffer, range, .. } => {
                let bytes = fixed(registered, *buffer, range)?;
                (opcode::Send::new(socket.fd(), bytes.as_ptr(), length(bytes)).flags(SEND_FLAGS).build(), socket)
            }
            Operation::SendZc { socket, bytes, .. } => {
                (opcode::SendZc::new(socket.fd(), bytes.as_ptr(), length(bytes)).flags(SEND_FLAGS).build(), socket)
            }
            Operation::Recv { socket, bytes, .. } => {
                (opcode::Recv::new(socket.fd(), bytes.as_mut_ptr(), length(bytes)).build(), socket)
            }
        };
        let fixed_file = if target.is_registered() { squeue::Flags::FIXED_FILE } else { squeue::Flags::empty() };
        Ok(entry.flags(linked | fixed_file))
    }
}

impl Descriptor<'_> {
    /// The number as the entry has it; whether it is a place among the registered ones is told by flags.
    fn fd(&self) -> Fd {
        match self {
            Descriptor::Open(file) => Fd(file.as_raw_fd()),
            Descriptor::Registered(index) => Fd(i32::try_from(*index).unwrap_or(i32::MAX)),
        }
    }

    fn is_registered(&self) -> bool {
        matches!(self, Descriptor::Registered(_))
    }
}

fn length(bytes: &[u8]) -> u32 {
    bytes.len().min(MAX_BYTES) as u32
}

/// The kernel would take -1 for "at the file's own position".
fn checked(position: u64) -> io::Result<u64> {
    offset(position).map(|_| position)
}

fn fixed<'a>(registered: &'a mut [Buffer], buffer: u16, range: &Range<usize>) -> io::Result<&'a mut [u8]> {
    let bytes = registered.get_mut(usize::from(buffer)).and_then(|buffer| buffer.get_mut(range.clone()));
    bytes.ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("no bytes {range:?} in registered buffer {buffer}"))
    })
}
