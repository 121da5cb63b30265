//! A time as people write it on the command line.

use chrono::{DateTime, NaiveDate, Utc};

/// RFC 3339, or a day, which begins at midnight UTC.
pub fn parse(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let day: Option<NaiveDate> = text.parse().ok();
    day.and_then(|day| day.and_hms_opt(0, 0, 0))
        .map(|midnight| midnight.and_utc())
        .ok_or_else(|| "a time is written as `2026-01-31T12:00:00Z` (RFC 3339), or as a day, `2026-01-31`, which begins at midnight UTC".to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_time_is_rfc_3339_or_a_day() {
        let written = |text: &str| parse(text).map(|time| time.to_rfc3339());
        assert_eq!(
            written("2026-01-31T12:00:00+01:00"),
            Ok("2026-01-31T11:00:00+00:00".to_owned())
        );
        assert_eq!(written("2026-01-31"), Ok("2026-01-31T00:00:00+00:00".to_owned()));
        for text in ["yesterday", "2026-02-30", "12:00"] {
            assert!(
                parse(text).is_err_and(|error| error.contains("2026-01-31T12:00:00Z")),
                "{text}"
            );
        }
    }
}
