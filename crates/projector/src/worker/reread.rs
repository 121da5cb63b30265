//! Reading records again that were folded and could not be written as they were.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
    sync::Arc,
    time::Duration,
};

use rdkafka::{Message as _, error::RDKafkaErrorCode};
use recap_log::{LogError, LogReader, Offsets, Partition, worker_of};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{
    provenance::{Provenance, Span},
    seams::{Gone, RecordSource},
};
use crate::{
    Settings,
    books::durable_offsets::ChunkId,
    intake::chunk::{Buffers, Chunk, ReadingRules},
};

/// Bytes of one piece.
const PIECE_BYTES: usize = 4 << 20;
/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// The records of one worker, to be read again.
#[derive(Debug)]
pub(crate) struct Reread {
    settings: Arc<Settings>,
    worker: usize,
}

/// Why a reading ended early.
enum Ended {
    Gone(Gone),
    Log(LogError),
    /// Nobody wants to know any more.
    Unheard,
}

type Pieces = Sender<Result<Chunk, Gone>>;
type Spans = HashMap<Partition, (usize, Span)>;

impl Reread {
    pub fn new(settings: Arc<Settings>, worker: usize) -> Self {
        Self { settings, worker }
    }
}

impl RecordSource for Reread {
    fn pieces(&self, provenance: &Provenance) -> Receiver<Result<Chunk, Gone>> {
        let (pieces, received) = channel(1);
        let mut passes: Vec<Spans> = Vec::new();
        for ((topic, partition), spans) in provenance.spans() {
            let partition = Partition::new(Arc::clone(&self.settings.topics[topic]), partition);
            for (pass, span) in spans.into_iter().enumerate() {
                if passes.len() == pass {
                    passes.push(Spans::new());
                }
                passes[pass].insert(partition.clone(), (topic, span));
            }
        }
        let (settings, worker) = (Arc::clone(&self.settings), self.worker);
        // A thread of its own, for it may be in the middle of waiting for a broker when the process ends.
        std::thread::spawn(move || {
            for pass in &passes {
                loop {
                    match read(&settings, worker, pass, &pieces) {
                        Ok(()) => break,
                        Err(Ended::Unheard) => return,
                        Err(Ended::Gone(gone)) => {
                            // Unheard, it does not matter any more.
                            let _unheard = pieces.blocking_send(Err(gone));
                            return;
                        }
                        Err(Ended::Log(error)) => {
                            tracing::warn!(%error, "records cannot be read again yet");
                            std::thread::sleep(PAUSE);
                        }
                    }
                }
            }
        });
        received
    }
}

fn read(settings: &Settings, worker: usize, spans: &Spans, pieces: &Pieces) -> Result<(), Ended> {
    let mut log = LogReader::open(&settings.log()).map_err(Ended::Log)?;
    let (mut from, mut to) = (Offsets::default(), Offsets::default());
    for (partition, (_, span)) in spans {
        from.set(partition.clone(), span.first);
        to.set(partition.clone(), span.last + 1);
    }
    log.seek(from).map_err(Ended::Log)?;
    let mut begun: HashSet<&Partition> = HashSet::new();
    let rules = ReadingRules::of(settings);
    loop {
        let mut chunk = Chunk::new(ChunkId(0), rules.clone(), Buffers::default());
        let (mut bytes, mut gone) = (0, None);
        let read = log.read_to(&to, |partition, message| {
            let Some((partition, (topic, span))) = spans.get_key_value(partition) else {
                return ControlFlow::Continue(());
            };
            // The first record was there before.
            if begun.insert(partition) && message.offset() != span.first {
                gone = Some(Gone::new(partition, span.first));
                return ControlFlow::Break(());
            }
            if message.offset() <= span.last
                && worker_of(message.key(), message.partition(), settings.workers) == worker
            {
                bytes += chunk.push(*topic, &message);
            }
            if bytes < PIECE_BYTES {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        let read = match (read, gone) {
            (_, Some(gone)) => return Err(Ended::Gone(gone)),
            (Err(error), None) => return Err(out_of_range(error, &log, spans)),
            (Ok(read), None) => read,
        };
        if !chunk.records.is_empty() {
            let sent = pieces.blocking_send(Ok(chunk));
            sent.map_err(|_| Ended::Unheard)?;
        }
        if read {
            let unread = spans.iter().find(|(partition, _)| !begun.contains(partition));
            return unread.map_or(Ok(()), |(partition, (_, span))| {
                Err(Ended::Gone(Gone::new(partition, span.first)))
            });
        }
    }
}

/// An offset before the log's beginning is no reason to try again.
fn out_of_range(error: LogError, log: &LogReader, spans: &Spans) -> Ended {
    let LogError::Kafka { source, .. } = &error else {
        return Ended::Log(error);
    };
    let codes = [RDKafkaErrorCode::OffsetOutOfRange, RDKafkaErrorCode::AutoOffsetReset];
    let is_gone = source.rdkafka_error_code().is_some_and(|code| codes.contains(&code));
    let unread = spans
        .iter()
        .find(|(partition, (_, span))| log.position().get(partition) <= span.last);
    match unread {
        Some((partition, (_, span))) if is_gone => Ended::Gone(Gone::new(partition, span.first)),
        _ => Ended::Log(error),
    }
}
