//! The limit of reading: the same bytes from memory behind the same kind of token check, no cache, no database.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use recap_servers::clerk::{Session, SigningKey};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::load::Target;

struct Shared {
    key: DecodingKey,
    validation: Validation,
    body: Bytes,
}

/// A running server; dropping it stops it.
pub struct MemoryServer {
    pub target: Target,
    task: JoinHandle<()>,
}

impl MemoryServer {
    /// Serves `body` to whoever has a valid token.
    pub async fn start(body: Vec<u8>) -> anyhow::Result<Self> {
        let key = SigningKey::generate()?;
        let issuer = "http://memory.example";
        let token = key.sign(&Session::admin("org_memory", "user_memory").claims_v2(issuer))?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[issuer]);
        let shared = Shared {
            key: DecodingKey::from_rsa_pem(key.public_pem().as_bytes())
                .context("the key just made")?,
            validation,
            body: body.into(),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let host = listener.local_addr()?.to_string();
        let router = Router::new()
            .fallback(get(answer))
            .with_state(Arc::new(shared));
        let task = tokio::spawn(async move {
            // It ends with the task that owns it.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            target: Target { host, token },
            task,
        })
    }
}

impl Drop for MemoryServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let token = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let valid = token.is_some_and(|token| {
        jsonwebtoken::decode::<Value>(token, &shared.key, &shared.validation).is_ok()
    });
    if valid {
        ([(CONTENT_TYPE, "application/json")], shared.body.clone()).into_response()
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}
