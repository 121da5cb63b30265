//! What an operator may set, as written: every value is read and judged in [`crate::Settings`], so that all mistakes are named at once.

use clap::Args;
use recap_log::{DeadLetterArgs, LogArgs};
use secrecy::SecretString;

/// Everything the projector can be told.
#[derive(Debug, Clone, Args)]
pub struct ProjectorConfig {
    /// PostgreSQL.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Kafka and the consumer group.
    #[command(flatten)]
    pub kafka: KafkaConfig,
    /// When a batch is written.
    #[command(flatten)]
    pub batching: BatchingConfig,
    /// What may be held in memory.
    #[command(flatten)]
    pub memory: MemoryConfig,
    /// Events that cannot be folded.
    #[command(flatten)]
    pub dead_letters: DeadLetterConfig,
    /// Health, metrics and shutdown.
    #[command(flatten)]
    pub admin: AdminConfig,
}

/// PostgreSQL.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseConfig {
    /// PostgreSQL to write to, `postgres://user:password@host/database`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<SecretString>,
}

/// Kafka and the consumer group.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaConfig {
    /// The log that is projected.
    #[command(flatten)]
    pub log: LogArgs,
    /// `classic` (cooperative-sticky) or `consumer` (KIP-848, Kafka 4).
    #[arg(
        long,
        env = "RECAP_GROUP_PROTOCOL",
        value_name = "PROTOCOL",
        default_value = "classic"
    )]
    pub group_protocol: String,
    /// Static member id, unique in the group; empty for dynamic membership (default: `<hostname>:<admin port>` with `classic`, none with `consumer`,
    /// whose brokers refuse a restarted member until its session has timed out).
    #[arg(long, env = "RECAP_GROUP_INSTANCE_ID", value_name = "ID")]
    pub group_instance_id: Option<String>,
    /// After this silence the group gives the partitions to others; with `consumer` the broker's `group.consumer.session.timeout.ms` counts, and this
    /// must not be greater.
    #[arg(long, env = "RECAP_SESSION_TIMEOUT", value_name = "DURATION", default_value = "45s")]
    pub session_timeout: String,
    /// How often new topics and partitions are looked for.
    #[arg(long, env = "RECAP_TOPIC_REFRESH", value_name = "DURATION", default_value = "10s")]
    pub topic_refresh: String,
    /// How often offsets of committed batches are committed to Kafka.
    #[arg(
        long,
        env = "RECAP_OFFSET_COMMIT_INTERVAL",
        value_name = "DURATION",
        default_value = "500ms"
    )]
    pub offset_commit_interval: String,
}

/// When a batch is written.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Batching")]
pub struct BatchingConfig {
    /// Workers that fold and write, each with one transaction at a time [default: the number of processors, at most 8].
    #[arg(long, env = "RECAP_WORKERS", value_name = "COUNT")]
    pub workers: Option<String>,
    /// Without a backlog, the time an event waits for others to share its transaction; at most 1s.
    #[arg(long, env = "RECAP_FLUSH_LINGER", value_name = "DURATION", default_value = "3ms")]
    pub flush_linger: String,
    /// With a backlog, the time a batch grows before it is due; it grows on while the one before it is written.
    #[arg(long, env = "RECAP_FLUSH_MAX_AGE", value_name = "DURATION", default_value = "3s")]
    pub flush_max_age: String,
    /// The most events in one batch.
    #[arg(long, env = "RECAP_FLUSH_MAX_EVENTS", value_name = "COUNT", default_value = "250000")]
    pub flush_max_events: String,
}

/// What may be held in memory.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Memory")]
pub struct MemoryConfig {
    /// What was taken from Kafka and is not yet committed to the database: up to 16 MiB of records to be folded (above it partitions are paused, below
    /// half of it resumed), the rest for the batches that grow and those being written, two a worker.
    #[arg(long, env = "RECAP_INTAKE_BYTES", value_name = "BYTES", default_value = "256MiB")]
    pub intake_bytes: String,
    /// Conversation states kept for their next event.
    #[arg(long, env = "RECAP_STATE_CACHE_BYTES", value_name = "BYTES", default_value = "64MiB")]
    pub state_cache_bytes: String,
    /// Records fetched by librdkafka ahead of the projector.
    #[arg(long, env = "RECAP_KAFKA_QUEUE_BYTES", value_name = "BYTES", default_value = "16MiB")]
    pub kafka_queue_bytes: String,
}

/// Events that cannot be folded.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Dead letters")]
pub struct DeadLetterConfig {
    /// Their topic, created with the broker's defaults when missing.
    #[command(flatten)]
    pub topic: DeadLetterArgs,
    /// The projector stops when more than this part of the window's records would be dead-lettered; 1 never stops it.
    #[arg(
        long,
        env = "RECAP_DEAD_LETTER_MAX_RATIO",
        value_name = "0..1",
        default_value = "0.1"
    )]
    pub dead_letter_max_ratio: String,
    /// The window of that ratio.
    #[arg(
        long,
        env = "RECAP_DEAD_LETTER_WINDOW",
        value_name = "DURATION",
        default_value = "60s"
    )]
    pub dead_letter_window: String,
    /// The ratio counts from this many dead letters in the window on.
    #[arg(
        long,
        env = "RECAP_DEAD_LETTER_MIN_COUNT",
        value_name = "COUNT",
        default_value = "100"
    )]
    pub dead_letter_min_count: String,
}

/// Health, metrics and shutdown.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Operation")]
pub struct AdminConfig {
    /// Address of `/livez`, `/readyz` and `/metrics`.
    #[arg(long, env = "RECAP_ADMIN_ADDR", value_name = "ADDR", default_value = "0.0.0.0:9091")]
    pub admin_addr: String,
    /// How long a shutdown, or giving partitions up, waits for what was taken in to be written; less than the session timeout.
    #[arg(long, env = "RECAP_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "20s")]
    pub drain_timeout: String,
}
