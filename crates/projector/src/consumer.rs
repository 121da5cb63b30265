//! The consumer thread: polls Kafka, feeds the workers, commits what they finished, and steps back when they can't keep up.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use rdkafka::{
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};
use recap_telemetry::ProjectorMetrics;
use tokio_util::sync::CancellationToken;

use crate::{Settings, coverage::Turn, health::Health, rebalance::Context, router::Router};

/// The longest wait for a record; also how late a stop or a finished chunk is noticed without traffic.
const IDLE_POLL: Duration = Duration::from_millis(50);
/// Full for this long, and the partitions are paused: until then not polling is cheaper, since pausing throws away what was fetched ahead.
const PATIENCE: Duration = Duration::from_secs(3);
/// Records taken between two looks at everything else.
const ROUND: usize = 2_048;
/// An error that goes on is logged this often.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Why the consumer thread ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// The consumer could not be made or could not subscribe.
    #[error("the Kafka consumer cannot be started: {0}")]
    Start(#[source] KafkaError),
    /// librdkafka cannot go on, for one because another member took over this one's static id.
    #[error("the Kafka consumer failed for good: {0}")]
    Fatal(#[source] KafkaError),
    /// The deadline of a shutdown passed before everything taken in was written. Nothing is lost: it is read again.
    #[error("shutdown deadline passed with {bytes} bytes of records not yet written; they will be read again")]
    DrainTimedOut {
        /// Bytes of records that were taken in and not written.
        bytes: usize,
    },
}

/// What the consumer thread works with.
pub(crate) struct ConsumerThread {
    consumer: BaseConsumer<Context>,
    router: Arc<Mutex<Router>>,
    metrics: ProjectorMetrics,
    health: Arc<Health>,
    settings: Arc<Settings>,
    stop: CancellationToken,
    full_since: Option<Instant>,
    paused: bool,
    logged: HashMap<&'static str, Instant>,
    rejoined: Option<Instant>,
}

pub(crate) fn lock(router: &Mutex<Router>) -> MutexGuard<'_, Router> {
    router.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ConsumerThread {
    /// Makes the consumer and subscribes.
    pub fn new(
        settings: &Arc<Settings>,
        router: Router,
        metrics: &ProjectorMetrics,
        health: &Arc<Health>,
        stop: CancellationToken,
    ) -> Result<Self, ConsumerError> {
        let router = Arc::new(Mutex::new(router));
        Ok(Self {
            consumer: subscribed(settings, &router, metrics, health)?,
            router,
            metrics: metrics.clone(),
            health: Arc::clone(health),
            settings: Arc::clone(settings),
            stop,
            full_since: None,
            paused: false,
            logged: HashMap::new(),
            rejoined: None,
        })
    }

    /// A static member whose session ran out while the brokers were away comes back under another member id, and a commit of its former self that is
    /// answered late fences it for good. Another process with the same static id looks just so, but does it again at once.
    fn may_rejoin(&self, error: &ConsumerError) -> bool {
        let fenced = matches!(
            error,
            ConsumerError::Fatal(KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId))
        );
        let patience = self.settings.session_timeout;
        fenced && self.rejoined.is_none_or(|last| last.elapsed() > patience)
    }

    /// Gives the consumer up and joins with a new one. What is under way in the workers is written, and then read again.
    fn rejoin(self) -> Result<Self, ConsumerError> {
        tracing::warn!("fenced by the group; joining again");
        // First, for it still calls back about its partitions.
        drop(self.consumer);
        lock(&self.router).revoke_all();
        self.metrics.lags.clear();
        self.metrics.paused.set(0);
        Ok(Self {
            consumer: subscribed(&self.settings, &self.router, &self.metrics, &self.health)?,
            full_since: None,
            paused: false,
            rejoined: Some(Instant::now()),
            ..self
        })
    }

    /// Works until told to stop, then drains. `drained` is called before the group is left, which may take a while with brokers away.
    pub fn run(self, drained: impl FnOnce(Result<(), ConsumerError>)) {
        let mut thread = self;
        let result = loop {
            if thread.stop.is_cancelled() {
                break thread.drain();
            }
            match thread.round() {
                Ok(()) => {}
                Err(error) if thread.may_rejoin(&error) => match thread.rejoin() {
                    Ok(rejoined) => thread = rejoined,
                    Err(error) => return drained(Err(error)),
                },
                Err(error) => break Err(error),
            }
        };
        drained(result);
    }

    fn round(&mut self) -> Result<(), ConsumerError> {
        self.health.polled();
        self.join_again_when_called()?;
        if self.step_back() {
            return Ok(());
        }
        let mut timeout = IDLE_POLL;
        for _ in 0..ROUND {
            let taken = match self.consumer.poll(timeout) {
                Some(Ok(message)) => lock(&self.router).take(&message),
                Some(Err(error)) => {
                    self.failed(error)?;
                    false
                }
                None => break,
            };
            if taken {
                timeout = Duration::ZERO;
            }
            if self.is_full() {
                break;
            }
        }
        let mut router = lock(&self.router);
        router.dispatch_all();
        router.collect();
        drop(router);
        self.report();
        self.store_offsets();
        Ok(())
    }

    /// Leaves the group and joins again when partitions go unread and it is this member's turn.
    fn join_again_when_called(&self) -> Result<(), ConsumerError> {
        let its_turn = match self.health.called_to_join_again() {
            None => false,
            Some(Turn::Everybody) => true,
            Some(Turn::OwnerOf((topic, partition))) => lock(&self.router).is_assigned(&topic, partition),
        };
        if !its_turn {
            return Ok(());
        }
        tracing::warn!("partitions that nobody reads; leaving the group and joining again");
        self.consumer.unsubscribe();
        subscribe(&self.consumer, &self.settings)
    }

    fn stopped_hard(&self) -> bool {
        lock(&self.router).hard.is_cancelled()
    }

    fn is_full(&self) -> bool {
        lock(&self.router).bytes() >= self.settings.unfolded_bytes()
    }

    /// Keeps the bytes under way bounded; `true` when nothing is to be polled this round.
    fn step_back(&mut self) -> bool {
        let bytes = lock(&self.router).bytes();
        if self.paused {
            if bytes <= self.settings.unfolded_bytes() / 2 {
                self.resume();
            } else {
                self.pause_newly_assigned();
            }
            return false;
        }
        if bytes < self.settings.unfolded_bytes() {
            self.full_since = None;
            return false;
        }
        if self.full_since.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
            self.pause();
            return false;
        }
        let mut router = lock(&self.router);
        router.dispatch_all();
        router.collect_within(IDLE_POLL);
        drop(router);
        self.store_offsets();
        true
    }

    fn pause(&mut self) {
        let assignment = lock(&self.router).assignment();
        match self.consumer.pause(&assignment) {
            Ok(()) => {
                self.paused = true;
                self.health.reassigned.store(false, Ordering::Relaxed);
                self.metrics.paused.set(level(assignment.count()));
                tracing::warn!(
                    partitions = assignment.count(),
                    "intake paused: the database does not keep up"
                );
            }
            Err(error) => tracing::warn!(%error, "partitions not paused"),
        }
    }

    fn pause_newly_assigned(&mut self) {
        if self.health.reassigned.swap(false, Ordering::Relaxed) {
            self.pause();
        }
    }

    fn resume(&mut self) {
        let assignment = lock(&self.router).assignment();
        match self.consumer.resume(&assignment) {
            Ok(()) => {
                self.paused = false;
                self.full_since = None;
                self.metrics.paused.set(0);
                tracing::info!(partitions = assignment.count(), "intake resumed");
            }
            Err(error) => tracing::warn!(%error, "partitions not resumed"),
        }
    }

    fn report(&self) {
        let mut router = lock(&self.router);
        self.metrics.intake_bytes.set(level(router.bytes()));
        for topic in 0..router.topics.len() {
            let taken = std::mem::take(&mut router.taken[topic]);
            if taken > 0 {
                self.metrics
                    .consumed(&router.topics[topic], &self.settings.group, taken);
            }
        }
    }

    /// Hands the positions that moved to librdkafka, which commits them at its interval until the broker takes them. (An asynchronous commit of our
    /// own would fail unnoticed during a rebalance: rust-rdkafka never calls back for it.)
    fn store_offsets(&self) {
        let list = lock(&self.router).take_commit();
        if let Some(list) = list
            && let Err(error) = self.consumer.store_offsets(&list)
        {
            self.consumer.context().commit_failed(&list, &error);
        }
    }

    /// Commits every position that can be known to the broker before leaving.
    fn commit_now(&self) {
        let list = lock(&self.router).positions();
        if list.count() > 0
            && let Err(error) = self.consumer.commit(&list, CommitMode::Sync)
        {
            self.consumer.context().commit_failed(&list, &error);
        }
    }

    fn failed(&mut self, error: KafkaError) -> Result<(), ConsumerError> {
        let KafkaError::MessageConsumption(code) = error else {
            return match error {
                KafkaError::MessageConsumptionFatal(_) => Err(ConsumerError::Fatal(error)),
                _ => Ok(()),
            };
        };
        let name = error_name(code);
        self.metrics.kafka_error(name);
        let silent = self.logged.get(name).is_some_and(|last| last.elapsed() < LOG_EVERY);
        if !silent {
            self.logged.insert(name, Instant::now());
            tracing::warn!(error = %code, "Kafka reports an error; the consumer goes on");
        }
        Ok(())
    }

    /// Stops intake, waits for the workers, commits.
    fn drain(&mut self) -> Result<(), ConsumerError> {
        self.health.stopping();
        let deadline = Instant::now() + self.settings.drain_timeout;
        let mut router = lock(&self.router);
        let assignment = router.assignment();
        let partitions = router.indexes(&assignment);
        router.dispatch_all();
        drop(router);
        let paused: KafkaResult<()> = self.consumer.pause(&assignment);
        if let Err(error) = paused {
            tracing::debug!(%error, "partitions not paused for shutdown");
        }
        loop {
            self.health.polled();
            // Polling keeps the membership; a record it gives is dropped and read again by whoever is next.
            drop(self.consumer.poll(Duration::ZERO));
            let mut router = lock(&self.router);
            let slice = (Instant::now() + IDLE_POLL).min(deadline);
            let settled = router.drain(&partitions, slice);
            let bytes = router.unwritten_bytes();
            drop(router);
            if settled || Instant::now() >= deadline || self.stopped_hard() {
                self.commit_now();
                return if settled {
                    Ok(())
                } else {
                    Err(ConsumerError::DrainTimedOut { bytes })
                };
            }
        }
    }
}

fn subscribed(
    settings: &Arc<Settings>,
    router: &Arc<Mutex<Router>>,
    metrics: &ProjectorMetrics,
    health: &Arc<Health>,
) -> Result<BaseConsumer<Context>, ConsumerError> {
    let context = Context::new(settings, router, metrics, health);
    let consumer: BaseConsumer<Context> = settings
        .consumer_config()
        .create_with_context(context)
        .map_err(ConsumerError::Start)?;
    subscribe(&consumer, settings)?;
    Ok(consumer)
}

fn subscribe(consumer: &BaseConsumer<Context>, settings: &Settings) -> Result<(), ConsumerError> {
    let topics: Vec<&str> = settings.topics.iter().map(AsRef::as_ref).collect();
    consumer.subscribe(&topics).map_err(ConsumerError::Start)
}

/// A stable name for metrics.
pub(crate) fn error_name(code: RDKafkaErrorCode) -> &'static str {
    match code {
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => "unknown-topic",
        RDKafkaErrorCode::AllBrokersDown => "all-brokers-down",
        RDKafkaErrorCode::BrokerTransportFailure => "transport",
        RDKafkaErrorCode::PollExceeded => "poll-exceeded",
        RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed => "not-authorized",
        _ => "other",
    }
}

pub(crate) fn level(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
