//! Event time in microseconds, every other time in milliseconds.

/// A moment that orders revisions, in microseconds since the Unix epoch; 0 to the last microsecond of
/// the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Micros(pub i64);

/// A moment that is shown, filtered or sorted, in milliseconds since the Unix epoch; 0 to the last
/// millisecond of the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub i64);

impl Micros {
    /// The last microsecond of the year 9999 in UTC.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The millisecond this moment lies in.
    #[must_use]
    pub const fn to_millis(self) -> Millis {
        Millis(self.0.div_euclid(1_000))
    }
}

impl Millis {
    /// The last millisecond of the year 9999 in UTC.
    pub const MAX: Self = Self(253_402_300_799_999);
}

impl From<Micros> for Millis {
    fn from(time: Micros) -> Self {
        time.to_millis()
    }
}

impl Micros {
    /// Reads an RFC 3339 `date-time`, `T` and `Z` in either case, finer than a microsecond cut off;
    /// `None` when it is not one, or lies outside the years 1970–9999 in UTC.
    ///
    /// A leap second is read where one can be, at 23:59:60 UTC on the last day of a month, as the first
    /// second of the next day: Unix time has no other name for it (POSIX, "Seconds Since the Epoch").
    #[must_use]
    #[inline]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let (head, rest) = text.as_bytes().split_first_chunk::<19>()?;
        let [
            y1,
            y2,
            y3,
            y4,
            b'-',
            o1,
            o2,
            b'-',
            d1,
            d2,
            b'T' | b't',
            h1,
            h2,
            b':',
            m1,
            m2,
            b':',
            s1,
            s2,
        ] = *head
        else {
            return None;
        };
        let year = pair(y1, y2)? * 100 + pair(y3, y4)?;
        let (month, day) = (pair(o1, o2)?, pair(d1, d2)?);
        let (hour, minute, second) = (pair(h1, h2)?, pair(m1, m2)?, pair(s1, s2)?);
        if day < 1 || day > days_in_month(year, month)? || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (fraction, offset) = fraction(rest)?;
        let minutes = days_from_civil(year, month, day) * 1_440 + hour * 60 + minute - offset_minutes(offset)?;
        if second == 60 && !ends_month(minutes) {
            return None;
        }
        let micros = (minutes * 60 + second) * 1_000_000 + fraction;
        (0..=Self::MAX.0).contains(&micros).then_some(Self(micros))
    }
}

#[inline]
fn pair(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// Splits off `.digits`, if it is there, as whole microseconds.
#[inline]
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = rest.strip_prefix(b".") else {
        return Some((0, rest));
    };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let (digits, offset) = digits.split_at(count);
    let micros = (0..6).fold(0, |micros, place| {
        micros * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0'))
    });
    Some((micros, offset))
}

#[inline]
fn offset_minutes(offset: &[u8]) -> Option<i64> {
    match *offset {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (pair(h1, h2)?, pair(m1, m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 60 + minutes;
            Some(if sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

#[inline]
fn days_in_month(year: i64, month: i64) -> Option<i64> {
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => return None,
    })
}

/// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
#[inline]
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Whether this minute since the epoch is the last of its month.
#[cold]
fn ends_month(minutes: i64) -> bool {
    let next = minutes + 1;
    next % 1_440 == 0 && day_of_month(next / 1_440) == 1
}

/// The inverse of [`days_from_civil`], the day only (Hinnant, `civil_from_days`).
const fn day_of_month(days: i64) -> i64 {
    let days = days + 719_468;
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    day_of_year - (153 * ((5 * day_of_year + 2) / 153) + 2) / 5 + 1
}
