//! The parts that requests share.

use std::{io, net::SocketAddr, sync::Arc};

use recap_store::{DatabaseError, ReadError, Reader, StoreOptions};
use recap_telemetry::{MetricsRegistry, PoolState, QueryMetrics};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::{Authentication, Caller, Cookies, Verifier},
    cache::{AnswerCache, Feed},
    config::{Config, Timeouts},
    database_check::DatabaseCheck,
    http::{
        memory::AnswerMemory,
        problem::Problem,
        rate_limit::RateLimit,
        reading_turns::{ReadingTurn, ReadingTurns},
        turns::Turns,
        watchers::Watchers,
    },
};

/// Why the service could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}")]
    Listen {
        /// Which.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The client for the issuer's keys could not be made.
    #[error("the client for Clerk's keys cannot be made")]
    Clerk(#[source] reqwest::Error),
    /// `DATABASE_URL` cannot be used.
    #[error("DATABASE_URL cannot be used")]
    Database(#[from] DatabaseError),
}

/// Everything a handler can reach.
pub(crate) struct Service {
    pub(crate) authentication: Authentication,
    pub(crate) cache: AnswerCache,
    pub(crate) feed: Arc<Feed>,
    /// For pages and statistics.
    pub(crate) pages: Reader,
    /// For streamed answers.
    pub(crate) streams: Reader,
    pub(crate) database_check: DatabaseCheck,
    /// Who may read a page or statistics.
    pub(crate) reading: ReadingTurns,
    /// Who may be answered with a stream.
    pub(crate) turns: Turns,
    pub(crate) memory: AnswerMemory,
    pub(crate) page_bytes: usize,
    pub(crate) timeouts: Timeouts,
    pub(crate) metrics: QueryMetrics,
    pub(crate) registry: MetricsRegistry,
    /// Clients that wait for changes.
    pub(crate) watchers: Watchers,
    draining: CancellationToken,
}

impl Service {
    pub(crate) fn new(config: &Config, registry: MetricsRegistry) -> Result<Self, ServeError> {
        let metrics = QueryMetrics::new(&registry.meter());
        let feed = Arc::new(Feed::new());
        let observed = Arc::clone(&feed);
        metrics.observe_feed(move || observed.age());
        let reader = |name: &'static str, max_connections: u32| {
            let reader = Reader::new(&StoreOptions {
                database_url: config.database_url.clone(),
                application_name: "recap-query".to_owned(),
                max_connections,
                acquire_timeout: config.timeouts.queue,
                statement_timeout: config.timeouts.statement,
            })?;
            let observed = reader.clone();
            metrics.database.observe_pool(name, move || {
                let (open, idle) = observed.connections();
                let idle = u32::try_from(idle).unwrap_or(u32::MAX);
                PoolState {
                    used: open.saturating_sub(idle),
                    idle,
                    max: max_connections,
                }
            });
            Ok::<_, ServeError>(reader)
        };
        // Nobody needs a token to wait here, so these must not be all the requests there can be.
        let waiting_for_keys = (config.limits.requests / 4).max(1) as usize;
        let verifier = Verifier::new(&config.clerk, waiting_for_keys, metrics.clone()).map_err(ServeError::Clerk)?;
        let cookies = if config.clerk.session_cookie {
            Cookies::Accepted
        } else {
            Cookies::Ignored
        };
        Ok(Self {
            authentication: Authentication::new(verifier, cookies, RateLimit::new(config.limits), metrics.clone()),
            cache: AnswerCache::new(config.cache, Arc::clone(&feed), metrics.clone()),
            feed,
            pages: reader("pages", config.limits.connections)?,
            streams: reader("streams", config.limits.streams + Turns::BEGINNINGS)?,
            database_check: DatabaseCheck::new(reader("health", 2)?, config.timeouts.replay_lag, &metrics),
            reading: ReadingTurns::new(config.limits.connections),
            turns: Turns::new(config.limits, config.timeouts.queue),
            memory: AnswerMemory::new(config.limits.answer_bytes, config.timeouts.queue),
            page_bytes: config.limits.page_bytes,
            timeouts: config.timeouts,
            metrics,
            registry,
            watchers: Watchers::new(config.limits.watchers),
            draining: CancellationToken::new(),
        })
    }

    /// From now on the service says that it is not ready.
    pub(crate) fn drain(&self) {
        self.draining.cancel();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Ends when the service says so.
    pub(crate) async fn drained(&self) {
        self.draining.cancelled().await;
    }

    /// Waits for the caller's turn to read.
    pub(crate) async fn reading_turn(&self, caller: &Caller) -> Result<ReadingTurn, Problem> {
        let turn = self.reading.turn(caller, self.timeouts.queue).await;
        turn.ok_or_else(|| {
            self.metrics.limited("share");
            Problem::unavailable("Too many requests of this user or organization are being answered; try again.")
        })
    }

    /// Refuses a streamed answer for which there is no turn.
    pub(crate) fn no_turn(&self) -> Problem {
        self.metrics.limited("streams");
        Problem::unavailable("Too many streamed answers are under way; try again, or ask for smaller pages with limit.")
    }

    /// Logs a failed reading and says what the client may know of it.
    pub(crate) fn read_failed(&self, error: &ReadError) -> Problem {
        let cause = error as &dyn std::error::Error;
        match error {
            ReadError::Unavailable(_) => {
                self.metrics.limited("pool");
                tracing::warn!(error = cause, "the database cannot be asked");
                Problem::unavailable("The database cannot be asked now; try again.")
            }
            ReadError::TimedOut => {
                self.metrics.limited("time");
                tracing::warn!(error = cause, "a statement ran into its time limit");
                Problem::unavailable("The answer took too long; ask for less, or try again.")
            }
            ReadError::TooLarge => {
                self.metrics.limited("memory");
                tracing::warn!(error = cause, "an answer does not fit into memory");
                Problem::out_of_memory()
            }
            ReadError::Failed(_) => {
                tracing::error!(error = cause, "a statement failed");
                Problem::internal()
            }
        }
    }
}

/// Reads, and once more when a standby had to cancel it; nothing has reached the client yet.
pub(crate) async fn read_again<T, F>(read: impl Fn() -> F) -> Result<T, ReadError>
where
    F: Future<Output = Result<T, ReadError>>,
{
    match read().await {
        Err(error) if error.is_recovery_conflict() => {
            tracing::debug!(%error, "a conflict with recovery; reading again");
            read().await
        }
        answered => answered,
    }
}
