//! Which rows a recomputation is about.

use chrono::{DateTime, Utc};
use recap_events::{Body, Event};

/// Which rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Of one organization.
    pub org_id: Option<String>,
    /// Of one conversation; needs the organization.
    pub conversation_id: Option<String>,
    /// Those that records produced since then speak of, by those records.
    pub since: Option<DateTime<Utc>>,
}

impl Scope {
    /// Whether a record was produced since then; one without a time may have been.
    pub(crate) fn is_since(&self, timestamp: Option<i64>) -> bool {
        match (self.since, timestamp) {
            (Some(since), Some(timestamp)) => timestamp >= since.timestamp_millis(),
            _ => true,
        }
    }

    /// Whether an event belongs to it; time is not asked here.
    #[must_use]
    pub fn contains(&self, event: &Event<'_>) -> bool {
        if self.org_id.as_ref().is_some_and(|org| *org != event.org_id) {
            return false;
        }
        match (&self.conversation_id, &event.body) {
            (None, _) => true,
            (Some(wanted), Body::Conversation { conversation_id, .. }) => wanted == conversation_id,
            (Some(_), _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use recap_events::{Change, Micros};

    use super::*;

    fn event<'a>(org_id: &'a str, body: Body<'a>) -> Event<'a> {
        Event {
            id: "e".into(),
            time: Micros(0),
            org_id: org_id.into(),
            body,
        }
    }

    #[test]
    fn a_scope_holds_one_organization_or_one_conversation_of_it() {
        let conversation = |id: &'static str| Body::Conversation {
            conversation_id: id.into(),
            change: Change::Deleted,
        };
        let user = Body::User {
            user_id: "u".into(),
            profile: None,
        };
        let org = Scope {
            org_id: Some("a".into()),
            ..Scope::default()
        };
        let one = Scope {
            conversation_id: Some("c".into()),
            ..org.clone()
        };
        assert!(org.contains(&event("a", conversation("c"))));
        assert!(org.contains(&event("a", user.clone())));
        assert!(!org.contains(&event("b", conversation("c"))));
        assert!(one.contains(&event("a", conversation("c"))));
        assert!(!one.contains(&event("a", conversation("d"))));
        assert!(!one.contains(&event("a", user)));
        assert!(Scope::default().contains(&event("b", conversation("d"))));
    }
}
