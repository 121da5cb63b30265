//! In which order a log is read, on a broker.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;

use rdkafka::Message as _;
use recap_log::{Log, LogReader, Order};
use recap_testing::{KafkaServer, Record, TestLog};

const PARTITIONS: i32 = 4;
const RECORDS: i64 = 50;

/// Broken off now and then, and with a partition that ends with an aborted transaction: each record comes once, and numbers one after the other.
#[tokio::test]
async fn by_number_is_every_record_once_and_one_number_after_the_other() {
    let kafka = KafkaServer::shared().await.unwrap();
    let names = TestLog::named(kafka, "by-number");
    let topics = ["one", "other"].map(|name| names.name(name));
    let mut records = Vec::new();
    for topic in &topics {
        kafka.topic(topic, PARTITIONS).await.unwrap();
        for partition in 0..PARTITIONS {
            let record = |n: i64| Record::keyless(topic, n.to_string()).partition(partition);
            records.extend((0..RECORDS).map(record));
        }
    }
    kafka.publish(&records).await.unwrap();
    let aborted = vec![Record::keyless(&topics[0], "aborted").partition(1)];
    kafka
        .publish_in_transaction(&names.name("producer"), aborted, false)
        .await
        .unwrap();

    let log = Log::new(kafka.cluster(), topics.clone(), "by-number");
    let read = tokio::task::spawn_blocking(move || {
        let mut reader = LogReader::open(&log).unwrap();
        let target = reader.lookup().ends().unwrap();
        let (mut read, mut done) = (Vec::new(), false);
        while !done {
            let order = Order::ByNumber { at_once: 1 };
            done = reader
                .read_to_in(order, &target, |partition, message| {
                    read.push((partition.number, partition.topic.to_string(), message.offset()));
                    if read.len() % 70 == 0 {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                })
                .unwrap();
        }
        assert_eq!(reader.position().missing(&target), 0);
        read
    });
    let mut read = read.await.unwrap();
    assert!(read.is_sorted_by_key(|(number, ..)| *number), "{read:?}");
    read.sort_unstable();
    let mut expected = Vec::new();
    for topic in topics {
        for partition in 0..PARTITIONS {
            expected.extend((0..RECORDS).map(|offset| (partition, topic.clone(), offset)));
        }
    }
    expected.sort_unstable();
    assert_eq!(read, expected);
}
