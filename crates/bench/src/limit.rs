//! The limit: consume and decode the whole log, write nothing.

use std::{hint::black_box, ops::ControlFlow};

use anyhow::bail;
use rdkafka::{Message as _, message::BorrowedMessage};
use recap_events::{Decoded, MaxTimeAhead, decode};
use recap_log::{Cluster, RecordHeader, headers};

use super::source::{Source, rate_of_shares};

/// Events a second over that many consumers, each with its own thread.
pub fn rate(cluster: &Cluster, consumers: i32) -> anyhow::Result<f64> {
    rate_of_shares(consumers, |share| {
        Source::open(cluster, share, consumers)?.read(|message| {
            match decoded(message) {
                Decoded::Event(event) => black_box(&event),
                other => bail!("the log holds a record that is no event: {other:?}"),
            };
            Ok(ControlFlow::Continue(()))
        })
    })
}

/// Decodes a record with its headers, as the projector does.
pub fn decoded<'a>(message: &'a BorrowedMessage<'_>) -> Decoded<'a> {
    // Empty for structured events, and an empty Vec costs nothing.
    let headers: Vec<RecordHeader<'_>> = headers(message.headers()).flatten().collect();
    let latest = MaxTimeAhead::default().latest(message.timestamp().to_millis());
    decode(message.payload(), headers.iter().copied(), latest)
}
