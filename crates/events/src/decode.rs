//! From a Kafka record to an event: the two modes of the `CloudEvents` Kafka binding.

use std::{borrow::Cow, str};

use crate::{
    Decoded, Event, EventType, Invalid, Micros, Reason, Skipped,
    data::{self, Data},
    json::{Broken, Scan},
    reader::{Problem, Reader, Slot},
};

/// Decodes and validates one Kafka record.
///
/// A content type of `application/cloudevents…`, or neither a content type nor a `ce_` header, means
/// the value is the whole event (structured mode); anything else means that `ce_id`, `ce_type` and
/// `ce_time` are headers and the value is the data (binary mode). Header names match in either case.
///
/// One record may break several rules. A value that is not UTF-8 or not JSON is refused as that before
/// anything else, then an unknown `type` is skipped whatever else is wrong, then the first breach in
/// the order of the text is named, then the first missing field in the order of the contract. In binary
/// mode an unknown `ce_type` is skipped without looking at the value. `specversion` and `source` are
/// not required, but refused when they are not strings.
pub fn decode<'a, H>(value: Option<&'a [u8]>, headers: H) -> Decoded<'a>
where
    H: Iterator<Item = (&'a str, Option<&'a [u8]>)>,
{
    let Some(value) = value else {
        return Decoded::Skipped(Skipped::NullValue);
    };
    let headers = Headers::collect(headers);
    if headers.is_structured() {
        structured(value)
    } else {
        binary(value, &headers)
    }
}

/// A header of the contract.
#[derive(Clone, Copy, Default)]
enum Header<'a> {
    #[default]
    Absent,
    Once(&'a [u8]),
    Twice,
}

impl<'a> Header<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::Absent => Self::Once(value),
            Self::Once(_) | Self::Twice => Self::Twice,
        };
    }

    /// The header's text, noted when it is missing, repeated or not UTF-8.
    fn read(self, r: &mut Reader<'_>, name: &str) -> Option<&'a str> {
        let (reason, what) = match self {
            Self::Once(value) => match str::from_utf8(value) {
                Ok(text) => return Some(text),
                Err(_) => (Reason::NotUtf8, "is not UTF-8"),
            },
            Self::Absent => (Reason::MissingField, "is missing"),
            Self::Twice => (Reason::DuplicateField, "stands twice in the record"),
        };
        r.note(reason, |_| format!("header `{name}` {what}"));
        None
    }
}

#[derive(Default)]
struct Headers<'a> {
    content_type: Option<&'a [u8]>,
    any_attribute: bool,
    id: Header<'a>,
    event_type: Header<'a>,
    time: Header<'a>,
}

impl<'a> Headers<'a> {
    fn collect(headers: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            let Some(value) = value else { continue };
            if let Some(prefix) = name.as_bytes().first_chunk::<3>()
                && prefix.eq_ignore_ascii_case(b"ce_")
            {
                found.any_attribute = true;
                let attribute = &name[3..];
                if attribute.eq_ignore_ascii_case("id") {
                    found.id.add(value);
                } else if attribute.eq_ignore_ascii_case("type") {
                    found.event_type.add(value);
                } else if attribute.eq_ignore_ascii_case("time") {
                    found.time.add(value);
                }
            } else if name.eq_ignore_ascii_case("content-type") {
                found.content_type = Some(value);
            }
        }
        found
    }

    fn is_structured(&self) -> bool {
        const STRUCTURED: &[u8] = b"application/cloudevents";
        match self.content_type {
            None => !self.any_attribute,
            Some(content_type) => content_type
                .trim_ascii_start()
                .get(..STRUCTURED.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(STRUCTURED)),
        }
    }
}

/// What `type` says.
enum Type<'a> {
    Known(EventType),
    Unknown(Cow<'a, str>),
}

/// The value of `data`.
enum Part<'a> {
    /// Read in passing; `None` when a breach was noted.
    Read(Option<Data<'a>>),
    /// Stands before `type`: to be read from here.
    Later(Reader<'a>),
}

/// The parts of a structured event while they are read.
#[derive(Default)]
struct Envelope<'a> {
    id: Slot<Cow<'a, str>>,
    time: Slot<Micros>,
    type_slot: Slot<Type<'a>>,
    data: Slot<Part<'a>>,
    source: Slot<Cow<'a, str>>,
    specversion: Slot<Cow<'a, str>>,
}

impl<'a> Envelope<'a> {
    fn field(&mut self, r: &mut Reader<'a>, key: &str, event_type: &mut Option<EventType>) -> Scan<()> {
        match key {
            "id" => r.id(key, &mut self.id),
            "time" => r.micros(key, &mut self.time),
            "type" => self.event_type(r, key, event_type),
            "data" => r.fill(key, &mut self.data, |r, _| {
                let Some(event_type) = *event_type else {
                    let at_data = r.fork();
                    r.skip_blindly()?;
                    return Ok(Some(Part::Later(at_data)));
                };
                Ok(Some(Part::Read(data::read(r, event_type)?)))
            }),
            "source" => r.text(key, &mut self.source),
            "specversion" => r.text(key, &mut self.specversion),
            _ => r.skip(),
        }
    }

    fn event_type(&mut self, r: &mut Reader<'a>, key: &str, event_type: &mut Option<EventType>) -> Scan<()> {
        if self.type_slot.is_seen() {
            // Neither of the two is to be believed.
            self.type_slot.clear();
            *event_type = None;
        }
        r.fill(key, &mut self.type_slot, |r, kind| {
            let Some(text) = r.string(key, kind)? else {
                return Ok(None);
            };
            *event_type = EventType::from_name(&text.value);
            Ok(Some(event_type.map_or(Type::Unknown(text.value), Type::Known)))
        })
    }

    /// The event, once all of the value has turned out to be JSON.
    fn finish(self, mut r: Reader<'a>, event_type: Option<EventType>) -> Decoded<'a> {
        let named = match self.type_slot.take() {
            Some(Type::Unknown(event_type)) => {
                return Decoded::Skipped(Skipped::UnknownType { event_type });
            }
            Some(Type::Known(named)) if !r.has_problem() => named,
            Some(Type::Known(_)) => return invalid(r, event_type),
            None => {
                r.note(Reason::MissingField, |_| String::from("`type` is missing"));
                return invalid(r, None);
            }
        };
        let id = r.required("id", self.id);
        let time = r.required("time", self.time);
        let data = match r.required("data", self.data) {
            Some(Part::Read(data)) => data,
            Some(Part::Later(at_data)) if !r.has_problem() => {
                r = at_data;
                match data::read(&mut r, named) {
                    Ok(data) => data,
                    Err(broken) => return not_json(&r, broken, Some(named)),
                }
            }
            Some(Part::Later(_)) | None => None,
        };
        assemble(r, named, id, time, data)
    }
}

fn structured(value: &[u8]) -> Decoded<'_> {
    let text = match str::from_utf8(value) {
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

fn binary<'a>(value: &'a [u8], headers: &Headers<'a>) -> Decoded<'a> {
    let mut nothing = Reader::new("");
    let Some(name) = headers.event_type.read(&mut nothing, "ce_type") else {
        return invalid(nothing, None);
    };
    let Some(event_type) = EventType::from_name(name) else {
        return Decoded::Skipped(Skipped::UnknownType {
            event_type: Cow::Borrowed(name),
        });
    };
    match str::from_utf8(value) {
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
