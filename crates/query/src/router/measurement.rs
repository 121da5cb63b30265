//! The outermost layer: every request gets an id, a span and its measurements, and every refusal its body.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use http::{
    HeaderValue, Method, StatusCode, Version,
    header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS},
};
use http_body::{Body as _, Frame, SizeHint};
use recap_service::random;
use recap_telemetry::{Request as Measured, names::span, propagation};
use tokio::time::Instant;
use tracing::Instrument;

use super::ROUTES;
use crate::{
    http::{
        headers::REQUEST_ID,
        memory::Reservation,
        paced_body::PacedBody,
        problem::{self, Problem},
    },
    service::Service,
};

/// A status that is never sent: the client was gone before there was one (nginx's convention).
const CLIENT_GONE: u16 = 499;
const MAX_REQUEST_ID_BYTES: usize = 128;

/// Wraps everything else.
pub(crate) async fn handle(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let id = request_id(&request);
    let route = route(&request);
    let method = method(request.method());
    let of_dashboard = request.uri().path().starts_with("/api/");
    let stall = service.timeouts.write;
    let measurement = Measurement::start(service, method, route);

    let span = tracing::info_span!(
        "http.request",
        otel.name = %format_args!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        error.type = tracing::field::Empty,
        request_id = %id,
    );
    debug_assert_eq!(
        span.metadata().map_or(span::HTTP_REQUEST, tracing::Metadata::name),
        span::HTTP_REQUEST
    );
    if propagation::enabled() {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        propagation::continue_trace(&span, header("traceparent"), header("tracestate"));
    }

    let version = request.version();
    // HTTP/1 can go on only behind the body, which nobody reads.
    let ends_connection = version < Version::HTTP_2 && !request.body().is_end_stream();
    let response = next.run(request).instrument(span.clone()).await;
    let mut response = with_problem_body(response, &id);
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("error.type", status.as_str());
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    if ends_connection {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if of_dashboard {
        headers.insert(
            VARY,
            HeaderValue::from_static("Authorization, Cookie, Accept, Accept-Encoding, Origin"),
        );
        let kept = status.is_success() || status == StatusCode::NOT_MODIFIED;
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_static(if kept { "private, no-cache" } else { "no-store" }),
        );
    } else {
        // Only for an origin on the list does an answer say so.
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    let reservation = response.extensions_mut().remove::<Arc<Reservation>>();
    response.map(|body| {
        let body = Body::new(MeasuredBody {
            body,
            measurement: measurement.answered(status),
        });
        Body::new(PacedBody::new(body, version, stall, reservation))
    })
}

/// The client's own id when it is a plain one, else a new one.
fn request_id(request: &Request) -> String {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (1..=MAX_REQUEST_ID_BYTES).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    given
        .filter(plain)
        .map_or_else(|| random::sortable_id().to_string(), str::to_owned)
}

fn route(request: &Request) -> &'static str {
    let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    ROUTES
        .into_iter()
        .find(|route| Some(*route) == matched)
        .unwrap_or_default()
}

fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

/// Gives a refusal its body, whoever refused.
fn with_problem_body(mut response: Response, request_id: &str) -> Response {
    let status = response.status();
    let problem = response.extensions_mut().remove::<Problem>();
    let refused = status.is_client_error() || status.is_server_error();
    if !refused {
        return response;
    }
    let problem = problem.unwrap_or_else(|| Problem::of_status(status));
    let body = problem.body(request_id);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, problem::MEDIA_TYPE);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    *response.body_mut() = Body::from(body);
    response
}

/// What is measured of one request, recorded when its last byte is out or nobody waits for it any more.
struct Measurement {
    service: Arc<Service>,
    method: &'static str,
    route: &'static str,
    status: u16,
    started: Instant,
    body_bytes: u64,
}

impl Measurement {
    fn start(service: Arc<Service>, method: &'static str, route: &'static str) -> Self {
        service.metrics.request_started(method);
        Self {
            service,
            method,
            route,
            status: CLIENT_GONE,
            started: Instant::now(),
            body_bytes: 0,
        }
    }

    fn answered(mut self, status: StatusCode) -> Self {
        self.status = status.as_u16();
        self
    }

    fn sent(&mut self, bytes: usize) {
        if self.body_bytes == 0 && bytes > 0 {
            self.service.metrics.first_byte(self.route, self.started.elapsed());
        }
        self.body_bytes += bytes as u64;
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        let request = Measured {
            method: self.method,
            route: self.route,
            status: self.status,
        };
        self.service
            .metrics
            .request_finished(request, self.started.elapsed(), self.body_bytes);
    }
}

/// A body that counts what leaves it.
struct MeasuredBody {
    body: Body,
    measurement: Measurement,
}

impl http_body::Body for MeasuredBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.measurement.sent(data.len());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
