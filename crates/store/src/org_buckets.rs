//! Which organizations a commit touched, small enough for a notification.

use std::fmt;

const WORDS: usize = OrgBuckets::COUNT / 64;

/// A set of organizations, hashed into 4,096 buckets: a superset of what was put in. Small enough
/// for one notification, and it names nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct OrgBuckets(Box<[u64; WORDS]>);

impl OrgBuckets {
    /// How many buckets there are.
    pub const COUNT: usize = 4096;

    /// No organization.
    #[must_use]
    pub fn none() -> Self {
        Self(Box::new([0; WORDS]))
    }

    /// The bucket of an organization, below [`Self::COUNT`]; the same in every process and release.
    #[must_use]
    pub fn bucket_of(org_id: &str) -> usize {
        let hash = blake3::hash(org_id.as_bytes());
        let bytes = hash.as_bytes();
        usize::from(u16::from_le_bytes([bytes[0], bytes[1]])) % Self::COUNT
    }

    /// Adds an organization.
    pub fn insert(&mut self, org_id: &str) {
        let bucket = Self::bucket_of(org_id);
        self.0[bucket / 64] |= 1 << (bucket % 64);
    }

    /// Adds those of another set.
    pub fn add_all(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(&*other.0) {
            *word |= other;
        }
    }

    /// Whether the organization may be among them.
    #[must_use]
    pub fn may_contain(&self, org_id: &str) -> bool {
        let bucket = Self::bucket_of(org_id);
        self.0[bucket / 64] & (1 << (bucket % 64)) != 0
    }

    /// Whether none was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The buckets, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..Self::COUNT).filter(|bucket| self.0[bucket / 64] & (1 << (bucket % 64)) != 0)
    }

    /// As a notification carries it.
    pub(crate) fn encode(&self) -> String {
        let raw: Vec<u8> = self.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        to_hex(&raw)
    }

    /// Reads what [`Self::encode`] wrote.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let raw = from_hex(text)?;
        let (words, []) = raw.as_chunks::<8>() else {
            return None;
        };
        let mut buckets = Self::none();
        if words.len() != WORDS {
            return None;
        }
        for (word, raw) in buckets.0.iter_mut().zip(words) {
            *word = u64::from_le_bytes(*raw);
        }
        Some(buckets)
    }
}

impl fmt::Debug for OrgBuckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Lower-case hexadecimal.
fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

/// The bytes of an even number of hexadecimal digits.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?))
        .collect()
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::OrgBuckets;

    #[test]
    fn what_was_inserted_survives_the_wire() {
        let mut buckets = OrgBuckets::none();
        assert!(buckets.is_empty());
        buckets.insert("org_acme");
        buckets.insert("org_globex");
        let decoded = OrgBuckets::decode(&buckets.encode());
        assert_eq!(decoded, Some(buckets.clone()));
        assert!(buckets.may_contain("org_acme"));
        assert_eq!(buckets.iter().count(), 2);
    }

    #[test]
    fn garbage_is_not_a_set() {
        assert_eq!(OrgBuckets::decode("zz"), None);
        assert_eq!(OrgBuckets::decode("00"), None);
    }
}
