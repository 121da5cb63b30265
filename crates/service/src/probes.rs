//! `/livez`, `/readyz` and `/metrics`, for those who run the program. Nothing of the configuration and nothing of a conversation is shown.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use recap_telemetry::{MetricsRegistry, PROMETHEUS_CONTENT_TYPE};

/// What a program says about itself.
pub trait Probe: Send + Sync + 'static {
    /// Why the process should be restarted, if it should: waiting for another service is no reason.
    fn not_alive(&self) -> Option<String>;

    /// What keeps the program from working, if anything.
    fn not_ready(&self) -> Option<String>;
}

struct Admin<P> {
    probe: Arc<P>,
    registry: MetricsRegistry,
}

/// The routes.
pub fn routes<P: Probe>(probe: Arc<P>, registry: MetricsRegistry) -> Router {
    Router::new()
        .route("/livez", get(livez::<P>))
        .route("/readyz", get(readyz::<P>))
        .route("/metrics", get(scrape::<P>))
        .with_state(Arc::new(Admin { probe, registry }))
}

/// The measurements as Prometheus text.
#[must_use]
pub fn metrics(registry: &MetricsRegistry) -> Response {
    match registry.render() {
        Ok(text) => {
            let headers = [(CONTENT_TYPE, PROMETHEUS_CONTENT_TYPE), (CACHE_CONTROL, "no-store")];
            (headers, text).into_response()
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the metrics cannot be rendered"
            );
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn livez<P: Probe>(State(admin): State<Arc<Admin<P>>>) -> Response {
    answer(admin.probe.not_alive())
}

async fn readyz<P: Probe>(State(admin): State<Arc<Admin<P>>>) -> Response {
    answer(admin.probe.not_ready())
}

async fn scrape<P: Probe>(State(admin): State<Arc<Admin<P>>>) -> Response {
    metrics(&admin.registry)
}

fn answer(trouble: Option<String>) -> Response {
    match trouble {
        None => (StatusCode::OK, "ok\n".to_owned()).into_response(),
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")).into_response(),
    }
}
