use recap_store::SchemaError;
use recap_testing::{PostgresServer, TestDatabase};

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
    assert_eq!(versions("schema_migration").await, [1, 2]);
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
        "DROP TABLE recap.schema_migration, recap.projected_offset, recap.writer; ALTER TABLE recap.live DROP COLUMN adopts_group_offsets",
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
