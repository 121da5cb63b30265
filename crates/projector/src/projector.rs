//! The projector as a whole: starting its parts, watching them, ending them.

use std::{
    net::SocketAddr,
    sync::{Arc, mpsc},
    time::Duration,
};

use rdkafka::error::KafkaError;
use recap_service::backoff::Backoff;
use recap_store::{DatabaseError, GenerationId, SchemaError, Store, StoreOptions};
use recap_telemetry::{MetricsRegistry, PoolState, ProjectorMetrics, ResetReason};
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Settings, admin,
    consumer::{
        self, ConsumerError,
        coverage::{RejoinTarget, watch_coverage},
        keeper_link::KeeperLink,
        membership::Membership,
    },
    dead_letters::{Limit, Publisher, TooManyDeadLetters, Window},
    health::Health,
    interrupted_switch::finish_interrupted_switches,
    progress::Keeper,
    quiet::list_quiet_conversations,
    remembered_mappings::remember_mappings,
    worker::{FlushFailure, Flusher, Reread, Worker, WorkerError},
};

/// How long leaving the group may take after everything is committed; with brokers away it would take minutes.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// A statement writes a thousand rows at most; one that takes longer holds them against the other writers for no good.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a flush waits for a connection before it counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a projector could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    /// The admin address cannot be bound.
    #[error("RECAP_ADMIN_ADDR {addr}: {source}")]
    Admin {
        /// The address.
        addr: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A Kafka client could not be made: an option is wrong.
    #[error("the Kafka client cannot be made: {0}")]
    Client(#[source] KafkaError),
    /// The database client could not be made: `DATABASE_URL` is wrong.
    #[error("the database client cannot be made: {0}")]
    Database(#[source] DatabaseError),
    /// The database and this program do not fit together.
    #[error("the database does not fit this projector: {0}")]
    Schema(#[source] SchemaError),
    /// The consumer failed.
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
    /// A worker failed.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// A part of the projector crashed; the log says where.
    #[error("the {0} crashed")]
    Crashed(&'static str),
}

impl ProjectorError {
    /// The limit of dead letters, when that is why it stopped.
    #[must_use]
    pub fn too_many_dead_letters(&self) -> Option<&TooManyDeadLetters> {
        match self {
            Self::Worker(WorkerError::Flush(FlushFailure::TooManyDeadLetters(limit))) => Some(limit),
            _ => None,
        }
    }

    /// Whether it stopped as asked, with some of what it had received still to be read again.
    #[must_use]
    pub fn drain_timed_out(&self) -> bool {
        matches!(self, Self::Consumer(ConsumerError::DrainTimedOut { .. }))
    }
}

/// Starts projectors.
#[derive(Debug)]
pub struct Projector;

/// A projector at work. Dropping it stops it at once, without draining; nothing is lost by that.
#[derive(Debug)]
pub struct RunningProjector {
    stop: CancellationToken,
    hard: CancellationToken,
    supervisor: JoinHandle<Result<(), ProjectorError>>,
    health: Arc<Health>,
    admin_addr: SocketAddr,
}

impl Drop for RunningProjector {
    fn drop(&mut self) {
        self.hard.cancel();
        self.stop.cancel();
        self.supervisor.abort();
    }
}

impl RunningProjector {
    /// Asks for a soft end: intake stops, what was received is written and committed, within the drain timeout.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for the end, whatever brings it. To be called once.
    pub async fn wait(&mut self) -> Result<(), ProjectorError> {
        match (&mut self.supervisor).await {
            Ok(result) => result,
            Err(_) => Err(ProjectorError::Crashed("supervisor")),
        }
    }

    /// What the probes see.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Where the admin server listens.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }
}

impl Projector {
    /// Starts a projector in this Tokio runtime. It returns at once: Kafka, PostgreSQL and the schema are waited for inside.
    ///
    /// # Errors
    /// What waiting cannot mend: an address in use, client options nobody understands.
    pub async fn start(settings: Settings, registry: &MetricsRegistry) -> Result<RunningProjector, ProjectorError> {
        let settings = Arc::new(settings);
        let metrics = ProjectorMetrics::new(&registry.meter());
        let schema_registry = settings.schema_registry.clone();
        if let Some(schema_registry) = &schema_registry {
            schema_registry.observe(&registry.meter());
        }
        let health = Health::new(settings.max_poll_interval()).with_schema_registry(schema_registry);
        let health = Arc::new(health);
        let addr = settings.admin_addr;
        let listener = TcpListener::bind(addr)
            .await
            .map_err(|source| ProjectorError::Admin { addr, source })?;
        let admin_addr = listener
            .local_addr()
            .map_err(|source| ProjectorError::Admin { addr, source })?;
        let flusher = Arc::new(Flusher {
            writer: store(&settings)?,
            dead_letters: Publisher::new(&settings, metrics.clone(), Arc::clone(&health))
                .map_err(ProjectorError::Client)?,
            limit: Limit::new(Window::new(
                settings.dead_letter_window,
                settings.dead_letter_max_ratio,
                settings.dead_letter_min_count,
            )),
            metrics: metrics.clone(),
            health: Arc::clone(&health),
        });
        let observed = Arc::downgrade(&flusher);
        let max = connections(&settings);
        metrics.database.observe_pool("flush", move || {
            let (open, idle) = observed
                .upgrade()
                .map_or((0, 0), |flusher| flusher.writer.connections());
            let idle = u32::try_from(idle).unwrap_or(open);
            PoolState {
                used: open.saturating_sub(idle),
                idle,
                max,
            }
        });
        let (stop, hard) = (CancellationToken::new(), CancellationToken::new());
        let supervisor = Supervisor {
            settings,
            metrics,
            health: Arc::clone(&health),
            flusher,
            stop: stop.clone(),
            hard: hard.clone(),
        };
        let routes = admin::routes(Arc::clone(&health), registry.clone());
        let supervisor = tokio::spawn(async move {
            let mut admin = JoinSet::new();
            admin.spawn(axum::serve(listener, routes).into_future());
            let result = supervisor.run().await;
            drop(admin);
            result
        });
        Ok(RunningProjector {
            stop,
            hard,
            supervisor,
            health,
            admin_addr,
        })
    }
}

fn connections(settings: &Settings) -> u32 {
    u32::try_from(settings.workers).unwrap_or(u32::MAX).saturating_add(1)
}

fn store(settings: &Settings) -> Result<Store, ProjectorError> {
    let options = StoreOptions {
        application_name: "recap-projector".to_owned(),
        database_url: settings.database_url.clone(),
        max_connections: connections(settings),
        acquire_timeout: ACQUIRE_TIMEOUT,
        statement_timeout: STATEMENT_TIMEOUT,
    };
    Store::new(&options).map_err(ProjectorError::Database)
}

struct Supervisor {
    settings: Arc<Settings>,
    metrics: ProjectorMetrics,
    health: Arc<Health>,
    flusher: Arc<Flusher<Store, Publisher>>,
    /// Ends intake, and lets the workers finish.
    stop: CancellationToken,
    /// Ends waiting for the workers.
    hard: CancellationToken,
}

impl Supervisor {
    async fn run(self) -> Result<(), ProjectorError> {
        let result = loop {
            let result = self.project().await;
            let Some((error, reason)) = begins_anew(&result) else {
                break result;
            };
            tracing::warn!(%error, "beginning anew: states in memory are dropped, and what the database lacks is read");
            self.metrics.reset(reason);
            self.metrics.lags.clear();
            self.metrics.paused.set(0);
            self.flusher.writer.begin_anew();
            self.health.begin_anew();
        };
        if tokio::time::timeout(LEAVE_TIMEOUT, self.flusher.writer.close())
            .await
            .is_err()
        {
            tracing::warn!("database connections not closed in time");
        }
        result
    }

    /// Projects until asked to stop, or until something fails.
    async fn project(&self) -> Result<(), ProjectorError> {
        let generation = tokio::select! {
            generation = self.generation() => generation?,
            () = self.stop.cancelled() => return Ok(()),
        };
        tracing::info!(%generation, topics = ?self.settings.topics, group = &*self.settings.group, "projecting");
        let ends = Ends {
            stop: self.stop.child_token(),
            hard: self.hard.child_token(),
        };
        let (report, reports) = mpsc::channel();
        let mut workers = JoinSet::new();
        let mut inputs = Vec::new();
        for number in 0..self.settings.workers {
            let (input, chunks) = tokio::sync::mpsc::unbounded_channel();
            inputs.push(input);
            let records = Reread::new(Arc::clone(&self.settings), number);
            let worker = Worker::new(
                &self.settings,
                &self.flusher,
                generation,
                records,
                chunks,
                report.clone(),
            );
            workers.spawn(worker.run());
        }
        let membership = Membership::new(
            &self.settings,
            inputs,
            reports,
            self.spawn_keeper(&mut workers),
            ends.hard.clone(),
            self.metrics.clone(),
            Arc::clone(&self.health),
        );
        let (rejoin, rejoin_requests) = mpsc::channel();
        let consumer = self.spawn_consumer(membership, rejoin_requests, &ends)?;
        let flusher = Arc::clone(&self.flusher);
        workers.spawn(async move {
            flusher.dead_letters.create_topic().await;
            Ok(())
        });
        let settings = Arc::clone(&self.settings);
        let store = self.flusher.writer.clone();
        workers.spawn(async move {
            finish_interrupted_switches(settings, store).await;
            Ok(())
        });
        let listing = list_quiet_conversations(self.flusher.writer.clone(), generation, self.metrics.clone());
        workers.spawn(async {
            listing.await;
            Ok(())
        });
        let remembered = remember_mappings(Arc::clone(&self.settings), self.flusher.writer.clone(), generation);
        workers.spawn(async {
            remembered.await;
            Ok(())
        });
        let coverage = watch_coverage(
            Arc::clone(&self.settings),
            self.metrics.clone(),
            Arc::clone(&self.health),
            rejoin,
        );
        workers.spawn(async {
            coverage.await;
            Ok(())
        });
        self.watch(workers, consumer, &ends).await
    }

    fn spawn_keeper(&self, workers: &mut JoinSet<Result<(), WorkerError>>) -> KeeperLink {
        let (requests, asked) = tokio::sync::mpsc::unbounded_channel();
        let (answer, answers) = mpsc::channel();
        let store = self.flusher.writer.clone();
        let keeper = Keeper::new(store, Arc::clone(&self.settings), self.metrics.clone(), asked, answer);
        workers.spawn(keeper.run());
        KeeperLink::new(requests, answers, self.settings.commit_interval)
    }

    /// Waits for the database, and for the tables to be migrated.
    async fn generation(&self) -> Result<GenerationId, ProjectorError> {
        let mut backoff = Backoff::new();
        loop {
            let trouble = match self.flusher.writer.check_schema().await {
                Ok(()) => match self.flusher.writer.live_generation().await {
                    Ok(generation) => {
                        self.health.database(None);
                        return Ok(generation);
                    }
                    Err(error) => error.to_string(),
                },
                Err(
                    error @ (SchemaError::Database(_)
                    | SchemaError::NotMigrated
                    | SchemaError::Behind { .. }
                    | SchemaError::Access(_)
                    | SchemaError::NotWriter { .. }),
                ) => error.to_string(),
                Err(error) => return Err(ProjectorError::Schema(error)),
            };
            tracing::warn!(trouble, "waiting for the database");
            self.health.database(Some(trouble));
            backoff.wait().await;
        }
    }

    fn spawn_consumer(
        &self,
        membership: Membership,
        rejoin_requests: mpsc::Receiver<RejoinTarget>,
        ends: &Ends,
    ) -> Result<Consumer, ProjectorError> {
        let thread = consumer::join(
            &self.settings,
            membership,
            &self.metrics,
            &self.health,
            rejoin_requests,
            ends.stop.clone(),
        )?;
        let (drained_sender, drained) = oneshot::channel();
        let (left_sender, left) = oneshot::channel();
        let spawned = std::thread::Builder::new().name("consumer".to_owned()).spawn(move || {
            thread.run(|result| {
                // Without a supervisor the process is on its way out.
                let _unheard = drained_sender.send(result);
            });
            // Nobody waits any more when leaving took too long.
            let _late = left_sender.send(());
        });
        match spawned {
            Ok(_) => Ok(Consumer { drained, left }),
            Err(error) => {
                tracing::error!(%error, "no thread for the consumer");
                Err(ProjectorError::Crashed("consumer"))
            }
        }
    }

    /// The consumer ends first when asked to stop, the workers after it; anything else that ends is a failure.
    async fn watch(
        &self,
        mut workers: JoinSet<Result<(), WorkerError>>,
        mut consumer: Consumer,
        ends: &Ends,
    ) -> Result<(), ProjectorError> {
        let result = loop {
            tokio::select! {
                drained = &mut consumer.drained => {
                    break match drained {
                        Ok(result) => result.map_err(ProjectorError::Consumer),
                        Err(_) => Err(ProjectorError::Crashed("consumer")),
                    };
                }
                Some(ended) = workers.join_next() => match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => break Err(ProjectorError::from(error)),
                    Err(error) => break Err(WorkerError::from(error).into()),
                },
            }
        };
        ends.stop.cancel();
        ends.hard.cancel();
        let begins_anew = begins_anew(&result).is_some();
        if !begins_anew {
            self.health.stopping();
        }
        if (result.is_ok() || begins_anew) && tokio::time::timeout(LEAVE_TIMEOUT, consumer.left).await.is_err() {
            tracing::warn!("leaving the consumer group takes too long; the group will notice by itself");
        }
        workers.shutdown().await;
        result
    }
}

/// Why projecting ended that is to begin anew.
fn begins_anew(result: &Result<(), ProjectorError>) -> Option<(&WorkerError, ResetReason)> {
    match result {
        Err(ProjectorError::Worker(error)) => Some((error, error.begins_anew()?)),
        _ => None,
    }
}

/// What ends one projecting, but not the projector.
struct Ends {
    /// Ends intake, and lets the workers finish.
    stop: CancellationToken,
    /// Ends waiting for the workers.
    hard: CancellationToken,
}

/// The consumer thread, seen from the supervisor.
struct Consumer {
    drained: oneshot::Receiver<Result<(), ConsumerError>>,
    left: oneshot::Receiver<()>,
}
