//! A flush that goes on until its batch is written.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use super::{FlushReport, Target};
use crate::{Batch, FlushError, Store};

/// One attempt to write a batch or a part of one.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// What came of it.
    pub result: Result<&'a FlushReport, &'a FlushError>,
    /// Conversations it was to write.
    pub conversations: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// How long it is until the same conversations are tried again; `None` when that is at once or never.
    pub retry_in: Option<Duration>,
}

/// What follows an attempt.
#[derive(Clone, Copy)]
enum Next {
    End,
    Wait(Duration),
    Halve,
    Merge,
}

/// Writes batches: [`Store`], or what a test puts in its place.
pub trait BatchFlush: Send + Sync + 'static {
    /// Commits a batch to its target. After an error nothing is written, and the batch can be flushed again.
    fn flush(&self, target: Target, batch: &mut Batch) -> impl Future<Output = Result<FlushReport, FlushError>> + Send;

    /// Flushes a batch again and again while the database is unavailable, in halves when it is too much for the time that a
    /// statement has. Returns the batch as flushes leave it.
    ///
    /// `delays` are the times between two attempts; when they end, so do the attempts. `report` hears of every attempt.
    /// [`Target::NewInBuilding`] becomes [`Target::Building`] when the generation has one of the rows all the same, such as
    /// after a commit whose answer was lost.
    fn flush_with_retries(
        &self,
        target: Target,
        batch: Batch,
        delays: impl Iterator<Item = Duration> + Clone + Send,
        mut report: impl FnMut(Attempt<'_>) + Send,
    ) -> impl Future<Output = Result<Batch, FlushError>> + Send {
        async move {
            let mut written = Batch::default();
            let mut parts = vec![(target, batch)];
            while let Some((mut target, mut part)) = parts.pop() {
                let mut delays = delays.clone();
                while !part.is_empty() {
                    let conversations = part.conversations.len();
                    let started = Instant::now();
                    let result = self.flush(target, &mut part).await;
                    let elapsed = started.elapsed();
                    let next = match &result {
                        Err(FlushError::Refused(_)) if target.copies() => Next::Merge,
                        Err(error) if error.is_timeout() && conversations > 1 => Next::Halve,
                        Err(FlushError::Unavailable(_)) => delays.next().map_or(Next::End, Next::Wait),
                        Ok(_) | Err(_) => Next::End,
                    };
                    report(Attempt {
                        result: result.as_ref(),
                        conversations,
                        elapsed,
                        retry_in: match next {
                            Next::Wait(delay) => Some(delay),
                            Next::End | Next::Halve | Next::Merge => None,
                        },
                    });
                    match next {
                        Next::End => {
                            result?;
                            break;
                        }
                        Next::Wait(delay) => tokio::time::sleep(delay).await,
                        Next::Merge => target = Target::Building(target.generation()),
                        // Each conversation is whole in itself, so the halves need not be written together.
                        Next::Halve => parts.push((target, part.split_off(conversations / 2))),
                    }
                }
                written.conversations.append(&mut part.conversations);
            }
            Ok(written)
        }
    }
}

impl BatchFlush for Store {
    fn flush(&self, target: Target, batch: &mut Batch) -> impl Future<Output = Result<FlushReport, FlushError>> + Send {
        Self::flush(self, target, batch)
    }
}
