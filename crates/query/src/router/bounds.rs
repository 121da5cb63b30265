//! What one request may cost before a handler sees it: its headers, its caller's rate, its share of the requests in progress, its time.
//!
//! No body is ever read: no endpoint takes one, and a body that is waited for is a place that a stranger can occupy.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{Version, header::HOST};
use http_body::Body as _;
use tokio::sync::Semaphore;

use crate::{config::Limits, http::problem::Problem, service::Service};

/// A request that announces a longer body is refused: its client means something else.
const MAX_BODY_BYTES: u64 = 16 * 1024;
/// What a request's path and query may have; the longest that this API gives a meaning to is a fraction of it.
const MAX_TARGET_BYTES: usize = 16 * 1024;
/// What the names and values of a request's headers may have together: a session token, and whatever proxies and cookies add.
const MAX_HEADERS_BYTES: usize = 32 * 1024;

/// Bounds on the requests of the dashboards.
#[derive(Clone)]
pub(super) struct Bounds {
    service: Arc<Service>,
    in_progress: Arc<Semaphore>,
}

impl Bounds {
    /// As configured.
    pub(super) fn new(service: Arc<Service>, limits: Limits) -> Self {
        Self {
            service,
            in_progress: Arc::new(Semaphore::new(limits.requests as usize)),
        }
    }
}

/// Finds out who asks, and hands the caller on. The first thing that is done with a request of the dashboards: what is refused here has
/// occupied nothing that others need.
pub(super) async fn authenticate(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let caller = tokio::time::timeout(
        service.timeouts.request,
        service.authentication.authenticate(request.headers()),
    );
    match caller.await {
        Ok(Ok(caller)) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Ok(Err(problem)) => problem.into_response(),
        Err(_) => too_slow(&service).into_response(),
    }
}

/// Bounds concurrency and time to first byte. Beyond the bound on requests in progress a refusal at once is better than a queue; the rest
/// of a stream has a time limit of its own.
pub(super) async fn limit_requests(
    State(Bounds { service, in_progress }): State<Bounds>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(_permit) = in_progress.try_acquire() else {
        service.metrics.limited("requests");
        return Problem::unavailable("Too many requests are in progress; try again.").into_response();
    };
    if request.body().size_hint().lower() > MAX_BODY_BYTES {
        return Problem::body_too_large().into_response();
    }
    let answered = tokio::time::timeout(service.timeouts.request, next.run(request)).await;
    answered.unwrap_or_else(|_| too_slow(&service).into_response())
}

fn too_slow(service: &Service) -> Problem {
    service.metrics.limited("time");
    Problem::unavailable("The answer took too long; ask for less, or try again.")
}

/// Beyond these bounds the server below refuses too, but in a way that no client can read.
pub(super) async fn limit_head(request: Request, next: Next) -> Response {
    if !names_one_host(&request) {
        return Problem::host().into_response();
    }
    let uri = request.uri();
    if uri.path().len() + uri.query().unwrap_or_default().len() > MAX_TARGET_BYTES {
        return Problem::target_too_long().into_response();
    }
    let headers = request.headers().iter();
    let bytes: usize = headers.map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > MAX_HEADERS_BYTES {
        return Problem::headers_too_large().into_response();
    }
    next.run(request).await
}

/// A request names one host (RFC 9112, 3.2; RFC 9113, 8.3.1): with none or two of them a proxy and this service may mean different ones.
fn names_one_host(request: &Request) -> bool {
    let mut given = request.headers().get_all(HOST).iter();
    let (first, second) = (given.next(), given.next());
    if second.is_some() {
        return false;
    }
    match (request.version(), first) {
        (Version::HTTP_09 | Version::HTTP_10, _) => true,
        (Version::HTTP_11, host) => host.is_some(),
        (_, Some(host)) => request
            .uri()
            .authority()
            .is_none_or(|authority| host == authority.as_str()),
        (_, None) => request.uri().authority().is_some(),
    }
}
