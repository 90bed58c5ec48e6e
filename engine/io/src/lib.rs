//! The only crate with unsafe: disk operations on two backends, buffers, transfer to sockets, probes.
