//! Clerk's publishable key: it names the instance's Frontend API, from which the page loads Clerk's script.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

/// `pk_live_…` or `pk_test_…`: base64 of a host and a `$`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishableKey {
    key: String,
    host: String,
}

/// The text is no publishable key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be Clerk's publishable key, as pk_live_… or pk_test_…")]
pub struct InvalidKey;

impl PublishableKey {
    /// Reads a key. What it names becomes part of the page and its policy, so nothing but a host is taken.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let encoded = text.strip_prefix("pk_live_").or_else(|| text.strip_prefix("pk_test_"));
        let bytes = STANDARD_NO_PAD
            .decode(encoded.ok_or(InvalidKey)?.trim_end_matches('='))
            .map_err(|_| InvalidKey)?;
        let decoded = String::from_utf8(bytes).map_err(|_| InvalidKey)?;
        let host = decoded.strip_suffix('$').ok_or(InvalidKey)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        if host.is_empty() || !host.contains('.') || !host.bytes().all(plain) {
            return Err(InvalidKey);
        }
        Ok(Self {
            key: text.to_owned(),
            host: host.to_owned(),
        })
    }

    /// The key as given.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The Frontend API's host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(decoded: &str) -> String {
        format!("pk_live_{}", STANDARD_NO_PAD.encode(decoded))
    }

    #[test]
    fn it_names_the_frontend_api() {
        let parsed = PublishableKey::parse("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k");
        assert_eq!(
            parsed.as_ref().map(PublishableKey::host),
            Ok("clerk.example.com"),
            "{parsed:?}"
        );
        let padded = format!("{}==", key("clerk.example.org$"));
        assert!(PublishableKey::parse(&padded).is_ok(), "{padded}");
    }

    #[test]
    fn nothing_but_a_host_gets_into_the_policy() {
        for host in [
            "a.example'; script-src *$",
            "a.example$ ",
            "$",
            "localhost$",
            "a.example",
            "a.example/x$",
        ] {
            assert_eq!(PublishableKey::parse(&key(host)), Err(InvalidKey), "{host}");
        }
        for text in ["", "pk_live_", "sk_live_Y2xlcmsuZXhhbXBsZS5jb20k", "pk_live_%%%"] {
            assert_eq!(PublishableKey::parse(text), Err(InvalidKey), "{text}");
        }
    }
}
