use recap_generator::{Config, Log};
use recap_store::Target;
use recap_testing::{LIMIT, PostgresServer, TestDatabase, eventually};
use sqlx::Executor as _;

use crate::support;

/// Statements of a connection are planned once. Planned over tables that were vacuumed while empty, when every plan seems as good
/// as any other, they must still find rows by key when there are many. On a server of its own, which counts what is read from its tables: on a cluster no plan
/// is kept, and its coordinator has no rows.
#[tokio::test]
async fn statements_planned_over_empty_tables_read_what_they_write_and_no_more() {
    let server = PostgresServer::start().await.unwrap();
    let database = TestDatabase::migrated(&server).await;
    let generation = database.live().await;
    database.pool.execute("VACUUM ANALYZE").await.unwrap();
    let store = &database.store;
    let log = Config {
        users: 3_000,
        in_flight: 400,
        profile_share: 0.1,
        ..Config::small(21, 20_000)
    };
    let events: Vec<_> = Log::new(log).iter().map(|record| record.value).collect();
    let mut written = 0;
    for values in events.chunks(400) {
        let mut batch = support::batch(values);
        let report = store.flush(Target::Live(generation), &mut batch).await.unwrap();
        written += i64::try_from(report.written).unwrap();
    }
    assert!(written > 5_000, "{written} rows say nothing");
    // Its sessions report what they read when they end, if not before.
    store.close().await;
    let count = "SELECT relname::text, coalesce(seq_tup_read, 0), coalesce(idx_tup_fetch, 0), n_tup_ins + n_tup_upd + n_tup_del \
         FROM pg_stat_user_tables WHERE schemaname = $1 ORDER BY relname";
    let counted = async || -> Vec<(String, i64, i64, i64)> {
        sqlx::query_as(count)
            .bind(generation.schema())
            .fetch_all(&database.pool)
            .await
            .unwrap()
    };
    let all_reported = |tables: &Vec<(String, i64, i64, i64)>| {
        tables
            .iter()
            .any(|(table, .., writes)| table == "conversation_summary" && *writes >= written)
    };
    let tables = eventually("PostgreSQL's counts", LIMIT, counted, all_reported).await;
    for (table, sequentially, by_key, writes) in tables {
        assert!(
            sequentially == 0,
            "{table}: {sequentially} rows read by scans for {writes} written"
        );
        assert!(
            by_key <= 2 * writes + 1_000,
            "{table}: {by_key} rows fetched for {writes} written"
        );
    }
}
