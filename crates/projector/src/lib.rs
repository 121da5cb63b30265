//! Kafka in, PostgreSQL out: consumes events, folds them into conversation states, writes the rows, and only then moves the offsets.
//!
//! It decides nothing about what an event means (`recap-events`, `recap-summary`) and holds no SQL (`recap-store`); what it adds is that nothing is
//! lost, nothing grows without bound, and nothing waits longer than it must.
//!
//! ```text
//! consumer thread ──chunks──► workers: decode, fold ──► flush: dead letters acknowledged, one transaction
//!        ▲                                                │
//!        └───────── finished chunks: offsets move ────────┘
//! ```
//!
//! Start with [`Projector::start`]; then `consumer` for how records are received and `books` for when an offset moves, `intake` for how records get to
//! the workers, `worker` for how batches grow and end, and [`dead_letters`] for what cannot be folded.

mod admin;
mod arguments;
mod books;
mod clients;
mod consumer;
pub mod dead_letters;
mod health;
mod intake;
mod interrupted_switch;
mod progress;
mod projector;
mod quiet;
mod remembered_mappings;
mod settings;
mod worker;

pub use arguments::ProjectorArgs;
pub use consumer::ConsumerError;
pub use health::Health;
pub use projector::{Projector, ProjectorError, RunningProjector};
pub use settings::{GroupProtocol, Settings};
pub use worker::{FlushFailure, Gone, WorkerError};

#[cfg(test)]
mod tests;
