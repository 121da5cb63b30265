//! `/openapi.json`: the description of exactly this API.

/// Where it is.
pub(crate) const PATH: &str = "/openapi.json";

pub(crate) async fn document() -> &'static str {
    "{}"
}
