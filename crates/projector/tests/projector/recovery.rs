//! Whatever ends or stops around it, the projector ends with the rows of the fold.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::time::Duration;

use recap_generator::{Config, Log};
use recap_testing::{KafkaServer, PostgresServer};
use sqlx::AssertSqlSafe;

use crate::support::{Place, eventually, store};

const LIMIT: Duration = Duration::from_mins(2);

fn log(seed: u64, events: u64) -> Vec<recap_generator::Record> {
    let config = Config {
        in_flight: 500,
        ..Config::small(seed, events)
    };
    Log::new(config).iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_disorder_revisions_and_duplicates_ends_as_its_fold() {
    let (kafka, postgres) = (
        KafkaServer::shared().await.unwrap(),
        PostgresServer::shared().await.unwrap(),
    );
    let place = Place::new(kafka, "plain", postgres.create_database().await.unwrap(), 3).await;
    let records = log(1, 5_000);
    let mut projector = place.projector(&[]);
    place.publish(&records).await;
    place.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    place
        .assert_equals_fold(&records, &postgres.create_database().await.unwrap())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_killed_in_the_middle_of_100_000_events_and_started_again_writes_every_summary() {
    let (kafka, postgres) = (
        KafkaServer::shared().await.unwrap(),
        PostgresServer::shared().await.unwrap(),
    );
    let place = Place::new(kafka, "killed", postgres.create_database().await.unwrap(), 3).await;
    let records = log(2, 100_000);
    place.publish(&records).await;
    let member = format!("--group-instance-id={}", place.log.group());
    let slow = [member.as_str(), "--flush-max-events=1000"];
    let mut killed = place.projector(&slow);
    let begun = || async { place.count("conversation_summary").await > 500 };
    assert!(eventually(LIMIT, begun).await, "nothing was written");
    killed.kill().await;
    assert!(place.lag().await > 0, "killed too late to prove anything");
    let mut again = place.projector(&slow);
    place.caught_up(LIMIT).await;
    assert_eq!(again.stop().await, Some(0));
    place
        .assert_equals_fold(&records, &postgres.create_database().await.unwrap())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_committed_only_after_the_rows_and_a_database_that_is_away_is_waited_for() {
    let kafka = KafkaServer::shared().await.unwrap();
    let postgres = PostgresServer::start().await.unwrap();
    let place = Place::new(kafka, "away", postgres.create_database().await.unwrap(), 2).await;
    let records = log(3, 30_000);
    let mut projector = place.projector(&["--intake-bytes=2MiB", "--kafka-queue-bytes=2MiB"]);
    place.publish(&records[..5_000]).await;
    place.caught_up(LIMIT).await;
    postgres.stop_immediate().await;
    place.publish(&records[5_000..]).await;
    let lag = place.lag().await;
    assert_eq!(lag, 25_000, "an offset moved while nothing could be written");
    let before = projector.resident();
    tokio::time::timeout(Duration::from_secs(5), projector.ended(LIMIT))
        .await
        .unwrap_err();
    assert_eq!(place.lag().await, lag);
    assert!(
        projector.resident() < before + (64 << 20),
        "memory grows while the database is away"
    );
    postgres.start_again().await.unwrap();
    place.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    place
        .assert_equals_fold(&records, &postgres.create_database().await.unwrap())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_restarts_and_topics_that_come_late_are_waited_for() {
    let (kafka, postgres) = (
        KafkaServer::start().await.unwrap(),
        PostgresServer::shared().await.unwrap(),
    );
    let place = Place::new(&kafka, "late", postgres.create_database().await.unwrap(), 0).await;
    let records = log(4, 9_000);
    let mut projector = place.projector(&[]);
    tokio::time::timeout(Duration::from_secs(2), projector.ended(LIMIT))
        .await
        .unwrap_err();
    place.create_topics(1).await;
    place.publish(&records[..3_000]).await;
    place.caught_up(LIMIT).await;
    kafka.kill().await;
    kafka.start_again().await.unwrap();
    place.publish(&records[3_000..6_000]).await;
    place.caught_up(LIMIT).await;
    for topic in place.log.topics() {
        kafka.add_partitions(&topic, 3).await.unwrap();
    }
    place.publish(&records[6_000..]).await;
    place.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    place
        .assert_equals_fold(&records, &postgres.create_database().await.unwrap())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_projectors_share_the_partitions_with_either_protocol_and_leave_in_order() {
    let (kafka, postgres) = (
        KafkaServer::shared().await.unwrap(),
        PostgresServer::shared().await.unwrap(),
    );
    for protocol in ["classic", "consumer"] {
        let place = Place::new(kafka, protocol, postgres.create_database().await.unwrap(), 4).await;
        let records = log(5, 20_000);
        let option = format!("--group-protocol={protocol}");
        let mut first = place.projector(&[&option]);
        place.publish(&records[..10_000]).await;
        let mut second = place.projector(&[&option]);
        place.publish(&records[10_000..15_000]).await;
        place.caught_up(LIMIT).await;
        assert_eq!(first.stop().await, Some(0));
        place.publish(&records[15_000..]).await;
        place.caught_up(LIMIT).await;
        assert_eq!(second.stop().await, Some(0));
        place
            .assert_equals_fold(&records, &postgres.create_database().await.unwrap())
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn static_members_that_come_back_read_what_was_added_while_they_were_away() {
    let (kafka, postgres) = (
        KafkaServer::shared().await.unwrap(),
        PostgresServer::shared().await.unwrap(),
    );
    for members in [1, 2] {
        let place = Place::new(kafka, "added", postgres.create_database().await.unwrap(), 1).await;
        let records = log(7, 6_000);
        let start = || -> Vec<_> {
            (0..members)
                .map(|member| place.projector(&[&format!("--group-instance-id={member}")]))
                .collect()
        };
        let projectors = start();
        for projector in &projectors {
            let ready = || async { projector.metric("recap_projector_partitions_assigned").await > Some(0) };
            assert!(eventually(LIMIT, ready).await, "a member got nothing");
        }
        place.publish(&records[..2_000]).await;
        place.caught_up(LIMIT).await;
        for mut projector in projectors {
            assert_eq!(projector.stop().await, Some(0));
        }
        for topic in place.log.topics() {
            kafka.add_partitions(&topic, 3).await.unwrap();
        }
        let again = start();
        place.publish(&records[2_000..]).await;
        place.caught_up(LIMIT).await;
        for mut projector in again {
            assert_eq!(projector.stop().await, Some(0));
        }
        place
            .assert_equals_fold(&records, &postgres.create_database().await.unwrap())
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_that_goes_live_meanwhile_gets_what_comes_after_the_switch() {
    let (kafka, postgres) = (
        KafkaServer::shared().await.unwrap(),
        PostgresServer::shared().await.unwrap(),
    );
    let place = Place::new(kafka, "switch", postgres.create_database().await.unwrap(), 2).await;
    let records = log(6, 4_000);
    let mut projector = place.projector(&[]);
    place.publish(&records[..2_000]).await;
    place.caught_up(LIMIT).await;
    let pool = place.pool().await;
    let store = store(&place.database_url);
    let old = store.live_generation().await.unwrap();
    let new = store.create_generation().await.unwrap();
    store.switch_generation(old, new, &[], &[]).await.unwrap();
    place.publish(&records[2_000..]).await;
    place.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    let sql = format!("SELECT count(*) FROM {}.conversation_summary", new.schema());
    let written: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&pool).await.unwrap();
    assert!(written > 0, "nothing was written to the new generation");
}
