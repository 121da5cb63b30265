//! `GET /api/dashboard/getInteraction`: one conversation by its id, with what is below it.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use http::{HeaderMap, Version};
use recap_store::{ReadError, Snapshot};
use tokio::time::Instant;

use super::kept::{Request, read};
use crate::{
    auth::Caller,
    cache::{Question, Unanswered},
    conversations::{
        list::List,
        stream::{OUTLINE_RESERVED, Rest, STREAM_BYTES, Stream, outline_memory},
    },
    fields::Interaction,
    http::{
        answer::Answer,
        headers::RequestHeaders,
        memory::{AnswerInProgress, Size},
        negotiation::{Coding, MediaType},
        problem::Problem,
    },
    parameters::{self, Exclude, Text, query_parameters},
    scope::Scope,
    service::Service,
};

/// The route.
pub(crate) const PATH: &str = "/api/dashboard/getInteraction";

query_parameters! {
    /// Which conversation.
    pub(crate) struct OneParameters {
        /// The conversation's id.
        "id" example "7b0c1f52-6f0e-4c55-9a41-0f3f6f0f1a01" => id: Text<1, 255>,
        /// Keys to leave out of every conversation.
        "exclude" => exclude: Option<Exclude>,
    }
}

/// One conversation of the caller's organization
///
/// As an element of `getInteractions`, with the sub-conversations below it (to 32 links, a cycle shown once) that the caller may see. One that
/// does not exist, is deleted, is another organization's, or another user's while the caller is no `org:admin`, is a 404 all the same.
#[utoipa::path(
    get,
    path = PATH,
    operation_id = "getInteraction",
    tag = "dashboard",
    params(OneParameters, RequestHeaders),
    security(("session" = [])),
    responses(
        (status = 200, description = "The conversation.", body = Interaction,
            headers(("ETag" = String, description = "Weak; on answers that are not streamed.")),
        ),
        (status = 304, description = "The client has this answer: `If-None-Match` names its `ETag`.",
            headers(("ETag" = String, description = "As the client's.")),
        ),
    ),
)]
pub(crate) async fn get_interaction(
    State(service): State<Arc<Service>>,
    caller: Caller,
    version: Version,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let parameters = parameters::read::<OneParameters>(query.as_deref())?;
    let request = Request::new(&service, &caller, &headers)?;
    let question = Question::new(PATH, &parameters, MediaType::Json);
    let one = Arc::new(One {
        scope: Scope::of_everything(&caller),
        exclude: parameters.exclude.unwrap_or_default(),
        id: parameters.id.into(),
    });
    let asked = Arc::clone(&one);
    let compute = move |service, caller| Arc::clone(&asked).compute(service, caller);
    match request.answer(&one.scope, &question, compute).await {
        Ok(response) => Ok(response),
        Err(Unanswered::Refused(problem)) => Err(problem),
        Err(Unanswered::TooLarge) => one.stream(&service, &caller, version, request.coding).await,
    }
}

/// What is asked for.
struct One {
    scope: Scope,
    exclude: Exclude,
    id: String,
}

impl One {
    /// The whole of it, in memory that `caller` has a share of.
    async fn compute(self: Arc<Self>, service: Arc<Service>, caller: Caller) -> Result<Answer, Unanswered> {
        let began = Instant::now();
        let mut list = List::of_one(self.exclude);
        let include = list.include();
        let reservation = &Arc::new(service.memory.empty(&caller));
        let (id, user_id, page_bytes) = (self.id.as_str(), self.scope.filter().user_id, service.page_bytes);
        let user_id = user_id.as_deref();
        let read_one = |mut snapshot: Snapshot| async move {
            snapshot.limit_memory(AnswerInProgress::new(Arc::clone(reservation), page_bytes));
            Ok((snapshot.one(id, user_id, include).await?, snapshot))
        };
        service.memory.room(&caller, Size::Modest).await?;
        let node = read(&service, &caller, &self.scope, read_one).await?;
        let node = node.ok_or_else(Problem::no_conversation)?;
        let mut body = Vec::new();
        list.write(&node, &mut body);
        service.metrics.answered(PATH, 1);
        Ok(Answer::new(body, MediaType::Json, None, began))
    }

    /// The same as it is read.
    async fn stream(
        &self,
        service: &Arc<Service>,
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
        let reservation = Arc::new(service.memory.reserve(caller, STREAM_BYTES + OUTLINE_RESERVED).await?);
        let user_id = self.scope.filter().user_id;
        let read = async {
            let mut snapshot = service.streams.snapshot(self.scope.org_id()).await?;
            snapshot.limit_memory(outline_memory(&reservation, OUTLINE_RESERVED));
            let outline = snapshot.one_outline(&self.id, user_id.as_deref()).await?;
            Ok::<_, ReadError>((snapshot, outline))
        };
        let (snapshot, outline) = read.await.map_err(|error| service.read_failed(&error))?;
        if outline.entries.is_empty() {
            return Err(Problem::no_conversation());
        }
        let stream = Stream {
            path: PATH,
            service: Arc::clone(service),
            snapshot,
            list: List::of_one(self.exclude),
            first: Vec::new(),
            rest: Rest::Outlined(outline.entries),
            turn,
            reservation,
            deadline,
        };
        Ok(stream.respond(coding))
    }
}
