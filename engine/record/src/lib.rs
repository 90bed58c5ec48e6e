//! Record batches: what a producer sends, a segment stores and a consumer reads, byte for byte the same.
//!
//! A batch (format v2, [KIP-98](https://cwiki.apache.org/confluence/display/KAFKA/KIP-98)) is a 61-byte header and its
//! records, compressed together or not at all. `engine/FORMAT.md` draws every byte. Here is everything that can be done to
//! one without a file or a socket:
//!
//! | to | use |
//! |---|---|
//! | read a batch, or all batches of a segment slice | [`Batch`], [`batches`], [`Records`] |
//! | check what a client sent | [`validate::producer_batch`] |
//! | give it its offset, leader epoch, append time | [`patch`] |
//! | make one | [`BatchBuilder`], [`control::marker`] |
//! | make one from another | [`recompress`], [`retain`] |
//! | compress, decompress | [`Compression`], [`compress`], [`decompress`], [`Decompressor`] |
//!
//! Integers are big-endian; timestamps are milliseconds since the epoch; offsets and sizes are counted in records and bytes.
//! No input makes this crate panic, and decompression stops at the caller's cap, whatever the compression ratio.
#![forbid(unsafe_code)]

mod batch;
mod builder;
mod checksum;
mod compression;
pub mod control;
mod error;
mod header;
pub mod patch;
mod record;
mod rewrite;
pub mod validate;
mod varint;

pub use batch::{Batch, Batches, Found, batches};
pub use builder::BatchBuilder;
pub use checksum::crc32c;
pub use compression::{Compression, Decompressor, UnknownCompressionName, compress, decompress};
pub use error::RecordError;
pub use header::{
    Attributes, BatchHeader, HEADER_BYTES, LENGTH_PREFIX_BYTES, NO_PRODUCER, NO_TIMESTAMP, TimestampType,
};
pub use record::{Headers, Record, RecordHeader, RecordIter, Records};
pub use rewrite::{recompress, retain};
