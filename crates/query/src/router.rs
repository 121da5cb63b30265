//! Routes and the layers around them.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, ETAG, IF_NONE_MATCH, LINK, RETRY_AFTER, WWW_AUTHENTICATE},
};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::Semaphore;
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowOrigin, CorsLayer},
};

use crate::{
    config::Config,
    docs, get_interactions,
    get_interactions::get_interactions,
    get_stats,
    get_stats::get_stats,
    health, openapi,
    problem::Problem,
    request::{self, REQUEST_ID},
    service::Service,
};

/// A body is not wanted; one of this size is read and ignored.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// What a request's path and query may have; the longest that this API gives a meaning to is a fraction of it.
const MAX_TARGET_BYTES: usize = 16 * 1024;
/// What the names and values of a request's headers may have together: a session token, and whatever proxies and cookies add.
const MAX_HEADERS_BYTES: usize = 32 * 1024;
/// How long a browser may remember a preflight's answer.
const PREFLIGHT_AGE: Duration = Duration::from_mins(10);

/// Everything this service answers.
pub(crate) fn router(service: Arc<Service>, config: &Config) -> Router {
    let turns = Arc::new(Semaphore::new(config.limits.requests as usize));
    let dashboard = Router::new()
        .route(get_interactions::PATH, get(get_interactions))
        .route(get_stats::PATH, get(get_stats))
        .layer(from_fn_with_state((Arc::clone(&service), turns), limit_requests));
    let mut router = Router::new()
        .merge(dashboard)
        .route(health::LIVEZ, get(health::livez))
        .route(health::READYZ, get(health::readyz))
        .route(health::METRICS, get(health::metrics))
        .route(openapi::PATH, get(openapi::document))
        .route(docs::PATH, get(docs::page))
        .route(docs::SCRIPT, get(docs::script))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(limit_head));
    if !config.cors_origins.is_empty() {
        router = router.layer(cors(config));
    }
    router
        .layer(from_fn_with_state(Arc::clone(&service), request::handle))
        .with_state(service)
}

/// A preflight is answered here, before anything asks for a token.
fn cors(config: &Config) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(config.cors_origins.iter().cloned()))
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers([AUTHORIZATION, ACCEPT, IF_NONE_MATCH, REQUEST_ID])
        .expose_headers([ETAG, LINK, REQUEST_ID, RETRY_AFTER, WWW_AUTHENTICATE])
        .max_age(PREFLIGHT_AGE)
        .vary([])
}

/// Requests in progress: beyond the bound it is better to say so at once than to queue. Each has its body dealt with, and a limit on
/// the time to its answer's first byte; a stream's rest has its own.
async fn limit_requests(
    State((service, turns)): State<(Arc<Service>, Arc<Semaphore>)>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(_turn) = turns.try_acquire() else {
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
async fn limit_head(request: Request, next: Next) -> Response {
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

/// These endpoints read no body. A small one is let go by, so that the connection can go on; a large one is refused.
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
        Ok(Err(_)) => Err(Problem::bad_request("The request's body can't be read.")),
        Err(_) => Err(Problem::of_status(StatusCode::REQUEST_TIMEOUT)),
    }
}

/// The panic's text may hold anything: it is logged by the panic hook, and not sent.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    Problem::internal().into_response()
}
