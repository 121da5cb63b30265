//! Clients that wait for changes: so many of one user, of one organization, and of all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{auth::Caller, http::problem::Problem};

/// Tabs of one user that are open at a time.
const OF_USER: usize = 16;

/// Who waits.
pub(crate) struct Watchers {
    counts: Arc<Mutex<Counts>>,
    most: usize,
    most_of_organization: usize,
}

#[derive(Default)]
struct Counts {
    all: usize,
    organizations: HashMap<Arc<str>, usize>,
    users: HashMap<(Arc<str>, Arc<str>), usize>,
}

/// Why nobody else may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// This user waits too often.
    OfUser,
    /// The organization or the service has too many.
    OfAll,
}

impl Full {
    /// The refusal.
    pub(crate) fn problem(self) -> Problem {
        match self {
            Self::OfUser => Problem::too_many_requests(std::time::Duration::from_secs(5)),
            Self::OfAll => Problem::unavailable("Too many clients wait for changes; try again."),
        }
    }
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    counts: Arc<Mutex<Counts>>,
    org_id: Arc<str>,
    user_id: Arc<str>,
}

impl std::fmt::Debug for Counts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} watchers", self.all)
    }
}

impl Watchers {
    /// At most `most`, a quarter of them of one organization.
    pub(crate) fn new(most: u32) -> Self {
        let most = most as usize;
        Self {
            counts: Arc::default(),
            most,
            most_of_organization: (most / 4).max(1),
        }
    }

    /// Takes a place for `caller`.
    pub(crate) fn enter(&self, caller: &Caller) -> Result<Place, Full> {
        let (org_id, user_id) = (Arc::clone(caller.org_id()), Arc::clone(caller.user_id()));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let user = (Arc::clone(&org_id), Arc::clone(&user_id));
        if counts.users.get(&user).is_some_and(|count| *count >= OF_USER) {
            return Err(Full::OfUser);
        }
        let of_organization = counts.organizations.get(&org_id).copied().unwrap_or_default();
        if counts.all >= self.most || of_organization >= self.most_of_organization {
            return Err(Full::OfAll);
        }
        counts.all += 1;
        *counts.organizations.entry(Arc::clone(&org_id)).or_default() += 1;
        *counts.users.entry(user).or_default() += 1;
        drop(counts);
        Ok(Place {
            counts: Arc::clone(&self.counts),
            org_id,
            user_id,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        leave(&mut counts.organizations, &self.org_id);
        leave(
            &mut counts.users,
            &(Arc::clone(&self.org_id), Arc::clone(&self.user_id)),
        );
    }
}

/// Counts one less; who has none is forgotten.
fn leave<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn places_are_bounded_and_given_back() {
        let watchers = Watchers::new(80);
        let ada = Caller::member("a", "ada");
        let mut places: Vec<Place> = (0..OF_USER).map(|_| watchers.enter(&ada).unwrap()).collect();
        assert_eq!(watchers.enter(&ada).unwrap_err(), Full::OfUser);
        let others = (0..4).map(|n| watchers.enter(&Caller::member("a", &format!("user{n}"))).unwrap());
        places.extend(others.collect::<Vec<_>>());
        assert_eq!(watchers.enter(&Caller::member("a", "lin")).unwrap_err(), Full::OfAll);
        let elsewhere = watchers.enter(&Caller::member("b", "lin")).unwrap();
        drop(places);
        watchers.enter(&ada).unwrap();
        drop(elsewhere);
        let counts = watchers.counts.lock().unwrap();
        assert_eq!((counts.all, counts.organizations.len(), counts.users.len()), (0, 0, 0));
    }
}
