//! `/livez`, `/readyz` and `/metrics`: for those who run the service, without a token, on an address of their own.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    StatusCode,
    header::{CACHE_CONTROL, RETRY_AFTER},
};
use recap_service::probes;
use serde::Serialize;

use crate::service::Service;

/// What readiness is made of.
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Readiness {
    /// Whether all of the below hold.
    ready: bool,
    /// The database answers and its schema is the one this release needs.
    database: bool,
    /// There are keys to verify tokens with.
    keys: bool,
    /// The service is not shutting down.
    accepting: bool,
}

/// Everything that is answered on `RECAP_ADMIN_ADDR`.
pub(crate) fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(service)
}

async fn readyz(State(service): State<Arc<Service>>) -> Response {
    let database = service.database_check.holds().await;
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
        (StatusCode::SERVICE_UNAVAILABLE, headers, [(RETRY_AFTER, "1")], body).into_response()
    }
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    probes::metrics(&service.registry)
}
