//! The Kafka wire codec: sans-IO, bounded, borrowing.
//!
//! Each API is declared once, in a module of its name (`schema.rs` shows the form): its key, its versions, and the
//! fields of its request and response. Both directions come from that one table. What is decoded borrows from the bytes
//! it came in, and takes memory in proportion to them only; what is encoded may leave gaps for record bytes that lie
//! elsewhere.
//!
//! ```
//! use ringlog_protocol::{Message, Reader, Writer, metadata::MetadataRequest};
//!
//! let all_topics = MetadataRequest { topics: None, ..Default::default() };
//! let mut w = Writer::new();
//! all_topics.encode(&mut w, 12)?;
//!
//! let bytes = w.into_bytes();
//! assert_eq!(MetadataRequest::decode(&mut Reader::new(&bytes), 12)?, all_topics);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod api;
mod api_key;
pub mod consumer_protocol;
#[cfg(test)]
mod dice;
mod error;
mod error_code;
mod header;
pub mod offsets_topic;
#[cfg(test)]
mod oracle;
mod reader;
mod schema;
mod uuid;
mod wire;
mod writer;

pub use api::*;
pub use api_key::ApiKey;
pub use error::{DecodeError, EncodeError};
pub use error_code::ErrorCode;
pub use header::{
    RequestHeader, ResponseHeader, encode_request, encode_request_pieces, encode_response, encode_response_pieces,
};
pub use reader::Reader;
pub use schema::{Message, Request, Stored, Version};
pub use uuid::{ParseUuidError, Uuid};
pub use wire::{Blob, Records, Secret, Str, Wire};
pub use writer::{Piece, Writer};
