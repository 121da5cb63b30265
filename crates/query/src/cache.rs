//! Rendered answers in memory, never older than they may be.
//!
//! An answer is kept under the organization's epoch ([`Feed`]) read before its rows were: after a commit that touched the
//! organization the epoch is another and the answer is never found again, even if it was still being made when the commit was heard of.
//! It is served while the feed was proven complete, or its own reading began, within the allowed staleness.

mod feed;
mod flights;

use std::{
    future::Future,
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use futures::future::BoxFuture;
use moka::{future::Cache, policy::EvictionPolicy};
use recap_telemetry::{CacheResult, CacheState, QueryMetrics};
use tokio::time::Instant;
use tracing::{Instrument as _, field::Empty};

pub(crate) use self::feed::Feed;
use self::{feed::Epoch, flights::Flights};
use crate::{
    config::CacheConfig,
    http::{
        answer::Answer,
        negotiation::{Coding, MediaType},
        problem::Problem,
    },
    parameters::{CanonicalQuery, Parameters},
    scope::Scope,
};

/// What an entry costs beside its answer: the key, and what the cache keeps of it.
const ENTRY_BYTES: usize = 512;
/// Entries of past epochs are never asked for again; this is when they go at the latest.
const IDLE: Duration = Duration::from_mins(2);

/// What was asked beside the scope.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    endpoint: &'static str,
    /// The canonical spelling of what the endpoint takes beside the filter.
    parameters: String,
    media_type: MediaType,
}

impl Question {
    /// `endpoint` asked with these parameters, beside the filter, for an answer of this type.
    pub(crate) fn new(endpoint: &'static str, parameters: &impl Parameters, media_type: MediaType) -> Self {
        Self {
            endpoint,
            parameters: CanonicalQuery::of(parameters),
            media_type,
        }
    }
}

/// A hash of everything that an answer depends on: of one size however long the parameters are, so that the cache's bound holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key([u8; 32]);

impl Key {
    fn of(epoch: Epoch, scope: &Scope, question: &Question, coding: Coding) -> Self {
        let mut digest = Digest(blake3::Hasher::new());
        (epoch, scope, question, coding).hash(&mut digest);
        Self(digest.0.finalize().into())
    }
}

/// Collects what derived `Hash` implementations write, which is unambiguous for values of one type.
struct Digest(blake3::Hasher);

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The first bytes of the hash; the whole one makes a [`Key`].
    fn finish(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }
}

/// Why there is no answer to keep.
#[derive(Debug, Clone)]
pub(crate) enum Unanswered {
    /// The request is refused, or the answer could not be made.
    Refused(Problem),
    /// It is larger than it may be in memory: it can only be streamed.
    TooLarge,
}

impl From<Problem> for Unanswered {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

type Made = Result<Arc<Answer>, Unanswered>;

/// The cache of one service. Clones share it.
#[derive(Clone)]
pub(crate) struct AnswerCache(Arc<Inner>);

struct Inner {
    answers: Cache<Key, Arc<Answer>>,
    flights: Flights<Key, Made>,
    feed: Arc<Feed>,
    max_staleness: Duration,
    metrics: QueryMetrics,
}

impl AnswerCache {
    /// An empty cache whose entries live by `feed`.
    pub(crate) fn new(config: CacheConfig, feed: Arc<Feed>, metrics: QueryMetrics) -> Self {
        let weight = |_: &Key, answer: &Arc<Answer>| u32::try_from(answer.bytes() + ENTRY_BYTES).unwrap_or(u32::MAX);
        let answers = Cache::builder()
            .max_capacity(config.bytes)
            .weigher(weight)
            // A new epoch makes new keys; by frequency the dead ones would keep them out.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(IDLE)
            .build();
        let observed = answers.clone();
        metrics.observe_cache(move || CacheState {
            entries: observed.entry_count(),
            bytes: observed.weighted_size(),
        });
        Self(Arc::new(Inner {
            answers,
            flights: Flights::new(),
            feed,
            max_staleness: config.max_staleness,
            metrics,
        }))
    }

    /// The answer in `coding`, from memory or by `compute`, which runs once however many ask at the same time.
    pub(crate) async fn answer<F, A>(
        &self,
        scope: &Scope,
        question: &Question,
        coding: Coding,
        compute: F,
    ) -> Result<Arc<Answer>, Unanswered>
    where
        F: Fn() -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<Answer, Unanswered>> + Send + 'static,
    {
        let lookup = async {
            if coding == Coding::Identity {
                return self.plain(scope, question, compute).await;
            }
            let encoded = || -> BoxFuture<'static, Result<Answer, Unanswered>> {
                let (cache, scope, question, compute) =
                    (self.clone(), scope.clone(), question.clone(), compute.clone());
                Box::pin(async move {
                    let (_, plain) = cache.plain(&scope, &question, compute).await?;
                    Ok(plain.encoded(coding).await?)
                })
            };
            self.get(scope, question, coding, encoded).await
        };
        let span = tracing::debug_span!("cache.lookup", recap.cache.result = Empty);
        let (result, answer) = lookup.instrument(span.clone()).await?;
        span.record("recap.cache.result", result.as_str());
        self.0.metrics.cache_lookup(result);
        Ok(answer)
    }

    async fn plain<F, A>(
        &self,
        scope: &Scope,
        question: &Question,
        compute: F,
    ) -> Result<(CacheResult, Arc<Answer>), Unanswered>
    where
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<Answer, Unanswered>> + Send + 'static,
    {
        self.get(scope, question, Coding::Identity, || Box::pin(compute()))
            .await
    }

    async fn get(
        &self,
        scope: &Scope,
        question: &Question,
        coding: Coding,
        compute: impl Fn() -> BoxFuture<'static, Result<Answer, Unanswered>> + Send + Sync,
    ) -> Result<(CacheResult, Arc<Answer>), Unanswered> {
        let Inner { answers, flights, .. } = &*self.0;
        let asked = Instant::now();
        let mut computed_as = CacheResult::Miss;
        loop {
            // In this order: the epoch then has every commit up to the proven moment.
            let proven = self.0.feed.proven();
            let epoch = self.0.feed.epoch(scope.org_id());
            let recent = |moment: Instant| moment + self.0.max_staleness >= asked;
            let current = |answer: &Answer| recent(answer.began) || proven.is_some_and(recent);
            let key = Key::of(epoch, scope, question, coding);

            if let Some(answer) = answers.get(&key).await {
                if current(&answer) {
                    return Ok((CacheResult::Hit, answer));
                }
                computed_as = CacheResult::Stale;
                answers.invalidate(&key).await;
            }
            let (began, made) = flights
                .join(key, || {
                    let (answers, computed) = (answers.clone(), compute());
                    Box::pin(async move {
                        let answer = Arc::new(computed.await?);
                        answers.insert(key, Arc::clone(&answer)).await;
                        Ok(answer)
                    })
                })
                .await;
            let made = made.unwrap_or_else(|| Err(Problem::internal().into()))?;
            if began {
                return Ok((computed_as, made));
            }
            if current(&made) {
                return Ok((CacheResult::Coalesced, made));
            }
            // It was begun too long before this request came: a newer one is made.
            answers.invalidate(&key).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(epoch: u64, parameters: &str, coding: Coding) -> Key {
        let mut digest = Digest(blake3::Hasher::new());
        (epoch, parameters, coding).hash(&mut digest);
        Key(digest.0.finalize().into())
    }

    #[test]
    fn keys_differ_with_each_part_and_have_one_size() {
        let long = "x".repeat(100_000);
        let keys = [
            key(1, "a", Coding::Identity),
            key(2, "a", Coding::Identity),
            key(1, "b", Coding::Identity),
            key(1, "a", Coding::Gzip),
            key(1, &long, Coding::Identity),
        ];
        let distinct: std::collections::HashSet<Key> = keys.into_iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert_eq!(size_of_val(&keys[4]), 32);
    }
}
