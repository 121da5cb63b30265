//! Busy conversations: their writes change no indexed column, so that each is heap-only, and lists look for them beside their indexes.
//!
//! A conversation that is written becomes busy, unless its organization has very many of them: readers look at each one. There only a share of its
//! conversations may be, and a hash of the id says which, so that it is the same ones at each write: to become busy, or listed, costs more than two writes of
//! one that is either. When nothing has been written to a busy one for a while it is [listed](super::listing) again. That is a matter of cost alone: any
//! conversation may be busy or listed at any moment, and no reader can tell.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use xxhash_rust::xxh3::xxh3_64;

use crate::ConversationKey;

/// Busy conversations of one organization, about: each page of the organization reads all of them, which takes a millisecond or two a thousand
/// (`crates/DECISIONS.md`).
const MOST: u32 = 2_000;
/// Fewer than this, and the share grows.
const FEW: u32 = MOST / 4 * 3;
/// Of [`u32::MAX`], so that a share can grow again.
const LEAST_SHARE: u32 = 1 << 12;

/// What a process knows of an organization's busy conversations.
#[derive(Clone, Copy, Debug)]
struct Organization {
    /// Those that were born busy since they were counted. How many have become quiet meanwhile nobody knows.
    born: u32,
    /// Which part of its conversations may be busy, of [`u32::MAX`].
    share: u32,
}

impl Organization {
    const UNKNOWN: Self = Self {
        born: 0,
        share: u32::MAX,
    };

    /// Another one is born busy. With one too many, half of all become listed at their next write.
    fn born(&mut self) {
        self.born += 1;
        if self.born > MOST {
            self.born /= 2;
            self.share = (self.share / 2).max(LEAST_SHARE);
        }
    }

    /// So many are busy.
    fn counted(&mut self, busy: u32) {
        self.born = 0;
        let share = u64::from(self.share);
        let fitting = share * u64::from(MOST) / u64::from(busy.max(1));
        let share = match busy {
            _ if busy > MOST => fitting,
            // A little short of what would fit, and step by step: what is born within a share shows later.
            _ if busy < FEW => (fitting / 10 * 9).min(share * 2),
            _ => share,
        };
        self.share = u32::try_from(share).unwrap_or(u32::MAX).max(LEAST_SHARE);
    }
}

/// Which conversations may be busy, as far as this process knows.
#[derive(Debug, Default)]
pub(crate) struct Busy {
    organizations: Mutex<HashMap<Arc<str>, Organization>>,
}

impl Busy {
    /// Whether a conversation that is written is to be busy.
    pub(super) fn allows(&self, key: &ConversationKey) -> bool {
        let organizations = self.organizations();
        let share = organizations.get(&*key.org_id).map_or(u32::MAX, |found| found.share);
        // The upper half of the hash.
        xxh3_64(key.conversation_id.as_bytes()) >> 32 <= u64::from(share)
    }

    /// A conversation was born busy.
    pub(super) fn born(&self, org_id: &Arc<str>) {
        let mut organizations = self.organizations();
        let organization = organizations.entry(Arc::clone(org_id));
        organization.or_insert(Organization::UNKNOWN).born();
    }

    /// What was counted in the database.
    pub(super) fn counted(&self, counts: &HashMap<Arc<str>, u32>) {
        let mut organizations = self.organizations();
        for org_id in counts.keys() {
            let organization = organizations.entry(Arc::clone(org_id));
            organization.or_insert(Organization::UNKNOWN);
        }
        organizations.retain(|org_id, organization| {
            let busy = counts.get(org_id).copied().unwrap_or(0);
            organization.counted(busy);
            busy > 0 || organization.share < u32::MAX
        });
    }

    fn organizations(&self) -> MutexGuard<'_, HashMap<Arc<str>, Organization>> {
        self.organizations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(busy: &Busy, org_id: &Arc<str>, conversations: u32) -> Vec<u32> {
        let key = |n: &u32| ConversationKey::new(&**org_id, n.to_string());
        (0..conversations).filter(|n| busy.allows(&key(n))).collect()
    }

    #[test]
    fn a_crowded_organization_has_the_same_busy_ones_at_each_write_and_others_are_not_held_back() {
        let busy = Busy::default();
        let (one, other): (Arc<str>, Arc<str>) = (Arc::from("one"), Arc::from("other"));
        assert_eq!(allowed(&busy, &one, 10_000).len(), 10_000);
        busy.counted(&HashMap::from([
            (Arc::clone(&one), 10 * MOST),
            (Arc::clone(&other), MOST),
        ]));
        let chosen = allowed(&busy, &one, 10_000);
        assert!((900..1_100).contains(&chosen.len()), "{}", chosen.len());
        assert_eq!(allowed(&busy, &other, 10_000).len(), 10_000);
        // As many as there may be, or a few less: they stay the same.
        busy.counted(&HashMap::from([(Arc::clone(&one), MOST / 10 * 9)]));
        assert_eq!(allowed(&busy, &one, 10_000), chosen);
        // A larger share has those of the smaller one.
        busy.counted(&HashMap::from([(Arc::clone(&one), MOST / 2)]));
        let more = allowed(&busy, &one, 10_000);
        assert!(more.len() > 3 * chosen.len() / 2 && chosen.iter().all(|n| more.contains(n)));
    }

    #[test]
    fn whatever_is_born_between_two_counts_few_of_it_is_busy() {
        let busy = Busy::default();
        let org_id: Arc<str> = Arc::from("one");
        let mut born = 0;
        for n in 0..100_000_u32 {
            if busy.allows(&ConversationKey::new(&*org_id, n.to_string())) {
                busy.born(&org_id);
                born += 1;
            }
        }
        assert!((MOST..6 * MOST).contains(&born), "{born}");
    }

    /// As many as are born become quiet meanwhile.
    #[test]
    fn a_share_that_fits_stays_while_conversations_come_and_go() {
        let busy = Busy::default();
        let org_id: Arc<str> = Arc::from("one");
        busy.counted(&HashMap::from([(Arc::clone(&org_id), 4 * MOST)]));
        let chosen = allowed(&busy, &org_id, 10_000);
        for _ in 0..10 {
            (0..MOST).for_each(|_| busy.born(&org_id));
            busy.counted(&HashMap::from([(Arc::clone(&org_id), MOST)]));
            assert_eq!(allowed(&busy, &org_id, 10_000), chosen);
        }
    }

    #[test]
    fn a_share_comes_back_when_there_are_few_and_nothing_is_kept_of_an_organization_without_any() {
        let busy = Busy::default();
        let org_id: Arc<str> = Arc::from("one");
        busy.counted(&HashMap::from([(Arc::clone(&org_id), 1_000_000 * MOST)]));
        assert!(allowed(&busy, &org_id, 10_000).len() < 10);
        for _ in 0..20 {
            busy.counted(&HashMap::new());
        }
        assert_eq!(allowed(&busy, &org_id, 10_000).len(), 10_000);
        assert!(busy.organizations().is_empty());
    }
}
