//! The extractor: a handler that takes a [`Caller`] runs only for an accepted token with an organization, within its rate.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::{header::AUTHORIZATION, request::Parts};

use super::verifier::Refused;
use crate::{problem::Problem, service::Service};

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

impl FromRequestParts<Arc<Service>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        let identity = match bearer(parts) {
            Ok(token) => service.verifier.verify(token).await,
            Err(refused) => Err(refused),
        };
        let identity = identity.map_err(|refused| {
            service.metrics.auth_refused(refused.code());
            match refused {
                Refused::KeysUnavailable => Problem::unavailable(refused.sentence()),
                _ => Problem::unauthorized(refused.sentence()),
            }
        })?;
        let Some(membership) = identity.organization else {
            service.metrics.auth_refused("no-organization");
            return Err(Problem::forbidden("The session has no active organization."));
        };
        let caller = Self {
            org_id: membership.org_id.into(),
            user_id: identity.user_id.into(),
            admin: membership.admin,
        };
        service.rate.check(&caller).map_err(|wait| {
            service.metrics.limited("rate");
            Problem::too_many_requests(wait)
        })?;
        Ok(caller)
    }
}

/// The token of the one `Authorization: Bearer` header (RFC 6750, 2.1).
fn bearer(parts: &Parts) -> Result<&str, Refused> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
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
