//! Revisions of profiles, as a flush writes them.

use std::{hash::Hash, sync::Arc};

use recap_events::{AgentProfile, ERASED_CONTENT, Micros, RawJson, UserProfile};

/// What both kinds of profile have: revisions, of which the greatest is shown.
pub(crate) trait Revision {
    /// Whose profile it is.
    type Owner: Ord + Hash;

    fn owner(&self) -> Self::Owner;

    /// The greater one wins: the event's order key, then the content's hash.
    fn order(&self) -> (Micros, &str, u64);

    /// An estimate of the memory this takes, in bytes.
    fn memory_bytes(&self) -> usize;
}

/// A revision of a user's profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserWrite {
    /// The organization.
    pub org_id: Arc<str>,
    /// Whose profile.
    pub user_id: Arc<str>,
    /// The event's `time`.
    pub time: Micros,
    /// The event's `id`.
    pub event_id: String,
    /// The content's hash, which breaks ties; at most `i64::MAX`.
    pub content: u64,
    /// `None` erases it.
    pub profile: Option<UserFields>,
}

/// What a user's profile shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFields {
    /// E-mail address.
    pub email: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// A JSON object as text.
    pub public_metadata: Option<String>,
}

impl UserWrite {
    /// What `user.upserted` or `user.deleted` (`profile` is `None`) writes.
    #[must_use]
    pub fn new(org_id: &str, user_id: &str, event_id: &str, time: Micros, profile: Option<&UserProfile<'_>>) -> Self {
        Self {
            org_id: org_id.into(),
            user_id: user_id.into(),
            time,
            event_id: event_id.to_owned(),
            content: profile.map_or(ERASED_CONTENT, UserProfile::content_hash),
            profile: profile.map(|profile| UserFields {
                email: profile.email.as_deref().map(str::to_owned),
                first_name: profile.first_name.as_deref().map(str::to_owned),
                last_name: profile.last_name.as_deref().map(str::to_owned),
                public_metadata: profile.public_metadata.as_ref().map(RawJson::as_str).map(str::to_owned),
            }),
        }
    }

    /// An estimate of the memory this takes, in bytes.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let len = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let fields = self.profile.as_ref().map_or(0, |profile| {
            len(&profile.email) + len(&profile.first_name) + len(&profile.last_name) + len(&profile.public_metadata)
        });
        size_of::<Self>() + self.org_id.len() + self.user_id.len() + self.event_id.len() + fields
    }
}

impl Revision for UserWrite {
    type Owner = (Arc<str>, Arc<str>);

    fn owner(&self) -> Self::Owner {
        (Arc::clone(&self.org_id), Arc::clone(&self.user_id))
    }

    fn order(&self) -> (Micros, &str, u64) {
        (self.time, &self.event_id, self.content)
    }

    fn memory_bytes(&self) -> usize {
        self.heap_bytes()
    }
}

/// A revision of an agent's profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentWrite {
    /// The organization.
    pub org_id: Arc<str>,
    /// Whose profile.
    pub agent_id: i64,
    /// The event's `time`.
    pub time: Micros,
    /// The event's `id`.
    pub event_id: String,
    /// The content's hash, which breaks ties; at most `i64::MAX`.
    pub content: u64,
    /// Display name.
    pub name: Option<String>,
    /// The model it runs on.
    pub model: Option<String>,
    /// Where its picture is.
    pub logo_url: Option<String>,
}

impl AgentWrite {
    /// What `agent.upserted` writes.
    #[must_use]
    pub fn new(org_id: &str, agent_id: i64, event_id: &str, time: Micros, profile: &AgentProfile<'_>) -> Self {
        Self {
            org_id: org_id.into(),
            agent_id,
            time,
            event_id: event_id.to_owned(),
            content: profile.content_hash(),
            name: profile.name.as_deref().map(str::to_owned),
            model: profile.model.as_deref().map(str::to_owned),
            logo_url: profile.logo_url.as_deref().map(str::to_owned),
        }
    }

    /// An estimate of the memory this takes, in bytes.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let len = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        size_of::<Self>()
            + self.org_id.len()
            + self.event_id.len()
            + len(&self.name)
            + len(&self.model)
            + len(&self.logo_url)
    }
}

impl Revision for AgentWrite {
    type Owner = (Arc<str>, i64);

    fn owner(&self) -> Self::Owner {
        (Arc::clone(&self.org_id), self.agent_id)
    }

    fn order(&self) -> (Micros, &str, u64) {
        (self.time, &self.event_id, self.content)
    }

    fn memory_bytes(&self) -> usize {
        self.heap_bytes()
    }
}
