//! Unpaged answers: rows leave as they are read, in bounded memory, on a connection and a turn of their own.
//!
//! A task reads and a bounded channel carries the bytes to the response. The task ends, and its database connection with it, when the
//! client hangs up or when the time is up, however slowly the client reads.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use recap_store::{Filter, Position, ReadError, Snapshot};
use recap_telemetry::CacheResult;
use tokio::{sync::mpsc, time::Instant};
use tracing::Instrument;

use crate::{
    answer::Answer,
    compression::Encoder,
    get_interactions::PATH,
    limits::StreamTurn,
    list::List,
    negotiation::{Coding, MediaType},
    parameters::Exclude,
    problem::Problem,
    scope::Scope,
    service::Service,
};

/// Conversations read at a time: the first few, to answer soon, then more.
const FIRST_ROWS: u32 = 50;
const MORE_ROWS: u32 = 400;
/// Pieces on their way to the client.
const PIECES: usize = 1;

/// Answers with everything that matches: as a whole when it is short, else streamed.
pub(crate) async fn respond(
    service: Arc<Service>,
    scope: Scope,
    exclude: Exclude,
    media_type: MediaType,
    coding: Coding,
    request: &HeaderMap,
) -> Result<Response, Problem> {
    service.metrics.cache_lookup(CacheResult::Bypass);
    let deadline = Instant::now() + service.timeouts.stream;
    let Some(turn) = service.stream_limit.turn(scope.org_id()).await else {
        service.metrics.limited("streams");
        return Err(Problem::unavailable(
            "Too many unpaged answers are under way; try again, or ask for pages with limit.",
        ));
    };
    let began = Instant::now();
    let mut source = Source::open(&service, &scope, exclude, media_type)
        .await
        .map_err(|error| service.read_failed(&error))?;
    let mut first = Vec::new();
    source
        .piece(FIRST_ROWS, &mut first)
        .await
        .map_err(|error| service.read_failed(&error))?;
    if source.after.is_none() {
        let rows = source
            .close(&mut first)
            .await
            .map_err(|error| service.read_failed(&error))?;
        service.metrics.answered(PATH, rows);
        let answer = Answer::new(first, media_type, None, began);
        return answer.encoded(coding).await.map(|answer| answer.respond(request));
    }

    let (pieces, body) = channel();
    let task = Task {
        service,
        source,
        encoder: Encoder::new(coding),
        pieces,
        _turn: turn,
    };
    tokio::spawn(task.run(first, deadline).in_current_span());
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type.content_type()));
    if coding != Coding::Identity {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    }
    Ok(response)
}

/// The rows yet to be read, all of one moment.
struct Source {
    snapshot: Snapshot,
    filter: Filter,
    list: List,
    after: Option<Position>,
}

impl Source {
    async fn open(
        service: &Service,
        scope: &Scope,
        exclude: Exclude,
        media_type: MediaType,
    ) -> Result<Self, ReadError> {
        let snapshot = service.streams.snapshot(scope.org_id()).await?;
        Ok(Self {
            snapshot,
            filter: scope.filter(),
            list: List::new(media_type, exclude),
            after: None,
        })
    }

    /// Reads and writes the next rows; afterwards `after` is none when there are no more.
    async fn piece(&mut self, rows: u32, out: &mut Vec<u8>) -> Result<(), ReadError> {
        self.after = self
            .list
            .read(&mut self.snapshot, &self.filter, self.after.as_ref(), rows, out)
            .await?;
        Ok(())
    }

    async fn close(mut self, out: &mut Vec<u8>) -> Result<u64, ReadError> {
        self.snapshot.finish().await?;
        self.list.end(out);
        Ok(self.list.rows())
    }
}

/// Why a stream ended before its end.
#[derive(Debug, thiserror::Error)]
enum Abort {
    #[error("the client hung up")]
    Client,
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the answer can't be encoded")]
    Encode(#[from] io::Error),
}

struct Task {
    service: Arc<Service>,
    source: Source,
    encoder: Encoder,
    pieces: Pieces,
    _turn: StreamTurn,
}

impl Task {
    async fn run(self, first: Vec<u8>, deadline: Instant) {
        let metrics = self.service.metrics.clone();
        let hung_up = self.pieces.sender.clone();
        let ended = tokio::select! {
            ended = self.copy(first) => ended,
            () = hung_up.closed() => Err(Abort::Client),
            () = tokio::time::sleep_until(deadline) => {
                metrics.stream_aborted("time");
                tracing::warn!("an unpaged answer ran into its time limit");
                return;
            }
        };
        match ended {
            Ok(rows) => metrics.answered(PATH, rows),
            Err(Abort::Client) => metrics.stream_aborted("client"),
            Err(error) => {
                metrics.stream_aborted("failure");
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "an unpaged answer failed after its headers"
                );
            }
        }
    }

    async fn copy(mut self, first: Vec<u8>) -> Result<u64, Abort> {
        let mut piece = first;
        while self.source.after.is_some() {
            self.pieces.send(self.encoder.encode(&piece).await?).await?;
            piece.clear();
            self.source.piece(MORE_ROWS, &mut piece).await?;
        }
        let rows = self.source.close(&mut piece).await?;
        let mut last = self.encoder.encode(&piece).await?;
        last.append(&mut self.encoder.finish().await?);
        self.pieces.send(last).await?;
        self.pieces.complete.store(true, Ordering::SeqCst);
        Ok(rows)
    }
}

/// The writing end of a response's body.
struct Pieces {
    sender: mpsc::Sender<Bytes>,
    /// Set after the last piece: a body that ends without it was cut off.
    complete: Arc<AtomicBool>,
}

impl Pieces {
    async fn send(&self, piece: Vec<u8>) -> Result<(), Abort> {
        if piece.is_empty() {
            return Ok(());
        }
        self.sender.send(Bytes::from(piece)).await.map_err(|_| Abort::Client)
    }
}

/// A body that fails, and with it the connection, unless its writer says that it is complete.
fn channel() -> (Pieces, Body) {
    let (sender, mut receiver) = mpsc::channel::<Bytes>(PIECES);
    let complete = Arc::new(AtomicBool::new(false));
    let pieces = Pieces {
        sender,
        complete: Arc::clone(&complete),
    };
    let stream = async_stream::stream! {
        while let Some(piece) = receiver.recv().await {
            yield Ok(piece);
        }
        if !complete.load(Ordering::SeqCst) {
            yield Err(io::Error::other("the answer was cut off"));
        }
    };
    (pieces, Body::from_stream(stream))
}
