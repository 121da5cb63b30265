//! The seeded event log that `recap events`, `recap dev`, `recap-bench` and the tests share: the traffic of an AI-agent
//! platform as deploy/benchmarks.md describes it, one structured `CloudEvent` a record.
//!
//! It is pure: the same [`Config`] gives the same bytes on every machine, with no clock and no other source of chance.
//! Memory is bounded by the conversations in flight, however long the log. It publishes nothing; callers do.
//!
//! [`Sample`] is another one, written to be read by people.
//!
//! Start at [`Log`]; `records` decides what happens next, `render` writes it down.

mod config;
mod invalid;
mod population;
mod random;
mod records;
mod render;
mod sample;
mod words;

use std::sync::Arc;

pub use config::Config;
use population::Population;
use recap_log::Topic;
pub use records::Records;
pub use sample::{Person, Sample, SampleConfig, SampleRecords};
use words::Words;

/// One Kafka record to publish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Where it belongs.
    pub topic: Topic,
    /// `conversationId`, or `orgId/userId`, or `orgId/agentId`.
    pub key: Vec<u8>,
    /// A structured `CloudEvent` in JSON (unless `invalid`).
    pub value: Vec<u8>,
    /// The event's time in Unix microseconds.
    pub time: i64,
    /// Whether the projector must refuse it: only where [`Config::invalid_share`] asks for that.
    pub invalid: bool,
}

/// A log, ready to be read any number of times.
#[derive(Clone, Debug)]
pub struct Log {
    world: Arc<World>,
}

/// What does not change while a log is read.
#[derive(Debug)]
struct World {
    config: Config,
    population: Population,
    words: Words,
}

impl Log {
    /// Prepares the organizations, users, agents and words of a log.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let population = Population::new(&config);
        let words = Words::new(config.seed);
        Self {
            world: Arc::new(World {
                config,
                population,
                words,
            }),
        }
    }

    /// The log from its beginning.
    #[must_use]
    pub fn iter(&self) -> Records {
        Records::new(Arc::clone(&self.world))
    }

    /// Ids of the organizations, the busiest first.
    #[must_use]
    pub fn organizations(&self) -> Vec<String> {
        let world = &self.world;
        (0..world.config.organizations.max(1))
            .map(|index| world.population.organization_id(index).to_owned())
            .collect()
    }

    /// Ids of the users of an organization (by its place in [`Log::organizations`]), the busiest first.
    #[must_use]
    pub fn users(&self, organization: u32) -> Vec<String> {
        let world = &self.world;
        (0..world.population.user_count(organization))
            .map(|user| world.population.user_id(organization, user))
            .collect()
    }
}

impl IntoIterator for &Log {
    type Item = Record;
    type IntoIter = Records;

    fn into_iter(self) -> Records {
        self.iter()
    }
}
