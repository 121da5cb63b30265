//! How a projector ends tells an orchestrator what to do.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    net::TcpListener,
    process::Command,
    time::{Duration, Instant},
};

use recap_generator::{Config, Log, Record};
use recap_testing::{KafkaServer, PostgresServer, Program, World, eventually};

use crate::PROJECTOR;

const LIMIT: Duration = Duration::from_mins(1);

/// A projector that holds what it folded and cannot write it.
async fn stuck<'s>(
    test: &str,
    postgres: &'s PostgresServer,
    kafka: Option<&'s KafkaServer>,
) -> (World<'s>, Program, Vec<Record>) {
    let mut world = World::builder(test).partitions(1).postgres(postgres);
    if let Some(kafka) = kafka {
        world = world.kafka(kafka);
    }
    let world = world.build().await;
    let records: Vec<Record> = Log::new(Config::small(9, 3_000)).iter().collect();
    let projector = world.projector(PROJECTOR, &[]);
    world.publish(&records[..1_000]).await;
    world.caught_up(LIMIT).await;
    postgres.stop_immediate().await;
    world.publish(&records[1_000..]).await;
    projector
        .metric_becomes("recap_projector_states_dirty_bytes", |bytes| bytes > 0)
        .await;
    (world, projector, records)
}

async fn nothing_is_lost(world: &World<'_>, postgres: &PostgresServer, records: &[Record]) {
    assert!(world.lag().await > 0, "offsets moved over what was not written");
    postgres.start_again().await.unwrap();
    let mut again = world.projector(PROJECTOR, &[]);
    world.caught_up(LIMIT).await;
    assert_eq!(again.stop().await, Some(0));
    world.database.assert_equals_fold(records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_cannot_end_ends_at_its_deadline_with_a_code_of_its_own() {
    let postgres = PostgresServer::start().await.unwrap();
    let (world, mut projector, records) = stuck("drain", &postgres, None).await;
    let asked = Instant::now();
    assert_eq!(projector.stop().await, Some(4));
    assert!(asked.elapsed() >= Duration::from_secs(4), "it did not wait");
    nothing_is_lost(&world, &postgres, &records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_though_everything_is_away() {
    let kafka = KafkaServer::start().await.unwrap();
    let postgres = PostgresServer::start().await.unwrap();
    let (_world, mut projector, _) = stuck("away", &postgres, Some(&kafka)).await;
    // Stopped in good order it has given up the group, and nobody is there to take it.
    kafka.stop().await;
    // What can be committed is committed before the group is left, but a broker that is away is not waited for.
    assert_eq!(projector.stop().await, Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let postgres = PostgresServer::start().await.unwrap();
    let (world, mut projector, records) = stuck("second", &postgres, None).await;
    projector.signal("TERM");
    let stopping = |why: &Option<String>| why.as_ref().is_some_and(|why| why.contains("stopping"));
    eventually("/readyz", LIMIT, async || projector.not_ready().await, stopping).await;
    projector.signal("INT");
    assert_eq!(projector.ended(LIMIT).await.code(), Some(130));
    nothing_is_lost(&world, &postgres, &records).await;
}

#[test]
fn a_configuration_nobody_understands_and_an_address_in_use_have_their_codes() {
    let in_use = TcpListener::bind("127.0.0.1:0").unwrap();
    let run = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_recap-projector"))
            .args(["--database-url=postgres://localhost/recap", "--log=warn"])
            .args(more)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let (code, text) = run(&["--drain-timeout=1h"]);
    assert_eq!(code, Some(2));
    for name in ["KAFKA_BOOTSTRAP_SERVERS", "RECAP_DRAIN_TIMEOUT"] {
        assert!(text.contains(name), "{name} is not in {text}");
    }
    let admin = format!("--admin-addr={}", in_use.local_addr().unwrap());
    let (code, text) = run(&["--kafka-bootstrap-servers=127.0.0.1:1", &admin]);
    assert_eq!(code, Some(1));
    assert!(text.contains("RECAP_ADMIN_ADDR"), "{text}");
}
