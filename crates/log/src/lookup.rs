//! What the brokers say of offsets: where partitions begin and end, and what the consumer group has committed.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};

use crate::{Log, LogError, Offsets, Partition};

const TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_AFTER: Duration = Duration::from_millis(30);

/// Asks the brokers about the offsets of a log. It never fetches records, joins no group and commits nothing.
///
/// Every call blocks until the brokers have answered, for 30 s at most.
pub struct OffsetLookup {
    consumer: BaseConsumer,
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
            consumer: config.create().map_err(LogError::kafka("create a consumer"))?,
            log: log.clone(),
        })
    }

    /// Every partition that the topics have now; a topic that does not exist has none.
    pub fn partitions(&self) -> Result<Vec<Partition>, LogError> {
        let metadata = self
            .consumer
            .fetch_metadata(None, TIMEOUT)
            .map_err(LogError::kafka("read the cluster's metadata"))?;
        let mut partitions = Vec::new();
        for topic in &*self.log.topics {
            let found = metadata.topics().iter().find(|found| found.name() == &**topic);
            for partition in found.iter().flat_map(|found| found.partitions()) {
                partitions.push(Partition::new(topic.clone(), partition.id()));
            }
        }
        partitions.sort();
        Ok(partitions)
    }

    /// The oldest record of every partition.
    pub fn oldest(&self) -> Result<Offsets, LogError> {
        self.find(&self.partitions()?, Offset::Beginning)
    }

    /// One past the newest record of every partition.
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

    /// What the group has committed; partitions without a commit are left out.
    pub fn committed(&self) -> Result<Offsets, LogError> {
        self.committed_of(&self.partitions()?)
    }

    pub(crate) fn committed_of(&self, partitions: &[Partition]) -> Result<Offsets, LogError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&partition.topic, partition.number);
        }
        let committed = self.ask_committed(&list);
        let committed = committed.map_err(LogError::kafka("read the group's committed offsets"))?;
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
