//! The configuration, read and judged: what the rest of the projector works with.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use recap_log::{Cluster, Log};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    ProjectorConfig,
    quantity::{parse_bytes, parse_duration},
};

/// Folding is faster than fetching: more would only be memory that new pages are cleared for.
const UNFOLDED_MAX: usize = 16 << 20;

/// How the consumer group shares its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupProtocol {
    /// Kafka's first protocol, with cooperative-sticky assignment.
    Classic,
    /// KIP-848: the broker assigns.
    Consumer,
}

/// The projector's settings, all of them valid. Made by [`ProjectorConfig::settings`].
#[derive(Clone)]
pub struct Settings {
    /// PostgreSQL.
    pub database_url: SecretString,
    /// Kafka.
    pub cluster: Cluster,
    /// Topics to read, without repetition.
    pub topics: Arc<[Arc<str>]>,
    /// Consumer group.
    pub group: Arc<str>,
    /// Its protocol.
    pub protocol: GroupProtocol,
    /// Static member id.
    pub instance_id: Option<String>,
    /// The group's patience with a silent member.
    pub session_timeout: Duration,
    /// Between two looks for new topics and partitions.
    pub topic_refresh: Duration,
    /// Between two offset commits.
    pub commit_interval: Duration,
    /// Number of workers.
    pub workers: usize,
    /// Wait for company without a backlog.
    pub linger: Duration,
    /// Growth of a batch with a backlog.
    pub max_age: Duration,
    /// Most events in a batch.
    pub max_events: usize,
    /// Bound of records taken and not committed.
    pub intake_bytes: usize,
    /// Bound of clean states.
    pub cache_bytes: usize,
    /// Bound of librdkafka's queue.
    pub kafka_queue_bytes: usize,
    /// Topic of the dead letters.
    pub dead_letter_topic: String,
    /// The part of the records that may be dead-lettered.
    pub dead_letter_max_ratio: f64,
    /// Over this time.
    pub dead_letter_window: Duration,
    /// From this many dead letters on.
    pub dead_letter_min_count: u64,
    /// Address of the admin server.
    pub admin_addr: SocketAddr,
    /// Deadline of a drain.
    pub drain_timeout: Duration,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("topics", &self.topics)
            .field("group", &self.group)
            .field("workers", &self.workers)
            .field("admin_addr", &self.admin_addr)
            .finish_non_exhaustive()
    }
}

/// Every mistake in a configuration. No message quotes a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidConfig(pub Vec<String>);

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is not valid:")?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

/// Collects mistakes while values are read.
struct Reading {
    mistakes: Vec<String>,
}

impl Reading {
    fn wrong(&mut self, name: &str, what: impl fmt::Display) {
        self.mistakes.push(format!("{name}: {what}"));
    }

    fn required(&mut self, name: &str, value: Option<&str>) -> String {
        let value = value.unwrap_or_default().trim();
        if value.is_empty() {
            self.wrong(name, "is required");
        }
        value.to_owned()
    }

    fn duration(&mut self, name: &str, text: &str, least: Duration, most: Duration) -> Duration {
        match parse_duration(text) {
            Ok(value) if value < least || value > most => {
                self.wrong(name, format_args!("`{text}` is not between {least:?} and {most:?}"));
                least
            }
            Ok(value) => value,
            Err(what) => {
                self.wrong(name, what);
                least
            }
        }
    }

    fn bytes(&mut self, name: &str, text: &str, least: usize) -> usize {
        match parse_bytes(text) {
            Ok(value) if value < least => {
                self.wrong(name, format_args!("`{text}` is less than {least} bytes"));
                least
            }
            Ok(value) => value,
            Err(what) => {
                self.wrong(name, what);
                least
            }
        }
    }

    fn number<T: std::str::FromStr + PartialOrd + fmt::Display + Copy>(
        &mut self,
        name: &str,
        text: &str,
        least: T,
        most: T,
    ) -> T {
        match text.trim().parse() {
            Ok(value) if value >= least && value <= most => value,
            _ => {
                self.wrong(
                    name,
                    format_args!("`{text}` is not a number between {least} and {most}"),
                );
                least
            }
        }
    }
}

impl ProjectorConfig {
    /// Reads and judges the configuration.
    ///
    /// # Errors
    /// All mistakes, each with the name of its variable.
    #[expect(clippy::too_many_lines, reason = "one statement a setting")]
    pub fn settings(&self) -> Result<Settings, InvalidConfig> {
        let second = Duration::from_secs(1);
        let hour = Duration::from_hours(1);
        let mut read = Reading { mistakes: Vec::new() };
        let protocol = match self.kafka.group_protocol.trim() {
            "classic" => GroupProtocol::Classic,
            "consumer" => GroupProtocol::Consumer,
            other => {
                read.wrong(
                    "RECAP_GROUP_PROTOCOL",
                    format_args!("`{other}` is neither `classic` nor `consumer`"),
                );
                GroupProtocol::Classic
            }
        };
        let admin_addr = self.admin.admin_addr.trim().parse().unwrap_or_else(|_| {
            read.wrong(
                "RECAP_ADMIN_ADDR",
                format_args!("`{}` is not `address:port`", self.admin.admin_addr),
            );
            SocketAddr::from(([0, 0, 0, 0], 0))
        });
        let url = self.database.database_url.as_ref().map(ExposeSecret::expose_secret);
        let database_url = read.required("DATABASE_URL", url);
        if !database_url.is_empty()
            && !["postgres://", "postgresql://"]
                .iter()
                .any(|scheme| database_url.starts_with(scheme))
        {
            read.wrong("DATABASE_URL", "does not begin with `postgres://`");
        }
        let cpus = std::thread::available_parallelism().map_or(1, usize::from).min(8);
        let log = self.kafka.log.read(&mut read.mistakes);
        let settings = Settings {
            database_url: database_url.into(),
            cluster: log.cluster,
            dead_letter_topic: self.dead_letters.topic.read(&log.topics, &mut read.mistakes),
            topics: log.topics,
            group: log.group,
            protocol,
            instance_id: self.instance_id(protocol, admin_addr.port()),
            session_timeout: read.duration("RECAP_SESSION_TIMEOUT", &self.kafka.session_timeout, second, hour),
            topic_refresh: read.duration(
                "RECAP_TOPIC_REFRESH",
                &self.kafka.topic_refresh,
                Duration::from_millis(100),
                hour,
            ),
            commit_interval: read.duration(
                "RECAP_OFFSET_COMMIT_INTERVAL",
                &self.kafka.offset_commit_interval,
                Duration::from_millis(10),
                hour,
            ),
            workers: self
                .batching
                .workers
                .as_deref()
                .map_or(cpus, |text| read.number("RECAP_WORKERS", text, 1, 64)),
            linger: read.duration(
                "RECAP_FLUSH_LINGER",
                &self.batching.flush_linger,
                Duration::ZERO,
                second,
            ),
            max_age: read.duration(
                "RECAP_FLUSH_MAX_AGE",
                &self.batching.flush_max_age,
                Duration::ZERO,
                hour,
            ),
            max_events: read.number("RECAP_FLUSH_MAX_EVENTS", &self.batching.flush_max_events, 1, 1_000_000),
            intake_bytes: read.bytes("RECAP_INTAKE_BYTES", &self.memory.intake_bytes, 1 << 20),
            cache_bytes: read.bytes("RECAP_STATE_CACHE_BYTES", &self.memory.state_cache_bytes, 0),
            kafka_queue_bytes: read.bytes("RECAP_KAFKA_QUEUE_BYTES", &self.memory.kafka_queue_bytes, 1 << 20),
            dead_letter_max_ratio: read.number(
                "RECAP_DEAD_LETTER_MAX_RATIO",
                &self.dead_letters.dead_letter_max_ratio,
                0.0,
                1.0,
            ),
            dead_letter_window: read.duration(
                "RECAP_DEAD_LETTER_WINDOW",
                &self.dead_letters.dead_letter_window,
                second,
                hour,
            ),
            dead_letter_min_count: read.number(
                "RECAP_DEAD_LETTER_MIN_COUNT",
                &self.dead_letters.dead_letter_min_count,
                1,
                1_000_000_000,
            ),
            admin_addr,
            drain_timeout: read.duration(
                "RECAP_DRAIN_TIMEOUT",
                &self.admin.drain_timeout,
                Duration::from_millis(100),
                hour,
            ),
        };
        settings.judge_together(&mut read);
        if read.mistakes.is_empty() {
            Ok(settings)
        } else {
            Err(InvalidConfig(read.mistakes))
        }
    }

    /// A broker of the classic protocol lets a restarted static member in at once; with KIP-848 it refuses it until the old session is over.
    fn instance_id(&self, protocol: GroupProtocol, port: u16) -> Option<String> {
        match (&self.kafka.group_instance_id, protocol) {
            (Some(id), _) => Some(id.trim().to_owned()).filter(|id| !id.is_empty()),
            (None, GroupProtocol::Consumer) => None,
            // Port 0 is another port each time: no stable name.
            (None, GroupProtocol::Classic) if port == 0 => None,
            (None, GroupProtocol::Classic) => Some(format!("{}:{port}", hostname()?)),
        }
    }
}

impl Settings {
    /// The log that is projected.
    #[must_use]
    pub fn log(&self) -> Log {
        Log {
            cluster: self.cluster.clone(),
            topics: Arc::clone(&self.topics),
            group: Arc::clone(&self.group),
        }
    }

    /// How long the consumer may go without a poll: giving partitions up takes a drain, and it may have to join again.
    pub(crate) fn patience(&self) -> Duration {
        self.drain_timeout + self.session_timeout + Duration::from_secs(30)
    }

    /// How much of the intake may be records not yet folded.
    pub(crate) fn unfolded_bytes(&self) -> usize {
        (self.intake_bytes / 4).min(UNFOLDED_MAX)
    }

    /// How large a worker's batch may become: another may be being written.
    pub(crate) fn batch_bytes(&self) -> usize {
        (self.intake_bytes - self.unfolded_bytes()) / (2 * self.workers)
    }

    fn judge_together(&self, read: &mut Reading) {
        if self.drain_timeout >= self.session_timeout {
            read.wrong(
                "RECAP_DRAIN_TIMEOUT",
                "is not less than RECAP_SESSION_TIMEOUT: the group would give the partitions away first",
            );
        }
        if self.instance_id.as_ref().is_some_and(|id| id.len() > 249) {
            read.wrong("RECAP_GROUP_INSTANCE_ID", "is longer than 249 characters");
        }
    }
}

fn hostname() -> Option<String> {
    let name = std::env::var("HOSTNAME")
        .ok()
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        config: ProjectorConfig,
    }

    fn read(arguments: &[&str]) -> Result<Settings, InvalidConfig> {
        let all = ["recap-projector"].iter().chain(arguments);
        Command::try_parse_from(all).unwrap().config.settings()
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
    fn a_static_member_is_named_by_host_and_admin_port_unless_the_protocol_or_the_operator_says_otherwise() {
        let id = |more: &[&str]| read(&[&NEEDED[..], more].concat()).unwrap().instance_id;
        assert!(id(&[]).is_some_and(|id| id.ends_with(":9091")));
        assert_eq!(id(&["--group-protocol=consumer"]), None);
        assert_eq!(id(&["--group-instance-id="]), None);
        assert_eq!(
            id(&["--group-instance-id=a", "--group-protocol=consumer"]).as_deref(),
            Some("a")
        );
    }
}
