//! Where the buckets of a time series begin and end, in a zone's local time.

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

/// As many buckets as there may be.
pub(super) const MOST: usize = 1_000;

/// How long a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Interval {
    /// 3,600 seconds.
    Hour,
    /// A calendar day of the zone: 23, 24 or 25 hours as a rule.
    Day,
    /// Seven of them from a Monday.
    Week,
    /// A calendar month.
    Month,
}

/// Why there are no buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoBuckets {
    /// More than [`MOST`].
    TooMany,
    /// They would reach beyond the years that times are written in.
    OutOfYears,
}

/// The first moments of the buckets from that of `from` to that of `to`, and the moment after the last.
pub(super) fn boundaries(
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    interval: Interval,
    zone: Tz,
) -> Result<Vec<DateTime<Utc>>, NoBuckets> {
    let mut boundaries = Vec::new();
    let mut next = match interval {
        Interval::Hour => Next::Hour(first_hour(from, zone)),
        Interval::Day | Interval::Week | Interval::Month => Next::Date(first_date(from, interval, zone)),
    };
    loop {
        let moment = match next {
            Next::Hour(moment) => Some(moment),
            Next::Date(date) => first_moment(date, zone),
        };
        let moment = moment.filter(|moment| (0..=9999).contains(&moment.year()));
        let moment = moment.ok_or(NoBuckets::OutOfYears)?;
        // A clock that is set back over midnight begins a day and then repeats a part of the one before.
        if moment <= from {
            boundaries.clear();
        }
        // A day that a zone left out has no moment of its own.
        if boundaries.last() != Some(&moment) {
            boundaries.push(moment);
        }
        if moment > to {
            return Ok(boundaries);
        }
        if boundaries.len() > MOST {
            return Err(NoBuckets::TooMany);
        }
        next = next.after(interval).ok_or(NoBuckets::OutOfYears)?;
    }
}

/// What the next boundary is the first moment of.
#[derive(Clone, Copy)]
enum Next {
    Hour(DateTime<Utc>),
    Date(NaiveDate),
}

impl Next {
    fn after(self, interval: Interval) -> Option<Self> {
        match (self, interval) {
            (Self::Hour(moment), _) => moment.checked_add_signed(TimeDelta::hours(1)).map(Self::Hour),
            (Self::Date(date), Interval::Month) => date.checked_add_months(Months::new(1)).map(Self::Date),
            (Self::Date(date), Interval::Week) => date.checked_add_days(Days::new(7)).map(Self::Date),
            (Self::Date(date), _) => date.checked_add_days(Days::new(1)).map(Self::Date),
        }
    }
}

/// The full hour of local time, by the zone's offset at `from`, that `from` is in.
fn first_hour(from: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let offset = i64::from(from.with_timezone(&zone).offset().fix().local_minus_utc());
    let into_hour = (from.timestamp() + offset).rem_euclid(3600);
    from - TimeDelta::seconds(into_hour) - TimeDelta::nanoseconds(i64::from(from.timestamp_subsec_nanos()))
}

fn first_date(from: DateTime<Utc>, interval: Interval, zone: Tz) -> NaiveDate {
    let date = from.with_timezone(&zone).date_naive();
    let first = match interval {
        Interval::Week => date.checked_sub_days(Days::new(u64::from(date.weekday().num_days_from_monday()))),
        Interval::Month => date.with_day(1),
        Interval::Hour | Interval::Day => Some(date),
    };
    first.unwrap_or(date)
}

/// The first moment of a local calendar day; of one that the zone left out, that of the next.
fn first_moment(date: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    if let Some(midnight) = zone.from_local_datetime(&date.and_time(NaiveTime::MIN)).earliest() {
        return Some(midnight.to_utc());
    }
    // The clock was set forward over midnight: the day begins at that moment, which is in between.
    let is_before = |moment: DateTime<Utc>| moment.with_timezone(&zone).date_naive() < date;
    let noon = date
        .and_time(NaiveTime::MIN)
        .checked_add_signed(TimeDelta::hours(12))?
        .and_utc();
    let (mut before, mut after) = (noon - TimeDelta::days(3), noon + TimeDelta::days(3));
    while after - before > TimeDelta::seconds(1) {
        let middle = before + (after - before) / 2;
        if is_before(middle) {
            before = middle;
        } else {
            after = middle;
        }
    }
    DateTime::from_timestamp(after.timestamp(), 0)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn shown(from: &str, to: &str, interval: Interval, zone: &str) -> Vec<String> {
        let moments = boundaries(
            from.parse().unwrap(),
            to.parse().unwrap(),
            interval,
            zone.parse().unwrap(),
        );
        let moments = moments.unwrap().into_iter();
        moments.map(|moment| moment.format("%m-%d %H:%M").to_string()).collect()
    }

    #[test]
    fn days_have_the_hours_that_their_clocks_show() {
        let days = |from, to, zone| shown(from, to, Interval::Day, zone);
        let spring = days("2024-03-30T00:00:00Z", "2024-03-31T12:00:00Z", "Europe/Berlin");
        assert_eq!(spring, ["03-29 23:00", "03-30 23:00", "03-31 22:00"]);
        let autumn = days("2024-10-26T22:00:00Z", "2024-10-27T22:59:59Z", "Europe/Berlin");
        assert_eq!(autumn, ["10-26 22:00", "10-27 23:00"], "25 hours");
        // Set forward at midnight: the day begins at one o'clock.
        let gap = days("2018-11-03T12:00:00Z", "2018-11-04T12:00:00Z", "America/Sao_Paulo");
        assert_eq!(gap, ["11-03 03:00", "11-04 03:00", "11-05 02:00"]);
        // Set back at midnight: the day before repeats its last hour, after the next one's first moment or before it.
        let back = days("2018-02-17T12:00:00Z", "2018-02-18T12:00:00Z", "America/Sao_Paulo");
        assert_eq!(back, ["02-17 02:00", "02-18 03:00", "02-19 03:00"]);
        // Samoa left out the 30th of December.
        let left_out = days("2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z", "Pacific/Apia");
        assert_eq!(
            left_out,
            ["12-29 10:00", "12-30 10:00", "12-31 10:00", "01-01 10:00"][..].to_vec()
        );
    }

    #[test]
    fn hours_weeks_and_months_begin_where_they_should() {
        let half = shown(
            "2024-03-01T00:10:00Z",
            "2024-03-01T01:00:00Z",
            Interval::Hour,
            "Asia/Kolkata",
        );
        assert_eq!(half, ["02-29 23:30", "03-01 00:30", "03-01 01:30"]);
        let repeated = shown(
            "2024-10-27T00:00:00Z",
            "2024-10-27T01:59:59Z",
            Interval::Hour,
            "Europe/Berlin",
        );
        assert_eq!(repeated, ["10-27 00:00", "10-27 01:00", "10-27 02:00"], "two buckets");
        let weeks = shown("2024-03-03T00:00:00Z", "2024-03-04T00:00:00Z", Interval::Week, "UTC");
        assert_eq!(weeks, ["02-26 00:00", "03-04 00:00", "03-11 00:00"]);
        let months = shown("2024-01-31T00:00:00Z", "2024-03-01T00:00:00Z", Interval::Month, "UTC");
        assert_eq!(months, ["01-01 00:00", "02-01 00:00", "03-01 00:00", "04-01 00:00"]);
    }

    #[test]
    fn there_are_a_thousand_buckets_at_most_and_none_outside_the_years() {
        let (zone, first) = (Tz::UTC, "2024-01-01T00:00:00Z".parse().unwrap());
        let hours = |count| {
            boundaries(
                first,
                first + TimeDelta::hours(count) - TimeDelta::seconds(1),
                Interval::Hour,
                zone,
            )
        };
        assert_eq!(hours(1_000).unwrap().len(), 1_001);
        assert_eq!(hours(1_001), Err(NoBuckets::TooMany));
        let last = "9999-12-31T00:00:00Z".parse().unwrap();
        assert_eq!(boundaries(last, last, Interval::Day, zone), Err(NoBuckets::OutOfYears));
    }

    proptest! {
        #[test]
        fn every_moment_of_the_range_is_in_one_bucket(
            from in 0_i64..4_000_000_000,
            length in 0_i64..40_000_000,
            zone in prop::sample::select(chrono_tz::TZ_VARIANTS.to_vec()),
            interval in prop::sample::select(vec![Interval::Hour, Interval::Day, Interval::Week, Interval::Month]),
        ) {
            let length = if interval == Interval::Hour { length % 3_000_000 } else { length };
            let moment = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
            let (from, to) = (moment(from), moment(from + length));
            let found = boundaries(from, to, interval, zone).unwrap();
            prop_assert!(found.is_sorted_by(|a, b| a < b), "{:?}", found);
            prop_assert!(found[0] <= from && from < found[1]);
            let count = found.len();
            prop_assert!(found[count - 2] <= to && to < found[count - 1]);
            // Each begins a day of the zone.
            if interval == Interval::Day {
                for start in &found {
                    let date = |moment: DateTime<Utc>| moment.with_timezone(&zone).date_naive();
                    prop_assert!(date(*start) > date(*start - TimeDelta::seconds(1)), "{} {}", zone, start);
                }
            }
        }
    }
}
