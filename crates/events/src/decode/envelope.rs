//! A structured event: its attributes and its data, in any order.

use std::borrow::Cow;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{assemble, invalid, not_json, not_utf8, text_of};
use crate::{
    Decoded, EventType, Micros, Reason, Skipped,
    data::{self, Data},
    json::Scan,
    media_type::MediaType,
    reader::{Reader, Slot},
};

/// RFC 4648, section 4, with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

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
pub(super) struct Envelope<'a> {
    id: Slot<Cow<'a, str>>,
    time: Slot<Micros>,
    type_slot: Slot<Type<'a>>,
    data: Slot<Part<'a>>,
    data_base64: Slot<Cow<'a, str>>,
    data_content_type: Slot<Cow<'a, str>>,
    source: Slot<Cow<'a, str>>,
    specversion: Slot<Cow<'a, str>>,
}

impl<'a> Envelope<'a> {
    pub fn field(&mut self, r: &mut Reader<'a>, key: &str, event_type: &mut Option<EventType>) -> Scan<()> {
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
            "data_base64" => r.text(key, &mut self.data_base64),
            "datacontenttype" => r.text(key, &mut self.data_content_type),
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
    pub fn finish(self, mut r: Reader<'a>, event_type: Option<EventType>) -> Decoded<'a> {
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
        if let Some(content_type) = self.data_content_type.take()
            && MediaType::of(&content_type) != MediaType::Json
        {
            r.note(Reason::UnsupportedDataType, |_| {
                String::from("`datacontenttype` is not JSON")
            });
        }
        if let Some(base64) = self.data_base64.take() {
            if self.data.take().is_some() {
                r.note(Reason::DuplicateField, |_| {
                    String::from("`data` and `data_base64` both stand in the event")
                });
            }
            return from_base64(r, named, id, time, &base64);
        }
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

/// An event whose data stands in it as Base64.
fn from_base64<'a>(
    mut r: Reader<'a>,
    event_type: EventType,
    id: Option<Cow<'a, str>>,
    time: Option<Micros>,
    base64: &str,
) -> Decoded<'a> {
    if r.has_problem() {
        return invalid(r, Some(event_type));
    }
    let Ok(bytes) = BASE64.decode(base64) else {
        r.note(Reason::NotBase64, |_| String::from("`data_base64` is not Base64"));
        return invalid(r, Some(event_type));
    };
    let text = match text_of(&bytes) {
        Ok(text) => text,
        Err(error) => return not_utf8(&error, Some(event_type)),
    };
    let mut inner = Reader::new(text);
    let read = data::read(&mut inner, event_type).and_then(|data| inner.end().map(|()| data));
    match read {
        Ok(Some(data)) => assemble(r, event_type, id, time, Some(data.into_owned())),
        Ok(None) => invalid(inner, Some(event_type)),
        Err(broken) => not_json(&inner, broken, Some(event_type)),
    }
}
