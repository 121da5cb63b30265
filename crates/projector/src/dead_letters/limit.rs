//! The limit that stops a bad deploy from draining a whole topic into the dead letters.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Buckets of a window: its end moves by this part of it.
const BUCKETS: u32 = 20;

/// Too large a part of the records cannot be folded.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "{dead} of the last {records} records would be dead-lettered, more than RECAP_DEAD_LETTER_MAX_RATIO ({ratio}) allows: \
     stopped before losing sight of them; look at the newest dead letters, mend the producer or raise the ratio, and start again"
)]
pub struct TooManyDeadLetters {
    /// Records that cannot be folded.
    pub dead: u64,
    /// All records.
    pub records: u64,
    /// The limit.
    pub ratio: f64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    start: Instant,
    records: u64,
    dead: u64,
}

/// Counts over a moving window; pure.
#[derive(Debug)]
pub(crate) struct Window {
    length: Duration,
    max_ratio: f64,
    min_count: u64,
    buckets: VecDeque<Bucket>,
}

impl Window {
    pub fn new(length: Duration, max_ratio: f64, min_count: u64) -> Self {
        Self {
            length,
            max_ratio,
            min_count,
            buckets: VecDeque::new(),
        }
    }

    /// Counts records of which some are to be dead-lettered.
    pub fn count(&mut self, now: Instant, records: u64, dead: u64) -> Result<(), TooManyDeadLetters> {
        while self
            .buckets
            .front()
            .is_some_and(|bucket| now.duration_since(bucket.start) > self.length)
        {
            self.buckets.pop_front();
        }
        match self.buckets.back_mut() {
            Some(bucket) if now.duration_since(bucket.start) < self.length / BUCKETS => {
                bucket.records += records;
                bucket.dead += dead;
            }
            _ => self.buckets.push_back(Bucket {
                start: now,
                records,
                dead,
            }),
        }
        let records: u64 = self.buckets.iter().map(|bucket| bucket.records).sum();
        let dead_in_all: u64 = self.buckets.iter().map(|bucket| bucket.dead).sum();
        #[expect(clippy::cast_precision_loss, reason = "a ratio of counts far below 2^52")]
        let ratio = dead_in_all as f64 / records.max(1) as f64;
        if dead > 0 && dead_in_all >= self.min_count && ratio > self.max_ratio {
            return Err(TooManyDeadLetters {
                dead: dead_in_all,
                records,
                ratio: self.max_ratio,
            });
        }
        Ok(())
    }
}

/// The window of all workers together.
#[derive(Debug)]
pub(crate) struct Limit(Mutex<Window>);

impl Limit {
    pub fn new(window: Window) -> Self {
        Self(Mutex::new(window))
    }

    pub fn count(&self, records: usize, dead: usize) -> Result<(), TooManyDeadLetters> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        window.count(Instant::now(), records as u64, dead as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn few_dead_letters_never_stop_it_whatever_their_part() {
        let mut window = Window::new(MINUTE, 0.1, 100);
        assert!(window.count(Instant::now(), 99, 99).is_ok());
    }

    #[test]
    fn it_stops_above_the_ratio_and_not_at_it() {
        let mut window = Window::new(MINUTE, 0.1, 100);
        let now = Instant::now();
        assert!(window.count(now, 1_000, 100).is_ok());
        let error = window.count(now, 1, 1);
        assert_eq!(
            error,
            Err(TooManyDeadLetters {
                dead: 101,
                records: 1_001,
                ratio: 0.1
            })
        );
    }

    #[test]
    fn what_lies_before_the_window_is_forgotten() {
        let mut window = Window::new(MINUTE, 0.1, 100);
        let now = Instant::now();
        assert!(window.count(now, 990, 90).is_ok());
        assert!(window.count(now + 2 * MINUTE, 90, 90).is_ok());
        assert!(window.count(now + 2 * MINUTE, 10, 10).is_err());
    }

    #[test]
    fn a_ratio_of_one_never_stops_it() {
        let mut window = Window::new(MINUTE, 1.0, 1);
        assert!(window.count(Instant::now(), 1_000, 1_000).is_ok());
    }
}
