//! Publishes dead letters as they once came.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use rdkafka::{message::Header, producer::BaseRecord};
use recap_log::{Cluster, Publisher};
use recap_projector::dead_letters::format::{FIRST_FAILURE, replay_headers};

use super::{
    letter::{DeadLetter, Location},
    reader,
};

/// Sends records back, or only says which.
pub struct Sender {
    cluster: Cluster,
    publisher: Option<Publisher>,
    sent: u64,
}

impl Sender {
    pub fn connect(cluster: &Cluster, dry_run: bool) -> anyhow::Result<Self> {
        let publisher = if dry_run {
            None
        } else {
            Some(Publisher::connect(cluster)?)
        };
        Ok(Self {
            cluster: cluster.clone(),
            publisher,
            sent: 0,
        })
    }

    /// Publishes the original record to the topic it came from; its key chooses the partition.
    pub fn send(&mut self, letter: &DeadLetter) -> anyhow::Result<()> {
        let topic = letter
            .origin_topic
            .as_deref()
            .with_context(|| format!("the dead letter at {} does not say where it came from", letter.location))?;
        self.sent += 1;
        let Some(publisher) = &mut self.publisher else {
            return Ok(writeln!(std::io::stdout(), "{}", letter.line())?);
        };
        let original = if letter.omitted.is_empty() {
            letter
        } else {
            &original(&self.cluster, topic, letter)?
        };
        let headers = match &letter.first_failure {
            Some(time) if !letter.omitted.is_empty() => replay_headers(&original.headers).insert(Header {
                key: FIRST_FAILURE,
                value: Some(time),
            }),
            _ => replay_headers(&original.headers),
        };
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).headers(headers);
        record.key = original.key.as_deref();
        record.payload = original.value.as_deref();
        record.timestamp = letter.timestamp;
        Ok(publisher.send_record(record)?)
    }

    /// Waits until everything is acknowledged; returns how many records that is.
    pub fn finish(self) -> anyhow::Result<u64> {
        if let Some(publisher) = self.publisher {
            publisher.flush()?;
        }
        Ok(self.sent)
    }
}

/// The record that the dead-letter topic could not take whole.
fn original(cluster: &Cluster, topic: &str, letter: &DeadLetter) -> anyhow::Result<DeadLetter> {
    let (Some(partition), Some(offset)) = (letter.origin_partition, letter.origin_offset) else {
        bail!(
            "the dead letter at {} is not whole and does not say where the record is",
            letter.location
        );
    };
    reader::read_one(cluster, topic, Location { partition, offset })?.with_context(|| {
        format!(
            "the record of the dead letter at {} is gone from {topic}",
            letter.location
        )
    })
}
