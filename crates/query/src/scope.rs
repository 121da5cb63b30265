//! What a caller may see. A [`Scope`] is made here and nowhere else, and nothing is read or cached without one.

use std::sync::Arc;

use recap_store::{Filter, MetadataFilter};

use crate::{
    auth::Caller,
    parameters::{Filters, canonical_time, encode},
    problem::Problem,
};

/// Whose rows of the organization are in reach.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Sees {
    /// The caller's own.
    Own(Arc<str>),
    /// Everybody's: an administrator asked for them.
    All,
}

/// An organization, whose rows of it are in reach, and the filters on them. Its equality is that of the answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    org_id: Arc<str>,
    sees: Sees,
    user_id: Option<String>,
    from: i64,
    to: i64,
    metadata_key: Option<String>,
    metadata_value: Option<String>,
    agent_id: Option<i64>,
}

impl Scope {
    /// The rule: one's own rows, unless an administrator asks for everybody's.
    pub(crate) fn new(caller: &Caller, filters: Filters) -> Result<Self, Problem> {
        if filters.all_in_org && !caller.is_admin() {
            return Err(Problem::forbidden("allInOrg=true needs the role org:admin."));
        }
        let foreign = filters
            .user_id
            .as_ref()
            .is_some_and(|user_id| **user_id != **caller.user_id());
        if foreign && !filters.all_in_org {
            return Err(Problem::forbidden(
                "Another user's conversations need the role org:admin and allInOrg=true.",
            ));
        }
        let sees = if filters.all_in_org {
            Sees::All
        } else {
            Sees::Own(Arc::clone(caller.user_id()))
        };
        Ok(Self {
            org_id: Arc::clone(caller.org_id()),
            user_id: if filters.all_in_org { filters.user_id } else { None },
            sees,
            from: filters.from.timestamp_millis(),
            to: filters.to.timestamp_millis(),
            metadata_key: filters.metadata_key,
            metadata_value: filters.metadata_value,
            agent_id: filters.agent_id,
        })
    }

    /// The only organization that is read.
    pub(crate) fn org_id(&self) -> &Arc<str> {
        &self.org_id
    }

    /// The same for the store.
    pub(crate) fn filter(&self) -> Filter {
        let metadata = (self.metadata_key.is_some() || self.metadata_value.is_some()).then(|| MetadataFilter {
            key: self.metadata_key.clone(),
            value: self.metadata_value.clone(),
        });
        Filter {
            from: time(self.from),
            to: time(self.to),
            user_id: match &self.sees {
                Sees::Own(user_id) => Some(user_id.as_ref().to_owned()),
                Sees::All => self.user_id.clone(),
            },
            agent_id: self.agent_id,
            metadata,
        }
    }

    /// The parameters in their one canonical spelling. It names neither the organization nor the caller.
    pub(crate) fn canonical_query(&self) -> String {
        let mut query = String::new();
        let mut pair = |name: &str, value: &str| {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            encode(&mut query, value);
        };
        pair("from", &canonical_time(time(self.from)));
        pair("to", &canonical_time(time(self.to)));
        if self.sees == Sees::All {
            pair("allInOrg", "true");
        }
        let optional = [
            ("userId", &self.user_id),
            ("metadataKey", &self.metadata_key),
            ("metadataValue", &self.metadata_value),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                pair(name, value);
            }
        }
        query
    }
}

/// Both ends were times before they were numbers.
fn time(milliseconds: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
}
