//! What a topic holds and how far a consumer group is through it.

use std::ops::ControlFlow;

use recap_log::{Lag, Log, LogError, LogReader, OffsetLookup, Partition};
use recap_store::ProjectedOffset;

use crate::{
    error::ServerError,
    kafka::{KafkaServer, blocking},
    record::Received,
};

impl KafkaServer {
    /// The records of these topics that the group has not committed yet. A topic that does not exist has none.
    pub async fn consumer_lag(&self, group: &str, topics: &[&str]) -> Result<u64, ServerError> {
        let log = Log::new(self.cluster(), topics.iter().copied(), group);
        let doing = format!("asking for the lag of the group {group}");
        blocking(move || Lag::of(&log).and_then(|lag| lag.now()).map_err(ServerError::log(doing))).await
    }

    /// Records of these topics that a database which holds this does not have: what a group has committed may be of a topic that was deleted.
    pub async fn records_not_held(&self, held: Vec<ProjectedOffset>, topics: &[&str]) -> Result<u64, ServerError> {
        let log = Log::new(self.cluster(), topics.iter().copied(), "recap-records-not-held");
        blocking(move || not_held(&log, &held).map_err(ServerError::log("asking what a database lacks".to_owned())))
            .await
    }

    /// Every record that a topic holds at this moment, by partition and offset.
    pub async fn read_all(&self, topic: &str) -> Result<Vec<Received>, ServerError> {
        let log = Log::new(self.cluster(), [topic], "recap-read-all");
        let doing = format!("reading {topic}");
        blocking(move || read_all(&log).map_err(ServerError::log(doing))).await
    }
}

fn not_held(log: &Log, held: &[ProjectedOffset]) -> Result<u64, LogError> {
    /// Offsets that may be the markers of transactions: it takes a while to know.
    const FEW: u64 = 1_000;
    let lookup = OffsetLookup::open(log)?;
    let (ids, mut position, ends) = (lookup.ids()?, lookup.oldest()?, lookup.ends()?);
    for held in held {
        let partition = Partition::new(held.topic.as_str(), held.partition);
        if held.topic_id == ids.get(&partition.topic).copied() {
            position.set(partition, held.next_offset);
        }
    }
    if position.missing(&ends) <= FEW {
        lookup.skip_empty_ends(&mut position, &ends)?;
    }
    Ok(position.missing(&ends))
}

fn read_all(log: &Log) -> Result<Vec<Received>, LogError> {
    let mut reader = LogReader::open(log)?;
    let end = reader.lookup().ends()?;
    let mut records = Vec::new();
    reader.read_to(&end, |partition, message| {
        let record = Received::from(&message);
        if record.offset < end.get(partition) {
            records.push(record);
        }
        ControlFlow::Continue(())
    })?;
    records.sort_by_key(|record| (record.partition, record.offset));
    Ok(records)
}
