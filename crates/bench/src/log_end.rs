//! A consumer group that begins at the end of the log.

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use recap_log::{Log, OffsetLookup};

/// Commits the ends of the topics for a group that has no members yet, so that it reads only what comes from now on.
pub fn start_group_at_end(log: &Log) -> anyhow::Result<()> {
    let ends = OffsetLookup::open(log)?.ends()?;
    let config = log.cluster.client_with(|config| {
        config.set("group.id", &*log.group);
    });
    let consumer: BaseConsumer = config.create()?;
    Ok(consumer.commit(&ends.to_list()?, CommitMode::Sync)?)
}
