//! The columns of `conversation_summary`: one list, from which the upsert, `COPY` and the select lists are made.
//!
//! A column computed from a conversation's state is a field of [`Columns`] (or of its sums of tokens), a line of [`SHOWN`] and a line of
//! `migrations/generation/tables.sql`. Generations made before lack it, so [`LAYOUT`] is raised with it.

use recap_events::Millis;
use recap_summary::{Columns, FirstText};

use crate::{
    table::{Column, Table, Value},
    write::prepared::Prepared,
};

/// The version of `migrations/generation/` that this program reads and writes.
pub(crate) const LAYOUT: i32 = 2;

/// The table `conversation_summary`.
pub(crate) struct Conversations;

impl Table for Conversations {
    const NAME: &'static str = "conversation_summary";

    type Row<'a> = Prepared<'a>;

    fn columns() -> impl Iterator<Item = &'static Column<Self>> {
        OTHERS
            .iter()
            .chain(LISTED)
            .chain(SHOWN.iter().map(|shown| &shown.column))
    }
}

/// A column that readers see, and the field that its value is read into.
pub(crate) struct Shown {
    pub(crate) column: Column<Conversations>,
    pub(crate) field: Field,
}

/// A field of [`Columns`].
#[derive(Clone, Copy)]
pub(crate) enum Field {
    Text(fn(&mut Columns) -> &mut Option<String>),
    Integer(fn(&mut Columns) -> &mut Option<i64>),
    Count(fn(&mut Columns) -> &mut i64),
    Time(fn(&mut Columns) -> &mut Millis),
}

/// A [`Shown`] column: text or an integer that may be missing, a count or a time that may not. It is named like its
/// field, or a count stands where `=` says.
macro_rules! shown {
    (text $name:ident) => {
        shown!($name, Value::Text(|row| row.columns.$name.as_deref()), Field::Text)
    };
    (integer $name:ident) => {
        shown!($name, Value::Integer(|row| row.columns.$name), Field::Integer)
    };
    (count $name:ident) => {
        shown!(count $name = $name)
    };
    (count $name:ident = $($path:ident).+) => {
        Shown {
            column: Column::new(stringify!($name), Value::Integer(|row| Some(row.columns.$($path).+))),
            field: Field::Count(|columns| &mut columns.$($path).+),
        }
    };
    (time $name:ident) => {
        shown!($name, Value::Time(|row| Some(row.columns.$name)), Field::Time)
    };
    ($name:ident, $value:expr, $field:path) => {
        Shown {
            column: Column::new(stringify!($name), $value),
            field: $field(|columns| &mut columns.$name),
        }
    };
}

/// What readers see of a conversation itself, but for its key and the text of its first message.
pub(crate) static SHOWN: &[Shown] = &[
    shown!(time created_at),
    shown!(time updated_at),
    shown!(text user_id),
    shown!(integer agent_id),
    shown!(text upstream_conversation_id),
    shown!(text agent_model),
    shown!(text last_finish_reason),
    shown!(count user_message_count),
    shown!(count assistant_message_count),
    shown!(count total_message_count),
    shown!(count duration_ms),
    shown!(count total_tokens = tokens.total),
    shown!(count input_tokens = tokens.input),
    shown!(count output_tokens = tokens.output),
    shown!(count attachment_count),
    shown!(count tool_call_count),
    shown!(count total_feedback),
    shown!(count total_helpful),
    shown!(count total_not_helpful),
];

/// Written only where `text_kept` is false.
pub(crate) const FIRST_MESSAGE_TEXT: &str = "first_message_text";

/// The columns of the key.
pub(crate) const KEY: [&str; 2] = ["org_id", "conversation_id"];

/// Columns that exist for the writer alone: they may differ between rows that show the same.
const WRITERS_OWN: [&str; 5] = ["revision", "base_revision", "text_kept", "part_count", "state"];

/// Whether a column may differ between rows that show the same.
pub(crate) fn may_differ(name: &str) -> bool {
    WRITERS_OWN.contains(&name) || LISTED.iter().any(|listed| listed.name == name)
}

/// A copy of a column for the indexes, NULL while the conversation is busy.
macro_rules! listed {
    ($name:ident = text $source:ident) => {
        Column::new(
            stringify!($name),
            Value::Text(|row| row.columns.$source.as_deref().filter(|_| row.is_listed)),
        )
    };
    ($name:ident = $($source:ident).+) => {
        Column::new(stringify!($name), Value::Integer(|row| row.is_listed.then_some(row.columns.$($source).+)))
    };
}

/// What lists are walked and sums are taken by, each the copy of another column.
static LISTED: &[Column<Conversations>] = &[
    Column::new(
        "listed_recency",
        Value::Integer(|row| row.is_listed.then_some(-row.columns.updated_at.0)),
    ),
    listed!(listed_agent_model = text agent_model),
    listed!(listed_finish_reason = text last_finish_reason),
    listed!(listed_messages = total_message_count),
    listed!(listed_duration_ms = duration_ms),
    listed!(listed_total_tokens = tokens.total),
    listed!(listed_input_tokens = tokens.input),
    listed!(listed_output_tokens = tokens.output),
    listed!(listed_tool_calls = tool_call_count),
    listed!(listed_feedback = total_feedback),
    listed!(listed_helpful = total_helpful),
    listed!(listed_not_helpful = total_not_helpful),
];

/// Each listed column, and the one that it is a copy of.
pub(crate) const COPIES: [(&str, &str); 12] = [
    ("listed_recency", "recency"),
    ("listed_agent_model", "agent_model"),
    ("listed_finish_reason", "last_finish_reason"),
    ("listed_messages", "total_message_count"),
    ("listed_duration_ms", "duration_ms"),
    ("listed_total_tokens", "total_tokens"),
    ("listed_input_tokens", "input_tokens"),
    ("listed_output_tokens", "output_tokens"),
    ("listed_tool_calls", "tool_call_count"),
    ("listed_feedback", "total_feedback"),
    ("listed_helpful", "total_helpful"),
    ("listed_not_helpful", "total_not_helpful"),
];

/// The other columns: the key, [`WRITERS_OWN`], what readers only filter and sort by, and the text that a writer may leave
/// as it is.
static OTHERS: &[Column<Conversations>] = &[
    Column::new("org_id", Value::Text(|row| Some(&row.entry.key.org_id))),
    Column::new(
        "conversation_id",
        Value::Text(|row| Some(&row.entry.key.conversation_id)),
    ),
    Column::new("revision", Value::Integer(|row| Some(row.revision))),
    Column::new("base_revision", Value::Integer(|row| Some(row.base_revision()))),
    Column::new(
        "text_kept",
        Value::Flag(|row| Some(row.first_text() == FirstText::Unchanged)),
    ),
    Column::new("part_count", Value::Small(|row| row.encoded.part_count.cast_signed())),
    Column::new("state", Value::Bytes(|row| &row.encoded.main)),
    Column::new("recency", Value::Integer(|row| Some(-row.columns.updated_at.0))),
    Column::new("deleted_at", Value::Time(|row| row.columns.deleted_at)),
    Column::new(
        FIRST_MESSAGE_TEXT,
        Value::Text(|row| match row.first_text() {
            FirstText::Set(text) => text,
            FirstText::Unchanged => None,
        }),
    ),
];

/// The names of the columns that reading a list needs.
pub(crate) fn read() -> impl Iterator<Item = &'static str> {
    let shown = SHOWN.iter().map(|shown| shown.column.name);
    ["conversation_id", "recency", FIRST_MESSAGE_TEXT]
        .into_iter()
        .chain(shown)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{COPIES, Conversations, KEY, LISTED, WRITERS_OWN, read};
    use crate::{
        table::Table,
        write::{feedback::FeedbackRows, parts::Parts, tool_calls::ToolCalls},
    };

    /// The columns that `tables.sql` gives a table, with their types.
    fn defined(table: &str) -> BTreeSet<(String, String)> {
        let tables = include_str!("../../../migrations/generation/tables.sql");
        let begin = format!("CREATE TABLE {table} (");
        let definition = tables.split_once(&begin).map(|(_, rest)| rest);
        let columns = definition
            .and_then(|rest| rest.split_once("PRIMARY KEY"))
            .map(|(columns, _)| columns);
        let lines = columns.into_iter().flat_map(str::lines).map(str::trim);
        lines
            .filter(|line| !line.is_empty() && !line.starts_with("--"))
            // PostgreSQL computes those, over several lines.
            .take_while(|line| !line.contains("GENERATED"))
            .filter_map(|line| {
                let mut words = line.trim_end_matches(',').split_whitespace();
                Some((words.next()?.to_owned(), words.next()?.to_owned()))
            })
            .collect()
    }

    fn assert_as_defined<T: Table>() {
        let listed: Vec<_> = T::columns()
            .map(|column| (column.name.to_owned(), column.value.sql_type().to_owned()))
            .collect();
        assert_eq!(listed.len(), defined(T::NAME).len(), "{}: each column once", T::NAME);
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), defined(T::NAME));
    }

    #[test]
    fn lists_have_the_columns_and_types_of_their_tables() {
        assert_as_defined::<Conversations>();
        assert_as_defined::<Parts>();
        assert_as_defined::<ToolCalls>();
        assert_as_defined::<FeedbackRows>();
    }

    #[test]
    fn columns_named_elsewhere_are_in_the_list() {
        let names: BTreeSet<_> = Conversations::columns().map(|column| column.name).collect();
        for name in KEY.into_iter().chain(WRITERS_OWN).chain(read()) {
            assert!(names.contains(name), "{name}");
        }
        let listed: Vec<_> = LISTED.iter().map(|column| column.name).collect();
        assert_eq!(listed, COPIES.map(|(copy, _)| copy));
        assert!(COPIES.iter().all(|(_, source)| names.contains(source)));
    }
}
