//! Whether every topic exists, and whether the group reads every partition of them.
//!
//! A broker answers a static member that comes back with the assignment it had (KIP-345), also when topics or partitions were added while it was
//! away, and librdkafka, which does not speak the version of the request that would tell (KIP-814), takes it for the new one: nobody would ever
//! read what was added. So every member surveys the topics and the group now and then; when partitions stay unread, one member leaves the group and joins again.

use std::{
    collections::BTreeSet,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use rdkafka::{
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    groups::GroupInfo,
    metadata::MetadataTopic,
};
use recap_log::{is_refusal, missing_rights};
use recap_telemetry::ProjectorMetrics;
use tokio::time::MissedTickBehavior;

use crate::{Settings, health::Health, settings::GroupProtocol};

/// The shortest time between two surveys, which cost a few small requests.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// For so long surveys may fail before another client makes them: one that has forgotten every broker (`brokers.rs`) would go on failing.
const CLIENT_KEPT: Duration = Duration::from_secs(30);

type Partition = (Arc<str>, i32);

/// Which member is to leave the group and join again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RejoinTarget {
    /// Nobody is assigned anything.
    Everybody,
    /// The one that reads this partition, the first that is read at all.
    OwnerOf(Partition),
}

/// Which partitions there are, and which of them are read.
#[derive(Debug, Default)]
struct Coverage {
    missing: BTreeSet<Arc<str>>,
    /// The brokers do not say whether a topic exists.
    refused: bool,
    /// `None` while the group rebalances, and in the protocol in which the brokers assign: they watch the topics themselves.
    reading: Option<BTreeSet<Partition>>,
    existing: BTreeSet<Partition>,
}

impl Coverage {
    fn unread(&self) -> usize {
        let reading = self.reading.as_ref();
        reading.map_or(0, |reading| self.existing.difference(reading).count())
    }

    fn rejoin_target(&self) -> RejoinTarget {
        let first = self.reading.iter().flatten().next().cloned();
        first.map_or(RejoinTarget::Everybody, RejoinTarget::OwnerOf)
    }
}

/// Surveys the topics for as long as the projector lives.
pub(crate) async fn watch_coverage(
    settings: Arc<Settings>,
    metrics: ProjectorMetrics,
    health: Arc<Health>,
    rejoin_requests: mpsc::Sender<RejoinTarget>,
) {
    let mut config = settings.admin_config();
    config.set("allow.auto.create.topics", "false");
    let new_client = || config.create::<BaseConsumer>().map(Arc::new);
    let mut client = match new_client() {
        Ok(client) => client,
        Err(error) => return tracing::error!(%error, "topics and partitions are not watched"),
    };
    let mut failing_since: Option<Instant> = None;
    let interval = settings.topic_refresh.max(LEAST_INTERVAL);
    // Partitions that are handed over are unread for as long as giving them up may take.
    let allowed = settings.drain_timeout + 2 * interval;
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut missing = BTreeSet::new();
    let mut unread_since: Option<Instant> = None;
    loop {
        ticks.tick().await;
        ask_for_rights(&settings, &health).await;
        let (asked, settings) = (Arc::clone(&client), Arc::clone(&settings));
        let seen = match tokio::task::spawn_blocking(move || survey(&asked, &settings)).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(error)) => {
                if is_refusal(&error) {
                    health.refused();
                }
                tracing::debug!(%error, "topics and partitions not surveyed");
                if failing_since.get_or_insert_with(Instant::now).elapsed() > CLIENT_KEPT
                    && let Ok(new) = new_client()
                {
                    (client, failing_since) = (new, None);
                }
                continue;
            }
            Err(error) => {
                tracing::error!(%error, "surveying the topics crashed");
                continue;
            }
        };
        failing_since = None;
        if seen.refused {
            health.refused();
        }
        if seen.missing != missing {
            missing.clone_from(&seen.missing);
            log_missing(&missing);
            metrics.missing_topics.set(seen.missing.clone());
        }
        let unread = seen.unread();
        metrics.unread.set(unread);
        if unread == 0 {
            unread_since = None;
        } else if unread_since.get_or_insert_with(Instant::now).elapsed() > allowed {
            unread_since = None;
            // Without a consumer nobody is left to join.
            let _unheard = rejoin_requests.send(seen.rejoin_target());
        }
    }
}

/// After a refusal, says what is not allowed, here and in readiness, until it is.
async fn ask_for_rights(settings: &Arc<Settings>, health: &Health) {
    if !health.asks_for_rights() {
        return;
    }
    let log = settings.log();
    match tokio::task::spawn_blocking(move || missing_rights(&log)).await {
        Ok(Ok(missing)) => {
            for right in &missing {
                tracing::warn!("{right}");
            }
            health.missing_rights(missing);
        }
        Ok(Err(error)) => {
            // To be asked again.
            health.refused();
            tracing::debug!(%error, "rights not asked for");
        }
        Err(error) => tracing::error!(%error, "asking for rights crashed"),
    }
}

fn log_missing(missing: &BTreeSet<Arc<str>>) {
    if missing.is_empty() {
        tracing::info!("every topic exists");
    } else {
        tracing::warn!(topics = ?missing, "topics that do not exist are waited for");
    }
}

fn survey(client: &BaseConsumer, settings: &Settings) -> KafkaResult<Coverage> {
    let mut seen = Coverage::default();
    for topic in &*settings.topics {
        let metadata = client.fetch_metadata(Some(topic), TIMEOUT)?;
        let found = metadata.topics().iter().find(|found| found.name() == &**topic);
        let error = found.and_then(MetadataTopic::error).map(RDKafkaErrorCode::from);
        seen.refused |= error == Some(RDKafkaErrorCode::TopicAuthorizationFailed);
        let partitions = found.map_or(&[][..], |found| found.partitions());
        if partitions.is_empty() {
            seen.missing.insert(Arc::clone(topic));
        }
        for partition in partitions {
            seen.existing.insert((Arc::clone(topic), partition.id()));
        }
    }
    if settings.protocol == GroupProtocol::Classic {
        let groups = client.fetch_group_list(Some(&settings.group), TIMEOUT)?;
        let group = groups.groups().iter().find(|group| group.name() == &*settings.group);
        seen.reading = match group {
            Some(group) if group.state() == "Stable" => Some(read_by(group)?),
            _ => None,
        };
    }
    Ok(seen)
}

/// What the members of a group are assigned.
fn read_by(group: &GroupInfo) -> KafkaResult<BTreeSet<Partition>> {
    let mut all = BTreeSet::new();
    for member in group.members() {
        let bytes = member.assignment().unwrap_or_default();
        if !bytes.is_empty() {
            let unreadable = || KafkaError::GroupListFetch(RDKafkaErrorCode::BadMessage);
            all.extend(assignment(bytes).ok_or_else(unreadable)?);
        }
    }
    Ok(all)
}

/// Reads an assignment of the protocol type `consumer`, as far as all its versions agree.
fn assignment(bytes: &[u8]) -> Option<Vec<Partition>> {
    let mut bytes = Bytes(bytes);
    let mut partitions = Vec::new();
    let _version: [u8; 2] = bytes.take()?;
    for _ in 0..bytes.number()? {
        let topic: Arc<str> = bytes.text()?.into();
        for _ in 0..bytes.number()? {
            partitions.push((Arc::clone(&topic), bytes.number()?));
        }
    }
    Some(partitions)
}

/// Bytes yet to be read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::from(u16::from_be_bytes(self.take()?));
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        str::from_utf8(text).ok()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn an_assignment_is_read_and_half_of_one_refused() {
        let bytes = b"\0\x01\0\0\0\x02\0\x01a\0\0\0\x02\0\0\0\0\0\0\0\x05\0\x02bc\0\0\0\x01\0\0\0\x03\xff\xff\xff\xff";
        let read = assignment(bytes).unwrap();
        assert_eq!(read, [("a".into(), 0), ("a".into(), 5), ("bc".into(), 3)]);
        // The last four bytes are the user data, which nobody asks for.
        for end in 0..bytes.len() - 4 {
            assert_eq!(assignment(&bytes[..end]), None, "{end} bytes");
        }
    }

    #[test]
    fn the_owner_of_the_first_partition_that_is_read_joins_again() {
        let partition = |number| -> Partition { ("t".into(), number) };
        let mut seen = Coverage {
            existing: (0..3).map(partition).collect(),
            ..Coverage::default()
        };
        assert_eq!(seen.unread(), 0, "nothing is known while the group rebalances");
        seen.reading = Some(BTreeSet::new());
        assert_eq!((seen.unread(), seen.rejoin_target()), (3, RejoinTarget::Everybody));
        seen.reading = Some([2, 1].map(partition).into());
        assert_eq!(
            (seen.unread(), seen.rejoin_target()),
            (1, RejoinTarget::OwnerOf(partition(1)))
        );
    }
}
