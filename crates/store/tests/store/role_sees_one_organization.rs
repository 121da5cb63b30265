use std::borrow::Cow;

use recap_store::{Batch, Filter, GenerationId, Include, Snapshot, Sort, Store, Target};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use crate::support::{batch, database, log};

const TABLES: [&str; 6] = [
    "conversation_summary",
    "tool_call",
    "feedback",
    "user_profile",
    "user_metadata_token",
    "agent_profile",
];

async fn count(connection: &mut PgConnection, table: &str, condition: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM recap_g1.{table} WHERE {condition}");
    sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await
        .unwrap()
}

/// Becomes the query service's role in a session whose settings the nodes of a cluster hear, if it is one.
async fn become_reader(connection: &mut PgConnection) {
    for setting in ["SET citus.propagate_set_commands = 'local'", "SET ROLE recap_query"] {
        sqlx::query(setting).execute(&mut *connection).await.unwrap();
    }
}

/// Begins a transaction for one organization.
async fn begin(connection: &mut PgConnection, org_id: &str) {
    let organization = format!("SET LOCAL recap.org_id = '{org_id}'");
    for statement in ["BEGIN", &organization] {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut *connection)
            .await
            .unwrap();
    }
}

/// Under the query service's role: nothing without an organization, nothing of another, no write, and
/// not the writers' own table.
#[tokio::test]
async fn the_role_reads_one_organization_and_writes_nothing() {
    let database = database().await;
    let generation = database.live().await;
    let values = log(9, 3_000);
    database
        .store
        .flush(Target::Live(generation), &mut batch(&values))
        .await
        .unwrap();
    let organizations: Vec<String> = sqlx::query_scalar("SELECT DISTINCT org_id FROM recap_g1.conversation_summary")
        .fetch_all(&database.pool)
        .await
        .unwrap();
    assert!(organizations.len() > 1);

    let mut connection = database.pool.acquire().await.unwrap();
    become_reader(&mut connection).await;
    for table in TABLES {
        assert_eq!(
            count(&mut connection, table, "true").await,
            0,
            "{table} without organization"
        );
    }
    for org_id in &organizations {
        begin(&mut connection, org_id).await;
        for table in TABLES {
            assert!(count(&mut connection, table, "true").await > 0, "{table} of {org_id}");
            let others = format!("org_id <> '{org_id}'");
            assert_eq!(count(&mut connection, table, &others).await, 0, "{table} of others");
        }
        sqlx::raw_sql("COMMIT").execute(&mut *connection).await.unwrap();
    }
    for attempt in [
        "DELETE FROM recap_g1.conversation_summary",
        "UPDATE recap_g1.user_profile SET email = NULL",
        "INSERT INTO recap_g1.user_metadata_token VALUES ('o', 'u', gen_random_uuid())",
        "SELECT 1 FROM recap_g1.conversation_state_part",
        "UPDATE recap.live SET generation = 1",
        "CREATE TABLE recap_g1.mine (a int)",
        "DROP TABLE recap_g1.tool_call",
        "TRUNCATE recap_g1.feedback",
    ] {
        let refused = sqlx::raw_sql(attempt).execute(&mut *connection).await.unwrap_err();
        let code = refused
            .as_database_error()
            .and_then(|error| error.code().map(Cow::into_owned));
        assert_eq!(code.as_deref(), Some("42501"), "{attempt}: {refused}");
    }
    connection.close_on_drop();
}

/// A reader's connection goes back to the pool without the organization it was for.
#[tokio::test]
async fn an_organization_does_not_outlive_its_snapshot() {
    let database = database().await;
    let generation = database.live().await;
    database
        .store
        .flush(Target::Live(generation), &mut batch(&log(9, 500)))
        .await
        .unwrap();
    let org_id: String = sqlx::query("SELECT org_id FROM recap_g1.conversation_summary LIMIT 1")
        .fetch_one(&database.pool)
        .await
        .unwrap()
        .get(0);
    let mut connection = database.pool.acquire().await.unwrap();
    become_reader(&mut connection).await;
    begin(&mut connection, &org_id).await;
    assert!(count(&mut connection, "conversation_summary", "true").await > 0);
    sqlx::raw_sql("COMMIT").execute(&mut *connection).await.unwrap();
    assert_eq!(count(&mut connection, "conversation_summary", "true").await, 0);
    connection.close_on_drop();
}

/// Handlers run on any thread: what they await must be `Send`.
#[test]
fn questions_and_flushes_can_be_asked_from_any_thread() {
    fn is_send<T: Send>(_: impl Fn(&'static mut Snapshot, &'static Filter) -> T) {}
    fn flush_is_send<T: Send>(_: impl Fn(&'static Store, &'static mut Batch) -> T) {}
    is_send(|snapshot, filter| snapshot.page(filter, Include::ALL, Sort::UpdatedAt, None, 1));
    is_send(|snapshot, filter| snapshot.rows(filter, Include::ALL, Sort::UpdatedAt, None, 1));
    is_send(Snapshot::stats);
    flush_is_send(|store, batch| store.flush(Target::Live(GenerationId::new(1)), batch));
}
