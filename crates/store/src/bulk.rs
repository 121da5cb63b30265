//! Conversations that a generation being built surely does not hold yet: copied in, without looking for what is there.

use chrono::{DateTime, Utc};
use rand::Rng as _;
use recap_events::Millis;
use recap_summary::{Encoded, FirstText, Payload};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgCopyIn};
use tracing::{Instrument as _, debug_span};

use crate::{
    Entry, FlushError, FlushReport, GenerationId, Writer, generation::GENERATION_LOCK, payloads::Rows, upsert::moment,
    writer::count,
};

/// Bytes handed to the connection at a time.
const SEND_BYTES: usize = 256 << 10;
/// 2000-01-01, from which PostgreSQL counts, in Unix microseconds.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

const CONVERSATION: &str = "org_id, conversation_id, revision, base_revision, text_kept, part_count, state, \
    created_at, updated_at, recency, deleted_at, user_id, agent_id, upstream_conversation_id, agent_model, \
    last_finish_reason, user_message_count, assistant_message_count, total_message_count, duration_ms, \
    total_tokens, input_tokens, output_tokens, attachment_count, tool_call_count, total_feedback, total_helpful, \
    total_not_helpful, first_message_text";
const PART: &str = "org_id, conversation_id, part, state";
const TOOL_CALL: &str = "org_id, conversation_id, tool_call_id, has_started, started_tool_name, args, message_id, \
    started_at, has_finished, finished_tool_name, result, error, finished_at, finished_event_time";
const FEEDBACK: &str =
    "org_id, conversation_id, feedback_id, withdrawn, helpful, comment, message_id, user_id, created_at";

impl Writer {
    /// Commits conversations, each key once and sorted, to a generation that is being built and has no row of any of them.
    /// Else it fails with [`FlushError::Refused`], and [`Writer::flush_building`] is the way.
    ///
    /// The commit does not wait for the disk: what is committed after it and does, the offsets, is behind it in the
    /// write-ahead log.
    pub async fn copy_building(
        &self,
        generation: GenerationId,
        entries: &mut [Entry],
    ) -> Result<FlushReport, FlushError> {
        let mut connection = self.pool.acquire().await?;
        let span = debug_span!("store.copy_building", db.system.name = "postgresql");
        let copied = self
            .copy_into(&mut connection, generation, entries)
            .instrument(span)
            .await;
        if copied.is_err() {
            // Perhaps in the middle of a stream.
            connection.close_on_drop();
        }
        copied
    }

    async fn copy_into(
        &self,
        connection: &mut PgConnection,
        generation: GenerationId,
        entries: &mut [Entry],
    ) -> Result<FlushReport, FlushError> {
        let begin = format!(
            "BEGIN; SET LOCAL synchronous_commit = off; SELECT pg_advisory_xact_lock_shared({GENERATION_LOCK})"
        );
        let mut transaction = connection.begin_with(AssertSqlSafe(begin)).await?;
        let mut random = self.random();
        for entry in &mut *entries {
            entry.delta.payloads.retain_current(&entry.delta.state);
        }
        // Any value but 0, which stands for "no row".
        let revisions: Vec<i64> = entries.iter().map(|_| random.random_range(1..=i64::MAX)).collect();
        let payloads = copy(&mut transaction, &generation.schema(), entries, &revisions).await?;
        transaction.commit().await?;
        Ok(FlushReport {
            written: count(entries.len()),
            payloads,
            ..FlushReport::default()
        })
    }
}

/// Copies conversations with their parts and payloads, which must be current; each gets the revision beside it.
/// A row that is there already fails all of it. Returns how many payloads.
async fn copy(
    connection: &mut PgConnection,
    schema: &str,
    entries: &[Entry],
    revisions: &[i64],
) -> Result<u64, FlushError> {
    let mut parts = Vec::new();
    let mut copy = Copy::begin(connection, schema, "conversation_summary", CONVERSATION).await?;
    for (entry, revision) in entries.iter().zip(revisions) {
        let Encoded {
            main,
            part_count,
            parts: others,
        } = entry.delta.state.encode_whole();
        copy.row(29, |row| {
            conversation(row, entry, *revision, &main, part_count);
        })
        .await?;
        parts.extend(others.into_iter().map(|part| (entry, part)));
    }
    copy.finish().await?;
    if !parts.is_empty() {
        let mut copy = Copy::begin(connection, schema, "conversation_state_part", PART).await?;
        for (entry, (number, state)) in parts {
            copy.row(4, |row| {
                row.key(entry);
                row.field(&number.to_be_bytes());
                row.field(&state);
            })
            .await?;
        }
        copy.finish().await?;
    }
    let Rows { calls, feedback } = Rows::of(entries);
    if !calls.is_empty() {
        let mut copy = Copy::begin(connection, schema, "tool_call", TOOL_CALL).await?;
        for ((key, id), call) in &calls {
            copy.row(14, |row| {
                row.text(&key.org_id);
                row.text(&key.conversation_id);
                row.text(id);
                started(row, call.started);
                finished(row, call.finished);
            })
            .await?;
        }
        copy.finish().await?;
    }
    if !feedback.is_empty() {
        let mut copy = Copy::begin(connection, schema, "feedback", FEEDBACK).await?;
        for (key, id, submitted) in &feedback {
            copy.row(9, |row| {
                row.text(&key.org_id);
                row.text(&key.conversation_id);
                row.text(id);
                row.flag(submitted.is_none());
                row.optional(submitted.map(|row| [u8::from(row.helpful)]));
                row.optional(submitted.and_then(|row| row.comment.as_deref()));
                row.optional(submitted.and_then(|row| row.message_id.as_deref()));
                row.optional(submitted.and_then(|row| row.user_id.as_deref()));
                row.time(submitted.map(|row| row.created_at));
            })
            .await?;
        }
        copy.finish().await?;
    }
    Ok(u64::try_from(calls.len() + feedback.len()).unwrap_or(u64::MAX))
}

fn conversation(row: &mut Row<'_>, entry: &Entry, revision: i64, state: &[u8], part_count: u16) {
    let columns = entry.delta.state.columns();
    row.key(entry);
    row.number(revision);
    row.number(0);
    row.flag(false);
    row.field(&part_count.to_be_bytes());
    row.field(state);
    row.time(Some(columns.created_at));
    row.time(Some(columns.updated_at));
    row.number(-columns.updated_at.0);
    row.time(columns.deleted_at);
    row.optional(columns.user_id.as_deref());
    row.optional(columns.agent_id.map(i64::to_be_bytes));
    row.optional(columns.upstream_conversation_id.as_deref());
    row.optional(columns.agent_model.as_deref());
    row.optional(columns.last_finish_reason.as_deref());
    for number in [
        columns.user_message_count,
        columns.assistant_message_count,
        columns.total_message_count,
        columns.duration_ms,
        columns.total_tokens,
        columns.input_tokens,
        columns.output_tokens,
        columns.attachment_count,
        columns.tool_call_count,
        columns.total_feedback,
        columns.total_helpful,
        columns.total_not_helpful,
    ] {
        row.number(number);
    }
    row.optional(match entry.delta.state.first_text() {
        FirstText::Set(text) => text,
        FirstText::Unchanged => None,
    });
}

fn started(row: &mut Row<'_>, half: Option<&Payload>) {
    if let Some(Payload::ToolStarted {
        tool_name,
        args,
        message_id,
        started_at,
        ..
    }) = half
    {
        row.flag(true);
        row.text(tool_name);
        row.optional(args.as_deref());
        row.optional(message_id.as_deref());
        row.time(Some(*started_at));
    } else {
        row.flag(false);
        row.nulls(4);
    }
}

fn finished(row: &mut Row<'_>, half: Option<&Payload>) {
    if let Some(Payload::ToolFinished {
        tool_name,
        result,
        error,
        finished_at,
        stamp,
        ..
    }) = half
    {
        row.flag(true);
        row.optional(tool_name.as_deref());
        row.optional(result.as_deref());
        row.optional(error.as_deref());
        row.time(Some(*finished_at));
        row.time(Some(stamp.time.to_millis()));
    } else {
        row.flag(false);
        row.nulls(5);
    }
}

/// A `COPY … FROM STDIN` under way, in the binary format of PostgreSQL's documentation of `COPY`.
struct Copy<'c> {
    sink: PgCopyIn<&'c mut PgConnection>,
    buffer: Vec<u8>,
}

impl<'c> Copy<'c> {
    async fn begin(
        connection: &'c mut PgConnection,
        schema: &str,
        table: &str,
        columns: &str,
    ) -> Result<Self, sqlx::Error> {
        let statement = format!("COPY {schema}.{table} ({columns}) FROM STDIN (FORMAT binary)");
        let sink = connection.copy_in_raw(&statement).await?;
        let mut buffer = Vec::with_capacity(SEND_BYTES * 2);
        buffer.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        // No flags, no header extension.
        buffer.extend_from_slice(&[0; 8]);
        Ok(Self { sink, buffer })
    }

    async fn row(&mut self, fields: i16, fill: impl FnOnce(&mut Row<'_>)) -> Result<(), sqlx::Error> {
        self.buffer.extend_from_slice(&fields.to_be_bytes());
        fill(&mut Row(&mut self.buffer));
        if self.buffer.len() >= SEND_BYTES {
            self.sink.send(self.buffer.as_slice()).await?;
            self.buffer.clear();
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<u64, sqlx::Error> {
        self.buffer.extend_from_slice(&(-1_i16).to_be_bytes());
        self.sink.send(self.buffer.as_slice()).await?;
        self.sink.finish().await
    }
}

/// The fields of one row, in the order of the columns.
struct Row<'b>(&'b mut Vec<u8>);

impl Row<'_> {
    fn key(&mut self, entry: &Entry) {
        self.text(&entry.key.org_id);
        self.text(&entry.key.conversation_id);
    }

    fn field(&mut self, bytes: &[u8]) {
        // PostgreSQL takes no gibibyte in one field, and contents are bounded by Kafka's messages.
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn nulls(&mut self, count: usize) {
        for _ in 0..count {
            self.0.extend_from_slice(&(-1_i32).to_be_bytes());
        }
    }

    fn optional(&mut self, bytes: Option<impl AsRef<[u8]>>) {
        match bytes {
            Some(bytes) => self.field(bytes.as_ref()),
            None => self.nulls(1),
        }
    }

    fn text(&mut self, text: &str) {
        self.field(text.as_bytes());
    }

    fn number(&mut self, number: i64) {
        self.field(&number.to_be_bytes());
    }

    fn flag(&mut self, flag: bool) {
        self.field(&[u8::from(flag)]);
    }

    fn time(&mut self, time: Option<Millis>) {
        let micros = time
            .and_then(moment)
            .map(|time: DateTime<Utc>| time.timestamp_micros() - EPOCH_MICROS);
        self.optional(micros.map(i64::to_be_bytes));
    }
}
