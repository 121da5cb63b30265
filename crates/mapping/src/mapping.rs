//! The mapping of one topic: its program, and what becomes of a record.

use std::sync::OnceLock;

use recap_events::{Decoded, Event, EventType, Micros, Skipped, decode};

use crate::{
    events::Events,
    interpreter::Program,
    record::{Input, Record},
    schema::{SCHEMA, Schemas},
    value::Value,
};

/// The reason of a record whose mapping failed. What breaks the contract afterwards has the contract's own reason.
pub const MAPPING: &str = "mapping";

/// The program that makes the events of one topic's records.
pub struct Mapping {
    /// `chat.jq`, for messages.
    name: String,
    text: String,
    program: Program,
    /// Made when a record fails for the first time.
    noting: OnceLock<Option<Program>>,
}

/// What became of a record.
#[derive(Debug)]
pub enum Mapped<'e> {
    /// Its events, all of them valid, and how many more were of unknown types.
    Events {
        /// To be folded; there may be none.
        events: Vec<Event<'e>>,
        /// Skipped and counted, as everywhere.
        unknown_types: usize,
    },
    /// It has no value.
    NullValue,
    /// It is to be dead-lettered: not one of its events counts.
    Refused(Refusal),
}

/// Why a record is dead-lettered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// [`MAPPING`], [`SCHEMA`], or the reason of the contract.
    pub reason: &'static str,
    /// A sentence that names the mapping and the place, and quotes nothing of the record.
    pub error: String,
    /// The type of the event that breaks the contract, when that much could be read.
    pub event_type: Option<EventType>,
}

/// Every mistake in a program, each with its line and column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Mistakes(pub Vec<String>);

impl Mapping {
    /// Compiles a program; `name` is what messages call it.
    pub fn compile(name: &str, program: &str) -> Result<Self, Mistakes> {
        let mistake = |mistakes: Vec<String>| {
            let named = mistakes.into_iter().map(|mistake| format!("{name}: {mistake}"));
            Mistakes(named.collect())
        };
        Ok(Self {
            name: name.to_owned(),
            text: program.to_owned(),
            program: Program::compile(program).map_err(mistake)?,
            noting: OnceLock::new(),
        })
    }

    /// Decodes the value where it names a schema, runs the program and keeps its events in `events`. The same record always gives the same.
    pub fn run(&self, record: &Record<'_>, events: &mut Events) -> Result<(), Refusal> {
        let decoded = record
            .value
            .and_then(|value| record.schemas?.decode(value))
            .transpose()
            .map_err(|error| Refusal {
                reason: SCHEMA,
                error,
                event_type: None,
            })?;
        let value = decoded.as_ref().map_or(record.value, |decoded| Some(&*decoded.json));
        let input = Input {
            record: Record { value, ..*record },
            schema: decoded.as_ref().map(|decoded| &decoded.schema),
        };
        self.run_on(&input, events)
    }

    fn run_on(&self, input: &Input<'_>, events: &mut Events) -> Result<(), Refusal> {
        events.clear();
        let ran = self.program.run(
            input.budget(),
            events,
            || input.input(),
            |events, output| events.add(&input.record, &output),
            Events::clear,
        );
        ran.map_err(|message| Refusal {
            reason: MAPPING,
            error: format!(
                "{}{}, after {} events: {message}{}",
                self.name,
                self.place(input),
                events.len(),
                hint(&input.record)
            ),
            event_type: None,
        })
    }

    /// Where the program is when a record fails.
    fn place(&self, input: &Input<'_>) -> String {
        let noting = self.noting.get_or_init(|| Program::compile_noting(&self.text));
        let mut events = Events::default();
        let output = |output: Value| events.add(&input.record, &output);
        let place = noting
            .as_ref()
            .and_then(|noting| noting.place_of_failure(&self.text, input.budget(), || input.input(), output));
        place.map_or_else(String::new, |place| format!(", {place}"))
    }

    /// What becomes of a record. An event with a `time` after `latest` is refused.
    ///
    /// A record is taken whole or refused whole: once its mapping is mended, it can be replayed without meeting half of itself.
    pub fn read<'e>(&self, record: &Record<'_>, latest: Option<Micros>, events: &'e mut Events) -> Mapped<'e> {
        if record.value.is_none() {
            return Mapped::NullValue;
        }
        if let Err(refusal) = self.run(record, events) {
            return Mapped::Refused(refusal);
        }
        let events: &'e Events = events;
        let mut valid = Vec::with_capacity(events.len());
        let mut unknown_types = 0;
        for (number, text) in events.iter().enumerate() {
            match decode(Some(text.as_bytes()), std::iter::empty(), latest) {
                Decoded::Event(event) => valid.push(event),
                Decoded::Skipped(Skipped::UnknownType { .. } | Skipped::NullValue) => unknown_types += 1,
                Decoded::Invalid(invalid) => {
                    return Mapped::Refused(Refusal {
                        reason: invalid.reason.as_str(),
                        error: format!("event {} of {}: {}", number + 1, self.name, invalid.detail),
                        event_type: invalid.event_type,
                    });
                }
            }
        }
        Mapped::Events {
            events: valid,
            unknown_types,
        }
    }
}

/// What may be the matter with a value that nobody decodes.
fn hint(record: &Record<'_>) -> String {
    let id = record.value.filter(|_| record.schemas.is_none()).and_then(Schemas::id);
    id.map_or_else(String::new, |id| {
        format!(" (its value begins as one of schema {id} in a schema registry does, and RECAP_SCHEMA_REGISTRY_URL is not set)")
    })
}

impl std::fmt::Debug for Mapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Mapping").field(&self.name).finish()
    }
}
