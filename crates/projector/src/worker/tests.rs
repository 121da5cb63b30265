//! A worker without a broker and a database: how batches are written, tried again, refused and folded again.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
    time::Duration,
};

use rdkafka::message::OwnedMessage;
use recap_store::{Base, Batch, FlushError, FlushReport, Target};
use recap_summary::Conversation;
use tokio::sync::mpsc::{Receiver, UnboundedSender, channel, unbounded_channel};

use super::*;
use crate::{
    books::durable_offsets::ChunkId,
    dead_letters::{DeadLetter, Limit, Window},
    health::Health,
    intake::chunk::ReadingRules,
    tests::{self, raw_record, record},
};

const TOPIC: &str = "recap.messages";

/// A table in memory that answers the next flushes as a test scripts, and refuses conversations whose id begins with `bad`.
#[derive(Debug, Default)]
struct Table {
    rows: Mutex<BTreeMap<String, Conversation>>,
    answers: Mutex<VecDeque<FlushError>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl BatchFlush for Table {
    async fn flush(&self, _target: Target, batch: &mut Batch) -> Result<FlushReport, FlushError> {
        let count = batch.conversations.len();
        if let Some(error) = self.answers.lock().unwrap().pop_front() {
            self.log.lock().unwrap().push(format!("failed {count}"));
            return Err(error);
        }
        let is_bad = |entry: &Entry| entry.key.conversation_id.starts_with("bad");
        if batch.conversations.iter().any(is_bad) {
            self.log.lock().unwrap().push(format!("refused {count}"));
            return Err(FlushError::Refused(sqlx::Error::RowNotFound.into()));
        }
        let mut rows = self.rows.lock().unwrap();
        for entry in &mut batch.conversations {
            let row = rows.entry(entry.key.conversation_id.to_string()).or_default();
            row.merge(&entry.delta.state);
            entry.delta.state.merge(row);
            entry.delta.state.mark_clean();
            entry.delta.payloads.clear();
            entry.base = Base::Revision(1);
        }
        self.log.lock().unwrap().push(format!("written {count}"));
        Ok(FlushReport::default())
    }
}

/// Dead letters in memory.
#[derive(Debug, Default)]
struct Letters {
    sent: Mutex<Vec<(String, i64)>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl DeadLetterSink for Letters {
    async fn publish(&self, letters: Vec<DeadLetter>) {
        self.log
            .lock()
            .unwrap()
            .push(format!("dead-lettered {}", letters.len()));
        let letters = letters
            .into_iter()
            .map(|letter| (letter.reason.to_owned(), letter.offset));
        self.sent.lock().unwrap().extend(letters);
    }
}

/// Every record again, whatever is asked for.
struct Again(Vec<OwnedMessage>);

impl RecordSource for Again {
    fn pieces(&self, _provenance: &Provenance) -> Receiver<Result<Chunk, Gone>> {
        let (pieces, received) = channel(1);
        pieces.try_send(Ok(chunk(0, &self.0))).unwrap();
        received
    }
}

fn chunk(id: u64, records: &[OwnedMessage]) -> Chunk {
    let settings = tests::settings(&["--max-time-ahead=off", &format!("--topics={TOPIC}")]);
    let mut chunk = Chunk::new(ChunkId(id), ReadingRules::of(&settings), Buffers::default());
    for record in records {
        chunk.push(0, record);
    }
    chunk
}

/// A worker that is given one chunk of these records.
struct Setting {
    flusher: Arc<Flusher<Table, Letters>>,
    log: Arc<Mutex<Vec<String>>>,
    worker: Worker<Table, Letters, Again>,
    chunks: UnboundedSender<Chunk>,
    reports: mpsc::Receiver<Report>,
    health: Arc<Health>,
}

impl Setting {
    fn new(records: Vec<OwnedMessage>, answers: impl IntoIterator<Item = FlushError>) -> Self {
        Self::lingering("0ms", records, answers)
    }

    fn lingering(linger: &str, records: Vec<OwnedMessage>, answers: impl IntoIterator<Item = FlushError>) -> Self {
        let linger = format!("--flush-linger={linger}");
        let settings = Arc::new(tests::settings(&["--workers=1", &linger]));
        let log = Arc::<Mutex<Vec<String>>>::default();
        let (health, metrics) = (tests::health(&settings), tests::metrics());
        let flusher = Arc::new(Flusher {
            writer: Table {
                answers: Mutex::new(answers.into_iter().collect()),
                log: Arc::clone(&log),
                ..Table::default()
            },
            dead_letters: Letters {
                log: Arc::clone(&log),
                ..Letters::default()
            },
            limit: Limit::new(Window::new(Duration::from_mins(1), 0.5, 3)),
            metrics,
            health: Arc::clone(&health),
        });
        let (chunks, received) = unbounded_channel();
        let (report, reports) = mpsc::channel();
        chunks.send(chunk(1, &records)).unwrap();
        let generation = GenerationId::new(1);
        let worker = Worker::new(&settings, &flusher, generation, Again(records), received, report);
        Self {
            flusher,
            log,
            worker,
            chunks,
            reports,
            health,
        }
    }

    /// Lets the worker finish what it has, and returns what happened in order.
    async fn finish(self) -> Outcome {
        drop(self.chunks);
        let result = self.worker.run().await;
        let durable = self.reports.try_iter().flat_map(|report| match report {
            Report::Durable(chunks) => chunks.into_iter().map(|(id, _)| id.0).collect(),
            Report::Folded(..) => Vec::new(),
        });
        Outcome {
            durable: durable.collect(),
            rows: self.flusher.writer.rows.lock().unwrap().clone(),
            letters: self.flusher.dead_letters.sent.lock().unwrap().clone(),
            log: self.log.lock().unwrap().clone(),
            database: self.health.database_trouble(),
            result,
        }
    }
}

struct Outcome {
    result: Result<(), WorkerError>,
    durable: Vec<u64>,
    rows: BTreeMap<String, Conversation>,
    letters: Vec<(String, i64)>,
    log: Vec<String>,
    database: Option<String>,
}

impl Outcome {
    /// Messages of each conversation.
    fn messages(&self) -> Vec<(&str, i64)> {
        self.rows
            .iter()
            .map(|(id, row)| (id.as_str(), row.columns().total_message_count))
            .collect()
    }
}

fn unavailable() -> FlushError {
    FlushError::Unavailable(sqlx::Error::PoolTimedOut.into())
}

#[tokio::test]
async fn a_chunk_is_durable_once_its_batch_is_written() {
    let setting = Setting::new(
        vec![record(TOPIC, 0, "a"), record(TOPIC, 1, "b"), record(TOPIC, 2, "a")],
        [],
    );
    let outcome = setting.finish().await;
    outcome.result.as_ref().unwrap();
    assert_eq!(outcome.messages(), [("a", 2), ("b", 1)]);
    assert_eq!((outcome.log, outcome.durable), (vec!["written 2".to_owned()], vec![1]));
}

#[tokio::test]
async fn a_database_that_is_away_is_waited_for_with_the_same_batch() {
    let setting = Setting::new(vec![record(TOPIC, 0, "a")], [unavailable(), unavailable()]);
    let outcome = setting.finish().await;
    outcome.result.as_ref().unwrap();
    assert_eq!(outcome.messages(), [("a", 1)]);
    assert_eq!(outcome.log, ["failed 1", "failed 1", "written 1"]);
    assert_eq!(outcome.database, None, "the probes see that it is back");
    assert_eq!(outcome.durable, [1]);
}

#[tokio::test]
async fn dead_letters_are_durable_before_the_offsets_may_move() {
    let setting = Setting::new(vec![raw_record(TOPIC, 0, "a", "{"), record(TOPIC, 1, "a")], []);
    let outcome = setting.finish().await;
    outcome.result.as_ref().unwrap();
    assert_eq!(outcome.log, ["dead-lettered 1", "written 1"]);
    assert_eq!(outcome.letters, [("not-json".to_owned(), 0)]);
    assert_eq!(outcome.durable, [1]);
}

#[tokio::test]
async fn what_the_database_refuses_is_dead_lettered_alone() {
    let mut records: Vec<_> = (0..20)
        .map(|offset| record(TOPIC, offset, &format!("c{offset}")))
        .collect();
    records[7] = record(TOPIC, 7, "bad");
    let outcome = Setting::new(records, []).finish().await;
    outcome.result.as_ref().unwrap();
    assert_eq!(outcome.letters, [("database-refused".to_owned(), 7)]);
    assert_eq!(outcome.messages().len(), 19);
    assert!(outcome.messages().iter().all(|(_, messages)| *messages == 1));
    assert_eq!(outcome.durable, [1]);
}

#[tokio::test]
async fn another_generation_gets_the_records_folded_again() {
    let changed = FlushError::GenerationChanged {
        live: GenerationId::new(2),
    };
    let outcome = Setting::new(vec![raw_record(TOPIC, 0, "a", "{"), record(TOPIC, 1, "a")], [changed])
        .finish()
        .await;
    outcome.result.as_ref().unwrap();
    assert_eq!(
        outcome.log,
        ["dead-lettered 1", "failed 1", "written 1"],
        "and no dead letter twice"
    );
    assert_eq!((outcome.messages(), outcome.durable.clone()), (vec![("a", 1)], vec![1]));
}

#[tokio::test]
async fn too_many_dead_letters_stop_the_worker_with_nothing_durable() {
    let records = (0..4).map(|offset| raw_record(TOPIC, offset, "a", "{")).collect();
    let outcome = Setting::new(records, []).finish().await;
    let limit = WorkerError::Flush(FlushFailure::TooManyDeadLetters(
        crate::dead_letters::TooManyDeadLetters {
            dead: 4,
            records: 4,
            ratio: 0.5,
        },
    ));
    assert_eq!(outcome.result.unwrap_err().to_string(), limit.to_string());
    assert_eq!((outcome.durable, outcome.letters), (vec![], vec![]));
}

#[tokio::test]
async fn an_error_that_waiting_cannot_mend_ends_the_worker() {
    let schema = FlushError::Schema(sqlx::Error::RowNotFound.into());
    let outcome = Setting::new(vec![record(TOPIC, 0, "a")], [schema]).finish().await;
    assert!(matches!(
        outcome.result,
        Err(WorkerError::Flush(FlushFailure::Store(_)))
    ));
    assert!(outcome.durable.is_empty());
}

#[tokio::test]
async fn what_comes_while_a_batch_is_written_joins_the_written_state() {
    let setting = Setting::new(vec![record(TOPIC, 0, "a")], []);
    setting
        .chunks
        .send(chunk(2, &[record(TOPIC, 1, "a"), record(TOPIC, 0, "a")]))
        .unwrap();
    let outcome = setting.finish().await;
    outcome.result.as_ref().unwrap();
    assert_eq!(outcome.messages(), [("a", 2)]);
    assert_eq!(outcome.durable, [1, 2]);
}

#[tokio::test]
async fn an_event_after_a_pause_is_written_at_once_and_those_that_follow_share_a_flush() {
    let setting = Setting::lingering("1s", vec![record(TOPIC, 0, "a")], []);
    let (log, chunks) = (Arc::clone(&setting.log), setting.chunks);
    let running = tokio::spawn(setting.worker.run());
    let (linger, began) = (Duration::from_secs(1), Instant::now());
    let flushed = async |count| {
        while log.lock().unwrap().len() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Instant::now()
    };
    assert!(flushed(1).await < began + linger);
    for (id, conversation) in [(2, "b"), (3, "c")] {
        chunks.send(chunk(id, &[record(TOPIC, 0, conversation)])).unwrap();
    }
    let second = flushed(2).await;
    assert!(second >= began + linger);
    tokio::time::sleep_until(second + linger).await;
    chunks.send(chunk(4, &[record(TOPIC, 0, "d")])).unwrap();
    assert!(flushed(3).await < second + 2 * linger);
    drop(chunks);
    running.await.unwrap().unwrap();
    assert_eq!(*log.lock().unwrap(), ["written 1", "written 2", "written 1"]);
}
