//! Who is in which organization, as the topic of users tells it: Clerk says of a deleted user or organization only that it is gone.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use recap_events::Micros;

/// A profile that is shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// The organization.
    pub org_id: Arc<str>,
    /// The user.
    pub user_id: Arc<str>,
    /// The time of its last event.
    pub time: Micros,
    /// Whether the bridge published that event.
    pub ours: bool,
}

struct Entry {
    org_id: Arc<str>,
    time: Micros,
    present: bool,
    ours: bool,
}

/// The last event of every profile: some 200 bytes for a user in one organization.
#[derive(Default)]
pub struct Directory {
    organizations: HashSet<Arc<str>>,
    users: HashMap<Arc<str>, Vec<Entry>>,
}

impl Directory {
    /// One event; the order of events does not matter. Of two with equal times, one that says the profile is there counts: erasing what is
    /// erased does no harm.
    pub fn apply(&mut self, org_id: &str, user_id: &str, time: Micros, present: bool, ours: bool) {
        let org_id = self.organization(org_id);
        let entries = if let Some(entries) = self.users.get_mut(user_id) {
            entries
        } else {
            self.users.entry(user_id.into()).or_default()
        };
        match entries.iter_mut().find(|entry| entry.org_id == org_id) {
            Some(entry) if entry.time > time => {}
            Some(entry) if entry.time == time => {
                entry.present |= present;
                entry.ours &= ours;
            }
            Some(entry) => (entry.time, entry.present, entry.ours) = (time, present, ours),
            None => entries.push(Entry {
                org_id,
                time,
                present,
                ours,
            }),
        }
    }

    /// One string for each organization.
    fn organization(&mut self, org_id: &str) -> Arc<str> {
        if let Some(org_id) = self.organizations.get(org_id) {
            return Arc::clone(org_id);
        }
        let org_id: Arc<str> = org_id.into();
        self.organizations.insert(Arc::clone(&org_id));
        org_id
    }

    /// The profiles of a user.
    #[must_use]
    pub fn of_user(&self, user_id: &str) -> Vec<Known> {
        let found = self.users.get_key_value(user_id);
        found.into_iter().flat_map(|(id, entries)| shown(id, entries)).collect()
    }

    /// The profiles in an organization. Looks at every user.
    #[must_use]
    pub fn in_organization(&self, org_id: &str) -> Vec<Known> {
        self.all().filter(|known| &*known.org_id == org_id).collect()
    }

    /// The profile of a user in an organization.
    #[must_use]
    pub fn find(&self, org_id: &str, user_id: &str) -> Option<Known> {
        self.of_user(user_id).into_iter().find(|known| &*known.org_id == org_id)
    }

    /// Every profile.
    pub fn all(&self) -> impl Iterator<Item = Known> {
        self.users.iter().flat_map(|(id, entries)| shown(id, entries))
    }
}

fn shown<'d>(user_id: &'d Arc<str>, entries: &'d [Entry]) -> impl Iterator<Item = Known> {
    entries.iter().filter(|entry| entry.present).map(|entry| Known {
        org_id: Arc::clone(&entry.org_id),
        user_id: Arc::clone(user_id),
        time: entry.time,
        ours: entry.ours,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_last_event_of_each_profile_counts_in_any_order(
            events in prop::collection::vec((0..3_u8, 0..3_u8, any::<bool>()), 0..30).prop_flat_map(|events| {
                let dated: Vec<_> = (0_i64..).zip(events).collect();
                (Just(dated.clone()), Just(dated).prop_shuffle())
            }),
        ) {
            let (in_order, shuffled) = events;
            let mut directory = Directory::default();
            for (time, (org, user, present)) in shuffled {
                directory.apply(&org.to_string(), &user.to_string(), Micros(time), present, true);
            }
            for org in 0..3_u8 {
                for user in 0..3_u8 {
                    let last = in_order.iter().rev().find(|(_, event)| (event.0, event.1) == (org, user));
                    let expected = last.filter(|(_, event)| event.2).map(|(time, _)| Micros(*time));
                    let (org, user) = (org.to_string(), user.to_string());
                    let found = directory.find(&org, &user);
                    prop_assert_eq!(found.as_ref().map(|known| known.time), expected);
                    let listed = directory.in_organization(&org).into_iter().find(|known| *known.user_id == *user);
                    prop_assert_eq!(listed, found);
                }
            }
        }
    }
}
