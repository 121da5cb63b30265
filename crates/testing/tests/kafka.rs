//! The private Apache Kafka: topics, records, lag, restarts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
};
use recap_testing::{KafkaServer, Record, TestLog};

#[tokio::test]
async fn records_come_back_as_they_were_published() {
    let kafka = KafkaServer::shared().await.unwrap();
    let topic = TestLog::named(kafka, "round-trip").name("messages");
    kafka.topic(&topic, 3).await.unwrap();
    let sent: Vec<Record> = (0..100)
        .map(|n| Record::new(&topic, format!("key-{}", n % 7), format!("value-{n}")).header("ce_id", n.to_string()))
        .chain([Record {
            partition: Some(2),
            headers: vec![("empty".to_owned(), None)],
            topic: topic.clone(),
            ..Record::default()
        }])
        .collect();
    kafka.publish(&sent).await.unwrap();

    let received = kafka.read_all(&topic).await.unwrap();
    assert_eq!(received.len(), sent.len());
    for n in 0..100 {
        let id = n.to_string();
        let record = received
            .iter()
            .find(|record| record.header("ce_id") == Some(&id))
            .unwrap();
        assert_eq!(record.key, Some(format!("key-{}", n % 7).into_bytes()));
        assert_eq!(record.value, Some(format!("value-{n}").into_bytes()));
    }
    let bare = received.iter().find(|record| record.key.is_none()).unwrap();
    assert_eq!((bare.partition, &bare.value), (2, &None));
    assert_eq!(bare.headers, [("empty".to_owned(), None)]);
}

#[tokio::test]
async fn lag_counts_what_a_group_has_not_committed() {
    let kafka = KafkaServer::shared().await.unwrap();
    let log = TestLog::named(kafka, "lag");
    let (group, topic) = (log.group(), log.name("messages"));
    kafka.topic(&topic, 1).await.unwrap();
    let records: Vec<Record> = (0..10).map(|n| Record::keyless(&topic, vec![n]).partition(0)).collect();
    kafka.publish(&records).await.unwrap();
    assert_eq!(kafka.consumer_lag(group, &[&topic]).await.unwrap(), 10);

    let consumer: BaseConsumer = kafka.client().set("group.id", group).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&topic, 0, Offset::Offset(4)).unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    assert_eq!(kafka.consumer_lag(group, &[&topic]).await.unwrap(), 6);

    kafka.add_partitions(&topic, 3).await.unwrap();
    kafka
        .publish(&[Record::keyless(&topic, "more").partition(2)])
        .await
        .unwrap();
    assert_eq!(kafka.consumer_lag(group, &[&topic]).await.unwrap(), 7);
}

#[tokio::test]
async fn a_killed_broker_comes_back_with_its_records() {
    let kafka = KafkaServer::start().await.unwrap();
    kafka.topic("kept", 1).await.unwrap();
    kafka.publish(&[Record::keyless("kept", "1")]).await.unwrap();
    kafka.kill().await;
    kafka.start_again().await.unwrap();
    kafka.publish(&[Record::keyless("kept", "2")]).await.unwrap();
    kafka.stop().await;
    kafka.start_again().await.unwrap();
    let values: Vec<_> = kafka
        .read_all("kept")
        .await
        .unwrap()
        .into_iter()
        .map(|record| record.value.unwrap())
        .collect();
    assert_eq!(values, [b"1", b"2"]);
}
