//! Waiting between two attempts: twice as long each time, with jitter, up to a limit.

use std::time::Duration;

use rand::Rng;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// The state of one series of attempts.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub fn new() -> Self {
        Self { next: FIRST }
    }

    /// Waits between half and all of the current delay ("equal jitter"), and doubles it.
    pub async fn wait(&mut self) {
        let delay = self.next.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.next = (self.next * 2).min(LONGEST);
        tokio::time::sleep(delay).await;
    }
}
