//! Conversations as wide and as nested as they get, beside the ordinary ones: what one page of them could hold is more than the service may.

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::stack::Database;

/// The organization of wide conversations: the newest 50 have 40 tool results of 1 MB each.
pub const WIDE: u32 = 4;
/// The organization of a nested one: the newest has 20,000 sub-conversations.
pub const NESTED: u32 = 5;

/// Makes them of conversations that are there.
pub async fn add(database: &Database) -> anyhow::Result<()> {
    let store = database.store()?;
    let schema = store.live_generation().await?.schema();
    store.close().await;
    let newest = |organization: u32, count: u32| {
        format!(
            "SELECT * FROM {schema}.conversation_summary WHERE org_id = 'org_stored_{organization}' \
             AND upstream_conversation_id IS NULL ORDER BY recency, conversation_id LIMIT {count}"
        )
    };
    let wide = format!(
        "INSERT INTO {schema}.tool_call (org_id, conversation_id, tool_call_id, has_started, has_finished, \
           started_tool_name, args, result, started_at, finished_at, finished_event_time) \
         SELECT org_id, conversation_id, 'wide-' || number, true, true, 'export', '{{}}', \
           '\"' || repeat('a row of an export, ', 50000) || '\"', created_at, updated_at, updated_at \
         FROM ({}) c, generate_series(1, 40) number",
        newest(WIDE, 50)
    );
    let nested = format!(
        "INSERT INTO {schema}.conversation_summary \
         SELECT (jsonb_populate_record(c, jsonb_build_object('conversation_id', 'nested-' || number, \
           'upstream_conversation_id', c.conversation_id))).* \
         FROM {schema}.conversation_summary c, generate_series(1, 20000) number \
         WHERE c.org_id = 'org_stored_{NESTED}' AND c.conversation_id = (SELECT conversation_id FROM ({}) newest)",
        newest(NESTED, 1)
    );
    let mut connection = PgConnection::connect(&database.url).await?;
    for statement in [wide, nested, String::from("VACUUM ANALYZE")] {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .context("adding conversations to attack with")?;
    }
    Ok(connection.close().await?)
}
