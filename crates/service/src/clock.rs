//! The wall clock, read in one place: for freshness, lag, log and sample data; never for a row.

use chrono::{DateTime, SecondsFormat, Utc};

/// Now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the home of the clock")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Now, as Unix time in milliseconds.
#[must_use]
pub fn unix_millis() -> i64 {
    now().timestamp_millis()
}

/// Now, as RFC 3339 in UTC with milliseconds.
#[must_use]
pub fn rfc3339_now() -> String {
    now().to_rfc3339_opts(SecondsFormat::Millis, true)
}
