//! The records of a chunk by outcome and type, counted before they are exported.

use recap_events::EventType;
use recap_telemetry::{EventOutcome, ProjectorMetrics};

/// How many records of a chunk became what.
#[derive(Debug, Default)]
pub(super) struct EventCounts {
    folded: [u64; EventType::ALL.len()],
    invalid: [u64; EventType::ALL.len()],
    /// Invalid, and of no type that could be read.
    unreadable: u64,
    unknown: u64,
    null: u64,
}

impl EventCounts {
    pub fn folded(&mut self, event_type: EventType) {
        self.folded[event_type as usize] += 1;
    }

    pub fn invalid(&mut self, event_type: Option<EventType>) {
        match event_type {
            Some(event_type) => self.invalid[event_type as usize] += 1,
            None => self.unreadable += 1,
        }
    }

    pub fn unknown_type(&mut self) {
        self.unknown += 1;
    }

    pub fn null_value(&mut self) {
        self.null += 1;
    }

    /// Events that were folded.
    pub fn events(&self) -> u64 {
        self.folded.iter().sum()
    }

    /// Exports them.
    pub fn report(&self, metrics: &ProjectorMetrics) {
        let count = |name, outcome, count| {
            if count > 0 {
                metrics.events(name, outcome, count);
            }
        };
        for event_type in EventType::ALL {
            let (name, index) = (event_type.as_str(), event_type as usize);
            count(name, EventOutcome::Folded, self.folded[index]);
            count(name, EventOutcome::Invalid, self.invalid[index]);
        }
        count("unknown", EventOutcome::Invalid, self.unreadable);
        count("unknown", EventOutcome::UnknownType, self.unknown);
        count("unknown", EventOutcome::NullValue, self.null);
    }
}
