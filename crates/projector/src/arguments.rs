//! What an operator may set, and how it becomes [`Settings`]: every mistake is named at once.

use std::{net::SocketAddr, time::Duration};

use clap::Args;
use recap_log::{DeadLetterArgs, LogArgs};
use recap_service::config::{Given, InvalidConfig, Mistakes, Reader, address, bytes, duration, number};
use recap_store::DatabaseUrl;

use crate::settings::{GroupProtocol, Settings};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const MIB: usize = 1 << 20;

/// Long enough to see a ratio, short enough to stop before many are lost sight of.
const DEAD_LETTER_WINDOW: Duration = Duration::from_mins(1);
/// Fewer are a producer's mistake and no bad deploy.
const DEAD_LETTER_MIN_COUNT: u64 = 100;

/// Everything that can be set for the projector.
#[derive(Debug, Clone, Args)]
pub struct ProjectorArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    group: GroupArgs,
    #[command(flatten)]
    batching: BatchingArgs,
    #[command(flatten)]
    memory: MemoryArgs,
    #[command(flatten)]
    dead_letters: DeadLetters,
    #[command(flatten)]
    operation: OperationArgs,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database")]
struct DatabaseArgs {
    /// PostgreSQL to write to, `postgres://user:password@host/database`; several hosts with `target_session_attrs=read-write`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL", value_parser = Reader::new(DatabaseUrl::parse))]
    database_url: Option<Given<DatabaseUrl>>,
    /// File that holds that URL, in place of it; read again when a password is refused.
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE", value_parser = Reader::new(DatabaseUrl::in_file))]
    database_url_file: Option<Given<DatabaseUrl>>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Kafka")]
struct GroupArgs {
    #[command(flatten)]
    log: LogArgs,
    /// `classic` (cooperative-sticky) or `consumer` (KIP-848, Kafka 4), where a member hears of its partitions up to the brokers'
    /// `group.consumer.heartbeat.interval.ms` late (5 s unless they set another).
    #[arg(long, env = "RECAP_GROUP_PROTOCOL", value_name = "PROTOCOL", default_value = "classic", value_parser = GroupProtocol::reader())]
    group_protocol: Given<GroupProtocol>,
    /// Static member id (KIP-345), unique in the group and the same after a restart, as the pod name of a stateful set is: a restart within the session
    /// timeout moves no partition, but those of a member that does not come back stay unread that long [default: a dynamic member].
    #[arg(long, env = "RECAP_GROUP_INSTANCE_ID", value_name = "ID")]
    group_instance_id: Option<String>,
    /// After this silence the group gives the partitions to others; with `consumer` the broker's `group.consumer.session.timeout.ms` counts, and this
    /// must not be greater.
    #[arg(long, env = "RECAP_SESSION_TIMEOUT", value_name = "DURATION", default_value = "45s", value_parser = duration().at_least(SECOND).at_most(HOUR))]
    session_timeout: Given<Duration>,
    /// How often new topics and partitions are looked for.
    #[arg(long, env = "RECAP_TOPIC_REFRESH", value_name = "DURATION", default_value = "10s", value_parser = duration().at_least(100 * MILLISECOND).at_most(HOUR))]
    topic_refresh: Given<Duration>,
    /// How often offsets of committed batches are committed to Kafka.
    #[arg(long, env = "RECAP_OFFSET_COMMIT_INTERVAL", value_name = "DURATION", default_value = "500ms", value_parser = duration().at_least(10 * MILLISECOND).at_most(HOUR))]
    offset_commit_interval: Given<Duration>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Batching")]
struct BatchingArgs {
    /// Workers that fold and write, each with one transaction at a time [default: the number of processors, at most 8].
    #[arg(long, env = "RECAP_WORKERS", value_name = "COUNT", value_parser = number::<usize>().at_least(1).at_most(64))]
    workers: Option<Given<usize>>,
    /// Without a backlog, the least time from one transaction of a worker to its next: events in between share one, and an event after a pause does not wait;
    /// at most 1s.
    #[arg(long, env = "RECAP_FLUSH_LINGER", value_name = "DURATION", default_value = "10ms", value_parser = duration().at_most(SECOND))]
    flush_linger: Given<Duration>,
    /// With a backlog, the time a batch grows before it is due; it grows on while the one before it is written.
    #[arg(long, env = "RECAP_FLUSH_MAX_AGE", value_name = "DURATION", default_value = "3s", value_parser = duration().at_most(HOUR))]
    flush_max_age: Given<Duration>,
    /// The most events in one batch.
    #[arg(long, env = "RECAP_FLUSH_MAX_EVENTS", value_name = "COUNT", default_value = "250000", value_parser = number::<usize>().at_least(1).at_most(1_000_000))]
    flush_max_events: Given<usize>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Memory")]
#[expect(clippy::struct_field_names, reason = "clap names the flags after them")]
struct MemoryArgs {
    /// What was received from Kafka and is not yet committed to the database: up to 16 MiB of records to be folded (above it partitions are paused, below
    /// half of it resumed), the rest for the batches that grow and those being written, two a worker.
    #[arg(long, env = "RECAP_INTAKE_BYTES", value_name = "BYTES", default_value = "256MiB", value_parser = bytes().at_least(MIB))]
    intake_bytes: Given<usize>,
    /// Conversation states kept for their next event.
    #[arg(long, env = "RECAP_STATE_CACHE_BYTES", value_name = "BYTES", default_value = "64MiB", value_parser = bytes())]
    state_cache_bytes: Given<usize>,
    /// Records fetched by librdkafka ahead of the projector.
    #[arg(long, env = "RECAP_KAFKA_QUEUE_BYTES", value_name = "BYTES", default_value = "16MiB", value_parser = bytes().at_least(MIB))]
    kafka_queue_bytes: Given<usize>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Dead letters")]
struct DeadLetters {
    #[command(flatten)]
    topic: DeadLetterArgs,
    /// The projector stops when more than this part of the records of a minute would be dead-lettered, and at least 100 of them; 1 never
    /// stops it.
    #[arg(long, env = "RECAP_DEAD_LETTER_MAX_RATIO", value_name = "0..1", default_value = "0.1", value_parser = number::<f64>().at_least(0.0).at_most(1.0))]
    dead_letter_max_ratio: Given<f64>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Operation")]
struct OperationArgs {
    /// Address of `/livez`, `/readyz` and `/metrics`.
    #[arg(long, env = "RECAP_ADMIN_ADDR", value_name = "ADDR", default_value = "0.0.0.0:9091", value_parser = address())]
    admin_addr: Given<SocketAddr>,
    /// How long a shutdown, or giving partitions up, waits until what was received is written; less than the session timeout.
    #[arg(long, env = "RECAP_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "20s", value_parser = duration().at_least(100 * MILLISECOND).at_most(HOUR))]
    drain_timeout: Given<Duration>,
}

impl ProjectorArgs {
    /// The settings.
    ///
    /// # Errors
    /// All mistakes, each with the name of its variable.
    pub fn settings(&self) -> Result<Settings, InvalidConfig> {
        let mut found = Mistakes::default();
        let (group, batching, memory) = (&self.group, &self.batching, &self.memory);
        let log = group.log.read(found.list());
        let protocol = found.take_or(&group.group_protocol, GroupProtocol::Classic);
        let admin_addr = found.take_or(&self.operation.admin_addr, ([0, 0, 0, 0], 0).into());
        let (url, file) = (&self.database.database_url, &self.database.database_url_file);
        let settings = Settings {
            database_url: found.one_of(
                ["DATABASE_URL", "DATABASE_URL_FILE"],
                "postgres://user@host/database",
                [url, file],
            ),
            cluster: log.cluster,
            dead_letter_topic: self.dead_letters.topic.read(&log.topics, found.list()),
            topics: log.topics,
            group: log.group,
            max_time_ahead: log.max_time_ahead,
            mappings: log.mappings,
            schema_registry: log.schema_registry,
            protocol,
            instance_id: group.instance_id(),
            session_timeout: found.take(&group.session_timeout),
            topic_refresh: found.take(&group.topic_refresh),
            commit_interval: found.take(&group.offset_commit_interval),
            workers: batching
                .workers
                .as_ref()
                .map_or_else(processors, |count| found.take(count)),
            linger: found.take(&batching.flush_linger),
            max_age: found.take(&batching.flush_max_age),
            max_events: found.take(&batching.flush_max_events),
            intake_bytes: found.take(&memory.intake_bytes),
            cache_bytes: found.take(&memory.state_cache_bytes),
            kafka_queue_bytes: found.take(&memory.kafka_queue_bytes),
            dead_letter_max_ratio: found.take(&self.dead_letters.dead_letter_max_ratio),
            dead_letter_window: DEAD_LETTER_WINDOW,
            dead_letter_min_count: DEAD_LETTER_MIN_COUNT,
            admin_addr,
            drain_timeout: found.take(&self.operation.drain_timeout),
        };
        check_combinations(&settings, &mut found);
        found.check(settings)
    }
}

impl GroupArgs {
    fn instance_id(&self) -> Option<String> {
        let id = self.group_instance_id.as_deref()?.trim();
        (!id.is_empty()).then(|| id.to_owned())
    }
}

fn check_combinations(settings: &Settings, found: &mut Mistakes) {
    // A mistaken session timeout is no time to compare with.
    if !settings.session_timeout.is_zero() && settings.drain_timeout >= settings.session_timeout {
        found.add(
            "RECAP_DRAIN_TIMEOUT must be less than RECAP_SESSION_TIMEOUT: the group would give the partitions away first",
        );
    }
    if settings.instance_id.as_ref().is_some_and(|id| id.len() > 249) {
        found.add("RECAP_GROUP_INSTANCE_ID must not be longer than 249 bytes");
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(8)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        projector: ProjectorArgs,
    }

    fn read(arguments: &[&str]) -> Result<Settings, InvalidConfig> {
        let all = ["recap-projector"].iter().chain(arguments);
        Command::try_parse_from(all).unwrap().projector.settings()
    }

    const NEEDED: [&str; 2] = [
        "--database-url=postgres://recap:hunter2@db/recap",
        "--kafka-bootstrap-servers=kafka:9092",
    ];

    #[test]
    fn the_defaults_are_valid() {
        let settings = read(&NEEDED).unwrap();
        assert_eq!(settings.topics.len(), 6);
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn every_mistake_is_named_at_once_and_no_secret_is_shown() {
        let error = read(&[
            "--database-url=mysql://recap:hunter2@db/recap",
            "--topics=a b,recap.dead-letters",
            "--drain-timeout=50s",
            "--flush-linger=3",
            "--intake-bytes=1KiB",
            "--group-protocol=both",
            "--kafka-options=group.id=x,hunter2,ssl.key.password=p",
            "--workers=0",
            "--admin-addr=here",
        ])
        .unwrap_err()
        .to_string();
        for name in [
            "DATABASE_URL",
            "KAFKA_BOOTSTRAP_SERVERS",
            "RECAP_TOPICS",
            "RECAP_DEAD_LETTER_TOPIC",
            "RECAP_DRAIN_TIMEOUT",
            "RECAP_FLUSH_LINGER",
            "RECAP_INTAKE_BYTES",
            "RECAP_GROUP_PROTOCOL",
            "RECAP_KAFKA_OPTIONS",
            "RECAP_WORKERS",
            "RECAP_ADMIN_ADDR",
        ] {
            assert!(error.contains(name), "{name} is not in: {error}");
        }
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_member_is_static_only_where_it_is_given_an_id() {
        let id = |more: &[&str]| read(&[&NEEDED[..], more].concat()).unwrap().instance_id;
        assert_eq!(id(&[]), None);
        assert_eq!(id(&["--group-instance-id= "]), None);
        assert_eq!(id(&["--group-instance-id=a"]).as_deref(), Some("a"));
    }
}
