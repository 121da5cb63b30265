//! The fields of answers, each declared once: name, documentation, type and where its value comes from.
//!
//! JSON objects, the columns of CSV and the schemas of the OpenAPI document are made from the same tables of [`Field`]s, so a field
//! cannot be in one of them and not in another. A conversation's tables are in `conversation.rs`; an object that only one endpoint
//! answers with has its table in that endpoint's file.

mod conversation;
mod csv;
mod figures;
mod flat;
mod json;
mod scalars;
mod schema;

use chrono::{DateTime, Utc};

pub use self::conversation::json_conversation;
pub(crate) use self::{
    conversation::{
        Feedback, Interaction, ToolCall, csv_header, csv_row, csv_row_cut, json_conversation_cut, json_feedback,
        json_row, json_tool_call,
    },
    figures::{BreakdownElement, TimeSeriesElement, json_bucket, json_group},
    flat::{FlatInteraction, FlatLines, FlatTable},
    json::json_object,
    schema::schema_of,
};
use crate::parameters::{Exclude, Excluded};

/// A place in a text where the items of an array belong.
pub(crate) struct Cut {
    /// How many bytes are before it.
    pub(crate) at: usize,
    /// Which array.
    pub(crate) items: Excluded,
}

impl Cut {
    fn here<T>(out: &[u8], field: &Field<T>) -> Option<Self> {
        let items = field.excluded_by?;
        Some(Self { at: out.len(), items })
    }
}

/// One field of an object made from a `T`.
pub(crate) struct Field<T: 'static> {
    name: &'static str,
    documentation: &'static str,
    value: Getter<T>,
    example: Option<Example>,
    excluded_by: Option<Excluded>,
}

/// A value to show in the description.
#[derive(Clone, Copy)]
enum Example {
    Text(&'static str),
    Integer(i64),
    Number(f64),
}

/// A field's type, and its value in a `T`.
enum Getter<T: 'static> {
    /// A text that is always there.
    Text(fn(&T) -> &str),
    /// A text or `null`.
    MaybeText(fn(&T) -> Option<&str>),
    /// The id of an agent or `null`.
    MaybeAgent(fn(&T) -> Option<i64>),
    /// A whole number from 0.
    Count(fn(&T) -> i64),
    /// Milliseconds, shown as seconds.
    Seconds(fn(&T) -> i64),
    /// The same or `null`.
    MaybeSeconds(fn(&T) -> Option<i64>),
    /// `true` or `false`.
    Flag(fn(&T) -> bool),
    /// A time that is always there, in milliseconds.
    Time(fn(&T) -> Option<DateTime<Utc>>),
    /// A time or `null`.
    MaybeTime(fn(&T) -> Option<DateTime<Utc>>),
    /// The text of a JSON object.
    Object(fn(&T) -> &str),
    /// The text of any JSON, `null` when there is none.
    Json(fn(&T) -> Option<&str>),
    /// An array of objects: the name of their schema, and what writes it.
    Array(&'static str, fn(&mut Vec<u8>, &T)),
}

/// A field whose value `value` finds.
const fn field<T>(name: &'static str, documentation: &'static str, value: Getter<T>) -> Field<T> {
    Field {
        name,
        documentation,
        value,
        example: None,
        excluded_by: None,
    }
}

/// A whole number from 0, with an example.
pub(crate) const fn count<T>(
    name: &'static str,
    documentation: &'static str,
    value: fn(&T) -> i64,
    example: i64,
) -> Field<T> {
    field(name, documentation, Getter::Count(value)).example(Example::Integer(example))
}

impl<T> Field<T> {
    const fn example(self, example: Example) -> Self {
        Self {
            name: self.name,
            documentation: self.documentation,
            value: self.value,
            example: Some(example),
            excluded_by: self.excluded_by,
        }
    }

    /// Leaves the field out where the caller excludes `key`.
    const fn unless(self, key: Excluded) -> Self {
        Self {
            name: self.name,
            documentation: self.documentation,
            value: self.value,
            example: self.example,
            excluded_by: Some(key),
        }
    }

    fn is_shown(&self, exclude: Exclude) -> bool {
        self.excluded_by.is_none_or(|key| !exclude.contains(key))
    }
}
