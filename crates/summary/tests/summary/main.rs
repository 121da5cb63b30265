//! What the state of a conversation promises: the laws, the contract, the bytes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod codec;
mod contract;
mod erasure;
mod format;
mod laws;
mod model;
mod size;
mod streams;
mod table;
