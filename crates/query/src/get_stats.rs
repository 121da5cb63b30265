//! `GET /api/dashboard/getStats`

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use http::HeaderMap;
use tokio::time::Instant;

use crate::{
    answer::Answer,
    auth::Caller,
    cache::Question,
    negotiation::{self, MediaType},
    openapi::{AgentParameters, FilterParameters, RequestHeaders, Statistics},
    parameters,
    problem::Problem,
    render::json_stats,
    scope::Scope,
    service::Service,
};

/// The route.
pub(crate) const PATH: &str = "/api/dashboard/getStats";

/// Sums over conversations of the caller's organization
///
/// Over exactly the conversations that `getInteractions` returns for the same filters. `exclude` is accepted and changes nothing.
#[utoipa::path(
    get,
    path = "/api/dashboard/getStats",
    operation_id = "getStats",
    tag = "dashboard",
    params(FilterParameters, AgentParameters, RequestHeaders),
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
    let filters = parameters::parse_stats(query.as_deref())?;
    let scope = Scope::new(&caller, filters)?;
    negotiation::media_type(&headers, &MediaType::OF_OBJECTS)
        .ok_or_else(|| Problem::not_acceptable("Statistics come as application/json only."))?;
    let coding = negotiation::acceptable_coding(&headers)?;
    let answer = service
        .cache
        .answer(&scope, &Question::Stats, coding, || compute(&service, &scope))
        .await;
    Ok(answer?.respond(&headers))
}

async fn compute(service: &Service, scope: &Scope) -> Result<Answer, Problem> {
    let began = Instant::now();
    let read = async {
        let mut snapshot = service.pages.snapshot(scope.org_id()).await?;
        let stats = snapshot.stats(&scope.filter()).await?;
        snapshot.finish().await?;
        Ok(stats)
    };
    let stats = read.await.map_err(|error| service.read_failed(&error))?;
    let mut body = Vec::with_capacity(512);
    json_stats(&mut body, &stats);
    Ok(Answer::new(body, MediaType::Json, None, began))
}
