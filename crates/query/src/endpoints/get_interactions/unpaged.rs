//! Unpaged answers: as a whole when they are short, else streamed.

use std::sync::Arc;

use axum::response::Response;
use http::{HeaderMap, Version};
use recap_store::{ByteLimit, Filter, Position, ReadError, Snapshot, Sort};
use recap_telemetry::CacheResult;
use tokio::time::Instant;

use super::PATH;
use crate::{
    auth::Caller,
    conversations::{
        list::List,
        stream::{Rest, STREAM_BYTES, Stream},
    },
    http::{
        answer::Answer,
        negotiation::{Coding, MediaType},
        problem::Problem,
    },
    parameters::Exclude,
    scope::Scope,
    service::{Service, read_again},
};

/// Conversations and bytes read before an answer is known to be long.
const FIRST_ROWS: u32 = 50;
const FIRST_BYTES: usize = 1 << 20;

/// What is asked for without a limit.
pub(super) struct Unpaged {
    pub(super) scope: Scope,
    pub(super) exclude: Exclude,
    pub(super) sort: Sort,
    pub(super) media_type: MediaType,
    pub(super) coding: Coding,
    pub(super) byte_order_mark: bool,
}

/// The beginning of an answer.
struct Beginning {
    snapshot: Snapshot,
    filter: Filter,
    list: List,
    out: Vec<u8>,
    reached: Reached,
}

/// How far it got.
enum Reached {
    /// Nowhere: the first conversations are too large to be read together.
    Start,
    /// There are more after this one.
    Place(Position),
    /// To the end.
    End,
}

impl Unpaged {
    /// Answers with everything that matches.
    pub(super) async fn respond(
        self,
        service: Arc<Service>,
        caller: &Caller,
        version: Version,
        request: &HeaderMap,
    ) -> Result<Response, Problem> {
        service.metrics.cache_lookup(CacheResult::Bypass);
        let deadline = Instant::now() + service.timeouts.stream;
        let org_id = self.scope.org_id();
        let began = Instant::now();
        // Whether an answer is short must not depend on others that are long.
        let Some(permit) = service.turns.beginning(org_id).await else {
            return Err(service.no_turn());
        };
        let failed = |error: ReadError| service.read_failed(&error);
        let beginning = read_again(|| self.begin(&service)).await.map_err(failed)?;
        if matches!(beginning.reached, Reached::End) {
            let (out, rows) = beginning.end().await.map_err(failed)?;
            drop(permit);
            service.metrics.answered(PATH, rows);
            let answer = Answer::new(out, self.media_type, None, began);
            let answer = answer.encoded(self.coding).await?;
            return answer.respond(request, caller, &service.memory).await;
        }
        // Without chunks the end of the connection would be the end of the answer.
        if version < Version::HTTP_11 {
            return Err(Problem::http_version());
        }

        let (turn, beginning) = if let Some(turn) = service.turns.try_take(org_id) {
            (turn, beginning)
        } else {
            // The connection is given back while others read.
            beginning.snapshot.finish().await.map_err(failed)?;
            drop(permit);
            let turn = service.turns.take(org_id).await.ok_or_else(|| service.no_turn())?;
            (turn, self.begin(&service).await.map_err(failed)?)
        };
        let reservation = service.memory.reserve(caller, STREAM_BYTES).await?;
        let after = match beginning.reached {
            Reached::Place(position) => Some(position),
            Reached::Start => None,
            // It has become short meanwhile.
            Reached::End => {
                let (out, _) = beginning.end().await.map_err(failed)?;
                let answer = Answer::new(out, self.media_type, None, began);
                return answer.respond(request, caller, &service.memory).await;
            }
        };
        let stream = Stream {
            path: PATH,
            service: Arc::clone(&service),
            snapshot: beginning.snapshot,
            list: beginning.list,
            first: beginning.out,
            rest: Rest::After(beginning.filter, after),
            turn,
            reservation: Arc::new(reservation),
            deadline,
        };
        Ok(stream.respond(self.coding))
    }

    async fn begin(&self, service: &Service) -> Result<Beginning, ReadError> {
        let mut snapshot = service.streams.snapshot(self.scope.org_id()).await?;
        let filter = self.scope.filter();
        let mut list = List::new(self.media_type, self.exclude, self.sort, self.byte_order_mark);
        let mut out = Vec::new();
        snapshot.limit_memory(ByteLimit(FIRST_BYTES));
        let reached = match list.read(&mut snapshot, &filter, None, FIRST_ROWS, &mut out).await {
            Ok(Some(position)) => Reached::Place(position),
            Ok(None) => Reached::End,
            Err(ReadError::TooLarge) => Reached::Start,
            Err(error) => return Err(error),
        };
        Ok(Beginning {
            snapshot,
            filter,
            list,
            out,
            reached,
        })
    }
}

impl Beginning {
    /// The whole answer, and how many conversations it has.
    async fn end(mut self) -> Result<(Vec<u8>, u64), ReadError> {
        self.snapshot.finish().await?;
        self.list.end(&mut self.out);
        Ok((self.out, self.list.rows()))
    }
}
