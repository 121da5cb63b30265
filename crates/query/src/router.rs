//! Routes and the layers around them.

mod bounds;
mod measurement;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use http::{
    HeaderName, Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, ETAG, IF_NONE_MATCH, LINK, RETRY_AFTER, WWW_AUTHENTICATE},
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowOrigin, CorsLayer},
};

use self::bounds::Bounds;
use crate::{
    config::Config,
    endpoints::{changes, console, docs, get_breakdown, get_interaction, get_interactions, get_stats, get_time_series},
    http::{headers::REQUEST_ID, problem::Problem},
    openapi,
    service::Service,
};

/// Headers of W3C Trace Context: a page that traces its requests sends them with each.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// How long a browser may remember a preflight's answer.
const PREFLIGHT_AGE: Duration = Duration::from_mins(10);

/// Every route, as spans and metrics name it.
const ROUTES: [&str; 14] = [
    get_interactions::PATH,
    get_interaction::PATH,
    get_stats::PATH,
    get_time_series::PATH,
    get_breakdown::PATH,
    changes::PATH,
    openapi::PATH,
    docs::PATH,
    docs::SCRIPT,
    docs::UI_SCRIPT,
    docs::UI_STYLE,
    console::PATH,
    console::FILE,
    console::DEV_SESSION,
];

/// Everything this service answers in public. A request passes the layers from the last to the first.
pub(crate) fn router(service: Arc<Service>, config: &Config) -> Router {
    let bounds = Bounds::new(Arc::clone(&service), config.limits);
    // Of a route's layers the last is the first that a request passes; other methods than the route's pass none.
    let for_callers = |route: MethodRouter<Arc<Service>>| {
        route
            .route_layer(from_fn_with_state(bounds.clone(), bounds::limit_requests))
            .route_layer(from_fn_with_state(Arc::clone(&service), bounds::authenticate))
    };
    let dashboard = Router::new()
        .route(
            get_interactions::PATH,
            for_callers(get(get_interactions::get_interactions)),
        )
        .route(
            get_interaction::PATH,
            for_callers(get(get_interaction::get_interaction)),
        )
        .route(get_stats::PATH, for_callers(get(get_stats::get_stats)))
        .route(
            get_time_series::PATH,
            for_callers(get(get_time_series::get_time_series)),
        )
        .route(get_breakdown::PATH, for_callers(get(get_breakdown::get_breakdown)))
        .route(changes::PATH, for_callers(get(changes::changes)));
    let mut router = Router::new()
        .merge(dashboard)
        .route(openapi::PATH, get(openapi::document))
        .route(docs::PATH, get(docs::page))
        .route(docs::SCRIPT, get(docs::script))
        .route(docs::UI_SCRIPT, get(docs::ui_script))
        .route(docs::UI_STYLE, get(docs::ui_style))
        .merge(console::routes(config.console.as_ref()))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(bounds::limit_head));
    if !config.cors_origins.is_empty() {
        router = router.layer(cors(config));
    }
    router
        .layer(from_fn_with_state(Arc::clone(&service), measurement::handle))
        .with_state(service)
}

/// A preflight is answered here, before anything asks for a token.
fn cors(config: &Config) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(config.cors_origins.iter().cloned()))
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers([
            AUTHORIZATION,
            ACCEPT,
            IF_NONE_MATCH,
            REQUEST_ID,
            TRACEPARENT,
            TRACESTATE,
        ])
        .expose_headers([ETAG, LINK, REQUEST_ID, RETRY_AFTER, WWW_AUTHENTICATE])
        // A page may send the session's cookie along where that is accepted.
        .allow_credentials(config.clerk.session_cookie)
        .max_age(PREFLIGHT_AGE)
        .vary([])
}

/// The panic's text may hold anything: it is logged by the panic hook, and not sent.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    Problem::internal().into_response()
}
