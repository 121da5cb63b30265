//! An answer that leaves as it is read, in bounded memory, on a database connection of its own.
//!
//! A task reads and a bounded channel carries the bytes to the response. The task ends, and its database connection with it, when the client hangs
//! up, when the time is up, however slowly the client reads, or when somebody with a better right needs its turn.

use std::sync::Arc;

use axum::response::Response;
use http::{
    HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use recap_store::{ByteLimit, Filter, OutlineEntry, Position, ReadError, Snapshot, Sort};
use tokio::time::Instant;
use tracing::Instrument;

use super::{
    list::List,
    wide::{Aborted, Wide},
};
use crate::{
    http::{
        memory::{AnswerInProgress, Reservation},
        negotiation::Coding,
        streamed_body::{self, BodyWriter, SendError},
        turns::Turn,
    },
    service::Service,
};

/// Conversations read at a time.
const ROWS: u32 = 400;
/// Bytes of rows read at a time; what is more is read in smaller pieces.
const ROWS_BYTES: usize = 2 << 20;
/// What a stream holds in memory at most: rows, the same rendered, and encoded.
pub(crate) const STREAM_BYTES: usize = 2 * ROWS_BYTES;

/// What an outline may take beside it: some 400,000 conversations.
const OUTLINE_BYTES: usize = 64 << 20;

/// What is reserved for one before it is read: some 25,000 conversations.
pub(crate) const OUTLINE_RESERVED: usize = 8 << 20;

/// Memory for an outline, of which so many bytes are reserved.
pub(crate) fn outline_memory(reservation: &Arc<Reservation>, reserved: usize) -> AnswerInProgress {
    AnswerInProgress::with(Arc::clone(reservation), reserved, OUTLINE_BYTES)
}

/// Conversations of an outline in an order that no index has: each outline sorts all that match.
const SORTED_ROWS: u32 = 50_000;

/// What an entry of an outline takes.
const ENTRY_BYTES: usize = 160;

/// What is still to be read.
pub(crate) enum Rest {
    /// These conversations.
    Outlined(Vec<OutlineEntry>),
    /// Everything that matches, after a place.
    After(Filter, Option<Position>),
}

/// A stream about to begin.
pub(crate) struct Stream {
    /// The endpoint's route.
    pub(crate) path: &'static str,
    pub(crate) service: Arc<Service>,
    pub(crate) snapshot: Snapshot,
    pub(crate) list: List,
    /// What has been written already.
    pub(crate) first: Vec<u8>,
    pub(crate) rest: Rest,
    pub(crate) turn: Turn,
    pub(crate) reservation: Arc<Reservation>,
    pub(crate) deadline: Instant,
}

impl Stream {
    /// Begins, and gives the response that it goes into.
    pub(crate) fn respond(self, coding: Coding) -> Response {
        let content_type = self.list.media_type.content_type();
        let (writer, body) = streamed_body::channel(coding, Arc::clone(self.turn.progress()));
        tokio::spawn(self.run(writer).in_current_span());
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if coding != Coding::Identity {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        response
    }

    async fn run(self, body: BodyWriter) {
        let metrics = self.service.metrics.clone();
        let client_gone = body.client_gone();
        let progress = Arc::clone(self.turn.progress());
        let deadline = self.deadline;
        let path = self.path;
        let ended = tokio::select! {
            ended = self.copy(body) => ended,
            () = client_gone => Err(SendError::ClientGone.into()),
            () = progress.gives_way() => {
                metrics.stream_aborted("slow");
                tracing::warn!("a streamed answer gave way to another: its client reads slowly");
                return;
            }
            () = tokio::time::sleep_until(deadline) => {
                metrics.stream_aborted("time");
                tracing::warn!("a streamed answer ran into its time limit");
                return;
            }
        };
        match ended {
            Ok(rows) => metrics.answered(path, rows),
            Err(Aborted::Send(SendError::ClientGone)) => metrics.stream_aborted("client"),
            Err(error) => {
                metrics.stream_aborted("failure");
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a streamed answer failed after its headers"
                );
            }
        }
    }

    /// Gives how many conversations it has at its top level.
    async fn copy(self, mut body: BodyWriter) -> Result<u64, Aborted> {
        let Self {
            mut snapshot,
            mut list,
            first: mut out,
            rest,
            turn,
            reservation,
            ..
        } = self;
        match rest {
            Rest::Outlined(entries) => {
                // An entry takes a fraction of what its outline did.
                reservation.shrink(STREAM_BYTES + entries.len() * ENTRY_BYTES);
                Wide::new(&mut snapshot, &mut list, &mut body, std::mem::take(&mut out))
                    .send(&entries)
                    .await?;
            }
            Rest::After(filter, mut after) if list.sort != Sort::default() => loop {
                snapshot.limit_memory(outline_memory(&reservation, 0));
                let outline = list
                    .outline(&mut snapshot, &filter, after.as_ref(), SORTED_ROWS)
                    .await?;
                Wide::new(&mut snapshot, &mut list, &mut body, std::mem::take(&mut out))
                    .send(&outline.entries)
                    .await?;
                reservation.shrink(STREAM_BYTES);
                after = outline.next;
                if after.is_none() {
                    break;
                }
            },
            Rest::After(filter, mut after) => loop {
                body.send(&out).await?;
                out.clear();
                snapshot.limit_memory(ByteLimit(ROWS_BYTES));
                after = match list.read(&mut snapshot, &filter, after.as_ref(), ROWS, &mut out).await {
                    Err(ReadError::TooLarge) => {
                        snapshot.limit_memory(outline_memory(&reservation, 0));
                        let outline = list.outline(&mut snapshot, &filter, after.as_ref(), ROWS).await?;
                        Wide::new(&mut snapshot, &mut list, &mut body, std::mem::take(&mut out))
                            .send(&outline.entries)
                            .await?;
                        reservation.shrink(STREAM_BYTES);
                        outline.next
                    }
                    read => read?,
                };
                if after.is_none() {
                    break;
                }
            },
        }
        snapshot.finish().await?;
        list.end(&mut out);
        body.finish(&out).await?;
        // Held until the last byte is on its way.
        drop((turn, reservation));
        Ok(list.rows())
    }
}
