//! From the text of a token to an identity, or to the one reason why not.

use std::{collections::HashSet, sync::Arc};

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, errors::ErrorKind};
use recap_service::clock;
use recap_telemetry::QueryMetrics;
use serde_json::{Map, Value};

use super::{
    claims::{Claims, Identity, Unusable},
    keys::{Key, KeySet, NoKey},
    verified::{VerifiedTokens, Verifying},
};
use crate::config::{ClerkConfig, KeySource};

/// Clerk's cookies end at 4 KB; twice that is generous.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// Seconds that clocks may differ by.
const LEEWAY: u32 = 5;
/// The header's `typ` of a session token that has one. Access tokens of OAuth (RFC 9068) say `at+jwt`.
const SESSION_TYPE: &str = "JWT";
/// The header's `cat` of session tokens. Clerk signs JWT templates (`cl_B7d4PD222AAA`) and machine tokens (`cl_B7d4PD333AAA`) with the same
/// key.
const SESSION_CATEGORY: &str = "cl_B7d4PD111AAA";

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
    IssuedAhead,
    Issuer,
    AuthorizedPartyMissing,
    AuthorizedParty,
    Type,
    Category,
    SessionMissing,
    Machine,
    Pending,
    Claims,
    KeysUnavailable,
    Busy,
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
            Self::IssuedAhead => "issued-ahead",
            Self::Issuer => "issuer",
            Self::AuthorizedPartyMissing => "authorized-party-missing",
            Self::AuthorizedParty => "authorized-party",
            Self::Type => "type",
            Self::Category => "category",
            Self::SessionMissing => "session-missing",
            Self::Machine => "machine",
            Self::Pending => "pending",
            Self::Claims => "claims",
            Self::KeysUnavailable => "keys-unavailable",
            Self::Busy => "busy",
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
            Self::IssuedAhead => "The session token was issued in the future.",
            Self::Issuer => "The session token comes from another issuer.",
            Self::AuthorizedPartyMissing => "The session token does not say which party it was made for (azp).",
            Self::AuthorizedParty => "The session token was made for a party that is not accepted here.",
            Self::Type | Self::Category | Self::SessionMissing => "The token is not a session token.",
            Self::Machine => "The token is a machine's, not a user's.",
            Self::Pending => "The session is pending: it has tasks to finish first.",
            Self::Claims => "The session token's claims are not those of a Clerk session.",
            Self::KeysUnavailable => "The issuer's keys cannot be read; try again.",
            Self::Busy => "Too many session tokens are waiting to be verified; try again.",
        }
    }
}

impl From<Unusable> for Refused {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Pending => Self::Pending,
            Unusable::Machine => Self::Machine,
            Unusable::Version | Unusable::Id | Unusable::Form => Self::Claims,
        }
    }
}

/// Refuses what the header says is another kind of token. Whether it says that this one is a session's: Clerk's older tokens do not say.
fn is_categorized_session(header: &Header) -> Result<bool, Refused> {
    if header.typ.as_deref().is_some_and(|r#type| r#type != SESSION_TYPE) {
        return Err(Refused::Type);
    }
    match header.extras.inner().get("cat") {
        None => Ok(false),
        Some(Value::String(category)) if category == SESSION_CATEGORY => Ok(true),
        Some(_) => Err(Refused::Category),
    }
}

/// Whether a time in Unix seconds has not come yet.
fn is_ahead(seconds: f64) -> bool {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of this age are exact in a double"
    )]
    let now = clock::unix_millis() as f64 / 1000.0;
    seconds > now + f64::from(LEEWAY)
}

enum Keys {
    Fixed(Arc<Key>),
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
    verified: VerifiedTokens,
    verifying: Verifying,
}

impl Verifier {
    /// A verifier as configured; no network is used yet.
    pub(crate) fn new(config: &ClerkConfig, max_waiting: usize, metrics: QueryMetrics) -> Result<Self, reqwest::Error> {
        let keys = match &config.keys {
            KeySource::Pem(key) => Keys::Fixed(Arc::new(Key {
                decoding: key.clone(),
                fingerprint: [0; 32],
            })),
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
        validation.leeway = LEEWAY.into();
        validation.validate_nbf = true;
        // Session tokens have no audience of their own; one that a customization adds is not ours to judge.
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // Clerk's tokens name their issuer without a slash at the end, its dashboard shows the URL with one.
        let issuer = config.issuer.trim_end_matches('/');
        validation.set_issuer(&[issuer]);
        let parties = config.authorized_parties.iter().cloned().collect();
        Ok(Self {
            keys,
            validation,
            issuer: issuer.to_owned(),
            parties,
            verified: VerifiedTokens::new(),
            verifying: Verifying::new(),
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
        let categorized = is_categorized_session(&header)?;
        let key = match &self.keys {
            Keys::Fixed(key) => Arc::clone(key),
            Keys::Fetched(keys) => {
                let kid = header.kid.as_deref().ok_or(Refused::UnknownKey)?;
                keys.find(kid).await.map_err(|no_key| match no_key {
                    NoKey::Unknown => Refused::UnknownKey,
                    NoKey::Unavailable => Refused::KeysUnavailable,
                })?
            }
        };
        if let Some(identity) = self.verified.identity(token, &key, LEEWAY) {
            return Ok(identity);
        }
        let claims = {
            let _turn = self.verifying.turn().await.ok_or(Refused::Busy)?;
            self.decode(token, &key.decoding)?
        };
        let expires = claims.expires_at;
        let identity = self.check(claims, categorized)?;
        self.verified.keep(token, &key, &identity, expires);
        Ok(identity)
    }

    /// What a signature does not say.
    fn check(&self, claims: Claims, categorized: bool) -> Result<Identity, Refused> {
        // The library also takes a list of issuers; a session token has one.
        if claims.iss != self.issuer {
            return Err(Refused::Issuer);
        }
        self.check_party(&claims)?;
        if claims.issued_at.is_some_and(is_ahead) {
            return Err(Refused::IssuedAhead);
        }
        // A token from before Clerk's categories is known as a session's by its session alone.
        if !categorized && !claims.has_session {
            return Err(Refused::SessionMissing);
        }
        Ok(claims.identity()?)
    }

    /// Whether the token was made for a party of the allow-list, where there is one.
    fn check_party(&self, claims: &Claims) -> Result<(), Refused> {
        if self.parties.is_empty() {
            return Ok(());
        }
        match &claims.azp {
            Some(party) if self.parties.contains(party) => Ok(()),
            Some(_) => Err(Refused::AuthorizedParty),
            None => Err(Refused::AuthorizedPartyMissing),
        }
    }

    /// The claims are read from a JSON object: a derived struct would accept an array in its place.
    fn decode(&self, token: &str, key: &DecodingKey) -> Result<Claims, Refused> {
        match jsonwebtoken::decode::<Map<String, Value>>(token, key, &self.validation) {
            Ok(data) => Ok(Claims::read(&data.claims)?),
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
