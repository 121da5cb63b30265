//! Which conversations may have been written already: a Bloom filter, so that memory stays bounded.

use std::hash::{BuildHasher as _, RandomState};

use recap_store::ConversationKey;

/// 16 MiB: of ten million conversations one in three hundred is mistaken for an older one, which costs a query.
const WORDS: usize = 1 << 21;
const BITS_A_KEY: u64 = 7;

/// Keys that were put in, and now and then one that was not.
pub struct Seen {
    /// Made with the first key.
    words: Vec<u64>,
    hasher: RandomState,
}

impl Seen {
    pub fn none() -> Self {
        Self {
            words: Vec::new(),
            hasher: RandomState::new(),
        }
    }

    /// Puts a key in; `true` when it surely was not in before.
    pub fn insert(&mut self, key: &ConversationKey) -> bool {
        if self.words.is_empty() {
            self.words = vec![0; WORDS];
        }
        let hash = self.hasher.hash_one(key);
        // Kirsch and Mitzenmacher: all positions from two hashes.
        let (start, step) = (hash & 0xffff_ffff, hash >> 32 | 1);
        let mut new = false;
        for n in 0..BITS_A_KEY {
            let position = start.wrapping_add(step.wrapping_mul(n)) % (WORDS as u64 * 64);
            let bit = 1 << (position % 64);
            if let Some(word) = usize::try_from(position / 64)
                .ok()
                .and_then(|at| self.words.get_mut(at))
            {
                new |= *word & bit == 0;
                *word |= bit;
            }
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_never_new_again_and_what_was_not_nearly_always_is() {
        let mut seen = Seen::none();
        let key = |n: u32| ConversationKey::new("org", n.to_string());
        let new = (0..100_000).filter(|n| seen.insert(&key(*n))).count();
        assert!(new > 99_990, "{new}");
        assert!((0..100_000).all(|n| !seen.insert(&key(n))));
    }
}
