//! The one statement that writes conversations.

use sqlx::PgConnection;

use super::prepared::Prepared;
use crate::{
    columns::{Conversations, FIRST_MESSAGE_TEXT, KEY},
    placement::Placement,
    sql::sql,
    table::{self, Table as _},
};

/// Writes rows where they still have the revision they are based on (none, for a new row), and locks
/// all of them. Returns how many were written. In key order, so that no two writers deadlock.
pub(crate) async fn upsert(
    connection: &mut PgConnection,
    placement: Placement,
    schema: &str,
    rows: &[Prepared<'_>],
) -> Result<u64, sqlx::Error> {
    let bytes = rows.iter().map(Prepared::bytes).sum();
    let arrays = table::arrays::<Conversations>(rows, bytes)?;
    let statement = statement(schema);
    if placement == Placement::Server {
        let done = sqlx::query_with(sql(statement), arrays).execute(connection).await?;
        return Ok(done.rows_affected());
    }
    // Citus counts the rows that it was given, written or not. It returns those that are written.
    let written = sqlx::query_with(sql(statement + " RETURNING 1"), arrays)
        .fetch_all(connection)
        .await?;
    Ok(u64::try_from(written.len()).unwrap_or(u64::MAX))
}

fn statement(schema: &str) -> String {
    let set: Vec<String> = Conversations::columns()
        .map(|column| column.name)
        .filter(|name| !KEY.contains(name))
        .map(|name| match name {
            // Assigning an unchanged long text again would write it again.
            FIRST_MESSAGE_TEXT => {
                format!("{name} = CASE WHEN EXCLUDED.text_kept THEN t.{name} ELSE EXCLUDED.{name} END")
            }
            name => format!("{name} = EXCLUDED.{name}"),
        })
        .collect();
    format!(
        "{} ON CONFLICT (org_id, conversation_id) DO UPDATE SET {} WHERE t.revision = EXCLUDED.base_revision",
        table::insert::<Conversations>(schema),
        set.join(", ")
    )
}
