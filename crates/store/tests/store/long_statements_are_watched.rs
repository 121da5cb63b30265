use std::time::{Duration, Instant};

use recap_store::{Store, StoreOptions};
use recap_testing::{PostgresServer, TcpProxy, TestDatabase, eventually};
use sqlx::{Postgres, Transaction};

/// Three looks, each of which may wait for its connection.
const LIMIT: Duration = Duration::from_secs(45);
/// Longer than the silence that is put up with.
const LONG: Duration = Duration::from_secs(22);

/// A database in which a generation cannot be created, as while a flush goes on for ever.
struct Blocked {
    database: TestDatabase<'static>,
    flush: Transaction<'static, Postgres>,
    proxy: TcpProxy,
    /// Through the proxy.
    store: Store,
}

impl Blocked {
    async fn new() -> Self {
        let server = PostgresServer::shared().await.unwrap();
        let database = TestDatabase::migrated(server).await;
        let mut flush = database.pool.begin().await.unwrap();
        sqlx::raw_sql("SELECT pg_advisory_xact_lock_shared(x'726563617067656e'::bigint)")
            .execute(&mut *flush)
            .await
            .unwrap();
        let proxy = TcpProxy::to(server.port()).await;
        let url = proxy.in_url(&database.url, server.port());
        let store = Store::new(&StoreOptions::new(url, "watched")).unwrap();
        Self {
            database,
            flush,
            proxy,
            store,
        }
    }
}

async fn is_waited_for(database: &TestDatabase<'_>) {
    let waiting = async || {
        sqlx::query_scalar::<_, i64>(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
             WHERE NOT granted AND locktype = 'advisory' AND datname = current_database()",
        )
        .fetch_one(&database.pool)
        .await
        .unwrap()
    };
    eventually("the wait for the flush", LIMIT, waiting, |waiting| *waiting == 1).await;
}

#[tokio::test]
async fn a_statement_may_take_long_but_not_without_an_answer() {
    let goes_on = async {
        let Blocked {
            database,
            flush,
            proxy: _proxy,
            store,
        } = Blocked::new().await;
        let flushing = async {
            is_waited_for(&database).await;
            tokio::time::sleep(LONG).await;
            flush.rollback().await.unwrap();
        };
        let (created, ()) = tokio::join!(store.create_generation(), flushing);
        created.unwrap();
    };
    let nothing_answers = async {
        let Blocked {
            database,
            flush: _flush,
            proxy,
            store,
        } = Blocked::new().await;
        let silence = async {
            is_waited_for(&database).await;
            proxy.black_hole();
        };
        let (created, ()) = tokio::join!(unanswered(&store), silence);
        assert!(created < LIMIT, "{created:?}");
    };
    let answer_is_lost = async {
        let Blocked {
            database,
            flush,
            proxy,
            store,
        } = Blocked::new().await;
        let losing = async {
            is_waited_for(&database).await;
            proxy.black_hole();
            flush.rollback().await.unwrap();
            proxy.heal_for_new_connections();
        };
        let (created, ()) = tokio::join!(unanswered(&store), losing);
        assert!(created < LIMIT, "{created:?}");
        // The server ends the session that nobody hears, and with it the lock.
        let again = tokio::time::timeout(LIMIT, store.create_generation());
        again.await.unwrap().unwrap();
    };
    tokio::join!(goes_on, nothing_answers, answer_is_lost);
}

/// How long it takes until that is said.
async fn unanswered(store: &Store) -> Duration {
    let started = Instant::now();
    let error = store.create_generation().await.unwrap_err().to_string();
    assert!(error.contains("no answer within"), "{error}");
    started.elapsed()
}
