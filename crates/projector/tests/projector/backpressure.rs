//! A database that is away stops the intake, and nothing else.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::time::Duration;

use recap_generator::{Config, Log};
use recap_testing::{KafkaServer, PostgresServer};
use sqlx::Executor;

use crate::support::{Place, Process, eventually};

const LIMIT: Duration = Duration::from_mins(1);
const PAUSED: &str = "recap_projector_partitions_paused";

async fn becomes(projector: &Process, metric: &str, wanted: impl Fn(i64) -> bool) {
    let so = || async { projector.metric(metric).await.is_some_and(&wanted) };
    assert!(
        eventually(LIMIT, so).await,
        "{metric} is {:?}",
        projector.metric(metric).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_paused_in_their_group_while_nothing_can_be_written_and_resumed_after() {
    let kafka = KafkaServer::shared().await.unwrap();
    let postgres = PostgresServer::start().await.unwrap();
    let place = Place::new(kafka, "pause", postgres.create_database().await.unwrap(), 2).await;
    let records: Vec<_> = Log::new(Config::small(8, 30_000)).iter().collect();
    let mut projector = place.projector(&["--intake-bytes=1MiB", "--kafka-queue-bytes=1MiB"]);
    place.publish(&records[..2_000]).await;
    place.caught_up(LIMIT).await;
    assert_eq!(projector.metric(PAUSED).await, Some(0));

    postgres.stop_immediate().await;
    place.publish(&records[2_000..]).await;
    becomes(&projector, PAUSED, |paused| paused >= 12).await;
    let bytes = projector.metric("recap_projector_intake_size_bytes").await;
    assert!(bytes.is_some_and(|bytes| bytes < 2_097_152), "{bytes:?}");
    // Longer than the session timeout: it must go on polling to stay a member.
    let ended = tokio::time::timeout(Duration::from_secs(8), projector.ended(LIMIT)).await;
    assert!(ended.is_err(), "it ended");
    assert!(projector.metric(PAUSED).await >= Some(12));

    postgres.start_again().await.unwrap();
    place.caught_up(LIMIT).await;
    becomes(&projector, PAUSED, |paused| paused == 0).await;
    assert_eq!(projector.stop().await, Some(0));
    let output = projector.output();
    let revoked = output.matches("partitions revoked").count();
    assert_eq!(revoked, 1, "it lost its place in the group before it left");
    place
        .assert_equals_fold(&records, &postgres.create_database().await.unwrap())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_were_paused_when_they_went_are_read_when_they_come_back() {
    let (kafka, postgres) = (
        KafkaServer::shared().await.unwrap(),
        PostgresServer::shared().await.unwrap(),
    );
    let database = postgres.create_database().await.unwrap();
    let place = Place::new(kafka, "came", database, 2).await;
    let records: Vec<_> = Log::new(Config::small(11, 30_000)).iter().collect();
    let bounded = ["--intake-bytes=1MiB", "--kafka-queue-bytes=1MiB"];
    let mut stays = place.projector(&bounded);
    place.publish(&records[..1_000]).await;
    place.caught_up(LIMIT).await;

    let pool = place.pool().await;
    let mut lock = pool.begin().await.unwrap();
    lock.execute("LOCK TABLE recap_g1.conversation_summary").await.unwrap();
    place.publish(&records[1_000..25_000]).await;
    becomes(&stays, PAUSED, |paused| paused >= 12).await;
    let mut goes = place.projector(&bounded);
    becomes(&goes, "recap_projector_partitions_assigned", |count| count > 0).await;
    lock.rollback().await.unwrap();
    place.caught_up(LIMIT).await;
    becomes(&stays, PAUSED, |paused| paused == 0).await;

    assert_eq!(goes.stop().await, Some(0));
    place.publish(&records[25_000..]).await;
    place.caught_up(LIMIT).await;
    assert_eq!(stays.stop().await, Some(0));
    place
        .assert_equals_fold(&records, &postgres.create_database().await.unwrap())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_does_not_exist_is_told_until_it_does() {
    let (kafka, postgres) = (
        KafkaServer::shared().await.unwrap(),
        PostgresServer::shared().await.unwrap(),
    );
    let database = postgres.create_database().await.unwrap();
    let place = Place::new(kafka, "missing", database, 0).await;
    let mut projector = place.projector(&[]);
    becomes(&projector, "recap_projector_topics_missing", |missing| missing == 6).await;
    place.create_topics(1).await;
    let none = || async { projector.metric("recap_projector_topics_missing").await.is_none() };
    assert!(eventually(LIMIT, none).await, "topics are still missing");
    becomes(&projector, "recap_projector_partitions_unread", |unread| unread == 0).await;
    assert_eq!(projector.stop().await, Some(0));
}
