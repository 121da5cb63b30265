//! The parts of states that are too large for their rows.

use sqlx::PgConnection;

use super::prepared::Prepared;
use crate::{
    ConversationKey,
    sql::sql,
    table::{self, Column, Table, Value},
};

/// The table `conversation_state_part`.
pub(crate) struct Parts;

/// A part of a conversation's state.
pub(crate) struct Part<'a> {
    key: &'a ConversationKey,
    number: u16,
    state: &'a [u8],
}

impl Table for Parts {
    const NAME: &'static str = "conversation_state_part";

    type Row<'a> = Part<'a>;

    fn columns() -> impl Iterator<Item = &'static Column<Self>> {
        static COLUMNS: &[Column<Parts>] = &[
            Column::new("org_id", Value::Text(|part| Some(&part.key.org_id))),
            Column::new("conversation_id", Value::Text(|part| Some(&part.key.conversation_id))),
            Column::new("part", Value::Small(|part| part.number.cast_signed())),
            Column::new("state", Value::Bytes(|part| part.state)),
        ];
        COLUMNS.iter()
    }
}

impl<'a> Part<'a> {
    pub(crate) fn new(key: &'a ConversationKey, (number, state): &'a (u16, Vec<u8>)) -> Self {
        Self {
            key,
            number: *number,
            state,
        }
    }
}

/// Writes the changed parts of conversations whose rows this transaction holds.
pub(crate) async fn upsert(
    connection: &mut PgConnection,
    schema: &str,
    rows: &[Prepared<'_>],
) -> Result<(), sqlx::Error> {
    let parts: Vec<Part<'_>> = rows
        .iter()
        .flat_map(|row| row.encoded.parts.iter().map(|part| Part::new(&row.entry.key, part)))
        .collect();
    if parts.is_empty() {
        return Ok(());
    }
    let bytes = parts.iter().map(|part| part.state.len() + 128).sum();
    let statement = format!(
        "{} ON CONFLICT (org_id, conversation_id, part) DO UPDATE SET state = EXCLUDED.state",
        table::insert::<Parts>(schema)
    );
    sqlx::query_with(sql(statement), table::arrays::<Parts>(&parts, bytes)?)
        .execute(connection)
        .await?;
    Ok(())
}
