//! The kinds of refusals: what a program decides by, stable where sentences are not.

use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// What kind of refusal it is. Codes are only ever added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProblemCode {
    /// 400: a parameter is missing, unknown, repeated, empty, unreadable or contradictory.
    BadParameter,
    /// 400: the query cannot be read.
    BadRequest,
    /// 401: no token.
    MissingToken,
    /// 401: a token that is not accepted.
    InvalidToken,
    /// 403: the session has no active organization.
    NoOrganization,
    /// 403: what is asked for needs the role `org:admin`.
    AdminOnly,
    /// 404.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 406.
    NotAcceptable,
    /// 413.
    BodyTooLarge,
    /// 414.
    TargetTooLong,
    /// 429.
    RateLimited,
    /// 431.
    HeadersTooLarge,
    /// 503.
    Unavailable,
    /// 505: the answer is streamed, which HTTP/1.0 cannot tell from a cut-off one.
    HttpVersion,
    /// 500.
    Internal,
}

impl ProblemCode {
    /// The code of a status that says everything.
    pub(super) fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::NOT_ACCEPTABLE => Self::NotAcceptable,
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            StatusCode::URI_TOO_LONG => Self::TargetTooLong,
            StatusCode::TOO_MANY_REQUESTS => Self::RateLimited,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Self::HeadersTooLarge,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            StatusCode::HTTP_VERSION_NOT_SUPPORTED => Self::HttpVersion,
            status if status.is_client_error() => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}
