//! Consumer groups as a state machine: events in, actions out, no clock and no socket.
#![forbid(unsafe_code)]
