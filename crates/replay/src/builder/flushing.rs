//! Writes batches as they come, several at once.

use std::{
    iter,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use recap_store::{Attempt, Base, BatchFlush as _, FlushError, GenerationId, Store, Target};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
};

use super::fold::Work;

/// How long to wait after the first failed attempt to write a batch; twice as long after each other one.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// So many copies may be in vain; from then on what is there is looked up first.
const COPIES_REFUSED: u32 = 3;

/// Which generation batches go to, and how many flushes run at once.
#[derive(Clone)]
pub struct Flushing {
    /// Writes them.
    pub store: Store,
    /// Where they go.
    pub generation: GenerationId,
    /// Flushes that run at once.
    pub at_once: usize,
    /// The generation is the live one and every row is written anew.
    pub rewrite_live: bool,
    /// Copies that met a row: somebody else writes the same conversations.
    pub refused_copies: Arc<AtomicU32>,
}

impl Flushing {
    /// Writes batches as they come, several at once, until the sender is gone. After a failure no
    /// more are taken, which stops the sender.
    pub async fn flush_all(&self, mut batches: mpsc::Receiver<Vec<Work>>) -> Result<(), FlushError> {
        let mut running: JoinSet<Result<(), FlushError>> = JoinSet::new();
        let mut outcome = Ok(());
        'taking: while let Some(several) = batches.recv().await {
            for work in several {
                if running.len() >= self.at_once
                    && let Some(finished) = running.join_next().await
                {
                    outcome = outcome_of(finished);
                    if outcome.is_err() {
                        break 'taking;
                    }
                }
                let this = self.clone();
                running.spawn(async move { this.flush(work).await });
            }
        }
        drop(batches);
        while let Some(finished) = running.join_next().await {
            outcome = outcome.and(outcome_of(finished));
        }
        outcome
    }

    /// Writes one batch; a database that is away is waited for.
    async fn flush(&self, work: Work) -> Result<(), FlushError> {
        let (target, batch) = match work {
            Work::New(mut batch) if self.refused_copies.load(Ordering::Relaxed) >= COPIES_REFUSED => {
                for entry in &mut batch.conversations {
                    entry.base = Base::Unknown;
                }
                (Target::Building(self.generation), batch)
            }
            Work::New(batch) => (Target::NewInBuilding(self.generation), batch),
            Work::Any(batch) if self.rewrite_live => (Target::RewriteLive(self.generation), batch),
            Work::Any(batch) => (Target::Building(self.generation), batch),
        };
        let delays = iter::successors(Some(FIRST_DELAY), |delay| Some((*delay * 2).min(LONGEST_DELAY)));
        let report = |attempt: Attempt<'_>| {
            if let (Err(error), Some(retry_in)) = (attempt.result, attempt.retry_in) {
                tracing::warn!(%error, ?retry_in, "the database is unavailable; the same batch is tried again");
            }
            if matches!(attempt.result, Err(FlushError::Refused(_))) {
                self.refused_copies.fetch_add(1, Ordering::Relaxed);
            }
        };
        self.store.flush_with_retries(target, batch, delays, report).await?;
        Ok(())
    }
}

fn outcome_of(finished: Result<Result<(), FlushError>, JoinError>) -> Result<(), FlushError> {
    match finished {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
