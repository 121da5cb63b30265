//! The admin server: `/livez`, `/readyz`, `/metrics`. No state of a conversation and nothing of the configuration is shown.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use recap_telemetry::{MetricsRegistry, PROMETHEUS_CONTENT_TYPE};

use crate::health::Health;

#[derive(Clone)]
struct Admin {
    health: Arc<Health>,
    registry: MetricsRegistry,
}

/// The routes.
pub(crate) fn routes(health: Arc<Health>, registry: MetricsRegistry) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Admin { health, registry })
}

/// 200 unless the process should be restarted.
async fn livez(State(admin): State<Admin>) -> Response {
    answer(admin.health.not_alive())
}

/// 200 while the projector is in its group and the database takes what it writes.
async fn readyz(State(admin): State<Admin>) -> Response {
    answer(admin.health.not_ready())
}

fn answer(trouble: Option<String>) -> Response {
    match trouble {
        None => (StatusCode::OK, "ok\n".to_owned()).into_response(),
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")).into_response(),
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.registry.render() {
        Ok(text) => ([(header::CONTENT_TYPE, PROMETHEUS_CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics not rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
