//! What one request may cost before a handler sees it: its headers, its body, its place among the requests in progress, its time.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::Semaphore;

use crate::{config::Limits, http::problem::Problem, service::Service};

/// A body is not wanted; one of this size is read and ignored.
const MAX_BODY_BYTES: usize = 16 * 1024;
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

/// Bounds concurrency and time to first byte, and discards bodies. Beyond the bound on requests in progress a refusal at once is better
/// than a queue; the rest of a stream has a time limit of its own.
pub(super) async fn limit_requests(
    State(Bounds { service, in_progress }): State<Bounds>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(_permit) = in_progress.try_acquire() else {
        service.metrics.limited("requests");
        return Problem::unavailable("Too many requests are in progress; try again.").into_response();
    };
    let request = match without_body(&service, request).await {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    let answered = tokio::time::timeout(service.timeouts.request, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        service.metrics.limited("time");
        Problem::unavailable("The answer took too long; ask for less, or try again.").into_response()
    })
}

/// Beyond these bounds the server below refuses too, but in a way that no client can read.
pub(super) async fn limit_head(request: Request, next: Next) -> Response {
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

/// These endpoints read no body. A small one is read and ignored, so that the connection can go on; a large one is refused.
async fn without_body(service: &Service, request: Request) -> Result<Request, Problem> {
    if request.body().is_end_stream() {
        return Ok(request);
    }
    if request.body().size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(Problem::body_too_large());
    }
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY_BYTES).collect();
    match tokio::time::timeout(service.timeouts.headers, body).await {
        Ok(Ok(_)) => Ok(Request::from_parts(parts, Body::empty())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::body_too_large()),
        Ok(Err(_)) => Err(Problem::bad_request("The request's body cannot be read.")),
        Err(_) => Err(Problem::of_status(StatusCode::REQUEST_TIMEOUT)),
    }
}
