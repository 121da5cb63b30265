//! Whose public metadata a profile shows.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A JSON object whose values stay as they were sent: numbers keep their digits.
pub type Metadata = BTreeMap<String, Box<RawValue>>;

/// Whose public metadata a profile shows.
///
/// The membership's unless set otherwise: what one organization says of a person is then never shown in another, whoever fills the
/// metadata in, and filters by metadata mean something within the organization that asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MetadataSource {
    /// The user's, the same in every organization.
    User,
    /// The membership's, of this organization alone.
    #[default]
    Membership,
    /// Both; of a key that both have, the membership's value.
    Merged,
}

impl MetadataSource {
    /// Reads its name.
    pub fn parse(name: &str) -> Result<Self, String> {
        match name {
            "user" => Ok(Self::User),
            "membership" => Ok(Self::Membership),
            "merged" => Ok(Self::Merged),
            _ => Err("must be `user`, `membership` or `merged`".to_owned()),
        }
    }

    /// The metadata that is shown; `None` where there is none.
    #[must_use]
    pub fn choose(self, user: Option<&Metadata>, membership: Option<&Metadata>) -> Option<Metadata> {
        match self {
            Self::User => user.cloned(),
            Self::Membership => membership.cloned(),
            Self::Merged => match (user, membership) {
                (None, only) | (only, None) => only.cloned(),
                (Some(user), Some(membership)) => {
                    let mut merged = user.clone();
                    merged.extend(membership.clone());
                    Some(merged)
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn the_memberships_value_wins_where_both_have_the_key_and_numbers_keep_their_digits() {
        let user: Metadata = serde_json::from_str(r#"{"plan": "free", "n": 1.00000000000000000001}"#).unwrap();
        let membership: Metadata = serde_json::from_str(r#"{"plan": {"tier": 2}, "a": null}"#).unwrap();
        let shown = |source: MetadataSource| {
            let shown = source.choose(Some(&user), Some(&membership));
            serde_json::to_string(&shown).unwrap()
        };
        assert_eq!(
            shown(MetadataSource::User),
            r#"{"n":1.00000000000000000001,"plan":"free"}"#
        );
        assert_eq!(shown(MetadataSource::Membership), r#"{"a":null,"plan":{"tier": 2}}"#);
        assert_eq!(
            shown(MetadataSource::Merged),
            r#"{"a":null,"n":1.00000000000000000001,"plan":{"tier": 2}}"#
        );
        assert!(MetadataSource::Merged.choose(None, None).is_none());
    }
}
