//! Replays the log: reads every record that Kafka and an archive hold, builds a generation of the projection from them beside
//! the live one, proves it equal and switches, recomputes single rows, and writes the archive.
//!
//! It never joins the live consumer group and never produces. The live projector lives in `recap-projector`; reading Kafka
//! lives in `recap-log`; what an event does to a row lives in `recap-summary`; every statement lives in `recap-store`.
//!
//! One file an operation: [`Replay::rebuild`], [`Replay::join`], [`Replay::rollback`], [`Replay::discard`], [`Replay::finish_switch`],
//! [`Replay::recompute`] and, for the archive, [`archive::write_archive`]. Start with `rebuild`.

pub mod archive;
mod builder;
mod checkpoint;
mod coverage;
mod discard;
mod error;
mod finish_switch;
mod join;
mod lock;
mod observer;
mod rebuild;
mod recompute;
mod replay;
mod rollback;
mod scope;
mod switch;
mod verify;

pub use error::{ReplayError, Uncovered};
pub use observer::{Observer, Phase};
pub use rebuild::{Outcome, RebuildOptions, Workers};
pub use replay::Replay;
pub use scope::Scope;
pub use switch::Switched;
pub use verify::Report;
