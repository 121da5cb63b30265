//! A database that is back at an earlier state is filled again from the log, without an operator.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use recap_generator::{Config, Log, Record};
use recap_testing::{PostgresServer, TcpProxy, TestDatabase, WalArchive, World, eventually, postgres};

use crate::PROJECTOR;

const LIMIT: Duration = Duration::from_mins(2);
const REWOUND: &str = "recap_projector_records_rewound_total";
const LOST: &str = "recap_projector_records_lost_total";

fn log(seed: u64, events: u64) -> Vec<Record> {
    let config = Config {
        in_flight: 200,
        ..Config::small(seed, events)
    };
    Log::new(config).iter().collect()
}

async fn becomes_the_fold(database: &TestDatabase<'_>, records: &[Record]) {
    let differing = async || {
        let comparison = database.compare_with_fold(records).await;
        comparison.missing.len() + comparison.wrong.len()
    };
    eventually("rows that differ from the fold", LIMIT, differing, |rows| *rows == 0).await;
}

/// The standby is promoted while nothing is published any more, and while events come all the time.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_a_promoted_standby_lacks_are_read_again() {
    for busy in [false, true] {
        let primary = PostgresServer::start().await.unwrap();
        let world = World::builder("promoted")
            .partitions(2)
            .postgres(&primary)
            .build()
            .await;
        let proxy = TcpProxy::to(primary.port()).await;
        let url = format!("--database-url={}", proxy.in_url(&world.database.url, primary.port()));
        let mut projector = world.projector(PROJECTOR, &[&url]);
        let records = log(1, 9_000);
        world.publish(&records[..3_000]).await;
        world.caught_up(LIMIT).await;
        let standby = primary.standby().await.unwrap();
        primary.caught_up(&standby).await.unwrap();
        standby.stop_following().await.unwrap();
        world.publish(&records[3_000..6_000]).await;
        world.caught_up(LIMIT).await;
        if busy {
            world.publish(&records[6_000..7_000]).await;
        }
        primary.stop_immediate().await;
        standby.promote().await.unwrap();
        let promoted = TestDatabase::at(&standby, standby.url(name_of(&world.database))).await;
        proxy.lead_to(standby.port());
        if busy {
            world.publish(&records[7_000..]).await;
            becomes_the_fold(&promoted, &records).await;
        } else {
            becomes_the_fold(&promoted, &records[..6_000]).await;
            world.publish(&records[6_000..]).await;
            becomes_the_fold(&promoted, &records).await;
        }
        assert!(
            projector.metric(REWOUND).await > Some(0),
            "it did not say how far back it went"
        );
        assert_eq!(projector.metric(LOST).await, Some(0));
        assert_eq!(projector.not_ready().await, None);
        assert_eq!(projector.stop().await, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_after_a_dump_that_is_restored_into_a_new_database_are_read_again() {
    let world = World::builder("restored").partitions(2).build().await;
    let records = log(2, 6_000);
    let mut projector = world.projector(PROJECTOR, &[]);
    world.publish(&records[..2_000]).await;
    world.caught_up(LIMIT).await;
    let server = PostgresServer::shared().await.unwrap();
    let restored = server.create_database().await.unwrap();
    copy(&world.database.url, &restored);
    world.publish(&records[2_000..4_000]).await;
    world.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    let url = format!("--database-url={restored}");
    let database = TestDatabase::at(server, restored).await;
    let is_cluster = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')";
    if sqlx::query_scalar(is_cluster).fetch_one(&database.pool).await.unwrap() {
        // What is restored there is not distributed.
        database.store.migrate().await.unwrap();
    }
    let mut projector = world.projector(PROJECTOR, &[&url]);
    world.publish(&records[4_000..]).await;
    becomes_the_fold(&database, &records).await;
    assert!(
        projector.metric(REWOUND).await > Some(0),
        "it did not say how far back it went"
    );
    assert_eq!(projector.stop().await, Some(0));

    // In order again: nothing is read twice.
    let projector = world.projector(PROJECTOR, &[&url]);
    projector
        .metric_becomes("recap_projector_partitions_assigned", |partitions| partitions > 0)
        .await;
    assert_eq!(projector.metric(REWOUND).await, Some(0));
}

/// Recovered from a base backup and the archived log to a moment that a third of the rows are later than, while the group has committed all of them.
#[tokio::test(flavor = "multi_thread")]
async fn events_after_the_moment_that_a_server_is_recovered_to_are_read_again() {
    let archive = WalArchive::new().unwrap();
    let server = PostgresServer::start_with(archive.options()).await.unwrap();
    let world = World::builder("recovered")
        .partitions(2)
        .postgres(&server)
        .build()
        .await;
    let records = log(5, 9_000);
    let mut projector = world.projector(PROJECTOR, &[]);
    world.publish(&records[..2_000]).await;
    world.caught_up(LIMIT).await;
    let backup = server.base_backup().await.unwrap();
    world.publish(&records[2_000..4_000]).await;
    world.caught_up(LIMIT).await;
    let moment = server.now().await.unwrap();
    world.publish(&records[4_000..6_000]).await;
    world.caught_up(LIMIT).await;
    archive.holds_all_of(&server).await.unwrap();
    assert_eq!(projector.stop().await, Some(0));
    server.stop_immediate().await;

    let recovered = backup.recover(&archive, &moment).await.unwrap();
    let database = TestDatabase::at(&recovered, recovered.url(name_of(&world.database))).await;
    database.assert_equals_fold(&records[..4_000]).await;
    let url = format!("--database-url={}", database.url);
    let mut projector = world.projector(PROJECTOR, &[&url]);
    becomes_the_fold(&database, &records[..6_000]).await;
    world.publish(&records[6_000..]).await;
    becomes_the_fold(&database, &records).await;
    assert!(
        projector.metric(REWOUND).await > Some(0),
        "it did not say how far back it went"
    );
    assert_eq!(projector.metric(LOST).await, Some(0));
    assert_eq!(projector.not_ready().await, None);
    assert_eq!(projector.stop().await, Some(0));
}

/// A database that was just made holds nothing, whatever the group has committed.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_is_filled_from_the_log() {
    let world = World::builder("empty").partitions(2).build().await;
    let records = log(3, 2_000);
    world.publish(&records).await;
    let mut projector = world.projector(PROJECTOR, &[]);
    world.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    let other = TestDatabase::migrated(PostgresServer::shared().await.unwrap()).await;
    let url = format!("--database-url={}", other.url);
    let mut projector = world.projector(PROJECTOR, &[&url]);
    becomes_the_fold(&other, &records).await;
    assert_eq!(projector.stop().await, Some(0));
}

/// A database of a release that kept no offsets is taken as holding what the group has committed.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_an_older_release_is_not_read_again() {
    let world = World::builder("upgraded").partitions(2).build().await;
    let records = log(4, 2_000);
    world.publish(&records[..1_000]).await;
    let mut projector = world.projector(PROJECTOR, &[]);
    world.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    sqlx::raw_sql("TRUNCATE recap.projected_offset, recap.writer; UPDATE recap.live SET adopts_group_offsets = true")
        .execute(&world.database.pool)
        .await
        .unwrap();
    let mut projector = world.projector(PROJECTOR, &[]);
    world.publish(&records[1_000..]).await;
    world.caught_up(LIMIT).await;
    assert_eq!(projector.metric(REWOUND).await, Some(0));
    let consumed = projector.metric("messaging_client_consumed_messages_total").await;
    assert_eq!(consumed, Some(1_000), "what was read before was read again");
    assert_eq!(projector.stop().await, Some(0));
    world.database.assert_equals_fold(&records).await;
}

fn name_of<'u>(database: &'u TestDatabase<'_>) -> &'u str {
    let (_, name) = database.url.rsplit_once('/').unwrap();
    name.split('?').next().unwrap()
}

fn copy(from: &str, to: &str) {
    let mut dump = Command::new(postgres::program("pg_dump").unwrap())
        .arg(from)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let restored = Command::new(postgres::program("psql").unwrap())
        .args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", to])
        .stdin(dump.stdout.take().unwrap())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(restored.success() && dump.wait().unwrap().success());
}
