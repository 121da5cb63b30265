//! A generation filled by several processes, here and on other machines: this one divides it into shares and waits until they are filled.
//!
//! A share is every partition whose number leaves the same remainder, in all topics. Where topics have as many partitions and records the same keys, a
//! conversation is in one share alone; where not, what several shares hold of it is merged, as what several projectors write is.

use std::{io, time::Duration};

use recap_log::{LogError, OffsetLookup, Offsets};
use recap_store::{GenerationId, Shares};

use super::{RebuildOptions, open};
use crate::{Phase, Replay, ReplayError, checkpoint};

/// How often the shares are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// More shares than this gain nothing: each is read by consumers of its own.
const SHARES_MAX: i32 = 64;

/// The processes that were started here to fill a generation; others may have joined them.
pub trait Workers: Send + Sync {
    /// Starts them. Each of them joins the rebuild ([`Replay::join`]).
    fn start(&self) -> io::Result<()>;
    /// How many of them are running.
    fn running(&self) -> usize;
}

impl Replay {
    /// Until every share of a generation is filled.
    pub(super) async fn fill_by_workers(
        &self,
        generation: GenerationId,
        options: &RebuildOptions,
        workers: &dyn Workers,
    ) -> Result<(), ReplayError> {
        let archive = open(options.archive.as_ref()).await?;
        let of = self.partitions_of_a_topic().await?.clamp(1, SHARES_MAX);
        self.store.share_out(generation, of, archive.is_some()).await?;
        let archived = archive.map_or(0, |archive| archive.manifest().records());
        self.observer
            .phase(Phase::Filling, Some(archived + self.records_left(generation).await?));
        workers.start().map_err(ReplayError::Worker)?;
        let mut before = self.store.shares(generation).await?;
        loop {
            // Asked before the shares are looked at: who has ended has finished its last one.
            let running = workers.running();
            let now = self.store.shares(generation).await?;
            self.report(before, now);
            if now.filled == now.all {
                break;
            }
            if running == 0 && now.held == 0 {
                return Err(ReplayError::WorkersGone {
                    left: now.all - now.filled,
                    all: now.all,
                });
            }
            before = now;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        // From here on the checkpoint says how far the generation is.
        Ok(self.store.forget_shares(generation).await?)
    }

    fn report(&self, before: Shares, now: Shares) {
        let records = now.records.saturating_sub(before.records);
        let events = now.events.saturating_sub(before.events);
        if records > 0 {
            self.observer.read(records, events);
        }
    }

    /// The most partitions that a topic has.
    async fn partitions_of_a_topic(&self) -> Result<i32, ReplayError> {
        let log = self.log.clone();
        let asking = tokio::task::spawn_blocking(move || OffsetLookup::open(&log)?.partitions());
        let partitions = asking.await??;
        Ok(partitions
            .iter()
            .map(|partition| partition.number + 1)
            .max()
            .unwrap_or(1))
    }

    /// Records between the generation's checkpoint and the end of the log.
    async fn records_left(&self, generation: GenerationId) -> Result<u64, ReplayError> {
        let checkpoint = checkpoint::load(&self.store, generation).await?;
        let log = self.log.clone();
        let asking = tokio::task::spawn_blocking(move || {
            let lookup = OffsetLookup::open(&log)?;
            let from = checkpoint.offsets(&lookup.ids()?);
            let oldest = lookup.oldest()?;
            let position: Offsets = oldest
                .iter()
                .map(|(partition, oldest)| (partition.clone(), oldest.max(from.get(partition))))
                .collect();
            Ok::<_, LogError>(position.missing(&lookup.ends()?))
        });
        Ok(asking.await??)
    }
}
