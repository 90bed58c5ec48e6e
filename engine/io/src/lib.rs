//! The only crate with unsafe: disk operations on two backends, buffers, transfer to sockets, probes.
//!
//! | module | holds |
//! |---|---|
//! | `disk` | [`Disk`]: the closed set of operations, the same on every backend |
//! | `file`, `map` | [`File`]: a descriptor and its path; [`Map`]: a closed file in memory; [`MapMut`]: a range to write into |
//! | `syscall`, `sync_thread` | the backend of plain system calls; fdatasync on threads of the device |
//! | `ring`, `slab` | the io_uring backend: one ring per thread, a slot per operation |
//! | `bare_ring`, `operation` | [`BareRing`]: a blocking ring without a runtime; what it can be asked to do |
//! | `socket_ring`, `provided_buffers` | [`SocketRing`]: many sockets on one thread's ring; buffers that receives choose from |
//! | `fault`, `shadow` | the faulty twin: injected faults; what a power cut leaves |
//! | `gather`, `pool` | a vectored write on its way; page-aligned buffers under a byte bound |
//! | `probe` | which backend this machine and directory can have, and what to change if not the ring |
//! | `write_back` | dirty pages to the device before the kernel has to |
//! | [`transfer`], [`residency`] | file ranges to sockets; whether they are in the page cache |
//! | [`cpu`], [`limits`], `host_epoch`, `place`, `dir_lock` | the process and its machine |
//!
//! # Invariants
//!
//! - No other crate changes a broker's data file, and here it is done by [`Disk`] alone: what recovery must survive, the twin can
//!   inject. [`MapMut`] and [`start_write_back`] are for measuring other ways.
//! - A buffer belongs to its operation until the kernel has completed it, even when the future is dropped. A ring lives until its
//!   last operation has ended.
//! - Operations in flight ≤ completion queue, so no completion is ever lost; more wait in the order of their calls.
//! - A completion without an owner, or a second one, aborts the process with the operation's id: the alternative is to hand out a
//!   buffer that is being written.
//! - A dropped future means "may or may not have happened". So does an error of a write, for any prefix of it.
//! - "Written" is in the page cache; only [`Disk::sync_data`] (bytes) and [`Disk::sync_dir`] (names) make durable. A failed sync is
//!   reported once and never retried.
//! - [`Disk::sync_data`] never blocks its thread. Reads and writes of [`Backend::Syscall`] run in the calling thread, and so do
//!   warm reads and small writes of [`Backend::Uring`] (see [`INLINE_WRITE_BYTES`]); the immediate operations always do.
//! - A ring stays on its thread, and a [`Disk`] also in the current-thread runtime that it was opened on.
#![deny(unsafe_op_in_unsafe_fn)]

mod bare_ring;
pub mod cpu;
mod dir_lock;
mod disk;
mod fault;
mod file;
mod gather;
mod host_epoch;
pub mod limits;
mod map;
mod operation;
mod place;
mod pool;
mod probe;
mod provided_buffers;
pub mod residency;
mod ring;
mod shadow;
mod slab;
mod socket_ring;
mod sync_stats;
mod sync_thread;
mod syscall;
pub mod transfer;
mod write_back;

pub use bare_ring::{BareRing, RingRefused, RingSetup, with_remedy};
pub use dir_lock::DirLock;
pub use disk::{Allocation, Backend, Disk};
pub use fault::{Fault, Faults, OperationKind};
pub use file::{File, Mode};
pub use host_epoch::HostEpoch;
pub use map::{Map, MapMut};
pub use operation::{Descriptor, Operation};
pub use place::Place;
pub use pool::{ALIGNMENT_BYTES, Buffer, Pool};
pub use probe::{Choice, Wanted, probe};
pub use ring::{INLINE_WRITE_BYTES, RingLimits};
pub use shadow::Unsynced;
pub use socket_ring::{ConnectionId, Connections, Event, ReceiveMode, SocketRing};
pub use sync_stats::SyncStats;
pub use write_back::{finish_write_back, start_write_back};
