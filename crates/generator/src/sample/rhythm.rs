//! When conversations begin: by day more than by night, on weekdays more than at the end of the week, and every day a few more than the day before.

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// How busy each hour of a day is (UTC).
const HOURS: [u64; 24] = [
    3, 2, 2, 2, 2, 3, 7, 16, 31, 44, 50, 47, 38, 41, 48, 46, 40, 31, 22, 16, 12, 9, 6, 4,
];
/// Of a hundred conversations of a weekday, those of a day at the end of the week.
const WEEKEND: u64 = 30;
/// A day's growth, in thousandths.
const GROWTH: u64 = 5;

/// The course of traffic between two times in Unix microseconds.
#[derive(Debug, Clone)]
pub struct Rhythm {
    start: i64,
    until: i64,
    /// Weight of each hour and of all before it.
    cumulated: Vec<u64>,
}

impl Rhythm {
    pub fn new(start: i64, until: i64) -> Self {
        let hours = ((until - start) / HOUR).max(1);
        let mut sum = 0;
        let cumulated = (0..hours)
            .map(|hour| {
                sum += weight(start + hour * HOUR, hour.unsigned_abs() / 24);
                sum
            })
            .collect();
        Self {
            start,
            until,
            cumulated,
        }
    }

    /// When the nth of `count` conversations begins.
    pub fn at(&self, nth: u64, count: u64) -> i64 {
        let total = self.cumulated.last().copied().unwrap_or(1);
        let point = u128::from(total) * u128::from(nth) / u128::from(count.max(1));
        let point = u64::try_from(point).unwrap_or(total);
        let hour = self
            .cumulated
            .partition_point(|&sum| sum <= point)
            .min(self.cumulated.len() - 1);
        let before = hour.checked_sub(1).map_or(0, |previous| self.cumulated[previous]);
        let within = (point - before).cast_signed() * HOUR / (self.cumulated[hour] - before).cast_signed().max(1);
        let begin = self.start + i64::try_from(hour).unwrap_or(0) * HOUR;
        (begin + within).min(self.until)
    }
}

fn weight(time: i64, day: u64) -> u64 {
    let hour = usize::try_from(time.rem_euclid(DAY) / HOUR).unwrap_or(0);
    // The first of January 1970 was a Thursday.
    let weekday = (time.div_euclid(DAY) + 3).rem_euclid(7);
    let share = if weekday >= 5 { WEEKEND } else { 100 };
    HOURS[hour] * share * (1_000 + GROWTH * day) / 100
}

/// An afternoon two days before the end on which one system in two does not answer.
#[derive(Debug, Clone, Copy)]
pub struct Outage {
    from: i64,
    to: i64,
}

impl Outage {
    pub const fn before(until: i64) -> Self {
        let day = until.div_euclid(DAY) * DAY - 2 * DAY;
        Self {
            from: day + 12 * HOUR,
            to: day + 17 * HOUR,
        }
    }

    pub const fn lasts_at(self, time: i64) -> bool {
        self.from <= time && time < self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_begin_in_order_within_the_range_and_mostly_by_day() {
        let (start, until) = (1_767_225_600_000_000, 1_767_225_600_000_000 + 14 * DAY);
        let rhythm = Rhythm::new(start, until);
        let times: Vec<i64> = (0..1_000).map(|nth| rhythm.at(nth, 1_000)).collect();
        assert!(times.is_sorted());
        assert!(times.first() >= Some(&start) && times.last() <= Some(&until));
        let by_day = times
            .iter()
            .filter(|time| (7..19).contains(&(*time % DAY / HOUR)))
            .count();
        assert!(by_day > 750, "{by_day} of 1000 by day");
    }
}
