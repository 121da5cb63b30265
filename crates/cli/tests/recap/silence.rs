//! A database that falls silent, without closing anything, while an operator's command waits for it.

use anyhow::{Result, ensure};
use recap_testing::{LIMIT, PostgresServer, TcpProxy, TestDatabase, eventually};

use crate::RECAP;

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_nothing_answers_ends() -> Result<()> {
    let server = PostgresServer::shared().await?;
    let database = TestDatabase::migrated(server).await;
    let mut flush = database.pool.begin().await?;
    sqlx::raw_sql("SELECT pg_advisory_xact_lock_shared(x'726563617067656e'::bigint)")
        .execute(&mut *flush)
        .await?;
    let proxy = TcpProxy::to(server.port()).await;
    let migrating = tokio::process::Command::new(RECAP)
        .arg("migrate")
        .env("DATABASE_URL", proxy.in_url(&database.url, server.port()))
        .kill_on_drop(true)
        .output();
    let migrating = tokio::spawn(migrating);
    let waiting = async || {
        sqlx::query_scalar::<_, i64>(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
             WHERE NOT granted AND locktype = 'advisory' AND datname = current_database()",
        )
        .fetch_one(&database.pool)
        .await
        .unwrap_or(0)
    };
    eventually("the migration waits for the flush", LIMIT, waiting, |waiting| {
        *waiting == 1
    })
    .await;
    proxy.black_hole();
    let output = tokio::time::timeout(LIMIT, migrating).await???;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{:?}: {said}", output.status);
    ensure!(said.contains("no answer within"), "{said}");
    Ok(())
}
