//! `/docs`: a page that renders the API's description without any outside network.

use http::{
    HeaderName,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
};

/// Where the page is.
pub(crate) const PATH: &str = "/docs";
/// Where its script is: a file of its own, so that the page's policy can forbid every other.
pub(crate) const SCRIPT: &str = "/docs.js";

/// Nothing from anywhere else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const FOR_A_WHILE: &str = "public, max-age=300";

pub(crate) async fn page() -> ([(HeaderName, &'static str); 3], &'static str) {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, FOR_A_WHILE),
    ];
    (headers, include_str!("docs.html"))
}

pub(crate) async fn script() -> ([(HeaderName, &'static str); 2], &'static str) {
    (
        [
            (CONTENT_TYPE, "text/javascript; charset=utf-8"),
            (CACHE_CONTROL, FOR_A_WHILE),
        ],
        include_str!("docs.js"),
    )
}
