//! Replays the log: reads every record that Kafka and an archive hold, builds a generation of the
//! projection from them beside the live one, proves it equal and switches, and writes the archive.
//!
//! It never joins the live consumer group and never produces. The live projector lives in
//! `recap-projector`; reading Kafka lives in `recap-log`; what an event does to a row lives in `recap-summary`;
//! every statement lives in `recap-store`. Start with [`rebuild`], then [`verify`] and [`archive`].

pub mod archive;
mod fold;
pub mod rebuild;
pub mod scoped;
mod seen;
pub mod verify;
