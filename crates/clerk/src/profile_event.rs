//! A profile as an event of recap's contract, and the order key that lets the last state win.

use chrono::{DateTime, SecondsFormat};
use recap_events::Micros;
use serde::Serialize;

use crate::{
    metadata::{Metadata, MetadataSource},
    object::{Membership, User},
};

/// Microseconds of a millisecond that revisions of the setting may use; the last one is that of deletions.
pub const MAX_REVISION: u16 = 998;
const DELETION: i64 = 999;

/// How profiles are made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shape {
    /// Whose metadata shows.
    pub metadata: MetadataSource,
    /// Raised when `metadata` changes, so that the same state of Clerk gets a later event; at most [`MAX_REVISION`].
    pub revision: u16,
}

/// What made an event: the webhook's `svix-id`, or the name of a backfill.
pub type Cause<'c> = &'c str;

/// `user.upserted` or `user.deleted`, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileEvent {
    /// The organization.
    pub org_id: String,
    /// The user.
    pub user_id: String,
    /// The first part of its order key.
    pub time: Micros,
    /// The second part of its order key.
    pub id: String,
    /// Whether it is `user.upserted`.
    pub present: bool,
    /// The record's value: a structured `CloudEvent`.
    pub value: Vec<u8>,
}

/// A time of Clerk's is outside the years 1970–9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no time in milliseconds between 1970 and 9999")]
pub struct NoTime(pub i64);

#[derive(Serialize)]
struct Envelope<'e> {
    specversion: &'static str,
    id: &'e str,
    source: &'static str,
    r#type: &'static str,
    time: String,
    data: Data<'e>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'e> {
    org_id: &'e str,
    user_id: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_metadata: Option<Metadata>,
}

impl ProfileEvent {
    /// The profile of a user in the organization of a membership.
    ///
    /// The user must have been read before the membership.
    pub fn upserted(user: &User, membership: &Membership, cause: Cause<'_>, shape: Shape) -> Result<Self, NoTime> {
        let (user_at, membership_at) = (user.updated_at, membership.updated_at);
        let (older, newer) = (user_at.min(membership_at), user_at.max(membership_at));
        let data = Data {
            email: user.email(),
            first_name: user.first_name.as_deref(),
            last_name: user.last_name.as_deref(),
            public_metadata: shape
                .metadata
                .choose(user.public_metadata.as_ref(), membership.public_metadata.as_ref()),
            ..Data::none(&membership.organization.id, &user.id)
        };
        Self::new(
            older,
            newer,
            i64::from(shape.revision.min(MAX_REVISION)),
            cause,
            true,
            data,
        )
    }

    /// The erasure of a profile whose membership ended at `at`, in milliseconds since 1970.
    pub fn deleted(org_id: &str, user_id: &str, at: i64, cause: Cause<'_>) -> Result<Self, NoTime> {
        Self::new(at, at, DELETION, cause, false, Data::none(org_id, user_id))
    }

    /// The erasure of a profile that was published with this time, where nobody knows when the membership ended: it wins over that
    /// state and over no later one.
    pub fn deleted_after(org_id: &str, user_id: &str, published: Micros, cause: Cause<'_>) -> Result<Self, NoTime> {
        Self::deleted(org_id, user_id, published.to_millis().0, cause)
    }

    fn new(
        older: i64,
        newer: i64,
        micros: i64,
        cause: Cause<'_>,
        present: bool,
        data: Data<'_>,
    ) -> Result<Self, NoTime> {
        if older < 0 {
            return Err(NoTime(older));
        }
        let time = newer.checked_mul(1_000).and_then(|time| time.checked_add(micros));
        let time = time.filter(|time| *time <= Micros::MAX.0).ok_or(NoTime(newer))?;
        let text = DateTime::from_timestamp_micros(time).ok_or(NoTime(newer))?;
        // Of equal times the greater id wins: the one whose other half is newer. All of it makes the id unique for this content.
        let id = format!("{older:015}.{newer:015}.{cause}.{}.{}", data.org_id, data.user_id);
        let envelope = Envelope {
            specversion: "1.0",
            id: &id,
            source: "/clerk",
            r#type: if present { "user.upserted" } else { "user.deleted" },
            time: text.to_rfc3339_opts(SecondsFormat::Micros, true),
            data,
        };
        let value = serde_json::to_vec(&envelope).unwrap_or_default();
        Ok(Self {
            org_id: envelope.data.org_id.to_owned(),
            user_id: envelope.data.user_id.to_owned(),
            time: Micros(time),
            present,
            value,
            id,
        })
    }

    /// Whether an event of this id is the bridge's, and no other producer's.
    #[must_use]
    pub fn is_id(id: &str) -> bool {
        let is_time =
            |part: Option<&str>| part.is_some_and(|part| part.len() == 15 && part.bytes().all(|b| b.is_ascii_digit()));
        let mut parts = id.split('.');
        is_time(parts.next()) && is_time(parts.next())
    }

    /// The record's key.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.org_id, self.user_id)
    }
}

impl<'e> Data<'e> {
    fn none(org_id: &'e str, user_id: &'e str) -> Self {
        Self {
            org_id,
            user_id,
            email: None,
            first_name: None,
            last_name: None,
            public_metadata: None,
        }
    }
}

#[cfg(test)]
mod tests;
