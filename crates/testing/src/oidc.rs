//! A provider of tokens as Kafka's OAUTHBEARER asks for them: OAuth 2.0 client credentials (RFC 6749, section 4.4), signed JWTs.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};

use crate::clerk::{ClerkError, SigningKey, unix_seconds};

struct Shared {
    key: SigningKey,
    issuer: String,
    tokens: AtomicU64,
}

/// A running provider; dropping it stops it. It has a thread of its own, because tests share it and each of them has its own runtime.
pub struct OidcProvider {
    shared: Arc<Shared>,
    addr: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl OidcProvider {
    /// Whom the tokens are for.
    pub const AUDIENCE: &str = "kafka";
    /// The only client, by which brokers know it, too.
    pub const CLIENT_ID: &str = "recap";
    /// Its secret.
    pub const CLIENT_SECRET: &str = "client,secret";
    /// Seconds a token lives: the client has to ask again during a test.
    const LIFETIME: u64 = 15;

    /// Starts on a free local port.
    pub fn start() -> Result<Self, ClerkError> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            key: SigningKey::generate()?,
            issuer: format!("http://{addr}"),
            tokens: AtomicU64::new(0),
        });
        let router = Router::new()
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .with_state(Arc::clone(&shared));
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener)?;
                let until = async {
                    // Nothing is ever sent: the other end is dropped.
                    let _dropped = stopped.await;
                };
                axum::serve(listener, router).with_graceful_shutdown(until).await
            })
        });
        Ok(Self {
            shared,
            addr,
            _stop: stop,
        })
    }

    /// Where brokers find the keys.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("http://{}/jwks", self.addr)
    }

    /// Where clients get their tokens.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("http://{}/token", self.addr)
    }

    /// Tokens given so far.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.shared.tokens.load(Ordering::Relaxed)
    }
}

async fn jwks(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, StatusCode> {
    let key = shared.key.jwk().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Json(json!({ "keys": [key] })))
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, form: String) -> Result<Json<Value>, StatusCode> {
    let pair = format!("{}:{}", OidcProvider::CLIENT_ID, OidcProvider::CLIENT_SECRET);
    let expected = format!("Basic {}", STANDARD.encode(pair));
    if headers
        .get(AUTHORIZATION)
        .is_none_or(|given| given.as_bytes() != expected.as_bytes())
    {
        return Err(StatusCode::UNAUTHORIZED);
    }
    if !form.contains("grant_type=client_credentials") {
        return Err(StatusCode::BAD_REQUEST);
    }
    let now = unix_seconds();
    let claims = json!({
        "iss": shared.issuer,
        "sub": OidcProvider::CLIENT_ID,
        "aud": OidcProvider::AUDIENCE,
        "scope": "kafka",
        "iat": now,
        "exp": now + OidcProvider::LIFETIME,
    });
    let token = shared
        .key
        .sign(&claims)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    shared.tokens.fetch_add(1, Ordering::Relaxed);
    Ok(Json(json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": OidcProvider::LIFETIME,
    })))
}
