use std::{fs, time::Duration};

use recap_store::{DatabaseUrl, FlushError, Reader, Store, StoreOptions, Target};
use recap_testing::{PostgresServer, TestDatabase, eventually};

use crate::support::{batch, log};

const LIMIT: Duration = Duration::from_secs(30);

fn options(url: impl Into<DatabaseUrl>) -> StoreOptions {
    StoreOptions {
        acquire_timeout: Duration::from_secs(1),
        ..StoreOptions::new(url, "several")
    }
}

/// A dead host, a standby and a primary: flushes find the primary, and after a failover the other one, without a restart.
#[tokio::test]
async fn several_hosts_are_tried_until_one_is_as_wanted() {
    let primary = PostgresServer::start().await.unwrap();
    let database = TestDatabase::migrated(&primary).await;
    let standby = primary.standby().await.unwrap();
    let (path, hosts) = (
        database.url.rsplit_once('/').unwrap().1,
        format!("127.0.0.1:1,127.0.0.1:{},127.0.0.1:{}", standby.port(), primary.port()),
    );
    let user = database.url.split('@').next().unwrap();
    let url = |wanted: &str| format!("{user}@{hosts}/{path}&target_session_attrs={wanted}");
    let store = Store::new(&options(url("read-write"))).unwrap();
    let live = store.live_generation().await.unwrap();
    store.flush(Target::Live(live), &mut batch(&log(1, 50))).await.unwrap();
    primary.caught_up(&standby).await.unwrap();
    let reader = Reader::new(&options(url("standby"))).unwrap();
    reader.check_schema().await.unwrap();

    primary.stop_immediate().await;
    standby.promote().await.unwrap();
    let written = async || store.flush(Target::Live(live), &mut batch(&log(2, 50))).await.is_ok();
    eventually("a flush into the promoted standby", LIMIT, written, |written| *written).await;
}

/// The cause is named with its server, not that a pool timed out.
#[tokio::test]
async fn an_error_names_the_server_and_the_last_cause() {
    let server = &PostgresServer::start().await.unwrap();
    let database = TestDatabase::migrated(server).await;
    let at = format!("127.0.0.1:{}", server.port());
    let wrong = [
        (
            "postgres://recap:x@127.0.0.1:1/recap".to_owned(),
            "127.0.0.1:1: ",
            "refused",
        ),
        (
            format!("postgres://recap:wrong@{at}/postgres"),
            at.as_str(),
            "password authentication failed",
        ),
        (server.url("nowhere"), at.as_str(), "\"nowhere\" does not exist"),
        (
            format!("{}&target_session_attrs=standby", database.url),
            at.as_str(),
            "target_session_attrs",
        ),
    ];
    for (url, server, cause) in wrong {
        let store = Store::new(&options(url)).unwrap();
        let error = store.live_generation().await.unwrap_err().to_string();
        assert!(error.contains(server) && error.contains(cause), "{error}");
        assert!(!error.contains("wrong"), "{error}");
    }
    let one = StoreOptions {
        max_connections: 1,
        ..options(database.url.as_str())
    };
    let reader = Reader::new(&one).unwrap();
    let _snapshot = reader.snapshot("org").await.unwrap();
    let busy = reader.snapshot("org").await.err().unwrap().to_string();
    assert!(busy.contains("all 1 connections are in use"), "{busy}");
}

/// A password that is changed is read again from its file, by the same store.
#[tokio::test]
async fn a_password_that_was_changed_is_read_again() {
    let server = &PostgresServer::start().await.unwrap();
    let database = TestDatabase::migrated(server).await;
    let role = format!("rotated_{}", server.port());
    let set = async |password: &str| {
        let statement = format!(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN CREATE ROLE {role} SUPERUSER LOGIN; END IF; END $$; \
             ALTER ROLE {role} PASSWORD '{password}'; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&database.pool)
            .await
            .unwrap();
    };
    let dir = std::env::temp_dir().join(format!("recap-{role}"));
    fs::create_dir_all(&dir).unwrap();
    let file = dir.join("url");
    let (_, rest) = database.url.split_once('@').unwrap();
    let write = |password: &str| fs::write(&file, format!("postgres://{role}:{password}@{rest}\n")).unwrap();
    set("first").await;
    write("first");
    let url = DatabaseUrl::in_file(file.to_str().unwrap()).unwrap();
    let store = Store::new(&options_of(url)).unwrap();
    let live = store.live_generation().await.unwrap();
    store.flush(Target::Live(live), &mut batch(&log(1, 20))).await.unwrap();
    set("second").await;
    let refused = async || store.flush(Target::Live(live), &mut batch(&log(2, 20))).await;
    let refused = eventually("a refusal", LIMIT, refused, Result::is_err)
        .await
        .unwrap_err();
    assert!(matches!(refused, FlushError::Unavailable(_)), "{refused}");
    write("second");
    let written = async || store.flush(Target::Live(live), &mut batch(&log(2, 20))).await.is_ok();
    eventually("a flush with the new password", LIMIT, written, |written| *written).await;
    fs::remove_dir_all(&dir).unwrap();
}

fn options_of(url: DatabaseUrl) -> StoreOptions {
    StoreOptions {
        database_url: url,
        ..options("postgres://localhost/unused")
    }
}
