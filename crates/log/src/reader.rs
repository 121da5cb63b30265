//! Reads a range of the log, partition by partition: `assign`, never a group, nothing committed.

mod progress;

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use progress::Progress;
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Message as _},
};

use crate::{Log, LogError, OffsetLookup, Offsets, Partition, TopicIds, is_refusal};

const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// Silence after which the brokers are asked whether there is any more: each question takes a connection of its own, and the
/// first records of many partitions may well take half of this.
const QUIET: Duration = Duration::from_secs(1);
const STALL_TIMEOUT: Duration = Duration::from_mins(2);

/// A reader of chosen partitions from chosen offsets.
pub struct LogReader {
    consumer: BaseConsumer,
    /// A client of its own: a broker answers a connection's requests in order, so behind `consumer`'s fetches each question
    /// would wait up to `fetch.wait.max.ms`.
    lookup: OffsetLookup,
    position: Offsets,
    /// The topics that the position is in.
    topics: TopicIds,
}

impl LogReader {
    /// Opens a reader without a position: [`Self::seek`] gives it one.
    pub fn open(log: &Log) -> Result<Self, LogError> {
        let config = log.cluster.client_with(|config| {
            config
                .set("group.id", &*log.group)
                .set("enable.auto.commit", "false")
                .set("enable.auto.offset.store", "false")
                .set("auto.offset.reset", "error")
                // A full queue is the normal state here; the default of one second would let it run empty.
                .set("fetch.queue.backoff.ms", "20")
                // A partition that is read to its end shares its request with others, which would wait for it.
                .set("fetch.wait.max.ms", "20");
        });
        Ok(Self {
            consumer: config.create().map_err(LogError::kafka("create a consumer"))?,
            lookup: OffsetLookup::open(log)?,
            position: Offsets::default(),
            topics: TopicIds::new(),
        })
    }

    /// Asks about offsets of the same log.
    #[must_use]
    pub fn lookup(&self) -> &OffsetLookup {
        &self.lookup
    }

    /// Goes on from `position`, partition by partition; others are not read.
    pub fn seek(&mut self, position: Offsets) -> Result<(), LogError> {
        self.topics = self.lookup.ids()?;
        self.consumer
            .assign(&position.to_list()?)
            .map_err(LogError::kafka("choose partitions"))?;
        self.position = position;
        Ok(())
    }

    /// The next offset of every partition that is being read.
    #[must_use]
    pub fn position(&self) -> &Offsets {
        &self.position
    }

    /// Reads on until every partition has passed `target`, handing each record to `visit`, which breaks off to get the
    /// control back after this record. Partitions that `target` names and that are not being read yet are read from their
    /// oldest record. `Ok(true)` when the target is reached.
    ///
    /// Offsets without a record (transaction markers, aborted records) count as passed, and so does the position, once the broker
    /// reports the partition's end. `target` does not reach into transactions that are still open ([`OffsetLookup::ends`]). Where nothing comes any more
    /// because a topic was deleted and created anew, that is the error ([`LogError::Recreated`]).
    pub fn read_to<'l, F>(&'l mut self, target: &Offsets, mut visit: F) -> Result<bool, LogError>
    where
        F: FnMut(&Partition, BorrowedMessage<'l>) -> ControlFlow<()>,
    {
        self.include(target)?;
        let Self {
            consumer,
            lookup,
            position,
            topics,
        } = self;
        let mut progress = Progress::new(target, position);
        let mut last_progress = Instant::now();
        while !progress.is_done() {
            let message = match consumer.poll(POLL_TIMEOUT) {
                Some(Ok(message)) => message,
                Some(Err(error)) if is_transient(&error) => {
                    tracing::warn!(%error, "the log cannot be read now, trying on");
                    continue;
                }
                Some(Err(error)) if is_refusal(&error) => return Err(lookup.refused(error)),
                Some(Err(error)) => {
                    check_topics(lookup, topics)?;
                    return Err(LogError::kafka("read the log")(error));
                }
                None if last_progress.elapsed() < QUIET => continue,
                None => {
                    check_topics(lookup, topics)?;
                    progress.probe_ends(lookup)?;
                    if !progress.is_done() && last_progress.elapsed() > STALL_TIMEOUT {
                        return Err(LogError::Stalled {
                            seconds: STALL_TIMEOUT.as_secs(),
                            missing: progress.missing(),
                        });
                    }
                    continue;
                }
            };
            last_progress = Instant::now();
            let next = message.offset() + 1;
            let flow = visit(progress.enter(&message), message);
            progress.pass(next);
            if flow.is_break() {
                break;
            }
        }
        progress.leave();
        Ok(progress.is_done())
    }

    fn include(&mut self, target: &Offsets) -> Result<(), LogError> {
        if target.iter().all(|(partition, _)| self.position.contains(partition)) {
            return Ok(());
        }
        let oldest = self.lookup.oldest()?;
        let mut position = self.position.clone();
        for (partition, _) in target.iter() {
            if !position.contains(partition) {
                position.set(partition.clone(), oldest.get(partition));
            }
        }
        self.seek(position)
    }
}

/// Refuses to go on with a topic that is another one now. One that is not there at the moment may yet be created.
fn check_topics(lookup: &OffsetLookup, known: &TopicIds) -> Result<(), LogError> {
    let now = lookup.ids()?;
    let recreated = known
        .iter()
        .find(|(topic, id)| now.get(*topic).is_some_and(|now| now != *id));
    match recreated {
        Some((topic, _)) => Err(LogError::Recreated(topic.clone())),
        None => Ok(()),
    }
}

/// Errors that librdkafka goes on from by itself.
fn is_transient(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::Resolve
        )
    )
}
