//! Busy conversations: their writes change no indexed column, so that each is heap-only, and lists look for them beside their indexes.
//!
//! A conversation that is written becomes busy, unless its organization has very many of them: readers look at each one. When nothing has been
//! written to it for a while it is [listed](super::listing) again. That is a matter of cost alone: any conversation may be busy or listed at any moment,
//! and no reader can tell.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// Busy conversations of one organization that a process makes: each page of the organization reads all of them, which takes a millisecond or two a thousand
/// (`crates/DECISIONS.md`).
const MOST: u32 = 1_000;

/// How many conversations of each organization are busy, as far as this process knows.
#[derive(Debug, Default)]
pub(crate) struct Busy {
    counts: Mutex<HashMap<Arc<str>, u32>>,
    crowded: Notify,
}

impl Busy {
    /// Whether another conversation of the organization may become busy.
    pub(super) fn allows(&self, org_id: &str) -> bool {
        let is_allowed = self.counts().get(org_id).is_none_or(|count| *count < MOST);
        if !is_allowed {
            self.crowded.notify_one();
        }
        is_allowed
    }

    /// A conversation was born busy.
    pub(super) fn add(&self, org_id: &Arc<str>) {
        *self.counts().entry(Arc::clone(org_id)).or_default() += 1;
    }

    /// What was counted in the database.
    pub(super) fn set(&self, counts: HashMap<Arc<str>, u32>) {
        *self.counts() = counts;
    }

    /// Waits until an organization has as many as it may have.
    pub(crate) async fn crowded(&self) {
        self.crowded.notified().await;
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Arc<str>, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_has_so_many_and_others_are_not_held_back() {
        let busy = Busy::default();
        let (one, other): (Arc<str>, Arc<str>) = (Arc::from("one"), Arc::from("other"));
        for _ in 0..MOST {
            assert!(busy.allows(&one));
            busy.add(&one);
        }
        assert!(!busy.allows(&one) && busy.allows(&other));
        busy.set(HashMap::from([(Arc::clone(&one), MOST - 1)]));
        assert!(busy.allows(&one));
    }
}
