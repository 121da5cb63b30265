//! Brokers that are away have not said that topics have no ids.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use recap_log::{Cluster, Log, OffsetLookup};

#[test]
fn without_a_broker_the_ids_of_topics_are_unknown() {
    // Nobody listens there.
    let log = Log::new(Cluster::at("127.0.0.1:1"), ["topic"], "ids");
    let ids = OffsetLookup::open(&log).unwrap().topic_ids(&log.topics);
    assert!(ids.is_err(), "{ids:?}");
}
