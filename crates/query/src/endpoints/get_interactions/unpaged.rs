//! Unpaged answers: rows leave as they are read, in bounded memory, on a database connection of their own.
//!
//! A task reads and a bounded channel carries the bytes to the response. The task ends, and its database connection with it, when the
//! client hangs up or when the time is up, however slowly the client reads.

use std::sync::Arc;

use axum::response::Response;
use http::{
    HeaderMap, HeaderValue, Version,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use recap_store::{Filter, Position, ReadError, Snapshot};
use recap_telemetry::CacheResult;
use tokio::time::Instant;
use tracing::Instrument;

use super::{PATH, list::List};
use crate::{
    http::{
        answer::Answer,
        limits::StreamPermit,
        negotiation::{Coding, MediaType},
        problem::Problem,
        streamed_body::{self, BodyWriter, SendError},
    },
    parameters::Exclude,
    scope::Scope,
    service::Service,
};

/// Conversations read at a time: the first few, to answer soon, then more.
const FIRST_ROWS: u32 = 50;
const MORE_ROWS: u32 = 400;

/// What is asked for without a limit.
pub(super) struct Unpaged {
    pub(super) scope: Scope,
    pub(super) exclude: Exclude,
    pub(super) media_type: MediaType,
    pub(super) coding: Coding,
    pub(super) byte_order_mark: bool,
}

impl Unpaged {
    /// Answers with everything that matches: as a whole when it is short, else streamed.
    pub(super) async fn respond(
        self,
        service: Arc<Service>,
        version: Version,
        request: &HeaderMap,
    ) -> Result<Response, Problem> {
        service.metrics.cache_lookup(CacheResult::Bypass);
        let deadline = Instant::now() + service.timeouts.stream;
        let Some(permit) = service.stream_limit.acquire(self.scope.org_id()).await else {
            service.metrics.limited("streams");
            return Err(Problem::unavailable(
                "Too many unpaged answers are under way; try again, or ask for pages with limit.",
            ));
        };
        let began = Instant::now();
        let mut first = Vec::new();
        let read = async {
            let mut source = Source::open(&service, &self).await?;
            source.piece(FIRST_ROWS, &mut first).await?;
            if source.after.is_some() {
                return Ok(Ok(source));
            }
            source.close(&mut first).await.map(Err)
        };
        let source = match read.await.map_err(|error| service.read_failed(&error))? {
            Ok(source) => source,
            Err(rows) => {
                service.metrics.answered(PATH, rows);
                let answer = Answer::new(first, self.media_type, None, began);
                return answer.encoded(self.coding).await.map(|answer| answer.respond(request));
            }
        };

        // Without chunks the end of the connection would be the end of the answer.
        if version < Version::HTTP_11 {
            return Err(Problem::http_version());
        }
        let (body_writer, body) = streamed_body::channel(self.coding);
        let stream = Stream {
            service,
            source,
            body: body_writer,
            _permit: permit,
        };
        tokio::spawn(stream.run(first, deadline).in_current_span());
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type.content_type()));
        if self.coding != Coding::Identity {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(self.coding.name()));
        }
        Ok(response)
    }
}

/// The rows yet to be read, all of one moment.
struct Source {
    snapshot: Snapshot,
    filter: Filter,
    list: List,
    after: Option<Position>,
}

impl Source {
    async fn open(service: &Service, asked: &Unpaged) -> Result<Self, ReadError> {
        let snapshot = service.streams.snapshot(asked.scope.org_id()).await?;
        Ok(Self {
            snapshot,
            filter: asked.scope.filter(),
            list: List::new(asked.media_type, asked.exclude, asked.byte_order_mark),
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

    /// Writes the end of the list; gives how many conversations it has.
    async fn close(mut self, out: &mut Vec<u8>) -> Result<u64, ReadError> {
        self.snapshot.finish().await?;
        self.list.end(out);
        Ok(self.list.rows())
    }
}

/// Why a stream ended before its end.
#[derive(Debug, thiserror::Error)]
enum Aborted {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Send(#[from] SendError),
}

struct Stream {
    service: Arc<Service>,
    source: Source,
    body: BodyWriter,
    _permit: StreamPermit,
}

impl Stream {
    async fn run(self, first: Vec<u8>, deadline: Instant) {
        let metrics = self.service.metrics.clone();
        let client_gone = self.body.client_gone();
        let ended = tokio::select! {
            ended = self.copy(first) => ended,
            () = client_gone => Err(SendError::ClientGone.into()),
            () = tokio::time::sleep_until(deadline) => {
                metrics.stream_aborted("time");
                tracing::warn!("an unpaged answer ran into its time limit");
                return;
            }
        };
        match ended {
            Ok(rows) => metrics.answered(PATH, rows),
            Err(Aborted::Send(SendError::ClientGone)) => metrics.stream_aborted("client"),
            Err(error) => {
                metrics.stream_aborted("failure");
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "an unpaged answer failed after its headers"
                );
            }
        }
    }

    async fn copy(mut self, first: Vec<u8>) -> Result<u64, Aborted> {
        let mut piece = first;
        while self.source.after.is_some() {
            self.body.send(&piece).await?;
            piece.clear();
            self.source.piece(MORE_ROWS, &mut piece).await?;
        }
        let rows = self.source.close(&mut piece).await?;
        self.body.finish(&piece).await?;
        Ok(rows)
    }
}
