//! A consumer group, and a database, that begin at the end of the log.

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use recap_log::{Log, OffsetLookup};
use sqlx::{Connection as _, PgConnection};

use crate::stack::Database;

/// The database takes over what the group has committed: one that holds nothing would read the log from its beginning.
pub async fn adopt_group_offsets(database: &Database) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(&database.url).await?;
    sqlx::query("UPDATE recap.live SET adopts_group_offsets = true")
        .execute(&mut connection)
        .await?;
    Ok(connection.close().await?)
}

/// Commits the ends of the topics for a group that has no members yet, so that it reads only what comes from now on.
pub fn start_group_at_end(log: &Log) -> anyhow::Result<()> {
    let ends = OffsetLookup::open(log)?.ends()?;
    let config = log.cluster.client_with(|config| {
        config.set("group.id", &*log.group);
    });
    let consumer: BaseConsumer = config.create()?;
    Ok(consumer.commit(&ends.to_list()?, CommitMode::Sync)?)
}
