//! The projector as a process against Apache Kafka and PostgreSQL.

mod support;

#[path = "projector/backpressure.rs"]
mod backpressure;

#[path = "projector/recovery.rs"]
mod recovery;

#[path = "projector/dead_letters.rs"]
mod dead_letters;

#[path = "projector/hostile.rs"]
mod hostile;

#[path = "projector/shutdown.rs"]
mod shutdown;
