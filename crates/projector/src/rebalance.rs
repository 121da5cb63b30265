//! What librdkafka calls back inside `poll`: partitions come and go, statistics and errors arrive.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use rdkafka::{
    client::ClientContext,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance},
    error::KafkaError,
    statistics::Statistics,
    topic_partition_list::TopicPartitionList,
};
use recap_telemetry::{PartitionLag, ProjectorMetrics};

use crate::{
    Settings,
    clock::unix_millis,
    consumer::{error_name, lock},
    health::Health,
    router::Router,
};

pub(crate) struct Context {
    router: Arc<Mutex<Router>>,
    metrics: ProjectorMetrics,
    health: Arc<Health>,
    settings: Arc<Settings>,
}

impl Context {
    pub fn new(
        settings: &Arc<Settings>,
        router: &Arc<Mutex<Router>>,
        metrics: &ProjectorMetrics,
        health: &Arc<Health>,
    ) -> Self {
        Self {
            router: Arc::clone(router),
            metrics: metrics.clone(),
            health: Arc::clone(health),
            settings: Arc::clone(settings),
        }
    }

    /// Committing failed, as it may during a rebalance: the next commit carries these positions, or newer ones, again.
    pub fn commit_failed(&self, offsets: &TopicPartitionList, error: &KafkaError) {
        tracing::warn!(%error, "offsets not committed yet");
        let mut router = lock(&self.router);
        for partition in router.indexes(offsets) {
            router.offsets.commit_failed(partition);
        }
    }

    /// Gives everything of these partitions time to become durable, commits, and forgets them.
    fn revoke(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let gone = consumer.assignment_lost();
        let mut router = lock(&self.router);
        let partitions = router.indexes(list);
        // Partitions that were lost belong to another member by now; waiting would only delay coming back.
        let drained = !gone && router.drain(&partitions, Instant::now() + self.settings.drain_timeout);
        let to_commit = if gone {
            TopicPartitionList::new()
        } else {
            router.positions_of(&partitions)
        };
        drop(router);
        if to_commit.count() > 0
            && let Err(error) = consumer.commit(&to_commit, CommitMode::Sync)
        {
            self.commit_failed(&to_commit, &error);
        }
        // librdkafka keeps a partition paused until it is resumed, whoever had it meanwhile: one that comes back would never be read.
        if let Err(error) = consumer.resume(list) {
            tracing::warn!(%error, "revoked partitions not resumed");
        }
        let mut router = lock(&self.router);
        for &partition in &partitions {
            router.offsets.revoke(partition);
            router.produced.remove(&partition);
            let (topic, number) = router.name(partition);
            self.metrics.lags.remove(topic, number);
        }
        self.health.assigned(router.offsets.assigned().count());
        tracing::info!(partitions = list.count(), lost = gone, drained, "partitions revoked");
    }
}

impl ClientContext for Context {
    fn stats(&self, statistics: Statistics) {
        let router = lock(&self.router);
        for index in router.offsets.assigned() {
            let (topic, number) = router.name(index);
            let Some(partition) = statistics
                .topics
                .get(&**topic)
                .and_then(|topic| topic.partitions.get(&number))
                .filter(|partition| partition.hi_offset >= 0)
            else {
                continue;
            };
            let committed = router
                .offsets
                .position(index)
                .unwrap_or(partition.committed_offset.max(partition.lo_offset).max(0));
            let records = (partition.hi_offset - committed).max(0);
            let behind = router.produced.get(&index).filter(|_| records > 0);
            let milliseconds = behind.map_or(0, |produced| (unix_millis() - produced).max(0));
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of lag are far below 2^52")]
            let seconds = milliseconds as f64 / 1_000.0;
            let lag = PartitionLag {
                records,
                seconds,
                committed_offset: committed,
            };
            self.metrics.lags.set(topic, number, lag);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            self.metrics.kafka_error(error_name(code));
        }
        // librdkafka logs it too, and less often.
        tracing::debug!(%error, reason, "Kafka client");
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                let mut router = lock(&self.router);
                router.assign(list);
                self.health.assigned(router.offsets.assigned().count());
                tracing::info!(partitions = list.count(), "partitions assigned");
            }
            Rebalance::Revoke(list) => self.revoke(consumer, list),
            Rebalance::Error(error) => tracing::warn!(%error, "rebalance failed"),
        }
    }
}
