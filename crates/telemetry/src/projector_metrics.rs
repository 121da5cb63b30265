//! The projector's instruments. Calls are cheap (tens of nanoseconds) and made per batch or chunk wherever they can be.

use std::{sync::Arc, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter},
};

use crate::{
    database_metrics::DatabaseMetrics,
    instruments::{counter, histogram},
    names::{attribute as a, metric},
    observed::{Level, MissingTopics, PartitionLags},
};

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventOutcome {
    /// Folded into a state.
    Folded,
    /// Skipped: a type outside the contract.
    UnknownType,
    /// Skipped: a record without a value.
    NullValue,
    /// Dead-lettered: against the contract.
    Invalid,
    /// Dead-lettered: refused by the database.
    Refused,
}

impl EventOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Folded => "folded",
            Self::UnknownType => "unknown-type",
            Self::NullValue => "null-value",
            Self::Invalid => "invalid",
            Self::Refused => "refused",
        }
    }
}

/// How a flush ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlushOutcome {
    /// Committed.
    Committed,
    /// Another generation went live.
    GenerationChanged,
    /// The database refused the data.
    Refused,
    /// The database could not be reached or asked to try again.
    Unavailable,
    /// Anything else: schema or stored state not understood.
    Failed,
}

impl FlushOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::GenerationChanged => "generation-changed",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
        }
    }
}

/// Why all states were dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetReason {
    /// Another generation went live.
    GenerationChanged,
    /// The database refused something folded.
    Refused,
    /// Partitions moved.
    Rebalance,
    /// The database is back at an earlier state.
    CommitsLost,
    /// A topic was deleted and created anew.
    TopicRecreated,
}

impl ResetReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::GenerationChanged => "generation-changed",
            Self::Refused => "refused",
            Self::Rebalance => "rebalance",
            Self::CommitsLost => "commits-lost",
            Self::TopicRecreated => "topic-recreated",
        }
    }
}

/// What one committed flush held.
#[derive(Debug, Clone, Copy, Default)]
pub struct BatchFigures {
    /// Events folded into it.
    pub events: u64,
    /// Conversations in it.
    pub conversations: u64,
    /// Conversation rows written.
    pub written: u64,
    /// Conversations with nothing new.
    pub unchanged: u64,
    /// Conversations another writer had changed.
    pub conflicts: u64,
    /// States read back from the database.
    pub loaded: u64,
    /// Started tool calls that took the place of another message's.
    pub reused_ids: u64,
}

/// The projector's instruments; clones share them.
#[derive(Debug, Clone)]
pub struct ProjectorMetrics {
    /// Per partition: lag in records and seconds, committed offset.
    pub lags: PartitionLags,
    /// Topics that do not exist.
    pub missing_topics: MissingTopics,
    /// Partitions that no member of the group is assigned.
    pub unread: Level,
    /// Partitions paused.
    pub paused: Level,
    /// Conversations that are busy.
    pub busy: Level,
    /// States held in memory.
    pub states_held: Level,
    /// Bytes of states held in memory.
    pub states_bytes: Level,
    /// Bytes of states not yet committed.
    pub dirty_bytes: Level,
    /// Bytes of records between consumer and workers.
    pub intake_bytes: Level,
    /// Database operations and pools.
    pub database: DatabaseMetrics,
    consumed: Counter<u64>,
    process: Histogram<f64>,
    events: Counter<u64>,
    lost: Counter<u64>,
    rewound: Counter<u64>,
    dead_letters: Counter<u64>,
    kafka_errors: Counter<u64>,
    freshness_event: Histogram<f64>,
    freshness_produce: Histogram<f64>,
    batch_events: Histogram<f64>,
    batch_conversations: Histogram<f64>,
    batch_collapse: Histogram<f64>,
    flush: Histogram<f64>,
    retries: Counter<u64>,
    written: Counter<u64>,
    unchanged: Counter<u64>,
    conflicts: Counter<u64>,
    resets: Counter<u64>,
    evicted: Counter<u64>,
    evicted_bytes: Counter<u64>,
    loaded: Counter<u64>,
    reused_ids: Counter<u64>,
    listed: Counter<u64>,
}

impl ProjectorMetrics {
    /// Makes the instruments.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        Self {
            lags: PartitionLags::new(meter),
            missing_topics: MissingTopics::new(meter),
            unread: Level::new(meter, &metric::UNREAD),
            paused: Level::new(meter, &metric::PAUSED),
            busy: Level::new(meter, &metric::BUSY),
            states_held: Level::new(meter, &metric::STATES_HELD),
            states_bytes: Level::new(meter, &metric::STATES_SIZE),
            dirty_bytes: Level::new(meter, &metric::STATES_DIRTY),
            intake_bytes: Level::new(meter, &metric::INTAKE_SIZE),
            database: DatabaseMetrics::new(meter),
            consumed: counter(meter, &metric::CONSUMED),
            process: histogram(meter, &metric::PROCESS_DURATION),
            events: counter(meter, &metric::EVENTS),
            lost: counter(meter, &metric::RECORDS_LOST),
            rewound: counter(meter, &metric::RECORDS_REWOUND),
            dead_letters: counter(meter, &metric::DEAD_LETTERS),
            kafka_errors: counter(meter, &metric::KAFKA_ERRORS),
            freshness_event: histogram(meter, &metric::FRESHNESS_EVENT_TIME),
            freshness_produce: histogram(meter, &metric::FRESHNESS_PRODUCE_TIME),
            batch_events: histogram(meter, &metric::BATCH_EVENTS),
            batch_conversations: histogram(meter, &metric::BATCH_CONVERSATIONS),
            batch_collapse: histogram(meter, &metric::BATCH_COLLAPSE),
            flush: histogram(meter, &metric::FLUSH_DURATION),
            retries: counter(meter, &metric::FLUSH_RETRIES),
            written: counter(meter, &metric::ROWS_WRITTEN),
            unchanged: counter(meter, &metric::ROWS_UNCHANGED),
            conflicts: counter(meter, &metric::CONFLICTS),
            resets: counter(meter, &metric::RESETS),
            evicted: counter(meter, &metric::STATES_EVICTED),
            evicted_bytes: counter(meter, &metric::STATES_EVICTED_SIZE),
            loaded: counter(meter, &metric::STATES_LOADED),
            reused_ids: counter(meter, &metric::TOOL_CALL_ID_REUSED),
            listed: counter(meter, &metric::LISTED),
        }
    }

    /// Records were taken from a topic.
    pub fn consumed(&self, topic: &Arc<str>, group: &Arc<str>, records: u64) {
        self.consumed.add(
            records,
            &[
                KeyValue::new(a::MESSAGING_SYSTEM, "kafka"),
                KeyValue::new(a::MESSAGING_DESTINATION_NAME, Arc::clone(topic)),
                KeyValue::new(a::MESSAGING_CONSUMER_GROUP_NAME, Arc::clone(group)),
                KeyValue::new(a::MESSAGING_OPERATION_NAME, "poll"),
            ],
        );
    }

    /// A chunk was decoded and folded.
    pub fn processed(&self, duration: Duration) {
        self.process.record(
            duration.as_secs_f64(),
            &[
                KeyValue::new(a::MESSAGING_SYSTEM, "kafka"),
                KeyValue::new(a::MESSAGING_OPERATION_NAME, "process"),
            ],
        );
    }

    /// `count` events of a type had an outcome. `event_type` is the contract's name, `unknown` for others.
    pub fn events(&self, event_type: &'static str, outcome: EventOutcome, count: u64) {
        self.events.add(
            count,
            &[
                KeyValue::new(a::EVENT_TYPE, event_type),
                KeyValue::new(a::OUTCOME, outcome.as_str()),
            ],
        );
    }

    /// Reading a partition of the topic begins `lost` offsets late, for they are gone, and `rewound` records early, for the database lacks them.
    /// With nothing of either the series begin.
    pub fn began(&self, topic: &Arc<str>, lost: u64, rewound: u64) {
        let topic = [KeyValue::new(a::MESSAGING_DESTINATION_NAME, Arc::clone(topic))];
        self.lost.add(lost, &topic);
        self.rewound.add(rewound, &topic);
    }

    /// An event went to the dead letters for `reason`, a stable kebab-case code.
    pub fn dead_lettered(&self, reason: &'static str) {
        self.dead_letters.add(1, &[KeyValue::new(a::REASON, reason)]);
    }

    /// The Kafka client reported an error; `code` is its name, never its message.
    pub fn kafka_error(&self, code: &'static str) {
        self.kafka_errors.add(1, &[KeyValue::new(a::ERROR_TYPE, code)]);
    }

    /// A commit made its events visible; the oldest is this many seconds old by its own time, and by when it was produced. Clocks that run
    /// ahead count as 0.
    pub fn committed(&self, since_event_time: f64, since_produced: f64) {
        self.freshness_event.record(since_event_time.max(0.0), &[]);
        self.freshness_produce.record(since_produced.max(0.0), &[]);
    }

    /// A flush ended after `duration`; `figures` count only when it committed.
    pub fn flushed(&self, outcome: FlushOutcome, duration: Duration, figures: BatchFigures) {
        self.flush
            .record(duration.as_secs_f64(), &[KeyValue::new(a::OUTCOME, outcome.as_str())]);
        if outcome != FlushOutcome::Committed {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a batch has far fewer than 2^52 events")]
        let (events, conversations) = (figures.events as f64, figures.conversations as f64);
        self.batch_events.record(events, &[]);
        self.batch_conversations.record(conversations, &[]);
        if figures.conversations > 0 {
            self.batch_collapse.record(events / conversations, &[]);
        }
        self.written.add(figures.written, &[]);
        self.unchanged.add(figures.unchanged, &[]);
        self.conflicts.add(figures.conflicts, &[]);
        self.loaded.add(figures.loaded, &[]);
        self.reused_ids.add(figures.reused_ids, &[]);
    }

    /// The same batch is tried again.
    pub fn flush_retried(&self) {
        self.retries.add(1, &[]);
    }

    /// All states were dropped.
    pub fn reset(&self, reason: ResetReason) {
        self.resets.add(1, &[KeyValue::new(a::REASON, reason.as_str())]);
    }

    /// Conversations became quiet, and were listed.
    pub fn listed(&self, conversations: u64) {
        self.listed.add(conversations, &[]);
    }

    /// Clean states were dropped to keep the memory bound.
    pub fn evicted(&self, states: u64, bytes: u64) {
        self.evicted.add(states, &[]);
        self.evicted_bytes.add(bytes, &[]);
    }
}
