//! The only crate with unsafe: disk operations on two backends, buffers, transfer to sockets, probes.
#![deny(unsafe_op_in_unsafe_fn)]

pub mod cpu;
mod dir_lock;
mod disk;
mod file;
mod gather;
mod host_epoch;
pub mod limits;
mod map;
mod probe;
pub mod residency;
mod sync_thread;
mod syscall;
pub mod transfer;

pub use dir_lock::DirLock;
pub use disk::{Allocation, Backend, Disk};
pub use file::{File, Mode};
pub use host_epoch::HostEpoch;
pub use map::Map;
pub use probe::{Choice, Wanted, probe};
