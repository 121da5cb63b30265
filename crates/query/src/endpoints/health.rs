//! `/livez`, `/readyz` and `/metrics`: for those who run the service, without a token, on an address of their own.

use std::{sync::Arc, time::Duration};

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
use serde::Serialize;
use tokio::{sync::Mutex, time::Instant};

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
    latest: Mutex<Option<(Instant, bool)>>,
}

impl DatabaseCheck {
    /// A check through `reader`, whose connection nothing else uses: a service that is busy is not one that is broken.
    pub(crate) fn new(reader: Reader) -> Self {
        Self {
            reader,
            latest: Mutex::default(),
        }
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
        match tokio::time::timeout(CHECK_TIMEOUT, self.reader.check_schema()).await {
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
        }
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
