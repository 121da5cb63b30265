//! Which users a filter means: named by it, or found by their metadata.

use sqlx::PgConnection;
use uuid::Uuid;

use super::filter::{Filter, MetadataFilter};
use crate::{metadata::tokens_for, sql::sql};

/// Up to this many users are listed; more are recognised one by one while walking.
pub(crate) const LISTED: i64 = 1_000;

/// The users whose conversations match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Users {
    /// All, and conversations without a user.
    #[default]
    Any,
    /// Exactly these, each once.
    Listed(Vec<String>),
    /// Too many to list: those who have one of these tokens.
    ByToken(Vec<Uuid>),
}

/// Asks the metadata index at most once.
pub(crate) async fn resolve(
    connection: &mut PgConnection,
    schema: &str,
    org_id: &str,
    filter: &Filter,
) -> Result<Users, sqlx::Error> {
    match (&filter.user_id, &filter.metadata) {
        (None, None) => Ok(Users::Any),
        (Some(user), None) => Ok(Users::Listed(vec![user.clone()])),
        (None, Some(metadata)) => by_metadata(connection, schema, org_id, metadata).await,
        (Some(user), Some(metadata)) => {
            let has: bool = sqlx::query_scalar(sql(format!(
                "SELECT EXISTS (SELECT FROM {schema}.user_metadata_token \
                 WHERE org_id = $1 AND user_id = $2 AND token = ANY($3))"
            )))
            .bind(org_id)
            .bind(user)
            .bind(tokens_for(metadata))
            .fetch_one(connection)
            .await?;
            Ok(Users::Listed(if has { vec![user.clone()] } else { Vec::new() }))
        }
    }
}

/// The users of organization `$1` who have one of the tokens `$2`, some twice, up to `$3`.
pub(crate) fn by_token(schema: &str) -> String {
    format!(
        "SELECT user_id FROM {schema}.user_metadata_token \
         WHERE org_id = $1 AND token = ANY($2) LIMIT $3"
    )
}

async fn by_metadata(
    connection: &mut PgConnection,
    schema: &str,
    org_id: &str,
    metadata: &MetadataFilter,
) -> Result<Users, sqlx::Error> {
    let tokens = tokens_for(metadata);
    // A user may have two of the tokens, so this many rows name at least half as many users.
    let most = (LISTED + 1) * i64::try_from(tokens.len().max(1)).unwrap_or(1);
    let mut users: Vec<String> = sqlx::query_scalar(sql(by_token(schema)))
        .bind(org_id)
        .bind(&tokens)
        .bind(most)
        .fetch_all(connection)
        .await?;
    users.sort_unstable();
    users.dedup();
    if i64::try_from(users.len()).is_ok_and(|count| count <= LISTED) {
        Ok(Users::Listed(users))
    } else {
        Ok(Users::ByToken(tokens))
    }
}
