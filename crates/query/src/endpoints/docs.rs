//! `/docs`: Swagger UI over the API's description, without any outside network. Where the files come from is in `docs/README.md`.

use std::sync::LazyLock;

use async_compression::tokio::bufread::GzipDecoder;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
};
use tokio::io::AsyncReadExt as _;

use crate::http::{
    negotiation::{self, Coding},
    problem::Problem,
};

/// Where the page is.
pub(crate) const PATH: &str = "/docs";
/// Where its scripts and styles are: files of their own beside it, so that the page's policy can forbid every other.
pub(crate) const SCRIPT: &str = "/docs.js";
pub(crate) const UI_SCRIPT: &str = "/docs-ui.js";
pub(crate) const UI_STYLE: &str = "/docs-ui.css";

/// Nothing from anywhere else. Swagger UI styles elements one by one, and has its icons inside its style sheet.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const FOR_A_WHILE: &str = "public, max-age=300";

/// A file that is kept compressed, as nearly everybody wants it.
struct Compressed {
    content_type: &'static str,
    gzip: &'static [u8],
    plain: LazyLock<Bytes>,
}

static SWAGGER_UI: Compressed = Compressed {
    content_type: "text/javascript; charset=utf-8",
    gzip: include_bytes!("docs/swagger-ui-bundle.js.gz"),
    plain: LazyLock::new(|| unpacked(SWAGGER_UI.gzip)),
};
static SWAGGER_STYLE: Compressed = Compressed {
    content_type: "text/css; charset=utf-8",
    gzip: include_bytes!("docs/swagger-ui.css.gz"),
    plain: LazyLock::new(|| unpacked(SWAGGER_STYLE.gzip)),
};

impl Compressed {
    fn response(&self, request: &HeaderMap) -> Result<Response, Problem> {
        let headers = [(CONTENT_TYPE, self.content_type), (CACHE_CONTROL, FOR_A_WHILE)];
        match negotiation::coding_of(request, &[Coding::Gzip, Coding::Identity]) {
            Some(Coding::Gzip) => Ok((headers, [(CONTENT_ENCODING, Coding::Gzip.name())], self.gzip).into_response()),
            Some(_) => Ok((headers, self.plain.clone()).into_response()),
            None => Err(Problem::not_acceptable("This file comes as gzip or identity.")),
        }
    }
}

/// The file itself; a test reads the files that are compiled in.
fn unpacked(gzip: &[u8]) -> Bytes {
    let mut plain = Vec::new();
    let read = futures::executor::block_on(GzipDecoder::new(gzip).read_to_end(&mut plain));
    if let Err(error) = read {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "a file of /docs cannot be unpacked"
        );
    }
    plain.into()
}

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

pub(crate) async fn ui_script(headers: HeaderMap) -> Result<Response, Problem> {
    SWAGGER_UI.response(&headers)
}

pub(crate) async fn ui_style(headers: HeaderMap) -> Result<Response, Problem> {
    SWAGGER_STYLE.response(&headers)
}
