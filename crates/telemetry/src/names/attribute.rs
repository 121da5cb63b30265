//! Attribute keys. Every one takes a small, fixed set of values, except topic and partition, which the operator bounds.

pub use opentelemetry_semantic_conventions::attribute::{
    DB_CLIENT_CONNECTION_POOL_NAME, DB_CLIENT_CONNECTION_STATE, DB_OPERATION_NAME, DB_SYSTEM_NAME, ERROR_TYPE,
    HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, MESSAGING_BATCH_MESSAGE_COUNT,
    MESSAGING_CONSUMER_GROUP_NAME, MESSAGING_DESTINATION_NAME, MESSAGING_DESTINATION_PARTITION_ID,
    MESSAGING_OPERATION_NAME, MESSAGING_SYSTEM, URL_SCHEME,
};

/// An event's CloudEvents type, `unknown` for types outside the contract.
pub const EVENT_TYPE: &str = "recap.event.type";
/// What became of the thing counted.
pub const OUTCOME: &str = "recap.outcome";
/// Why something was refused, dead-lettered or reset: a stable kebab-case code.
pub const REASON: &str = "recap.reason";
/// How the cache answered.
pub const CACHE_RESULT: &str = "recap.cache.result";
/// A rebuild's phase.
pub const REBUILD_PHASE: &str = "recap.rebuild.phase";
/// A generation's number, on spans only.
pub const GENERATION: &str = "recap.generation";
/// Conversations written, on spans only.
pub const CONVERSATIONS: &str = "recap.conversations";
