//! What a topic holds and how far a consumer group is through it.

use std::ops::ControlFlow;

use recap_log::{Lag, Log, LogError, LogReader};

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

    /// The same, without the offsets that transactions leave behind the last record; each question takes a while.
    pub async fn records_left(&self, group: &str, topics: &[&str]) -> Result<u64, ServerError> {
        let log = Log::new(self.cluster(), topics.iter().copied(), group);
        let doing = format!("asking for the lag of the group {group}");
        blocking(move || {
            Lag::of(&log)
                .and_then(|lag| lag.records())
                .map_err(ServerError::log(doing))
        })
        .await
    }

    /// Every record that a topic holds at this moment, by partition and offset.
    pub async fn read_all(&self, topic: &str) -> Result<Vec<Received>, ServerError> {
        let log = Log::new(self.cluster(), [topic], "recap-read-all");
        let doing = format!("reading {topic}");
        blocking(move || read_all(&log).map_err(ServerError::log(doing))).await
    }
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
