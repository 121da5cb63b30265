//! Topics of an application that knows no contract, among those of the contract: several events in one record, which a mapping takes out again.

use std::fs;

use recap_generator::Record;
use recap_log::Topic;
use recap_testing::World;
use tempfile::TempDir;

const PROGRAM: &str = ".value.batch[]";
/// Events of one record: from one to this many.
const BATCH_MAX: usize = 4;

/// Which topics are mapped.
pub struct Mapped {
    topics: Vec<Topic>,
}

/// Records as they are published.
pub struct Published {
    pub records: Vec<Record>,
    /// Events in records that are mapped.
    pub mapped: usize,
}

impl Mapped {
    /// Of a comma list of the contract's names.
    pub fn of(names: &str) -> Self {
        let of_name = |name: &str| {
            let topic = Topic::ALL.into_iter().find(|topic| topic.name() == name);
            topic.unwrap_or_else(|| panic!("no such topic: {name}"))
        };
        let names = names.split(',').filter(|name| !name.is_empty());
        Self {
            topics: names.map(of_name).collect(),
        }
    }

    /// The folder of the mappings.
    pub fn folder(&self, world: &World<'_>) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for topic in &self.topics {
            let name = world.log.name(topic.name());
            fs::write(folder.path().join(format!("{name}.jq")), PROGRAM).unwrap();
        }
        folder
    }

    /// Puts events of mapped topics together. Invalid ones are published as they are, which a mapping refuses as well.
    pub fn publish(&self, records: &[Record]) -> Published {
        let mut published = Published {
            records: Vec::with_capacity(records.len()),
            mapped: 0,
        };
        let mut waiting: Vec<Vec<&Record>> = vec![Vec::new(); self.topics.len()];
        for record in records {
            let Some(at) = self.topics.iter().position(|topic| *topic == record.topic) else {
                published.records.push(record.clone());
                continue;
            };
            if record.invalid {
                published.records.push(record.clone());
            } else if is_respelled(&record.value) {
                published.records.push(self.elsewhere(record));
            } else {
                waiting[at].push(record);
                let size = 1 + published.records.len() % BATCH_MAX;
                if waiting[at].len() >= size {
                    published.batch(&std::mem::take(&mut waiting[at]));
                }
            }
        }
        for batch in &waiting {
            published.batch(batch);
        }
        published
    }

    /// In a topic that is not mapped: the type says what an event is.
    fn elsewhere(&self, record: &Record) -> Record {
        let topic = Topic::ALL
            .into_iter()
            .find(|topic| !self.topics.contains(topic))
            .unwrap();
        Record {
            topic,
            ..record.clone()
        }
    }
}

impl Published {
    fn batch(&mut self, batch: &[&Record]) {
        let Some(first) = batch.first() else { return };
        let values: Vec<&[u8]> = batch.iter().map(|record| &record.value[..]).collect();
        self.mapped += values.len();
        self.records.push(Record {
            value: [b"{\"batch\":[", &values.join(&b","[..])[..], b"]}"].concat(),
            ..(*first).clone()
        });
    }
}

/// A mapping writes an escaped letter as the letter, which shows in what comes back as it was sent; and it refuses what is nested more deeply than it may be.
fn is_respelled(value: &[u8]) -> bool {
    let has = |part: &[u8]| value.windows(part.len()).any(|window| window == part);
    has(b"\\u") || has(b"[[[[[[[[")
}
