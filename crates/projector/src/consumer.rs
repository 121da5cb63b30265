//! The consumer thread: polls Kafka, feeds the workers, commits what they finished, and waits when they cannot keep up.
//!
//! One thread owns all of it. `client` is the seam to Kafka, `callbacks` keeps what librdkafka calls back, `membership` answers that and holds the
//! books, `keeper_link` asks what the database holds, `flow` decides when to poll, `coverage` watches for partitions that nobody reads, `brokers` for a client
//! that has nobody left to ask.

mod brokers;
mod callbacks;
mod client;
pub(crate) mod coverage;
mod error;
mod flow;
pub(crate) mod keeper_link;
pub(crate) mod membership;

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use recap_telemetry::ProjectorMetrics;
use tokio_util::sync::CancellationToken;

pub use self::error::ConsumerError;
use self::{
    callbacks::{Callbacks, ClientEvent},
    client::{GroupClient, LibrdkafkaClient},
    coverage::RejoinTarget,
    error::ErrorLog,
    flow::{State, Step},
    membership::Membership,
};
use crate::{Settings, health::Health};

/// The longest wait for a record; also how late a stop or a finished chunk is noticed without traffic.
const IDLE_POLL: Duration = Duration::from_millis(50);
/// Records received between two looks at everything else.
const ROUND: usize = 2_048;

/// Makes a client that has joined the group.
type Join<C> = Box<dyn Fn() -> Result<C, ConsumerError> + Send>;

/// What the consumer thread works with.
pub(crate) struct ConsumerThread<C> {
    client: C,
    join: Join<C>,
    state: State,
    membership: Membership,
    errors: ErrorLog,
    metrics: ProjectorMetrics,
    health: Arc<Health>,
    settings: Arc<Settings>,
    /// Asks this member, or the one that reads a partition, to leave the group and join again.
    rejoin_requests: mpsc::Receiver<RejoinTarget>,
    stop: CancellationToken,
    fenced_at: Option<Instant>,
}

/// A consumer thread of librdkafka, which has joined the group.
pub(crate) fn join(
    settings: &Arc<Settings>,
    membership: Membership,
    metrics: &ProjectorMetrics,
    health: &Arc<Health>,
    rejoin_requests: mpsc::Receiver<RejoinTarget>,
    stop: CancellationToken,
) -> Result<ConsumerThread<impl GroupClient + use<>>, ConsumerError> {
    let (kept, counted) = (Arc::clone(settings), metrics.clone());
    let join: Join<_> = Box::new(move || LibrdkafkaClient::join(&kept, Callbacks::new(counted.clone())));
    Ok(ConsumerThread {
        client: join()?,
        join,
        state: State::Polling,
        membership,
        errors: ErrorLog::new(metrics.clone(), Arc::clone(health)),
        metrics: metrics.clone(),
        health: Arc::clone(health),
        settings: Arc::clone(settings),
        rejoin_requests,
        stop,
        fenced_at: None,
    })
}

impl<C: GroupClient> ConsumerThread<C> {
    /// Works until asked to stop, then drains. `drained` is called before the group is left, which may take a while with brokers away.
    pub fn run(self, drained: impl FnOnce(Result<(), ConsumerError>)) {
        let mut thread = self;
        let result = loop {
            match thread.round() {
                Ok(None) => {}
                Ok(Some(end)) => break end,
                Err(error) if thread.may_rejoin(&error) => match thread.rejoin(&error) {
                    Ok(rejoined) => thread = rejoined,
                    Err(error) => return drained(Err(error)),
                },
                Err(error) => break Err(error),
            }
        };
        drained(result);
    }

    /// One round; `Some` is the end of a drain.
    fn round(&mut self) -> Result<Option<Result<(), ConsumerError>>, ConsumerError> {
        self.health.polled();
        if self.stop.is_cancelled() && !matches!(self.state, State::Draining { .. }) {
            self.begin_drain();
        }
        let (unfolded, bound) = (self.membership.unfolded_bytes(), self.settings.unfolded_bytes());
        let (next, step) = self.state.next(unfolded, bound, Instant::now());
        match step {
            Step::Wait => {
                self.membership.exchange_within(IDLE_POLL);
                self.membership.save_offsets(&self.client);
            }
            Step::Poll if self.state == State::Paused && self.membership.take_assigned_since_pause() => {
                self.pause();
                self.poll_round()?;
            }
            Step::Poll => self.poll_round()?,
            Step::Pause | Step::Resume => {
                let done = if step == Step::Pause {
                    self.pause()
                } else {
                    self.resume()
                };
                self.poll_round()?;
                if !done {
                    return Ok(None);
                }
            }
            Step::Drain => return Ok(self.drain()),
        }
        self.state = next;
        Ok(None)
    }

    /// Receives records until there are no more, there is enough to fold, or a round is over; then everything else that is due.
    fn poll_round(&mut self) -> Result<(), ConsumerError> {
        self.rejoin_when_requested()?;
        let mut timeout = IDLE_POLL;
        let mut stopped = false;
        for _ in 0..ROUND {
            match self.client.poll(timeout) {
                Some(Ok(record)) => {
                    if self.membership.receive(&record) {
                        timeout = Duration::ZERO;
                    }
                }
                Some(Err(error)) => stopped |= self.errors.note(error, Instant::now())?,
                None => break,
            }
            if self.membership.unfolded_bytes() >= self.settings.unfolded_bytes() {
                break;
            }
        }
        self.handle_events()?;
        if stopped {
            self.membership.go_on_elsewhere(&self.client);
        }
        self.membership.exchange();
        self.membership.report(&self.settings.group);
        self.membership.save_offsets(&self.client);
        Ok(())
    }

    fn handle_events(&mut self) -> Result<(), ConsumerError> {
        let mut result = Ok(());
        for event in self.client.take_events() {
            if let ClientEvent::Statistics(statistics) = &event
                && brokers::are_forgotten(statistics)
            {
                self.metrics.kafka_error("brokers-forgotten");
                result = Err(ConsumerError::BrokersForgotten);
            }
            self.membership.handle(event, &self.client);
        }
        result
    }

    /// Leaves the group and joins again when partitions go unread and this member is the one to do it.
    fn rejoin_when_requested(&self) -> Result<(), ConsumerError> {
        let is_for_this_member = |target| match target {
            RejoinTarget::Everybody => true,
            RejoinTarget::OwnerOf((topic, partition)) => self.membership.is_assigned(&topic, partition),
        };
        if !self.rejoin_requests.try_iter().any(is_for_this_member) {
            return Ok(());
        }
        tracing::warn!("partitions that nobody reads; leaving the group and joining again");
        self.client.unsubscribe();
        let topics: Vec<&str> = self.settings.topics.iter().map(AsRef::as_ref).collect();
        self.client.subscribe(&topics).map_err(ConsumerError::Start)
    }

    /// A static member whose session ran out while the brokers were away comes back under another member id, and a commit of its former self that is
    /// answered late fences it for good. Another process with the same static id looks just so, but does it again at once.
    /// A client that has forgotten every broker is of no more use at all.
    fn may_rejoin(&self, error: &ConsumerError) -> bool {
        let least = self.settings.session_timeout;
        let is_first_fence = || error.is_fenced() && self.fenced_at.is_none_or(|last| last.elapsed() > least);
        matches!(error, ConsumerError::BrokersForgotten) || is_first_fence()
    }

    /// Gives the client up and joins with a new one. What the workers have is written, and then read again.
    fn rejoin(self, because: &ConsumerError) -> Result<Self, ConsumerError> {
        tracing::warn!(error = %because, "joining the group again, as another client");
        let Self {
            client,
            mut membership,
            fenced_at,
            ..
        } = self;
        drop(client);
        membership.forget_all();
        self.metrics.lags.clear();
        self.metrics.paused.set(0);
        Ok(Self {
            client: (self.join)()?,
            membership,
            state: State::Polling,
            fenced_at: if because.is_fenced() {
                Some(Instant::now())
            } else {
                fenced_at
            },
            ..self
        })
    }

    fn pause(&mut self) -> bool {
        let assignment = self.membership.assignment();
        if let Err(error) = self.client.pause(&assignment) {
            tracing::warn!(%error, "partitions not paused");
            return false;
        }
        self.membership.take_assigned_since_pause();
        let partitions = assignment.count();
        self.metrics.paused.set(partitions);
        tracing::warn!(partitions, "intake paused: the database does not keep up");
        true
    }

    fn resume(&mut self) -> bool {
        let assignment = self.membership.assignment();
        if let Err(error) = self.client.resume(&assignment) {
            tracing::warn!(%error, "partitions not resumed");
            return false;
        }
        self.metrics.paused.set(0);
        tracing::info!(partitions = assignment.count(), "intake resumed");
        true
    }

    fn begin_drain(&mut self) {
        self.health.stopping();
        self.membership.abandon_assignment(&self.client);
        if let Err(error) = self.client.pause(&self.membership.assignment()) {
            tracing::debug!(%error, "partitions not paused for shutdown");
        }
        let deadline = Instant::now() + self.settings.drain_timeout;
        self.state = State::Draining { deadline };
    }

    /// Waits a little for the workers; `Some` when everything is durable, or the deadline or a hard stop came first.
    fn drain(&mut self) -> Option<Result<(), ConsumerError>> {
        let State::Draining { deadline } = self.state else {
            return None;
        };
        // Polling keeps the membership; a record it gives is dropped and read again by whoever is next.
        drop(self.client.poll(Duration::ZERO));
        // Whoever ends needs no other client.
        let _forgotten = self.handle_events();
        let left = deadline.saturating_duration_since(Instant::now());
        let drained = self.membership.drain_all(left.min(IDLE_POLL));
        if !drained && !left.is_zero() && !self.membership.is_stopped_hard() {
            return None;
        }
        self.membership.commit_all(drained, &self.client);
        let bytes = self.membership.unwritten_bytes();
        Some(if drained {
            Ok(())
        } else {
            Err(ConsumerError::DrainTimedOut { bytes })
        })
    }
}

#[cfg(test)]
mod tests;
