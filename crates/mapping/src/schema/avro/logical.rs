//! Avro's logical types as JSON: decimals and times are texts, as the contract has them. One that does not fit its type is that type, as the specification says.

use chrono::{DateTime, Datelike as _, NaiveTime, SecondsFormat};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{Decoder, Decoding, types::Base};

/// A type with a meaning beside its encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logical {
    /// Digits after the point.
    Decimal(Base, u32),
    /// 16 bytes.
    Uuid(Base),
    /// Months, days and milliseconds.
    Duration,
    /// Days since 1970-01-01.
    Date,
    /// Since midnight, so many a second; an int in milliseconds, else a long.
    Time(u32),
    /// Since 1970-01-01T00:00:00Z, so many a second.
    Instant(u32),
    /// The same, in no time zone.
    Local(u32),
}

const MILLIS: u32 = 1_000;
const MICROS: u32 = 1_000_000;
const NANOS: u32 = 1_000_000_000;

/// The largest scale of a decimal that is written out.
const SCALE_MAX: u64 = 1_000;
/// Bytes of a decimal; writing out more takes too long.
const DECIMAL_MAX: usize = 256;

impl Logical {
    pub fn int(name: Option<&str>) -> Option<Self> {
        match name? {
            "date" => Some(Self::Date),
            "time-millis" => Some(Self::Time(MILLIS)),
            _ => None,
        }
    }

    pub fn long(name: Option<&str>) -> Option<Self> {
        match name? {
            "time-micros" => Some(Self::Time(MICROS)),
            "timestamp-millis" => Some(Self::Instant(MILLIS)),
            "timestamp-micros" => Some(Self::Instant(MICROS)),
            "timestamp-nanos" => Some(Self::Instant(NANOS)),
            "local-timestamp-millis" => Some(Self::Local(MILLIS)),
            "local-timestamp-micros" => Some(Self::Local(MICROS)),
            "local-timestamp-nanos" => Some(Self::Local(NANOS)),
            _ => None,
        }
    }

    pub fn binary(name: Option<&str>, object: &Map<String, Json>, base: Base) -> Option<Self> {
        match (name?, base) {
            ("decimal", _) => {
                let scale = object.get("scale").map_or(Some(0), Json::as_u64)?;
                let scale = u32::try_from(scale).ok().filter(|_| scale <= SCALE_MAX)?;
                Some(Self::Decimal(base, scale))
            }
            ("uuid", Base::Bytes | Base::Fixed(16)) => Some(Self::Uuid(base)),
            ("duration", Base::Fixed(12)) => Some(Self::Duration),
            _ => None,
        }
    }

    pub fn decode(self, decoder: &mut Decoder<'_, '_>) -> Decoding {
        match self {
            Self::Decimal(base, scale) => {
                let text = decimal(decoder.of_base(base)?, scale)?;
                decoder.string(&text);
            }
            Self::Uuid(base) => {
                let uuid = Uuid::from_slice(decoder.of_base(base)?).map_err(|_| "a UUID has not 16 bytes")?;
                decoder.string(uuid.hyphenated().encode_lower(&mut [0; 36]));
            }
            Self::Duration => {
                let part = |decoder: &mut Decoder<'_, '_>| decoder.array().map(u32::from_le_bytes);
                let (months, days, millis) = (part(decoder)?, part(decoder)?, part(decoder)?);
                decoder.write(format_args!(
                    "{{\"months\":{months},\"days\":{days},\"millis\":{millis}}}"
                ));
            }
            Self::Date => {
                let days = decoder.int()?;
                let midnight = DateTime::from_timestamp(i64::from(days) * 86_400, 0);
                let date = midnight
                    .map(|midnight| midnight.date_naive())
                    .filter(|date| has_four_digits(date.year()));
                or_number(decoder, days.into(), date.map(|date| date.to_string()));
            }
            Self::Time(per_second) => {
                let count = if per_second == MILLIS {
                    decoder.int()?.into()
                } else {
                    decoder.long()?
                };
                let (seconds, nanos) = divided(count, per_second);
                let seconds = u32::try_from(seconds).ok();
                let time = seconds.and_then(|seconds| NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos));
                or_number(decoder, count, time.map(|time| time.to_string()));
            }
            Self::Instant(per_second) | Self::Local(per_second) => {
                let count = decoder.long()?;
                let (seconds, nanos) = divided(count, per_second);
                let time = DateTime::from_timestamp(seconds, nanos).filter(|time| has_four_digits(time.year()));
                let text = time.map(|time| time.to_rfc3339_opts(format(per_second), true));
                let text = match self {
                    Self::Local(_) => text.map(|text| text.trim_end_matches('Z').to_owned()),
                    _ => text,
                };
                or_number(decoder, count, text);
            }
        }
        Ok(())
    }
}

fn has_four_digits(year: i32) -> bool {
    (0..=9_999).contains(&year)
}

fn format(per_second: u32) -> SecondsFormat {
    match per_second {
        MILLIS => SecondsFormat::Millis,
        MICROS => SecondsFormat::Micros,
        _ => SecondsFormat::Nanos,
    }
}

/// Seconds, and the nanoseconds beside them.
fn divided(count: i64, per_second: u32) -> (i64, u32) {
    let rest = count.rem_euclid(per_second.into());
    // Less than a second of them.
    let nanos = u32::try_from(rest).unwrap_or_default() * (NANOS / per_second);
    (count.div_euclid(per_second.into()), nanos)
}

/// What no text can say stays the number that it is.
fn or_number(decoder: &mut Decoder<'_, '_>, number: i64, text: Option<String>) {
    match text {
        Some(text) => decoder.string(&text),
        None => decoder.write(format_args!("{number}")),
    }
}

/// A number in two's complement, big endian, divided by a power of ten.
fn decimal(bytes: &[u8], scale: u32) -> Result<String, &'static str> {
    if bytes.len() > DECIMAL_MAX {
        return Err("a decimal is too long");
    }
    let is_negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let mut magnitude = bytes.to_vec();
    if is_negative {
        for byte in &mut magnitude {
            *byte = !*byte;
        }
        for byte in magnitude.iter_mut().rev() {
            let overflowed;
            (*byte, overflowed) = byte.overflowing_add(1);
            if !overflowed {
                break;
            }
        }
    }
    let mut digits = Vec::new();
    while magnitude.iter().any(|byte| *byte != 0) {
        let mut rest = 0_u16;
        for byte in &mut magnitude {
            let current = (rest << 8) | u16::from(*byte);
            // Below 256, since the rest is below ten.
            *byte = u8::try_from(current / 10).unwrap_or_default();
            rest = current % 10;
        }
        digits.push(char::from(b'0' + u8::try_from(rest).unwrap_or_default()));
    }
    let scale = scale as usize;
    while digits.len() <= scale {
        digits.push('0');
    }
    let mut text = String::with_capacity(digits.len() + 2);
    if is_negative {
        text.push('-');
    }
    for (at, digit) in digits.iter().enumerate().rev() {
        text.push(*digit);
        if at == scale && scale > 0 {
            text.push('.');
        }
    }
    Ok(text)
}
