//! Numbers, times and strings as the contract spells them.

use std::io::Write;

use chrono::{DateTime, Datelike, Timelike, Utc};

/// A whole number.
pub(super) fn integer(out: &mut Vec<u8>, value: i64) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{value}");
}

/// Seconds with as many decimals as milliseconds need: `0`, `1.5`, `61.007`.
pub(super) fn seconds(out: &mut Vec<u8>, milliseconds: i64) {
    integer(out, milliseconds / 1000);
    let rest = milliseconds % 1000;
    if rest != 0 {
        let decimals = format!("{rest:03}");
        out.push(b'.');
        out.extend_from_slice(decimals.trim_end_matches('0').as_bytes());
    }
}

/// `2024-01-01T00:00:00.000Z`, of years 0–9999.
pub(super) fn time(out: &mut Vec<u8>, time: DateTime<Utc>) {
    let date = time.date_naive();
    let clock = time.time();
    digits(out, date.year().unsigned_abs(), 4);
    for (mark, number, width) in [
        (b'-', date.month(), 2),
        (b'-', date.day(), 2),
        (b'T', clock.hour(), 2),
        (b':', clock.minute(), 2),
        (b':', clock.second(), 2),
        (b'.', clock.nanosecond() / 1_000_000, 3),
    ] {
        out.push(mark);
        digits(out, number, width);
    }
    out.push(b'Z');
}

fn digits(out: &mut Vec<u8>, number: u32, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + u8::try_from(number / 10_u32.pow(place) % 10).unwrap_or_default());
    }
}

/// A JSON string.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    // A string always serializes, and writing to a vector cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use chrono::SecondsFormat;
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn seconds_have_up_to_three_decimals() {
        for (milliseconds, text) in [
            (0, "0"),
            (1, "0.001"),
            (100, "0.1"),
            (1500, "1.5"),
            (61_007, "61.007"),
            (2000, "2"),
        ] {
            assert_eq!(written(|out| seconds(out, milliseconds)), text);
        }
    }

    proptest! {
        #[test]
        fn times_are_spelled_as_chrono_spells_them(milliseconds in 0_i64..253_402_300_800_000) {
            let moment = DateTime::from_timestamp_millis(milliseconds).unwrap();
            prop_assert_eq!(written(|out| time(out, moment)), moment.to_rfc3339_opts(SecondsFormat::Millis, true));
        }
    }
}
