//! The projector as a process against Apache Kafka and PostgreSQL.

#[path = "projector/backpressure.rs"]
mod backpressure;
#[path = "projector/dead_letters.rs"]
mod dead_letters;
#[path = "projector/forgetful_database.rs"]
mod forgetful_database;
#[path = "projector/hostile.rs"]
mod hostile;
#[path = "projector/hostile_events.rs"]
mod hostile_events;
#[path = "projector/lost_records.rs"]
mod lost_records;
#[path = "projector/mappings.rs"]
mod mappings;
#[path = "projector/recovery.rs"]
mod recovery;
#[path = "projector/replacement.rs"]
mod replacement;
#[path = "projector/shutdown.rs"]
mod shutdown;

const PROJECTOR: &str = env!("CARGO_BIN_EXE_recap-projector");
