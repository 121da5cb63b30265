//! A sample for people to look at: written conversations of a support, a sales and an engineering assistant, as `recap dev` shows them. Unlike a
//! [`Log`](crate::Log), which is for measuring and testing, it is made to be read: tools fit what is said, agents ask others for help, some calls fail,
//! people say how they liked it, and there is more of it by day than by night.

mod cast;
mod play;
mod rhythm;
mod scenes;
mod slots;
mod write;

use std::collections::BTreeMap;

pub use cast::Person;
use cast::{Cast, Seat};
use rhythm::{Outage, Rhythm};

use crate::{
    Record,
    random::{Random, derive},
    render::Calendar,
    words::Words,
};

/// What a sample is made of.
#[derive(Debug, Clone)]
pub struct SampleConfig {
    /// Everything random follows from it.
    pub seed: u64,
    /// Conversations between `start` and `until` that users begin.
    pub conversations: u64,
    /// The first of them, in Unix microseconds.
    pub start: i64,
    /// The end of the history, in Unix microseconds; after it conversations begin evenly.
    pub until: i64,
    /// Events a second after the history.
    pub rate: f64,
}

/// A sample, ready to be read.
#[derive(Debug, Clone)]
pub struct Sample {
    config: SampleConfig,
    cast: Cast,
}

impl Sample {
    /// Events to a conversation that a user begins, with those below it, on average.
    pub const EVENTS_EACH: f64 = 14.0;

    /// Prepares the people of a sample.
    #[must_use]
    pub const fn new(config: SampleConfig) -> Self {
        let cast = Cast::new(config.seed);
        Self { config, cast }
    }

    /// People of each organization, the busiest first.
    #[must_use]
    pub fn people(&self) -> Vec<Vec<Person>> {
        let people = |organization| (0..Cast::people(organization)).map(move |user| Seat { organization, user });
        (0..Cast::organizations())
            .map(|organization| people(organization).map(|seat| self.cast.person(seat)).collect())
            .collect()
    }

    /// The records from the beginning; they never end.
    #[must_use]
    pub fn records(&self) -> SampleRecords {
        SampleRecords::new(&self.config, self.cast.clone())
    }
}

/// Reads a [`Sample`] from its beginning.
#[derive(Debug)]
pub struct SampleRecords {
    planner: Planner,
    rhythm: Rhythm,
    conversations: u64,
    begun: u64,
    next_begin: i64,
    /// Microseconds from one conversation to the next after the history, at most.
    gap: u64,
}

/// What is going to happen.
#[derive(Debug)]
struct Planner {
    seed: u64,
    cast: Cast,
    words: Words,
    calendar: Calendar,
    random: Random,
    outage: Outage,
    /// Conversations begun, those below others included.
    serial: u64,
    /// By the time of delivery.
    scheduled: BTreeMap<(i64, u64), Record>,
    written: u64,
}

impl Planner {
    fn schedule(&mut self, time: i64, record: Record) {
        self.written += 1;
        self.scheduled.insert((time, self.written), record);
    }
}

impl SampleRecords {
    fn new(config: &SampleConfig, cast: Cast) -> Self {
        let rhythm = Rhythm::new(config.start, config.until);
        let mut planner = Planner {
            seed: config.seed,
            cast,
            words: Words::new(config.seed),
            calendar: Calendar::new(),
            random: Random::new(derive(config.seed, 0, 0)),
            outage: Outage::before(config.until),
            serial: 0,
            scheduled: BTreeMap::new(),
            written: 0,
        };
        planner.introduce(config.start);
        let mut records = Self {
            planner,
            rhythm,
            conversations: config.conversations,
            begun: 0,
            next_begin: config.start,
            gap: gap(config.rate),
        };
        records.next_begin = records.beginning(config.until);
        records
    }

    /// User's conversations begun so far.
    #[must_use]
    pub const fn begun(&self) -> u64 {
        self.begun
    }

    /// When the next conversation begins.
    fn beginning(&mut self, last: i64) -> i64 {
        if self.begun < self.conversations {
            return self.rhythm.at(self.begun, self.conversations);
        }
        last + 1 + self.planner.random.below(self.gap).cast_signed()
    }

    /// The next record, and when it is delivered, in Unix microseconds.
    pub fn next_record(&mut self) -> (i64, Record) {
        loop {
            let next = self.planner.scheduled.first_key_value().map(|(&(time, _), _)| time);
            if next.is_some_and(|time| time < self.next_begin)
                && let Some(((time, _), record)) = self.planner.scheduled.pop_first()
            {
                return (time, record);
            }
            let begin = self.next_begin;
            self.planner.play(begin);
            self.begun += 1;
            self.next_begin = self.beginning(begin);
        }
    }
}

/// Twice the average time between two conversations, in microseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of microseconds below 300 years"
)]
fn gap(rate: f64) -> u64 {
    // A rate of zero is one event a day.
    let seconds = Sample::EVENTS_EACH / rate.max(1.0 / 86_400.0);
    (seconds * 2_000_000.0).min(1e15) as u64
}
