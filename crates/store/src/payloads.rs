//! Rows beside the state: tool calls and feedback. Only of conversations whose row this transaction has
//! just written, and only what is current in it, so no guard is needed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use recap_summary::{FeedbackRow, Payload};
use sqlx::PgConnection;

use crate::{
    ConversationKey, Entry,
    select::sql,
    upsert::{moment, room},
};

/// Rows of one statement.
const ROWS: usize = 1_000;
/// Bytes of one statement, about.
const BYTES: usize = 2 << 20;
/// What a row has beside its texts, about.
const ROW_BYTES: usize = 256;

/// Writes the payloads of these entries. Returns how many rows.
pub(crate) async fn write(connection: &mut PgConnection, schema: &str, entries: &[&Entry]) -> Result<u64, sqlx::Error> {
    let Rows { calls, feedback } = Rows::of(entries.iter().copied());
    let written = calls.len() + feedback.len();
    for chunk in chunks(&calls, |(_, call)| call.bytes()) {
        write_tool_calls(connection, schema, chunk).await?;
    }
    let comment = |row: Option<&FeedbackRow>| row.and_then(|row| row.comment.as_ref()).map_or(0, String::len);
    for chunk in chunks(&feedback, |(.., row)| comment(*row)) {
        write_feedback(connection, schema, chunk).await?;
    }
    Ok(u64::try_from(written).unwrap_or(u64::MAX))
}

/// The payloads of some entries as rows, those of a table in the order of its key.
pub(crate) struct Rows<'e> {
    pub(crate) calls: Vec<((&'e ConversationKey, &'e str), ToolCall<'e>)>,
    pub(crate) feedback: Vec<(&'e ConversationKey, &'e str, Option<&'e FeedbackRow>)>,
}

impl<'e> Rows<'e> {
    /// Of entries in the order of their keys.
    pub(crate) fn of(entries: impl IntoIterator<Item = &'e Entry>) -> Self {
        let mut calls: BTreeMap<(&ConversationKey, &str), ToolCall<'_>> = BTreeMap::new();
        let mut feedback = Vec::new();
        for entry in entries {
            for payload in entry.delta.payloads.iter() {
                match payload {
                    Payload::Feedback { feedback_id, row, .. } => {
                        feedback.push((&entry.key, feedback_id.as_str(), row.as_ref()));
                    }
                    half => calls.entry((&entry.key, half.id())).or_default().add(half),
                }
            }
        }
        Self {
            calls: calls.into_iter().collect(),
            feedback,
        }
    }
}

/// Cuts a list into statements of bounded size.
pub(crate) fn chunks<T>(mut rest: &[T], bytes: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let mut total = 0;
        let most = rest.iter().take(ROWS);
        let fitting = most
            .take_while(|item| {
                let fits = total < BYTES;
                total += bytes(item);
                fits
            })
            .count();
        let (chunk, after) = rest.split_at(fitting);
        rest = after;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// The halves of one call that are to be written.
#[derive(Default)]
pub(crate) struct ToolCall<'a> {
    pub(crate) started: Option<&'a Payload>,
    pub(crate) finished: Option<&'a Payload>,
}

impl<'a> ToolCall<'a> {
    fn add(&mut self, half: &'a Payload) {
        match half {
            Payload::ToolStarted { .. } => self.started = Some(half),
            Payload::ToolFinished { .. } => self.finished = Some(half),
            Payload::Feedback { .. } => {}
        }
    }

    fn bytes(&self) -> usize {
        self.started.map_or(0, Payload::heap_bytes) + self.finished.map_or(0, Payload::heap_bytes)
    }
}

async fn write_tool_calls(
    connection: &mut PgConnection,
    schema: &str,
    calls: &[((&ConversationKey, &str), ToolCall<'_>)],
) -> Result<(), sqlx::Error> {
    let mut rows = ToolCallArrays::default();
    for ((key, id), call) in calls {
        rows.push(key, id, call);
    }
    // Each half sets its own columns and leaves the other's alone.
    let started = |name| half(name, "has_started");
    let finished = |name| half(name, "has_finished");
    let set = [
        started("started_tool_name"),
        started("args"),
        started("message_id"),
        started("started_at"),
        finished("finished_tool_name"),
        finished("result"),
        finished("error"),
        finished("finished_at"),
        finished("finished_event_time"),
    ]
    .join(", ");
    let bytes = calls.iter().map(|(_, call)| call.bytes() + ROW_BYTES).sum();
    let statement = sql(format!(
        "INSERT INTO {schema}.tool_call AS t (org_id, conversation_id, tool_call_id, has_started, \
         started_tool_name, args, message_id, started_at, has_finished, finished_tool_name, result, \
         error, finished_at, finished_event_time) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::boolean[], $5::text[], \
         $6::text[], $7::text[], $8::timestamptz[], $9::boolean[], $10::text[], $11::text[], \
         $12::text[], $13::timestamptz[], $14::timestamptz[]) \
         ON CONFLICT (org_id, conversation_id, tool_call_id) DO UPDATE SET \
         has_started = t.has_started OR EXCLUDED.has_started, \
         has_finished = t.has_finished OR EXCLUDED.has_finished, {set}"
    ));
    sqlx::query_with(statement, room(14, bytes))
        .bind(rows.organizations)
        .bind(rows.conversations)
        .bind(rows.ids)
        .bind(rows.has_started)
        .bind(rows.started_tool_names)
        .bind(rows.args)
        .bind(rows.message_ids)
        .bind(rows.started_at)
        .bind(rows.has_finished)
        .bind(rows.finished_tool_names)
        .bind(rows.results)
        .bind(rows.errors)
        .bind(rows.finished_at)
        .bind(rows.finished_event_times)
        .execute(connection)
        .await?;
    Ok(())
}

fn half(column: &str, present: &str) -> String {
    format!("{column} = CASE WHEN EXCLUDED.{present} THEN EXCLUDED.{column} ELSE t.{column} END")
}

/// A vector per column.
#[derive(Default)]
struct ToolCallArrays<'a> {
    organizations: Vec<&'a str>,
    conversations: Vec<&'a str>,
    ids: Vec<&'a str>,
    has_started: Vec<bool>,
    started_tool_names: Vec<Option<&'a str>>,
    args: Vec<Option<&'a str>>,
    message_ids: Vec<Option<&'a str>>,
    started_at: Vec<Option<DateTime<Utc>>>,
    has_finished: Vec<bool>,
    finished_tool_names: Vec<Option<&'a str>>,
    results: Vec<Option<&'a str>>,
    errors: Vec<Option<&'a str>>,
    finished_at: Vec<Option<DateTime<Utc>>>,
    finished_event_times: Vec<Option<DateTime<Utc>>>,
}

impl<'a> ToolCallArrays<'a> {
    fn push(&mut self, key: &'a ConversationKey, id: &'a str, call: &ToolCall<'a>) {
        self.organizations.push(&key.org_id);
        self.conversations.push(&key.conversation_id);
        self.ids.push(id);
        self.has_started.push(call.started.is_some());
        self.has_finished.push(call.finished.is_some());
        let (name, args, message, at) = match call.started {
            Some(Payload::ToolStarted {
                tool_name,
                args,
                message_id,
                started_at,
                ..
            }) => (
                Some(tool_name.as_str()),
                args.as_deref(),
                message_id.as_deref(),
                moment(*started_at),
            ),
            _ => (None, None, None, None),
        };
        self.started_tool_names.push(name);
        self.args.push(args);
        self.message_ids.push(message);
        self.started_at.push(at);
        let (name, result, error, at, event) = match call.finished {
            Some(Payload::ToolFinished {
                tool_name,
                result,
                error,
                finished_at,
                stamp,
                ..
            }) => (
                tool_name.as_deref(),
                result.as_deref(),
                error.as_deref(),
                moment(*finished_at),
                moment(stamp.time.to_millis()),
            ),
            _ => (None, None, None, None, None),
        };
        self.finished_tool_names.push(name);
        self.results.push(result);
        self.errors.push(error);
        self.finished_at.push(at);
        self.finished_event_times.push(event);
    }
}

async fn write_feedback(
    connection: &mut PgConnection,
    schema: &str,
    rows: &[(&ConversationKey, &str, Option<&FeedbackRow>)],
) -> Result<(), sqlx::Error> {
    let organizations: Vec<&str> = rows.iter().map(|(key, ..)| &*key.org_id).collect();
    let conversations: Vec<&str> = rows.iter().map(|(key, ..)| &*key.conversation_id).collect();
    let ids: Vec<&str> = rows.iter().map(|(_, id, _)| *id).collect();
    let withdrawn: Vec<bool> = rows.iter().map(|(.., row)| row.is_none()).collect();
    let helpful: Vec<Option<bool>> = rows.iter().map(|(.., row)| row.map(|row| row.helpful)).collect();
    let text = |get: fn(&FeedbackRow) -> Option<&str>| -> Vec<Option<&str>> {
        rows.iter().map(|(.., row)| row.and_then(get)).collect()
    };
    let created: Vec<Option<DateTime<Utc>>> = rows
        .iter()
        .map(|(.., row)| row.and_then(|row| moment(row.created_at)))
        .collect();
    sqlx::query(sql(format!(
        "INSERT INTO {schema}.feedback (org_id, conversation_id, feedback_id, withdrawn, helpful, \
         comment, message_id, user_id, created_at) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::boolean[], $5::boolean[], \
         $6::text[], $7::text[], $8::text[], $9::timestamptz[]) \
         ON CONFLICT (org_id, conversation_id, feedback_id) DO UPDATE SET \
         withdrawn = EXCLUDED.withdrawn, helpful = EXCLUDED.helpful, comment = EXCLUDED.comment, \
         message_id = EXCLUDED.message_id, user_id = EXCLUDED.user_id, created_at = EXCLUDED.created_at"
    )))
    .bind(organizations)
    .bind(conversations)
    .bind(ids)
    .bind(withdrawn)
    .bind(helpful)
    .bind(text(|row| row.comment.as_deref()))
    .bind(text(|row| row.message_id.as_deref()))
    .bind(text(|row| row.user_id.as_deref()))
    .bind(created)
    .execute(connection)
    .await?;
    Ok(())
}
