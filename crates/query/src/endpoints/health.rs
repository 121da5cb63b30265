//! `/livez`, `/readyz` and `/metrics`: for those who run the service, without a token, on an address of their own.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

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
use recap_store::Reader;
use recap_telemetry::QueryMetrics;
use serde::Serialize;
use tokio::time::Instant;

use crate::service::Service;

/// A check of the database waits no longer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Whoever asks within this time after a check shares it.
const CHECK_SHARED: Duration = Duration::from_secs(1);

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

/// Whether the database fits, asked at most once a second however many want to know.
pub(crate) struct DatabaseCheck {
    reader: Reader,
    /// How far a standby may be behind.
    max_replay_lag: Duration,
    /// How far it was behind when that was last asked.
    replay_lag: Arc<Mutex<Duration>>,
    latest: tokio::sync::Mutex<Option<(Instant, bool)>>,
}

impl DatabaseCheck {
    /// A check through `reader`, whose connection nothing else uses: a service that is busy is not one that is broken.
    pub(crate) fn new(reader: Reader, max_replay_lag: Duration, metrics: &QueryMetrics) -> Self {
        let replay_lag = Arc::<Mutex<Duration>>::default();
        let observed = Arc::clone(&replay_lag);
        metrics.observe_replay_lag(move || *observed.lock().unwrap_or_else(PoisonError::into_inner));
        Self {
            reader,
            max_replay_lag,
            replay_lag,
            latest: tokio::sync::Mutex::default(),
        }
    }

    /// For small questions beside the check.
    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The latest check, or a new one that everybody waits for who asks meanwhile.
    async fn holds(&self) -> bool {
        let mut latest = self.latest.lock().await;
        if let Some((at, held)) = *latest
            && at.elapsed() < CHECK_SHARED
        {
            return held;
        }
        let holds = self.ask().await;
        *latest = Some((Instant::now(), holds));
        holds
    }

    async fn ask(&self) -> bool {
        let asking = async {
            if let Err(error) = self.reader.check_schema().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "not ready: the database does not fit"
                );
                return false;
            }
            self.follows_closely().await
        };
        tokio::time::timeout(CHECK_TIMEOUT, asking).await.unwrap_or_else(|_| {
            tracing::warn!("not ready: the database does not answer");
            false
        })
    }

    /// Whether a standby is not too far behind; what it does not tell is no reason.
    async fn follows_closely(&self) -> bool {
        let standby = self.reader.replication().await.unwrap_or_default();
        let lag = standby.map_or(Duration::ZERO, |standby| standby.lag);
        *self.replay_lag.lock().unwrap_or_else(PoisonError::into_inner) = lag;
        let is_close = lag <= self.max_replay_lag;
        if !is_close {
            tracing::warn!(
                seconds = lag.as_secs(),
                "not ready: the read replica is too far behind its primary"
            );
        }
        is_close
    }
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
