//! Clean conversation states kept for their next event: bounded in bytes, the least recently used dropped first.

use std::hash::RandomState;

use hashlink::LinkedHashMap;
use recap_store::{Base, ConversationKey, Entry};
use recap_summary::Delta;
use recap_telemetry::{LevelShare, ProjectorMetrics};

#[derive(Debug)]
pub(crate) struct StateCache {
    budget: usize,
    /// In the order of their use, the latest last.
    states: LinkedHashMap<ConversationKey, (Delta, Base), RandomState>,
    bytes: usize,
    metrics: ProjectorMetrics,
    count_level: LevelShare,
    bytes_level: LevelShare,
}

impl StateCache {
    /// `budget` is in bytes; 0 keeps nothing.
    pub fn new(budget: usize, metrics: ProjectorMetrics) -> Self {
        Self {
            budget,
            states: LinkedHashMap::default(),
            bytes: 0,
            count_level: metrics.states_held.share(),
            bytes_level: metrics.states_bytes.share(),
            metrics,
        }
    }

    /// Takes a state out, to be changed.
    pub fn take(&mut self, key: &ConversationKey) -> Option<(Delta, Base)> {
        let found = self.states.remove(key)?;
        self.bytes = self.bytes.saturating_sub(Entry::memory_bytes(key, &found.0));
        Some(found)
    }

    /// Keeps a clean state.
    pub fn put(&mut self, entry: Entry) {
        let Entry { key, delta, base } = entry;
        let size = Entry::memory_bytes(&key, &delta);
        // One that is huge shall not push out all others.
        if size > self.budget / 2 {
            self.metrics.evicted(1, size as u64);
            return;
        }
        self.bytes += size;
        self.states.insert(key, (delta, base));
        while self.bytes > self.budget
            && let Some((key, (delta, _))) = self.states.pop_front()
        {
            let size = Entry::memory_bytes(&key, &delta);
            self.metrics.evicted(1, size as u64);
            self.bytes = self.bytes.saturating_sub(size);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.states = LinkedHashMap::default();
        self.bytes = 0;
        self.report();
    }

    /// Exports what is held here now.
    pub fn report(&mut self) {
        self.count_level.set(self.states.len());
        self.bytes_level.set(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a failed test may panic")]
    use recap_telemetry::MetricsRegistry;

    use super::*;

    fn cache(budget: usize) -> StateCache {
        let registry = MetricsRegistry::new().expect("a registry without exporters");
        StateCache::new(budget, ProjectorMetrics::new(&registry.meter()))
    }

    fn entry(number: usize) -> Entry {
        let key = ConversationKey::new("org", number.to_string());
        Entry {
            key,
            delta: Delta::default(),
            base: Base::Revision(1),
        }
    }

    #[test]
    fn it_never_holds_more_than_its_budget_and_keeps_what_is_used() {
        let mut cache = cache(100_000);
        let favourite = entry(0).key;
        cache.put(entry(0));
        for number in 1..5_000 {
            cache.put(entry(number));
            assert!(cache.bytes <= 100_000);
            let (delta, base) = cache.take(&favourite).expect("used all the time, so kept");
            cache.put(Entry {
                key: favourite.clone(),
                delta,
                base,
            });
        }
        assert!(cache.take(&entry(1).key).is_none());
        cache.clear();
        assert!(cache.take(&favourite).is_none());
    }

    #[test]
    fn a_budget_of_nothing_keeps_nothing() {
        let mut cache = cache(0);
        cache.put(entry(0));
        assert!(cache.take(&entry(0).key).is_none());
    }
}
