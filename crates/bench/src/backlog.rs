//! The live projector catching up from the start of the log, in a process of its own.

use std::time::{Duration, Instant};

use recap_log::Lag;
use recap_service::clock;

use super::{
    service::{Memory, Service},
    source::per_second,
    stack::{Broker, Database, Databases},
    stored::{self, Stored},
    tables::{Cost, Tables},
};

/// A run that takes longer has failed.
const RUN_TIMEOUT: Duration = Duration::from_hours(1);

/// What a run cost.
#[derive(Clone, Copy, Debug)]
pub struct Backlog {
    pub events_per_second: f64,
    pub memory: Memory,
    pub cost: Cost,
}

/// A database as a projector finds it: migrated, and filled where asked.
pub async fn prepare(databases: &Databases, stored: Option<Stored>) -> anyhow::Result<Database> {
    let database = databases.create().await?;
    if let Some(stored) = stored {
        stored::fill(&database, stored, clock::now()).await?;
    } else {
        let store = database.store()?;
        store.migrate().await?;
        store.close().await;
    }
    Ok(database)
}

/// Variables of a projector with a consumer group of its own.
pub fn projector_variables<'a>(
    broker: &'a Broker,
    database: &'a Database,
    group: &'a str,
) -> Vec<(&'static str, &'a str)> {
    vec![
        ("DATABASE_URL", &database.url),
        ("KAFKA_BOOTSTRAP_SERVERS", &broker.bootstrap_servers),
        ("RECAP_CONSUMER_GROUP", group),
        ("RECAP_ADMIN_ADDR", "127.0.0.1:0"),
        // The end of a run is seen by the committed offsets; half a second would blur short runs.
        ("RECAP_OFFSET_COMMIT_INTERVAL", "50ms"),
    ]
}

/// One run over the whole log, with mappings where there is a folder; the clock runs from the start of the process to the commit of the last offset.
pub async fn run(
    broker: &Broker,
    database: &Database,
    group: &str,
    events: u64,
    mappings: Option<&str>,
) -> anyhow::Result<Backlog> {
    let lag = Lag::of_finished(&broker.log(group))?;
    let before = Tables::of(database).await?;
    let begun = Instant::now();
    let mut variables = projector_variables(broker, database, group);
    variables.extend(mappings.map(|folder| ("RECAP_MAPPINGS", folder)));
    let mut projector = Service::start("recap-projector", &variables)?;
    while lag.now()? > 0 {
        projector.check()?;
        anyhow::ensure!(begun.elapsed() < RUN_TIMEOUT, "the projector does not catch up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let events_per_second = per_second(events, begun.elapsed());
    let memory = projector.memory()?;
    let cost = Tables::of(database).await?.cost_since(&before, events);
    projector.stop()?;
    Ok(Backlog {
        events_per_second,
        memory,
        cost,
    })
}
