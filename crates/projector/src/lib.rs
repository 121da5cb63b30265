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
//! Start with [`Projector::start`]; then `consumer` for how records are taken, `worker` and `pending` for how batches grow, `flush` for how
//! they end, `offsets` for when an offset moves, [`dead_letters`] for what cannot be folded, and `coverage` for partitions that nobody would read.

mod admin;
mod arguments;
mod cache;
mod chunk;
mod clients;
mod consumer;
mod coverage;
pub mod dead_letters;
mod flush;
mod health;
mod offsets;
mod pending;
mod projector;
mod rebalance;
mod reread;
mod router;
mod settings;
mod settle;
mod source;
mod worker;

pub use arguments::ProjectorArgs;
pub use consumer::ConsumerError;
pub use flush::FlushFailure;
pub use health::Health;
pub use projector::{Projector, ProjectorError, RunningProjector};
use recap_service::{backoff, clock};
pub use reread::Gone;
pub use settings::{GroupProtocol, Settings};
pub use worker::WorkerError;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use clap::Parser;

    use crate::{ProjectorArgs, Settings};

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        projector: ProjectorArgs,
    }

    /// Valid settings with these arguments.
    pub(crate) fn settings(arguments: &[&str]) -> Settings {
        let needed = [
            "recap-projector",
            "--database-url=postgres://localhost/recap",
            "--kafka-bootstrap-servers=localhost:1",
        ];
        let command = Command::try_parse_from(needed.iter().chain(arguments)).unwrap();
        command.projector.settings().unwrap()
    }
}
