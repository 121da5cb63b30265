//! The wall clock, read in one place: only for freshness, lag and the times on dead letters; never for a row.

use std::time::SystemTime;

/// Unix time in milliseconds.
pub(crate) fn unix_millis() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Now, as RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339_now() -> String {
    chrono::DateTime::from_timestamp_millis(unix_millis())
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
