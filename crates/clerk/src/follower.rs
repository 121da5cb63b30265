//! Keeps the directory: a thread that reads the topic of users from its beginning, and on to its end whenever it is asked to.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use rdkafka::message::Message as _;
use recap_events::{Body, Decoded, decode};
use recap_log::{Log, LogError, LogReader, headers};
use recap_service::backoff::Backoff;
use tokio::sync::oneshot;

use crate::{directory::Directory, profile_event::ProfileEvent};

/// How often the topic is read on when nobody asks: a question should find little left to read.
const IDLE: Duration = Duration::from_secs(15);

type Waiting = oneshot::Sender<()>;

/// The topic of users cannot be read just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the topic of users cannot be read just now, and only it tells which memberships there were")]
pub struct NotCaughtUp;

/// The directory and the thread that keeps it, which ends when this is dropped.
pub(crate) struct Follower {
    directory: Arc<RwLock<Directory>>,
    has_begun: Arc<AtomicBool>,
    trouble: Arc<Mutex<Option<String>>>,
    questions: mpsc::Sender<Waiting>,
}

impl Follower {
    /// Begins to read. `log` has the topic of users alone; no group is joined.
    pub fn start(log: Log) -> std::io::Result<Self> {
        let (questions, asked) = mpsc::channel();
        let follower = Self {
            directory: Arc::default(),
            has_begun: Arc::default(),
            trouble: Arc::default(),
            questions,
        };
        let thread = Thread {
            directory: Arc::clone(&follower.directory),
            has_begun: Arc::clone(&follower.has_begun),
            trouble: Arc::clone(&follower.trouble),
            log,
        };
        std::thread::Builder::new()
            .name("directory".to_owned())
            .spawn(move || thread.run(&asked))?;
        Ok(follower)
    }

    /// Returns once everything is read that is in the topic now.
    pub async fn catch_up(&self) -> Result<(), NotCaughtUp> {
        let (waiting, done) = oneshot::channel();
        self.questions.send(waiting).map_err(|_| NotCaughtUp)?;
        done.await.map_err(|_| NotCaughtUp)
    }

    /// What is read so far.
    pub fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a deletion cannot be handled just now, if so.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let has_begun = self.has_begun.load(Ordering::Relaxed);
        trouble.or_else(|| (!has_begun).then(|| "the topic of users has not been read to its end yet".to_owned()))
    }
}

struct Thread {
    directory: Arc<RwLock<Directory>>,
    has_begun: Arc<AtomicBool>,
    trouble: Arc<Mutex<Option<String>>>,
    log: Log,
}

impl Thread {
    fn run(&self, asked: &Receiver<Waiting>) {
        let mut reader = None;
        let mut backoff = Backoff::new();
        loop {
            let mut waiting = Vec::new();
            // The first reading waits for nobody.
            if self.has_begun.load(Ordering::Relaxed) {
                match asked.recv_timeout(IDLE) {
                    Ok(first) => waiting.push(first),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            // Asked before the end is looked up, so what is in the topic then is read.
            waiting.extend(asked.try_iter());
            match self.read_to_end(&mut reader) {
                Ok(()) => {
                    self.has_begun.store(true, Ordering::Relaxed);
                    self.tell(None);
                    backoff = Backoff::new();
                    for one in waiting {
                        // Whoever asked may have run out of time.
                        let _gone = one.send(());
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the topic of users cannot be read; trying again");
                    self.tell(Some(format!("the topic of users cannot be read: {error}")));
                    drop(waiting);
                    reader = None;
                    // Who asks meanwhile is told as soon as those before.
                    if let Err(mpsc::TryRecvError::Disconnected) = asked.try_recv() {
                        return;
                    }
                    std::thread::sleep(backoff.next().unwrap_or_default());
                }
            }
        }
    }

    fn tell(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn read_to_end(&self, reader: &mut Option<LogReader>) -> Result<(), LogError> {
        let reader = match reader {
            Some(reader) => reader,
            None => reader.insert(LogReader::open(&self.log)?),
        };
        let ends = reader.lookup().ends()?;
        let mut read = false;
        while !read {
            read = reader.read_to(&ends, |_, message| {
                let found = headers(message.headers()).flatten();
                if let Decoded::Event(event) = decode(message.payload(), found, None)
                    && let Body::User { user_id, profile } = &event.body
                {
                    let mut directory = self.directory.write().unwrap_or_else(PoisonError::into_inner);
                    let is_ours = ProfileEvent::is_id(&event.id);
                    directory.apply(&event.org_id, user_id, event.time, profile.is_some(), is_ours);
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }
}
