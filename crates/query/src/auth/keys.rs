//! The issuer's public keys by `kid`: fetched, kept, and fetched again when a token names one that is not here.

use std::{collections::HashMap, sync::Arc, time::Duration};

use http::StatusCode;
use jsonwebtoken::DecodingKey;
use recap_telemetry::QueryMetrics;
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::Instant,
};

/// How long one fetch may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Nobody waits longer for a fetch.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How often the keys are fetched when nothing asks for them, so that a withdrawn key goes away.
const REFRESH_EVERY: Duration = Duration::from_mins(10);
/// A JWKS of some RSA keys is a few KB.
const MAX_JWKS_BYTES: usize = 256 * 1024;
/// Longer key ids are nobody's.
const MAX_KID_BYTES: usize = 256;

type Keys = HashMap<String, Arc<Key>>;

/// A public key.
pub(super) struct Key {
    pub(super) decoding: DecodingKey,
    /// Tells it from every other key, whatever they are called.
    pub(super) fingerprint: [u8; 32],
}

/// Why no key was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer publishes no such key.
    Unknown,
    /// The issuer's keys could not be read.
    Unavailable,
}

/// What the endpoint said last.
#[derive(Default)]
struct Published {
    /// None until a fetch has succeeded.
    keys: Option<Arc<Keys>>,
    /// When the latest finished fetch began, whatever came of it.
    asked: Option<Instant>,
}

/// A JWKS endpoint and what it said last. It is served stale for as long as the endpoint cannot be reached.
///
/// A key that is known is never waited for. One that is not is asked for by one task, which keeps its distance between two fetches: all who ask
/// meanwhile share the next one.
pub(super) struct KeySet {
    url: String,
    client: reqwest::Client,
    cool_down: Duration,
    published: watch::Sender<Published>,
    wanted: Notify,
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
            published: watch::Sender::new(Published::default()),
            wanted: Notify::new(),
            waiting: Semaphore::new(max_waiting),
            metrics,
        })
    }

    /// Whether a fetch has succeeded since the start.
    pub(super) fn loaded(&self) -> bool {
        self.published.borrow().keys.is_some()
    }

    /// The key named `kid`. One that is not here is waited for, until a fetch that began after it was asked for.
    pub(super) async fn find(&self, kid: &str) -> Result<Arc<Key>, NoKey> {
        if kid.len() > MAX_KID_BYTES {
            return Err(NoKey::Unknown);
        }
        if let Some(key) = known(&self.published.borrow(), kid) {
            return Ok(key);
        }
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return Err(self.missing());
        };
        let asked = Instant::now();
        let mut published = self.published.subscribe();
        self.wanted.notify_one();
        let settled = |published: &Published| {
            known(published, kid).is_some() || published.asked.is_some_and(|began| began >= asked)
        };
        match tokio::time::timeout(self.cool_down + LONGEST_WAIT, published.wait_for(settled)).await {
            Ok(Ok(published)) => known(&published, kid).ok_or(match published.keys {
                Some(_) => NoKey::Unknown,
                None => NoKey::Unavailable,
            }),
            // Whether there is such a key is not known.
            _ => Err(NoKey::Unavailable),
        }
    }

    /// Keeps the keys current for as long as it is polled, and finds those that are wanted.
    pub(super) async fn refresh(self: Arc<Self>) {
        loop {
            let began = Instant::now();
            let fetched = self.fetch().await;
            self.metrics.keys_fetched(fetched.is_ok());
            self.published.send_modify(|published| {
                published.asked = Some(began);
                match fetched {
                    Ok(keys) => published.keys = Some(Arc::new(keys)),
                    Err(error) => tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the issuer's keys cannot be fetched"
                    ),
                }
            });
            tokio::time::sleep_until(began + self.cool_down).await;
            let interval = if self.loaded() { REFRESH_EVERY } else { self.cool_down };
            tokio::select! {
                () = self.wanted.notified() => {}
                () = tokio::time::sleep(interval) => {}
            }
        }
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

    fn missing(&self) -> NoKey {
        if self.loaded() {
            NoKey::Unknown
        } else {
            NoKey::Unavailable
        }
    }
}

fn known(published: &Published, kid: &str) -> Option<Arc<Key>> {
    published.keys.as_ref()?.get(kid).cloned()
}

/// An RSA key that may verify RS256; keys of other kinds in the set are left out.
fn usable(key: Value) -> Option<(String, Arc<Key>)> {
    let key: RsaKey = serde_json::from_value(key).ok()?;
    let for_rs256 = key.alg.as_deref().is_none_or(|alg| alg == "RS256");
    let for_signatures = key.r#use.as_deref().is_none_or(|purpose| purpose == "sig");
    if key.kty != "RSA" || !for_rs256 || !for_signatures || key.kid.len() > MAX_KID_BYTES {
        return None;
    }
    let decoding = DecodingKey::from_rsa_components(&key.n, &key.e).ok()?;
    let fingerprint = blake3::hash(format!("{} {}", key.n, key.e).as_bytes()).into();
    Some((key.kid, Arc::new(Key { decoding, fingerprint })))
}
