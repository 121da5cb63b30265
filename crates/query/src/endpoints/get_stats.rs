//! `GET /api/dashboard/getStats`: sums over the same set of conversations.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use http::HeaderMap;
use recap_store::{Snapshot, Stats};
use tokio::time::Instant;
use utoipa::openapi::{RefOr, Schema};

use super::kept::{Request, held, read};
use crate::{
    auth::Caller,
    cache::{Question, Unanswered},
    fields::{Field, count, json_object, schema_of},
    http::{answer::Answer, headers::RequestHeaders, negotiation::MediaType, problem::Problem},
    parameters::{self, Exclude, FilterParameters, query_parameters},
    scope::Scope,
    service::Service,
};

/// The route.
pub(crate) const PATH: &str = "/api/dashboard/getStats";

query_parameters! {
    /// What the statistics take beside the filter.
    pub(crate) struct StatisticsParameters {
        /// Keys to leave out of every conversation.
        "exclude" => exclude: Option<Exclude>,
    }
}

#[rustfmt::skip]
const STATISTICS: &[Field<Stats>] = &[
    count("conversationCount", "Conversations.", |stats| stats.conversation_count, 128),
    count("messageCount", "Messages of every role.", |stats| stats.message_count, 2560),
    count("toolCalls", "Tool calls.", |stats| stats.tool_calls, 256),
    count("totalTokens", "All tokens.", |stats| stats.total_tokens, 1_200_000),
    count("inputTokens", "Tokens read.", |stats| stats.input_tokens, 900_000),
    count("outputTokens", "Tokens written.", |stats| stats.output_tokens, 300_000),
    count("uniqueUsers", "Distinct users.", |stats| stats.unique_users, 12),
    count("uniqueAgents", "Distinct agents.", |stats| stats.unique_agents, 3),
    count("totalFeedback", "Feedback not withdrawn.", |stats| stats.total_feedback, 50),
    count("totalHelpful", "Of it, helpful.", |stats| stats.total_helpful, 41),
    count("totalNotHelpful", "Of it, not helpful.", |stats| stats.total_not_helpful, 9),
];

/// The sums, for the description.
pub(crate) struct Statistics;

impl utoipa::PartialSchema for Statistics {
    fn schema() -> RefOr<Schema> {
        schema_of("Sums over the conversations that match.", STATISTICS).into()
    }
}

impl utoipa::ToSchema for Statistics {}

/// Sums over conversations of the caller's organization
///
/// Over exactly the conversations that `getInteractions` returns for the same filters. `exclude` is accepted and changes nothing.
#[utoipa::path(
    get,
    path = PATH,
    operation_id = "getStats",
    tag = "dashboard",
    params(FilterParameters, StatisticsParameters, RequestHeaders),
    security(("session" = [])),
    responses(
        (status = 200, description = "The sums.", body = Statistics,
            headers(("ETag" = String, description = "Weak.")),
        ),
        (status = 304, description = "The client has this answer: `If-None-Match` names its `ETag`.",
            headers(("ETag" = String, description = "As the client's.")),
        ),
    ),
)]
pub(crate) async fn get_stats(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (filter, mut own) = parameters::read::<(FilterParameters, StatisticsParameters)>(query.as_deref())?;
    let scope = Scope::new(&caller, filter)?;
    let request = Request::new(&service, &caller, &headers)?;
    // There is nothing to leave out: the answer is the same.
    own.exclude = None;
    let question = Question::new(PATH, &own, MediaType::Json);
    let asked = scope.clone();
    let compute = move |service, caller| compute(service, caller, asked.clone());
    held(request.answer(&scope, &question, compute).await)
}

async fn compute(service: Arc<Service>, caller: Caller, scope: Scope) -> Result<Answer, Unanswered> {
    let began = Instant::now();
    let filter = &scope.filter();
    let read_stats = |mut snapshot: Snapshot| async move { Ok((snapshot.stats(filter).await?, snapshot)) };
    let stats = read(&service, &caller, &scope, read_stats).await?;
    let mut body = Vec::with_capacity(512);
    json_object(&mut body, STATISTICS, &stats);
    Ok(Answer::new(body, MediaType::Json, None, began))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_query_string_panics(query in ".*") {
            let _ = parameters::read::<(FilterParameters, StatisticsParameters)>(Some(&query));
        }
    }
}
