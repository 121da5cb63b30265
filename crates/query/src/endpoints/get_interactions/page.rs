//! One page of the list: nested conversations as JSON, flat rows otherwise. Held in memory, and kept, unless it is too wide for that.

use std::sync::Arc;

use axum::response::Response;
use http::{HeaderValue, Version, header::LINK};
use recap_store::{Position, ReadError, Sort};
use tokio::time::Instant;

use super::{ListParameters, PATH};
use crate::{
    auth::Caller,
    cache::Unanswered,
    conversations::{
        list::List,
        stream::{OUTLINE_RESERVED, Rest, STREAM_BYTES, Stream, outline_memory},
    },
    http::{
        answer::Answer,
        memory::{AnswerInProgress, Size},
        negotiation::{Coding, MediaType},
        problem::Problem,
    },
    parameters::{Binding, CanonicalQuery, Cursor, Exclude, Integer, OneOf},
    scope::Scope,
    service::{Service, read_again},
};

/// A page of more conversations is likely to be a large answer.
const MODEST: u32 = 100;

/// What is asked for with a limit.
pub(super) struct Page {
    pub(super) scope: Scope,
    pub(super) exclude: Exclude,
    pub(super) sort: Sort,
    pub(super) limit: Integer<1, 1000>,
    pub(super) after: Option<Position>,
    pub(super) media_type: MediaType,
    pub(super) byte_order_mark: bool,
}

impl Page {
    pub(super) fn binding(&self) -> Binding {
        let shape = if self.media_type == MediaType::Json {
            "nested"
        } else {
            "flat"
        };
        self.scope.binding(shape, self.sort)
    }

    /// The whole page, in memory that `caller` has a share of.
    pub(super) async fn compute(&self, service: &Service, caller: &Caller) -> Result<Answer, Unanswered> {
        let limit = u32::from(self.limit);
        let size = if limit > MODEST { Size::Large } else { Size::Modest };
        service.memory.room(caller, size).await?;
        let turn = &Arc::new(service.reading_turn(caller).await?);
        let began = Instant::now();
        let read = || async move {
            let mut list = self.list();
            let mut body = Vec::new();
            let reservation = Arc::new(service.memory.empty(caller));
            let mut snapshot = service.pages.snapshot(self.scope.org_id()).await?;
            snapshot.keep(Arc::clone(turn));
            snapshot.limit_memory(AnswerInProgress::new(Arc::clone(&reservation), service.page_bytes));
            let (filter, after) = (self.scope.filter(), self.after.as_ref());
            let next = list.read(&mut snapshot, &filter, after, limit, &mut body).await?;
            snapshot.finish().await?;
            Ok((list, body, reservation, next))
        };
        let (mut list, mut body, _reservation, next) = match read_again(read).await {
            Ok(read) => read,
            Err(ReadError::TooLarge) => return Err(Unanswered::TooLarge),
            Err(error) => return Err(service.read_failed(&error).into()),
        };
        list.end(&mut body);
        service.metrics.answered(PATH, list.rows());
        let next = next.map(|position| self.link(position));
        Ok(Answer::new(body, self.media_type, next.as_deref(), began))
    }

    /// The page as it is read.
    pub(super) async fn stream(
        &self,
        service: Arc<Service>,
        caller: &Caller,
        version: Version,
        coding: Coding,
    ) -> Result<Response, Problem> {
        // Without chunks the end of the connection would be the end of the answer.
        if version < Version::HTTP_11 {
            return Err(Problem::http_version());
        }
        let deadline = Instant::now() + service.timeouts.stream;
        let turn = service.turns.take(self.scope.org_id()).await;
        let turn = turn.ok_or_else(|| service.no_turn())?;
        // Most outlines fit into what is reserved after waiting.
        let reserved = STREAM_BYTES + OUTLINE_RESERVED;
        let reservation = Arc::new(service.memory.reserve(caller, reserved).await?);
        let list = self.list();
        let read = async {
            let mut snapshot = service.streams.snapshot(self.scope.org_id()).await?;
            snapshot.limit_memory(outline_memory(&reservation, OUTLINE_RESERVED));
            let (filter, after) = (self.scope.filter(), self.after.as_ref());
            let outline = list.outline(&mut snapshot, &filter, after, self.limit.into()).await?;
            Ok((snapshot, outline))
        };
        let (snapshot, outline) = read.await.map_err(|error| service.read_failed(&error))?;
        let link = outline
            .next
            .map(|position| format!("<{}>; rel=\"next\"", self.link(position)));
        let stream = Stream {
            path: PATH,
            service,
            snapshot,
            list,
            first: Vec::new(),
            rest: Rest::Outlined(outline.entries),
            turn,
            reservation,
            deadline,
        };
        let mut response = stream.respond(coding);
        if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
            response.headers_mut().insert(LINK, link);
        }
        Ok(response)
    }

    fn list(&self) -> List {
        List::new(self.media_type, self.exclude, self.sort, self.byte_order_mark)
    }

    /// The page after `position`: a query alone, which is right under whatever path a proxy serves this.
    fn link(&self, position: Position) -> String {
        let next = ListParameters {
            exclude: Some(self.exclude).filter(|exclude| *exclude != Exclude::default()),
            sort: Some(OneOf(self.sort)).filter(|sort| sort.0 != Sort::default()),
            limit: Some(self.limit),
            cursor: Some(Cursor::new(&self.binding(), position)),
            bom: self.byte_order_mark.then_some(true),
        };
        let filter = self.scope.canonical_query();
        format!("?{filter}&{}", CanonicalQuery::of(&next))
    }
}
