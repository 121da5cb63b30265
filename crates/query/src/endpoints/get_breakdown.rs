//! `GET /api/dashboard/getBreakdown`: figures by what conversations have in common.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use http::HeaderMap;
use recap_store::{Filter, GroupBy, Groups, Snapshot};
use tokio::time::Instant;

use super::kept::{Request, held, read};
use crate::{
    auth::Caller,
    cache::{Question, Unanswered},
    fields::{BreakdownElement, json_group},
    http::{answer::Answer, headers::RequestHeaders, negotiation::MediaType, problem::Problem},
    parameters::{self, Choice, FilterParameters, Integer, OneOf, query_parameters},
    scope::Scope,
    service::Service,
};

/// The route.
pub(crate) const PATH: &str = "/api/dashboard/getBreakdown";

/// Values that are listed where `top` is not given.
const TOP: u16 = 20;

query_parameters! {
    /// What the breakdown takes beside the filter.
    pub(crate) struct BreakdownParameters {
        /// What the conversations of an element have in common. By `toolName` a conversation counts under each tool that it shows a call of.
        "by" => by: OneOf<BreakdownBy>,
        /// Values that are listed, those with most conversations; 20 where it is not given.
        "top" example 20 => top: Option<Integer<1, 100>>,
    }
}

/// What conversations can be broken down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BreakdownBy(GroupBy);

impl Choice for BreakdownBy {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self(GroupBy::AgentId), "agentId"),
        (Self(GroupBy::AgentModel), "agentModel"),
        (Self(GroupBy::UserId), "userId"),
        (Self(GroupBy::ToolName), "toolName"),
        (Self(GroupBy::LastFinishReason), "lastFinishReason"),
    ];
}

/// Figures of conversations by what they have in common
///
/// One element a value, that with most conversations first, then one for the rest where there is one; over exactly the conversations that
/// `getInteractions` returns for the same filters.
#[utoipa::path(
    get,
    path = PATH,
    operation_id = "getBreakdown",
    tag = "dashboard",
    params(FilterParameters, BreakdownParameters, RequestHeaders),
    security(("session" = [])),
    responses(
        (status = 200, description = "The figures.", body = Vec<BreakdownElement>,
            headers(("ETag" = String, description = "Weak.")),
        ),
        (status = 304, description = "The client has this answer: `If-None-Match` names its `ETag`.",
            headers(("ETag" = String, description = "As the client's.")),
        ),
    ),
)]
pub(crate) async fn get_breakdown(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (filter, mut own) = parameters::read::<(FilterParameters, BreakdownParameters)>(query.as_deref())?;
    let scope = Scope::new(&caller, filter)?;
    let request = Request::new(&service, &caller, &headers)?;
    let groups = Groups {
        by: own.by.0.0,
        most: own.top.map_or(TOP, u16::from),
    };
    // One spelling for what means the same.
    own.top = own.top.filter(|top| u16::from(*top) != TOP);
    let question = Question::new(PATH, &own, MediaType::Json);
    let asked = scope.clone();
    let compute = move |service, caller| compute(service, caller, asked.clone(), groups);
    held(request.answer(&scope, &question, compute).await)
}

async fn compute(service: Arc<Service>, caller: Caller, scope: Scope, groups: Groups) -> Result<Answer, Unanswered> {
    let began = Instant::now();
    let filter = &scope.filter();
    // One bucket, from the beginning of all time.
    let all_time = &[Filter::ALWAYS.from];
    let read_figures = |mut snapshot: Snapshot| async move {
        let found = snapshot.breakdown(filter, all_time, Some(groups)).await?;
        Ok((found, snapshot))
    };
    let found = read(&service, &caller, &scope, read_figures).await?;
    let mut figures: Vec<_> = found.buckets.iter().collect();
    figures.sort_unstable_by_key(|bucket| bucket.group);
    let mut body = vec![b'['];
    for bucket in figures {
        if body.len() > 1 {
            body.push(b',');
        }
        json_group(&mut body, &found.groups[bucket.group], &bucket.figures);
    }
    body.push(b']');
    Ok(Answer::new(body, MediaType::Json, None, began))
}
