//! A log of one test: every topic of the contract, apart from those of other tests on the same broker.

use recap_log::Topic;
use recap_store::ProjectedOffset;

use crate::{KafkaServer, Record, ServerError, unique::unique_id};

/// The contract's topics under a prefix of their own, and consumer groups beside them.
pub struct TestLog<'k> {
    kafka: &'k KafkaServer,
    prefix: String,
}

impl<'k> TestLog<'k> {
    /// A log whose topics do not exist yet.
    #[must_use]
    pub fn named(kafka: &'k KafkaServer, test: &str) -> Self {
        Self {
            kafka,
            prefix: format!("{test}-{}.", unique_id().simple()),
        }
    }

    /// A log whose topics have this many partitions each.
    pub async fn create(kafka: &'k KafkaServer, test: &str, partitions: i32) -> Result<Self, ServerError> {
        let log = Self::named(kafka, test);
        for topic in log.topics() {
            kafka.topic(&topic, partitions).await?;
        }
        Ok(log)
    }

    /// The broker.
    #[must_use]
    pub fn kafka(&self) -> &'k KafkaServer {
        self.kafka
    }

    /// The consumer group of this log's projectors.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.prefix
    }

    /// This test's name of a topic or of anything else that other tests must not share.
    #[must_use]
    pub fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Every topic of the contract.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        Topic::ALL.map(|topic| self.name(topic.name())).to_vec()
    }

    /// The topic of the dead letters; the projector creates it.
    #[must_use]
    pub fn dead_letters(&self) -> String {
        self.name("recap.dead-letters")
    }

    /// Publishes them; a record with an empty key has none.
    pub async fn publish(&self, records: &[recap_generator::Record]) -> Result<(), ServerError> {
        self.kafka.publish(&self.named_records(records)).await
    }

    /// The same in one transaction of this log's producer, which is committed or aborted.
    pub async fn publish_in_transaction(
        &self,
        records: &[recap_generator::Record],
        commit: bool,
    ) -> Result<(), ServerError> {
        let id = self.name("producer");
        self.kafka
            .publish_in_transaction(&id, self.named_records(records), commit)
            .await
    }

    fn named_records(&self, records: &[recap_generator::Record]) -> Vec<Record> {
        let named = |record: &recap_generator::Record| Record {
            key: (!record.key.is_empty()).then(|| record.key.clone()),
            ..Record::keyless(self.name(record.topic.name()), record.value.clone())
        };
        records.iter().map(named).collect()
    }

    /// Records that a database which holds this does not have.
    pub async fn records_not_held(&self, held: Vec<ProjectedOffset>) -> Result<u64, ServerError> {
        let topics = self.topics();
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        self.kafka.records_not_held(held, &topics).await
    }

    /// Records that a group has not committed yet.
    pub async fn lag(&self, group: &str) -> Result<u64, ServerError> {
        let topics = self.topics();
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        self.kafka.consumer_lag(group, &topics).await
    }
}
