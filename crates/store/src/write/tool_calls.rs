//! Rows of the table `tool_call`.

use recap_events::Millis;
use recap_summary::{Payload, ShownHalves};
use sqlx::PgConnection;

use crate::{
    ConversationKey,
    placement::Placement,
    sql::sql,
    table::{self, Column, Table, Value},
};

/// What a row has beside its texts, about.
const ROW_BYTES: usize = 256;

/// The table `tool_call`.
pub(crate) struct ToolCalls;

/// The halves of one call that are to be written.
pub(crate) struct ToolCall<'a> {
    key: &'a ConversationKey,
    id: &'a str,
    started: Option<Started<'a>>,
    finished: Option<Finished<'a>>,
    /// About what they take.
    bytes: usize,
}

#[derive(Clone, Copy)]
struct Started<'a> {
    tool_name: &'a str,
    args: Option<&'a str>,
    message_id: Option<&'a str>,
    at: Millis,
}

#[derive(Clone, Copy)]
struct Finished<'a> {
    tool_name: Option<&'a str>,
    result: Option<&'a str>,
    error: Option<&'a str>,
    at: Millis,
    event_time: Millis,
}

/// Whether a half was added: its flag, and what `EXCLUDED` of an upsert calls it.
const HAS_STARTED: &str = "has_started";
const HAS_FINISHED: &str = "has_finished";

/// The columns of the first half.
static STARTED: &[Column<ToolCalls>] = &[
    Column::new(HAS_STARTED, Value::Flag(|call| Some(call.started.is_some()))),
    Column::new("started_tool_name", Value::Text(|call| Some(call.started?.tool_name))),
    Column::new("args", Value::Text(|call| call.started?.args)),
    Column::new("message_id", Value::Text(|call| call.started?.message_id)),
    Column::new("started_at", Value::Time(|call| Some(call.started?.at))),
];

/// The columns of the second half.
static FINISHED: &[Column<ToolCalls>] = &[
    Column::new(HAS_FINISHED, Value::Flag(|call| Some(call.finished.is_some()))),
    Column::new("finished_tool_name", Value::Text(|call| call.finished?.tool_name)),
    Column::new("result", Value::Text(|call| call.finished?.result)),
    Column::new("error", Value::Text(|call| call.finished?.error)),
    Column::new("finished_at", Value::Time(|call| Some(call.finished?.at))),
    Column::new(
        "finished_event_time",
        Value::Time(|call| Some(call.finished?.event_time)),
    ),
];

impl Table for ToolCalls {
    const NAME: &'static str = "tool_call";

    type Row<'a> = ToolCall<'a>;

    fn columns() -> impl Iterator<Item = &'static Column<Self>> {
        static KEY: &[Column<ToolCalls>] = &[
            Column::new("org_id", Value::Text(|call| Some(&call.key.org_id))),
            Column::new("conversation_id", Value::Text(|call| Some(&call.key.conversation_id))),
            Column::new("tool_call_id", Value::Text(|call| Some(call.id))),
        ];
        KEY.iter().chain(STARTED).chain(FINISHED)
    }
}

impl<'a> ToolCall<'a> {
    pub(crate) fn new(key: &'a ConversationKey, id: &'a str) -> Self {
        Self {
            key,
            id,
            started: None,
            finished: None,
            bytes: ROW_BYTES,
        }
    }

    /// Adds one of its halves.
    pub(crate) fn add(&mut self, half: &'a Payload) {
        self.bytes += half.heap_bytes();
        match half {
            Payload::ToolStarted {
                tool_name,
                args,
                message_id,
                started_at,
                ..
            } => {
                self.started = Some(Started {
                    tool_name,
                    args: args.as_deref(),
                    message_id: message_id.as_deref(),
                    at: *started_at,
                });
            }
            Payload::ToolFinished {
                tool_name,
                result,
                error,
                finished_at,
                stamp,
                ..
            } => {
                self.finished = Some(Finished {
                    tool_name: tool_name.as_deref(),
                    result: result.as_deref(),
                    error: error.as_deref(),
                    at: *finished_at,
                    event_time: stamp.time.to_millis(),
                });
            }
            Payload::ToolDeleted { .. } | Payload::Feedback { .. } => {}
        }
    }

    /// About what the row takes in a statement.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Writes tool calls, each half where it is given.
pub(crate) async fn write(
    connection: &mut PgConnection,
    schema: &str,
    calls: &[ToolCall<'_>],
) -> Result<(), sqlx::Error> {
    // Each half sets its own columns and leaves the other's alone.
    let set: Vec<String> = [(HAS_STARTED, STARTED), (HAS_FINISHED, FINISHED)]
        .into_iter()
        .flat_map(|(present, half)| half.iter().map(move |column| (present, column.name)))
        .map(|(present, name)| format!("{name} = CASE WHEN EXCLUDED.{present} THEN EXCLUDED.{name} ELSE t.{name} END"))
        .collect();
    let statement = format!(
        "{} ON CONFLICT (org_id, conversation_id, tool_call_id) DO UPDATE SET {}",
        table::insert::<ToolCalls>(schema),
        set.join(", ")
    );
    let bytes = calls.iter().map(ToolCall::bytes).sum();
    sqlx::query_with(sql(statement), table::arrays::<ToolCalls>(calls, bytes)?)
        .execute(connection)
        .await?;
    Ok(())
}

/// A started half that may take the place of another message's.
pub(crate) struct Replacement<'a> {
    key: &'a ConversationKey,
    id: &'a str,
    message_id: &'a str,
}

impl<'a> Replacement<'a> {
    /// `None` for other payloads, and for calls of no message.
    pub(crate) fn of(key: &'a ConversationKey, payload: &'a Payload) -> Option<Self> {
        match payload {
            Payload::ToolStarted {
                tool_call_id: id,
                message_id: Some(message_id),
                ..
            } => Some(Self { key, id, message_id }),
            _ => None,
        }
    }
}

/// How many of these take the place of another message's, before they are written.
pub(crate) async fn count_reused(
    connection: &mut PgConnection,
    placement: Placement,
    schema: &str,
    replacements: &[Replacement<'_>],
) -> Result<u64, sqlx::Error> {
    let stored = placement.look_up(
        &format!("{schema}.tool_call"),
        "t",
        "t.message_id",
        "t.org_id = k.org_id AND t.conversation_id = k.conversation_id AND t.tool_call_id = k.tool_call_id",
    );
    let count: i64 = sqlx::query_scalar(sql(format!(
        "SELECT count(*) FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[]) \
         AS k(org_id, conversation_id, tool_call_id, message_id) {stored} WHERE t.message_id <> k.message_id"
    )))
    .bind(replacements.iter().map(|call| &*call.key.org_id).collect::<Vec<&str>>())
    .bind(
        replacements
            .iter()
            .map(|call| &*call.key.conversation_id)
            .collect::<Vec<&str>>(),
    )
    .bind(replacements.iter().map(|call| call.id).collect::<Vec<&str>>())
    .bind(replacements.iter().map(|call| call.message_id).collect::<Vec<&str>>())
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// A deleted call of which only these halves are left.
pub(crate) struct Erasure<'a> {
    key: &'a ConversationKey,
    id: &'a str,
    shown: ShownHalves,
}

impl<'a> Erasure<'a> {
    pub(crate) fn new(key: &'a ConversationKey, id: &'a str, shown: ShownHalves) -> Self {
        Self { key, id, shown }
    }

    /// The organization that it is of.
    pub(crate) fn org_id(&self) -> &str {
        &self.key.org_id
    }

    /// About what it takes in a statement.
    pub(crate) fn bytes(&self) -> usize {
        self.key.org_id.len() + self.key.conversation_id.len() + self.id.len()
    }
}

/// Erases the halves that are not shown, and rows without a half. Of a half that is shown the row may hold an older revision:
/// then the newer one is written next. On a cluster all are of one organization.
pub(crate) async fn erase(
    connection: &mut PgConnection,
    placement: Placement,
    schema: &str,
    erasures: &[Erasure<'_>],
) -> Result<(), sqlx::Error> {
    let only = placement.only("t.org_id", 6);
    let shown = format!(
        "(SELECT UNNEST($1::text[]) AS org_id, UNNEST($2::text[]) AS conversation_id, \
                 UNNEST($3::text[]) AS tool_call_id, UNNEST($4::boolean[]) AS started, \
                 UNNEST($5::boolean[]) AS finished) AS shown \
                 WHERE t.org_id = shown.org_id AND t.conversation_id = shown.conversation_id \
                 AND t.tool_call_id = shown.tool_call_id{only}"
    );
    let set: Vec<String> = [(HAS_STARTED, "started", STARTED), (HAS_FINISHED, "finished", FINISHED)]
        .into_iter()
        .flat_map(|(present, half, columns)| columns.iter().map(move |column| (present, half, column.name)))
        .map(|(present, half, name)| {
            if name == present {
                format!("{name} = t.{name} AND shown.{half}")
            } else {
                format!("{name} = CASE WHEN shown.{half} THEN t.{name} END")
            }
        })
        .collect();
    let statements = [
        format!(
            "DELETE FROM {schema}.tool_call AS t USING {shown} \
             AND NOT (t.{HAS_STARTED} AND shown.started) AND NOT (t.{HAS_FINISHED} AND shown.finished)"
        ),
        format!("UPDATE {schema}.tool_call AS t SET {} FROM {shown}", set.join(", ")),
    ];
    for statement in statements {
        let mut query = sqlx::query(sql(statement))
            .bind(erasures.iter().map(|call| &*call.key.org_id).collect::<Vec<&str>>())
            .bind(
                erasures
                    .iter()
                    .map(|call| &*call.key.conversation_id)
                    .collect::<Vec<&str>>(),
            )
            .bind(erasures.iter().map(|call| call.id).collect::<Vec<&str>>())
            .bind(erasures.iter().map(|call| call.shown.started).collect::<Vec<bool>>())
            .bind(erasures.iter().map(|call| call.shown.finished).collect::<Vec<bool>>());
        if placement == Placement::Cluster {
            query = query.bind(erasures.first().map(Erasure::org_id));
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}
