//! The cluster image: brokers, topics, configurations; kept in a local metadata log.
#![forbid(unsafe_code)]
