//! What can go wrong with a server that is started here.

use std::{io, path::Path, process::ExitStatus, time::Duration};

/// Why a server could not be started, reached or used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A program that this needs is not installed.
    #[error("{what} was not found: {install}")]
    Missing {
        /// The program.
        what: &'static str,
        /// How to get it.
        install: &'static str,
    },
    /// The operating system refused something.
    #[error("{doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// The cause.
        source: io::Error,
    },
    /// A program ended that should have gone on, or failed.
    #[error("{program} ended ({status}); its last lines:\n{log}")]
    Exited {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed.
        log: String,
    },
    /// A server runs but did not become usable in time.
    #[error("{server} was not ready after {} s; its last lines:\n{log}", after.as_secs())]
    NotReady {
        /// The server.
        server: &'static str,
        /// How long it was waited for.
        after: Duration,
        /// The end of what it printed.
        log: String,
    },
    /// The server is not running: it was stopped and not started again.
    #[error("{server} is not running")]
    Stopped {
        /// The server.
        server: &'static str,
    },
    /// The server was not started here, and is not to be stopped here either.
    #[error("{server} was given: only one that is started here can be stopped or signalled")]
    Given {
        /// The server.
        server: &'static str,
    },
    /// A request to Kafka failed.
    #[error("{doing}: {source}")]
    Kafka {
        /// What was asked.
        doing: String,
        /// The cause.
        source: rdkafka::error::KafkaError,
    },
    /// Kafka's records or offsets could not be read.
    #[error("{doing}: {source}")]
    Log {
        /// What was asked.
        doing: String,
        /// The cause.
        source: recap_log::LogError,
    },
    /// A statement failed in PostgreSQL.
    #[error("{doing}: {source}")]
    Postgres {
        /// What was asked.
        doing: String,
        /// The cause.
        source: sqlx::Error,
    },
}

impl ServerError {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    pub(crate) fn kafka(doing: impl Into<String>) -> impl FnOnce(rdkafka::error::KafkaError) -> Self {
        let doing = doing.into();
        move |source| Self::Kafka { doing, source }
    }

    pub(crate) fn log(doing: impl Into<String>) -> impl FnOnce(recap_log::LogError) -> Self {
        let doing = doing.into();
        move |source| Self::Log { doing, source }
    }

    pub(crate) fn postgres(doing: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Postgres { doing, source }
    }
}

/// The last lines of a log, for an error that has to explain itself.
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 20;
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
