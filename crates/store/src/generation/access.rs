//! Roles, policies and grants: made and repaired by `recap migrate`, checked at every start.

use sqlx::{PgConnection, Row as _};

use super::{SchemaError, run_template};
use crate::generation_id::GenerationId;

const ACCESS: &str = include_str!("../../../../migrations/generation/access.sql");
/// Tables of a generation that the query service reads.
const READ: i64 = 6;

/// Refuses a database that cannot hold every text.
pub(super) async fn check_encoding(connection: &mut PgConnection) -> Result<(), SchemaError> {
    let encoding: String = sqlx::query_scalar("SHOW server_encoding").fetch_one(connection).await?;
    match encoding.as_str() {
        "UTF8" => Ok(()),
        _ => Err(SchemaError::Encoding(encoding)),
    }
}

/// Makes the roles that are missing. `recap_projector` may stay missing: then the projector has to be the owner.
pub(super) async fn ensure_roles(connection: &mut PgConnection) -> Result<(), SchemaError> {
    for role in ["recap_query", "recap_projector"] {
        let create = format!(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN CREATE ROLE {role} NOLOGIN; END IF; \
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        let created = sqlx::raw_sql(crate::sql::sql(create)).execute(&mut *connection).await;
        if let Err(cause) = created {
            if role == "recap_query" {
                return Err(SchemaError::Role {
                    role,
                    cause: cause.into(),
                });
            }
            tracing::warn!(role, %cause, "a role cannot be created: the projector has to connect as the owner, or see deploy/postgres/roles.sql");
        }
    }
    Ok(())
}

/// Gives the roles their rights on the control schema and on these generations.
pub(super) async fn grant(connection: &mut PgConnection, generations: &[GenerationId]) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "GRANT USAGE ON SCHEMA recap TO recap_query; \
         GRANT SELECT ON recap.generation, recap.live, recap.migration, recap.schema_migration, recap.writer, recap.projected_offset TO recap_query; \
         DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'recap_projector') THEN \
           GRANT USAGE ON SCHEMA recap TO recap_projector; \
           GRANT SELECT ON ALL TABLES IN SCHEMA recap TO recap_projector; \
           GRANT INSERT, UPDATE, DELETE ON recap.writer, recap.projected_offset, recap.generation_offset TO recap_projector; \
           GRANT UPDATE (mappings) ON recap.generation TO recap_projector; \
         END IF; END $$",
    )
    .execute(&mut *connection)
    .await?;
    for generation in generations {
        grant_generation(connection, *generation).await?;
    }
    Ok(())
}

pub(super) async fn grant_generation(connection: &mut PgConnection, id: GenerationId) -> Result<(), sqlx::Error> {
    run_template(connection, id, ACCESS).await
}

/// Whether the query service's role can read this generation, and one organization of it at a time.
pub(super) async fn check_readers(connection: &mut PgConnection, live: GenerationId) -> Result<(), SchemaError> {
    let row = sqlx::query(
        "SELECT to_regrole('recap_query') IS NOT NULL, \
         (SELECT count(*) FROM pg_policies WHERE schemaname = $1 AND policyname = 'organization' AND 'recap_query' = ANY (roles)), \
         (SELECT count(*) FROM pg_class c WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity), \
         (SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = to_regnamespace($1) \
            AND c.relkind IN ('r', 'p') AND a.grantee = to_regrole('recap_query') AND a.privilege_type = 'SELECT')",
    )
    .bind(live.schema())
    .fetch_one(connection)
    .await?;
    let (has_role, policies, unprotected, granted): (bool, i64, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let missing = if !has_role {
        "the role recap_query does not exist".to_owned()
    } else if unprotected > 0 {
        format!("{unprotected} tables have no row-level security")
    } else if policies != READ {
        format!("{policies} of {READ} policies are there")
    } else if granted < READ {
        format!("the role recap_query may read {granted} of {READ} tables")
    } else {
        return Ok(());
    };
    Err(SchemaError::Access(missing))
}

/// Whether this connection's role can write this generation.
pub(super) async fn check_writer(connection: &mut PgConnection, live: GenerationId) -> Result<(), SchemaError> {
    let row = sqlx::query(
        "SELECT current_user::text, has_table_privilege(c.oid, 'INSERT') AND (pg_has_role(c.relowner, 'USAGE') \
           OR (SELECT rolbypassrls FROM pg_roles WHERE rolname = current_user) \
           OR EXISTS (SELECT FROM pg_policies p, UNNEST(p.roles) r WHERE p.schemaname = $1 \
             AND p.tablename = 'conversation_summary' AND p.policyname = 'writer' AND pg_has_role(r, 'USAGE'))) \
         FROM pg_class c WHERE c.relnamespace = to_regnamespace($1) AND c.relname = 'conversation_summary'",
    )
    .bind(live.schema())
    .fetch_one(connection)
    .await?;
    let can_write: bool = row.try_get(1)?;
    if can_write {
        Ok(())
    } else {
        Err(SchemaError::NotWriter { role: row.try_get(0)? })
    }
}
