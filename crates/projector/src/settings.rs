//! The valid configuration: what the rest of the projector works with. How it is given is in `arguments.rs`.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use recap_events::MaxTimeAhead;
use recap_log::{Cluster, Log};
use recap_mapping::Mappings;
use recap_schema_registry::SchemaRegistry;
use recap_service::config::Reader;
use recap_store::DatabaseUrl;

/// Folding is faster than fetching: more would only cost page faults.
const UNFOLDED_MAX: usize = 16 << 20;

/// How the consumer group shares its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupProtocol {
    /// Kafka's first protocol, with cooperative-sticky assignment.
    Classic,
    /// KIP-848: the broker assigns.
    Consumer,
}

impl GroupProtocol {
    /// Reads its name.
    pub(crate) fn reader() -> Reader<Self> {
        Reader::new(|text| match text {
            "classic" => Ok(Self::Classic),
            "consumer" => Ok(Self::Consumer),
            _ => Err("must be `classic` or `consumer`".to_owned()),
        })
    }
}

/// The projector's settings, all of them valid. Made by [`crate::ProjectorArgs::settings`].
#[derive(Clone)]
pub struct Settings {
    /// PostgreSQL.
    pub database_url: DatabaseUrl,
    /// Kafka.
    pub cluster: Cluster,
    /// Topics to read, without repetition.
    pub topics: Arc<[Arc<str>]>,
    /// Consumer group.
    pub group: Arc<str>,
    /// How far an event's time may lie after its record's timestamp.
    pub max_time_ahead: MaxTimeAhead,
    /// How records become events, in topics whose records are none.
    pub mappings: Mappings,
    /// Where the schemas are that values of mapped topics name.
    pub schema_registry: Option<SchemaRegistry>,
    /// Its protocol.
    pub protocol: GroupProtocol,
    /// Static member id.
    pub instance_id: Option<String>,
    /// After this silence of a member the group gives its partitions to others.
    pub session_timeout: Duration,
    /// Between two searches for new topics and partitions.
    pub topic_refresh: Duration,
    /// Between two offset commits.
    pub commit_interval: Duration,
    /// Number of workers.
    pub workers: usize,
    /// Without a backlog, the least time from one flush of a worker to its next.
    pub linger: Duration,
    /// How long a batch grows with a backlog.
    pub max_age: Duration,
    /// Most events in a batch.
    pub max_events: usize,
    /// Bound of records received and not committed.
    pub intake_bytes: usize,
    /// Bound of clean states.
    pub cache_bytes: usize,
    /// Bound of librdkafka's queue.
    pub kafka_queue_bytes: usize,
    /// Topic of the dead letters.
    pub dead_letter_topic: String,
    /// The part of the records that may be dead-lettered; 1 is no limit.
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

impl Settings {
    /// The log that is projected.
    #[must_use]
    pub fn log(&self) -> Log {
        Log {
            cluster: self.cluster.clone(),
            topics: Arc::clone(&self.topics),
            group: Arc::clone(&self.group),
            max_time_ahead: self.max_time_ahead,
            mappings: self.mappings.clone(),
            schema_registry: self.schema_registry.clone(),
        }
    }

    /// How long the consumer may go without a poll: giving partitions up takes a drain, and it may have to join again.
    pub(crate) fn max_poll_interval(&self) -> Duration {
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
}
