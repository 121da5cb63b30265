//! Whatever ends or stops around it, the projector ends with the rows of the fold.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::time::Duration;

use recap_generator::{Config, Log};
use recap_testing::{KafkaOptions, KafkaServer, PostgresServer, TcpProxy, World, eventually};
use sqlx::AssertSqlSafe;

use crate::PROJECTOR;

const LIMIT: Duration = Duration::from_mins(2);
const ASSIGNED: &str = "recap_projector_partitions_assigned";

fn log(seed: u64, events: u64) -> Vec<recap_generator::Record> {
    let config = Config {
        in_flight: 500,
        ..Config::small(seed, events)
    };
    Log::new(config).iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_disorder_revisions_and_duplicates_ends_as_its_fold() {
    let world = World::builder("plain").partitions(3).build().await;
    let records = log(1, 5_000);
    let mut projector = world.projector(PROJECTOR, &[]);
    world.publish(&records).await;
    world.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    world.database.assert_equals_fold(&records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projector_killed_in_the_middle_of_100_000_events_and_started_again_writes_every_summary() {
    let world = World::builder("killed").partitions(3).build().await;
    let records = log(2, 100_000);
    world.publish(&records).await;
    let member = format!("--group-instance-id={}", world.log.group());
    let slow = [member.as_str(), "--flush-max-events=1000"];
    let mut killed = world.projector(PROJECTOR, &slow);
    let written = async || world.database.count("conversation_summary").await;
    eventually("rows written", LIMIT, written, |rows| *rows > 500).await;
    killed.kill().await;
    assert!(world.lag().await > 0, "killed too late to prove anything");
    let mut again = world.projector(PROJECTOR, &slow);
    world.caught_up(LIMIT).await;
    assert_eq!(again.stop().await, Some(0));
    world.database.assert_equals_fold(&records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_are_committed_only_after_the_rows_and_a_database_that_is_away_is_waited_for() {
    let postgres = PostgresServer::start().await.unwrap();
    let world = World::builder("away").partitions(2).postgres(&postgres).build().await;
    let records = log(3, 30_000);
    let mut projector = world.projector(PROJECTOR, &["--intake-bytes=2MiB", "--kafka-queue-bytes=2MiB"]);
    world.publish(&records[..5_000]).await;
    world.caught_up(LIMIT).await;
    postgres.stop_immediate().await;
    world.publish(&records[5_000..]).await;
    let lag = world.lag().await;
    assert_eq!(lag, 25_000, "an offset moved while nothing could be written");
    let before = projector.resident();
    tokio::time::timeout(Duration::from_secs(5), projector.ended(LIMIT))
        .await
        .unwrap_err();
    assert_eq!(world.lag().await, lag);
    assert!(
        projector.resident() < before + (64 << 20),
        "memory grows while the database is away"
    );
    postgres.start_again().await.unwrap();
    world.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    world.database.assert_equals_fold(&records).await;
}

/// Every connection falls silent for good, and only new ones work again.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_falls_silent_is_reported_and_rows_move_soon_after_it_can_be_reached() {
    let postgres = PostgresServer::shared().await.unwrap();
    let world = World::builder("silent").partitions(2).build().await;
    let proxy = TcpProxy::to(postgres.port()).await;
    let url = format!("--database-url={}", proxy.in_url(&world.database.url, postgres.port()));
    let records = log(8, 6_000);
    let mut projector = world.projector(PROJECTOR, &[&url]);
    world.publish(&records[..3_000]).await;
    world.caught_up(LIMIT).await;
    assert_eq!(projector.not_ready().await, None);
    proxy.black_hole();
    world.publish(&records[3_000..]).await;
    let reason = async || projector.not_ready().await.unwrap_or_default();
    eventually("a reason", Duration::from_secs(35), reason, |reason| {
        reason.starts_with("database: ")
    })
    .await;
    assert_eq!(
        world.lag().await,
        3_000,
        "an offset moved while nothing could be written"
    );
    proxy.heal_for_new_connections();
    world.caught_up(Duration::from_secs(30)).await;
    let reason = async || projector.not_ready().await;
    eventually("readiness", Duration::from_secs(5), reason, Option::is_none).await;
    assert_eq!(projector.stop().await, Some(0));
    world.database.assert_equals_fold(&records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_restarts_and_topics_that_come_late_are_waited_for() {
    let kafka = KafkaServer::start().await.unwrap();
    let world = World::builder("late").partitions(0).kafka(&kafka).build().await;
    let records = log(4, 9_000);
    let mut projector = world.projector(PROJECTOR, &[]);
    tokio::time::timeout(Duration::from_secs(2), projector.ended(LIMIT))
        .await
        .unwrap_err();
    world.create_topics(1).await;
    world.publish(&records[..3_000]).await;
    world.caught_up(LIMIT).await;
    kafka.kill().await;
    kafka.start_again().await.unwrap();
    world.publish(&records[3_000..6_000]).await;
    world.caught_up(LIMIT).await;
    for topic in world.log.topics() {
        kafka.add_partitions(&topic, 3).await.unwrap();
    }
    world.publish(&records[6_000..]).await;
    world.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    world.database.assert_equals_fold(&records).await;
}

/// Controllers that have not heard of the only broker for a while leave it out of the metadata, which librdkafka takes for the whole truth.
#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_stood_still_for_longer_than_their_session_are_read_again() {
    // The members that the forgetful clients were are given up soon.
    let sessions = [
        ("group.min.session.timeout.ms", "6000"),
        ("group.consumer.min.session.timeout.ms", "6000"),
        ("group.consumer.session.timeout.ms", "6000"),
        ("group.consumer.min.heartbeat.interval.ms", "1000"),
        ("group.consumer.heartbeat.interval.ms", "1000"),
    ];
    let options = KafkaOptions {
        settings: sessions.map(|(name, value)| (name.into(), value.into())).to_vec(),
        ..KafkaOptions::default()
    };
    let kafka = KafkaServer::start_with(options).await.unwrap();
    let world = World::builder("still").partitions(1).kafka(&kafka).build().await;
    let records = log(9, 6_000);
    let options = ["classic", "consumer"].map(|protocol| {
        let group = world.log.name(protocol);
        // Asked so often, brokers answer while they are left out.
        [
            format!("--group-protocol={protocol}"),
            format!("--consumer-group={group}"),
            "--topic-refresh=500ms".to_owned(),
            "--session-timeout=6s".to_owned(),
        ]
    });
    let [classic, consumer] = &options;
    let mut projectors =
        [classic, consumer].map(|flags| world.projector(PROJECTOR, &flags.each_ref().map(String::as_str)));
    world.publish(&records[..3_000]).await;
    for projector in &projectors {
        projector.metric_becomes(ASSIGNED, |partitions| partitions > 0).await;
    }
    for _ in 0..2 {
        kafka.signal("STOP").unwrap();
        tokio::time::sleep(Duration::from_secs(11)).await;
        kafka.signal("CONT").unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    kafka.forget_producer();
    world.publish(&records[3_000..]).await;
    for (projector, protocol) in projectors.iter_mut().zip(["classic", "consumer"]) {
        let lag = async || world.log.lag(&world.log.name(protocol)).await;
        eventually("lag", 2 * LIMIT, lag, |lag| lag.as_ref().is_ok_and(|lag| *lag == 0))
            .await
            .unwrap();
        assert_eq!(projector.stop().await, Some(0));
        let output = projector.output();
        println!(
            "{protocol}: forgotten {} times",
            output.matches("has forgotten every broker").count()
        );
    }
    world.database.assert_equals_fold(&records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_projectors_share_the_partitions_with_either_protocol_and_leave_in_order() {
    for protocol in ["classic", "consumer"] {
        let world = World::builder(protocol).partitions(4).build().await;
        let records = log(5, 20_000);
        let option = format!("--group-protocol={protocol}");
        let mut first = world.projector(PROJECTOR, &[&option]);
        world.publish(&records[..10_000]).await;
        let mut second = world.projector(PROJECTOR, &[&option]);
        world.publish(&records[10_000..15_000]).await;
        world.caught_up(LIMIT).await;
        assert_eq!(first.stop().await, Some(0));
        world.publish(&records[15_000..]).await;
        world.caught_up(LIMIT).await;
        assert_eq!(second.stop().await, Some(0));
        world.database.assert_equals_fold(&records).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn static_members_that_come_back_read_what_was_added_while_they_were_away() {
    for members in [1, 2] {
        let world = World::builder("added").partitions(1).build().await;
        let records = log(7, 6_000);
        let start = || -> Vec<_> {
            (0..members)
                .map(|member| world.projector(PROJECTOR, &[&format!("--group-instance-id={member}")]))
                .collect()
        };
        let projectors = start();
        for projector in &projectors {
            projector
                .metric_becomes("recap_projector_partitions_assigned", |count| count > 0)
                .await;
        }
        world.publish(&records[..2_000]).await;
        world.caught_up(LIMIT).await;
        for mut projector in projectors {
            assert_eq!(projector.stop().await, Some(0));
        }
        for topic in world.log.topics() {
            world.log.kafka().add_partitions(&topic, 3).await.unwrap();
        }
        let again = start();
        world.publish(&records[2_000..]).await;
        world.caught_up(LIMIT).await;
        for mut projector in again {
            assert_eq!(projector.stop().await, Some(0));
        }
        world.database.assert_equals_fold(&records).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_that_goes_live_meanwhile_gets_what_comes_after_the_switch() {
    let world = World::builder("switch").partitions(2).build().await;
    let records = log(6, 4_000);
    let mut projector = world.projector(PROJECTOR, &[]);
    world.publish(&records[..2_000]).await;
    world.caught_up(LIMIT).await;
    let store = &world.database.store;
    let old = store.live_generation().await.unwrap();
    let new = store.create_generation().await.unwrap();
    store.switch_generation(old, new, &[], &[]).await.unwrap();
    world.publish(&records[2_000..]).await;
    world.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    let sql = format!("SELECT count(*) FROM {}.conversation_summary", new.schema());
    let written: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(&world.database.pool)
        .await
        .unwrap();
    assert!(written > 0, "nothing was written to the new generation");
}
