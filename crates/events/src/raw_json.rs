//! JSON kept as text: the same numbers, the same order of keys, any depth.

use std::{borrow::Cow, fmt};

use crate::json::{Scanner, Skimmed, compact, compact_without_nul};

/// Any JSON value as text: valid, without lone surrogates, without whitespace outside strings, and with
/// `\ufffd` in place of every `\u0000` (of two keys of one object that become equal by that, the last stays). Numbers, key order and all other escapes are as they were sent.
/// Depth is unbounded, so walk it without recursion.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RawJson<'a>(Cow<'a, str>);

/// The text is not one JSON value without lone surrogates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON value without lone surrogates")]
pub struct NotJson;

impl<'a> RawJson<'a> {
    /// Checks and compacts one JSON text.
    pub fn parse(text: &'a str) -> Result<Self, NotJson> {
        let mut json = Scanner::new(text);
        json.space();
        let skimmed = json.skim().map_err(|_| NotJson)?;
        json.end().map_err(|_| NotJson)?;
        if skimmed.flaws.lone_surrogate {
            return Err(NotJson);
        }
        Ok(Self::from_skimmed(skimmed))
    }

    /// Keeps a value without lone surrogates.
    pub(crate) fn from_skimmed(skimmed: Skimmed<'a>) -> Self {
        Self(if skimmed.flaws.nul {
            Cow::Owned(compact_without_nul(skimmed.text))
        } else if skimmed.spaced {
            Cow::Owned(compact(skimmed.text))
        } else {
            Cow::Borrowed(skimmed.text)
        })
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
