//! A stand-in for a Clerk instance: RSA keys made on the spot, session tokens of both claim versions, and a JWKS endpoint.
//!
//! Keys exist only where this code made them: a service configured for a real Clerk instance never trusts one.

use std::{
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, PublicKeyUse},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// What can go wrong with keys and the JWKS endpoint.
#[derive(Debug, thiserror::Error)]
pub enum ClerkError {
    /// The cryptographic library refused to make or read a key.
    #[error("the signing key cannot be made or read")]
    Key,
    /// A token could not be signed.
    #[error("the token cannot be signed")]
    Sign(#[from] jsonwebtoken::errors::Error),
    /// The JWKS endpoint could not listen.
    #[error("the JWKS endpoint cannot listen")]
    Listen(#[from] std::io::Error),
}

/// An RSA key that signs session tokens.
#[derive(Clone)]
pub struct SigningKey {
    kid: String,
    private_der: Vec<u8>,
    encoding: EncodingKey,
    public_der: Vec<u8>,
}

impl SigningKey {
    /// Makes a 2048-bit key; its `kid` is derived from the public half.
    pub fn generate() -> Result<Self, ClerkError> {
        Self::from_pair(&KeyPair::generate(KeySize::Rsa2048).map_err(|_| ClerkError::Key)?)
    }

    /// Reads what [`Self::private_pem`] wrote.
    pub fn from_private_pem(pem: &str) -> Result<Self, ClerkError> {
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body.trim()).map_err(|_| ClerkError::Key)?;
        Self::from_pair(&KeyPair::from_pkcs8(&der).map_err(|_| ClerkError::Key)?)
    }

    fn from_pair(pair: &KeyPair) -> Result<Self, ClerkError> {
        let private: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| ClerkError::Key)?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| ClerkError::Key)?;
        let private_pem = pem("PRIVATE KEY", private.as_ref());
        let encoding = EncodingKey::from_rsa_pem(private_pem.as_bytes())?;
        let print = Jwk::from_encoding_key(&encoding, Algorithm::RS256)?
            .thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256)?;
        Ok(Self {
            kid: format!("ins_{print}"),
            private_der: private.as_ref().to_vec(),
            encoding,
            public_der: public.as_ref().to_vec(),
        })
    }

    /// The key id that tokens and the JWKS carry.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The private half as PKCS#8 PEM.
    #[must_use]
    pub fn private_pem(&self) -> String {
        pem("PRIVATE KEY", &self.private_der)
    }

    /// The public half as PEM, as `CLERK_JWT_KEY` takes it.
    #[must_use]
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.public_der)
    }

    /// Signs `claims` as they are with RS256.
    pub fn sign(&self, claims: &Value) -> Result<String, ClerkError> {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.kid.clone());
        self.sign_with(&header, claims)
    }

    /// Signs `claims` under a header of the caller's choice (the algorithm must be an RSA one).
    pub fn sign_with(&self, header: &Header, claims: &Value) -> Result<String, ClerkError> {
        Ok(jsonwebtoken::encode(header, claims, &self.encoding)?)
    }

    pub(crate) fn jwk(&self) -> Result<Jwk, ClerkError> {
        let mut jwk = Jwk::from_encoding_key(&self.encoding, Algorithm::RS256)?;
        jwk.common.key_id = Some(self.kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(jwk)
    }
}

/// Now, as tokens have it.
#[expect(
    clippy::disallowed_methods,
    reason = "a token is valid from now on, by the clock of its verifier"
)]
pub(crate) fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let body = STANDARD.encode(der);
    for start in (0..body.len()).step_by(64) {
        text.push_str(&body[start..body.len().min(start + 64)]);
        text.push('\n');
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// Who a token speaks for; the claims follow Clerk's documented session tokens.
#[derive(Debug, Clone)]
pub struct Session {
    /// Clerk's user id (`sub`).
    pub user_id: String,
    /// The active organization, if any.
    pub org_id: Option<String>,
    /// Whether the role is `org:admin` (else `org:member`).
    pub admin: bool,
    /// Seconds from now until the token expires.
    pub lifetime: Duration,
    /// `azp`, the origin that asked for the token.
    pub authorized_party: Option<String>,
}

impl Session {
    /// A member's hour-long session in `org_id`.
    #[must_use]
    pub fn member(org_id: &str, user_id: &str) -> Self {
        Self {
            user_id: user_id.to_owned(),
            org_id: Some(org_id.to_owned()),
            admin: false,
            lifetime: Duration::from_hours(1),
            authorized_party: None,
        }
    }

    /// An administrator's hour-long session in `org_id`.
    #[must_use]
    pub fn admin(org_id: &str, user_id: &str) -> Self {
        Self {
            admin: true,
            ..Self::member(org_id, user_id)
        }
    }

    /// The claims of a version 2 token.
    #[must_use]
    pub fn claims_v2(&self, issuer: &str) -> Value {
        let mut claims = self.common(issuer);
        claims["v"] = json!(2);
        claims["fva"] = json!([0, -1]);
        claims["pla"] = json!("u:free");
        if let Some(org_id) = &self.org_id {
            let role = if self.admin { "admin" } else { "member" };
            claims["o"] = json!({ "id": org_id, "rol": role, "slg": "local", "per": "read", "fpm": "1" });
        }
        claims
    }

    /// The claims of a version 1 token.
    #[must_use]
    pub fn claims_v1(&self, issuer: &str) -> Value {
        let mut claims = self.common(issuer);
        if let Some(org_id) = &self.org_id {
            claims["org_id"] = json!(org_id);
            claims["org_role"] = json!(if self.admin { "org:admin" } else { "org:member" });
            claims["org_slug"] = json!("local");
            claims["org_permissions"] = json!([]);
        }
        claims
    }

    fn common(&self, issuer: &str) -> Value {
        let now = unix_seconds();
        let mut claims = json!({
            "iss": issuer,
            "sub": self.user_id,
            "sid": "sess_local",
            "sts": "active",
            "iat": now,
            "nbf": now.saturating_sub(10),
            "exp": now + self.lifetime.as_secs(),
            "jti": "local",
        });
        if let Some(party) = &self.authorized_party {
            claims["azp"] = json!(party);
        }
        claims
    }
}

struct Shared {
    keys: RwLock<Vec<SigningKey>>,
    reachable: AtomicBool,
    fetches: AtomicU64,
}

impl Shared {
    fn keys(&self) -> Vec<SigningKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A local Clerk instance: an issuer, its keys and its JWKS endpoint. Dropping it stops the endpoint.
pub struct LocalClerk {
    shared: Arc<Shared>,
    addr: SocketAddr,
    server: JoinHandle<()>,
}

impl LocalClerk {
    /// Starts on a free local port with a new key.
    pub async fn start() -> Result<Self, ClerkError> {
        Self::start_with(SigningKey::generate()?).await
    }

    /// Starts on a free local port with `key`.
    pub async fn start_with(key: SigningKey) -> Result<Self, ClerkError> {
        let shared = Arc::new(Shared {
            keys: RwLock::new(vec![key]),
            reachable: AtomicBool::new(true),
            fetches: AtomicU64::new(0),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let router = Router::new()
            .route("/.well-known/jwks.json", get(jwks))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // It ends with the task that owns it; there is nobody to tell about an error before that.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { shared, addr, server })
    }

    /// The value for `CLERK_ISSUER`.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The value for `CLERK_JWKS_URL`.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("http://{}/.well-known/jwks.json", self.addr)
    }

    /// The key that signs now: the newest.
    #[must_use]
    pub fn key(&self) -> SigningKey {
        let keys = self.shared.keys();
        keys[keys.len() - 1].clone()
    }

    /// A version 2 token for `session`.
    pub fn token(&self, session: &Session) -> Result<String, ClerkError> {
        self.key().sign(&session.claims_v2(&self.issuer()))
    }

    /// A version 1 token for `session`.
    pub fn token_v1(&self, session: &Session) -> Result<String, ClerkError> {
        self.key().sign(&session.claims_v1(&self.issuer()))
    }

    /// Publishes a new key beside the old ones; it signs from now on.
    pub fn rotate(&self) -> Result<(), ClerkError> {
        let key = SigningKey::generate()?;
        self.shared
            .keys
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(key);
        Ok(())
    }

    /// Publishes the newest key alone.
    pub fn retire_old_keys(&self) {
        let mut keys = self.shared.keys.write().unwrap_or_else(PoisonError::into_inner);
        let newest = keys.len() - 1;
        keys.drain(..newest);
    }

    /// Whether the JWKS endpoint answers (else it says 503).
    pub fn set_reachable(&self, reachable: bool) {
        self.shared.reachable.store(reachable, Ordering::SeqCst);
    }

    /// How often the JWKS was asked for.
    #[must_use]
    pub fn fetches(&self) -> u64 {
        self.shared.fetches.load(Ordering::SeqCst)
    }
}

impl Drop for LocalClerk {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn jwks(State(shared): State<Arc<Shared>>) -> Response {
    shared.fetches.fetch_add(1, Ordering::SeqCst);
    if !shared.reachable.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let keys: Result<Vec<Jwk>, ClerkError> = shared.keys().iter().map(SigningKey::jwk).collect();
    match keys {
        Ok(keys) => Json(json!({ "keys": keys })).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_key_survives_its_pem() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_private_pem(&key.private_pem()).unwrap();
        assert_eq!(key.kid(), again.kid());
        assert_eq!(key.public_pem(), again.public_pem());
    }

    #[test]
    fn a_token_verifies_with_the_public_pem() {
        let key = SigningKey::generate().unwrap();
        let token = key
            .sign(&Session::admin("org_1", "user_1").claims_v2("http://local"))
            .unwrap();
        let public = jsonwebtoken::DecodingKey::from_rsa_pem(key.public_pem().as_bytes()).unwrap();
        let validation = jsonwebtoken::Validation::new(Algorithm::RS256);
        let data = jsonwebtoken::decode::<Value>(&token, &public, &validation).unwrap();
        assert_eq!(data.claims["o"]["id"], "org_1");
    }
}
