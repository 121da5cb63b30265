//! The issuer's public keys by `kid`: fetched, kept, and fetched again when a token names one that is not here.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use http::StatusCode;
use jsonwebtoken::DecodingKey;
use recap_telemetry::QueryMetrics;
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    sync::{Mutex, Semaphore},
    time::Instant,
};

/// How long one fetch may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the keys are fetched when nothing asks for them, so that a withdrawn key goes away.
const REFRESH_EVERY: Duration = Duration::from_mins(10);
/// A JWKS of some RSA keys is a few KB.
const MAX_JWKS_BYTES: usize = 256 * 1024;
/// Longer key ids are nobody's.
const MAX_KID_BYTES: usize = 256;

type Keys = HashMap<String, Arc<DecodingKey>>;

/// Why no key was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer publishes no such key.
    Unknown,
    /// The issuer's keys could never be read.
    Unavailable,
}

#[derive(Default)]
struct State {
    /// None until a fetch has succeeded.
    keys: Option<Arc<Keys>>,
    /// When the latest fetch began, whatever came of it.
    attempted: Option<Instant>,
}

/// A JWKS endpoint and what it said last. It is served stale for as long as the endpoint cannot be reached.
pub(super) struct KeySet {
    url: String,
    client: reqwest::Client,
    cool_down: Duration,
    state: RwLock<State>,
    flight: Mutex<()>,
    waiting: Semaphore,
    metrics: QueryMetrics,
}

/// What stops a fetch.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    #[error("the answer is a redirection ({0}), which is not followed: set CLERK_JWKS_URL to where the keys are")]
    Redirected(StatusCode),
    #[error("the answer is longer than {MAX_JWKS_BYTES} bytes")]
    TooLarge,
    #[error("the answer is not a JWKS")]
    Unreadable(#[from] serde_json::Error),
    #[error("the answer holds no RSA key for signatures")]
    Empty,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct RsaKey {
    kty: String,
    kid: String,
    n: String,
    e: String,
    alg: Option<String>,
    r#use: Option<String>,
}

impl KeySet {
    /// Prepares to fetch from `url`, no more often than every `cool_down`. At most `max_waiting` requests wait for a fetch at one time:
    /// beyond that a flood of invented `kid`s gets its 401 at once, and the rest of the service stays free for others.
    pub(super) fn new(
        url: String,
        cool_down: Duration,
        max_waiting: usize,
        metrics: QueryMetrics,
    ) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            url,
            client,
            cool_down,
            state: RwLock::default(),
            flight: Mutex::default(),
            waiting: Semaphore::new(max_waiting),
            metrics,
        })
    }

    /// Whether a fetch has succeeded since the start.
    pub(super) fn loaded(&self) -> bool {
        self.read(|state| state.keys.is_some())
    }

    /// The key named `kid`. One that is not here is waited for: one fetch serves everybody who asked before it began, and
    /// fetches keep their distance.
    pub(super) async fn find(self: &Arc<Self>, kid: &str) -> Result<Arc<DecodingKey>, NoKey> {
        if kid.len() > MAX_KID_BYTES {
            return Err(NoKey::Unknown);
        }
        if let Some(key) = self.known(kid) {
            return Ok(key);
        }
        let asked = Instant::now();
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return Err(self.missing());
        };
        let _flight = self.flight.lock().await;
        if let Some(key) = self.known(kid) {
            return Ok(key);
        }
        if self
            .read(|state| state.attempted)
            .is_none_or(|attempted| attempted < asked)
        {
            self.fetch_after_cool_down().await;
        }
        self.known(kid).ok_or_else(|| self.missing())
    }

    /// Keeps the keys current for as long as it is polled.
    pub(super) async fn refresh(self: Arc<Self>) {
        loop {
            {
                let _flight = self.flight.lock().await;
                self.fetch_after_cool_down().await;
            }
            tokio::time::sleep(if self.loaded() { REFRESH_EVERY } else { self.cool_down }).await;
        }
    }

    /// Must be called with the flight held. The fetch is a task of its own: a client that hangs up cannot cut it short.
    async fn fetch_after_cool_down(self: &Arc<Self>) {
        if let Some(attempted) = self.read(|state| state.attempted) {
            tokio::time::sleep_until(attempted + self.cool_down).await;
        }
        self.write(|state| state.attempted = Some(Instant::now()));
        let this = Arc::clone(self);
        let fetch = tokio::spawn(async move {
            let fetched = this.fetch().await;
            this.metrics.keys_fetched(fetched.is_ok());
            match fetched {
                Ok(keys) => this.write(|state| state.keys = Some(Arc::new(keys))),
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the issuer's keys cannot be fetched"
                ),
            }
        });
        // Only a panic or a shutdown ends it otherwise; the keys stay as they were.
        let _ = fetch.await;
    }

    async fn fetch(&self) -> Result<Keys, FetchError> {
        let mut answer = self.client.get(&self.url).send().await?.error_for_status()?;
        if answer.status().is_redirection() {
            return Err(FetchError::Redirected(answer.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > MAX_JWKS_BYTES {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let keys: Keys = serde_json::from_slice::<Jwks>(&body)?
            .keys
            .into_iter()
            .filter_map(usable)
            .collect();
        if keys.is_empty() {
            Err(FetchError::Empty)
        } else {
            Ok(keys)
        }
    }

    fn known(&self, kid: &str) -> Option<Arc<DecodingKey>> {
        self.read(|state| state.keys.as_ref().and_then(|keys| keys.get(kid).cloned()))
    }

    fn missing(&self) -> NoKey {
        if self.loaded() {
            NoKey::Unknown
        } else {
            NoKey::Unavailable
        }
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// An RSA key that may verify RS256; keys of other kinds in the set are left out.
fn usable(key: Value) -> Option<(String, Arc<DecodingKey>)> {
    let key: RsaKey = serde_json::from_value(key).ok()?;
    let for_rs256 = key.alg.as_deref().is_none_or(|alg| alg == "RS256");
    let for_signatures = key.r#use.as_deref().is_none_or(|purpose| purpose == "sig");
    if key.kty != "RSA" || !for_rs256 || !for_signatures || key.kid.len() > MAX_KID_BYTES {
        return None;
    }
    let decoding = DecodingKey::from_rsa_components(&key.n, &key.e).ok()?;
    Some((key.kid, Arc::new(decoding)))
}
