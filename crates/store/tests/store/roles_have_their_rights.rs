use recap_store::{FlushError, Reader, SchemaError, Store, StoreOptions, Target};
use recap_testing::{PostgresServer, TestDatabase};
use sqlx::{AssertSqlSafe, PgPool};

use crate::support::{batch, log};

/// What `deploy/postgres/roles.sql` makes, by a superuser who is none of them.
const ROLES: &str = include_str!("../../../../deploy/postgres/roles.sql");

async fn run(pool: &PgPool, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(pool)
        .await
        .unwrap();
}

/// The URL of a database for another login.
fn as_role(url: &str, role: &str, database: &str) -> String {
    let (_, rest) = url.split_once('@').unwrap();
    let (place, parameters) = rest.split_once('?').unwrap();
    let (host, _) = place.split_once('/').unwrap();
    format!("postgres://{role}:secret@{host}/{database}?{parameters}")
}

/// Three logins without a right to create anything, as managed services have them.
#[tokio::test]
async fn an_owner_a_projector_and_a_query_service_need_no_superuser() {
    let server = PostgresServer::start().await.unwrap();
    let admin = PgPool::connect(&server.url("postgres")).await.unwrap();
    let script = ROLES
        .replace(":'owner_password'", "'secret'")
        .replace(":'projector_password'", "'secret'")
        .replace(":'query_password'", "'secret'");
    let statements = script.split(";\n").map(|text| {
        text.lines()
            .filter(|line| !line.starts_with("--"))
            .collect::<Vec<_>>()
            .join("\n")
    });
    for statement in statements.filter(|text| !text.trim().is_empty()) {
        run(&admin, &statement).await;
    }
    let url = |role: &str| as_role(&server.url("postgres"), role, "recap");
    let owner = Store::new(&StoreOptions::new(url("recap_owner"), "owner")).unwrap();
    owner.migrate().await.unwrap();
    owner.migrate().await.unwrap();
    let projector = Store::new(&StoreOptions::new(url("recap_projector_login"), "projector")).unwrap();
    projector.check_schema().await.unwrap();
    let live = projector.live_generation().await.unwrap();
    projector
        .flush(Target::Live(live), &mut batch(&log(1, 500)))
        .await
        .unwrap();
    projector
        .flush(Target::Live(live), &mut batch(&log(1, 700)))
        .await
        .unwrap();
    projector.set_projected_offsets(&[]).await.unwrap();
    projector.clear_generation_offsets(live).await.unwrap();
    let reader = Reader::new(&StoreOptions::new(url("recap_query_login"), "query")).unwrap();
    reader.check_schema().await.unwrap();
    reader.snapshot("org_1").await.unwrap().finish().await.unwrap();

    // A rebuild's generation is the projector's too.
    let new = owner.create_generation().await.unwrap();
    owner.create_indexes(new).await.unwrap();
    owner.switch_generation(live, new, &[], &[]).await.unwrap();
    projector
        .flush(Target::Live(new), &mut batch(&log(2, 500)))
        .await
        .unwrap();

    // The wrong login is told what to do.
    let wrong = Store::new(&StoreOptions::new(url("recap_query_login"), "wrong")).unwrap();
    let refused = wrong.check_schema().await;
    assert!(
        matches!(&refused, Err(SchemaError::NotWriter { role }) if role == "recap_query_login"),
        "{refused:?}"
    );
    let flushed = wrong.flush(Target::Live(new), &mut batch(&log(3, 20))).await;
    assert!(matches!(flushed, Err(FlushError::Schema(_))), "{flushed:?}");
    let wrong = Reader::new(&StoreOptions::new(url("recap_projector_login"), "wrong")).unwrap();
    let refused = wrong.check_schema().await.unwrap_err().to_string();
    assert!(refused.contains("GRANT recap_query TO"), "{refused}");
}

/// Without the right to create it, the role that is missing is named.
#[tokio::test]
async fn a_role_that_cannot_be_created_is_named() {
    let server = PostgresServer::start().await.unwrap();
    let admin = PgPool::connect(&server.url("postgres")).await.unwrap();
    run(&admin, "CREATE ROLE plain LOGIN PASSWORD 'secret'").await;
    run(&admin, "CREATE DATABASE owned OWNER plain").await;
    let store = Store::new(&StoreOptions::new(
        as_role(&server.url("postgres"), "plain", "owned"),
        "plain",
    ))
    .unwrap();
    let refused = store.migrate().await.unwrap_err().to_string();
    assert!(
        refused.contains("recap_query") && refused.contains("permission denied"),
        "{refused}"
    );
    let reader = Reader::new(&StoreOptions::new(server.url("owned"), "query")).unwrap();
    let refused = reader.check_schema().await.unwrap_err().to_string();
    assert!(refused.contains("run `recap migrate`"), "{refused}");
    run(&admin, "CREATE ROLE recap_query").await;
    store.migrate().await.unwrap();
    store.check_schema().await.unwrap();
}

/// A restore without roles leaves policies and grants behind: it is refused, and a migration repairs it.
#[tokio::test]
async fn what_a_restore_without_roles_left_behind_is_repaired() {
    let server = PostgresServer::start().await.unwrap();
    let database = TestDatabase::migrated(&server).await;
    let (pool, store) = (&database.pool, &database.store);
    store.check_schema().await.unwrap();
    for damage in [
        "DROP POLICY organization ON recap_g1.feedback",
        "REVOKE SELECT ON recap_g1.tool_call FROM recap_query",
        "ALTER TABLE recap_g1.user_profile DISABLE ROW LEVEL SECURITY",
        "DROP OWNED BY recap_query; DROP ROLE recap_query",
    ] {
        run(pool, damage).await;
        let refused = store.check_schema().await;
        assert!(matches!(refused, Err(SchemaError::Access(_))), "{damage}: {refused:?}");
        store.migrate().await.unwrap();
        store.check_schema().await.unwrap();
        database.reader().check_schema().await.unwrap();
    }
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_text_is_refused() {
    let server = &PostgresServer::start().await.unwrap();
    let admin = PgPool::connect(&server.url("postgres")).await.unwrap();
    run(
        &admin,
        "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
    )
    .await;
    let store = Store::new(&StoreOptions::new(server.url("latin"), "latin")).unwrap();
    let refused = store.migrate().await;
    assert!(
        matches!(&refused, Err(SchemaError::Encoding(encoding)) if encoding == "LATIN1"),
        "{refused:?}"
    );
}
