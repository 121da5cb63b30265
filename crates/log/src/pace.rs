//! Publishes at a rate.

use std::time::{Duration, Instant};

/// A schedule of `rate` events a second from now on.
#[derive(Debug)]
pub struct Pace {
    begun: Instant,
    rate: f64,
    sent: u64,
}

impl Pace {
    /// `None` is as fast as possible.
    #[must_use]
    pub fn new(rate: Option<f64>) -> Self {
        Self {
            begun: Instant::now(),
            rate: rate.unwrap_or(f64::INFINITY),
            sent: 0,
        }
    }

    /// Counts one event and says how long to wait before the next one.
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 events, far beyond any run")]
    pub fn step(&mut self) -> Option<Duration> {
        self.sent += 1;
        let due = Duration::try_from_secs_f64(self.sent as f64 / self.rate).ok()?;
        // Waits shorter than this cost more than they are worth.
        due.checked_sub(self.begun.elapsed())
            .filter(|wait| *wait > Duration::from_millis(2))
    }
}
