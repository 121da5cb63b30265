//! Writes batches as they come, several at once.

use std::{sync::Arc, time::Duration};

use recap_store::{Batch, FlushError, GenerationId, Writer};
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinSet},
};

use super::fold::Work;

/// Which generation batches go to, and how many flushes run at once.
#[derive(Clone)]
pub struct Flushing {
    /// Writes them.
    pub writer: Arc<Writer>,
    /// Where they go.
    pub generation: GenerationId,
    /// Flushes that run at once.
    pub at_once: usize,
    /// The generation is the live one and every row is written anew.
    pub rewrite_live: bool,
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
    async fn flush(&self, mut work: Work) -> Result<(), FlushError> {
        let mut pause = Duration::from_millis(100);
        loop {
            let flushed = match &mut work {
                Work::New(entries) => self.writer.copy_building(self.generation, entries).await,
                Work::Any(batch) if self.rewrite_live => self.writer.rewrite(self.generation, batch).await,
                Work::Any(batch) => self.writer.flush_building(self.generation, batch).await,
            };
            match (flushed, &mut work) {
                (Ok(_), _) => return Ok(()),
                // Such as a commit whose answer was lost: what is there is merged with.
                (Err(FlushError::Refused(_)), Work::New(entries)) => {
                    work = Work::Any(Batch {
                        conversations: std::mem::take(entries),
                        ..Batch::default()
                    });
                }
                (Err(FlushError::Unavailable(error)), _) => {
                    tracing::warn!(%error, retry_in = ?pause, "the database is away, trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(10));
                }
                (Err(error), _) => return Err(error),
            }
        }
    }
}

fn outcome_of(finished: Result<Result<(), FlushError>, JoinError>) -> Result<(), FlushError> {
    match finished {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
