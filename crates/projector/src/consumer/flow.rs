//! When the consumer polls, waits, pauses and resumes: a pure decision.

use std::time::{Duration, Instant};

/// Full for this long, and the partitions are paused: until then not polling is cheaper, since pausing throws away what was fetched ahead.
const PAUSE_AFTER: Duration = Duration::from_secs(3);

/// What the consumer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Polling for records.
    Polling,
    /// Not polling: the workers have enough to fold.
    Full { since: Instant },
    /// The partitions are paused; polling only keeps the membership.
    Paused,
    /// No more records are received; what was received becomes durable until the deadline.
    Draining { deadline: Instant },
}

/// What the consumer is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Poll.
    Poll,
    /// Wait for the workers.
    Wait,
    /// Pause the partitions, then poll.
    Pause,
    /// Resume the partitions, then poll.
    Resume,
    /// Wait for what was received to become durable.
    Drain,
}

impl State {
    /// The next state and step, from the bytes received and not folded yet and the bound for them. A [`Step::Pause`] or [`Step::Resume`] that
    /// fails leaves the state as it was: it comes again.
    pub fn next(self, unfolded: usize, bound: usize, now: Instant) -> (Self, Step) {
        match self {
            Self::Draining { .. } => (self, Step::Drain),
            Self::Paused if unfolded <= bound / 2 => (Self::Polling, Step::Resume),
            Self::Paused => (self, Step::Poll),
            Self::Polling | Self::Full { .. } if unfolded < bound => (Self::Polling, Step::Poll),
            Self::Polling => (Self::Full { since: now }, Step::Wait),
            Self::Full { since } if now.duration_since(since) >= PAUSE_AFTER => (Self::Paused, Step::Pause),
            Self::Full { .. } => (self, Step::Wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_when_full_pauses_when_that_lasts_and_resumes_at_half() {
        let start = Instant::now();
        let mut state = State::Polling;
        let mut step = |unfolded, milliseconds| {
            let (next, step) = state.next(unfolded, 100, start + Duration::from_millis(milliseconds));
            state = next;
            step
        };
        assert_eq!(step(99, 0), Step::Poll);
        assert_eq!(step(100, 10), Step::Wait);
        assert_eq!(step(100, 3_009), Step::Wait);
        assert_eq!(step(99, 3_010), Step::Poll, "room again in time");
        assert_eq!(step(100, 3_020), Step::Wait, "the wait begins anew");
        assert_eq!(step(100, 6_020), Step::Pause);
        assert_eq!(
            step(51, 6_030),
            Step::Poll,
            "paused partitions are polled for the membership"
        );
        assert_eq!(step(50, 6_040), Step::Resume);
        assert_eq!(step(50, 6_050), Step::Poll);
    }

    #[test]
    fn draining_ends_with_the_consumer() {
        let now = Instant::now();
        let state = State::Draining { deadline: now };
        assert_eq!(state.next(0, 100, now), (state, Step::Drain));
    }
}
