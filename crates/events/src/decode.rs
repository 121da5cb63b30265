//! From a Kafka record to an event: the two modes of the `CloudEvents` Kafka binding.

mod envelope;
mod headers;

use std::{borrow::Cow, str};

use self::{
    envelope::Envelope,
    headers::{Headers, Mode},
};
use crate::{
    Decoded, Event, EventType, Invalid, Micros, Reason, Skipped,
    data::{self, Data},
    json::Broken,
    reader::{Problem, Reader},
};

/// Decodes and validates one Kafka record. An event with a `time` after `latest` is refused, see
/// [`MaxTimeAhead::latest`](crate::MaxTimeAhead::latest).
///
/// A content type of `application/cloudevents+json` means that the value is the whole event (structured mode), as does a
/// record without `ce_` headers whose content type is absent or JSON. With `ce_` headers `ce_id`, `ce_type` and `ce_time`
/// are the attributes and the value is the data (binary mode). Header names match in either case. A batch, another event
/// format and data of another content type than JSON are refused as exactly that.
///
/// One record may break several rules. A value that is not UTF-8 or not JSON is refused as that before
/// anything else, then an unknown `type` is skipped whatever else is wrong, then the first breach in
/// the order of the text is named, then the first missing field in the order of the contract. In binary
/// mode an unknown `ce_type` is skipped without looking at the value. `specversion` and `source` are
/// not required, but refused when they are not strings.
pub fn decode<'a, H>(value: Option<&'a [u8]>, headers: H, latest: Option<Micros>) -> Decoded<'a>
where
    H: Iterator<Item = (&'a str, Option<&'a [u8]>)>,
{
    let Some(value) = value else {
        return Decoded::Skipped(Skipped::NullValue);
    };
    let headers = Headers::collect(headers);
    let decoded = match headers.mode() {
        Mode::Structured => structured(value),
        Mode::Binary { json } => binary(value, &headers, json),
        Mode::Batch => refuse(
            Reason::Batch,
            "the value is a batch of events; each record must hold one",
        ),
        Mode::OtherFormat => refuse(
            Reason::UnsupportedFormat,
            "the content type is not that of a CloudEvent in JSON",
        ),
    };
    match (&decoded, latest) {
        (Decoded::Event(event), Some(latest)) if event.time > latest => too_late(event, latest),
        _ => decoded,
    }
}

#[cold]
fn too_late(event: &Event<'_>, latest: Micros) -> Decoded<'static> {
    let seconds = event.time.0.saturating_sub(latest.0) / 1_000_000;
    Decoded::Invalid(Invalid {
        reason: Reason::TimeAhead,
        event_type: Some(event.event_type()),
        detail: format!("`time` is {seconds} s later than the timestamp of the record allows"),
    })
}

/// The value's text: validated by SIMD instructions, by the standard library once more where that fails, which knows the place.
fn text_of(value: &[u8]) -> Result<&str, str::Utf8Error> {
    simdutf8::basic::from_utf8(value).or_else(|_| str::from_utf8(value))
}

fn structured(value: &[u8]) -> Decoded<'_> {
    let text = match text_of(value) {
        Ok(text) => text,
        Err(error) => return not_utf8(&error, None),
    };
    let mut r = Reader::new(text);
    let mut envelope = Envelope::default();
    let mut event_type = None;
    let read = r
        .object("event", |r, key| envelope.field(r, key, &mut event_type))
        .and_then(|_| r.end());
    if let Err(broken) = read {
        return not_json(&r, broken, event_type);
    }
    envelope.finish(r, event_type)
}

fn binary<'a>(value: &'a [u8], headers: &Headers<'a>, json: bool) -> Decoded<'a> {
    let mut nothing = Reader::new("");
    let Some(name) = headers.event_type.read(&mut nothing, "ce_type") else {
        return invalid(nothing, None);
    };
    let Some(event_type) = EventType::from_name(name) else {
        return Decoded::Skipped(Skipped::UnknownType {
            event_type: Cow::Borrowed(name),
        });
    };
    if !json {
        nothing.note(Reason::UnsupportedDataType, |_| {
            String::from("the content type of the data is not JSON")
        });
        return invalid(nothing, Some(event_type));
    }
    match text_of(value) {
        Ok(text) => binary_text(text, headers, event_type),
        Err(error) => not_utf8(&error, Some(event_type)),
    }
}

fn binary_text<'a>(text: &'a str, headers: &Headers<'a>, event_type: EventType) -> Decoded<'a> {
    let mut r = Reader::new(text);
    let id = headers
        .id
        .read(&mut r, "ce_id")
        .and_then(|id| r.checked_id("ce_id", Cow::Borrowed(id), id.contains('\0')));
    let time = headers
        .time
        .read(&mut r, "ce_time")
        .and_then(|time| r.checked_time("ce_time", time));
    let data = match data::read(&mut r, event_type) {
        Ok(data) => data,
        Err(broken) => return not_json(&r, broken, Some(event_type)),
    };
    match r.end() {
        Ok(()) => assemble(r, event_type, id, time, data),
        Err(broken) => not_json(&r, broken, Some(event_type)),
    }
}

/// The event, unless a breach was noted; every part that is `None` has been noted.
fn assemble<'a>(
    r: Reader<'a>,
    event_type: EventType,
    id: Option<Cow<'a, str>>,
    time: Option<Micros>,
    data: Option<Data<'a>>,
) -> Decoded<'a> {
    match (id, time, data) {
        (Some(id), Some(time), Some(data)) if !r.has_problem() => Decoded::Event(Event {
            id,
            time,
            org_id: data.org_id,
            body: data.body,
        }),
        _ => invalid(r, Some(event_type)),
    }
}

/// Refuses a record before any of it was read.
fn refuse<'a>(reason: Reason, detail: &str) -> Decoded<'a> {
    Decoded::Invalid(Invalid {
        reason,
        event_type: None,
        detail: detail.to_owned(),
    })
}

fn invalid<'a>(r: Reader<'_>, event_type: Option<EventType>) -> Decoded<'a> {
    let Problem { reason, detail } = r.into_problem();
    Decoded::Invalid(Invalid {
        reason,
        event_type,
        detail,
    })
}

fn not_json<'a>(r: &Reader<'_>, broken: Broken, event_type: Option<EventType>) -> Decoded<'a> {
    Decoded::Invalid(Invalid {
        reason: Reason::NotJson,
        event_type,
        detail: format!(
            "the value is not JSON: expected {} at byte {}",
            broken.expected(),
            r.position()
        ),
    })
}

fn not_utf8<'a>(error: &str::Utf8Error, event_type: Option<EventType>) -> Decoded<'a> {
    Decoded::Invalid(Invalid {
        reason: Reason::NotUtf8,
        event_type,
        detail: format!("the value is not UTF-8 from byte {} on", error.valid_up_to()),
    })
}
