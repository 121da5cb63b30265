//! Request headers that this service reads beside those of negotiation and authentication.

use http::HeaderName;
use utoipa::IntoParams;

/// Carries the request's id in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers that change the answer, for the description.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "described, never built")]
pub(crate) struct RequestHeaders {
    /// Names the answer the client has; if it is still the right one, 304.
    #[param(rename = "If-None-Match", example = "W/\"0123456789abcdef0123456789abcdef\"")]
    if_none_match: Option<String>,
    /// An id for this request; taken when it is 1–128 letters, digits, `-`, `_` and `.`.
    #[param(rename = "X-Request-Id", example = "01928f3a-0000-7000-8000-000000000001")]
    x_request_id: Option<String>,
}
