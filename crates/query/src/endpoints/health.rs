//! `/livez`, `/readyz` and `/metrics`: for those who run the service, without a token.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{
    StatusCode,
    header::{CACHE_CONTROL, RETRY_AFTER},
};
use recap_service::probes;
use serde::Serialize;

use crate::{http::problem::OwnBody, service::Service};

/// Alive: the process answers.
pub(crate) const LIVEZ: &str = "/livez";
/// Ready: requests can be answered.
pub(crate) const READYZ: &str = "/readyz";
/// Prometheus text.
pub(crate) const METRICS: &str = "/metrics";

/// A probe waits no longer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// What readiness is made of.
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Readiness {
    /// Whether all of the below hold.
    ready: bool,
    /// The database answers and its schema is the one this release needs.
    database: bool,
    /// There are keys to verify tokens with.
    keys: bool,
    /// The service is not shutting down.
    accepting: bool,
}

/// Whether the process answers
#[utoipa::path(
    get,
    path = LIVEZ,
    operation_id = "livez",
    tag = "operations",
    responses((status = 200, description = "It does.", body = String)),
)]
pub(crate) async fn livez() -> &'static str {
    "alive\n"
}

/// Whether requests can be answered
#[utoipa::path(
    get,
    path = READYZ,
    operation_id = "readyz",
    tag = "operations",
    responses(
        (status = 200, description = "They can.", body = Readiness),
        (status = 503, description = "They cannot, and why.", body = Readiness),
    ),
)]
pub(crate) async fn readyz(State(service): State<Arc<Service>>) -> Response {
    let database = match tokio::time::timeout(CHECK_TIMEOUT, service.health.check_schema()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "not ready: the database does not fit"
            );
            false
        }
        Err(_) => {
            tracing::warn!("not ready: the database does not answer");
            false
        }
    };
    let (keys, accepting) = (service.authentication.is_ready(), !service.is_draining());
    let ready = database && keys && accepting;
    let body = Json(Readiness {
        ready,
        database,
        keys,
        accepting,
    });
    let headers = [(CACHE_CONTROL, "no-store")];
    if ready {
        (headers, body).into_response()
    } else {
        let mut response = (StatusCode::SERVICE_UNAVAILABLE, headers, [(RETRY_AFTER, "1")], body).into_response();
        response.extensions_mut().insert(OwnBody);
        response
    }
}

/// Measurements as Prometheus text
#[utoipa::path(
    get,
    path = METRICS,
    operation_id = "metrics",
    tag = "operations",
    responses((status = 200, description = "The measurements.", body = String)),
)]
pub(crate) async fn metrics(State(service): State<Arc<Service>>) -> Response {
    probes::metrics(&service.registry)
}
