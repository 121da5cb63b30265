//! What the brokers say of offsets: where partitions begin and end, and what the consumer group has committed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    metadata::MetadataTopic,
};
use uuid::Uuid;

use crate::{
    Log, LogError, MissingRight, Offsets, Partition,
    complaints::{Complaints, ask},
    rights::{is_refusal, missing_rights},
    topic_ids::topic_ids,
};

const TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_AFTER: Duration = Duration::from_millis(30);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Topics by name, each with its id. One that was deleted and created anew has another id.
pub type TopicIds = BTreeMap<Arc<str>, Uuid>;

/// What the brokers hold of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The id of its topic; `None` before Kafka 2.8.
    pub topic_id: Option<Uuid>,
    /// The oldest offset.
    pub low: i64,
    /// One past the newest record that may be read.
    pub high: i64,
}

/// Asks the brokers about the offsets of a log. It never fetches records, joins no group and commits nothing.
///
/// Every call blocks until the brokers have answered, for 30 s at most.
pub struct OffsetLookup {
    consumer: BaseConsumer<Complaints>,
    config: ClientConfig,
    log: Log,
}

impl OffsetLookup {
    /// Makes a client; it connects with the first question.
    pub fn open(log: &Log) -> Result<Self, LogError> {
        let config = log.cluster.client_with(|config| {
            config
                .set("group.id", &*log.group)
                .set("enable.auto.commit", "false")
                .set("allow.auto.create.topics", "false");
        });
        Ok(Self {
            consumer: config
                .create_with_context(Complaints::default())
                .map_err(LogError::kafka("create a consumer"))?,
            config,
            log: log.clone(),
        })
    }

    /// Every partition that the topics have now; a topic that does not exist has none.
    pub fn partitions(&self) -> Result<Vec<Partition>, LogError> {
        let servers = self.log.cluster.bootstrap_servers();
        let question = |timeout| self.consumer.fetch_metadata(None, timeout);
        let metadata = ask(&self.consumer, servers, TIMEOUT, question)?;
        let mut partitions = Vec::new();
        for topic in &*self.log.topics {
            let found = metadata.topics().iter().find(|found| found.name() == &**topic);
            if found.is_none() {
                self.check_described(topic)?;
            }
            for partition in found.iter().flat_map(|found| found.partitions()) {
                partitions.push(Partition::new(topic.clone(), partition.id()));
            }
        }
        partitions.sort();
        Ok(partitions)
    }

    /// An error when the topic may exist and must not be seen: the list of all topics leaves such a one out.
    fn check_described(&self, topic: &str) -> Result<(), LogError> {
        let metadata = self.consumer.fetch_metadata(Some(topic), TIMEOUT);
        let metadata = metadata.map_err(LogError::kafka("read a topic's metadata"))?;
        let error = metadata.topics().iter().find_map(MetadataTopic::error);
        if error.map(RDKafkaErrorCode::from) == Some(RDKafkaErrorCode::TopicAuthorizationFailed) {
            return Err(MissingRight::on_topic("DESCRIBE and READ", topic).into());
        }
        Ok(())
    }

    /// The oldest record of every partition.
    pub fn oldest(&self) -> Result<Offsets, LogError> {
        self.find(&self.partitions()?, Offset::Beginning)
    }

    /// One past the newest record of every partition; where a transaction is open, its first record (the last stable offset).
    pub fn ends(&self) -> Result<Offsets, LogError> {
        self.find(&self.partitions()?, Offset::End)
    }

    /// The first records produced at a time or later; partitions without one are at their end.
    pub fn at(&self, time: DateTime<Utc>) -> Result<Offsets, LogError> {
        let partitions = self.partitions()?;
        let mut found = self.find(&partitions, Offset::End)?;
        let later = self.find(&partitions, Offset::Offset(time.timestamp_millis()))?;
        for (partition, next) in later.iter() {
            found.set(partition.clone(), next);
        }
        Ok(found)
    }

    /// What the brokers hold of these partitions. Those that do not exist, for their topic may just have been deleted, are left out.
    pub fn extents(&self, partitions: &[Partition]) -> Result<BTreeMap<Partition, Extent>, LogError> {
        let topics: BTreeSet<&Arc<str>> = partitions.iter().map(|partition| &partition.topic).collect();
        let topics: Vec<Arc<str>> = topics.into_iter().cloned().collect();
        let ids = self.topic_ids(&topics)?;
        let existing: BTreeSet<Partition> = self.partitions()?.into_iter().collect();
        let asked: Vec<Partition> = partitions
            .iter()
            .filter(|asked| existing.contains(asked))
            .cloned()
            .collect();
        let (low, high) = (self.find(&asked, Offset::Beginning)?, self.find(&asked, Offset::End)?);
        let extent = |partition: Partition| {
            let (low, high) = (low.find(&partition)?, high.find(&partition)?);
            let topic_id = ids.get(&partition.topic).copied().flatten();
            Some((partition, Extent { topic_id, low, high }))
        };
        Ok(asked.into_iter().filter_map(extent).collect())
    }

    /// The ids of the topics that exist; `None` where the broker has no ids. Brokers that are away may tell them later, so that is an error: without its id,
    /// a topic that is created anew is taken for the one before.
    pub fn topic_ids(&self, topics: &[Arc<str>]) -> Result<BTreeMap<Arc<str>, Option<Uuid>>, LogError> {
        topic_ids(&self.consumer, topics)
    }

    /// The ids of the log's topics, as far as there are any ([`Self::topic_ids`]).
    pub fn ids(&self) -> Result<TopicIds, LogError> {
        let ids = self.topic_ids(&self.log.topics)?;
        Ok(ids.into_iter().filter_map(|(topic, id)| Some((topic, id?))).collect())
    }

    /// What the group has committed; partitions without a commit are left out.
    pub fn committed(&self) -> Result<Offsets, LogError> {
        self.committed_of(&self.partitions()?)
    }

    /// Moves every partition to its target that has no record left before it: the markers of transactions and what was aborted
    /// take offsets, too. Each question has a client of its own, because rust-rdkafka's end of a partition names no topic.
    pub fn skip_empty_ends(&self, position: &mut Offsets, target: &Offsets) -> Result<(), LogError> {
        for (partition, end) in target.iter() {
            let next = position.get(partition);
            if next < end && self.is_end(partition, next)? {
                position.set(partition.clone(), end);
            }
        }
        Ok(())
    }

    /// What exactly is not allowed: the refusal itself names no topic.
    pub(crate) fn refused(&self, refusal: KafkaError) -> LogError {
        let missing = missing_rights(&self.log).unwrap_or_default();
        let first = missing.into_iter().next();
        first.map_or_else(|| LogError::kafka("read the log")(refusal), LogError::NotAllowed)
    }

    /// Whether no record can be read at this offset or after it.
    fn is_end(&self, partition: &Partition, next: i64) -> Result<bool, LogError> {
        let probe: BaseConsumer<Complaints> = self
            .config
            .clone()
            .set("enable.partition.eof", "true")
            // Where the log begins later, its first record tells.
            .set("auto.offset.reset", "earliest")
            .create_with_context(Complaints::default())
            .map_err(LogError::kafka("create a consumer"))?;
        let position = Offsets::from_iter([(partition.clone(), next)]);
        probe
            .assign(&position.to_list()?)
            .map_err(LogError::kafka("choose partitions"))?;
        Ok(matches!(
            probe.poll(PROBE_TIMEOUT),
            Some(Err(KafkaError::PartitionEOF(_)))
        ))
    }

    /// What the group has committed of these partitions; those without a commit are left out.
    pub fn committed_of(&self, partitions: &[Partition]) -> Result<Offsets, LogError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&partition.topic, partition.number);
        }
        let committed = self.ask_committed(&list);
        let committed = committed.map_err(|error| {
            if is_refusal(&error) {
                MissingRight::on_group("DESCRIBE", &self.log.group).into()
            } else {
                LogError::kafka("read the group's committed offsets")(error)
            }
        })?;
        Ok(Offsets::from_list(&committed))
    }

    /// One `ListOffsets` request a broker, whatever the number of partitions; those without an answer are left out.
    pub(crate) fn find(&self, partitions: &[Partition], at: Offset) -> Result<Offsets, LogError> {
        let refused = || LogError::kafka("look up offsets");
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition_offset(&partition.topic, partition.number, at)
                .map_err(refused())?;
        }
        if list.count() == 0 {
            return Ok(Offsets::default());
        }
        let found = self.consumer.offsets_for_times(list, TIMEOUT).map_err(refused())?;
        for element in found.elements() {
            element.error().map_err(refused())?;
        }
        Ok(Offsets::from_list(&found))
    }

    /// The first question of a group makes the broker create the topic of offsets, and refuse until that is done.
    fn ask_committed(&self, list: &TopicPartitionList) -> KafkaResult<TopicPartitionList> {
        let start = Instant::now();
        loop {
            let answer = self.consumer.committed_offsets(list.clone(), TIMEOUT);
            let code = answer.as_ref().err().and_then(KafkaError::rdkafka_error_code);
            let passing = matches!(
                code,
                Some(
                    RDKafkaErrorCode::NotCoordinator
                        | RDKafkaErrorCode::CoordinatorNotAvailable
                        | RDKafkaErrorCode::CoordinatorLoadInProgress
                )
            );
            if !passing || start.elapsed() > TIMEOUT {
                return answer;
            }
            std::thread::sleep(RETRY_AFTER);
        }
    }
}
