//! Conversations that a generation being built surely does not hold yet: copied in, without looking for what is there.

use std::marker::PhantomData;

use sqlx::{PgConnection, postgres::PgCopyIn};

use super::{
    feedback::FeedbackRows,
    parts::{Part, Parts},
    payloads::Rows,
    prepared::Prepared,
    tool_calls::ToolCalls,
};
use crate::{
    Entry,
    columns::Conversations,
    table::{self, Table, Value, timestamp},
};

/// Bytes handed to the connection at a time.
const SEND_BYTES: usize = 256 << 10;
/// 2000-01-01, from which PostgreSQL counts, in Unix microseconds.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Copies conversations with their parts and payloads, which must be current; each gets the revision beside it.
/// A row that is there already fails all of it. Returns how many payloads.
pub(super) async fn copy(
    connection: &mut PgConnection,
    schema: &str,
    entries: &[Entry],
    revisions: &[Option<i64>],
) -> Result<u64, sqlx::Error> {
    let mut parts = Vec::new();
    let mut copy = Copy::<Conversations>::begin(connection, schema).await?;
    for (entry, revision) in entries.iter().zip(revisions.iter().flatten()) {
        let row = Prepared::whole(entry, *revision);
        copy.row(&row).await?;
        parts.extend(row.encoded.parts.into_iter().map(|part| (&entry.key, part)));
    }
    copy.finish().await?;
    let parts: Vec<Part<'_>> = parts.iter().map(|(key, part)| Part::new(key, part)).collect();
    copy_all::<Parts>(connection, schema, &parts).await?;
    // There is no row yet, so there is nothing to erase.
    let Rows { calls, feedback, .. } = Rows::of(entries);
    copy_all::<ToolCalls>(connection, schema, &calls).await?;
    copy_all::<FeedbackRows>(connection, schema, &feedback).await?;
    Ok(u64::try_from(calls.len() + feedback.len()).unwrap_or(u64::MAX))
}

async fn copy_all<T: Table>(
    connection: &mut PgConnection,
    schema: &str,
    rows: &[T::Row<'_>],
) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut copy = Copy::<T>::begin(connection, schema).await?;
    for row in rows {
        copy.row(row).await?;
    }
    copy.finish().await?;
    Ok(())
}

/// A `COPY … FROM STDIN` under way, in the binary format of PostgreSQL's documentation of `COPY`.
struct Copy<'c, T: Table> {
    sink: PgCopyIn<&'c mut PgConnection>,
    buffer: Vec<u8>,
    /// Fields of a row.
    fields: i16,
    table: PhantomData<T>,
}

impl<'c, T: Table> Copy<'c, T> {
    async fn begin(connection: &'c mut PgConnection, schema: &str) -> Result<Self, sqlx::Error> {
        let statement = format!(
            "COPY {schema}.{} ({}) FROM STDIN (FORMAT binary)",
            T::NAME,
            table::names::<T>()
        );
        let sink = connection.copy_in_raw(&statement).await?;
        let mut buffer = Vec::with_capacity(SEND_BYTES * 2);
        buffer.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        // No flags, no header extension.
        buffer.extend_from_slice(&[0; 8]);
        Ok(Self {
            sink,
            buffer,
            // PostgreSQL's tables have at most 1,600 columns.
            fields: i16::try_from(T::columns().count()).unwrap_or(i16::MAX),
            table: PhantomData,
        })
    }

    async fn row(&mut self, row: &T::Row<'_>) -> Result<(), sqlx::Error> {
        self.buffer.extend_from_slice(&self.fields.to_be_bytes());
        for column in T::columns() {
            put_value(&mut self.buffer, &column.value, row);
        }
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

fn put_value<T: Table>(buffer: &mut Vec<u8>, value: &Value<T>, row: &T::Row<'_>) {
    match value {
        Value::Text(get) => put_field(buffer, get(row)),
        Value::Bytes(get) => put_field(buffer, Some(get(row))),
        Value::Integer(get) => put_field(buffer, get(row).map(i64::to_be_bytes)),
        Value::Small(get) => put_field(buffer, Some(get(row).to_be_bytes())),
        Value::Flag(get) => put_field(buffer, get(row).map(|flag| [u8::from(flag)])),
        Value::Time(get) => {
            let time = get(row).and_then(timestamp);
            let micros = time.map(|time| time.timestamp_micros() - EPOCH_MICROS);
            put_field(buffer, micros.map(i64::to_be_bytes));
        }
    }
}

fn put_field(buffer: &mut Vec<u8>, bytes: Option<impl AsRef<[u8]>>) {
    let Some(bytes) = bytes else {
        return buffer.extend_from_slice(&(-1_i32).to_be_bytes());
    };
    let bytes = bytes.as_ref();
    // PostgreSQL takes no gibibyte in one field, and contents are bounded by Kafka's messages.
    let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    buffer.extend_from_slice(&length.to_be_bytes());
    buffer.extend_from_slice(bytes);
}
