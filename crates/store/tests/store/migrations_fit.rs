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
    sqlx::query("UPDATE recap.generation SET layout = 1")
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
    sqlx::query("UPDATE recap.migration SET checksum = '\\x00' WHERE version = 1")
        .execute(pool)
        .await
        .unwrap();
    sqlx::query("DELETE FROM recap.migration WHERE version = 9999")
        .execute(pool)
        .await
        .unwrap();
    assert!(matches!(store.check_schema().await, Err(SchemaError::Changed(1))));
    sqlx::query("DELETE FROM recap.migration").execute(pool).await.unwrap();
    assert!(matches!(
        store.check_schema().await,
        Err(SchemaError::Behind { applied: 0, .. })
    ));
}
