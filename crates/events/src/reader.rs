//! Reading contract fields: each fills its slot, and the first breach is remembered while reading on.
//!
//! Reading on matters twice: a text that is not JSON further down is refused as that, and an event of a
//! type that turns up last as unknown is skipped, not refused.

use std::borrow::Cow;

use crate::{
    Micros, Millis, RawJson, Reason,
    json::{Integer, Kind, Scan, Scanner, Text, integer},
};

/// The greatest count: 2^31−1.
pub(crate) const MAX_COUNT: i64 = 0x7fff_ffff;
/// The greatest `agentId` either way: 2^53−1.
pub(crate) const MAX_AGENT_ID: i64 = (1 << 53) - 1;
/// The longest id, in bytes.
pub(crate) const MAX_ID_BYTES: usize = 255;

/// A breach of the contract within valid JSON.
#[derive(Debug)]
pub(crate) struct Problem {
    pub reason: Reason,
    pub detail: String,
}

/// Room for one contract field.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    seen: bool,
    value: Option<T>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            seen: false,
            value: None,
        }
    }
}

impl<T> Slot<T> {
    /// Whether the field has stood in the object, be it as `null`.
    pub fn is_seen(&self) -> bool {
        self.seen
    }

    /// Forgets the value, not that there was one.
    pub fn clear(&mut self) {
        self.value = None;
    }

    /// The field's value; `None` when absent, `null` or refused.
    pub fn take(self) -> Option<T> {
        self.value
    }
}

#[derive(Debug)]
pub(crate) struct Reader<'a> {
    json: Scanner<'a>,
    /// Stands before field names in details.
    within: &'static str,
    problem: Option<Problem>,
}

impl<'a> Reader<'a> {
    /// A reader at the first value of a text.
    pub fn new(text: &'a str) -> Self {
        let mut json = Scanner::new(text);
        json.space();
        Self {
            json,
            within: "",
            problem: None,
        }
    }

    /// The first breach. Called where one was noted; "missing" would say that one was not.
    pub fn into_problem(self) -> Problem {
        self.problem.unwrap_or_else(|| Problem {
            reason: Reason::MissingField,
            detail: String::from("a required field is missing"),
        })
    }

    pub fn has_problem(&self) -> bool {
        self.problem.is_some()
    }

    /// Remembers a breach unless there was one before.
    #[cold]
    pub fn note(&mut self, reason: Reason, detail: impl FnOnce(&str) -> String) {
        if self.problem.is_none() {
            self.problem = Some(Problem {
                reason,
                detail: detail(self.within),
            });
        }
    }

    /// Another reader at the same place.
    pub fn fork(&self) -> Self {
        Self {
            json: self.json.clone(),
            within: self.within,
            problem: None,
        }
    }

    /// Bytes into the text.
    pub const fn position(&self) -> usize {
        self.json.position()
    }

    pub fn end(&mut self) -> Scan<()> {
        self.json.end()
    }

    /// Steps over a value that is nothing to the contract but must be readable.
    pub fn skip(&mut self) -> Scan<()> {
        if self.json.skim()?.flaws.lone_surrogate {
            self.note(Reason::LoneSurrogate, |_| {
                String::from("a field outside the contract holds a lone surrogate")
            });
        }
        Ok(())
    }

    /// Steps over a value whose breaches are of no interest.
    pub fn skip_blindly(&mut self) -> Scan<()> {
        self.json.skim().map(drop)
    }

    /// Calls `field` with each key of an object, standing at its value; `false` when the value is not
    /// an object, which is noted.
    #[inline]
    pub fn object(&mut self, name: &str, mut field: impl FnMut(&mut Self, &str) -> Scan<()>) -> Scan<bool> {
        let kind = self.json.kind()?;
        if kind != Kind::Object {
            self.refuse::<()>(Reason::WrongType, name, "an object", kind)?;
            return Ok(false);
        }
        let mut more = self.json.enter_object()?;
        while more {
            let key = self.json.string()?;
            self.json.colon()?;
            if key.flaws.lone_surrogate {
                self.note(Reason::LoneSurrogate, |_| {
                    String::from("the name of a field outside the contract holds a lone surrogate")
                });
            }
            field(self, &key.value)?;
            more = self.json.next_member()?;
        }
        Ok(true)
    }

    /// The field's value, noted when missing.
    #[inline]
    pub fn required<T>(&mut self, name: &str, slot: Slot<T>) -> Option<T> {
        if slot.value.is_none() {
            self.note(Reason::MissingField, |within| format!("`{within}{name}` is missing"));
        }
        slot.value
    }

    /// Fills a slot by `read`, unless the field is `null` or here for a second time.
    #[inline]
    pub fn fill<T>(
        &mut self,
        name: &str,
        slot: &mut Slot<T>,
        read: impl FnOnce(&mut Self, Kind) -> Scan<Option<T>>,
    ) -> Scan<()> {
        if slot.seen {
            self.note(Reason::DuplicateField, |within| {
                format!("`{within}{name}` stands twice in one object")
            });
            return self.skip_blindly();
        }
        slot.seen = true;
        match self.json.kind()? {
            Kind::Null => self.json.literal(Kind::Null)?,
            kind => slot.value = read(self, kind)?,
        }
        Ok(())
    }

    /// A string outside ids: U+0000 is shown as U+FFFD.
    #[inline]
    pub fn text(&mut self, name: &str, slot: &mut Slot<Cow<'a, str>>) -> Scan<()> {
        self.fill(name, slot, |r, kind| Ok(r.string(name, kind)?.map(Text::without_nul)))
    }

    /// A string that must not be empty.
    #[inline]
    pub fn name(&mut self, name: &str, slot: &mut Slot<Cow<'a, str>>) -> Scan<()> {
        self.text(name, slot)?;
        if slot.value.as_ref().is_some_and(|value| value.is_empty()) {
            self.note(Reason::EmptyString, |within| {
                format!("`{within}{name}` must not be empty")
            });
        }
        Ok(())
    }

    #[inline]
    pub fn id(&mut self, name: &str, slot: &mut Slot<Cow<'a, str>>) -> Scan<()> {
        self.fill(name, slot, |r, kind| {
            let Some(text) = r.string(name, kind)? else {
                return Ok(None);
            };
            Ok(r.checked_id(name, text.value, text.flaws.nul))
        })
    }

    /// An id that is 1–255 bytes long and without U+0000.
    #[inline]
    pub fn checked_id<T: AsRef<str>>(&mut self, name: &str, id: T, nul: bool) -> Option<T> {
        let length = id.as_ref().len();
        if nul || length == 0 || length > MAX_ID_BYTES {
            self.note(Reason::BadId, |within| {
                if nul {
                    format!("`{within}{name}` must not hold U+0000")
                } else {
                    format!("`{within}{name}` must be 1 to {MAX_ID_BYTES} bytes long, not {length}")
                }
            });
            return None;
        }
        Some(id)
    }

    #[inline]
    pub fn micros(&mut self, name: &str, slot: &mut Slot<Micros>) -> Scan<()> {
        self.fill(name, slot, |r, kind| {
            let Some(text) = r.string(name, kind)? else {
                return Ok(None);
            };
            Ok(r.checked_time(name, &text.value))
        })
    }

    #[inline]
    pub fn millis(&mut self, name: &str, slot: &mut Slot<Millis>) -> Scan<()> {
        self.fill(name, slot, |r, kind| {
            let Some(text) = r.string(name, kind)? else {
                return Ok(None);
            };
            Ok(r.checked_time(name, &text.value).map(Micros::to_millis))
        })
    }

    #[inline]
    pub fn checked_time(&mut self, name: &str, text: &str) -> Option<Micros> {
        let time = Micros::parse_rfc3339(text);
        if time.is_none() {
            self.note(Reason::BadTime, |within| {
                format!("`{within}{name}` must be an RFC 3339 time in the years 1970 to 9999 (UTC)")
            });
        }
        time
    }

    #[inline]
    pub fn count(&mut self, name: &str, slot: &mut Slot<u32>) -> Scan<()> {
        self.fill(name, slot, |r, kind| {
            Ok(r.integer_within(name, kind, 0, MAX_COUNT)?
                .and_then(|count| u32::try_from(count).ok()))
        })
    }

    #[inline]
    pub fn agent_id(&mut self, name: &str, slot: &mut Slot<i64>) -> Scan<()> {
        self.fill(name, slot, |r, kind| {
            r.integer_within(name, kind, -MAX_AGENT_ID, MAX_AGENT_ID)
        })
    }

    pub fn boolean(&mut self, name: &str, slot: &mut Slot<bool>) -> Scan<()> {
        self.fill(name, slot, |r, kind| match kind {
            Kind::True | Kind::False => {
                r.json.literal(kind)?;
                Ok(Some(kind == Kind::True))
            }
            _ => r.refuse(Reason::WrongType, name, "a boolean", kind),
        })
    }

    pub fn any(&mut self, name: &str, slot: &mut Slot<RawJson<'a>>) -> Scan<()> {
        self.fill(name, slot, |r, _| r.raw(name))
    }

    pub fn metadata(&mut self, name: &str, slot: &mut Slot<RawJson<'a>>) -> Scan<()> {
        self.fill(name, slot, |r, kind| match kind {
            Kind::Object => r.raw(name),
            _ => r.refuse(Reason::MetadataNotObject, name, "an object", kind),
        })
    }

    /// An object whose fields are of the contract too; their details begin with `name` and a dot.
    pub fn nested<T: Default>(
        &mut self,
        (name, prefix): (&str, &'static str),
        slot: &mut Slot<T>,
        mut field: impl FnMut(&mut Self, &str, &mut T) -> Scan<()>,
    ) -> Scan<()> {
        self.fill(name, slot, |r, kind| {
            if kind != Kind::Object {
                return r.refuse(Reason::WrongType, name, "an object", kind);
            }
            let mut fields = T::default();
            r.within = prefix;
            r.object(name, |r, key| field(r, key, &mut fields))?;
            r.within = "";
            Ok(Some(fields))
        })
    }

    fn raw(&mut self, name: &str) -> Scan<Option<RawJson<'a>>> {
        let skimmed = self.json.skim()?;
        if skimmed.flaws.lone_surrogate {
            self.note_lone_surrogate(name);
            return Ok(None);
        }
        Ok(Some(RawJson::from_skimmed(skimmed)))
    }

    #[inline]
    pub fn string(&mut self, name: &str, kind: Kind) -> Scan<Option<Text<'a>>> {
        if kind != Kind::String {
            return self.refuse(Reason::WrongType, name, "a string", kind);
        }
        let text = self.json.string()?;
        if text.flaws.lone_surrogate {
            self.note_lone_surrogate(name);
            return Ok(None);
        }
        Ok(Some(text))
    }

    #[inline]
    fn integer_within(&mut self, name: &str, kind: Kind, least: i64, greatest: i64) -> Scan<Option<i64>> {
        if kind != Kind::Number {
            return self.refuse(Reason::WrongType, name, "an integer", kind);
        }
        match integer(self.json.number()?) {
            Integer::Value(value) if (least..=greatest).contains(&value) => return Ok(Some(value)),
            Integer::Value(_) | Integer::Huge => self.note(Reason::OutOfRange, |within| {
                format!("`{within}{name}` must be from {least} to {greatest}")
            }),
            Integer::Fraction => self.note(Reason::WrongType, |within| {
                format!("`{within}{name}` must be an integer, not a number with a fraction")
            }),
        }
        Ok(None)
    }

    #[cold]
    fn note_lone_surrogate(&mut self, name: &str) {
        self.note(Reason::LoneSurrogate, |within| {
            format!("`{within}{name}` holds a lone surrogate")
        });
    }

    /// Notes a value of the wrong JSON type and steps over it.
    #[cold]
    fn refuse<T>(&mut self, reason: Reason, name: &str, expected: &str, found: Kind) -> Scan<Option<T>> {
        self.note(reason, |within| {
            format!("`{within}{name}` must be {expected}, not {}", found.noun())
        });
        self.skip_blindly()?;
        Ok(None)
    }
}
