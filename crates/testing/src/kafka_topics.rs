//! What befalls topics: they are deleted, and retention takes their records.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{Offset, TopicPartitionList, admin::AdminOptions, error::KafkaError};

use crate::{LIMIT, ServerError, eventually, kafka::KafkaServer};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

impl KafkaServer {
    /// Deletes a topic, and waits until no broker knows it.
    pub async fn delete_topic(&self, name: &str) -> Result<(), ServerError> {
        let doing = || format!("deleting the topic {name}");
        let admin = self.admin()?;
        let deleted = admin.delete_topics(&[name], &AdminOptions::new()).await;
        for result in deleted.map_err(ServerError::kafka(doing()))? {
            result.map_err(|(_, code)| ServerError::kafka(doing())(KafkaError::AdminOp(code)))?;
        }
        let known = async || self.partitions_of(name).unwrap_or(1);
        eventually(&doing(), LIMIT, known, |partitions| *partitions == 0).await;
        self.forget_producer();
        Ok(())
    }

    /// Deletes the records before these offsets of a topic's partitions, as retention does.
    pub async fn delete_records(&self, topic: &str, before: &BTreeMap<i32, i64>) -> Result<(), ServerError> {
        let doing = || format!("deleting records of the topic {topic}");
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in before {
            let added = offsets.add_partition_offset(topic, *partition, Offset::Offset(*offset));
            added.map_err(ServerError::kafka(doing()))?;
        }
        let deleted = self.admin()?.delete_records(&offsets, &AdminOptions::new()).await;
        for element in deleted.map_err(ServerError::kafka(doing()))?.elements() {
            element.error().map_err(ServerError::kafka(doing()))?;
        }
        Ok(())
    }

    fn partitions_of(&self, topic: &str) -> Result<usize, ServerError> {
        // Asked for by its name a topic is created anew.
        let metadata = self.admin()?.inner().fetch_metadata(None, REQUEST_TIMEOUT);
        let metadata = metadata.map_err(ServerError::kafka(format!("asking for the topic {topic}")))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        Ok(found.map_or(0, |found| found.partitions().len()))
    }
}
