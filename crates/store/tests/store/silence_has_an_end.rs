use std::time::{Duration, Instant};

use recap_store::{FlushError, Reader, Store, StoreOptions, Target};
use recap_testing::{PostgresServer, TcpProxy, TestDatabase, eventually};
use sqlx::AssertSqlSafe;

use crate::support::{batch, log};

const LIMIT: Duration = Duration::from_secs(30);

/// While every byte is held back no wait is for ever, and afterwards every connection there may be is one that works.
#[tokio::test]
async fn a_database_that_falls_silent_is_given_up_and_pools_are_whole_afterwards() {
    let server = PostgresServer::shared().await.unwrap();
    let database = TestDatabase::migrated(server).await;
    let proxy = TcpProxy::to(server.port()).await;
    let options = StoreOptions {
        max_connections: 2,
        acquire_timeout: Duration::from_secs(3),
        statement_timeout: Duration::from_secs(3),
        ..StoreOptions::new(proxy.in_url(&database.url, server.port()), "silent")
    };
    let (store, reader) = (Store::new(&options).unwrap(), Reader::new(&options).unwrap());
    let live = store.live_generation().await.unwrap();
    let (one, two) = tokio::join!(reader.snapshot("org"), reader.snapshot("org"));
    let mut snapshots = vec![one.unwrap(), two.unwrap()];
    store.flush(Target::Live(live), &mut batch(&log(1, 50))).await.unwrap();

    proxy.black_hole();
    let started = Instant::now();
    let mut unwritten = batch(&log(2, 50));
    let (flushed, asked, checked, held, finished) = tokio::join!(
        store.flush(Target::Live(live), &mut unwritten),
        store.live_generation(),
        reader.check_schema(),
        store.holdings(),
        snapshots.remove(0).finish(),
    );
    assert!(matches!(flushed, Err(FlushError::Unavailable(_))), "{flushed:?}");
    assert!(asked.is_err() && checked.is_err() && held.is_err() && finished.is_err());
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    drop(snapshots);

    proxy.heal_for_new_connections();
    let written = async || store.flush(Target::Live(live), &mut unwritten.clone()).await.is_ok();
    eventually("a flush", LIMIT, written, |written| *written).await;
    let whole = async || {
        let all = tokio::join!(reader.snapshot("a"), reader.snapshot("b"));
        (all.0.is_ok(), all.1.is_ok())
    };
    eventually("every connection of the pool", LIMIT, whole, |whole| {
        *whole == (true, true)
    })
    .await;
}

/// The same in the middle of a copy into a generation that is being built.
#[tokio::test]
async fn a_copy_that_nothing_answers_is_given_up() {
    let server = PostgresServer::shared().await.unwrap();
    let database = TestDatabase::migrated(server).await;
    let building = database.store.create_generation().await.unwrap();
    let proxy = TcpProxy::to(server.port()).await;
    let options = StoreOptions {
        statement_timeout: Duration::from_secs(5),
        ..StoreOptions::new(proxy.in_url(&database.url, server.port()), "silent")
    };
    let store = Store::new(&options).unwrap();
    let mut lock = database.pool.begin().await.unwrap();
    let table = format!("{}.conversation_summary", building.schema());
    sqlx::raw_sql(AssertSqlSafe(format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")))
        .execute(&mut *lock)
        .await
        .unwrap();

    let started = Instant::now();
    let mut unwritten = batch(&log(1, 50));
    let silence = async {
        let waiting = async || {
            sqlx::query_scalar::<_, i64>("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = $1::regclass")
                .bind(&table)
                .fetch_one(&database.pool)
                .await
                .unwrap()
        };
        eventually("the copy waits", LIMIT, waiting, |waiting| *waiting == 1).await;
        proxy.black_hole();
    };
    let (copied, ()) = tokio::join!(store.flush(Target::NewInBuilding(building), &mut unwritten), silence);
    assert!(
        matches!(&copied, Err(error @ FlushError::Unavailable(_)) if error.is_timeout()),
        "{copied:?}"
    );
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
}
