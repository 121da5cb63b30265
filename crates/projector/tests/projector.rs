//! The projector as a process against Apache Kafka and PostgreSQL.

#[path = "projector/backpressure.rs"]
mod backpressure;
#[path = "projector/dead_letters.rs"]
mod dead_letters;
#[path = "projector/hostile.rs"]
mod hostile;
#[path = "projector/hostile_events.rs"]
mod hostile_events;
#[path = "projector/recovery.rs"]
mod recovery;
#[path = "projector/replacement.rs"]
mod replacement;
#[path = "projector/shutdown.rs"]
mod shutdown;

const PROJECTOR: &str = env!("CARGO_BIN_EXE_recap-projector");
