//! The headers of a record that decide how it is read.

use std::str;

use crate::{Reason, media_type::MediaType, reader::Reader};

/// A header of the contract.
#[derive(Clone, Copy, Default)]
pub(super) enum Header<'a> {
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
    pub fn read(self, r: &mut Reader<'_>, name: &str) -> Option<&'a str> {
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

/// The content type and the `CloudEvents` attributes.
#[derive(Default)]
pub(super) struct Headers<'a> {
    content_type: Option<MediaType>,
    any_attribute: bool,
    pub id: Header<'a>,
    pub event_type: Header<'a>,
    pub time: Header<'a>,
}

impl<'a> Headers<'a> {
    pub fn collect(headers: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>) -> Self {
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
                found.content_type = Some(MediaType::of(str::from_utf8(value).unwrap_or_default()));
            }
        }
        found
    }

    /// How the value is to be read.
    pub fn mode(&self) -> Mode {
        match self.content_type {
            None | Some(MediaType::Json) if self.any_attribute => Mode::Binary { json: true },
            Some(MediaType::Other) if self.any_attribute => Mode::Binary { json: false },
            Some(MediaType::Batch) => Mode::Batch,
            Some(MediaType::OtherEventFormat | MediaType::Other) => Mode::OtherFormat,
            None | Some(MediaType::Event | MediaType::Json) => Mode::Structured,
        }
    }
}

/// How the value of a record is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is the whole event.
    Structured,
    /// It is the data; `json` says whether its content type is, too.
    Binary { json: bool },
    /// It is several events.
    Batch,
    /// It is nothing that recap reads.
    OtherFormat,
}
