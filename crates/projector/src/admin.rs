//! The admin server's routes: what the probes say of the projector.

use std::sync::Arc;

use axum::Router;
use recap_service::probes::{self, Probe};
use recap_telemetry::MetricsRegistry;

use crate::health::Health;

impl Probe for Health {
    fn not_alive(&self) -> Option<String> {
        self.not_alive()
    }

    fn not_ready(&self) -> Option<String> {
        self.not_ready()
    }
}

/// The routes.
pub(crate) fn routes(health: Arc<Health>, registry: MetricsRegistry) -> Router {
    probes::routes(health, registry)
}
