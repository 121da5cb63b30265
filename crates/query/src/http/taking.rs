//! How a client takes an answer: pieces that are out, and when the last one was taken.
//!
//! hyper does not ask an HTTP/2 body for more while the client's window is closed, so a body cannot notice the stall by itself. The task of the
//! stream watches in its place, and ends: the stream is reset, the connection's others go on.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{memory::Reservation, stall};

tokio::task_local! {
    /// The stream whose task this is.
    static STREAM: Arc<Stream>;
}

/// An HTTP/2 stream, as its task sees it.
#[derive(Default)]
pub(super) struct Stream {
    answer: OnceLock<Arc<Taking>>,
    answered: Notify,
}

impl Stream {
    /// Runs the stream's task, for as long as its client takes what it is sent.
    pub(super) async fn run(task: impl Future) {
        let stream = Arc::new(Self::default());
        let watched = Arc::clone(&stream);
        let watch = async move {
            let answer = loop {
                match watched.answer.get() {
                    Some(answer) => break answer,
                    None => watched.answered.notified().await,
                }
            };
            answer.stalled().await;
        };
        tokio::select! {
            _ = STREAM.scope(stream, task) => {}
            () = watch => tracing::debug!("a stream is reset: its client takes nothing"),
        }
    }
}

/// What a client has taken of one answer.
pub(super) struct Taking {
    began: Instant,
    /// Pieces that are out.
    out: AtomicUsize,
    /// When one was taken last, in milliseconds since it began.
    latest: AtomicU64,
    limit: Duration,
    reservation: Option<Arc<Reservation>>,
}

impl Taking {
    /// Of an answer whose client may take nothing for `limit`, and for less while others wait for what `reservation` holds. The stream whose task
    /// this is called in is watched from now on.
    pub(super) fn new(limit: Duration, reservation: Option<Arc<Reservation>>) -> Arc<Self> {
        let taking = Arc::new(Self {
            began: Instant::now(),
            out: AtomicUsize::new(0),
            latest: AtomicU64::new(0),
            limit,
            reservation,
        });
        let _not_http_2 = STREAM.try_with(|stream| {
            let _only_one = stream.answer.set(Arc::clone(&taking));
            stream.answered.notify_one();
        });
        taking
    }

    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    pub(super) fn reservation(&self) -> Option<&Arc<Reservation>> {
        self.reservation.as_ref()
    }

    /// Whether others wait for what the answer holds.
    pub(super) fn is_wanted(&self) -> bool {
        self.reservation
            .as_ref()
            .is_some_and(|reservation| reservation.is_wanted())
    }

    /// A piece goes out. The first one starts the clock.
    pub(super) fn give(&self) {
        if self.out.fetch_add(1, Ordering::Relaxed) == 0 {
            self.now();
        }
    }

    /// A piece was taken.
    pub(super) fn take(&self) {
        self.now();
        self.out.fetch_sub(1, Ordering::Relaxed);
    }

    fn now(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.latest.store(now, Ordering::Relaxed);
    }

    /// Ends when the client has taken nothing for too long.
    async fn stalled(&self) {
        loop {
            let is_out = self.out.load(Ordering::Relaxed) > 0;
            let latest = Duration::from_millis(self.latest.load(Ordering::Relaxed));
            let stalled = self.began.elapsed().saturating_sub(latest);
            if is_out && stall::is_too_long(stalled, self.limit, || self.is_wanted()) {
                return;
            }
            tokio::time::sleep(stall::tick(self.limit)).await;
        }
    }
}
