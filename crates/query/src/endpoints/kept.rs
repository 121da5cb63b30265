//! Answers of one JSON value that are made once for all who ask the same, and kept for as long as they are current.

use std::{future::Future, sync::Arc};

use axum::response::Response;
use http::HeaderMap;
use recap_store::{ReadError, Snapshot};

use crate::{
    auth::Caller,
    cache::{Question, Unanswered},
    http::{
        answer::Answer,
        negotiation::{self, Coding, MediaType},
        problem::Problem,
    },
    scope::Scope,
    service::{Service, read_again},
};

/// Who asks for such an answer, and how.
pub(super) struct Request<'a> {
    pub(super) service: &'a Arc<Service>,
    pub(super) caller: &'a Caller,
    pub(super) headers: &'a HeaderMap,
    pub(super) coding: Coding,
}

impl<'a> Request<'a> {
    /// Refuses what the client cannot take.
    pub(super) fn new(service: &'a Arc<Service>, caller: &'a Caller, headers: &'a HeaderMap) -> Result<Self, Problem> {
        negotiation::media_type(headers, &MediaType::OF_OBJECTS)
            .ok_or_else(|| Problem::not_acceptable("This answer comes as application/json only."))?;
        Ok(Self {
            service,
            caller,
            headers,
            coding: negotiation::acceptable_coding(headers)?,
        })
    }

    /// The kept answer, or the one that `compute` makes.
    pub(super) async fn answer<F, A>(
        &self,
        scope: &Scope,
        question: &Question,
        compute: F,
    ) -> Result<Response, Unanswered>
    where
        F: Fn(Arc<Service>, Caller) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Answer, Unanswered>> + Send + 'static,
    {
        let (service, caller) = (Arc::clone(self.service), self.caller.clone());
        let compute = move || compute(Arc::clone(&service), caller.clone());
        let answer = self.service.cache.answer(scope, question, self.coding, compute).await?;
        let response = answer.respond(self.headers, self.caller, &self.service.memory).await;
        response.map_err(Unanswered::Refused)
    }
}

/// Reads from one snapshot of what `scope` reaches, when it is the caller's turn. `read` gives the snapshot back.
pub(super) async fn read<T, F>(
    service: &Service,
    caller: &Caller,
    scope: &Scope,
    read: impl Fn(Snapshot) -> F,
) -> Result<T, Unanswered>
where
    F: Future<Output = Result<(T, Snapshot), ReadError>>,
{
    let turn = &Arc::new(service.reading_turn(caller).await?);
    let read = &read;
    let attempt = || async move {
        let mut snapshot = service.pages.snapshot(scope.org_id()).await?;
        snapshot.keep(Arc::clone(turn));
        let (answer, snapshot) = read(snapshot).await?;
        snapshot.finish().await?;
        Ok(answer)
    };
    match read_again(attempt).await {
        Ok(answer) => Ok(answer),
        Err(ReadError::TooLarge) => Err(Unanswered::TooLarge),
        Err(error) => Err(service.read_failed(&error).into()),
    }
}

/// Refuses what does not fit into memory.
pub(super) fn held(answered: Result<Response, Unanswered>) -> Result<Response, Problem> {
    answered.map_err(|unanswered| match unanswered {
        Unanswered::Refused(problem) => problem,
        Unanswered::TooLarge => Problem::out_of_memory(),
    })
}
