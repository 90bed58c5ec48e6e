//! A blocking io_uring of one thread, without a runtime: what it runs is complete when the call comes back.
//!
//! That is the whole safety argument. The kernel holds pointers into borrowed memory only while [`BareRing::run`] is on the stack,
//! and `run` can't be left before the last completion has been seen: it has no `?`, calls nobody's code and can't panic between
//! the first submission and that point, and where the kernel won't go on it ends the process instead.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;

use io_uring::{IoUring, Probe, cqueue, opcode, squeue};

use crate::operation::Operation;
use crate::pool::Buffer;
use crate::probe::{remedy, wait_for};
use crate::ring::{bug, enter};
use crate::slab::OperationId;

/// How the kernel runs a ring's completions and submissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RingSetup {
    /// Completions interrupt the thread. Linux 5.6.
    Default,
    /// Completions are run when the thread enters the kernel anyway. Linux 5.19.
    CoopTaskrun,
    /// Completions are run when the thread asks for them, and only one thread submits (SINGLE_ISSUER, DEFER_TASKRUN). Linux 6.1.
    DeferTaskrun,
    /// A thread of the kernel submits, and spins for a while between them; the caller spins a little for completions before
    /// it sleeps. Costs a processor. Linux 5.13 for any user.
    Sqpoll {
        /// Milliseconds that the kernel's thread spins for the next operation before it sleeps.
        idle_ms: u32,
    },
}

/// A ring that blocks its thread until all that it was given is done.
pub struct BareRing {
    // Closed before the buffers are given back.
    uring: IoUring,
    buffers: Vec<Buffer>,
    /// Room that is used again by each run. What these point to is valid during that run only.
    entries: Vec<squeue::Entry>,
    /// Operations run so far: the next one's number, so that a stray completion is told from an awaited one.
    served: u64,
    /// SINGLE_ISSUER: the thread that set the ring up is the only one that may use it.
    _stays: PhantomData<Rc<()>>,
}

/// Looks at the completion queue before a ring with a submitting kernel thread sleeps: tens of microseconds, as long as a small write
/// takes.
const SQPOLL_LOOKS: u32 = 1000;

/// Names without IORING_OP_, as `io_uring_enter(2)` has them, and the kernel that brought them.
const OPCODES: [(&str, u8, &str); 9] = [
    ("READ", opcode::Read::CODE, "5.6"),
    ("WRITE", opcode::Write::CODE, "5.6"),
    ("READ_FIXED", opcode::ReadFixed::CODE, "5.1"),
    ("WRITE_FIXED", opcode::WriteFixed::CODE, "5.1"),
    ("FSYNC", opcode::Fsync::CODE, "5.1"),
    ("SPLICE", opcode::Splice::CODE, "5.7"),
    ("SEND", opcode::Send::CODE, "5.6"),
    ("RECV", opcode::Recv::CODE, "5.6"),
    ("SEND_ZC", opcode::SendZc::CODE, "6.0"),
];

impl BareRing {
    /// A ring that takes `entries` operations at once (1 to 4,096, rounded up to a power of two), tried with one that does nothing.
    /// The error of a ring that can't be had says what to change.
    pub fn new(setup: RingSetup, entries: u32) -> io::Result<BareRing> {
        let entries = entries.clamp(1, 4096).next_power_of_two();
        // Two completions at most for each operation (zero-copy sends), so the queue can't overflow.
        let mut uring = setup.build(entries, 2 * entries)?;
        wait_for(&mut uring, opcode::Nop::new().build()).map_err(with_remedy)?;
        Ok(BareRing { uring, buffers: Vec::new(), entries: Vec::new(), served: 0, _stays: PhantomData })
    }

    /// Whether the kernel has an operation, by its name without IORING_OP_ (`"SEND_ZC"`); the error says which kernel has.
    pub fn supports(&self, opcode: &str) -> io::Result<()> {
        let Some((name, code, since)) = OPCODES.iter().find(|(name, ..)| *name == opcode) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{opcode} is no operation of this ring")));
        };
        let mut probe = Probe::new();
        self.uring.submitter().register_probe(&mut probe).map_err(with_remedy)?;
        if probe.is_supported(*code) {
            return Ok(());
        }
        let text = format!("the kernel lacks IORING_OP_{name}: Linux {since} or later has it");
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    /// Gives the ring references of its own to `files`, which operations then name by their places
    /// ([`crate::Descriptor::Registered`]). EBUSY when there are some already.
    pub fn register_files(&mut self, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        let numbers: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
        self.uring.submitter().register_files(&numbers)
    }

    /// Pins `buffers` for the operations named "fixed" and keeps them until the ring is dropped. They count against RLIMIT_MEMLOCK,
    /// which the error then says. EBUSY when there are some already.
    pub fn register_buffers(&mut self, mut buffers: Vec<Buffer>) -> io::Result<()> {
        let vectors: Vec<libc::iovec> = buffers
            .iter_mut()
            .map(|buffer| libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() })
            .collect();
        // SAFETY: the vectors cover the buffers exactly. These stay mapped at their addresses until they are dropped, which the
        // ring does after it has closed itself.
        unsafe { self.uring.submitter().register_buffers(&vectors) }.map_err(with_remedy)?;
        self.buffers = buffers;
        Ok(())
    }

    /// A registered buffer; empty where there is none.
    pub fn buffer(&self, index: u16) -> &[u8] {
        self.buffers.get(usize::from(index)).map(|buffer| &**buffer).unwrap_or_default()
    }

    /// A registered buffer to be filled; empty where there is none.
    pub fn buffer_mut(&mut self, index: u16) -> &mut [u8] {
        self.buffers.get_mut(usize::from(index)).map(|buffer| &mut **buffer).unwrap_or_default()
    }

    /// Runs all operations and comes back when the last one has ended, however long that takes; `results` then holds one result
    /// for each, in their order: bytes, or why not. They run at once, in any order, unless they are linked; those beyond the ring's
    /// size are begun when the ones before have ended.
    ///
    /// An error of the call itself means that nothing was begun: a range or position that does not exist, or a chain that is longer
    /// than the ring. A ring that the kernel refuses to serve half-way ends the process.
    pub fn run(&mut self, operations: &mut [Operation<'_>], results: &mut Vec<io::Result<usize>>) -> io::Result<()> {
        self.entries.clear();
        for (number, operation) in (self.served..).zip(operations.iter_mut()) {
            self.entries.push(operation.entry(&mut self.buffers)?.user_data(number));
        }
        self.check_chains(operations)?;
        results.clear();
        results.resize_with(operations.len(), || Ok(0));
        let mut begin = 0;
        while begin < operations.len() {
            let end = self.round_end(operations, begin);
            self.run_round(begin..end, results);
            begin = end;
        }
        self.served += operations.len() as u64;
        Ok(())
    }

    /// The kernel ends a chain where one submission ends, so no chain may need two.
    fn check_chains(&self, operations: &[Operation<'_>]) -> io::Result<()> {
        let longest = operations.split_inclusive(|operation| !operation.is_linked()).map(<[_]>::len).max();
        match longest {
            Some(length) if length > self.places() => {
                let text = format!("a chain of {length} operations for a ring of {}", self.places());
                Err(io::Error::new(io::ErrorKind::InvalidInput, text))
            }
            _ => Ok(()),
        }
    }

    /// Where the round that starts at `begin` has to end: when the ring is full, or before the chain that would be cut.
    fn round_end(&self, operations: &[Operation<'_>], begin: usize) -> usize {
        let rest = operations.get(begin..).unwrap_or_default();
        let chains = rest.split_inclusive(|operation| !operation.is_linked()).map(<[_]>::len);
        let ends = chains.scan(0, |end, length| {
            *end += length;
            Some(*end)
        });
        begin + ends.take_while(|end| *end <= self.places()).last().unwrap_or(rest.len())
    }

    fn places(&self) -> usize {
        self.uring.params().sq_entries() as usize
    }

    /// Submits a round that fits the queue and waits for all of it.
    fn run_round(&mut self, round: Range<usize>, results: &mut [io::Result<usize>]) {
        let entries = self.entries.get(round.clone()).unwrap_or_default();
        // All or none: a kernel thread that submits would cut a chain that it sees the first half of.
        // SAFETY: what the entries point to is borrowed by the operations or owned by `self.buffers`; `run` borrows both, and this
        // function comes back when each of these operations has ended.
        while unsafe { self.uring.submission().push_multiple(entries) }.is_err() {
            // A submitting kernel thread posts completions a little before it frees their places in the queue.
            std::thread::yield_now();
        }
        let mut looks = if self.uring.params().is_setup_sqpoll() { SQPOLL_LOOKS } else { 0 };
        let mut in_flight = round.len();
        while in_flight > 0 {
            match looks {
                // Submits what was not taken yet; it counts completions that lie in the queue, and the queue is empty here.
                0 => enter(&self.uring, in_flight),
                // Wakes the kernel's thread if it sleeps.
                SQPOLL_LOOKS => enter(&self.uring, 0),
                _ => std::hint::spin_loop(),
            }
            looks = looks.saturating_sub(1);
            for completion in self.uring.completion() {
                let index = completion.user_data().wrapping_sub(self.served);
                let place = usize::try_from(index).ok().filter(|index| in_flight > 0 && round.contains(index));
                let Some(result) = place.and_then(|index| results.get_mut(index)) else {
                    bug(OperationId(completion.user_data()), "completed, but was not in flight");
                };
                // A zero-copy send's first completion has the result, its second says that the bytes are free.
                if !cqueue::notif(completion.flags()) {
                    *result = usize::try_from(completion.result())
                        .map_err(|_| io::Error::from_raw_os_error(completion.result().wrapping_neg()));
                }
                if !cqueue::more(completion.flags()) {
                    in_flight -= 1;
                }
            }
        }
    }
}

impl fmt::Debug for BareRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BareRing({} entries, {} buffers, {} served)", self.places(), self.buffers.len(), self.served)
    }
}

impl RingSetup {
    pub(crate) fn build(self, entries: u32, completions: u32) -> io::Result<IoUring> {
        let mut builder = IoUring::builder();
        builder.dontfork().setup_cqsize(completions);
        let (flags, since) = match self {
            RingSetup::Default => ("io_uring with a completion queue of its own size", "5.5"),
            RingSetup::CoopTaskrun => {
                builder.setup_coop_taskrun();
                ("IORING_SETUP_COOP_TASKRUN", "5.19")
            }
            RingSetup::DeferTaskrun => {
                builder.setup_single_issuer().setup_defer_taskrun();
                ("IORING_SETUP_DEFER_TASKRUN", "6.1")
            }
            RingSetup::Sqpoll { idle_ms } => {
                builder.setup_sqpoll(idle_ms);
                ("IORING_SETUP_SQPOLL", "5.13")
            }
        };
        builder.build(entries).map_err(|error| match error.raw_os_error() {
            Some(libc::EINVAL) => {
                let text = format!("the kernel lacks {flags}: Linux {since} or later has it");
                io::Error::new(io::ErrorKind::Unsupported, text)
            }
            _ => with_remedy(error),
        })
    }
}

/// Why there is no ring, and what to change: what an [`io::Error`] made by [`with_remedy`] holds.
#[derive(Debug, thiserror::Error)]
#[error("{error}. {remedy}")]
pub struct RingRefused {
    /// What the kernel said.
    pub error: io::Error,
    /// With the values that this host has.
    pub remedy: String,
}

/// What can be changed, said in the error where it is known: as a [`RingRefused`].
pub fn with_remedy(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS | libc::ENOMEM) => {
            let remedy = remedy(&error);
            io::Error::new(error.kind(), RingRefused { error, remedy })
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileExt;

    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

    use super::*;
    use crate::operation::Descriptor;
    use crate::pool::Pool;
    use crate::probe::tests::where_rings_are_refused;

    const SETUPS: [RingSetup; 4] =
        [RingSetup::Default, RingSetup::CoopTaskrun, RingSetup::DeferTaskrun, RingSetup::Sqpoll { idle_ms: 10 }];

    /// Whichever of the set-ups can be had, and loudly which not.
    fn rings(entries: u32) -> impl Iterator<Item = BareRing> {
        SETUPS.into_iter().filter_map(move |setup| match BareRing::new(setup, entries) {
            Ok(ring) => Some(ring),
            Err(error) => {
                eprintln!("\n!!! NOT TESTED ON {setup:?}: {error}\n");
                None
            }
        })
    }

    fn run(ring: &mut BareRing, operations: &mut [Operation<'_>]) -> Vec<Result<usize, Option<i32>>> {
        let mut results = Vec::new();
        ring.run(operations, &mut results).unwrap();
        results.into_iter().map(|result| result.map_err(|error| error.raw_os_error())).collect()
    }

    fn content(file: &std::fs::File) -> Vec<u8> {
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    fn socket_pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn a_linked_write_and_sync_and_a_read_move_the_bytes_in_every_setup() {
        for mut ring in rings(8) {
            let file = tempfile::tempfile().unwrap();
            let mut write_and_sync = [
                Operation::Write { file: (&file).into(), bytes: b"hello ring", position: 3, linked: true },
                Operation::Fdatasync { file: (&file).into(), linked: false },
            ];
            assert_eq!(run(&mut ring, &mut write_and_sync), [Ok(10), Ok(0)]);
            assert_eq!(run(&mut ring, &mut write_and_sync), [Ok(10), Ok(0)], "and again");
            let mut back = [0; 32];
            let mut read = [Operation::Read { file: (&file).into(), bytes: &mut back, position: 0, linked: false }];
            assert_eq!(run(&mut ring, &mut read), [Ok(13)]);
            assert_eq!(&back[..14], b"\0\0\0hello ring\0");
        }
    }

    #[test]
    fn registered_files_and_buffers_are_used_by_their_places() {
        for mut ring in rings(8) {
            let pool = Pool::new(4096, 8192);
            let (other, file) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
            ring.register_files(&[other.as_fd(), file.as_fd()]).unwrap();
            ring.register_buffers((0..2).map(|_| pool.take().unwrap().unwrap()).collect()).unwrap();
            assert!(pool.take().unwrap().is_none(), "the ring has them");
            ring.buffer_mut(0)[10..15].copy_from_slice(b"fixed");
            let file = Descriptor::Registered(1);
            let mut there_and_back = [
                Operation::WriteFixed { file, buffer: 0, range: 10..15, position: 0, linked: true },
                Operation::ReadFixed { file, buffer: 1, range: 100..105, position: 0, linked: false },
            ];
            assert_eq!(run(&mut ring, &mut there_and_back), [Ok(5), Ok(5)]);
            assert_eq!(&ring.buffer(1)[99..106], b"\0fixed\0");
            assert!(ring.buffer(2).is_empty() && ring.buffer_mut(2).is_empty());
            let mut nowhere = [Operation::Fdatasync { file: Descriptor::Registered(7), linked: false }];
            assert_eq!(run(&mut ring, &mut nowhere), [Err(Some(libc::EBADF))]);
            drop(ring);
            assert!(pool.take().unwrap().is_some(), "they come back with the ring's end");
        }
    }

    #[test]
    fn more_operations_than_the_ring_takes_at_once_are_all_done_and_no_chain_is_cut() {
        for mut ring in rings(4) {
            let file = tempfile::tempfile().unwrap();
            let bytes: Vec<u8> = (0..103).collect();
            // Chains of 1 to 4 operations; within one, each write overwrites its predecessor's second byte.
            let chain = |place: usize| ![0, 3, 5, 9].contains(&(place % 10));
            let mut writes: Vec<_> = bytes
                .windows(2)
                .enumerate()
                .map(|(place, bytes)| Operation::Write {
                    file: (&file).into(),
                    bytes,
                    position: place as u64,
                    linked: chain(place),
                })
                .collect();
            assert_eq!(run(&mut ring, &mut writes), vec![Ok(2); 102]);
            assert_eq!(content(&file), bytes);
            let mut failing = Vec::new();
            for _ in 0..30 {
                let nowhere = Descriptor::Registered(0);
                failing.push(Operation::Write { file: nowhere, bytes: b"a", position: 0, linked: true });
                failing.push(Operation::Write { file: (&file).into(), bytes: b"b", position: 0, linked: true });
                failing.push(Operation::Fdatasync { file: (&file).into(), linked: false });
            }
            let (refused, canceled) = (Err(Some(libc::EBADF)), Err(Some(libc::ECANCELED)));
            assert_eq!(run(&mut ring, &mut failing), [refused, canceled, canceled].repeat(30));
            assert_eq!(content(&file), bytes);
        }
    }

    #[test]
    fn nothing_is_begun_when_an_operation_can_not_be() {
        let Some(mut ring) = rings(2).next() else { return };
        let file = tempfile::tempfile().unwrap();
        let good = |linked| Operation::Write { file: (&file).into(), bytes: b"x", position: 0, linked };
        let bad = [
            vec![good(true), good(true), good(false)],
            vec![good(false), Operation::Write { file: (&file).into(), bytes: b"", position: u64::MAX, linked: false }],
            vec![
                good(false),
                Operation::WriteFixed { file: (&file).into(), buffer: 0, range: 0..1, position: 0, linked: false },
            ],
        ];
        for mut operations in bad {
            let mut results = vec![Ok(77)];
            let error = ring.run(&mut operations, &mut results).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
            assert!(matches!(results[..], [Ok(77)]) && content(&file).is_empty());
        }
        assert_eq!(run(&mut ring, &mut [good(true), good(true)]), [Ok(1), Ok(1)], "the last one's link leads nowhere");
        assert_eq!(run(&mut ring, &mut []), []);
    }

    #[test]
    fn a_short_read_cancels_the_rest_of_its_chain() {
        let Some(mut ring) = rings(4).next() else { return };
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"short", 0).unwrap();
        let mut bytes = [0; 6];
        let mut operations = [
            Operation::Read { file: (&file).into(), bytes: &mut bytes, position: 0, linked: true },
            Operation::Write { file: (&file).into(), bytes: b"more", position: 5, linked: false },
        ];
        assert_eq!(run(&mut ring, &mut operations), [Ok(5), Err(Some(libc::ECANCELED))]);
        assert_eq!(content(&file), b"short");
    }

    #[test]
    fn sockets_get_borrowed_registered_and_zero_copied_bytes_and_give_them_back() {
        for mut ring in rings(8) {
            let (mut client, server) = socket_pair();
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(b"from the file", 0).unwrap();
            ring.register_buffers(vec![Pool::new(4096, 4096).take().unwrap().unwrap()]).unwrap();
            let socket = Descriptor::from(&server);
            let mut transfer = [
                Operation::Send { socket, bytes: b"header ", linked: true },
                Operation::ReadFixed { file: (&file).into(), buffer: 0, range: 0..13, position: 0, linked: true },
                Operation::SendFixed { socket, buffer: 0, range: 0..13, linked: false },
            ];
            assert_eq!(run(&mut ring, &mut transfer), [Ok(7), Ok(13), Ok(13)]);
            let mut got = [0; 20];
            client.read_exact(&mut got).unwrap();
            assert_eq!(&got, b"header from the file");

            match ring.supports("SEND_ZC") {
                Err(error) => eprintln!("\n!!! ZERO-COPY NOT TESTED: {error}\n"),
                Ok(()) => {
                    let bytes = vec![b'z'; 3 << 20];
                    let reader = std::thread::spawn(move || {
                        let mut got = vec![0; 6 << 20];
                        client.read_exact(&mut got).unwrap();
                        (client, got)
                    });
                    let mut twice = [true, false].map(|linked| Operation::SendZc { socket, bytes: &bytes, linked });
                    assert_eq!(run(&mut ring, &mut twice), [Ok(3 << 20), Ok(3 << 20)]);
                    let (same, got) = reader.join().unwrap();
                    client = same;
                    assert!(got.iter().all(|byte| *byte == b'z'));
                }
            }

            client.write_all(b"ping").unwrap();
            let mut got = [0; 8];
            let mut recv = [Operation::Recv { socket, bytes: &mut got, linked: false }];
            assert_eq!(run(&mut ring, &mut recv), [Ok(4)]);
            assert_eq!(&got[..4], b"ping");
            drop(client);
            let mut recv = [Operation::Recv { socket, bytes: &mut got, linked: false }];
            assert_eq!(run(&mut ring, &mut recv), [Ok(0)]);
        }
    }

    #[test]
    fn two_linked_splices_move_a_file_to_a_socket() {
        for mut ring in rings(4) {
            let (mut client, server) = socket_pair();
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(b"..through the pipe", 0).unwrap();
            let (source, sink) = std::io::pipe().unwrap();
            let (length, from_position) = (16, Some(2));
            let (file, sink, source, socket) = ((&file).into(), (&sink).into(), (&source).into(), (&server).into());
            let mut through = |length| {
                let fill =
                    Operation::Splice { from: file, from_position, to: sink, to_position: None, length, linked: true };
                let drain = Operation::Splice {
                    from: source,
                    from_position: None,
                    to: socket,
                    to_position: None,
                    length,
                    linked: false,
                };
                run(&mut ring, &mut [fill, drain])
            };
            assert_eq!(through(length), [Ok(16), Ok(16)]);
            let mut got = [0; 16];
            client.read_exact(&mut got).unwrap();
            assert_eq!(&got, b"through the pipe");
            assert_eq!(through(17), [Ok(16), Err(Some(libc::ECANCELED))], "the file ends before");
        }
    }

    #[test]
    fn signals_do_not_end_the_wait_before_the_operation_has() {
        extern "C" fn nothing(_: i32) {}
        let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing.
        unsafe { sigaction(Signal::SIGUSR2, &action).unwrap() };
        let (mut client, server) = socket_pair();
        let (tell, told) = std::sync::mpsc::channel();
        let receiver = std::thread::spawn(move || {
            let mut ring = rings(1).next()?;
            let mut got = [0; 4];
            // SAFETY: it only asks who we are.
            tell.send(unsafe { libc::pthread_self() }).unwrap();
            let mut recv = [Operation::Recv { socket: (&server).into(), bytes: &mut got, linked: false }];
            let results = run(&mut ring, &mut recv);
            Some((results, got))
        });
        let Ok(thread) = told.recv() else { return };
        for _ in 0..20 {
            // SAFETY: the thread lives at least until it has received what is sent below.
            assert_eq!(unsafe { libc::pthread_kill(thread, libc::SIGUSR2) }, 0);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        client.write_all(b"late").unwrap();
        assert_eq!(receiver.join().unwrap(), Some((vec![Ok(4)], *b"late")));
    }

    #[test]
    fn what_can_not_be_had_is_refused_with_the_remedy() {
        for errno in [libc::EPERM, libc::ENOSYS, libc::ENOMEM] {
            let refused =
                where_rings_are_refused(errno, || BareRing::new(RingSetup::Default, 8).unwrap_err().to_string());
            assert!(refused.contains(&remedy(&io::Error::from_raw_os_error(errno))), "{refused}");
        }
        let Some(ring) = rings(1).next() else { return };
        ring.supports("WRITE_FIXED").unwrap();
        assert_eq!(ring.supports("TELEPORT").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
