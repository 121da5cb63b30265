//! One conversation as the dashboards show it.

use chrono::{DateTime, Utc};
use recap_summary::Columns;
use sqlx::{Decode, Postgres, Row as _, Type, postgres::PgRow};

use super::{
    items::{Feedback, ToolCall},
    sort::{Position, Sort},
};
use crate::{
    columns::{self, FIRST_MESSAGE_TEXT, Field, SHOWN},
    table::timestamp,
};

/// Every field of the answer but `subConversations`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// The conversation's id.
    pub id: String,
    /// What the conversation's own events say. The agent's model stands in for a missing `agent_model`; `deleted_at` is
    /// `None`, since deleted conversations are not shown.
    pub columns: Columns,
    /// The first message's text; `None` too when it was left out.
    pub first_message_text: Option<String>,
    /// The agent's display name.
    pub agent_name: Option<String>,
    /// The agent's picture.
    pub agent_logo_url: Option<String>,
    /// The user's e-mail address.
    pub user_email: Option<String>,
    /// The user's first name.
    pub user_first_name: Option<String>,
    /// The user's last name.
    pub user_last_name: Option<String>,
    /// The user's public metadata: a JSON object as text; `None` when unknown.
    pub user_public_metadata: Option<String>,
    /// In their order; empty when they were left out.
    pub tool_calls: Vec<ToolCall>,
    /// In its order; empty when it was left out.
    pub feedback: Vec<Feedback>,
}

/// A field of a row that is read from a profile.
type ProfileField = fn(&mut Row) -> &mut Option<String>;

/// What is read of the profiles, with the field that it is read into.
static PROFILES: &[(&str, ProfileField)] = &[
    ("a.name", |row| &mut row.agent_name),
    ("a.logo_url", |row| &mut row.agent_logo_url),
    ("u.email", |row| &mut row.user_email),
    ("u.first_name", |row| &mut row.user_first_name),
    ("u.last_name", |row| &mut row.user_last_name),
    ("u.public_metadata", |row| &mut row.user_public_metadata),
];

impl Row {
    /// Where the row stands in a list.
    #[must_use]
    pub fn position(&self, sort: Sort) -> Position {
        Position {
            value: sort.value(&self.columns),
            conversation_id: self.id.clone(),
        }
    }

    /// When it began; whole milliseconds.
    #[must_use]
    pub fn created_at(&self) -> DateTime<Utc> {
        timestamp(self.columns.created_at).unwrap_or_default()
    }

    /// When something last happened in it; whole milliseconds.
    #[must_use]
    pub fn updated_at(&self) -> DateTime<Utc> {
        timestamp(self.columns.updated_at).unwrap_or_default()
    }

    /// Reads what [`select_list`] selected, from column `first` on.
    pub(super) fn read(row: &PgRow, first: usize) -> Result<Self, sqlx::Error> {
        let mut values = Values { row, next: first };
        let mut read = Self {
            id: values.next()?,
            first_message_text: values.next()?,
            ..Self::default()
        };
        for shown in SHOWN {
            let columns = &mut read.columns;
            match shown.field {
                Field::Text(field) => *field(columns) = values.next()?,
                Field::Integer(field) => *field(columns) = values.next()?,
                Field::Count(field) => *field(columns) = values.next()?,
                Field::Time(field) => field(columns).0 = values.next::<DateTime<Utc>>()?.timestamp_millis(),
            }
        }
        for (_, field) in PROFILES {
            *field(&mut read) = values.next()?;
        }
        Ok(read)
    }
}

/// Bytes that a row takes beside its texts.
const BARE_BYTES: usize = 640;

/// About how much memory what [`select_list`] selected takes, from column `first` on.
pub(super) fn bytes(row: &PgRow, first: usize) -> Result<usize, sqlx::Error> {
    let text = |place: usize| Ok::<_, sqlx::Error>(row.try_get::<Option<&str>, _>(place)?.map_or(0, str::len));
    // The long ones are the second column and the last.
    Ok(BARE_BYTES + text(first + 1)? + text(row.len() - 1)?)
}

/// What [`bytes`] counts of a conversation `c` with its profiles, in SQL.
pub(super) fn weight(first_message_text: bool) -> String {
    let text = if first_message_text {
        format!(" + coalesce(octet_length(c.{FIRST_MESSAGE_TEXT}), 0)")
    } else {
        String::new()
    };
    format!("{BARE_BYTES} + coalesce(octet_length(u.public_metadata), 0){text}")
}

/// The values of a row, one after another.
struct Values<'r> {
    row: &'r PgRow,
    next: usize,
}

impl<'r> Values<'r> {
    fn next<T: Decode<'r, Postgres> + Type<Postgres>>(&mut self) -> Result<T, sqlx::Error> {
        let index = self.next;
        self.next += 1;
        self.row.try_get(index)
    }
}

/// The columns of the conversation `alias` that a row is made from.
pub(super) fn stored(alias: &str) -> String {
    let names: Vec<String> = columns::read().map(|name| format!("{alias}.{name}")).collect();
    names.join(", ")
}

/// The names of [`stored`] columns.
pub(super) fn stored_names() -> String {
    columns::read().collect::<Vec<_>>().join(", ")
}

/// The select list of a row, from [`stored`] columns of `c` and its profiles `u` and `a`.
pub(super) fn select_list(first_message_text: bool) -> String {
    let mut list = vec!["c.conversation_id".to_owned()];
    list.push(if first_message_text {
        format!("c.{FIRST_MESSAGE_TEXT}")
    } else {
        "NULL::text".to_owned()
    });
    list.extend(SHOWN.iter().map(|shown| match shown.column.name {
        "agent_model" => "coalesce(c.agent_model, a.model)".to_owned(),
        name => format!("c.{name}"),
    }));
    list.extend(PROFILES.iter().map(|(expression, _)| (*expression).to_owned()));
    list.join(", ")
}

/// The joins that [`select_list`] needs, for a conversation `c`. Written as lookups: the planner has no
/// other way to do them than by primary key.
pub(super) fn joins(schema: &str) -> String {
    format!(
        "LEFT JOIN LATERAL (SELECT p.email, p.first_name, p.last_name, p.public_metadata \
         FROM {schema}.user_profile p WHERE p.org_id = $1 AND p.user_id = c.user_id LIMIT 1) u ON true \
         LEFT JOIN LATERAL (SELECT p.name, p.model, p.logo_url FROM {schema}.agent_profile p \
         WHERE p.org_id = $1 AND p.agent_id = c.agent_id LIMIT 1) a ON true"
    )
}
