//! What is known of the projector's commits: for each organization an epoch that changes with every commit that may have touched it,
//! and the moment up to which every commit is known to have been heard of.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use recap_store::{Change, ChangeListener, DatabaseUrl, ListenError, LogPosition, OrgBuckets, Reader};
use recap_telemetry::QueryMetrics;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};

/// A connection that keeps a ping for so long has lost it.
const PING_LOST: Duration = Duration::from_secs(5);
/// Between two attempts to connect.
const RECONNECT: Duration = Duration::from_millis(500);

/// Names a state of an organization's rows: after any commit that touched them, once heard of, it is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Epoch {
    everything: u64,
    organization: u64,
}

/// A ping that was answered: what was heard before it, and where the primary's log was.
struct Proof {
    position: LogPosition,
    sent: Instant,
    changes: Vec<Change>,
}

/// What was heard of and cannot be read yet, since a standby has not replayed it.
#[derive(Default)]
struct Unreplayed {
    pings: VecDeque<Proof>,
    changes: Vec<Change>,
}

impl Unreplayed {
    fn add(&mut self, change: Change) {
        match (self.changes.last_mut(), change) {
            (Some(Change::Organizations(known)), Change::Organizations(more)) => known.add_all(&more),
            (_, change) => self.changes.push(change),
        }
    }

    fn ping(&mut self, position: LogPosition, sent: Instant) {
        let changes = std::mem::take(&mut self.changes);
        self.pings.push_back(Proof {
            position,
            sent,
            changes,
        });
    }

    /// Those that can be read: on a primary all.
    fn take(&mut self, replayed: Option<LogPosition>) -> Vec<Proof> {
        let is_there = |ping: &Proof| replayed.is_none_or(|replayed| ping.position <= replayed);
        let count = self.pings.iter().take_while(|ping| is_there(ping)).count();
        self.pings.drain(..count).collect()
    }
}

/// The change feed as the cache needs it.
pub(crate) struct Feed {
    started: Instant,
    /// Counts the moments at which everything older had to be distrusted.
    everything: AtomicU64,
    /// Counts the changes of each bucket of organizations.
    buckets: Box<[AtomicU64]>,
    /// Counts everything that was heard of, for who waits for it.
    heard: watch::Sender<u64>,
    /// Microseconds from `started` to the moment up to which the feed is complete, plus one; 0 is never.
    proven: AtomicU64,
}

impl Feed {
    /// A feed that has heard nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            everything: AtomicU64::new(0),
            buckets: (0..OrgBuckets::COUNT).map(|_| AtomicU64::new(0)).collect(),
            heard: watch::Sender::new(0),
            proven: AtomicU64::new(0),
        }
    }

    /// Every commit before this moment is in the epochs. Read it before [`Self::epoch`]: then the epoch has them all.
    pub(crate) fn proven(&self) -> Option<Instant> {
        let micros = self.proven.load(Ordering::SeqCst).checked_sub(1)?;
        Some(self.started + Duration::from_micros(micros))
    }

    /// The epoch of an organization now.
    pub(crate) fn epoch(&self, org_id: &str) -> Epoch {
        Epoch {
            everything: self.everything.load(Ordering::SeqCst),
            organization: self.buckets[OrgBuckets::bucket_of(org_id)].load(Ordering::SeqCst),
        }
    }

    /// Changes whenever something was heard of.
    pub(crate) fn heard(&self) -> watch::Receiver<u64> {
        self.heard.subscribe()
    }

    /// How long ago the feed was last proven complete; since the start when never.
    pub(crate) fn age(&self) -> Duration {
        self.proven().unwrap_or(self.started).elapsed()
    }

    /// Listens for as long as it is polled, connecting again and again. `reader` reads what the answers are made of: on a standby nothing counts as
    /// known before it is replayed there.
    pub(crate) async fn follow(
        self: Arc<Self>,
        changes: DatabaseUrl,
        reader: Reader,
        ping_every: Duration,
        metrics: QueryMetrics,
    ) {
        let mut logged = None;
        loop {
            let ended = match ChangeListener::connect(&changes).await {
                Ok(listener) => {
                    if logged.take().is_some() {
                        tracing::info!("the change feed is up again");
                    }
                    self.listen(listener, &reader, ping_every, &metrics).await
                }
                Err(error) => error,
            };
            // Told when it changes, not at every attempt.
            let cause = ended.to_string();
            if logged.as_ref() != Some(&cause) {
                tracing::warn!(
                    error = &ended as &dyn std::error::Error,
                    "the change feed is down: cached answers are kept by age alone. It needs the primary: set RECAP_CHANGES_DATABASE_URL, or `off`"
                );
                logged = Some(cause);
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }

    async fn listen(
        &self,
        mut listener: ChangeListener,
        reader: &Reader,
        ping_every: Duration,
        metrics: &QueryMetrics,
    ) -> ListenError {
        // What was committed before this connection listened nobody received.
        self.distrust_everything();
        let mut ticks = tokio::time::interval(ping_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut number, mut waiting) = (0, None);
        let mut unreplayed = Unreplayed::default();
        loop {
            tokio::select! {
                change = listener.next() => match change {
                    Ok(Change::Ping(returned, position)) => {
                        if let Some(sent) = waiting.take_if(|_| returned == number) {
                            unreplayed.ping(position, sent);
                            self.replay(&mut unreplayed, reader).await;
                        }
                    }
                    Ok(change) => {
                        metrics.change_received();
                        self.apply(&change);
                        unreplayed.add(change);
                    }
                    Err(ended) => return ended,
                },
                _ = ticks.tick() => {
                    if waiting.is_some_and(|sent: Instant| sent.elapsed() > PING_LOST) {
                        return ListenError::Lost;
                    }
                    self.replay(&mut unreplayed, reader).await;
                    if waiting.is_none() {
                        number += 1;
                        waiting = Some(Instant::now());
                        if let Err(ended) = listener.ping(number).await {
                            return ended;
                        }
                    }
                }
            }
        }
    }

    /// Takes note of what can be read now. A standby may have answered from before a change after that was heard of: such answers are dropped once
    /// it is replayed.
    async fn replay(&self, unreplayed: &mut Unreplayed, reader: &Reader) {
        if unreplayed.pings.is_empty() {
            return;
        }
        let standby = match reader.replication().await {
            Ok(standby) => standby,
            Err(error) => return tracing::debug!(%error, "how far the database has replayed is not known"),
        };
        for ping in unreplayed.take(standby.map(|standby| standby.replayed)) {
            if standby.is_some() {
                ping.changes.iter().for_each(|change| self.apply(change));
            }
            self.prove(ping.sent);
        }
    }

    fn apply(&self, change: &Change) {
        match change {
            Change::Organizations(organizations) => {
                for bucket in organizations.iter() {
                    self.buckets[bucket].fetch_add(1, Ordering::SeqCst);
                }
                self.heard.send_modify(|count| *count += 1);
            }
            Change::Generation(_) | Change::Unknown => self.distrust_everything(),
            Change::Ping(..) => {}
        }
    }

    fn distrust_everything(&self) {
        self.everything.fetch_add(1, Ordering::SeqCst);
        self.heard.send_modify(|count| *count += 1);
    }

    fn prove(&self, moment: Instant) {
        let micros = moment.duration_since(self.started).as_micros();
        self.proven
            .store(u64::try_from(micros).unwrap_or(u64::MAX - 1) + 1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_changes_with_its_organization_and_with_everything() {
        let feed = Feed::new();
        let before = feed.epoch("org_a");
        assert_eq!(feed.epoch("org_a"), before);
        let mut touched = OrgBuckets::none();
        touched.insert("org_a");
        feed.apply(&Change::Organizations(touched));
        let after = feed.epoch("org_a");
        assert_ne!(before, after);
        feed.apply(&Change::Unknown);
        assert_ne!(feed.epoch("org_a"), after);
    }

    #[test]
    fn nothing_is_proven_before_a_ping_returns() {
        let feed = Feed::new();
        assert_eq!(feed.proven(), None);
        let now = Instant::now();
        feed.prove(now);
        let proven = feed.proven().unwrap_or(feed.started);
        assert!(proven <= now && now.duration_since(proven) < Duration::from_millis(1));
    }

    #[test]
    fn what_a_standby_has_not_replayed_waits_and_changes_are_applied_with_it() {
        let (mut unreplayed, now) = (Unreplayed::default(), Instant::now());
        let touched = |org_id: &str| {
            let mut touched = OrgBuckets::none();
            touched.insert(org_id);
            Change::Organizations(touched)
        };
        let at = |bytes| LogPosition::new(bytes);
        unreplayed.add(touched("a"));
        unreplayed.add(touched("b"));
        unreplayed.ping(at(10), now);
        unreplayed.add(touched("c"));
        unreplayed.ping(at(20), now);
        assert_eq!(unreplayed.take(Some(at(9))).len(), 0);
        let first = unreplayed.take(Some(at(10)));
        assert_eq!((first.len(), first[0].changes.len()), (1, 1), "those of a ping are one");
        assert_eq!(unreplayed.take(None).len(), 1, "a primary shows everything");
    }
}
