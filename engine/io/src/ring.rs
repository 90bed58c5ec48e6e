//! The io_uring backend: one ring per thread, its completions drained by a task of the thread's runtime.
//!
//! A buffer belongs to its slot in the slab from before the submission until the kernel's own completion of that operation,
//! whatever becomes of the future. The operations in flight never exceed the completion queue, so it can't overflow.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Poll, Waker};

use bytes::BytesMut;
use io_uring::types::{Fd, FsyncFlags};
use io_uring::{IoUring, Probe, opcode, squeue};
use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

use crate::disk::Allocation;
use crate::file::File;
use crate::gather::Gather;
use crate::residency::read_nowait;
use crate::slab::{OperationId, Slab};
use crate::syscall;

/// How much of the kernel one thread's ring may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingLimits {
    /// Operations in flight, 1 to 4,096, rounded up to a power of two: more wait their turn. It is the completion queue's size.
    pub operations: u32,
    /// The kernel's worker threads for what can't be done without blocking: buffered writes and syncs. ext4 and xfs serialise
    /// the writes of one file, so more than a few gain nothing.
    pub workers: u32,
    /// A write of up to so many bytes is done in the calling thread, if the filesystem would make the ring punt it.
    pub inline_write_bytes: usize,
}

impl Default for RingLimits {
    fn default() -> RingLimits {
        RingLimits { operations: 256, workers: 4, inline_write_bytes: INLINE_WRITE_BYTES }
    }
}

/// Up to here a write that the ring would punt to a kernel worker is done in the calling thread: on ext4, which punts every
/// buffered write, 16 KiB took 4.7 µs so against 51 µs by the ring, 64 KiB 12 against 70, 256 KiB 39 against 94. Longer ones
/// would hold up the thread's other work for longer than one slice to a socket does ([`crate::transfer::SLICE_BYTES`]).
pub const INLINE_WRITE_BYTES: usize = 256 * 1024;

/// The opcodes that this backend needs; the probe asks for each.
pub(crate) const OPCODES: [(&str, u8); 4] = [
    ("WRITEV", opcode::Writev::CODE),
    ("READ", opcode::Read::CODE),
    ("FSYNC", opcode::Fsync::CODE),
    ("FALLOCATE", opcode::Fallocate::CODE),
];

pub(crate) struct Ring {
    queues: RefCell<Queues>,
    permits: Arc<Semaphore>,
    /// In [`RINGS`].
    key: RawFd,
    driver: AbortHandle,
    inline_write_bytes: usize,
}

struct Queues {
    uring: IoUring,
    slab: Slab<Slot>,
    /// Slots whose payload the kernel holds; the others wait for their futures.
    in_flight: usize,
}

/// An operation from its submission until its completion has been taken.
struct Slot {
    payload: Payload,
    _file: Arc<File>,
    progress: Progress,
}

enum Progress {
    /// The kernel may still read or write the payload; the permit is one place in the completion queue.
    InFlight { waiter: Waiter, _permit: OwnedSemaphorePermit },
    /// The kernel is done with it: bytes, or a negative error number.
    Done(i32),
}

enum Waiter {
    NotYetPolled,
    Polled(Waker),
    /// The future is gone: the slot is freed by the completion.
    Abandoned,
}

/// What the kernel holds pointers into while the operation is in flight.
enum Payload {
    Write { gather: Gather, vectors: Vec<libc::iovec> },
    Read { buffer: BytesMut, filled: usize },
    Nothing,
}

impl Ring {
    /// Sets up the calling thread's ring; must be called in a current-thread tokio runtime, which then serves all operations.
    pub(crate) fn new(limits: RingLimits) -> io::Result<Rc<Ring>> {
        let runtime = Handle::try_current()
            .ok()
            .filter(|handle| handle.runtime_flavor() == RuntimeFlavor::CurrentThread)
            .ok_or_else(|| {
                io::Error::other("a ring is opened within the current-thread tokio runtime of its thread")
            })?;
        let uring = set_up(limits)?;
        let bell = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        let key = bell.as_fd().as_raw_fd();
        uring.submitter().register_eventfd(key)?;
        // SAFETY: the AsyncFd owns the descriptor, which stays open and the same until the AsyncFd is gone.
        let bell = unsafe { AsyncFd::register_with_interest(OwnedFd::from(bell), Interest::READABLE)? };
        let driver = runtime.spawn(drive(bell)).abort_handle();
        let permits = Arc::new(Semaphore::new(uring.params().cq_entries() as usize));
        let queues = RefCell::new(Queues { uring, slab: Slab::new(), in_flight: 0 });
        let ring = Rc::new(Ring { queues, permits, key, driver, inline_write_bytes: limits.inline_write_bytes });
        RINGS.with_borrow_mut(|rings| rings.insert(key, Rc::downgrade(&ring)));
        Ok(ring)
    }

    pub(crate) async fn write(&self, file: &Arc<File>, gather: Gather, position: u64) -> (io::Result<usize>, Gather) {
        if let Some(result) = write_inline(file, &gather, position, self.inline_write_bytes) {
            return (result, gather);
        }
        let vectors = gather
            .vectors()
            .iter()
            .map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() })
            .collect();
        let (result, payload) = self
            .run(file, Payload::Write { gather, vectors }, |payload| {
                let Payload::Write { vectors, .. } = payload else { return opcode::Nop::new().build() };
                opcode::Writev::new(Fd(file.raw()), vectors.as_ptr(), vectors.len() as u32).offset(position).build()
            })
            .await;
        let Payload::Write { gather, .. } = payload else { return (result, Gather::new(Vec::new())) };
        (result, gather)
    }

    pub(crate) async fn read(
        &self,
        file: &Arc<File>,
        mut buffer: BytesMut,
        filled: usize,
        position: u64,
    ) -> (io::Result<usize>, BytesMut) {
        // The ring would copy what is in the page cache within the submission, too, but ring the bell for it.
        if let Ok(read) = read_nowait(file, buffer.get_mut(filled..).unwrap_or_default(), position) {
            return (Ok(read), buffer);
        }
        let (result, payload) = self
            .run(file, Payload::Read { buffer, filled }, |payload| {
                let Payload::Read { buffer, filled } = payload else { return opcode::Nop::new().build() };
                let rest = buffer.get_mut(*filled..).unwrap_or_default();
                let length = rest.len().min(1 << 30) as u32;
                opcode::Read::new(Fd(file.raw()), rest.as_mut_ptr(), length).offset(position).build()
            })
            .await;
        let Payload::Read { buffer, .. } = payload else { return (result, BytesMut::new()) };
        (result, buffer)
    }

    pub(crate) async fn sync_data(&self, file: &Arc<File>) -> io::Result<()> {
        let entry = opcode::Fsync::new(Fd(file.raw())).flags(FsyncFlags::DATASYNC).build();
        self.run(file, Payload::Nothing, |_| entry).await.0.map(drop)
    }

    pub(crate) async fn allocate(
        &self,
        file: &Arc<File>,
        position: u64,
        length: u64,
        how: Allocation,
    ) -> io::Result<()> {
        let mode = if how == Allocation::KeepSize { libc::FALLOC_FL_KEEP_SIZE } else { 0 };
        let entry = opcode::Fallocate::new(Fd(file.raw()), length).offset(position).mode(mode).build();
        self.run(file, Payload::Nothing, |_| entry).await.0.map(drop)
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.queues.borrow().in_flight
    }

    /// One operation: waits for a place in the completion queue, submits, waits for the completion.
    async fn run(
        &self,
        file: &Arc<File>,
        payload: Payload,
        entry: impl FnOnce(&mut Payload) -> squeue::Entry,
    ) -> (io::Result<usize>, Payload) {
        let permit = match self.permits.clone().acquire_owned().await {
            Ok(permit) => permit,
            Err(closed) => return (Err(io::Error::other(closed)), payload),
        };
        let operation = self.submit(file.clone(), payload, permit, entry);
        let (result, payload) = poll_fn(|context| operation.poll(context.waker())).await;
        match usize::try_from(result) {
            Ok(count) => (Ok(count), payload),
            Err(_) => (Err(io::Error::from_raw_os_error(result.wrapping_neg())), payload),
        }
    }

    fn submit(
        &self,
        file: Arc<File>,
        payload: Payload,
        permit: OwnedSemaphorePermit,
        entry: impl FnOnce(&mut Payload) -> squeue::Entry,
    ) -> Operation<'_> {
        let progress = Progress::InFlight { waiter: Waiter::NotYetPolled, _permit: permit };
        let mut queues = self.queues.borrow_mut();
        let id = queues.slab.insert(Slot { payload, _file: file, progress });
        let operation = Operation { ring: self, id };
        let Some(slot) = queues.slab.get_mut(id) else { bug(id, "was not kept") };
        let entry = entry(&mut slot.payload).user_data(id.0);
        loop {
            // SAFETY: the descriptor and everything that the entry points to is owned by the slot, at addresses that do not
            // change when the slab grows (heap buffers), until `complete` has seen this operation's completion.
            if unsafe { queues.uring.submission().push(&entry) }.is_ok() {
                break;
            }
            enter(&queues.uring, 0);
        }
        queues.in_flight += 1;
        drop(queues);
        self.turn();
        operation
    }

    /// Submits what is queued, runs the kernel's deferred completions and hands out every completion there is.
    fn turn(&self) {
        loop {
            let mut queues = self.queues.borrow_mut();
            let submission = queues.uring.submission();
            let due = !submission.is_empty() || submission.taskrun() || submission.cq_overflow();
            drop(submission);
            if due {
                enter(&queues.uring, 0);
            }
            let completion = queues.uring.completion().next();
            drop(queues);
            match completion {
                Some(entry) => self.complete(OperationId(entry.user_data()), entry.result()),
                None if due => {}
                None => return,
            }
        }
    }

    fn complete(&self, id: OperationId, result: i32) {
        let mut queues = self.queues.borrow_mut();
        let Queues { slab, in_flight, .. } = &mut *queues;
        let Some(slot) = slab.get_mut(id) else { bug(id, "completed, but nobody owns it") };
        *in_flight = in_flight.saturating_sub(1);
        match std::mem::replace(&mut slot.progress, Progress::Done(result)) {
            Progress::InFlight { waiter: Waiter::Polled(waker), .. } => {
                drop(queues);
                waker.wake();
            }
            Progress::InFlight { waiter: Waiter::NotYetPolled, .. } => {}
            Progress::InFlight { waiter: Waiter::Abandoned, .. } => {
                let abandoned = queues.slab.remove(id);
                drop(queues);
                drop(abandoned);
            }
            Progress::Done(_) => bug(id, "completed twice"),
        }
    }
}

impl Drop for Ring {
    /// Waits until the kernel has let go of every buffer: operations on files always end.
    fn drop(&mut self) {
        self.driver.abort();
        RINGS.try_with(|rings| rings.borrow_mut().remove(&self.key)).ok();
        loop {
            self.turn();
            let queues = self.queues.borrow();
            if queues.in_flight == 0 {
                return;
            }
            enter(&queues.uring, 1);
        }
    }
}

/// The waiting side of one submitted operation.
struct Operation<'a> {
    ring: &'a Ring,
    id: OperationId,
}

impl Operation<'_> {
    fn poll(&self, waker: &Waker) -> Poll<(i32, Payload)> {
        let mut queues = self.ring.queues.borrow_mut();
        let Some(slot) = queues.slab.get_mut(self.id) else { bug(self.id, "was polled after its end") };
        match &mut slot.progress {
            Progress::InFlight { waiter, .. } => {
                let before = std::mem::replace(waiter, Waiter::Polled(waker.clone()));
                // A waker may hold the last reference to a task, and that task an operation.
                drop(queues);
                drop(before);
                Poll::Pending
            }
            Progress::Done(result) => {
                let result = *result;
                Poll::Ready((result, std::mem::replace(&mut slot.payload, Payload::Nothing)))
            }
        }
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        let mut queues = self.ring.queues.borrow_mut();
        let Some(slot) = queues.slab.get_mut(self.id) else { return };
        match &mut slot.progress {
            Progress::InFlight { waiter, .. } => {
                let before = std::mem::replace(waiter, Waiter::Abandoned);
                drop(queues);
                drop(before);
            }
            Progress::Done(_) => {
                let done = queues.slab.remove(self.id);
                drop(queues);
                drop(done);
            }
        }
    }
}

thread_local! {
    /// This thread's rings by the descriptor of their bell. The driver is a task of a current-thread runtime and so runs here,
    /// but a task has to be `Send`, which a ring is not.
    static RINGS: RefCell<HashMap<RawFd, Weak<Ring>>> = RefCell::default();
}

/// Drains the ring whenever its bell rings: the kernel adds to this eventfd when it has completions to post, also when they are
/// deferred until we enter. (The ring's own descriptor polls readable then too, but on Linux 6.18 an epoll that already waits
/// is not woken: lost for good.) Every ring is a new edge, so the counter is never read.
async fn drive(bell: AsyncFd<OwnedFd>) {
    let key = bell.as_raw_fd();
    while let Ok(mut ready) = bell.readable().await {
        ready.clear_ready();
        let Some(ring) = RINGS.with_borrow(|rings| rings.get(&key).and_then(Weak::upgrade)) else { return };
        ring.turn();
    }
}

/// A small write in the calling thread, if the filesystem would make the ring's worker do it. The first write of a file finds
/// that out; it may well be done by that.
fn write_inline(file: &File, gather: &Gather, position: u64, most_bytes: usize) -> Option<io::Result<usize>> {
    if gather.bytes() > most_bytes {
        return None;
    }
    let Some(punts) = file.punts_writes.get() else {
        let tried = syscall::write_nowait(file, gather, position);
        let unsupported = matches!(&tried, Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP));
        let punts = *file.punts_writes.get_or_init(|| unsupported);
        return match tried {
            Ok(written) => Some(Ok(written)),
            Err(_) => punts.then(|| syscall::write(file, gather, position)),
        };
    };
    punts.then(|| syscall::write(file, gather, position))
}

/// A ring with the best set-up that the kernel knows: completions are run when we ask (Linux 6.1), or at least without
/// interrupting us (5.19), or as they come.
pub(crate) fn set_up(limits: RingLimits) -> io::Result<IoUring> {
    let operations = limits.operations.clamp(1, 4096);
    let submissions = operations.min(64);
    let mut builder = IoUring::builder();
    builder.setup_cqsize(operations).dontfork();
    let deferred = builder.clone().setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag().build(submissions);
    let uring = deferred
        .or_else(|error| {
            if_invalid(error, || builder.clone().setup_coop_taskrun().setup_taskrun_flag().build(submissions))
        })
        .or_else(|error| if_invalid(error, || builder.build(submissions)))?;
    if let Err(error) = uring.submitter().register_iowq_max_workers(&mut [limits.workers.max(1), 1]) {
        tracing::debug!(%error, "the ring's workers are not capped (Linux 5.15 can)");
    }
    Ok(uring)
}

/// The opcodes of [`OPCODES`] that the kernel lacks.
pub(crate) fn missing_opcodes(uring: &IoUring) -> io::Result<Vec<&'static str>> {
    let mut probe = Probe::new();
    uring.submitter().register_probe(&mut probe)?;
    Ok(OPCODES.iter().filter(|(_, code)| !probe.is_supported(*code)).map(|(name, _)| *name).collect())
}

fn if_invalid(error: io::Error, next: impl FnOnce() -> io::Result<IoUring>) -> io::Result<IoUring> {
    if error.raw_os_error() == Some(libc::EINVAL) { next() } else { Err(error) }
}

/// io_uring_enter, waiting for `completions`. What can be waited out is: EBUSY and EAGAIN mean "drain first" or "no memory this
/// moment". Anything else means that the ring is unusable while the kernel may still hold our buffers.
pub(crate) fn enter(uring: &IoUring, completions: usize) {
    match uring.submitter().submit_and_wait(completions) {
        Ok(_) => {}
        Err(error) => match error.raw_os_error() {
            Some(libc::EINTR | libc::EBUSY) => {}
            Some(libc::EAGAIN) => std::thread::yield_now(),
            _ => {
                tracing::error!(%error, "io_uring_enter failed: the ring can't be used");
                std::process::abort();
            }
        },
    }
}

/// Bookkeeping and kernel disagree: going on could hand a buffer out while it is being written.
pub(crate) fn bug(id: OperationId, what: &str) -> ! {
    tracing::error!(operation = format_args!("{:#x}", id.0), "bug: ring operation {what}");
    eprintln!("ringlog: bug: ring operation {:#x} {what}", id.0);
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_completion_without_an_owner_aborts_with_the_id_of_the_operation() {
        const CHILD: &str = "RINGLOG_TEST_STRAY_COMPLETION";
        if std::env::var_os(CHILD).is_none() {
            let itself = std::env::current_exe().unwrap();
            let name = "ring::tests::a_completion_without_an_owner_aborts_with_the_id_of_the_operation";
            let child = Command::new(itself).args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
            let said = String::from_utf8_lossy(&child.stderr);
            if said.contains("NOT TESTED") {
                eprintln!("{said}");
                return;
            }
            assert_eq!(child.status.signal(), Some(libc::SIGABRT), "{said}");
            assert!(said.contains("operation 0xabc0000007"), "{said}");
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let ring = match Ring::new(RingLimits::default()) {
            Ok(ring) => ring,
            Err(error) => return eprintln!("\n!!! NOT TESTED ON IO_URING: {error}\n"),
        };
        let stray = opcode::Nop::new().build().user_data(0xab_c000_0007);
        // SAFETY: a NOP has no buffers.
        unsafe { ring.queues.borrow_mut().uring.submission().push(&stray).unwrap() };
        ring.turn();
        unreachable!("the stray completion was taken");
    }
}
