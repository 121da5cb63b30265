//! Who asks: an accepted token with an organization, within its rate.
//!
//! A layer ([`Authentication::authenticate`]) decides before anything else of a request is read or counted, and hands the [`Caller`] on. A
//! handler that takes a [`Caller`] behind no such layer answers 500: it cannot forget to ask.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::{HeaderMap, request};
use recap_telemetry::QueryMetrics;

use super::{
    credentials::{self, Cookies},
    verifier::{Refused, Verifier},
};
use crate::http::{problem::Problem, rate_limit::RateLimit};

/// A user in an organization, from a verified token and from nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    org_id: Arc<str>,
    user_id: Arc<str>,
    admin: bool,
    expires: f64,
}

impl Caller {
    /// A member, for tests of what a caller may use.
    #[cfg(test)]
    pub(crate) fn member(org_id: &str, user_id: &str) -> Self {
        Self {
            org_id: org_id.into(),
            user_id: user_id.into(),
            admin: false,
            expires: f64::MAX,
        }
    }

    /// The organization whose rows exist for this request.
    pub(crate) fn org_id(&self) -> &Arc<str> {
        &self.org_id
    }

    /// The user the token speaks for.
    pub(crate) fn user_id(&self) -> &Arc<str> {
        &self.user_id
    }

    /// When the token expires, in Unix seconds.
    pub(crate) fn expires(&self) -> f64 {
        self.expires
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
    cookies: Cookies,
    rate: RateLimit,
    metrics: QueryMetrics,
}

impl Authentication {
    /// Tokens are checked by `verifier`, requests of one caller counted by `rate`.
    pub(crate) fn new(verifier: Verifier, cookies: Cookies, rate: RateLimit, metrics: QueryMetrics) -> Self {
        Self(Arc::new(Parts {
            verifier,
            cookies,
            rate,
            metrics,
        }))
    }

    /// Whether there are keys to verify with.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.verifier.is_ready()
    }

    /// Keeps the keys current and forgets quiet callers, for as long as it is polled. It never ends, not even with a fixed key and no rate, where there is nothing to do.
    pub(crate) async fn maintain(self) {
        tokio::join!(self.0.verifier.refresh_keys(), self.0.rate.sweep());
        std::future::pending::<()>().await;
    }

    /// The caller of a request with these headers: 401, then 403 without an organization, then 429.
    pub(crate) async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let Parts {
            verifier,
            cookies,
            rate,
            metrics,
        } = &*self.0;
        let identity = match credentials::token(headers, *cookies) {
            Ok(token) => verifier.verify(token).await,
            Err(refused) => Err(refused),
        };
        let identity = identity.map_err(|refused| {
            metrics.auth_refused(refused.code());
            match refused {
                Refused::KeysUnavailable | Refused::Busy => Problem::unavailable(refused.sentence()),
                Refused::Missing => Problem::unauthorized(refused.sentence()),
                _ => Problem::invalid_token(refused.sentence()),
            }
        })?;
        let Some(membership) = identity.organization else {
            metrics.auth_refused("no-organization");
            return Err(Problem::no_organization());
        };
        let caller = Caller {
            org_id: membership.org_id.into(),
            user_id: identity.user_id.into(),
            admin: membership.admin,
            expires: identity.expires,
        };
        if let Some(actor) = identity.actor {
            metrics.impersonated();
            tracing::info!(
                actor,
                user_id = &*caller.user_id,
                org_id = &*caller.org_id,
                "a request acts as its user"
            );
        }
        rate.check(&caller.org_id, &caller.user_id).map_err(|wait| {
            metrics.limited("rate");
            Problem::too_many_requests(wait)
        })?;
        Ok(caller)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(request: &mut request::Parts, _: &S) -> Result<Self, Problem> {
        request.extensions.get().cloned().ok_or_else(Problem::internal)
    }
}
