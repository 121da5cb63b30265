//! A whole answer in memory, and its response: weak `ETag`, 304, `Link`.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK},
};
use tokio::time::Instant;

use super::{
    compression,
    memory::AnswerMemory,
    negotiation::{Coding, MediaType},
    problem::Problem,
};
use crate::auth::Caller;

/// Shorter bodies do not gain from a coding.
const WORTHWHILE_BYTES: usize = 1024;
/// Beyond this, encoding leaves the threads that serve connections.
const LARGE_BODY_BYTES: usize = 256 * 1024;

/// A rendered answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The bytes to send, in `coding`.
    pub(crate) body: Bytes,
    /// The coding of `body`.
    pub(crate) coding: Coding,
    /// Of the bytes before coding: the codings of one answer are equivalent, which is what a weak validator says.
    etag: HeaderValue,
    media_type: MediaType,
    link: Option<HeaderValue>,
    /// Before the first row was read.
    pub(crate) began: Instant,
}

impl Answer {
    /// An answer of `body`, read from `began` on. `next` is the relative reference of the next page.
    pub(crate) fn new(mut body: Vec<u8>, media_type: MediaType, next: Option<&str>, began: Instant) -> Self {
        let hash = blake3::hash(&body).to_hex();
        // It may be kept: what the buffer has beyond its end would be kept with it, and counted by nobody.
        body.shrink_to_fit();
        Self {
            body: Bytes::from(body),
            coding: Coding::Identity,
            // Hexadecimal digits and percent-encoded text are legal in headers.
            etag: HeaderValue::from_str(&format!("W/\"{}\"", &hash[..32]))
                .unwrap_or_else(|_| HeaderValue::from_static("W/\"\"")),
            media_type,
            link: next.and_then(|next| HeaderValue::from_str(&format!("<{next}>; rel=\"next\"")).ok()),
            began,
        }
    }

    /// Bytes that it holds in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.body.len() + self.etag.len() + self.link.as_ref().map_or(0, HeaderValue::len)
    }

    /// The same answer in `coding`, when that is worth it.
    pub(crate) async fn encoded(&self, coding: Coding) -> Result<Self, Problem> {
        if coding == Coding::Identity || self.body.len() < WORTHWHILE_BYTES {
            return Ok(self.clone());
        }
        let encoded = if self.body.len() < LARGE_BODY_BYTES {
            compression::encode(coding, &self.body).await
        } else {
            let body = self.body.clone();
            let encode = move || futures::executor::block_on(compression::encode(coding, &body));
            tokio::task::spawn_blocking(encode)
                .await
                .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        };
        match encoded {
            Ok(mut body) => Ok(Self {
                body: {
                    body.shrink_to_fit();
                    Bytes::from(body)
                },
                coding,
                ..self.clone()
            }),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    coding = coding.name(),
                    "an answer cannot be encoded"
                );
                Err(Problem::internal())
            }
        }
    }

    /// 200 with the body, or 304 when the client has it. The body is held in memory on behalf of `caller` until the client has taken it.
    pub(crate) async fn respond(
        &self,
        request: &HeaderMap,
        caller: &Caller,
        memory: &AnswerMemory,
    ) -> Result<Response, Problem> {
        if matches(request, &self.etag) {
            return Ok(self.response(true));
        }
        let reservation = memory.reserve(caller, self.body.len()).await?;
        let mut response = self.response(false);
        response.extensions_mut().insert(Arc::new(reservation));
        Ok(response)
    }

    fn response(&self, known: bool) -> Response {
        let mut response = Response::new(if known {
            Body::empty()
        } else {
            Body::from(self.body.clone())
        });
        let headers = response.headers_mut();
        headers.insert(ETAG, self.etag.clone());
        if let Some(link) = &self.link {
            headers.insert(LINK, link.clone());
        }
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type.content_type()));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        if self.coding != Coding::Identity {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(self.coding.name()));
        }
        response
    }
}

/// The weak comparison of `If-None-Match` (RFC 9110, 13.1.2).
fn matches(request: &HeaderMap, etag: &HeaderValue) -> bool {
    let own = opaque(etag.to_str().unwrap_or_default());
    request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|candidate| candidate == "*" || opaque(candidate) == own)
}

fn opaque(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(if_none_match: &str) -> StatusCode {
        let answer = Answer::new(b"[]".to_vec(), MediaType::Json, None, Instant::now());
        let etag = answer.etag.to_str().unwrap_or_default().to_owned();
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&if_none_match.replace("ETAG", &etag)) {
            headers.insert(IF_NONE_MATCH, value);
        }
        answer.response(matches(&headers, &answer.etag)).status()
    }

    #[test]
    fn an_answer_weighs_what_it_holds() {
        let mut body = Vec::with_capacity(1_000_000);
        body.extend_from_slice(b"[]");
        let next = "x".repeat(5000);
        let answer = Answer::new(body, MediaType::Json, Some(&next), Instant::now());
        assert!(answer.bytes() > 5000 && answer.bytes() < 5100, "{}", answer.bytes());
        // What the buffer had beyond its end is gone: nothing is held that is not weighed.
        let held: Vec<u8> = answer.body.into();
        assert!(held.capacity() < 100, "{}", held.capacity());
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        assert_eq!(status("ETAG"), StatusCode::NOT_MODIFIED);
        assert_eq!(status("\"other\", ETAG"), StatusCode::NOT_MODIFIED);
        assert_eq!(status("*"), StatusCode::NOT_MODIFIED);
        assert_eq!(status("\"other\""), StatusCode::OK);
        assert_eq!(status(""), StatusCode::OK);
    }
}
