//! Kinds of values: times, integers, texts, flags.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat, path::ParameterBuilder, schema::Type};

use super::Value;

/// A moment, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Time(i64);

impl From<Time> for DateTime<Utc> {
    fn from(time: Time) -> Self {
        // It was a time before it was a number.
        DateTime::from_timestamp_millis(time.0).unwrap_or_default()
    }
}

impl Value for Time {
    /// An RFC 3339 time, cut to the millisecond. An unencoded `+` before the offset arrives as a space and is read as the sign.
    fn read(text: &str) -> Result<Self, String> {
        let parsed = parse_time(text).map(|time| Self(time.timestamp_millis()));
        parsed
            .ok_or_else(|| "must be an RFC 3339 time, as 2024-01-31T00:00:00Z or 2024-01-31T01:00:00+01:00".to_owned())
    }

    fn canonical(&self) -> Cow<'_, str> {
        DateTime::from(*self)
            .to_rfc3339_opts(SecondsFormat::Millis, true)
            .into()
    }

    fn describe(parameter: ParameterBuilder) -> ParameterBuilder {
        let format = Some(SchemaFormat::KnownFormat(KnownFormat::DateTime));
        parameter.schema(Some(ObjectBuilder::new().schema_type(Type::String).format(format)))
    }
}

fn parse_time(text: &str) -> Option<DateTime<chrono::FixedOffset>> {
    let offset = text.len().checked_sub(6)?;
    let bytes = text.as_bytes();
    // The library also takes a space between date and time, which here would be an encoded `+` that nobody meant.
    if !matches!(bytes.get(10)?, b'T' | b't') {
        return None;
    }
    let parsed = if bytes[offset] == b' ' {
        DateTime::parse_from_rfc3339(&format!("{}+{}", &text[..offset], &text[offset + 1..]))
    } else {
        DateTime::parse_from_rfc3339(text)
    };
    parsed.ok()
}

/// A whole number within bounds, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Integer<const LEAST: i64, const MOST: i64>(i64);

/// An agent: what JSON numbers hold exactly.
pub(crate) type AgentId = Integer<-9_007_199_254_740_991, 9_007_199_254_740_991>;

impl<const LEAST: i64, const MOST: i64> Integer<LEAST, MOST> {
    /// The least value.
    pub(crate) const LEAST: i64 = LEAST;
    /// The greatest value.
    pub(crate) const MOST: i64 = MOST;
}

impl<const LEAST: i64, const MOST: i64> From<Integer<LEAST, MOST>> for i64 {
    fn from(integer: Integer<LEAST, MOST>) -> Self {
        integer.0
    }
}

/// How many: both bounds are those of the parameter.
impl From<Integer<1, 100>> for u16 {
    fn from(integer: Integer<1, 100>) -> Self {
        // At most 100.
        Self::try_from(integer.0).unwrap_or_default()
    }
}

/// A limit: both bounds are those of the parameter.
impl From<Integer<1, 1000>> for u32 {
    fn from(integer: Integer<1, 1000>) -> Self {
        // At most 1000.
        Self::try_from(integer.0).unwrap_or_default()
    }
}

impl<const LEAST: i64, const MOST: i64> Value for Integer<LEAST, MOST> {
    fn read(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        let integer = text
            .parse::<i64>()
            .ok()
            .filter(|integer| plain && (LEAST..=MOST).contains(integer));
        integer
            .map(Self)
            .ok_or_else(|| format!("must be an integer from {LEAST} to {MOST}"))
    }

    fn canonical(&self) -> Cow<'_, str> {
        self.0.to_string().into()
    }

    fn describe(parameter: ParameterBuilder) -> ParameterBuilder {
        let format = if i32::try_from(LEAST).is_ok() && i32::try_from(MOST).is_ok() {
            KnownFormat::Int32
        } else {
            KnownFormat::Int64
        };
        let schema = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(format)))
            .minimum(Some(LEAST))
            .maximum(Some(MOST));
        parameter.schema(Some(schema))
    }
}

/// A text of `LEAST` to `MOST` bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Text<const LEAST: usize, const MOST: usize>(String);

impl<const LEAST: usize, const MOST: usize> Text<LEAST, MOST> {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const LEAST: usize, const MOST: usize> From<Text<LEAST, MOST>> for String {
    fn from(text: Text<LEAST, MOST>) -> Self {
        text.0
    }
}

impl<const LEAST: usize, const MOST: usize> Value for Text<LEAST, MOST> {
    const MAY_BE_EMPTY: bool = LEAST == 0;

    fn read(text: &str) -> Result<Self, String> {
        if text.len() > MOST {
            return Err(format!("is longer than {MOST} bytes"));
        }
        Ok(Self(text.to_owned()))
    }

    fn canonical(&self) -> Cow<'_, str> {
        self.as_str().into()
    }

    fn describe(parameter: ParameterBuilder) -> ParameterBuilder {
        let repeated = if LEAST == 0 { '*' } else { '+' };
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length((LEAST > 0).then_some(LEAST))
            .max_length(Some(MOST))
            .pattern(Some(format!(r"^[^\u0000]{repeated}$")));
        parameter.schema(Some(schema))
    }
}

impl Value for bool {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be true or false".to_owned()),
        }
    }

    fn canonical(&self) -> Cow<'_, str> {
        if *self { "true" } else { "false" }.into()
    }

    fn describe(parameter: ParameterBuilder) -> ParameterBuilder {
        parameter.schema(Some(ObjectBuilder::new().schema_type(Type::Boolean)))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn shown(text: &str) -> Option<String> {
        Time::read(text).ok().map(|time| time.canonical().into_owned())
    }

    #[test]
    fn times_take_any_offset_and_are_cut_to_milliseconds() {
        assert_eq!(shown("2024-03-01T00:00:00Z").unwrap(), "2024-03-01T00:00:00.000Z");
        assert_eq!(shown("2024-03-01t00:00:00.1239z").unwrap(), "2024-03-01T00:00:00.123Z");
        assert_eq!(shown("2024-03-01T01:00:00+01:00").unwrap(), "2024-03-01T00:00:00.000Z");
        assert_eq!(shown("2024-03-01T01:00:00 01:00").unwrap(), "2024-03-01T00:00:00.000Z");
        assert_eq!(shown("2024-02-29T23:30:00-00:30").unwrap(), "2024-03-01T00:00:00.000Z");
        for bad in [
            "",
            "2024-03-01",
            "2024-03-01 00:00:00Z",
            "2024-03-01T00:00:00",
            "2024-02-30T00:00:00Z",
            "2024-03-01T00:00:00Z ",
            "now",
            "é2024-03-01T00:00:00",
        ] {
            assert_eq!(shown(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn integers_are_digits_within_their_bounds() {
        type Small = Integer<-2, 10>;
        for good in ["-2", "0", "10"] {
            assert_eq!(Small::read(good).unwrap().canonical(), good);
        }
        for bad in ["-3", "11", "+1", " 1", "1.0", "", "-", "99999999999999999999"] {
            assert!(Small::read(bad).is_err(), "{bad:?}");
        }
    }
}
