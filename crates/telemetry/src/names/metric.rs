//! Every metric: name, kind, unit, description, attributes and, for histograms, bucket bounds.

use opentelemetry_semantic_conventions::metric as semconv;

use super::attribute as a;

/// What a metric is to OpenTelemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Grows and shrinks; summing over instances makes sense.
    UpDownCounter,
    /// The value at the moment of reading.
    Gauge,
    /// A distribution over explicit buckets.
    Histogram,
}

/// A metric's definition.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// OpenTelemetry name.
    pub name: &'static str,
    /// Kind.
    pub kind: Kind,
    /// UCUM unit.
    pub unit: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// Keys of its attributes.
    pub attributes: &'static [&'static str],
    /// Upper bucket bounds, empty unless a histogram.
    pub buckets: &'static [f64],
}

impl Metric {
    /// The name under which Prometheus sees it; histograms add `_bucket`, `_sum` and `_count` to it.
    #[must_use]
    pub fn prometheus_name(&self) -> String {
        let unit = match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            "1" => "_ratio",
            _ => "",
        };
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{}{unit}{total}", self.name.replace('.', "_"))
    }
}

/// Seconds of serving: a cached answer takes a tenth of a millisecond, an export minutes.
const SERVING: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0,
    30.0, 120.0,
];
/// Seconds of one database operation.
const DATABASE: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];
/// Seconds of age: from a live stream to a backlog of a month.
const AGE: &[f64] = &[
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.15,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    1_800.0,
    3_600.0,
    21_600.0,
    86_400.0,
    604_800.0,
    2_592_000.0,
];
/// Things in a batch or an answer.
const COUNTS: &[f64] = &[
    0.0,
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
    50.0,
    100.0,
    200.0,
    500.0,
    1_000.0,
    2_000.0,
    5_000.0,
    10_000.0,
    20_000.0,
    50_000.0,
    100_000.0,
    1_000_000.0,
];
/// Events per row written.
const COLLAPSE: &[f64] = &[1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 50.0, 100.0, 500.0];
/// Bytes of an answer.
const SIZES: &[f64] = &[
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
];

macro_rules! metrics {
    ($($id:ident = $kind:ident $name:expr, $unit:literal, $description:literal, [$($attribute:expr),*] $(, $buckets:ident)?;)*) => {
        $(
            #[doc = $description]
            pub const $id: Metric = Metric {
                name: $name,
                kind: Kind::$kind,
                unit: $unit,
                description: $description,
                attributes: &[$($attribute),*],
                buckets: metrics!(@buckets $($buckets)?),
            };
        )*
        /// Every metric of recap.
        pub const ALL: &[Metric] = &[$($id),*];
    };
    (@buckets) => { &[] };
    (@buckets $buckets:ident) => { $buckets };
}

const PARTITION: [&str; 2] = [a::MESSAGING_DESTINATION_NAME, a::MESSAGING_DESTINATION_PARTITION_ID];

metrics! {
    // Projector: what comes in.
    CONSUMED = Counter semconv::MESSAGING_CLIENT_CONSUMED_MESSAGES, "{message}", "Records taken from Kafka.",
        [a::MESSAGING_SYSTEM, a::MESSAGING_DESTINATION_NAME, a::MESSAGING_CONSUMER_GROUP_NAME, a::MESSAGING_OPERATION_NAME];
    PROCESS_DURATION = Histogram semconv::MESSAGING_PROCESS_DURATION, "s", "Time to decode and fold one chunk of records.",
        [a::MESSAGING_SYSTEM, a::MESSAGING_OPERATION_NAME], DATABASE;
    EVENTS = Counter "recap.projector.events", "{event}", "Events by type and what became of them.", [a::EVENT_TYPE, a::OUTCOME];
    TOOL_CALL_ID_REUSED = Counter "recap.projector.tool_call_id_reused", "{tool_call}", "Started tool calls that took the place of another message's: their producer uses ids again within a conversation.", [];
    RECORDS_LOST = Counter "recap.projector.records_lost", "{record}", "Offsets that were gone from the log before they were read, by topic: at most so many records, since markers of transactions and aborted records take offsets too.", [a::MESSAGING_DESTINATION_NAME];
    RECORDS_REWOUND = Counter "recap.projector.records_rewound", "{record}", "Records read again because the database lacked what the group had committed, by topic.", [a::MESSAGING_DESTINATION_NAME];
    DEAD_LETTERS = Counter "recap.projector.dead_letters", "{event}", "Events put on the dead-letter topic, by reason.", [a::REASON];
    KAFKA_ERRORS = Counter "recap.projector.kafka.errors", "{error}", "Errors reported by the Kafka client, by code.", [a::ERROR_TYPE];
    LAG_RECORDS = Gauge "recap.projector.lag.records", "{record}", "Records between the offset before which everything is durable and the end of the partition.",
        [PARTITION[0], PARTITION[1]];
    LAG_TIME = Gauge "recap.projector.lag.time", "s", "Age of the last record received while records are not durable yet, 0 when there are none.", [PARTITION[0], PARTITION[1]];
    COMMITTED_OFFSET = Gauge "recap.projector.committed_offset", "{record}", "Offset before which everything of the partition is durable; the Kafka client commits it at its interval.", [PARTITION[0], PARTITION[1]];
    ASSIGNED = Gauge "recap.projector.partitions.assigned", "{partition}", "Partitions assigned to this instance.", [];
    MISSING_TOPICS = Gauge "recap.projector.topics.missing", "{topic}", "1 for each topic to be read that does not exist.", [a::MESSAGING_DESTINATION_NAME];
    UNREAD = Gauge "recap.projector.partitions.unread", "{partition}", "Partitions that no instance of the consumer group is assigned.", [];
    PAUSED = Gauge "recap.projector.partitions.paused", "{partition}", "Partitions paused because too much is in flight.", [];
    BUSY = Gauge "recap.projector.conversations.busy", "{conversation}", "Conversations that readers look for beside the indexes, since they were written a moment ago.", [];
    LISTED = Counter "recap.projector.conversations.listed", "{conversation}", "Conversations that became quiet and were listed in the indexes.", [];
    // Projector: freshness.
    FRESHNESS_EVENT_TIME = Histogram "recap.projector.freshness.event_time", "s", "From the time of a flush's oldest event to the commit that made it visible.", [], AGE;
    FRESHNESS_PRODUCE_TIME = Histogram "recap.projector.freshness.produce_time", "s",
        "From the timestamp in Kafka of a flush's oldest record to the commit that made it visible.", [], AGE;
    // Projector: batches.
    BATCH_EVENTS = Histogram "recap.projector.batch.events", "{event}", "Events folded into one flush.", [], COUNTS;
    BATCH_CONVERSATIONS = Histogram "recap.projector.batch.conversations", "{conversation}", "Conversations in one flush.", [], COUNTS;
    BATCH_COLLAPSE = Histogram "recap.projector.batch.collapse", "1", "Events per conversation of one flush.", [], COLLAPSE;
    FLUSH_DURATION = Histogram "recap.projector.flush.duration", "s", "One flush, begin to commit, by outcome.", [a::OUTCOME], DATABASE;
    FLUSH_RETRIES = Counter "recap.projector.flush.retries", "{flush}", "Flushes tried again because the database was unavailable.", [];
    ROWS_WRITTEN = Counter "recap.projector.rows.written", "{row}", "Conversation rows written.", [];
    ROWS_UNCHANGED = Counter "recap.projector.rows.unchanged", "{row}", "Conversations of a flush that had nothing new to write.", [];
    CONFLICTS = Counter "recap.projector.conflicts", "{conversation}", "Conversations another writer had changed, merged and written again.", [];
    RESETS = Counter "recap.projector.resets", "{reset}", "Times all states were dropped and their records read again, by reason.", [a::REASON];
    // Projector: memory.
    STATES_HELD = Gauge "recap.projector.states.held", "{conversation}", "States held in memory.", [];
    STATES_SIZE = Gauge "recap.projector.states.size", "By", "Estimated bytes of the states held in memory.", [];
    STATES_DIRTY = Gauge "recap.projector.states.dirty", "By", "Estimated bytes of states not yet committed.", [];
    STATES_EVICTED = Counter "recap.projector.states.evicted", "{conversation}", "Clean states dropped to keep the bound.", [];
    STATES_EVICTED_SIZE = Counter "recap.projector.states.evicted.size", "By", "Estimated bytes of clean states dropped to keep the bound.", [];
    STATES_LOADED = Counter "recap.projector.states.loaded", "{conversation}", "States read back from the database.", [];
    INTAKE_SIZE = Gauge "recap.projector.intake.size", "By", "Bytes of records between the consumer and the workers.", [];
    // Rebuild.
    REBUILD_PHASE = Gauge "recap.rebuild.phase", "", "1 for the phase a rebuild is in, 0 for the others.", [a::REBUILD_PHASE];
    REBUILD_EVENTS = Counter "recap.rebuild.events", "{event}", "Events folded into the new generation.", [];
    REBUILD_PROGRESS = Gauge "recap.rebuild.progress", "1", "Share of the log between start and end offsets that is in the new generation.", [];
    REBUILD_VERIFIED = Counter "recap.rebuild.verified", "{conversation}", "Conversations compared between the generations.", [];
    REBUILD_DIFFERENCES = Counter "recap.rebuild.differences", "{conversation}", "Conversations found to differ between the generations.", [];
    REBUILD_SWITCHES = Counter "recap.rebuild.switches", "{switch}", "Switches of the live generation, by outcome.", [a::OUTCOME];
    // Query service: requests.
    HTTP_DURATION = Histogram semconv::HTTP_SERVER_REQUEST_DURATION, "s", "Duration of a request, to the last byte.",
        [a::HTTP_REQUEST_METHOD, a::HTTP_ROUTE, a::HTTP_RESPONSE_STATUS_CODE, a::URL_SCHEME, a::ERROR_TYPE], SERVING;
    HTTP_ACTIVE = UpDownCounter semconv::HTTP_SERVER_ACTIVE_REQUESTS, "{request}", "Requests being served.", [a::HTTP_REQUEST_METHOD, a::URL_SCHEME];
    HTTP_BODY_SIZE = Histogram semconv::HTTP_SERVER_RESPONSE_BODY_SIZE, "By", "Bytes of an answer's body as sent.", [a::HTTP_ROUTE], SIZES;
    TIME_TO_FIRST_BYTE = Histogram "recap.query.time_to_first_byte", "s", "From the request to the first byte of the body.", [a::HTTP_ROUTE], SERVING;
    ANSWER_ROWS = Histogram "recap.query.answer.rows", "{row}", "Conversations in an answer.", [a::HTTP_ROUTE], COUNTS;
    STREAM_ABORTS = Counter "recap.query.stream.aborts", "{answer}", "Streamed answers that failed after their headers.", [a::REASON];
    AUTH_REFUSALS = Counter "recap.query.auth.refusals", "{request}", "Requests refused for their token or its claims, by reason.", [a::REASON];
    IMPERSONATED = Counter "recap.query.auth.impersonated", "{request}", "Requests of somebody who acts as the user (the token's act).", [];
    LIMITED = Counter "recap.query.limited", "{request}", "Requests turned away to protect the others, by reason.", [a::REASON];
    KEY_FETCHES = Counter "recap.query.jwks.fetches", "{fetch}", "Fetches of the token issuer's keys, by outcome.", [a::OUTCOME];
    // Query service: cache and change feed.
    CACHE_LOOKUPS = Counter "recap.query.cache.lookups", "{request}", "Answers by how the cache gave them.", [a::CACHE_RESULT];
    CACHE_ENTRIES = Gauge "recap.query.cache.entries", "{entry}", "Answers in the cache.", [];
    CACHE_SIZE = Gauge "recap.query.cache.size", "By", "Bytes of the answers in the cache.", [];
    CHANGES = Counter "recap.query.changes", "{notification}", "Change notifications received.", [];
    REPLAY_LAG = Gauge "recap.query.replay_lag", "s", "How far the database that is read, a standby, was behind its primary at the last check; 0 on a primary.", [];
    FEED_AGE = Gauge "recap.query.feed.age", "s", "Time since the change feed was last proven complete.", [];
    // Schema registry, of those that map: projector and rebuild.
    SCHEMA_REGISTRY_LOOKUPS = Counter "recap.schema_registry.lookups", "{request}", "Questions to the schema registry for a schema, by outcome.", [a::OUTCOME];
    SCHEMA_REGISTRY_WAITING = UpDownCounter "recap.schema_registry.waiting", "{schema}", "Schemas that records wait for because the registry does not answer.", [];
    // Clerk bridge.
    CLERK_WEBHOOKS = Counter "recap.clerk.webhooks", "{webhook}", "Webhooks of Clerk's by type and what became of them.", [a::EVENT_TYPE, a::OUTCOME];
    CLERK_API_REQUESTS = Counter "recap.clerk.api.requests", "{request}", "Requests to Clerk's Backend API, by outcome.", [a::OUTCOME];
    // Both services: database and process.
    DB_DURATION = Histogram semconv::DB_CLIENT_OPERATION_DURATION, "s", "Duration of a database operation, waiting for a connection (`acquire`) included.",
        [a::DB_SYSTEM_NAME, a::DB_OPERATION_NAME], DATABASE;
    POOL_CONNECTIONS = UpDownCounter semconv::DB_CLIENT_CONNECTION_COUNT, "{connection}", "Connections of a pool, by state.",
        [a::DB_CLIENT_CONNECTION_POOL_NAME, a::DB_CLIENT_CONNECTION_STATE];
    POOL_MAX = UpDownCounter semconv::DB_CLIENT_CONNECTION_MAX, "{connection}", "Connections a pool may open.", [a::DB_CLIENT_CONNECTION_POOL_NAME];
    PROCESS_MEMORY = UpDownCounter semconv::PROCESS_MEMORY_USAGE, "By", "Resident set of the process.", [];
    PROCESS_CPU = Counter semconv::PROCESS_CPU_TIME, "s", "CPU time of the process.", [];
}
