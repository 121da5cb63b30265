//! Waiting between two attempts: twice as long each time, with jitter, up to a limit.

use std::time::Duration;

use crate::random;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// The state of one series of attempts.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

impl Backoff {
    /// Before the first attempt.
    #[must_use]
    pub fn new() -> Self {
        Self { next: FIRST }
    }

    /// Waits for the next delay.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.jittered()).await;
    }

    /// Between half and all of the current delay ("equal jitter"), from 50 ms on; doubles it up to 5 s.
    fn jittered(&mut self) -> Duration {
        self.next_delay().mul_f64(random::between(0.5, 1.0))
    }

    fn next_delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = (delay * 2).min(LONGEST);
        delay
    }
}

/// The delays, without end.
impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.jittered())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_limit() {
        let mut backoff = Backoff::new();
        for milliseconds in [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            assert_eq!(backoff.next_delay(), Duration::from_millis(milliseconds));
        }
    }
}
