//! What a Citus cluster needs beside the tables: made by `recap migrate`, checked at every start.

use sqlx::{PgConnection, Row as _};

use super::{SchemaError, run_template};
use crate::{
    generation_id::GenerationId,
    placement::{HAS_CITUS, Placement},
};

const DISTRIBUTE: &str = include_str!("../../../../migrations/generation/distribute.sql");
/// Tables of a generation.
const TABLES: i64 = 7;

/// The coordinator reads from the nodes by the query service's role, so it may log in there. Roles that are made on the coordinator are made on the nodes by
/// Citus, but not those that were there before Citus was.
const READERS_LOGIN: &str = "DO $$ BEGIN \
     SET LOCAL citus.enable_create_role_propagation = off; SET LOCAL citus.enable_alter_role_propagation = off; \
     IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'recap_query') THEN \
       BEGIN CREATE ROLE recap_query LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END; \
     END IF; \
     IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'recap_query' AND NOT rolcanlogin) THEN ALTER ROLE recap_query LOGIN; \
     END IF; END $$";

/// Whether commits on a node do not wait for any of its standbys; followers by logical decoding are none, such as those of a shard that is moved.
const FORGETFUL: &str = "SELECT current_setting('synchronous_standby_names') = '' AND EXISTS (SELECT FROM pg_catalog.pg_stat_replication r \
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical'))";

pub(super) async fn placement(connection: &mut PgConnection) -> Result<Placement, sqlx::Error> {
    let has_citus: bool = sqlx::query_scalar(HAS_CITUS).fetch_one(connection).await?;
    Ok(if has_citus {
        Placement::Cluster
    } else {
        Placement::Server
    })
}

/// Distributes the tables of a generation, where that is not done.
pub(super) async fn distribute(connection: &mut PgConnection, id: GenerationId) -> Result<(), sqlx::Error> {
    run_template(connection, id, DISTRIBUTE).await
}

/// Refuses a worker of a cluster.
pub(super) async fn check_coordinator(connection: &mut PgConnection) -> Result<(), SchemaError> {
    if placement(connection).await? == Placement::Server {
        return Ok(());
    }
    let group: i32 = sqlx::query_scalar("SELECT groupid FROM pg_catalog.pg_dist_local_group")
        .fetch_one(connection)
        .await?;
    if group == 0 {
        Ok(())
    } else {
        Err(SchemaError::NotCoordinator)
    }
}

/// Lets the query service's role log in on the coordinator and on every node.
pub(super) async fn let_readers_log_in(connection: &mut PgConnection) -> Result<(), SchemaError> {
    if placement(connection).await? == Placement::Server {
        return Ok(());
    }
    sqlx::raw_sql(READERS_LOGIN)
        .execute(&mut *connection)
        .await
        .map_err(|cause| SchemaError::Role {
            role: "recap_query",
            cause: cause.into(),
        })?;
    let refusal: Option<(String, String)> = sqlx::query_as(
        "SELECT nodename || ':' || nodeport, result FROM pg_catalog.run_command_on_workers($1) WHERE NOT success LIMIT 1",
    )
    .bind(READERS_LOGIN)
    .fetch_optional(connection)
    .await?;
    match refusal {
        None => Ok(()),
        Some((node, cause)) => Err(SchemaError::Node { node, cause }),
    }
}

/// Whether all is distributed that has to be, and readers may log in on the nodes.
pub(super) async fn check(connection: &mut PgConnection, live: GenerationId) -> Result<(), SchemaError> {
    if placement(connection).await? == Placement::Server {
        return Ok(());
    }
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM pg_catalog.pg_dist_partition p JOIN pg_catalog.pg_class c ON c.oid = p.logicalrelid \
           WHERE c.relnamespace = to_regnamespace($1) AND p.partmethod = 'h'), \
         coalesce((SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = 'recap_query'), false)",
    )
    .bind(live.schema())
    .fetch_one(connection)
    .await?;
    let (distributed, may_log_in): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
    if distributed < TABLES {
        let missing = format!("{distributed} of {TABLES} tables are distributed over the Citus cluster");
        return Err(SchemaError::Access(missing));
    }
    if !may_log_in {
        let missing = "the role recap_query may not log in on the nodes of the Citus cluster".to_owned();
        return Err(SchemaError::Access(missing));
    }
    Ok(())
}

/// Says which workers may forget what they confirmed. Of their rows nobody would notice it: what tells a projector that commits are gone is the coordinator's.
pub(super) async fn warn_of_forgetful_workers(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if placement(connection).await? == Placement::Server {
        return Ok(());
    }
    let workers: Vec<String> = sqlx::query_scalar(
        "SELECT nodename || ':' || nodeport FROM pg_catalog.run_command_on_workers($1) WHERE success AND result = 't'",
    )
    .bind(FORGETFUL)
    .fetch_all(connection)
    .await?;
    for worker in workers {
        tracing::warn!(
            worker,
            "commits on this worker of the Citus cluster do not wait for its standby: what the standby lacks when it is promoted is lost unnoticed; set synchronous_standby_names there"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use recap_testing::{LIMIT, PostgresOptions, PostgresServer, eventually, postgres::program};
    use sqlx::PgPool;
    use tokio::process::Command;

    use super::FORGETFUL;

    /// What each worker is asked, asked of a server that could be one.
    #[tokio::test]
    async fn a_server_may_forget_whose_commits_no_standby_has_confirmed() {
        let options = PostgresOptions {
            settings: vec![("wal_level".into(), "logical".into())],
            ..PostgresOptions::default()
        };
        let server = PostgresServer::start_with(options).await.unwrap();
        let pool = PgPool::connect(&server.url("postgres")).await.unwrap();
        let forgetful = async || -> bool { sqlx::query_scalar(FORGETFUL).fetch_one(&pool).await.unwrap() };
        assert!(!forgetful().await, "nobody follows it");

        let mut mover = Command::new(program("pg_recvlogical").unwrap())
            .args([
                "--slot=mover",
                "--create-slot",
                "--start",
                "--plugin=pgoutput",
                "--file=-",
            ])
            .args(["--option=proto_version=1", "--option=publication_names=p", "--dbname"])
            .arg(server.url("postgres"))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let followers = async || -> i64 {
            let count = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
            sqlx::query_scalar(count).fetch_one(&pool).await.unwrap()
        };
        eventually("a follower", LIMIT, followers, |followers| *followers == 1).await;
        assert!(!forgetful().await, "it is no standby that follows");
        mover.kill().await.unwrap();

        let standby = server.standby().await.unwrap();
        server.caught_up(&standby).await.unwrap();
        assert!(forgetful().await);
        sqlx::raw_sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
            .execute(&pool)
            .await
            .unwrap();
        sqlx::raw_sql("SELECT pg_reload_conf()").execute(&pool).await.unwrap();
        eventually("that commits wait", LIMIT, forgetful, |forgetful| !forgetful).await;
    }
}
