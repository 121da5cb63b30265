//! The shell of a long-running program: how it is configured, started, observed and stopped.
//!
//! What is the same for `recap-projector` and `recap-query` is here once: typed values of the configuration, signals, tasks that must not
//! end, probes, exit codes, back-off, open files, and the only places where the clock and randomness are read. It knows nothing of Kafka,
//! of conversations or of the dashboards.
//!
//! Start with [`config`] for how a value is declared and how every mistake is named at once, then [`stop`] and [`tasks`] for how a
//! program ends, and [`exit`] for what it says then.

pub mod backoff;
pub mod clock;
pub mod config;
pub mod descriptors;
pub mod exit;
pub mod one_line;
pub mod probes;
pub mod random;
pub mod secret;
pub mod stop;
pub mod tasks;
