//! Clerk's Backend API, as far as users and memberships go. Every call waits and tries again for as long as Clerk is away or asks for it:
//! whoever has less time drops it.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::{StatusCode, header::RETRY_AFTER};
use recap_service::{
    backoff::Backoff,
    secret::{Secret, UnreadableSecret},
};
use recap_telemetry::ClerkMetrics;
use reqwest::{Client, Response};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::Instant;

use crate::object::{Membership, User};

/// The most that the API answers at once.
const PAGE: u32 = 500;
/// The most users that can be asked for by their ids at once.
pub(crate) const USERS_BY_ID: usize = 100;
/// The description that [`crate::object`] follows.
const API_VERSION: &str = "2025-11-10";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Clerk counts requests over ten seconds.
const USUAL_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// How much of an answer that refuses is shown.
const SHOWN: usize = 300;

/// Why the Backend API is of no use, however often it is asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The HTTP client cannot be made.
    #[error("no HTTP client for CLERK_API_URL: {0}")]
    Client(#[source] reqwest::Error),
    /// The secret key cannot be read.
    #[error("CLERK_SECRET_KEY_FILE: {0}")]
    NoSecret(String),
    /// Clerk refuses.
    #[error("Clerk refuses {path} with {status}: {said}{}", if *.status == StatusCode::UNAUTHORIZED { " (is CLERK_SECRET_KEY of this instance?)" } else { "" })]
    Refused {
        /// What was asked for.
        path: &'static str,
        /// HTTP's status.
        status: StatusCode,
        /// The beginning of its answer.
        said: String,
    },
    /// The answer is not as described.
    #[error("Clerk's answer to {path} is not as its description says: {source}")]
    Malformed {
        /// What was asked for.
        path: &'static str,
        /// Where it differs.
        source: serde_json::Error,
    },
}

impl From<UnreadableSecret> for ApiError {
    fn from(error: UnreadableSecret) -> Self {
        Self::NoSecret(error.to_string())
    }
}

/// One page of memberships, and how many there are.
#[derive(Deserialize)]
pub(crate) struct MembershipPage {
    pub data: Vec<Membership>,
    pub total_count: u64,
}

/// A client of one Clerk instance.
pub struct Api {
    client: Client,
    url: String,
    key: Secret,
    metrics: ClerkMetrics,
    /// Clerk asked for silence until then: one call's `429` holds back all.
    silent_until: Mutex<Option<Instant>>,
}

enum Attempt {
    Answered(Response),
    Missing,
    /// Not now.
    Again(Option<Duration>),
}

impl Api {
    /// A client; it connects with the first question. `url` has neither a path nor a slash at its end.
    pub(crate) fn new(url: &str, key: Secret, metrics: ClerkMetrics) -> Result<Self, ApiError> {
        let client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .user_agent(concat!("recap/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            client: client.map_err(ApiError::Client)?,
            url: url.trim_end_matches('/').to_owned(),
            key,
            metrics,
            silent_until: Mutex::default(),
        })
    }

    /// A user; `None` when there is none of this id (any more).
    pub(crate) async fn user(&self, user_id: &str) -> Result<Option<User>, ApiError> {
        self.get("/v1/users/{id}", &format!("/v1/users/{}", encoded(user_id)), &[])
            .await
    }

    /// The users of these ids, as far as there are any; at most [`USERS_BY_ID`].
    pub(crate) async fn users(&self, ids: &[&str]) -> Result<Vec<User>, ApiError> {
        let mut query = vec![("limit", USERS_BY_ID.to_string())];
        query.extend(ids.iter().map(|id| ("user_id", (*id).to_owned())));
        Ok(self.get("/v1/users", "/v1/users", &query).await?.unwrap_or_default())
    }

    /// Every membership of a user; none of a user who is gone.
    pub(crate) async fn memberships(&self, user_id: &str) -> Result<Vec<Membership>, ApiError> {
        let path = format!("/v1/users/{}/organization_memberships", encoded(user_id));
        let mut memberships = Vec::new();
        loop {
            let query = [("limit", PAGE.to_string()), ("offset", memberships.len().to_string())];
            let page: Option<MembershipPage> = self
                .get("/v1/users/{id}/organization_memberships", &path, &query)
                .await?;
            let page = page.map(|page| page.data).unwrap_or_default();
            let is_last = page.len() < PAGE as usize;
            memberships.extend(page);
            if is_last {
                return Ok(memberships);
            }
        }
    }

    /// Memberships of the instance, the oldest first.
    pub(crate) async fn membership_page(&self, offset: u64, limit: u32) -> Result<MembershipPage, ApiError> {
        let query = [
            ("order_by", "+created_at".to_owned()),
            ("limit", limit.to_string()),
            ("offset", offset.to_string()),
        ];
        let path = "/v1/organization_memberships";
        let page = self.get(path, path, &query).await?;
        page.ok_or(ApiError::Refused {
            path,
            status: StatusCode::NOT_FOUND,
            said: "organizations are not enabled in this instance?".to_owned(),
        })
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &'static str,
        url: &str,
        query: &[(&str, String)],
    ) -> Result<Option<T>, ApiError> {
        let mut backoff = Backoff::new();
        loop {
            self.wait_for_silence().await;
            match self.attempt(path, url, query).await? {
                Attempt::Missing => return Ok(None),
                Attempt::Answered(answer) => {
                    // An answer that breaks off is asked for again.
                    if let Ok(text) = answer.bytes().await {
                        self.metrics.api_answered("succeeded");
                        let read = serde_json::from_slice(&text).map(Some);
                        return read.map_err(|source| ApiError::Malformed { path, source });
                    }
                    self.metrics.api_answered("failed");
                    backoff.wait().await;
                }
                Attempt::Again(Some(pause)) => self.be_silent(pause),
                Attempt::Again(None) => backoff.wait().await,
            }
        }
    }

    async fn attempt(&self, path: &'static str, url: &str, query: &[(&str, String)]) -> Result<Attempt, ApiError> {
        let key = self.key.read()?;
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let request = self.client.get(format!("{}{url}?{}", self.url, query.join("&")));
        let request = request.header("Clerk-API-Version", API_VERSION);
        let answer = match request.bearer_auth(key.expose_secret()).send().await {
            Ok(answer) => answer,
            Err(error) => {
                self.metrics.api_answered("failed");
                tracing::warn!(error = %error.without_url(), path, "Clerk does not answer; trying again");
                return Ok(Attempt::Again(None));
            }
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(Attempt::Answered(answer));
        }
        if status == StatusCode::NOT_FOUND {
            self.metrics.api_answered("succeeded");
            return Ok(Attempt::Missing);
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.metrics.api_answered("limited");
            let pause = answer
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let pause = pause.map_or(USUAL_PAUSE, Duration::from_secs).min(LONGEST_PAUSE);
            tracing::debug!(path, pause = pause.as_secs(), "Clerk asks for a pause");
            return Ok(Attempt::Again(Some(pause)));
        }
        self.metrics.api_answered("failed");
        if status.is_server_error() {
            tracing::warn!(%status, path, "Clerk cannot answer; trying again");
            return Ok(Attempt::Again(None));
        }
        let said = answer.text().await.unwrap_or_default();
        Err(ApiError::Refused {
            path,
            status,
            said: said.chars().take(SHOWN).collect(),
        })
    }

    fn be_silent(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut silent = self.silent_until.lock().unwrap_or_else(PoisonError::into_inner);
        *silent = Some(silent.map_or(until, |earlier| earlier.max(until)));
    }

    async fn wait_for_silence(&self) {
        let until = *self.silent_until.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }
}

/// Percent-encoded, as one segment of a path or one value of a query: an id of nobody's may become another path.
fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string never fails.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn an_id_never_leaves_its_segment() {
        assert_eq!(
            encoded("user_2g7np7Hrk0SN6kj5EDMLDaKNL0S"),
            "user_2g7np7Hrk0SN6kj5EDMLDaKNL0S"
        );
        assert_eq!(encoded("../users?x=ä"), "%2E%2E%2Fusers%3Fx%3D%C3%A4");
    }
}
