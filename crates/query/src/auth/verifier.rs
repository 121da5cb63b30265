//! From the text of a token to an identity, or to the one reason why not.

use std::{collections::HashSet, sync::Arc};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use recap_telemetry::QueryMetrics;

use super::{
    claims::{Claims, Identity, Unusable},
    keys::{KeySet, NoKey},
};
use crate::config::{ClerkConfig, KeySource};

/// Clerk's cookies end at 4 KB; twice that is generous.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// Seconds that clocks may differ by.
const LEEWAY: u64 = 5;

/// Why a token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Missing,
    Malformed,
    TooLong,
    Algorithm,
    UnknownKey,
    Signature,
    Expired,
    NotYetValid,
    Issuer,
    AuthorizedParty,
    Pending,
    Claims,
    KeysUnavailable,
}

impl Refused {
    /// A stable code for metrics.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::TooLong => "too-long",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown-key",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::Issuer => "issuer",
            Self::AuthorizedParty => "authorized-party",
            Self::Pending => "pending",
            Self::Claims => "claims",
            Self::KeysUnavailable => "keys-unavailable",
        }
    }

    /// What the client may read.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Missing => "A Clerk session token is required: Authorization: Bearer <token>.",
            Self::Malformed => "The Authorization header holds no readable session token.",
            Self::TooLong => "The session token is too long.",
            Self::Algorithm => "The session token must be signed with RS256.",
            Self::UnknownKey => "The session token is signed with a key that its issuer does not publish.",
            Self::Signature => "The session token's signature does not verify.",
            Self::Expired => "The session token has expired.",
            Self::NotYetValid => "The session token is not valid yet.",
            Self::Issuer => "The session token comes from another issuer.",
            Self::AuthorizedParty => "The session token was made for a party that is not accepted here.",
            Self::Pending => "The session is pending: it has tasks to finish first.",
            Self::Claims => "The session token's claims are not those of a Clerk session.",
            Self::KeysUnavailable => "The issuer's keys cannot be read; try again.",
        }
    }
}

enum Keys {
    Fixed(DecodingKey),
    Fetched(Arc<KeySet>),
}

fn is_local(url: &str) -> bool {
    let host = reqwest::Url::parse(url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]"))
}

/// Checks session tokens of one Clerk instance.
pub(crate) struct Verifier {
    keys: Keys,
    validation: Validation,
    issuer: String,
    parties: HashSet<String>,
}

impl Verifier {
    /// A verifier as configured; no network is used yet.
    pub(crate) fn new(config: &ClerkConfig, max_waiting: usize, metrics: QueryMetrics) -> Result<Self, reqwest::Error> {
        let keys = match &config.keys {
            KeySource::Pem(key) => Keys::Fixed(key.clone()),
            KeySource::Jwks(url) => {
                if url.starts_with("http://") && !is_local(url) {
                    tracing::warn!(
                        "CLERK_JWKS_URL is not https: whoever is in between decides whose tokens are accepted"
                    );
                }
                let keys = KeySet::new(url.clone(), config.cool_down, max_waiting, metrics)?;
                Keys::Fetched(Arc::new(keys))
            }
        };
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        // Session tokens have no audience of their own; one that a customization adds is not ours to judge.
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.set_issuer(&[&config.issuer]);
        let parties = config.authorized_parties.iter().cloned().collect();
        Ok(Self {
            keys,
            validation,
            issuer: config.issuer.clone(),
            parties,
        })
    }

    /// Whether there are keys to verify with.
    pub(crate) fn is_ready(&self) -> bool {
        match &self.keys {
            Keys::Fixed(_) => true,
            Keys::Fetched(keys) => keys.loaded(),
        }
    }

    /// Keeps fetched keys current; ends at once for a configured key.
    pub(crate) async fn refresh_keys(&self) {
        if let Keys::Fetched(keys) = &self.keys {
            Arc::clone(keys).refresh().await;
        }
    }

    /// Checks everything: form, algorithm, key, signature, times, issuer, party, session state.
    pub(crate) async fn verify(&self, token: &str) -> Result<Identity, Refused> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refused::TooLong);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|error| match error.kind() {
            ErrorKind::InvalidAlgorithmName | ErrorKind::UnsupportedAlgorithm | ErrorKind::MissingAlgorithm => {
                Refused::Algorithm
            }
            _ => Refused::Malformed,
        })?;
        if header.alg != Algorithm::RS256 {
            return Err(Refused::Algorithm);
        }
        // A critical extension must be understood (RFC 7515, 4.1.11), and none is.
        if header.crit.is_some() {
            return Err(Refused::Malformed);
        }
        let claims = match &self.keys {
            Keys::Fixed(key) => self.decode(token, key)?,
            Keys::Fetched(keys) => {
                let kid = header.kid.as_deref().ok_or(Refused::UnknownKey)?;
                let key = keys.find(kid).await.map_err(|no_key| match no_key {
                    NoKey::Unknown => Refused::UnknownKey,
                    NoKey::Unavailable => Refused::KeysUnavailable,
                })?;
                self.decode(token, &key)?
            }
        };
        // The library also takes a list of issuers; a session token has one.
        if claims.iss != self.issuer {
            return Err(Refused::Issuer);
        }
        if !self.parties.is_empty() && !claims.azp.as_ref().is_some_and(|party| self.parties.contains(party)) {
            return Err(Refused::AuthorizedParty);
        }
        claims.identity().map_err(|unusable| match unusable {
            Unusable::Pending => Refused::Pending,
            Unusable::Version | Unusable::Id => Refused::Claims,
        })
    }

    fn decode(&self, token: &str, key: &DecodingKey) -> Result<Claims, Refused> {
        match jsonwebtoken::decode::<Claims>(token, key, &self.validation) {
            Ok(data) => Ok(data.claims),
            Err(error) => Err(match error.kind() {
                ErrorKind::ExpiredSignature => Refused::Expired,
                ErrorKind::ImmatureSignature => Refused::NotYetValid,
                ErrorKind::InvalidIssuer => Refused::Issuer,
                ErrorKind::InvalidAlgorithm => Refused::Algorithm,
                ErrorKind::InvalidToken | ErrorKind::Base64(_) => Refused::Malformed,
                ErrorKind::Json(_) | ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => {
                    Refused::Claims
                }
                _ => Refused::Signature,
            }),
        }
    }
}
