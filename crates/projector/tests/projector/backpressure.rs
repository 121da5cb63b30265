//! A database that is away stops the intake, and nothing else.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::time::Duration;

use recap_generator::{Config, Log};
use recap_testing::{PostgresServer, World, eventually};
use sqlx::Executor;

use crate::PROJECTOR;

const LIMIT: Duration = Duration::from_mins(1);
const PAUSED: &str = "recap_projector_partitions_paused";

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_paused_in_their_group_while_nothing_can_be_written_and_resumed_after() {
    let postgres = PostgresServer::start().await.unwrap();
    let world = World::builder("pause").partitions(2).postgres(&postgres).build().await;
    let records: Vec<_> = Log::new(Config::small(8, 30_000)).iter().collect();
    let mut projector = world.projector(PROJECTOR, &["--intake-bytes=1MiB", "--kafka-queue-bytes=1MiB"]);
    world.publish(&records[..2_000]).await;
    world.caught_up(LIMIT).await;
    assert_eq!(projector.metric(PAUSED).await, Some(0));

    postgres.stop_immediate().await;
    world.publish(&records[2_000..]).await;
    projector.metric_becomes(PAUSED, |paused| paused >= 12).await;
    let bytes = projector.metric("recap_projector_intake_size_bytes").await;
    assert!(bytes.is_some_and(|bytes| bytes < 2_097_152), "{bytes:?}");
    // Longer than the session timeout: it must go on polling to stay a member.
    let ended = tokio::time::timeout(Duration::from_secs(8), projector.ended(LIMIT)).await;
    assert!(ended.is_err(), "it ended");
    assert!(projector.metric(PAUSED).await >= Some(12));

    postgres.start_again().await.unwrap();
    world.caught_up(LIMIT).await;
    projector.metric_becomes(PAUSED, |paused| paused == 0).await;
    assert_eq!(projector.stop().await, Some(0));
    let output = projector.output();
    let revoked = output.matches("partitions revoked").count();
    assert_eq!(revoked, 1, "it lost its membership before it left the group");
    world.database.assert_equals_fold(&records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_were_paused_when_they_went_are_read_when_they_come_back() {
    let world = World::builder("came").partitions(2).build().await;
    let records: Vec<_> = Log::new(Config::small(11, 30_000)).iter().collect();
    let bounded = ["--intake-bytes=1MiB", "--kafka-queue-bytes=1MiB"];
    let mut stays = world.projector(PROJECTOR, &bounded);
    world.publish(&records[..1_000]).await;
    world.caught_up(LIMIT).await;

    let mut lock = world.database.pool.begin().await.unwrap();
    lock.execute("LOCK TABLE recap_g1.conversation_summary").await.unwrap();
    world.publish(&records[1_000..25_000]).await;
    stays.metric_becomes(PAUSED, |paused| paused >= 12).await;
    let mut goes = world.projector(PROJECTOR, &bounded);
    goes.metric_becomes("recap_projector_partitions_assigned", |count| count > 0)
        .await;
    lock.rollback().await.unwrap();
    world.caught_up(LIMIT).await;
    stays.metric_becomes(PAUSED, |paused| paused == 0).await;

    assert_eq!(goes.stop().await, Some(0));
    world.publish(&records[25_000..]).await;
    world.caught_up(LIMIT).await;
    assert_eq!(stays.stop().await, Some(0));
    world.database.assert_equals_fold(&records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_does_not_exist_is_reported_until_it_does() {
    let world = World::builder("missing").partitions(0).build().await;
    let mut projector = world.projector(PROJECTOR, &[]);
    projector
        .metric_becomes("recap_projector_topics_missing", |missing| missing == 6)
        .await;
    world.create_topics(1).await;
    let missing = async || projector.metric("recap_projector_topics_missing").await;
    eventually("missing topics", LIMIT, missing, Option::is_none).await;
    projector
        .metric_becomes("recap_projector_partitions_unread", |unread| unread == 0)
        .await;
    assert_eq!(projector.stop().await, Some(0));
}
