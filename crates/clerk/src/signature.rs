//! Whether Clerk sent a webhook: its signature by one of the endpoint's secrets, at most five minutes old (Standard Webhooks, as Svix signs).

use http::{HeaderMap, HeaderName};
use recap_service::secret::{Secret, UnreadableSecret};
use secrecy::ExposeSecret as _;
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook as Verifier, WebhookError,
};

/// Svix's names of the headers, and the standard's.
const HEADERS: [(&str, &str); 3] = [
    ("svix-id", HEADER_WEBHOOK_ID),
    ("svix-timestamp", HEADER_WEBHOOK_TIMESTAMP),
    ("svix-signature", HEADER_WEBHOOK_SIGNATURE),
];
/// What fits into an event's id beside Clerk's own ids.
const MAX_ID: usize = 64;

/// What is known of a webhook whose signature is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    /// The same for every attempt.
    pub id: String,
    /// When this attempt was made, in seconds since 1970.
    pub sent_at: i64,
}

/// Why a webhook is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSigned {
    /// No request of Clerk's looks like this.
    #[error("{0}")]
    Malformed(String),
    /// It may be anybody's.
    #[error("{0}")]
    Refused(&'static str),
    /// The secrets cannot be read just now.
    #[error(transparent)]
    NoSecret(#[from] UnreadableSecret),
}

/// The signing secrets of the endpoint, comma separated: more than one while they are rotated.
#[derive(Debug, Clone)]
pub(crate) struct SigningSecrets(Secret);

impl SigningSecrets {
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// What is wrong with a list of secrets, as the rest of a sentence that begins with the variable's name.
    pub fn check(list: &str) -> Result<(), String> {
        let mut secrets = split(list).peekable();
        if secrets.peek().is_none() {
            return Err("must hold the endpoint's signing secret, as whsec_…".to_owned());
        }
        for (number, secret) in (1..).zip(secrets) {
            Verifier::new(secret)
                .map_err(|_| format!("holds no signing secret in place {number}: whsec_ and base64"))?;
        }
        Ok(())
    }

    /// Checks one request.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Signed, NotSigned> {
        let mut standard = HeaderMap::with_capacity(HEADERS.len());
        for (of_svix, of_standard) in HEADERS {
            let value = headers.get(of_svix).or_else(|| headers.get(of_standard));
            let value = value.ok_or_else(|| NotSigned::Malformed(format!("the header {of_svix} is missing")))?;
            standard.insert(HeaderName::from_static(of_standard), value.clone());
        }
        let text = |name: &str| {
            standard
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let (id, sent_at) = (text(HEADER_WEBHOOK_ID), text(HEADER_WEBHOOK_TIMESTAMP).parse());
        let is_id = (1..=MAX_ID).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        let (true, Ok(sent_at)) = (is_id, sent_at) else {
            return Err(NotSigned::Malformed(
                "svix-id or svix-timestamp is not as Svix writes it".to_owned(),
            ));
        };
        let secrets = self.0.read()?;
        let mut refusal = "no signing secret is configured";
        for secret in split(secrets.expose_secret()) {
            let Ok(verifier) = Verifier::new(secret) else {
                continue;
            };
            match verifier.verify(body, &standard) {
                Ok(()) => {
                    return Ok(Signed {
                        id: id.to_owned(),
                        sent_at,
                    });
                }
                Err(error) => refusal = reason(&error)?,
            }
        }
        Err(NotSigned::Refused(refusal))
    }
}

fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', '\n'])
        .map(str::trim)
        .filter(|secret| !secret.is_empty())
}

fn reason(error: &WebhookError) -> Result<&'static str, NotSigned> {
    match error {
        WebhookError::TimestampTooOldError => Ok("it was signed more than five minutes ago"),
        WebhookError::FutureTimestampError => Ok("it was signed more than five minutes ahead of this machine's clock"),
        WebhookError::InvalidPayload => Err(NotSigned::Malformed("the body is not UTF-8".to_owned())),
        _ => Ok("its signature is by none of the configured secrets"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    fn secrets(list: &str) -> SigningSecrets {
        SigningSecrets::check(list).unwrap();
        SigningSecrets::new(Secret::Given(list.into()))
    }

    fn signed(secret: &str, id: &str, seconds_from_now: i64, body: &[u8]) -> HeaderMap {
        let at = recap_service::clock::unix_millis() / 1_000 + seconds_from_now;
        let signature = Verifier::new(secret).unwrap().sign(id, at, body).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("svix-id", id.parse().unwrap());
        headers.insert("svix-timestamp", at.to_string().parse().unwrap());
        headers.insert("svix-signature", signature.parse().unwrap());
        headers
    }

    #[test]
    fn either_secret_is_right_while_they_are_rotated() {
        let both = secrets(&format!("{OLD}, {NEW}"));
        for secret in [OLD, NEW] {
            let headers = signed(secret, "msg_1", 0, b"{}");
            assert_eq!(both.verify(&headers, b"{}").unwrap().id, "msg_1");
            let refused = both.verify(&headers, b"{ }").unwrap_err();
            assert!(matches!(refused, NotSigned::Refused(_)), "{refused}");
        }
        let refused = secrets(NEW).verify(&signed(OLD, "msg_1", 0, b"{}"), b"{}").unwrap_err();
        assert!(matches!(refused, NotSigned::Refused(_)), "{refused}");
    }

    #[test]
    fn five_minutes_are_tolerated_in_both_directions() {
        for (seconds, taken) in [(-290, true), (290, true), (-310, false), (310, false)] {
            let verified = secrets(NEW).verify(&signed(NEW, "msg_1", seconds, b"{}"), b"{}");
            assert_eq!(verified.is_ok(), taken, "{seconds}");
        }
    }

    #[test]
    fn a_request_that_is_not_svixs_is_malformed() {
        let mut headers = signed(NEW, "msg_1", 0, b"{}");
        headers.remove("svix-signature");
        let missing = secrets(NEW).verify(&headers, b"{}").unwrap_err();
        assert_eq!(missing.to_string(), "the header svix-signature is missing");
        let long = "m".repeat(65);
        for id in ["msg.1", &long] {
            let malformed = secrets(NEW).verify(&signed(NEW, id, 0, b"{}"), b"{}").unwrap_err();
            assert!(matches!(malformed, NotSigned::Malformed(_)), "{malformed}");
        }
    }

    #[test]
    fn a_list_of_secrets_is_checked_without_showing_them() {
        assert!(SigningSecrets::check(" , ").is_err());
        let wrong = SigningSecrets::check(&format!("{NEW},whsec_hunter2!")).unwrap_err();
        assert!(wrong.contains("place 2") && !wrong.contains("hunter2"), "{wrong}");
    }

    #[test]
    fn a_secret_in_a_file_is_read_anew() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{OLD}\n")).unwrap();
        let secrets = SigningSecrets::new(Secret::File(file.path().to_owned()));
        let headers = signed(NEW, "msg_1", 0, b"{}");
        assert!(secrets.verify(&headers, b"{}").is_err());
        std::fs::write(file.path(), format!("{OLD}\n{NEW}\n")).unwrap();
        assert!(secrets.verify(&headers, b"{}").is_ok());
    }
}
