//! What a webhook of Clerk's says, from the bytes of its body.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::object::{Deleted, Membership, User};

/// Times below this are seconds, others milliseconds: Clerk's description shows one and its webhooks carry the other.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;

/// A webhook that concerns recap, or not.
pub enum Webhook {
    /// A user was created or changed.
    User(Box<User>),
    /// A user was deleted, with all memberships.
    UserDeleted {
        /// Who.
        user_id: String,
        /// When, in milliseconds since 1970.
        at: i64,
    },
    /// A membership was created or changed.
    Membership {
        /// In which organization.
        org_id: String,
        /// Whose.
        user_id: String,
    },
    /// A membership ended.
    MembershipDeleted {
        /// In which organization.
        org_id: String,
        /// Whose.
        user_id: String,
        /// When, in milliseconds since 1970; not before its last change.
        at: i64,
    },
    /// An organization was deleted, with all memberships.
    OrganizationDeleted {
        /// Which.
        org_id: String,
        /// When, in milliseconds since 1970.
        at: i64,
    },
    /// Nothing that a profile shows.
    Ignored,
}

/// A webhook and its type.
pub struct Received {
    /// Its type; `other` for those that recap does not know.
    pub event_type: &'static str,
    /// What it says.
    pub webhook: Webhook,
}

/// A body that is not what Clerk describes.
#[derive(Debug, thiserror::Error)]
#[error("the body is not a webhook of Clerk's ({event_type}): {reason}")]
pub struct Malformed {
    /// Its type, as far as it could be read.
    pub event_type: &'static str,
    /// What is wrong; it quotes no personal data.
    pub reason: String,
}

#[derive(Deserialize)]
struct Envelope<'b> {
    r#type: String,
    timestamp: Option<i64>,
    #[serde(borrow)]
    data: &'b RawValue,
}

/// The types that recap knows.
const TYPES: [&str; 9] = [
    "user.created",
    "user.updated",
    "user.deleted",
    "organization.created",
    "organization.updated",
    "organization.deleted",
    "organizationMembership.created",
    "organizationMembership.updated",
    "organizationMembership.deleted",
];

/// Reads a body whose signature is right. `sent_at` is the time of this attempt, in seconds since 1970: it stands in where the body has no
/// `timestamp`.
pub fn read(body: &[u8], sent_at: i64) -> Result<Received, Malformed> {
    let envelope: Envelope<'_> = parse("unknown", body)?;
    let event_type = TYPES.iter().find(|known| **known == envelope.r#type).copied();
    let event_type = event_type.unwrap_or("other");
    let data = envelope.data.get().as_bytes();
    let at = milliseconds(envelope.timestamp.unwrap_or(sent_at));
    let webhook = match event_type {
        "user.created" | "user.updated" => Webhook::User(Box::new(parse(event_type, data)?)),
        "user.deleted" => {
            let Deleted { id: user_id } = parse(event_type, data)?;
            Webhook::UserDeleted { user_id, at }
        }
        "organization.deleted" => {
            let Deleted { id: org_id } = parse(event_type, data)?;
            Webhook::OrganizationDeleted { org_id, at }
        }
        "organizationMembership.created" | "organizationMembership.updated" => {
            let (org_id, user_id, _) = membership(event_type, data)?;
            Webhook::Membership { org_id, user_id }
        }
        "organizationMembership.deleted" => {
            let (org_id, user_id, updated_at) = membership(event_type, data)?;
            let at = at.max(updated_at);
            Webhook::MembershipDeleted { org_id, user_id, at }
        }
        _ => Webhook::Ignored,
    };
    Ok(Received { event_type, webhook })
}

fn membership(event_type: &'static str, data: &[u8]) -> Result<(String, String, i64), Malformed> {
    let membership: Membership = parse(event_type, data)?;
    let user = membership.public_user_data.ok_or_else(|| Malformed {
        event_type,
        reason: "the membership has no `public_user_data`".to_owned(),
    })?;
    Ok((membership.organization.id, user.user_id, membership.updated_at))
}

/// A second is over before its end is known, and what happened within it came before the deletion.
fn milliseconds(time: i64) -> i64 {
    if (0..FIRST_MILLISECONDS).contains(&time) {
        time * 1_000 + 999
    } else {
        time
    }
}

fn parse<'b, T: Deserialize<'b>>(event_type: &'static str, text: &'b [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(text).map_err(|error| {
        // serde's own words may quote a value.
        let what = match error.classify() {
            serde_json::error::Category::Data => "a field is missing or of another type than described",
            _ => "it is not JSON",
        };
        Malformed {
            event_type,
            reason: format!("{what}, at line {} column {}", error.line(), error.column()),
        }
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    const MEMBERSHIP: &str = r#"{"object": "organization_membership", "id": "orgmem_1", "role": "org:member", "public_metadata": {},
        "organization": {"object": "organization", "id": "org_1"}, "public_user_data": {"user_id": "user_1"},
        "created_at": 1716883200000, "updated_at": 1716883200500}"#;

    fn webhook(event_type: &str, timestamp: &str, data: &str) -> Result<Received, Malformed> {
        let body = format!(
            r#"{{"object": "event", "type": "{event_type}", "instance_id": "ins_1", {timestamp} "data": {data}, "new": [1]}}"#
        );
        read(body.as_bytes(), 1_716_883_300)
    }

    #[test]
    fn a_deletion_is_dated_by_the_webhook_and_not_before_the_last_change() {
        for (timestamp, expected) in [
            (r#""timestamp": 1716883201234,"#, 1_716_883_201_234),
            (r#""timestamp": 1716883201,"#, 1_716_883_201_999),
            (r#""timestamp": 1716883200100,"#, 1_716_883_200_500),
            ("", 1_716_883_300_999),
        ] {
            let received = webhook("organizationMembership.deleted", timestamp, MEMBERSHIP).unwrap();
            let Webhook::MembershipDeleted { org_id, user_id, at } = received.webhook else {
                panic!("{}", received.event_type);
            };
            assert_eq!((&*org_id, &*user_id, at), ("org_1", "user_1", expected));
        }
    }

    #[test]
    fn what_a_profile_does_not_show_is_ignored() {
        for event_type in ["organization.created", "session.created", "user.updatedX"] {
            let received = webhook(event_type, "", r#"{"id": 5}"#).unwrap();
            assert!(matches!(received.webhook, Webhook::Ignored), "{event_type}");
        }
    }

    #[test]
    fn a_body_that_is_not_as_described_is_refused_without_quoting_it() {
        for (event_type, data) in [
            ("user.updated", r#"{"id": "hunter2"}"#),
            ("user.deleted", r#"{"deleted": true}"#),
            (
                "organizationMembership.created",
                r#"{"organization": {"id": "hunter2"}, "updated_at": 1}"#,
            ),
            (
                "organizationMembership.created",
                r#"{"organization": "hunter2", "updated_at": 1}"#,
            ),
        ] {
            let malformed = webhook(event_type, "", data).err().unwrap();
            assert_eq!(malformed.event_type, event_type);
            assert!(!malformed.to_string().contains("hunter2"), "{malformed}");
        }
        assert!(read(b"not json", 0).is_err());
        assert!(read(br#"{"type": "user.updated"}"#, 0).is_err());
    }
}
