//! Rendered answers in memory, never older than they may be.
//!
//! An answer is kept under the organization's epoch ([`Feed`]) read before its rows were: after a commit that touched the
//! organization the epoch is another and the answer is never found again, even if it was still being made when the commit was heard of.
//! It is served while the feed was proven complete, or its own reading began, within the allowed staleness.

mod feed;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use moka::{future::Cache, policy::EvictionPolicy};
use recap_telemetry::{CacheResult, CacheState, QueryMetrics};
use tokio::time::Instant;
use tracing::{Instrument as _, field::Empty};

use self::feed::Epoch;
pub(crate) use self::feed::Feed;
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

/// What an entry costs beside its body.
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

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    epoch: Epoch,
    scope: Scope,
    question: Question,
    coding: Coding,
}

/// The cache of one service.
pub(crate) struct AnswerCache {
    answers: Cache<Key, Arc<Answer>>,
    feed: Arc<Feed>,
    max_staleness: Duration,
    metrics: QueryMetrics,
}

impl AnswerCache {
    /// An empty cache whose entries live by `feed`.
    pub(crate) fn new(config: CacheConfig, feed: Arc<Feed>, metrics: QueryMetrics) -> Self {
        let weight = |_: &Key, answer: &Arc<Answer>| u32::try_from(answer.body.len() + ENTRY_BYTES).unwrap_or(u32::MAX);
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
        Self {
            answers,
            feed,
            max_staleness: config.max_staleness,
            metrics,
        }
    }

    /// The answer in `coding`, from memory or by `compute`, which runs once however many ask at the same time.
    pub(crate) async fn answer<F, A>(
        &self,
        scope: &Scope,
        question: &Question,
        coding: Coding,
        compute: F,
    ) -> Result<Arc<Answer>, Problem>
    where
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<Answer, Problem>> + Send,
    {
        // Boxed: a hit should not carry the size of what a miss has to do.
        let plain = || self.get(scope, question, Coding::Identity, || Box::pin(compute()));
        let lookup = async {
            if coding == Coding::Identity {
                return plain().await;
            }
            let encoded = || async { Box::pin(plain()).await?.1.encoded(coding).await };
            self.get(scope, question, coding, || Box::pin(encoded())).await
        };
        let span = tracing::debug_span!("cache.lookup", recap.cache.result = Empty);
        let (result, answer) = lookup.instrument(span.clone()).await?;
        span.record("recap.cache.result", result.as_str());
        self.metrics.cache_lookup(result);
        Ok(answer)
    }

    async fn get<F, A>(
        &self,
        scope: &Scope,
        question: &Question,
        coding: Coding,
        compute: F,
    ) -> Result<(CacheResult, Arc<Answer>), Problem>
    where
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<Answer, Problem>> + Send,
    {
        let asked = Instant::now();
        let mut computed_as = CacheResult::Miss;
        loop {
            // In this order: the epoch then has every commit up to the proven moment.
            let proven = self.feed.proven();
            let epoch = self.feed.epoch(scope.org_id());
            let recent = |moment: Instant| moment + self.max_staleness >= asked;
            let current = |answer: &Answer| recent(answer.began) || proven.is_some_and(recent);
            let key = Key {
                epoch,
                scope: scope.clone(),
                question: question.clone(),
                coding,
            };

            if let Some(answer) = self.answers.get(&key).await {
                if current(&answer) {
                    return Ok((CacheResult::Hit, answer));
                }
                computed_as = CacheResult::Stale;
                self.answers.invalidate(&key).await;
            }
            let computed = AtomicBool::new(false);
            let made = self
                .answers
                .try_get_with_by_ref(&key, async {
                    computed.store(true, Ordering::Relaxed);
                    compute().await.map(Arc::new)
                })
                .await
                .map_err(|problem: Arc<Problem>| Problem::clone(&problem))?;
            if computed.into_inner() {
                return Ok((computed_as, made));
            }
            if current(&made) {
                return Ok((CacheResult::Coalesced, made));
            }
            // It was begun too long before this request came: a newer one is made.
            self.answers.invalidate(&key).await;
        }
    }
}
