//! The only crate with unsafe: disk operations on two backends, buffers, transfer to sockets, probes.
#![deny(unsafe_op_in_unsafe_fn)]

pub mod cpu;
mod dir_lock;
mod disk;
mod fault;
mod file;
mod gather;
mod host_epoch;
pub mod limits;
mod map;
mod pool;
mod probe;
pub mod residency;
mod ring;
mod shadow;
mod slab;
mod sync_thread;
mod syscall;
pub mod transfer;

pub use dir_lock::DirLock;
pub use disk::{Allocation, Backend, Disk};
pub use fault::{Fault, Faults, OperationKind};
pub use file::{File, Mode};
pub use host_epoch::HostEpoch;
pub use map::Map;
pub use pool::{ALIGNMENT_BYTES, Buffer, Pool};
pub use probe::{Choice, Wanted, probe};
pub use ring::RingLimits;
pub use shadow::Unsynced;
