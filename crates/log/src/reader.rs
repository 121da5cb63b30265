//! Reads a range of the log, partition by partition: `assign`, never a group, nothing committed.

mod progress;
mod stretches;

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use progress::Progress;
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Message as _},
};
use stretches::stretches;

use crate::{Log, LogError, OffsetLookup, Offsets, Partition, TopicIds, is_refusal};

const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// Silence after which the brokers are asked whether there is any more: each question takes a connection of its own, and the
/// first records of many partitions may well take half of this.
const QUIET: Duration = Duration::from_secs(1);
/// Silence after which a stretch ends: what is left of it is read with everything else.
const STRETCH_QUIET: Duration = Duration::from_millis(500);
/// The same before its first record, which may have to wait for connections.
const STRETCH_BEGINS: Duration = Duration::from_secs(5);
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
    /// The partitions that are fetched.
    fetched: BTreeSet<Partition>,
}

/// In which order partitions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// All of them at once, as the brokers send them.
    AsFetched,
    /// Those of so many numbers at a time, of all topics. Where topics have as many partitions and the same keys, all that is about a key comes in one stretch,
    /// whichever topics it is in.
    ByNumber {
        /// Numbers of a stretch.
        at_once: usize,
    },
}

/// How reading ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Every partition has passed its target.
    Reached,
    /// The visitor broke off.
    BrokenOff,
    /// Nothing came for a while.
    Quiet,
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
            fetched: BTreeSet::new(),
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
        self.fetched.clear();
        fetch(&self.consumer, &mut self.fetched, &position)?;
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
    pub fn read_to<'l, F>(&'l mut self, target: &Offsets, visit: F) -> Result<bool, LogError>
    where
        F: FnMut(&Partition, BorrowedMessage<'l>) -> ControlFlow<()>,
    {
        self.read_to_in(Order::AsFetched, target, visit)
    }

    /// As [`Self::read_to`], in this order.
    pub fn read_to_in<'l, F>(&'l mut self, order: Order, target: &Offsets, mut visit: F) -> Result<bool, LogError>
    where
        F: FnMut(&Partition, BorrowedMessage<'l>) -> ControlFlow<()>,
    {
        self.include(target)?;
        let stretches = match order {
            Order::AsFetched => Vec::new(),
            Order::ByNumber { at_once } => stretches(&self.position, target, at_once),
        };
        self.read_stretches(&stretches, target, &mut visit)
    }

    /// Reads the stretches, then what is left of `target`.
    fn read_stretches<'l, F>(
        &'l mut self,
        stretches: &[Offsets],
        target: &Offsets,
        visit: &mut F,
    ) -> Result<bool, LogError>
    where
        F: FnMut(&Partition, BorrowedMessage<'l>) -> ControlFlow<()>,
    {
        let Self {
            consumer,
            lookup,
            position,
            topics,
            fetched,
        } = self;
        let consumer = &*consumer;
        for stretch in stretches {
            let from = stretch.iter().map(|(p, _)| (p.clone(), position.get(p)));
            fetch(consumer, fetched, &from.collect())?;
            let end = read(consumer, lookup, (&mut *position, topics), stretch, true, visit)?;
            if end == End::BrokenOff {
                return Ok(position.missing(target) == 0);
            }
        }
        if position.missing(target) > 0 {
            fetch(consumer, fetched, position)?;
            read(consumer, lookup, (&mut *position, topics), target, false, visit)?;
        }
        Ok(position.missing(target) == 0)
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

/// Fetches these partitions from now on, from these offsets; those that it fetches already go on.
fn fetch(consumer: &BaseConsumer, fetched: &mut BTreeSet<Partition>, from: &Offsets) -> Result<(), LogError> {
    let partitions: BTreeSet<Partition> = from.iter().map(|(partition, _)| partition.clone()).collect();
    if *fetched != partitions {
        consumer
            .assign(&from.to_list()?)
            .map_err(LogError::kafka("choose partitions"))?;
        *fetched = partitions;
    }
    Ok(())
}

/// Reads what is fetched until every partition of `target` has passed it, or in a stretch until nothing has come for a while.
fn read<'l, F>(
    consumer: &'l BaseConsumer,
    lookup: &OffsetLookup,
    (position, topics): (&mut Offsets, &TopicIds),
    target: &Offsets,
    is_stretch: bool,
    visit: &mut F,
) -> Result<End, LogError>
where
    F: FnMut(&Partition, BorrowedMessage<'l>) -> ControlFlow<()>,
{
    let mut progress = Progress::new(target, position);
    let (mut last_progress, mut any) = (Instant::now(), false);
    let mut end = End::Reached;
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
            None if is_stretch => {
                let patience = if any { STRETCH_QUIET } else { STRETCH_BEGINS };
                if last_progress.elapsed() >= patience {
                    progress.probe_ends(lookup)?;
                    if !progress.is_done() {
                        end = End::Quiet;
                        break;
                    }
                }
                continue;
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
        (last_progress, any) = (Instant::now(), true);
        let next = message.offset() + 1;
        let flow = visit(progress.enter(&message), message);
        progress.pass(next);
        if flow.is_break() {
            end = End::BrokenOff;
            break;
        }
    }
    progress.leave();
    Ok(end)
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
