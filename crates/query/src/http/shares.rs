//! The same bound for each of many: kept for those who use it now, forgotten with the last use.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// How many unused ones there may be before they are looked for.
const UNUSED: usize = 64;

/// What each key has its own of.
pub(super) struct Shares<K, S> {
    make: Box<dyn Fn() -> S + Send + Sync>,
    used: Mutex<Used<K, S>>,
}

struct Used<K, S> {
    by_key: HashMap<K, Arc<S>>,
    /// At this many the unused ones are forgotten.
    swept_at: usize,
}

impl<K: Clone + Eq + Hash, S> Shares<K, S> {
    pub(super) fn new(make: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self {
            make: Box::new(make),
            used: Mutex::new(Used {
                by_key: HashMap::new(),
                swept_at: UNUSED,
            }),
        }
    }

    /// That of `key`. Whoever uses it holds a clone.
    pub(super) fn of(&self, key: &K) -> Arc<S> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = used.by_key.get(key) {
            return Arc::clone(share);
        }
        if used.by_key.len() >= used.swept_at {
            used.by_key.retain(|_, share| Arc::strong_count(share) > 1);
            used.swept_at = 2 * used.by_key.len() + UNUSED;
        }
        let share = Arc::new((self.make)());
        used.by_key.insert(key.clone(), Arc::clone(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_kept_and_the_rest_forgotten() {
        let shares = Shares::new(|| ());
        let kept = shares.of(&0);
        for key in 1..10_000 {
            let _ = shares.of(&key);
        }
        assert!(Arc::ptr_eq(&kept, &shares.of(&0)));
        assert!(shares.used.lock().unwrap_or_else(PoisonError::into_inner).by_key.len() <= 3 * UNUSED);
    }
}
