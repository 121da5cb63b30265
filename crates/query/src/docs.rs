//! `/docs`: a page that renders the API's description without any outside network.

/// Where it is.
pub(crate) const PATH: &str = "/docs";

pub(crate) async fn page() -> &'static str {
    ""
}
