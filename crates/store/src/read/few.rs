//! Filters that few conversations pass: those are listed first, then looked at one by one.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::filter::Filter;
use crate::sql::sql;

/// Up to this many are listed; of more there are enough for a walk along the list to find them.
pub(crate) const LISTED: usize = 2_000;

/// Tool calls that may name so few: a conversation often has several of one tool.
pub(crate) const CALLS: i64 = 8_000;

/// Conversations among which are all that match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Few {
    /// Too many, or nothing is asked for that would tell.
    #[default]
    Unknown,
    /// These, each once.
    Listed(Vec<String>),
}

/// The least list that the filter's conditions on tool calls give.
pub(crate) async fn resolve(
    connection: &mut PgConnection,
    schema: &str,
    org_id: &str,
    filter: &Filter,
) -> Result<Few, sqlx::Error> {
    let mut few = Few::Unknown;
    if let Some(tool) = &filter.tool_name {
        let called = sqlx::query_scalar(sql(called(schema)))
            .bind(org_id)
            .bind(CALLS)
            .bind(tool);
        few = few.or(called.fetch_all(&mut *connection).await?);
    }
    if filter.tool_error == Some(true) {
        let failed = sqlx::query_scalar(sql(failed(schema))).bind(org_id).bind(CALLS);
        few = few.or(failed.fetch_all(connection).await?);
    }
    Ok(few)
}

/// Conversations of organization `$1` that show a call of the tool `$3`, some more than once, up to `$2`.
pub(crate) fn called(schema: &str) -> String {
    format!("SELECT conversation_id FROM {schema}.tool_call WHERE org_id = $1 AND listed_tool_name = $3 LIMIT $2")
}

/// Conversations of organization `$1` that show a call that failed, some more than once, up to `$2`.
pub(crate) fn failed(schema: &str) -> String {
    format!("SELECT conversation_id FROM {schema}.tool_call WHERE org_id = $1 AND error IS NOT NULL LIMIT $2")
}

impl Few {
    /// These, if they are all and fewer.
    fn or(self, calls: Vec<String>) -> Self {
        if i64::try_from(calls.len()).is_ok_and(|found| found >= CALLS) {
            return self;
        }
        let ids: BTreeSet<String> = calls.into_iter().collect();
        let most = match &self {
            Self::Listed(ids) => ids.len(),
            Self::Unknown => LISTED,
        };
        if ids.len() <= most {
            Self::Listed(ids.into_iter().collect())
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_complete_list_is_taken() {
        let ids = |count: usize| (0..count).map(|n| format!("c{n:05}")).collect::<Vec<_>>();
        let one = Few::Unknown.or(ids(3));
        assert_eq!(one, Few::Listed(ids(3)));
        assert_eq!(one.clone().or(ids(4)), one);
        assert_eq!(one.or(ids(2)), Few::Listed(ids(2)));
        assert_eq!(Few::Unknown.or(ids(LISTED + 1)), Few::Unknown);
        // Perhaps not all of them.
        let same = vec!["c".to_owned(); usize::try_from(CALLS).unwrap_or(usize::MAX)];
        assert_eq!(Few::Unknown.or(same), Few::Unknown);
    }
}
