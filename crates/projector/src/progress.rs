//! What the database holds of the log: where reading begins, and how far it came.
//!
//! Offsets are kept in the database after the rows they cover, and committed to Kafka after that. So the database is never behind the group,
//! unless it forgot something: a standby that was promoted, a backup that was restored. Then the lesser of the two is read from.
//!
//! The keeper is a task of its own, since it waits for the database and for brokers; the consumer thread asks it and goes on polling.

mod start;

use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    time::Duration,
};

use recap_log::{LogError, OffsetLookup, Offsets, Partition};
use recap_service::backoff::Backoff;
use recap_store::{Advance, DatabaseError, FlushError, ProgressError, ProjectedOffset, Store};
use recap_telemetry::ProjectorMetrics;
use tokio::{
    sync::mpsc::UnboundedReceiver,
    task::JoinError,
    time::{Instant, MissedTickBehavior, interval},
};
use uuid::Uuid;

use self::start::{Known, Start, start};
use crate::{
    Settings,
    worker::{FlushFailure, WorkerError},
};

/// How often an idle projector looks whether the database still holds what it confirmed; one small statement.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// What the consumer thread asks.
#[derive(Debug)]
pub(crate) enum Request {
    /// Where to begin to read these partitions. `stopped`: brokers refused to go on with one of them.
    Begin { partitions: Vec<Partition>, stopped: bool },
    /// Everything before these offsets is in the rows.
    Save(Offsets),
    /// These partitions belong to somebody else now.
    Forget(Vec<Partition>),
}

/// What it is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// To read these partitions from there.
    Begin(Offsets),
    /// These offsets are kept.
    Saved(Offsets),
}

/// Why the keeper cannot answer now.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the database is unavailable: {0}")]
    Database(#[from] DatabaseError),
    #[error("a question to the brokers crashed: {0}")]
    Crashed(#[from] JoinError),
    #[error(transparent)]
    Recreated(#[from] Recreated),
}

/// A topic that the clients of this process know was deleted and created anew. They would refuse what brokers say of the new one: librdkafka keeps the
/// leader epochs of the one before (2.12.1, `rd_kafka_toppar_leader_update`), and those of a new topic begin at 0 again. So they are replaced.
#[derive(Debug, thiserror::Error)]
#[error("the topic {0} was deleted and created anew")]
pub struct Recreated(Arc<str>);

/// Keeps offsets in the database.
pub(crate) struct Keeper {
    store: Store,
    settings: Arc<Settings>,
    metrics: ProjectorMetrics,
    requests: UnboundedReceiver<Request>,
    answers: mpsc::Sender<Answer>,
    /// What the database holds of the partitions that are read here.
    held: BTreeMap<Partition, ProjectedOffset>,
    lookup: Option<Arc<OffsetLookup>>,
    /// The topics that the clients know.
    topic_ids: BTreeMap<Arc<str>, Uuid>,
}

impl Keeper {
    pub fn new(
        store: Store,
        settings: Arc<Settings>,
        metrics: ProjectorMetrics,
        requests: UnboundedReceiver<Request>,
        answers: mpsc::Sender<Answer>,
    ) -> Self {
        Self {
            store,
            settings,
            metrics,
            requests,
            answers,
            held: BTreeMap::new(),
            lookup: None,
            topic_ids: BTreeMap::new(),
        }
    }

    /// Answers for as long as the consumer thread asks.
    ///
    /// # Errors
    /// [`FlushError::CommitsLost`]: the database lacks what it had confirmed. [`Recreated`]: a topic is another one now.
    pub async fn run(mut self) -> Result<(), WorkerError> {
        for topic in &*self.settings.topics {
            self.metrics.began(topic, 0, 0);
        }
        let mut looks = interval(self.settings.topic_refresh);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_saved = Instant::now();
        loop {
            tokio::select! {
                request = self.requests.recv() => match request {
                    None => return Ok(()),
                    Some(Request::Begin { partitions, stopped }) => self.begin(&partitions, stopped).await?,
                    Some(Request::Save(offsets)) => {
                        self.save(&offsets).await?;
                        last_saved = Instant::now();
                    }
                    Some(Request::Forget(partitions)) => self.held.retain(|held, _| !partitions.contains(held)),
                },
                _ = looks.tick() => self.look_for_recreated_topics().await?,
                () = tokio::time::sleep_until(last_saved + CHECK_EVERY) => {
                    self.check().await?;
                    last_saved = Instant::now();
                }
            }
        }
    }

    fn answer(&self, answer: Answer) {
        // Without a consumer thread nobody has anything to do with it.
        let _unheard = self.answers.send(answer);
    }

    /// Decides where to begin, however long the brokers or the database are away.
    async fn begin(&mut self, partitions: &[Partition], stopped: bool) -> Result<(), Recreated> {
        let mut backoff = Backoff::new();
        loop {
            match self.try_begin(partitions, stopped).await {
                Ok(offsets) => {
                    self.answer(Answer::Begin(offsets));
                    return Ok(());
                }
                Err(Trouble::Recreated(recreated)) => return Err(recreated),
                Err(error) => tracing::warn!(%error, "where to begin to read is not known yet"),
            }
            backoff.wait().await;
        }
    }

    async fn try_begin(&mut self, partitions: &[Partition], stopped: bool) -> Result<Offsets, Trouble> {
        let asked = partitions.to_vec();
        let (extents, committed) = self
            .ask(move |lookup| Ok((lookup.extents(&asked)?, lookup.committed_of(&asked)?)))
            .await?;
        let seen = extents.iter();
        self.note(seen.filter_map(|(partition, extent)| Some((&partition.topic, extent.topic_id?))))?;
        let holdings = self.store.holdings().await?;
        let projected = |partition: &Partition| {
            let is_it = |held: &&ProjectedOffset| *held.topic == *partition.topic && held.partition == partition.number;
            holdings.offsets.iter().find(is_it)
        };
        let mut starts = BTreeMap::new();
        for partition in partitions {
            let known = Known {
                extent: extents.get(partition).copied(),
                projected: projected(partition),
                committed: committed.find(partition),
                adopts: holdings.adopts_group_offsets,
            };
            starts.insert(partition.clone(), (known, start(&known)));
        }
        if stopped && !starts.values().any(|(_, start)| start.explains_a_stop()) {
            tracing::warn!(
                "a log is not what was read of it before, brokers may have lost records: reading everything again"
            );
            for (known, start) in starts.values_mut() {
                start.offset = known.extent.map_or(start.offset, |extent| extent.low);
            }
        }
        let claims: Vec<ProjectedOffset> = starts
            .iter()
            .filter_map(|(partition, (known, start))| claim(partition, known, start))
            .collect();
        if !claims.is_empty() {
            self.store.set_projected_offsets(&claims).await?;
        }
        let mut offsets = Offsets::default();
        for (partition, (known, start)) in starts {
            self.report(&partition, &start);
            self.held.insert(
                partition.clone(),
                ProjectedOffset {
                    topic: partition.topic.to_string(),
                    partition: partition.number,
                    topic_id: known.topic_id(),
                    next_offset: start.offset,
                },
            );
            offsets.set(partition, start.offset);
        }
        Ok(offsets)
    }

    fn report(&self, partition: &Partition, start: &Start) {
        let (topic, number) = (&*partition.topic, partition.number);
        self.metrics.began(&partition.topic, start.lost(), start.rewound());
        if start.is_recreated {
            tracing::warn!(
                topic,
                partition = number,
                "the topic was deleted and created anew; reading it from its beginning"
            );
        }
        if let Some(position) = start.cut_off {
            let from = start.offset;
            tracing::warn!(
                topic,
                partition = number,
                position,
                from,
                "the log ends before what was read of it, brokers may have lost records; reading it from its beginning"
            );
        }
        if start.rewound() > 0 {
            let (from, committed, records) = (start.offset, start.behind, start.rewound());
            tracing::warn!(
                topic,
                partition = number,
                from,
                committed,
                records,
                "the database lacks what the group has committed, it may have been restored; reading it again"
            );
        }
        if let Some(first) = start.lost_from {
            let (next, records) = (start.offset, start.lost());
            tracing::error!(
                topic,
                partition = number,
                first,
                next,
                records,
                "records were gone from the log before they were read, at most as many as offsets: they are in no row unless `recap rebuild --archive` has them"
            );
        }
    }

    /// Keeps offsets, however long the database is away.
    async fn save(&mut self, offsets: &Offsets) -> Result<(), WorkerError> {
        let mut backoff = Backoff::new();
        let advances: Vec<Advance> = offsets
            .iter()
            .filter_map(|(partition, next)| {
                let held = self.held.get(partition)?;
                let to = ProjectedOffset {
                    next_offset: next,
                    ..held.clone()
                };
                Some(Advance {
                    to,
                    from: held.next_offset,
                })
            })
            .collect();
        loop {
            match self.store.advance_projected_offsets(&advances).await {
                Ok(()) => break,
                Err(ProgressError::CommitsLost) => return Err(commits_lost()),
                Err(ProgressError::Database(error)) => {
                    tracing::warn!(%error, "offsets are not kept in the database yet");
                }
            }
            backoff.wait().await;
        }
        let mut saved = Offsets::default();
        for (partition, next) in offsets.iter() {
            if let Some(held) = self.held.get_mut(partition) {
                held.next_offset = next;
                saved.set(partition.clone(), next);
            }
        }
        self.answer(Answer::Saved(saved));
        Ok(())
    }

    /// Whether an idle projector's database was taken back.
    async fn check(&self) -> Result<(), WorkerError> {
        let held: Vec<ProjectedOffset> = self
            .held
            .values()
            .filter(|held| held.next_offset > 0)
            .cloned()
            .collect();
        if let Err(ProgressError::CommitsLost) = self.store.check_projected_offsets(&held).await {
            return Err(commits_lost());
        }
        // Away, it is asked again.
        Ok(())
    }

    async fn look_for_recreated_topics(&mut self) -> Result<(), Recreated> {
        let topics = self.settings.topics.to_vec();
        match self.ask(move |lookup| lookup.topic_ids(&topics)).await {
            Ok(ids) => self.note(ids.iter().filter_map(|(topic, id)| Some((topic, (*id)?)))),
            Err(error) => {
                tracing::debug!(%error, "topic ids not looked up");
                Ok(())
            }
        }
    }

    /// Notes which topics there are.
    fn note<'t>(&mut self, ids: impl IntoIterator<Item = (&'t Arc<str>, Uuid)>) -> Result<(), Recreated> {
        for (topic, id) in ids {
            if *self.topic_ids.entry(Arc::clone(topic)).or_insert(id) != id {
                return Err(Recreated(Arc::clone(topic)));
            }
        }
        Ok(())
    }

    /// Asks the brokers, on a thread that may wait for them.
    async fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(&OffsetLookup) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, Trouble> {
        let lookup = if let Some(lookup) = &self.lookup {
            Arc::clone(lookup)
        } else {
            let lookup = Arc::new(OffsetLookup::open(&self.settings.log())?);
            self.lookup = Some(Arc::clone(&lookup));
            lookup
        };
        let answer = tokio::task::spawn_blocking(move || question(&lookup)).await?;
        if answer.is_err() {
            // A new client has forgotten what it knew.
            self.lookup = None;
        }
        Ok(answer?)
    }
}

/// What the database is to hold of a partition, when that is not what it holds.
fn claim(partition: &Partition, known: &Known<'_>, start: &Start) -> Option<ProjectedOffset> {
    known.extent?;
    let next_offset = match known.projected {
        Some(projected) if !start.is_recreated && start.cut_off.is_none() => projected.next_offset.max(start.offset),
        _ => start.offset,
    };
    let claim = ProjectedOffset {
        topic: partition.topic.to_string(),
        partition: partition.number,
        topic_id: known.topic_id(),
        next_offset,
    };
    (known.projected != Some(&claim)).then_some(claim)
}

fn commits_lost() -> WorkerError {
    FlushFailure::Store(FlushError::CommitsLost).into()
}
