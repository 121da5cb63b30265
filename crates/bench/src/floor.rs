//! The floor of a rebuild: read and decode the whole log, copy the finished rows into empty tables and index them, on all cores at once. What no rebuild can
//! avoid, with nothing folded, merged, compared or waited for.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use futures::TryStreamExt as _;
use recap_store::GenerationId;
use sqlx::PgConnection;
use tokio::task::JoinSet;

use super::{
    limit,
    source::per_second,
    stack::{Broker, Database},
};

/// What begins a binary `COPY`: its signature, no flags, no header extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: &[u8] = &(-1_i16).to_be_bytes();
/// Bytes of one `COPY … FROM STDIN`.
const PIECE: usize = 8 << 20;
/// Bytes handed to the connection at a time, as a rebuild does.
const SEND: usize = 256 << 10;

/// Events a second. The rows are those of the live generation, which has the whole log and was rebuilt, so that none of them is busy.
pub async fn rate(broker: &Broker, database: &Database, events: u64) -> anyhow::Result<f64> {
    let store = database.store()?;
    let from = store.live_generation().await?;
    let pieces = finished_rows(database, from).await?;
    let into = store.create_generation().await?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let consumers = i32::try_from(cores)?;
    let begun = Instant::now();
    let kafka = broker.cluster();
    let reading = tokio::task::spawn_blocking(move || limit::rate(&kafka, consumers));
    copy(database, into, pieces, cores).await?;
    let copied = begun.elapsed();
    store.create_indexes(into).await?;
    let indexed = begun.elapsed();
    reading.await??;
    let elapsed = begun.elapsed();
    eprintln!(
        "    floor: copied after {:.1} s, indexed after {:.1} s, all after {:.1} s",
        copied.as_secs_f64(),
        indexed.as_secs_f64(),
        elapsed.as_secs_f64()
    );
    store.discard_generation(into).await?;
    store.close().await;
    Ok(per_second(events, elapsed))
}

/// Rows of one table on their way.
struct Piece {
    /// The table and its columns.
    table: String,
    rows: Vec<u8>,
}

/// All rows of a generation in the order of their keys, as `COPY` takes them.
async fn finished_rows(database: &Database, generation: GenerationId) -> anyhow::Result<Vec<Piece>> {
    let mut connection = database.connect().await?;
    let tables: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT c.relname::text, \
           (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a \
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''), \
           (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.place) \
              FROM pg_index i, UNNEST(i.indkey::int2[]) WITH ORDINALITY k(attnum, place), pg_attribute a \
              WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.attnum) \
         FROM pg_class c WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'r' ORDER BY 1",
    )
    .bind(generation.schema())
    .fetch_all(&mut connection)
    .await?;
    let mut pieces = Vec::new();
    for (table, columns, key) in tables {
        let schema = generation.schema();
        let statement =
            format!("COPY (SELECT {columns} FROM {schema}.{table} ORDER BY {key}) TO STDOUT (FORMAT binary)");
        let into = format!("{table} ({columns})");
        pieces.append(&mut pieces_of(&mut connection, &statement, &into).await?);
    }
    ensure!(!pieces.is_empty(), "generation {generation} has no rows");
    Ok(pieces)
}

async fn pieces_of(connection: &mut PgConnection, statement: &str, table: &str) -> anyhow::Result<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut messages = connection.copy_out_raw(statement).await?;
    let mut is_first = true;
    while let Some(message) = messages.try_next().await? {
        // One message a row, says the protocol; the first begins with the header, the last is the trailer.
        let mut row = &*message;
        if std::mem::take(&mut is_first) {
            row = row.strip_prefix(HEADER).context("COPY begins with another header")?;
        }
        if row == TRAILER {
            continue;
        }
        match pieces.last_mut() {
            Some(piece) if piece.rows.len() < PIECE => piece.rows.extend_from_slice(row),
            _ => pieces.push(Piece {
                table: table.to_owned(),
                rows: [HEADER, row].concat(),
            }),
        }
    }
    for piece in &mut pieces {
        piece.rows.extend_from_slice(TRAILER);
    }
    Ok(pieces)
}

/// Copies over as many connections as there are cores; as in a rebuild, a commit does not wait for the disk.
async fn copy(database: &Database, into: GenerationId, pieces: Vec<Piece>, cores: usize) -> anyhow::Result<()> {
    let mut shares: Vec<Vec<Piece>> = (0..cores).map(|_| Vec::new()).collect();
    for (index, piece) in pieces.into_iter().enumerate() {
        shares[index % cores].push(piece);
    }
    let mut copying = JoinSet::new();
    for share in shares {
        let mut connection = database.connect().await?;
        copying.spawn(async move {
            sqlx::query("SET synchronous_commit = off")
                .execute(&mut connection)
                .await?;
            for Piece { table, rows } in share {
                let statement = format!("COPY {}.{table} FROM STDIN (FORMAT binary)", into.schema());
                let mut sink = connection.copy_in_raw(&statement).await?;
                for bytes in rows.chunks(SEND) {
                    sink.send(bytes).await?;
                }
                sink.finish().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(copied) = copying.join_next().await {
        copied??;
    }
    Ok(())
}
