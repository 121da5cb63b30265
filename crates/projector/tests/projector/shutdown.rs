//! How a projector ends tells an orchestrator what to do.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    net::TcpListener,
    process::Command,
    time::{Duration, Instant},
};

use recap_generator::{Config, Log, Record};
use recap_testing::{KafkaServer, PostgresServer};

use crate::support::{Place, Process, eventually};

const LIMIT: Duration = Duration::from_mins(1);

/// A projector that holds what it folded and cannot write it.
async fn stuck<'k>(test: &str, postgres: &PostgresServer) -> (Place<'k>, Process, Vec<Record>) {
    let kafka = KafkaServer::shared().await.unwrap();
    let place = Place::new(kafka, test, postgres.create_database().await.unwrap(), 1).await;
    let records: Vec<Record> = Log::new(Config::small(9, 3_000)).iter().collect();
    let projector = place.projector(&[]);
    place.publish(&records[..1_000]).await;
    place.caught_up(LIMIT).await;
    postgres.stop_immediate().await;
    place.publish(&records[1_000..]).await;
    let holds = || async {
        let bytes = projector.metric("recap_projector_states_dirty_bytes").await;
        bytes.is_some_and(|bytes| bytes > 0)
    };
    assert!(eventually(LIMIT, holds).await, "nothing was taken in");
    (place, projector, records)
}

async fn nothing_is_lost(place: &Place<'_>, postgres: &PostgresServer, records: &[Record]) {
    assert!(place.lag().await > 0, "offsets moved over what was not written");
    postgres.start_again().await.unwrap();
    let mut again = place.projector(&[]);
    place.caught_up(LIMIT).await;
    assert_eq!(again.stop().await, Some(0));
    place
        .assert_equals_fold(records, &postgres.create_database().await.unwrap())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_cannot_end_ends_at_its_deadline_with_a_code_of_its_own() {
    let postgres = PostgresServer::start().await.unwrap();
    let (place, mut projector, records) = stuck("drain", &postgres).await;
    let asked = Instant::now();
    assert_eq!(projector.stop().await, Some(4));
    assert!(asked.elapsed() >= Duration::from_secs(4), "it did not wait");
    nothing_is_lost(&place, &postgres, &records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let postgres = PostgresServer::start().await.unwrap();
    let (place, mut projector, records) = stuck("second", &postgres).await;
    projector.signal("TERM");
    let readyz = || async { projector.not_ready().await.is_some_and(|why| why.contains("stopping")) };
    assert!(eventually(LIMIT, readyz).await, "it does not stop");
    projector.signal("INT");
    assert_eq!(projector.ended(LIMIT).await.code(), Some(130));
    nothing_is_lost(&place, &postgres, &records).await;
}

#[test]
fn a_configuration_nobody_understands_and_an_address_in_use_have_their_codes() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
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
    let admin = format!("--admin-addr={}", taken.local_addr().unwrap());
    let (code, text) = run(&["--kafka-bootstrap-servers=127.0.0.1:1", &admin]);
    assert_eq!(code, Some(1));
    assert!(text.contains("RECAP_ADMIN_ADDR"), "{text}");
}
