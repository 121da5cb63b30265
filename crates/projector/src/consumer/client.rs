//! The seam to the consumer group: what the consumer thread asks of its Kafka client.

use std::{cell::RefCell, collections::BTreeSet, sync::atomic::Ordering, time::Duration};

use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, Consumer, RebalanceProtocol},
    error::KafkaResult,
    message::BorrowedMessage,
};
use recap_log::Partition;

use super::{
    ConsumerError,
    callbacks::{Callbacks, ClientEvent},
    keeper_link::names,
};
use crate::{Settings, intake::chunk::KafkaRecord};

/// A commit is waited for no longer: what it did not reach is read again by whoever is next.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A member of a consumer group. Nothing is assigned before [`Self::assign`] answers [`ClientEvent::Assigned`], nothing given up before
/// [`Self::unassign`] answers [`ClientEvent::Revoked`].
pub(crate) trait GroupClient {
    /// A record as the client lends it.
    type Record<'a>: KafkaRecord
    where
        Self: 'a;

    /// The next record; `None` after `timeout`, or earlier when there are events.
    fn poll(&self, timeout: Duration) -> Option<KafkaResult<Self::Record<'_>>>;

    /// What happened since the last call.
    fn take_events(&self) -> Vec<ClientEvent>;

    /// Joins the group for these topics.
    fn subscribe(&self, topics: &[&str]) -> KafkaResult<()>;

    /// Leaves the group, once what is assigned was given up.
    fn unsubscribe(&self);

    /// Begins to read these partitions.
    fn assign(&self, partitions: &TopicPartitionList) -> KafkaResult<()>;

    /// Reads these partitions, which are assigned, from other offsets, also those that the brokers refused to go on with.
    fn restart(&self, partitions: &TopicPartitionList) -> KafkaResult<()>;

    /// Gives these partitions up.
    fn unassign(&self, partitions: &TopicPartitionList) -> KafkaResult<()>;

    /// Stops fetching these partitions, and drops what was fetched ahead.
    fn pause(&self, partitions: &TopicPartitionList) -> KafkaResult<()>;

    /// Fetches these partitions again.
    fn resume(&self, partitions: &TopicPartitionList) -> KafkaResult<()>;

    /// Leaves offsets to the client, which commits them at its interval until the broker takes them.
    fn store_offsets(&self, offsets: &TopicPartitionList) -> KafkaResult<()>;

    /// Commits offsets, and waits for the broker, but not for one that is away.
    fn commit(&self, offsets: &TopicPartitionList) -> KafkaResult<()>;
}

/// librdkafka as a member of the group.
pub(super) struct LibrdkafkaClient {
    consumer: BaseConsumer<Callbacks>,
    /// What the group assigned, be it nothing, and librdkafka still waits for an answer to.
    unanswered: RefCell<Option<BTreeSet<Partition>>>,
}

impl LibrdkafkaClient {
    /// Makes the client, and joins the group.
    pub fn join(settings: &Settings, callbacks: Callbacks) -> Result<Self, ConsumerError> {
        let config = settings.consumer_config();
        let client = Self {
            consumer: config.create_with_context(callbacks).map_err(ConsumerError::Start)?,
            unanswered: RefCell::default(),
        };
        let topics: Vec<&str> = settings.topics.iter().map(AsRef::as_ref).collect();
        client.subscribe(&topics).map_err(ConsumerError::Start)?;
        Ok(client)
    }

    fn is_cooperative(&self) -> bool {
        matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative)
    }
}

impl Drop for LibrdkafkaClient {
    /// Closing a consumer waits until its partitions are given up; from here on the callbacks do that themselves.
    fn drop(&mut self) {
        self.consumer.context().closing.store(true, Ordering::Relaxed);
        let events = self.take_events();
        let unanswered = self.unanswered.take();
        if let Some(unanswered) = unanswered {
            let mut partitions = TopicPartitionList::new();
            for partition in &unanswered {
                partitions.add_partition(&partition.topic, partition.number);
            }
            if let Err(error) = self.assign(&partitions) {
                tracing::debug!(%error, "partitions not taken on closing");
            }
        }
        for event in events {
            if let ClientEvent::Revoked { partitions, .. } = event
                && let Err(error) = self.unassign(&partitions)
            {
                tracing::debug!(%error, "partitions not given up on closing");
            }
        }
    }
}

impl GroupClient for LibrdkafkaClient {
    type Record<'a> = BorrowedMessage<'a>;

    fn poll(&self, timeout: Duration) -> Option<KafkaResult<BorrowedMessage<'_>>> {
        self.consumer.poll(timeout)
    }

    fn take_events(&self) -> Vec<ClientEvent> {
        let events = self.consumer.context().take_events();
        for event in &events {
            if let ClientEvent::Assigned(partitions) = event {
                let mut unanswered = self.unanswered.borrow_mut();
                unanswered.get_or_insert_default().extend(names(partitions));
            }
        }
        events
    }

    fn subscribe(&self, topics: &[&str]) -> KafkaResult<()> {
        self.consumer.subscribe(topics)
    }

    fn unsubscribe(&self) {
        self.consumer.unsubscribe();
    }

    fn assign(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        let answered = names(partitions);
        self.unanswered.borrow_mut().take_if(|unanswered| {
            unanswered.retain(|partition| !answered.contains(partition));
            unanswered.is_empty()
        });
        if self.is_cooperative() {
            self.consumer.incremental_assign(partitions)
        } else {
            self.consumer.assign(partitions)
        }
    }

    fn restart(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        // librdkafka does not seek where it has stopped.
        self.consumer.incremental_unassign(partitions)?;
        self.consumer.incremental_assign(partitions)
    }

    fn unassign(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        if self.is_cooperative() {
            self.consumer.incremental_unassign(partitions)
        } else {
            self.consumer.unassign()
        }
    }

    fn pause(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.consumer.pause(partitions)
    }

    fn resume(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.consumer.resume(partitions)
    }

    fn store_offsets(&self, offsets: &TopicPartitionList) -> KafkaResult<()> {
        self.consumer.store_offsets(offsets)
    }

    fn commit(&self, offsets: &TopicPartitionList) -> KafkaResult<()> {
        recap_log::commit_within(&self.consumer, offsets, COMMIT_TIMEOUT)
    }
}
