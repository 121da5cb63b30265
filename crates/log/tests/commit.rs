//! A commit is waited for no longer than its caller wants to.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::time::{Duration, Instant};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::BaseConsumer,
    error::{KafkaError, RDKafkaErrorCode},
};
use recap_log::commit_within;

#[test]
fn without_a_broker_it_ends_in_time() {
    let mut config = ClientConfig::new();
    // Nobody listens there, so nobody coordinates the group.
    config.set("bootstrap.servers", "127.0.0.1:1").set("group.id", "commit");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("topic", 0, Offset::Offset(7)).unwrap();
    let asked = Instant::now();
    let committed = commit_within(&consumer, &offsets, Duration::from_millis(500));
    let timed_out = KafkaError::ConsumerCommit(RDKafkaErrorCode::OperationTimedOut);
    let took = asked.elapsed();
    // Closing it would wait for the session's timeout; it ends with the process.
    std::mem::forget(consumer);
    assert_eq!(committed, Err(timed_out));
    assert!(took < Duration::from_secs(10), "{took:?}");
}
