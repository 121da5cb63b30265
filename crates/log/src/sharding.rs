//! Which of several workers of one process a record goes to.

use xxhash_rust::xxh3::xxh3_64;

/// The worker of a record: by its key, so that events of one conversation meet in one worker, which saves writes; a record
/// without a key goes by its partition. Correctness never depends on it.
///
/// ```
/// let worker = recap_log::worker_of(Some(b"conversation-1"), 3, 4);
/// assert_eq!(worker, recap_log::worker_of(Some(b"conversation-1"), 7, 4));
/// assert!(worker < 4);
/// ```
#[must_use]
pub fn worker_of(key: Option<&[u8]>, partition: i32, workers: usize) -> usize {
    let hash = match key {
        Some(key) => xxh3_64(key),
        None => u64::from(partition.unsigned_abs()),
    };
    usize::try_from(hash % workers.max(1) as u64).unwrap_or(0)
}
