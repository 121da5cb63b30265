//! Records that are gone before they are read are counted; those of a topic that was deleted and created anew are read, all of them.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{collections::BTreeMap, time::Duration};

use recap_generator::{Config, Log, Record};
use recap_log::Topic;
use recap_testing::{KafkaServer, World, eventually};

use crate::PROJECTOR;

const LIMIT: Duration = Duration::from_mins(2);
const LOST: &str = "recap_projector_records_lost_total";
const ASSIGNED: &str = "recap_projector_partitions_assigned";

/// Messages alone.
fn messages(seed: u64, events: u64) -> Vec<Record> {
    let records = Log::new(Config::small(seed, events)).iter();
    records.filter(|record| record.topic == Topic::Messages).collect()
}

fn count(records: &[Record]) -> i64 {
    i64::try_from(records.len()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_retention_took_while_no_projector_ran_are_counted() {
    let world = World::builder("retention").partitions(1).build().await;
    let topic = world.log.name(Topic::Messages.name());
    let records = messages(1, 400);
    let third = records.len() / 3;
    let (first, second) = (count(&records[..third]), count(&records[..2 * third]));
    // The log is cut before there is a group.
    world.publish(&records[..third]).await;
    let kafka = world.log.kafka();
    kafka
        .delete_records(&topic, &BTreeMap::from([(0, first - 5)]))
        .await
        .unwrap();
    let mut projector = world.projector(PROJECTOR, &[]);
    world.caught_up(LIMIT).await;
    assert_eq!(projector.metric(LOST).await, Some(first - 5));
    assert_eq!(projector.stop().await, Some(0));

    world.publish(&records[third..2 * third]).await;
    kafka
        .delete_records(&topic, &BTreeMap::from([(0, second - 3)]))
        .await
        .unwrap();
    let mut projector = world.projector(PROJECTOR, &[]);
    world.caught_up(LIMIT).await;
    assert_eq!(projector.metric(LOST).await, Some(second - 3 - first));
    assert_eq!(projector.stop().await, Some(0));
    assert!(
        projector
            .output()
            .contains("records were gone from the log before they were read, at most")
    );

    // Said once.
    let mut projector = world.projector(PROJECTOR, &[]);
    world.publish(&records[2 * third..]).await;
    world.caught_up(LIMIT).await;
    assert_eq!(projector.metric(LOST).await, Some(0));
    assert_eq!(projector.stop().await, Some(0));
    let kept: Vec<Record> = records[third - 5..third]
        .iter()
        .chain(&records[2 * third - 3..])
        .cloned()
        .collect();
    world.database.assert_equals_fold(&kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_retention_takes_from_a_running_projector_are_counted() {
    let world = World::builder("overtaken").partitions(1).build().await;
    let topic = world.log.name(Topic::Messages.name());
    let records = messages(2, 400);
    let (third, all) = (records.len() / 3, records.len());
    let mut projector = world.projector(PROJECTOR, &["--session-timeout=45s"]);
    world.publish(&records[..third]).await;
    world.caught_up(LIMIT).await;
    projector.signal("STOP");
    // A fetch that waits at the broker is answered with the first record, and perhaps with nothing else.
    world.publish(&records[third..=third]).await;
    world.publish(&records[third + 1..all - 3]).await;
    let low = count(&records[..all - 3]);
    world
        .log
        .kafka()
        .delete_records(&topic, &BTreeMap::from([(0, low)]))
        .await
        .unwrap();
    projector.signal("CONT");
    projector.metric_becomes(LOST, |lost| lost > 0).await;
    world.publish(&records[all - 3..]).await;
    world.caught_up(LIMIT).await;
    let lost = usize::try_from(projector.metric(LOST).await.unwrap()).unwrap();
    assert_eq!(projector.stop().await, Some(0));
    let read: Vec<Record> = records[..all - 3 - lost]
        .iter()
        .chain(&records[all - 3..])
        .cloned()
        .collect();
    world.database.assert_equals_fold(&read).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_topic_created_anew_is_read() {
    for protocol in ["classic", "consumer"] {
        // Its leaders are elected anew, and their epochs are above those of the new topic.
        let kafka = KafkaServer::start().await.unwrap();
        let world = World::builder("recreated").partitions(2).kafka(&kafka).build().await;
        let topic = world.log.name(Topic::Messages.name());
        let records = messages(3, 3_000);
        let option = format!("--group-protocol={protocol}");
        let mut projector = world.projector(PROJECTOR, &[&option]);
        let quarter = records.len() / 4;
        world.publish(&records[..quarter]).await;
        world.caught_up(LIMIT).await;
        kafka.kill().await;
        kafka.start_again().await.unwrap();
        let eighth = quarter / 2;
        world.publish(&records[quarter..quarter + eighth]).await;
        world.caught_up(LIMIT).await;
        kafka.delete_topic(&topic).await.unwrap();
        kafka.topic(&topic, 2).await.unwrap();
        // More than the old topic had: its offsets are all in range.
        world.publish(&records[quarter + eighth..]).await;
        let rows = async || {
            let comparison = world.database.compare_with_fold(&records).await;
            comparison.missing.len() + comparison.wrong.len()
        };
        eventually("rows that differ from the fold", LIMIT, rows, |rows| *rows == 0).await;
        world.caught_up(LIMIT).await;
        assert_eq!(projector.metric(LOST).await, Some(0));
        assert_eq!(projector.stop().await, Some(0), "{protocol}");

        // Without a projector that watches: the ids beside the offsets tell.
        kafka.delete_topic(&topic).await.unwrap();
        kafka.topic(&topic, 2).await.unwrap();
        world.publish(&records).await;
        let more = messages(4, 3_000);
        world.publish(&more).await;
        let mut projector = world.projector(PROJECTOR, &[&option]);
        projector.metric_becomes(ASSIGNED, |partitions| partitions > 0).await;
        world.caught_up(LIMIT).await;
        assert_eq!(projector.stop().await, Some(0), "{protocol}");
        world.database.assert_equals_fold(&[records, more].concat()).await;
    }
}
