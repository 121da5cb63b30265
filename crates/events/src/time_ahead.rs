//! One producer's wrong clock must not decide a conversation for ever: events from too far ahead are refused.

use std::time::Duration;

use crate::Micros;

/// How far an event's `time` may lie after the timestamp of its Kafka record. The record's, not the reader's clock: so a
/// replay decides as the first reading did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxTimeAhead(Option<Duration>);

impl MaxTimeAhead {
    /// No limit.
    pub const OFF: Self = Self(None);

    /// A limit.
    #[must_use]
    pub const fn new(limit: Duration) -> Self {
        Self(Some(limit))
    }

    /// The latest `time` that an event may have in a record with this timestamp, in Unix milliseconds. A record without a
    /// timestamp has no limit.
    #[must_use]
    pub fn latest(self, timestamp: Option<i64>) -> Option<Micros> {
        let limit = i64::try_from(self.0?.as_micros()).unwrap_or(i64::MAX);
        Some(Micros(timestamp?.saturating_mul(1_000).saturating_add(limit)))
    }
}

impl Default for MaxTimeAhead {
    /// A day.
    fn default() -> Self {
        Self::new(Duration::from_hours(24))
    }
}
