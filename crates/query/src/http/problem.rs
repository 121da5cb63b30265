//! Refusals and failures as `application/problem+json` (RFC 9457).
//!
//! A [`Problem`] travels in the response's extensions; the outermost layer (`router/measurement.rs`) writes its body, because only that
//! layer knows the request id and sees the bare statuses that routing and the HTTP layers produce.

use std::{borrow::Cow, sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem_code::ProblemCode;

/// The media type of every error body.
pub(crate) const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// One refusal: a status and one sentence that the client may read. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Arc<Refusal>);

#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    code: ProblemCode,
    sentence: Cow<'static, str>,
    parameter: Option<String>,
    header: Option<(HeaderName, HeaderValue)>,
}

/// Why a request was refused (RFC 9457).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProblemDetails<'a> {
    /// Always `about:blank`: the status says what kind of problem it is.
    r#type: &'a str,
    /// The status in words.
    title: &'a str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What kind of refusal it is, for programs.
    code: ProblemCode,
    /// One sentence on what is wrong.
    detail: &'a str,
    /// The same sentence.
    error: &'a str,
    /// The request's id, as in `X-Request-Id`.
    request_id: &'a str,
    /// The parameter that is wrong, of a 400.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
}

impl Refusal {
    fn new(status: StatusCode, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code: ProblemCode::of(status),
            sentence: sentence.into(),
            parameter: None,
            header: None,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self(Arc::new(refusal))
    }
}

impl Problem {
    fn new(status: StatusCode, sentence: impl Into<Cow<'static, str>>) -> Self {
        Refusal::new(status, sentence).into()
    }

    fn with_code(status: StatusCode, code: ProblemCode, sentence: &'static str) -> Self {
        let refusal = Refusal::new(status, sentence);
        Refusal { code, ..refusal }.into()
    }

    fn with_challenge(code: ProblemCode, sentence: &'static str, challenge: &'static str) -> Self {
        let header = Some((WWW_AUTHENTICATE, HeaderValue::from_static(challenge)));
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, sentence);
        Refusal {
            code,
            header,
            ..refusal
        }
        .into()
    }

    fn with_header(status: StatusCode, sentence: &'static str, name: HeaderName, value: HeaderValue) -> Self {
        let header = Some((name, value));
        let refusal = Refusal::new(status, sentence);
        Refusal { header, ..refusal }.into()
    }

    /// 400 that names the parameter.
    pub(crate) fn parameter(name: &str, sentence: impl Into<Cow<'static, str>>) -> Self {
        let parameter = Some(name.to_owned());
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, sentence);
        let code = ProblemCode::BadParameter;
        Refusal {
            code,
            parameter,
            ..refusal
        }
        .into()
    }

    /// 400 for a query that cannot be read at all.
    pub(crate) fn bad_request(sentence: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, sentence)
    }

    /// 400 for no host, two, or contradictory ones.
    pub(crate) fn host() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "The request must name exactly one host: Host in HTTP/1.1, :authority in HTTP/2.",
        )
    }

    /// 401 with `WWW-Authenticate: Bearer`.
    pub(crate) fn unauthorized(sentence: &'static str) -> Self {
        Self::with_challenge(ProblemCode::MissingToken, sentence, "Bearer")
    }

    /// 401 for a token that was given and is not accepted (RFC 6750, 3.1).
    pub(crate) fn invalid_token(sentence: &'static str) -> Self {
        Self::with_challenge(ProblemCode::InvalidToken, sentence, "Bearer error=\"invalid_token\"")
    }

    /// 403 for a session without an organization.
    pub(crate) fn no_organization() -> Self {
        let sentence = "The session has no active organization.";
        Self::with_code(StatusCode::FORBIDDEN, ProblemCode::NoOrganization, sentence)
    }

    /// 403 for what only administrators may ask.
    pub(crate) fn admin_only(sentence: &'static str) -> Self {
        Self::with_code(StatusCode::FORBIDDEN, ProblemCode::AdminOnly, sentence)
    }

    /// 406.
    pub(crate) fn not_acceptable(sentence: &'static str) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, sentence)
    }

    /// 413.
    pub(crate) fn body_too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The request's body is too large: these endpoints read none.",
        )
    }

    /// 414.
    pub(crate) fn target_too_long() -> Self {
        Self::of_status(StatusCode::URI_TOO_LONG)
    }

    /// 431.
    pub(crate) fn headers_too_large() -> Self {
        Self::of_status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    }

    /// 429 with `Retry-After`.
    pub(crate) fn too_many_requests(retry_after: Duration) -> Self {
        Self::with_header(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests from this user; slow down.",
            RETRY_AFTER,
            seconds(retry_after),
        )
    }

    /// 503 with `Retry-After`.
    pub(crate) fn unavailable(sentence: &'static str) -> Self {
        let retry_after = HeaderValue::from_static("1");
        Self::with_header(StatusCode::SERVICE_UNAVAILABLE, sentence, RETRY_AFTER, retry_after)
    }

    /// 503 where slow clients hold the memory that an answer needs.
    pub(crate) fn out_of_memory() -> Self {
        Self::unavailable("Too many answers are on their way to slow clients; try again, or ask for less.")
    }

    /// 505 for an answer that is streamed.
    pub(crate) fn http_version() -> Self {
        Self::new(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "This answer is streamed, and HTTP/1.0 cannot tell its end from a cut-off: ask with HTTP/1.1, or for pages with limit.",
        )
    }

    /// 500: the cause is for the log.
    pub(crate) fn internal() -> Self {
        Self::of_status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// 404 for a conversation that does not exist, or not for this caller.
    pub(crate) fn no_conversation() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is no such conversation.")
    }

    /// What a bare status means, for statuses that were produced below the handlers.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new(status, "There is nothing at this path."),
            StatusCode::METHOD_NOT_ALLOWED => Self::new(status, "This path does not take this method."),
            StatusCode::PAYLOAD_TOO_LARGE => Self::body_too_large(),
            StatusCode::URI_TOO_LONG => Self::new(status, "The request's path and query are too long."),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Self::new(status, "The request's headers are too large."),
            StatusCode::SERVICE_UNAVAILABLE => Self::unavailable("The service cannot answer now; try again."),
            StatusCode::INTERNAL_SERVER_ERROR => Self::new(
                status,
                "The service failed to answer; the cause is in its log under the request id.",
            ),
            other => Self::new(other, other.canonical_reason().unwrap_or("The request was refused.")),
        }
    }

    /// The body, with the request's id in it.
    pub(crate) fn body(&self, request_id: &str) -> Vec<u8> {
        let body = ProblemDetails {
            r#type: "about:blank",
            title: self.0.status.canonical_reason().unwrap_or("Error"),
            status: self.0.status.as_u16(),
            code: self.0.code,
            detail: &self.0.sentence,
            error: &self.0.sentence,
            request_id,
            parameter: self.0.parameter.as_deref(),
        };
        // Strings and numbers under fixed keys always serialize.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        if let Some((name, value)) = self.0.header.clone() {
            response.headers_mut().insert(name, value);
        }
        if self.0.status == StatusCode::METHOD_NOT_ALLOWED {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET,HEAD"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Whole seconds, at least one: a client told 0 would come straight back.
fn seconds(duration: Duration) -> HeaderValue {
    let seconds = u32::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
    HeaderValue::from(seconds.clamp(1, 3600))
}
