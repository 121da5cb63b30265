//! The extractor: a handler that takes a [`Caller`] runs only for an accepted token with an organization, within its rate.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use http::{header::AUTHORIZATION, request};
use recap_telemetry::QueryMetrics;

use super::verifier::{Refused, Verifier};
use crate::http::{limits::RateLimit, problem::Problem};

/// A user in an organization, from a verified token and from nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    org_id: Arc<str>,
    user_id: Arc<str>,
    admin: bool,
}

impl Caller {
    /// The organization whose rows exist for this request.
    pub(crate) fn org_id(&self) -> &Arc<str> {
        &self.org_id
    }

    /// The user the token speaks for.
    pub(crate) fn user_id(&self) -> &Arc<str> {
        &self.user_id
    }

    /// Whether the role is `org:admin`.
    pub(crate) fn is_admin(&self) -> bool {
        self.admin
    }
}

/// What a request is authenticated with. Clones share it.
#[derive(Clone)]
pub(crate) struct Authentication(Arc<Parts>);

struct Parts {
    verifier: Verifier,
    rate: RateLimit,
    metrics: QueryMetrics,
}

impl Authentication {
    /// Tokens are checked by `verifier`, requests of one caller counted by `rate`.
    pub(crate) fn new(verifier: Verifier, rate: RateLimit, metrics: QueryMetrics) -> Self {
        Self(Arc::new(Parts {
            verifier,
            rate,
            metrics,
        }))
    }

    /// Whether there are keys to verify with.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.verifier.is_ready()
    }

    /// Keeps the keys current and forgets quiet callers, for as long as it is polled.
    pub(crate) async fn maintain(self) {
        tokio::join!(self.0.verifier.refresh_keys(), self.0.rate.sweep());
    }

    async fn caller(&self, request: &request::Parts) -> Result<Caller, Problem> {
        let Parts {
            verifier,
            rate,
            metrics,
        } = &*self.0;
        let identity = match bearer(request) {
            Ok(token) => verifier.verify(token).await,
            Err(refused) => Err(refused),
        };
        let identity = identity.map_err(|refused| {
            metrics.auth_refused(refused.code());
            match refused {
                Refused::KeysUnavailable => Problem::unavailable(refused.sentence()),
                _ => Problem::unauthorized(refused.sentence()),
            }
        })?;
        let Some(membership) = identity.organization else {
            metrics.auth_refused("no-organization");
            return Err(Problem::forbidden("The session has no active organization."));
        };
        let caller = Caller {
            org_id: membership.org_id.into(),
            user_id: identity.user_id.into(),
            admin: membership.admin,
        };
        rate.check(&caller.org_id, &caller.user_id).map_err(|wait| {
            metrics.limited("rate");
            Problem::too_many_requests(wait)
        })?;
        Ok(caller)
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Authentication: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(request: &mut request::Parts, state: &S) -> Result<Self, Problem> {
        Authentication::from_ref(state).caller(request).await
    }
}

/// The token of the one `Authorization: Bearer` header (RFC 6750, 2.1).
fn bearer(request: &request::Parts) -> Result<&str, Refused> {
    let mut headers = request.headers.get_all(AUTHORIZATION).iter();
    let header = headers.next().ok_or(Refused::Missing)?;
    if headers.next().is_some() {
        return Err(Refused::Malformed);
    }
    let text = header.to_str().map_err(|_| Refused::Malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or(Refused::Malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refused::Missing);
    }
    let token = token.trim_start_matches(' ');
    if token.is_empty() {
        Err(Refused::Malformed)
    } else {
        Ok(token)
    }
}
