//! The one statement that writes conversations, and the one that writes their parts.

use chrono::{DateTime, Utc};
use recap_events::Millis;
use recap_summary::{Columns, Encoded, FirstText};
use sqlx::{Arguments as _, PgConnection, postgres::PgArguments};

use crate::{Base, Entry, select::sql};

/// An entry made ready for its row.
pub(crate) struct Prepared<'a> {
    entry: &'a Entry,
    revision: i64,
    encoded: Encoded,
    columns: Columns,
}

impl<'a> Prepared<'a> {
    /// Encodes an entry whose base is known.
    pub(crate) fn new(entry: &'a Entry, revision: i64) -> Self {
        Self {
            entry,
            revision,
            encoded: entry.delta.state.encode(),
            columns: entry.delta.state.columns(),
        }
    }

    /// What the row costs in the statement, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let text = match self.entry.delta.state.first_text() {
            FirstText::Set(Some(text)) => text.len(),
            FirstText::Set(None) | FirstText::Unchanged => 0,
        };
        let parts: usize = self.encoded.parts.iter().map(|(_, part)| part.len()).sum();
        512 + self.encoded.main.len() + parts + text
    }
}

/// Writes rows where they still have the revision they are based on (none, for a new row), and locks
/// all of them. Returns how many were written. In key order, so that no two writers deadlock.
pub(crate) async fn upsert(
    connection: &mut PgConnection,
    schema: &str,
    rows: &[Prepared<'_>],
) -> Result<u64, sqlx::Error> {
    let done = {
        let text = |get: for<'r> fn(&'r Prepared<'_>) -> Option<&'r str>| -> Vec<Option<&str>> {
            rows.iter().map(get).collect()
        };
        let number = |get: fn(&Columns) -> i64| -> Vec<i64> { rows.iter().map(|row| get(&row.columns)).collect() };
        let time = |get: fn(&Columns) -> Option<Millis>| -> Vec<Option<DateTime<Utc>>> {
            rows.iter().map(|row| get(&row.columns).and_then(moment)).collect()
        };
        let base: Vec<i64> = rows.iter().map(|row| base_revision(row.entry.base)).collect();
        let revision: Vec<i64> = rows.iter().map(|row| row.revision).collect();
        let kept: Vec<bool> = rows
            .iter()
            .map(|row| row.entry.delta.state.first_text() == FirstText::Unchanged)
            .collect();
        let parts: Vec<i16> = rows.iter().map(|row| row.encoded.part_count.cast_signed()).collect();
        let state: Vec<&[u8]> = rows.iter().map(|row| row.encoded.main.as_slice()).collect();
        let agent: Vec<Option<i64>> = rows.iter().map(|row| row.columns.agent_id).collect();
        let bytes = rows.iter().map(Prepared::bytes).sum();
        sqlx::query_with(sql(statement(schema)), room(COLUMNS.len() + 2, bytes))
            .bind(text(|row| Some(&row.entry.key.org_id)))
            .bind(text(|row| Some(&row.entry.key.conversation_id)))
            .bind(revision)
            .bind(base)
            .bind(kept)
            .bind(parts)
            .bind(state)
            .bind(time(|columns| Some(columns.created_at)))
            .bind(time(|columns| Some(columns.updated_at)))
            .bind(number(|columns| -columns.updated_at.0))
            .bind(time(|columns| columns.deleted_at))
            .bind(text(|row| row.columns.user_id.as_deref()))
            .bind(agent)
            .bind(text(|row| row.columns.upstream_conversation_id.as_deref()))
            .bind(text(|row| row.columns.agent_model.as_deref()))
            .bind(text(|row| row.columns.last_finish_reason.as_deref()))
            .bind(number(|columns| columns.user_message_count))
            .bind(number(|columns| columns.assistant_message_count))
            .bind(number(|columns| columns.total_message_count))
            .bind(number(|columns| columns.duration_ms))
            .bind(number(|columns| columns.total_tokens))
            .bind(number(|columns| columns.input_tokens))
            .bind(number(|columns| columns.output_tokens))
            .bind(number(|columns| columns.attachment_count))
            .bind(number(|columns| columns.tool_call_count))
            .bind(number(|columns| columns.total_feedback))
            .bind(number(|columns| columns.total_helpful))
            .bind(number(|columns| columns.total_not_helpful))
            .bind(text(|row| match row.entry.delta.state.first_text() {
                FirstText::Set(text) => text,
                FirstText::Unchanged => None,
            }))
            .execute(&mut *connection)
            .await?
    };
    Ok(done.rows_affected())
}

/// Writes the changed parts of conversations whose rows this transaction holds.
pub(crate) async fn upsert_parts(
    connection: &mut PgConnection,
    schema: &str,
    rows: &[Prepared<'_>],
) -> Result<(), sqlx::Error> {
    let parts: Vec<(&Entry, i16, &[u8])> = rows
        .iter()
        .flat_map(|row| {
            let parts = row.encoded.parts.iter();
            parts.map(|(part, state)| (row.entry, part.cast_signed(), state.as_slice()))
        })
        .collect();
    if parts.is_empty() {
        return Ok(());
    }
    let organizations: Vec<&str> = parts.iter().map(|(entry, ..)| &*entry.key.org_id).collect();
    let conversations: Vec<&str> = parts.iter().map(|(entry, ..)| &*entry.key.conversation_id).collect();
    let numbers: Vec<i16> = parts.iter().map(|(_, number, _)| *number).collect();
    let states: Vec<&[u8]> = parts.iter().map(|(.., state)| *state).collect();
    sqlx::query(sql(format!(
        "INSERT INTO {schema}.conversation_state_part (org_id, conversation_id, part, state) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::smallint[], $4::bytea[]) \
         ON CONFLICT (org_id, conversation_id, part) DO UPDATE SET state = EXCLUDED.state"
    )))
    .bind(organizations)
    .bind(conversations)
    .bind(numbers)
    .bind(states)
    .execute(connection)
    .await?;
    Ok(())
}

/// The columns of the row after its key, with their types; the last is set by its own rule.
const COLUMNS: [(&str, &str); 27] = [
    ("revision", "bigint"),
    ("base_revision", "bigint"),
    ("text_kept", "boolean"),
    ("part_count", "smallint"),
    ("state", "bytea"),
    ("created_at", "timestamptz"),
    ("updated_at", "timestamptz"),
    ("recency", "bigint"),
    ("deleted_at", "timestamptz"),
    ("user_id", "text"),
    ("agent_id", "bigint"),
    ("upstream_conversation_id", "text"),
    ("agent_model", "text"),
    ("last_finish_reason", "text"),
    ("user_message_count", "bigint"),
    ("assistant_message_count", "bigint"),
    ("total_message_count", "bigint"),
    ("duration_ms", "bigint"),
    ("total_tokens", "bigint"),
    ("input_tokens", "bigint"),
    ("output_tokens", "bigint"),
    ("attachment_count", "bigint"),
    ("tool_call_count", "bigint"),
    ("total_feedback", "bigint"),
    ("total_helpful", "bigint"),
    ("total_not_helpful", "bigint"),
    ("first_message_text", "text"),
];

/// `UNNEST` gives the rows in the order of the arrays, which is that of the keys. In the list of columns it takes half the time it takes as a
/// table, for which PostgreSQL first stores what each array gives; the arrays are equally long, so the rows are the same.
fn statement(schema: &str) -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let arrays: Vec<String> = COLUMNS
        .iter()
        .enumerate()
        .map(|(index, (_, kind))| format!("UNNEST(${}::{kind}[])", index + 3))
        .collect();
    let set: Vec<String> = names
        .iter()
        .map(|name| match *name {
            // Assigning an unchanged long text again would write it again.
            "first_message_text" => "first_message_text = CASE WHEN EXCLUDED.text_kept \
                 THEN t.first_message_text ELSE EXCLUDED.first_message_text END"
                .to_owned(),
            name => format!("{name} = EXCLUDED.{name}"),
        })
        .collect();
    format!(
        "INSERT INTO {schema}.conversation_summary AS t (org_id, conversation_id, {}) \
         SELECT UNNEST($1::text[]), UNNEST($2::text[]), {} \
         ON CONFLICT (org_id, conversation_id) DO UPDATE SET {} \
         WHERE t.revision = EXCLUDED.base_revision",
        names.join(", "),
        arrays.join(", "),
        set.join(", ")
    )
}

/// Arguments with room for so many bytes: growing to megabytes by doubling would copy them, into pages cleared for it.
pub(crate) fn room(arguments: usize, bytes: usize) -> PgArguments {
    let mut room = PgArguments::default();
    room.reserve(arguments, bytes);
    room
}

/// No row has revision 0.
fn base_revision(base: Base) -> i64 {
    match base {
        Base::Revision(revision) => revision,
        Base::Unknown | Base::Absent => 0,
    }
}

pub(crate) fn moment(time: Millis) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(time.0)
}
