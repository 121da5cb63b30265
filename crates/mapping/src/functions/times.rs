//! Functions of times, all in UTC: RFC 3339, `strptime`, `strftime`, and Unix times of any unit as the contract wants them.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, SecondsFormat, Timelike, Utc, format::StrftimeItems};
use jaq_core::{
    Error, ValR,
    native::{bome, unary, v},
};

use super::{Function, text};
use crate::{
    budget,
    value::{Number, Value},
};

pub(super) fn functions() -> Box<[Function]> {
    Box::new([
        ("fromdateiso8601", v(0), |cv| bome(text(&cv.1).and_then(from_rfc3339))),
        ("todateiso8601", v(0), |cv| bome(time(&cv.1).map(|time| written(&time)))),
        ("gmtime", v(0), |cv| bome(time(&cv.1).map(|time| broken_down(&time)))),
        ("mktime", v(0), |cv| bome(composed(&cv.1).map(|time| seconds(&time)))),
        ("strftime", v(1), |cv| {
            unary(cv, |time, format| formatted(&time, &format))
        }),
        ("strptime", v(1), |cv| {
            unary(cv, |text_of_time, format| {
                let parsed = NaiveDateTime::parse_from_str(text(&text_of_time)?, text(&format)?);
                let parsed = parsed.or_else(|_| {
                    NaiveDate::parse_from_str(
                        text_of_time.as_str().unwrap_or_default(),
                        format.as_str().unwrap_or_default(),
                    )
                    .map(|date| date.and_time(chrono::NaiveTime::MIN))
                });
                let time =
                    parsed.map_err(|error| Error::str(format!("the string is no time of that format: {error}")))?;
                Ok(broken_down(&time.and_utc()))
            })
        }),
        ("time_of_seconds", v(0), |cv| bome(of_unit(&cv.1, 1_000_000_000))),
        ("time_of_millis", v(0), |cv| bome(of_unit(&cv.1, 1_000_000))),
        ("time_of_micros", v(0), |cv| bome(of_unit(&cv.1, 1_000))),
        ("time_of_nanos", v(0), |cv| bome(of_unit(&cv.1, 1))),
    ])
}

fn no_time() -> Error<Value> {
    Error::str("not a time between the years 1 and 9999")
}

/// Seconds, whole where they are.
fn seconds(time: &DateTime<Utc>) -> Value {
    let micros = time.timestamp_subsec_micros();
    if micros == 0 {
        return Value::Number(Number::Int(time.timestamp()));
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds of a year are far below 2^52")]
    let whole = time.timestamp() as f64;
    Value::from(whole + f64::from(micros) / 1e6)
}

fn from_rfc3339(text: &str) -> ValR<Value> {
    budget::work(text.len());
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| Error::str("the string is not RFC 3339, as `2026-01-05T10:00:00Z`"))?;
    Ok(seconds(&time.to_utc()))
}

/// A number of seconds, or a time in its parts.
fn time(value: &Value) -> Result<DateTime<Utc>, Error<Value>> {
    match value {
        Value::Number(Number::Int(seconds)) => DateTime::from_timestamp(*seconds, 0).ok_or_else(no_time),
        Value::Number(number) => {
            let micros = (number.as_f64() * 1e6).round();
            let micros = Number::Float(micros).as_i64().ok_or_else(no_time)?;
            DateTime::from_timestamp_micros(micros).ok_or_else(no_time)
        }
        Value::Array(_) => composed(value),
        other => Err(Error::typ(other.clone(), "time")),
    }
}

fn composed(value: &Value) -> Result<DateTime<Utc>, Error<Value>> {
    let Value::Array(array) = value else {
        return Err(Error::typ(value.clone(), "time in its parts"));
    };
    let part = |at: usize| array.items().get(at).and_then(Value::as_i64);
    let unsigned = |at: usize| part(at).and_then(|part| u32::try_from(part).ok());
    let year = part(0).and_then(|year| i32::try_from(year).ok());
    let second = array
        .items()
        .get(5)
        .and_then(jaq_std::ValT::as_f64)
        .filter(|second| (0.0..61.0).contains(second));
    let composed = (|| {
        let date = NaiveDate::from_ymd_opt(year?, unsigned(1)?.checked_add(1)?, unsigned(2)?)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was looked at"
        )]
        let micros = (second?.fract() * 1e6) as u32;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was looked at"
        )]
        date.and_hms_micro_opt(unsigned(3)?, unsigned(4)?, second? as u32, micros)
    })();
    composed.map(|time| time.and_utc()).ok_or_else(no_time)
}

fn broken_down(time: &DateTime<Utc>) -> Value {
    let int = |int: i64| Value::Number(Number::Int(int));
    let micros = time.timestamp_subsec_micros();
    let second = if micros == 0 {
        int(time.second().into())
    } else {
        Value::from(f64::from(time.second()) + f64::from(micros) / 1e6)
    };
    [
        int(time.year().into()),
        int(time.month0().into()),
        int(time.day().into()),
        int(time.hour().into()),
        int(time.minute().into()),
        second,
        int(time.weekday().num_days_from_sunday().into()),
        int(time.ordinal0().into()),
    ]
    .into_iter()
    .collect()
}

fn formatted(value: &Value, format: &Value) -> ValR<Value> {
    let (time, format) = (time(value)?, text(format)?);
    budget::work(format.len() * 16);
    // A format that is none would panic when it is written.
    let items = StrftimeItems::new(format)
        .parse()
        .map_err(|_| Error::str("not a format of `strftime`"))?;
    Ok(Value::from(time.format_with_items(items.iter()).to_string()))
}

fn written(time: &DateTime<Utc>) -> Value {
    Value::from(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// RFC 3339 with as many digits as are needed, of a whole number of a unit of so many nanoseconds: a number, or a string, for nanoseconds are more digits
/// than many JSON libraries keep.
fn of_unit(value: &Value, nanos: i64) -> ValR<Value> {
    let count = match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64(),
        _ => None,
    };
    let count = count.ok_or_else(|| Error::typ(value.clone(), "whole number"))?;
    let total = i128::from(count) * i128::from(nanos);
    let seconds = i64::try_from(total.div_euclid(1_000_000_000)).map_err(|_| no_time())?;
    let rest = u32::try_from(total.rem_euclid(1_000_000_000)).map_err(|_| no_time())?;
    let time = DateTime::from_timestamp(seconds, rest).ok_or_else(no_time)?;
    Ok(written(&time))
}
