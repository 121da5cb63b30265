//! The private PostgreSQL: databases, crashes and what is left behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use recap_testing::PostgresServer;
use sqlx::{Connection, PgConnection, Row};

const POLL: Duration = Duration::from_millis(20);

async fn wait_until_gone(path: &Path) {
    let start = Instant::now();
    while path.exists() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{} is still there",
            path.display()
        );
        tokio::time::sleep(POLL).await;
    }
}

#[tokio::test]
async fn databases_of_the_shared_cluster_are_apart() {
    let server = PostgresServer::shared().await.unwrap();
    let one = server.create_database().await.unwrap();
    let two = server.create_database().await.unwrap();
    let mut in_one = PgConnection::connect(&one).await.unwrap();
    let mut in_two = PgConnection::connect(&two).await.unwrap();
    sqlx::raw_sql("CREATE TABLE only_here (id int)")
        .execute(&mut in_one)
        .await
        .unwrap();
    let found: Option<String> = sqlx::query("SELECT to_regclass('only_here')::text")
        .fetch_one(&mut in_two)
        .await
        .unwrap()
        .get(0);
    assert_eq!(found, None);
}

#[tokio::test]
async fn an_immediate_stop_keeps_what_was_committed() {
    let server = PostgresServer::start().await.unwrap();
    let url = server.create_database().await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")
        .execute(&mut connection)
        .await
        .unwrap();

    server.stop_immediate().await;
    assert!(PgConnection::connect(&url).await.is_err());
    assert!(server.pid().is_err());

    server.start_again().await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let kept: i32 = sqlx::query("SELECT id FROM kept")
        .fetch_one(&mut connection)
        .await
        .unwrap()
        .get(0);
    assert_eq!(kept, 7);
}

#[tokio::test]
async fn a_dropped_server_leaves_nothing() {
    let server = PostgresServer::start().await.unwrap();
    let process = format!("/proc/{}", server.pid().unwrap());
    let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
    let data: String = sqlx::query("SHOW data_directory")
        .fetch_one(&mut connection)
        .await
        .unwrap()
        .get(0);
    assert!(Path::new(&data).exists());
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
    wait_until_gone(Path::new(&process)).await;
    wait_until_gone(Path::new(&data)).await;
}
