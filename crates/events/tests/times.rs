//! RFC 3339 times, held to `chrono`'s reading of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use chrono::{DateTime, FixedOffset, SecondsFormat};
use proptest::prelude::*;
use recap_events::{Decoded, EventType, MaxTimeAhead, Micros, Millis, Reason, decode};

fn parse(text: &str) -> Option<i64> {
    Micros::parse_rfc3339(text).map(|time| time.0)
}

#[test]
fn times_are_cut_to_the_microsecond_whatever_the_offset() {
    for (text, micros) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.0000009Z", 0),
        ("1969-12-31T23:30:00-00:30", 0),
        ("1970-01-01T00:00:00-00:00", 0),
        ("2024-02-29t23:59:59.999999999z", 1_709_251_199_999_999),
        ("2024-03-01T00:29:59.9999999+00:30", 1_709_251_199_999_999),
        ("2024-02-29T00:00:00.1-23:59", 1_709_251_140_100_000),
        ("9999-12-31T23:59:59.999999999Z", 253_402_300_799_999_999),
        // Only the moment in UTC counts, also for the range of years.
        ("9999-12-31T23:59:59.999999+23:59", 253_402_214_459_999_999),
    ] {
        assert_eq!(parse(text), Some(micros), "{text}");
    }
    assert_eq!(Micros(1_999).to_millis(), Millis(1));
}

#[test]
fn what_is_not_a_time_or_out_of_the_years_is_none() {
    for text in [
        "",
        "2024-03-01",
        "2024-03-01T09:00:00",
        "2024-03-01 09:00:00Z",
        "2024-03-01T09:00Z",
        "2024-03-01T09:00:00.Z",
        "2024-03-01T09:00:00,5Z",
        "2024-03-01T09:00:00+0100",
        "2024-03-01T09:00:00+01",
        "2024-03-01T09:00:00+24:00",
        "2024-03-01T09:00:00+01:60",
        "2024-03-01T09:00:00 +01:00",
        "2024-03-01T09:00:00Z ",
        " 2024-03-01T09:00:00Z",
        "2024-3-01T09:00:00Z",
        "+2024-03-01T09:00:00Z",
        "02024-03-01T09:00:00Z",
        "2024-00-01T09:00:00Z",
        "2024-13-01T09:00:00Z",
        "2024-03-00T09:00:00Z",
        "2024-04-31T09:00:00Z",
        "2023-02-29T09:00:00Z",
        "2100-02-29T09:00:00Z",
        "2024-03-01T24:00:00Z",
        "2024-03-01T09:60:00Z",
        "2024-03-01T09:00:61Z",
        "2024-03-01T09:00:0\u{665}Z",
        "1969-12-31T23:59:59.999999999Z",
        "1970-01-01T00:29:59+00:30",
        "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00Z",
        "1709283600",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn a_leap_second_is_the_first_second_of_the_next_month_and_nowhere_else() {
    let next = parse("2017-01-01T00:00:00.5Z");
    assert_eq!(parse("2016-12-31T23:59:60.5Z"), next);
    assert_eq!(parse("2017-01-01T05:29:60.5+05:30"), next);
    assert_eq!(parse("2024-02-29T23:59:60Z"), parse("2024-03-01T00:00:00Z"));
    for text in [
        "2016-12-30T23:59:60Z",
        "2016-12-31T23:58:60Z",
        "2016-12-31T22:59:60Z",
        "2016-12-31T23:59:60+01:00",
        "2024-02-28T23:59:60Z",
        "9999-12-31T23:59:60Z",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn a_written_time_is_read_back(
        micros in 0..=Micros::MAX.0,
        offset in -1_439..=1_439_i32,
        digits in prop::sample::select(vec![SecondsFormat::Micros, SecondsFormat::Nanos]),
        lower in any::<bool>(),
    ) {
        let offset = FixedOffset::east_opt(offset * 60).unwrap();
        let written = DateTime::from_timestamp_micros(micros).unwrap().with_timezone(&offset);
        let mut text = written.to_rfc3339_opts(digits, true);
        // A local year of 10000 has no RFC 3339 form.
        prop_assume!(!text.starts_with('+'));
        if lower {
            text = text.to_lowercase();
        }
        prop_assert_eq!(parse(&text), Some(micros), "{}", text);
    }

    #[test]
    fn what_is_read_as_a_time_is_read_alike_by_chrono(
        text in "(19|20|99)[0-9]{2}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{0,10})?([Zz]|[+-][0-2][0-9]:[0-6][0-9])"
    ) {
        let chrono = DateTime::parse_from_rfc3339(&text).ok();
        if let Some(micros) = parse(&text) {
            prop_assert_eq!(chrono.map(|time| time.timestamp_micros()), Some(micros), "{}", text);
        } else if let Some(time) = chrono {
            let leap = text[17..].starts_with("60");
            let in_range = (0..=Micros::MAX.0).contains(&time.timestamp_micros());
            prop_assert!(leap || !in_range || text.contains(' '), "{}", text);
        }
    }
}

/// A record's timestamp, the limit, and whether an event of 2024-03-01T09:00:00.000001Z is refused.
#[test]
fn an_event_from_too_far_ahead_of_its_record_is_refused() {
    let at = 1_709_283_600_000;
    let day = MaxTimeAhead::default();
    let value = br#"{"id":"e","type":"conversation.deleted","time":"2024-03-01T09:00:00.000001Z","data":{"orgId":"o","conversationId":"c"}}"#;
    for (limit, timestamp, refused) in [
        (MaxTimeAhead::new(Duration::from_millis(1)), Some(at - 1), true),
        (MaxTimeAhead::new(Duration::from_micros(1_001)), Some(at - 1), false),
        (MaxTimeAhead::new(Duration::ZERO), Some(at + 1), false),
        (day, Some(at - 86_400_000), true),
        (day, Some(at - 86_399_999), false),
        (MaxTimeAhead::new(Duration::MAX), Some(i64::MIN), true),
        (MaxTimeAhead::new(Duration::MAX), Some(i64::MAX), false),
        (day, None, false),
        (MaxTimeAhead::OFF, Some(0), false),
    ] {
        let decoded = decode(Some(value), std::iter::empty(), limit.latest(timestamp));
        match decoded {
            Decoded::Event(_) => assert!(!refused, "{limit:?} {timestamp:?}"),
            Decoded::Invalid(invalid) => {
                assert!(refused, "{limit:?} {timestamp:?}");
                assert_eq!(invalid.reason, Reason::TimeAhead);
                assert_eq!(invalid.event_type, Some(EventType::ConversationDeleted));
            }
            Decoded::Skipped(skipped) => panic!("{skipped:?}"),
        }
    }
}

#[test]
fn what_breaks_another_rule_is_refused_for_that() {
    let value = br#"{"id":"","type":"conversation.deleted","time":"2099-01-01T00:00:00Z","data":{"orgId":"o","conversationId":"c"}}"#;
    let Decoded::Invalid(invalid) = decode(Some(value), std::iter::empty(), Some(Micros(0))) else {
        panic!("valid");
    };
    assert_eq!(invalid.reason, Reason::BadId);
}
