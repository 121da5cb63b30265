//! `/console`: the page over this API, from `recap-console`. It asks for nothing but what is answered here to everybody with a token.

use std::sync::{Arc, LazyLock};

use async_compression::{
    Level,
    tokio::bufread::{BrotliEncoder, GzipEncoder},
};
use axum::{
    Json, Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
        VARY,
    },
};
use moka::sync::Cache;
use recap_console::{DevPeople, SignIn};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::http::{
    negotiation::{self, Coding},
    problem::Problem,
};

/// Where the page is; its views are in the query, which is the page's own.
pub(crate) const PATH: &str = "/console";
/// Its files, below a name for the content of all of them.
pub(crate) const FILE: &str = "/console/files/{release}/{*file}";
/// The people of `recap dev`: with tokens, so nowhere else.
pub(crate) const DEV_SESSION: &str = "/console/dev-session.json";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const FETCH_SITE: &str = "sec-fetch-site";
/// What is asked for by its content stays what it is.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Small files, compressed once: the best ratio that takes no noticeable time.
const BROTLI: i32 = 9;

/// The routes, if the console is on.
pub(crate) fn routes<S>(sign_in: Option<&SignIn>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let Some(sign_in) = sign_in else {
        return Router::new();
    };
    let page: Arc<Page> = Arc::new(Page {
        html: recap_console::page(sign_in).into(),
        // The policy is made of printable characters alone: a publishable key names a host.
        policy: HeaderValue::from_str(&recap_console::policy(sign_in))
            .unwrap_or(HeaderValue::from_static("default-src 'none'")),
    });
    let router = Router::new()
        .route(PATH, get(show).with_state(page))
        .route(FILE, get(file));
    match sign_in {
        SignIn::Dev(people) => router.route(DEV_SESSION, get(dev_session).with_state(people.clone())),
        _ => router,
    }
}

struct Page {
    html: Bytes,
    policy: HeaderValue,
}

async fn show(State(page): State<Arc<Page>>) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, page.policy.clone()),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (OPENER_POLICY, HeaderValue::from_static("same-origin")),
    ];
    (headers, page.html.clone())
}

/// Compressed files: some hundred kilobytes together, each made when it is asked for first.
static COMPRESSED: LazyLock<Cache<(&'static str, Coding), Bytes>> = LazyLock::new(|| Cache::new(1_000));

async fn file(Path((release, path)): Path<(String, String)>, headers: HeaderMap) -> Result<Response, Problem> {
    let file = recap_console::file(&path).ok_or_else(|| Problem::of_status(StatusCode::NOT_FOUND))?;
    // While a release is rolled out, its page may ask a service of the one before: answered, and not to be kept.
    let kept = if release == recap_console::release() {
        FOREVER
    } else {
        "no-store"
    };
    let described = [
        (CONTENT_TYPE, file.content_type()),
        (CACHE_CONTROL, kept),
        (VARY, ACCEPT_ENCODING.as_str()),
    ];
    match negotiation::coding_of(&headers, &[Coding::Brotli, Coding::Gzip, Coding::Identity]) {
        Some(Coding::Identity) => Ok((described, file.bytes).into_response()),
        Some(coding) => {
            let bytes = match COMPRESSED.get(&(file.path, coding)) {
                Some(bytes) => bytes,
                None => compress(file.path, file.bytes, coding).await?,
            };
            Ok((described, [(CONTENT_ENCODING, coding.name())], bytes).into_response())
        }
        None => Err(Problem::not_acceptable("This file comes as br, gzip or identity.")),
    }
}

/// Compresses a file beside the requests: the largest takes tens of milliseconds.
async fn compress(path: &'static str, plain: &'static [u8], coding: Coding) -> Result<Bytes, Problem> {
    let work = tokio::task::spawn_blocking(move || {
        COMPRESSED.get_with((path, coding), || {
            let mut bytes = Vec::new();
            // Reading from memory and growing a vector cannot fail.
            let _ = futures::executor::block_on(async {
                if coding == Coding::Brotli {
                    let mut encoder = BrotliEncoder::with_quality(plain, Level::Precise(BROTLI));
                    encoder.read_to_end(&mut bytes).await
                } else {
                    let mut encoder = GzipEncoder::with_quality(plain, Level::Best);
                    encoder.read_to_end(&mut bytes).await
                }
            });
            Bytes::from(bytes)
        })
    });
    work.await.map_err(|_| Problem::internal())
}

/// Tokens are given to a page of this machine's own address only: not to one that another site's name was pointed here for, nor to another site's page.
async fn dev_session(State(people): State<DevPeople>, headers: HeaderMap) -> Result<Response, Problem> {
    if !(names_loopback(&headers) && comes_from_here(&headers)) {
        return Err(Problem::of_status(StatusCode::NOT_FOUND));
    }
    let body = Json(json!({ "people": people.people() }));
    Ok(([(CACHE_CONTROL, "no-store")], body).into_response())
}

fn names_loopback(headers: &HeaderMap) -> bool {
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    name.is_some_and(|name| {
        name == "localhost"
            || name
                .parse()
                .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    })
}

fn comes_from_here(headers: &HeaderMap) -> bool {
    let site = headers.get(FETCH_SITE).map(HeaderValue::as_bytes);
    matches!(site, None | Some(b"same-origin" | b"none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))])
    }

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in [
            "localhost:8080",
            "localhost",
            "127.0.0.1:8080",
            "[::1]:8080",
            "127.8.8.8",
        ] {
            assert!(names_loopback(&with("host", host)), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com:80",
            "10.0.0.1:8080",
            "[::2]:80",
        ] {
            assert!(!names_loopback(&with("host", host)), "{host}");
        }
    }

    #[test]
    fn other_sites_are_not_here() {
        assert!(comes_from_here(&HeaderMap::new()));
        assert!(comes_from_here(&with(FETCH_SITE, "same-origin")));
        for site in ["cross-site", "same-site", "else"] {
            assert!(!comes_from_here(&with(FETCH_SITE, site)), "{site}");
        }
    }
}
