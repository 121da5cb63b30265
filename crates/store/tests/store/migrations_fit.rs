use rand::{SeedableRng as _, rngs::StdRng};
use recap_store::{Batch, ConversationKey, Entry, Filter, GenerationId, Include, SchemaError, Sort, Target};
use recap_testing::{LIMIT, PostgresServer, TestDatabase, eventually};

use crate::support::{database, known::conversations};

/// Services check and never migrate; migrating twice, or twice at once, is migrating once.
#[tokio::test]
async fn migrating_is_idempotent_and_checked() {
    let database = TestDatabase::empty(PostgresServer::shared().await.unwrap()).await;
    let (pool, store) = (&database.pool, &database.store);
    assert!(matches!(store.check_schema().await, Err(SchemaError::NotMigrated)));
    let (one, two) = tokio::join!(store.migrate(), store.migrate());
    one.unwrap();
    two.unwrap();
    store.migrate().await.unwrap();
    store.check_schema().await.unwrap();
    database.reader().check_schema().await.unwrap();
    assert_eq!(database.live().await.number(), 1);

    sqlx::query("UPDATE recap.generation SET layout = 99")
        .execute(pool)
        .await
        .unwrap();
    assert!(matches!(
        store.check_schema().await,
        Err(SchemaError::Layout { layout: 99, .. })
    ));
    sqlx::query("UPDATE recap.generation SET layout = 2")
        .execute(pool)
        .await
        .unwrap();
    sqlx::query("INSERT INTO recap.migration SELECT 9999, description, installed_on, success, checksum, execution_time FROM recap.migration WHERE version = 1")
        .execute(pool)
        .await
        .unwrap();
    assert!(matches!(
        store.check_schema().await,
        Err(SchemaError::Ahead { applied: 9999, .. })
    ));
    sqlx::query("DELETE FROM recap.migration WHERE version = 9999")
        .execute(pool)
        .await
        .unwrap();
    sqlx::query("UPDATE recap.schema_migration SET checksum = '\\x00' WHERE version = 1")
        .execute(pool)
        .await
        .unwrap();
    assert!(matches!(store.check_schema().await, Err(SchemaError::Changed(1))));
    sqlx::query("DELETE FROM recap.schema_migration")
        .execute(pool)
        .await
        .unwrap();
    assert!(matches!(
        store.check_schema().await,
        Err(SchemaError::Behind { applied: 0, .. })
    ));
}

/// A page has room for a row's next version where rows are written, and none where finished ones are copied.
#[tokio::test]
async fn pages_have_room_once_a_generation_has_its_indexes() {
    let database = database().await;
    let building = database.store.create_generation().await.unwrap();
    let options = async |id: GenerationId| -> Option<Vec<String>> {
        let options = "SELECT reloptions FROM pg_class WHERE oid = ($1 || '.conversation_summary')::regclass";
        sqlx::query_scalar(options)
            .bind(id.schema())
            .fetch_one(&database.pool)
            .await
            .unwrap()
    };
    let room = || String::from("fillfactor=75");
    assert!(options(database.live().await).await.unwrap().contains(&room()));
    assert!(!options(building).await.unwrap_or_default().contains(&room()));
    database.store.create_indexes(building).await.unwrap();
    assert!(options(building).await.unwrap().contains(&room()));
}

/// What a first attempt took before it failed and was rolled back is a number of the sequence, and that is all that it took.
#[tokio::test]
async fn the_first_generation_is_number_one_whatever_failed_before() {
    let database = TestDatabase::migrated(PostgresServer::shared().await.unwrap()).await;
    sqlx::raw_sql("DELETE FROM recap.live; DELETE FROM recap.generation; DROP SCHEMA recap_g1 CASCADE")
        .execute(&database.pool)
        .await
        .unwrap();
    database.store.migrate().await.unwrap();
    database.store.check_schema().await.unwrap();
    assert_eq!(database.live().await.number(), 1);
    assert_eq!(database.store.create_generation().await.unwrap().number(), 2);
}

/// Roles are the server's and not a database's: on one that has none yet, several databases are migrated at once, each by several.
#[tokio::test(flavor = "multi_thread")]
async fn databases_of_one_server_are_migrated_at_once() {
    let server = PostgresServer::start().await.unwrap();
    let mut databases = Vec::new();
    for _ in 0..6 {
        databases.push(TestDatabase::empty(&server).await);
    }
    let migrations = databases.iter().flat_map(|database| {
        (0..3).map(|_| {
            let store = database.another_store();
            tokio::spawn(async move { store.migrate().await })
        })
    });
    for migration in migrations.collect::<Vec<_>>() {
        migration.await.unwrap().unwrap();
    }
    for database in &databases {
        database.store.check_schema().await.unwrap();
        database.reader().check_schema().await.unwrap();
    }
}

/// PostgreSQL refuses a grant for which somebody else's on the same table had to be awaited ("tuple concurrently updated"): the migration goes on.
#[tokio::test]
async fn a_grant_of_somebody_else_stops_no_migration() {
    let database = TestDatabase::migrated(PostgresServer::shared().await.unwrap()).await;
    let mut other = database.pool.begin().await.unwrap();
    sqlx::raw_sql("GRANT SELECT ON recap.writer TO recap_projector")
        .execute(&mut *other)
        .await
        .unwrap();
    let store = database.another_store();
    let migrating = tokio::spawn(async move { store.migrate().await });
    let waiting = async || -> i64 {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'transactionid'";
        sqlx::query_scalar(waiting).fetch_one(&database.pool).await.unwrap()
    };
    eventually("waiting for the grant", LIMIT, waiting, |waiting| *waiting > 0).await;
    other.commit().await.unwrap();
    migrating.await.unwrap().unwrap();
    database.store.check_schema().await.unwrap();
}

/// What release 0.1.0 looks at: it refuses a migration there that it does not know. Migrations that it can live with are listed elsewhere, and so
/// are those of releases to come.
#[tokio::test]
async fn an_older_release_sees_no_migration_that_it_can_live_with() {
    let database = TestDatabase::migrated(PostgresServer::shared().await.unwrap()).await;
    let versions = async |table: &str| -> Vec<i64> {
        let statement = format!("SELECT version FROM recap.{table} WHERE success ORDER BY version");
        let versions = sqlx::query_scalar(sqlx::AssertSqlSafe(statement));
        versions.fetch_all(&database.pool).await.unwrap()
    };
    assert_eq!(versions("migration").await, [1]);
    assert_eq!(versions("schema_migration").await, [1, 2, 3, 4, 5]);
    sqlx::query("INSERT INTO recap.schema_migration SELECT 9999, description, installed_on, success, checksum, execution_time FROM recap.migration")
        .execute(&database.pool)
        .await
        .unwrap();
    database.store.check_schema().await.unwrap();
    database.reader().check_schema().await.unwrap();
}

/// A database as release 0.1.0 leaves it is brought up to date, and keeps what it holds.
#[tokio::test]
async fn a_database_of_the_first_release_is_brought_up_to_date() {
    let database = TestDatabase::migrated(PostgresServer::shared().await.unwrap()).await;
    let (pool, store) = (&database.pool, &database.store);
    sqlx::raw_sql(
        "DROP TABLE recap.rebuild_share, recap.schema_migration, recap.projected_offset, recap.writer; ALTER TABLE recap.live DROP COLUMN adopts_group_offsets; \
         ALTER TABLE recap.generation DROP COLUMN mappings; ALTER TABLE recap.generation_offset DROP COLUMN topic_id, DROP COLUMN gone",
    )
    .execute(pool)
    .await
    .unwrap();
    assert!(matches!(
        store.check_schema().await,
        Err(SchemaError::Behind { applied: 1, .. })
    ));
    store.migrate().await.unwrap();
    store.check_schema().await.unwrap();
    assert!(store.holdings().await.unwrap().adopts_group_offsets);
}

/// The indexes of layout 1, and its lack of what layout 2 has.
const LAYOUT_1: &str = "
    SET search_path TO recap_g1;
    DROP INDEX conversation_summary_by_update, conversation_summary_by_creation, conversation_summary_by_user,
        conversation_summary_by_agent, conversation_summary_by_model, conversation_summary_with_feedback,
        conversation_summary_helpful, conversation_summary_not_helpful, conversation_summary_busy, tool_call_by_name, tool_call_failed;
    ALTER TABLE conversation_summary
        DROP COLUMN listed_recency, DROP COLUMN listed_agent_model, DROP COLUMN listed_finish_reason, DROP COLUMN listed_messages,
        DROP COLUMN listed_duration_ms, DROP COLUMN listed_total_tokens, DROP COLUMN listed_input_tokens,
        DROP COLUMN listed_output_tokens, DROP COLUMN listed_tool_calls, DROP COLUMN listed_feedback, DROP COLUMN listed_helpful,
        DROP COLUMN listed_not_helpful;
    ALTER TABLE tool_call DROP COLUMN listed_tool_name;
    CREATE INDEX conversation_summary_by_update ON conversation_summary (org_id, recency, conversation_id) WHERE deleted_at IS NULL;
    UPDATE recap.generation SET layout = 1";

/// A generation of layout 1 gets what layout 2 has, and a projector of layout 1 that goes on writing makes nobody read wrong. On a server of its own: no cluster
/// has that layout.
#[tokio::test]
async fn a_generation_of_the_first_layout_is_brought_up_to_date() {
    let server = PostgresServer::start().await.unwrap();
    let database = TestDatabase::migrated(&server).await;
    let generation = database.live().await;
    let mut random = StdRng::seed_from_u64(3);
    let deltas = conversations(&mut random);
    let entry = |(id, delta)| Entry::unknown(ConversationKey::new("org", id), delta);
    let mut batch = Batch {
        conversations: deltas.into_iter().map(entry).collect(),
        ..Batch::default()
    };
    database
        .store
        .flush(Target::Live(generation), &mut batch)
        .await
        .unwrap();
    let read = async || {
        let mut snapshot = database.reader().snapshot("org").await.unwrap();
        let tool = Filter {
            tool_name: Some("sql".into()),
            ..Filter::ALWAYS
        };
        let with_tool = snapshot
            .rows(&tool, Include::ALL, Sort::TotalTokens, None, 1_000)
            .await
            .unwrap();
        let page = snapshot
            .page(&Filter::ALWAYS, Include::ALL, Sort::UpdatedAt, None, 1_000)
            .await
            .unwrap();
        let stats = snapshot.stats(&Filter::ALWAYS).await.unwrap();
        snapshot.finish().await.unwrap();
        (with_tool, page, stats)
    };
    let before = read().await;
    assert!(before.0.len() > 20 && before.2.conversation_count > 200);
    sqlx::raw_sql(LAYOUT_1).execute(&database.pool).await.unwrap();
    let refused = database.store.check_schema().await;
    assert!(matches!(refused, Err(SchemaError::Layout { layout: 1, .. })));

    database.store.migrate().await.unwrap();
    database.store.check_schema().await.unwrap();
    assert_eq!(read().await, before);
    let busy = "SELECT count(*) FROM recap_g1.conversation_summary WHERE listed_recency IS NULL";
    let busy = async || -> i64 { sqlx::query_scalar(busy).fetch_one(&database.pool).await.unwrap() };
    assert_eq!(busy().await, 0);
    // As that projector does: it knows of no copies.
    let foreign = "UPDATE recap_g1.conversation_summary SET recency = recency - 1, updated_at = updated_at + interval '1 ms', \
         total_tokens = total_tokens + 1 WHERE conversation_id LIKE 'free%' AND deleted_at IS NULL";
    let written = sqlx::query(foreign)
        .execute(&database.pool)
        .await
        .unwrap()
        .rows_affected();
    assert_eq!(busy().await, i64::try_from(written).unwrap());
    let after = read().await;
    assert_eq!(
        after.2.total_tokens,
        before.2.total_tokens + i64::try_from(written).unwrap()
    );
}
