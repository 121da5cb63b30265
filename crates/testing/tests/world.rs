//! The foundation can fail: what differs is found and named.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{cell::Cell, time::Duration};

use recap_generator::{Config, Log, Record};
use recap_testing::{PostgresServer, TestDatabase, World, eventually, fold};
use sqlx::Executor;

fn records() -> Vec<Record> {
    Log::new(Config::small(1, 500)).iter().collect()
}

#[tokio::test]
async fn a_database_is_compared_with_the_fold_row_by_row() {
    let records = records();
    let database = TestDatabase::migrated(PostgresServer::shared().await.unwrap()).await;
    assert_eq!(database.count("conversation_summary").await, 0);
    let empty = database.compare_with_fold(&records).await;
    assert_eq!((empty.rows, empty.wrong.len()), (0, 0));
    assert!(empty.missing.iter().any(|row| row.table == "tool_call"));

    database.flush(&mut fold(&records)).await;
    let rows = database.assert_equals_fold(&records).await;
    assert_eq!(rows, empty.missing.len());

    let changed = "UPDATE recap_g1.conversation_summary SET total_tokens = total_tokens + 1 \
         WHERE (org_id, conversation_id) = (SELECT org_id, conversation_id FROM recap_g1.conversation_summary LIMIT 1)";
    let deleted = "DELETE FROM recap_g1.user_profile \
         WHERE (org_id, user_id) = (SELECT org_id, user_id FROM recap_g1.user_profile LIMIT 1)";
    for (statement, missing, wrong) in [(changed, 1, 1), (deleted, 2, 1)] {
        let done = database.pool.execute(statement).await.unwrap();
        assert_eq!(done.rows_affected(), 1);
        let comparison = database.compare_with_fold(&records).await;
        assert_eq!((comparison.missing.len(), comparison.wrong.len()), (missing, wrong));
        assert!(comparison.wrong.iter().all(|row| row.table == "conversation_summary"));
    }
}

#[tokio::test]
#[should_panic(expected = "rows are missing")]
async fn a_database_without_the_rows_is_not_the_fold() {
    let database = TestDatabase::migrated(PostgresServer::shared().await.unwrap()).await;
    database.assert_equals_fold(&records()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_of_a_test_replace_the_usual_ones() {
    let world = World::builder("flags").partitions(0).build().await;
    let flags = world.projector_flags(&["--session-timeout=9s", "--workers=1"]);
    let given = |name: &str| flags.iter().filter(|flag| flag.starts_with(name)).count();
    assert_eq!((given("--session-timeout="), given("--drain-timeout=")), (1, 1));
    assert!(flags.contains(&"--session-timeout=9s".to_owned()));
    assert!(flags.contains(&format!("--consumer-group={}", world.log.group())));
    assert_eq!(world.lag().await, 0);

    let other = World::builder("flags").partitions(0).build().await;
    assert_ne!(world.log.group(), other.log.group());
    assert_ne!(world.database.url, other.database.url);
}

#[tokio::test]
async fn what_becomes_true_is_awaited() {
    let asked = Cell::new(0);
    let ask = async || asked.replace(asked.get() + 1);
    assert_eq!(
        eventually("the third answer", Duration::from_mins(1), ask, |answer| *answer == 2).await,
        2
    );
    assert_eq!(asked.get(), 3);
}

#[tokio::test]
#[should_panic(expected = "the answer: not within 50ms, last seen: 7")]
async fn what_does_not_become_true_is_reported_with_what_was_seen() {
    eventually("the answer", Duration::from_millis(50), async || 7, |_| false).await;
}
