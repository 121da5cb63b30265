use std::time::Duration;

use recap_store::{ChangeListener, DatabaseUrl, Reader, SchemaError, Store, StoreOptions, Target};
use recap_testing::{Pooler, PostgresServer, TestDatabase};

use crate::support::{batch, log};

/// In session mode everything works, without a setting of the pooler, and settings are in force.
#[tokio::test]
async fn a_pooler_in_session_mode_is_as_good_as_the_server() {
    let server = &PostgresServer::start().await.unwrap();
    let database = TestDatabase::empty(server).await;
    let pooler = Pooler::start(server, "session").await.unwrap();
    let url = pooler.in_url(&database.url, server);
    let options = StoreOptions {
        statement_timeout: Duration::from_millis(700),
        ..StoreOptions::new(url.as_str(), "pooled")
    };
    let (store, reader) = (Store::new(&options).unwrap(), Reader::new(&options).unwrap());
    store.migrate().await.unwrap();
    store.check_schema().await.unwrap();
    reader.check_schema().await.unwrap();
    let live = store.live_generation().await.unwrap();
    for seed in 0..5 {
        store
            .flush(Target::Live(live), &mut batch(&log(seed, 200)))
            .await
            .unwrap();
    }
    reader.snapshot("org_1").await.unwrap().finish().await.unwrap();
    let _listener = ChangeListener::connect(&DatabaseUrl::from(url)).await.unwrap();

    // The statement timeout came through: a flush does not wait for a lock longer.
    let mut blocker = database.pool.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE recap.writer IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *blocker)
        .await
        .unwrap();
    let started = std::time::Instant::now();
    let flushed = store.flush(Target::Live(live), &mut batch(&log(9, 20))).await;
    assert!(flushed.unwrap_err().is_timeout());
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

/// In transaction mode it is refused at the start, in one sentence.
#[tokio::test]
async fn a_pooler_in_transaction_mode_is_refused() {
    let server = PostgresServer::shared().await.unwrap();
    let database = TestDatabase::migrated(server).await;
    let pooler = Pooler::start(server, "transaction").await.unwrap();
    let options = StoreOptions::new(pooler.in_url(&database.url, server), "pooled");
    let (store, reader) = (Store::new(&options).unwrap(), Reader::new(&options).unwrap());
    for refused in [
        store.check_schema().await,
        reader.check_schema().await,
        store.migrate().await,
    ] {
        assert!(matches!(refused, Err(SchemaError::NoSessions)), "{refused:?}");
    }
}
