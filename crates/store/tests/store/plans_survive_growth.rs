use recap_generator::{Config, Log};
use recap_store::Target;
use sqlx::Executor as _;

use crate::support::{self, database};

/// Statements of a connection are planned once. Planned over tables that were vacuumed while empty, when every plan seems as good
/// as any other, they must still look rows up by key when there are many.
#[tokio::test]
async fn statements_planned_over_empty_tables_read_what_they_write_and_no_more() {
    let database = database().await;
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
    // Its sessions tell what they read when they end, if not before.
    store.close().await;
    let count = "SELECT relname::text, coalesce(seq_tup_read, 0), coalesce(idx_tup_fetch, 0), n_tup_ins + n_tup_upd + n_tup_del \
         FROM pg_stat_user_tables WHERE schemaname = $1 ORDER BY relname";
    let told = async || -> Vec<(String, i64, i64, i64)> {
        sqlx::query_as(count)
            .bind(generation.schema())
            .fetch_all(&database.pool)
            .await
            .unwrap()
    };
    let mut tables = told().await;
    for _ in 0..600 {
        let all = tables
            .iter()
            .any(|(table, .., writes)| table == "conversation_summary" && *writes >= written);
        if all {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        tables = told().await;
    }
    for (table, in_turn, by_key, writes) in tables {
        assert!(
            in_turn == 0,
            "{table}: {in_turn} rows read in turn for {writes} written"
        );
        assert!(
            by_key <= 2 * writes + 1_000,
            "{table}: {by_key} rows fetched for {writes} written"
        );
    }
}
